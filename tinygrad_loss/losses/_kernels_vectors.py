"""Kernels of distances and angles of vectors: float32 in, float64 inside, where no square overflows (see _kernels.py).

The vectors stand upright, side by side: what is one number for each of them then multiplies whole rows.
"""

from typing import Any

import numpy as np

from ..dtypes import Array
from .metric import cosine_embedding_loss, triplet_margin_loss, triplet_margin_with_distance_loss

_SUB = 1 << 16  # elements of a temporary
_TINY = 2.0**-14  # squared length: a shorter vector goes without the 1e-12
_NOTHING = 1e-60  # squared length: a shorter vector, or one of 0, is the formula's
_CERTAIN = 1e-7  # mean value: below, 1 - cos has lost digits that float32 could show


def _vectors(*arrays: Any) -> list[Array] | None:
    """Matrices of float32, or None."""
    x = arrays[0]
    if not x.ndim or not x.size or any([a.dtype != np.float32 or a.shape != x.shape for a in arrays]):
        return None
    return [a.reshape(-1, x.shape[-1]) for a in arrays]


def _upright(x: Array) -> Array:
    return x.T.astype(np.float64, order="C")


def _dots(x: Array, y: Array, work: Array) -> Any:
    return np.add.reduce(np.multiply(x, y, out=work), 0)


def _write(out: Array, x: Array) -> None:
    out[...] = x.T


def _triplets(arrays: list[Any], eps: float, margin: float, factor: float, outs: list[Any]) -> float | None:
    """max(near - far + margin, 0); the slope of a length is the unit vector along it."""
    vectors = _vectors(*arrays)
    if vectors is None:
        return None
    width = vectors[0].shape[1]
    into = [None if o is None else o.reshape(-1, width) for o in outs]
    summed, step = 0.0, max(1, _SUB // width)
    for start in range(0, len(vectors[0]), step):
        u, v, work = [_upright(x[start : start + step]) for x in vectors]
        np.subtract(u, v, out=v)
        np.subtract(u, work, out=u)
        u, v = v, u
        np.add(u, eps, out=u)
        np.add(v, eps, out=v)
        near, far = np.sqrt(_dots(u, u, work)), np.sqrt(_dots(v, v, work))
        value = near - far
        value += margin
        active = factor * (value >= 0.0)
        summed += float(np.add.reduce(np.maximum(value, 0.0)))
        part = [None if o is None else o[start : start + step] for o in into]
        np.multiply(u, active / np.maximum(near, _NOTHING), out=u)
        np.multiply(v, active / np.maximum(far, _NOTHING), out=v)
        if part[0] is not None:
            _write(part[0], np.subtract(u, v, out=work))
        if part[1] is not None:
            _write(part[1], np.negative(u, out=u))
        if part[2] is not None:
            _write(part[2], v)
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
    """cos = a.b / sqrt(A B) with A = a.a + 1e-12: its slope is b / sqrt(A B) - cos * a / A."""
    vectors = _vectors(*arrays[:2])
    if vectors is None or outs[2] is not None:
        return None
    (x, y), target, width = vectors, arrays[2].reshape(-1), vectors[0].shape[1]
    into = [None if o is None else o.reshape(-1, width) for o in outs[:2]]
    summed, step = 0.0, max(1, _SUB // width)
    for start in range(0, len(x), step):
        a, b = _upright(x[start : start + step]), _upright(y[start : start + step])
        work = np.empty(a.shape)
        dot, lengths = _dots(a, b, work), np.array([_dots(a, a, work), _dots(b, b, work)])
        if not np.minimum.reduce(lengths, axis=None) > _NOTHING:
            return None
        lengths += 1e-12 * (lengths >= _TINY)
        root = 1.0 / np.sqrt(lengths[0] * lengths[1])
        cosine = dot * root
        similar = np.equal(target[start : start + step], 1)
        different = cosine - options["margin"]
        summed += float(np.dot(similar, 1.0 - cosine)) + float(np.dot(~similar, np.maximum(different, 0.0)))
        by = ((different >= 0.0) & ~similar) * factor - similar * factor
        across, along = by * root, (by * cosine) / lengths
        for o, me, you, scale in zip(into, (a, b), (b, a), along, strict=True):
            if o is not None:
                np.multiply(me, scale, out=work)
                _write(o[start : start + step], np.subtract(you * across, work, out=work))
    return summed if summed > _CERTAIN * len(x) else None
