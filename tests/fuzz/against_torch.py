"""Every loss that torch has against torch: a case is one call with sizes, options, values, dtype and layouts of its own."""

from __future__ import annotations

import zlib
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import tinygrad_loss as tl
from tests.loss_samples import LossSample
from tests.oracle import test_losses as oracle
from tinygrad_loss.losses._domains import Domain, LogitDomain, LogitsDomain
from tinygrad_loss.losses._loss import Loss

from .deviations import Seen, reason_for
from .differential import PARTS, RTOL, Answer, Case, answer, examine, quietly
from .drawing import drawn, own_losses, rounded, small_blocks
from .report import Report

UNBOUNDED = (Domain, LogitDomain, LogitsDomain)
LARGE, WITH_NAN, FACTORS = 0.1, 0.03, (10.0, 30.0, 300.0)
KINDS = (*[np.float64] * 4, *[np.float32] * 4, np.float16)
NO_HALF = {"ctc_loss", "multi_margin_loss", "multilabel_margin_loss"}  # torch has none
SHORTEST, LONGER = 2.0**-7, 2.0**20
SECOND = 0.25  # of the cases have second derivatives too


def wilder(sample: LossSample, r: np.random.Generator) -> tuple[LossSample, str]:
    """Some with larger numbers where any are allowed, and some with a nan among them."""
    names = [n for n in sample.floats() if type(sample.specs[n].domain) in UNBOUNDED and sample.given()[n].size]
    draw = r.random()
    if not names or draw > LARGE + WITH_NAN:
        return sample, "ordinary values"
    if draw < LARGE:
        factor = FACTORS[r.integers(len(FACTORS))]
        return sample.with_arrays(**{n: np.asarray(sample.arrays[n]) * factor for n in names}), "large values"
    name = names[r.integers(len(names))]
    x = np.array(sample.arrays[name])
    x.reshape(-1)[r.integers(x.size)] = np.nan
    return sample.with_arrays(**{name: x}), "with a nan"


def of_longer(case: Case, names: list[str]) -> Answer:
    """torch's answer when vectors shorter than SHORTEST are made longer within the call: a cosine does not depend on lengths."""
    factors: list[Any] = [1.0] * len(names)
    for i, (n, x) in enumerate(zip(names, case.arrays, strict=True)):
        if n in ("input1", "input2"):
            short = np.linalg.norm(x.astype(np.float64), axis=-1, keepdims=True) < SHORTEST
            factors[i] = torch.from_numpy(np.where(short, LONGER, 1.0).astype(x.dtype))

    def of_tensors(lib: Any, tensors: list[Any]) -> Any:
        return case.call(lib, [t * f for t, f in zip(tensors, factors, strict=True)])

    return answer(torch, replace(case, call=of_tensors), [np.array(x, order="C") for x in case.arrays])


def case_of(loss: Loss, sample: LossSample, r: np.random.Generator, where: str) -> Case | None:
    kind = KINDS[r.integers(len(KINDS))]
    kind = np.float32 if kind is np.float16 and loss.name in NO_HALF else kind
    made = rounded(sample, kind)
    if made is None:
        return None
    once = loss.name in oracle.ONCE or r.random() >= SECOND or kind is np.float16
    reductions = loss.declaration.reductions
    reduction = reductions[r.integers(len(reductions))]
    constant, normalised = oracle.CONSTANT.get(loss.name, ()), oracle.NORMALISED.get(loss.name)
    names, arrays = list(made.given()), list(made.given().values())
    by = [x.dtype.kind == "f" and n not in constant for n, x in zip(names, arrays, strict=True)]

    def of_tensors(lib: Any, tensors: list[Any]) -> Any:
        given = dict(zip(names, tensors, strict=True))
        if lib is torch:
            given = oracle.as_torch_takes_it(made, given)
        if normalised:
            given[normalised] = lib.nn.functional.log_softmax(given[normalised], -1)
        function = loss if lib is tl else getattr(torch.nn.functional, loss.name)
        return function(**given, **made.options, reduction=reduction)

    rtol = oracle.COARSER.get((loss.name, kind), RTOL[kind])
    text = f"{where} --only {loss.name}: {reduction} {kind.__name__}, {PARTS[1 if once else 2]}, {made}"
    case = Case(loss.name, of_tensors, arrays, by, kind, 2 if once else 3, rtol, text, lambda apart: reason_for(Seen(loss.name, made, kind, apart)))
    if loss.name == "cosine_embedding_loss" and kind is not np.float16:
        case.again = lambda: of_longer(case, names)
    return case


def fuzz(seed: int, only: str = "", calls: int = 20, report: Report | None = None) -> Report:
    """``calls`` of every loss; a third of them in small blocks, of those some with two threads."""
    report = report or Report()
    report.seeds.append(seed)
    with quietly():
        for loss in own_losses(only):
            if loss.name not in oracle.NAMES:
                continue
            r = np.random.default_rng([seed, zlib.crc32(loss.name.encode()), 1])
            small = r.random() < 0.35
            with small_blocks(loss, threads=1 + int(r.integers(4) == 0), lasting=True) if small else nullcontext():
                for _ in range(calls):
                    sample = drawn(loss, r, borders=small)
                    if sample is None or (sample.size == 0 and loss.name in oracle.UNWRITTEN):
                        report.refuse(f"{loss.name}: torch has no answer" if sample else f"{loss.name}: options that do not fit the arrays")
                        continue
                    sample, values = wilder(sample, r)
                    case = case_of(loss, sample, r, f"--part torch --rounds 1 --seed {seed}")
                    if case is None:
                        report.refuse(f"{loss.name}: outside its domain once rounded")
                        continue
                    report.share(case.kind.__name__)
                    report.share(f"up to the {PARTS[case.parts - 1]}")
                    report.share(values)
                    report.share("in blocks" if small else "whole")
                    examine(case, r, report)
    return report
