"""One call in both libraries, compared: values, gradients, for some the gradients' gradients."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import tinygrad_loss as tl
from tests.laws import flat
from tests.samples import Array

from .deviations import SHORT, Apart
from .drawing import laid
from .report import Report

Answer = tuple[list[Array], list[Array | None], list[Array | None]]
Tolerance = tuple[float, float, float]
RTOL: dict[Any, Tolerance] = {np.float64: (1e-13, 1e-12, 1e-11), np.float32: (3e-6, 2e-5, 2e-4), np.float16: (4e-3, 1e-2, 0.1), np.int64: (3e-6, 0.0, 0.0)}
PARTS = ("value", "first derivative", "second derivative")
DRAWS = 6  # of perturbed inputs
SLACK = 16.0
ROUNDING = "no further off than torch is from itself when the inputs move by their rounding"
NEARER = "float32, float16: nearer to torch's answer in float64 than torch is"


@dataclass
class Case:
    """``call(library, tensors)``; ``by``: which of the arrays to differentiate by; ``deviation``: a reason, or ""."""

    name: str
    call: Callable[[Any, list[Any]], Any]
    arrays: list[Array]
    by: list[bool]
    kind: Any
    parts: int
    rtol: Tolerance
    text: str
    deviation: Callable[[list[Apart]], str] = lambda apart: ""
    again: Callable[[], Answer] | None = None  # torch's answer, asked in another way that is to give the same


@functools.lru_cache(4096)
def weights(shape: tuple[int, ...], kind: Any) -> Array:
    """The same numbers for both libraries: what results are summed with."""
    n = int(np.prod(shape, dtype=np.int64))
    return (0.5 + (np.arange(n) * 0.618034 + 0.3) % 1.0).reshape(shape).astype(kind)


def pulled(lib: Any, results: Sequence[Any], leaves: list[Any], create_graph: bool) -> list[Any]:
    seeds = [lib.from_numpy(weights(tuple(y.shape), of(y).dtype)) for y in results]
    return list(lib.autograd.grad(results, leaves, seeds, create_graph=create_graph, allow_unused=True))


def of(x: Any) -> Array:
    return x.array if isinstance(x, tl.Tensor) else x.numpy(force=True)


def answer(lib: Any, case: Case, arrays: Sequence[Array]) -> Answer:
    """Values and derivatives from either library."""
    tensors, leaves = [], []
    for x, differentiate in zip(arrays, case.by, strict=True):
        tensor = lib.from_numpy(x)
        if differentiate:
            leaves.append(tensor.requires_grad_())
        tensors.append(tensor)
    made = case.call(lib, tensors)
    results = flat(tuple(made)) if isinstance(made, (tuple, list)) else [made]
    values = [of(y) if isinstance(y, (tl.Tensor, torch.Tensor)) else np.asarray(y) for y in results]
    first: list[Any] = [None] * len(leaves)
    second: list[Any] = [None] * len(leaves)
    roots = [y for y in results if getattr(y, "requires_grad", False)]
    if case.parts > 1 and roots:
        first = pulled(lib, roots, leaves, case.parts > 2)
        if case.parts > 2:
            again = [g for g in first if g is not None and g.requires_grad]
            second = pulled(lib, again, leaves, False) if again else second
    return values, *([None if g is None else of(g) for g in gs] for gs in (first, second))  # type: ignore[return-value]


def fits(x: Array, y: Array, rtol: float) -> bool:
    """Whether all is equal up to rounding of the largest number there; nan and inf in the same places."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if not x.size or np.array_equal(x, y):
        return True
    if x.dtype.kind != "f":
        return False
    return bool(alike(x, y, rtol).all())


@np.errstate(all="ignore")
def alike(x: Array, y: Array, rtol: float) -> Array:
    """Of each element; in float64, where no limit overflows."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    size = np.abs(y)
    top = size.max()
    if not np.isfinite(top):
        top = size.max(initial=0.0, where=np.isfinite(y))
    gap = np.abs(x - y)
    limit = rtol * (np.maximum(top, 1e-2) + size)
    return np.asarray((gap <= limit) & (np.isfinite(y) | (x == y)) | (x == y) | (np.isnan(x) & np.isnan(y)))


def paired(ours: Answer, theirs: Answer) -> Iterator[tuple[int, int, Array, Array]]:
    """(part, number, ours, theirs); a missing gradient is zeros."""
    for part, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            if x is not None or y is not None:
                yield part, i, np.zeros_like(y) if x is None else x, np.zeros_like(x) if y is None else y


def differs(ours: Answer, theirs: Answer, rtol: Tolerance) -> list[tuple[int, int, Array, Array]]:
    if len(ours[0]) != len(theirs[0]):
        return [(0, 0, np.zeros(len(ours[0])), np.zeros(len(theirs[0])))]
    return [(part, i, x, y) for part, i, x, y in paired(ours, theirs) if not fits(x, y, rtol[part])]


def moved(x: Array, eps: float, r: np.random.Generator) -> Array:
    """Towards 0, so that no domain is left; what is exactly 0, 1 or -1 may be a label, or an end, and stays."""
    return np.where(np.isin(x, (0.0, 1.0, -1.0)), x, x * (1.0 - eps * r.random(x.shape)))


def decided_by_rounding(case: Case, ours: Answer, r: np.random.Generator) -> bool:
    """Whether torch's own answer in float64 moves as far as ours is from it, when the inputs move by their rounding."""
    if case.kind is np.int64:
        return False
    eps = 4.0 * float(np.finfo(case.kind).eps)
    wide = widened(case)
    base = answer(torch, case, wide)
    far = [[0.0] * len(xs) for xs in base]
    for _ in range(DRAWS):
        other = answer(torch, case, [moved(x, eps, r) if x.dtype.kind == "f" else x for x in wide])
        for i, (xs, ys) in enumerate(zip(base, other, strict=True)):
            for j, (x, y) in enumerate(zip(xs, ys, strict=True)):
                if x is not None and y is not None and x.size:
                    if x.shape != y.shape:
                        return False
                    far[i][j] = max(far[i][j], float(np.abs(x.astype(float) - y.astype(float)).max()))
    for part, i, x, y in paired(ours, base):
        if x.shape != y.shape:
            return False
        scale = max(float(np.abs(y).max(initial=0.0)), 1e-2)
        if not ((np.isnan(x) & np.isnan(y)) | (np.abs(x.astype(float) - y.astype(float)) <= SLACK * far[part][i] + case.rtol[part] * scale)).all():
            return False
    return True


def widened(case: Case) -> list[Array]:
    return [x.astype(np.float64) if x.dtype.kind == "f" else x for x in case.arrays]


def nearer(case: Case, ours: Answer, theirs: Answer) -> bool:
    """Whether torch's answer in float32 is, of each result that differs, as far or further than ours from its own in float64."""
    if case.kind not in (np.float32, np.float16):
        return False
    base = answer(torch, case, widened(case))
    exactly = {(part, i): y for part, i, _, y in paired(ours, base)}
    for part, i, x, y in differs(ours, theirs, case.rtol):
        z = exactly[part, i]
        known = ~(np.isnan(x) & np.isnan(y))
        if z.shape != x.shape or not np.abs(x - z)[known].max() <= np.abs(y - z)[known].max():
            return False
    return True


def reason_of(case: Case, apart: list[tuple[int, int, Array, Array]]) -> str:
    """The deviation that covers all elements that differ."""
    if not all(a.shape == b.shape and a.dtype == b.dtype and a.dtype.kind == "f" for _, _, a, b in apart):
        return ""
    masks = [(p, a, b, ~alike(a, b, case.rtol[p])) for p, _, a, b in apart]
    return case.deviation([Apart(p, a[m], b[m]) for p, a, b, m in masks])


def examine(case: Case, r: np.random.Generator, report: Report) -> None:
    """Ours in random layouts against torch's, contiguous."""
    how, arrays = [], []
    for x in case.arrays:
        y, name = laid(x, r)
        arrays.append(y)
        how.append(name)
    plain = [np.array(x, order="C") for x in case.arrays]
    report.count(case.name)
    for name in how:
        report.share(f"{name} arrays")
    for name, found in (("with numbers of no dimension", any(not x.ndim for x in plain)), ("with empty arrays", any(not x.size for x in plain))):
        if found:
            report.share(name)
    try:
        ours = answer(tl, case, arrays)
    except Exception as error:
        try:
            answer(torch, case, plain)
        except Exception:
            report.explain(case.name, "both refuse")
            return
        report.fault(f"{case.name} raises {type(error).__name__}", f"{case.text} {how}: {error}")
        return
    try:
        theirs = answer(torch, case, plain)
    except Exception as error:
        report.fault(f"{case.name}: torch raises {type(error).__name__}", f"{case.text} {how}: {str(error)[:300]}")
        return
    apart = differs(ours, theirs, case.rtol)
    if not apart:
        return
    part, i, x, y = apart[0]
    reason = ""
    with np.errstate(all="ignore"), suppress(RuntimeError, ValueError):
        reason = reason_of(case, apart)
        if not reason and case.again is not None:
            still = differs(ours, case.again(), case.rtol)
            reason = reason_of(case, still) if still else SHORT
        if not reason and x.dtype == y.dtype:
            reason = NEARER if nearer(case, ours, theirs) else ROUNDING if decided_by_rounding(case, ours, r) else ""
    if reason:
        report.explain(case.name, reason)
        return
    shown = " ".join(f"{x.dtype}{x.shape} {x.tolist()}, torch {y.dtype}{y.shape} {y.tolist()}".split())[:400]
    report.fault(f"{case.name} {PARTS[part]}", f"{case.text} {how}: {PARTS[part]} {i}: {shown}")


def quietly() -> warnings.catch_warnings:  # type: ignore[type-arg]
    return warnings.catch_warnings(action="ignore")
