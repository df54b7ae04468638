"""Tensors as numbers, arrays, other dtypes and copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl

DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool_"]


def leaf(*values: float, dtype: Any = None) -> Any:
    return tl.tensor(list(values), dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("name", DTYPES)
def test_to_every_dtype(name: str) -> None:
    d = getattr(tl, name) if name != "bool_" else tl.bool
    x = tl.tensor([0.0, 1.5, 3.0])
    for y in (
        x.to(d),
        x.to(dtype=d),
        x.to("cpu", d),
        x.to(tl.zeros(1, dtype=d)),
        x.type(d),
        x.type_as(tl.zeros(1, dtype=d)),
        x.to(d.dtype),
    ):
        assert y.dtype is d
        np.testing.assert_array_equal(y.numpy(), x.numpy().astype(d.dtype))


def test_casts_by_name() -> None:
    x = tl.tensor([2.7, -2.7])
    names = {
        "float": "float32",
        "double": "float64",
        "half": "float16",
        "long": "int64",
        "int": "int32",
        "short": "int16",
        "bool": "bool",
    }
    for method, name in names.items():
        assert getattr(x, method)().dtype.name == name
    assert x.long().tolist() == [2, -2] and x.bool().tolist() == [True, True]
    assert tl.tensor([300.0]).short().byte().dtype is tl.uint8
    assert tl.tensor([float("nan"), 0.0]).bool().tolist() == [True, False]


def test_nothing_to_change_is_the_tensor_itself() -> None:
    x = tl.tensor([1.0])
    assert (
        x.float() is x and x.to(tl.float32) is x and x.to("cpu") is x and x.to(tl.device("cpu")) is x and x.cpu() is x
    )
    assert x.contiguous() is x and x.to(x) is x and x.to(None) is x
    y = x.to(tl.float32, copy=True)
    assert y is not x and not np.shares_memory(y.array, x.array)
    assert x.type() == "tinygrad_loss.FloatTensor"


@pytest.mark.parametrize("where", ["cuda", "mps", 3])
def test_other_devices(where: Any) -> None:
    with pytest.raises(RuntimeError, match="on the CPU only"):
        tl.tensor([1.0]).to(where)
    with pytest.raises(TypeError, match="unknown argument 'dtipe'"):
        tl.tensor([1.0]).to(dtipe=tl.float64)


def test_casts_are_differentiable() -> None:
    x = leaf(1.0, 2.0)
    y = x.double()
    assert repr(y) == "tensor([1., 2.], dtype=tinygrad_loss.float64, grad_fn=<ToCopyBackward0>)"
    (y * y).sum().backward()
    assert x.grad.dtype is tl.float32 and x.grad.tolist() == [2.0, 4.0]
    assert not x.long().requires_grad and not x.bool().requires_grad
    v = leaf(1.0, 2.0, 3.0, 4.0)
    w = v.reshape(2, 2).t().contiguous()
    assert w.is_contiguous() and not v.reshape(2, 2).t().is_contiguous()
    (w * tl.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert v.grad.tolist() == [1.0, 3.0, 2.0, 4.0]


def test_second_derivative_through_a_cast() -> None:
    x = leaf(3.0)
    y = (x.double() ** 3).sum()
    (g,) = tl.autograd.grad(y, x, create_graph=True)
    (h,) = tl.autograd.grad(g.sum(), x)
    assert g.dtype is tl.float32 and h.tolist() == [18.0]


def test_sizes() -> None:
    x = tl.zeros(2, 3, dtype=tl.float64)
    assert x.size() == x.shape == (2, 3) and x.size(0) == 2 and x.size(-1) == 3
    assert (x.numel(), x.dim(), x.element_size(), x.is_floating_point()) == (6, 2, 8, True)
    with pytest.raises(IndexError, match="dim=2, but the tensor has 2 dimensions"):
        x.size(2)


def test_numbers() -> None:
    assert tl.tensor([[2.5]]).item() == 2.5 and isinstance(tl.tensor(2).item(), int) and tl.tensor(True).item() is True
    assert float(tl.tensor([2])) == 2.0 and int(tl.tensor(2.7)) == 2 and int(tl.tensor(-2.7)) == -2
    assert [10, 20, 30][tl.tensor(1)] == 20 and list(range(tl.tensor(2))) == [0, 1]
    assert leaf(1.5).item() == 1.5  # also of tensors that require grad
    for n in (0, 2):
        with pytest.raises(RuntimeError, match=f"item: a Tensor with {n} elements"):
            tl.zeros(n).item()
        with pytest.raises(ValueError, match="only one element tensors"):
            float(tl.zeros(n))
        with pytest.raises(ValueError, match="only one element tensors"):
            int(tl.zeros(n))
    for wrong in (tl.tensor(1.0), tl.tensor([1, 1])):
        with pytest.raises(TypeError, match="only integer tensors of a single element"):
            [1, 2][wrong]
    with pytest.raises(ValueError, match="NaN"):
        int(tl.tensor(float("nan")))


def test_truth() -> None:
    assert bool(tl.tensor([[1.0]])) and not tl.tensor(0)
    with pytest.raises(RuntimeError, match="with more than one value is ambiguous"):
        bool(tl.ones(2))
    with pytest.raises(RuntimeError, match="with no values is ambiguous"):
        bool(tl.ones(0))


def test_format() -> None:
    assert f"{tl.tensor(1.5):.3f} {tl.tensor(7):03d} {tl.tensor(1.5)}" == "1.500 007 1.5"
    assert f"{tl.tensor([1.5])}" == "tensor([1.5000])"
    with pytest.raises(TypeError, match=r"formats one number, but the tensor has shape \(2,\)"):
        f"{tl.ones(2):.3f}"


def test_container() -> None:
    x = leaf(1.0, 2.0, 3.0)
    assert len(x) == 3 and 2.0 in x and 5 not in x and tl.tensor(3.0) in x
    total = sum(v * v for v in x)
    total.backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    assert [row.tolist() for row in tl.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="0-d tensor"):
        len(tl.tensor(1))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(tl.tensor(1))
    with pytest.raises(RuntimeError, match="got str"):
        "a" in x  # noqa: B015


def test_numpy_shares_memory() -> None:
    x = tl.tensor([1.0, 2.0])
    a = x.numpy()
    a[0] = 9
    assert x.tolist() == [9.0, 2.0] and np.shares_memory(np.asarray(x), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    assert np.asarray(x, np.float64).dtype == np.float64
    with pytest.raises(ValueError):
        np.asarray(x, np.float64, copy=False)


def test_numpy_refuses_what_requires_grad() -> None:
    x = leaf(1.0)
    for call in (x.numpy, lambda: np.asarray(x), lambda: np.array(x), lambda: (x * 2).numpy()):
        with pytest.raises(RuntimeError, match=r"x.detach\(\).numpy\(\)"):
            call()
    assert x.numpy(force=True).tolist() == [1.0] and x.detach().numpy().tolist() == [1.0]


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2)])
def test_numpy_scalars_from_the_left(scalar: Any) -> None:
    x = leaf(1.0, 4.0)
    results = {
        "*": (scalar * x, [2, 8]),
        "+": (scalar + x, [3, 6]),
        "-": (scalar - x, [1, -2]),
        "/": (scalar / x, [2, 0.5]),
        "**": (scalar**x, [2, 16]),
        "<": (scalar < x, [False, True]),
        "==": (scalar == x, [False, False]),
    }
    for y, expected in results.values():
        assert isinstance(y, tl.Tensor) and y.tolist() == expected
        assert y.dtype in (tl.float32, tl.bool)  # a number never widens


def test_arrays_from_the_left() -> None:
    x = leaf(1.0, 4.0)
    a = np.array([2.0, 3.0], np.float32)
    y = a * x
    assert isinstance(y, tl.Tensor) and y.dtype is tl.float32
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]
    assert (a.astype(np.float64) + x).dtype is tl.float64
    assert isinstance(a @ x, tl.Tensor) and (a @ x).item() == 14.0
    assert isinstance(a <= x, tl.Tensor)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, a: np.exp(x), r"use tinygrad_loss.exp\(x\), which records its gradient, or np.exp\(x.detach"),
        (lambda x, a: np.negative(x), r"use tinygrad_loss.neg\(x\)"),
        (lambda x, a: np.absolute(x), r"use tinygrad_loss.abs\(x\)"),
        (lambda x, a: np.spacing(x), r"refuses tensors; use np.spacing\(x.detach"),
        (lambda x, a: np.add.reduce(x), r"use np.add\(x.detach"),
        (lambda x, a: np.add(a, x, out=a), r"array \+= x.detach"),
        (lambda x, a: a.__iadd__(x), r"array \+= x.detach"),
    ],
)
def test_other_ufuncs_are_refused(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(leaf(1.0, 4.0), np.ones(2))


def test_deepcopy() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin.is_leaf and twin.grad.tolist() == [2.0, 4.0]
    assert not np.shares_memory(twin.array, x.array) and not np.shares_memory(twin.grad.array, x.grad.array)
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(RuntimeError, match=r"made by 'mul'|from 'mul'; use x.detach\(\).clone\(\)"):
        copy.deepcopy(x * 2)


def test_deepcopy_and_pickle_of_parameters() -> None:
    p = tl.nn.Parameter(tl.tensor([1.0, 2.0]))
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(twin) is type(p) and twin.requires_grad and twin.tolist() == [1.0, 2.0]
        assert not np.shares_memory(twin.array, p.array)


def test_pickle_carries_values_and_no_graph() -> None:
    x = leaf(1.0, 2.0)
    y = pickle.loads(pickle.dumps(x * 3))
    assert y.tolist() == [3.0, 6.0] and y.requires_grad and y.is_leaf
    z = pickle.loads(pickle.dumps(tl.arange(6).reshape(2, 3).t()))
    assert z.tolist() == [[0, 3], [1, 4], [2, 5]] and not z.requires_grad
    assert pickle.loads(pickle.dumps(tl.float64)) is tl.float64
    g = tl.Generator().manual_seed(3)
    tl.rand(4, generator=g)
    again = copy.deepcopy(g)
    assert tl.rand(3, generator=g).tolist() == tl.rand(3, generator=again).tolist()
    assert tl.device("cpu") == pickle.loads(pickle.dumps(tl.device("cpu")))
