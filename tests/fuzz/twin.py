"""A naive twin of the engine: every value carries its first and second derivatives by all variables, forwards, in NumPy.

No graph and no backward: what autograd accumulates has to come out of the products of Taylor's coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
VARIABLES = 16  # elements of the leaves, and of intermediate results whose gradient is kept


class Memory:
    """How often each array's memory has been written."""

    def __init__(self) -> None:
        self.versions: dict[int, int] = {}
        self.held: list[Array] = []  # so that no address is used twice

    def of(self, x: Array) -> tuple[int, int]:
        while isinstance(x.base, np.ndarray):
            x = x.base
        if id(x) not in self.versions:
            self.versions[id(x)] = 0
            self.held.append(x)
        return id(x), self.versions[id(x)]

    def write(self, x: Array) -> None:
        self.versions[self.of(x)[0]] += 1

    def stale(self, used: frozenset[tuple[int, int]]) -> bool:
        return any(self.versions[key] != version for key, version in used)


class Jet:
    """A value ``v``, its derivatives ``j`` (shape + variables) and ``h`` (twice); what it was made from."""

    def __init__(self, v: Array, j: Array, h: Array | None, parents: tuple[Jet, ...] = (), memory: Memory | None = None) -> None:
        self.v, self.j, self.h = np.asarray(v), j, h
        self.history: frozenset[int] = frozenset().union(*(p.history | {id(p)} for p in parents))
        self.kept: tuple[Jet, ...] = parents  # alive, so that no id is used twice
        used: frozenset[tuple[int, int]] = frozenset().union(*(p.used for p in parents))
        if memory is not None:
            used |= {memory.of(x) for x in (self.v, *(p.v for p in parents))}
        self.used = used


def constant(v: Array, memory: Memory) -> Jet:
    return Jet(v, np.zeros((*v.shape, VARIABLES)), np.zeros((*v.shape, VARIABLES, VARIABLES)), (), memory)


def variable(v: Array, start: int, memory: Memory) -> Jet:
    made = constant(v, memory)
    made.j = made.j + identity(v.shape, start)
    return made


def identity(shape: tuple[int, ...], start: int) -> Array:
    size = int(np.prod(shape, dtype=int))
    return np.eye(size, VARIABLES, start).reshape(*shape, VARIABLES)


def unary(x: Jet, f: Callable[[Array], tuple[Array, Array, Array]], memory: Memory) -> Jet:
    """``f`` gives the value and two derivatives."""
    v, first, second = f(x.v)
    h = None
    if x.h is not None:
        outer = x.j[..., :, None] * x.j[..., None, :]
        h = np.asarray(second)[..., None, None] * outer + np.asarray(first)[..., None, None] * x.h
    return Jet(np.array(v), np.asarray(first)[..., None] * x.j, h, (x,), memory)


def moved(x: Jet, change: Callable[[Array], Array], memory: Memory) -> Jet:
    """Elements taken, repeated, or put in another order: a view wherever NumPy gives one."""
    at = np.asarray(change(np.arange(x.v.size).reshape(x.v.shape)))
    j = x.j.reshape(-1, VARIABLES)[at]
    h = None if x.h is None else x.h.reshape(-1, VARIABLES, VARIABLES)[at]
    return Jet(np.asarray(change(x.v)), j, h, (x,), memory)


def summed(x: Jet, axis: int | None, scale: float, memory: Memory) -> Jet:
    axes = tuple(range(x.v.ndim)) if axis is None else (axis,)
    h = None if x.h is None else x.h.sum(axes) * scale
    return Jet(np.array(x.v.sum(axes) * scale), x.j.sum(axes) * scale, h, (x,), memory)


def _wide(x: Jet, shape: tuple[int, ...]) -> tuple[Array, Array, Array | None]:
    at = np.broadcast_to(np.arange(x.v.size).reshape(x.v.shape), shape)
    h = None if x.h is None else x.h.reshape(-1, VARIABLES, VARIABLES)[at]
    return x.v, x.j.reshape(-1, VARIABLES)[at], h


def added(a: Jet, b: Jet, sign: float, memory: Memory) -> Jet:
    shape = np.broadcast_shapes(a.v.shape, b.v.shape)
    (v, j, h), (w, k, i) = _wide(a, shape), _wide(b, shape)
    return Jet(np.array(v + sign * w), j + sign * k, None if h is None or i is None else h + sign * i, (a, b), memory)


def multiplied(a: Jet, b: Jet, memory: Memory) -> Jet:
    shape = np.broadcast_shapes(a.v.shape, b.v.shape)
    (v, j, h), (w, k, i) = _wide(a, shape), _wide(b, shape)
    v, w = np.broadcast_to(v, shape), np.broadcast_to(w, shape)
    second = None
    if h is not None and i is not None:
        cross = j[..., :, None] * k[..., None, :]
        second = h * w[..., None, None] + i * v[..., None, None] + cross + np.swapaxes(cross, -1, -2)
    return Jet(np.array(v * w), j * w[..., None] + k * v[..., None], second, (a, b), memory)


def contracted(a: Jet, b: Jet, memory: Memory) -> Jet:
    """The product of two matrices, by its definition."""
    rows = moved(a, lambda x: x[:, :, None], memory)
    columns = moved(b, lambda x: x[None, :, :], memory)
    return summed(multiplied(rows, columns, memory), 1, 1.0, memory)


def slope(y: Jet, weight: Array, start: int, shape: tuple[int, ...]) -> Jet:
    """The gradient of the weighted sum of ``y`` by the variables from ``start``, itself with a derivative."""
    size = int(np.prod(shape, dtype=int))
    g = np.tensordot(weight, y.j, y.v.ndim)[start : start + size].reshape(shape)
    assert y.h is not None
    j = np.tensordot(weight, y.h, y.v.ndim)[start : start + size].reshape(*shape, VARIABLES)
    return Jet(g, j, None, (y,))


def joined(parts: list[Jet], stacked: bool, memory: Memory) -> Jet:
    """Along a new first axis, or the first that there is."""
    join: Any = np.stack if stacked else np.concatenate
    h = None if any(p.h is None for p in parts) else join([p.h for p in parts], axis=0)
    return Jet(join([p.v for p in parts], axis=0), join([p.j for p in parts], axis=0), h, tuple(parts), memory)


def chosen(mask: Array, a: Jet, b: Jet, memory: Memory) -> Jet:
    shape = np.broadcast_shapes(a.v.shape, b.v.shape)
    (v, j, h), (w, k, i) = _wide(a, shape), _wide(b, shape)
    mask = np.broadcast_to(mask, shape)
    second = None if h is None or i is None else np.where(mask[..., None, None], h, i)
    return Jet(np.where(mask, v, w), np.where(mask[..., None], j, k), second, (a, b), memory)
