"""Interleaved timing: every contender is timed in turn, again and again, so that a drifting machine drifts for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]


def once(work: Work, repeats: int) -> float:
    """Microseconds for one call, averaged over ``repeats``."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats * 1e6


def calibrate(work: Work, budget: float = 20000.0) -> int:
    """How many calls take about ``budget`` microseconds."""
    work()
    return max(1, int(budget / max(once(work, 3), 0.1)))


def interleave(contenders: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Microseconds of each contender in each round."""
    repeats = {name: calibrate(work) for name, work in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            times[name].append(once(work, repeats[name]))
    return times


def summary(times: dict[str, list[float]], ours: str, theirs: str) -> tuple[float, float, float, float]:
    """(our median, their median, median of the paired ratios, its interquartile range)."""
    ratios = sorted(b / a for a, b in zip(times[ours], times[theirs], strict=True))
    quarter = len(ratios) // 4
    spread = ratios[-1 - quarter] - ratios[quarter]
    return statistics.median(times[ours]), statistics.median(times[theirs]), statistics.median(ratios), spread
