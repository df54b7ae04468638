"""Sums that keep their digits.

``np.add.reduce`` adds pairwise only along a contiguous last axis: over axis 0 a float32 sum of 2**25 ones
stops at 16777216, and every bias gradient and batch mean is such a sum. Long sums of the narrow types go
through float64 instead.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dtypes import Array

add_reduce: Any = np.add.reduce  # its overloads do not take a bool that is only known at run time
_SHORT = 128  # below this many terms a plain float32 sum loses at most a few units in the last place


def accurate_sum(x: Array, axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """``x`` summed over ``axes`` (all when None) in x's dtype, as exactly as that dtype can say."""
    if x.dtype.itemsize >= 8 or x.dtype.kind != "f":
        return add_reduce(x, axis=axes, keepdims=keepdims)
    terms = x.size if axes is None else math.prod(x.shape[a] for a in axes)
    if terms <= _SHORT and x.dtype.itemsize == 4:
        return add_reduce(x, axis=axes, keepdims=keepdims)
    if x.dtype.itemsize == 4 and x.flags.c_contiguous and (axes is None or axes == (x.ndim - 1,)):
        return add_reduce(x, axis=axes, keepdims=keepdims)  # pairwise: the error grows with log2(terms)
    return add_reduce(x, axis=axes, keepdims=keepdims, dtype=np.float64).astype(x.dtype)


def sum_to(x: Array, shape: tuple[int, ...]) -> Any:
    """Undo a broadcast: sum ``x`` down to ``shape``."""
    if x.shape[1:] == shape and len(x) <= _SHORT and x.dtype.itemsize >= 4:
        return add_reduce(x, 0)  # the bias gradient of a batch
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and x.shape[i + extra] != 1)
    return accurate_sum(x, axes, keepdims=True).reshape(shape) if axes else x
