"""Finite in, no nan out, over the whole range of the floats: a few thousand fixed draws for each loss (tests/stress.py has more)."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, PerElement, Real, loss

from .stress import pool, stress

OWN = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))


# The one gradient that is still nan at the end of the range: by the target, where the true one overflows.
LIMITS = {"focal_loss": "gradient of target", "sigmoid_focal_loss": "gradient of target"}


@pytest.mark.parametrize("name", OWN)
def test_finite_in_no_nan_out(name: str) -> None:
    made = LOSSES[name]
    draws = 60 if made.mixes or made.declaration.per == "batch" else 3000
    report = stress(made, draws, block=100)
    assert report.draws >= draws
    faults = {k: v for k, v in report.faults.items() if LIMITS.get(name, "nothing") not in k}
    assert not faults, {k: (len(v), v[0]) for k, v in faults.items()}


def test_draws_reach_the_ends() -> None:
    for kind in (np.float32, np.float64):
        x = np.abs(pool(kind, np.random.default_rng(0), 20000)).astype(kind)
        assert np.isfinite(x).all() and x.max() == np.finfo(kind).max and (x == 0).any()
        assert x[x > 0].min() == np.finfo(kind).smallest_subnormal
        assert (x > 1e30).mean() > 0.05 and ((x > 0.1) & (x < 10)).mean() > 0.1


@pytest.mark.parametrize("formula, fault", [
    (lambda x, y: tl.exp(x) / tl.exp(x) * (x - y), "nan in the value"), (lambda x, y: tl.sqrt(tl.square(x - y)), "nan in the gradient"),
    (lambda x, y: tl.log1p(tl.exp(x - y)), "inf in the value"),
])  # fmt: skip
def test_a_careless_formula_is_found(formula: object, fault: str) -> None:
    try:

        @loss
        def careless_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:  # noqa: UP037
            """Source: this test."""
            return formula(input, target)  # type: ignore[operator]

        assert any(fault in what for what in stress(careless_loss, 2000, block=100).faults)
    finally:
        LOSSES.pop("careless_loss", None)
