"""Losses of overlap: against their definition, with pixels weighed and left out, at their edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn

from .samples import Array
from .test_peer_values_metric import CLASSES, T, Z, spread, tensors

F = nn.functional


def by_loops(p: Array, t: Array, w: Array, axis: Any, alpha: float, beta: float, smooth: float, eps: float) -> Array:
    """1 - (I + smooth) / (I + alpha FP + beta FN + smooth + eps), with I, FP, FN from their definitions."""
    right, false, missed = ((w * x).sum(axis) for x in (p * t, p * (1 - t), (1 - p) * t))
    return np.asarray(1 - (right + smooth) / (right + alpha * false + beta * missed + smooth + eps))


@pytest.mark.parametrize("axis", [None, 0, (0, 2), (2,), (1, 2), -1])
@pytest.mark.parametrize("indices", [False, True])
def test_overlaps_by_definition(axis: Any, indices: bool) -> None:
    w, m = spread(2, 4, low=0.1), np.arange(8).reshape(2, 4) % 3 > 0
    p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True) if indices else 1 / (1 + np.exp(-Z))
    t = np.moveaxis(np.eye(3)[CLASSES], -1, 1) if indices else T
    target = tl.tensor(CLASSES if indices else T)
    counts = {"sample_weight": tl.tensor(w), "mask": tl.tensor(m)}
    for given, pixels in (({}, np.ones((2, 4))), (counts, w * m)):
        for smooth in (0.0, 0.7):
            how: dict[str, Any] = {"axis": axis, "smooth": smooth, "reduction": "none", **given}
            whole = pixels[:, None]
            x = tl.tensor(Z)
            dice, iou = F.dice_loss(x, target, **how).array, F.iou_loss(x, target, **how).array
            np.testing.assert_allclose(dice, by_loops(p, t, whole, axis, 0.5, 0.5, smooth / 2, 0.5e-7), rtol=1e-13)
            np.testing.assert_allclose(iou, by_loops(p, t, whole, axis, 1.0, 1.0, smooth, 1e-7), rtol=1e-13)
            focal = F.tversky_loss(x, target, 0.3, 0.8, 0.75, **how).array
            np.testing.assert_allclose(focal, by_loops(p, t, whole, axis, 0.3, 0.8, smooth, 1e-7) ** 0.75, rtol=1e-13)
            assert F.dice_loss(x, target, **{**how, "reduction": "mean"}).item() == pytest.approx(dice.mean(), rel=1e-14)


def test_a_masked_pixel_is_a_deleted_one() -> None:
    keep = np.array([True, False, True, True])
    poisoned = Z.copy()
    poisoned[:, :, 1] = math.nan
    x = tl.tensor(poisoned, requires_grad=True)
    y = F.tversky_loss(x, tl.tensor(T), 0.3, 0.7, mask=tl.tensor(np.tile(keep, (2, 1))))
    (g,) = autograd.grad(y, x)
    z = tl.tensor(Z[:, :, keep], requires_grad=True)
    w = F.tversky_loss(z, tl.tensor(T[:, :, keep]), 0.3, 0.7)
    (h,) = autograd.grad(w, z)
    assert y.item() == pytest.approx(w.item(), rel=1e-14) and not g.array[:, :, 1].any()
    np.testing.assert_allclose(g.array[:, :, keep], h.array, rtol=1e-13, atol=1e-16)


def test_a_perfect_overlap_keeps_its_digits_and_has_a_gradient() -> None:
    sure = np.where(T > 0, 40.0, -40.0)
    ours = F.dice_loss(*tensors(sure, T), eps=1e-30)
    miss = 24 * math.exp(-40)
    assert ours.item() == pytest.approx(miss / (2 * T.sum()), rel=1e-12)
    for gamma in (0.5, 1.0, 2.0):
        x = tl.tensor(np.where(T > 0, 1e4, -1e4), requires_grad=True)
        y = F.tversky_loss(x, tl.tensor(T), gamma=gamma, eps=1e-37)
        assert y.item() < 1e-15 and not autograd.grad(y, x)[0].array.any()


def test_nothing_there_and_nothing_found() -> None:
    nothing = tensors(np.zeros((1, 1, 4)), np.zeros((1, 1, 4)))
    assert F.dice_loss(*nothing, from_logits=False).item() == 1.0
    assert F.dice_loss(*nothing, from_logits=False, smooth=1.0).item() == pytest.approx(1e-7)


def test_what_overlaps_refuse() -> None:
    x, t = tensors(Z, T)
    with pytest.raises(ValueError, match=r"dice_loss: input\[0, 0, 0\] is .*probabilities are between 0 and 1; for logits"):
        F.dice_loss(x, t, from_logits=False)
    with pytest.raises(IndexError, match=r"tversky_loss: axis: .*but got 3"):
        F.tversky_loss(x, t, axis=(0, 3))
    with pytest.raises(TypeError, match="iou_loss: axis must be an axis number or a tuple"):
        F.iou_loss(x, t, axis="C")
    with pytest.raises(ValueError, match="dice_loss: target has class indices, but input of shape .* has one class"):
        F.dice_loss(x[:, :1], tl.tensor(CLASSES * 0))
    with pytest.raises(IndexError, match=r"dice_loss: target\[0, 1\] = 3 is out of bounds"):
        F.dice_loss(x, tl.tensor(np.array([[0, 3, 1, 1]] * 2)))
    with pytest.warns(tl.LossWarning, match="input is the result of sigmoid, which dice_loss applies itself"):
        F.dice_loss(tl.tensor(Z, requires_grad=True).sigmoid(), t)
