"""Ctrl-C at some of the places of ``python -m tests.interrupts``, which tries all of them; and real signals."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

import tinygrad_loss as tl

from .interrupt_cases import CASES, Case, bits
from .interrupts import strike_all

F, nn, optim = tl.nn.functional, tl.nn, tl.optim
STRIDES = {"backward, create_graph": 31, "a large loss on threads": 7, "backward of a large loss": 41, "backward, inputs": 31, "autograd.grad": 37}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that was opened and not yet held
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_an_interrupted_operation(case: Case) -> None:
    """What promises all or nothing keeps it, and a second try is right; no mode of the gradients is left behind."""
    tally = strike_all(case, STRIDES.get(case.name, 17), first=3)
    assert tally.faults(case) == 0, tally
    assert tally.strikes
    left = [place for place in tally.places if place.startswith("modes")]
    assert all(place.endswith("__exit__") for place in left), tally  # the end of a with block cannot be guarded


def test_a_mode_as_a_decorator_is_never_left_behind() -> None:
    """Unlike the end of a with block, which Python runs as a function of ours: Ctrl-C may come before its first line."""
    x = tl.ones(2, requires_grad=True)

    def fresh() -> Any:
        work = tl.no_grad()(lambda: x * 2.0 + 1.0)
        return work, lambda: [b""]

    tally = strike_all(Case("decorated", fresh))
    assert tally.strikes > 20
    assert tally.modes == 0, tally.places


def test_the_strikes_find_what_is_half_done() -> None:
    def halfway() -> Any:
        a, b = tl.zeros(1), tl.zeros(1)

        def work() -> None:
            a.add_(1.0)
            b.add_(1.0)

        return work, lambda: bits([a, b])

    assert strike_all(Case("planted", halfway)).partly > 5
    entered = []

    def leaky() -> Any:
        def work() -> None:
            entered.append(tl.set_grad_enabled(False))
            tl.ones(1).exp()
            entered.pop().__exit__()

        return work, lambda: [b""]

    tally = strike_all(Case("planted", leaky))
    assert tally.modes > 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_real_signals_in_a_training_loop() -> None:
    """Each of 150 interruptions of a backward leaves all gradients as they were or complete."""
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
    parameters = list(model.parameters())
    x, y = tl.randn(16, 6), tl.arange(16) % 3
    right = [g.array.tobytes() for g in tl.autograd.grad(F.cross_entropy(model(x), y), parameters)]

    def strike(*_: Any) -> None:
        raise KeyboardInterrupt

    old, struck, outcomes = signal.signal(signal.SIGALRM, strike), 0, set()
    try:
        end = time.monotonic() + 60
        while struck < 150 and time.monotonic() < end:
            model.zero_grad()
            loss = F.cross_entropy(model(x), y)
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (20 + struck % 97))
                loss.backward()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                struck += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert tl.is_grad_enabled()
            found = [None if p.grad is None else p.grad.array.tobytes() for p in parameters]
            assert found in (right, [None] * len(parameters))
            outcomes.add(found == right)
            if found != right:
                loss.backward()
                assert [p.grad.array.tobytes() for p in parameters] == right
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert struck == 150
    assert outcomes == {True, False}
