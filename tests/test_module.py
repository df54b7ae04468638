"""Module and Parameter: what is registered, checked, called."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, nn, tensor


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.scale = nn.Parameter(tl.ones(3))
        self.register_buffer("mean", tl.zeros(3))
        self.register_buffer("cache", tl.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (self.fc(x) - self.mean) * self.scale


# Parameter


def test_parameter() -> None:
    data = tensor([1.0, 2.0])
    p = nn.Parameter(data)
    assert repr(p) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    assert isinstance(p, Tensor) and p.is_leaf and np.shares_memory(p.array, data.array)
    assert type(p * 2) is Tensor
    assert nn.Parameter(tensor([1]), requires_grad=False).dtype == tl.int64
    assert nn.Parameter().shape == (0,)
    assert not hasattr(p, "__dict__")
    p.grad = tensor([1.0, 1.0])
    twin = copy.deepcopy(p)
    assert type(twin) is nn.Parameter and twin.requires_grad and twin.grad is None
    assert not np.shares_memory(twin.array, p.array)
    with pytest.raises(RuntimeError, match=r"Parameter: data is .*int64.*Parameter\(data\.float\(\)\)"):
        nn.Parameter(tensor([1]))
    with pytest.raises(TypeError, match="data must be a Tensor, got list"):
        nn.Parameter([1.0])  # type: ignore[arg-type]


# registration


def test_what_is_registered() -> None:
    net = Net()
    assert [k for k, _ in net.named_parameters()] == ["scale", "fc.weight", "fc.bias"]
    assert [k for k, _ in net.named_buffers()] == ["mean", "cache"]
    assert list(net.children()) == [net.fc]
    assert [k for k, _ in net.named_modules()] == ["", "fc"]
    assert list(net.state_dict()) == ["scale", "mean", "fc.weight", "fc.bias"]
    assert net.get_parameter("fc.weight") is net.fc.weight
    assert net.get_submodule("fc") is net.fc
    with pytest.raises(AttributeError):
        net.get_parameter("fc.nothing")
    with pytest.raises(AttributeError, match="'mean' is no Parameter"):
        net.get_parameter("mean")


def test_without_super_init() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(1, 1)
            self.register_buffer("b", tl.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x)

    net = Forgetful()
    assert len(list(net.parameters())) == 2 and net.training and not net.eval().training
    assert net(tl.ones(1, 1)).shape == (1, 1)
    assert list(net.state_dict()) == ["b", "fc.weight", "fc.bias"]
    assert "fc" in dir(net) and "b" in dir(net)


def test_assignment_is_checked() -> None:
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign Tensor as parameter 'scale'.*nn\.Parameter\(\.\.\.\).*copy_"):
        net.scale = tl.ones(3)
    with pytest.raises(TypeError, match="cannot assign str as child module 'fc'"):
        net.fc = "linear"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="cannot assign list as buffer 'mean'"):
        net.mean = [0.0]
    net.mean = tl.ones(3)
    assert net.state_dict()["mean"].tolist() == [1.0, 1.0, 1.0]
    net.mean = nn.Parameter(tl.ones(3))
    assert "mean" in dict(net.named_parameters()) and "mean" not in dict(net.named_buffers())
    net.scale = None  # type: ignore[assignment]
    assert [k for k, _ in net.named_parameters()] == ["mean", "fc.weight", "fc.bias"]
    del net.cache
    assert not list(net.named_buffers())
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'cache'"):
        _ = net.cache


def test_names_are_checked() -> None:
    net = Net()
    for function in (net.register_buffer, net.register_parameter, net.add_module):
        with pytest.raises(KeyError, match="must not be empty or contain a dot"):
            function("a.b", None)
        with pytest.raises(KeyError, match="'forward' exists already"):
            function("forward", None)
        with pytest.raises(TypeError, match="name must be a string"):
            function(3, None)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="'fc' exists already"):
        net.register_buffer("fc", tl.zeros(1))
    with pytest.raises(KeyError, match="'mean' exists already"):
        net.add_module("mean", nn.ReLU())
    with pytest.raises(TypeError, match="must be a Parameter or None, got Tensor"):
        net.register_parameter("new", tl.zeros(1))  # type: ignore[arg-type]
    net.register_buffer("mean", tl.ones(3), persistent=False)
    assert "mean" not in net.state_dict()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([nn.ReLU()], r"list 'layers' holds a ReLU .* self\.layers = nn\.ModuleList\(\.\.\.\)"),
        ((nn.ReLU(),), "tuple 'layers' holds a ReLU"),
        ({"a": nn.ReLU()}, r"dict 'layers' holds a ReLU .*nn\.ModuleDict"),
        ([[nn.Parameter(tl.zeros(1))]], r"holds a Parameter .*nn\.ParameterList"),
    ],
)
def test_hidden_modules(value: Any, message: str) -> None:
    net = nn.Sequential(Net())
    net[0].layers = value
    for call in (lambda: list(net.parameters()), net.state_dict, lambda: net.to(tl.float64)):
        with pytest.raises(TypeError, match=message.replace("'layers'", "'0.layers'")):
            call()
    with pytest.raises(TypeError, match=message):
        list(net[0].named_buffers())


def test_a_list_of_what_is_registered_is_fine() -> None:
    net = Net()
    net.order = [net.fc, net.scale, (net.fc,)]
    net.sizes = [1, 2, "x"]
    loop: list[Any] = []
    loop.append(loop)
    net.loop = loop
    assert len(list(net.parameters())) == 3


def test_shared_parameters_are_listed_once() -> None:
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    net = nn.Sequential(a, b, a)
    assert [k for k, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert len(list(net.modules())) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]


# calls


def test_call_is_scoped() -> None:
    seen: list[str] = []

    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(repr(tl.modes.get_state().scope))
            return x * 2

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Inner()

        def forward(self, x: Tensor) -> Tensor:
            return self.block(x)

    net = Outer()
    x = tl.ones(1, requires_grad=True)
    y = net(x)
    with tl.scope("mine"):
        net(x)
    with tl.no_grad():
        assert not net(x).requires_grad
    assert net(x).requires_grad
    assert seen == ["Outer/block: Inner", "mine/Outer/block: Inner", "Outer/block: Inner", "Outer/block: Inner"]
    assert repr(y.scope) == "Outer/block: Inner"
    assert tl.modes.get_state().scope is None


def test_an_exception_in_forward_leaves_the_scope() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("inside")

    for _ in range(2):
        with pytest.raises(ValueError, match="inside"):
            Broken()(1)
    assert tl.modes.get_state().scope is None
    with pytest.raises(NotImplementedError, match=r"Module: forward is missing; write def forward"):
        nn.Module()(1)
    with pytest.raises(TypeError):
        nn.Module(3)  # type: ignore[call-arg]


def test_threads_have_their_own_modes() -> None:
    net = Net()
    x = tl.ones(1, 2)
    results: list[bool] = []

    def work() -> None:
        for _ in range(200):
            results.append(net(x).requires_grad)

    with tl.no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(200):
            assert not net(x).requires_grad
        thread.join()
    assert results == [True] * 200


def test_hooks() -> None:
    net = nn.Identity()
    seen: list[Any] = []
    handle = net.register_forward_hook(lambda module, args, output: seen.append((args, output)))
    assert net(1) == 1
    handle.remove()
    assert net(2) == 2 and seen == [((1,), 1)]
    net.register_forward_pre_hook(lambda module, args: args[0] + 1)
    assert net(1) == 2


def test_train_and_eval() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    net.eval()
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    with pytest.raises(ValueError, match="train: mode must be True or False, got 'yes'"):
        net.train("yes")  # type: ignore[arg-type]


def test_requires_grad_zero_grad_apply() -> None:
    net = Net()
    net(tl.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad.array.sum() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    names: list[str] = []
    assert net.apply(lambda m: names.append(type(m).__name__)) is net
    assert names == ["Linear", "Net"]
