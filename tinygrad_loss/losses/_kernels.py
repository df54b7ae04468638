"""Values and gradients of a block by hand, where the algebra beats any plan. Laws hold each to its formula."""

from typing import Any

import numpy as np

from ._reductions import reduce_block
from .classification import cross_entropy

_LAYOUTS: dict[
    tuple[int, int], Any
] = {}  # for the shapes in use: where each row begins, a one for each class and for each row


def _layout(shape: tuple[int, int]) -> Any:
    known = _LAYOUTS.get(shape)
    if known is None:
        if len(_LAYOUTS) > 64:
            _LAYOUTS.clear()
        known = _LAYOUTS[shape] = np.arange(0, shape[0] * shape[1], shape[1]), np.ones(shape[1]), np.ones(shape[0])
    return known


_CONFIDENT = 0.9999999  # above this, 1 - p has lost digits that float32 could show
_UNLIKELY = 600.0  # below exp(-600), p comes near the end of float64's range


@cross_entropy.kernel
def cross_entropy_of_indices(arrays: list[Any], options: dict[str, Any], needs: list[bool], reduction: str) -> Any:
    """float32 logits (N, C) against indices: -log p of the target, in float64 and so without a shift.

    float64 holds exp of every logit up to 700, and -log p keeps float32's digits until p comes within 1e-7 of 1:
    the examples more confident than that are mended by log1p(others), as the formula computes all of them.
    """
    z, target, weight = arrays
    if z.ndim != 2 or z.dtype.itemsize != 4 or target.ndim != 1 or options["label_smoothing"] or z.size == 0:
        return None
    if needs[2]:
        return None
    starts, ones, rows = _layout(z.shape)
    p = z.astype(np.float64, order="C")
    np.exp(p, p)
    total = np.dot(p, ones)
    at = starts + target
    likely = p.take(at) / total
    most = likely[likely.argmax()]  # a nan is the largest
    value = np.log(likely)
    np.negative(value, value)
    summed = np.dot(value, rows)
    if not (most <= 1.0 and (summed < _UNLIKELY or np.maximum.reduce(value) < _UNLIKELY)):
        return None  # nan, inf or out of range: the formula says what becomes of it
    if most > _CONFIDENT:
        mended = np.flatnonzero(likely > _CONFIDENT)
        others = _others(z, target, mended)
        value[mended] = np.log1p(others)
        summed = np.dot(value, rows)
    share = None
    if weight is not None:
        share = weight[target]
        value *= share
        summed = np.dot(value, rows)
    y, factor = reduce_block(value, summed, share, reduction, z.dtype)
    if not needs[0]:
        return y, None
    likely -= 1.0
    if most > _CONFIDENT:
        likely[mended] = -others / (1.0 + others)
    scale = factor if share is None else factor * share
    gradient = np.empty(z.shape, z.dtype)
    np.multiply(p, (scale / total)[:, None], out=gradient, casting="same_kind")  # multiplied in float64, rounded once
    likely *= scale
    gradient.reshape(-1)[at] = likely
    return y, (gradient, None, None)


def _others(z: Any, target: Any, rows: Any) -> Any:
    """For some rows, the sum of exp(z - z of the target) without the target's own 1."""
    some, chosen = z[rows].astype(np.float64), (np.arange(len(rows)), target[rows])
    ratios = np.exp(some - some[chosen][:, None])
    ratios[chosen] = 0.0
    return np.add.reduce(ratios, 1)
