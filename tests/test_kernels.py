"""Kernels by hand on many elements: every piece, product and remainder of theirs, against the formula."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, _kernels, _labels
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_laws import advised
from .loss_samples import LossSample, build, call, option_grid, sizes_of, spec_choices

KERNELS = sorted(n for n, loss in LOSSES.items() if loss._kernel is not None)
COUNTS = (300, 5_003, 40_001)  # elements: a product of some, a dot product of some, pieces, each with a remainder


def large(loss: Loss, count: int) -> list[LossSample]:
    found = []
    sizes, batched = sizes_of(loss)[0]
    rows = count // 5 if {"C", "D", "I"} & set(sizes) else count
    wide = {**sizes, **({"...": (rows,)} if "..." in sizes else {"N": rows})}
    for specs in spec_choices(loss):
        with suppress(LookupError):
            found.append(build(loss, specs, wide, batched, option_grid(loss)[0], ignoring=False))
    return found


def both(loss: Loss, arrays: dict[str, Any], sample: LossSample, leaf: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found = []
    for kernel in (True, False):
        given = {n: tl.tensor(x, requires_grad=n == leaf) for n, x in arrays.items()}
        with monkeypatch.context() as patch, advised():
            if not kernel:
                patch.setattr(type(loss), "at_once", lambda *a: None)
            y = call(loss, sample, "mean", **given)
            y.backward()
        gradient = given[leaf].grad
        found.append((y.array, None if gradient is None else gradient.array))
    return found


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_equals_formula(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LOSSES[name]
    for sample in large(loss, count):
        for kind, rtol in ((np.float64, 1e-13), (np.float32, 1e-6)):
            arrays = {n: x.astype(kind) if x.dtype.kind == "f" else x for n, x in sample.given().items()}
            leaf = sample.floats()[0]
            (a, g), (b, h) = both(loss, arrays, sample, leaf, monkeypatch)
            assert a.dtype == b.dtype == kind
            close(a, b, rtol, f"{sample} {kind.__name__}: value")
            close(g, h, rtol, f"{sample} {kind.__name__}: gradient of {leaf}")


@pytest.mark.parametrize("name", ["binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss", "cross_entropy"])
@pytest.mark.parametrize("sure", [3.0, 10.0, 17.0, 35.0, 60.0, 200.0])
def test_small_losses_keep_their_digits(name: str, sure: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions that are right and certain: the loss is tiny, and the terms it is the difference of are not."""
    loss, r = LOSSES[name], np.random.default_rng(0)
    sample = next(s for s in large(loss, 5_003) if set(s.given()) == {"input", "target"} and s.given()["target"].dtype.kind in "if")
    target = sample.given()["target"]
    if name == "cross_entropy":
        target = r.integers(0, 4, len(target))
        x = sure * (np.arange(4) == target[:, None]) + r.normal(size=(len(target), 4))
    else:
        target = r.integers(0, 2, target.shape) * 2.0 - 1.0
        x = target * (sure + r.normal(size=target.shape))
        target = target if name == "soft_margin_loss" else (target + 1.0) / 2.0
    for kind, rtol in ((np.float64, 2e-13), (np.float32, 2e-6)):
        arrays = {"input": x.astype(kind), "target": target if target.dtype.kind == "i" else target.astype(kind)}
        (a, g), (b, h) = both(loss, arrays, sample, "input", monkeypatch)
        np.testing.assert_allclose(a, b, rtol)
        np.testing.assert_allclose(g, h, rtol, atol=1e-300 if kind is np.float64 else 1e-42)


def test_scratch_is_kept_and_bounded() -> None:
    """Rooms go back after use, also those of a call that a kernel leaves to the formula, and never grow in number."""
    for _ in range(3):
        for n in (10, 40_000, 300_000):
            x = tl.tensor(np.linspace(-3, 3, n, dtype=np.float32), requires_grad=True)
            tl.nn.functional.binary_cross_entropy_with_logits(x, tl.tensor(np.ones(n, np.float32))).backward()
    assert len(_kernels._rooms) <= _kernels._KEPT
    assert all(room.size == _kernels._ROOM for room in _kernels._rooms)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_every_block_is_given_whole_has_its_gradient(reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight for each class, the matrix of a layer: their gradient is the sum of that of all blocks."""
    r = np.random.default_rng(0)
    x, yes, weight = r.normal(size=(50_000, 4)), r.integers(0, 2, (50_000, 4)) * 1.0, r.uniform(0.5, 2.0, 4)
    matrix, bias, target = r.normal(size=(6, 4)), r.normal(size=6), r.integers(0, 6, 50_000)
    for name, arrays, leaf in (
        ("binary_cross_entropy_with_logits", {"input": x, "target": yes, "weight": weight}, "weight"),
        ("binary_cross_entropy_with_logits", {"input": x, "target": yes, "pos_weight": weight}, "pos_weight"),
        ("cross_entropy", {"input": x, "target": target % 4, "weight": weight}, "weight"),
        ("linear_cross_entropy", {"input": x, "linear_weight": matrix, "target": target, "linear_bias": bias}, "linear_weight"),
        ("linear_cross_entropy", {"input": x, "linear_weight": matrix, "target": target, "linear_bias": bias}, "linear_bias"),
    ):
        found = []
        for whole in (False, True):
            given = {n: tl.tensor(a, requires_grad=n == leaf) for n, a in arrays.items()}
            with monkeypatch.context() as patch, advised():
                if whole:
                    patch.setattr(Loss, "at_once", lambda *a: None)
                LOSSES[name](**given, reduction=reduction).backward()
            found.append(given[leaf].grad.array)
        close(found[0], found[1], 1e-12, f"{name}: gradient of {leaf}")


def test_short_check_of_lists_agrees_with_the_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bits pass is what the sorted rows pass; what they do not pass is told in the same words."""
    r, seen = np.random.default_rng(0), set()
    for trial in range(600):
        classes, width = int(r.integers(1, 28)), int(r.integers(1, 7))
        x = r.integers(-2 + trial % 2, classes + (trial % 5 == 0), (3, width))
        if trial % 3 == 0:  # lists as they should be
            x = np.sort(np.argsort(r.uniform(size=(3, max(classes, width))), 1)[:, :width] % (classes + 1), 1)[:, ::-1] - 1
        told = []
        for bits in (True, False):
            with monkeypatch.context() as patch:
                if not bits:
                    patch.setattr(_labels, "_lists", lambda *a: False)
                try:
                    told.append(str(_labels.LabelList.check("x", x.astype(r.choice(["i1", "i8"])), {"C": classes}, {})))
                except (IndexError, ValueError) as error:
                    told.append(str(error))
        assert told[0] == told[1]
        seen.add((told[0] == "None", _labels._lists(x, classes)))
    assert {(True, True), (True, False), (False, False)} <= seen and (False, True) not in seen
