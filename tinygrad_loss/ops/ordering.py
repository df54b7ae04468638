"""Sorting and choosing: the positions are computed, the values read at them, so gradients follow the positions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Array
from ..primitive import Value, primitive
from ..tape import Tensor
from .elementwise import maximum, minimum
from .layout import shape_of, view_
from .positions import grid, grid_without, reader
from .reduce import amax_, amin_, axis_of


class Ordered(NamedTuple):
    """The elements and where they stood; prints as torch's ``return_types``."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"tinygrad_loss.return_types.{self.name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    @property
    def name(self) -> str:
        return type(self).__name__


def _named(name: str) -> type[Ordered]:
    return type(name, (Ordered,), {"__slots__": ()})


_types = {name: _named(name) for name in ("max", "min", "sort", "topk")}
_readers = {name: reader(f"{name}_dim" if name in ("max", "min") else name, name.capitalize()) for name in _types}


def _pair(name: str, values: Value, positions: Array, input: Value) -> Ordered:
    return _types[name](values, Tensor(positions) if isinstance(input, Tensor) else positions)


def _read(name: str, input: Value, positions: Array, axis: int) -> Ordered:
    """Values at ``positions``, which have as many dimensions as ``input``, and the positions themselves."""
    if positions.ndim == 0:
        return _pair(name, view_(input, shape=()), positions, input)
    return _pair(name, _readers[name](input, index=grid(positions, axis), unique=True), positions, input)


def _array(name: str, input: Value) -> Array:
    shape_of(name, input)
    array: Array = input.array if isinstance(input, Tensor) else np.asarray(input)
    return array


def _order(x: Array, axis: int, descending: bool) -> Array:
    """Sorting positions: equal elements stay in their order, nan counts as the largest."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return np.asarray(np.argsort(x, axis=axis, kind="stable"))
    # from behind, so that both reversals together keep equal elements in their order
    last: int = x.shape[axis] - 1
    return np.asarray(last - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis))


def sort(input: Value, dim: int = -1, descending: bool = False, stable: bool = False) -> Ordered:
    """``(values, indices)``, sorted along ``dim``. Always stable; nan counts as the largest.

    Raises IndexError when ``dim`` is out of range.

    >>> sort(tensor([2., 3., 1.]), descending=True).indices
    tensor([1, 0, 2])
    """
    x = _array("sort", input)
    axis = axis_of("sort", input, dim)
    return _read("sort", input, _order(x, axis, descending), axis)


def argsort(input: Value, dim: int = -1, descending: bool = False, stable: bool = False) -> Value:
    """The positions that sort ``input`` along ``dim``.

    >>> argsort(tensor([2., 3., 1.]))
    tensor([2, 0, 1])
    """
    return sort(input, dim, descending).indices


def topk(input: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
    """``(values, indices)`` of the ``k`` largest (or smallest) along ``dim``, in order; nan counts as the largest.

    Raises RuntimeError when there are fewer than ``k``, IndexError when ``dim`` is out of range.

    >>> topk(tensor([2., 3., 1.]), 2).values
    tensor([3., 2.])
    """
    x = _array("topk", input)
    axis = axis_of("topk", input, dim)
    n = x.shape[axis] if x.ndim else 1
    if not (0 <= k <= n if x.ndim else k == 1):
        raise RuntimeError(f"topk: k={k} is out of range for dim {axis} of size {n}, shape {x.shape}")
    if x.ndim == 0:
        return _read("topk", input, np.zeros((), np.int64), 0)
    first = (slice(None),) * axis + (slice(k),)
    if 0 < k < n // 8:  # select before sorting; nan counts as the largest in both
        parted = np.argpartition(x, n - k if largest else k - 1, axis)
        chosen = np.sort(np.flip(parted, axis)[first] if largest else parted[first], axis)
        chosen = np.take_along_axis(chosen, _order(np.take_along_axis(x, chosen, axis), axis, largest), axis)
    else:
        chosen = _order(x, axis, largest)[first]
    return _read("topk", input, chosen, axis)


def _extreme(name: str, x: Array, axis: int) -> Array:
    """Where the first extreme element (or the first nan) along ``axis`` is; that dimension is gone."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if x.shape[axis] == 0:
        raise IndexError(f"{name}: Expected reduction dim {axis} to have non-zero size, got shape {x.shape}")
    return np.asarray(x.argmax(axis) if name.endswith("max") else x.argmin(axis))


def _kept(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :]) if shape else ()


def _position(x: Array, *, name: str, dim: int | None, keepdim: bool) -> Array:
    if x.dtype.kind == "b":
        raise RuntimeError(f"{name}: got a bool tensor; use .long()")
    if dim is None:
        if x.size == 0:
            raise IndexError(f"{name}: nothing to choose from in shape {x.shape}; give a dim that is not empty")
        return _extreme(name, x.reshape(-1), 0).reshape((1,) * x.ndim if keepdim else ())
    found = _extreme(name, x, dim)
    return found.reshape(_kept(x.shape, dim)) if keepdim else found


argmax_ = primitive(lambda x, **how: _position(x, name="argmax", **how), name="argmax")
argmin_ = primitive(lambda x, **how: _position(x, name="argmin", **how), name="argmin")


def argmax(input: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """The position of the first largest element along ``dim``, or in the flattened input; nan counts as largest.

    Raises IndexError when there is nothing to choose from or ``dim`` is out of range.

    >>> argmax(tensor([[1., 3.], [4., 2.]]), dim=1)
    tensor([1, 0])
    """
    shape_of("argmax", input)
    return argmax_(input, dim=None if dim is None else axis_of("argmax", input, dim), keepdim=keepdim)


def argmin(input: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """The position of the first smallest element along ``dim``, or in the flattened input; nan counts as smallest.

    Raises IndexError when there is nothing to choose from or ``dim`` is out of range.

    >>> argmin(tensor([[1., 3.], [4., 2.]]), dim=1)
    tensor([0, 1])
    """
    shape_of("argmin", input)
    return argmin_(input, dim=None if dim is None else axis_of("argmin", input, dim), keepdim=keepdim)


def _along(name: str, input: Value, dim: int, keepdim: bool) -> Ordered:
    x = _array(name, input)
    axis = axis_of(name, input, dim)
    found = _extreme(name, x, axis)
    if x.ndim == 0:
        return _pair(name, view_(input, shape=()), found, input)
    values = _readers[name](input, index=grid_without(found, axis), unique=True)
    if keepdim:
        kept = _kept(x.shape, axis)
        return _pair(name, view_(values, shape=kept), found.reshape(kept), input)
    return _pair(name, values, found, input)


def max_dim(input: Value, dim: int, keepdim: bool = False) -> Ordered:
    """``(values, indices)`` of the first largest elements along ``dim``; the gradient goes to those alone.

    Raises IndexError when there is nothing to choose from or ``dim`` is out of range.

    >>> max_dim(tensor([[1., 3.], [4., 2.]]), 1)
    tinygrad_loss.return_types.max(
    values=tensor([3., 4.]),
    indices=tensor([1, 0]))
    """
    return _along("max", input, dim, keepdim)


def min_dim(input: Value, dim: int, keepdim: bool = False) -> Ordered:
    """``(values, indices)`` of the first smallest elements along ``dim``; the gradient goes to those alone.

    Raises IndexError when there is nothing to choose from or ``dim`` is out of range.

    >>> min_dim(tensor([[1., 3.], [4., 2.]]), 1).values
    tensor([1., 2.])
    """
    return _along("min", input, dim, keepdim)


def _max_or_min(name: str, whole: Any, along: Any, pairwise: Any, input: Value, dim: Any, keepdim: bool) -> Any:
    if isinstance(dim, (Tensor, np.ndarray)):
        return pairwise(input, dim)
    if dim is not None:
        return along(input, dim, keepdim)
    if 0 in shape_of(name, input):
        raise RuntimeError(f"{name}: nothing to choose from in shape {tuple(input.shape)}; give another dim")
    return whole(input, dim=None, keepdim=False)


def max(input: Value, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with ``dim``, ``(values, indices)`` along it; with a tensor, the elementwise maximum.

    Ties share the gradient, except along a ``dim``, where the first one gets it. Raises RuntimeError when there is
    nothing to choose from.

    >>> torch.max(tensor([[1., 3.], [4., 2.]]))
    tensor(4.)
    """
    return _max_or_min("max", amax_, max_dim, maximum, input, dim, keepdim)


def min(input: Value, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with ``dim``, ``(values, indices)`` along it; with a tensor, the elementwise minimum.

    Ties share the gradient, except along a ``dim``, where the first one gets it. Raises RuntimeError when there is
    nothing to choose from.

    >>> torch.min(tensor([[1., 3.], [4., 2.]]))
    tensor(1.)
    """
    return _max_or_min("min", amin_, min_dim, minimum, input, dim, keepdim)
