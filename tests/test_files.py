"""Attacks on saved files with fixed seeds; ``python -m tests.files`` runs as many as it is told to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import atomic, serialization, tree

from .files import flips, kills, malformed, resumes
from .files.report import Report
from .files.training import LOSSES, OPTIMIZERS, SCHEDULERS, options

posix = pytest.mark.skipif(not kills.POSSIBLE, reason="POSIX")


@posix
def test_killed_saves() -> None:
    report = kills.run(0, 20, 200_000)
    assert not report.faults, report.details()
    assert report.total == 20


def test_flipped_bits() -> None:
    report = flips.run(0, 2500)
    assert not report.faults, report.details()
    assert set(report.cases) == {"in the length", "in the header", "in the values"}


def test_malformed_files() -> None:
    report = malformed.run(0, 100)
    assert not report.faults, report.details()
    assert len(report.cases) == 3, "changed, resealed, invented"


def test_resumed_training() -> None:
    for seed in (1, 8, 32):
        report = resumes.run(seed, 13, processes=False)
        assert not report.faults, report.details()
        assert report.total == 13


@posix
def test_killed_and_resumed_training() -> None:
    report = resumes.run(3, 13)
    assert not report.faults, report.details()
    assert set(report.cases) == {"resumed", "resumed in a new interpreter", "resumed after kills"}


def test_the_trainings_have_everything() -> None:
    made = [options(i) for i in range(45)]
    assert len({(o["optimizer"], o["scheduler"]) for o in made}) == len(OPTIMIZERS) * len(SCHEDULERS) == 45
    assert {o["loss"] for o in made} == set(LOSSES)
    assert all(len({o[name] for o in made}) == 2 for name in ("dtype", "own generator", "groups", "each step", "drop last", "clip"))


# every attack finds what it looks for


def naive(path: str, pieces: Any) -> None:
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)


def without_lock(original: Callable[[str], Any]) -> Callable[[str], Any]:
    def create(folder: str) -> Any:
        path, file = original(folder)
        atomic.fcntl.flock(file.fileno(), atomic.fcntl.LOCK_UN)
        return path, file

    return create


@posix
@pytest.mark.parametrize(
    ("module", "name", "wrong", "elements", "pairs"),
    [
        (serialization, "write_file", lambda original: naive, 4_000_000, 20),
        (atomic, "remove_stale", lambda original: lambda folder: None, 200_000, 20),
        (atomic, "_create", without_lock, 50_000, 1),
    ],
)
def test_planted_writers_are_found(
    module: Any, name: str, wrong: Any, elements: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    report = Report()
    for seed in range(30):
        report.add(kills.run(seed, 10, elements, pairs=pairs))
        if report.faults:
            return
    pytest.fail(report.line())


def read_without_digest(original: Any) -> Any:
    return lambda file, entry, digest: original(file, entry, None)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("_read", read_without_digest), ("_check_header", lambda original: lambda raw: None)],
)
def test_planted_checks_are_found(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, name, wrong(getattr(serialization, name)))
    assert flips.run(0, 1000).faults


def dtype_of(name: str) -> Any:
    return np.dtype(name)


class Guessing(dict[str, Any]):
    """NumPy's own parser of dtypes, which raises four kinds of errors."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return np.dtype(name)


def allocating(original: Any) -> Any:
    def read(file: Any, entry: Any, digest: Any) -> Any:
        np.empty(80 << 20, np.uint8)
        return original(file, entry, digest)

    return read


def writing(original: Any) -> Any:
    def entries(header: Any, size: int) -> Any:
        for name in header:
            if name == "0":
                Path("/dev/null").write_text(name)
        return original(header, size)

    return entries


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (tree, "_DTYPES", lambda original: Guessing(original)),
        (serialization, "_read", allocating),
        (serialization, "_entries", writing),
        (serialization, "_are_sizes", lambda original: lambda value: isinstance(value, list)),
        (serialization, "parsed", lambda original: lambda text, what: json.loads(text)),
    ],
)
def test_planted_readers_are_found(module: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    report = Report()
    for seed in range(16):
        report.add(malformed.run(seed, 60))
        if report.faults:
            return
    pytest.fail(report.line())


def forgetting(*path: str) -> Callable[[Any], Any]:
    def change(original: Any) -> Any:
        def state_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
            state = original(self, *args, **kwargs)
            for entry in state["state"].values():
                for name in path:
                    if name in entry:
                        entry[name] = tl.zeros_like(entry[name])
            return state

        return state_dict

    return change


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "training"),
    [
        (tl.optim.Adam, "state_dict", forgetting("step"), 4),
        (tl.optim.Adam, "state_dict", forgetting("max_exp_avg_sq"), 5),
        (tl.optim.SGD, "state_dict", forgetting("momentum_buffer"), 2),
        (tl.Generator, "set_state", lambda original: lambda self, state: self, 0),
        (tl.optim.lr_scheduler.LRScheduler, "_take_over", lambda original: lambda self, state: None, 9),
    ],
)
def test_planted_states_are_found(owner: Any, name: str, wrong: Any, training: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
    assert resumes.run(training, 13, processes=False).faults


def test_the_command() -> None:
    from .files.__main__ import chunks

    assert chunks(5, 2, 7) == [(7, 2), (8, 2), (9, 1)]
    assert "tests.files" in sys.modules
