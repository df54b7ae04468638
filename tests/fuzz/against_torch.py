"""Every loss that torch has against torch, at random sizes, options, layouts and dtypes: value, first and second derivatives."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

import tinygrad_loss as tl
from tests.evaluation import Answer, compare, pulled
from tests.loss_samples import LossSample
from tests.oracle import test_losses as oracle
from tests.samples import Array
from tinygrad_loss.losses._loss import Loss

from .drawing import drawn, laid, own_losses, rounded, small_blocks
from .losses import CALLS
from .report import Report

KINDS = (np.float64, np.float32)
DRAWS = 6  # of perturbed inputs
SLACK = 16.0


def answer(lib: Any, loss: Loss, sample: LossSample, reduction: str, arrays: dict[str, Array], parts: int) -> Answer:
    """Value and derivatives from either library."""
    constant = oracle.CONSTANT.get(loss.name, set())
    given = {n: lib.from_numpy(x) for n, x in arrays.items()}
    by = [n for n, x in arrays.items() if x.dtype.kind == "f" and n not in constant]
    leaves = [given[n].requires_grad_() for n in by]
    passed = oracle.as_torch_takes_it(sample, given) if lib is torch else dict(given)
    if loss.name in oracle.NORMALISED:
        name = oracle.NORMALISED[loss.name]
        passed[name] = lib.nn.functional.log_softmax(passed[name], -1)
    function = loss if lib is tl else getattr(torch.nn.functional, loss.name)
    with warnings.catch_warnings(action="ignore"):
        y = function(**passed, **sample.options, reduction=reduction)
        first = pulled(lib, [y], leaves, create_graph=parts > 2) if y.requires_grad else [None] * len(leaves)
        second: list[Any] = [None] * len(leaves)
        if parts > 2:
            second = pulled(lib, [g for g in first if g is not None and g.requires_grad], leaves)
    return [y.numpy(force=True)], *([None if g is None else g.numpy(force=True) for g in gs] for gs in (first, second))  # type: ignore[return-value]


def plainly(sample: LossSample) -> dict[str, Array]:
    return {n: np.array(x, order="C") for n, x in sample.given().items()}


def decided_by_rounding(
    loss: Loss, sample: LossSample, reduction: str, parts: int, ours: Answer, rtol: tuple[float, ...], kind: Any, r: np.random.Generator
) -> bool:
    """Whether torch's own answer in float64 moves as far as ours is from it, when the inputs move by their rounding."""
    eps = 4.0 * float(np.finfo(kind).eps)
    wide = {n: x.astype(np.float64) if x.dtype.kind == "f" else x for n, x in plainly(sample).items()}
    base = answer(torch, loss, sample, reduction, wide, parts)
    far: list[list[float]] = [[0.0] * len(xs) for xs in base]
    for _ in range(DRAWS):
        moved = {n: np.asarray(x * (1.0 + eps * r.uniform(-1.0, 1.0, x.shape))) if x.dtype.kind == "f" else x for n, x in wide.items()}
        other = answer(torch, loss, sample, reduction, moved, parts)
        for i, (xs, ys) in enumerate(zip(base, other, strict=True)):
            for j, (x, y) in enumerate(zip(xs, ys, strict=True)):
                if x is not None and y is not None and x.size:
                    far[i][j] = max(far[i][j], float(np.abs(x - y).max()))
    for xs, ys, limits, tolerance in zip(ours, base, far, rtol, strict=True):
        for x, y, limit in zip(xs, ys, limits, strict=True):
            a, b = (np.zeros(1) if v is None else v.astype(float) for v in (x, y))
            scale = max(float(np.abs(b).max(initial=0.0)), 1e-2)
            if (np.abs(a - b) > SLACK * limit + tolerance * scale).any():
                return False
    return True


def examine(loss: Loss, sample: LossSample, r: np.random.Generator, report: Report, seed: int) -> None:
    kind = KINDS[r.integers(2)]
    if sample.size == 0 and loss.name in oracle.UNWRITTEN:
        return
    made = rounded(sample, kind)
    if made is None:
        report.refuse(f"{loss.name} outside {kind.__name__}")
        return
    parts = 2 if loss.name in oracle.ONCE or r.integers(2) else 3
    rtol = oracle.COARSER.get((loss.name, kind), oracle.RTOL[kind])
    for reduction in loss.declaration.reductions:
        arrays, how = {}, []
        for n, x in made.given().items():
            arrays[n], name = laid(x, r)
            how.append(name)
        where = f"{loss.name} {reduction} {kind.__name__} {how}, seed {seed}: {sample}"
        try:
            ours = answer(tl, loss, made, reduction, arrays, parts)
            theirs = answer(torch, loss, made, reduction, plainly(made), parts)
        except Exception as error:
            report.fault(f"{loss.name} raises {type(error).__name__}", f"{where} {error}")
            continue
        report.count(loss.name)
        try:
            compare(ours, theirs, kind, rtol)
        except AssertionError as error:
            if decided_by_rounding(loss, made, reduction, parts, ours, rtol, kind, r):
                report.explain(loss.name)
            else:
                report.fault(f"{loss.name}", f"{where} {' '.join(str(error).split())[:300]}")


def fuzz(seed: int, only: str = "", calls: int = CALLS, report: Report | None = None) -> Report:
    """``calls`` samples of every loss that torch has; half of the losses in small blocks."""
    report = report or Report()
    report.seeds.append(seed)
    names = [made for made in own_losses(only) if made.name in oracle.NAMES]
    for number, loss in enumerate(names):
        r = np.random.default_rng([seed, number, 1])
        small = bool((seed + number) % 2)
        with small_blocks(loss) if small else nullcontext():
            for _ in range(calls):
                sample = drawn(loss, r, borders=small)
                if sample is None:
                    report.refuse(loss.name)
                    continue
                examine(loss, sample, r, report, seed)
    return report
