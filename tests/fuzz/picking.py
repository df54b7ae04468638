"""Random calls of what picks elements: indices of every kind, masks, places to put something."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.samples import Array, boolean

from .operations import Draw, Shape, op


@op("index_select")
def _index_select(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    dim = d.dim(len(shape))
    return (d.real(*shape), dim, d.index(shape[dim] if shape else 1, (d.n(0, 6),) if shape else (1,)), {})


def _placed(d: Draw, unique: bool) -> tuple[Shape, int, Array]:
    """(shape, dimension, an index for each place of a smaller or equal shape)."""
    shape = d.shape()
    if not shape:
        return shape, d.one((0, -1)), np.array(0) if d.flip() else np.zeros(1, int)
    dim = d.dim(len(shape))
    at, size = dim % len(shape), shape[dim]
    full = d.r.random(shape).argsort(at)
    cut = [n if d.flip() else d.n(0, n + 1) for n in shape]
    index = full[tuple(slice(n) for n in cut)]
    if not unique and size:
        index = d.index(size, (*cut[:at], d.n(0, 6), *cut[at + 1 :]))
    return shape, dim, index


@op("gather")
def _gather(d: Draw) -> tuple[Any, ...]:
    shape, dim, index = _placed(d, False)
    return (d.real(*shape), dim, index, {})


@op("scatter")
def _scatter(d: Draw) -> tuple[Any, ...]:
    shape, dim, index = _placed(d, True)
    if d.flip(0.25):
        return (d.real(*shape), dim, index, d.one((2.5, -1, 0.5)), {})
    return (d.real(*shape), dim, index, d.real(*(n + d.n(0, 2) for n in index.shape)), {})


@op("scatter_add")
def _scatter_add(d: Draw) -> tuple[Any, ...]:
    shape, dim, index = _placed(d, False)
    return (d.real(*shape), dim, index, d.real(*(n + d.n(0, 2) for n in index.shape)), {})


@op("take_along_dim")
def _take_along(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1, empty=False)
    if d.flip(0.2):
        return (d.real(*shape), d.index(math.prod(shape), (d.n(0, 5),)), {})
    dim = d.dim(len(shape))
    at = dim % len(shape)
    x = [1 if k != at and d.flip(0.2) else n for k, n in enumerate(shape)]
    index = [1 if k != at and d.flip(0.2) else n for k, n in enumerate((*shape[:at], d.n(0, 5), *shape[at + 1 :]))]
    return (d.real(*x), d.index(shape[dim], tuple(index)), dim, {})


@op("pick")
def _pick(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1, empty=False)
    dim = d.dim(len(shape))
    at = dim % len(shape)
    return (d.real(*shape), d.index(shape[at], (*shape[:at], *shape[at + 1 :])), dim, {})


@op("masked_fill")
def _masked_fill(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    value = d.one((2.0, 1, -0.5)) if d.flip() else d.real()
    return (d.real(*shape), boolean(d.r, d.narrower(shape)), value, {})


@op("masked_select")
def _masked_select(d: Draw) -> tuple[Any, ...]:
    a, b = d.pair()
    return (d.real(*a), boolean(d.r, b), {})


@op("one_hot")
def _one_hot(d: Draw) -> tuple[Any, ...]:
    x = d.index(4, d.shape())
    return (x, *((d.n(4, 7),) if d.flip() or not x.size else ()), {})


@op("embedding")
def _embedding(d: Draw) -> tuple[Any, ...]:
    count = d.n(1, 6)
    settings = {"padding_idx": d.n(-count, count)} if d.flip(0.2) else {}
    return (d.index(count, d.shape()), d.real(count, d.n(1, 5)), settings)


@op("getitem")
def index_call(d: Draw) -> tuple[Any, ...]:
    """Integers, slices, None, an ellipsis, index arrays that broadcast, masks of one or more dimensions."""
    shape = d.shape(0, 4, empty=False)
    items: list[Any] = []
    wide = d.shape(0, 2, empty=False)
    at, advanced = 0, d.flip(0.6)
    while at < len(shape):
        n = shape[at]
        kind = d.n(0, 10 if advanced else 6)
        if kind == 0:
            items.append(d.n(-n, n))
        elif kind in (1, 2):
            low, high = d.n(-n, n + 1), d.n(-n - 1, n + 2)
            items.append(slice(low if d.flip() else None, high if d.flip() else None, d.n(1, 4) if d.flip(0.4) else None))
        elif kind == 3:
            items.append(slice(None))
        elif kind == 4 and sum(i is None for i in items) < 2:
            items.append(None)
            continue
        elif kind == 5 and not any(i is Ellipsis for i in items):
            items.append(Ellipsis)
            at += d.n(0, len(shape) - at + 1)
            continue
        elif kind in (6, 7):
            index = d.index(n, d.narrower(wide), negative=True)
            items.append(index.tolist() if index.ndim == 1 and d.flip(0.2) else index)
        elif kind == 8 and not any(isinstance(i, np.ndarray) and i.dtype == bool for i in items) and not wide:
            span = min(d.n(1, 3), len(shape) - at)
            items.append(boolean(d.r, shape[at : at + span]))
            at += span
            continue
        else:
            items.append(slice(None))
        at += 1
    items = items[: d.n(1, len(items) + 1)] if d.flip(0.2) and items and not any(i is Ellipsis for i in items) else items
    return (d.real(*shape), items[0] if len(items) == 1 and d.flip() else tuple(items), {})
