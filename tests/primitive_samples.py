"""Samples for registered primitives whose settings differ from the public function's, and for those that only
derivative rules use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_loss.losses._alignments import Alignments

from .samples import (
    _STRIDED,
    _X,
    OPERATIONS,
    Make,
    Sample,
    _along,
    _one,
    _two,
    boolean,
    distinct,
    off_zero,
    positive,
    real,
    s,
    seeded,
)


def primitive_samples() -> dict[str, list[Sample]]:
    """All samples by the registered name."""
    ax: dict[str, Any] = {"dim": (1,), "keepdim": False}
    every: dict[str, Any] = {"dim": None, "keepdim": False}
    shapes = [_X[()], _X[3,], _X[2, 3], _X[0, 3], _STRIDED]

    def reduced(make: Make = real, empty: bool = True, **more: Any) -> list[Sample]:
        r = seeded("reduced")
        arrays = [make(r, n) for n in ((), (3,), (2, 3), *(((0, 3), (2, 0)) if empty else ()))]
        calls = [s(x, dim=None, keepdim=False, **more) for x in arrays] + [s(make(r, (2, 3, 2)), dim=(0, 2), keepdim=k, **more) for k in (True, False)]
        return [*calls, s(make(r, (6, 4)).T[::2], dim=(1,), keepdim=True, **more)]

    def moved(**settings: Any) -> list[Sample]:
        return [s(x, **settings) for x in (_X[2, 3], _X[2, 0], _STRIDED)]

    rows = (np.array([1, 0, 1]), np.array([2, 0, 2]))
    read = [s(_X[2, 3], index=rows, unique=False), s(_X[2, 3], index=(slice(None), 1), unique=True), s(_X[2, 3], index=_X[2, 3] > 0, unique=True), s(_X[()], index=(), unique=True), s(_X[0, 3], index=(slice(None), 1), unique=True)]
    integers = [s(np.array([6, 3, 0]), np.array([3, 5, 1])), s(np.array([True, False]), np.array([True, True]))]
    inside = np.array([[0.5, -0.5, 0.2], [0.1, 2.5, -3.0]])
    lengths = np.array([4, 2, 3]), np.array([2, 1, 0])
    path = Alignments(np.array([[1, 1], [2, 0], [0, 0]]), *lengths, 0)
    log_p = np.log(seeded("ctc").uniform(0.05, 0.6, (4, 3, 3)))
    return {
        **{n: OPERATIONS[n] for n in OPERATIONS if n not in _REWORDED},
        **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), integers), "bitwise_not": [s(np.array([6, 0])), s(np.array([True, False]))],
        "zeros_like_": [s(x) for x in shapes], "alias": [s(x) for x in shapes], "erf": OPERATIONS["erf"], "bell": OPERATIONS["erf"],
        "add": [s(a, b) for a, b in _two(real, real, seeded("+"))], "sub": [s(a, b) for a, b in _two(real, real, seeded("-"))],
        "div": OPERATIONS["true_divide"], "leaky_relu": [s(x, slope=0.2) for x in _one(off_zero, seeded("lr"))],
        "elu": [s(x, alpha=0.5) for x in _one(off_zero, seeded("elu"))],
        "spread": [s(_X[()], shape=(2, 3), **every), s(_X[3,], shape=(3, 2), **ax), s(_X[0,], shape=(0, 2), **ax), s(_X[3,].reshape(3, 1), shape=(3, 4), dim=(1,), keepdim=True)],
        "sum": reduced(), "mean": reduced(), "var": reduced(distinct, False, correction=0.0), "std": reduced(distinct, False, correction=0.0)[1:],
        "amax": reduced(distinct, False), "amin": reduced(distinct, False), "any": reduced(boolean), "all": reduced(boolean),
        "norm": [c for p in (2.0, 1.0, 3.0, math.inf) for c in reduced(off_zero, p == 2.0, p=p)], "logsumexp": reduced(),
        "broadcast_to": [s(_X[3,], shape=(2, 3)), s(_X[()], shape=(2, 2)), s(_X[0,], shape=(2, 0))],
        "sum_to_size": [s(_X[2, 3], shape=(1, 3)), s(_X[2, 3], shape=()), s(_X[2, 3], shape=(2, 3)), s(_X[0, 3], shape=(3,)), s(_STRIDED, shape=(1, 1))],
        **{n: _along(n, dims=(0,)) for n in ("softmax", "log_softmax", "softmax_complement")}, "cumsum": [s(x, dim=0, reverse=b) for x in shapes for b in (True, False)],
        "prod": [s(_X[3,]), s(_X[2, 3]), s(_X[2, 0]), s(np.array([0.0, 2.0, 0.0]))],
        "clip_infinite": [s(a, b) for a, b in _two(real, positive, seeded("ci"))], "clamp": [s(x, lo=-0.1, hi=0.1) for x in _one(off_zero, seeded("c"))],
        **{n: [s(x, tie=t) for t in (0.0, 1.0) for x in _one(off_zero, seeded("h"))] for n in ("hinge", "step")},
        "sparsemax": _along("sparsemax", dims=(0,)),
        "clamp_tensor": [s(inside, np.full(3, -1.0), np.full((2, 1), 1.0)), s(_X[()], np.array(-9.0), np.array(9.0)), s(_X[0, 3], _X[3,], _X[3,])],
        "clamp_min_tensor": [s(inside, np.full(3, -1.0)), s(_X[()], np.array(-9.0)), s(_X[0, 3], _X[3,])],
        "clamp_max_tensor": [s(inside, np.full(3, 1.0)), s(_X[()], np.array(9.0)), s(_X[0, 3], _X[3,])],
        "cast": [s(x, dtype=np.dtype(float)) for x in shapes], "view": [s(_X[2, 3], shape=(3, 2)), s(_X[()], shape=(1,)), s(_X[2, 0], shape=(0,)), s(_STRIDED, shape=(-1,))],
        "squeeze": [s(_X[3,].reshape(1, 3), shape=(3,)), s(_X[3,][:1], shape=()), s(_X[0,].reshape(1, 0), shape=(0,))],
        "unsqueeze": [s(_X[3,], shape=(1, 3)), s(_X[()], shape=(1,)), s(_X[0,], shape=(0, 1))], "permute": moved(dims=(1, 0)) + [s(_X[()], dims=())],
        "transpose": moved(dim0=0, dim1=1), "t": OPERATIONS["t"], "repeat": [*moved(repeats=(2, 1)), s(_X[()], repeats=(2,))],
        "diagonal": moved(offset=1, dim1=0, dim2=1), "put_diagonal": [s(_X[3,], shape=(3, 4), offset=1, dim1=0, dim2=1), s(_X[0,], shape=(0, 2), offset=0, dim1=0, dim2=1)],
        "tril": moved(diagonal=0), "triu": moved(diagonal=1), **dict.fromkeys(_READERS, read),
        "put": [s(_X[3,], index=rows, shape=(2, 3), unique=False), s(_X[2, 3], index=(slice(0, 2),), shape=(4, 3), unique=True), s(_X[()], index=(1,), shape=(2,), unique=True), s(_X[0,], index=(np.array([], int),), shape=(2,), unique=False)],
        "scatter": [s(_X[2, 3], _X[2, 3][0, :2], index=(np.array([0, 1]), np.array([2, 0]))), s(_X[3,], 0.5, index=(np.array([1]),)), s(_X[0, 3], _X[0,], index=(np.array([], int), np.array([], int)))],
        "scatter_add": [s(_X[2, 3], _X[3,], index=rows), s(_X[3,], _X[0,], index=(np.array([], int),))], "one_hot": [s(np.array([0, 2]), num_classes=3), s(np.array([], int), num_classes=2)],
        "cat": [s(_X[3,], _X[4,], dim=0, starts=(0, 3, 7)), s(_X[2, 3], _STRIDED.T, dim=1, starts=(0, 3, 6)), s(_X[0,], dim=0, starts=(0, 0))], "stack": [s(_X[3,], _X[3,] * 2, dim=1), s(_X[()], _X[()], dim=0), s(_X[0,], _X[0,], dim=0)],
        "argmax": [s(x, dim=None, keepdim=False) for x in shapes[:3]], "argmin": [s(x, dim=None, keepdim=False) for x in shapes[:3]],
        "bmm": [s(_X[2, 3, 4], _X[2, 3, 4].swapaxes(1, 2)), s(_X[2, 3, 4], _X[4,].reshape(1, 4, 1)), s(_X[2, 3, 4][:0], _X[4,].reshape(1, 4, 1))],
        **{n: [s(_X[2, 3], dim=(1,), eps=0.0), s(_X[2, 3, 4], dim=(1,), eps=1e-3), s(_X[2, 3], dim=(0,), eps=9.0),
               s(_X[0, 3], dim=(1,), eps=0.0), s(_X[()], dim=(), eps=5.0)] for n in ("unit", "inverse_length", "longer")},
        **dict.fromkeys(("expm2", "half_expm2", "log_cosh", "log_twice_sigmoid", "log1p_square"), OPERATIONS["tanh"]), "hypot": [s(a, b) for a, b in _two(off_zero, off_zero, seeded("hypot"))],
        "poisson_cost": [s(a, b, stirling=k) for k in (False, True) for a, b in _two(real, positive, seeded("poisson"))],
        **{n: [s(a, b, c) for (a, b), (c, _) in zip(_two(real, real, seeded("gc")), _two(positive, positive, seeded("gd")), strict=True)] for n in ("gaussian_cost", "difference_over", "laplace_cost")},
        "js_cost": [s(a, b, log_target=False) for a, b in _two(real, positive, seeded("js"))] + [s(a, b, log_target=True) for a, b in _two(real, real, seeded("jl"))],
        "share_power": [s(x, exponent=e) for e in (0.5, 2.0, 0.0) for x in _one(positive, seeded("sp"))],
        "between": [s(b, *a) for a, (b, _) in zip(_two(real, real, seeded("bw")), _two(positive, positive, seeded("bt")), strict=True)],
        "rate_gap": [s(a, b) for a, b in _two(real, positive, seeded("rates"))], "raise_to": [s(x, lo=-9.0) for x in _one(real, seeded("raise"))],
        "ctc_likelihood": [s(log_p, path=path, slopes=True), s(log_p[:, :0], path=path.of(np.zeros(0, int)), slopes=True)],
        "standardize": [s(_X[2, 3], axes=(1,), eps=1e-5), s(_X[2, 3, 4], axes=(1, 2), eps=0.1), s(_X[0, 3], axes=(1,), eps=1e-5)], "rstd": [s(_X[2, 3], axes=(1,), eps=0.1), s(_X[0, 3], axes=(1,), eps=0.1)],
    }  # fmt: skip


_READERS = ("getitem", "gather", "pick", "take_along_dim", "masked_select", "select", "narrow", "index_select", "embedding", "max_dim", "min_dim", "sort", "topk")
_REWORDED = {
    "true_divide", "softplus", "gelu", "clamp_min", "clamp_max", "softmin", "reshape", "flatten", "swapaxes", "movedim", "concat", "split", "chunk",
    "unbind", "argsort", "max", "min", "matmul", "normalize", "cosine_similarity", "pairwise_distance", "layer_norm", "embedding",
}  # fmt: skip
