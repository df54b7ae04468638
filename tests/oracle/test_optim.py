"""Thirty steps of every optimizer, option by option, and every scheduler, against torch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tinygrad_loss import Tensor, nn, optim

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

SGD = [
    {"lr": 0.1},
    {"lr": 0.1, "maximize": True},
    {"lr": 0.1, "weight_decay": 0.3},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1},
    {"lr": 0.1, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1, "maximize": True},
]
ADAM: list[dict[str, Any]] = [
    {},
    {"lr": 0.05, "betas": (0.7, 0.9)},
    {"lr": 0.05, "betas": (0.0, 0.0), "eps": 1e-3},
    {"lr": 0.05, "amsgrad": True},
    {"lr": 0.05, "weight_decay": 0.2, "maximize": True},
    {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True, "betas": (0.95, 0.8)},
]
RMSPROP = [
    {},
    {"lr": 0.05, "alpha": 0.9},
    {"lr": 0.05, "momentum": 0.8},
    {"lr": 0.05, "centered": True},
    {"lr": 0.05, "centered": True, "momentum": 0.8, "weight_decay": 0.1},
    {"lr": 0.05, "weight_decay": 0.1, "maximize": True},
]
OPTIONS = {"SGD": SGD, "Adam": ADAM, "AdamW": ADAM, "RMSprop": RMSPROP}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]
SHAPES = [(3, 4), (3,), (), (0, 2), (5, 1)]


def make(name: str, options: dict[str, Any], dtype: str = "float64", shapes: list[tuple[int, ...]] = SHAPES) -> Any:
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.normal(size=s), dtype) for s in shapes]
    ours = [nn.Parameter(Tensor(v.copy())) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    return ours, theirs, getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options), rng


def give(rng: Any, ours: list[Any], theirs: list[Any], scale: float = 1.0) -> None:
    for p, q in zip(ours, theirs, strict=True):
        g = np.asarray(rng.normal(size=p.array.shape) * scale, p.array.dtype)
        p.grad, q.grad = Tensor(g.copy()), torch.tensor(g)


def agree(ours: list[Any], theirs: list[Any], tolerance: float = 1e-12) -> None:
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=tolerance, atol=tolerance)


def same_state(optimizer: Any, other: Any, tolerance: float = 1e-12) -> None:
    ours, theirs = optimizer.state_dict()["state"], other.state_dict()["state"]
    assert ours.keys() == theirs.keys()
    for i in ours:
        assert list(ours[i]) == list(theirs[i])
        for key, value in ours[i].items():
            expected = theirs[i][key].numpy()
            assert value.array.dtype == expected.dtype
            np.testing.assert_allclose(value.array, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_thirty_steps(name: str, options: dict[str, Any]) -> None:
    ours, theirs, optimizer, other, rng = make(name, options)
    for _ in range(30):
        give(rng, ours, theirs)
        optimizer.step()
        other.step()
        agree(ours, theirs)
    same_state(optimizer, other)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_large_parameters_and_float32(name: str, options: dict[str, Any]) -> None:
    ours, theirs, optimizer, other, rng = make(name, options, "float32", [(300, 500), (70,), (66000, 1), (50000,)])
    ours[0].data = Tensor(np.asfortranarray(ours[0].array))  # not contiguous
    for _ in range(3):
        give(rng, ours, theirs)
        optimizer.step()
        other.step()
    agree(ours, theirs, 1e-5)
    assert all(p.array.dtype == np.float32 for p in ours)
    same_state(optimizer, other, 1e-5)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_gradients_come_and_go(name: str, options: dict[str, Any]) -> None:
    """Missing gradients, re-bound data, options changed on the way, a new group, a saved and loaded state."""
    ours, theirs, optimizer, other, rng = make(name, options)
    rng2 = np.random.default_rng(1)
    for step in range(30):
        give(rng, ours, theirs)
        for i in np.flatnonzero(rng2.random(len(ours)) < 0.3):
            if i != step % len(ours):
                ours[i].grad = theirs[i].grad = None
        if step == 8:
            ours[0].data = Tensor(ours[0].array.copy())
            theirs[0].data = theirs[0].data.clone()
        if step == 12:
            for o in (optimizer, other):
                o.param_groups[0]["lr"] = 0.02
                o.param_groups[0]["weight_decay"] = 0.05
        if step == 15:
            new = np.ones((2, 2))
            ours.append(nn.Parameter(Tensor(new.copy())))
            theirs.append(torch.nn.Parameter(torch.tensor(new)))
            optimizer.add_param_group({"params": ours[-1], "lr": 0.3})
            other.add_param_group({"params": theirs[-1], "lr": 0.3})
        if step == 20:
            state = optimizer.state_dict()
            optimizer = getattr(optim, name)([{"params": ours[:-1]}, {"params": ours[-1:]}], **options)
            optimizer.load_state_dict(state)
        optimizer.step()
        other.step()
        agree(ours, theirs)
    same_state(optimizer, other)


def test_state_written_by_the_user_is_used() -> None:
    ours, theirs, optimizer, other, rng = make("Adam", {"lr": 0.1})
    for step in range(12):
        give(rng, ours, theirs)
        optimizer.step()
        other.step()
        if step == 3:
            for o, p in ((optimizer, ours[0]), (other, theirs[0])):
                o.state[p]["exp_avg"] = o.state[p]["exp_avg"] * 2
        if step == 5:
            optimizer.state[ours[1]]["exp_avg_sq"].array[...] = 1.0
            other.state[theirs[1]]["exp_avg_sq"].fill_(1.0)
        if step == 7:
            optimizer.state[ours[0]]["step"].array[...] = 50.0
            other.state[theirs[0]]["step"].fill_(50.0)
        if step == 9:
            optimizer.state.clear()
            other.state.clear()
    agree(ours, theirs)
    same_state(optimizer, other)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}])
def test_options_that_change_the_state(options: dict[str, Any]) -> None:
    ours, theirs, optimizer, other, rng = make("SGD", {"lr": 0.1, **options})
    for step in range(10):
        give(rng, ours, theirs)
        for o in (optimizer, other):
            o.param_groups[0]["momentum"] = 0.9 if step % 4 < 2 else 0.0
        optimizer.step()
        other.step()
    agree(ours, theirs)


def test_closure_and_return_value() -> None:
    w, v = nn.Parameter(Tensor(np.ones(2))), torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer, other = optim.SGD([w], lr=0.1), torch.optim.SGD([v], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    def their_closure() -> Any:
        other.zero_grad()
        loss = (v * v).sum()
        loss.backward()
        return loss

    for _ in range(3):
        assert optimizer.step(closure).item() == other.step(their_closure).item()
    agree([w], [v])


def schedulers() -> dict[str, Any]:
    def ramp(epoch: int) -> float:
        return min(1.0, epoch / 7)

    return {
        "step": lambda s, o: s.StepLR(o, step_size=4, gamma=0.3),
        "lambda": lambda s, o: s.LambdaLR(o, [ramp, lambda epoch: 0.9**epoch]),
        "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=7, eta_min=1e-3),
        "cosine to zero": lambda s, o: s.CosineAnnealingLR(o, T_max=10),
    }


def groups(library: Any, parameter: Any, **options: Any) -> Any:
    p = [parameter(), parameter()]
    return library.SGD([{"params": p[:1]}, {"params": p[1:], "lr": 0.2}], lr=0.1, **options)


def pair() -> tuple[Any, Any]:
    return (
        groups(optim, lambda: nn.Parameter(Tensor(np.ones(1)))),
        groups(torch.optim, lambda: torch.nn.Parameter(torch.ones(1))),
    )


def step(optimizer: Any, one: Any) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = one
    optimizer.step()


@pytest.mark.parametrize("name", schedulers())
def test_scheduler(name: str) -> None:
    make_one = schedulers()[name]
    optimizer, other = pair()
    ours, theirs = make_one(optim.lr_scheduler, optimizer), make_one(torch.optim.lr_scheduler, other)
    assert ours.get_last_lr() == theirs.get_last_lr()
    for epoch in range(30):
        step(optimizer, Tensor(np.ones(1)))
        step(other, torch.ones(1))
        if epoch == 11:  # a change from outside is kept by the chainable forms
            optimizer.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.05
        if epoch == 17:
            state = ours.state_dict()
            ours = make_one(optim.lr_scheduler, optimizer)
            ours.load_state_dict(state)
            for group, lr in zip(optimizer.param_groups, state["_last_lr"], strict=True):
                group["lr"] = lr
        ours.step()
        theirs.step()
        assert ours.get_last_lr() == theirs.get_last_lr()
        assert [g["lr"] for g in optimizer.param_groups] == ours.get_last_lr()


@pytest.mark.parametrize("name", schedulers())
def test_scheduler_closed_form_and_resume(name: str) -> None:
    make_one = schedulers()[name]
    optimizer, other = pair()
    ours, theirs = make_one(optim.lr_scheduler, optimizer), make_one(torch.optim.lr_scheduler, other)
    step(optimizer, Tensor(np.ones(1)))
    step(other, torch.ones(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's word on the epoch argument
        for epoch in (3, 9, 4):
            ours.step(epoch)
            theirs.step(epoch)
            assert ours.get_last_lr() == theirs.get_last_lr()


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"patience": 0, "cooldown": 2, "factor": 0.5, "min_lr": 0.01},
        {"mode": "max", "patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
        {"mode": "max", "patience": 1, "threshold": 0.1},
        {"patience": 1, "threshold": 0.1, "threshold_mode": "abs", "min_lr": [0.0, 0.05], "eps": 0.02},
    ],
    ids=str,
)
def test_plateau(options: dict[str, Any]) -> None:
    optimizer, other = pair()
    ours = optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **options)
    rng = np.random.default_rng(2)
    for epoch in range(40):
        value = float(rng.normal()) + 2.0 / (1 + epoch)
        ours.step(value)
        theirs.step(value)
        assert ours.get_last_lr() == theirs.get_last_lr()
        assert (ours.best, ours.num_bad_epochs) == (theirs.best, theirs.num_bad_epochs)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e6])
def test_clip_grad_norm(norm_type: float, max_norm: float) -> None:
    ours, theirs, _, _, rng = make("SGD", {"lr": 0.1})
    give(rng, ours, theirs, 3.0)
    total = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(
        [q for q in theirs if q.numel()], max_norm, norm_type
    )  # torch's inf-norm refuses an empty gradient
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.array, q.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": -1}), ("SGD", {"momentum": -1}), ("SGD", {"weight_decay": -1}), ("SGD", {"nesterov": True}),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}), ("Adam", {"lr": -1}), ("Adam", {"eps": -1}),
        ("Adam", {"betas": (1.0, 0.9)}), ("Adam", {"betas": (0.9, -0.1)}), ("Adam", {"weight_decay": -1}),
        ("AdamW", {"betas": (0.9, 1.0)}), ("RMSprop", {"lr": -1}), ("RMSprop", {"eps": -1}),
        ("RMSprop", {"momentum": -1}), ("RMSprop", {"weight_decay": -1}), ("RMSprop", {"alpha": -1}),
    ],
)  # fmt: skip
def test_the_same_options_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))], **options)
    with pytest.raises(ValueError, match=name):
        getattr(optim, name)([nn.Parameter(Tensor(np.ones(1)))], **options)
