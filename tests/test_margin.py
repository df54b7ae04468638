"""Margin and focal losses: what holds between them, the digits that a careless formula loses, and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.nn import functional as F

from .samples import seeded
from .test_peer_values_margin import draws, projected, projected_threshold

# Relations between losses.


def test_gamma_of_0_and_its_kin_are_cross_entropy() -> None:
    z, y = draws("kin")
    w = tl.tensor(np.array([0.5, 2.0, 1.0, 0.0, 3.0]))
    for kind in (tl.float64, tl.float32):
        x, t = tl.tensor(z, dtype=kind), tl.tensor(y)
        for more in ({}, {"weight": w.to(kind), "label_smoothing": 0.2, "ignore_index": 1}):
            np.testing.assert_allclose(F.focal_loss(x, t, gamma=0.0, **more).item(), F.cross_entropy(x, t, **more).item(), rtol=1e-6)
        np.testing.assert_allclose(F.poly_loss(x, t, epsilon=0.0).item(), F.cross_entropy(x, t).item(), rtol=1e-6)
        np.testing.assert_allclose(F.generalized_cross_entropy(x, t, q=1e-9).item(), F.cross_entropy(x, t).item(), rtol=1e-6)


def test_two_classes_are_one_logit() -> None:
    """sigmoid_focal_loss(z, 1) is focal_loss([z, 0], 0)."""
    z = np.linspace(-40, 40, 81)
    x = tl.tensor(z)
    for gamma in (0.0, 0.5, 1.0, 2.0, 3.5):
        one = F.sigmoid_focal_loss(x, tl.ones(81, dtype=tl.float64), gamma=gamma, reduction="none").numpy()
        two = F.focal_loss(tl.stack([x, x * 0], 1), tl.zeros(81).long(), gamma=gamma, reduction="none").numpy()
        np.testing.assert_allclose(one, two, rtol=4e-15)


def test_soft_margin_is_binary_cross_entropy() -> None:
    z = np.array([-1e300, -1000.0, -40.0, 0.0, 1e-20, 40.0, 700.0, 1e300])
    x, ones = tl.tensor(z), tl.ones(8, dtype=tl.float64)
    same = F.binary_cross_entropy_with_logits(x, ones, reduction="none").numpy()
    np.testing.assert_array_equal(F.soft_margin_loss(x, ones, reduction="none").numpy(), same)
    np.testing.assert_array_equal(F.soft_margin_loss(-x, -ones, reduction="none").numpy(), same)


# Digits: by mpmath at 50 digits.


def exact_focal(gap: float, gamma: float) -> tuple[float, float]:
    """Value and derivative of (1 - p)**gamma * -log p for p = sigmoid(gap)."""
    mp = pytest.importorskip("mpmath", reason="the exact numbers: pip install mpmath").mp
    with mp.workdps(50):
        f = lambda x: (1 / (1 + mp.exp(x))) ** gamma * mp.log1p(mp.exp(-x))
        return float(f(mp.mpf(gap))), float(mp.diff(f, mp.mpf(gap)))


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_focal_losses_keep_their_digits(gamma: float, kind: Any) -> None:
    eps = float(np.finfo(kind).eps)
    for gap in (-30.0, -3.0, -0.1, 0.0, 0.3, 2.0, 10.0, 17.5, 37.0, 60.0, 300.0):
        value, slope = exact_focal(gap, gamma)
        if not abs(value) > float(np.finfo(kind).tiny) * 1e3:
            continue
        x = tl.tensor(np.array([gap], kind), requires_grad=True)
        y = F.sigmoid_focal_loss(x, tl.ones(1), gamma=gamma)
        y.backward()
        np.testing.assert_allclose([y.item(), x.grad.item()], [value, slope], rtol=(8 + 4 * gamma) * eps)
        z = tl.tensor(np.array([[gap, 0.0]], kind), requires_grad=True)
        y = F.focal_loss(z, tl.tensor([0]), gamma=gamma)
        y.backward()
        np.testing.assert_allclose([y.item(), z.grad.numpy()[0, 0]], [value, slope], rtol=(8 + 4 * gamma) * eps)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 0.99, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_focal_losses_have_finite_derivatives_everywhere(gamma: float, kind: Any) -> None:
    """Also where 1 - p underflows; where it does not, second derivatives too."""
    for gap in (-1e30, -800.0, -40.0, 0.0, 20.0, 40.0, 90.0, 120.0, 800.0, 1e30):
        for sign, target in ((1.0, 1.0), (-1.0, 0.0)):
            x, t = (tl.tensor(np.array([v], kind), requires_grad=True) for v in (sign * gap, target))
            y = F.sigmoid_focal_loss(x, t, gamma=gamma)
            g = tl.autograd.grad(y, [x, t], create_graph=True)
            assert np.isfinite([y.item(), g[0].item(), g[1].item()]).all(), (gap, target)
            if abs(gap) <= 40:
                assert np.isfinite(tl.autograd.grad(g[0], x)[0].numpy()).all()
        z = tl.tensor(np.array([[gap, 0.0, -1.0]], kind), requires_grad=True)
        y = F.focal_loss(z, tl.tensor([0]), gamma=gamma)
        (g,) = tl.autograd.grad(y, z, create_graph=True)
        assert np.isfinite(y.array).all() and np.isfinite(g.array).all(), gap
        if abs(gap) <= 40:
            assert np.isfinite(tl.autograd.grad(g.square().sum(), z)[0].numpy()).all()


def test_impossible_classes_have_no_part() -> None:
    """A logit of -inf against a target of 0 adds nothing, to value and gradient; with optax the gradient is nan."""
    x = tl.tensor([[1.0, -math.inf, 0.0]], requires_grad=True)
    for loss in (F.focal_loss, F.poly_loss):
        for target in (tl.tensor([0]), tl.tensor([[0.75, 0.0, 0.25]])):
            (g,) = tl.autograd.grad(loss(x, target), x)
            assert np.isfinite(g.numpy()).all() and g.numpy()[0, 1] == 0
    z = tl.tensor([math.inf, -math.inf], requires_grad=True)
    (g,) = tl.autograd.grad(F.sigmoid_focal_loss(z, tl.tensor([1.0, 0.0])), z)
    assert not g.numpy().any()


def test_poly_and_generalized_keep_their_digits() -> None:
    z = tl.tensor([[40.0, 0.0]], dtype=tl.float64)
    tail = math.exp(-40.0)
    assert F.poly_loss(z, tl.tensor([0]), epsilon=2.0).item() == pytest.approx(3 * tail, rel=1e-14)
    assert F.generalized_cross_entropy(z, tl.tensor([0])).item() == pytest.approx(tail, rel=1e-14)
    assert F.generalized_cross_entropy(-1e300 * z, tl.tensor([0]), q=0.25).item() == 4.0  # bounded by 1 / q


def test_sparsemax_far_from_0() -> None:
    """An offset, or a huge score, costs no digits; the gradient is sparsemax - one_hot."""
    z = np.array([[1.0, 1.5, -1.0]])
    for offset in (0.0, 2.0**30, -(2.0**40)):
        x = tl.tensor(z + offset, requires_grad=True)
        y = F.sparsemax_loss(x, tl.tensor([0]))
        y.backward()
        assert y.item() == 0.5625
        np.testing.assert_array_equal(x.grad.numpy(), [[-0.75, 0.75, 0.0]])
    x = tl.tensor([[1e30, -1e30, 0.0]], requires_grad=True)
    y = F.sparsemax_loss(x, tl.tensor([1]))
    y.backward()
    assert y.item() == pytest.approx(2e30) and x.grad.tolist() == [[1.0, -1.0, 0.0]]


def test_sparsemax_at_the_edge_of_its_support() -> None:
    """Where the own class just enters or leaves the support, the gradient is still sparsemax - one_hot."""
    r = seeded("edge")
    for _ in range(300):
        z = r.normal(size=4)
        z[0] = projected_threshold(z[1:]) + r.choice([-1, 0, 1]) * np.spacing(1.0) * r.integers(0, 3)
        x = tl.tensor(z[None], requires_grad=True)
        F.sparsemax_loss(x, tl.tensor([0])).backward()
        np.testing.assert_allclose(x.grad.numpy()[0], projected(z) - np.eye(4)[0], atol=1e-14)


# Bad input and mistakes.


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: F.hinge_loss(tl.zeros(2), tl.tensor([1.0, 0.0])), ValueError, ["hinge_loss: target[1] = 0", "2 * target - 1"]),
        (lambda: F.perceptron_loss(tl.zeros(2), tl.tensor([1.0, 0.5])), ValueError, ["perceptron_loss: target[1] = 0.5", "+1 or -1"]),
        (lambda: F.soft_margin_loss(tl.zeros(2), tl.tensor([1.0, 0.0])), ValueError, ["soft_margin_loss: target[1]", "2 * target - 1"]),
        (lambda: F.margin_ranking_loss(tl.zeros(2), tl.zeros(2), tl.zeros(2)), ValueError, ["margin_ranking_loss: target[0]"]),
        (lambda: F.multi_margin_loss(tl.zeros(1, 3), tl.tensor([3])), IndexError, ["multi_margin_loss: target[0] = 3", "C=3"]),
        (lambda: F.multi_margin_loss(tl.zeros(1, 3), tl.tensor([0]), p=3), ValueError, ["multi_margin_loss: p=3", "1 or 2"]),
        (lambda: F.multilabel_margin_loss(tl.zeros(1, 3), tl.tensor([[1, 1, -1]])), ValueError, ["multilabel_margin_loss: target[0]", "twice"]),
        (lambda: F.multilabel_margin_loss(tl.zeros(1, 3), tl.tensor([[5, -1, -1]])), IndexError, ["multilabel_margin_loss: target[0, 0] = 5"]),
        (lambda: F.multilabel_soft_margin_loss(tl.zeros(1, 3), tl.tensor([[1.0, -1.0, -1.0]])), RuntimeError, ["multilabel_soft_margin_loss: target[0, 1]"]),
        (lambda: F.sigmoid_focal_loss(tl.zeros(1), tl.ones(1), gamma=-1.0), ValueError, ["sigmoid_focal_loss: gamma=-1.0", ">= 0"]),
        (lambda: F.sigmoid_focal_loss(tl.zeros(1), tl.ones(1), alpha=2.0), ValueError, ["sigmoid_focal_loss: alpha=2.0", "[0, 1]"]),
        (lambda: F.focal_loss(tl.zeros(1, 3), tl.ones(1, 3) / 3, ignore_index=1), RuntimeError, ["focal_loss: ignore_index=1", "probabilities"]),
        (lambda: F.generalized_cross_entropy(tl.zeros(1, 3), tl.tensor([0]), q=1.5), ValueError, ["generalized_cross_entropy: q=1.5"]),
        (lambda: F.cross_entropy(tl.tensor([[1, 0, 0]]), tl.tensor([[0.2, 0.3, 0.5]])), RuntimeError, ["cross_entropy: input", "int64", "are input and target swapped?"]),
        (lambda: F.cross_entropy(tl.zeros(1, 3), tl.ones(1, 3) / 3, ignore_index=0), RuntimeError, ["cross_entropy: ignore_index=0", "weight of 0"]),
    ],
)  # fmt: skip
def test_refused(call: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def test_swapped_arguments_of_binary_cross_entropy() -> None:
    p, y = tl.tensor([0.2, 0.9] * 9), tl.tensor([0.0, 1.0] * 9)  # a signature of its own: advice comes in its first call
    with pytest.warns(tl.LossWarning, match="binary_cross_entropy: input holds only 0 and 1.*swapped"):
        F.binary_cross_entropy(y, p)
