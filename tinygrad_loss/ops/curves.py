"""Curves that single losses need, each right to the last digits where its textbook form cancels or overflows.

Narrow types are computed in float64 and rounded once. In the rules, a gradient of 0 (of an example without weight)
stays 0 against an infinite derivative: times_log.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Function, Value, primitive
from .elementwise import abs, eq, exp, expm1, log, maximum, ne, sigmoid, sign, tanh
from .masking import where_
from .stable import times_log

_LOG2 = math.log(2.0)
_SERIES = [1.0 / math.factorial(n) for n in range(19, 1, -1)]  # of (exp(x) - 1 - x) / x**2, highest power first


def _wide(x: Any) -> Array:
    return np.asarray(x, np.float64)


def _expm2_of_wide(z: Array) -> Array:
    y = np.where(z == np.inf, z, np.expm1(z) - z)
    near = np.absolute(z) < 1.0
    some = z[near]
    y[near] = some * some * np.polyval(_SERIES, some)
    return y


expm2 = primitive(
    lambda x: _expm2_of_wide(_wide(x)).astype(x.dtype),
    lambda g, y, x: times_log(g, expm1(x)),
    name="expm2",
    arity=1,
    floats=True,
    doc="``exp(input) - 1 - input``, by its series where that cancels.",
)


half_expm2 = primitive(
    lambda x: _half_expm2(_wide(x)).astype(x.dtype),
    lambda g, y, x: times_log(g, (0.5 * expm1(0.5 * x)) * (expm1(0.5 * x) + 2.0)),  # (exp(x) - 1) / 2
    name="half_expm2",
    arity=1,
    floats=True,
    doc="``(exp(input) - 1 - input) / 2``, which overflows only where its value does.",
)


def _half_expm2(x: Array) -> Array:
    e = np.expm1(0.5 * x)
    return e * (0.5 * e) + _expm2_of_wide(0.5 * x)


def _log_cosh(x: Array) -> Array:
    z = np.absolute(_wide(x))
    half = np.sinh(np.minimum(z, 1.0) * 0.5)  # cosh(z) - 1 = 2 sinh(z / 2)**2
    far = z + (np.log1p(np.exp(-2.0 * z)) - _LOG2)
    return np.where(z < 1.0, np.log1p(2.0 * half * half), far).astype(x.dtype)


log_cosh = primitive(
    _log_cosh,
    lambda g, y, x: g * tanh(x),
    name="log_cosh",
    arity=1,
    floats=True,
    doc="``log(cosh(input))``: input**2 / 2 near 0, |input| - log 2 far away.",
)

hypot = primitive(
    np.hypot,
    lambda g, y, a, b: g * (a / (y + eq(y, 0.0))),
    lambda g, y, a, b: g * (b / (y + eq(y, 0.0))),
    name="hypot",
    floats=True,
    doc="``sqrt(input**2 + other**2)`` without overflow; its derivative at the origin is 0.",
)


log1p_square = primitive(
    lambda x: np.where(np.absolute(x) < 1e18, np.log1p(np.square(x)), 2.0 * np.log(np.absolute(x))).astype(x.dtype),
    lambda g, y, x: g * (2.0 * (x / hypot(x, 1.0)) / hypot(x, 1.0)),
    name="log1p_square",
    arity=1,
    floats=True,
    doc="``log(1 + input**2)``, whatever its square.",
)


def _entropy_gap(odds: Array) -> Array:
    """log 2 minus the entropy of r = sigmoid(odds): r log 2r + (1 - r) log 2(1 - r)."""
    z = np.absolute(odds)
    d = np.tanh(np.minimum(z, 2.0) * 0.5)  # 2 r - 1
    near = 0.5 * (np.log1p(-d * d) + d * np.minimum(z, 2.0))
    z = np.minimum(z, 800.0)
    e = np.exp(-z)
    return np.where(z < 2.0, near, _LOG2 - np.log1p(e) - z * (e / (1.0 + e)))


def _log_twice_sigmoid(x: Array) -> Array:
    z = _wide(x)
    near = np.log1p(np.tanh(np.maximum(z, -1.0) * 0.5))
    return np.where(z < -1.0, _LOG2 + np.minimum(z, 0.0) - np.log1p(np.exp(-np.absolute(z))), near).astype(x.dtype)


log_twice_sigmoid = primitive(
    _log_twice_sigmoid,
    lambda g, y, x: g * sigmoid(-x),
    name="log_twice_sigmoid",
    arity=1,
    floats=True,
    doc="``log(2 * sigmoid(input))``: input / 2 near 0.",
)


def _log_odds(x: Value, t: Value, log_target: bool) -> Value:
    """log p - log q for q = exp(x); where p is 0, far below."""
    absent = eq(exp(t), 0.0) if log_target else eq(t, 0.0)
    odds = (t if log_target else log(t + absent)) - x
    return where_(absent, -1000.0, np.asarray(odds) if isinstance(odds, np.generic) else odds)  # it keeps its dtype


def _js_cost(x: Array, t: Array, *, log_target: bool) -> Any:
    kind, x, t = x.dtype, _wide(x), _wide(t)
    p = np.exp(t) if log_target else t
    return (0.5 * (p + np.exp(x)) * _entropy_gap(_log_odds(x, t, log_target))).astype(kind)


js_cost = primitive(
    _js_cost,
    lambda g, y, x, t, *, log_target: g * (0.5 * exp(x) * log_twice_sigmoid(-_log_odds(x, t, log_target))),
    lambda g, y, x, t, *, log_target: (
        g * (0.5 * log_twice_sigmoid(_log_odds(x, t, log_target)) * (exp(t) if log_target else ne(t, 0.0)))
    ),
    name="js_cost",
    floats=True,
    doc="``(p log(p / m) + q log(q / m)) / 2`` with q = exp(x), m = (p + q) / 2; the derivative by a p of 0 is 0.",
)


def _poisson_cost(x: Array, t: Array, *, stirling: bool) -> tuple[Any, Array]:
    kind, x, t = x.dtype, _wide(x), _wide(t)
    rate = np.exp(x)
    y = rate - t * x
    if np.isnan(np.add.reduce(y, axis=None)):  # 0 * inf, which is 0 here, or inf - inf
        larger = np.where(x - np.log(x) > np.log(t), np.inf, -np.inf)
        y = np.where(t == 0, rate, np.where(np.isnan(y) & ~np.isnan(x) & ~np.isnan(t), larger, y))
    if stirling:
        y = np.where(t > 1.0, _rate_gap_of_wide(x, t, rate), y)
    return y.astype(kind), rate


def _poisson_rule(g: Value, y: Value, x: Value, t: Value, *, stirling: bool, kept: Array | None) -> Value:
    return times_log(g, (exp(x) if kept is None else kept) - t)


def _rate_gap_of_wide(x: Array, t: Array, rate: Array) -> Array:
    u = x - np.log(np.where(t == 0, 1.0, t))
    y = np.where(u > 1.0, rate - t * (1.0 + u), t * _expm2_of_wide(u))  # the second overflows for a tiny t
    return np.where(t == 0, rate, np.where(np.isinf(rate), rate + t, y))


poisson_cost = primitive(
    _poisson_cost,
    _poisson_rule,
    lambda g, y, x, t, *, stirling, kept: g * ((log(maximum(t, 1.0)) if stirling else 0.0) - x),
    name="poisson_cost",
    floats=True,
    keeps=True,
    doc="``exp(x) - t * x``; with ``stirling``, where t > 1, plus t log t - t, in a form that does not cancel.",
)

rate_gap: Function = primitive(
    lambda x, t: _rate_gap_of_wide(_wide(x), _wide(t), np.exp(_wide(x))).astype(x.dtype),
    lambda g, y, x, t: times_log(g, exp(x) - t),
    lambda g, y, x, t: g * (log(t + eq(t, 0.0)) - x),  # 0 log 0 counts as constant
    name="rate_gap",
    floats=True,
    doc="``exp(x) - t - t * (x - log t)``, never below 0: the divergence of the rate exp(x) from t.",
)

raise_to = primitive(
    lambda x, *, lo: np.maximum(x, lo),
    lambda g, y, x, *, lo: g,
    name="raise_to",
    saves=False,
    doc="``max(input, lo)`` whose derivative is 1 everywhere: a floor that gradients do not see.",
)


def _over(x: Array, t: Array, v: Array) -> Any:
    y = (x - t) / v
    if np.isfinite(np.add.reduce(y, axis=None)):
        return y
    return np.where(np.isfinite(y), y, (0.5 * x - 0.5 * t) / (0.5 * v))


difference_over: Function = primitive(
    _over,
    lambda g, y, x, t, v: g / v,
    lambda g, y, x, t, v: -(g / v),
    lambda g, y, x, t, v: -g * (y / v),
    name="difference_over",
    floats=True,
    doc="``(input - other) / scale``, also where the difference alone overflows.",
)


def _gaussian_cost(x: Array, t: Array, v: Array) -> Any:
    d = x - t
    y = 0.5 * (d * (d / v) + np.log(v))
    if not np.isfinite(np.add.reduce(y, axis=None)):
        x, t, v = _wide(x), _wide(t), _wide(v)
        d = 0.5 * x - 0.5 * t
        y = np.where(np.isfinite(y), y, (d * (d / (0.5 * v)) + 0.5 * np.log(v)).astype(y.dtype))
    return y


gaussian_cost = primitive(
    _gaussian_cost,
    lambda g, y, x, t, v: g * difference_over(x, t, v),
    lambda g, y, x, t, v: -g * difference_over(x, t, v),
    lambda g, y, x, t, v: g * (0.5 / v - difference_over(x, t, v) * (0.5 * difference_over(x, t, v))),
    name="gaussian_cost",
    floats=True,
    doc="``(log(v) + (input - other)**2 / v) / 2``, whose parts overflow only where it does.",
)


laplace_cost = primitive(
    lambda x, t, v: np.log(2.0 * v) + np.absolute(_over(x, t, v)),
    lambda g, y, x, t, v: g * (sign(x - t) / v),
    lambda g, y, x, t, v: -g * (sign(x - t) / v),
    lambda g, y, x, t, v: g * ((1.0 - abs(difference_over(x, t, v))) / v),
    name="laplace_cost",
    floats=True,
    doc="``log(2 * v) + |input - other| / v``.",
)
