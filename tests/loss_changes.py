"""What laws do with a sample: pick examples, lay all positions out as examples, evaluate the formula by hand."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss.losses._domains import Domain, ProbabilityDomain, SimplexDomain, Spec
from tinygrad_loss.losses._labels import OrderDomain, SignDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._reductions import Terms

from .loss_samples import LossSample, class_axis
from .samples import Array, seeded

EXTREMES = (0.0, 1e30, -1e30, 1e-30, -1e-30, 1.0, -1.0, 0.5, 80.0, -80.0)


def resolved(spec: Spec, batched: bool) -> list[str]:
    return [a.strip("[]") for a in spec.axes if batched or not a.startswith("[")]


def output_shape(loss: Loss, sample: LossSample) -> tuple[int, ...] | None:
    """The shape of reduction="none"; None where the declaration leaves it open."""
    first = next(iter(sample.given().values()))
    if loss.declaration.per == "batch":
        return None
    if loss.declaration.per == "element":
        return first.shape
    shape: tuple[int, ...] = ()
    for axis in (a.strip("[]") for a in loss.declaration.output if sample.batched or not a.startswith("[")):
        size = sample.sizes[axis]
        shape += size if isinstance(size, tuple) else (size,)
    return shape


def example_axis(sample: LossSample, name: str) -> int | None:
    """Where an argument has the axis of the examples."""
    spec, x = sample.specs[name], np.asarray(sample.arrays[name])
    first = next(iter(sample.given().values()))
    if spec.axes in (("broadcast",), ("row",)):
        lead = example_axis(sample, next(iter(sample.given())))
        full = x.ndim == first.ndim or (spec.axes == ("row",) and x.shape == first.shape[:-1])
        return 0 if lead == 0 and x.ndim and full and x.shape[0] == first.shape[0] else None
    axes = resolved(spec, sample.batched)
    if "N" in axes:
        return sum(len(sample.sizes[a]) if a in ("*", "...") else 1 for a in axes[: axes.index("N")])
    return 0 if axes and axes[0] == "..." and sample.sizes["..."] else None


def count_of(sample: LossSample) -> int | None:
    """How many examples there are; None for an example by itself, and for numbers."""
    for name, x in sample.given().items():
        axis = example_axis(sample, name)
        if axis is not None:
            return int(x.shape[axis])
    return None


def take(sample: LossSample, rows: Array) -> LossSample:
    """Only the examples at ``rows``, in that order."""
    arrays = dict(sample.arrays)
    for name, x in sample.given().items():
        axis = example_axis(sample, name)
        if axis is not None:
            arrays[name] = np.take(x, rows, axis)
    sizes = dict(sample.sizes)
    if "N" in sizes and sample.batched:
        sizes["N"] = len(rows)
    if sizes.get("..."):
        sizes["..."] = (len(rows), *sizes["..."][1:])
    return replace(sample, arrays=arrays, sizes=sizes)


def as_batch(sample: LossSample) -> LossSample:
    """An example by itself as a batch of one."""
    if sample.batched:
        return sample
    arrays = dict(sample.arrays)
    for name, x in sample.given().items():
        axes = sample.specs[name].axes
        at = next((i for i, a in enumerate(axes) if a.startswith("[")), None)
        arrays[name] = x if at is None else np.expand_dims(x, at)
    return LossSample(arrays, sample.specs, sample.options, {**sample.sizes, "N": 1}, True)


def merged(sample: LossSample) -> LossSample:
    """The same with one axis of examples: what stands at different places along N, * or ... is another example."""
    sample = as_batch(sample)
    first = next(iter(sample.given().values()))
    arrays, sizes = dict(sample.arrays), dict(sample.sizes)
    lead, more = sizes.get("...", ()), sizes.get("*", ())
    total, inner = math.prod(lead), math.prod(more)
    for name, x in sample.given().items():
        spec = sample.specs[name]
        axes = resolved(spec, True)
        if spec.axes == ("broadcast",) or spec.axes == ("row",):
            if spec.axes == ("row",) and x.shape == first.shape[:-1] and x.ndim:
                x = x[..., None]
            if "..." in sizes:
                arrays[name] = np.broadcast_to(x, first.shape).reshape(total, *first.shape[len(lead) :])
            elif more:
                raise NotImplementedError("an argument that broadcasts beside an axis *")
        elif "..." in axes:
            arrays[name] = x.reshape(total, *x.shape[len(lead) :]) if axes[0] == "..." else x
        elif "N" in axes and more:
            n = axes.index("N")
            if "*" in axes:
                s = axes.index("*")
                x = np.moveaxis(x, range(s, s + len(more)), range(n + 1, n + 1 + len(more)))
                arrays[name] = x.reshape(*x.shape[:n], -1 if x.size else sizes["N"] * inner, *x.shape[n + 1 + len(more) :])
            else:
                arrays[name] = np.repeat(x, inner, n)
    if "N" in sizes:
        sizes["N"] *= inner
    sizes |= {a: v for a, v in (("*", ()), ("...", (total,))) if a in sizes}
    return replace(sample, arrays=arrays, sizes=sizes)


# Other values.


def accepts(sample: LossSample, name: str, x: Array) -> bool:
    spec = sample.specs[name]
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            spec.domain.check("", x, {**sample.sizes, **class_axis(spec, sample.sizes, sample.batched)}, sample.options)
    except (ValueError, RuntimeError, IndexError):
        return False
    return True


def extremes(sample: LossSample, name: str) -> list[float]:
    """The extreme values that the domain of an argument admits."""
    return [v for v in EXTREMES if accepts(sample, name, np.array([[v]]))]


def interior(sample: LossSample) -> LossSample:
    """The same, with probabilities away from 0 and 1, so that finite differences stay in the domain."""
    arrays = dict(sample.arrays)
    for name, spec in sample.specs.items():
        if isinstance(spec.domain, ProbabilityDomain) and not isinstance(spec.domain, SimplexDomain):
            arrays[name] = np.clip(np.asarray(arrays[name]), 0.02, 0.98)
        elif sample.floats().count(name) and not accepts(sample, name, np.asarray(arrays[name]) + 1e-5):
            arrays[name] = np.asarray(arrays[name]) - 0.1 if accepts(sample, name, np.asarray(arrays[name]) - 0.1) else arrays[name]
    return replace(sample, arrays=arrays)


def continuous(sample: LossSample) -> list[str]:
    """The arguments of floats that may be varied a little: not +1 and -1, nor what is only compared."""
    smooth = [n for n in sample.floats() if not isinstance(sample.specs[n].domain, (OrderDomain, SignDomain))]
    return [n for n in smooth if all(accepts(sample, n, np.asarray(sample.arrays[n]) + h) for h in (-1e-5, 1e-5))]


def another(sample: LossSample, name: str, start: int = 0) -> Array | None:
    """Other values from the domain of an argument, or None if it has no others of this shape."""
    x, spec = np.asarray(sample.arrays[name]), sample.specs[name]
    sizes = {**sample.sizes, **sample.options, **class_axis(spec, sample.sizes, sample.batched)}
    for turn in range(start, start + 20):
        y = np.asarray(spec.domain.sample(seeded(f"another{turn}"), x.shape, sizes))
        if not np.array_equal(x, y) and accepts(sample, name, y):
            return y
    return None


def redrawn(sample: LossSample, times: int) -> Iterator[LossSample]:
    """The sample, and the same with other values of its first array: an option may show in few of them."""
    yield sample
    name = next(iter(sample.given()))
    spec, x = sample.specs[name], np.asarray(sample.arrays[name])
    sizes = {**sample.sizes, **sample.options, **class_axis(spec, sample.sizes, sample.batched)}
    for turn in range(times):
        yield sample.with_arrays(**{name: np.asarray(spec.domain.sample(seeded(f"redrawn{turn}"), x.shape, sizes))})


# The formula, and the reduction, a second time.


def terms_of(loss: Loss, sample: LossSample) -> tuple[Terms, Array]:
    """What the plain formula returns, and 1 for each of its values that counts, 0 where it is ignored."""
    arrays, kept = dict(sample.arrays), np.ones(())
    for name, x in sample.given().items():
        if x.dtype.kind == "i" and sample.ignores and (x == sample.options["ignore_index"]).any():
            kept = (x != sample.options["ignore_index"]).astype(float)
            arrays[name] = np.where(kept > 0, x, 0)
    opened = as_batch(replace(sample, arrays=arrays))
    rows = None
    if loss.mixes and kept.ndim:
        rows = np.flatnonzero(kept)
        opened = take(opened, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        given = {n: None if x is None else tl.tensor(x) for n, x in opened.arrays.items()}
        terms = Terms.of(loss.formula(**given, **sample.options))
    terms = terms if sample.batched else terms.map(lambda x: x[0])
    if rows is not None:
        terms = terms.map(lambda x: tl.tensor(_put(x.array, rows, kept)))
    return terms, kept


def _put(x: Array, rows: Array, kept: Array) -> Array:
    whole = np.zeros((kept.shape[0], *x.shape[1:]))
    whole[rows] = x
    return whole


def by_hand(loss: Loss, sample: LossSample, weight: Array | None = None) -> dict[str, Array]:
    """Every reduction, from the plain formula: its value and denominator are sums of what is kept, times its weight."""
    terms, kept = terms_of(loss, sample)
    one = np.ones(terms.value.shape)
    count = one * kept * (1.0 if weight is None else weight.reshape(weight.shape + (1,) * (one.ndim - weight.ndim)))
    with np.errstate(all="ignore"):
        value = terms.value.array * count
        alone = value if terms.alone is None else terms.alone.array * count
        share = (one if terms.share is None else terms.share.array) * count
        scaled = value * (1.0 if terms.scale is None else terms.scale.array)
        found = {"none": alone, "sum": value.sum(), "mean": np.asarray(scaled.sum() / share.sum() if share.sum() else terms.empty)}
        if "batchmean" in loss.declaration.reductions:
            examples = one.shape[0] if one.ndim else 1
            if terms.share is not None or weight is not None or kept.ndim:
                examples *= share.sum() / one.size if share.sum() else 0
            found["batchmean"] = np.asarray(value.sum() / examples if examples else terms.empty)
    if terms.finish is not None:
        found |= {r: terms.finish(tl.tensor(np.asarray(y))).array for r, y in found.items() if r != "none"}
    return found


def share_of(loss: Loss, sample: LossSample) -> float:
    """What a mean divides by."""
    terms, kept = terms_of(loss, sample)
    share = np.ones(terms.value.shape) if terms.share is None else terms.share.array
    return float(np.sum(share * kept))


def plain(spec: Spec) -> bool:
    """Any real number at all."""
    return type(spec.domain) is Domain
