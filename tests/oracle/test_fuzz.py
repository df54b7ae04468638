"""Random calls against torch, with fixed seeds; ``python -m tests.fuzz --part torch --minutes N`` runs more."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

from tests.fuzz import against_torch  # noqa: E402
from tests.oracle.test_losses import NAMES  # noqa: E402


@pytest.mark.parametrize("name", NAMES)
def test_against_torch(name: str) -> None:
    report = against_torch.fuzz(0, name, 8)
    report = against_torch.fuzz(1, name, 8, report)
    assert not report.faults, report.details()
    assert report.total >= 20
