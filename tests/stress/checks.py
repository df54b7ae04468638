"""One block of draws: the formula, the kernels and the blocks' plans, second derivatives, and what may not come out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.laws import hostile
from tests.loss_changes import count_of, share_of, take
from tests.loss_samples import LossSample, call, leaves
from tests.samples import Array
from tinygrad_loss import autograd
from tinygrad_loss.losses._domains import SimplexDomain
from tinygrad_loss.losses._loss import Loss

SLACK = 64.0  # a sum of a few dozen numbers near the largest is beyond it
SHOWN = 3  # inputs that are kept of each kind of fault


@dataclass
class Report:
    """How many draws a loss had, and what went wrong: how often, and the first few inputs of each kind."""

    draws: int = 0
    calls: int = 0
    fast: int = 0  # examples that a kernel or a plan computed as well
    twice: int = 0  # with second derivatives
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, what: str, sample: LossSample, places: Array) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
        if len(self.faults.setdefault(what, [])) < SHOWN:
            self.faults[what].append((small(sample, places), sample.options))

    def join(self, other: Report) -> None:
        for name in ("draws", "calls", "fast", "twice", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for what, count in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + count
            self.faults[what] = (self.faults.get(what, []) + other.faults[what])[:SHOWN]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def summary(self) -> str:
        return ", ".join(f"{n} {k}" for k, n in self.counts.items()) or "none"


def small(sample: LossSample, places: Array) -> dict[str, Array]:
    """The arrays of the first example at fault, or all."""
    count = count_of(sample)
    if places.ndim and count == places.shape[0] and count > 12:
        sample = take(sample, np.flatnonzero(places.reshape(count, -1).any(1))[:1])
    return sample.given()


def too_far(sample: LossSample, kind: Any) -> bool:
    """Whether scores differ by more than the largest number: then a log-probability is -inf, and its part in an
    expectation too, however small the share."""
    if not any(isinstance(spec.domain, SimplexDomain) for spec in sample.specs.values()):
        return False
    scores = next(iter(sample.given().values()))
    return bool(scores.max() / 2 - scores.min() / 2 > float(np.finfo(kind).max) / 2)


@contextmanager
def formula_only(loss: Loss) -> Iterator[None]:
    """Without kernels and plans."""
    loss.at_once = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loss.at_once


@contextmanager
def counting(loss: Loss, used: list[bool]) -> Iterator[None]:
    """Note for each call whether a kernel or a plan answered."""
    inner = type(loss).at_once

    def noted(*args: Any) -> Any:
        found = inner(loss, *args)
        used.append(found is not None)
        return found

    loss.at_once = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loss.at_once


def values(loss: Loss, sample: LossSample, kind: Any, reduction: str = "none") -> tuple[Array, dict[str, Array]]:
    """The loss and the gradients of its sum."""
    given = leaves(sample, kind)
    with hostile():
        y = call(loss, sample, reduction, **given)
        if y.requires_grad:
            y.backward(tl.ones_like(y))
    return y.array, {n: x.grad.array for n, x in given.items() if x.grad is not None}


def second(loss: Loss, sample: LossSample, kind: Any, of: str | None = None) -> dict[str, Array]:
    """The gradients of the sum of the gradients, or of the one by ``of``."""
    given = leaves(sample, kind)
    with hostile():
        y = call(loss, sample, "none", **given)
        wanted = [x for x in given.values() if x.requires_grad]
        if not y.requires_grad:
            return {}
        first = autograd.grad(y, wanted, tl.ones_like(y), create_graph=True, allow_unused=True)
        names = [n for n, x in given.items() if x.requires_grad]
        taped = [g for n, g in zip(names, first, strict=True) if g is not None and g.requires_grad and of in (None, n)]
        if not taped:
            return {}
        found = autograd.grad(taped, wanted, [tl.ones_like(g) for g in taped], allow_unused=True)
    return {n: g.array for n, g in zip(names, found, strict=True) if g is not None}


def examine(loss: Loss, sample: LossSample, kind: Any, report: Report) -> Array:
    """The formula: no nan, and in float32 no inf where float64 says that the number exists. Returns its values."""
    with formula_only(loss):
        y, g = values(loss, sample, kind)
        wide = (y, g)
        if kind is not np.float64 and any(np.isinf(x).any() for x in (y, *g.values())):
            wide = values(loss, sample, np.float64)
    most = 0.0 if too_far(sample, kind) else float(np.finfo(kind).max) / SLACK
    for what, a, b in (("value", y, wide[0]), *((f"gradient of {n}", g[n], wide[1][n]) for n in g)):
        bad = {f"nan in the {what}": np.isnan(a), f"inf in the {what}": np.isinf(a) & (np.abs(b) < most)}
        for text, places in bad.items():
            if places.any():
                report.add(f"{text} ({kind.__name__})", sample, places)
    return y


def examine_fast(
    loss: Loss, sample: LossSample, y: Array, kind: Any, reduction: str, report: Report, times: int = 1
) -> None:
    """Of the examples whose losses have a sum: the reduced loss has no nan, and its kernel or plan gives nan and inf
    where the formula does. ``times``: how often they stand there, where only larger blocks are computed otherwise."""
    count = count_of(sample) or 1
    top = float(np.finfo(kind).max)
    rows = np.arange(count)
    if loss.declaration.per != "batch":
        rows = np.flatnonzero(np.abs(y.reshape(count, -1)).max(1) < top / (8.0 * count * times))
    if not rows.size:
        return
    sample, count = take(sample, np.resize(rows, count * times)), count * times
    with formula_only(loss):
        slow = values(loss, sample, kind, reduction)
    if reduction == "mean" and np.isnan(slow[0]) and not share_of(loss, sample):
        return
    used: list[bool] = []
    with counting(loss, used):
        fast = values(loss, sample, kind, reduction)
    report.fast += count * any(used)
    for what, a, b in (("value", slow[0], fast[0]), *((f"gradient of {n}", x, fast[1][n]) for n, x in slow[1].items())):
        where = f"{what} ({reduction}, {kind.__name__})"
        if np.isnan(a).any():
            report.add(f"nan in the {where}", sample, np.isnan(a))
        scale = count if reduction == "mean" else 1  # blocks divide at the end, the formula before
        with np.errstate(all="ignore"):
            near = (np.abs(a) > top / SLACK / scale) & (np.abs(b) > top / SLACK / scale)  # rounded the other way
        unlike = ~near & ((np.isnan(a) != np.isnan(b)) | (np.isinf(a) != np.isinf(b)))
        if unlike.any():
            report.add(f"another nan or inf by the fast way in the {where}", sample, unlike)


def examine_second(loss: Loss, sample: LossSample, kind: Any, report: Report) -> None:
    """No nan, but for the sum of two that are infinite."""
    if not any(np.isnan(g).any() for g in second(loss, sample, kind).values()):
        return
    for of in sample.floats():
        for name, g in second(loss, sample, kind, of).items():
            if np.isnan(g).any():
                report.add(f"nan in the second derivative by {of} and {name} ({kind.__name__})", sample, np.isnan(g))
