"""Losses of pairs, batches, lists and overlaps: against the peers' own numbers, and against loops over the definition.

The literals were computed in float64 by pytorch-metric-learning 2.9.0, optax 0.2.8 and Keras 3.15.1, from the arrays
that ``spread`` makes.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn

from .samples import Array, seeded

F = nn.functional


def spread(*shape: int, step: float = 0.37, low: float = -1.0) -> Array:
    """Numbers in [low, low + 2), the same for everyone."""
    return (low + (np.arange(math.prod(shape)) * step * 2 + 0.13) % 2.0).reshape(shape)


def tensors(*arrays: Any) -> list[Any]:
    return [tl.tensor(np.asarray(a)) for a in arrays]


def cosines(a: Array, b: Array) -> Array:
    return np.array([[u @ v / math.sqrt((u @ u) * (v @ v)) for v in b] for u in a])


E, E2, LABELS = spread(6, 3), spread(6, 3, step=0.71), np.array([0, 1, 0, 2, 1, 0])
SCORES, RELEVANCE = spread(4, 5, step=0.53) * 2, (np.arange(20).reshape(4, 5) * 7 % 4).astype(float)
ITEM_WEIGHTS = spread(4, 5, step=0.29, low=0.2)
ITEM_MASK = (np.arange(20).reshape(4, 5) % 3 > 0) & (np.arange(4)[:, None] != 2)
P, T = (spread(2, 3, 4, step=0.31) + 1) / 2, (np.arange(24).reshape(2, 3, 4) * 5 % 3 == 0).astype(float)
Z, CLASSES = spread(2, 3, 4, step=0.31) * 3, np.arange(8).reshape(2, 4) * 5 % 3
FIRST_CIRCLE = [
    10.837665693882979, 10.940551284541206, 8.391589168847787, 10.67286126784771, 10.054297348191714, 10.873820308626069,
]  # fmt: skip
DICE_OF_CLASSES = [
    [0.237652774419707, 0.13755352681834732, 0.2284671678536272], [0.5060738662931938, 0.4335976012432836, 0.6247052100527422],
]  # fmt: skip
TVERSKY_OF_CLASSES = [
    [0.384571601244889, 0.19314031256321607, 0.28391043016276285], [0.7772948236209991, 0.6676196578713822, 0.8589739562756575],
]  # fmt: skip


# The peers' numbers.

NUMBERS: dict[str, tuple[Any, Any]] = {
    "pytorch-metric-learning NTXentLoss, optax ntxent": (lambda: F.nt_xent_loss(*tensors(E, LABELS), temperature=0.5), 2.7199269350804385),
    "pytorch-metric-learning SupConLoss": (lambda: F.supcon_loss(*tensors(E, LABELS), temperature=0.5), 2.8846171819632125),
    "pytorch-metric-learning CircleLoss": (lambda: F.circle_loss(*tensors(E, LABELS), gamma=4.0), 10.125368228215319),
    "pytorch-metric-learning MultiSimilarityLoss": (lambda: F.multi_similarity_loss(*tensors(E, LABELS)), 1.2990508957174765),
    "pytorch-metric-learning SelfSupervisedLoss": (lambda: F.simclr_loss(*tensors(E, E2)), 2.992533525300439),
    "Keras circle": (
        lambda: F.circle_loss(*tensors(E, [0, 1, 0, 1, 1, 0]), gamma=4.0, reduction="none"), FIRST_CIRCLE,
    ),
    "optax ranking_softmax_loss": (lambda: F.ranking_softmax_loss(*tensors(SCORES, RELEVANCE)), 13.864684365878539),
    "optax ranking_softmax_loss, weights": (
        lambda: F.ranking_softmax_loss(*tensors(SCORES, RELEVANCE, ITEM_WEIGHTS)), 20.72799064503648,
    ),
    "optax ranking_softmax_loss, weights and where": (
        lambda: F.ranking_softmax_loss(*tensors(SCORES, RELEVANCE, ITEM_WEIGHTS, ITEM_MASK)), 9.27049154653813,
    ),
    "Keras dice": (lambda: F.dice_loss(*tensors(P, T), from_logits=False), 0.4473161061266596),
    "Keras dice, axis": (
        lambda: F.dice_loss(*tensors(P, T), axis=(1, 2), from_logits=False, reduction="none"), [0.44531250541687006, 0.4493927181235555],
    ),
    "Keras tversky(alpha=.3, beta=.7), which swaps them": (
        lambda: F.tversky_loss(*tensors(P, T), alpha=0.7, beta=0.3, from_logits=False), 0.4891584023414334,
    ),
    "optax dice_loss, smooth 1: twice that in the form of 2 I": (
        lambda: F.dice_loss(*tensors(Z, CLASSES), axis=2, smooth=2.0, eps=1e-30, reduction="none"), DICE_OF_CLASSES,
    ),
    "optax dice_loss(alpha=.3, beta=.7), smooth 1/4": (
        lambda: F.tversky_loss(*tensors(Z, CLASSES), 0.3, 0.7, axis=(2,), smooth=0.25, eps=1e-30, reduction="none"), TVERSKY_OF_CLASSES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_number_of_a_peer(name: str) -> None:
    ours, theirs = NUMBERS[name]
    np.testing.assert_allclose(ours().array, theirs, rtol=2e-14)


# The definitions, as loops.


def test_nt_xent_by_pairs() -> None:
    s, pairs = cosines(E, E) / 0.3, []
    for i, j in itertools.permutations(range(6), 2):
        if LABELS[i] == LABELS[j]:
            negatives = sum(math.exp(s[i, k]) for k in range(6) if LABELS[k] != LABELS[i])
            pairs.append((i, -math.log(math.exp(s[i, j]) / (math.exp(s[i, j]) + negatives))))
    per_anchor = [sum(v for i, v in pairs if i == anchor) for anchor in range(6)]
    given = tensors(E, LABELS)
    np.testing.assert_allclose(F.nt_xent_loss(*given, temperature=0.3, reduction="none").array, per_anchor, rtol=1e-14)
    assert F.nt_xent_loss(*given, temperature=0.3).item() == pytest.approx(np.mean([v for _, v in pairs]), rel=1e-14)


def test_supcon_by_anchors() -> None:
    s, values = cosines(E, E) / 0.3, []
    for i in range(6):
        whole = math.log(sum(math.exp(s[i, k]) for k in range(6) if k != i))
        positives = [j for j in range(6) if j != i and LABELS[j] == LABELS[i]]
        values.append(np.mean([whole - s[i, j] for j in positives]) if positives else 0.0)
    given = tensors(E, LABELS)
    np.testing.assert_allclose(F.supcon_loss(*given, temperature=0.3, reduction="none").array, values, rtol=1e-14)
    assert F.supcon_loss(*given, temperature=0.3).item() == pytest.approx(sum(values) / 5, rel=1e-14)  # label 2 is alone


def test_circle_and_multi_similarity_by_anchors() -> None:
    s, m, gamma = cosines(E, E), 0.25, 6.0
    circle, multi = [], []
    for i in range(6):
        near = [s[i, j] for j in range(6) if j != i and LABELS[j] == LABELS[i]]
        far = [s[i, j] for j in range(6) if LABELS[j] != LABELS[i]]
        a = sum(math.exp(-gamma * max(1 + m - x, 0) * (x - 1 + m)) for x in near)
        b = sum(math.exp(gamma * max(x + m, 0) * (x - m)) for x in far)
        circle.append(math.log1p(a * b))
        multi.append(
            math.log1p(sum(math.exp(-2 * (x - 0.4)) for x in near)) / 2 + math.log1p(sum(math.exp(7 * (x - 0.4)) for x in far)) / 7
        )
    given = tensors(E, LABELS)
    np.testing.assert_allclose(F.circle_loss(*given, margin=m, gamma=gamma, reduction="none").array, circle, rtol=1e-13)
    ours = F.multi_similarity_loss(*given, beta=7.0, base=0.4, reduction="none")
    np.testing.assert_allclose(ours.array, multi, rtol=1e-13)


def test_info_nce_and_clip_by_rows() -> None:
    queue = spread(4, 3, step=0.43)
    s = cosines(E, np.concatenate([E2, queue])) / 0.2
    values = [math.log(sum(math.exp(x) for x in row)) - row[i] for i, row in enumerate(s)]
    ours = F.info_nce_loss(*tensors(E, E2), temperature=0.2, negatives=tl.tensor(queue), reduction="none")
    np.testing.assert_allclose(ours.array, values, rtol=1e-13)
    both = [
        sum(math.log(sum(math.exp(x) for x in line)) - line[i] for line in (s[i, :6], s[:, i])) / 2 for i in range(6)
    ]
    np.testing.assert_allclose(F.clip_loss(*tensors(E, E2, 5.0), reduction="none").array, both, rtol=1e-13)
    scale = tl.tensor(1 / 0.07, dtype=tl.float64)
    assert F.clip_loss(*tensors(E, E2)).item() == pytest.approx(F.clip_loss(*tensors(E, E2), scale).item(), rel=1e-15)


def test_simclr_is_nt_xent_of_both_views() -> None:
    labels = np.tile(np.arange(6), 2)
    both = F.nt_xent_loss(*tensors(np.concatenate([E, E2]), labels), temperature=0.5)
    assert F.simclr_loss(*tensors(E, E2)).item() == pytest.approx(both.item(), rel=1e-14)


def test_contrastive_as_in_chainer() -> None:
    """(y d^2 + (1 - y) max(margin - d, 0)^2) / (2 N)."""
    a, b, y = E, E + E2 * 0.4, np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    d = np.sqrt(((a - b) ** 2).sum(1))
    expected = (y * d**2 + (1 - y) * np.maximum(1.5 - d, 0) ** 2).sum() / 12
    assert F.contrastive_loss(*tensors(a, b, y), margin=1.5).item() == pytest.approx(expected, rel=1e-14)


def test_ranknet_and_listmle_by_loops() -> None:
    pairs, lists = [], []
    for s, r in zip(SCORES, RELEVANCE, strict=True):
        pairs.append([math.log1p(math.exp(s[j] - s[i])) for i, j in itertools.permutations(range(5), 2) if r[i] > r[j]])
        order = sorted(range(5), key=lambda i: -r[i])
        lists.append(sum(math.log(sum(math.exp(s[j]) for j in order[k:])) - s[order[k]] for k in range(5)))
    given = tensors(SCORES, RELEVANCE)
    np.testing.assert_allclose(F.ranknet_loss(*given, reduction="none").array, [sum(p) for p in pairs], rtol=1e-14)
    assert F.ranknet_loss(*given).item() == pytest.approx(np.mean([v for p in pairs for v in p]), rel=1e-14)
    np.testing.assert_allclose(F.listmle_loss(*given, reduction="none").array, lists, rtol=1e-13)


def test_listmle_is_a_probability_of_orders() -> None:
    scores = tl.tensor(SCORES[0, :4])
    orders = [tl.tensor(np.array(p, float)) for p in itertools.permutations(range(4))]
    assert sum(math.exp(-F.listmle_loss(scores, r).item()) for r in orders) == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("name", ["ranking_softmax_loss", "ranknet_loss", "listmle_loss"])
def test_a_masked_item_is_a_deleted_one(name: str) -> None:
    function, keep = getattr(F, name), np.array([True, False, True, True, False])
    scores, relevance = SCORES.copy(), RELEVANCE.copy()
    scores[:, 1], scores[:, 4], relevance[:, ~keep] = math.nan, math.inf, 9.0
    mask = np.broadcast_to(keep, SCORES.shape).copy()
    x = tl.tensor(scores, requires_grad=True)
    y = function(x, tl.tensor(relevance), mask=tl.tensor(mask), reduction="none")
    z = tl.tensor(SCORES[:, keep], requires_grad=True)
    w = function(z, tl.tensor(RELEVANCE[:, keep]), reduction="none")
    np.testing.assert_allclose(y.array, w.array, rtol=1e-14)
    (g,), (h,) = autograd.grad(y.sum(), x), autograd.grad(w.sum(), z)
    np.testing.assert_allclose(g.array[:, keep], h.array, rtol=1e-13)
    assert not g.array[:, ~keep].any()
    mask[0] = False  # a list without any item: 0, and it does not count
    y, mean = (function(*tensors(scores, relevance), mask=tl.tensor(mask), reduction=r) for r in ("none", "mean"))
    assert y.array[0] == 0.0 and np.array_equal(y.array[1:], w.array[1:])
    assert mean.item() == pytest.approx(function(*tensors(SCORES[1:, keep], RELEVANCE[1:, keep])).item(), rel=1e-14)


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
    a, b = ((np.array(v) * size).astype(np.float32) for v in ([[1, 0], [1, 1], [1, 0]], [[1, 1], [2, 2], [0, -1]]))
    x, y = tl.tensor(a, requires_grad=True), tl.tensor(b, requires_grad=True)
    loss = F.cosine_embedding_loss(x, y, tl.tensor([1.0, -1.0, 1.0]), reduction="none")
    np.testing.assert_allclose(loss.array, [1 - math.sqrt(0.5), 1.0, 1.0], rtol=1e-6)
    (g,) = autograd.grad(loss.sum(), x)
    expected = np.array([[0.0, -math.sqrt(0.5)], [0.0, 0.0], [0.0, 1.0]]) / size
    np.testing.assert_allclose(g.array, expected.astype(np.float32), rtol=1e-5, atol=1e-6 / size)


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


# Overlaps.


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
