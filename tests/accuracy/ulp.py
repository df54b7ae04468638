"""The distance between a computed number and the exact one, in units in the last place."""

from __future__ import annotations

import math
from typing import Any

from mpmath import mpf

_PRECISION = {"float64": (53, -1074, 1024), "float32": (24, -149, 128)}  # digits, smallest exponent, first too large
EPS = {"float64": 2.0**-53, "float32": 2.0**-24}
LEAST = {"float64": 2.0**-1022, "float32": 2.0**-126}  # the smallest normal number


def spacing(x: Any, kind: str) -> Any:
    """The gap between neighbouring numbers of the type at the magnitude of ``x``."""
    digits, lowest, highest = _PRECISION[kind]
    if x == 0:
        return mpf(2) ** lowest
    man, e = x.man_exp
    top = e + abs(man).bit_length() - 1
    return mpf(2) ** min(max(top - digits + 1, lowest), highest - digits)


def ulps(computed: float, true: Any, size: Any, kind: str) -> float:
    """|computed - true| in units in the last place of ``size``, or of ``true`` where that is larger.

    An infinity is right where the true value rounds to it; elsewhere it counts as the first number too large.
    """
    if math.isnan(computed):
        return math.inf
    limit = mpf(2) ** _PRECISION[kind][2]
    if math.isinf(computed):
        if math.copysign(1, computed) * true >= limit:
            return 0.0
        value = limit if computed > 0 else -limit
    else:
        value = mpf(computed)
        if abs(true) >= limit:
            true = limit if true > 0 else -limit
    return float(abs(value - true) / spacing(max(abs(true), size), kind))
