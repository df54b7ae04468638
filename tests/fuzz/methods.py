"""Random calls by the name of a method or an operator, writes in place among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .operations import Draw, op
from .picking import index_call

METHODS: dict[str, Callable[..., Any]] = {
    "getitem": lambda x, index: x[index], "view": lambda x, shape: x.view(*shape) if shape else x.view(()),
    "expand": lambda x, shape: x.expand(*shape) if shape else x.expand(()),
    "minus from": lambda x, y: y - x, "divided into": lambda x, y: y / x, "power of": lambda x, y: y**x,
    "add operator": lambda x, y: x + y, "sub operator": lambda x, y: x - y, "mul operator": lambda x, y: x * y,
    "div operator": lambda x, y: x / y, "negative": lambda x: -x, "absolute": abs, "matmul operator": lambda x, y: x @ y,
    "setitem": lambda x, y, index: _written(x, y, index), "in place": lambda x, y, name: _in_place(x, y, name),
}  # fmt: skip
WRITES = {"setitem", "in place"}  # values only: nothing is written into what is recorded


def _written(x: Any, y: Any, index: Any) -> Any:
    x = x.clone()
    x[index] = y
    return x


def _in_place(x: Any, y: Any, name: str) -> tuple[Any, Any]:
    """What is written through a view, and what came of its base."""
    x = x.clone()
    z = x.t() if x.ndim == 2 else x
    return getattr(z, name)(y), x


@op("setitem")
def _setitem(d: Draw) -> tuple[Any, ...]:
    x, index, _ = index_call(d)
    several = any(isinstance(i, (np.ndarray, list)) for i in (index if isinstance(index, tuple) else (index,)))
    y: Any = d.one((2.5, -1, 0)) if d.flip(0.3) else d.real()
    if not several and d.flip(0.7):
        y = d.real(*d.narrower(x[index].shape))
    return (x, y, index, {})


@op("in place")
def _write(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    name = d.one(("add_", "sub_", "mul_", "div_", "copy_", "fill_"))
    y = np.asarray(d.r.uniform(0.3, 2.0, size=d.narrower(shape[::-1] if len(shape) == 2 else shape)))
    return (d.real(*shape), d.one((2, 0.5)) if name == "fill_" or (d.flip(0.2) and name != "copy_") else y, name, {})


@op("minus from", "divided into", "power of")
def _reflected(d: Draw) -> tuple[Any, ...]:
    x = np.asarray(d.r.uniform(0.3, 2.0, size=d.shape()))
    return (x, d.one((2, 0.5, 3.0, 1)), {})


@op("add operator", "sub operator", "mul operator", "div operator")
def _operator(d: Draw) -> tuple[Any, ...]:
    a, b = d.pair()
    y = np.asarray(d.r.uniform(0.3, 2.0, size=b))
    return (d.real(*a), d.one((2, -0.5, 3)) if d.flip(0.2) else y, {})


@op("negative", "absolute")
def _sign(d: Draw) -> tuple[Any, ...]:
    return (np.asarray(d.r.uniform(0.3, 2.0, size=d.shape()) * d.one((1.0, -1.0))), {})


@op("matmul operator")
def _at(d: Draw) -> tuple[Any, ...]:
    n, k, m = d.n(1, 5), d.n(1, 5), d.n(1, 5)
    return (d.real(n, k), d.real(k, m), {})
