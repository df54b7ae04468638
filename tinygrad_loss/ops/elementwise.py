"""The derivative table: element-by-element operations, one line of calculus each.

``g`` is the gradient of the result, ``y`` the result, then the arguments. Kinks follow torch 2.13.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Value, primitive
from ..tape import Tensor

# Comparisons: boolean results, no derivative. An exact tie is a matter of the last bit, as everywhere.
gt = primitive(np.greater, name="gt", doc="Where ``input > other``.", example=("gt(tensor([1, 3]), 2)", "tensor([False,  True])"))
ge = primitive(np.greater_equal, name="ge", doc="Where ``input >= other``.", example=("ge(tensor([1, 3]), 3)", "tensor([False,  True])"))
lt = primitive(np.less, name="lt", doc="Where ``input < other``.", example=("lt(tensor([1, 3]), 2)", "tensor([ True, False])"))
le = primitive(np.less_equal, name="le", doc="Where ``input <= other``.", example=("le(tensor([1, 3]), 1)", "tensor([ True, False])"))
eq = primitive(np.equal, name="eq", doc="Where ``input == other``.", example=("eq(tensor([1, 3]), 3)", "tensor([False,  True])"))
ne = primitive(np.not_equal, name="ne", doc="Where ``input != other``.", example=("ne(tensor([1, 3]), 3)", "tensor([ True, False])"))
isnan = primitive(np.isnan, name="isnan", doc="Where ``input`` is nan.", example=("isnan(tensor([0., float('nan')]))", "tensor([False,  True])"))
isinf = primitive(np.isinf, name="isinf", doc="Where ``input`` is inf or -inf.", example=("isinf(tensor([0., float('-inf')]))", "tensor([False,  True])"))
isfinite = primitive(np.isfinite, name="isfinite", doc="Where ``input`` is neither nan nor infinite.", example=("isfinite(tensor([0., float('inf')]))", "tensor([ True, False])"))
logical_not = primitive(np.logical_not, name="logical_not", doc="Where ``input`` is zero.", example=("logical_not(tensor([0, 2]))", "tensor([ True, False])"))
logical_and = primitive(np.logical_and, name="logical_and", doc="Where both are nonzero.", example=("logical_and(tensor([True, True]), tensor([True, False]))", "tensor([ True, False])"))
logical_or = primitive(np.logical_or, name="logical_or", doc="Where either is nonzero.", example=("logical_or(tensor([True, False]), tensor([False, False]))", "tensor([ True, False])"))
bitwise_and = primitive(np.bitwise_and, name="bitwise_and", doc="``input & other`` of integers or booleans.", example=("tensor([6]) & tensor([3])", "tensor([2])"))
bitwise_or = primitive(np.bitwise_or, name="bitwise_or", doc="``input | other`` of integers or booleans.", example=("tensor([6]) | tensor([3])", "tensor([7])"))
bitwise_xor = primitive(np.bitwise_xor, name="bitwise_xor", doc="``input ^ other`` of integers or booleans.", example=("tensor([6]) ^ tensor([3])", "tensor([5])"))
bitwise_not = primitive(np.invert, name="bitwise_not", doc="``~input`` of integers or booleans.", example=("~tensor([True, False])", "tensor([False,  True])"))

# Steps: the derivative is zero where there is one.
zeros_like_ = primitive(np.zeros_like, name="zeros_like_")
sign = primitive(np.sign, lambda g, y, x: zeros_like_(g), name="sign", saves=False, doc="-1, 0 or 1.", example=("sign(tensor([-2., 0., 3.]))", "tensor([-1.,  0.,  1.])"))
floor = primitive(np.floor, lambda g, y, x: zeros_like_(g), name="floor", saves=False, doc="The next integer below.", example=("floor(tensor([1.5, -1.5]))", "tensor([ 1., -2.])"))
ceil = primitive(np.ceil, lambda g, y, x: zeros_like_(g), name="ceil", saves=False, doc="The next integer above.", example=("ceil(tensor([1.5, -1.5]))", "tensor([ 2., -1.])"))
round_ = primitive(np.rint, lambda g, y, x: zeros_like_(g), name="round", saves=False, doc="The nearest integer, halves to even.", example=("torch.round(tensor([0.5, 1.5]))", "tensor([0., 2.])"))

# The same values under another name: where a graph is to be cut and joined again.
alias = primitive(lambda x: x, lambda g, y, x: g, name="alias", arity=1, saves=False)

# Arithmetic.
add_ = primitive(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g, name="add", saves=False)
sub_ = primitive(np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g, name="sub", saves=False)
mul = primitive(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, name="mul", doc="``input * other``.", example=("mul(tensor([1., 2.]), 3)", "tensor([3., 6.])"))
true_divide = primitive(np.true_divide, lambda g, y, a, b: g / b, lambda g, y, a, b: -g * (y / b), name="div", floats=True, doc="``input / other``; integers give floats.", example=("true_divide(tensor([1, 2]), 2)", "tensor([0.5000, 1.0000])"))
neg = primitive(np.negative, lambda g, y, x: -g, name="neg", saves=False, doc="``-input``.", example=("neg(tensor([1., -2.]))", "tensor([-1.,  2.])"))
remainder = primitive(np.remainder, lambda g, y, a, b: g, lambda g, y, a, b: -g * floor(a / b), name="remainder", doc="``input % other``, with the sign of ``other``.", example=("remainder(tensor([5, -5]), 3)", "tensor([2, 1])"))
floor_divide = primitive(np.floor_divide, name="floor_divide", doc="``input // other``, rounded down.", example=("floor_divide(tensor([5, -5]), 3)", "tensor([ 1, -2])"))
square = primitive(np.square, lambda g, y, x: g * 2.0 * x, name="square", doc="``input ** 2``.", example=("square(tensor([-3.]))", "tensor([9.])"))
abs = primitive(np.absolute, lambda g, y, x: g * sign(x), name="abs", doc="``|input|``; the derivative at 0 is 0.", example=("abs(tensor([-3., 0.]))", "tensor([3., 0.])"))
reciprocal = primitive(lambda x: 1.0 / x, lambda g, y, x: -g * y * y, name="reciprocal", arity=1, floats=True, doc="``1 / input``.", example=("reciprocal(tensor([4.]))", "tensor([0.2500])"))
# Ties share the gradient: half to each side.
maximum = primitive(np.maximum, lambda g, y, a, b: g * (a > b) + g * 0.5 * (a == b), lambda g, y, a, b: g * (b > a) + g * 0.5 * (a == b), name="maximum", doc="The larger of the two; nan if either is.", example=("maximum(tensor([1., 5.]), tensor([3., 3.]))", "tensor([3., 5.])"))
minimum = primitive(np.minimum, lambda g, y, a, b: g * (a < b) + g * 0.5 * (a == b), lambda g, y, a, b: g * (b < a) + g * 0.5 * (a == b), name="minimum", doc="The smaller of the two; nan if either is.", example=("minimum(tensor([1., 5.]), tensor([3., 3.]))", "tensor([1., 3.])"))

# Exponentials, logarithms, roots, circles.
exp = primitive(np.exp, lambda g, y, x: g * y, name="exp", floats=True, doc="e to the power ``input``.", example=("exp(tensor([0., 1.]))", "tensor([1.0000, 2.7183])"))
expm1 = primitive(np.expm1, lambda g, y, x: g * (y + 1.0), name="expm1", floats=True, doc="``exp(input) - 1`` without cancellation near 0.", example=("expm1(tensor([1e-7]))", "tensor([1.0000e-07])"))
log = primitive(np.log, lambda g, y, x: g / x, name="log", floats=True, doc="Natural logarithm; -inf at 0, nan below.", example=("log(tensor([1., 0.]))", "tensor([0., -inf])"))
log1p = primitive(np.log1p, lambda g, y, x: g / (x + 1.0), name="log1p", floats=True, doc="``log(1 + input)`` without cancellation near 0.", example=("log1p(tensor([1e-7]))", "tensor([1.0000e-07])"))
log2 = primitive(np.log2, lambda g, y, x: g / (x * math.log(2.0)), name="log2", floats=True, doc="Logarithm to base 2.", example=("log2(tensor([8.]))", "tensor([3.])"))
sqrt = primitive(np.sqrt, lambda g, y, x: g / (2.0 * y), name="sqrt", floats=True, doc="Square root; its derivative at 0 is inf.", example=("sqrt(tensor([9.]))", "tensor([3.])"))
rsqrt = primitive(lambda x: 1.0 / np.sqrt(x), lambda g, y, x: -0.5 * g * y / x, name="rsqrt", arity=1, floats=True, doc="``1 / sqrt(input)``.", example=("rsqrt(tensor([4.]))", "tensor([0.5000])"))
sin = primitive(np.sin, lambda g, y, x: g * cos(x), name="sin", floats=True, doc="Sine, of radians.", example=("sin(tensor([0.]))", "tensor([0.])"))
cos = primitive(np.cos, lambda g, y, x: -g * sin(x), name="cos", floats=True, doc="Cosine, of radians.", example=("cos(tensor([0.]))", "tensor([1.])"))
tanh = primitive(np.tanh, lambda g, y, x: g * (1.0 - y * y), name="tanh", floats=True, doc="Hyperbolic tangent.", example=("tanh(tensor([0., 100.]))", "tensor([0., 1.])"))


def _power(a: Any, b: Any) -> Any:
    return a**b  # NumPy's operator knows that x**2 is x*x; the ufunc does not


def _power_rule(g: Value, y: Value, a: Value, b: Value) -> Value:
    if isinstance(b, (int, float)):
        return zeros_like_(g) if b == 0 else g * (b * a ** (b - 1))
    return g * (b * a ** (b - (b != 0) * 1.0)) * (b != 0)  # b == 0: 0 * a**0, finite for a = 0 as well


def _exponent_rule(g: Value, y: Value, a: Value, b: Value) -> Value:
    if isinstance(a, (int, float)):
        return g * y * (math.log(a) if a > 0 else (0.0 if a == 0 else math.nan))
    # 0**b is flat for b >= 0: the logarithm must not see that 0
    flat = (a == 0) & (b >= 0) if not isinstance(b, (int, float)) else a == 0
    return g * y * log(a + flat * 1.0)


pow = primitive(_power, _power_rule, _exponent_rule, name="pow", arity=2, doc="``input ** exponent``.", example=("pow(tensor([2., 3.]), 2)", "tensor([4., 9.])"))


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


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


sigmoid = primitive(
    _sigmoid,
    lambda g, y, x: g * (y * sigmoid(-x)),  # 1 - y loses every digit once y rounds to 1; sigmoid(-x) keeps them
    arity=1,
    floats=True,
    doc="``1 / (1 + exp(-input))``, without overflow.",
    example=("sigmoid(tensor([0., 2., -200.]))", "tensor([0.5000, 0.8808, 0.0000])"),
)


def equal_or_not(compare: Any, unlike: bool) -> Any:
    """``==`` and ``!=`` that answer for anything: what is no number is never equal."""

    def method(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, (str, list, tuple, dict)):
            return unlike
        return compare(self, other)

    return method
