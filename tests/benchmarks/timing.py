"""Interleaved timing: every contender is timed in turn, again and again, so that a drifting machine drifts for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

Work = Callable[[], object]
SLICE = 20e3  # microseconds of one measurement: long beside the clock's step, short beside a drifting machine


def once(work: Work, repeats: int) -> float:
    """Microseconds for one call, averaged over ``repeats``."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats * 1e6


def interleave(contenders: dict[str, Work], seconds: float, pause: float = 0.0, least: int = 5, most: int = 31) -> dict[str, list[float]]:
    """Microseconds of each contender in each of ``least`` to ``most`` rounds, ``seconds`` in all where that is enough.

    ``pause``: seconds before each, in which the threads of the one before stop waiting in a loop for more work.
    """
    cost = {}
    for name, work in contenders.items():
        first = once(work, 1)
        cost[name] = once(work, max(1, int(1e3 / max(first, 1.0))))
    rounds = int(min(most, max(least, seconds * 1e6 / sum(cost.values()))))
    share = min(SLICE, seconds * 1e6 / rounds / len(contenders))
    repeats = {name: max(1, int(share / max(c, 0.1))) for name, c in cost.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            if pause:
                time.sleep(pause)
            times[name].append(once(work, repeats[name]))
    return times


def ratio(times: dict[str, list[float]], of: str, to: str = "ours") -> tuple[float, float, float]:
    """(median, lower quartile, upper quartile) of the paired ratios ``of`` / ``to``."""
    paired = sorted(a / b for a, b in zip(times[of], times[to], strict=True))
    quarter = len(paired) // 4
    return statistics.median(paired), paired[quarter], paired[-1 - quarter]


def fit(counts: Sequence[float], times: Sequence[float]) -> tuple[float, float, float]:
    """(a, b, greatest relative misfit) of a + b * count, both at least 0; the relative errors are made small."""
    n, t = np.asarray(counts, dtype=float), np.asarray(times, dtype=float)
    columns = np.stack([1 / t, n / t], axis=1)
    a, b = (float(v) for v in np.linalg.lstsq(columns, np.ones(len(t)), rcond=None)[0])
    if a < 0:
        a, b = 0.0, float((n / t).sum() / ((n / t) ** 2).sum())
    if b < 0:
        a, b = float((1 / t).sum() / ((1 / t) ** 2).sum()), 0.0
    return a, b, float(np.max(np.abs((a + b * n) / t - 1)))
