"""A part of the core under everything at once; ``python -m tests.hostile`` runs all of it in each surrounding."""

from __future__ import annotations

import os

import numpy as np
import pytest

from . import hostile


def test_the_engine_under_everything_at_once() -> None:
    everything = hostile.SURROUNDINGS[-1]
    assert everything.name == "all at once"
    outcome = hostile.run(everything, hostile.QUICK, 240.0)
    assert outcome.code == 0, (outcome.line, outcome.failures)


@pytest.mark.skipif(hostile.ERRSTATE not in os.environ, reason="set by tests/hostile.py")
def test_the_surrounding_is_what_it_says() -> None:
    assert set(np.geterr().values()) == {os.environ[hostile.ERRSTATE]}


def test_a_failure_is_reported(tmp_path: object) -> None:
    outcome = hostile.run(hostile.Surrounding("nowhere"), ["no_such_file.py"], 60.0)
    assert outcome.code != 0
    assert outcome.failures
