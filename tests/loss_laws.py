"""What holds for every loss: plain functions ``law(loss, sample)`` over the samples of loss_samples.py."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.losses._domains import Domain, WeightDomain
from tinygrad_loss.losses._loss import Loss

from .laws import close, hostile
from .loss_samples import LossSample, call, extremes, interior, leaves, without
from .samples import Array, seeded


@contextmanager
def advised() -> Iterator[None]:
    """Advice is not the subject here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        yield


def evaluate(
    loss: Loss, sample: LossSample, reduction: str = "mean", kind: Any = np.float64, create_graph: bool = False,
    only: str | None = None,
) -> tuple[Any, dict[str, Array]]:  # fmt: skip
    """The value and the gradients (by all, or one, argument) of a sum that weighs all its elements differently."""
    given = leaves(sample, kind)
    with advised():
        for name, x in given.items():
            x.requires_grad_(only is None or name == only)
        y = call(loss, sample, reduction, **given)
        given = {n: x for n, x in given.items() if x.requires_grad}
    if not y.requires_grad:
        return y, {}
    seed = tl.tensor(np.asarray(seeded("seed").uniform(0.5, 1.5, y.shape)).astype(kind))
    found = autograd.grad(y, list(given.values()), seed, create_graph=create_graph, allow_unused=True)
    return y, {n: g.array if g is not None else np.zeros(given[n].shape, kind) for n, g in zip(given, found, strict=True)}


def reductions(loss: Loss) -> tuple[str, ...]:
    return tuple(loss.declaration.reductions)


def share_of(loss: Loss, sample: LossSample) -> float:
    """What a mean divides by: the elements, or the summed shares where the formula gives them, of what is kept."""
    tensors, kept = opened(loss, sample)
    with advised():
        returned = loss.formula(**tensors, **sample.options)
    share = returned[1] if isinstance(returned, tuple) else np.ones(returned.shape)
    share = share.array if hasattr(share, "array") else share
    return float(np.sum(share * kept))


def opened(loss: Loss, sample: LossSample) -> tuple[dict[str, Any], Array]:
    """The tensors as the formula sees them, with a harmless class for what is ignored, and the mask of the rest."""
    arrays, kept = dict(sample.arrays), np.ones(())
    for name, x in sample.given().items():
        if x.dtype.kind != "f" and "ignore_index" in sample.options:
            kept = (x != sample.options["ignore_index"]).astype(float)
            arrays[name] = np.where(kept > 0, x, 0)
    tensors = {n: None if x is None else tl.tensor(x) for n, x in arrays.items()}
    if not sample.batched:
        tensors = {n: x.unsqueeze(0) if n in sample.specs and sample.specs[n].axes[0] == "[N]" else x for n, x in tensors.items()}
        kept = kept.reshape((1, *kept.shape)) if kept.ndim or kept.size else kept
    return tensors, kept


# Derivatives.


def law_derivatives(loss: Loss, sample: LossSample) -> None:
    """First and second derivatives by every argument of floats are those of finite differences."""
    sample = interior(sample)
    names, given = sample.floats(), leaves(sample)
    for reduction in ("mean", "none"):

        def of_leaves(*x: Any, reduction: str = reduction) -> Any:
            with advised():
                return call(loss, sample, reduction, **dict(zip(names, x, strict=True)))

        if np.isnan(of_leaves(*given.values()).array).any():
            assert reduction == "mean" and share_of(loss, sample) == 0, "nan from ordinary values"
            continue
        assert autograd.gradcheck(of_leaves, tuple(given.values()), eps=1e-6, atol=1e-7, rtol=1e-6)
        assert autograd.gradgradcheck(of_leaves, tuple(given.values()), eps=1e-6, atol=1e-6, rtol=1e-5)


def law_two_modes(loss: Loss, sample: LossSample) -> None:
    """A plain backward and one that records itself give the same gradients."""
    for reduction in reductions(loss):
        plain, taped = evaluate(loss, sample, reduction)[1], evaluate(loss, sample, reduction, create_graph=True)[1]
        for name in plain:
            close(plain[name], taped[name], 1e-13, f"{reduction}: gradient of {name}, plain against recorded")


def law_kernel(loss: Loss, sample: LossSample) -> None:
    """A kernel by hand, where there is one, agrees with the formula."""
    kernel = loss._kernel
    if kernel is None:
        return
    for reduction, kind, only in itertools.product(reductions(loss), (np.float64, np.float32), (None, *sample.floats())):
        fast, slopes = evaluate(loss, sample, reduction, kind, only=only)
        loss._kernel = None
        try:
            slow, truth = evaluate(loss, sample, reduction, kind, only=only)
        finally:
            loss._kernel = kernel
        rtol = 1e-13 if kind is np.float64 else 3e-6
        assert fast.dtype == slow.dtype
        close(fast, slow, rtol, f"{reduction}: value, kernel against formula")
        for name in truth:
            close(slopes[name], truth[name], rtol, f"{reduction}: gradient of {name}, kernel against formula")


# Reductions and shapes.


def law_reductions(loss: Loss, sample: LossSample) -> None:
    """sum is the sum of none, mean that over its denominator, batchmean that over the first axis; shapes as declared."""
    with advised():
        none = call(loss, sample, "none").array
        found = {r: call(loss, sample, r).array for r in reductions(loss)}
    spec = loss.declaration.arguments[0].specs[0]
    expected: tuple[int, ...] = ()
    for axis in spec.axes:
        if axis in ("...", "*"):
            expected += sample.sizes[axis]
        elif axis == "N" or (axis == "[N]" and sample.batched):  # other named axes are what the formula reduces
            expected += (sample.sizes["N"],)
    assert none.shape == expected, f"reduction='none' has shape {none.shape}, expected {expected}"
    assert all(y.shape == () for r, y in found.items() if r != "none")
    total, share = none.sum(), share_of(loss, sample)
    close(found["sum"], total, 1e-13, "sum")
    close(found["mean"], total / share if share else np.asarray(math.nan), 1e-13, "mean")
    if "batchmean" in found and none.size:
        close(found["batchmean"], total / (none.shape[0] if none.ndim else 1), 1e-13, "batchmean")


def law_formula(loss: Loss, sample: LossSample) -> None:
    """The plain formula, reduced by hand, is what the call gives."""
    tensors, kept = opened(loss, sample)
    with advised():
        returned = loss.formula(**tensors, **sample.options)
        whole = call(loss, sample, "none").array
    value = (returned[0] if isinstance(returned, tuple) else returned).array * kept
    close(whole, value.reshape(whole.shape), 1e-14, "none")


def law_module(loss: Loss, sample: LossSample) -> None:
    """The module gives the same bits as the function."""
    options = {n: v for n, v in sample.options.items() if n in loss.Module.order}
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    kept = {n: x for n, x in arrays.items() if n in loss.Module.order}
    passed = {n: x for n, x in arrays.items() if n not in loss.Module.order and x is not None}
    if set(passed) - set(loss.declaration.required):
        return  # torch's class lacks this argument
    for reduction in reductions(loss):
        module = loss.Module(**options, **kept, reduction=reduction)
        with advised():
            a, b = module(**passed), call(loss, sample, reduction)
        np.testing.assert_array_equal(a.array, b.array)
        assert not list(module.parameters()) and repr(module).startswith(loss.Module.__name__)


def law_permutation(loss: Loss, sample: LossSample) -> None:
    """The order of the examples matters to nobody."""
    first = next(iter(sample.given().values()))
    if not sample.batched or first.ndim == 0 or first.shape[0] < 2:
        return
    order = np.roll(np.arange(first.shape[0]), 1)
    with advised():
        none, moved = (call(loss, x, "none").array for x in (sample, without(sample, order)))
        mean, again = (call(loss, x).array for x in (sample, without(sample, order)))
    np.testing.assert_array_equal(none[order], moved)
    close(mean, again, 1e-13, "mean of permuted examples")


def law_unbatched(loss: Loss, sample: LossSample) -> None:
    """An example by itself is a batch of one."""
    if sample.batched or not sample.size:
        return
    arrays = {n: x[None] if sample.specs[n].axes[0] == "[N]" else x for n, x in sample.given().items()}
    one = LossSample({**sample.arrays, **arrays}, sample.specs, sample.options, {**sample.sizes, "N": 1}, True)
    for reduction in reductions(loss):
        (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, one, reduction)
        close(y, z.reshape(y.shape), 1e-14, reduction)
        for name in g:
            if reduction != "none":
                close(g[name], h[name].reshape(g[name].shape), 1e-14, f"{reduction}: gradient of {name}")


def law_ignored(loss: Loss, sample: LossSample) -> None:
    """An ignored example counts as if it were not there, whatever its values, and its gradient is 0."""
    if not sample.ignores or not sample.batched or sample.sizes.get("*"):
        return
    label = next(x for x in sample.given().values() if x.dtype.kind != "f")
    keep = np.flatnonzero(label != sample.options["ignore_index"])
    drop = np.flatnonzero(label == sample.options["ignore_index"])
    fewer = without(sample, keep)
    for reduction in reductions(loss):
        for poison in (None, math.nan, math.inf):
            arrays = {}
            for name in sample.floats():
                if poison is not None and sample.specs[name].axes[0] in ("[N]", "N"):
                    arrays[name] = np.array(sample.arrays[name])
                    arrays[name][drop] = -poison if poison == math.inf else poison
            (y, g), (z, h) = evaluate(loss, sample.with_arrays(**arrays), reduction), evaluate(loss, fewer, reduction)
            if reduction == "none":
                np.testing.assert_array_equal(y.array[drop], 0.0)
                close(y.array[keep], z, 1e-14, "none of the rest")
                continue
            close(y, z, 1e-14, f"{reduction} without the ignored")
            for name in g:
                batched = sample.specs[name].axes[0] in ("[N]", "N")
                close(g[name][keep] if batched else g[name], h[name], 1e-13, f"{reduction}: gradient of {name}")
                assert not batched or not g[name][drop].any(), f"{reduction}: gradient of an ignored {name}"


# Values.


def law_dtypes(loss: Loss, sample: LossSample) -> None:
    """float32 agrees with float64 and stays float32; float16 is accepted, stays, and is finite."""
    for reduction in reductions(loss):
        y, g = evaluate(loss, sample, reduction)
        for kind, rtol in ((np.float32, 1e-5), (np.float16, 0.02)):
            z, h = evaluate(loss, sample, reduction, kind)
            assert z.array.dtype == kind and all(x.dtype == kind for x in h.values()), f"{z.dtype} from {kind}"
            finite = np.isfinite(y.array).all()
            assert np.isfinite(z.array).all() == finite
            if finite:
                close(z, y, rtol, f"{kind.__name__} against float64", least=1e-2)
                for name in g:
                    close(h[name], g[name], 10 * rtol, f"{kind.__name__}: gradient of {name}", least=0.1)


def law_nan(loss: Loss, sample: LossSample) -> None:
    """A nan that could have mattered comes out, or is refused: in the value, and in the gradient."""
    if sample.ignores or not 0 < sample.size <= 24:
        return
    y, g = evaluate(loss, sample, "sum")
    for name in sample.floats():
        for at in np.ndindex(np.asarray(sample.arrays[name]).shape):
            changed = np.array(sample.arrays[name])
            changed[at] = math.nan
            try:
                z, h = evaluate(loss, sample.with_arrays(**{name: changed}), "sum")
            except (RuntimeError, ValueError) as error:
                assert loss.name in str(error) and name in str(error)
                continue
            others = [_moved(loss, sample, name, at, v) for v in extremes(loss, sample, name)]
            if any(not np.array_equal(v.array, y.array) for v, _ in others):
                assert np.isnan(z.array), f"nan at {name}{list(at)} is swallowed"
            if any(not np.array_equal(s[n], g[n], equal_nan=True) for _, s in others for n in g):
                assert any(np.isnan(x).any() for x in h.values()), f"nan at {name}{list(at)} leaves no trace in gradients"


def _moved(loss: Loss, sample: LossSample, name: str, at: Any, value: float) -> tuple[Any, dict[str, Array]]:
    changed = np.array(sample.arrays[name])
    changed[at] = value
    return evaluate(loss, sample.with_arrays(**{name: changed}), "sum")


def law_extremes(loss: Loss, sample: LossSample) -> None:
    """Finite in, no nan out, in value and gradient, with huge, tiny, equal and zero values; nothing is reported.

    A mean that overflowed to inf has no derivative by its weights: (inf - inf) / sum.
    """
    if not sample.size or sample.ignores:
        return
    r = seeded(f"extremes{loss.name}{sample!r}")
    for turn, kind in itertools.product(range(6), (np.float64, np.float32)):
        arrays = {}
        for name in sample.floats():
            x = np.array(sample.arrays[name])
            values = extremes(loss, sample, name)
            if kind is np.float32 and type(sample.specs[name].domain) is not Domain:
                values = [v for v in values if v == 0 or 1e-3 < abs(v) < 1e3]  # 1e30 * 1e30 is beyond float32
            arrays[name] = r.choice(values, size=x.shape) if turn % 2 or turn == 0 else np.full(x.shape, r.choice(values))
        with hostile():
            drawn = sample.with_arrays(**arrays)
            for reduction in ("none", "sum", "mean"):
                if reduction == "mean" and not share_of(loss, drawn):
                    continue
                y, g = evaluate(loss, drawn, reduction, kind)
                assert not np.isnan(y.array).any(), f"{kind.__name__} {reduction}: nan from finite {arrays}"
                for name in g:
                    lost = not np.isfinite(y.array).all() and isinstance(drawn.specs[name].domain, WeightDomain)
                    assert lost or not np.isnan(g[name]).any(), f"{kind.__name__} {reduction}: nan gradient of {name}, {arrays}"
