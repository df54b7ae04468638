"""Finite in, no nan out: every loss on draws from the whole range of the floats, subnormal to largest.

``python -m tests.stress --draws 100000`` gives the figures for each loss; test_stress.py runs a few draws of each. A
draw is one example of a loss whose examples do not look at each other, else a batch of a few.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.laws import hostile, silent
from tests.loss_changes import accepts, count_of, merged, take
from tests.loss_samples import LossSample, call, class_axis, consistent, leaves, samples
from tests.samples import Array
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._domains import Domain, LogProbabilityDomain, SimplexDomain, TargetDistribution, WeightDomain
from tinygrad_loss.losses._loss import Loss

BLOCK = 500  # examples of one call
WEIGHTS = (0.0, 0.5, 1.0, 2.0)  # what is weighted by 1e-30 overflows before it is weighted
# Where numbers of either sign are added up, or products of them, the largest leave no float for what is between.
LIMITS = {"linear_cross_entropy": 0.45, "crf1d_loss": 0.98, "ranking_softmax_loss": 0.98}  # powers of the largest number that draws go up to
POOL_USES = 20
_POOLS: dict[Any, tuple[int, Any]] = {}
SLACK = 64.0  # a sum of a few dozen numbers near the largest is beyond it


@dataclass
class Report:
    """How many draws a loss had, and what went wrong: the first few inputs of each kind."""

    draws: int = 0
    faults: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, what: str, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        self.faults.setdefault(what, []).append((arrays, options))

    def summary(self) -> str:
        return ", ".join(f"{len(v)} {k}" for k, v in self.faults.items()) or "nothing"


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
    with np.errstate(all="ignore"):
        low = np.maximum(x - x.max(axis=axis, keepdims=True), -np.finfo(x.dtype).max)
        logs = low - np.log(np.exp(low).sum(axis=axis, keepdims=True))
    return logs if log else np.exp(logs)


def drawn(sample: LossSample, name: str, kind: Any, r: np.random.Generator) -> Array:
    """Values for an argument from all that its domain takes."""
    x, spec = np.asarray(sample.arrays[name]), sample.specs[name]
    domain = spec.domain
    if x.dtype.kind != "f" or not x.size:
        return np.asarray(domain.sample(r, x.shape, {**sample.sizes, **sample.options, **class_axis(spec, sample.sizes, True)}))
    if isinstance(domain, WeightDomain):
        return r.choice(WEIGHTS, size=x.shape)
    some = _pool(sample, name, kind, r, 2 * x.size + 500)
    axis = class_axis(spec, sample.sizes, True).get("axis", x.ndim - 1)
    logs = isinstance(domain, LogProbabilityDomain) or (isinstance(domain, TargetDistribution) and sample.options.get("log_target"))
    if (isinstance(domain, SimplexDomain) or (logs and r.uniform() < 0.7)) and x.ndim:
        scores = r.choice(pool(kind, r, 2 * x.size + 100), size=x.shape)
        return normalised(scores.astype(kind), axis, bool(logs))
    if not some.size:
        return np.asarray(domain.sample(r, x.shape, {**sample.sizes, **sample.options, **class_axis(spec, sample.sizes, True)}))
    y = r.choice(some, size=x.shape)
    if r.uniform() < 0.3 and x.ndim:  # rows of equal numbers
        y = np.broadcast_to(y[..., :1], x.shape).copy()
    return y


def _pool(sample: LossSample, name: str, kind: Any, r: np.random.Generator, size: int) -> Array:
    """Values that the domain of an argument takes; made anew after some draws."""
    domain = sample.specs[name].domain
    key = (type(domain), repr(sample.options), kind, size)
    used, known = _POOLS.get(key, (POOL_USES, None))
    if known is None or used >= POOL_USES:
        known = pool(kind, r, 4 * size)
        used, known = 0, known if type(domain).check is Domain.check else _accepted(sample, name, known)
    _POOLS[key] = (used + 1, known)
    return known


def _accepted(sample: LossSample, name: str, values: Array) -> Array:
    """Those that the domain takes, found by halving."""
    shaped = values.reshape(-1, 1) if np.asarray(sample.arrays[name]).ndim > 1 else values
    if accepts(sample, name, shaped):
        return values
    if values.size == 1:
        return values[:0]
    half = values.size // 2
    return np.concatenate([_accepted(sample, name, values[:half]), _accepted(sample, name, values[half:])])


def plans(loss: Loss, block: int) -> Iterator[LossSample]:
    """The loss's samples, all with many examples where they do not look at each other."""
    found = []
    for sample in samples(loss):
        if not sample.batched or not sample.size or "narrow" in sample.sizes or sample.sizes.get("*"):
            continue
        if any(callable(v) for v in sample.options.values()):
            continue  # a user's own function may overflow
        if loss.mixes or loss.declaration.per == "batch":
            found.append(sample)
            continue
        try:
            whole = merged(sample)
        except NotImplementedError:
            continue
        found.append(take(whole, np.arange(block) % (count_of(whole) or 1)))
    while True:
        yield from found


def values(loss: Loss, sample: LossSample, kind: Any) -> tuple[Array, dict[str, Array]]:
    """The unreduced loss and the gradients of its sum."""
    given = leaves(sample, kind)
    with hostile():
        y = call(loss, sample, "none", **given)
        if y.requires_grad:
            y.backward(tl.ones_like(y))
    return y.array, {n: x.grad.array for n, x in given.items() if x.grad is not None}


def examine(loss: Loss, sample: LossSample, kind: Any, report: Report) -> None:
    """One call: no nan, and in float32 no inf where float64 says that the number exists."""
    y, g = values(loss, sample, kind)
    wide_y, wide_g = values(loss, sample, np.float64) if kind is not np.float64 else (y, g)
    most = float(np.finfo(kind).max) / SLACK
    for what, a, b in (("value", y, wide_y), *((f"gradient of {n}", g[n], wide_g[n]) for n in g)):
        bad = {f"nan in the {what}": np.isnan(a), f"inf in the {what}": np.isinf(a) & (np.abs(b) < most)}
        for text, places in bad.items():
            if places.any():
                report.add(f"{text} ({kind.__name__})", small(sample, places), sample.options)


def small(sample: LossSample, places: Array) -> dict[str, Array]:
    """The arrays of the first example at fault, or all."""
    count = count_of(sample)
    if places.ndim and count == places.shape[0] and count > 12:
        sample = take(sample, np.flatnonzero(places.reshape(count, -1).any(1))[:1])
    return sample.given()


def stress(loss: Loss, draws: int, seed: int = 0, block: int = BLOCK) -> Report:
    report = Report()
    r = np.random.default_rng([seed, zlib.crc32(loss.name.encode())])
    mixes = loss.mixes or loss.declaration.per == "batch"
    for turn, sample in enumerate(plans(loss, min(block, max(draws // 8, 8)))):
        if report.draws >= draws:
            return report
        kind = (np.float32, np.float64)[turn % 2]
        with silent():
            arrays = {n: drawn(sample, n, kind, r) for n in sample.given()}
            if loss.name in LIMITS:
                most = float(np.finfo(kind).max) ** LIMITS[loss.name]
                arrays = {n: np.clip(x, -most, most) if x.dtype.kind == "f" else x for n, x in arrays.items()}
            arrays = {n: x.astype(kind).astype(np.float64) if x.dtype.kind == "f" else x for n, x in arrays.items()}
            made = replace(sample, arrays={**sample.arrays, **arrays})
            if loss.checks_together and not consistent(loss, made.arrays, made.options):
                continue
        examine(loss, made, kind, report)
        report.draws += 1 if mixes else count_of(sample) or 1
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="losses whose name contains this")
    parser.add_argument("--show", action="store_true", help="print the first input of each fault")
    chosen = parser.parse_args()
    total, faults = 0, 0
    for name, loss in sorted(LOSSES.items()):
        if chosen.only not in name or not loss.__module__.startswith("tinygrad_loss"):
            continue
        start = time.perf_counter()
        report = stress(loss, chosen.draws, chosen.seed)
        print(f"{name:36} {report.draws:8} draws {time.perf_counter() - start:7.1f} s   faults: {report.summary()}", flush=True)
        if chosen.show:
            for what, inputs in report.faults.items():
                print(f"    {what}: {inputs[0]}")
        total, faults = total + report.draws, faults + sum(map(len, report.faults.values()))
    print(f"{total} draws, {faults} faults")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
