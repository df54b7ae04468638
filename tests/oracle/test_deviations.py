"""The tables of deviations and of kinks say what torch 2.13 does: if torch changes, the row goes."""

from __future__ import annotations

import pytest

from tests.tables.deviations import DEVIATIONS, UNSAFE, Deviation, answer
from tests.tables.kinks import KINKS, Kink, slope
from tests.tables.peers import TORCH
from tests.tables.render import OURS
from tests.test_deviations import agree
from tinygrad_loss.losses import LOSSES

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")


@pytest.mark.parametrize("row", [row for row in DEVIATIONS if row.torch != UNSAFE], ids=lambda row: row.call)
def test_torch(row: Deviation) -> None:
    found = answer(torch, row.call)
    assert agree(found, row.torch), f"torch now gives {found}"


@pytest.mark.parametrize("kink", KINKS, ids=lambda kink: kink.where)
def test_kink(kink: Kink) -> None:
    if kink.torch is None:
        with pytest.raises(AttributeError):
            slope(torch, kink)
    else:
        assert agree(slope(torch, kink), kink.torch), f"torch now gives {slope(torch, kink)}"


def test_torch_has_what_the_table_of_peers_says() -> None:
    assert [name for name in OURS if hasattr(torch.nn.functional, name)] == TORCH
    assert all(hasattr(torch.nn, LOSSES[name].Module.__name__) for name in TORCH)
