"""Losses of pairs, batches, lists and overlaps: against the peers' own numbers, and against loops over the definition.

The literals were computed in float64 by pytorch-metric-learning 2.9.0, optax 0.2.8 and Keras 3.15.1, from the arrays
that ``spread`` makes.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn

from .samples import Array

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
