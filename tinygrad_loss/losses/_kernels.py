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


_CONFIDENT = 1.0000001  # a row sum below this has lost digits that float32 could show


@cross_entropy.kernel
def cross_entropy_of_indices(arrays: list[Any], options: dict[str, Any], needs: list[bool]) -> Any:
    """float32 logits (N, C) against indices: softmax in float64, one exponential and one logarithm per row.

    log(1 + others) keeps float32's digits as long as the others weigh more than 1e-7 of the largest; the rows
    more confident than that are mended with log1p(others), as the formula computes all of them.
    """
    z, target, weight = arrays
    if z.ndim != 2 or z.dtype.itemsize != 4 or target.ndim != 1 or options["label_smoothing"] or z.size == 0:
        return None
    if needs[2]:
        return None
    starts, ones = _layout(z.shape)
    d = np.subtract(z, np.maximum.reduce(z, 1, keepdims=True), dtype=np.float64)
    p = np.exp(d)
    total = np.dot(p, ones)
    least = np.minimum.reduce(total)
    if not least >= 1.0:
        return None  # nan or inf: the formula says what becomes of it
    at = starts + target
    value = np.log(total)
    if least < _CONFIDENT:
        mended, others = _others(p, total)
        value[mended] = np.log1p(others)
    value -= d.take(at)
    share = None
    if weight is not None:
        share = weight[target]
        value *= share
    if not needs[0]:
        return value, share, (None, None, None)
    p /= total[:, None]
    flat = p.reshape(-1)
    flat[at] -= 1.0
    if least < _CONFIDENT:
        largest = d.take(at[mended]) == 0.0
        others = others[largest]
        flat[at[mended[largest]]] = -others / (1.0 + others)
    if share is not None:
        p *= share[:, None]
    return value, share, (p, None, None)


def _others(p: Any, total: Any) -> tuple[Any, Any]:
    """The confident rows, and the sum of their exponentials without the largest, which is 1."""
    mended = np.flatnonzero(total < _CONFIDENT)
    some = p[mended]
    some[np.arange(len(some)), some.argmax(1)] = 0.0
    return mended, np.add.reduce(some, 1)
