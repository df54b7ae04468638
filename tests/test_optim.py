"""Optimizers: golden values of torch 2.13.0, and what they refuse, notice and survive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tinygrad_loss import Tensor, nn, optim

GRADIENTS = [[1.0, -2.0], [0.5, 0.25], [-1.0, 3.0]]
GOLDEN: list[tuple[str, dict[str, Any], list[float]]] = [
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        [0.6435283509999999, 1.8722815620000002],
    ),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, [0.7315, 2.36825]),
    ("Adam", {"lr": 0.1}, [0.7957037312938717, 2.128876224102342]),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}, [0.7850508045178748, 2.1091284174643574]),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1}, [0.7689249109009901, 2.0669116895405817]),
    ("RMSprop", {"lr": 0.1}, [0.22099701119586068, 2.0427319562509214]),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.5}, [-0.7680975307169833, 2.737991738414858]),
]
EVERY = ["SGD", "Adam", "AdamW", "RMSprop"]


def parameter(*values: float, dtype: Any = np.float64) -> nn.Parameter:
    return nn.Parameter(Tensor(np.array(values, dtype)))


def give(p: Tensor, values: Any) -> None:
    p.grad = Tensor(np.array(values, p.array.dtype))


@pytest.mark.parametrize(("name", "options", "expected"), GOLDEN, ids=str)
def test_three_steps_as_torch(name: str, options: dict[str, Any], expected: list[float]) -> None:
    p = parameter(1.0, 2.0)
    optimizer = getattr(optim, name)([p], **options)
    for g in GRADIENTS:
        give(p, g)
        optimizer.step()
    np.testing.assert_allclose(p.array, expected, rtol=1e-13)


@pytest.mark.parametrize("name", EVERY)
def test_many_parameters_or_one_are_the_same(name: str) -> None:
    """Side by side in one vector, in blocks, or alone: the same numbers."""
    rng = np.random.default_rng(0)
    sizes = [3, 70_000, 1, 0, 2, 5, 66_000, 4]
    values = [rng.normal(size=n) for n in sizes]
    gradients = [[rng.normal(size=n) for n in sizes] for _ in range(3)]
    together = [nn.Parameter(Tensor(v.copy())) for v in values]
    alone = [nn.Parameter(Tensor(v.copy())) for v in values]
    options = {"weight_decay": 0.1, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {})}
    optimizer = getattr(optim, name)(together, **options)
    others = [getattr(optim, name)([p], **options) for p in alone]
    for several in gradients:
        for p, q, g in zip(together, alone, several, strict=True):
            give(p, g)
            give(q, g)
        optimizer.step()
        for other in others:
            other.step()
    for p, q in zip(together, alone, strict=True):
        np.testing.assert_allclose(p.array, q.array, rtol=1e-13)


@pytest.mark.parametrize("name", EVERY)
def test_values_are_written_in_place_and_owned(name: str) -> None:
    p, q = parameter(1.0, 2.0), parameter(3.0)
    array = p.array
    optimizer = getattr(optim, name)([p, q], lr=0.1)
    for _ in range(2):
        give(p, [1.0, 1.0])
        give(q, [1.0])
        gradient = p.grad.array.copy()
        optimizer.step()
        assert p.array is array
        np.testing.assert_array_equal(p.grad.array, gradient)
    arrays = [p.array, q.array, p.grad.array, *(t.array for e in optimizer.state.values() for t in e.values())]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_state_has_torchs_names() -> None:
    expected = {
        "SGD": ["momentum_buffer"],
        "Adam": ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
        "RMSprop": ["step", "square_avg", "momentum_buffer", "grad_avg"],
    }
    options: dict[str, Any] = {
        "SGD": {"momentum": 0.9}, "Adam": {"amsgrad": True}, "RMSprop": {"centered": True, "momentum": 0.9}
    }  # fmt: skip
    for name, keys in expected.items():
        p = parameter(1.0, 2.0)
        optimizer = getattr(optim, name)([p], **options[name])
        give(p, [3.0, 4.0])
        optimizer.step()
        assert list(optimizer.state[p]) == keys
        saved = optimizer.state_dict()
        assert list(saved) == ["state", "param_groups"]
        assert saved["param_groups"][0]["params"] == [0]
    assert optimizer.state[p]["step"].item() == 1.0
    np.testing.assert_allclose(optimizer.state[p]["grad_avg"].array, [0.03, 0.04])


def test_plain_sgd_has_no_state() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    give(p, [1.0])
    optimizer.step()
    assert len(optimizer.state) == 0


def test_float16_adam_keeps_its_state_in_float32() -> None:
    """A zero gradient divides by eps, which is 0 in float16."""
    p = parameter(1.0, 2.0, dtype=np.float16)
    optimizer = optim.Adam([p], lr=0.1)
    for _ in range(3):
        give(p, [0.0, 1e-4])
        optimizer.step()
    assert p.array.dtype == np.float16
    assert optimizer.state[p]["exp_avg_sq"].array.dtype == np.float32
    np.testing.assert_allclose(p.array, [1.0, 1.7], rtol=2e-3)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_eps(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: eps=1e-60 underflows in float32"):
        getattr(optim, name)([parameter(1.0, dtype=np.float32)], eps=1e-60)
    p = parameter(1.0, 1.0)
    optimizer = getattr(optim, name)([p], lr=0.1, eps=0.0)
    give(p, [0.0, 1.0])
    optimizer.step()
    assert np.isfinite(p.array).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_centered_rmsprop_with_a_constant_gradient(scale: float) -> None:
    """The variance of a constant comes out negative by rounding; its root would be nan."""
    rng = np.random.default_rng(0)
    p = nn.Parameter(Tensor(np.zeros(50, np.float32)))
    optimizer = optim.RMSprop([p], centered=True, alpha=0.9)
    g = (rng.normal(size=50) * scale).astype(np.float32)
    for _ in range(200):
        give(p, g)
        optimizer.step()
    assert np.isfinite(p.array).all()


def test_a_float32_step_stays_float32() -> None:
    for name in EVERY:
        p = parameter(1.0, dtype=np.float32)
        optimizer = getattr(optim, name)([p])
        give(p, [1.0])
        optimizer.step()
        assert p.array.dtype == np.float32
        assert all(t.array.dtype == np.float32 for t in optimizer.state[p].values())


def test_nothing_to_step_with() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    with pytest.raises(RuntimeError, match=r"SGD\.step: no parameter has a gradient; call loss\.backward\(\) first"):
        optimizer.step()
    assert p.array == [1.0]


def test_parameters_are_checked() -> None:
    p = parameter(1.0)
    with pytest.raises(ValueError, match="SGD: params\\[1\\] of shape \\(1,\\) is listed twice"):
        optim.SGD([p, p], lr=0.1)
    with pytest.raises(ValueError, match="listed twice"):
        optim.SGD([{"params": [p]}, {"params": p}], lr=0.1)
    with pytest.raises(ValueError, match="Adam: got an empty parameter list"):
        optim.Adam([])
    with pytest.raises(TypeError, match="got one Tensor; use \\[tensor\\]"):
        optim.Adam(p)
    with pytest.raises(TypeError, match="params\\[0\\] must be a Tensor, got float"):
        optim.Adam([1.0])
    with pytest.raises(ValueError, match="result of an operation"):
        optim.Adam([p * 2])
    with pytest.raises(TypeError, match="no fixed order"):
        optim.Adam([{"params": {p}}])
    with pytest.raises(ValueError, match="no 'params'"):
        optim.Adam([{"lr": 0.1}])
    with pytest.raises(ValueError, match="Adam: lr must be at least 0, got nan"):
        optim.Adam([p], lr=math.nan)
    optimizer = optim.Adam([p])
    with pytest.raises(TypeError, match="a parameter group must be a dict, got list"):
        optimizer.add_param_group([parameter(2.0)])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Adam: lr must be at least 0"):
        optimizer.add_param_group({"params": parameter(2.0), "lr": -1.0})
    assert len(optimizer.param_groups) == 1


def test_groups_names_and_repr() -> None:
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD([{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.5}], lr=0.1)
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5]
    assert repr(optim.SGD(layer.named_parameters(), lr=0.1)).startswith(
        "SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.1\n    maximize: False\n    momentum: 0\n"
        "    nesterov: False\n    param_names: ['weight', 'bias']\n    weight_decay: 0\n)"
    )
