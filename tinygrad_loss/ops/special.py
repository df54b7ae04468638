"""The error function, which NumPy does not have.

Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function",
Math. Comp. 23 (1969), correct to double precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Function, primitive

_P0 = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3)
_Q0 = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_P1 = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
    8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
_Q1 = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip
_P2 = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4,
)  # fmt: skip
_Q2 = (
    1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
)  # fmt: skip


def _bell(x: Array) -> Any:
    """exp(-x*x). The exponential magnifies the rounding error of a square: x = head + tail, with head*head exact."""
    z = x.astype(np.float64)
    head = np.rint(z * 64.0) / 64.0
    y = np.exp(-head * head) * np.exp((head - z) * (head + z))
    return np.where(np.absolute(z) > 40.0, 0.0, y).astype(x.dtype)  # nan is not above 40


bell: Function = primitive(_bell, lambda g, y, x: g * (y * (-2.0 * x)), name="bell", arity=1, floats=True)


def _erf(x: Array) -> Array:
    z = np.minimum(np.absolute(x.astype(np.float64)), 30.0)  # nan stays nan; erf(30) is 1
    square = z * z
    small = z * np.polyval(_P0, square) / np.polyval(_Q0, square)
    tail = np.exp(-square)
    middle = 1.0 - tail * np.polyval(_P1, z) / np.polyval(_Q1, z)
    inverse = 1.0 / np.maximum(square, 1.0)
    far = inverse * np.polyval(_P2, inverse) / np.polyval(_Q2, inverse)
    large = 1.0 - tail * (1.0 / math.sqrt(math.pi) - far) / np.maximum(z, 1.0)
    value = np.where(z <= 0.46875, small, np.where(z <= 4.0, middle, large))
    return np.copysign(value, x).astype(x.dtype)


erf = primitive(
    _erf,
    lambda g, y, x: g * (bell(x) * (2.0 / math.sqrt(math.pi))),
    name="erf",
    arity=1,
    floats=True,
    doc="The error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to ``input``.",
    example=("erf(tensor([0.0, 1.0]))", "tensor([0.0000, 0.8427])"),
)
