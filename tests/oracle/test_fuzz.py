"""Random calls against torch, with fixed seeds; ``python -m tests.fuzz --part torch --cases N --jobs J`` runs more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

from tests.fuzz import against_torch, calls, operations_torch  # noqa: E402
from tests.fuzz.drawing import LAYOUTS  # noqa: E402
from tests.fuzz.report import Report  # noqa: E402
from tests.oracle.test_losses import NAMES  # noqa: E402
from tests.samples import _BINARY, _UNARY, OPERATIONS  # noqa: E402
from tinygrad_loss.losses import LOSSES  # noqa: E402


def test_losses() -> None:
    """Of every loss that torch has a share, in blocks and whole, in three dtypes, with and without second derivatives."""
    report = Report()
    for seed in range(6):
        against_torch.fuzz(seed, calls=10, report=report)
    assert not report.faults, report.details()
    assert set(report.cases) == set(NAMES) and min(report.cases.values()) >= 24
    assert min(report.shares[n] for n in ("float16", "float32", "float64", "in blocks", "whole", "up to the second derivative")) > 50


def test_operations() -> None:
    report = Report()
    for seed in range(3):
        operations_torch.fuzz(seed, report=report)
    assert not report.faults, report.details()
    assert set(report.cases) == set(operations_torch.DRAWERS) and report.total > 2000
    assert {*(f"{n} arrays" for n in (*LAYOUTS, "broadcast")), "with empty arrays", "with numbers of no dimension", "int64"} <= set(report.shares)


def test_every_operation_is_drawn() -> None:
    assert set(OPERATIONS) <= set(operations_torch.DRAWERS)


def test_what_is_explained_is_little() -> None:
    """Reasons are narrow: of ordinary values fewer than one in fifty."""
    report = Report()
    for seed in range(20, 23):
        against_torch.fuzz(seed, report=report)
    assert sum(sum(counts.values()) for counts in report.explained.values()) < report.total / 50, report.reasons()


@pytest.mark.parametrize("plant", ["value", "gradient", "dtype", "nan lost", "only in Fortran order"])
def test_a_planted_operation_is_found(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: tl.Tensor) -> tl.Tensor:
        y = tl.tanh(x)
        if plant == "value":
            return y * (1.0 + 1e-5)
        if plant == "gradient":
            return y + (y - y.detach()) * 1e-4
        if plant == "dtype":
            return y.double()
        if plant == "nan lost":
            return tl.where(x.detach() > 1.0, x.detach() * 0.0, y)
        return y * 1.001 if x.ndim > 1 and x.array.flags.f_contiguous and not x.array.flags.c_contiguous else y

    monkeypatch.setitem(calls.OURS, "tanh", wrong)
    report = Report()
    for seed in range(6):
        operations_torch.fuzz(seed, "tanh", 8, report)
    assert report.faults and not any("raises" in what for what in report.unexplained), report.details() or report.reasons()


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "soft_margin_loss", "cosine_embedding_loss", "multi_margin_loss"])
def test_a_planted_loss_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient off by a hundredth: no reason explains it, not for those losses either that have reasons of their own."""
    made = LOSSES[name]
    call = type(made).__call__

    def wrong(self: object, *args: object, **kwargs: object) -> tl.Tensor:
        y = call(self, *args, **kwargs)  # type: ignore[arg-type]
        return y + (y - y.detach()) * 1e-2 if self is made else y

    monkeypatch.setattr(type(made), "__call__", wrong)
    report = against_torch.fuzz(1, name, 20)
    assert report.faults > 3 and not any("raises" in what for what in report.unexplained), report.details() or report.reasons()


ODD = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, -1e-300, 5e-324, 88.0, -88.0, 710.0, -710.0, 2.0, -3.0,
    25.0, -25.0, 1e16,
])  # fmt: skip
ODD_DEVIATIONS = {  # the parts in which torch is another, and why
    "abs": ("gradient", "nan in, nan out: torch has 0"), "sign": ("value", "nan in, nan out: torch has 0"),
    "expm1": ("gradient", "exp(x): torch's y + 1 loses the digits"), "sigmoid": ("gradient", "sigmoid(-x): torch's 1 - y loses the digits"),
    "softplus": ("both", "no threshold"), "times_log": ("value", "0 log 0 is 0"), "xlogy": ("gradient", "the part of log y at 0 counts as constant"),
    "remainder": ("both", "torch has nan where the quotient is beyond the range"), "binary_log_likelihood": ("both", "clamped as in binary_cross_entropy"),
}  # fmt: skip


def odd_answer(lib: Any, function: Any, arrays: list[Any]) -> tuple[Any, list[Any]]:
    leaves = [lib.from_numpy(x.copy()).requires_grad_() for x in arrays]
    y = function(*leaves)
    found: list[Any] = [None] * len(leaves)
    if y.requires_grad:
        found = list(lib.autograd.grad(y, leaves, lib.from_numpy(np.ones(y.shape)), allow_unused=True))
    return y.numpy(force=True), [None if g is None else g.numpy(force=True) for g in found]


def as_torch(x: Any, y: Any) -> bool:
    with np.errstate(all="ignore"):
        near = np.abs(x.astype(float) - y) <= 1e-13 * np.abs(y) + 1e-300
    return bool((near | (x == y) | (np.isnan(x) & np.isnan(y))).all())


@pytest.mark.parametrize("name", sorted({**_UNARY, **_BINARY}.keys() - {"floor_divide", "logical_not", "logical_and", "logical_or"}))
def test_odd_values(name: str) -> None:
    """Zeros, infinities, nan and the ends of the range, alone and in all pairs: torch's values and gradients."""
    arrays = [ODD] if name in _UNARY else [x.ravel() for x in np.meshgrid(ODD, ODD)]
    (y, g), (z, h) = odd_answer(tl, calls.OURS[name], arrays), odd_answer(torch, operations_torch.THEIRS[name], arrays)
    slopes = all(a is None or b is None or as_torch(a, b) for a, b in zip(g, h, strict=True))
    part, why = ODD_DEVIATIONS.get(name, ("", ""))
    assert as_torch(y, z) == (part not in ("value", "both")), f"value: {why}"
    assert slopes == (part not in ("gradient", "both")), f"gradient: {why}"


def test_torch_is_asked_for_its_own_answer() -> None:
    """The two sides are different libraries: a case holds no result of ours on torch's side."""
    case = operations_torch.case_of("exp", np.random.default_rng(0), "")
    plain = [np.array(x) for x in case.arrays]
    assert isinstance(case.call(torch, [torch.from_numpy(x) for x in plain]), torch.Tensor)
    assert isinstance(case.call(tl, [tl.from_numpy(x) for x in plain]), tl.Tensor)
