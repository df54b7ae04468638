"""The projection onto the simplex: probabilities as near to the scores as can be, most of them exactly 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Function, Value, primitive
from .elementwise import gt
from .reduce import axis_of, sum_


def _sparsemax(x: Array, *, dim: int) -> Any:
    if x.size == 0:
        return x.copy()
    if x.ndim == 0:
        return np.where(np.isfinite(x), x.dtype.type(1), x - x)
    z = x.astype(np.float64, copy=False)
    z = z - np.maximum.reduce(z, axis=dim, keepdims=True)
    ordered = np.flip(np.sort(z, axis=dim), dim)
    sums = np.cumsum(ordered, axis=dim)
    ranks = np.arange(1, x.shape[dim] + 1).reshape((-1,) + (1,) * (x.ndim - 1 - dim))
    count = np.add.reduce(1.0 + ranks * ordered > sums, axis=dim, keepdims=True, dtype=np.int64)
    threshold = (np.take_along_axis(sums, np.maximum(count - 1, 0), dim) - 1.0) / count  # nan: no count, so nan
    return np.maximum(z - threshold, 0.0).astype(x.dtype, copy=False)


def _sparsemax_rule(g: Value, y: Value, x: Value, *, dim: int) -> Value:
    """Within the support the mean is taken away; outside nothing moves. Piecewise constant, so it needs no more."""
    support, axes = gt(y, 0), (dim,) if x.ndim else None
    inside = g * support
    return inside - support * (sum_(inside, dim=axes, keepdim=True) / sum_(support, dim=axes, keepdim=True))


sparsemax_: Function = primitive(_sparsemax, _sparsemax_rule, name="sparsemax", floats=True)


def sparsemax(input: Value, dim: int = -1) -> Value:
    """The point of the simplex nearest to ``input`` along ``dim``: non-negative, sums to one, often exactly 0.

    Source: Martins and Astudillo, "From softmax to sparsemax", 2016. Raises IndexError when ``dim`` is out of range.

    >>> from tinygrad_loss.ops.simplex import sparsemax
    >>> sparsemax(tensor([1., 1.5, -1.]))
    tensor([0.2500, 0.7500, 0.0000])
    """
    return sparsemax_(input, dim=axis_of("sparsemax", input, dim))
