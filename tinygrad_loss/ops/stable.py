"""The functions that carry the losses; each says why it is stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array, dtype
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .elementwise import eq, exp, gt, isinf, log, log1p, logical_or, maximum, ne, sigmoid
from .reduce import Dim, axes_of, axis_of, spread, sum_


class _Rows:
    """exp of the rows of ``x`` (its ``dim`` axis, last), relative to each row's maximum.

    The maximum's own 1 is kept apart: log(1 + others) as log1p(others) keeps the digits of a confident
    prediction, which 1 + others would lose. float32 works in float64; float64 carries the rounding error of
    z - max along (Knuth's TwoSum), because exp magnifies it by the size of its argument.
    """

    __slots__ = ("d", "error", "exps", "others", "rows", "top")

    def __init__(self, z: Array) -> None:
        wide = z.dtype.itemsize < 8
        z = z.astype(np.float64) if wide else z
        self.rows = np.arange(len(z))
        self.top = z.argmax(1)
        m = z[self.rows, self.top][:, None]
        d = z - m
        self.error: Any = 0.0
        if not wide:
            part = d - z
            error = (z - (d - part)) - (m + part)
            self.error = np.where(np.isfinite(error), error, 0.0)
        self.d = d
        self.exps = np.exp(d)
        if not wide:
            self.exps += self.exps * self.error
        self.exps[self.rows, self.top] = d[self.rows, self.top]  # 0, or nan where the row has nan or inf
        self.others = np.add.reduce(self.exps, 1, keepdims=True)

    def log_softmax(self) -> Any:
        return self.d - np.log1p(self.others) + self.error

    def softmax(self) -> Array:
        p: Array = self.exps / (1.0 + self.others)
        p[self.rows, self.top] = 1.0 / (1.0 + self.others[:, 0])
        return p

    def complement(self, p: Array) -> Array:
        """1 - p; for the maximum, whose p rounds to 1, from the others."""
        q = 1.0 - p
        q[self.rows, self.top] = self.others[:, 0] / (1.0 + self.others[:, 0])
        return q


def _as_rows(x: Array, dim: int) -> Array:
    if x.ndim == 2 and dim == 1:
        return x
    return np.moveaxis(x, dim, -1).reshape(-1, x.shape[dim]) if x.ndim else x.reshape(1, 1)


def _from_rows(rows: Array, like: Array, dim: int) -> Array:
    rows = rows.astype(like.dtype, copy=False)
    if like.ndim == 2 and dim == 1:
        return rows
    if like.ndim == 0:
        return rows.reshape(())
    moved = like.shape[:dim] + like.shape[dim + 1 :] + (like.shape[dim],)
    return np.moveaxis(rows.reshape(moved), -1, dim)


def _log_softmax(x: Array, *, dim: int) -> tuple[Array, _Rows | None]:
    if x.size == 0:
        return x.copy(), None
    rows = _Rows(_as_rows(x, dim))
    return _from_rows(rows.log_softmax(), x, dim), rows


def _softmax(x: Array, *, dim: int) -> Array:
    return _from_rows(_Rows(_as_rows(x, dim)).softmax(), x, dim) if x.size else x.copy()


def _complement(x: Array, *, dim: int) -> Array:
    if x.size == 0:
        return x.copy()
    rows = _Rows(_as_rows(x, dim))
    return _from_rows(rows.complement(rows.softmax()), x, dim)


def _softmax_rule(g: Value, y: Value, x: Value, *, dim: int) -> Value:
    return y * (g - sum_(g * y, dim=(dim,) if x.ndim else None, keepdim=True))


def _log_softmax_rule(g: Value, y: Value, x: Value, *, dim: int, kept: _Rows | None) -> Value:
    """g - p * sum(g), arranged as g * (1 - p) - p * (sum of the other g), where nothing cancels."""
    if kept is None:
        others = sum_(g, dim=(dim,) if x.ndim else None, keepdim=True) - g
        return g * softmax_complement(x, dim=dim) - softmax_(x, dim=dim) * others
    p = kept.softmax()
    rows = _as_rows(g, dim)
    pulled = rows * kept.complement(p) - p * (np.add.reduce(rows, 1, keepdims=True, dtype=np.float64) - rows)
    return _from_rows(pulled, x, dim)


softmax_ = primitive(_softmax, _softmax_rule, name="softmax", floats=True)
softmax_complement = primitive(
    _complement, lambda g, y, x, *, dim: -_softmax_rule(g, softmax_(x, dim=dim), x, dim=dim), name="softmax_complement"
)
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


def _logsumexp(x: Array, *, dim: tuple[int, ...] | None, keepdim: bool) -> Array:
    axes = tuple(range(x.ndim)) if dim is None else dim
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    rows = np.transpose(x, kept + axes).reshape(int(np.prod([x.shape[i] for i in kept], dtype=np.int64)), -1)
    if rows.shape[1] == 0:
        y = np.full(len(rows), -np.inf)
    else:
        top = np.maximum.reduce(rows, 1)
        finite = np.where(np.isfinite(top), top, 0)[:, None]  # a row of -inf gives -inf, one with inf gives inf
        y = np.where(np.isfinite(top), top + np.log1p(_Rows(rows - finite).others[:, 0]), top)
    y = y.astype(x.dtype).reshape(shape)
    return y if keepdim else y.reshape([x.shape[i] for i in kept])


logsumexp_ = primitive(
    _logsumexp,
    lambda g, y, x, *, dim, keepdim: (
        spread(g, shape=tuple(x.shape), dim=dim, keepdim=keepdim)
        * exp(x - spread(y, shape=tuple(x.shape), dim=dim, keepdim=keepdim))
    ),
    name="logsumexp",
    floats=True,
)


def logsumexp(input: Value, dim: Dim = None, keepdim: bool = False) -> Value:
    """log(sum(exp(input))) over ``dim``, shifted by the maximum so that nothing overflows.

    Raises IndexError when ``dim`` is out of range.

    >>> logsumexp(tensor([1000., 1000.]), dim=0)
    tensor(1000.6932)
    """
    return logsumexp_(input, dim=axes_of("logsumexp", input, dim), keepdim=keepdim)


def _logsigmoid(x: Array) -> Any:
    # log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|)): exp never overflows, log1p keeps the small part
    return np.minimum(x, 0) - np.log1p(np.exp(-np.absolute(x)))


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


def _binary_log_likelihood(p: Array, t: Array) -> Any:
    return t * np.maximum(np.log(p), -100) + (1 - t) * np.maximum(np.log1p(-p), -100)


binary_log_likelihood = primitive(
    _binary_log_likelihood,
    # torch's convention: the derivative without the clamp, its denominator kept from 0
    lambda g, y, p, t: g * ((t - p) / maximum(p * (1.0 - p), 1e-12)),
    lambda g, y, p, t: g * (maximum(log(p), -100.0) - maximum(log1p(-p), -100.0)),
    name="binary_log_likelihood",
    doc="``t log p + (1 - t) log(1 - p)``, each logarithm at least -100.",
    example=("binary_log_likelihood(tensor([0.75]), tensor([1.]))", "tensor([-0.2877])"),
)
