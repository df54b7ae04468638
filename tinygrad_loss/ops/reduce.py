"""Reductions, and the broadcasts that are their adjoints.

Sums are accurate (see accumulate.py); a mean never overflows when its true value does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..accumulate import accurate_sum, add_reduce, sum_to
from ..dtypes import Array, dtype
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .elementwise import eq, isnan

_maximum: Any = np.maximum.reduce
_minimum: Any = np.minimum.reduce
_logical_or: Any = np.logical_or.reduce
_logical_and: Any = np.logical_and.reduce

Dim: TypeAlias = int | Sequence[int] | None
Axes: TypeAlias = tuple[int, ...] | None


def axis_of(name: str, input: Value, dim: int) -> int:
    """A valid, non-negative axis; IndexError names the valid range."""
    ndim: int = max(input.ndim, 1)
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise TypeError(f"{name}: dim must be an int, got {dim!r}")
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"{name}: Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim}) for a "
            f"tensor of shape {tuple(input.shape)}"
        )
    return int(dim) % ndim


def axes_of(name: str, input: Value, dim: Dim) -> Axes:
    """The axes to reduce, sorted; None means all."""
    if dim is None:
        return None
    if not isinstance(dim, Iterable):
        return (axis_of(name, input, dim),) if input.ndim or axis_of(name, input, dim) else None
    axes = tuple(sorted(axis_of(name, input, d) for d in dim))
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"{name}: dim={tuple(dim)} names a dimension twice; name each once")
    return (axes or None) if input.ndim else None


def _spread(x: Array, *, shape: tuple[int, ...], dim: Axes, keepdim: bool) -> Array:
    if not keepdim:
        x = x.reshape([1 if dim is None or i in dim else n for i, n in enumerate(shape)])
    return np.broadcast_to(x, shape)


def _sum(x: Array, *, dim: Axes, keepdim: bool) -> Any:
    if x.dtype.kind != "f":
        return add_reduce(x, axis=dim, keepdims=keepdim, dtype=np.int64)
    return accurate_sum(x, dim, keepdim)


spread: Function = primitive(
    _spread,
    lambda g, y, x, *, shape, dim, keepdim: sum_(g, dim=dim, keepdim=keepdim),
    name="spread",
    saves=False,
    doc="The adjoint of a sum: repeat ``x`` along the reduced ``dim`` up to ``shape``.",
)
sum_: Function = primitive(
    _sum,
    lambda g, y, x, *, dim, keepdim: spread(g, shape=tuple(x.shape), dim=dim, keepdim=keepdim),
    name="sum",
    saves=False,
)
broadcast_ = primitive(
    lambda x, *, shape: np.broadcast_to(x, shape),
    lambda g, y, x, *, shape: g,  # the engine un-broadcasts
    name="broadcast_to",
    saves=False,
    grad_name="Expand",
)
sum_to_ = primitive(
    lambda x, *, shape: sum_to(x, shape),
    lambda g, y, x, *, shape: broadcast_(g, shape=tuple(x.shape)),
    name="sum_to_size",
    saves=False,
)


def count_of(shape: Sequence[int], dim: Axes) -> int:
    return math.prod(shape) if dim is None else math.prod(shape[d] for d in dim)


def mean_of(x: Array, *, dim: Axes, keepdim: bool) -> Any:
    n = count_of(x.shape, dim)
    if n == 0:
        return add_reduce(x, axis=dim, keepdims=keepdim) * x.dtype.type(np.nan)
    if x.dtype.itemsize == 2:
        return (add_reduce(x, axis=dim, keepdims=keepdim, dtype=np.float64) / n).astype(x.dtype)
    y = accurate_sum(x, dim, keepdim) / n
    if not (math.isfinite(y) if y.ndim == 0 else np.isfinite(y).all()):
        y = accurate_sum(x / n, dim, keepdim)  # the sum overflowed, the mean need not
        ends = (extreme(x, axis=dim, keepdims=keepdim) for extreme in (_minimum, _maximum))
        return np.clip(y, *ends)  # rounding carries the mean of the largest numbers beyond them
    return y


mean_ = primitive(
    mean_of,
    lambda g, y, x, *, dim, keepdim: spread(
        g / max(count_of(x.shape, dim), 1), shape=tuple(x.shape), dim=dim, keepdim=keepdim
    ),
    name="mean",
    saves=False,
)


def _extreme_rule(g: Value, y: Value, x: Value, *, dim: Axes, keepdim: bool) -> Value:
    """Ties share the gradient equally; a nan result is shared by the nans."""
    top = spread(y, shape=tuple(x.shape), dim=dim, keepdim=keepdim)
    chosen = eq(x, top) | (isnan(x) & isnan(top))
    share = g / sum_(chosen, dim=dim, keepdim=keepdim)
    return spread(share, shape=tuple(x.shape), dim=dim, keepdim=keepdim) * chosen


amax_ = primitive(lambda x, *, dim, keepdim: _maximum(x, axis=dim, keepdims=keepdim), _extreme_rule, name="amax")
amin_ = primitive(lambda x, *, dim, keepdim: _minimum(x, axis=dim, keepdims=keepdim), _extreme_rule, name="amin")
any_ = primitive(lambda x, *, dim, keepdim: _logical_or(x, axis=dim, keepdims=keepdim), name="any")
all_ = primitive(lambda x, *, dim, keepdim: _logical_and(x, axis=dim, keepdims=keepdim), name="all")


def _typed(input: Value, to: dtype | None) -> Value:
    return input.to(to) if to is not None and isinstance(input, Tensor) else input


def sum(input: Value, dim: Dim = None, keepdim: bool = False, *, dtype: dtype | None = None, axis: Dim = None) -> Value:
    """The sum over ``dim`` (all when None). Integers and booleans are summed in int64.

    Raises IndexError when ``dim`` is out of range.

    >>> sum(tensor([[1., 2.], [3., 4.]]), dim=0)
    tensor([4., 6.])
    """
    return sum_(_typed(input, dtype), dim=axes_of("sum", input, dim if axis is None else axis), keepdim=keepdim)


def mean(
    input: Value, dim: Dim = None, keepdim: bool = False, *, dtype: dtype | None = None, axis: Dim = None
) -> Value:
    """The mean over ``dim`` (all when None); nan when there is nothing to average.

    Raises RuntimeError for integers, IndexError when ``dim`` is out of range.

    >>> mean(tensor([[1., 2.], [3., 4.]]), dim=1)
    tensor([1.5000, 3.5000])
    """
    input = _typed(input, dtype)
    if (input.array if isinstance(input, Tensor) else input).dtype.kind != "f":
        raise RuntimeError(f"mean: got {input.dtype}, which has no fractions; use x.float().mean() or dtype=")
    return mean_(input, dim=axes_of("mean", input, dim if axis is None else axis), keepdim=keepdim)


def _extreme(name: str, op: Any, input: Value, dim: Dim, keepdim: bool) -> Value:
    axes = axes_of(name, input, dim)
    if count_of(input.shape, axes) == 0:
        raise RuntimeError(
            f"{name}: nothing to choose from in shape {tuple(input.shape)}; give a dim that is not empty"
        )
    return op(input, dim=axes, keepdim=keepdim)


def amax(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """The maximum over ``dim``; ties share the gradient equally.

    Raises RuntimeError when there is nothing to choose from.

    >>> amax(tensor([[1., 2.], [3., 0.]]), dim=1)
    tensor([2., 3.])
    """
    return _extreme("amax", amax_, input, dim, keepdim)


def amin(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """The minimum over ``dim``; ties share the gradient equally.

    Raises RuntimeError when there is nothing to choose from.

    >>> amin(tensor([[1., 2.], [3., 0.]]), dim=1)
    tensor([1., 0.])
    """
    return _extreme("amin", amin_, input, dim, keepdim)


def any(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """Whether any element over ``dim`` is nonzero.

    >>> any(tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return any_(input, dim=axes_of("any", input, dim), keepdim=keepdim)


def all(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """Whether all elements over ``dim`` are nonzero.

    >>> all(tensor([[1, 1], [0, 1]]), dim=1)
    tensor([ True, False])
    """
    return all_(input, dim=axes_of("all", input, dim), keepdim=keepdim)
