"""Regression, likelihood and divergence beside torch's modules and distributions, and scikit-learn's metrics."""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.samples import Array, seeded
from tinygrad_loss import nn
from tinygrad_loss.nn import functional as F

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

REDUCTIONS = ("mean", "sum", "none")


def compare(ours: Any, theirs: Any, *arrays: Array, kind: Any = np.float64, rtol: float = 1e-13) -> int:
    """Value and first derivatives of both, on leaves of the same arrays."""
    results = []
    for lib, call in ((tl, ours), (torch, theirs)):
        leaves = [lib.from_numpy(np.array(x, kind)).requires_grad_() for x in arrays]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = call(*leaves)
        seed = np.linspace(0.5, 1.5, y.numel() if lib is torch else y.array.size).reshape(tuple(y.shape)).astype(kind)
        y.backward(lib.from_numpy(seed))
        results.append([y.detach().numpy(), *(x.grad.numpy() for x in leaves)])
    for a, b in zip(*results, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * float(np.abs(b).max()) if b.size else 0)
    return len(arrays) + 1


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
def test_poisson_module(kind: Any) -> None:
    r, count = seeded("poisson module"), 0
    rtol = 1e-12 if kind is np.float64 else 3e-5  # torch rounds float32 in between
    grid = itertools.product((True, False), (True, False), (1e-8, 1e-3, 0.5), REDUCTIONS, ((), (5,), (3, 4), (0,), (2, 1, 3)))
    for log_input, full, eps, reduction, shape in grid:
        x = r.normal(size=shape) if log_input else r.uniform(0.01, 4, shape)
        t = np.floor(r.uniform(0, 6, shape)) + (0.5 if full else 0.0)  # torch's gradient by a target of 0 is nan with full
        options = {"log_input": log_input, "full": full, "eps": eps, "reduction": reduction}
        count += compare(nn.PoissonNLLLoss(**options), torch.nn.PoissonNLLLoss(**options), x, t, kind=kind, rtol=rtol)
    assert count > 500


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
def test_gaussian_module(kind: Any) -> None:
    """With every shape of var, also below the floor eps."""
    r, count = seeded("gaussian module"), 0
    rtol = 1e-12 if kind is np.float64 else 5e-6
    shapes = [((4,), (4,)), ((4,), (1,)), ((3, 4), (3, 4)), ((3, 4), (3,)), ((3, 4), (3, 1)), ((3, 4), (1, 4)), ((2, 3, 4), (2, 3)),
              ((2, 3, 4), (2, 1, 4)), ((0, 3), (0, 3)), ((), ())]  # fmt: skip
    for full, eps, reduction, (shape, var), floor in itertools.product((True, False), (1e-6, 0.3), REDUCTIONS, shapes, (False, True)):
        x, t, v = r.normal(size=shape), r.normal(size=shape), r.uniform(0.1, 2, var)
        v = np.where(r.uniform(size=var) < 0.3, 0.0, v) if floor and eps > 0.1 else v
        options = {"full": full, "eps": eps, "reduction": reduction}
        count += compare(nn.GaussianNLLLoss(**options), torch.nn.GaussianNLLLoss(**options), x, t, v, kind=kind, rtol=rtol)
    assert count > 900


def test_gaussian_with_a_number_for_var() -> None:
    x, t = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    for var, reduction in itertools.product((0.5, 2.0, 1e-9), REDUCTIONS):
        compare(lambda x, t, v=var, r=reduction: F.gaussian_nll_loss(x, t, v, reduction=r),
                lambda x, t, v=var, r=reduction: torch.nn.functional.gaussian_nll_loss(x, t, v, reduction=r), x, t)  # fmt: skip


@pytest.mark.parametrize("name", ["PoissonNLLLoss", "GaussianNLLLoss", "KLDivLoss"])
def test_signatures(name: str) -> None:
    """The names and defaults of torch's constructor, in its order; forward takes the arrays by position."""
    theirs = inspect.signature(getattr(torch.nn, name))
    module = getattr(nn, name)
    assert module.order == tuple(theirs.parameters)
    assert repr(module()) == repr(getattr(torch.nn, name)())
    for parameter, spec in theirs.parameters.items():
        assert module.loss.declaration.defaults[parameter] == spec.default, parameter


def test_deprecated_flags() -> None:
    x, t = np.array([0.3, -0.2]), np.array([1.0, 2.0])
    for average, reduce in itertools.product((None, True, False), repeat=2):
        options = {"size_average": average, "reduce": reduce}
        with warnings.catch_warnings(action="ignore"):
            compare(nn.PoissonNLLLoss(**options), torch.nn.PoissonNLLLoss(**options), x, t)


def test_refused_as_in_torch() -> None:
    for lib in (F, torch.nn.functional):
        make = tl.tensor if lib is F else torch.tensor
        with pytest.raises(ValueError):
            lib.gaussian_nll_loss(make([0.0]), make([0.0]), make([-1.0]))
        with pytest.raises(ValueError):
            lib.gaussian_nll_loss(make([[0.0, 1.0]]), make([[0.0, 1.0]]), make([1.0, 2.0, 3.0]))


def test_gradients_by_a_target_of_0() -> None:
    """Where torch gives nan."""
    t = torch.zeros(1, requires_grad=True)
    torch.nn.functional.poisson_nll_loss(torch.ones(1), t, full=True).backward()
    assert t.grad.isnan().all()
    ours = tl.zeros(1, requires_grad=True)
    F.poisson_nll_loss(tl.ones(1), ours, full=True).backward()
    assert ours.grad.tolist() == [-1.0]
    t = torch.zeros(1, requires_grad=True)
    torch.nn.functional.kl_div(-torch.ones(1), t, reduction="sum").backward()
    assert t.grad.isnan().all()
    ours = tl.zeros(1, requires_grad=True)
    F.kl_div(-tl.ones(1), ours, reduction="sum").backward()
    assert ours.grad.tolist() == [1.0]


# What torch has under another name, or as a distribution.


def test_distributions() -> None:
    r, d = seeded("distributions"), torch.distributions
    m, s = r.normal(size=(4, 3)), r.normal(size=(4, 3))
    compare(
        lambda m, s: F.gaussian_kl_loss(m, s, reduction="none"),
        lambda m, s: d.kl_divergence(d.Normal(m, (s / 2).exp()), d.Normal(torch.zeros(4, 3, dtype=m.dtype), torch.ones(4, 3, dtype=m.dtype))),
        m, s, rtol=1e-12,
    )  # fmt: skip
    x, t, v = r.normal(size=5), r.normal(size=5), r.uniform(0.2, 2, 5)
    compare(
        lambda x, t, v: F.laplace_nll_loss(x, t, v, reduction="none"), lambda x, t, v: -d.Laplace(x, v).log_prob(t), x, t, v, rtol=1e-12
    )
    compare(
        lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, reduction="none"), lambda x, t, v: -d.Normal(x, v.sqrt()).log_prob(t), x, t, v,
        rtol=1e-12,
    )  # fmt: skip


def test_distillation() -> None:
    r, tf = seeded("distillation"), torch.nn.functional
    s, t, y = r.normal(size=(5, 4)), r.normal(size=(5, 4)), np.array([0, 3, 1, 2, 2])

    def theirs(s: Any, t: Any, temperature: float) -> Any:
        kl = tf.kl_div(tf.log_softmax(s / temperature, 1), tf.softmax(t / temperature, 1), reduction="batchmean")
        return kl * temperature**2

    for temperature, alpha in itertools.product((0.5, 1.0, 2.0, 20.0), (0.0, 0.3, 1.0)):
        compare(lambda s, t, k=temperature: F.distillation_loss(s, t, temperature=k), lambda s, t, k=temperature: theirs(s, t, k), s, t, rtol=1e-11)
        compare(
            lambda s, t, k=temperature, a=alpha: F.distillation_loss(s, t, tl.tensor(y), temperature=k, alpha=a),
            lambda s, t, k=temperature, a=alpha: a * theirs(s, t, k) + (1 - a) * tf.cross_entropy(s, torch.tensor(y)), s, t, rtol=1e-11,
        )  # fmt: skip


def test_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="an oracle: pip install scikit-learn")
    r = seeded("sklearn")
    x, t = r.uniform(0.1, 5, 50), r.uniform(0.1, 5, 50)
    a, b = tl.tensor(x), tl.tensor(t)
    for q in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert F.quantile_loss(a, b, q=q).item() == pytest.approx(metrics.mean_pinball_loss(t, x, alpha=q), rel=1e-13)
    assert F.rmse_loss(a, b).item() == pytest.approx(metrics.root_mean_squared_error(t, x), rel=1e-13)
    assert F.mape_loss(a, b).item() == pytest.approx(metrics.mean_absolute_percentage_error(t, x), rel=1e-13)
    assert F.msle_loss(a, b).item() == pytest.approx(metrics.mean_squared_log_error(t, x), rel=1e-13)
    weights = r.uniform(size=50)
    assert F.rmse_loss(a, b, sample_weight=tl.tensor(weights)).item() == pytest.approx(
        metrics.root_mean_squared_error(t, x, sample_weight=weights), rel=1e-13
    )
