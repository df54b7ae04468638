"""Reductions, and the broadcasts that are their adjoints.

Sums are accurate (see accumulate.py); a mean never overflows when its true value does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..accumulate import accurate_sum, add_reduce, sum_to
from ..dtypes import Array, dtype
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .elementwise import abs, eq, isnan, sign

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
    if isinstance(dim, int):
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


def _count(shape: Sequence[int], dim: Axes) -> int:
    return math.prod(shape) if dim is None else math.prod(shape[d] for d in dim)


def _mean(x: Array, *, dim: Axes, keepdim: bool) -> Any:
    n = _count(x.shape, dim)
    if n == 0:
        return add_reduce(x, axis=dim, keepdims=keepdim) * x.dtype.type(np.nan)
    if x.dtype.itemsize == 2:
        return (add_reduce(x, axis=dim, keepdims=keepdim, dtype=np.float64) / n).astype(x.dtype)
    y = accurate_sum(x, dim, keepdim) / n
    if not (math.isfinite(y) if y.ndim == 0 else np.isfinite(y).all()):
        return accurate_sum(x / n, dim, keepdim)  # the sum overflowed, the mean need not
    return y


mean_ = primitive(
    _mean,
    lambda g, y, x, *, dim, keepdim: spread(
        g / max(_count(x.shape, dim), 1), shape=tuple(x.shape), dim=dim, keepdim=keepdim
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


def _or_one(x: Value) -> Value:
    """x, with 1 for 0: the denominator where the numerator is zeroed too."""
    return x + eq(x, 0)


def _deviation(x: Array, dim: Axes) -> Any:
    return x - _mean(x, dim=dim, keepdim=True)


def _var(x: Array, *, dim: Axes, keepdim: bool, correction: float) -> Any:
    free = max(_count(x.shape, dim) - correction, 0)
    squares = accurate_sum(np.square(_deviation(x, dim)), dim, keepdim)
    return np.true_divide(squares, squares.dtype.type(free))


def _std(x: Array, *, dim: Axes, keepdim: bool, correction: float) -> Any:
    return np.sqrt(_var(x, dim=dim, keepdim=keepdim, correction=correction))


def _var_rule(g: Value, y: Value, x: Value, *, dim: Axes, keepdim: bool, correction: float) -> Value:
    free = _count(x.shape, dim) - correction
    factor = spread(g * (2.0 / free if free > 0 else math.nan), shape=tuple(x.shape), dim=dim, keepdim=keepdim)
    return factor * (x - mean_(x, dim=dim, keepdim=True))


def _std_rule(g: Value, y: Value, x: Value, *, dim: Axes, keepdim: bool, correction: float) -> Value:
    # at equal values the deviation is 0 and 0 is the smallest subgradient: torch's choice as well
    share = g * (~eq(y, 0)) / (2.0 * _or_one(y))
    return _var_rule(share, y, x, dim=dim, keepdim=keepdim, correction=correction)


var_ = primitive(_var, _var_rule, name="var")
std_ = primitive(_std, _std_rule, name="std")


def _norm(x: Array, *, p: float, dim: Axes, keepdim: bool) -> Any:
    size = np.absolute(x)
    if p == math.inf:
        return _maximum(size, axis=dim, keepdims=keepdim, initial=0)
    if p == -math.inf:
        return _minimum(size, axis=dim, keepdims=keepdim)
    if p == 0:
        return accurate_sum((size != 0).astype(x.dtype), dim, keepdim)
    if p == 1:
        return accurate_sum(size, dim, keepdim)
    top = _maximum(size, axis=dim, keepdims=True, initial=0)
    scale = np.where((top > 0) & np.isfinite(top), top, 1).astype(x.dtype)  # neither overflow nor underflow
    total = accurate_sum((size / scale) ** p, dim, keepdim)
    root = np.sqrt(total) if p == 2 else total ** (1.0 / p)
    return np.asarray(root * scale.reshape(np.shape(root)))


def _norm_rule(g: Value, y: Value, x: Value, *, p: float, dim: Axes, keepdim: bool) -> Value:
    shape = tuple(x.shape)
    if p == 0:
        return g * 0.0 * spread(y, shape=shape, dim=dim, keepdim=keepdim)
    if p == 1:
        return spread(g, shape=shape, dim=dim, keepdim=keepdim) * sign(x)
    if math.isinf(p):
        top = spread(y, shape=shape, dim=dim, keepdim=keepdim)
        chosen = eq(abs(x), top)
        share = spread(g / sum_(chosen, dim=dim, keepdim=keepdim), shape=shape, dim=dim, keepdim=keepdim)
        return share * chosen * sign(x)
    length = spread(_or_one(y), shape=shape, dim=dim, keepdim=keepdim)
    unit = x / length  # of a zero vector: 0, the smallest subgradient
    ray = unit if p == 2 else sign(x) * abs(unit) ** (p - 1)
    return spread(g, shape=shape, dim=dim, keepdim=keepdim) * ray


norm_ = primitive(_norm, _norm_rule, name="norm", floats=True, grad_name="LinalgVectorNorm")


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
    if _count(input.shape, axes) == 0:
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


def _spreadable(name: str, input: Value) -> None:
    if (input.array if isinstance(input, Tensor) else input).dtype.kind != "f":
        raise RuntimeError(f"{name}: got {input.dtype}; it needs floating point values: use x.float()")


def var(
    input: Value, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> Value:
    """The variance over ``dim``, divided by ``n - correction`` (1, or 0 with ``unbiased=False``).

    Raises RuntimeError for integers.

    >>> var(tensor([1., 2., 3., 4.]))
    tensor(1.6667)
    """
    _spreadable("var", input)
    c = float(unbiased) if correction is None else correction
    return var_(input, dim=axes_of("var", input, dim), keepdim=keepdim, correction=c)


def std(
    input: Value, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> Value:
    """The standard deviation over ``dim``; its gradient at equal values is 0.

    Raises RuntimeError for integers.

    >>> std(tensor([1., 2., 3., 4.]))
    tensor(1.2910)
    """
    _spreadable("std", input)
    c = float(unbiased) if correction is None else correction
    return std_(input, dim=axes_of("std", input, dim), keepdim=keepdim, correction=c)


def norm(input: Value, p: float | str = 2.0, dim: Dim = None, keepdim: bool = False) -> Value:
    """The ``p``-norm of the elements over ``dim``, without overflow; its gradient at 0 is 0.

    ``p`` is a number, ``inf`` or ``"fro"`` (2). Raises RuntimeError for integers, ValueError for another name.

    >>> norm(tensor([3., 4.])), norm(tensor([1e30, 1e30]))
    (tensor(5.), tensor(1.4142e+30))
    """
    _spreadable("norm", input)
    if isinstance(p, str):
        if p != "fro":
            raise ValueError(f"norm: p={p!r}; expected a number or 'fro'")
        p = 2.0
    return norm_(input, p=float(p), dim=axes_of("norm", input, dim), keepdim=keepdim)
