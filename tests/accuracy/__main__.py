"""``python -m tests.accuracy [--points N] [--only name ...] [--show] [--jobs N]``: the table of the worst errors."""

from __future__ import annotations

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

from . import KINDS
from .bounds import BOUNDS
from .measure import Measured, measure, subjects
from .registry import POINTS, REFERENCES


def _one(job: tuple[str, str, int, int]) -> tuple[Measured, float]:
    start = time.perf_counter()
    with warnings.catch_warnings(action="ignore"):
        return measure(*job), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("--points", type=int, default=100_000, help="losses for each function and type")
    parser.add_argument("--only", nargs="*", default=[], help="names of functions")
    parser.add_argument("--show", action="store_true", help="print where the worst was found")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = [n for n in given.only or subjects() if n in REFERENCES and n in POINTS]
    jobs = [(n, kind, given.points, given.seed) for n in names for kind in KINDS]
    print(f"{'':34}{'float64':>26}{'float32':>26}\n{'':34}{'value':>13}{'gradient':>13}{'value':>13}{'gradient':>13}{'points':>12}")
    with ProcessPoolExecutor(given.jobs) as pool:
        results = pool.map(_one, jobs)
        for name in names:
            line, count, told, spent = f"{name:34}", 0, "", 0.0
            for kind in KINDS:
                found, seconds = next(results)
                spent += seconds
                count += found.points + found.gradients
                limits = BOUNDS[name].of(kind) if name in BOUNDS else (None, None)
                for part, limit in zip((found.value, found.gradient), limits, strict=True):
                    mark = "?" if limit is None else "!" if part.ulp > limit else f"/{limit:g}"
                    line += f"{part.ulp:>8.3g} {mark:<4}"
                    told += f"    {kind} {part.ulp:.3g} ulp: {part.where[:600]}\n"
                if found.on_kinks:
                    told += f"    {kind}: {found.on_kinks} of {found.points} on a kink\n"
            print(f"{line}{count:>12}{spent:>8.1f} s", flush=True)
            if given.show:
                print(told, end="", flush=True)
    missing = [n for n in subjects() if n not in REFERENCES or n not in POINTS or n not in BOUNDS]
    if missing:
        print("without reference, points or bound:", ", ".join(missing))


if __name__ == "__main__":
    main()
