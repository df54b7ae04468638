"""What optimizers remember: parameters that change under them, state saved, loaded, copied, replaced."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from tinygrad_loss import LossWarning, Tensor, nn, optim, tensor


def parameter(*values: float, dtype: Any = np.float64) -> nn.Parameter:
    return nn.Parameter(Tensor(np.array(values, dtype)))


def give(p: Tensor, values: Any) -> None:
    p.grad = Tensor(np.array(values, p.array.dtype))


def test_rebound_parameters_are_not_left_behind() -> None:
    p, q = parameter(1.0, 2.0), parameter(3.0)
    optimizer = optim.SGD([p, q], lr=0.1, momentum=0.5)
    for _ in range(3):
        p.data = Tensor(p.array.copy())
        give(p, [1.0, 1.0])
        give(q, [1.0])
        optimizer.step()
    np.testing.assert_allclose(p.array, q.array[0] - 3.0 + np.array([1.0, 2.0]))
    p.data = Tensor(np.ones((2, 2)))
    with pytest.raises(RuntimeError, match=r"a gradient of shape \(2,\) for a parameter of shape \(2, 2\)"):
        optimizer.step()
    give(p, np.ones((2, 2)))
    before = q.array.copy()
    with pytest.raises(RuntimeError, match=r"momentum_buffer has shape .* make a new optimizer"):
        optimizer.step()
    np.testing.assert_array_equal(q.array, before)
    np.testing.assert_array_equal(p.array, np.ones((2, 2)))


def test_a_model_that_changes_its_dtype() -> None:
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.parameters())
    for _ in range(2):
        layer(tensor([[1.0, 2.0]], dtype=layer.weight.dtype)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        layer.double()
    assert optimizer.state[layer.weight]["exp_avg"].array.dtype == np.float64
    assert optimizer.state[layer.weight]["step"].item() == 2.0


def test_state_can_be_replaced() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    for _ in range(2):
        give(p, [1.0])
        optimizer.step()
    optimizer.state = defaultdict(dict)
    give(p, [1.0])
    optimizer.step()
    np.testing.assert_allclose(optimizer.state[p]["momentum_buffer"].array, [1.0])


def test_state_dict_is_a_copy_and_loads_all_or_nothing() -> None:
    p, q = parameter(1.0, 2.0), parameter(3.0)
    optimizer = optim.Adam([p, q], lr=0.1)
    give(p, [1.0, 2.0])
    give(q, [3.0])
    optimizer.step()
    saved = optimizer.state_dict()
    optimizer.step()
    assert saved["state"][0]["step"].item() == 1.0
    other = optim.Adam([parameter(1.0, 2.0), parameter(3.0)])
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 0.1
    saved["state"][0]["exp_avg"].array[...] = 99.0
    assert not np.any(other.state_dict()["state"][0]["exp_avg"].array == 99.0)

    bad = copy.deepcopy(optimizer.state_dict())
    bad["state"][1]["exp_avg"] = tensor([1.0, 2.0])
    before = other.state_dict()
    with pytest.raises(ValueError, match=r"exp_avg of parameter 1 has shape \(2,\), the parameter \(1,\)"):
        other.load_state_dict(bad)
    bad["state"][1]["exp_avg"] = tensor([1.0])
    bad["param_groups"][0]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr must be at least 0"):
        other.load_state_dict(bad)
    bad["param_groups"][0].update(lr=0.1, params=[0])
    with pytest.raises(ValueError, match=r"sizes \[1\], this optimizer's have \[2\]"):
        other.load_state_dict(bad)
    with pytest.raises(ValueError, match="expected a dict with 'state' and 'param_groups'"):
        other.load_state_dict({})
    assert other.param_groups[0]["lr"] == 0.1
    for i, entry in before["state"].items():
        for key, value in entry.items():
            np.testing.assert_array_equal(other.state_dict()["state"][i][key].array, value.array)


def test_deepcopy_of_an_optimizer_is_independent() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    give(p, [1.0])
    optimizer.step()
    twin, other = copy.deepcopy((p, optimizer))
    for _ in range(2):
        give(twin, [1.0])
        other.step()
    np.testing.assert_allclose(p.array, [0.9])
    np.testing.assert_allclose(optimizer.state[p]["momentum_buffer"].array, [1.0])
    np.testing.assert_allclose(other.state[twin]["momentum_buffer"].array, [2.71])
    np.testing.assert_allclose(twin.array, [1 - 0.1 * (1 + 1.9 + 2.71)])


def test_zero_grad() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    give(p, [1.0])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_forgotten_zero_grad_is_noticed() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    (p * p).sum().backward()
    optimizer.step()
    (p * p).sum().backward()
    with pytest.warns(LossWarning, match="zero_grad"):
        optimizer.step()


def test_a_step_before_backward_is_noticed() -> None:
    p = parameter(1.0, 2.0)
    optimizer = optim.SGD([p], lr=0.1)
    loss = (p * p).sum()
    give(p, [1.0, 1.0])
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_own_optimizer() -> None:
    class Sign(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p].setdefault("count", 0)
                    self.state[p]["count"] += 1
                    p.data = p.data - group["lr"] * p.grad.sign()

    p = parameter(1.0)
    optimizer = Sign([p], lr=0.25)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    give(p, [7.0])
    optimizer.step()
    scheduler.step()
    assert p.array == [0.75]
    assert optimizer.state_dict()["state"] == {0: {"count": 1}}
