"""Values and gradients of a block by hand, where the algebra beats any plan. Laws hold each to its formula."""

from typing import Any

import numpy as np

from .classification import cross_entropy

_LAYOUTS: dict[tuple[int, int], Any] = {}  # for the shapes in use: where each row begins, and a vector of ones


def _layout(shape: tuple[int, int]) -> Any:
    known = _LAYOUTS.get(shape)
    if known is None:
        if len(_LAYOUTS) > 64:
            _LAYOUTS.clear()
        known = _LAYOUTS[shape] = np.arange(0, shape[0] * shape[1], shape[1]), np.ones(shape[1])
    return known


_CONFIDENT = 0.9999999  # above this, 1 - p has lost digits that float32 could show
_UNLIKELY = 600.0  # below exp(-600), p comes near the end of float64's range


@cross_entropy.kernel
def cross_entropy_of_indices(arrays: list[Any], options: dict[str, Any], needs: list[bool]) -> Any:
    """float32 logits (N, C) against indices: -log p of the target, in float64 and so without a shift.

    float64 holds exp of every logit up to 700, and -log p keeps float32's digits until p comes within 1e-7 of 1:
    the examples more confident than that are mended by log1p(others), as the formula computes all of them.
    """
    z, target, weight = arrays
    if z.ndim != 2 or z.dtype.itemsize != 4 or target.ndim != 1 or options["label_smoothing"] or z.size == 0:
        return None
    if needs[2]:
        return None
    starts, ones = _layout(z.shape)
    p = np.exp(z, dtype=np.float64, order="C")  # whatever the order of z: below, p is written as one row
    total = np.dot(p, ones)
    at = starts + target
    likely = p.take(at) / total
    most = np.maximum.reduce(likely)
    value = np.log(likely)
    np.negative(value, value)
    if not (most <= 1.0 and np.maximum.reduce(value) < _UNLIKELY):
        return None  # nan, inf or out of range: the formula says what becomes of it
    if most > _CONFIDENT:
        mended = np.flatnonzero(likely > _CONFIDENT)
        others = _others(z, target, mended)
        value[mended] = np.log1p(others)
    share = None
    if weight is not None:
        share = weight[target]
        value *= share
    if not needs[0]:
        return value, share, (None, None, None)
    p /= total[:, None]
    likely -= 1.0
    if most > _CONFIDENT:
        likely[mended] = -others / (1.0 + others)
    p.reshape(-1)[at] = likely
    if share is not None:
        p *= share[:, None]
    return value, share, (p, None, None)


def _others(z: Any, target: Any, rows: Any) -> Any:
    """For some rows, the sum of exp(z - z of the target) without the target's own 1."""
    some, chosen = z[rows].astype(np.float64), (np.arange(len(rows)), target[rows])
    ratios = np.exp(some - some[chosen][:, None])
    ratios[chosen] = 0.0
    return np.add.reduce(ratios, 1)
