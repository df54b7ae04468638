"""Random cases with fixed seeds; ``python -m tests.fuzz --cases N --jobs J`` runs more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

from .fuzz import calls, gradients, graph_steps, graphs, losses, metamorphic, mistakes, rounds
from .fuzz.__main__ import main
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
    report = graphs.fuzz(0, examples=40, steps=30)
    assert not report.faults, report.details()
    assert report.total > 200


def test_every_mistake_is_refused_or_warned_of() -> None:
    report = mistakes.fuzz(0, rounds=10)
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
    assert any(graphs.fuzz(seed, examples=100, steps=30, shrink=False).faults for seed in range(1, 7))


def test_layouts_keep_the_values() -> None:
    r, seen = np.random.default_rng(0), set()
    for x in (np.zeros(()), np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.arange(4)):
        for _ in range(40):
            y, how = laid(x, r)
            seen.add(how)
            assert np.array_equal(x, y) and x.dtype == y.dtype
    assert seen == set(LAYOUTS)


def test_gradients_by_differences() -> None:
    """Of every loss and operation a configuration, every element, both orders."""
    report = gradients.fuzz(0)
    assert not report.faults, report.details()
    assert report.total > 170 and not report.explained


def test_metamorphic_laws() -> None:
    report = metamorphic.fuzz(0, calls=12)
    assert not report.faults, report.details()
    assert set(report.cases) == {*metamorphic.LOSS_LAWS, *metamorphic.OPERATION_LAWS} and set(report.cases.values()) == {12}


def test_every_law_is_tried_with_several_losses() -> None:
    for name in metamorphic.LOSS_LAWS:
        assert len(metamorphic.losses_of(name)) >= 2, name


@pytest.mark.parametrize("order", [1, 2])
def test_a_planted_gradient_is_found(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by a hundred-thousandth, in the first derivative or only in the second."""

    def first_order_off(x: tl.Tensor) -> tl.Tensor:
        return tl.tanh(x) + (x - x.detach()) * 1e-5

    monkeypatch.setitem(calls.OURS, "tanh", first_order_off if order == 1 else second_order_off)
    said = "".join(gradients.fuzz(seed, "tanh").details() for seed in range(4))
    assert ("gradcheck: the gradient" if order == 1 else "gradgradcheck: ") in said and "raises" not in said


def second_order_off(x: tl.Tensor) -> tl.Tensor:
    """tanh, whose first derivative is right, and a constant for the second."""
    slope = 1.0 - tl.tanh(x).detach() ** 2
    return tl.tanh(x).detach() + slope * (x - x.detach())


@pytest.mark.parametrize("name", ["loss", "chosen", "joined"])
def test_a_planted_step_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss, tl.where or tl.cat whose gradient is off."""
    where, what = {"loss": (graph_steps.F, "binary_cross_entropy_with_logits"), "chosen": (tl, "where"), "joined": (tl, "cat")}[name]
    f = getattr(where, what)

    def wrong(*args: Any, **kwargs: Any) -> tl.Tensor:
        y = f(*args, **kwargs)
        return y + (y - y.detach()) * 0.1

    monkeypatch.setattr(where, what, wrong)
    assert any(graphs.fuzz(seed, examples=100, steps=30, shrink=False).faults for seed in range(1, 7))


@pytest.mark.parametrize(("law", "loss"), [("examples in another order", "l1_loss"), ("weights all times c", "mse_loss"), ("classes in another order", "nll_loss")])
def test_a_broken_law_is_found(law: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first element counts a hundred-thousandth more."""
    evaluate = metamorphic.evaluate

    def wrong(made: Loss, sample: Any, *args: Any, **kwargs: Any) -> Any:
        y, g = evaluate(made, sample, *args, **kwargs)
        first = next(iter(sample.given().values())).reshape(-1)[:1].sum()
        return (y + float(first) * 1e-5 if made.name == loss else y), g

    monkeypatch.setattr(metamorphic, "evaluate", wrong)
    assert any(metamorphic.fuzz(seed, law, 100).faults for seed in range(3))


# What the fuzzers have found.


def test_an_empty_tensor_may_be_written() -> None:
    assert tl.ones(4, 0).t().fill_(2.0).shape == (0, 4)


def test_gradients_at_infinities_and_beside_nan() -> None:
    def slope(f: Any, *at: float) -> list[float]:
        leaves = [tl.tensor(x, dtype=tl.float64, requires_grad=True) for x in at]
        return [g.item() for g in tl.autograd.grad(f(*leaves), leaves)]

    nan, inf = float("nan"), float("inf")
    assert slope(tl.nn.functional.elu, inf) == [1.0]
    assert slope(tl.nn.functional.elu, -88.0) == pytest.approx([np.exp(-88.0)], rel=1e-14, abs=0)
    assert slope(tl.nn.functional.leaky_relu, nan) == [0.01]
    assert slope(tl.maximum, nan, 1.0) == slope(tl.minimum, 1.0, nan) == [1.0, 1.0]


def test_a_mask_leaves_class_weights_alone() -> None:
    """As many classes as examples: a weight for each class has the mask's shape, and is none for each example."""
    f = tl.nn.functional.multilabel_soft_margin_loss
    x, y, w = tl.tensor([[0.5, -3.0], [0.5, -3.0]]), tl.tensor([[0.0, 0.0], [1.0, 1.0]]), tl.tensor([1.5, 0.8])
    masked = f(x, y, weight=w, mask=tl.tensor([True, False]), reduction="sum")
    assert masked.item() == f(x[:1], y[:1], weight=w, reduction="sum").item()


@pytest.mark.parametrize("scores", [[0.5], [800.0, 0.0]])
def test_focal_loss_twice_where_nothing_is_missed(scores: list[float]) -> None:
    """One class only, or a certain one: a power below 1 of 1 - p = 0."""
    x = tl.tensor([scores], dtype=tl.float64, requires_grad=True)
    (g,) = tl.autograd.grad(tl.nn.functional.focal_loss(x, tl.tensor([0]), gamma=0.9, label_smoothing=0.3), x, create_graph=True)
    (h,) = tl.autograd.grad(g[0, 0], x)
    assert np.isfinite(g.array).all() and not h.array.any()


def test_a_run_counts_and_says_what_it_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["--part", "mistakes", "metamorphic", "--only", "exp(log", "--cases", "50"]) == 0
    said = capsys.readouterr().out
    assert "80 cases, 0 unexplained differences" in said and "metamorphic" in said and "mistakes" not in said
    monkeypatch.setitem(calls.OURS, "tanh", lambda x: tl.tanh(x) + (x - x.detach()) * 0.1)
    assert main(["--part", "gradients", "--only", "tanh", "--rounds", "1"]) == 1
    assert "--part gradients --rounds 1 --seed 1000 --only 'tanh'" in capsys.readouterr().out


def test_processes_share_the_seeds() -> None:
    """Two processes run the rounds that one would run."""
    one, two = (rounds.run("metamorphic", "picked", 5, jobs, rounds.Limits(rounds=3)) for jobs in (1, 2))
    assert sorted(one.seeds) == sorted(two.seeds) == [5, 6, 7] and one.cases == two.cases and not two.faults
