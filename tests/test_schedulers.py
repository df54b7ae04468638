"""Learning rate schedulers and clipping: golden values of torch 2.13.0, and what they refuse."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from tinygrad_loss import Tensor, nn, optim, tensor


def parameter(*values: float, dtype: Any = np.float64) -> nn.Parameter:
    return nn.Parameter(Tensor(np.array(values, dtype)))


def give(p: Tensor, values: Any) -> None:
    p.grad = Tensor(np.array(values, p.array.dtype))


def sgd(lr: float = 1.0) -> optim.SGD:
    p = parameter(1.0)
    give(p, [0.0])
    return optim.SGD([p], lr=lr)


SCHEDULES: list[tuple[Any, list[float]]] = [
    (lambda o: optim.lr_scheduler.StepLR(o, 3, 0.5), [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]),
    (
        lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4),
        [
            1.0, 0.8535533905932737, 0.5, 0.14644660940672627, 0.0, 0.1464466094067262, 0.5000000000000001,
            0.8535533905932742, 1.0000000000000004,
        ],
    ),
    (lambda o: optim.lr_scheduler.LambdaLR(o, lambda e: 1 / (1 + e)), [1 / (1 + e) for e in range(9)]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), SCHEDULES)
def test_schedule(make: Any, expected: list[float]) -> None:
    optimizer = sgd()
    scheduler = make(optimizer)
    rates = scheduler.get_last_lr()
    for _ in range(8):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == expected


def test_plateau() -> None:
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(sgd(), patience=1, factor=0.5, cooldown=1)
    rates = []
    for metric in [3, 2, 2, 2, 2, 2, 2, 2]:
        scheduler.step(tensor(float(metric)))
        rates.append(scheduler.get_last_lr()[0])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_scheduler_before_the_optimizer() -> None:
    optimizer = sgd()
    scheduler = optim.lr_scheduler.StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="before `optimizer.step\\(\\)`"):
        scheduler.step()
    optimizer = sgd()
    scheduler = optim.lr_scheduler.StepLR(optimizer, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        scheduler.step()


def test_scheduler_state() -> None:
    optimizer = sgd()
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    state = scheduler.state_dict()
    other = sgd()
    fresh = optim.lr_scheduler.CosineAnnealingLR(other, 9)
    fresh.load_state_dict(state)
    other.load_state_dict(optimizer.state_dict())
    optimizer.step()
    scheduler.step()
    other.step()
    fresh.step()
    assert fresh.get_last_lr() == scheduler.get_last_lr()
    resumed = optim.lr_scheduler.StepLR(other, 3, last_epoch=4)
    assert resumed.last_epoch == 5


def test_scheduler_arguments() -> None:
    for make in (
        lambda s: s.StepLR("no optimizer", 3),
        lambda s: s.LambdaLR(None, math.sqrt),
        lambda s: s.ReduceLROnPlateau(3),
    ):
        with pytest.raises(TypeError, match="expected an Optimizer"):
            make(optim.lr_scheduler)
    for make, message in (
        (lambda o: optim.lr_scheduler.StepLR(o, 0), "step_size must be a positive int, got 0"),
        (lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 0), "T_max must be positive, got 0"),
        (lambda o: optim.lr_scheduler.LambdaLR(o, [math.sqrt, math.exp]), "expected 1 lr_lambdas"),
        (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, factor=1.0), "factor must be below 1"),
        (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, "least"), "mode must be 'min' or 'max', got 'least'"),
        (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, threshold_mode="x"), "threshold_mode must be"),
        (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, min_lr=[0, 0]), "expected 1 min_lrs"),
    ):
        with pytest.raises(ValueError, match=message):
            make(sgd())
    with pytest.raises(KeyError, match="has no 'initial_lr'"):
        optim.lr_scheduler.StepLR(sgd(), 3, last_epoch=2)


def test_clipping() -> None:
    p, q = parameter(0.0, 0.0, dtype=np.float32), parameter(0.0, dtype=np.float32)
    give(p, [3e30, 0.0])
    give(q, [4e30])
    assert nn.utils.clip_grad_norm_([p, q], 1.0).item() == np.float32(5e30)  # its square overflows float32
    np.testing.assert_allclose([*p.grad.array, *q.grad.array], [0.6, 0.0, 0.8], rtol=1e-6)
    nn.utils.clip_grad_norm_([p, q], 100.0)
    np.testing.assert_allclose(q.grad.array, [0.8], rtol=1e-6)
    with pytest.raises(ValueError, match="max_norm must be at least 0, got -1"):
        nn.utils.clip_grad_norm_([p, q], -1)
    for bad in (math.inf, -math.inf, math.nan):
        give(p, [1.0, bad])
        with pytest.raises(RuntimeError, match="clip_grad_norm_: a gradient is"):
            nn.utils.clip_grad_norm_([p, q], 1.0)
        np.testing.assert_allclose(q.grad.array, [0.8], rtol=1e-6)
    assert math.isnan(nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=False).item())
    assert nn.utils.clip_grad_norm_([parameter(1.0)], 1.0).item() == 0.0
    give(p, [5.0, -5.0])
    nn.utils.clip_grad_value_(p, 2.0)
    assert p.grad.tolist() == [2.0, -2.0]
    with pytest.raises(ValueError, match="clip_value must be at least 0"):
        nn.utils.clip_grad_value_(p, -2.0)


def test_plateau_stops_at_min_lr() -> None:
    optimizer = optim.SGD([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)]}], lr=0.1)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0, min_lr=[0.05, 0.0])
    for _ in range(3):
        scheduler.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.001])
