"""Someone who comes from Keras: every row of the table, against the numbers that Keras itself gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.golden.keras_values import CLASSES, VALUES, VERSION
from tests.tables.keras_rows import INPUTS, ROWS, Row
from tinygrad_loss.nn import functional as F


def arguments(row: Row) -> dict[str, Any]:
    return {n: tl.tensor(x) if np.asarray(x).dtype.kind == "i" else tl.tensor(x, dtype=tl.float64) for n, x in INPUTS[row.inputs].items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.keras)
def test_row(row: Row) -> None:
    result = eval(row.ours, {"F": F, "tl": tl, **arguments(row)})  # the calls are those of our own table
    np.testing.assert_allclose(result.numpy().ravel(), VALUES[row.keras], rtol=2e-6, atol=0)  # Keras computes in float32


def test_the_table_is_complete() -> None:
    """Each class of Keras has a row, and each row was run."""
    assert {row.keras.split("(")[0].split(" ")[0] for row in ROWS} == set(CLASSES) and VERSION.startswith("3.")
    assert list(VALUES) == [row.keras for row in ROWS] and len(set(VALUES)) == len(ROWS)
    assert {row.inputs for row in ROWS} == set(INPUTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.keras)
def test_the_numbers_tell_rows_apart(row: Row) -> None:
    """In Keras' order of the arguments a row fails, warns or gives another number, unless the loss is symmetric."""
    given = arguments(row)
    swapped = {**given, "y": given["p"], "p": given["y"]}
    symmetric = ("MeanSquared", "MeanAbsoluteError", "Huber", "LogCosh", "Cosine", "Dice")
    try:
        result = eval(row.ours, {"F": F, "tl": tl, **swapped}).numpy()
    except (RuntimeError, ValueError, IndexError, TypeError, tl.LossWarning):
        return
    assert np.allclose(result.ravel(), VALUES[row.keras], rtol=1e-3) == row.keras.startswith(symmetric)


# Traps that change the number or raise.


def test_clipping() -> None:
    """At p = 0 for a target of 1 Keras stops at -log(1e-7), torch's clamp of the logarithm at 100."""
    wrong = F.binary_cross_entropy(tl.tensor([0.0]), tl.tensor([1.0]))
    assert wrong.item() == 100.0
    assert F.binary_cross_entropy(tl.tensor([0.0]).clamp(1e-7, 1 - 1e-7), tl.tensor([1.0])).item() == pytest.approx(16.11809565)


def test_from_logits_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="unknown argument 'from_logits'"):
        F.binary_cross_entropy(tl.tensor([0.5]), tl.tensor([1.0]), from_logits=True)
    with pytest.raises(RuntimeError, match="use binary_cross_entropy_with_logits"):
        F.binary_cross_entropy(tl.tensor([2.0]), tl.tensor([1.0]))


def test_reversed_arguments_are_noticed() -> None:
    labels, logits = tl.tensor([0, 2]), tl.tensor([[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]])
    with pytest.raises(RuntimeError, match="are input and target swapped"):
        F.cross_entropy(labels, logits)
    with pytest.warns(tl.LossWarning, match="are input and target swapped"):
        F.binary_cross_entropy(tl.tensor([0.0, 1.0]), tl.tensor([0.3, 0.6]))


def test_labels_of_0_and_1_are_not_converted() -> None:
    with pytest.raises(ValueError, match=r"hinge_loss: target\[0\] = 0: expected \+1 or -1; for labels 0 and 1 use 2 \* target - 1"):
        F.hinge_loss(tl.tensor([0.5]), tl.tensor([0.0]))


def test_reductions_by_their_keras_names() -> None:
    with pytest.raises(ValueError, match=r"reduction='sum_over_batch_size' is not valid; expected 'mean' or 'sum' or 'none'"):
        F.mse_loss(tl.tensor([1.0]), tl.tensor([1.0]), reduction="sum_over_batch_size")
