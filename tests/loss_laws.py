"""What holds for every loss: plain functions ``law(loss, sample)`` over the samples of loss_samples.py."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import (
    as_batch,
    by_hand,
    continuous,
    count_of,
    interior,
    output_shape,
    share_of,
    take,
)
from .loss_samples import LossSample, call, leaves
from .samples import Array, seeded

Law = Callable[[Loss, LossSample], None]


def at_most(samples: int) -> Callable[[Law], Law]:
    """A law that takes long: of each loss's samples, which show much from the start on, so many are enough."""

    def mark(law: Law) -> Law:
        law.most = samples  # type: ignore[attr-defined]
        return law

    return mark


@contextmanager
def advised() -> Iterator[None]:
    """Advice is not the subject here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        yield


def evaluate(
    loss: Loss, sample: LossSample, reduction: str = "mean", kind: Any = np.float64, create_graph: bool = False,
    only: str | None = None, **counts: Array,
) -> tuple[Any, dict[str, Array]]:  # fmt: skip
    """The value and the gradients (by all, or one, argument) of a sum that weighs all its elements differently.

    ``counts``: sample_weight, by which there is a gradient too, and mask.
    """
    given = leaves(sample, kind)
    more = {n: tl.tensor(x if x.dtype.kind == "b" else x.astype(kind)) for n, x in counts.items()}
    given |= {n: x.requires_grad_() for n, x in more.items() if n == "sample_weight"}
    with advised():
        for name, x in given.items():
            x.requires_grad_(only is None or name == only)
        y = call(loss, sample, reduction, **{**more, **given})
        given = {n: x for n, x in given.items() if x.requires_grad}
    if not y.requires_grad:
        return y, {}
    seed = tl.tensor(np.asarray(seeded("seed").uniform(0.5, 1.5, y.shape)).astype(kind))
    found = autograd.grad(y, list(given.values()), seed, create_graph=create_graph, allow_unused=True)
    return y, {n: g.array if g is not None else np.zeros(given[n].shape, kind) for n, g in zip(given, found, strict=True)}


def reductions(loss: Loss) -> tuple[str, ...]:
    return tuple(loss.declaration.reductions)


# Derivatives.


STEP = 5e-6


def slopes_by(function: Any, points: list[Array], directions: list[Array]) -> Array:
    """The derivative of an array-valued function along a direction, by differences whose error is of order STEP ** 4."""

    def at(t: float) -> Array:
        return np.asarray(function(*(x + t * STEP * d for x, d in zip(points, directions, strict=True))))

    return np.asarray((8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP))


def check_derivatives(loss: Loss, sample: LossSample, reduction: str, names: list[str], **counts: Array) -> None:
    """First and second derivatives by the arguments named, and by the weights, are those of finite differences.

    Along random directions that move everything at once, so that no element escapes.
    """
    given = {n: np.asarray(sample.arrays[n]) for n in names}
    given |= {n: x for n, x in counts.items() if x.dtype.kind == "f"}
    fixed = {n: tl.tensor(x) for n, x in counts.items() if x.dtype.kind != "f"}

    def tensors(x: tuple[Array, ...]) -> list[Any]:
        return [tl.tensor(v, requires_grad=True) for v in x]

    def value(xs: list[Any]) -> Any:
        with advised():
            return call(loss, sample, reduction, **dict(zip(given, xs, strict=True)), **fixed)

    def pulled(xs: list[Any], create_graph: bool = False) -> list[Any]:
        y = value(xs)
        seed = tl.tensor(np.asarray(seeded("seed").uniform(0.5, 1.5, y.shape)))
        found = autograd.grad(y, xs, seed, create_graph=create_graph, materialize_grads=True, allow_unused=True)
        return list(found)

    points = list(given.values())
    y = value(tensors(tuple(points))).array
    if np.isnan(y).any():
        assert reduction in ("mean", "batchmean") and share_of(loss, sample) == 0, "nan from ordinary values"
        return
    weigh = np.asarray(seeded("seed").uniform(0.5, 1.5, y.shape))
    r = seeded(f"direction{sample!r}{reduction}")
    directions = [np.asarray(r.uniform(0.4, 1.0, x.shape) * r.choice([-1.0, 1.0], size=x.shape)) for x in points]
    first = slopes_by(lambda *x: (value(tensors(x)).array * weigh).sum(), points, directions)
    xs = tensors(tuple(points))
    slopes = pulled(xs, create_graph=True)
    found = np.asarray(sum((g.array * d).sum() for g, d in zip(slopes, directions, strict=True)))
    size = sum(np.abs(g.array * d).sum() for g, d in zip(slopes, directions, strict=True))
    assert abs(found - first) <= 1e-7 * size + 1e-9, f"{reduction}: derivative {found}, by differences {first}"
    along = sum((g * tl.tensor(d)).sum() for g, d in zip(slopes, directions, strict=True))
    second = [np.zeros(x.shape) for x in xs]
    if getattr(along, "requires_grad", False):
        second = [g.array for g in autograd.grad(along, xs, materialize_grads=True, allow_unused=True)]
    for i, (name, h) in enumerate(zip(given, second, strict=True)):
        expected = slopes_by(lambda *x, i=i: pulled(tensors(x))[i].array, points, directions)
        close(h, expected, 1e-6, f"{reduction}: second derivative by {name} against differences of the first", least=1e-2)


@at_most(10)
def law_derivatives(loss: Loss, sample: LossSample) -> None:
    """First and second derivatives by every argument of floats are those of finite differences."""
    sample = interior(sample)
    names = continuous(sample)
    assert next(iter(sample.given())) in names, "the first array cannot be varied"
    for reduction in ("mean", "none"):
        check_derivatives(loss, sample, reduction, names)


@at_most(1)
def law_jacobian(loss: Loss, sample: LossSample) -> None:
    """The same, element by element, with the checks that users have."""
    sample = interior(take(sample, np.arange(min(count_of(sample) or 0, 4 if loss.mixes else 2))))
    given = {n: x for n, x in leaves(sample).items() if n in continuous(sample)}

    def of_leaves(*x: Any) -> Any:
        with advised():
            return call(loss, sample, "none", **dict(zip(given, x, strict=True)))

    assert autograd.gradcheck(of_leaves, tuple(given.values()), eps=1e-6, atol=1e-7, rtol=1e-6)
    assert autograd.gradgradcheck(of_leaves, tuple(given.values()), eps=1e-6, atol=1e-6, rtol=1e-5)


@at_most(8)
def law_two_modes(loss: Loss, sample: LossSample) -> None:
    """A plain backward and one that records itself give the same gradients."""
    for reduction in reductions(loss):
        plainly, taped = evaluate(loss, sample, reduction)[1], evaluate(loss, sample, reduction, create_graph=True)[1]
        for name in plainly:
            close(plainly[name], taped[name], 1e-13, f"{reduction}: gradient of {name}, plain against recorded")


@at_most(6)
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
        rtol = 1e-14 if kind is np.float64 else 4e-7
        assert fast.dtype == slow.dtype
        close(fast, slow, rtol, f"{reduction}: value, kernel against formula")
        for name in truth:  # where the terms of a slope cancel, both err in the digits of these terms
            close(slopes[name], truth[name], rtol, f"{reduction}: gradient of {name}, kernel against formula", least=0.02)


# Reductions and shapes.


def law_reductions(loss: Loss, sample: LossSample) -> None:
    """Every reduction is the plain formula's values reduced by hand: mean divides by their shares, batchmean by the
    examples; the shapes are those declared."""
    with advised():
        found = {r: call(loss, sample, r).array for r in reductions(loss)}
    expected = output_shape(loss, sample)
    assert expected is None or found["none"].shape == expected, f"reduction='none': {found['none'].shape}, expected {expected}"
    assert all(y.shape == () for r, y in found.items() if r != "none")
    for reduction, value in by_hand(loss, sample).items():
        close(found[reduction], value, 1e-13, reduction)
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    with advised():
        default = loss(**arrays, **sample.options)
    np.testing.assert_array_equal(default.array, found[loss.declaration.defaults["reduction"]])


def law_module(loss: Loss, sample: LossSample) -> None:
    """The module gives the same bits as the function."""
    assert set(loss.declaration.options) <= set(loss.Module.order), "an option that the class does not take"
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    kept = {n: x for n, x in arrays.items() if n in loss.Module.order}
    passed = {n: x for n, x in arrays.items() if n not in loss.Module.order and x is not None}
    for reduction in reductions(loss):
        module = loss.Module(**sample.options, **kept, reduction=reduction)
        with advised():
            a, b = module(**passed), call(loss, sample, reduction)
        np.testing.assert_array_equal(a.array, b.array)
        assert not list(module.parameters()) and repr(module).startswith(loss.Module.__name__)
        if set(passed) <= set(loss.declaration.required):
            with advised():
                np.testing.assert_array_equal(module(*passed.values()).array, b.array)


def law_permutation(loss: Loss, sample: LossSample) -> None:
    """The order of the examples matters to nobody."""
    count = count_of(sample)
    if not sample.batched or count is None or count < 2:
        return
    order = np.roll(np.arange(count), 1)
    moved = take(sample, order)
    for reduction in reductions(loss):
        (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, moved, reduction)
        if reduction == "none" and loss.declaration.per != "batch":
            close(y.array[order], z, 1e-13 if loss.mixes else 0.0, "none of permuted examples")
            continue
        if reduction == "none":  # of what shape is open
            close(np.sort(y.array, axis=None), np.sort(z.array, axis=None), 1e-13, "none of permuted examples")
            continue
        close(y, z, 1e-13, f"{reduction} of permuted examples")
        for name in g if y.array.ndim == 0 else ():
            close(take(sample.with_arrays(**{name: g[name]}), order).arrays[name], h[name], 1e-12, f"gradient of {name}")


def law_unbatched(loss: Loss, sample: LossSample) -> None:
    """An example by itself is a batch of one."""
    if sample.batched or not sample.size:
        return
    one = as_batch(sample)
    for reduction in reductions(loss):
        (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, one, reduction)
        close(y, z.reshape(y.shape), 1e-14, reduction)
        for name in g:
            if reduction != "none":
                close(g[name], h[name].reshape(g[name].shape), 1e-14, f"{reduction}: gradient of {name}")
