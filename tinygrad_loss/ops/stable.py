"""The functions that carry the losses; each says why it is stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array, dtype
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .elementwise import eq, gt, isinf, log, log1p, logical_or, maximum, ne, sigmoid, zeros_like_
from .reduce import Dim, axes_of, axis_of, spread, sum_
from .rows import Dims, Rows, as_rows, from_rows
from .wide import in_float64


def _log_softmax(x: Array, *, dim: int) -> tuple[Array, Rows | None]:
    if x.size == 0:
        return x.copy(), None
    rows = Rows(as_rows(x, dim))
    return from_rows(rows.log_softmax(), x, dim), rows


def _softmax(x: Array, *, dim: Dims) -> tuple[Array, tuple[Array, Array] | None]:
    if x.size == 0:
        return x.copy(), None
    rows = Rows(as_rows(x, dim))
    return from_rows(rows.softmax(), x, dim), (rows.top, rows.beside_top())


def _complement(x: Array, *, dim: Dims) -> Array:
    if x.size == 0:
        return x.copy()
    return from_rows(Rows(as_rows(x, dim)).complement(), x, dim)


def _dims(x: Value, dim: Dims) -> tuple[int, ...] | None:
    return (dim if isinstance(dim, tuple) else (dim,)) if x.ndim else None


def _softmax_rule(g: Value, y: Value, x: Value, *, dim: Dims, kept: tuple[Array, Array] | None) -> Value:
    """y * (g - sum(g * y)); for the maximum, whose 1 - y is lost, y * (g * (1 - y) - sum of the other g * y)."""
    if kept is None:
        return y * (g - sum_(g * y, dim=_dims(x, dim), keepdim=True))
    top, complement = kept
    p, pulled = as_rows(y, dim), as_rows(g, dim)
    rows = np.arange(len(p))
    products = pulled * p
    of_top, products[rows, top] = products[rows, top], 0.0
    others = np.add.reduce(products, 1)
    result = pulled - (others + of_top)[:, None]
    result *= p
    result[rows, top] = p[rows, top] * (pulled[rows, top] * complement - others)
    return from_rows(result, x, dim)


def _complement_rule(g: Value, y: Value, x: Value, *, dim: Dims) -> Value:
    p, kept = (softmax_(x, dim=dim), None) if isinstance(x, Tensor) else _softmax(x, dim=dim)
    return -_softmax_rule(g, p, x, dim=dim, kept=kept)


def _log_softmax_rule(g: Value, y: Value, x: Value, *, dim: int, kept: Rows | None) -> Value:
    """g - p * sum(g). For the maximum, whose p may round to 1, g * (1 - p) - p * (sum of the other g) keeps the digits:
    of a confident prediction both terms are tiny."""
    if kept is None:
        others = sum_(g, dim=_dims(x, dim), keepdim=True) - g
        return g * softmax_complement(x, dim=dim) - softmax_(x, dim=dim) * others
    pulled = as_rows(g, dim)
    rows, top = kept.rows, kept.top
    rest = pulled.astype(np.float64)
    g_top, rest[rows, top] = rest[rows, top], 0.0
    sums = np.add.reduce(rest, 1)
    scale = (sums + g_top) / kept.total[:, 0]
    np.multiply(kept.exps, scale[:, None], out=rest)
    result = np.subtract(pulled, rest, out=rest)
    result[rows, top] = g_top * kept.beside_top() - sums / kept.total[:, 0]
    return from_rows(result, x, dim)


softmax_ = primitive(_softmax, _softmax_rule, name="softmax", floats=True, keeps=True)
softmax_complement = primitive(_complement, _complement_rule, name="softmax_complement")
log_softmax_ = primitive(_log_softmax, _log_softmax_rule, name="log_softmax", floats=True, keeps=True)


def _implicit_dim(name: str, input: Value, dim: int | None) -> int:
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        advise(f"{name}: dim is not given and dim={dim} is taken; pass dim= (usually the class axis, 1 or -1)")
    return axis_of(name, input, dim)


def _typed(input: Value, to: dtype | None) -> Value:
    return input.to(to) if to is not None and isinstance(input, Tensor) else input


def softmax(input: Value, dim: int | None = None, *, dtype: dtype | None = None) -> Value:
    """exp(input) divided by its sum over ``dim``: non-negative, sums to one.

    Raises IndexError when ``dim`` is out of range.

    >>> softmax(tensor([1., 2., 3.]), dim=0)
    tensor([0.0900, 0.2447, 0.6652])
    """
    return softmax_(_typed(input, dtype), dim=_implicit_dim("softmax", input, dim))


def softmin(input: Value, dim: int | None = None, *, dtype: dtype | None = None) -> Value:
    """``softmax(-input)``.

    >>> F.softmin(tensor([1., 2., 3.]), dim=0)
    tensor([0.6652, 0.2447, 0.0900])
    """
    return softmax_(-_typed(input, dtype), dim=_implicit_dim("softmin", input, dim))


def log_softmax(input: Value, dim: int | None = None, *, dtype: dtype | None = None) -> Value:
    """The logarithm of softmax over ``dim``, right to a few units in the last place.

    The log-probability of a confident prediction is tiny and kept in full:
    (z - max) - log1p(sum of the other exponentials). Raises IndexError when ``dim`` is out of range.

    >>> log_softmax(tensor([0., -40.]), dim=0)
    tensor([-4.2484e-18, -4.0000e+01])
    """
    return log_softmax_(_typed(input, dtype), dim=_implicit_dim("log_softmax", input, dim))


def _logsumexp(x: Array, *, dim: tuple[int, ...] | None, keepdim: bool) -> tuple[Array, Rows | None]:
    axes = tuple(range(x.ndim)) if dim is None else dim
    rows = found = None
    if x.size:
        found = Rows(as_rows(x, axes))
        top = found.m[:, 0]  # a row of -inf gives -inf, one with inf gives inf
        rows = np.where(np.isfinite(top), top + np.log1p(found.others[:, 0]), top)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    y = np.full(shape, -np.inf, x.dtype) if rows is None else rows.astype(x.dtype).reshape(shape)
    return (y if keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])), found


def _logsumexp_rule(
    g: Value, y: Value, x: Value, *, dim: tuple[int, ...] | None, keepdim: bool, kept: Rows | None
) -> Value:
    axes = tuple(range(x.ndim)) if dim is None else dim
    share = softmax_(x, dim=axes) if kept is None else from_rows(kept.softmax(), x, axes)
    return spread(g, shape=tuple(x.shape), dim=dim, keepdim=keepdim) * share


logsumexp_ = primitive(_logsumexp, _logsumexp_rule, name="logsumexp", floats=True, keeps=True)


def logsumexp(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """log(sum(exp(input))) over ``dim``, shifted by the maximum so that nothing overflows.

    Raises IndexError when ``dim`` is out of range.

    >>> logsumexp(tensor([1000., 1000.]), dim=0)
    tensor(1000.6932)
    """
    return logsumexp_(input, dim=axes_of("logsumexp", input, dim), keepdim=keepdim)


def _logsigmoid(x: Array) -> Any:
    # log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|)): exp never overflows, log1p keeps the small part
    if x.dtype.itemsize < 8:
        return in_float64(x, _logsigmoid_in_place)
    y = np.array(x)
    _logsigmoid_in_place(y)
    return y


def _logsigmoid_in_place(z: Array) -> None:
    low = np.minimum(z, 0.0)
    np.absolute(z, z)
    np.negative(z, z)
    np.exp(z, z)
    np.log1p(z, z)
    np.subtract(low, z, z)


logsigmoid = primitive(
    _logsigmoid,
    lambda g, y, x: g * sigmoid(-x),
    name="logsigmoid",
    arity=1,
    floats=True,
    grad_name="LogSigmoid",
    doc="``log(sigmoid(input))``, exact for every finite input.",
    example=("logsigmoid(tensor([0., -100., 20.]))", "tensor([-6.9315e-01, -1.0000e+02, -2.0612e-09])"),
)


def _xlogy(x: Array, y: Array) -> Any:
    return np.where((x == 0) & ~np.isnan(y), x.dtype.type(0), x * np.log(y))


xlogy: Function = primitive(
    _xlogy,
    lambda g, y, a, b: g * xlogy(logical_or(ne(a, 0), gt(b, 0)), b),  # log b, but 0 where 0 log b is 0 by definition
    lambda g, y, a, b: (
        g * (a / (b + (eq(a, 0) & eq(b, 0))))
    ),  # a bool is 0 or 1 in any dtype; 1.0 * bool would be float32
    name="xlogy",
    floats=True,
    doc="``input * log(other)``, 0 where ``input`` is 0.",
    example=("xlogy(tensor([0., 2.]), tensor([0., 1.]))", "tensor([0., 0.])"),
)


def _times_log(p: Array, log_q: Array) -> Any:
    y = p * log_q
    lost = np.isnan(y)
    if lost.any():
        y = np.where(lost & (p == 0) & ~np.isnan(log_q), y.dtype.type(0), y)
    return y


times_log = primitive(
    _times_log,
    # where p is 0 an infinite log_q is out of play: it must not reach others as nan
    lambda g, y, p, log_q: g * clip_infinite(log_q, p),
    lambda g, y, p, log_q: g * p,
    name="times_log",
    doc="``input * other`` for a probability and a logarithm: 0 where the probability is 0, also against -inf.",
    example=("times_log(tensor([0., 1.]), tensor([float('-inf'), -1.]))", "tensor([ 0., -1.])"),
)
clip_infinite: Function = primitive(
    lambda log_q, p: np.where((p == 0) & np.isinf(log_q), log_q.dtype.type(0), log_q),
    lambda g, y, log_q, p: g * ~(eq(p, 0) & isinf(log_q)),
    None,
    name="clip_infinite",
)


def _share_power(p: Array, *, exponent: float) -> Any:
    y = p**exponent
    return np.where(np.isinf(y), p.dtype.type(0), y)


def _share_power_rule(g: Value, y: Value, p: Value, *, exponent: float) -> Value:
    return zeros_like_(g) if exponent == 0 else g * (exponent * share_power(p, exponent=exponent - 1.0))


share_power: Function = primitive(
    _share_power,
    _share_power_rule,
    name="share_power",
    doc="``input ** exponent`` for a probability; 0 where it, a derivative of a power, leaves the range.",
)


between = primitive(
    lambda t, a, b: t * b + (1.0 - t) * a,
    lambda g, y, t, a, b: g * (b - a),  # one product: an infinite g meets no other infinity
    lambda g, y, t, a, b: g * (1.0 - t),
    lambda g, y, t, a, b: g * t,
    name="between",
    doc="``(1 - input) * low + input * high`` for an input in [0, 1].",
)


def _binary_log_likelihood(p: Array, t: Array) -> Any:
    return t * np.maximum(np.log(p), -100) + (1 - t) * np.maximum(np.log1p(-p), -100)


def _missed(p: Value) -> Value:
    """1 - p; where a narrow p was rounded to 1, half of its last step: the slope of a sigmoid behind it is right, and
    1 / 1e-12 would make a mountain of it."""
    return maximum(1.0 - p, 3e-8) if p.dtype.itemsize < 8 else 1.0 - p


def _bounded_odds(p: Value) -> Value:
    """log p - log(1 - p), each at least -100; log never sees its 0, behind which a derivative of 0 would be nan."""
    zero, one = eq(p, 0.0), eq(p, 1.0)
    yes = maximum(log(p + zero) * ne(p, 0.0), -100.0) - 100.0 * zero
    return yes - (maximum(log1p(-p * ne(p, 1.0)), -100.0) - 100.0 * one)


binary_log_likelihood = primitive(
    _binary_log_likelihood,
    # torch's convention: the derivative without the clamp, its denominator kept from 0
    lambda g, y, p, t: g * ((t - p) / maximum(p * _missed(p), 1e-12)),
    lambda g, y, p, t: g * _bounded_odds(p),
    name="binary_log_likelihood",
    doc="``t log p + (1 - t) log(1 - p)``, each logarithm at least -100.",
    example=("binary_log_likelihood(tensor([0.75]), tensor([1.]))", "tensor([-0.2877])"),
)
