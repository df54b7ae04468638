"""Every operation against torch: random shapes, settings, dtypes and layouts."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.oracle import torch_side
from tests.samples import Array

from . import methods
from .calls import OURS, Call, drawn_call, filled, taken_apart
from .deviations import Apart
from .differential import PARTS as NAMES
from .differential import RTOL, Case, examine, quietly
from .operations import DRAWERS, KINKED, Draw
from .report import Report

THEIRS = {n: methods.METHODS[n] if n in methods.METHODS else torch_side.operation(n) for n in DRAWERS}
TIED = KINKED | {"amax", "amin", "max", "min"}
INTEGERS = {
    "abs", "neg", "square", "sign", "add", "sub", "mul", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "sum", "any", "all", "prod",
    "amax", "amin", "argmax", "argmin", "max", "min", "cumsum", "sort", "topk", "where", "matmul", "mm", "reshape", "view", "flatten",
    "squeeze", "unsqueeze", "permute", "transpose", "movedim", "broadcast_to", "expand", "repeat", "diagonal", "tril", "triu", "cat",
    "stack", "split", "chunk", "unbind", "select", "narrow", "index_select", "gather", "scatter_add", "take_along_dim", "masked_select",
    "getitem", "true_divide", "exp", "sigmoid", "sqrt", "add operator", "mul operator", "clone", "relu",
}  # fmt: skip
# What torch cannot differentiate (further): {name: (parts compared, why)}.
PARTS = {
    "floor_divide": (1, "torch refuses to differentiate it"),
    "embedding": (2, "with padding_idx torch's second derivative is that of the masked rows"),
}
COARSER: dict[tuple[str, Any], tuple[float, float, float]] = {}


NO_REPEATS = {  # elements that are equal would tie, or have no spread
    "amax", "amin", "max", "min", "sort", "argsort", "topk", "argmax", "argmin", "var", "std", "maximum", "minimum", "layer_norm", "norm",
}  # fmt: skip
KINDS = (*[np.float64] * 4, *[np.float32] * 4, np.float16)
JUMPS = {"floor_divide", "remainder", "div"}  # where the rounding of float16 decides between two integers
OF_ONE = "normalize and cosine_similarity of single numbers: the derivative is 0 but for rounding"
CANCELLED = "layer_norm of 2 numbers in float32 or float16: terms of the size of 1 / std, whose sum is near 0, each rounded"


def deviation(call: Call, kind: Any) -> Callable[[list[Apart]], str]:
    """The places where torch is known to give another answer, by the arguments of this call and what differs."""

    def reason(apart: list[Apart]) -> str:
        x, settings = call.args[0], call.settings
        if call.name in ("normalize", "cosine_similarity") and x.shape[settings.get("dim", 1)] == 1:
            limit = 64.0 * float(np.finfo(kind).eps) * max(1.0, float(1.0 / np.abs(x).min())) ** 2
            both = (max(np.abs(a.ours).max(), np.abs(a.theirs).max()) for a in apart)
            return OF_ONE if all(a.part and b <= limit for a, b in zip(apart, both, strict=True)) else ""
        if call.name != "layer_norm" or kind not in (np.float32, np.float16) or int(np.prod(call.args[1])) > 2:
            return ""
        spread = x.reshape(-1, 2).var(1).min() + settings.get("eps", 1e-5)
        size = max(max((float(np.abs(w).max()) for w in call.args[2:]), default=1.0) / np.sqrt(spread), 1.0)
        small = (np.abs(a.ours - a.theirs).max() <= 32 * float(np.finfo(kind).eps) * size**a.part for a in apart)
        return CANCELLED if all(small) else ""

    return reason


def as_integers(x: Array) -> Array:
    """Whole numbers, as in order as the numbers were."""
    return np.asarray(np.rint(x * 4.0), np.int64) if x.dtype.kind == "f" else x


def case_of(name: str, r: np.random.Generator, where: str) -> Case:
    tied = name in TIED and bool(r.random() < 0.2)
    call = drawn_call(name, Draw(r, tied))
    kind = KINDS[r.integers(len(KINDS))]
    kind = np.float32 if kind is np.float16 and name in JUMPS else kind
    if name in INTEGERS and r.random() < 0.15 and not any(isinstance(a, float) for a in (*call.args, *call.settings.values())):
        kind = np.int64
    change = as_integers if kind is np.int64 else lambda x: np.asarray(x, kind) if x.dtype.kind == "f" else x
    template, given = taken_apart(call.args)
    arrays = [change(x) for x in given]
    if name not in NO_REPEATS and r.random() < 0.1:
        arrays = [np.broadcast_to(x[:1], x.shape) if x.dtype.kind == "f" and x.ndim and x.shape[0] > 1 else x for x in arrays]
    parts = 2 if r.random() < 0.75 or tied or kind is np.float16 else 3
    if kind is np.int64 or name in methods.WRITES:
        parts = 1
    parts = min(parts, PARTS.get(name, (3,))[0]) if name != "embedding" or call.settings else parts
    by = [x.dtype.kind == "f" and parts > 1 for x in arrays]

    def of_tensors(lib: Any, tensors: list[Any]) -> Any:
        function = (OURS if lib is tl else THEIRS)[name]
        return function(*filled(template, tensors), **call.settings)

    shapes = filled(template, [f"{x.dtype}{x.shape}" if x.dtype.kind == "f" else x.tolist() for x in arrays])
    text = f"{where} --only '{name}': {name}{shapes} {call.settings}, {kind.__name__}, parts {parts}"
    return Case(name, of_tensors, arrays, by, kind, parts, COARSER.get((name, kind), RTOL[kind]), text, deviation(call, kind))


def fuzz(seed: int, only: str = "", calls: int = 5, report: Report | None = None) -> Report:
    """``calls`` of every operation."""
    report = report or Report()
    report.seeds.append(seed)
    with quietly():
        for name in sorted(DRAWERS):
            if only not in name:
                continue
            r = np.random.default_rng([seed, zlib.crc32(name.encode())])
            for _ in range(calls):
                case = case_of(name, r, f"--part torch --rounds 1 --seed {seed}")
                report.share(case.kind.__name__)
                report.share(f"up to the {NAMES[case.parts - 1]}")
                examine(case, r, report)
    return report

