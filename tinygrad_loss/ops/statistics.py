"""Spread and size: variance, standard deviation and norms, whose gradients at 0 are the smallest ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..accumulate import accurate_sum
from ..dtypes import Array
from ..primitive import Value, primitive
from ..tape import Tensor
from .elementwise import abs, eq, sign
from .reduce import Axes, Dim, axes_of, count_of, mean_, mean_of, spread, sum_

minimum_reduce: Any = np.minimum.reduce
maximum_reduce: Any = np.maximum.reduce


def _or_one(x: Value) -> Value:
    """x, with 1 for 0: the denominator where the numerator is zeroed too."""
    return x + eq(x, 0)


def _deviation(x: Array, dim: Axes) -> Any:
    return x - mean_of(x, dim=dim, keepdim=True)


def _var(x: Array, *, dim: Axes, keepdim: bool, correction: float) -> Any:
    free = max(count_of(x.shape, dim) - correction, 0)
    squares = accurate_sum(np.square(_deviation(x, dim)), dim, keepdim)
    return np.true_divide(squares, squares.dtype.type(free))


def _std(x: Array, *, dim: Axes, keepdim: bool, correction: float) -> Any:
    return np.sqrt(_var(x, dim=dim, keepdim=keepdim, correction=correction))


def _var_rule(g: Value, y: Value, x: Value, *, dim: Axes, keepdim: bool, correction: float) -> Value:
    free = count_of(x.shape, dim) - correction
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
        return maximum_reduce(size, axis=dim, keepdims=keepdim, initial=0)
    if p == -math.inf:
        return minimum_reduce(size, axis=dim, keepdims=keepdim)
    if p == 0:
        return accurate_sum((size != 0).astype(x.dtype), dim, keepdim)
    if p == 1:
        return accurate_sum(size, dim, keepdim)
    top = maximum_reduce(size, axis=dim, keepdims=True, initial=0)
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
    # below 2 the power of a zero coordinate is steep without bound: there the smallest subgradient is 0 as well
    ray = unit if p == 2 else sign(x) * (abs(unit) + (eq(unit, 0) if p < 2 else 0.0)) ** (p - 1)
    return spread(g, shape=shape, dim=dim, keepdim=keepdim) * ray


norm_ = primitive(_norm, _norm_rule, name="norm", floats=True, grad_name="LinalgVectorNorm")


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
