"""Some of the defects of ``python -m tests.planted``, planted in a copy of the library: the tests that are there for them fail.

Every row is checked for its text, so that none goes stale when the library changes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .planted import planting
from .planted.__main__ import files_of
from .planted.defect import Defect
from .planted.table import DEFECTS, QUICK


@pytest.mark.parametrize("file", sorted({d.file for d in DEFECTS}))
def test_every_defect_can_be_planted(file: str) -> None:
    """Its text stands in the file once, and the file can still be compiled."""
    for defect in (d for d in DEFECTS if d.file == file):
        compile(planting.planted(planting.read(defect), defect), file, "exec")


def test_there_are_many_and_all_differ() -> None:
    assert len({d.name for d in DEFECTS}) == len(DEFECTS) >= 300
    assert len({(d.file, d.old, d.new) for d in DEFECTS}) == len(DEFECTS)
    kinds = Counter(d.kind for d in DEFECTS)
    assert len(kinds) >= 15 and min(kinds.values()) >= 4, kinds
    assert all((planting.ROOT / file).exists() for file in files_of(DEFECTS))


def test_a_stale_row_is_an_error() -> None:
    missing = Defect("rule", "tape.py", "a row of yesterday", "no such text", "", "")
    twice = Defect("rule", "tape.py", "a row that says too little", "self", "this", "")
    for defect in (missing, twice):
        with pytest.raises(LookupError, match="times in the file, expected once"):
            planting.planted(planting.read(defect), defect)


def test_some_are_caught(tmp_path: Path) -> None:
    """One of each of a few kinds; what is no defect is missed, and the copy is as it was."""
    folder = planting.copy_to(tmp_path)
    for defect in QUICK:
        outcome = planting.try_one(defect, folder)
        assert outcome.code == planting.CAUGHT, (defect.name, outcome)
        assert planting.read(defect, folder) == planting.read(defect)
    harmless = Defect("none", "atomic.py", "a comment", "# a device or a pipe", "# device or pipe", "tests/test_atomic.py -k permissions")
    assert planting.try_one(harmless, folder).code == planting.PASSED
    broken = Defect("none", "atomic.py", "no Python", "import stat\n", "import stat stat\n", "tests/test_atomic.py -k permissions")
    assert planting.try_one(broken, folder).code not in (planting.PASSED, planting.CAUGHT)
