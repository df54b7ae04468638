"""Plant a defect in a copy of the library, run the tests that should catch it, take it out again."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .defect import Defect

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("README.md", "LICENSE", "examples", "notebooks")
COPIED = ("tinygrad_loss", "tests")
PASSED, CAUGHT, NOTHING = 0, 1, 5  # pytest's exit codes; the others say that it could not even begin, which proves nothing
SECONDS = 600.0


@dataclass(frozen=True)
class Outcome:
    """How pytest ended, the test that failed first, and how long that took."""

    code: int
    test: str
    seconds: float


def copy_to(folder: Path) -> Path:
    """The library and its tests, to be changed; what tests only read is linked."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    shutil.copy2(ROOT / "pyproject.toml", folder)
    return folder


def planted(text: str, defect: Defect) -> str:
    """The text with the defect. Raises LookupError where the row is stale: its text stands there never, or twice."""
    count = text.count(defect.old)
    if count != 1 or defect.old == defect.new:
        raise LookupError(f"{defect.name}: its text stands {count} times in the file, expected once: {defect.old!r}")
    return text.replace(defect.old, defect.new)


def read(defect: Defect, root: Path = ROOT) -> str:
    return (root / "tinygrad_loss" / defect.file).read_text(encoding="utf-8")


class _First:
    """A pytest plugin that notes what failed first."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.test = self.test or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.test = self.test or f"{report.nodeid}: {str(report.longrepr)[-300:]}"


def _child(folder: str, arguments: list[str], answer: Any) -> None:
    """pytest in this process, which has nothing of the library or its tests from elsewhere."""
    import pytest  # after the fork

    for name in [n for n in sys.modules if n.split(".")[0] in COPIED]:
        del sys.modules[name]
    sys.path[:] = [folder, *(p for p in sys.path if p not in ("", str(ROOT), os.getcwd()))]
    os.chdir(folder)
    os.environ["PYTHONPATH"] = folder
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    first = _First()
    # of plugins that were imported before the fork; of asserts elsewhere, under -O
    known = ("-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::pytest.PytestConfigWarning")
    options = ("-x", "-q", "-p", "no:cacheprovider", "--tb=short", "--hypothesis-seed=0", *known)
    code = int(pytest.main([*options, *arguments], plugins=[first]))
    answer.send((code, first.test))


def run(tests: str, folder: Path) -> Outcome:
    """pytest in a copy up to the first failure, stage by stage (separated by ``;``)."""
    begun = time.perf_counter()
    context = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
    context.set_forkserver_preload([f"{__package__}.shared"])
    some = False
    for stage in tests.split(";"):
        mine, theirs = context.Pipe()
        process = context.Process(target=_child, args=(str(folder), shlex.split(stage), theirs))
        process.start()
        theirs.close()
        code, test = -1, f"more than {SECONDS:.0f} s, or a dead process"
        if mine.poll(SECONDS):
            with contextlib.suppress(EOFError):
                code, test = mine.recv()
        process.kill() if code == -1 else None
        process.join()
        some = some or code != NOTHING
        if code not in (PASSED, NOTHING):
            return Outcome(code, test, time.perf_counter() - begun)
    return Outcome(PASSED if some else NOTHING, "", time.perf_counter() - begun)


def try_one(defect: Defect, folder: Path, run: Callable[[str, Path], Outcome] = run) -> Outcome:
    """The outcome with the defect in the copy at ``folder``, which is as before afterwards."""
    path = folder / "tinygrad_loss" / defect.file
    before, stat = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(planted(before, defect), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 5_000_000_000))  # compiled anew, also within the same second
    try:
        return run(defect.tests, folder)
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10_000_000_000))
