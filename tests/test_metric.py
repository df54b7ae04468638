"""Losses of pairs, triplets and batches at their edges: every size, identical points, nobody to compare with."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn

from .samples import seeded
from .test_peer_values_metric import E2, LABELS, E, spread, tensors

F = nn.functional


# Anchors without partners.


@pytest.mark.parametrize("name", ["nt_xent_loss", "supcon_loss", "circle_loss"])
def test_an_anchor_alone_contributes_nothing_and_does_not_count(name: str) -> None:
    function = getattr(F, name)
    x = tl.tensor(E, requires_grad=True)
    y = function(x, tl.tensor(LABELS), reduction="none")
    assert y.array[3] == 0.0 and (y.array[[0, 1, 2, 4, 5]] > 0).all()
    count = {"nt_xent_loss": 8, "supcon_loss": 5, "circle_loss": 5}[name]
    assert function(x, tl.tensor(LABELS)).item() == pytest.approx(y.array.sum() / count, rel=1e-14)


@pytest.mark.parametrize("name", ["nt_xent_loss", "supcon_loss", "circle_loss"])
def test_labels_that_all_differ_warn_and_give_0(name: str) -> None:
    x = tl.tensor(E, requires_grad=True)
    with pytest.warns(tl.LossWarning, match=rf"{name}: no two of the 6 labels are equal"):
        y = getattr(F, name)(x, tl.arange(6))
    (g,) = autograd.grad(y, x, create_graph=True)
    assert y.item() == 0.0 and not g.array.any()
    assert math.isnan(getattr(F, name)(tl.zeros(0, 3), tl.zeros(0, dtype=tl.int64)).item())  # the mean of nothing


@pytest.mark.parametrize("name", ["nt_xent_loss", "supcon_loss", "circle_loss", "multi_similarity_loss"])
def test_one_class_and_one_example_are_finite_to_the_second_derivative(name: str) -> None:
    for n, labels in ((6, np.zeros(6, int)), (1, np.zeros(1, int)), (2, np.arange(2))):
        x = tl.tensor(E[:n], requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tl.LossWarning)
            y = getattr(F, name)(x, tl.tensor(labels))
        (g,) = autograd.grad(y, x, create_graph=True)
        (h,) = autograd.grad((g * tl.tensor(E2[:n])).sum(), x)
        assert np.isfinite(y.array) and np.isfinite(g.array).all() and np.isfinite(h.array).all()


def test_a_masked_example_is_a_deleted_one_and_a_weight_counts_anchors() -> None:
    keep = np.array([True, True, True, False, True, False])
    x = E.copy()
    x[~keep] = math.nan
    ours = F.supcon_loss(*tensors(x, LABELS), mask=tl.tensor(keep))
    assert ours.item() == pytest.approx(F.supcon_loss(*tensors(E[keep], LABELS[keep])).item(), rel=1e-14)
    none, w = F.supcon_loss(*tensors(E, LABELS), reduction="none").array, np.array([1.0, 2.0, 0.0, 5.0, 1.0, 1.0])
    ours = F.supcon_loss(*tensors(E, LABELS), sample_weight=tl.tensor(w))
    assert ours.item() == pytest.approx((none * w).sum() / 5.0, rel=1e-14)  # the weight of the anchor alone does not count


# Pairs and triplets at the edges.


@pytest.mark.parametrize("size", [1e-30, 1e-10, 1.0, 1e10, 1e30, 1e38])
def test_the_cosine_survives_every_size(size: float) -> None:
    with np.errstate(all="ignore"):
        a, b = ((np.array(v) * size).astype(np.float32) for v in ([[1, 0], [1, 1], [1, 0]], [[1, 1], [2, 2], [0, -1]]))
        expected = (np.array([[0.0, -math.sqrt(0.5)], [0.0, 0.0], [0.0, 1.0]]) / size).astype(np.float32)
    x, y = tl.tensor(a, requires_grad=True), tl.tensor(b, requires_grad=True)
    loss = F.cosine_embedding_loss(x, y, tl.tensor([1.0, -1.0, 1.0]), reduction="none")
    np.testing.assert_allclose(loss.array, [1 - math.sqrt(0.5), 1.0, 1.0], rtol=1e-6)
    (g,) = autograd.grad(loss.sum(), x)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(g.array, expected, rtol=1e-5, atol=1e-6 / size)


def test_torchs_1e_12_up_to_where_it_would_bend_the_cosine() -> None:
    for size in (1.0, 0.02, 1 / 128, 1 / 129, 1e-6):
        a, b = np.array([[0.6, 0.8]]) * size, np.array([[1.0, -0.7]])
        eps = 1e-12 if size >= 1 / 128 else 0.0
        cosine = (a @ b.T).item() / math.sqrt(((a * a).sum() + eps) * ((b * b).sum() + 1e-12))
        for sign, expected in ((1.0, 1 - cosine), (-1.0, cosine)):
            assert F.cosine_embedding_loss(*tensors(a, b, [sign])).item() == pytest.approx(expected, rel=1e-14)


def test_a_zero_vector_has_cosine_0_and_gradient_0() -> None:
    a, b = (tl.tensor(v, requires_grad=True) for v in ([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    for sign, value in ((1.0, 1.0), (-1.0, 0.5)):
        y = F.cosine_embedding_loss(a, b, tl.tensor([sign] * 3), margin=-0.5, reduction="none")
        gradients = autograd.grad(y.sum(), [a, b], create_graph=True)
        assert y.tolist() == [value] * 3 and not any(g.array.any() for g in gradients)


def test_nearly_parallel_vectors_keep_the_digits_of_1_minus_cos() -> None:
    for angle in (1e-2, 1e-5, 1e-8):
        a, b = np.array([[1.0, 0.0]]) * 1e8, np.array([[math.cos(angle), math.sin(angle)]]) * 1e8  # beyond torch's 1e-12
        assert F.cosine_embedding_loss(*tensors(a, b, [1.0])).item() == pytest.approx(2 * math.sin(angle / 2) ** 2, rel=1e-6)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, math.inf])
def test_triplets_of_every_size_and_identical_points(p: float, swap: bool) -> None:
    r = seeded(f"triplets{p}")
    directions = [r.normal(size=(5, 3)) for _ in range(3)]
    for kind, sizes in ((np.float32, (1e-30, 1e-3, 1e30, 1e38)), (np.float64, (1e-300, 1e300, 1e308))):
        for size in sizes:
            vectors = [(np.clip(d, -1, 1) * size).astype(kind) for d in directions]
            exact = [np.asarray(v, np.longdouble) for v in vectors]

            def distance(a: Any, b: Any) -> Any:
                d = np.abs(a - b + np.longdouble(1e-6))
                top = d.max(1, keepdims=True)
                return top[:, 0] if p == math.inf else top[:, 0] * (((d / top) ** p).sum(1)) ** (1 / np.longdouble(p))

            far = distance(exact[0], exact[2])
            far = np.minimum(far, distance(exact[1], exact[2])) if swap else far
            expected = np.maximum(distance(exact[0], exact[1]) - far + 1, 0)
            leaves = [tl.tensor(v, requires_grad=True) for v in vectors]
            y = F.triplet_margin_loss(*leaves, p=p, swap=swap, reduction="none")
            with np.errstate(over="ignore"):
                np.testing.assert_allclose(y.array, expected.astype(kind), rtol=1e-4 if kind is np.float32 else 1e-10, atol=size * 1e-5)
            assert all(np.isfinite(g.array).all() for g in autograd.grad(y.sum(), leaves))
    one = tl.tensor(np.array([[1.0, 2.0]]), requires_grad=True)
    for eps in (1e-6, 0.0):
        y = F.triplet_margin_loss(one, one * 1.0, one.detach() * 1.0, p=p, eps=eps, swap=swap)
        (g,) = autograd.grad(y, one)
        assert y.item() == 1.0 and np.isfinite(g.array).all()


def test_a_difference_of_distances_beyond_the_largest_number() -> None:
    top = np.float32(3e38)
    a, b, c = (tl.tensor(np.array([v], np.float32)) for v in ([top, top], [-top, -top], [-top, -top]))
    assert F.triplet_margin_loss(a, b, c).item() == 1.0
    d = tl.tensor(np.array([[-top, 0.0]], np.float32))  # the one distance 8.5e38, the other 6.7e38
    assert F.triplet_margin_loss(a, b, d).item() == pytest.approx(3e38 * (math.sqrt(8) - math.sqrt(5)), rel=1e-6)


class Learned(nn.Module):
    """A distance after a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3, 2, dtype=tl.float64)

    def forward(self, a: Any, b: Any) -> Any:
        return (self.map(a) - self.map(b)).square().sum(-1)


@pytest.mark.parametrize("swap", [False, True])
def test_a_distance_with_parameters_learns(swap: bool) -> None:
    distance, given = Learned(), tensors(E, E2, spread(6, 3, step=0.11))
    for reduction in ("mean", "none"):
        for _ in range(2):  # the second call knows already that the distance has parameters
            far = distance(given[0], given[2])
            far = tl.minimum(far, distance(given[1], given[2])) if swap else far
            expected = tl.clamp(distance(given[0], given[1]) - far + 0.5, min=0)
            criterion = nn.TripletMarginWithDistanceLoss(distance_function=distance, margin=0.5, swap=swap, reduction=reduction)
            y = criterion(*given)
            np.testing.assert_allclose(y.array, (expected.mean() if reduction == "mean" else expected).array, rtol=1e-14)
            ours = autograd.grad(y.sum(), list(distance.parameters()), create_graph=True)
            theirs = autograd.grad((expected.mean() if reduction == "mean" else expected.sum()), list(distance.parameters()))
            for g, h in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(g.array, h.array, rtol=1e-12, atol=1e-14)
            assert any(g.array.any() for g in ours)
    assert [n for n, _ in criterion.named_parameters()] == ["distance_function.map.weight", "distance_function.map.bias"]


def test_a_distance_decides_the_shape() -> None:
    a, b, c = tensors(spread(2, 3, 4), spread(2, 3, 4, step=0.2), spread(2, 3, 4, step=0.7))
    shapes = {(2,): lambda x, y: (x - y).abs().sum((1, 2)), (2, 3): None, (2, 3, 4): lambda x, y: (x - y).abs(), (): lambda x, y: (x - y).norm()}
    for shape, function in shapes.items():
        y = F.triplet_margin_with_distance_loss(a, b, c, distance_function=function, reduction="none")
        assert tuple(y.shape) == shape
    plain = F.triplet_margin_loss(a, b, c, reduction="none")
    np.testing.assert_array_equal(F.triplet_margin_with_distance_loss(a, b, c, reduction="none").array, plain.array)
