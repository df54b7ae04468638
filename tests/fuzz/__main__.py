"""``python -m tests.fuzz --minutes N [--only name] [--part losses torch graphs mistakes] [--seed K]``: the figures of random cases."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable

from . import graphs, losses, mistakes
from .report import Report

Fuzz = Callable[[int, Report], Report]


def parts(only: str) -> dict[str, tuple[float, Fuzz]]:
    """{name: (share of the time, one round from a seed)}."""
    found: dict[str, tuple[float, Fuzz]] = {
        "losses": (0.4, lambda seed, report: losses.fuzz(seed, only, 5, report)),
        "graphs": (0.25, lambda seed, report: graphs.fuzz(seed, 10, report=report)),
        "mistakes": (0.05, lambda seed, report: mistakes.fuzz(seed, 5, report)),
    }
    if importlib.util.find_spec("torch"):
        from . import against_torch  # optional

        found["torch"] = (0.3, lambda seed, report: against_torch.fuzz(seed, only, 5, report))
    return {n: found[n] for n in (("losses", "torch") if only else found) if n in found}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", default="", help="losses whose name contains this")
    parser.add_argument("--part", nargs="*", default=[], help="losses, torch, graphs, mistakes")
    parser.add_argument("--seed", type=int, default=1000, help="the first seed; a round takes the next one")
    chosen = parser.parse_args()
    found = {n: f for n, f in parts(chosen.only).items() if n in chosen.part or not chosen.part}
    whole, faults, total = sum(share for share, _ in found.values()), 0, 0
    start = time.perf_counter()
    for name, (share, fuzz) in found.items():
        report, begun, seed = Report(), time.perf_counter(), chosen.seed
        with warnings.catch_warnings(action="ignore"):
            while time.perf_counter() - begun < 60.0 * chosen.minutes * share / whole:
                fuzz(seed, report)
                seed += 1
        print(f"{name:9}{report.line()}, {time.perf_counter() - begun:.1f} s", flush=True)
        if report.faults:
            print(report.details(), flush=True)
        faults, total = faults + report.faults, total + report.total
    print(f"{total} cases, {faults} unexplained differences, {time.perf_counter() - start:.1f} s")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
