"""float32 and float16 by way of float64, in blocks that stay in the cache.

NumPy's float32 exp, log and log1p are up to 2.7 units in the last place off, and by how much depends on the
processor. What is built on them keeps its digits when it is computed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array

_BLOCK = 8192


def in_float64(x: Any, in_place: Callable[[Array], object]) -> Array:
    """``in_place``, which overwrites a float64 array with its function of it, applied to a narrower ``x``."""
    x = np.asarray(x)
    y = np.empty(x.shape, x.dtype)
    if x.size <= _BLOCK:
        z = x.astype(np.float64)
        in_place(z)
        y[...] = z
        return y
    source, result, scratch = x.reshape(-1), y.reshape(-1), np.empty(_BLOCK)
    for start in range(0, x.size, _BLOCK):
        part = source[start : start + _BLOCK]
        z = scratch[: part.size]
        z[...] = part
        in_place(z)
        result[start : start + _BLOCK] = z
    return y
