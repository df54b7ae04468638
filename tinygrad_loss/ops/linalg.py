"""Matrix products. A product of small matrices is faster through ``np.dot`` than through ``np.matmul``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..coercion import not_a_tensor
from ..dtypes import Array, of_numpy
from ..primitive import Function, Value, primitive
from .layout import shape_of, squeeze_, t_, transpose_, unsqueeze_, view_

_HALF = np.dtype(np.float16)


def _check(name: str, a: Any, b: Any, first: str = "input", second: str = "other") -> None:
    """Two arrays of one dtype that can be multiplied."""
    for argument, value in ((first, a), (second, b)):
        if not isinstance(value, np.ndarray):
            raise not_a_tensor(name, argument, value)
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: {first} has dtype {of_numpy(a.dtype).name}, {second} {of_numpy(b.dtype).name}; both need the "
            f"same: use {second}.to({first}.dtype), or .float() on what came from NumPy in double precision"
        )
    if a.dtype.kind == "b":
        raise NotImplementedError(f"{name}: got bool tensors; use .long() or .float()")


def _misfit(name: str, a: Array, b: Array, first: str = "input", second: str = "other") -> RuntimeError:
    return RuntimeError(
        f"{name}: {first} of shape {a.shape} and {second} of shape {b.shape} cannot be multiplied: the last size of "
        f"{first} must be the {'only' if b.ndim == 1 else 'second to last'} one of {second}; transpose one of them?"
    )


def _rows(a: Array, b: Array) -> Any:
    """``a @ b`` for a matrix ``b``: the leading dimensions of ``a`` are flattened, so that it is one product."""
    if a.dtype == _HALF:
        return _rows(a.astype(np.float32), b.astype(np.float32)).astype(_HALF)  # adds in float32
    if a.ndim <= 2:
        return np.dot(a, b)
    return np.dot(a.reshape(math.prod(a.shape[:-1]), a.shape[-1]), b).reshape(a.shape[:-1] + b.shape[1:])


def _mm(a: Array, b: Array) -> Any:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype is b.dtype and a.dtype.kind == "f"):
        _check("mm", a, b, second="mat2")
    if a.ndim != 2 or b.ndim != 2:
        raise RuntimeError(f"mm: expected two matrices, got shapes {a.shape} and {b.shape}; use matmul")
    if a.shape[1] != b.shape[0]:
        raise _misfit("mm", a, b, second="mat2")
    return _rows(a, b)


def _batched(a: Array, b: Array) -> Any:
    _check("matmul", a, b)
    if a.shape[-1] != b.shape[-2]:
        raise _misfit("matmul", a, b)
    if a.dtype == _HALF:
        return np.matmul(a.astype(np.float32), b.astype(np.float32)).astype(_HALF)
    if b.ndim == 2:
        return _rows(a, b)
    try:
        return np.matmul(a, b)
    except ValueError as error:
        raise RuntimeError(
            f"matmul: the batches of shapes {a.shape[:-2]} and {b.shape[:-2]} do not broadcast; use 1 or equal sizes"
        ) from error


def _dot(a: Array, b: Array) -> Any:
    _check("dot", a, b, second="tensor")
    if a.ndim != 1 or b.ndim != 1 or a.shape != b.shape:
        raise RuntimeError(f"dot: expected two vectors of one length, got shapes {a.shape} and {b.shape}; use matmul")
    return _rows(a, b)


def _mv(a: Array, b: Array) -> Any:
    _check("mv", a, b, second="vec")
    if a.ndim != 2 or b.ndim != 1 or a.shape[1] != b.shape[0]:
        raise RuntimeError(f"mv: expected a matrix and a vector of its width, got shapes {a.shape} and {b.shape}")
    return _rows(a, b)


def _outer(a: Array, b: Array) -> Any:
    if np.ndim(a) != 1 or np.ndim(b) != 1:
        raise RuntimeError(f"outer: expected two vectors, got shapes {np.shape(a)} and {np.shape(b)}; use flatten()")
    return np.multiply(a[:, np.newaxis], b)


def _swap(x: Value) -> Value:
    return transpose_(x, dim0=-2, dim1=-1)


mm_: Function = primitive(
    _mm, lambda g, y, a, b: mm_(g, t_(b)), lambda g, y, a, b: mm_(t_(a), g), name="mm", promotes=False
)
bmm_: Function = primitive(
    _batched,
    lambda g, y, a, b: bmm_(g, _swap(b)),
    lambda g, y, a, b: bmm_(_swap(a), g),  # a broadcast batch is summed by the engine
    name="bmm",
    promotes=False,
)
dot_ = primitive(_dot, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, name="dot", promotes=False)
mv_: Function = primitive(
    _mv, lambda g, y, a, b: outer_(g, b), lambda g, y, a, b: mv_(t_(a), g), name="mv", promotes=False
)
outer_: Function = primitive(_outer, lambda g, y, a, b: mv_(g, b), lambda g, y, a, b: mv_(t_(g), a), name="outer")


def _linear(x: Array, w: Array, b: Array | None = None) -> Any:
    """x @ w.T + b: the plain case of a batch at once, all others with every check."""
    if type(b) is np.ndarray and type(x) is type(w) is np.ndarray and x.ndim == w.ndim == 2 and b.shape == w.shape[:1]:
        d = x.dtype
        if d is w.dtype and d is b.dtype and d.itemsize > 2 and d.kind == "f" and x.shape[1] == w.shape[1]:
            y = np.dot(x, w.T)
            return np.add(y, b, y)
    return _linear_checked(x, w, b)


def _linear_checked(x: Array, w: Array, b: Array | None) -> Any:
    _check("linear", x, w, second="weight")
    if x.ndim == 0 or w.ndim not in (1, 2):
        raise RuntimeError(
            f"linear: input has shape {x.shape}, weight {w.shape}; expected (..., in) and (out, in) or (in,)"
        )
    if x.shape[-1] != w.shape[-1]:
        raise RuntimeError(
            f"linear: input of shape {x.shape} has {x.shape[-1]} features in its last dimension, weight of shape "
            f"{w.shape} expects {w.shape[-1]}"
        )
    if b is None:
        return _rows(x, w.T)
    if not (type(b) is np.ndarray and b.dtype is w.dtype):
        _check("linear", w, b, "weight", "bias")
    if b.shape != w.shape[:1] and b.ndim and b.shape != (1,):
        raise RuntimeError(f"linear: bias has shape {b.shape}, weight {w.shape}; expected {w.shape[:1]}")
    y = _rows(x, w.T)
    if type(y) is not np.ndarray:  # a weight of one dimension: a number
        return y + b
    y += b
    return y


def _matrix(x: Value) -> Value:
    """All leading dimensions in one."""
    if x.ndim == 2:
        return x
    shape = x.shape
    return view_(x, shape=(math.prod(shape[:-1]), shape[-1]))


def _linear_input(g: Value, y: Value, x: Value, w: Value, b: Value = None) -> Value:
    if w.ndim == 1:
        return unsqueeze_(g, shape=(*g.shape, 1)) * w
    if type(g) is np.ndarray:
        return _rows(g, w)
    return view_(mm_(_matrix(g), w), shape=tuple(x.shape))


def _linear_weight(g: Value, y: Value, x: Value, w: Value, b: Value = None) -> Value:
    if w.ndim == 1:
        return mv_(t_(_matrix(x)), view_(g, shape=(math.prod(g.shape),)))
    if type(g) is np.ndarray and g.ndim == 2:
        return _rows(g.T, x)
    return mm_(t_(_matrix(g)), _matrix(x))


linear_ = primitive(
    _linear,
    _linear_input,
    _linear_weight,
    lambda g, y, x, w, b: g,  # the engine sums over the batch
    name="linear",
    grad_name="Addmm",
    promotes=False,
)


def matmul(input: Value, other: Value) -> Value:
    """The matrix product: of matrices, of vectors with either, and of batches, whose leading dimensions broadcast.

    Raises RuntimeError when sizes or dtypes do not fit, naming both shapes.

    >>> matmul(tensor([[1., 2.]]), tensor([3., 4.]))
    tensor([11.])
    """
    a, b = shape_of("matmul", input), shape_of("matmul", other, "other")
    if len(a) == len(b) == 2:
        return mm_(input, other)
    if not a or not b:
        raise RuntimeError(f"matmul: expected at least 1 dimension each, got shapes {a} and {b}; use * for numbers")
    if len(a) == len(b) == 1:
        return dot_(input, other)
    if len(a) == 2 and len(b) == 1:
        return mv_(input, other)
    rows = input if len(a) > 1 else unsqueeze_(input, shape=(1, *a))
    columns = other if len(b) > 1 else unsqueeze_(other, shape=(*b, 1))
    y = bmm_(rows, columns)
    if len(a) == 1:
        return squeeze_(y, shape=(*y.shape[:-2], y.shape[-1]))
    return y if len(b) > 1 else squeeze_(y, shape=tuple(y.shape[:-1]))


def mm(input: Value, mat2: Value) -> Value:
    """The product of two matrices, (n, k) and (k, m); RuntimeError for other shapes or two dtypes.

    >>> mm(tensor([[1., 2.]]), tensor([[3.], [4.]]))
    tensor([[11.]])
    """
    return mm_(input, mat2)


def bmm(input: Value, mat2: Value) -> Value:
    """The products of two batches of matrices, (b, n, k) and (b, k, m); RuntimeError for other shapes or two dtypes.

    >>> bmm(ones(2, 1, 3), ones(2, 3, 1)).shape
    tinygrad_loss.Size([2, 1, 1])
    """
    a, b = shape_of("bmm", input), shape_of("bmm", mat2, "mat2")
    if len(a) != 3 or len(b) != 3 or a[0] != b[0] or a[2] != b[1]:
        raise RuntimeError(f"bmm: expected shapes (b, n, k) and (b, k, m), got {a} and {b}; matmul broadcasts")
    return bmm_(input, mat2)


def mv(input: Value, vec: Value) -> Value:
    """The product of a matrix (n, k) and a vector (k,); RuntimeError for other shapes or two dtypes.

    >>> mv(tensor([[1., 2.]]), tensor([3., 4.]))
    tensor([11.])
    """
    return mv_(input, vec)


def dot(input: Value, tensor: Value) -> Value:
    """The inner product of two vectors of one length; RuntimeError for other shapes or two dtypes.

    >>> dot(tensor([1., 2.]), tensor([3., 4.]))
    tensor(11.)
    """
    return dot_(input, tensor)


def outer(input: Value, vec2: Value) -> Value:
    """All products of the elements of two vectors: (n,) and (m,) to (n, m). RuntimeError for other shapes.

    >>> outer(tensor([1., 2.]), tensor([3., 4.]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    return outer_(input, vec2)


def linear(input: Value, weight: Value, bias: Value | None = None) -> Value:
    """``input @ weight.T + bias``: (..., in), (out, in) and (out,) to (..., out).

    Raises RuntimeError when sizes or dtypes do not fit, naming both shapes.

    >>> F.linear(tensor([[1., 2.]]), tensor([[3., 4.]]), tensor([5.]))
    tensor([[16.]])
    """
    return linear_(input, weight) if bias is None else linear_(input, weight, bias)
