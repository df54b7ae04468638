"""What each operation does and how its gradient rule reads, in words and in mathematics.

In the formulas ``g`` is the gradient that comes in (of the loss with respect to the result ``y``), ``[a > b]`` is
1 where the condition holds and 0 elsewhere, ``σ`` is the sigmoid and ``Σ`` a sum over the reduced dimensions.
"""

# ruff: noqa: RUF001
from __future__ import annotations

from typing import Any, NamedTuple

from ..losses._loss import Loss
from ._rules_arrays import ARRAYS
from ._rules_costs import COSTS


class Text(NamedTuple):
    """One operation: the names of its arguments, what it does, its formula, its rule, and the gradient of each."""

    names: tuple[str, ...]
    what: str
    formula: str
    rule: str
    pulls: tuple[str, ...]  # one for each argument; empty when there is no derivative


_FLAT = "The result is a step: its slope is 0 wherever it has one, so nothing flows back."
_TIES = "The larger one receives g, the other nothing; where they are equal, half goes to each."
_ANSWER = "The result is true or false: there is no slope, and nothing flows back."

# name: arguments, what it does, formula, rule in words, the gradient of each argument
ELEMENTWISE: dict[str, tuple[str, ...]] = {
    # comparisons and logic
    "gt": ("a b", "Is a larger?", "y = [a > b]", _ANSWER),
    "ge": ("a b", "Is a larger or equal?", "y = [a ≥ b]", _ANSWER),
    "lt": ("a b", "Is a smaller?", "y = [a < b]", _ANSWER),
    "le": ("a b", "Is a smaller or equal?", "y = [a ≤ b]", _ANSWER),
    "eq": ("a b", "Are they equal?", "y = [a = b]", _ANSWER),
    "ne": ("a b", "Are they different?", "y = [a ≠ b]", _ANSWER),
    "isnan": ("x", "Is it nan?", "y = [x is nan]", _ANSWER),
    "isinf": ("x", "Is it infinite?", "y = [|x| = ∞]", _ANSWER),
    "isfinite": ("x", "Is it neither nan nor infinite?", "y = [|x| < ∞]", _ANSWER),
    "logical_not": ("x", "Is it zero?", "y = [x = 0]", _ANSWER),
    "logical_and": ("a b", "Are both nonzero?", "y = [a ≠ 0 and b ≠ 0]", _ANSWER),
    "logical_or": ("a b", "Is one of them nonzero?", "y = [a ≠ 0 or b ≠ 0]", _ANSWER),
    "bitwise_and": ("a b", "The bits that both have.", "y = a & b", _ANSWER),
    "bitwise_or": ("a b", "The bits that either has.", "y = a | b", _ANSWER),
    "bitwise_xor": ("a b", "The bits that just one of them has.", "y = a xor b", _ANSWER),
    "bitwise_not": ("x", "The bits that it does not have.", "y = ~x", _ANSWER),
    "longer": ("x", "Is the vector longer than eps?", "y = [‖x‖ > eps]", _ANSWER),
    # steps
    "zeros_like_": ("x", "Zeros in the shape of x.", "y = 0 · x", "The result does not depend on x."),
    "sign": ("x", "The sign: −1, 0 or 1.", "y = sign(x)", _FLAT, "0 · g"),
    "floor": ("x", "The next integer below.", "y = floor(x)", _FLAT, "0 · g"),
    "ceil": ("x", "The next integer above.", "y = ceil(x)", _FLAT, "0 · g"),
    "round": ("x", "The nearest integer, halves to even.", "y = rint(x)", _FLAT, "0 · g"),
    # arithmetic
    "alias": ("x", "The same values under another name.", "y = x", "The gradient passes unchanged.", "g"),
    "add": ("a b", "The sum.", "y = a + b", "A sum hands the incoming gradient unchanged to both sides.", "g", "g"),
    "sub": (
        "a b", "The difference.", "y = a − b", "The first side receives g, the one that is taken away −g.", "g", "−g",
    ),
    "mul": ("a b", "The product.", "y = a · b", "Each factor receives g times the other factor.", "g · b", "g · a"),
    "div": (
        "a b", "The quotient.", "y = a / b",
        "The numerator receives g divided by the denominator; the denominator, which shrinks the result, −g · y / b.",
        "g / b", "−g · y / b",
    ),
    "neg": ("x", "The opposite.", "y = −x", "The gradient changes its sign.", "−g"),
    "remainder": (
        "a b", "What is left after division, with the sign of b.", "y = a mod b",
        "Between its jumps the remainder grows as a does, and falls by the whole quotient as b grows.",
        "g", "−g · floor(a / b)",
    ),
    "floor_divide": ("a b", "The quotient, rounded down.", "y = floor(a / b)", _FLAT),
    "square": ("x", "The square.", "y = x²", "The slope of a square is twice its argument.", "g · 2 · x"),
    "abs": ("x", "The absolute value.", "y = |x|", "The slope is the sign of x: −1, 1, and 0 at 0.", "g · sign(x)"),
    "reciprocal": ("x", "One over x.", "y = 1 / x", "The slope of 1 / x is minus the square of the result.", "−g · y²"),
    "maximum": (
        "a b", "The larger of the two.", "y = max(a, b)", _TIES,
        "g · [a > b] + ½ · g · [a = b]", "g · [b > a] + ½ · g · [a = b]",
    ),
    "minimum": (
        "a b", "The smaller of the two.", "y = min(a, b)", _TIES.replace("larger", "smaller"),
        "g · [a < b] + ½ · g · [a = b]", "g · [b < a] + ½ · g · [a = b]",
    ),
    # exponentials, logarithms, roots, circles
    "exp": ("x", "e to the power x.", "y = exp(x)", "The exponential is its own slope: g times the result.", "g · y"),
    "expm1": (
        "x", "exp(x) − 1, exact near 0.", "y = exp(x) − 1", "The slope is exp(x): the result and 1.", "g · (y + 1)",
    ),
    "log": ("x", "The natural logarithm.", "y = log(x)", "The slope of the logarithm is 1 / x.", "g / x"),
    "log1p": ("x", "log(1 + x), exact near 0.", "y = log(1 + x)", "The slope is 1 / (1 + x).", "g / (1 + x)"),
    "log2": ("x", "The logarithm to base 2.", "y = log(x) / log(2)", "The slope is 1 / (x log 2).", "g / (x · log(2))"),
    "sqrt": (
        "x", "The square root.", "y = √(x)", "The slope is 1 over twice the root; at 0 it is infinite.", "g / (2 · y)",
    ),
    "rsqrt": ("x", "One over the square root.", "y = 1 / √(x)", "The slope is −½ y / x.", "−½ · g · y / x"),
    "sin": ("x", "The sine.", "y = sin(x)", "The slope of the sine is the cosine.", "g · cos(x)"),
    "cos": ("x", "The cosine.", "y = cos(x)", "The slope of the cosine is minus the sine.", "−g · sin(x)"),
    "tanh": (
        "x", "The hyperbolic tangent.", "y = tanh(x)",
        "The slope is 1 − y²: 1 at 0, almost nothing where tanh has saturated.", "g · (1 − y²)",
    ),
    "pow": (
        "a b", "a to the power b.", "y = a^b",
        "The base receives g · b · a^(b − 1); the exponent g times the result times log a.",
        "g · b · a^(b − 1)", "g · y · log(a)",
    ),
    "erf": (
        "x", "The error function.", "y = erf(x)", "The slope is the bell curve whose area erf measures.",
        "g · 2 / √(π) · exp(−x²)",
    ),
    "bell": (
        "x", "The bell curve.", "y = exp(−x²)", "The slope is −2 x times the curve: down on the right, up on the left.",
        "−g · y · 2 · x",
    ),
    # activations
    "sigmoid": (
        "x", "The logistic function, between 0 and 1.", "y = 1 / (1 + exp(−x))",
        "The slope is y (1 − y): ¼ at 0, almost nothing where y is near 0 or 1.", "g · y · (1 − y)",
    ),
    "logsigmoid": (
        "x", "The logarithm of the sigmoid, without overflow.", "y = log(σ(x))",
        "The slope is the probability of the other class.", "g · σ(−x)",
    ),
    "relu": (
        "x", "x where it is positive, else 0.", "y = max(x, 0)",
        "The gradient passes where x is positive and stops elsewhere.", "g · [x > 0]",
    ),
    "leaky_relu": (
        "x", "x where it is positive, else a small multiple of it.", "y = x · [x > 0] + slope · x · [x ≤ 0]",
        "The gradient passes where x is positive, and the small multiple of it elsewhere.",
        "g · [x > 0] + g · slope · [x ≤ 0]",
    ),
    "elu": (
        "x", "x where it is positive, else an exponential that ends at −alpha.",
        "y = x · [x > 0] + alpha · (exp(x) − 1) · [x ≤ 0]",
        "The gradient passes where x is positive; elsewhere the slope is that of the exponential.",
        "g · [x > 0] + g · (y + alpha) · [x ≤ 0]",
    ),
    "silu": (
        "x", "x times its sigmoid.", "y = x · σ(x)", "The product rule: σ(x), and x times the slope of σ.",
        "g · σ(x) · (1 + x · σ(−x))",
    ),
    "step": (
        "x", "0 below zero, 1 above, tie at 0.", "y = [x > 0] + tie · [x = 0]", _FLAT, "0 · g",
    ),
    "hinge": (
        "x", "x where it is positive, else 0.", "y = max(x, 0)",
        "The gradient passes where x is positive, stops where it is negative, and at 0 is multiplied by tie.",
        "g · [x > 0] + tie · g · [x = 0]",
    ),
    # limits
    "clamp": (
        "x", "x, limited to the range from lo to hi.", "y = min(max(x, lo), hi)",
        "The gradient passes where x is inside the range or at its ends, and stops outside.", "g · [lo ≤ x ≤ hi]",
    ),
    "clamp_tensor": (
        "x lo hi", "x, limited to the range from lo to hi.", "y = min(max(x, lo), hi)",
        "Whoever is the result receives the gradient: x inside the range, else the bound.",
        "g · [x ≥ lo] · [x ≤ hi]", "g · [x < lo] · [lo < hi]", "g · max([x > hi], [hi < lo])",
    ),
    "clamp_min_tensor": (
        "x lo", "x, but at least lo.", "y = max(x, lo)", "Whoever is the result receives the gradient.",
        "g · [x ≥ lo]", "g · [x < lo]",
    ),
    "clamp_max_tensor": (
        "x hi", "x, but at most hi.", "y = min(x, hi)", "Whoever is the result receives the gradient.",
        "g · [x ≤ hi]", "g · [x > hi]",
    ),
    "raise_to": (
        "x", "x, but at least lo: a floor that gradients do not see.", "y = max(x, lo)",
        "The gradient passes unchanged, also where x was raised.", "g",
    ),
}  # fmt: skip

TEXTS = {
    name: Text(tuple(names.split()), what, formula, rule, tuple(pulls))
    for name, (names, what, formula, rule, *pulls) in {**ELEMENTWISE, **COSTS, **ARRAYS}.items()
}


def text_of(op: Any, count: int) -> Text:
    """The text of an operation of ``count`` arguments, of a loss, or of one that a user registered."""
    if isinstance(op, Loss):
        return _of_loss(op)
    found = TEXTS.get(op.name)
    if found is not None and len(found.names) >= count:
        return found
    names = ("x",) if count == 1 else tuple(f"x{i + 1}" for i in range(count))
    if found is not None:  # one rule for any number of arguments
        return Text(names, found.what, found.formula, found.rule, found.pulls * count)
    doc = (op.function.__doc__ or "").strip().split("\n")[0].replace("``", "")
    formula = f"y = {op.name}({', '.join(names)})"
    if op.rules is None:
        return Text(names, doc, formula, "No rule is declared for it: nothing flows back.", ())
    rule = "The rule it was declared with: g times the slope of the result by each argument."
    return Text(names, doc, formula, rule, tuple(f"g · ∂y/∂{n}" for n in names))


def _of_loss(op: Loss) -> Text:
    names = op.declaration.arrays
    doc = (op.__doc__ or "").strip().split("\n")[0].replace("``", "")
    return Text(
        names,
        doc,
        f"y = {op.name}({', '.join(names)})",
        "A loss is one node of the tape; inside, its formula has a tape of its own. The incoming gradient is pulled "
        "back through that formula, rule by rule: open the box to see each step.",
        tuple(f"g · ∂y/∂{n}" for n in names),
    )
