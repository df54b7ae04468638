"""Margin and focal losses by number: what Keras and optax give, and the definitions written again in plain NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.nn import functional as F

from .samples import Array, seeded

X = np.array([[1.5, -0.5, 2.0, 0.25], [-3.0, 0.75, -1.25, 4.0], [0.1, 0.2, 0.3, 0.25], [-2.0, -1.5, -0.5, -3.0]])
SIGNS = np.array([[1.0, -1, -1, 1], [1, 1, -1, 1], [-1, 1, 1, -1], [-1, -1, 1, 1]])
YES = (SIGNS + 1) / 2
SHARES = np.tile([0.9, 0.2, 0.5, 0.0], (4, 1))
CLASSES = np.array([2, 0, 1, 2])
HOT = np.eye(4)[CLASSES]
SOFT = np.array([[0.5, 0.25, 0.25, 0.0], [1.0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], [0.25] * 4])

# Made with Keras 3.15.1 (backend jax, float64, from logits) and optax 0.2.8 on jax 0.10.2 with 64 bits, on the arrays
# above: (loss, target, options, the peer's numbers). Keras averages the last axis itself.
GOLDEN: list[tuple[str, Any, Array, dict[str, Any], Any]] = [
    ("optax hinge_loss", F.hinge_loss, SIGNS, {}, [[0.0, 0.5, 3.0, 0.75], [4.0, 0.25, 0.0, 0.0], [1.1, 0.8, 0.7, 1.25], [0.0, 0.0, 1.5, 4.0]]),
    ("optax perceptron_loss", F.perceptron_loss, SIGNS, {}, [[0.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.1, 0.0, 0.0, 0.25], [0.0, 0.0, 0.5, 3.0]]),
    ("optax multiclass_hinge_loss", F.categorical_hinge_loss, CLASSES, {}, [0.5, 8.0, 1.1, 0.0]),
    ("keras CategoricalHinge", F.categorical_hinge_loss, CLASSES, {"against_zero": True}, [0.5, 8.0, 1.1, 1.5]),
    ("optax sigmoid_focal_loss", F.sigmoid_focal_loss, YES, {}, [
        [0.0067028469265756575, 0.06757349051750364, 1.650078179421409, 0.11040149126485514],
        [2.766280441025262, 0.039819203969073874, 0.01249451142624084, 5.871569721869248e-06],
        [0.20515806234549858, 0.12121250092646661, 0.10039327548859708, 0.26103189150243095],
        [0.0018035628352403748, 0.0067028469265756575, 0.3774116008594097, 2.766280441025262],
    ]),
    ("optax sigmoid_focal_loss, balanced", F.sigmoid_focal_loss, YES, {"alpha": 0.25, "gamma": 1.5}, [
        [0.003923345086982959, 0.08248134723592512, 1.318644877508432, 0.0417124226787632],
        [0.7085766293244984, 0.017575228686432076, 0.0198573046166015, 1.0945217635204937e-05],
        [0.21236297895265646, 0.04516490218369503, 0.03847383842645747, 0.2611069848592114],
        [0.003917861599184308, 0.011770035260948877, 0.11959134854601564, 0.7085766293244984],
    ]),
    ("optax sigmoid_focal_loss, soft", F.sigmoid_focal_loss, SHARES, {"alpha": 0.3, "gamma": 0.5}, [
        [0.05925323122212591, 0.23245225631177305, 0.3984292192587773, 0.43349348852411346],
        [0.8676748946987738, 0.4769005254549721, 0.3100412500195014, 2.787295224054368],
        [0.15415163734352227, 0.3421665695884343, 0.249027184864002, 0.43349348852411346],
        [0.5876849720045753, 0.17293643123011782, 0.255999872807429, 0.007406771294577173],
    ]),
    ("keras CategoricalFocalCrossentropy / alpha", F.focal_loss, CLASSES, {}, [
        0.03333487674424924 / 0.25, 1.757916156173106 / 0.25, 0.19907316073907277 / 0.25, 0.02082496453429259 / 0.25,
    ]),
    ("keras CategoricalFocalCrossentropy, smoothed", F.focal_loss, CLASSES, {"gamma": 1.5, "label_smoothing": 0.1}, [
        0.32092098083473924, 6.716300673134931, 0.9158712363426406, 0.25809664529185805,
    ]),
    ("keras CategoricalFocalCrossentropy, soft", F.focal_loss, SOFT, {}, [
        1.001582149078595, 7.031664624692424, 0.7537686339216678, 1.3110929761833507,
    ]),
    ("optax poly_loss_cross_entropy", F.poly_loss, CLASSES, {"epsilon": 2.0}, [
        1.5479712380211166, 9.04220801104356, 2.909042405803768, 1.3192852965203834,
    ]),
    ("optax poly_loss_cross_entropy, soft", F.poly_loss, SOFT, {"epsilon": -0.5}, [
        1.1509061918899814, 6.544389685454263, 0.9898496587398238, 1.3896749655009755,
    ]),
    ("keras CategoricalGeneralizedCrossEntropy", F.generalized_cross_entropy, CLASSES, {"q": 0.5}, [
        0.5344699543951059, 1.9409180310320855, 1.0075730260406368, 0.45378548126038365,
    ]),
    ("keras CategoricalGeneralizedCrossEntropy, q=0.7", F.generalized_cross_entropy, CLASSES, {"q": 0.7}, [
        0.5041870805589368, 1.4182557711652444, 0.8929746579530736, 0.4321624971184936,
    ]),
    ("optax multiclass_sparsemax_loss", F.sparsemax_loss, CLASSES, {}, [0.0625, 7.0, 0.39843749999999994, 0.0]),
]  # fmt: skip
GRADIENTS: list[tuple[str, Any, Array, dict[str, Any], Any]] = [
    ("optax sigmoid_focal_loss", F.sigmoid_focal_loss, YES, {"alpha": 0.25, "gamma": 1.5}, [
        [-0.008364921336242235, 0.14269759353200495, 0.7818527636150367, -0.06688399041027851],
        [-0.27181206231951016, -0.032479726834937925, 0.04070607003133635, -2.696902037063348e-05],
        [0.3010823725185905, -0.07124140856698657, -0.06268641852899336, 0.34920089376655594],
        [0.008855674389986386, 0.025094764008726705, -0.14414773184718999, -0.27181206231951016],
    ]),
    ("optax poly_loss_cross_entropy", F.poly_loss, CLASSES, {"epsilon": 2.0}, [
        [0.6754104283723514, 0.0914068616247341, -0.9603256175751602, 0.19350832757807457],
        [-1.0008711466592464, 0.03717162668007206, 0.005030632625113181, 0.9586688873540612],
        [0.332513371392839, -1.1249715413864165, 0.40613274894435036, 0.3863254210492274],
        [0.292785386100888, 0.48272149381468377, -0.8832166041375316, 0.10770972422195968],
    ]),
    ("optax multiclass_sparsemax_loss", F.sparsemax_loss, CLASSES, {}, [
        [0.25, 0.0, -0.25, 0.0], [-1.0, 0.0, 0.0, 1.0], [0.13750000000000004, -0.7625, 0.3375, 0.28750000000000003], [0.0] * 4,
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "target", "options", "expected"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN])
def test_value_of_a_peer(loss: Any, target: Array, options: dict[str, Any], expected: Any) -> None:
    found = loss(tl.tensor(X), tl.tensor(target), **options, reduction="none")
    # Keras keeps probabilities 1e-7 away from 0 and 1, and some of its constants in float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "target", "options", "expected"), [g[1:] for g in GRADIENTS], ids=[g[0] for g in GRADIENTS]
)
def test_gradient_of_a_peer(loss: Any, target: Array, options: dict[str, Any], expected: Any) -> None:
    x = tl.tensor(X, requires_grad=True)
    loss(x, tl.tensor(target), **options, reduction="sum").backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_means_of_keras() -> None:
    """keras.losses.Hinge, SquaredHinge (which take 0 and 1 as well) and BinaryFocalCrossentropy, of the last axis."""
    x, sign, yes = tl.tensor(X), tl.tensor(SIGNS), tl.tensor(YES)
    assert F.hinge_loss(x, sign).item() == pytest.approx(1.1156250089406967, rel=1e-7)
    assert F.hinge_loss(x, 2 * yes - 1, squared=True).item() == pytest.approx(3.001718759536743, rel=1e-7)
    focal = F.sigmoid_focal_loss(x, yes, reduction="none").mean(1).numpy()
    keras = [0.45868900418281555, 0.7046500444412231, 0.17194893956184387, 0.788049578666687]  # its constants are float32
    np.testing.assert_allclose(focal, keras, rtol=1e-6)
    balanced = F.sigmoid_focal_loss(x, yes, alpha=0.25, gamma=3.0, reduction="none").mean(1).numpy()
    keras = [0.2803904116153717, 0.16601310670375824, 0.05378987640142441, 0.17964524030685425]
    np.testing.assert_allclose(balanced, keras, rtol=1e-6)


# The definitions, each written from its paper, example by example.


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def projected(z: Array) -> Array:
    """The nearest point of the simplex, by bisection of the threshold."""
    low, high = z.max() - 1.0, z.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(z - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(z - low, 0)


def projected_threshold(z: Array) -> float:
    p = projected(z)
    return float(z.max() - p.max())


def multi_margin(z: Array, y: int, p: int, margin: float) -> float:
    return sum(max(0.0, margin - z[y] + z[j]) ** p for j in range(len(z)) if j != y) / len(z)


def multilabel(z: Array, row: Array) -> float:
    listed = [int(k) for k in row[: list(row).index(-1)]] if -1 in row else [int(k) for k in row]
    pairs = [(k, i) for k in listed for i in range(len(z)) if i not in listed]
    return sum(max(0.0, 1.0 - z[k] + z[i]) for k, i in pairs) / len(z)


def sparsemax_by_energy(z: Array, y: int) -> float:
    p = projected(z)
    return float(p @ z - p @ p / 2 + 0.5 - z[y])


def focal(z: Array, y: int, gamma: float) -> float:
    p = softmax(z)[y]
    return float(-((1 - p) ** gamma) * math.log(p))


def draws(name: str) -> tuple[Array, Array]:
    r = seeded(name)
    return r.normal(size=(200, 5)) * r.choice([0.3, 1.0, 3.0], (200, 1)), r.integers(0, 5, 200)


@pytest.mark.parametrize(
    ("loss", "options", "reference"),
    [
        (F.multi_margin_loss, {}, lambda z, y: multi_margin(z, y, 1, 1.0)),
        (F.multi_margin_loss, {"p": 2, "margin": 0.5}, lambda z, y: multi_margin(z, y, 2, 0.5)),
        (F.categorical_hinge_loss, {}, lambda z, y: max(0.0, 1 + max(v for j, v in enumerate(z) if j != y) - z[y])),
        (F.categorical_hinge_loss, {"against_zero": True}, lambda z, y: max(0.0, 1 + max([0.0, *(v for j, v in enumerate(z) if j != y)]) - z[y])),
        (F.focal_loss, {"gamma": 0.5}, lambda z, y: focal(z, y, 0.5)),
        (F.focal_loss, {"gamma": 5.0}, lambda z, y: focal(z, y, 5.0)),
        (F.focal_loss, {"gamma": 0.0}, lambda z, y: -math.log(softmax(z)[y])),
        (F.poly_loss, {"epsilon": 0.7}, lambda z, y: -math.log(softmax(z)[y]) + 0.7 * (1 - softmax(z)[y])),
        (F.generalized_cross_entropy, {"q": 0.3}, lambda z, y: (1 - softmax(z)[y] ** 0.3) / 0.3),
        (F.generalized_cross_entropy, {"q": 1.0}, lambda z, y: 1 - softmax(z)[y]),
        (F.generalized_cross_entropy, {"q": 0.0}, lambda z, y: -math.log(softmax(z)[y])),
        (F.sparsemax_loss, {}, sparsemax_by_energy),
    ],
    ids=lambda v: getattr(v, "__name__", None) if not isinstance(v, dict) else str(v),
)  # fmt: skip
def test_definition(loss: Any, options: dict[str, Any], reference: Any) -> None:
    z, y = draws(loss.__name__)
    found = loss(tl.tensor(z), tl.tensor(y), **options, reduction="none").numpy()
    np.testing.assert_allclose(found, [reference(a, int(b)) for a, b in zip(z, y, strict=True)], rtol=1e-11, atol=1e-13)


def test_definition_of_lists() -> None:
    r = seeded("lists")
    z = r.normal(size=(100, 6))
    rows = np.array([np.where(np.arange(6) < r.integers(0, 7), r.permutation(6), -1) for _ in range(100)])
    rows[3, rows[3].argmin() :][1:] = 2  # behind the first -1 anything may stand
    found = F.multilabel_margin_loss(tl.tensor(z), tl.tensor(rows), reduction="none").numpy()
    np.testing.assert_allclose(found, [multilabel(a, b) for a, b in zip(z, rows, strict=True)], rtol=1e-12)


def test_multilabel_soft_margin_is_the_mean_of_binary_cross_entropies() -> None:
    r = seeded("multilabel")
    z, t, w = r.normal(size=(3, 2, 4)) * 5, r.uniform(size=(3, 2, 4)), r.uniform(size=4)
    p = 1 / (1 + np.exp(-z))
    expected = -(w * (t * np.log(p) + (1 - t) * np.log(1 - p))).mean(-1)
    found = F.multilabel_soft_margin_loss(tl.tensor(z), tl.tensor(t), tl.tensor(w), reduction="none").numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)
