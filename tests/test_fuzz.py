"""Random cases with fixed seeds; ``python -m tests.fuzz --minutes N`` runs as many as there is time for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

from .fuzz import graphs, losses, mistakes
from .fuzz.drawing import LAYOUTS, drawn, laid, laid_as, own_losses
from .fuzz.report import Report


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", [made.name for made in own_losses()])
def test_losses_against_their_formula(name: str, seed: int) -> None:
    """Kernels, blocks, layouts and dtypes; seeds of both parities: with small blocks and without."""
    report = losses.fuzz(seed, name, 8)
    assert not report.faults, report.details()
    assert report.total >= 12


@pytest.mark.parametrize("name", [made.name for made in own_losses()])
def test_every_layout(name: str) -> None:
    """Each layout for all arguments at once: value and gradients of contiguous arrays."""
    loss = LOSSES[name]
    for seed in range(3):
        r = np.random.default_rng(seed)
        sample = next(s for s in iter(lambda r=r: drawn(loss, r, borders=True), 0) if s is not None and s.size > 30)
        for reduction in ("sum", "none"):
            plain = losses.called(loss, sample, reduction, np.float64, {}, lambda x: np.array(x, order="C"))
            for layout in LAYOUTS:
                other = losses.called(loss, sample, reduction, np.float64, {}, lambda x, layout=layout: laid_as(x, layout))
                assert not losses.apart(other, plain, np.float64, 1e-12), (layout, sample)


def test_graphs_against_a_twin() -> None:
    report = graphs.fuzz(0, 40, 30)
    assert not report.faults, report.details()
    assert report.total > 200


def test_every_mistake_is_refused_or_warned_of() -> None:
    report = mistakes.fuzz(0, 10)
    assert not report.faults, report.details()
    assert report.total >= 380


@pytest.fixture
def huber() -> Iterator[Loss]:
    made = LOSSES["huber_loss"]
    kernel = made._kernel
    yield made
    made._kernel = kernel


def test_a_planted_kernel_is_found(huber: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by 1e-4, in the gradient of one element."""
    formula = huber.formula

    def wrong(arrays: Any, options: Any, factor: float, outs: Any) -> float:
        d = arrays[0] - arrays[1]
        slope = np.clip(d, -options["delta"], options["delta"])
        for out, sign in zip(outs, (1.0, -1.0), strict=False):
            if out is not None:
                out[...] = sign * factor * slope
                out.reshape(-1)[:1] += 1e-4
        return float(formula(*map(tl.tensor, arrays[:2]), delta=options["delta"]).sum())

    monkeypatch.setattr(huber, "_kernel", wrong)
    report = Report()
    for seed in range(8):
        losses.fuzz(seed, "huber_loss", 8, report)
    assert any("gradient" in what for what in report.unexplained), report.line()


def test_a_planted_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    f, _ = graphs.UNARY["tanh"]
    monkeypatch.setitem(graphs.UNARY, "tanh", (lambda x: f(x) + (x - x.detach()) * 0.1, graphs.UNARY["tanh"][1]))
    assert any(graphs.fuzz(seed, 100, 30, shrink=False).faults for seed in range(1, 7))


def test_layouts_keep_the_values() -> None:
    r, seen = np.random.default_rng(0), set()
    for x in (np.zeros(()), np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.arange(4)):
        for _ in range(40):
            y, how = laid(x, r)
            seen.add(how)
            assert np.array_equal(x, y) and x.dtype == y.dtype
    assert seen == set(LAYOUTS)
