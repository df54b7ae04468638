"""The tables of deviations from torch and of kinks: what they say of us is true, and each deviation is one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.tables.deviations import DEVIATIONS, GROUPS, Deviation, answer
from tests.tables.kinks import KINKS, Kink, slope


def agree(a: Any, b: Any) -> bool:
    """Equal words; or numbers to six digits, nan equal to nan, and 0 nothing but 0."""
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=2e-6, atol=0, equal_nan=True))


@pytest.mark.parametrize("row", DEVIATIONS, ids=lambda row: row.call)
def test_ours(row: Deviation) -> None:
    found = answer(tl, row.call)
    assert agree(found, row.ours), f"{found} instead of {row.ours}: {row.why}"


def test_rows_are_deviations() -> None:
    assert not [row.call for row in DEVIATIONS if agree(row.torch, row.ours)]
    assert len({row.call for row in DEVIATIONS}) == len(DEVIATIONS) >= 60 and all(row.why for row in DEVIATIONS)
    for row in GROUPS["Refused here"]:
        assert isinstance(row.ours, str) and row.ours.endswith("Error")
    for row in GROUPS["Limits"]:
        assert np.isfinite(row.ours).all(), "a limit is a number"


def test_the_comparison_can_fail() -> None:
    assert not agree(0.0, 1e-18) and not agree(math.nan, 0.0) and not agree("ValueError", "TypeError") and not agree([1.0], 1.0)
    assert agree(math.nan, math.nan) and agree([[1.0]], [[1.0000001]]) and not agree(math.inf, 1e30)


@pytest.mark.parametrize("row", GROUPS["Refused here"], ids=lambda row: row.call)
def test_refusals_name_the_function_and_what_is_expected(row: Deviation) -> None:
    with pytest.raises((ValueError, RuntimeError, IndexError)) as caught:
        eval(row.call, {"F": tl.nn.functional, "nn": tl.nn, "t": tl.tensor, "z": tl.full((1, 3, 3), 0.5)})
    name = row.call.split("(")[0].split(".")[1]
    assert str(caught.value).startswith(name + ":") and len(str(caught.value)) > 40


@pytest.mark.parametrize("kink", KINKS, ids=lambda kink: kink.where)
def test_kink(kink: Kink) -> None:
    assert agree(slope(tl, kink), kink.slope)


def test_kinks_that_differ_from_torch_are_few() -> None:
    differ = [kink.where for kink in KINKS if kink.torch is not None and not agree(kink.slope, kink.torch)]
    assert differ == ["kl_div, by the target, at target 0", "cosine_embedding_loss of a zero vector"]
