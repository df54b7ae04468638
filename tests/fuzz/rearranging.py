"""Random calls of what rearranges elements: shapes, dimensions in another order, parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .operations import Draw, op


@op("reshape", "view")
def _reshape(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    to = d.r.permutation(shape).tolist() if shape else [1] * d.n(0, 3)
    if len(to) > 1 and d.flip():
        at = d.n(0, len(to) - 1)
        to[at : at + 2] = [to[at] * to[at + 1]]
    if to and 0 not in to and d.flip():
        to[d.n(0, len(to))] = -1
    return (d.real(*shape), tuple(to), {})


@op("flatten")
def _flatten(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    if not shape or d.flip(0.3):
        return (d.real(*shape), {})
    start = d.n(0, len(shape))
    return (d.real(*shape), start, d.n(start, len(shape)), {})


@op("squeeze")
def _squeeze(d: Draw) -> tuple[Any, ...]:
    shape = tuple(1 if d.flip() else n for n in d.shape())
    x = d.real(*shape)
    if d.flip(0.4):
        return (x, {})
    return (x, d.some(x.ndim) if x.ndim and d.flip() else d.dim(x.ndim), {})


@op("unsqueeze")
def _unsqueeze(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    return (d.real(*shape), d.dim(len(shape) + 1), {})


@op("permute")
def _permute(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(0, 4)
    order = tuple(k - len(shape) if d.flip(0.3) else k for k in d.r.permutation(len(shape)).tolist())
    return (d.real(*shape), order, {})


@op("transpose", "swapaxes")
def _transpose(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    return (d.real(*shape), d.dim(len(shape)), d.dim(len(shape)), {})


@op("movedim")
def _movedim(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    if d.flip():
        return (d.real(*shape), d.dim(len(shape)), d.dim(len(shape)), {})
    source = d.some(len(shape))
    return (d.real(*shape), source, tuple(d.r.permutation(len(shape))[: len(source)].tolist()), {})


@op("t")
def _t(d: Draw) -> tuple[Any, ...]:
    return (d.real(*d.shape(0, 2)), {})


@op("broadcast_to", "expand")
def _broadcast_to(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    return (d.real(*d.narrower(shape)), shape, {})


@op("repeat")
def _repeat(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(0, 2)
    return (d.real(*shape), tuple(d.n(0 if d.flip(0.1) else 1, 4) for _ in range(max(len(shape) + d.n(0, 2), 1))), {})


@op("diagonal")
def _diagonal(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(2)
    first, second = d.r.permutation(len(shape))[:2].tolist()
    return (d.real(*shape), *((d.n(-4, 5), first, second - d.one((0, len(shape)))) if d.flip(0.8) or len(shape) > 2 else ()), {})


@op("tril", "triu")
def _triangle(d: Draw) -> tuple[Any, ...]:
    return (d.real(*d.shape(2)), d.n(-4, 5), {})


@op("cat", "concat")
def _cat(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(len(shape))
    at = dim % len(shape)
    parts = [d.real(*shape[:at], d.n(0 if d.flip(0.2) else 1, 4), *shape[at + 1 :]) for _ in range(d.n(1, 4))]
    return (parts if d.flip() else tuple(parts), dim, {})


@op("stack")
def _stack(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    return ([d.real(*shape) for _ in range(d.n(1, 4))], d.dim(len(shape) + 1), {})


@op("split")
def _split(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(len(shape))
    if d.flip():
        return (d.real(*shape), d.n(1, 5), dim, {})
    cuts = np.sort(d.r.integers(0, shape[dim] + 1, size=d.n(0, 3))).tolist()
    return (d.real(*shape), np.diff([0, *cuts, shape[dim]]).tolist(), dim, {})


@op("chunk")
def _chunk(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    return (d.real(*shape), d.n(1, 5), d.dim(len(shape)), {})


@op("unbind")
def _unbind(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1, empty=False)
    return (d.real(*shape), d.dim(len(shape)), {})


@op("select")
def _select(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1, empty=False)
    dim = d.dim(len(shape))
    return (d.real(*shape), dim, d.n(-shape[dim], shape[dim]), {})


@op("narrow")
def _narrow(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(len(shape))
    start = d.n(0, shape[dim] + 1)
    return (d.real(*shape), dim, start, d.n(0, shape[dim] - start + 1), {})
