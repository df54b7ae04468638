"""Every element of the first and second derivatives against differences: random losses and operations, small, in float64."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.loss_changes import continuous, count_of, interior, output_shape, share_of, take
from tests.loss_laws import advised
from tests.loss_samples import LossSample
from tests.samples import Array
from tinygrad_loss import autograd
from tinygrad_loss.losses._loss import Loss

from .calls import OURS, drawn_call, filled, taken_apart
from .drawing import drawn, own_losses, small_blocks
from .methods import WRITES
from .operations import DRAWERS, Draw
from .report import Report

MOST = 14  # elements to differentiate by
TRIES = 12  # draws, until one is small
# (step, first order's tolerances, second order's): the first is what is asked; where a function bends much, another step.
STEPS = ((1e-6, 1e-7, 1e-6, 1e-6, 1e-5), (1e-5, 1e-7, 1e-6, 1e-6, 1e-5), (1e-4, 1e-6, 1e-5, 1e-6, 1e-5))
ELSEWHERE = "with a larger step: the rounding of large values shows at the smallest"
BESIDE = "on a kink or jump: right at 1e-3 beside it"
NO_DERIVATIVE = {  # of the operation, or none that differences could find
    "floor_divide", "one_hot", "argmax", "argmin", "argsort", "any", "all", "isfinite", "isinf", "isnan", "logical_not", "logical_and",
    "logical_or", "gt", "ge", "lt", "le", "eq", "ne", *WRITES,
}  # fmt: skip


def error_of(f: Callable[..., Any], xs: list[Array], step: tuple[float, ...]) -> str:
    """What gradcheck or gradgradcheck says; "" for nothing."""
    eps, atol, rtol, atol2, rtol2 = step
    leaves = [tl.tensor(x, requires_grad=True) for x in xs]
    try:
        autograd.gradcheck(f, leaves, eps=eps, atol=atol, rtol=rtol)
        outputs = f(*leaves)
        if any(y.requires_grad for y in (outputs if isinstance(outputs, tuple) else (outputs,))):
            autograd.gradgradcheck(f, leaves, eps=eps, atol=atol2, rtol=rtol2)
    except autograd.GradcheckError as error:
        return str(error)
    return ""


def examine(name: str, f: Callable[..., Any], xs: list[Array], text: str, r: np.random.Generator, report: Report) -> None:
    """One configuration."""
    report.count(name)
    report.share("elements by which both orders were checked", sum(x.size for x in xs))
    try:
        said = error_of(f, xs, STEPS[0])
        if not said:
            return
        if not all(error_of(f, xs, step) for step in STEPS[1:]):
            report.explain(name, ELSEWHERE)
        elif "a kink or jump" in said and not error_of(f, [x + r.uniform(-1e-3, 1e-3, x.shape) for x in xs], STEPS[0]):
            report.explain(name, BESIDE)
        else:
            report.fault(name, f"{text}: {said}")
    except Exception as error:
        report.fault(f"{name} raises {type(error).__name__}", f"{text}: {error}")


def small_sample(loss: Loss, r: np.random.Generator) -> LossSample | None:
    """Inside its domain, with few elements; nothing shares memory or ties because it is repeated."""
    for _ in range(TRIES):
        sample = drawn(loss, r)
        if sample is None or any(x.size and 0 in x.strides for x in sample.given().values()):
            continue
        rows = count_of(sample) or 0
        while rows > 1 and sum(np.asarray(sample.arrays[n]).size for n in sample.floats()) > MOST:
            rows -= 1
            sample = take(sample, np.arange(rows))
        sample = interior(sample)
        names = continuous(sample)
        if next(iter(sample.given())) in names and sum(np.asarray(sample.arrays[n]).size for n in names) <= MOST + 6:
            return sample
    return None


def loss_case(loss: Loss, sample: LossSample, r: np.random.Generator) -> tuple[Callable[..., Any], list[Array], str]:
    """The loss as a function of what may be varied, a weight for each value among it for some."""
    reductions = loss.declaration.reductions if share_of(loss, sample) else ("none", "sum")  # the mean of nothing is nan
    reduction = reductions[r.integers(len(reductions))]
    names = continuous(sample)
    xs = [np.array(sample.arrays[n]) for n in names]
    shape = output_shape(loss, sample)
    if shape is not None and "sample_weight" in loss.declaration.counts and not loss.mixes and sample.batched and r.integers(4) == 0:
        names.append("sample_weight")
        xs.append(np.asarray(r.uniform(0.3, 2.0, shape)))
    fixed = {n: tl.tensor(x) for n, x in sample.given().items() if n not in names}

    def f(*leaves: Any) -> Any:
        with advised():
            return loss(**fixed, **dict(zip(names, leaves, strict=True)), **sample.options, reduction=reduction)

    return f, xs, f"{loss.name} {reduction} by {names}: {sample}"


def operation_case(name: str, r: np.random.Generator) -> tuple[Callable[..., Any], list[Array], str] | None:
    """A small call as a function of its arrays of floats."""
    for _ in range(TRIES):
        call = drawn_call(name, Draw(r, most=4))
        template, arrays = taken_apart(call.args)
        if "padding_idx" in call.settings or not any(x.dtype.kind == "f" for x in arrays):
            continue  # a row whose gradient is left out on purpose; nothing to differentiate by
        if sum(x.size for x in arrays if x.dtype.kind == "f") <= MOST:
            break
    else:
        return None
    floats = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    fixed = [tl.tensor(x) for x in arrays]

    def f(*leaves: Any) -> Any:
        values = list(fixed)
        for i, leaf in zip(floats, leaves, strict=True):
            values[i] = leaf
        made = OURS[name](*filled(template, values), **call.settings)
        results = made if isinstance(made, (tuple, list)) else (made,)
        return tuple(y for y in results if y.array.dtype.kind == "f")

    text = f"{name}{filled(template, [x.shape if x.dtype.kind == 'f' else x.tolist() for x in arrays])} {call.settings}"
    return f, [np.array(arrays[i]) for i in floats], text


def fuzz(seed: int, only: str = "", calls: int = 1, report: Report | None = None) -> Report:
    """``calls`` configurations of every loss and of every operation."""
    report = report or Report()
    report.seeds.append(seed)
    where = f"--part gradients --rounds 1 --seed {seed}"
    for loss in own_losses(only):
        r = np.random.default_rng([seed, zlib.crc32(loss.name.encode()), 2])
        small = r.random() < 0.3
        with small_blocks(loss, threads=1, lasting=True) if small else nullcontext():
            for _ in range(calls):
                sample = small_sample(loss, r)
                if sample is None:
                    report.refuse(f"{loss.name}: no small sample inside its domain")
                    continue
                f, xs, text = loss_case(loss, sample, r)
                report.share("of losses")
                examine(loss.name, f, xs, f"{where} --only {loss.name}: {text}", r, report)
    for name in sorted(set(DRAWERS) - NO_DERIVATIVE):
        if only not in name:
            continue
        r = np.random.default_rng([seed, zlib.crc32(name.encode()), 3])
        for _ in range(calls):
            case = operation_case(name, r)
            if case is None:
                report.refuse(f"{name}: not small")
                continue
            report.share("of operations")
            examine(name, *case[:2], f"{where} --only '{name}': {case[2]}", r, report)
    return report
