"""What a change of the arguments must do to value and gradients: laws of losses and of operations, at random sizes and options.

A case is one law, at one draw, for which two calls (or more) were compared.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from tests import loss_metamorphic
from tests.laws import close
from tests.loss_changes import count_of, example_axis, share_of, take, terms_of
from tests.loss_count_laws import counted
from tests.loss_laws import evaluate
from tests.loss_samples import LossSample
from tests.samples import Array
from tinygrad_loss.losses._domains import Domain, LogitsDomain, SimplexDomain, WeightDomain
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss

from .drawing import drawn, own_losses
from .operation_laws import LAWS as OPERATION_LAWS
from .report import Report

Random = np.random.Generator
Gradients = dict[str, Array]
LossLaw = Callable[[Loss, LossSample, str, Random], bool]
CALLS = 40  # cases of each law in a round
TRIES = 30  # draws for a case
HOLDS_FOR: dict[str, Callable[[Loss], bool]] = {}
LOSS_LAWS: dict[str, LossLaw] = {}
ROOTS = {"rmse_loss"}  # what is done at the end makes no sum of a sum
# Of input - target alone; and the power by which the value grows with both, for the default options.
OF_DIFFERENCE = {"mse_loss": 2, "l1_loss": 1, "huber_loss": 0, "smooth_l1_loss": 0, "log_cosh_loss": 0, "cauchy_loss": 0, "barron_loss": 0}


def law(name: str, holds: Callable[[Loss], bool] = lambda loss: True) -> Callable[[LossLaw], LossLaw]:
    def keep(f: LossLaw) -> LossLaw:
        LOSS_LAWS[name], HOLDS_FOR[name] = f, holds
        return f

    return keep


def domains(loss: Loss) -> list[Domain]:
    return [spec.domain for a in loss.declaration.arguments for spec in a.specs]


def has_axis(loss: Loss, axis: str) -> bool:
    return any(x.strip("[]") == axis for a in loss.declaration.arguments for spec in a.specs for x in spec.axes)


def both_targets(loss: Loss) -> bool:
    return any({LabelDomain, SimplexDomain} <= {type(s.domain) for s in a.specs} for a in loss.declaration.arguments)


def known(f: Callable[[Loss, LossSample], None]) -> LossLaw:
    """A law of loss_metamorphic.py, for one reduction; it held of something if it called the loss twice."""

    def apply(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
        calls = itertools.count()

        def counting(*args: Any, **kwargs: Any) -> Any:
            next(calls)
            return evaluate(*args, **kwargs)

        with mock.patch.multiple(loss_metamorphic, evaluate=counting, reductions=lambda loss: (reduction,)):
            f(loss, sample)
        return next(calls) > 1

    return apply


for known_name, known_law, known_for in (
    ("logits all larger by a constant", loss_metamorphic.law_shift, lambda loss: any(isinstance(d, LogitsDomain) for d in domains(loss))),
    ("classes in another order", loss_metamorphic.law_classes, lambda loss: has_axis(loss, "C")),
    ("groups by other names", loss_metamorphic.law_groups, lambda loss: any(d.name == "Group" for d in domains(loss))),
    ("indices as probabilities, smoothed", loss_metamorphic.law_smoothing, both_targets),
    ("its own mask: values under it", loss_metamorphic.law_own_mask, lambda loss: any(d.name == "Mask" for d in domains(loss))),
    ("its own mask: shorter", loss_metamorphic.law_own_mask_deletes, lambda loss: any(d.name == "Mask" for d in domains(loss))),
):
    law(known_name, known_for)(known(known_law))


def scattered(sample: LossSample, name: str, rows: Array, g: Array) -> Array:
    """The gradient by the argument, from that by its examples at ``rows``."""
    axis = example_axis(sample, name)
    if axis is None:
        return g
    whole = np.zeros(np.asarray(sample.arrays[name]).shape)
    np.add.at(np.moveaxis(whole, axis, 0), rows, np.moveaxis(g, axis, 0))
    return whole


def same(y: Any, z: Any, g: Gradients, h: Gradients, what: str, rtol: float = 1e-12) -> None:
    close(y, z, rtol, f"{what}: value", least=1e-2)
    size = max((float(np.abs(x).max(initial=0.0, where=np.isfinite(x))) for x in (*g.values(), *h.values())), default=1.0)
    for name in g:
        close(g[name], h[name], 10 * rtol, f"{what}: gradient of {name}", least=max(size, 1e-2))


@law("examples in another order")
def _permuted(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    count = count_of(sample) or 0
    if count < 2 or reduction == "none":
        return False
    order = r.permutation(count)
    (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, take(sample, order), reduction)
    same(y, z, g, {n: scattered(sample, n, order, x) for n, x in h.items()}, "permuted")
    return True


@law("the sum over all is that over two parts", lambda loss: not loss.mixes and loss.name not in ROOTS)
def _parts(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    count = count_of(sample) or 0
    if count < 2 or loss.declaration.per == "batch":
        return False
    chosen = r.random(count) < 0.5
    parts = [np.flatnonzero(chosen), np.flatnonzero(~chosen)]
    y, g = evaluate(loss, sample, "sum")
    found = [evaluate(loss, take(sample, rows), "sum") for rows in parts]
    total = {n: sum(scattered(sample, n, rows, h[n]) for rows, (_, h) in zip(parts, found, strict=True) if n in h) for n in g}
    same(y, found[0][0].array + found[1][0].array, g, total, "parts")  # type: ignore[arg-type]
    return True


@law("mean times its denominator is the sum, and that the sum of none", lambda loss: "mean" in loss.declaration.reductions)
def _reductions(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    share = share_of(loss, sample)
    if loss.mixes or not share or not sample.batched or sample.ignores:
        return False
    terms = terms_of(loss, sample)[0]
    if not (terms.scale is None and terms.finish is None and terms.alone is None):
        return False  # its mean is no sum over a denominator
    (y, g), (z, h) = evaluate(loss, sample, "mean"), evaluate(loss, sample, "sum")
    plain = [n for n in g if not isinstance(sample.specs[n].domain, WeightDomain)]  # by weights, the denominator moves too
    same(y.array * share, z, {n: g[n] * share for n in plain}, h, "mean and sum")
    close(evaluate(loss, sample, "none")[0].array.sum(), z, 1e-12, "sum of none", least=1e-2)
    return True


@law("a weight of k is the example k times", lambda loss: not loss.mixes and "sample_weight" in loss.declaration.counts)
def _repeated(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    fits = counted(loss, sample, "sample_weight")
    count = count_of(sample) or 0
    if fits is None or not count or not sample.batched or reduction not in ("sum", "mean") or sample.ignores:
        return False
    times = r.integers(0, 4, size=count)
    rows = np.repeat(np.arange(count), times)
    if not rows.size or fits[0][0] != count:
        return False
    weight = np.broadcast_to(times.reshape(-1, *(1,) * (len(fits[0]) - 1)), fits[0]).astype(float)
    (y, g), (z, h) = evaluate(loss, sample, reduction, sample_weight=weight), evaluate(loss, take(sample, rows), reduction)
    g.pop("sample_weight")
    same(y, z, g, {n: scattered(sample, n, rows, x) for n, x in h.items()}, "repeated")
    return True


@law("weights all times c", lambda loss: not loss.mixes and loss.name not in ROOTS and "sample_weight" in loss.declaration.counts)
def _scaled_weights(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    fits = counted(loss, sample, "sample_weight")
    if fits is None or not fits[1] or not sample.batched or reduction not in ("sum", "mean", "none"):
        return False
    weight, c = r.uniform(0.2, 2.0, fits[0]), float(r.uniform(0.3, 3.0))
    (y, g), (z, h) = (evaluate(loss, sample, reduction, sample_weight=w) for w in (weight, c * weight))
    h["sample_weight"] = h["sample_weight"] * c
    factor = 1.0 if reduction == "mean" else c
    same(y.array * factor, z, {n: x * factor for n, x in g.items()}, h, "weights times c")
    return True


@law("what is masked is deleted", lambda loss: "mask" in loss.declaration.counts and not loss.mixes)
def _masked(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    fits = counted(loss, sample, "mask")
    count = count_of(sample) or 0
    if fits is None or not count or not sample.batched or reduction not in ("sum", "mean") or sample.ignores or fits[0][0] != count:
        return False
    kept = r.random(count) < 0.6
    rows = np.flatnonzero(kept)
    if not rows.size:
        return False
    mask = np.broadcast_to(kept.reshape(-1, *(1,) * (len(fits[0]) - 1)), fits[0])
    (y, g), (z, h) = evaluate(loss, sample, reduction, mask=mask), evaluate(loss, take(sample, rows), reduction)
    same(y, z, g, {n: scattered(sample, n, rows, x) for n, x in h.items()}, "masked")
    return True


@law("input and target larger by the same, or both negated", lambda loss: loss.name in OF_DIFFERENCE)
def _translated(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    x, t = (np.asarray(sample.arrays[n]) for n in ("input", "target"))
    if r.integers(2):  # exactly: nothing is rounded
        moved, sign = sample.with_arrays(input=-x, target=-t), -1.0
    else:
        c = float(r.integers(-3, 4))
        x, t = np.round(x * 64) / 64, np.round(t * 64) / 64
        sample, sign = sample.with_arrays(input=x, target=t), 1.0
        moved = sample.with_arrays(input=x + c, target=t + c)
    (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, moved, reduction)
    same(y, z, g, {n: x * (sign if n in ("input", "target") else 1.0) for n, x in h.items()}, "moved")
    return True


@law("input and target times k", lambda loss: OF_DIFFERENCE.get(loss.name, 0) > 0)
def _scaled(loss: Loss, sample: LossSample, reduction: str, r: Random) -> bool:
    k, power = float(r.choice([0.25, 0.5, 2.0, 4.0, 3.0, 0.7])), OF_DIFFERENCE[loss.name]
    moved = sample.with_arrays(**{n: np.asarray(sample.arrays[n]) * k for n in ("input", "target")})
    (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, moved, reduction)
    same(y.array * k**power, z, {n: x * (k ** (power - 1) if n in ("input", "target") else k**power) for n, x in g.items()}, h, "scaled")
    return True


@functools.cache
def losses_of(name: str) -> list[Loss]:
    return [loss for loss in own_losses() if HOLDS_FOR[name](loss)]


def loss_cases(name: str, r: Random, calls: int, where: str, report: Report) -> None:
    done = 0
    for _ in range(TRIES * calls):
        loss = losses_of(name)[r.integers(len(losses_of(name)))]
        sample = drawn(loss, r)
        if sample is None:
            continue
        reduction = loss.declaration.reductions[r.integers(len(loss.declaration.reductions))]
        try:
            if not LOSS_LAWS[name](loss, sample, reduction, r):
                continue
        except Exception as error:
            said = " ".join(str(error).split())[:400]
            report.fault(f"{name}: {loss.name}", f"{where} --only '{name}': {reduction} {sample}: {type(error).__name__} {said}")
        report.count(name)
        done += 1
        if done == calls:
            return
    report.refuse(f"{name}: too few draws that it holds for")


def fuzz(seed: int, only: str = "", calls: int = CALLS, report: Report | None = None) -> Report:
    """``calls`` cases of each law."""
    report = report or Report()
    report.seeds.append(seed)
    where = f"--part metamorphic --rounds 1 --seed {seed}"
    for name in (*LOSS_LAWS, *OPERATION_LAWS):
        if only not in name:
            continue
        r = np.random.default_rng([seed, zlib.crc32(name.encode()), 4])
        if name in LOSS_LAWS:
            loss_cases(name, r, calls, where, report)
            continue
        for _ in range(calls):
            report.count(name)
            try:
                OPERATION_LAWS[name](r)
            except Exception as error:
                report.fault(name, f"{where} --only '{name}': {type(error).__name__} {' '.join(str(error).split())[:400]}")
    return report
