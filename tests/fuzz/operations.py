"""Random calls of every operation: shapes, settings and values drawn anew for each; off kinks unless ties are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.samples import _BINARY, _UNARY, Array, Make, boolean, distinct, off_zero, positive, real, small

Random = np.random.Generator
Shape = tuple[int, ...]


class Draw:
    """What the drawers below ask for."""

    def __init__(self, r: Random, tied: bool = False, most: int = 5) -> None:
        self.r, self.tied, self.most = r, tied, most

    def n(self, low: int, high: int) -> int:
        """At least ``low``, below ``high``."""
        return int(self.r.integers(low, high))

    def flip(self, part: float = 0.5) -> bool:
        return bool(self.r.random() < part)

    def one(self, values: Any) -> Any:
        return values[self.n(0, len(values))]

    def shape(self, least: int = 0, most: int = 3, empty: bool = True) -> Shape:
        shape = tuple(self.r.integers(1, self.most, size=self.n(least, most + 1)).tolist())
        if shape and empty and self.flip(0.05):
            at = self.n(0, len(shape))
            shape = (*shape[:at], 0, *shape[at + 1 :])
        return shape

    def narrower(self, shape: Shape) -> Shape:
        """What broadcasts to ``shape``."""
        kept = shape[self.n(0, len(shape) + 1) :] if self.flip(0.3) else shape
        return tuple(1 if self.flip(0.2) else n for n in kept)

    def pair(self) -> tuple[Shape, Shape]:
        shape = self.shape()
        other = self.narrower(shape)
        return (shape, other) if self.flip() else (other, shape)

    def dim(self, ndim: int) -> int:
        return self.n(-max(ndim, 1), max(ndim, 1))

    def some(self, ndim: int) -> tuple[int, ...]:
        """Different dimensions, in any order, some counted from the end."""
        chosen = self.r.permutation(ndim)[: self.n(1, ndim + 1)].tolist()
        return tuple(d - ndim if self.flip(0.3) else d for d in chosen)

    def real(self, *shape: int) -> Array:
        return real(self.r, shape)

    def distinct(self, *shape: int) -> Array:
        return (small if self.tied else distinct)(self.r, shape)

    def index(self, high: int, shape: Shape, negative: bool = False) -> Array:
        return np.asarray(self.r.integers(-high if negative else 0, max(high, 1), size=shape if high else (0,)))


Drawer = Callable[[Draw], tuple[Any, ...]]  # the arguments, and last the settings
DRAWERS: dict[str, Drawer] = {}


def op(*names: str) -> Callable[[Drawer], Drawer]:
    def keep(drawer: Drawer) -> Drawer:
        DRAWERS.update(dict.fromkeys(names, drawer))
        return drawer

    return keep


# Element by element.

KINKED = {"abs", "relu", "sign", "maximum", "minimum", "leaky_relu", "ceil", "floor", "round"}


def _unary(name: str, make: Make) -> Drawer:
    def draw(d: Draw) -> tuple[Any, ...]:
        settings: dict[str, Any] = {}
        if name in ("elu", "leaky_relu") and d.flip():
            settings = {"alpha" if name == "elu" else "negative_slope": round(float(d.r.uniform(0.1, 0.9)), 2)}
        if name == "gelu" and d.flip():
            settings = {"approximate": "tanh"}
        if name == "softplus" and d.flip():
            settings = {"beta": round(float(d.r.uniform(0.3, 3.0)), 2)}
        return ((small if d.tied and name in KINKED else make)(d.r, d.shape()), settings)

    return draw


def _binary(name: str, makes: tuple[Make, Make]) -> Drawer:
    first, second = ((small, small) if name in KINKED else makes for _ in range(2))

    def draw(d: Draw) -> tuple[Any, ...]:
        a, b = d.pair()
        f, g = (first[0], second[1]) if d.tied else makes
        settings: dict[str, Any] = {"alpha": d.one((2, -0.5, 3.0))} if name in ("add", "sub") and d.flip(0.3) else {}
        if name in ("add", "sub", "mul", "div", "gt", "le", "eq") and d.flip(0.15):
            return (f(d.r, a), d.one((2, -3, 0.5, 1.5)), settings)
        if name == "pow" and d.flip(0.4):
            exponent = d.one((2, 3, 0, 1, 4, 0.5, -1, -1.5, 2.5, -2))
            return ((off_zero if isinstance(exponent, int) else positive)(d.r, a), exponent, {})
        if name == "div" and d.flip(0.1):
            settings = {"rounding_mode": "floor"}
        return (np.asarray(f(d.r, a)), np.asarray(g(d.r, b)), settings)

    return draw


DRAWERS.update({n: _unary(n, make) for n, make in _UNARY.items()} | {n: _binary(n, makes) for n, makes in _BINARY.items()})


@op("clamp")
def _clamp(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    low, high = (None if d.flip(0.25) else k for k in (-0.6 + 0.1 * d.n(0, 3), 0.31 + 0.1 * d.n(0, 3)))
    low = -0.5 if low is None and high is None else low
    if d.flip():
        return (real(d.r, shape), {"min": low, "max": high})
    ends = [None if k is None else np.asarray(k + real(d.r, d.narrower(shape)) * 0.1) for k in (low, high)]
    return (real(d.r, shape), *ends, {})


@op("clamp_min", "clamp_max")
def _clamp_end(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    return (real(d.r, shape), 0.137 if d.flip() else np.asarray(real(d.r, d.narrower(shape)) * 0.3), {})


@op("where")
def _where(d: Draw) -> tuple[Any, ...]:
    shape = d.shape()
    cond, a, b = boolean(d.r, d.narrower(shape)), real(d.r, shape), real(d.r, d.narrower(shape))
    return (cond, a if d.flip(0.8) else d.one((1.5, 2)), b if d.flip(0.8) else 0.25, {})


# Reductions.


def _reduced(make: Make, empty: bool = True, least: int = 1, several: bool = True, none: bool = True) -> Drawer:
    """``least``: so many numbers to make one of."""

    def draw(d: Draw) -> tuple[Any, ...]:
        while True:
            shape = d.shape(empty=empty)
            dims: Any = d.some(len(shape)) if shape else d.one((0, -1))
            if not isinstance(dims, int) and (d.flip() or not several):
                dims = dims[0]
            whole = none and d.flip(0.3)
            taken = shape if whole or not shape else [shape[k] for k in ((dims,) if isinstance(dims, int) else dims)]
            if empty or math.prod(taken) >= least:
                break
        settings = {} if whole else {"dim": dims, **({"keepdim": d.flip()} if d.flip() else {})}
        return ((small if d.tied and make is distinct else make)(d.r, shape), settings)

    return draw


DRAWERS |= {
    "sum": _reduced(real), "mean": _reduced(real, False), "amax": _reduced(distinct, False), "amin": _reduced(distinct, False),
    "any": _reduced(boolean), "all": _reduced(boolean), "logsumexp": _reduced(real, False, none=False),
    "prod": _reduced(off_zero, several=False), "argmax": _reduced(distinct, False, several=False),
    "argmin": _reduced(distinct, False, several=False),
}  # fmt: skip


@op("var", "std")
def _spread(d: Draw) -> tuple[Any, ...]:
    x, settings = _reduced(distinct, False, 3)(Draw(d.r))
    more = d.one(({}, {"correction": 0}, {"unbiased": False}, {"correction": 1}))
    return (x, {**settings, **more} if settings or "unbiased" not in more else settings)


@op("norm")
def _norm(d: Draw) -> tuple[Any, ...]:
    x, settings = _reduced(off_zero, False)(d)
    p = d.one((2, 1, 3, 2.5, math.inf, -math.inf, 2.0, "fro"))
    return (x, p, settings) if d.flip(0.8) else (x, settings)


@op("max", "min")
def _extreme(d: Draw) -> tuple[Any, ...]:
    kind = d.n(0, 3)
    if kind == 0:
        return (d.distinct(*d.shape(empty=False)), {})
    if kind == 1:
        a, b = d.pair()
        return (d.distinct(*a), np.asarray(d.distinct(*b) + (0.0 if d.tied else 0.25)), {})
    x = d.distinct(*d.shape(empty=False))
    return (x, d.dim(x.ndim), d.flip(), {})


@op("softmax", "log_softmax", "softmin", "cumsum")
def _along(d: Draw) -> tuple[Any, ...]:
    x = real(d.r, d.shape())
    return (np.asarray(x * (1.0 if d.flip(0.8) else 9.0)), {"dim": d.dim(x.ndim)})


@op("sort", "argsort")
def _sort(d: Draw) -> tuple[Any, ...]:
    x = distinct(d.r, d.shape())
    return (x, {"dim": d.dim(x.ndim), "descending": d.flip()})


@op("topk")
def _topk(d: Draw) -> tuple[Any, ...]:
    x = distinct(d.r, d.shape())
    dim = d.dim(x.ndim)
    return (x, d.n(0, x.shape[dim] + 1) if x.ndim else 1, {"dim": dim, "largest": d.flip()})


# Products and what is made of them.


@op("matmul")
def _matmul(d: Draw) -> tuple[Any, ...]:
    n, k, m = (d.n(0 if d.flip(0.05) else 1, 5) for _ in range(3))
    a, b = d.pair() if d.flip(0.4) else ((), ())
    left = (k,) if not a and d.flip(0.2) else (*a, n, k)
    return (d.real(*left), d.real(*((k,) if not b and d.flip(0.2) else (*b, k, m))), {})


@op("mm")
def _mm(d: Draw) -> tuple[Any, ...]:
    n, k, m = (d.n(0 if d.flip(0.05) else 1, 6) for _ in range(3))
    return (d.real(n, k), d.real(k, m), {})


@op("bmm")
def _bmm(d: Draw) -> tuple[Any, ...]:
    b, n, k, m = (d.n(0 if d.flip(0.05) else 1, 5) for _ in range(4))
    return (d.real(b, n, k), d.real(b, k, m), {})


@op("mv")
def _mv(d: Draw) -> tuple[Any, ...]:
    n, k = d.n(0, 5), d.n(0, 5)
    return (d.real(n, k), d.real(k), {})


@op("dot")
def _dot(d: Draw) -> tuple[Any, ...]:
    n = d.n(0, 7)
    return (d.real(n), d.real(n), {})


@op("outer")
def _outer(d: Draw) -> tuple[Any, ...]:
    return (d.real(d.n(0, 5)), d.real(d.n(0, 5)), {})


@op("linear")
def _linear(d: Draw) -> tuple[Any, ...]:
    lead, k, m = d.shape(0, 2), d.n(1, 5), d.n(1, 5)
    vector = d.flip(0.15)
    bias = [] if vector or d.flip() else [d.real(m)]
    return (d.real(*lead, k), d.real(*((k,) if vector else (m, k))), *bias, {})


@op("normalize")
def _normalize(d: Draw) -> tuple[Any, ...]:
    x = off_zero(d.r, d.shape(1))
    return (x, {"dim": d.dim(x.ndim), "p": d.one((2.0, 1.0, 3, 2.5))} if d.flip(0.8) or x.ndim < 2 else {})


@op("cosine_similarity")
def _cosine(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1)
    return (off_zero(d.r, shape), off_zero(d.r, shape), {"dim": d.dim(len(shape))})


@op("pairwise_distance")
def _distance(d: Draw) -> tuple[Any, ...]:
    shape = d.shape(1, 2)
    x = real(d.r, shape)
    return (x, np.asarray(x + off_zero(d.r, shape)), {"p": d.one((2.0, 1.0, 3.0)), "keepdim": d.flip()})


@op("layer_norm")
def _layer_norm(d: Draw) -> tuple[Any, ...]:
    shape = (*d.shape(0, 2), d.n(2, 6))
    last = shape[-d.n(1, len(shape) + 1) :]
    more = [d.real(*last) for _ in range(d.n(0, 3))]
    return (distinct(d.r, shape), last if d.flip() else list(last), *more, {"eps": d.one((1e-5, 1e-2, 0.5))} if d.flip() else {})
