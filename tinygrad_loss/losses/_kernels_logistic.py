"""Kernels of what is made of exponentials, element by element (see _kernels.py).

float32 in, float64 inside, in pieces that stay in the cache, rounded once.
"""

from typing import Any

import numpy as np

from ..dtypes import Array
from .classification import binary_cross_entropy_with_logits, multilabel_soft_margin_loss
from .likelihood import poisson_nll_loss
from .margin import soft_margin_loss

_SUB = 1 << 15  # elements of a float64 temporary
_PRODUCT = 32  # that many 1 + exp(v), and one more, v up to _STEEP, stay below float64's largest number
_STEEP, _CERTAIN = 21.0, 1e-7
_SURE = 18.0  # above, sigmoid(v) - 1 has lost digits that float32 could show
_LOUD = 80.0  # exp of more comes near the end of float32's range
_GLANCE = 64


def _all_float32(*arrays: Any) -> bool:
    return all(x.dtype == np.float32 for x in arrays)


def _write(out: Array, x: Array, factor: float) -> None:
    out[...] = x
    if factor != 1.0:
        np.multiply(out, out.dtype.type(factor), out=out)  # half the time of a product in float64


def _sum_of_logs(p: Array) -> float:
    """The sum of log(p) for p = 1 + exp(v), v < _STEEP: one logarithm for the product of 32, or 33."""
    whole = p.size & -_PRODUCT
    products, rest = np.multiply.reduce(p[:whole].reshape(_PRODUCT, -1), 0), p[whole:]
    if rest.size > products.size:
        return float(np.add.reduce(np.log(p)))
    if rest.size:
        products[: rest.size] *= rest
    return float(np.add.reduce(np.log(products, products)))


def _softplus(v: Array, factor: float, slope: Array | None) -> float | None:
    """The sum of softplus(v), and factor * sigmoid(v); None where float64 would lose what float32 shows."""
    if not np.maximum.reduce(v) < _STEEP:
        return None
    e, p = np.empty(min(_SUB, v.size)), np.empty(min(_SUB, v.size))
    summed = 0.0
    for start in range(0, v.size, _SUB):
        some = v[start : start + _SUB]
        a, b = e[: some.size], p[: some.size]
        a[...] = some
        np.exp(a, a)
        np.add(a, 1.0, out=b)
        summed += _sum_of_logs(b)
        if slope is not None:
            np.divide(a, b, out=a)
            _write(slope[start : start + _SUB], a, factor)
    return None if summed < _CERTAIN * v.size else summed  # 1 + exp(v) has lost the digits of exp(v)


@soft_margin_loss.kernel
def soft_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """softplus(v) with v = -target * x; its slope is -target * sigmoid(v)."""
    x, target = arrays
    if outs[1] is not None or not _all_float32(x, target) or not x.size:
        return None
    target, out = np.ravel(target), None if outs[0] is None else outs[0].reshape(-1)
    v = np.ravel(x) * target
    summed = _softplus(np.negative(v, v), -factor, out)
    if out is not None and summed is not None:
        np.multiply(out, target, out=out)
    return summed


_ONE_BIT, _SIGN = np.int32(0x00800000), 8  # a bit that 1.0 has and 0.0 has not, and how far it is from the sign


def _yes_or_no(x: Array, target: Array, factor: float, out: Array | None) -> float | None:
    """Targets 0 or 1: softplus(v) with v = -x for target 1 and x for 0, its slope sigmoid(v) with the sign of v / x."""
    bits = target.view(np.int32)
    if not _zeros_and_ones(bits[:_GLANCE]) or not _zeros_and_ones(bits):
        return None
    flip = np.bitwise_and(bits, _ONE_BIT)
    np.left_shift(flip, _SIGN, out=flip)  # the sign bit for a target of 1
    v = np.bitwise_xor(x.view(np.int32), flip)
    summed = _softplus(v.view(np.float32), factor, out)
    if out is not None and summed is not None:
        slope = out.view(np.int32)
        np.bitwise_xor(slope, flip, out=slope)
    return summed


def _zeros_and_ones(bits: Array) -> bool:
    return np.array_equal(np.bitwise_and(bits, _ONE_BIT) * np.int32(127), bits)


def _between(x: Array, target: Array, factor: float, out: Array | None) -> float | None:
    """Any targets: softplus(x) - target * x, its slope sigmoid(x) - target."""
    if not np.maximum.reduce(x) < _SURE:
        return None
    size = min(_SUB, x.size)
    work = np.empty((3, size))
    summed = 0.0
    for start in range(0, x.size, _SUB):
        some = x[start : start + _SUB]
        a, p, t = work[:, : some.size]
        a[...] = some
        t[...] = target[start : start + _SUB]
        summed -= float(np.dot(a, t))
        np.exp(a, a)
        np.add(a, 1.0, out=p)
        summed += _sum_of_logs(p)
        if out is not None:
            np.divide(a, p, out=a)
            np.subtract(a, t, out=a)
            _write(out[start : start + _SUB], a, factor)
    return None if not summed > _CERTAIN * x.size else summed


def _binary(x: Array, target: Array, factor: float, gradient: Array | None) -> float | None:
    if not _all_float32(x, target) or not x.size:
        return None
    x, target, out = np.ravel(x), np.ravel(target), None if gradient is None else gradient.reshape(-1)
    summed = _between(x, target, factor, out)
    return _yes_or_no(x, target, factor, out) if summed is None else summed


def _weighted(
    x: Array, target: Array, weight: Any, pos_weight: Any, factor: float, gradient: Array | None
) -> float | None:
    """weight * (q * softplus(x) - pos_weight * target * x) with q = 1 - target + pos_weight * target, its slope
    weight * (q * sigmoid(x) - pos_weight * target)."""
    given = [w for w in (weight, pos_weight) if w is not None]
    if not _all_float32(x, target, *given) or not x.size or not x.ndim or not np.maximum.reduce(x, axis=None) < _SURE:
        return None
    step, summed, least = max(1, _SUB * len(x) // x.size), 0.0, 0.0
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        a, t = x[rows].astype(np.float64), target[rows].astype(np.float64)
        w, q = [None if w is None else w[rows] if w.ndim == x.ndim and len(w) > 1 else w for w in (weight, pos_weight)]
        no = 1.0 - t
        if q is not None:
            np.multiply(t, q, out=t)
        if w is not None:
            np.multiply(t, w, out=t)
            np.multiply(no, w, out=no)
        np.add(no, t, out=no)
        summed -= float(np.dot(a.reshape(-1), t.reshape(-1)))
        np.exp(a, a)
        p = np.add(a, 1.0)
        np.divide(a, p, out=a)
        np.log(p, p)
        summed += float(np.dot(p.reshape(-1), no.reshape(-1)))
        least += float(np.add.reduce(no, axis=None))
        if gradient is not None:
            np.multiply(a, no, out=a)
            np.subtract(a, t, out=a)
            _write(gradient[rows], a, factor)
    return summed if summed > _CERTAIN * least else None


@binary_cross_entropy_with_logits.kernel
def binary_cross_entropy_of_logits(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    x, target, weight, pos_weight = arrays
    if any(o is not None for o in outs[1:]):
        return None
    if weight is None and pos_weight is None:
        return _binary(x, target, factor, outs[0])
    return _weighted(x, target, weight, pos_weight, factor, outs[0])


@multilabel_soft_margin_loss.kernel
def multilabel_soft_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """The same sums, divided by the number of classes."""
    x, target, weight = arrays
    if outs[1] is not None or outs[2] is not None or not x.size:
        return None
    part = 1.0 / x.shape[-1]
    if weight is None:
        summed = _binary(x, target, factor * part, outs[0])
    else:
        summed = _weighted(x, target, weight, None, factor * part, outs[0])
    return None if summed is None else summed * part


@poisson_nll_loss.kernel
def poisson(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """exp(x) - target * x, its slope exp(x) - target."""
    x, target = arrays
    if outs[1] is not None or options["full"] or not options["log_input"] or not _all_float32(x, target) or not x.size:
        return None
    x, target = np.ravel(x), np.ravel(target)
    if not np.maximum.reduce(x) < _LOUD:
        return None
    out = None if outs[0] is None else outs[0].reshape(-1)
    work = np.empty((2, min(_SUB, x.size)))
    summed = 0.0
    for start in range(0, x.size, _SUB):
        some = x[start : start + _SUB]
        a, t = work[:, : some.size]
        a[...] = some
        t[...] = target[start : start + _SUB]
        summed -= float(np.dot(a, t))
        np.exp(a, a)
        summed += float(np.add.reduce(a))
        if out is not None:
            np.subtract(a, t, out=a)
            _write(out[start : start + _SUB], a, factor)
    return summed
