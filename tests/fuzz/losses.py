"""Every loss as it is called (kernels, blocks, any layout and dtype) against its plain formula, whole, in float64."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.evaluation import weights
from tests.laws import silent
from tests.loss_changes import as_batch, example_axis, output_shape, take
from tests.loss_samples import LossSample, leaves
from tests.samples import Array
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._reductions import Terms

from .drawing import KINDS, drawn, laid, own_losses, rounded, small_blocks, with_labels
from .report import Report

Answer = tuple[Array, dict[str, Array]]
TOLERANCE = {np.float64: 1e-11, np.float32: 3e-5, np.float16: 3e-3}
DRAWS = 6  # of perturbed inputs
ROUNDING = "no further off than the formula is from itself when the inputs move by their rounding"
CALLS = 10  # samples of a loss, one after the other


def reference(loss: Loss, sample: LossSample, reduction: str, counts: dict[str, Array]) -> Answer:
    """Value and gradients of the formula on plain arrays of float64, reduced by hand."""
    arrays, kept = dict(sample.arrays), np.ones(())
    for name, x in sample.given().items():
        if x.dtype.kind in "iu" and sample.ignores and (x == sample.options["ignore_index"]).any():
            kept = (x != sample.options["ignore_index"]).astype(float)
            arrays[name] = np.where(kept > 0, x, 0).astype(np.int64)
    opened, rows = as_batch(replace(sample, arrays=arrays)), None
    if loss.mixes and kept.ndim:
        rows = np.flatnonzero(kept)
        opened = take(opened, rows)
    by = leaves(opened)
    fixed = {n: None if x is None else tl.tensor(x) for n, x in opened.arrays.items() if n not in by}
    terms = Terms.of(loss.formula(**fixed, **by, **sample.options))
    terms = terms if sample.batched else terms.map(lambda x: x[0])
    one = np.ones(terms.value.shape)
    count = one * (1.0 if rows is not None else kept)
    for x in counts.values():
        count = count * x.reshape(x.shape + (1,) * (one.ndim - x.ndim))
    y = _reduced(terms, count, reduction, bool(counts) or rows is not None or kept.ndim > 0)
    if rows is not None and reduction == "none":
        full = np.zeros((kept.shape[0], *y.shape[1:]))
        full[rows] = y.array
    else:
        full = y.array
    w = weights(full.shape, np.float64)
    g: dict[str, Array] = {}
    if y.requires_grad:
        y.backward(tl.tensor(w if full is y.array else w[rows]))
    for name, x in by.items():
        if x.requires_grad:
            g[name] = _put_back(np.zeros(x.shape) if x.grad is None else x.grad.array, opened, sample, name, rows)
    return full, g


def _reduced(terms: Terms, count: Array, reduction: str, counted: bool) -> Any:
    c = tl.tensor(count)
    if reduction == "none":
        return (terms.value if terms.alone is None else terms.alone) * c
    value, one = terms.value * c, np.ones(count.shape)
    share = (tl.tensor(one) if terms.share is None else terms.share) * c
    y = value.sum()
    if reduction == "mean":
        value = value if terms.scale is None else value * terms.scale
        y = value.sum() / share.sum() if share.array.sum() else value.sum() * 0.0 + terms.empty
    if reduction == "batchmean":
        examples = one.shape[0] if one.ndim else 1
        if terms.share is None and not counted:
            y = y / examples if examples else y * 0.0 + terms.empty
        else:
            y = y / (share.sum() * (examples / one.size)) if share.array.sum() else y * 0.0 + terms.empty
    return y if terms.finish is None else terms.finish(y)


def _put_back(g: Array, opened: LossSample, sample: LossSample, name: str, rows: Array | None) -> Array:
    """The gradient at the places of the whole argument."""
    axis = example_axis(opened, name) if rows is not None else None
    shape = np.asarray(sample.arrays[name]).shape
    if axis is None:
        return g.reshape(shape)
    whole = np.zeros(shape)
    np.moveaxis(whole, axis, 0)[rows] = np.moveaxis(g, axis, 0)
    return whole


def called(loss: Loss, sample: LossSample, reduction: str, kind: Any, counts: dict[str, Array], lay: Callable[[Array], Array]) -> Answer:
    """The same from the library, as a user would call it."""
    signs = {n for n, x in leaves(sample).items() if not x.requires_grad}
    given: dict[str, Any] = {n: tl.Tensor(lay(x)) for n, x in sample.given().items()}
    by = {n: given[n].requires_grad_() for n in sample.floats() if n not in signs}
    more = {n: tl.tensor(x if x.dtype.kind == "b" else x.astype(kind)) for n, x in counts.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tl.LossWarning)
        y = loss(**given, **more, **sample.options, reduction=reduction)
        if y.requires_grad:
            y.backward(tl.tensor(weights(y.shape, y.array.dtype)))
    return y.array, {n: np.zeros(x.shape, kind) if x.grad is None else x.grad.array for n, x in by.items()}


def apart(a: Answer, b: Answer, kind: Any, rtol: float) -> dict[str, tuple[float, float]]:
    """What differs: {part: (the largest difference, what is allowed)}."""
    found, size = {}, float(np.abs(b[0]).max(initial=0.0, where=np.isfinite(b[0])))
    for part, x, y in (("value", a[0], b[0]), *((f"gradient of {n}", a[1][n], b[1][n]) for n in b[1])):
        if x.shape != y.shape or (part != "value" and x.dtype != kind):
            found[part] = (np.inf, 0.0)
            continue
        with np.errstate(all="ignore"):
            y = np.where(np.abs(y) > float(np.finfo(x.dtype).max), np.sign(y) * np.inf, y)
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x.astype(float) - y))
        finite = np.abs(y[np.isfinite(y)])
        scale = float(finite.max(initial=0.0)) if part == "value" or "input" in part else max(float(finite.max(initial=0.0)), size)
        limit = rtol * max(scale, 1e-2)  # by a weight, terms of the value's size cancel
        worst = float(np.nan_to_num(gap, nan=np.inf).max()) if gap.size else 0.0
        if worst > limit:
            found[part] = (worst, limit)
    return found


def shaken(loss: Loss, sample: LossSample, reduction: str, counts: dict[str, Array], kind: Any, r: np.random.Generator) -> dict[str, float]:
    """How far the answer moves when the inputs move by their rounding."""
    base, far = reference(loss, sample, reduction, counts), dict[str, float]()
    eps = 4.0 * float(np.finfo(kind).eps)
    for _ in range(DRAWS):
        moved = {n: np.asarray(sample.arrays[n], float) for n in leaves(sample)}
        moved = {n: x * (1.0 + eps * r.choice([-1.0, 1.0], size=x.shape)) + eps * r.uniform(-0.1, 0.1, x.shape) for n, x in moved.items()}
        other = reference(loss, sample.with_arrays(**moved), reduction, counts)
        for part, x, y in (("value", base[0], other[0]), *((f"gradient of {n}", base[1][n], other[1][n]) for n in base[1])):
            gap = np.abs(x - y)
            far[part] = max(far.get(part, 0.0), float(np.nan_to_num(gap).max()) if gap.size else 0.0)
    return far


def cancelled(sample: LossSample, part: str, answer: Answer, kind: Any) -> float:
    """What the rounding of terms like 1 / |x| leaves where they cancel: a cosine's slope along its own direction."""
    x = np.abs(np.asarray(sample.arrays.get(part.removeprefix("gradient of "), np.ones(1)), float))
    if not x.any():
        return 0.0
    size = float(np.abs(answer[0]).max(initial=1.0, where=np.isfinite(answer[0])))
    return 64.0 * float(np.finfo(kind).eps) * size / float(x[x > 0].min())


def counts_for(loss: Loss, sample: LossSample, r: np.random.Generator) -> dict[str, Array]:
    """Sometimes a weight for each value, or some values left out."""
    shape = output_shape(loss, sample)
    if shape is None or loss.mixes or sample.ignores or r.integers(4) or not sample.batched:
        return {}
    weight, mask = r.choice([0.0, 0.5, 1.0, 2.0], size=shape), np.asarray(r.uniform(size=shape) < 0.7)
    return {"sample_weight": np.asarray(weight)} if r.integers(2) else {"mask": mask}


def examine(loss: Loss, sample: LossSample, r: np.random.Generator, report: Report, seed: int) -> None:
    """One sample: every reduction in one dtype, in random layouts."""
    kind = KINDS[r.integers(3)]
    made = rounded(sample, kind)
    counts = counts_for(loss, sample, r)
    counts = {n: x for n, x in counts.items() if n in loss.declaration.counts}
    for reduction in loss.declaration.reductions:
        if made is None:
            report.refuse(f"{loss.name} outside {kind.__name__}")
            return
        how: list[str] = []

        def lay(x: Array, how: list[str] = how) -> Array:
            y, name = laid(x, r)
            how.append(name)
            return y

        where = f"--part losses --rounds 1 --seed {seed} --only {loss.name}: {reduction} {kind.__name__} {how}: {sample} counts {counts}"
        try:
            ours = called(loss, with_labels(made, r), reduction, kind, counts, lay)
            with silent():
                theirs = reference(loss, made, reduction, counts)
        except Exception as error:
            report.fault(f"{loss.name} raises {type(error).__name__}", f"{where} {error}")
            continue
        report.count(loss.name)
        gaps = apart(ours, theirs, kind, TOLERANCE[kind])
        if gaps:
            with silent():
                far = shaken(loss, made, reduction, counts, kind, r)
        for part, (gap, limit) in gaps.items():
            if gap <= 16.0 * far[part] + limit + cancelled(made, part, theirs, kind):
                report.explain(loss.name, ROUNDING)
            else:
                report.fault(f"{loss.name} {part}", f"{where} differs by {gap:.3g}, allowed {limit:.3g}, how {how}")


def fuzz(seed: int, only: str = "", calls: int = CALLS, report: Report | None = None) -> Report:
    """``calls`` samples of every loss; half of the losses in small blocks."""
    report = report or Report()
    report.seeds.append(seed)
    for loss in own_losses(only):
        number = zlib.crc32(loss.name.encode())
        r = np.random.default_rng([seed, number])
        small = bool((seed + number) % 2)
        with small_blocks(loss) if small else nullcontext():
            for _ in range(calls):
                sample = drawn(loss, r, borders=small)
                if sample is not None:
                    examine(loss, sample, r, report, seed)
                else:
                    report.refuse(loss.name)
    return report
