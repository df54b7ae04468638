"""Kernels of what is made of exponentials, element by element (see _kernels.py).

In pieces that stay in the cache; sums in float64, slopes in the type of the arguments.
"""

from typing import Any

import numpy as np

from ..dtypes import Array
from ._kernels import PIECE, alike, borrow, dot, give_back, in_pieces
from .classification import binary_cross_entropy_with_logits, multilabel_soft_margin_loss
from .likelihood import poisson_nll_loss
from .margin import soft_margin_loss

_FACTORS, _STEEP = 8, 88.0  # so many 1 + exp(v), v up to _STEEP, have a product in float64; float32 holds exp(_STEEP)
_FEW = 256  # elements: their logarithms take no longer than a product of every few of them
_PARTS = 4.0  # a sum that is so many times smaller than its parts is added up from others
_SAFE = 1e-2  # mean value: below, 1 + exp(v) has lost digits of a small exp(v) that float64 could show
_LOUD = {4: 80.0, 8: 700.0}  # exp of more comes near the end of the floats of so many bytes


def _halves(room: Array, v: Array) -> list[Array]:
    """Two pieces of scratch in the shape of ``v``."""
    return [room[i : i + v.size].reshape(v.shape) for i in (0, room.size // 2)]


def _narrow(scratch: Array, kind: Any) -> Array:
    """The same scratch, of another type."""
    narrow: Array = scratch.reshape(-1).view(kind)[: scratch.size]
    return narrow.reshape(scratch.shape)


def _sum_of_logs(p: Array) -> float:
    """The sum of log(1 + exp(v)): one logarithm for a product."""
    p = p.reshape(-1)
    whole = p.size & -_FACTORS if p.size > _FEW else 0
    products, rest = np.multiply.reduce(p[:whole].reshape(_FACTORS, -1), 0), p[whole:]
    summed = float(np.add.reduce(np.log(products, out=products))) if whole else 0.0
    return summed + float(np.add.reduce(np.log(rest))) if rest.size else summed


def _per(slope: Array, e: Array, p: Array, factor: float) -> None:
    """slope * factor / (1 + e), in the slope's type."""
    kind = slope.dtype.type
    np.divide(slope, p if kind is np.float64 else np.add(e, kind(1), out=e), out=slope)
    if factor != 1.0:
        np.multiply(slope, kind(factor), out=slope)


@soft_margin_loss.kernel
def soft_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """log(1 + exp(v)) with v = -target * x; its slope is -target * exp(v) / (1 + exp(v))."""
    x, target = arrays
    if outs[1] is not None or not alike(x, target):
        return None
    if x.size > PIECE:
        return in_pieces(soft_margin, arrays, options, factor, outs)
    v = np.asarray(np.multiply(x, target, out=outs[0]))
    np.negative(v, out=v)
    if not np.maximum.reduce(v, axis=None) < _STEEP:
        return None
    room = borrow(2 * x.size)
    e, p = _halves(room, v)
    e[...] = v
    np.exp(e, out=e)
    np.add(e, 1.0, out=p)
    summed = _sum_of_logs(p)
    if summed < _SAFE * p.size:
        summed = float(np.add.reduce(np.log1p(e), axis=None))
    if outs[0] is not None:
        if x.itemsize < 8:
            wide, e = e, _narrow(p, x.dtype)  # float32 has no more use for p
            e[...] = wide
        np.multiply(e, target, out=v)
        _per(v, e, p, -factor)
    give_back(room)
    return summed


def _carefully(x: Array, yes: Array, no: Array) -> float:
    """The sum of no * log(1 + exp(x)) + yes * log(1 + exp(-x)), from parts of which none is negative."""
    x = x.astype(np.float64)
    small = np.log1p(np.exp(-np.absolute(x)))
    parts = np.multiply(no, np.maximum(x, 0.0) + small) + np.multiply(yes, small - np.minimum(x, 0.0))
    return float(np.add.reduce(parts, axis=None))


def _binary(x: Array, target: Array, weight: Any, positive: Any, factor: float, out: Array | None) -> float | None:
    """no * log(1 + e) + yes * log(1 + 1 / e) with e = exp(x): its slope is (no * e - yes) / (1 + e)."""
    if not np.maximum.reduce(x, axis=None) < _STEEP:
        return None
    yes, no = target, np.asarray(np.subtract(x.dtype.type(1), target, out=out))
    if weight is not None:
        yes, no = yes * weight, np.multiply(no, weight, out=out)
    if positive is not None:
        yes = yes * positive
    room = borrow(2 * x.size)
    wide, p = _halves(room, x)
    e = _narrow(wide, x.dtype)
    np.exp(x, out=e)
    p[...] = e
    np.add(p, 1.0, out=p)
    across = dot(x, yes)  # log(1 + 1 / e) is log(1 + e) - x
    if weight is None and positive is None:
        summed = _sum_of_logs(p) - across
    else:
        summed = dot(np.log(p), np.add(yes, no, dtype=np.float64)) - across
    if not (summed > _SAFE * x.size and summed * _PARTS > across):
        summed = _carefully(x, yes, no)
    if out is not None:
        np.multiply(no, e, out=out)
        np.subtract(out, yes, out=out)
        _per(out, e, p, factor)
    give_back(room)
    return summed


@binary_cross_entropy_with_logits.kernel
def binary_cross_entropy_of_logits(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    x, target, weight, positive = arrays
    if outs[1] is not None or outs[2] is not None or outs[3] is not None:
        return None
    if not alike(x, *(a for a in arrays[1:] if a is not None)):
        return None
    if x.size <= PIECE:
        return _binary(x, target, weight, positive, factor, outs[0])
    if all(a is None or a.shape == x.shape for a in arrays):
        return in_pieces(binary_cross_entropy_of_logits, arrays, options, factor, outs)
    return _by_rows(x, target, weight, positive, factor, outs[0])


def _by_rows(x: Array, target: Array, weight: Any, positive: Any, factor: float, out: Array | None) -> float | None:
    """Pieces of whole rows, for weights that are broadcast."""
    summed, step = 0.0, max(1, PIECE * len(x) // x.size)
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        w, q = [a[rows] if a is not None and a.ndim == x.ndim and len(a) > 1 else a for a in (weight, positive)]
        part = _binary(x[rows], target[rows], w, q, factor, None if out is None else out[rows])
        if part is None:
            return None
        summed += part
    return summed


@multilabel_soft_margin_loss.kernel
def multilabel_soft_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """The same sums, divided by the number of classes."""
    part = 1.0 / max(arrays[0].shape[-1], 1)
    summed = binary_cross_entropy_of_logits([*arrays, None], options, factor * part, [*outs, None])
    return None if summed is None else summed * part


@poisson_nll_loss.kernel
def poisson(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """exp(x) - target * x, its slope exp(x) - target, in float64 and rounded once."""
    x, target = arrays
    if outs[1] is not None or options["full"] or not options["log_input"] or not alike(x, target):
        return None
    if x.size > PIECE:
        return in_pieces(poisson, arrays, options, factor, outs)
    if not np.maximum.reduce(x, axis=None) < _LOUD[x.itemsize]:
        return None
    room, out = borrow(2 * x.size), outs[0]
    a, t = _halves(room, x)
    a[...], t[...] = x, target
    across = dot(a, t)
    np.exp(a, out=a)
    summed = float(np.add.reduce(a, axis=None)) - across
    if out is not None:
        np.subtract(a, t, out=a)
        out[...] = a
        if factor != 1.0:
            np.multiply(out, x.dtype.type(factor), out=out)
    give_back(room)
    return summed
