"""Sample calls for every primitive and every public operation: 0-d, empty, strided and broadcast arguments.

Values stay inside the domain of the function and away from kinks; a sample on a kink says ``kink=True`` and is
compared with torch but not with finite differences. Arrays of floats are what derivatives are taken by.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Make = Callable[[np.random.Generator, tuple[int, ...]], Array]


class Sample(NamedTuple):
    args: tuple[Any, ...]
    settings: dict[str, Any]
    kink: bool = False


def s(*args: Any, kink: bool = False, **settings: Any) -> Sample:
    return Sample(args, settings, kink)


def seeded(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


# Where values are drawn from.
def real(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    return np.asarray(r.normal(size=shape))


def off_zero(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    return np.asarray(r.uniform(0.3, 2.0, size=shape) * r.choice([-1.0, 1.0], size=shape))


def positive(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    return np.asarray(r.uniform(0.3, 3.0, size=shape))


def unit(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    return np.asarray(r.uniform(0.05, 0.95, size=shape))


def fraction(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    """Away from integers and halves."""
    return np.asarray(r.integers(-3, 3, size=shape) + r.choice([0.1, 0.4, 0.6, 0.9], size=shape))


def distinct(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    """No two values closer than 0.3: nothing ties."""
    n = math.prod(shape)
    return np.asarray(0.5 * r.permutation(n).reshape(shape) + r.uniform(0.0, 0.2, size=shape) - 0.25 * n)


def boolean(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    return np.asarray(r.uniform(size=shape) < 0.5)


def odd(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    """nan and infinities among the numbers."""
    return np.asarray(r.choice([0.0, 1.5, -2.0, np.nan, np.inf, -np.inf], size=shape))


def small(r: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
    """Integers, as floats, that tie often."""
    return np.asarray(r.integers(-2, 3, size=shape).astype(float))


def _one(make: Make, r: np.random.Generator) -> Iterator[Array]:
    for shape in ((), (3,), (2, 3), (0,), (2, 0)):
        yield make(r, shape)
    yield make(r, (4, 6)).T[::2, ::3]


_PAIRS = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3), ()), ((), (2, 2)), ((0, 3), (1, 1))]


def _two(first: Make, second: Make, r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    for a, b in _PAIRS:
        yield first(r, a), second(r, b)
    yield first(r, (4, 6)).T[::2, ::3], second(r, (2, 3)).T


_UNARY: dict[str, Make] = {
    "abs": off_zero, "ceil": fraction, "cos": real, "erf": real, "exp": real, "expm1": real, "floor": fraction,
    "isfinite": odd, "isinf": odd, "isnan": odd, "log": positive, "log1p": positive, "log2": positive,
    "logical_not": boolean, "logsigmoid": real, "neg": real, "reciprocal": off_zero, "relu": off_zero,
    "round": fraction, "rsqrt": positive, "sigmoid": real, "sign": off_zero, "silu": real, "sin": real,
    "softplus": real, "sqrt": positive, "square": real, "tanh": real, "clone": real, "gelu": real, "elu": off_zero,
    "leaky_relu": off_zero,
}  # fmt: skip
_BINARY: dict[str, tuple[Make, Make]] = {
    "add": (real, real), "sub": (real, real), "mul": (real, real), "div": (real, off_zero),
    "true_divide": (real, off_zero), "maximum": (distinct, fraction), "minimum": (distinct, fraction),
    "pow": (positive, real), "xlogy": (positive, positive), "times_log": (positive, real),
    "binary_log_likelihood": (unit, unit), "gt": (small, small), "ge": (small, small), "lt": (small, small),
    "le": (small, small), "eq": (small, small), "ne": (small, small), "logical_and": (boolean, boolean),
    "logical_or": (boolean, boolean), "floor_divide": (fraction, lambda r, n: off_zero(r, n) * 0 + 1.3),
    "remainder": (fraction, lambda r, n: real(r, n) * 0 + 1.7),
}  # fmt: skip
_KINKS: dict[str, list[Sample]] = {
    "abs": [s(np.array([0.0, -1.0]), kink=True)],
    "relu": [s(np.array([0.0, -1.0, 1.0]), kink=True)],
    "leaky_relu": [s(off_zero(seeded("l"), (3,)), negative_slope=0.2), s(np.array([0.0]), kink=True)],
    "elu": [s(off_zero(seeded("e"), (3,)), alpha=0.5)],
    "gelu": [s(real(seeded("g"), (3,)), approximate="tanh"), s(np.array([-30.0, 0.0, 30.0]))],
    "softplus": [s(real(seeded("s"), (4,)), beta=2.0), s(np.array([-5.0, 3.0]), beta=2.0, threshold=4.0)],
    "sign": [s(np.array([0.0]), kink=True)],
    "sigmoid": [s(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))],
    "logsigmoid": [s(np.array([-800.0, -40.0, 0.0, 800.0]), kink=True)],
    "tanh": [s(np.array([-50.0, 0.0, 50.0]))],
    "maximum": [s(np.array([1.0, 2.0]), np.array([1.0, 3.0]), kink=True)],
    "minimum": [s(np.array([1.0, 2.0]), np.array([1.0, 3.0]), kink=True)],
    "add": [s(np.array([1.0, 2.0]), np.array([1.0, 3.0]), alpha=2.5), s(np.array([1.0]), 2)],
    "sub": [s(np.array([1.0, 2.0]), np.array([1.0, 3.0]), alpha=2.5), s(np.array([1.0]), 2.5)],
    "mul": [s(np.array([1.0, -2.0]), 3)],
    "div": [s(np.array([1.0, -2.0]), 3), s(np.array([7.3, -2.2]), np.array([2.0, 1.5]), rounding_mode="floor")],
    "pow": [
        s(np.array([-1.5, 0.5, 2.0]), 2), s(np.array([-1.5, 0.5, 2.0]), 3), s(np.array([0.5, 2.0]), -1.5),
        s(np.array([0.5, 2.0]), 0), s(np.array([0.0, 2.0]), 3), s(np.array([0.0, 2.0]), 1.0),
        s(np.array([-1.5, 0.5]), -2),
    ],
    "xlogy": [s(np.array([0.0, 0.0, 2.0]), np.array([0.5, 3.0, 0.5])), s(np.array([0.0, 2.0]), np.array([0.0, 3.0]), kink=True)],
    "times_log": [s(np.array([0.0, 0.0, 2.0]), np.array([-0.5, -3.0, -0.5]))],
}  # fmt: skip

SHAPES = ((), (4,), (2, 3), (2, 3, 2))


def _reductions(name: str, make: Make = real, empty: bool = True, **more: Any) -> list[Sample]:
    r = seeded(name)
    calls = [s(make(r, shape), **more) for shape in SHAPES]
    calls += [s(make(r, (2, 3, 2)), dim=d, **more) for d in (0, -1, (0, 2), (0, 1, 2))]
    calls += [s(make(r, (2, 3)), dim=1, keepdim=True, **more), s(make(r, (6, 4)).T[::2], dim=0, keepdim=True, **more)]
    return calls + ([s(make(r, (0, 3)), dim=0, **more), s(make(r, (2, 0)), dim=0, **more)] if empty else [])


def _along(name: str, make: Make = real, dims: tuple[int, ...] = (0, -1), **more: Any) -> list[Sample]:
    r = seeded(name)
    calls = [s(make(r, shape), dim=d, **more) for shape in ((3,), (2, 3), (2, 3, 2)) for d in dims]
    return [*calls, s(make(r, ()), dim=0, **more), s(make(r, (2, 0)), dim=0, **more), s(make(r, (6, 4)).T[::2], dim=0, **more)]


_X = {shape: real(seeded(str(shape)), shape) for shape in ((), (3,), (4,), (2, 3), (3, 3), (3, 4), (2, 3, 4), (0,), (2, 0), (0, 3))}
_STRIDED = real(seeded("strided"), (4, 6)).T[::2, ::3]
_INDEX = np.array([[2, 0], [1, 1]])


def _same(name: str, *calls: tuple[Any, ...], **settings: Any) -> list[Sample]:
    return [s(*call, **settings) for call in calls]


def _tied(name: str) -> list[Sample]:
    """Extremes, without ties and with."""
    return [*_reductions(name, distinct, empty=False), s(small(seeded(name), (3, 4)), dim=1, kink=True), s(np.ones(3), kink=True)]


OPERATIONS: dict[str, list[Sample]] = {
    **{n: [s(x) for x in _one(make, seeded(n))] + _KINKS.get(n, []) for n, make in _UNARY.items()},
    **{n: [s(a, b) for a, b in _two(*makes, seeded(n))] + _KINKS.get(n, []) for n, makes in _BINARY.items()},
    "clamp": [
        *(s(x, min=-0.2, max=0.2) for x in _one(off_zero, seeded("clamp"))), s(_X[3,], min=-5.0), s(_X[3,], max=5.0),
        s(_X[3,], max=-5.0), s(np.array([1.0, 2.0]), min=1.0, max=2.0, kink=True), s(_X[2, 3], _X[3,]),
        s(_X[2, 3], None, _X[()]), s(_X[2, 3], np.full((3,), -0.4), np.full((2, 1), 0.3)),
        s(_X[2, 3], np.full((3,), 0.4), np.full((2, 1), -0.3)),
    ],
    "clamp_min": [s(_X[2, 3], 0.05), s(_X[2, 3], np.array([0.1, 0.2, 0.3])), s(np.array([0.0]), 0.0, kink=True)],
    "clamp_max": [s(_X[2, 3], 0.05), s(_X[2, 3], np.array([0.1, 0.2, 0.3])), s(np.array([0.0]), 0.0, kink=True)],
    **{n: _reductions(n) for n in ("sum", "mean")},
    "amax": _tied("amax"), "amin": _tied("amin"),
    "any": _reductions("any", boolean), "all": _reductions("all", boolean),
    "var": [*_reductions("var", distinct, empty=False)[1:], s(_X[2, 3], dim=1, correction=0), s(_X[2, 3], dim=1, unbiased=False)],
    "std": [*_reductions("std", distinct, empty=False)[1:], s(_X[2, 3], dim=1, correction=0), s(np.ones(3), kink=True)],
    "norm": [
        *_reductions("norm", off_zero, empty=False), *(s(_X[2, 3], p, 1) for p in (1, 3, 2.5, math.inf, -math.inf)),
        s(_X[2, 3], 2, 0, True), s(np.zeros(3), kink=True), s(_X[2, 3], "fro"), s(_X[0, 3], 2, 1),
    ],
    "logsumexp": [*_reductions("logsumexp", empty=False)[:-1], s(np.array([800.0, 799.0, -900.0]), dim=0)],
    **{n: [*_along(n), s(np.array([800.0, 799.0, -900.0]), dim=0)] for n in ("softmax", "log_softmax", "softmin")},
    "cumsum": _along("cumsum"),
    "prod": [
        s(_X[()]), s(_X[3,]), s(_X[2, 3]), s(_X[2, 3, 4], dim=1), s(_X[2, 3], dim=-1, keepdim=True), s(_X[()], dim=0),
        s(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0]]), dim=1), s(_X[0, 3], dim=0), s(_STRIDED, dim=0),
    ],
    # rearranging
    "reshape": _same("reshape", (_X[2, 3], (3, 2)), (_X[2, 3], (-1,)), (_X[()], (1, 1)), (_X[2, 0], (0, 4)), (_STRIDED, (6,))),
    "flatten": _same("flatten", (_X[2, 3],), (_X[()],), (_X[2, 3, 4], 1), (_X[2, 3, 4], 0, 1), (_X[2, 0],), (_STRIDED,)),
    "squeeze": [s(_X[3,].reshape(1, 3, 1)), s(_X[3,].reshape(1, 3, 1), 0), s(_X[3,].reshape(1, 3, 1), 1), s(_X[()]), s(_X[0,])],
    "unsqueeze": _same("unsqueeze", (_X[2, 3], 0), (_X[2, 3], -1), (_X[()], 0), (_X[0,], 1), (_STRIDED, 1)),
    "permute": _same("permute", (_X[2, 3, 4], (2, 0, 1)), (_X[2, 3], (1, 0)), (_X[()], ()), (_X[2, 0], (1, 0))),
    "transpose": _same("transpose", (_X[2, 3, 4], 0, 2), (_X[2, 3], 0, 1), (_X[2, 0], -1, 0), (_X[()], 0, -1)),
    "swapaxes": _same("swapaxes", (_X[2, 3, 4], 0, 2), (_X[2, 3], 0, 1)),
    "movedim": _same("movedim", (_X[2, 3, 4], 0, 2), (_X[2, 3, 4], (0, 1), (-1, 0))),
    "t": _same("t", (_X[2, 3],), (_X[3,],), (_X[()],), (_X[2, 0],)),
    "broadcast_to": _same("broadcast_to", (_X[3,], (2, 3)), (_X[()], (2, 2)), (_X[0,], (2, 0)), (_X[3,].reshape(3, 1), (2, 3, 4))),
    "repeat": _same("repeat", (_X[3,], (2, 2)), (_X[()], (3,)), (_X[2, 3], (1, 2)), (_X[2, 3], (0, 1)), (_X[2, 0], (2, 1))),
    "diagonal": _same("diagonal", (_X[2, 3],), (_X[2, 3], 1), (_X[2, 3, 4], -1, 0, 2), (_X[2, 0],)),
    "tril": _same("tril", (_X[3, 4],), (_X[2, 3, 4], 1), (_X[3, 4], -1), (_X[2, 0],)),
    "triu": _same("triu", (_X[3, 4],), (_X[2, 3, 4], 1), (_X[3, 4], -1), (_X[2, 0],)),
    "cat": _same("cat", ([_X[2, 3], _X[2, 3]], 0), ([_X[2, 3], _X[2, 3].T.copy().T * 2], 1), ([_X[3,], _X[0,], _X[4,]],), ([_X[0,]],)),
    "concat": _same("concat", ([_X[3,], _X[4,]],)),
    "stack": _same("stack", ([_X[2, 3], _X[2, 3] * 2], 1), ([_X[()], _X[()]],), ([_X[0,]], 0)),
    "split": _same("split", (_X[2, 3, 4], 2, 1), (_X[3, 4], [1, 2], 0), (_X[0, 3], 1)),
    "chunk": _same("chunk", (_X[2, 3, 4], 2, 1), (_X[4,], 3)), "unbind": _same("unbind", (_X[2, 3],), (_X[2, 3], 1)),
    "select": _same("select", (_X[2, 3], 1, 2), (_X[2, 3], 0, -1)),
    "narrow": _same("narrow", (_X[2, 3, 4], 2, 1, 2), (_X[3,], 0, 0, 0)),
    # picking
    "index_select": _same("index_select", (_X[2, 3], 1, np.array([2, 2, 0])), (_X[2, 3], 0, np.array([], int)), (_X[()], 0, np.array([0]))),
    "gather": _same("gather", (_X[2, 3], 1, _INDEX), (_X[()], 0, np.array(0)), (_X[2, 3, 4], 0, np.ones((1, 2, 2), int)), (_X[3,], 0, np.array([], int))),
    "take_along_dim": _same("take_along_dim", (_X[2, 3], _INDEX, 1), (_X[2, 3], np.array([4, 0])), (_X[2, 3], np.array([[1]]), 0)),
    "scatter": _same("scatter", (_X[2, 3], 1, np.array([[2, 0], [1, 2]]), _X[2, 3] * 2), (_X[2, 3], 1, _INDEX, 0.5), (_X[3,], 0, np.array([], int), _X[3,])),
    "scatter_add": _same("scatter_add", (_X[2, 3], 1, _INDEX, _X[2, 3] * 2), (_X[3,], 0, np.array([0, 0, 0]), _X[3,]), (_X[()], 0, np.array(0), _X[()])),
    "pick": _same("pick", (_X[2, 3], np.array([2, 0]), 1), (_X[2, 3, 4], np.zeros((2, 4), int), 1), (_X[0, 3], np.array([], int), 1)),
    "masked_fill": _same("masked_fill", (_X[2, 3], _X[3,] > 0, 2.0), (_X[2, 3], _X[2, 3] > 0, _X[()]), (_X[()], np.array(True), 1), (_X[0, 3], _X[3,] > 0, 1.5)),
    "masked_select": _same("masked_select", (_X[2, 3], _X[2, 3] > 0), (_X[2, 3], _X[3,] > 0), (_X[()], np.array(True)), (_X[3,], np.zeros(3, bool))),
    "where": _same("where", (_X[2, 3] > 0, _X[2, 3], _X[3,]), (_X[3,] > 0, _X[2, 3], 0.0), (_X[3,] > 0, 1.5, _X[()]), (_X[0, 3] > 0, _X[0, 3], _X[3,])),
    "one_hot": _same("one_hot", (np.array([[0, 2], [1, 1]]), 3), (np.array(1),), (np.array([], int), 4)),
    # ordering
    "sort": [*_along("sort", distinct), s(distinct(seeded("d"), (4,)), dim=0, descending=True), s(small(seeded("st"), (5,)), kink=True)],
    "argsort": [*_along("argsort", distinct), s(distinct(seeded("d"), (4,)), dim=0, descending=True)],
    "topk": [s(distinct(seeded("k"), (5,)), 2), s(distinct(seeded("k"), (3, 4)), 2, dim=0, largest=False), s(_X[3,], 0)],
    **{n: [s(distinct(seeded(n), (2, 3))), s(distinct(seeded(n), (2, 3)), 1), s(_X[()]), s(_X[()], 0), s(small(seeded(n), (3, 4)), 1, kink=True),
           s(distinct(seeded(n), (2, 3)), 0, True), s(np.ones(3), kink=True)] for n in ("max", "min")},
    "argmax": _reductions("argmax", distinct, empty=False)[:5], "argmin": _reductions("argmin", distinct, empty=False)[:5],
    # products
    "matmul": _same("matmul", (_X[2, 3], _X[3, 4]), (_X[3,], _X[3,]), (_X[2, 3], _X[3,]), (_X[3,], _X[3, 4]), (_X[2, 3, 4], _X[4,]),
                    (_X[2, 3, 4], _X[4,].reshape(4, 1)), (_X[2, 3], _X[3,].reshape(1, 3, 1)), (_X[0, 3], _X[3, 4]), (_X[2, 0], _X[0, 3]),
                    (_X[3, 4].T, _STRIDED), (_X[2, 3, 4], _X[2, 3, 4].swapaxes(1, 2))),
    "mm": _same("mm", (_X[2, 3], _X[3, 4]), (_X[2, 0], _X[0, 3]), (_X[3, 4].T, _STRIDED)),
    "bmm": _same("bmm", (_X[2, 3, 4], _X[2, 3, 4].swapaxes(1, 2))),
    "mv": _same("mv", (_X[2, 3], _X[3,]), (_X[0, 3], _X[3,])),
    "dot": _same("dot", (_X[3,], _X[3,] * 2 + 1), (_X[0,], _X[0,])), "outer": _same("outer", (_X[3,], _X[4,]), (_X[0,], _X[4,])),
    "linear": _same("linear", (_X[2, 3], _X[4,][:, None] * _X[3,], _X[4,]), (_X[3,], _X[2, 3]), (_X[2, 3, 4], _X[3, 4], _X[3,]),
                    (_X[2, 3], _X[3,]), (_X[0, 3], _X[2, 3])),
    "normalize": [s(_X[2, 3]), s(_X[2, 3], p=1.0), s(_X[2, 3], p=3, dim=0), s(_X[3,], dim=0), s(_X[0, 3])],
    "cosine_similarity": [s(_X[2, 3], _X[2, 3] * 2 + 1), s(_X[3,], _X[3,] ** 2, dim=0), s(_X[2, 3], _X[3,]), s(_X[2, 3], _X[2, 3] + 1, eps=0.5)],
    "pairwise_distance": [s(_X[2, 3], _X[2, 3] * 2 + 1), s(_X[2, 3], _X[3,], p=1.0), s(_X[3,], _X[3,] + 1, p=3.0, keepdim=True)],
    "layer_norm": [s(_X[2, 3], (3,)), s(_X[2, 3, 4], (3, 4), _X[3, 4], _X[3, 4] * 2), s(_X[2, 3], [3], _X[3,], None, 1e-2), s(_X[0, 3], (3,))],
    "embedding": [s(np.array([[1, 0], [1, 1]]), _X[2, 3]), s(np.array(1), _X[2, 3]), s(np.array([0, 1]), _X[2, 3], padding_idx=1, kink=True), s(np.array([], int), _X[2, 3])],
}  # fmt: skip
