"""``python -m tests.bad_inputs --rounds N --jobs J``: how many kinds of bad inputs there are, and how many of them are silent."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time

from . import rounds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bad_inputs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="random shapes of every kind")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="losses, or 'others', whose name contains this")
    chosen = parser.parse_args(arguments)
    begun = time.perf_counter()
    work = [(name, chosen.seed + i) for i in range(chosen.rounds) for name in rounds.names() if chosen.only in name]
    kinds, total, silent, faults = set(), 0, 0, []
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        for name, tried, bad in pool.imap_unordered(rounds.one, work, chunksize=4):
            total += len(tried)
            kinds |= {(name, what) for what in tried}
            silent += sum(text.endswith("silent") for text in bad)
            faults += bad
    for text in sorted(faults)[:50]:
        print(text)
    print(
        f"{len(kinds)} kinds of bad inputs, {total} calls at random shapes: {silent} silent, {len(faults) - silent} refused otherwise "
        f"than they should be, {time.perf_counter() - begun:.1f} s"
    )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
