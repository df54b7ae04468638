"""One loss is another: identities from the literature, on random draws, in values and gradients, to units in the last place."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.nn import functional as F

Pair = tuple[Callable[..., Any], Callable[..., Any]]
R = np.random.default_rng(7)
Z, W = R.normal(size=(40, 5)) * 3.0, R.normal(size=(40, 5)) * 3.0
P = np.exp(W) / np.exp(W).sum(1, keepdims=True)
Y, SIGN, BIT = R.integers(0, 5, 40), R.choice([-1.0, 1.0], (40, 5)), R.integers(0, 2, (40, 5)).astype(float)
CLASSES, SIGNS, BITS, SOFT = tl.tensor(Y), tl.tensor(SIGN), tl.tensor(BIT), tl.tensor(P)
BATCH: dict[str, Any] = {"reduction": "batchmean"}
SUM: dict[str, Any] = {"reduction": "sum"}


def two_classes(z: Any) -> Any:
    return tl.stack([tl.zeros_like(z), z], 1)


def entropy(p: Any) -> Any:
    return -tl.xlogy(p, p).sum()


# (what, left, right, of how many random matrices, tolerance in units in the last place of the largest number)
IDENTITIES: list[tuple[str, Callable[..., Any], Callable[..., Any], int, float]] = [
    ("bce is two-class cross-entropy", lambda z: F.binary_cross_entropy_with_logits(z, BITS), lambda z: F.cross_entropy(two_classes(z), BITS.long()), 1, 8),
    ("huber is delta times smooth_l1", lambda x, y: F.huber_loss(x, y, delta=0.7), lambda x, y: 0.7 * F.smooth_l1_loss(x, y, beta=0.7), 2, 8),
    ("smooth_l1 at 0 is l1", lambda x, y: F.smooth_l1_loss(x, y, beta=0.0), F.l1_loss, 2, 1),
    ("cross-entropy is nll of log_softmax", lambda z: F.cross_entropy(z, CLASSES), lambda z: F.nll_loss(F.log_softmax(z, 1), CLASSES), 1, 8),
    ("smoothing is soft targets", lambda z: F.cross_entropy(z, CLASSES, label_smoothing=0.3),
     lambda z: F.cross_entropy(z, F.one_hot(CLASSES, 5).double() * 0.7 + 0.06), 1, 16),
    ("bce takes the sigmoid", lambda z: F.binary_cross_entropy_with_logits(z, BITS), lambda z: F.binary_cross_entropy(tl.sigmoid(z), BITS), 1, 1e4),
    ("pos_weight counts positives", lambda z: F.binary_cross_entropy_with_logits(z, BITS, pos_weight=tl.full((1,), 3.0, dtype=tl.float64), **SUM),
     lambda z: F.binary_cross_entropy_with_logits(z, BITS, weight=1.0 + 2.0 * BITS, **SUM), 1, 8),
    ("kl is soft cross-entropy less the entropy", lambda z: F.kl_div(F.log_softmax(z, 1), SOFT, **SUM),
     lambda z: F.cross_entropy(z, SOFT, **SUM) - entropy(SOFT), 1, 32),
    ("kl of logarithms", lambda z: F.kl_div(F.log_softmax(z, 1), SOFT.log(), log_target=True, **SUM), lambda z: F.kl_div(F.log_softmax(z, 1), SOFT, **SUM), 1, 32),
    ("generalized kl of distributions is kl", lambda z: F.generalized_kl_div(F.log_softmax(z, 1), SOFT, **BATCH), lambda z: F.kl_div(F.log_softmax(z, 1), SOFT, **BATCH), 1, 64),
    ("js is symmetric", lambda z: F.js_div(F.log_softmax(z, 1), SOFT, **BATCH), lambda z: F.js_div(SOFT.log(), F.softmax(z, 1), **BATCH), 1, 64),
    ("focal with gamma=0 is cross-entropy", lambda z: F.focal_loss(z, CLASSES, gamma=0.0), lambda z: F.cross_entropy(z, CLASSES), 1, 8),
    ("sigmoid focal with gamma=0 is bce", lambda z: F.sigmoid_focal_loss(z, BITS, gamma=0.0), lambda z: F.binary_cross_entropy_with_logits(z, BITS), 1, 8),
    ("poly with epsilon=0 is cross-entropy", lambda z: F.poly_loss(z, CLASSES, epsilon=0.0), lambda z: F.cross_entropy(z, CLASSES), 1, 8),
    ("generalized cross-entropy with q=1 is 1 - p", lambda z: F.generalized_cross_entropy(z, CLASSES, q=1.0),
     lambda z: (1.0 - F.softmax(z, 1).gather(1, CLASSES.unsqueeze(1))).mean(), 1, 16),
    ("soft margin is bce of signs", lambda z: F.soft_margin_loss(z, SIGNS), lambda z: F.binary_cross_entropy_with_logits(z, (SIGNS + 1.0) / 2.0), 1, 8),
    ("multilabel soft margin is bce over the classes", lambda z: F.multilabel_soft_margin_loss(z, BITS), lambda z: F.binary_cross_entropy_with_logits(z, BITS), 1, 8),
    ("squared hinge is hinge squared", lambda z: F.hinge_loss(z, SIGNS, squared=True), lambda z: (F.hinge_loss(z, SIGNS, reduction="none") ** 2).mean(), 1, 8),
    ("perceptron is hinge without a margin", lambda z: F.perceptron_loss(z, SIGNS), lambda z: F.margin_ranking_loss(z, tl.zeros_like(z), SIGNS), 1, 8),
    ("hinge is margin ranking against 0", lambda z: F.hinge_loss(z, SIGNS), lambda z: F.margin_ranking_loss(z, tl.zeros_like(z), SIGNS, margin=1.0), 1, 8),
    ("the median's quantile loss is half of l1", lambda x, y: 2.0 * F.quantile_loss(x, y, q=0.5), F.l1_loss, 2, 8),
    ("the mean's expectile loss is half of mse", lambda x, y: 2.0 * F.expectile_loss(x, y, tau=0.5), F.mse_loss, 2, 8),
    ("rmse is the root of mse", F.rmse_loss, lambda x, y: tl.sqrt(F.mse_loss(x, y)), 2, 8),
    ("gaussian nll with variance 1 is half of mse", lambda x, y: 2.0 * F.gaussian_nll_loss(x, y, tl.ones_like(x)), F.mse_loss, 2, 8),
    ("poisson nll of logarithms", lambda x: F.poisson_nll_loss(x, BITS * 3.0), lambda x: F.poisson_nll_loss(tl.exp(x), BITS * 3.0, log_input=False, eps=1e-300), 1, 32),
    ("msle is mse of log1p", lambda x, y: F.msle_loss(x * x, y * y), lambda x, y: F.mse_loss(tl.log1p(x * x), tl.log1p(y * y)), 2, 64),
    ("triplet with a distance is triplet", F.triplet_margin_loss, F.triplet_margin_with_distance_loss, 3, 16),
    ("contrastive of equal pairs is half of mse over rows", lambda x, y: F.contrastive_loss(x, y, tl.ones(40, dtype=tl.float64)), lambda x, y: 2.5 * F.mse_loss(x, y), 2, 16),
    ("cosine embedding of equal pairs", lambda x, y: F.cosine_embedding_loss(x, y, tl.ones(40, dtype=tl.float64)),
     lambda x, y: (1.0 - F.cosine_similarity(x, y, 1, 1e-300)).mean(), 2, 1e4),
    ("the gaussian's kl is that of normal distributions", lambda m, s: F.gaussian_kl_loss(m, s, **SUM), lambda m, s: 0.5 * (m * m + tl.exp(s) - 1.0 - s).sum(), 2, 16),
    ("dice is tversky with halves", lambda z: F.dice_loss(z, CLASSES, eps=1e-300), lambda z: F.tversky_loss(z, CLASSES, alpha=0.5, beta=0.5, eps=1e-300), 1, 16),
    ("iou is tversky with ones", lambda z: F.iou_loss(z, CLASSES, eps=1e-300), lambda z: F.tversky_loss(z, CLASSES, alpha=1.0, beta=1.0, eps=1e-300), 1, 16),
    ("linear cross-entropy is a layer and cross-entropy", lambda x, w: F.linear_cross_entropy(x, w, CLASSES), lambda x, w: F.cross_entropy(x @ w.t(), CLASSES), 2, 64),
    ("distillation is kl of softened scores", lambda z: F.distillation_loss(z, SOFT.log(), temperature=3.0),
     lambda z: 9.0 * F.kl_div(F.log_softmax(z / 3.0, 1), F.softmax(SOFT.log() / 3.0, 1), **BATCH), 1, 64),
    ("ranking softmax of a one-hot relevance is cross-entropy", lambda z: F.ranking_softmax_loss(z, F.one_hot(CLASSES, 5).double()), lambda z: F.cross_entropy(z, CLASSES), 1, 8),
    ("info_nce is cross-entropy of similarities", lambda q, k: F.info_nce_loss(q, k, temperature=0.5),
     lambda q, k: F.cross_entropy(F.normalize(q) @ F.normalize(k).t() / 0.5, tl.arange(40)), 2, 1e3),
    ("log-cosh", F.log_cosh_loss, lambda x, y: tl.log((tl.exp(x - y) + tl.exp(y - x)) / 2.0).mean(), 2, 64),
    ("charbonnier of a small eps is l1", lambda x, y: F.charbonnier_loss(x, y, eps=1e-12), F.l1_loss, 2, 64),
    ("cross-entropy of two equal logits", lambda z: F.cross_entropy(z * 0.0, CLASSES), lambda z: (z * 0.0).sum() + math.log(5.0), 1, 4),
]  # fmt: skip
ARGUMENTS = {1: (Z,), 2: (Z, W), 3: (Z, W, R.normal(size=(40, 5)))}


def evaluated(function: Callable[..., Any], arrays: tuple[Any, ...], kind: Any) -> Iterator[Any]:
    """The value, and the gradient of each argument."""
    given = [tl.tensor(x.astype(kind), requires_grad=True) for x in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        y = function(*given)
    y.backward()
    yield y.array
    yield from (np.zeros(1) if x.grad is None else x.grad.array for x in given)


@pytest.mark.parametrize(("what", "left", "right", "count", "ulps"), IDENTITIES, ids=[i[0] for i in IDENTITIES])
def test_identity(what: str, left: Any, right: Any, count: int, ulps: float) -> None:
    arrays = ARGUMENTS[count] if "linear" not in what else (Z, W[:5])
    for a, b in zip(evaluated(left, arrays, np.float64), evaluated(right, arrays, np.float64), strict=True):
        unit = np.spacing(np.abs(b).max())
        assert a.shape == b.shape and np.abs(a - b).max() <= ulps * unit, f"{what}: {np.abs(a - b).max() / unit:.1f} units in the last place"


def test_bce_is_cross_entropy_over_the_whole_range() -> None:
    """8 units in the last place of each single value and gradient, also where either is tiny."""
    z = np.concatenate([R.uniform(-745.0, 745.0, 4000), R.normal(size=4000) * 3.0, R.normal(size=2000) * 1e-8])
    y = R.integers(0, 2, z.size)
    for kind in (np.float64, np.float32):
        x, also = (tl.tensor(z.astype(kind), requires_grad=True) for _ in range(2))
        a = F.binary_cross_entropy_with_logits(x, tl.tensor(y.astype(kind)), reduction="none")
        b = F.cross_entropy(two_classes(also), tl.tensor(y), reduction="none")
        a.sum().backward()
        b.sum().backward()
        for left, right in ((a.array, b.array), (x.grad.array, also.grad.array)):
            tiny = np.finfo(kind).tiny
            assert (np.abs(left - right) <= 8 * np.spacing(np.maximum(np.abs(right), tiny))).all()


def test_huber_is_smooth_l1_over_the_whole_range() -> None:
    for delta in (1e-3, 0.5, 1.0, 20.0):
        x = tl.tensor(np.concatenate([R.normal(size=500) * delta, R.normal(size=500) * 1e6]))
        a, b = F.huber_loss(x, x * 0.0, delta=delta, reduction="none"), F.smooth_l1_loss(x, x * 0.0, beta=delta, reduction="none")
        np.testing.assert_allclose(a.array, delta * b.array, rtol=1e-15)
