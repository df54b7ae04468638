"""One round: every bad call of a loss, or of the rest of the library, at one random shape."""

from __future__ import annotations

import warnings

import numpy as np

import tinygrad_loss as tl
from tests.fuzz.drawing import drawn
from tinygrad_loss.losses import LOSSES

from .cases import OWN, cases, wrong
from .others import OTHERS, Draw, refusal


def names() -> list[str]:
    return [*OWN, "others"]


def one(given: tuple[str, int]) -> tuple[str, list[str], list[str]]:
    """(name, the kinds tried, what went wrong)."""
    name, seed = given
    r = np.random.default_rng([seed, sum(name.encode())])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        if name == "others":
            tried, faults = list(OTHERS), []
            for what, call in OTHERS.items():
                fault = refusal(call, Draw(r))
                if fault:
                    faults.append(f"seed {seed}, {what}: {fault}")
            return name, tried, faults
        loss = LOSSES[name]
        for _ in range(300):
            sample = drawn(loss, r)
            if sample is not None and sample.batched and sample.size >= 4 and min(sample.given()[n].size for n in sample.given()):
                break
        else:
            raise LookupError(f"{name}: no sample from seed {seed}")
        found = cases(loss, sample, r)
        faults = [f"seed {seed}, {name}, {sample}: {what}: {fault}" for what, case in found.items() if (fault := wrong(case, name))]
        return name, list(found), faults
