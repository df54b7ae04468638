"""Bad inputs to every loss, derived from its declaration, and to the rest: each is refused, by name, with what was expected,
before anything is computed. None is silent. ``python -m tests.bad_inputs --rounds N`` tries more random shapes."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, _domains, _labels, _loss

from .bad_inputs import __main__ as command
from .bad_inputs import rounds
from .bad_inputs.cases import OWN, Case, cases, wrong
from .bad_inputs.others import OTHERS, Draw, refusal
from .loss_samples import samples


@functools.cache
def typical(name: str) -> list[Case]:
    """Those of a typical sample, and of the first one that shows another choice of arrays; each only once."""
    loss, found, shown = LOSSES[name], {}, set()
    for sample in samples(loss):
        choice = tuple((n, id(s)) for n, s in sample.specs.items())
        if choice in shown or sample.size < 4 or not sample.batched or (sample.ignores and shown):
            continue
        shown.add(choice)
        for what, case in cases(loss, sample, np.random.default_rng(0)).items():
            found.setdefault(what, case)
    return list(found.values())


@pytest.mark.parametrize("name", OWN)
def test_bad_inputs_are_refused(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        faults = {case.what: fault for case in typical(name) if (fault := wrong(case, name))}
    assert not faults


def test_there_are_enough_and_all_differ() -> None:
    every = [(name, case.what) for name in OWN for case in typical(name)]
    assert len(every) == len(set(every)) >= 3000
    assert min(len(typical(name)) for name in OWN) >= 20
    assert len(OTHERS) >= 130


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", rounds.names())
def test_at_random_shapes(name: str, seed: int) -> None:
    _, tried, faults = rounds.one((name, seed))
    assert len(tried) >= 20
    assert not faults


def test_silence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that is gone: of labels, where an index behind the end is met later, and of weights."""
    for name, domain in (("nll_loss", _labels.LabelDomain), ("mse_loss", _domains.WeightDomain)):
        monkeypatch.setattr(LOSSES[name], "_bindings", [])
        monkeypatch.setattr(LOSSES[name], "_last", _loss.Binding())
        monkeypatch.setattr(domain, "check", lambda *a: None)
        faults = [text for seed in range(6) for text in rounds.one((name, seed))[2]]
        assert faults
    assert any(text.endswith("silent") for text in faults)
    monkeypatch.setitem(rounds.OTHERS, "nothing wrong", (RuntimeError, "shape", lambda d: d.x + d.x))
    assert [text for text in rounds.one(("others", 0))[2] if text.endswith("nothing wrong: silent")]
    assert refusal((ValueError, "shape", lambda d: d.x + d.of(d.k)), Draw(np.random.default_rng(0))).startswith("RuntimeError")


def test_the_command_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--rounds", "1", "--only", "huber"]) == 0
    assert "0 silent, 0 refused otherwise" in capsys.readouterr().out
