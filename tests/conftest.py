"""For every test: the seed and the modes are as at the start, whatever an earlier test did."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

import tinygrad_loss as tl

# What laws and fuzzers assert holds under python -O too.
pytest.register_assert_rewrite(*(
    f"tests.{name}" for name in (
        "laws", "loss_laws", "loss_value_laws", "loss_call_laws", "loss_refusal_laws", "loss_count_laws", "loss_weight_laws",
        "loss_metamorphic", "fuzz.graphs", "evaluation",
    )
))  # fmt: skip
if "TINYGRAD_LOSS_TEST_ERRSTATE" in os.environ:  # tests/hostile.py: how NumPy reports floating point errors
    np.seterr(all=os.environ["TINYGRAD_LOSS_TEST_ERRSTATE"])  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    tl.manual_seed(0)
    yield
    assert tl.is_grad_enabled(), "a test left gradients off"
    assert tl.get_default_dtype() == tl.float32, "a test left another default dtype"
