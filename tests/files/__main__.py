"""``python -m tests.files --kills N --flips N --malformed N --resumes N --jobs J [--seed K] [--folder F]``: the figures of saved files."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import sys
import time

from . import flips, kills, malformed, resumes
from .report import Report, Task, call


def chunks(total: int, size: int, seed: int) -> list[tuple[int, int]]:
    """(seed, count) of every part."""
    return [(seed + i, min(size, total - start)) for i, start in enumerate(range(0, total, size))]


def tasks(chosen: argparse.Namespace) -> dict[str, list[Task]]:
    seed, found = chosen.seed, dict[str, list[Task]]()
    if chosen.kills and kills.POSSIBLE:
        found["kills"] = [functools.partial(kills.run, s, n, folder=chosen.folder) for s, n in chunks(chosen.kills, 50, seed)]
    if chosen.flips:
        found["flips"] = [functools.partial(flips.run, s, n) for s, n in chunks(chosen.flips, 2000, seed)]
    if chosen.malformed:
        parts = chunks(chosen.malformed, 250, seed)
        found["malformed"] = [functools.partial(malformed.run, s, n, hand_made=i == 0) for i, (s, n) in enumerate(parts)]
    if chosen.resumes:
        steps = 13  # of each training, and one interruption before the first
        found["resumes"] = [functools.partial(resumes.run, 3 * s, n) for s, n in chunks(chosen.resumes, 3 * steps, seed)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.files", description=__doc__)
    for name in ("kills", "flips", "malformed", "resumes"):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="the first seed; every part takes the next one")
    parser.add_argument("--folder", help="where states are saved when the saves are killed; otherwise the folder for temporary files")
    chosen = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # for the workers: they fork, which goes wrong with threads
    whole, start = Report(), time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        for name, parts in tasks(chosen).items():
            report, begun = Report(), time.perf_counter()
            for found in pool.imap_unordered(call, parts):
                report.add(found)
            print(f"{name:10}{report.line()}, {time.perf_counter() - begun:.1f} s", flush=True)
            if report.faults:
                print(report.details(), flush=True)
            whole.add(report)
    print(f"{whole.total} cases, {len(whole.faults)} faults, {time.perf_counter() - start:.1f} s")
    return len(whole.faults) > 0


if __name__ == "__main__":
    sys.exit(main())
