"""State dicts: copies out, all or nothing in; dtypes and copies of modules."""

from __future__ import annotations

import copy
from collections import OrderedDict
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


def test_state_dict_is_a_copy() -> None:
    net = Net()
    state = net.state_dict()
    assert isinstance(state, OrderedDict) and not state["scale"].requires_grad
    state["scale"].array[...] = 7.0
    assert net.scale.tolist() == [1.0, 1.0, 1.0]
    assert net.state_dict(keep_vars=True)["scale"] is net.scale


def test_load_state_dict() -> None:
    net, other = Net(), Net()
    weight = net.fc.weight
    result = net.load_state_dict(other.state_dict())
    assert repr(result) == str(result) == "<All keys matched successfully>"
    assert net.fc.weight is weight
    np.testing.assert_array_equal(weight.array, other.fc.weight.array)
    assert not np.shares_memory(weight.array, other.fc.weight.array)
    net.load_state_dict({k: v.double() for k, v in other.state_dict().items()})
    assert weight.dtype == tl.float32
    partial = net.load_state_dict({"scale": tl.zeros(3), "more": tl.zeros(1)}, strict=False)
    assert partial.missing_keys == ["mean", "fc.weight", "fc.bias"] and partial.unexpected_keys == ["more"]
    assert net.scale.tolist() == [0.0, 0.0, 0.0]
    net.load_state_dict({**other.state_dict(), "scale": tensor([1, 2, 3])})
    assert net.scale.tolist() == [1.0, 2.0, 3.0]


BAD: list[tuple[Any, str]] = [
    ({"scale": None}, "scale: expected a Tensor, got NoneType"),
    ({"scale": np.ones(3)}, r"scale: expected a Tensor, got ndarray; convert it with tensor"),
    ({"scale": [1.0]}, "expected a Tensor, got list"),
    ({"scale": tl.ones(2)}, r"size mismatch for scale: .*\[2\].*\[3\]"),
    ({"scale": tl.ones(3, 1)}, "size mismatch for scale"),
    ({"scale": tensor([1e300, 1.0, 1.0], dtype=tl.float64)}, "dtype mismatch for scale: .*float64 do not fit"),
    ({"scale": tensor([2**24 + 1, 1, 1])}, "dtype mismatch for scale"),
    ({"extra": tl.ones(1)}, 'Unexpected key\\(s\\) in state_dict: "extra"'),
    ({"mean": ...}, 'Missing key\\(s\\) in state_dict: "mean"'),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_load_state_dict_is_all_or_nothing(change: dict[str, Any], message: str) -> None:
    net = Net()
    before = net.state_dict()
    state = {k: v + 1 for k, v in before.items()}
    state.update(change)
    state = {k: v for k, v in state.items() if v is not ...}
    with pytest.raises(RuntimeError, match=message):
        net.load_state_dict(state)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.array, before[key].array)


def test_every_problem_is_listed() -> None:
    listed = r"(?s)state_dict for Net:.*Unexpected.*Missing.*size mismatch.*strict=False"
    with pytest.raises(RuntimeError, match=listed):
        Net().load_state_dict({"scale": tl.ones(1), "x": tl.ones(1)})
    with pytest.raises(TypeError, match="expected a dict of name to Tensor, got list"):
        Net().load_state_dict([1])  # type: ignore[arg-type]


def test_an_interrupted_load_restores() -> None:
    net = Net()
    before = net.state_dict()
    net.fc.bias.array.flags.writeable = False  # fails in the middle, after others were written
    with pytest.raises(ValueError):
        net.load_state_dict({k: v + 1 for k, v in before.items()})
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.array, before[key].array)


def test_loading_integers() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("n", tensor([0, 0], dtype=tl.uint8))

    net = Counter()
    net.load_state_dict({"n": tensor([1, 255])})
    assert net.n.tolist() == [1, 255] and net.n.dtype == tl.uint8
    for bad in (tensor([1, 256]), tensor([1, -1]), tensor([1.0, 2.0])):
        with pytest.raises(RuntimeError, match="dtype mismatch for n"):
            net.load_state_dict({"n": bad})
    assert net.double().n.dtype == tl.uint8


def test_a_backward_across_a_load_is_refused() -> None:
    net = Net()
    loss = net(tl.ones(1, 2)).square().sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_to() -> None:
    net = Net()
    weight = net.fc.weight
    net(tl.ones(1, 2)).sum().backward()
    assert net.to("cpu") is net and net.cpu() is net and net.to(tl.device("cpu"), tl.float64) is net
    assert net.fc.weight is weight and weight.dtype == weight.grad.dtype == net.mean.dtype == tl.float64
    assert net.float().scale.dtype == tl.float32 and net.half().scale.dtype == tl.float16
    assert net.to(tensor([1.0])).scale.dtype == tl.float32 and net.to(dtype=tl.float64).mean.dtype == tl.float64
    made = lambda: nn.Linear(1, 1, device="cuda")
    for call in (lambda: net.to("cuda"), net.cuda, lambda: net.to(device="cuda:0"), made):
        with pytest.raises(RuntimeError, match="CPU only"):
            call()
    with pytest.raises(TypeError, match=r"Module\.to: dtype must be floating point, got .*int64"):
        net.to(tl.int64)
    assert net.mean.dtype == tl.float64


def test_deepcopy() -> None:
    net = nn.Sequential(Net(), nn.ReLU())
    net[0].fc.weight.grad = tl.ones(3, 2)
    net(tl.ones(1, 2))
    net[0].register_forward_hook(lambda m, a, o: None)
    twin = copy.deepcopy(net)
    assert repr(twin) == repr(net)
    for (a, p), (b, q) in zip(net.named_parameters(), twin.named_parameters(), strict=True):
        assert a == b and p is not q and not np.shares_memory(p.array, q.array)
        np.testing.assert_array_equal(p.array, q.array)
    assert set(twin[0]._buffers) == set(net[0]._buffers)
    assert [n for n, _ in twin.named_buffers()] == [n for n, _ in net.named_buffers()]
    x = tl.ones(1, 2)
    np.testing.assert_array_equal(twin(x).detach().array, net(x).detach().array)
    tied = nn.Linear(2, 2)
    pair = copy.deepcopy(nn.Sequential(tied, tied))
    assert pair[0] is pair[1]
