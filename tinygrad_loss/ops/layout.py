"""The primitives behind shape.py: each rearranges elements, and its gradient back.

The public functions check their arguments and call these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..coercion import not_a_tensor
from ..dtypes import Array
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .reduce import sum_

Sizes = Sequence[int]


def shape_of(name: str, input: Value, argument: str = "input") -> tuple[int, ...]:
    """The plain shape of a Tensor or array; TypeError for anything else."""
    array = input.array if isinstance(input, Tensor) else input
    if isinstance(array, (np.ndarray, np.generic)):
        shape: tuple[int, ...] = array.shape
        return shape
    raise not_a_tensor(name, argument, input)


def size_of(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes that were given one by one or as one sequence."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given


def sizes_of(name: str, given: tuple[Any, ...], keyword: Sizes | None) -> tuple[int, ...]:
    """The same, or given by keyword."""
    if keyword is not None:
        return tuple(keyword)
    if not given:
        raise TypeError(f"{name}: no sizes given; pass them one by one or as one tuple, () for a single number")
    return size_of(given)


def _reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    for n in shape:
        if n < -1:
            raise RuntimeError(f"reshape: size {n} in {shape}; sizes are 0 or more, one of them may be -1")
    try:
        return x.reshape(shape)
    except ValueError as error:
        raise RuntimeError(
            f"reshape: shape {tuple(shape)} is invalid for an input of shape {x.shape} with {x.size} elements; the "
            "sizes must multiply to that number, and at most one, which they then determine, may be -1"
        ) from error


def _reshaping(name: str) -> Function:
    return primitive(
        _reshape, lambda g, y, x, *, shape: view_(g, shape=x.shape), name=name, saves=False, promotes=False
    )


view_: Function = _reshaping("view")
squeeze_, unsqueeze_ = _reshaping("squeeze"), _reshaping("unsqueeze")
permute_: Function = primitive(
    lambda x, *, dims: x.transpose(dims),
    lambda g, y, x, *, dims: permute_(g, dims=tuple(sorted(range(len(dims)), key=dims.__getitem__))),
    name="permute",
    saves=False,
    promotes=False,
)
transpose_: Function = primitive(
    lambda x, *, dim0, dim1: x.swapaxes(dim0, dim1),
    lambda g, y, x, *, dim0, dim1: transpose_(g, dim0=dim0, dim1=dim1),
    name="transpose",
    saves=False,
    promotes=False,
)
t_: Function = primitive(lambda x: x.T, lambda g, y, x: t_(g), name="t", saves=False, promotes=False)
clone = primitive(
    lambda x: np.array(x),
    lambda g, y, x: g,
    name="clone",
    saves=False,
    promotes=False,
    doc="A copy; gradients pass through it.",
    example=("clone(tensor([1., 2.]))", "tensor([1., 2.])"),
)


def _repeat_rule(g: Value, y: Value, x: Value, *, repeats: tuple[int, ...]) -> Value:
    shape = (1,) * (len(repeats) - x.ndim) + tuple(x.shape)
    pairs = view_(g, shape=tuple(n for pair in zip(repeats, shape, strict=True) for n in pair))
    return sum_(pairs, dim=tuple(range(0, 2 * len(shape), 2)), keepdim=False)


def _put_diagonal(g: Array, *, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Array:
    out = np.zeros(shape, g.dtype)
    rows, columns = out.shape[dim1], out.shape[dim2]
    n = np.arange(max(min(rows + min(offset, 0), columns - max(offset, 0)), 0))
    np.moveaxis(out, (dim1, dim2), (-2, -1))[..., n - min(offset, 0), n + max(offset, 0)] = g
    return out


repeat_ = primitive(lambda x, *, repeats: np.tile(x, repeats), _repeat_rule, name="repeat", saves=False, promotes=False)
diagonal_ = primitive(
    lambda x, *, offset, dim1, dim2: np.diagonal(x, offset, dim1, dim2),
    lambda g, y, x, **at: put_diagonal_(g, shape=tuple(x.shape), **at),
    name="diagonal",
    saves=False,
    promotes=False,
)
put_diagonal_: Function = primitive(
    _put_diagonal,
    lambda g, y, x, *, shape, **at: diagonal_(g, **at),
    name="put_diagonal",
    saves=False,
    promotes=False,
    doc="The adjoint of diagonal: zeros of ``shape`` with ``g`` on the diagonal.",
)


def _triangle(name: str, function: Function) -> Function:
    def forward(x: Array, *, diagonal: int) -> Any:
        if x.ndim < 2:
            raise RuntimeError(f"{name}: expected at least 2 dimensions, got shape {x.shape}; use unsqueeze first")
        return function(x, diagonal)

    def rule(g: Value, y: Value, x: Value, *, diagonal: int) -> Value:
        return triangle(g, diagonal=diagonal)

    triangle = primitive(forward, rule, name=name, saves=False, promotes=False)
    return triangle


tril_, triu_ = _triangle("tril", np.tril), _triangle("triu", np.triu)
