"""``python -m tests.planted --jobs J [--only text] [--kind kind]``: how many planted defects the suite catches.

At the end the tests that caught something run once more without a defect: a test that fails anyway has caught nothing.
"""

from __future__ import annotations

import argparse
import queue
import re
import shlex
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from .defect import Defect
from .planting import CAUGHT, PASSED, copy_to, planted, read, run, try_one
from .table import DEFECTS

_CAUGHT = re.compile(r"caught +\S+ +(.*?): (tests/.*) [\d.]+ s")


def files_of(defects: list[Defect]) -> list[str]:
    """The test files that the rows name."""
    return sorted({word.partition("::")[0] for d in defects for word in shlex.split(d.tests.replace(";", " ")) if word.startswith("tests/")})


def stale(defects: list[Defect]) -> list[str]:
    found = []
    for defect in defects:
        try:
            planted(read(defect), defect)
        except LookupError as error:
            found.append(defect.name)
            print(f"STALE   {error}", flush=True)
    return found


def plant_all(defects: list[Defect], folders: list[Path], caught: dict[str, str]) -> None:
    """Adds {name of the row: the test that caught it}; one copy and one thread each."""
    work: queue.SimpleQueue[Defect] = queue.SimpleQueue()
    for defect in sorted(defects, key=lambda d: len(d.tests)):
        work.put(defect)

    def worker(folder: Path) -> None:
        while True:
            try:
                defect = work.get_nowait()
            except queue.Empty:
                return
            outcome = try_one(defect, folder)
            good = outcome.code == CAUGHT
            how = "caught" if good else "MISSED" if outcome.code == PASSED else f"NO PROOF (exit {outcome.code})"
            print(f"{how:7} {defect.kind:10} {defect.name}: {outcome.test[-400:]} {outcome.seconds:.1f} s", flush=True)
            if good:
                caught[defect.name] = outcome.test

    threads = [threading.Thread(target=worker, args=(folder,)) for folder in folders]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def failing_anyway(tests: set[str], folder: Path) -> list[str]:
    """Those of the tests that fail without any defect."""
    bad: list[str] = []
    left = sorted(tests)
    while left:
        outcome = run(" ".join(map(shlex.quote, left)), folder)
        if outcome.code == PASSED:
            break
        if outcome.code != CAUGHT or outcome.test not in left:
            return [f"exit {outcome.code}: {outcome.test}"]
        bad.append(outcome.test)
        left.remove(outcome.test)
    return bad


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--kind", default="", help="rule, forward, engine, formula, reduction, kernel, ...")
    parser.add_argument("--resume", type=Path, default=None, help="what an earlier run printed: rows it caught are not planted again")
    chosen = parser.parse_args(arguments)
    begun = time.perf_counter()
    defects = [d for d in DEFECTS if chosen.only in d.name and chosen.kind in ("", d.kind)]
    names = {d.name for d in defects}
    earlier = chosen.resume.read_text(encoding="utf-8").splitlines() if chosen.resume else []
    caught = {m[1]: m[2] for m in map(_CAUGHT.fullmatch, earlier) if m and m[1] in names}
    useless = stale(defects)
    with tempfile.TemporaryDirectory(prefix="planted-") as temporary:
        folders = [copy_to(Path(temporary) / str(i)) for i in range(chosen.jobs)]
        plant_all([d for d in defects if d.name not in {*caught, *useless}], folders, caught)
        wrong = failing_anyway(set(caught.values()), folders[0])
    for test in wrong:
        print(f"FAILS WITHOUT A DEFECT: {test}", flush=True)
    good = {name for name, test in caught.items() if test not in wrong} if all(t in caught.values() for t in wrong) else set()
    total, found = Counter(d.kind for d in defects), Counter(d.kind for d in defects if d.name in good)
    kinds = ", ".join(f"{k} {found[k]}/{n}" for k, n in sorted(total.items()))
    print(f"{len(good)} of {len(defects)} planted defects caught ({kinds}), {time.perf_counter() - begun:.1f} s")
    return len(good) < len(defects)


if __name__ == "__main__":
    sys.exit(main())
