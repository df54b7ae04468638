"""Values and gradients of a block by hand, where the algebra beats any plan. Laws hold each to its formula.

A kernel takes the raw arrays of a block of rows, the options, a factor, and for each array where to write its
gradient, times the factor (None where none is needed). It returns the sum of the block's values, or None for a
block that it leaves to the formula.
"""

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from .classification import cross_entropy, nll_loss
from .regression import huber_loss, mse_loss, smooth_l1_loss

PIECE = 1 << 15  # elements that are worked on together
_CLIPPED = 1 << 12  # elements: below, np.clip takes longer than a maximum and a minimum
_LARGE = 1 << 16  # numbers: their exponentials in float64 fill a cache
_SHORT = 128  # terms of a sum by a dot product, which adds one after the other
_CHUNK = 1024  # terms of a float32 dot product: its error stays below one unit in the last place


def dot(x: Array, y: Array) -> float:
    """The sum of x * y, in float32 for some terms and in float64 over all."""
    x, y = x.ravel(), y.ravel()  # the same sum for any memory order
    whole = x.size - x.size % _CHUNK
    rest = float(np.dot(x[whole:], y[whole:])) if whole < x.size else 0.0
    if not whole:
        return rest
    return math.fsum(np.vecdot(x[:whole].reshape(-1, _CHUNK), y[:whole].reshape(-1, _CHUNK)).tolist()) + rest


_UNDIVIDED = 1 << 13  # numbers that BLAS sums without threads of its own: more of those cost more than they bring


def row_sums(p: Array, ones: Array) -> Any:
    """The sum of each row, in products with ``ones``."""
    rows, width = p.shape
    if p.size <= _UNDIVIDED:
        return p.dot(ones)
    if width > _SHORT:
        return np.add.reduce(p, 1)
    group = _UNDIVIDED // width
    whole = rows - rows % group
    sums = np.empty(rows, ones.dtype)
    np.matmul(p[:whole].reshape(-1, group, width), ones, out=sums[:whole].reshape(-1, group))
    np.dot(p[whole:], ones, out=sums[whole:])
    return sums


_ROOM, _KEPT, _SMALL = 1 << 17, 16, 1 << 12  # float64 numbers of a room; rooms that wait; what is not worth one
_rooms: list[Array] = []


def borrow(size: int) -> Array:
    """Scratch in float64, kept from call to call: memory that is fresh takes longer than what is computed in it."""
    if size <= _SMALL or size > _ROOM:
        return np.empty(size)
    try:
        return _rooms.pop()
    except IndexError:
        return np.empty(_ROOM)


def give_back(room: Array) -> None:
    if room.size == _ROOM and len(_rooms) < _KEPT:
        _rooms.append(room)


def alike(*arrays: Any) -> bool:
    """Whether all are float32, or all float64, and not empty."""
    kind = arrays[0].dtype
    return kind.kind == "f" and kind.itemsize >= 4 and arrays[0].size > 0 and all(a.dtype == kind for a in arrays)


def in_pieces(kernel: Any, arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """A kernel that goes element by element, over pieces that stay in the cache."""
    flat, into = ([None if x is None else x.ravel() for x in some] for some in (arrays, outs))
    summed = 0.0
    for start in range(0, arrays[0].size, PIECE):
        some = slice(start, start + PIECE)
        given, places = ([None if x is None else x[some] for x in whole] for whole in (flat, into))
        part = kernel(given, options, factor, places)
        if part is None:
            return None
        summed += part
    return summed


def _symmetric(gradient: Array, by: float, outs: list[Any]) -> None:
    """The gradient of a function of input - target: the target's is the negative."""
    kind = gradient.dtype.type
    if outs[1] is not None:
        np.multiply(gradient, kind(-by), out=outs[1])
    if outs[0] is not None:
        np.multiply(gradient, kind(by), out=outs[0])


@mse_loss.kernel
def mse(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """The residual is the gradient and its square the value."""
    x, target, weight = arrays
    if weight is not None or not alike(x, target):
        return None
    residual = np.asarray(np.subtract(x, target, out=outs[0]))
    summed = dot(residual, residual)
    _symmetric(residual, 2.0 * factor, outs)
    return summed


def _huber(x: Array, target: Array, delta: float, by: float, outs: list[Any]) -> float:
    """c * (d - c / 2) with c the clipped residual d, and c is the gradient: it is made where that will be."""
    high, low = x.dtype.type(delta), x.dtype.type(-delta)
    room = borrow(x.size) if x.size > PIECE else None
    into = None if room is None else room.view(x.dtype)[: x.size].reshape(x.shape)
    residual = np.asarray(np.subtract(x, target, out=into))
    near = np.empty_like(residual) if outs[0] is None else outs[0]
    if residual.size > _CLIPPED:
        np.clip(residual, low, high, out=near)
    else:
        np.minimum(residual, high, out=near)
        np.maximum(near, low, out=near)
    summed = dot(near, residual) - 0.5 * dot(near, near)
    if room is not None:
        give_back(room)
    _symmetric(near, by, outs)
    return summed


@huber_loss.kernel
def huber(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    x, target, weight = arrays
    if weight is not None or not alike(x, target):
        return None
    return _huber(x, target, options["delta"], factor, outs)


@smooth_l1_loss.kernel
def smooth_l1(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    x, target = arrays
    beta = options["beta"]
    if beta < 1e-30 or not alike(x, target):
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


def _sum(x: Array, ones: Array) -> Any:
    return x.dot(ones) if len(x) <= _UNDIVIDED else np.add.reduce(x)


@cross_entropy.kernel
def cross_entropy_of_indices(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    """Logits (N, C) against indices: of float32, -log p of the target in float64, and so without a shift.

    float64 holds exp of every logit up to 700, and -log p keeps float32's digits until p comes within 1e-7 of 1:
    the examples more confident than that are mended by log1p(others), as the formula computes all of them.
    """
    z, target, weight = arrays
    if z.ndim != 2 or target.ndim != 1 or options["label_smoothing"] or outs[2] is not None:
        return None
    if z.size > _LARGE and len(z) > 1:
        return _in_halves(arrays, options, factor, outs)
    if z.dtype.itemsize != 4:
        return _of_float64(z, target, weight, factor, outs[0])
    starts, ones, rows = _layout(z.shape)
    if z.size <= _SMALL:
        room, p = None, z.astype(np.float64, order="C")
    else:
        room = borrow(z.size)
        p = room[: z.size].reshape(z.shape)
        p[...] = z
    np.exp(p, p)
    total = row_sums(p, ones)
    at = starts + target
    chosen = p.take(at)
    likely = chosen / total
    most = likely[likely.argmax()]  # a nan is the largest
    logs = np.log(likely)
    summed = -_sum(logs, rows)
    if not (most <= 1.0 and (summed < _UNLIKELY or np.minimum.reduce(logs) > -_UNLIKELY)):
        return None  # nan, inf or out of range: the formula says what becomes of it
    if most > _CONFIDENT:
        mended = np.flatnonzero(likely > _CONFIDENT)
        others = _others(z, target, mended)
        logs[mended] = -np.log1p(others)
        summed = -_sum(logs, rows)
    share = None
    if weight is not None:
        share = weight[target]
        summed = -dot(logs, share)
    gradient = outs[0]
    if gradient is None:
        return float(summed)
    chosen -= total  # p - 1 of the target, times the total
    if most > _CONFIDENT:
        chosen[mended] = -others / (1.0 + others) * total[mended]
    p.put(at, chosen)
    scale = (factor if share is None else factor * share) / total
    np.multiply(p, scale[:, None], out=gradient, casting="same_kind")  # in float64, rounded once
    if room is not None:
        give_back(room)
    return float(summed)


def _in_halves(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """Half of the rows after the other, so that temporaries stay small."""
    (z, target, weight), out, half, summed = arrays, outs[0], len(arrays[0]) // 2, 0.0
    for rows in (slice(half), slice(half, None)):
        places = [None if out is None else out[rows], None, None]
        part = cross_entropy_of_indices([z[rows], target[rows], weight], options, factor, places)
        if part is None:
            return None
        summed += part
    return summed


_FAINT, _HUGE = 1e-290, 1e290  # exponentials beyond are near the ends of float64


def _of_float64(z: Any, target: Any, weight: Any, factor: float, gradient: Any) -> float | None:
    """log1p(others / own): the own exponential is kept apart from the sum of the others, and so nothing cancels."""
    if z.dtype != np.float64 or not z.size:
        return None
    starts, ones, _ = _layout(z.shape)
    p, at = np.exp(z, out=gradient, order="C"), starts + target
    if not (np.minimum.reduce(p, axis=None) > _FAINT and np.maximum.reduce(p, axis=None) < _HUGE):
        return None
    own = p.take(at)
    p.put(at, 0.0)
    others = row_sums(p, ones)
    value = np.log1p(others / own)
    share = 1.0 if weight is None else weight[target]
    np.multiply(value, share, out=value)
    if gradient is not None:
        scale = factor * share / (own + others)
        np.multiply(p, scale[:, None], out=p)
        np.multiply(others, scale, out=own)
        p.put(at, np.negative(own, out=own))
    return float(np.add.reduce(value))


def _others(z: Any, target: Any, rows: Any) -> Any:
    """For some rows, the sum of exp(z - z of the target) without the target's own 1."""
    some, chosen = z[rows].astype(np.float64), (np.arange(len(rows)), target[rows])
    ratios = np.exp(some - some[chosen][:, None])
    ratios[chosen] = 0.0
    return np.add.reduce(ratios, 1)
