"""The rows of a softmax: NumPy kernels behind ``softmax``, ``log_softmax`` and ``logsumexp``."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ..dtypes import Array

Dims: TypeAlias = int | tuple[int, ...]

_SPLIT = 1.5 * 2.0**26  # adding and taking it away again rounds a number below 1 to a multiple of 2**-26


class Rows:
    """exp of the rows of ``x`` (its ``dim`` axis, last), relative to each row's maximum.

    The maximum's own 1 is kept apart: log(1 + others) as log1p(others) keeps the digits of a confident
    prediction, which 1 + others would lose. float32 works in float64; float64 carries the rounding error of
    z - max along (Knuth's TwoSum), because exp magnifies it by the size of its argument.
    """

    __slots__ = ("d", "error", "exps", "m", "others", "rows", "top", "total")

    def __init__(self, z: Array) -> None:
        wide = z.dtype.itemsize < 8
        z = z.astype(np.float64) if wide else z
        self.rows = np.arange(len(z))
        self.top = z.argmax(1)
        m = z[self.rows, self.top][:, None]
        d = z - m
        self.m = m
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
        if wide:
            self.others = np.add.reduce(self.exps, 1, keepdims=True)
            self.total = 1.0 + self.others
        else:  # in two parts, of which the first adds up without rounding
            head = (self.exps + _SPLIT) - _SPLIT
            sums = np.add.reduce(head, 1, keepdims=True)
            np.subtract(self.exps, head, out=head)
            rest = np.add.reduce(head, 1, keepdims=True)
            self.others, self.total = sums + rest, (1.0 + sums) + rest

    def log_softmax(self) -> Any:
        return self.d - np.log1p(self.others) + self.error

    def softmax(self) -> Array:
        p: Array = self.exps / self.total
        p[self.rows, self.top] = 1.0 / self.total[:, 0]
        return p

    def beside_top(self) -> Array:
        """1 - p of the maximum, whose p may round to 1: the share of the others."""
        share: Array = self.others[:, 0] / self.total[:, 0]
        return share

    def complement(self) -> Array:
        q: Array = 1.0 - self.exps / self.total
        q[self.rows, self.top] = self.beside_top()
        return q


def as_rows(x: Array, dim: Dims) -> Array:
    """What ``dim`` covers as the last of two axes."""
    if x.ndim == 2 and dim == 1:
        return x
    kept, dims = _split(x, dim)
    return np.transpose(x, kept + dims).reshape(math.prod(x.shape[i] for i in kept), -1)


def from_rows(rows: Array, like: Array, dim: Dims) -> Array:
    rows = rows.astype(like.dtype, copy=False)
    if like.ndim == 2 and dim == 1:
        return rows
    kept, dims = _split(like, dim)
    return np.transpose(rows.reshape([like.shape[i] for i in kept + dims]), np.argsort(kept + dims))


def _split(x: Array, dim: Dims) -> tuple[tuple[int, ...], tuple[int, ...]]:
    dims = (dim if isinstance(dim, tuple) else (dim,)) if x.ndim else ()
    return tuple(i for i in range(x.ndim) if i not in dims), dims
