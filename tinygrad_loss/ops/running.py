"""Running sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array, dtype
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .elementwise import eq
from .reduce import axis_of, broadcast_
from .shape import flatten, movedim, unsqueeze


def _cumsum(x: Array, *, dim: int, reverse: bool) -> Array:
    if x.ndim == 0:
        return x.copy()
    kind = np.int64 if x.dtype.kind != "f" else np.float64  # float32 would lose a digit in a few thousand terms
    ordered = np.flip(x, dim) if reverse else x
    total = np.cumsum(ordered, axis=dim, dtype=kind)
    total = total.astype(x.dtype) if x.dtype.kind == "f" else total
    return np.flip(total, dim) if reverse else total


cumsum_: Function = primitive(
    _cumsum,
    lambda g, y, x, *, dim, reverse: cumsum_(g, dim=dim, reverse=not reverse),
    name="cumsum",
    saves=False,
)


def cumsum(input: Value, dim: int, *, dtype: dtype | None = None) -> Value:
    """The running sum along ``dim``.

    Raises IndexError when ``dim`` is out of range.

    >>> cumsum(tensor([1., 2., 3.]), dim=0)
    tensor([1., 3., 6.])
    """
    input = input.to(dtype) if dtype is not None and isinstance(input, Tensor) else input
    return cumsum_(input, dim=axis_of("cumsum", input, dim), reverse=False)


def _prod(x: Array) -> Any:
    return np.multiply.reduce(x, axis=-1, dtype=np.int64 if x.dtype.kind != "f" else None)


def _others(x: Array) -> Array:
    """For each element the product of all the others in its row: right with zeros, where y / x is not."""
    ones = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, x[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def _prod_rule(g: Value, y: Value, x: Value) -> Value:
    if not isinstance(x, Tensor):
        return g[..., None] * _others(x) if x.shape[-1] else x
    # The product of the others as a product again, so that it differentiates to every order: row i of the
    # square has 1 in place of x_i.
    n = x.shape[-1]
    here = Tensor(np.eye(n, dtype=x.array.dtype))
    square = broadcast_(x.unsqueeze(-2), shape=(*x.shape[:-1], n, n))
    return g.unsqueeze(-1) * prod_(square * eq(here, 0) + here)


prod_: Function = primitive(_prod, _prod_rule, name="prod")


def prod(input: Value, dim: int | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Value:
    """The product over ``dim`` (all elements when None); its gradient is right with zeros too.

    Raises IndexError when ``dim`` is out of range.

    >>> prod(tensor([2., 3., 4.]))
    tensor(24.)
    """
    input = input.to(dtype) if dtype is not None and isinstance(input, Tensor) else input
    if dim is None:
        return prod_(flatten(input))
    axis = axis_of("prod", input, dim)
    if input.ndim == 0:
        return prod_(flatten(input))
    y = prod_(movedim(input, axis, -1))
    return unsqueeze(y, axis) if keepdim else y
