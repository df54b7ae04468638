"""The derivative at every kink, torch 2.13's choice: one cell of the table, one test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.nn import functional as F

zero = tl.tensor

# (point, function, where, derivative there)
KINKS: list[tuple[str, Any, Any, Any]] = [
    ("l1 at equality", lambda x: F.l1_loss(x, tl.tensor(1.0)), 1.0, 0.0),
    ("smooth_l1 with beta=0 at equality", lambda x: F.smooth_l1_loss(x, tl.tensor(1.0), beta=0.0), 1.0, 0.0),
    ("smooth_l1 at the joint", lambda x: F.smooth_l1_loss(x, tl.tensor(0.0), beta=2.0), 2.0, 1.0),
    ("smooth_l1 at the other joint", lambda x: F.smooth_l1_loss(x, tl.tensor(0.0), beta=2.0), -2.0, -1.0),
    ("huber at the joint", lambda x: F.huber_loss(x, tl.tensor(0.0), delta=2.0), 2.0, 2.0),
    ("huber at the other joint", lambda x: F.huber_loss(x, tl.tensor(0.0), delta=2.0), -2.0, -2.0),
    ("relu", F.relu, 0.0, 0.0), ("leaky_relu", lambda x: F.leaky_relu(x, 0.25), 0.0, 0.25),
    ("clamp at its lower bound", lambda x: tl.clamp(x, min=0.0), 0.0, 1.0),
    ("clamp at its upper bound", lambda x: tl.clamp(x, max=0.0), 0.0, 1.0),
    ("a hinge by clamp", lambda x: tl.clamp(1.0 - x, min=0.0), 1.0, -1.0),
    ("maximum of two equal", lambda x: tl.maximum(x, tl.tensor(0.0)), 0.0, 0.5),
    ("minimum of two equal", lambda x: tl.minimum(x, tl.tensor(0.0)), 0.0, 0.5),
    ("max over ties", lambda x: tl.max(x), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
    ("max along a dim over ties", lambda x: tl.max(x, 0).values, [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
    ("amax over ties", lambda x: tl.amax(x), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
    ("hinge_embedding at the margin", lambda x: F.hinge_embedding_loss(x, tl.tensor(-1.0)), 1.0, -1.0),
    ("margin_ranking at the margin", lambda x: F.margin_ranking_loss(x, tl.tensor(0.5), tl.tensor(1.0), margin=0.5), 1.0, -1.0),
    ("multi_margin at the margin", lambda x: F.multi_margin_loss(x, tl.tensor(0)), [1.5, 0.5], [0.0, 0.0]),
    ("multilabel_margin at the margin", lambda x: F.multilabel_margin_loss(x, tl.tensor([0, -1])), [1.5, 0.5], [0.0, 0.0]),
    ("hinge at the margin", lambda x: F.hinge_loss(x, tl.tensor(1.0)), 1.0, -1.0),
    ("squared hinge at the margin", lambda x: F.hinge_loss(x, tl.tensor(1.0), squared=True), 1.0, 0.0),
    ("perceptron at 0", lambda x: F.perceptron_loss(x, tl.tensor(1.0)), 0.0, -1.0),
    ("categorical_hinge at the margin", lambda x: F.categorical_hinge_loss(x, tl.tensor(0)), [1.5, 0.5], [-1.0, 1.0]),
    ("categorical_hinge of two equal rivals", lambda x: F.categorical_hinge_loss(x, tl.tensor(0)), [0.0, 1.0, 1.0], [-1.0, 0.5, 0.5]),
    ("abs", tl.abs, 0.0, 0.0), ("sign", tl.sign, 0.0, 0.0), ("sqrt", tl.sqrt, 0.0, math.inf),
    ("norm of 0", lambda x: tl.norm(x), [0.0, 0.0], [0.0, 0.0]), ("std of equal values", lambda x: tl.std(x), [2.0, 2.0], [0.0, 0.0]),
    ("prod with zeros", lambda x: tl.prod(x), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("rmse of a perfect fit", lambda x: tl.sqrt(F.mse_loss(x, tl.tensor(1.0))), 1.0, math.nan),
    ("bce at the wrong end", lambda x: F.binary_cross_entropy(x, tl.tensor(1.0)), 0.0, -1e12),
    ("bce at the right end", lambda x: F.binary_cross_entropy(x, tl.tensor(1.0)), 1.0, 0.0),
    ("bce with logits at 0", lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor(1.0)), 0.0, -0.5),
    ("bce with logits far out", lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor(0.0)), 20.0, 1.0),
    ("kl_div of a target 0", lambda x: F.kl_div(x, tl.tensor(0.0)), -1.0, 0.0),
    ("kl_div of a target 0 against -inf", lambda x: F.kl_div(x, tl.tensor(0.0)), -math.inf, 0.0),
    ("xlogy at 0, 0", lambda x: tl.xlogy(x, tl.tensor(0.0)), 0.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("function", "point", "slope"), [k[1:] for k in KINKS], ids=[k[0] for k in KINKS])
def test_kink(function: Any, point: Any, slope: Any) -> None:
    x = tl.tensor(point, requires_grad=True)
    function(x).backward()
    np.testing.assert_allclose(x.grad.array, slope, rtol=1e-6)
    (recorded,) = tl.autograd.grad(function(x), x, create_graph=True)
    np.testing.assert_allclose(recorded.array, slope, rtol=1e-6)


# Limits that torch answers with nan, inf or garbage: (call, value, derivative by the first tensor).
def bce(z: float, y: float) -> tuple[Any, ...]:
    return (F.binary_cross_entropy_with_logits, z, y)


LIMITS: list[tuple[tuple[Any, ...], float, float]] = [
    (bce(-math.inf, 0.0), 0.0, 0.0), (bce(math.inf, 1.0), 0.0, 0.0), (bce(math.inf, 0.0), math.inf, 1.0),
    (bce(-120.0, 1.0), 120.0, -1.0), (bce(1000.0, 0.0), 1000.0, 1.0), (bce(-40.0, 0.0), 4.248354255291589e-18, 4.248354255291589e-18),
    (bce(40.0, 1.0), 4.248354255291589e-18, -4.248354255291589e-18),
    ((F.smooth_l1_loss, 1e-45, 0.0), 0.0, 0.0), ((F.huber_loss, 1e30, 0.0), 1e30, 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("call", "value", "slope"), LIMITS)
def test_limit(call: tuple[Any, ...], value: float, slope: float) -> None:
    function, z, y = call
    x = tl.tensor(np.float64(z), requires_grad=True)
    loss = function(x, tl.tensor(np.float64(y)))
    loss.backward()
    np.testing.assert_allclose([loss.item(), x.grad.item()], [value, slope], rtol=1e-14, atol=1e-40)


def test_confident_cross_entropy_keeps_its_digits() -> None:
    """torch gives exactly 0 here; both the value and the gradient of the true class are exp(-40)."""
    for kind in (np.float64, np.float32):
        x = tl.tensor(np.array([[0.0, -40.0]], kind), requires_grad=True)
        loss = F.cross_entropy(x, tl.tensor([0]))
        loss.backward()
        np.testing.assert_allclose(loss.item(), 4.248354255291589e-18, rtol=4 * np.finfo(kind).eps)
        np.testing.assert_allclose(x.grad.array, [[-4.248354255291589e-18, 4.248354255291589e-18]], rtol=6 * np.finfo(kind).eps)


def test_soft_target_of_0_at_a_logit_of_minus_infinity() -> None:
    x = tl.tensor([[0.0, 0.0, -math.inf]], requires_grad=True)
    loss = F.cross_entropy(x, tl.tensor([[0.5, 0.5, 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and np.isfinite(x.grad.array).all()


def test_mean_of_nothing_is_nan_with_a_gradient_of_the_right_shape() -> None:
    for call in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits):
        x = tl.zeros(0, 3, requires_grad=True)
        loss = call(x, tl.zeros(0, 3))
        loss.backward()
        assert math.isnan(loss.item()) and x.grad.shape == (0, 3) and call(x, tl.zeros(0, 3), reduction="sum").item() == 0
    x = tl.zeros(2, 3, requires_grad=True)
    with pytest.warns(tl.LossWarning, match=r"cross_entropy: every target is ignore_index=-100"):
        loss = F.cross_entropy(x, tl.tensor([-100, -100]))
    loss.backward()
    assert math.isnan(loss.item()) and not x.grad.array.any(), "the gradient of nothing is 0"


def test_float16_is_summed_in_more() -> None:
    """torch: inf for both."""
    x = tl.zeros(1, 30000).half()
    assert F.cross_entropy(x, tl.tensor([0]), label_smoothing=0.1).item() == pytest.approx(math.log(30000), rel=1e-3)
    assert F.mse_loss(tl.full((20000,), 3.0).half(), tl.zeros(20000).half()).item() == 9.0


def test_weights_divide_indices_but_not_probabilities() -> None:
    """Indices divide by the sum of the weights, probabilities by N: the same problem, another loss."""
    torch_says = {"indices": 0.907606, "probabilities": 1.815212}
    x, w = tl.tensor([[1.0, 2, 3]] * 2), tl.tensor([1.0, 1, 3])
    assert F.cross_entropy(x, tl.tensor([2, 0]), weight=w).item() == pytest.approx(torch_says["indices"], abs=1e-6)
    assert F.cross_entropy(x, F.one_hot(tl.tensor([2, 0]), 3).float(), weight=w).item() == pytest.approx(torch_says["probabilities"], abs=1e-6)
