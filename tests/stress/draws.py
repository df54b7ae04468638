"""Arguments from all that the domains take: any sign and magnitude, with exact corners among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tests.laws import silent
from tests.loss_changes import accepts, count_of, merged, take
from tests.loss_samples import LossSample, allowed, class_axis, consistent, option_grid, samples
from tests.samples import Array
from tinygrad_loss.losses._domains import Domain, LogProbabilityDomain, SimplexDomain, TargetDistribution, WeightDomain
from tinygrad_loss.losses._labels import LabelDomain, LabelsDomain
from tinygrad_loss.losses._loss import Loss

ELEMENTS = 4096  # of the first array of a block; the block evaluator takes over at 2048
LEAST = 1000  # examples of a block
TOGETHER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # of a batch, where they look at each other
WEIGHTS = (0.0, 0.5, 1.0, 2.0)  # what is weighted by 1e-30 overflows before it is weighted
POOL_USES = 20
# Where numbers of either sign are added up, or products of them, the largest of float64 leave none for what is between:
# the powers of the largest number that its draws go up to. (float32 is computed in float64 there.)
LIMITS = {"linear_cross_entropy": 0.45, "clip_loss": 0.98, "crf1d_loss": 0.98, "ranking_softmax_loss": 0.98}
_POOLS: dict[Any, tuple[int, Any]] = {}


def pool(kind: Any, r: np.random.Generator, size: int) -> Array:
    """Any sign and magnitude, from the smallest subnormal to the largest number, with exact corners among them."""
    info = np.finfo(kind)
    low, high = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
    wild = 10.0 ** r.uniform(low, high, size)
    tame = r.normal(size=size) * r.choice([1.0, 10.0, 100.0], size=size)
    corners = r.choice(
        [0.0, 1.0, 0.5, float(info.max), float(info.tiny), float(info.smallest_subnormal), float(info.eps), 88.0, 710.0, 1 - float(info.eps)],
        size=size,
    )
    which = r.uniform(size=size)
    x = np.where(which < 0.5, wild, np.where(which < 0.75, tame, corners)) * r.choice([-1.0, 1.0], size=size)
    return np.clip(x, -float(info.max), float(info.max))


def normalised(x: Array, axis: int, log: bool) -> Array:
    """Rows of wild numbers as (log-)probabilities."""
    low = np.maximum(x - x.max(axis=axis, keepdims=True), -np.finfo(x.dtype).max)
    logs = low - np.log(np.exp(low).sum(axis=axis, keepdims=True))
    return logs if log else np.exp(logs)


def drawn(sample: LossSample, name: str, kind: Any, r: np.random.Generator) -> Array:
    """Values for an argument from all that its domain takes."""
    x, spec = np.asarray(sample.arrays[name]), sample.specs[name]
    domain, sizes = spec.domain, {**sample.sizes, **sample.options, **class_axis(spec, sample.sizes, True)}
    if x.dtype.kind != "f" or not x.size:
        return _ignoring(sample, domain, np.asarray(domain.sample(r, x.shape, sizes)), r)
    if isinstance(domain, WeightDomain):
        return r.choice(WEIGHTS, size=x.shape)
    axis = sizes.get("axis", x.ndim - 1)
    logs = isinstance(domain, LogProbabilityDomain) or (isinstance(domain, TargetDistribution) and sample.options.get("log_target"))
    if (isinstance(domain, SimplexDomain) or (logs and r.uniform() < 0.7)) and x.ndim:
        return normalised(pool(kind, r, x.size).reshape(x.shape).astype(kind), axis, bool(logs))
    if type(domain).check is Domain.check:
        y = pool(kind, r, x.size).reshape(x.shape)
    else:
        some = _pool(sample, name, kind, r, 2 * x.size + 500)
        if not some.size:
            return np.asarray(domain.sample(r, x.shape, sizes))
        y = r.choice(some, size=x.shape)
    if r.uniform() < 0.3 and x.ndim:  # rows of equal numbers
        y = np.broadcast_to(y[..., :1], x.shape).copy()
    return y


def _ignoring(sample: LossSample, domain: Domain, x: Array, r: np.random.Generator) -> Array:
    """Some targets are the one to ignore, never all."""
    ignored = sample.options.get("ignore_index")
    if ignored is None or not isinstance(domain, LabelDomain) or isinstance(domain, LabelsDomain) or x.size < 2:
        return x
    marked = np.where(r.uniform(size=x.shape) < 0.05, ignored, x)
    return x if (marked == ignored).all() else marked


def _pool(sample: LossSample, name: str, kind: Any, r: np.random.Generator, size: int) -> Array:
    """Values that the domain of an argument takes; made anew after some draws."""
    domain = sample.specs[name].domain
    key = (type(domain), repr(sample.options), kind, size)
    used, known = _POOLS.get(key, (POOL_USES, None))
    if known is None or used >= POOL_USES:
        used, known = 0, accepted(sample, name, np.sort(pool(kind, r, 4 * size)))
        if len(_POOLS) > 100:
            _POOLS.clear()
    _POOLS[key] = (used + 1, known)
    return known


def accepted(sample: LossSample, name: str, values: Array) -> Array:
    """Those of the ordered values that the domain takes, found by halving: domains are intervals, or a few points."""
    shaped = values.reshape(-1, 1) if np.asarray(sample.arrays[name]).ndim > 1 else values
    if accepts(sample, name, shaped):
        return values
    if values.size == 1 or (values[0] == values[-1]):
        return values[:0]
    half = values.size // 2
    ends = [accepts(sample, name, shaped[i : i + 1]) for i in (0, half, values.size - 1)]
    if not any(ends):
        return values[:0]
    return np.concatenate([accepted(sample, name, values[:half]), accepted(sample, name, values[half:])])


def looks_at_others(loss: Loss) -> bool:
    """Whether the loss of an example depends on the batch that it is in."""
    return loss.mixes or loss.declaration.per == "batch"


def plans(loss: Loss, elements: int) -> list[LossSample]:
    """The loss's samples, with many examples where they do not look at each other."""
    found = []
    for sample in samples(loss):
        if not sample.batched or not sample.size or "narrow" in sample.sizes or sample.sizes.get("*"):
            continue
        if any(callable(v) for v in sample.options.values()):
            continue  # a user's own function may overflow
        if not looks_at_others(loss):
            try:
                sample = merged(sample)
            except NotImplementedError:
                continue
            count = count_of(sample) or 1
            sample = take(sample, np.arange(max(elements * count // sample.size, min(LEAST, elements))) % count)
        found.append(sample)
    return found


def blocks(loss: Loss, r: np.random.Generator, elements: int = ELEMENTS) -> Iterator[tuple[LossSample, Any]]:
    """(a sample whose values are drawn, float32 or float64), without end; options are drawn from all their combinations."""
    found, grid = plans(loss, elements), option_grid(loss)
    turn = -1
    while True:
        turn += 1
        sample, kind = found[turn // 2 % len(found)], (np.float32, np.float64)[turn % 2]
        if turn >= 2 * len(found) or r.uniform() < 0.5:
            options = grid[r.integers(len(grid))]
            varied = replace(sample, options=options)
            if any(callable(v) for v in options.values()) or not allowed(varied):
                continue
            sample = varied
        if looks_at_others(loss):
            sample = _batch(sample, r)
        with silent():
            arrays = {n: drawn(sample, n, kind, r) for n in sample.given()}
            if loss.name in LIMITS and kind is np.float64:
                most = float(np.finfo(kind).max) ** LIMITS[loss.name]
                arrays = {n: np.clip(x, -most, most) if x.dtype.kind == "f" else x for n, x in arrays.items()}
            arrays = {n: x.astype(kind).astype(np.float64) if x.dtype.kind == "f" else x for n, x in arrays.items()}
        sample = sample.with_arrays(**arrays)
        if not loss.checks_together or consistent(loss, sample.arrays, sample.options):
            yield sample, kind


def moderate(sample: LossSample) -> LossSample:
    """Fourth roots of all values: what second derivatives divide by, and multiply, is then within the range."""
    arrays = {}
    for name, x in sample.given().items():
        if x.dtype.kind == "f" and not isinstance(sample.specs[name].domain, SimplexDomain):
            y = np.sign(x) * np.sqrt(np.sqrt(np.abs(x)))
            arrays[name] = y if accepts(sample, name, y) else np.minimum(y, 0.0)  # logarithms rounded to above 0
    return sample.with_arrays(**arrays)


def _batch(sample: LossSample, r: np.random.Generator) -> LossSample:
    """As many examples as one overlap or one comparison is made of; overlaps of an example each, many of them."""
    axis = sample.options.get("axis", 0)
    axes = {axis} if isinstance(axis, int) else set(axis or (0,))
    first = next(iter(sample.given().values()))
    apart = "axis" in sample.options and not any(a % first.ndim == 0 for a in axes)
    return take(sample, np.arange(LEAST if apart else r.choice(TOGETHER)) % (count_of(sample) or 1))
