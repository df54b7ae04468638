"""The derivative table: element-by-element operations, one line of calculus each.

``g`` is the gradient of the result, ``y`` the result, then the arguments. Kinks follow torch 2.13.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Function, Rule, Value, primitive
from ..tape import Tensor
from .docs import DOCS
from .wide import in_float64


def op(forward: Function, *rules: Rule, name: str, **flags: Any) -> Function:
    """A primitive with its line of documentation."""
    doc, call, printed = DOCS[name]
    return primitive(forward, *rules, name=name, doc=doc, example=(call, printed), **flags)


def _sign(x: Array, out: Array | None = None) -> Any:
    """np.sign without its branches: on mixed signs, and in place, they cost ten times as much."""
    if x.dtype.kind != "f" or x.size < 256:
        return np.sign(x, out=out)
    signs = np.greater(x, 0).view(np.int8)
    signs -= np.less(x, 0).view(np.int8)
    lost = np.isnan(x) if np.isnan(np.add.reduce(x, axis=None)) else None  # a nan, or inf - inf
    y = np.empty(x.shape, x.dtype) if out is None else out
    y[...] = signs
    if lost is not None:
        y[lost] = np.nan
    return y


# Comparisons: boolean results, no derivative. An exact tie is a matter of the last bit, as everywhere.
gt = op(np.greater, name="gt")
ge = op(np.greater_equal, name="ge")
lt = op(np.less, name="lt")
le = op(np.less_equal, name="le")
eq = op(np.equal, name="eq")
ne = op(np.not_equal, name="ne")
isnan = op(np.isnan, name="isnan")
isinf = op(np.isinf, name="isinf")
isfinite = op(np.isfinite, name="isfinite")
logical_not = op(np.logical_not, name="logical_not")
logical_and = op(np.logical_and, name="logical_and")
logical_or = op(np.logical_or, name="logical_or")
bitwise_and = op(np.bitwise_and, name="bitwise_and")
bitwise_or = op(np.bitwise_or, name="bitwise_or")
bitwise_xor = op(np.bitwise_xor, name="bitwise_xor")
bitwise_not = op(np.invert, name="bitwise_not")

# Steps: the derivative is zero where there is one.
zeros_like_ = primitive(np.zeros_like, name="zeros_like_")
sign = op(_sign, lambda g, y, x: zeros_like_(g), name="sign", saves=False, arity=1, into=True)
floor = op(np.floor, lambda g, y, x: zeros_like_(g), name="floor", saves=False)
ceil = op(np.ceil, lambda g, y, x: zeros_like_(g), name="ceil", saves=False)
round_ = op(np.rint, lambda g, y, x: zeros_like_(g), name="round", saves=False)

# The same values under another name: where a graph is to be cut and joined again.
alias = primitive(lambda x: x, lambda g, y, x: g, name="alias", arity=1, saves=False)

# Arithmetic.
add_ = primitive(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g, name="add", saves=False)
sub_ = primitive(np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g, name="sub", saves=False)
mul = op(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, name="mul")
true_divide = op(np.true_divide, lambda g, y, a, b: g / b, lambda g, y, a, b: -g * (y / b), name="div", floats=True)
neg = op(np.negative, lambda g, y, x: -g, name="neg", saves=False)
remainder = op(np.remainder, lambda g, y, a, b: g, lambda g, y, a, b: -g * floor(a / b), name="remainder")
floor_divide = op(np.floor_divide, name="floor_divide")
square = op(np.square, lambda g, y, x: g * 2.0 * x, name="square")
abs = op(np.absolute, lambda g, y, x: g * sign(x), name="abs")
reciprocal = op(lambda x: 1.0 / x, lambda g, y, x: -g * y * y, name="reciprocal", arity=1, floats=True)
# Ties share the gradient, half to each side; beside a nan it passes to both.
maximum = op(
    np.maximum,
    lambda g, y, a, b: g * ~(a < b) - g * 0.5 * (a == b),
    lambda g, y, a, b: g * ~(b < a) - g * 0.5 * (a == b),
    name="maximum",
)
minimum = op(
    np.minimum,
    lambda g, y, a, b: g * ~(a > b) - g * 0.5 * (a == b),
    lambda g, y, a, b: g * ~(b > a) - g * 0.5 * (a == b),
    name="minimum",
)

# Exponentials, logarithms, roots, circles.
exp = op(np.exp, lambda g, y, x: g * y, name="exp", floats=True)
expm1 = op(np.expm1, lambda g, y, x: g * exp(x), name="expm1", floats=True)  # y + 1 loses exp(-40)
log = op(np.log, lambda g, y, x: g / x, name="log", floats=True)
log1p = op(np.log1p, lambda g, y, x: g / (x + 1.0), name="log1p", floats=True)
log2 = op(np.log2, lambda g, y, x: g / (x * math.log(2.0)), name="log2", floats=True)
sqrt = op(np.sqrt, lambda g, y, x: g / (2.0 * y), name="sqrt", floats=True)
rsqrt = op(lambda x: 1.0 / np.sqrt(x), lambda g, y, x: -0.5 * g * y / x, name="rsqrt", arity=1, floats=True)
sin: Function = op(np.sin, lambda g, y, x: g * cos(x), name="sin", floats=True)
cos: Function = op(np.cos, lambda g, y, x: -g * sin(x), name="cos", floats=True)
tanh = op(np.tanh, lambda g, y, x: g - g * y * y, name="tanh", floats=True)


def _power(a: Any, b: Any) -> Any:
    return a**b  # NumPy's operator knows that x**2 is x*x; the ufunc does not


def _power_rule(g: Value, y: Value, a: Value, b: Value) -> Value:
    if isinstance(b, (int, float)):
        return zeros_like_(g) if b == 0 else g * (b * a ** (b - 1))
    return g * (b * a ** (b - (b != 0))) * (b != 0)  # b == 0: 0 * a**0, finite for a = 0 as well


def _exponent_rule(g: Value, y: Value, a: Value, b: Value) -> Value:
    if isinstance(a, (int, float)):
        return g * y * (math.log(a) if a > 0 else (0.0 if a == 0 else math.nan))
    # 0**b is flat for b >= 0: the logarithm must not see that 0
    flat = (a == 0) & (b >= 0) if not isinstance(b, (int, float)) else a == 0
    return g * y * log(a + flat)


pow = op(_power, _power_rule, _exponent_rule, name="pow", arity=2)


def add(input: Value, other: Value, *, alpha: float = 1) -> Value:
    """``input + alpha * other``, broadcast.

    >>> add(tensor([1., 2.]), tensor([10., 20.]), alpha=2)
    tensor([21., 42.])
    """
    return add_(input, other if alpha == 1 else mul(other, alpha))


def sub(input: Value, other: Value, *, alpha: float = 1) -> Value:
    """``input - alpha * other``, broadcast.

    >>> sub(tensor([1., 2.]), 1)
    tensor([0., 1.])
    """
    return sub_(input, other if alpha == 1 else mul(other, alpha))


def div(input: Value, other: Value, *, rounding_mode: str | None = None) -> Value:
    """``input / other``; ``rounding_mode="floor"`` rounds down, without gradient.

    Raises ValueError for another rounding mode.

    >>> div(tensor([7., -7.]), 2, rounding_mode="floor")
    tensor([ 3., -4.])
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode != "floor":
        raise ValueError(f"div: rounding_mode={rounding_mode!r}; expected None or 'floor'")
    return floor_divide(input, other)


def _sigmoid(x: Array) -> Any:
    if x.dtype.itemsize < 8:
        return in_float64(x, _sigmoid_of_narrow)
    return np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))  # neither overflows


def _sigmoid_of_narrow(z: Array) -> None:
    """1 / (1 + exp(-z)): float64 holds the exponential of all that float32 can tell from 0."""
    np.negative(z, z)
    np.exp(z, z)
    z += 1.0
    np.divide(1.0, z, z)


sigmoid: Function = op(_sigmoid, lambda g, y, x: g * (y * sigmoid(-x)), name="sigmoid", arity=1, floats=True)


def equal_or_not(compare: Any, unlike: bool) -> Any:
    """``==`` and ``!=`` that answer for anything: what is no number is never equal."""

    def method(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, (str, list, tuple, dict)):
            return unlike
        return compare(self, other)

    return method
