"""Finite in, no nan out, and nan in, nan out: a few fixed draws for each loss (python -m tests.stress has more)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, PerElement, Real, _evaluation, _loss, loss
from tinygrad_loss.losses._loss import Loss

from .laws import silent
from .stress.draws import LIMITS, blocks, looks_at_others, pool
from .stress.nans import nans
from .stress.run import stress

OWN = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))


@pytest.mark.parametrize("name", OWN)
def test_finite_in_no_nan_out(name: str) -> None:
    made = LOSSES[name]
    draws = 300 if looks_at_others(made) else 2500
    report = stress(made, draws, elements=400)
    assert report.draws >= draws and report.twice
    assert not report.faults, (report.counts, {k: v[0] for k, v in report.faults.items()})


@pytest.mark.parametrize("name", OWN)
def test_nan_in_nan_out(name: str) -> None:
    found = nans(LOSSES[name], most=1)
    assert found.positions and found.checks and not found.faults, found.faults[:3]


def test_draws_reach_the_ends() -> None:
    for kind in (np.float32, np.float64):
        with silent():
            x = np.abs(pool(kind, np.random.default_rng(0), 20000)).astype(kind)
        assert np.isfinite(x).all() and x.max() == np.finfo(kind).max and (x == 0).any()
        assert x[x > 0].min() == np.finfo(kind).smallest_subnormal
        assert (x > 1e30).mean() > 0.05 and ((x > 0.1) & (x < 10)).mean() > 0.1


def test_draws_stay_in_the_domain_and_take_every_option() -> None:
    for name in ("poisson_nll_loss", "binary_cross_entropy", "huber_loss"):
        made = LOSSES[name]
        seen: dict[str, set[Any]] = {n: set() for n in made.declaration.options}
        drawn = blocks(made, np.random.default_rng(0), elements=200)
        for _ in range(60):
            sample, kind = next(drawn)
            for n, v in sample.options.items():
                seen[n].add(v)
            for x in sample.given().values():
                assert np.isfinite(x).all() and (x.dtype.kind != "f" or same_in(kind, x))
        assert all(len(v) > 1 for v in seen.values())
    assert all(name in LOSSES for name in LIMITS)


def same_in(kind: Any, x: Any) -> bool:
    with silent():
        return bool(np.array_equal(x, x.astype(kind)))


def declared(formula: Callable[[Any, Any], Any]) -> Loss:
    @loss
    def careless_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:  # noqa: UP037
        """Source: this test."""
        return formula(input, target)

    return careless_loss


@pytest.mark.parametrize("formula, fault", [
    (lambda x, y: tl.exp(x) / tl.exp(x) * (x - y), "nan in the value"), (lambda x, y: tl.sqrt(tl.square(x - y)), "nan in the gradient"),
    (lambda x, y: tl.log1p(tl.exp(x - y)), "inf in the value"),
    (lambda x, y: tl.abs(x - y) ** 1.5, "nan in the second derivative"),
])  # fmt: skip
def test_a_careless_formula_is_found(formula: Callable[[Any, Any], Any], fault: str) -> None:
    try:
        assert any(fault in what for what in stress(declared(formula), 4000, elements=400).faults)
    finally:
        LOSSES.pop("careless_loss", None)


def test_a_careless_kernel_is_found() -> None:
    try:
        made = declared(lambda x, y: tl.abs(x * 0.5 - y * 0.5) * 2.0)

        @made.kernel
        def careless(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float:
            error = np.asarray(arrays[0] - arrays[1])
            for out, side in zip(outs, (1.0, -1.0), strict=True):
                if out is not None:
                    np.divide(side * factor * error, np.abs(error), out=out)  # 0 / 0
            return float(np.abs(error).sum())

        assert any("fast" in what and "gradient" in what for what in stress(made, 8000, elements=400).faults)
    finally:
        LOSSES.pop("careless_loss", None)


@pytest.mark.parametrize("formula, fault", [
    (lambda x, y: tl.where(x > y, x - y, 0.0), "is swallowed"),  # a comparison with nan is False
    (lambda x, y: tl.relu(x - y), "leaves no trace in gradients"), (lambda x, y: tl.abs(x - y), ""),
])  # fmt: skip
def test_a_swallowed_nan_is_found(formula: Callable[[Any, Any], Any], fault: str) -> None:
    try:
        found = nans(declared(formula), most=2).faults
        assert any(fault in text for text in found) == bool(fault), found[:2]
    finally:
        LOSSES.pop("careless_loss", None)


def test_a_kernel_that_swallows_nan_is_found() -> None:
    try:
        made = declared(lambda x, y: tl.abs(x - y))

        @made.kernel
        def careless(arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]) -> float:
            error = np.nan_to_num(arrays[0] - arrays[1])
            for out, side in zip(outs, (1.0, -1.0), strict=True):
                if out is not None:
                    np.multiply(np.sign(error), side * factor, out=out)
            return float(np.abs(error).sum())

        assert any("is swallowed" in text for text in nans(made, most=1).faults)
    finally:
        LOSSES.pop("careless_loss", None)


def test_a_leaking_mask_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evaluation, "_without", lambda name, x, *_: x)
    monkeypatch.setattr(_loss, "left_out", lambda made, raw, *_: raw)
    assert any("leaks" in text for text in nans(LOSSES["log_cosh_loss"], most=2).faults)
