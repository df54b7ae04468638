"""``python -m tests.stress --draws 1000000 --jobs J [--only name ...]``: finite in, no nan out, figures for each loss.

``--nan``: nan in, nan out, for each loss, argument and position instead.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_loss.losses import LOSSES

from . import nans
from .checks import Report
from .draws import looks_at_others
from .run import task

PART = 100_000  # draws of one task


def own(only: list[str]) -> list[str]:
    """The package's losses, those that take long last."""
    found = [n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss")]
    found = [n for n in found if not only or any(part in n for part in only)]
    return sorted(found, key=lambda n: (looks_at_others(LOSSES[n]), n in ("crf1d_loss", "ctc_loss"), n))


def tasks(names: list[str], draws: int, seed: int) -> list[tuple[str, int, int]]:
    return [(n, min(PART, draws - at), seed + i) for n in names for i, at in enumerate(range(0, draws, PART))]


def results(job: Callable[[Any], Any], given: Sequence[Any], jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from map(job, given)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(job, given)


def every_nan(names: list[str], jobs: int, show: bool) -> int:
    """The figures of nan in, nan out."""
    whole, start = nans.Tally(), time.perf_counter()
    for name, found in results(nans.task, [(n, None) for n in names], jobs):
        print(
            f"{name:34} {len(found.positions):5,} positions, {found.checks:6,} checks: {found.out:6,} nan out, {found.refused:5,} refused, "
            f"{found.idle:5,} where nothing matters, {found.left_out:5,} masked and left out   faults: {len(found.faults)}", flush=True,
        )  # fmt: skip
        for text in found.faults if show else found.faults[:1]:
            print(f"    {text}")
        whole.join(found)
    arguments = {position[:2] for position in whole.positions}
    print(
        f"{len(names)} losses, {len(arguments)} arguments, {len(whole.positions):,} (loss, argument, shape, position), {whole.checks:,} checks "
        f"({', '.join(f'{way} {n:,}' for way, n in whole.ways.items())}): {whole.out:,} nan out, {whole.refused:,} refused, "
        f"{whole.idle:,} where nothing matters, {whole.left_out:,} masked and left out, {len(whole.faults)} faults, {time.perf_counter() - start:.0f} s"
    )
    return len(whole.faults) > 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000, help="of each loss")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each 100,000 draws take the next one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="*", default=[], help="losses whose name contains one of these")
    parser.add_argument("--show", action="store_true", help="print the first inputs of each fault")
    parser.add_argument("--nan", action="store_true", help="nan in, nan out, instead of draws")
    chosen = parser.parse_args()
    start, names = time.perf_counter(), own(chosen.only)
    if chosen.nan:
        return every_nan(names, chosen.jobs, chosen.show)
    given = tasks(names, chosen.draws, chosen.seed)
    whole, left = Report(), {n: sum(name == n for name, _, _ in given) for n in names}
    reports = {n: Report() for n in names}
    for name, report in results(task, given, chosen.jobs):
        reports[name].join(report)
        left[name] -= 1
        if left[name]:
            continue
        found = reports.pop(name)
        print(
            f"{name:34} {found.draws:9,} draws in {found.calls:7,} calls, {found.fast:9,} also by kernel or plan, {found.twice:9,} "
            f"with second derivatives, {found.seconds:6.1f} s   faults: {found.summary()}", flush=True,
        )  # fmt: skip
        if chosen.show and found.faults:
            for what, inputs in found.faults.items():
                print(f"    {what}: {inputs[0]}")
        whole.join(found)
    print(
        f"{len(names)} losses, {whole.draws:,} draws, {whole.total} faults, {whole.seconds:.0f} s of processors, "
        f"{time.perf_counter() - start:.0f} s"
    )
    return whole.total > 0


if __name__ == "__main__":
    sys.exit(main())
