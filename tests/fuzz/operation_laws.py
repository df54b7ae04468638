"""Laws of operations: two ways to compute the same, value and gradients, at random shapes, dtypes and dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.laws import close
from tests.samples import Array, boolean, off_zero, positive, real
from tinygrad_loss import autograd
from tinygrad_loss.nn import functional as F

from .operations import Draw

Random = np.random.Generator
Way = Callable[..., Any]
LAWS: dict[str, Callable[[Random], None]] = {}
RTOL = {np.float64: 1e-12, np.float32: 2e-5}
ELEMENTWISE: tuple[tuple[Way, Any], ...] = (
    (tl.exp, real), (tl.tanh, real), (tl.sigmoid, real), (tl.log, positive), (tl.sqrt, positive), (tl.square, real), (tl.abs, off_zero),
    (tl.relu, off_zero), (tl.sin, real), (tl.reciprocal, off_zero), (F.softplus, real), (F.gelu, real), (F.silu, real), (F.logsigmoid, real),
)  # fmt: skip
PAIRS: tuple[Way, ...] = (tl.add, tl.sub, tl.mul, tl.div, tl.maximum, tl.minimum, lambda a, b: tl.where(a > b, a, b * 2.0))
AXIS: tuple[Way, ...] = (
    lambda x, d: F.softmax(x, d), lambda x, d: F.log_softmax(x, d), lambda x, d: x.sum(d, keepdim=True), lambda x, d: x.mean(d, keepdim=True),
    lambda x, d: tl.cumsum(x, d), lambda x, d: tl.logsumexp(x, d, keepdim=True), lambda x, d: tl.amax(x, d, keepdim=True),
    lambda x, d: tl.norm(x, 2.0, d, keepdim=True), lambda x, d: tl.sort(x, d)[0],
)  # fmt: skip


def law(name: str) -> Callable[[Callable[[Draw], tuple[Way, Way, list[Array]]]], Any]:
    """A drawer of two ways and the arrays for both: they have to agree, whatever the weights of the results."""

    def keep(draw: Callable[[Draw], tuple[Way, Way, list[Array]]]) -> Any:
        def check(r: Random) -> None:
            kind = np.float32 if r.integers(4) == 0 else np.float64
            one, other, arrays = draw(Draw(r))
            arrays = [np.asarray(x, kind) for x in arrays]
            seed = int(r.integers(2**31))
            (y, g), (z, h) = (evaluated(way, arrays, seed) for way in (one, other))
            if y.dtype != z.dtype:
                raise AssertionError(f"{y.dtype} and {z.dtype}")
            what = f"{name}, {kind.__name__}{[x.shape for x in arrays]}"
            close(y, z, RTOL[kind], f"{what}: value", least=1.0)
            size = max((float(np.abs(x).max(initial=1.0)) for x in g), default=1.0)
            for a, b in zip(g, h, strict=True):
                close(a, b, RTOL[kind], f"{what}: gradient", least=size)

        LAWS[name] = check
        return check

    return keep


def evaluated(way: Way, arrays: list[Array], seed: int) -> tuple[Array, list[Array]]:
    leaves = [tl.tensor(x, requires_grad=True) for x in arrays]
    y = way(*leaves)
    weight = np.asarray(np.random.default_rng(seed).uniform(0.5, 1.5, y.shape), y.array.dtype)
    found = autograd.grad(y, leaves, tl.tensor(weight), allow_unused=True, materialize_grads=True)
    return y.array, [g.array for g in found]


@law("of a part: the part of all")
def _part(d: Draw) -> tuple[Way, Way, list[Array]]:
    f, make = d.one(ELEMENTWISE)
    shape = d.shape(1)
    dim = d.dim(len(shape))
    low = d.n(0, shape[dim] + 1)
    count = d.n(0, shape[dim] - low + 1)
    return lambda x: f(tl.narrow(x, dim, low, count)), lambda x: tl.narrow(f(x), dim, low, count), [make(d.r, shape)]


@law("broadcast: as if repeated")
def _broadcast(d: Draw) -> tuple[Way, Way, list[Array]]:
    f, (a, b) = d.one(PAIRS), d.pair()
    shape = np.broadcast_shapes(a, b)
    return f, lambda x, y: f(tl.broadcast_to(x, shape).clone(), tl.broadcast_to(y, shape).clone()), [off_zero(d.r, a), off_zero(d.r, b)]


@law("dimensions in another order")
def _turned(d: Draw) -> tuple[Way, Way, list[Array]]:
    f, shape = d.one(AXIS), d.shape(1, empty=False)
    order = d.r.permutation(len(shape)).tolist()
    back, dim = np.argsort(order).tolist(), d.n(0, len(shape))
    return lambda x: f(x, dim), lambda x: f(x.permute(order), back[dim]).permute(back), [real(d.r, shape)]


@law("along an axis: row by row")
def _rows(d: Draw) -> tuple[Way, Way, list[Array]]:
    f, shape = d.one(AXIS), (d.n(1, 5), *d.shape(1, 2, empty=False))
    dim = d.n(1, len(shape))
    return lambda x: f(x, dim), lambda x: tl.stack([f(row, dim - 1) for row in tl.unbind(x)]), [real(d.r, shape)]


@law("shifted: softmax, log_softmax, logsumexp")
def _shift(d: Draw) -> tuple[Way, Way, list[Array]]:
    shape, c = d.shape(1, empty=False), float(d.r.normal() * 3)
    dim = d.dim(len(shape))
    f = d.one((F.softmax, F.log_softmax, lambda x, k: tl.logsumexp(x, k) - x.mean(k)))
    return lambda x: f(x, dim), lambda x: f(x + c, dim), [real(d.r, shape)]


@law("sums of sums, means of means, largest of largest")
def _nested(d: Draw) -> tuple[Way, Way, list[Array]]:
    shape = d.shape(2, empty=False)
    a, b = d.r.permutation(len(shape))[:2].tolist()
    f = d.one((tl.sum, tl.mean, tl.amax, tl.amin, tl.logsumexp))
    return lambda x: f(x, (a, b)), lambda x: f(f(x, a, keepdim=True), b, keepdim=True).squeeze((a, b)), [real(d.r, shape)]


@law("taken apart and put together")
def _together(d: Draw) -> tuple[Way, Way, list[Array]]:
    shape = d.shape(1)
    dim, n = d.dim(len(shape)), d.n(1, 4)
    f = d.one((
        lambda x: tl.cat(tl.split(x, n, dim), dim), lambda x: tl.cat(tl.chunk(x, n, dim), dim), lambda x: x.flatten().reshape(shape),
        lambda x: tl.where(x > 0, tl.masked_fill(x, x <= 0, 7.0), tl.masked_fill(x, x > 0, 7.0)),
        lambda x: x.unsqueeze(dim).squeeze(dim), lambda x: tl.tril(x, 0) + tl.triu(x, 1) if x.ndim > 1 else x * 1.0,
        lambda x: tl.movedim(tl.movedim(x, dim, 0), 0, dim),
    ))  # fmt: skip
    return f, lambda x: x * 1.0, [real(d.r, shape)]


@law("products: turned, in parts, as sums")
def _product(d: Draw) -> tuple[Way, Way, list[Array]]:
    n, k, m = d.n(1, 5), d.n(1, 5), d.n(1, 5)
    lead, cut = d.shape(0, 1, empty=False), d.n(0, k + 1)
    other = d.one((
        lambda a, b: (b.mT @ a.mT).mT, lambda a, b: (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(-2),
        lambda a, b: a[..., :cut] @ b[..., :cut, :] + a[..., cut:] @ b[..., cut:, :],
        lambda a, b: F.linear(a, b.mT) if b.ndim == 2 else a @ b,
    ))  # fmt: skip
    return lambda a, b: a @ b, other, [d.real(*lead, n, k), d.real(*(lead if d.flip() else ()), k, m)]


@law("picked in two ways")
def _picked(d: Draw) -> tuple[Way, Way, list[Array]]:
    shape = d.shape(1, empty=False)
    dim = d.n(0, len(shape))
    index = d.index(shape[dim], (d.n(1, 6),))
    i, place = tl.tensor(index), (slice(None),) * dim
    wide = np.broadcast_to(index.reshape(-1, *(1,) * (len(shape) - dim - 1)), (*shape[:dim], len(index), *shape[dim + 1 :]))
    mask = tl.tensor(boolean(d.r, shape))
    one, other = d.one((
        (lambda x: tl.index_select(x, dim, i), lambda x: x[(*place, i)]),
        (lambda x: tl.index_select(x, dim, i), lambda x: tl.gather(x, dim, tl.tensor(wide.copy()))),
        (lambda x: x[(*place, i)], lambda x: tl.stack([tl.select(x, dim, k) for k in index.tolist()], dim)),
        (lambda x: tl.masked_select(x, mask), lambda x: x[mask]),
        (lambda x: tl.index_select(x, dim, i), lambda x: tl.movedim(F.one_hot(i, shape[dim]).to(x.dtype) @ tl.movedim(x, dim, 0).reshape(shape[dim], -1), 0, 0)
         .reshape(len(index), *shape[:dim], *shape[dim + 1 :]).movedim(0, dim)),
    ))  # fmt: skip
    return one, other, [real(d.r, shape)]


@law("put where it belongs")
def _put(d: Draw) -> tuple[Way, Way, list[Array]]:
    n, k, rest = d.n(1, 5), d.n(1, 6), d.n(1, 4)
    index = d.index(n, (k,))
    wide = tl.tensor(np.repeat(index[:, None], rest, 1))
    hot = np.eye(n)[index].T
    return lambda x, y: tl.scatter_add(x, 0, wide, y), lambda x, y: x + tl.tensor(hot).to(x.dtype) @ y, [d.real(n, rest), d.real(k, rest)]


@law("identities: exp(log x), x**2, x - y, a quotient, sigmoid(-x), softplus")
def _identity(d: Draw) -> tuple[Way, Way, list[Array]]:
    one, other = d.one((
        (lambda x: tl.exp(tl.log(x)), lambda x: x * 1.0), (lambda x: x**2, lambda x: x * x), (lambda x: x**3, lambda x: x * x * x),
        (tl.sqrt, lambda x: x**0.5), (tl.reciprocal, lambda x: 1.0 / x), (tl.rsqrt, lambda x: 1.0 / tl.sqrt(x)),
        (lambda x: tl.sigmoid(-x), lambda x: 1.0 - tl.sigmoid(x)), (F.softplus, lambda x: -F.logsigmoid(-x)),
        (tl.tanh, lambda x: 2.0 * tl.sigmoid(2.0 * x) - 1.0), (F.silu, lambda x: x * tl.sigmoid(x)), (tl.expm1, lambda x: tl.exp(x) - 1.0),
        (tl.log1p, lambda x: tl.log(1.0 + x)), (tl.log2, lambda x: tl.log(x) / np.log(2.0)), (lambda x: x - x / 3.0, lambda x: x * (2.0 / 3.0)),
        (lambda x: x.var(correction=0), lambda x: (x * x).mean() - x.mean() ** 2), (lambda x: tl.norm(x), lambda x: tl.sqrt((x * x).sum())),
        (tl.prod, lambda x: tl.exp(tl.log(x).sum())),
    ))  # fmt: skip
    return one, other, [positive(d.r, d.shape(1, empty=False))]


@law("gradients: linear in what comes in, the same from a sum and in parts")
def _linear(d: Draw) -> tuple[Way, Way, list[Array]]:
    (f, make), (g, other) = d.one(ELEMENTWISE), d.one(ELEMENTWISE)
    c = float(d.r.uniform(0.3, 2.0))
    chain = itertools.accumulate([c] * 3, lambda a, b: a * b)
    scale = list(chain)[d.n(0, 3)]
    shape = d.shape()
    x = positive(d.r, shape) if positive in (make, other) else make(d.r, shape)
    x = off_zero(d.r, shape) if off_zero in (make, other) and positive not in (make, other) else x
    return lambda x: f(x) * scale + g(x), lambda x: g(x) + f(x * 1.0) * scale, [x]
