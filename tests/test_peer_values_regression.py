"""Regression, likelihood and divergence: what Keras, optax and SciPy give, the definitions written again in plain
NumPy, and the places where a careless formula loses its digits, overflows, or has no gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.nn import functional as F

from .samples import Array, seeded

X = np.array([[1.5, 0.25, 2.0, 0.0], [3.0, 0.75, 1e-3, 4.0], [0.1, 7.0, 0.3, 0.25]])
T = np.array([[1.0, 0.5, 2.0, 0.125], [2.0, 0.0, 1e-3, 9.0], [0.4, 6.5, 0.0, 2.0]])
P = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.0, 0.2, 0.1], [0.25] * 4])
Q = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])

# Made with Keras 3.15.1 (backend jax; it computes some of these in float32), optax 0.2.8 with 64 bits and SciPy:
# (name, call, the peer's numbers, relative tolerance).
GOLDEN: list[tuple[str, Any, Any, float]] = [
    ("keras MeanAbsolutePercentageError / 100", lambda r: F.mape_loss(tl.tensor(X), tl.tensor(T), reduction=r), [
        [0.5, 0.5, 0.0, 1.0], [0.5, 7500000.0, 0.0, 0.5555555820465088], [0.75, 0.076923079788684845, 3000000.0, 0.875],
    ], 1e-6),
    ("keras MeanSquaredLogarithmicError", lambda r: F.msle_loss(tl.tensor(X), tl.tensor(T), reduction=r), [
        [0.049793045967817307, 0.0332411490380764, 0.0, 0.01387281995266676],
        [0.08276097476482391, 0.3131697177886963, 0.0, 0.4804530143737793],
        [0.05815913900732994, 0.00416522054001689, 0.06883495301008224, 0.766445517539978],
    ], 2e-6),
    ("keras LogCosh", lambda r: F.log_cosh_loss(tl.tensor(X), tl.tensor(T), reduction=r), [
        [0.12011450529098511, 0.0309298038482666, 0.0, 0.007792239543050528],
        [0.43378081917762756, 0.2582660913467407, 0.0, 4.30689811706543],
        [0.044340770691633224, 0.12011450529098511, 0.044340770691633224, 1.0866032838821411],
    ], 2e-6),
    ("optax log_cosh", lambda r: F.log_cosh_loss(tl.tensor(X - 1.5), tl.tensor(T), reduction=r), [
        [0.4337808304830272, 1.086603237712675, 0.8554401710137968, 0.9698941911278379],
        [0.12011450695827752, 0.25826609742280715, 0.8554401710137968, 5.806855079766907],
        [1.1338099124482626, 0.4337808304830272, 0.5936889715940042, 2.558355129599809],
    ], 1e-13),
    ("keras Poisson", lambda r: F.poisson_nll_loss(tl.tensor(X), tl.tensor(T), log_input=False, eps=1e-7, reduction=r), [
        [1.0945348739624023, 0.9431470036506653, 0.6137055158615112, 2.0147619247436523],
        [0.8027753829956055, 0.75, 0.007907655090093613, -8.476649284362793],
        [1.0210336446762085, -5.648416042327881, 0.30000001192092896, 3.022588014602661],
    ], 1e-6),
    ("keras KLDivergence", lambda r: F.kl_div(tl.tensor(Q).log(), tl.tensor(P), reduction=r).sum(1), [
        0.4564348191467835, 1.1424131957393235, 0.4298131946103268,
    ], 1e-5),
    ("optax generalized_kl_divergence", lambda r: F.generalized_kl_div(tl.tensor(Q * 2).log(), tl.tensor(P * 3), reduction=r).sum(1), [
        1.5856997817648437, 3.6436392641397837, 1.505834908155473,
    ], 1e-13),
    ("scipy jensenshannon, squared", lambda r: F.js_div(tl.tensor(Q).log(), tl.tensor(P), reduction=r).sum(1), [
        0.1064401352862232, 0.24908559342050957, 0.1052969358682291,
    ], 1e-13),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "peers", "rtol"), GOLDEN, ids=[g[0] for g in GOLDEN])
def test_peer(name: str, call: Any, peers: Any, rtol: float) -> None:
    np.testing.assert_allclose(call("none").numpy(), peers, rtol=rtol, atol=rtol)


def xlog(p: Array, q: Array) -> Array:
    """p log q with 0 log 0 = 0."""
    return np.where(p == 0, 0.0, p * np.log(np.where(p == 0, 1.0, q)))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def again(x: Array, t: Array, v: Array) -> dict[str, tuple[Any, Array]]:
    """(ours without reduction, the definition) of each, on real x, t and positive v."""
    d, n = t - x, np.abs(t - x)
    a, b = tl.tensor(x), tl.tensor(t)
    counts, rates = np.floor(v * 3), v + 0.1
    z, y = x.reshape(-1, 4), t.reshape(-1, 4)
    labels = np.arange(len(z)) % 4
    many = np.where(counts > 1, counts, 1.0)
    stirling = np.where(counts > 1, counts * np.log(many) - counts + 0.5 * np.log(2 * np.pi * many), 0.0)
    tau, q = 0.8, 0.3
    p, s = softmax(y / 3.0), softmax(z / 3.0)
    kl = 9.0 * (p * (np.log(p) - np.log(s))).sum(1)
    ce = -np.log(softmax(z))[np.arange(len(z)), labels]
    pq = (P + Q) / 2
    none: dict[str, Any] = {"reduction": "none"}
    return {
        "rmse": (F.rmse_loss(a, b, **none), n),
        "mape": (F.mape_loss(a, b, eps=0.5, **none), n / np.maximum(np.abs(t), 0.5)),
        "smape": (F.smape_loss(a, b, eps=0.5, **none), 2 * n / np.maximum(np.abs(x) + np.abs(t), 0.5)),
        "msle": (F.msle_loss(a.abs(), b.abs(), **none), (np.log1p(np.abs(x)) - np.log1p(np.abs(t))) ** 2),
        "log_cosh": (F.log_cosh_loss(a, b, **none), np.log(np.cosh(d))),
        "quantile": (F.quantile_loss(a, b, q=q, **none), np.maximum(q * d, (q - 1) * d)),
        "expectile": (F.expectile_loss(a, b, tau=tau, **none), np.abs(tau - (d < 0)) * d**2),
        "charbonnier": (F.charbonnier_loss(a, b, eps=0.2, **none), np.sqrt(d**2 + 0.04)),
        "robust, 2": (F.robust_loss(a, b, alpha=2.0, c=0.5, **none), 0.5 * (d / 0.5) ** 2),
        "robust, 1": (F.robust_loss(a, b, c=0.5, **none), np.sqrt((d / 0.5) ** 2 + 1) - 1),
        "robust, 0": (F.robust_loss(a, b, alpha=0.0, **none), np.log(0.5 * d**2 + 1)),
        "robust, -2": (F.robust_loss(a, b, alpha=-2.0, **none), 2 * d**2 / (d**2 + 4)),
        "robust, 0.7": (F.robust_loss(a, b, alpha=0.7, c=2.0, **none), 1.3 / 0.7 * (((d / 2) ** 2 / 1.3 + 1) ** 0.35 - 1)),
        "laplace": (F.laplace_nll_loss(a, b, tl.tensor(v), **none), np.log(2 * v) + n / v),
        "laplace, rows": (F.laplace_nll_loss(a, b, tl.tensor(v[:, 0]), **none), np.log(2 * v[:, :1]) + n / v[:, :1]),
        "poisson": (F.poisson_nll_loss(a, tl.tensor(counts), full=True, **none), np.exp(x) - counts * x + stirling),
        "poisson, rates": (
            F.poisson_nll_loss(tl.tensor(rates), tl.tensor(counts), log_input=False, full=True, **none),
            rates - counts * np.log(rates + 1e-8) + stirling,
        ),
        "gaussian": (F.gaussian_nll_loss(a, b, tl.tensor(v), full=True, **none), 0.5 * (np.log(2 * np.pi * v) + d**2 / v)),
        "gaussian_kl": (F.gaussian_kl_loss(a, b, **none), 0.5 * (x**2 + np.exp(t) - t - 1)),
        "generalized_kl": (F.generalized_kl_div(tl.tensor(Q).log(), tl.tensor(P * 3), **none), xlog(P * 3, P * 3 / Q) + Q - 3 * P),
        "js": (F.js_div(tl.tensor(Q).log(), tl.tensor(P), **none), 0.5 * (xlog(P, P / pq) + xlog(Q, Q / pq))),
        "js, logs": (
            F.js_div(tl.tensor(P[[0, 2]]).log(), tl.tensor(Q[[0, 2]]).log(), log_target=True, **none),
            0.5 * (xlog(P, P / pq) + xlog(Q, Q / pq))[[0, 2]],
        ),
        "distillation": (F.distillation_loss(tl.tensor(z), tl.tensor(y), temperature=3.0, **none), kl),
        "distillation, labels": (
            F.distillation_loss(tl.tensor(z), tl.tensor(y), tl.tensor(labels), temperature=3.0, alpha=0.3, **none), 0.3 * kl + 0.7 * ce,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_definitions(seed: int) -> None:
    r = seeded(f"definitions{seed}")
    for name, (ours, theirs) in again(r.normal(size=(5, 4)), r.normal(size=(5, 4)) * 2, r.uniform(0.1, 3, (5, 4))).items():
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, atol=1e-13, err_msg=name)


def value_and_slope(loss: Any, x: Any, *rest: Any, **options: Any) -> tuple[Any, Any]:
    x = tl.tensor(np.asarray(x), requires_grad=True)
    y = loss(x, *(tl.tensor(np.asarray(t)) for t in rest), **options)
    y.backward()
    return y.item(), x.grad.numpy().tolist()


# The root of the mean square.


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-30, 1.0, 1e30, 1e200, 1e307])
def test_rmse_survives_any_size(size: float) -> None:
    x, t = np.array([3.0, 0.0]) * size, np.array([0.0, 4.0]) * size
    y, slope = value_and_slope(F.rmse_loss, x, t)
    assert y == pytest.approx(size * math.sqrt(12.5), rel=1e-13 if size > 1e-310 else 1e-2, abs=0)
    assert slope == pytest.approx([3 / math.sqrt(50), -4 / math.sqrt(50)], rel=1e-13 if size > 1e-310 else 1e-2)
    y, slope = value_and_slope(F.rmse_loss, x, t, reduction="sum")
    assert slope == pytest.approx([0.6, -0.8], rel=1e-13 if size > 1e-310 else 1e-2)


@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-30, 1e30, 8e37])
def test_rmse_survives_in_float32(size: float) -> None:
    with np.errstate(all="ignore"):
        x, t = ((np.array(v) * size).astype(np.float32) for v in ([3.0, 0.0], [0.0, 4.0]))
    y, slope = value_and_slope(F.rmse_loss, x, t)
    assert y == pytest.approx(size * math.sqrt(12.5), rel=1e-6 if size > 1e-37 else 0.5)
    assert slope == pytest.approx([3 / math.sqrt(50), -4 / math.sqrt(50)], rel=1e-6 if size > 1e-37 else 0.5)


def test_rmse_of_a_perfect_fit_has_the_gradient_0() -> None:
    assert value_and_slope(F.rmse_loss, [1.0, 2.0], [1.0, 2.0]) == (0.0, [0.0, 0.0])
    x = tl.tensor([1.0, 2.0], requires_grad=True)
    assert not autograd.functional.hessian(lambda x: F.rmse_loss(x, tl.tensor([1.0, 2.0])), x).any()
    assert math.isinf(F.rmse_loss(tl.tensor([math.inf]), tl.tensor([0.0])).item())
    assert math.isnan(F.rmse_loss(tl.tensor([math.nan, 1.0]), tl.tensor([0.0, 1.0])).item())


def test_rmse_weighs_under_the_root() -> None:
    x, t, w = tl.tensor([1.0, 2.0, 5.0]), tl.tensor([0.0, 0.0, 0.0]), tl.tensor([3.0, 1.0, 0.0])
    assert F.rmse_loss(x, t, sample_weight=w).item() == pytest.approx(math.sqrt(7 / 4))
    assert F.rmse_loss(x, t, mask=tl.tensor([True, True, False])).item() == pytest.approx(math.sqrt(5 / 2))
    assert nn.RMSELoss(reduction="sum")(x, t).item() == pytest.approx(math.sqrt(30))
    assert F.rmse_loss(x, t, reduction="none").tolist() == [1.0, 2.0, 5.0]


# Kinks, extremes, digits.


@pytest.mark.parametrize(("loss", "options"), [
    (F.mape_loss, {}), (F.smape_loss, {}), (F.quantile_loss, {"q": 0.9}), (F.expectile_loss, {"tau": 0.9}),
    (F.robust_loss, {}), (F.robust_loss, {"alpha": -1.0}), (F.charbonnier_loss, {}), (F.log_cosh_loss, {}), (F.msle_loss, {}), (F.rmse_loss, {}),
])  # fmt: skip
@pytest.mark.parametrize("at", [0.0, 1.5])
def test_no_slope_where_prediction_and_target_meet(loss: Any, options: Any, at: float) -> None:
    assert value_and_slope(loss, [at], [at], **options)[1] == [0.0]


def test_robust_is_one_family() -> None:
    """Continuous in alpha at the values that have a formula of their own; alpha=1 is Charbonnier's up to its offset."""
    x, t = tl.tensor(X), tl.tensor(T)
    for alpha in (0.0, 2.0):
        whole = F.robust_loss(x, t, alpha=alpha).item()
        assert F.robust_loss(x, t, alpha=alpha + 1e-9).item() == pytest.approx(whole, rel=1e-7)
        assert F.robust_loss(x, t, alpha=alpha - 1e-9).item() == pytest.approx(whole, rel=1e-7)
    rounded = (F.charbonnier_loss(x, t, eps=0.5, reduction="none") - 0.5) / 0.5
    np.testing.assert_allclose(F.robust_loss(x, t, c=0.5, reduction="none").numpy(), rounded.numpy(), rtol=1e-12, atol=1e-15)
    assert F.robust_loss(tl.tensor([1e30]), tl.tensor([0.0]), alpha=1.0).item() == pytest.approx(1e30)


TINY = 1e-9
DIGITS: list[tuple[str, Any, float]] = [
    ("log_cosh near 0", lambda: F.log_cosh_loss(tl.tensor(np.array(TINY)), tl.tensor(np.array(0.0))), TINY**2 / 2),
    ("log_cosh far", lambda: F.log_cosh_loss(tl.tensor(np.array(1e5)), tl.tensor(np.array(0.0))), 1e5 - math.log(2)),
    ("gaussian_kl near 0", lambda: F.gaussian_kl_loss(tl.tensor(np.zeros(1)), tl.tensor(np.full(1, TINY))), TINY**2 / 4),
    ("msle of neighbours", lambda: F.msle_loss(tl.tensor(np.array(1.0 + 2.0**-40)), tl.tensor(np.array(1.0))), 2.0**-82),
    ("msle of far ones", lambda: F.msle_loss(tl.tensor(np.array(0.0)), tl.tensor(np.array(1e30))), math.log1p(1e30) ** 2),
    ("generalized_kl of neighbours", lambda: F.generalized_kl_div(tl.tensor(np.full(1, TINY)), tl.tensor(np.ones(1))), TINY**2 / 2),
    ("js of neighbours", lambda: F.js_div(tl.tensor(np.full(1, -TINY)), tl.tensor(np.zeros(1)), log_target=True), TINY**2 / 8),
    ("js of strangers", lambda: F.js_div(tl.tensor(np.full(1, -math.inf)), tl.tensor(np.ones(1))), math.log(2) / 2),
    ("distillation, nearly learned", lambda: F.distillation_loss(tl.tensor(np.array([[TINY, 0.0]])), tl.tensor(np.zeros((1, 2)))), TINY**2 / 8),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "true"), DIGITS, ids=[d[0] for d in DIGITS])
def test_digits(name: str, call: Any, true: float) -> None:
    assert call().item() == pytest.approx(true, rel=1e-6 if "distill" in name else 2e-9, abs=0)


def test_what_float32_overflows_on_the_way() -> None:
    """The result fits into float32, what it is computed from does not."""
    far, near = tl.tensor([3e38]), tl.tensor([-3e38])
    assert F.mape_loss(far, near).item() == pytest.approx(2.0) and F.smape_loss(far, near).item() == pytest.approx(2.0)
    assert F.quantile_loss(far, near, q=0.9).item() == pytest.approx(6e37)
    assert F.expectile_loss(tl.tensor([3e19]), tl.tensor([0.0]), tau=0.9).item() == pytest.approx(9e37)
    assert F.gaussian_nll_loss(far / 10, near / 10, far).item() == pytest.approx(6e36)
    assert F.gaussian_nll_loss(tl.tensor([3e30]), tl.tensor([0.0]), tl.tensor([1e30])).item() == pytest.approx(4.5e30)
    assert F.poisson_nll_loss(tl.tensor([89.0]), tl.tensor([5e36])).item() == pytest.approx(math.exp(89.0) - 4.45e38, rel=1e-5)
    assert F.poisson_nll_loss(tl.tensor([1e30]), tl.tensor([3e38])).item() == math.inf
    assert F.generalized_kl_div(tl.tensor([[88.0]]), tl.tensor([[1e-38]])).item() == pytest.approx(math.exp(88.0))


# Likelihoods.


def test_the_floor_of_a_variance_is_invisible_to_gradients() -> None:
    """torch.nn.functional.gaussian_nll_loss gives these numbers for var = 0, eps = 0.01."""
    y, slope = value_and_slope(lambda v: F.gaussian_nll_loss(tl.tensor([0.3, 0.0]), tl.tensor([0.0, 0.0]), v, eps=0.01), [0.0, 1.0])
    assert y == pytest.approx(0.5 * (0.5 * (math.log(0.01) + 9.0)))
    assert slope == pytest.approx([0.25 * (1 / 0.01 - 0.09 / 0.01**2), 0.25])
    assert math.isnan(F.gaussian_nll_loss(tl.tensor([0.0]), tl.tensor([0.0]), tl.tensor([math.nan])).item())


def test_a_variance_for_each_row_or_for_all() -> None:
    x, t = tl.tensor(X), tl.tensor(T)
    rows = np.array([0.5, 1.0, 2.0])
    whole = F.gaussian_nll_loss(x, t, tl.tensor(np.repeat(rows[:, None], 4, 1)))
    assert F.gaussian_nll_loss(x, t, tl.tensor(rows)).item() == pytest.approx(whole.item(), rel=1e-15)
    assert F.gaussian_nll_loss(x, t, tl.tensor(rows[:, None])).item() == pytest.approx(whole.item(), rel=1e-15)
    assert F.gaussian_nll_loss(x, t, 2.0).item() == pytest.approx(F.gaussian_nll_loss(x, t, tl.tensor(np.full((3, 4), 2.0))).item())
    assert nn.GaussianNLLLoss(full=True)(x, t, 1).item() == pytest.approx(float(((X - T) ** 2).mean() / 2 + 0.5 * math.log(2 * math.pi)))


def test_a_count_of_0_has_a_gradient() -> None:
    for options in ({}, {"full": True}, {"log_input": False}, {"log_input": False, "full": True, "eps": 0.0}):
        rate = [2.0, 0.0] if options.get("eps") == 0.0 else [2.0, 1.0]
        t = tl.tensor(np.zeros(2), requires_grad=True)
        x = tl.tensor(np.array(rate), requires_grad=True)
        F.poisson_nll_loss(x, t, reduction="sum", **options).backward()
        assert np.isfinite(t.grad.numpy()).all() and np.isfinite(x.grad.numpy()).all(), options


def test_stirling_is_for_more_than_one() -> None:
    x, t = tl.tensor(np.zeros(3)), tl.tensor(np.array([0.5, 1.0, 2.0]))
    added = F.poisson_nll_loss(x, t, full=True, reduction="none") - F.poisson_nll_loss(x, t, reduction="none")
    assert added.tolist() == pytest.approx([0.0, 0.0, 2 * math.log(2) - 2 + 0.5 * math.log(4 * math.pi)])


REFUSED: list[tuple[str, Any, list[str]]] = [
    ("a scale of 0", lambda: F.laplace_nll_loss(tl.tensor([0.0]), tl.tensor([0.0]), tl.tensor([0.0])), ["laplace_nll_loss: scale[0]", "above 0"]),
    ("negative count", lambda: F.poisson_nll_loss(tl.tensor([0.0]), tl.tensor([-1.0])), ["poisson_nll_loss: target[0]", ">= 0"]),
    ("negative rate", lambda: F.poisson_nll_loss(tl.tensor([-0.5]), tl.tensor([1.0]), log_input=False), ["poisson_nll_loss: input[0]", "log_input=True"]),
    ("negative variance", lambda: F.gaussian_nll_loss(tl.tensor([0.0]), tl.tensor([0.0]), tl.tensor([-1.0])), ["gaussian_nll_loss: var[0]", "negative"]),
    ("negative number as variance", lambda: F.gaussian_nll_loss(tl.tensor([0.0]), tl.tensor([0.0]), -1.0), ["gaussian_nll_loss: var", "negative"]),
    ("a variance that fits nothing", lambda: F.gaussian_nll_loss(tl.tensor(X), tl.tensor(T), tl.tensor([1.0, 2.0])), ["gaussian_nll_loss: var", "(2,)", "(3, 4)"]),
    ("eps of 0", lambda: F.gaussian_nll_loss(tl.tensor([0.0]), tl.tensor([0.0]), 1.0, eps=0.0), ["gaussian_nll_loss: eps", "> 0"]),
    ("a broadcast", lambda: F.poisson_nll_loss(tl.tensor(X), tl.tensor([1.0] * 4)), ["poisson_nll_loss: target", "(4,)", "(3, 4)"]),
    ("negative amount in msle", lambda: F.msle_loss(tl.tensor([-0.5]), tl.tensor([1.0])), ["msle_loss: input[0]", "negative"]),
    ("q above 1", lambda: F.quantile_loss(tl.tensor([0.5]), tl.tensor([1.0]), q=90), ["quantile_loss: q=90", "[0, 1]"]),
    ("probabilities into js_div", lambda: F.js_div(tl.tensor([0.5]), tl.tensor([1.0])), ["js_div: input[0]", "log"]),
    ("alpha without labels", lambda: F.distillation_loss(tl.tensor(X), tl.tensor(T), alpha=0.5), ["distillation_loss: alpha=0.5", "target"]),
    ("temperature 0", lambda: F.distillation_loss(tl.tensor(X), tl.tensor(T), temperature=0.0), ["distillation_loss: temperature=0.0", "> 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "words"), REFUSED, ids=[x[0] for x in REFUSED])
def test_refused(name: str, call: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


# Divergences.


def test_divergences_are_sums_for_each_example() -> None:
    q, p = tl.tensor(Q).log(), tl.tensor(P)
    for loss, args in ((F.js_div, (q, p)), (F.generalized_kl_div, (q, p)), (F.gaussian_kl_loss, (q, p))):
        none = loss(*args, reduction="none")
        assert loss(*args).item() == pytest.approx(none.sum().item() / 3)
        assert loss(*args, reduction="mean").item() == pytest.approx(none.mean().item())


def test_js_is_symmetric_and_bounded() -> None:
    a, b = tl.tensor(P[[0, 2]]), tl.tensor(Q[[0, 2]])
    np.testing.assert_allclose(F.js_div(a.log(), b, reduction="none").numpy(), F.js_div(b.log(), a, reduction="none").numpy(), rtol=1e-14)
    ends = F.js_div(tl.tensor(np.array([[1.0, 0.0]])).log(), tl.tensor(np.array([[0.0, 1.0]])))
    assert ends.item() == pytest.approx(math.log(2))


def test_an_absent_class_does_not_poison_the_others() -> None:
    """A target of 0: value and gradients finite, also against log 0."""
    for loss in (F.js_div, F.generalized_kl_div, F.kl_div):
        q = tl.tensor(np.array([[math.log(0.5), math.log(0.5), -1e300]]), requires_grad=True)
        p = tl.tensor(np.array([[0.5, 0.5, 0.0]]), requires_grad=True)
        y = loss(q, p, reduction="sum")
        y.backward()
        assert y.item() == 0.0 and np.isfinite(q.grad.numpy()).all() and np.isfinite(p.grad.numpy()).all()


def test_distillation_is_cross_entropy_at_its_ends() -> None:
    student, teacher, labels = tl.tensor(X), tl.tensor(T), tl.tensor([0, 1, 2])
    assert F.distillation_loss(student, teacher, labels, alpha=0.0).item() == pytest.approx(F.cross_entropy(student, labels).item())
    whole = F.distillation_loss(student, teacher).item()
    assert F.distillation_loss(student, teacher, labels, alpha=1.0).item() == pytest.approx(whole)
    both = F.distillation_loss(student, teacher, labels).item()
    assert both == pytest.approx(0.5 * whole + 0.5 * F.cross_entropy(student, labels).item())
    assert F.distillation_loss(student, student, temperature=5.0).item() == 0.0
