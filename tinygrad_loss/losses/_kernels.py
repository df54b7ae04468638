"""Values and gradients of a block by hand, where the algebra beats any plan. Laws hold each to its formula.

A kernel takes the raw arrays of a block of rows, the options, a factor, and for each array where to write its
gradient, times the factor (None where none is needed). It returns the sum of the block's values, or None for a
block that it leaves to the formula.
"""

from typing import Any

import numpy as np

from ..dtypes import Array
from .classification import cross_entropy, nll_loss
from .regression import huber_loss, mse_loss, smooth_l1_loss

_CLIPPED = 1 << 14  # elements: below, np.clip takes longer than a maximum and a minimum
_CHUNK = 1024  # terms of a float32 dot product: its error stays below one unit in the last place


def _dot(x: Array, y: Array) -> float:
    """The sum of x * y of two vectors, in float32 for some terms and in float64 over all."""
    x, y = x.reshape(-1), y.reshape(-1)
    whole = x.size - x.size % _CHUNK
    if not whole:
        return float(np.dot(x, y))
    rows = np.vecdot(x[:whole].reshape(-1, _CHUNK), y[:whole].reshape(-1, _CHUNK))
    return float(np.add.reduce(rows, dtype=np.float64)) + float(np.dot(x[whole:], y[whole:]))


def _symmetric(gradient: Array, by: float, outs: list[Any]) -> None:
    """The gradient of a function of input - target: the target's is the negative."""
    kind = gradient.dtype.type
    if outs[0] is not None:
        np.multiply(gradient, kind(by), out=outs[0])
    if outs[1] is not None:
        np.multiply(gradient, kind(-by), out=outs[1])


@mse_loss.kernel
def mse(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """The residual is the gradient and its square the value."""
    x, target, weight = arrays
    if weight is not None:
        return None
    residual = np.asarray(x - target)
    _symmetric(residual, 2.0 * factor, outs)
    return _dot(residual, residual)


def _huber(x: Array, target: Array, delta: float, by: float, outs: list[Any]) -> float:
    """c * (d - c / 2) with c the clipped residual d, and c is the gradient: it is made where that will be."""
    residual, high, low = np.asarray(x - target), x.dtype.type(delta), x.dtype.type(-delta)
    near = outs[0] if outs[0] is not None else np.empty_like(residual)
    if residual.size > _CLIPPED:
        np.clip(residual, low, high, out=near)
    else:
        np.minimum(residual, high, out=near)
        np.maximum(near, low, out=near)
    summed = _dot(near, residual) - 0.5 * _dot(near, near)
    _symmetric(near, by, [None, outs[1]])
    if outs[0] is not None:
        np.multiply(near, x.dtype.type(by), out=near)
    return summed


@huber_loss.kernel
def huber(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    x, target, weight = arrays
    if weight is not None:
        return None
    return _huber(x, target, options["delta"], factor, outs)


@smooth_l1_loss.kernel
def smooth_l1(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    x, target = arrays
    beta = options["beta"]
    if beta < 1e-30:
        return None
    return _huber(x, target, beta, factor / beta, outs) / float(beta)


@nll_loss.kernel
def nll_of_indices(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """Rows of log-probabilities against indices: the gradient is 0 but for one number in each row."""
    log_p, target, weight = arrays
    if log_p.ndim != 2 or target.ndim != 1 or weight is not None or not log_p.flags.c_contiguous:
        return None
    at = _layout(log_p.shape)[0] + target
    if outs[0] is not None:
        outs[0].fill(0)
        outs[0].reshape(-1)[at] = -factor
    return -float(np.add.reduce(log_p.take(at), dtype=np.float64))


_CONFIDENT = 0.9999999  # above this, 1 - p has lost digits that float32 could show
_UNLIKELY = 600.0  # below exp(-600), p comes near the end of float64's range
_LAYOUTS: dict[tuple[int, int], Any] = {}  # for shapes in use: where each row begins, a one for each class and row


def _layout(shape: tuple[int, int]) -> Any:
    known = _LAYOUTS.get(shape)
    if known is None:
        if len(_LAYOUTS) > 64:
            _LAYOUTS.clear()
        known = _LAYOUTS[shape] = np.arange(0, shape[0] * shape[1], shape[1]), np.ones(shape[1]), np.ones(shape[0])
    return known


@cross_entropy.kernel
def cross_entropy_of_indices(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    """float32 logits (N, C) against indices: -log p of the target, in float64 and so without a shift.

    float64 holds exp of every logit up to 700, and -log p keeps float32's digits until p comes within 1e-7 of 1:
    the examples more confident than that are mended by log1p(others), as the formula computes all of them.
    """
    z, target, weight = arrays
    if z.ndim != 2 or z.dtype.itemsize != 4 or target.ndim != 1 or options["label_smoothing"] or outs[2] is not None:
        return None
    starts, ones, rows = _layout(z.shape)
    p = z.astype(np.float64, order="C")
    np.exp(p, p)
    total = p.dot(ones)
    at = starts + target
    chosen = p.take(at)
    likely = chosen / total
    most = likely[likely.argmax()]  # a nan is the largest
    logs = np.log(likely)
    summed = -logs.dot(rows)
    if not (most <= 1.0 and (summed < _UNLIKELY or np.minimum.reduce(logs) > -_UNLIKELY)):
        return None  # nan, inf or out of range: the formula says what becomes of it
    if most > _CONFIDENT:
        mended = np.flatnonzero(likely > _CONFIDENT)
        others = _others(z, target, mended)
        logs[mended] = -np.log1p(others)
        summed = -logs.dot(rows)
    share = None
    if weight is not None:
        share = weight[target]
        summed = -np.dot(logs * share, rows)
    gradient = outs[0]
    if gradient is None:
        return float(summed)
    chosen -= total  # p - 1 of the target, times the total
    if most > _CONFIDENT:
        chosen[mended] = -others / (1.0 + others) * total[mended]
    p.put(at, chosen)
    scale = (factor if share is None else factor * share) / total
    np.multiply(p, scale[:, None], out=gradient, casting="same_kind")  # in float64, rounded once
    return float(summed)


def _others(z: Any, target: Any, rows: Any) -> Any:
    """For some rows, the sum of exp(z - z of the target) without the target's own 1."""
    some, chosen = z[rows].astype(np.float64), (np.arange(len(rows)), target[rows])
    ratios = np.exp(some - some[chosen][:, None])
    ratios[chosen] = 0.0
    return np.add.reduce(ratios, 1)
