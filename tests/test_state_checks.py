"""What load_state_dict of models, optimizers and schedulers refuses: it changes nothing then."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn, optim, tensor

from .saved import packed, same, unpacked


def trained(name: str, steps: int = 2, dtype: Any = tl.float32, **options: Any) -> Any:
    p = [nn.Parameter(tl.ones(2, dtype=dtype)), nn.Parameter(tl.ones(1, 3, dtype=dtype))]
    optimizer = getattr(optim, name)([{"params": p[:1]}, {"params": p[1:], "lr": 0.5}], lr=0.1, **options)
    for _ in range(steps):
        for parameter in p:
            parameter.grad = tl.ones_like(parameter)
        optimizer.step()
    return optimizer


def setting(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        for key in path[:-1]:
            state = state[key]
        if to is ...:
            del state[path[-1]]
        else:
            state[path[-1]] = to

    return change


BAD_STATES: list[tuple[Callable[[Any], None], str]] = [
    (setting("param_groups", to=3), "param_groups must be a list of dicts"),
    (setting("param_groups", 0, to=[1]), "param_groups must be a list of dicts"),
    (setting("param_groups", 0, "params", to=...), "param_groups must be a list of dicts with 'params'"),
    (setting("param_groups", 0, "params", to=[[0]]), "a list of numbers"),
    (setting("param_groups", 0, "params", to=[0, 1]), r"sizes \[2, 1\], this optimizer's have \[1, 1\]"),
    (setting("param_groups", 1, "params", to=[0]), "parameter 0 is listed twice"),
    (setting("param_groups", 1, "betas", to=...), r"param_groups\[1\] has no \['betas'\]; did another optimizer write it"),
    (setting("param_groups", 0, "betas", to=(0.9,)), "betas must be two numbers"),
    (setting("param_groups", 0, "lr", to=math.nan), "lr must be at least 0, got nan"),
    (setting("state", to=[]), "state must be a dict of dicts"),
    (setting("state", 1, to=3), "state must be a dict of dicts"),
    (setting("state", 7, to={}), "state for parameter 7, which is in no group"),
    (setting("state", 1, "exp_avg", to=...), r"parameter 1 is of another optimizer: missing \['exp_avg'\]"),
    (setting("state", 1, "step", to=...), r"missing \['step'\]"),
    (setting("state", 1, "momentum_buffer", to=tl.ones(1, 3)), r"unexpected \['momentum_buffer'\]"),
    (setting("state", 1, "exp_avg", to=1.0), "exp_avg of parameter 1 must be a Tensor, got float"),
    (setting("state", 1, "exp_avg", to=np.ones((1, 3))), "exp_avg of parameter 1 must be a Tensor, got ndarray"),
    (setting("state", 1, "exp_avg", to=tl.ones(3)), r"exp_avg of parameter 1 has shape \(3,\), the parameter \(1, 3\)"),
    (setting("state", 1, "exp_avg", to=tl.full((1, 3), 1e300, dtype=tl.float64)), "exp_avg of parameter 1 in .*float64 does not fit"),
    (setting("state", 1, "step", to="2"), "step of parameter 1 must be one number"),
    (setting("state", 1, "step", to=tl.ones(2)), "step of parameter 1 must be one number"),
    (setting("state", 1, "step", to=-1), "step of parameter 1 must be one number, at least 0, got -1"),
    (setting("state", 1, "step", to=math.inf), "step of parameter 1 must be one number"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD_STATES)
def test_optimizers_refuse(change: Any, message: str) -> None:
    optimizer = trained("Adam")
    bad = copy.deepcopy(trained("Adam", 3).state_dict())
    change(bad)
    before, groups = packed(optimizer.state_dict()), optimizer.param_groups
    with pytest.raises(ValueError, match=f"Adam.*{message}"):
        optimizer.load_state_dict(bad)
    assert packed(optimizer.state_dict()) == before and optimizer.param_groups is groups
    trained("Adam", 3).load_state_dict(trained("Adam", 1).state_dict())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_the_state_of_another_optimizer_is_refused(name: str) -> None:
    for other in ("SGD", "Adam", "AdamW", "RMSprop"):
        optimizer, saved = trained(name), trained(other, **({"momentum": 0.9} if other in ("SGD", "RMSprop") else {})).state_dict()
        if {name, other} <= {"Adam", "AdamW"} or name == other:
            optimizer.load_state_dict(saved)
        else:
            before = packed(optimizer.state_dict())
            with pytest.raises(ValueError, match="another optimizer"):
                optimizer.load_state_dict(saved)
            assert packed(optimizer.state_dict()) == before


def test_options_that_were_switched_on_the_way() -> None:
    """State that the present options do not need is kept; what they need and is not there comes at the next step."""
    for name, option, values in (("SGD", "momentum", (0.9, 0)), ("Adam", "amsgrad", (True, False)), ("RMSprop", "centered", (False, True))):
        optimizer = trained(name, **{option: values[0]})
        for group in optimizer.param_groups:
            group[option] = values[1]
        other = trained(name, 0)
        other.load_state_dict(unpacked(packed(optimizer.state_dict())))
        for made in (optimizer, other):
            for group in made.param_groups:
                for p in group["params"]:
                    p.data, p.grad = tl.ones_like(p), tl.ones_like(p)
            made.step()
        assert packed(optimizer.state_dict()) == packed(other.state_dict())


def test_names_of_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(model.named_parameters(), momentum=0.9)
    optimizer.load_state_dict(unpacked(packed(optimizer.state_dict())))
    swapped = optim.SGD([(n, p) for n, p in reversed(list(model.named_parameters()))], momentum=0.9)
    with pytest.raises(ValueError, match=r"param_groups\[0\] has the parameters \['1.bias', .*, this optimizer's \['0.weight'"):
        optimizer.load_state_dict(swapped.state_dict())


def test_an_optimizer_of_ones_own_keeps_what_it_likes() -> None:
    class Rows(optim.SGD):
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["rows"] = p.sum(0).detach()
                    self.state[p]["seen"] = {"times": 3}

    def rows() -> Any:
        return Rows([nn.Parameter(tl.ones(2, 3))])

    optimizer, other = rows(), rows()
    optimizer.step()
    other.load_state_dict(unpacked(packed(optimizer.state_dict())))
    assert packed(other.state_dict()) == packed(optimizer.state_dict())


def test_state_of_half_precision_is_single() -> None:
    optimizer = trained("Adam", dtype=tl.float16)
    saved = optimizer.state_dict()
    saved["state"][0]["exp_avg"] = tensor([1e300, 1.0], dtype=tl.float64)
    with pytest.raises(ValueError, match="exp_avg of parameter 0"):
        optimizer.load_state_dict(saved)


def test_rounding_is_a_loss() -> None:
    layer = nn.Linear(1, 1)
    for value in (0.1, 1e300, 1e-50, 2.0**-149 / 2):
        with pytest.raises(RuntimeError, match=r"dtype mismatch for weight: .*float64 do not fit into .*float32.*with \.to\(\)"):
            layer.load_state_dict({"weight": tensor([[value]], dtype=tl.float64), "bias": tl.zeros(1)})
    exact = tensor([[0.5]], dtype=tl.float64)
    for value in (exact, exact * math.inf, exact * math.nan, exact * 0, exact * 2.0**-148):
        layer.load_state_dict({"weight": value, "bias": tl.zeros(1)})
        np.testing.assert_array_equal(layer.weight.array, value.array.astype(np.float32))


def test_a_tensor_with_two_names_and_two_values() -> None:
    tied = nn.Linear(2, 2)
    model = nn.Sequential(tied, tied)
    state = model.state_dict()
    assert set(state) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    before = packed(state)
    model.load_state_dict(unpacked(before))
    state["1.bias"] = state["1.bias"] + 1
    with pytest.raises(RuntimeError, match='"0.bias" and "1.bias" are one tensor in the current model, their values differ'):
        model.load_state_dict(state)
    assert packed(model.state_dict()) == before


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 2),
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, [lambda e: 0.5**e, Half()]),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "ReduceLROnPlateau": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, min_lr=[0, 0.1], patience=1),
}


class Half:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return 0.5


def scheduled(name: str, steps: int = 3) -> Any:
    optimizer = trained("SGD")
    scheduler = SCHEDULERS[name](optimizer)
    for _ in range(steps):
        scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
    return scheduler


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_come_back(name: str) -> None:
    scheduler, other = scheduled(name), scheduled(name, 0)
    state = scheduler.state_dict()
    other.load_state_dict(unpacked(packed(state)))
    assert packed(other.state_dict()) == packed(state)
    for lists in ("_last_lr", "base_lrs", "min_lrs"):
        if lists in state:
            state[lists][0] = 99.0
            assert 99.0 not in scheduler.state_dict()[lists], "a copy"
    for first in SCHEDULERS:
        if first != name:
            with pytest.raises(ValueError, match="the state is of another scheduler"):
                scheduler.load_state_dict(scheduled(first).state_dict())


BAD_SCHEDULES: list[tuple[str, str, Any, str]] = [
    ("StepLR", "step_size", ..., r"missing \['step_size'\], unexpected \[\]"),
    ("StepLR", "optimizer", 3, r"missing \[\], unexpected \['optimizer'\]"),
    ("StepLR", "get_lr", 3, r"unexpected \['get_lr'\]"),
    ("StepLR", "step_size", 0, "step_size must be positive, got 0"),
    ("StepLR", "step_size", "2", "step_size must be like 2, got '2'"),
    ("StepLR", "last_epoch", None, "last_epoch must be like 3, got None"),
    ("StepLR", "base_lrs", [0.1], r"base_lrs must be like \[0.1, 0.5\], got \[0.1\]"),
    ("StepLR", "_last_lr", [0.1, "x"], "_last_lr must be like"),
    ("StepLR", "_last_lr", 0.1, "_last_lr must be like"),
    ("LambdaLR", "lr_lambdas", [None], r"lr_lambdas must be like \[None, {'calls': 4}\]"),
    ("LambdaLR", "lr_lambdas", [None, None], "lr_lambdas must be like"),
    ("CosineAnnealingLR", "T_max", -1, "T_max must be positive, got -1"),
    ("CosineAnnealingLR", "eta_min", tl.ones(2), "eta_min must be like 0.0"),
    ("ReduceLROnPlateau", "mode", "least", "mode must be one of .* got 'least'"),
    ("ReduceLROnPlateau", "min_lrs", [0], "min_lrs must be like"),
    ("ReduceLROnPlateau", "best", "inf", "best must be like"),
]


@pytest.mark.parametrize(("name", "key", "value", "message"), BAD_SCHEDULES)
def test_schedulers_refuse(name: str, key: str, value: Any, message: str) -> None:
    scheduler, bad = scheduled(name), scheduled(name, 5).state_dict()
    if value is ...:
        del bad[key]
    else:
        bad[key] = value
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match=rf"{name}\.load_state_dict: .*{message}"):
        scheduler.load_state_dict(bad)
    assert same(before, scheduler.state_dict())
    with pytest.raises(ValueError, match="expected a dict, got list"):
        scheduler.load_state_dict([])


def test_a_scheduler_of_ones_own() -> None:
    class Warm(optim.lr_scheduler.LRScheduler):
        def __init__(self, optimizer: Any) -> None:
            self.history: list[float] = []
            self.best: float | None = None
            super().__init__(optimizer)

        def get_lr(self) -> list[Any]:
            self.history.append(0.1)
            self.best = 0.1 * self.last_epoch
            return [group["lr"] for group in self.optimizer.param_groups]

    scheduler, other = Warm(trained("SGD")), Warm(trained("SGD"))
    other.best = None
    scheduler.step()
    other.load_state_dict(unpacked(packed(scheduler.state_dict())))
    assert other.history == [0.1, 0.1] and other.best == 0.1


def test_no_warning_when_the_interruption_was_before_the_scheduler() -> None:
    optimizer = trained("SGD", 0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = tl.ones_like(p)
    optimizer.step()
    other = trained("SGD", 0)
    resumed = optim.lr_scheduler.StepLR(other, 2)
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    resumed.step()
    assert resumed.last_epoch == 1
