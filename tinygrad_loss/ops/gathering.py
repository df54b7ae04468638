"""torch's gather family: an index tensor says, along one dimension, which elements to read or write."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array, is_number
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .layout import shape_of, view_
from .positions import add_at, check_range, grid, grid_without, integers, read, reader
from .reduce import axis_of

gather_, pick_ = reader("gather"), reader("pick")
take_along_dim_ = reader("take_along_dim")


def _scatter(x: Array, src: Any, *, index: tuple[Array, ...]) -> Array:
    out = np.array(x)
    out[index] = src
    return out


scatter_: Function = primitive(
    _scatter,
    lambda g, y, x, src, *, index: scatter_(g, 0.0, index=index),  # what was overwritten has no part in the result
    lambda g, y, x, src, *, index: read(g, index=index, unique=False),
    name="scatter",
    saves=False,
    promotes=False,
)
scatter_add_ = primitive(
    lambda x, src, *, index: x + add_at(src, index, x.shape),
    lambda g, y, x, src, *, index: g,
    lambda g, y, x, src, *, index: read(g, index=index, unique=False),
    name="scatter_add",
    saves=False,
    promotes=False,
)


def _places(name: str, input: Value, dim: int, index: Value) -> tuple[tuple[int, ...], tuple[Array, ...]]:
    """The shape of ``index`` and index arrays for a (at least 1-d) input, by torch's size rules."""
    shape = shape_of(name, input) or (1,)
    axis = axis_of(name, input, dim)
    chosen = integers(name, "index", index, input)
    at = chosen.reshape(chosen.shape or (1,))
    if chosen.size == 0:
        return chosen.shape, (at,) * len(shape)
    if at.ndim != len(shape):
        raise RuntimeError(
            f"{name}: index has shape {chosen.shape}, input {shape}; both need as many dimensions: use unsqueeze"
        )
    for d, n in enumerate(at.shape):
        if d != axis and n > shape[d]:
            raise RuntimeError(
                f"{name}: index has shape {chosen.shape}, input {shape}; except in dim {axis} no size of index may be "
                "larger than input's: index does not broadcast, expand input first"
            )
    check_range(name, "index", at, shape[axis], f"dim {axis}")
    return chosen.shape, grid(at, axis)


def _vector(input: Value) -> Value:
    """A number as a vector of one element: what gather and scatter treat it as."""
    return input if input.ndim else view_(input, shape=(1,))


def gather(input: Value, dim: int, index: Value) -> Value:
    """``out[i][j] = input[i][index[i][j]]`` for ``dim=1``, and so on: the shape of ``index``.

    ``index`` has as many dimensions as ``input`` and, except in ``dim``, no larger sizes. Raises RuntimeError for
    shapes, IndexError for an index out of range or negative, naming the first.

    >>> gather(tensor([[1., 2.], [3., 4.]]), 1, tensor([[0], [1]]))
    tensor([[1.],
            [4.]])
    """
    shape, places = _places("gather", input, dim, index)
    out = gather_(_vector(input), index=places, unique=False)
    return out if shape else view_(out, shape=())


def _sources(name: str, input: Value, index_shape: tuple[int, ...], src: Value) -> Value:
    """The part of ``src`` that the index covers."""
    shape = shape_of(name, src, "src")
    mine, its = (x.array if isinstance(x, Tensor) else x for x in (input, src))
    if mine.dtype != its.dtype:
        raise RuntimeError(f"{name}: src has dtype {its.dtype}, input {mine.dtype}; use src.to(input.dtype)")
    if 0 not in index_shape and (
        max(len(shape), 1) != max(len(index_shape), 1) or any(n > m for n, m in zip(index_shape, shape, strict=False))
    ):
        raise RuntimeError(f"{name}: index has shape {index_shape}, src {shape}; no size of index may be larger")
    if shape == index_shape or not shape:
        return _vector(src)
    sizes = index_shape or (1,)
    if 0 in sizes:
        return view_(read(_vector(src), index=(slice(0, 0),), unique=True), shape=sizes)
    return read(src, index=tuple(slice(n) for n in sizes), unique=True)


def scatter(input: Value, dim: int, index: Value, src: Value | float) -> Value:
    """``input`` with ``out[i][index[i][j]] = src[i][j]`` for ``dim=1``, and so on; ``src`` may be a number.

    Where an index comes twice, the last one counts (torch leaves it open). Raises RuntimeError for shapes and
    dtypes, IndexError for an index out of range or negative, naming the first.

    >>> scatter(zeros(2, 3), 1, tensor([[0], [2]]), 1.0)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    shape, places = _places("scatter", input, dim, index)
    values = src if is_number(src) else _sources("scatter", input, shape, src)
    out = scatter_(_vector(input), values, index=places)
    return out if input.ndim else view_(out, shape=())


def scatter_add(input: Value, dim: int, index: Value, src: Value) -> Value:
    """``input`` with ``src[i][j]`` added at ``[i][index[i][j]]`` for ``dim=1``, and so on; duplicates accumulate.

    Raises RuntimeError for shapes and dtypes, IndexError for an index out of range or negative, naming the first.

    >>> scatter_add(zeros(2), 0, tensor([1, 1]), tensor([3., 4.]))
    tensor([0., 7.])
    """
    shape, places = _places("scatter_add", input, dim, index)
    out = scatter_add_(_vector(input), _sources("scatter_add", input, shape, src), index=places)
    return out if input.ndim else view_(out, shape=())


def take_along_dim(input: Value, indices: Value, dim: int | None = None) -> Value:
    """As :func:`gather`, but other dimensions broadcast and negative indices count from the end.

    Without ``dim`` both are flattened. Raises RuntimeError for shapes, IndexError for an index out of range.

    >>> take_along_dim(tensor([[3., 4.], [6., 5.]]), tensor([[-1]]), dim=1)
    tensor([[4.],
            [5.]])
    """
    shape = shape_of("take_along_dim", input)
    chosen = integers("take_along_dim", "indices", indices, input)
    if dim is None:
        input = view_(input, shape=(int(np.prod(shape, dtype=np.int64)),))
        shape, chosen, axis = input.shape, chosen.reshape(-1), 0
    else:
        axis = axis_of("take_along_dim", input, dim)
        if chosen.ndim != len(shape):
            raise RuntimeError(
                f"take_along_dim: indices have shape {chosen.shape}, input {shape}; both need as many dimensions"
            )
        input, shape, chosen = _vector(input), shape or (1,), chosen.reshape(chosen.shape or (1,))
    others = [(n, m) for d, (n, m) in enumerate(zip(shape, chosen.shape, strict=True)) if d != axis]
    if any(n != m and 1 not in (n, m) for n, m in others):
        raise RuntimeError(
            f"take_along_dim: indices have shape {chosen.shape}, input {shape}; except in dim {axis} sizes must be "
            "equal or 1"
        )
    check_range("take_along_dim", "indices", chosen, shape[axis], f"dim {axis}", negative=True)
    wide = tuple(m if d == axis or n == 1 else n for d, (n, m) in enumerate(zip(shape, chosen.shape, strict=True)))
    return take_along_dim_(input, index=grid(np.broadcast_to(chosen, wide), axis, tuple(shape)), unique=False)


def pick(input: Value, index: Value, dim: int) -> Value:
    """One element of each line along ``dim``: ``index`` has the shape of ``input`` without ``dim``.

    Raises RuntimeError for another shape, IndexError for an index out of range or negative, naming the first.

    >>> from tinygrad_loss.ops.indexing import pick
    >>> pick(tensor([[1., 2.], [3., 4.]]), tensor([0, 1]), 1)
    tensor([1., 4.])
    """
    shape = shape_of("pick", input)
    axis = axis_of("pick", input, dim)
    chosen = integers("pick", "index", index, input)
    if not shape or chosen.shape != shape[:axis] + shape[axis + 1 :]:
        raise RuntimeError(f"pick: index has shape {chosen.shape}, input {shape}; expected that without dim {axis}")
    check_range("pick", "index", chosen, shape[axis], f"dim {axis}")
    return pick_(input, index=grid_without(chosen, axis), unique=True)
