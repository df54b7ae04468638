"""Clamps, hinges and smooth steps. Kinks follow torch 2.13: relu is flat at 0, clamp passes at its bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array, is_number
from ..primitive import Value, primitive
from ..tape import Tensor
from .elementwise import exp, ge, gt, le, lt, sigmoid, zeros_like_
from .special import erf
from .stable import logsigmoid, times_log


def _clamp(x: Array, *, lo: Any, hi: Any, out: Array | None = None) -> Any:
    if lo is not None:
        x = np.maximum(x, lo, out=out)
    return x if hi is None else np.minimum(x, hi, out=x if lo is not None and x.ndim else out)  # 0-d: no array


def _clamp_rule(g: Value, y: Value, x: Value, *, lo: Any, hi: Any) -> Value:
    inside = ge(x, lo) if lo is not None else le(x, hi)
    return times_log(inside & le(x, hi) if lo is not None and hi is not None else inside, g)  # outside 0, also of inf


clamp_ = primitive(_clamp, _clamp_rule, name="clamp", into=True)
clamp_tensor = primitive(
    lambda x, lo, hi: np.minimum(np.maximum(x, lo), hi),
    lambda g, y, x, lo, hi: g * (ge(x, lo) & le(x, hi)),
    lambda g, y, x, lo, hi: g * (lt(x, lo) & lt(lo, hi)),
    lambda g, y, x, lo, hi: g * (gt(x, hi) | lt(hi, lo)),
    name="clamp_tensor",
    grad_name="Clamp",
)
clamp_min_tensor = primitive(
    np.maximum,
    lambda g, y, x, lo: g * ge(x, lo),
    lambda g, y, x, lo: g * lt(x, lo),
    name="clamp_min_tensor",
    grad_name="ClampMin",
)
clamp_max_tensor = primitive(
    np.minimum,
    lambda g, y, x, hi: g * le(x, hi),
    lambda g, y, x, hi: g * gt(x, hi),
    name="clamp_max_tensor",
    grad_name="ClampMax",
)


def clamp(input: Value, min: Value | None = None, max: Value | None = None) -> Value:
    """``input`` limited to [min, max], numbers or tensors; the gradient passes where it is inside or at a bound.

    Raises ValueError when both bounds are missing.

    >>> clamp(tensor([-2., 0.5, 3.]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: got neither min nor max; give at least one")
    if (min is None or is_number(min)) and (max is None or is_number(max)):
        if isinstance(input, Tensor) and input.array.dtype.kind != "f":  # a float bound turns integers into floats
            bounds = [b for b in (min, max) if isinstance(b, float)]
            input = input + 0.0 if bounds else input
        return clamp_(input, lo=min, hi=max)
    if max is None:
        return clamp_min_tensor(input, min)
    if min is None:
        return clamp_max_tensor(input, max)
    return clamp_tensor(input, min, max)


def clamp_min(input: Value, min: Value) -> Value:
    """``clamp(input, min=min)``.

    >>> clamp_min(tensor([-1., 2.]), 0)
    tensor([0., 2.])
    """
    return clamp(input, min=min)


def clamp_max(input: Value, max: Value) -> Value:
    """``clamp(input, max=max)``.

    >>> clamp_max(tensor([-1., 2.]), 0)
    tensor([-1.,  0.])
    """
    return clamp(input, max=max)


relu_ = primitive(
    lambda x: np.maximum(x, x.dtype.type(0)),
    lambda g, y, x: g * ~le(y, 0),  # 0 at 0, and nan passes on
    name="relu",
    arity=1,
)


def _step(x: Array, *, tie: float) -> Any:
    if tie in (0, 1) and not np.isnan(np.add.reduce(x, axis=None)):
        return (np.greater_equal if tie else np.greater)(x, x.dtype.type(0)).astype(x.dtype)
    return np.heaviside(x, x.dtype.type(tie))  # nan where x is nan, but slow


step_ = primitive(
    _step,
    lambda g, y, x, *, tie: zeros_like_(g),
    name="step",
    saves=False,
)
hinge = primitive(
    lambda x, *, tie: np.maximum(x, x.dtype.type(0)),
    lambda g, y, x, *, tie: g * step_(x, tie=tie),
    name="hinge",
    floats=True,
    doc="max(input, 0) with the derivative ``tie`` at 0; unlike relu and clamp it hands a nan back as its gradient.",
    example=("torch.ops.activations.hinge(tensor([-1., 2.]), tie=1.0)", "tensor([0., 2.])"),
)
leaky_relu_ = primitive(
    lambda x, *, slope: np.where(x > 0, x, x * slope),
    lambda g, y, x, *, slope: g * gt(x, 0) + g * slope * ~gt(x, 0),
    name="leaky_relu",
    floats=True,
)
elu_ = primitive(
    lambda x, *, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    # not y + alpha, which loses the digits of exp
    lambda g, y, x, *, alpha: g * (gt(x, 0) + alpha * (le(x, 0) * exp(clamp_(x, lo=None, hi=0)))),
    name="elu",
    floats=True,
)
silu_ = primitive(
    lambda x: x * sigmoid(x),
    lambda g, y, x: g * (sigmoid(x) * (1.0 + x * sigmoid(-x))),
    name="silu",
    arity=1,
    floats=True,
)


def relu(input: Value, inplace: bool = False) -> Value:
    """max(input, 0); the derivative at 0 is 0.

    Raises NotImplementedError for ``inplace=True``, which would overwrite values a backward may need.

    >>> relu(tensor([-1., 2.]))
    tensor([0., 2.])
    """
    _out_of_place("relu", inplace)
    return relu_(input)


def leaky_relu(input: Value, negative_slope: float = 0.01, inplace: bool = False) -> Value:
    """``input`` above 0, ``negative_slope * input`` below.

    >>> F.leaky_relu(tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    _out_of_place("leaky_relu", inplace)
    return leaky_relu_(input, slope=negative_slope)


def elu(input: Value, alpha: float = 1.0, inplace: bool = False) -> Value:
    """``input`` above 0, ``alpha * (exp(input) - 1)`` below.

    >>> F.elu(tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """
    _out_of_place("elu", inplace)
    return elu_(input, alpha=alpha)


def silu(input: Value, inplace: bool = False) -> Value:
    """``input * sigmoid(input)``.

    >>> F.silu(tensor([-1., 2.]))
    tensor([-0.2689,  1.7616])
    """
    _out_of_place("silu", inplace)
    return silu_(input)


def gelu(input: Value, approximate: str = "none") -> Value:
    """``input`` times the probability that a standard normal is below it (Hendrycks and Gimpel, 2016).

    ``approximate="tanh"`` is the paper's approximation. Raises ValueError for another name.

    >>> F.gelu(tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """
    if approximate == "none":
        return input * (0.5 * (erf(input * math.sqrt(0.5)) + 1.0))
    if approximate == "tanh":
        inner = math.sqrt(2.0 / math.pi) * (input + 0.044715 * input**3)
        return input * sigmoid(2.0 * inner)  # (1 + tanh(z)) / 2 = sigmoid(2 z)
    raise ValueError(f"gelu: approximate={approximate!r}; expected 'none' or 'tanh'")


def softplus(input: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    """``log(1 + exp(beta * input)) / beta``, exact for every input: softplus(x) = -logsigmoid(-x).

    torch returns ``input`` itself above ``threshold``, up to 6e5 units in the last place off in float64; here
    the default needs no threshold, and one that is given is honoured.

    >>> softplus(tensor([0., 30., -30.]))
    tensor([6.9315e-01, 3.0000e+01, 9.3576e-14])
    """
    smooth = -logsigmoid(input * -beta) / beta if beta != 1 else -logsigmoid(-input)
    if threshold == 20.0:
        return smooth
    above = gt(input * beta, threshold)
    return input * above + smooth * ~above


def _out_of_place(name: str, inplace: bool) -> None:
    if inplace:
        raise NotImplementedError(f"{name}: inplace=True is not supported; use x = {name}(x), which is as fast here")
