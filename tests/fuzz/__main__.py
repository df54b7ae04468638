"""Random cases, counted: ``python -m tests.fuzz [--part NAME ...] [--cases N] [--minutes M] [--jobs J] [--seed K] [--only NAME]``.

``--cases`` is for each part; in the metamorphic part, for each law. A fault names the seed of its round:
``--part PART --rounds 1 --seed K --only NAME`` repeats it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from functools import partial

from .rounds import PARTS, Limits, possible, run


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="so many of each part")
    parser.add_argument("--minutes", type=float, default=0.0, help="for all parts together; 1 if nothing else is said")
    parser.add_argument("--rounds", type=int, default=0, help="so many seeds")
    parser.add_argument("--only", default="", help="losses, operations or laws whose name contains this")
    parser.add_argument("--part", nargs="*", default=[], choices=list(PARTS), help="some parts only")
    parser.add_argument("--seed", type=int, default=1000, help="the first seed; a round takes the next one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--list", action="store_true", help="every kind with its count")
    chosen = parser.parse_args(given)
    parts = [n for n in chosen.part or PARTS if possible(n)]
    parts = [n for n in parts if not chosen.only or n not in ("graphs", "mistakes")]
    if not (chosen.cases or chosen.rounds or chosen.minutes):
        chosen.minutes = 1.0
    whole, faults, total, start = sum(PARTS[n][1] for n in parts), 0, 0, time.perf_counter()
    for name in parts:
        limits = Limits(chosen.cases, 60.0 * chosen.minutes * PARTS[name][1] / whole, chosen.rounds)
        with warnings.catch_warnings(action="ignore"):
            report = run(name, chosen.only, chosen.seed, chosen.jobs, limits, partial(print, flush=True))
        print(f"{name:11}{report.line()}, {limits.elapsed:.1f} s, {report.total / limits.elapsed:.0f} a second", flush=True)
        print(report.listed() if chosen.list or name == "metamorphic" else report.counted())
        print(report.reasons() or "    explained:        0", flush=True)
        faults, total = faults + report.faults, total + report.total
    print(f"{total:,} cases, {faults} unexplained differences, {time.perf_counter() - start:.1f} s with {chosen.jobs} processes")
    return faults > 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the other processes too
    sys.exit(main())
