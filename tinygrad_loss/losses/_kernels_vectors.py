"""Kernels of distances and angles of vectors whose squared lengths float32 would hold (see _kernels.py)."""

from typing import Any

import numpy as np

from ..dtypes import Array
from ._kernels import row_sums
from .metric import cosine_embedding_loss, triplet_margin_loss, triplet_margin_with_distance_loss

_SUB = 1 << 15  # elements of a temporary
_NARROW, _WIDE = 64, 256  # elements of a vector
_TINY = 2.0**-14  # squared length: a shorter vector goes without the 1e-12
_LEAST, _MOST = 1e-30, 1e30  # squared lengths: what is outside, as a vector of 0 is, is the formula's
_CERTAIN = {4: 1e-7, 8: 1e-2}  # mean value: below, 1 - cos has lost digits that floats of so many bytes could show


def _vectors(*arrays: Any) -> list[Array] | None:
    """Matrices, all of float32 or all of float64, or None."""
    x = arrays[0]
    if not x.ndim or not x.size or any(a.dtype != x.dtype or a.shape != x.shape for a in arrays):
        return None
    if x.dtype.kind != "f" or x.itemsize < 4:
        return None
    return [a.reshape(-1, x.shape[-1]) for a in arrays]


def _dots(x: Array, y: Array, work: Array) -> Any:
    """x . y of each row, in float64 for wide ones."""
    width = x.shape[1]
    if width <= _NARROW:
        return row_sums(np.multiply(x, y, out=work), np.ones(width, x.dtype))
    return np.vecdot(x, y) if width <= _WIDE else np.vecdot(x, y, dtype=np.float64)


def _within(lengths: Any) -> bool:
    return bool(np.minimum.reduce(lengths, axis=None) > _LEAST and np.maximum.reduce(lengths, axis=None) < _MOST)


def _column(x: Any, kind: Any) -> Any:
    return x.astype(kind, copy=False)[:, None]


def _triplets(arrays: list[Any], eps: float, margin: float, factor: float, outs: list[Any]) -> float | None:
    """max(near - far + margin, 0); the slope of a length is the unit vector along it."""
    vectors = _vectors(*arrays)
    if vectors is None:
        return None
    width = vectors[0].shape[1]
    into = [None if o is None else o.reshape(-1, width) for o in outs]
    summed, step = 0.0, max(1, _SUB // width)
    for start in range(0, len(vectors[0]), step):
        a, b, c = [x[start : start + step] for x in vectors]
        work, u, v, kind = np.empty_like(a), a - b, a - c, a.dtype.type
        np.add(u, kind(eps), out=u)
        np.add(v, kind(eps), out=v)
        squares = np.array([_dots(u, u, work), _dots(v, v, work)], np.float64)
        if not _within(squares):
            return None
        near, far = lengths = np.sqrt(squares)
        value = near - far
        value += margin
        active = np.greater_equal(value, 0.0) * factor / lengths
        summed += float(np.add.reduce(np.maximum(value, 0.0)))
        part = [None if o is None else o[start : start + step] for o in into]
        if part[0] is not None or part[1] is not None:
            np.multiply(u, _column(active[0], kind), out=u)
        if part[0] is not None or part[2] is not None:
            np.multiply(v, _column(active[1], kind), out=v)
        if part[0] is not None:
            np.subtract(u, v, out=part[0])
        if part[1] is not None:
            np.negative(u, out=part[1])
        if part[2] is not None:
            part[2][...] = v
    return summed


@triplet_margin_loss.kernel
def triplet_margin(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    if options["swap"] or options["p"] != 2:
        return None
    return _triplets(arrays, options["eps"], options["margin"], factor, outs)


@triplet_margin_with_distance_loss.kernel
def triplet_margin_with_distance(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    if options["swap"] or options["distance_function"] is not None:
        return None
    return _triplets(arrays, 1e-6, options["margin"], factor, outs)


@cosine_embedding_loss.kernel
def cosine_embedding(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float | None:
    """cos = a.b / sqrt(A B) with A = a.a + 1e-12, in float64: its slope is b / sqrt(A B) - cos * a / A."""
    vectors = _vectors(*arrays[:2])
    if vectors is None or outs[2] is not None:
        return None
    target, width, margin = arrays[2].reshape(-1), vectors[0].shape[1], options["margin"]
    into = [None if o is None else o.reshape(-1, width) for o in outs[:2]]
    summed, step = 0.0, min(max(1, _SUB // width), len(target))
    kind, scratch = vectors[0].dtype, np.empty((step, width), vectors[0].dtype)
    wide = np.empty((3, step, width)) if kind.itemsize < 8 else None
    for start in range(0, len(target), step):
        a, b = x, y = [v[start : start + step] for v in vectors]
        work = scratch[: len(x)]
        if wide is not None:
            a, b, work = wide[:, : len(x)]
            a[...], b[...] = x, y
        dot, lengths = _dots(a, b, work), np.array([_dots(a, a, work), _dots(b, b, work)])
        if not _within(lengths):
            return None
        lengths += np.greater_equal(lengths, _TINY) * 1e-12
        root = 1.0 / np.sqrt(lengths[0] * lengths[1])
        cosine = dot * root
        similar = np.equal(target[start : start + step], 1)
        different = cosine - margin
        active = np.greater_equal(different, 0.0) & ~similar
        summed += float(np.add.reduce(similar * (1.0 - cosine) + active * different))
        by = np.subtract(active, similar, dtype=np.float64) * factor
        across, along = _column(by * root, kind), by * cosine / lengths
        for o, me, you, scale in zip(into, (x, y), (y, x), along, strict=True):
            if o is not None:
                out = o[start : start + step]
                np.multiply(you, across, out=out)
                np.multiply(me, _column(scale, kind), out=scratch[: len(out)])
                np.subtract(out, scratch[: len(out)], out=out)
    return summed if summed > _CERTAIN[kind.itemsize] * len(target) else None
