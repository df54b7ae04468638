"""For every test: the seed and the modes are as at the start, whatever an earlier test did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tinygrad_loss as tl


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    tl.manual_seed(0)
    yield
    assert tl.is_grad_enabled(), "a test left gradients off"
    assert tl.get_default_dtype() == tl.float32, "a test left another default dtype"
