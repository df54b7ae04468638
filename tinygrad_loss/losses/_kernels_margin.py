"""Kernels of hinges: values and slopes from comparisons, without a where (see _kernels.py)."""

from typing import Any

import numpy as np

from ._kernels import row_sums
from ._plan import total
from .margin import margin_ranking_loss, multi_margin_loss, multilabel_margin_loss

_SUB = 1 << 14  # elements of a temporary
_CLASSES = 127  # what a byte counts


def _same_floats(*arrays: Any) -> bool:
    kind = arrays[0].dtype
    return kind.kind == "f" and kind.itemsize >= 4 and all(x.dtype == kind for x in arrays)


@margin_ranking_loss.kernel
def margin_ranking(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """max(h, 0) with h = margin - target * (x - other): its slope by x is -target where h >= 0, by other target."""
    x, other, target = arrays
    if outs[2] is not None or not _same_floats(x, other, target) or not x.shape == other.shape == target.shape:
        return None
    kind = x.dtype.type
    h = np.asarray(x - other)
    np.multiply(h, target, out=h)
    np.subtract(kind(options["margin"]), h, out=h)
    slope = None
    for out, by in zip(outs, (-factor, factor), strict=False):
        if out is not None:
            if slope is None:
                slope = np.multiply(np.greater_equal(h, kind(0)), target)
            np.multiply(slope, kind(by), out=out)
    np.maximum(h, kind(0), out=h)
    return total(h)


@multi_margin_loss.kernel
def multi_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """h = max(x - own + margin, 0), 0 for the own class: a slope of 1, or 2 h, and minus their sum for the own."""
    x, target, weight = arrays
    if x.ndim != 2 or target.ndim != 1 or weight is not None or not _same_floats(x) or not x.size:
        return None
    kind, classes, p = x.dtype.type, x.shape[1], options["p"]
    summed, step = 0.0, max(1, _SUB // classes)
    by, ones = kind(p * factor / classes), np.ones(classes)
    for start in range(0, len(x), step):
        some = np.ascontiguousarray(x[start : start + step])
        at = np.arange(0, some.size, classes) + target[start : start + step]
        h = some - some.take(at)[:, None]
        np.add(h, kind(options["margin"]), out=h)
        h.reshape(-1)[at] = 0
        np.maximum(h, kind(0), out=h)
        summed += total(h if p == 1 else h * h)
        if outs[0] is not None:
            out = outs[0][start : start + step]
            np.multiply(np.greater(h, kind(0)) if p == 1 else h, by, out=out)
            out.reshape(-1)[at] = -row_sums(out, ones)
    return summed / float(classes)


@multilabel_margin_loss.kernel
def multilabel_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """For one column of labels after the other h = max(1 - own + x, 0), x being -inf for every class that is listed:
    a slope of 1, and minus their sum for the own class. Classes by rows, so that examples lie side by side; one more
    row is the class of those who list nothing in a column."""
    x, target = arrays
    if x.ndim != 2 or target.shape != x.shape or not _same_floats(x) or not x.size or x.shape[1] > _CLASSES:
        return None
    kind, classes = x.dtype.type, x.shape[1]
    zero, by = kind(0), kind(factor / classes)
    summed, step = 0.0, max(1, _SUB // classes)
    for start in range(0, len(x), step):
        some, labels = x[start : start + step], np.array(target[start : start + step].T, np.int64, order="C")
        count = len(some)
        nothing = np.logical_or.accumulate(labels < 0, axis=0)
        longest = classes - int(np.count_nonzero(np.logical_and.reduce(nothing, 1)))
        labels[nothing] = classes
        places = labels[:longest]
        np.multiply(places, count, out=places)
        np.add(places, np.arange(count), out=places)
        scores = np.empty((classes + 1, count), x.dtype)
        scores[:classes], scores[classes] = some.T, np.inf
        shifts = kind(1) - scores.take(places)
        scores.reshape(-1)[places] = -np.inf
        others = scores[:classes]
        h, above = np.empty_like(others), np.empty(others.shape, bool)
        slope, own = np.zeros(others.shape, np.int8), np.zeros((longest, count), np.int8)
        for k in range(longest):
            np.add(others, shifts[k], out=h)
            np.maximum(h, zero, out=h)
            summed += total(h)
            if outs[0] is not None:
                np.greater(h, zero, out=above)
                ones = above.view(np.int8)
                np.add(slope, ones, out=slope)
                np.add.reduce(ones, 0, dtype=np.int8, out=own[k])
        if outs[0] is not None:
            gradient = np.zeros_like(scores)
            np.multiply(slope, by, out=gradient[:classes])
            flat, pulled = gradient.reshape(-1), own * by
            for k in range(longest):
                flat[places[k]] -= pulled[k]
            outs[0][start : start + step] = gradient[:classes].T
    return summed / float(classes)
