"""Writing into tensors: what may be written, what is refused and why."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl


def leaf(*values: float) -> Any:
    return tl.tensor(list(values), requires_grad=True)


WRITES = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_(1),
    "mul_": lambda x: x.mul_(2),
    "div_": lambda x: x.div_(2),
    "neg_": lambda x: x.neg_(),
    "zero_": lambda x: x.zero_(),
    "fill_": lambda x: x.fill_(3),
    "copy_": lambda x: x.copy_(tl.ones(2)),
    "clamp_": lambda x: x.clamp_(0, 1),
    "setitem": lambda x: x.__setitem__(0, 1),
    "uniform_": lambda x: x.uniform_(),
    "normal_": lambda x: x.normal_(),
    "bernoulli_": lambda x: x.bernoulli_(0.5),
    "random_": lambda x: x.random_(5),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_leaf_is_written_only_under_no_grad(name: str) -> None:
    x = leaf(-1.0, 2.0)
    with pytest.raises(
        RuntimeError, match=rf"{name}: a leaf Variable that requires grad .* 'with no_grad\(\):', or .*x.data"
    ):
        WRITES[name](x)
    assert x.tolist() == [-1.0, 2.0]
    before = x.array
    with tl.no_grad():
        WRITES[name](x)
    assert x.array is before and x.requires_grad and x.is_leaf
    WRITES[name](x.data)
    with pytest.raises(RuntimeError, match=rf"{name}: cannot write in place into a recorded computation"):
        WRITES[name](x * 1)


@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_noted(name: str) -> None:
    """A backward that needs the old values refuses."""
    a, w = tl.tensor([1.0, 2.0]), leaf(3.0, 4.0)
    y = (a * w).sum()
    WRITES[name](a)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.backward()


@pytest.mark.parametrize("name", WRITES)
def test_memory_that_cannot_be_written(name: str) -> None:
    for x in (tl.ones(1).expand(2), tl.from_numpy(np.broadcast_to(np.float32(1), (2,)))):
        with pytest.raises(RuntimeError, match=rf"{name}: the tensor's memory is .*x.clone\(\)"):
            WRITES[name](x)


def test_values() -> None:
    x = tl.tensor([1.0, -4.0])
    assert x.add_(tl.tensor([1.0, 1.0]), alpha=2) is x and x.tolist() == [3.0, -2.0]
    assert x.sub_(1, alpha=2).tolist() == [1.0, -4.0] and x.mul_(tl.tensor(2.0)).tolist() == [2.0, -8.0]
    assert x.div_(2).tolist() == [1.0, -4.0] and x.neg_().tolist() == [-1.0, 4.0]
    assert x.clamp_(min=0).tolist() == [0.0, 4.0] and x.clamp_(max=tl.tensor([1.0, 3.0])).tolist() == [0.0, 3.0]
    assert x.fill_(tl.tensor(2.5)).tolist() == [2.5, 2.5] and x.copy_(5).tolist() == [5.0, 5.0]
    assert x.copy_(tl.tensor([[1]])[0]).tolist() == [1.0, 1.0] and x.zero_().tolist() == [0.0, 0.0]
    n = tl.tensor([float("nan"), 5.0])
    assert np.isnan(n.clamp_(0, 1).numpy()[0])  # nan stays nan


def test_functions_that_are_not_methods_everywhere() -> None:
    from tinygrad_loss.ops import inplace

    x = tl.tensor([4.0, 9.0])
    assert inplace.sqrt_(x).tolist() == [2.0, 3.0] and inplace.pow_(x, 2).tolist() == [4.0, 9.0]
    assert inplace.relu_(tl.tensor([-1.0, 1.0])).tolist() == [0.0, 1.0] and inplace.exp_(tl.zeros(1)).tolist() == [1.0]
    with pytest.raises(RuntimeError, match="negative integer powers"):
        inplace.pow_(tl.tensor([2]), -1)
    with pytest.raises(RuntimeError, match="can't be cast"):
        inplace.sqrt_(tl.tensor([4]))


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.add_(1.5),
        lambda x: x.mul_(tl.tensor(2.5)),
        lambda x: x.div_(2),
        lambda x: x.__iadd__(0.5),
        lambda x: x.__itruediv__(2),
        lambda x: x.clamp_(min=0.5),
        lambda x: x.sub_(tl.ones(3)),
    ],
)
def test_the_dtype_never_changes(write: Any) -> None:
    x = tl.tensor([1, 2, 3])
    with pytest.raises(
        RuntimeError, match=r"result type float32 can't be cast to the desired output type int64.*x.float\(\)"
    ):
        write(x)
    assert x.tolist() == [1, 2, 3]


def test_dtypes_within_a_category() -> None:
    x = tl.zeros(2)
    x += tl.ones(2, dtype=tl.float64)
    assert x.dtype is tl.float32 and x.tolist() == [1.0, 1.0]
    b = tl.tensor([True, False])
    with pytest.raises(RuntimeError, match="int64 can't be cast to the desired output type bool"):
        b += 1
    i = tl.tensor([1, 2])
    i += True
    assert i.tolist() == [2, 3]


def test_shapes_broadcast_into_the_tensor() -> None:
    x = tl.zeros(2, 3)
    x += tl.ones(3)
    x.add_(tl.ones(2, 1))
    assert x.tolist() == [[2.0] * 3] * 2
    y = tl.zeros(3)
    for write in (
        lambda: y.add_(tl.ones(2, 3)),
        lambda: y.__iadd__(tl.ones(2, 3)),
        lambda: y.copy_(tl.ones(2)),
        lambda: y.__setitem__(slice(None), tl.ones(2)),
        lambda: y.clamp_(tl.ones(2, 3)),
    ):
        with pytest.raises(RuntimeError, match=r"output with shape \(3,\) doesn't match the broadcast shape"):
            write()
    with pytest.raises(RuntimeError, match="0-d tensor"):
        y.fill_(tl.ones(3))
    assert y.tolist() == [0.0] * 3


def test_what_is_no_operand() -> None:
    x = tl.zeros(3)
    for wrong in ("a", [1, 2, 3], None):
        with pytest.raises(TypeError, match=r"add_: other must be a Tensor or a number"):
            x.add_(wrong)
        with pytest.raises(TypeError, match="can't assign a"):
            x[0] = wrong
    with pytest.raises(TypeError):
        x += "a"
    with pytest.raises(RuntimeError, match="at least one of min and max"):
        x.clamp_()


def test_setitem() -> None:
    x = tl.zeros(3, 4)
    x[0] = 1
    x[:, 1] = tl.tensor([5.0, 6.0, 7.0])
    x[1, 2:] = tl.tensor([[8.0, 9.0]])  # leading ones are dropped, as in torch
    x[tl.tensor([2, 0]), tl.tensor([3, 3])] = tl.tensor([20.0, 30.0])
    assert x.tolist() == [[1, 5, 1, 30], [0, 6, 8, 9], [0, 7, 0, 20]]
    x[x > 6] = -1
    x[..., 0] = np.array([1, 2, 3])
    x[[0, 1], 1] = 0
    assert x.tolist() == [[1, 0, 1, -1], [2, 0, -1, -1], [3, -1, 0, -1]]
    i = tl.zeros(3, dtype=tl.int64)
    i[0] = 1.7
    i[1:] = tl.tensor([2.5, 3.5])
    assert i.tolist() == [1, 2, 3]
    u = tl.zeros(1, dtype=tl.uint8)
    for wrong in (300, float("nan"), float("inf")):
        with pytest.raises(RuntimeError, match="without overflow"):
            u[0] = wrong
    with pytest.raises(IndexError, match="out of bounds"):
        x[5] = 1
    with pytest.raises(IndexError, match=r"got tinygrad_loss.float32; use .long\(\)"):
        x[tl.tensor([0.0])] = 1
    v = x[0]
    v[0] = 77  # a view
    assert x[0, 0].item() == 77
    y = tl.arange(5)
    y[1:] = y[:-1]
    assert y.tolist() == [0, 0, 1, 2, 3]


def test_setitem_with_a_recorded_value() -> None:
    x, w = tl.zeros(2), leaf(1.0)
    with pytest.raises(RuntimeError, match=r"stack\(\[\.\.\.\]\), cat\(\[\.\.\.\]\) or where"):
        x[0] = w[0]
    with tl.no_grad():
        x[0] = w[0]
    assert x.tolist() == [1.0, 0.0] and not x.requires_grad


def test_augmented_assignment_inside_a_graph_makes_a_new_tensor() -> None:
    w = leaf(2.0, 3.0)
    y = w * 1
    first = y
    y += w
    y *= 2
    y -= 1
    y /= 4
    assert y is not first and first.tolist() == [2.0, 3.0]
    y.sum().backward()
    assert w.grad.tolist() == [1.0, 1.0]
    total = tl.tensor(0.0)
    for _ in range(3):
        total += (w * w).sum()
    total.backward()
    assert w.grad.tolist() == [13.0, 19.0]
    half = tl.zeros(2, dtype=tl.float16)
    half += w
    assert half.dtype is tl.float16 and half.requires_grad


def test_augmented_assignment_outside_a_graph_writes() -> None:
    x = tl.zeros(2)
    before, array = x, x.array
    x += 1
    x *= 3
    x -= tl.ones(2)
    x /= 2
    assert x is before and x.array is array and x.tolist() == [1.0, 1.0]
    w = leaf(1.0, 1.0)
    with pytest.raises(RuntimeError, match="leaf"):
        w -= 0.1
    with tl.no_grad():
        w -= 0.1 * tl.ones(2)
    assert w.requires_grad and w.is_leaf


def test_running_total_of_losses() -> None:
    w = leaf(1.0)
    running = tl.tensor(0.0)
    loss = (w * w).sum()
    loss.backward()
    with pytest.warns(tl.LossWarning, match=r"running \+= loss.item\(\)"):
        running += loss
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        running = tl.tensor(0.0)
        running += (w * w).sum()  # before its backward: a sum of losses
        running += 1.0
    kept = 0.0
    kept += loss.item()
    assert kept == 1.0


def test_no_warning_escapes() -> None:
    with np.errstate(all="raise"):
        x = tl.tensor([0.0, 1e38])
        x /= 0
        assert np.isnan(x.numpy()[0]) and np.isinf(x.numpy()[1])
        y = tl.ones(2, dtype=tl.float16)
        y[0] = 1e10
        y.copy_(tl.tensor([1e30, 1.0]))
        assert np.isinf(y.numpy()[0])
        tl.zeros(2, dtype=tl.int64).copy_(tl.tensor([float("nan"), 1.0]))
        tl.tensor([1e300], dtype=tl.float32)
        tl.randn(100), tl.zeros(3).bernoulli_(tl.tensor(0.5))
