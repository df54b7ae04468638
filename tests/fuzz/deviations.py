"""Where torch is known to give another answer, and on purpose this library does not: each a narrow question about the call and
about every element that differs. What no reason covers in full is a fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.loss_samples import LossSample
from tests.samples import Array


class Apart(NamedTuple):
    """The elements of one result that differ: of the value (0), the first derivatives (1), the second (2)."""

    part: int
    ours: Array
    theirs: Array


class Seen(NamedTuple):
    """A call of a loss, and all that differs."""

    name: str
    sample: LossSample
    kind: Any
    apart: list[Apart]

    @property
    def has_nan(self) -> bool:
        return any(np.isnan(self.sample.given()[n]).any() for n in self.sample.floats())

    @property
    def eps(self) -> float:
        return float(np.finfo(self.kind).eps)

    def largest(self) -> float:
        return max(float(np.abs(self.sample.given()[n]).max(initial=0.0)) for n in self.sample.floats())

    def every(self, question: Callable[[Apart], Any]) -> bool:
        return all(bool(np.all(question(a))) for a in self.apart)


def nan_comes_out(seen: Seen) -> bool:
    """A nan went in; everything that differs is nan here, and a number there."""
    return seen.has_nan and seen.every(lambda a: np.isnan(a.ours) & ~np.isnan(a.theirs))


def nan_left_out(seen: Seen) -> bool:
    """A nan where nothing counts: in what is ignored, or of weight 0. A number here, nan there."""
    weight = seen.sample.given().get("weight")
    counts = seen.sample.ignores or (weight is not None and not weight.all()) or seen.sample.options.get("label_smoothing") == 1.0
    return seen.has_nan and counts and seen.every(lambda a: np.isfinite(a.ours) & np.isnan(a.theirs))


def logit_added_and_taken(seen: Seen) -> bool:
    """torch adds (1 - y) x and takes it away again: the value is off by roundings of x, times its weights; gradients are not."""
    if seen.name != "binary_cross_entropy_with_logits":
        return False
    given = seen.sample.given()
    weights = [float(np.abs(given[n]).max(initial=1.0)) for n in ("weight", "pos_weight") if n in given]
    limit = 4.0 * seen.eps * float(np.abs(given["input"]).astype(float).sum()) * math.prod(weights)
    return seen.every(lambda a: (a.part == 0) & (np.abs(a.ours - a.theirs) <= limit))


def no_nan_comes_out(seen: Seen) -> bool:
    """Finite numbers went in; everything that differs is nan there (in float16 inf too: it overflows on the way), and not here."""
    finite = all(np.isfinite(seen.sample.given()[n]).all() for n in seen.sample.floats())
    lost = (lambda x: ~np.isfinite(x)) if seen.kind is np.float16 else np.isnan
    return finite and seen.every(lambda a: lost(a.theirs) & ~np.isnan(a.ours))


def soft_margin_overflows(seen: Seen) -> bool:
    """exp(-y x) is beyond the range of the dtype: torch has inf, nan or, by the gradient's quotient, nothing right."""
    beyond = seen.largest() > 0.5 * math.log(float(np.finfo(seen.kind).max))
    return seen.name == "soft_margin_loss" and beyond and seen.every(lambda a: np.isfinite(a.ours) & ~np.isfinite(a.theirs))


def cosine_of_numbers(seen: Seen) -> bool:
    """Vectors of one number have the cosine 1 or -1 whatever their length: derivatives are rounding, of 1 / |x|."""
    x = np.concatenate([np.abs(np.ravel(seen.sample.given()[n])) for n in ("input1", "input2") if n in seen.sample.given()] or [np.zeros(1)])
    if seen.name != "cosine_embedding_loss" or np.asarray(seen.sample.arrays["input1"]).shape[-1] != 1:
        return False
    x = x[x > 0.0]
    if not x.size:
        return False
    limit = 64.0 * seen.eps
    return seen.every(lambda a: (a.part > 0) & (np.abs(a.ours - a.theirs) <= limit * max(1.0, 1.0 / float(x.min())) ** a.part))


SHORT = "cosine_embedding_loss: torch adds 1e-12 to squared lengths also below 2**-7; of the same vectors, longer, it gives what is given here"


def confident_layer(seen: Seen) -> bool:
    """torch takes the logit of the class from the logarithm of the sum: a small loss is off by roundings of the logits."""
    if seen.name != "linear_cross_entropy":
        return False
    given = seen.sample.given()
    logits = np.abs(given["input"]).astype(float) @ np.abs(given["linear_weight"]).astype(float).T
    limit = 4.0 * seen.eps * float(logits.max(initial=0.0)) * max(len(logits), 1)
    return seen.every(lambda a: (a.part == 0) & (np.abs(a.ours - a.theirs) <= limit))


def second_of_probabilities(seen: Seen) -> bool:
    """torch adds 1e-12 to p and to 1 - p in the second derivative alone."""
    if seen.name != "binary_cross_entropy":
        return False
    p = np.asarray(seen.sample.given()["input"], float)
    least = float(np.minimum(p, 1.0 - p).min(initial=1.0))
    if least < 1e-10:
        return False
    some = 32e-12 / least**3 if least > 1e-3 else 0.0  # terms of size 1 / least**2 may have cancelled
    return seen.every(lambda a: (a.part == 2) & (np.abs(a.ours - a.theirs) <= 4e-12 / least * np.abs(a.ours) + some))


def weight_of_one(seen: Seen) -> bool:
    """A weighted mean of one number does not depend on its weight: terms of the size of loss / weight, in float32, cancel."""
    weight = seen.sample.given().get("weight")
    if seen.kind is not np.float16 or weight is None or weight.size != 1 or not float(weight.item()) > 0.0:
        return False
    limit = 4.0 * float(np.finfo(np.float32).eps) * seen.largest() ** 2 / float(weight.item())
    return seen.every(lambda a: (a.part == 1) & (np.abs(a.ours - a.theirs) <= limit))


def half_overflows(seen: Seen) -> bool:
    """Everything that differs is inf there, and a number here, which computes in float32."""
    return seen.kind is np.float16 and seen.every(lambda a: np.isinf(a.theirs) & np.isfinite(a.ours))


REASONS: dict[str, Callable[[Seen], bool]] = {
    "nan in, nan out: torch has a number there": nan_comes_out,
    "finite in, no nan out: torch has inf - inf or 0 * inf": no_nan_comes_out,
    "float16: torch overflows on the way": half_overflows,
    "a nan in what is ignored, or of weight 0, leaves no trace: torch has 0 * nan": nan_left_out,
    "binary_cross_entropy_with_logits: torch adds the logit and takes it away": logit_added_and_taken,
    "linear_cross_entropy: torch loses the digits of the confident": confident_layer,
    "binary_cross_entropy: torch adds 1e-12 in the second derivative": second_of_probabilities,
    "float16: the weight of one number has derivative 0 but for rounding": weight_of_one,
    "soft_margin_loss: torch's exp overflows": soft_margin_overflows,
    "cosine_embedding_loss of single numbers: the derivative is 0 but for rounding": cosine_of_numbers,
}


def reason_for(seen: Seen) -> str:
    with np.errstate(all="ignore"):
        return next((reason for reason, holds in REASONS.items() if holds(seen)), "")
