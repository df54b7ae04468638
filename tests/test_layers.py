"""Layers, functions and containers: golden values of torch 2.13.0, extremes, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, autograd, nn, tensor

F = nn.functional


def test_initial_values_are_torchs() -> None:
    tl.manual_seed(0)
    layer = nn.Linear(10, 3)
    np.testing.assert_allclose(
        layer.weight.array[0],
        [-0.002368, 0.169638, -0.26027, -0.232724, -0.121797, 0.084799, -0.006265, 0.250734, -0.028063, 0.083678],
        atol=1e-6,
    )
    np.testing.assert_allclose(layer.bias.array, [-0.123266, 0.273221, -0.204972], atol=1e-6)
    tl.manual_seed(0)
    np.testing.assert_allclose(
        nn.Embedding(2, 3).weight.array.ravel(),
        [1.540996, -0.293429, -2.178789, 0.568431, -1.084522, -1.398595],
        atol=1e-6,
    )
    tl.manual_seed(0)
    np.testing.assert_allclose(
        nn.init.xavier_uniform_(tl.zeros(2, 3)).array.ravel(),
        [-0.008201, 0.587645, -0.901601, -0.806181, -0.421915, 0.293752],
        atol=1e-6,
    )
    tl.manual_seed(0)
    np.testing.assert_allclose(
        nn.init.kaiming_normal_(tl.zeros(4, 4)).array[0], [-0.796089, -0.814842, -0.177186, -0.306799], atol=1e-6
    )


def test_init_checks() -> None:
    for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"):
        with pytest.raises(ValueError, match=f"{name}: needs a weight of at least 2 dimensions, got shape \\(3,\\)"):
            getattr(nn.init, name)(tl.zeros(3))
    with pytest.raises(ValueError, match="mode='fan'; expected 'fan_in' or 'fan_out'"):
        nn.init.kaiming_normal_(tl.zeros(2, 2), mode="fan")
    with pytest.raises(ValueError, match="nonlinearity='swish'"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ValueError, match="negative slope must be a number"):
        nn.init.calculate_gain("leaky_relu", True)
    with pytest.raises(ValueError, match="eye_: expected 2 dimensions"):
        nn.init.eye_(tl.zeros(2))
    with pytest.warns(UserWarning, match="zero-element"):
        nn.init.kaiming_uniform_(tl.zeros(0, 2))
    p = nn.Parameter(tl.zeros(2, 2))
    assert nn.init.ones_(p) is p and p.requires_grad and p.is_leaf


def test_layers_refuse() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)linear.*\(4, 5\).*5.*\(3, 10\)"):
        nn.Linear(10, 3)(tl.zeros(4, 5))
    with pytest.raises(TypeError, match=r"Linear: in_features must be an int, got 2\.0"):
        nn.Linear(2.0, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Linear: out_features must be at least 0, got -1"):
        nn.Linear(2, -1)
    with pytest.raises(TypeError, match="Linear: dtype must be floating point"):
        nn.Linear(2, 2, dtype=tl.int64)
    table = nn.Embedding(4, 2)
    with pytest.raises(IndexError, match=r"embedding: input\[1, 0\] = 4 is out of range for num_embeddings of size 4"):
        table(tensor([[0, 3], [4, 9]]))
    with pytest.raises(IndexError, match=r"input\[0\] = -1"):
        table(tensor([-1]))
    with pytest.raises(TypeError, match="expected integers"):
        table(tensor([1.0]))
    with pytest.raises(ValueError, match="padding_idx=4 is not within num_embeddings=4"):
        nn.Embedding(4, 2, padding_idx=4)
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="Dropout: p is the probability"):
            nn.Dropout(p)
    with pytest.raises(RuntimeError, match=r"layer_norm: input of shape \(2, 3\) does not end in .*\(4,\)"):
        nn.LayerNorm(4)(tl.zeros(2, 3))
    with pytest.raises(RuntimeError, match=r"layer_norm: bias has shape \(2,\); expected \(3,\)"):
        F.layer_norm(tl.zeros(2, 3), (3,), bias=tl.zeros(2))
    with pytest.raises(ValueError, match="GELU: approximate='exact'"):
        nn.GELU("exact")
    with pytest.raises(NotImplementedError, match="inplace"):
        F.dropout(tl.zeros(2), inplace=True)


def test_dropout() -> None:
    x = Tensor(np.full(10_000, math.inf, np.float32), requires_grad=True)
    y = nn.Dropout(0.25)(x)
    assert set(np.unique(y.array)) == {0.0, math.inf}
    assert abs((y.array == 0).mean() - 0.25) < 0.02
    assert not np.any(nn.Dropout(1.0)(x).array)
    ones = tl.ones(1000, requires_grad=True)
    kept = F.dropout(ones, 0.5)
    kept.sum().backward()
    np.testing.assert_array_equal(ones.grad.array, kept.array)
    assert nn.Dropout(0.5).eval()(ones) is ones


def test_layer_norm() -> None:
    x = tensor([[1.0, 2.0, 4.0]], dtype=tl.float64)
    np.testing.assert_allclose(
        F.layer_norm(x, (3,)).array, [[-1.0690415314502977, -0.26726038286257453, 1.3363019143128718]], rtol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_norm_of_extremes(dtype: Any) -> None:
    big = 1e30 if dtype is np.float32 else 1e200
    top = float(np.finfo(dtype).max)
    rows = [[big, -big], [big, big], [3.0, 1.0], [top, -top], [top, top], [0.0, 0.0], [1000.1, 1000.1], [1e-30, -1e-30]]
    x = Tensor(np.array(rows, dtype), requires_grad=True)
    y = F.layer_norm(x, (2,))
    small = 1e-30 / math.sqrt(1e-5)
    expected = [[1, -1], [0, 0], [1, -1], [1, -1], [0, 0], [0, 0], [0, 0], [small, -small]]
    np.testing.assert_allclose(y.array, expected, rtol=1e-5, atol=1e-35)
    (g,) = autograd.grad((y * tensor([1.0, 2.0], dtype=y.dtype)).sum(), x, create_graph=True)
    assert np.isfinite(g.array).all()
    (h,) = autograd.grad(g.sum(), x)
    assert np.isfinite(h.array).all()
    bad = F.layer_norm(Tensor(np.array([[np.nan, 1.0], [np.inf, 1.0], [3.0, 1.0]], dtype)), (2,)).array
    assert np.isnan(bad[:2]).all() and np.isfinite(bad[2]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cosine_similarity_of_extremes(dtype: Any) -> None:
    big, small = {np.float16: (6e4, 6e-5), np.float32: (1e30, 1e-30), np.float64: (1e200, 1e-200)}[dtype]
    a = np.array([[big, 0], [small, 0], [small, small], [0, 0], [big, big], [1, 1]], dtype)
    b = np.array([[big, big], [small, 0], [big, big], [1, 2], [-small, -small], [0, 0]], dtype)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    c = F.cosine_similarity(x, y)
    np.testing.assert_allclose(c.array, [math.sqrt(0.5), 1, 1, 0, -1, 0], rtol=1e-6 if dtype != np.float16 else 1e-3)
    c.sum().backward()
    assert np.isfinite(x.grad.array).all() and np.isfinite(y.grad.array).all()
    assert not x.grad.array[3].any() and not y.grad.array[5].any()


def test_normalize_of_extremes() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        x = Tensor(np.array([[0, 0], [3, 4]], dtype), requires_grad=True)
        y = F.normalize(x)
        np.testing.assert_allclose(y.array, [[0, 0], [0.6, 0.8]], rtol=1e-3)
        y[1].sum().backward()
        assert np.isfinite(x.grad.array).all()
    top = float(np.finfo(np.float32).max)
    np.testing.assert_allclose(F.normalize(tensor([[top, -top]])).array, [[math.sqrt(0.5), -math.sqrt(0.5)]], rtol=1e-6)
    assert np.isnan(F.normalize(tensor([[math.nan, 1.0]])).array).all()
    big = Tensor(np.array([[3e37, 4e37]], np.float32), requires_grad=True)
    y = F.normalize(big)
    np.testing.assert_allclose(y.array, [[0.6, 0.8]], rtol=1e-6)
    y[0, 0].backward()
    np.testing.assert_allclose(big.grad.array, [[0.64 / 5e37, -0.48 / 5e37]], rtol=1e-5)


def test_distance_and_cosine_refuse() -> None:
    with pytest.raises(RuntimeError, match=r"cosine_similarity: x1 has shape \(2, 3\), x2 \(2, 4\)"):
        F.cosine_similarity(tl.zeros(2, 3), tl.zeros(2, 4))
    with pytest.raises(IndexError, match="cosine_similarity: Dimension out of range"):
        F.cosine_similarity(tl.zeros(3), tl.zeros(3))
    with pytest.raises(RuntimeError, match="do not broadcast"):
        F.pairwise_distance(tl.zeros(2, 3), tl.zeros(2, 4))
    x = tl.zeros(2, 3, requires_grad=True)
    d = F.pairwise_distance(x, tl.zeros(2, 3), eps=0.0)
    d.sum().backward()
    assert d.tolist() == [0.0, 0.0] and not x.grad.array.any()


# containers


def test_containers_refuse() -> None:
    with pytest.raises(TypeError, match=r"Sequential: argument 0 must be a Module, got list; unpack it"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(TypeError, match="argument 1 must be a Module, got builtin_function"):
        nn.Sequential(nn.ReLU(), abs)
    with pytest.raises(IndexError, match="ModuleList: index 2 is out of range for 1 entries"):
        nn.ModuleList([nn.ReLU()])[2]
    with pytest.raises(TypeError, match="must be a Module or None, got int"):
        nn.ModuleList([1])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="expected an iterable"):
        nn.ModuleList(nn.ReLU())  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        nn.ModuleDict({"a": nn.ReLU()})["b"]
    with pytest.raises(KeyError, match="'keys' exists already"):
        nn.ModuleDict({"keys": nn.ReLU()})
    with pytest.raises(TypeError, match="data must be a Tensor, got int"):
        nn.ParameterList([1])  # type: ignore[list-item]


def test_parameter_list() -> None:
    held = nn.ParameterList([tl.zeros(2), nn.Parameter(tl.ones(1))])
    held.append(tl.zeros(3))
    assert [k for k, _ in held.named_parameters()] == ["0", "1", "2"]
    assert all(isinstance(p, nn.Parameter) for p in held) and len(held[1:]) == 2
    assert held[1] in held and tl.ones(1) not in held


def test_adding_containers() -> None:
    a, b = nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())
    assert repr(a + b) == "Sequential(\n  (0): ReLU()\n  (1): Tanh()\n)"
    assert len(a) == 1
