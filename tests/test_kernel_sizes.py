"""Kernels against formulas at the sizes they are written for: thousands of elements, whole and cut into blocks, the last
ones of a chunk among them, weights that need no gradient beside arguments that do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, _loss
from tinygrad_loss.losses._loss import Loss

from .fuzz.drawing import own_losses, small_blocks
from .laws import close
from .loss_laws import advised, reductions
from .loss_samples import LossSample, build, call, option_grid, sizes_of, spec_choices

NAMES = sorted(n for n, made in LOSSES.items() if made._kernel is not None and made.__module__.startswith("tinygrad_loss"))
ROWS = (257, 1029, 2900)  # no multiple of anything


def large(loss: Loss, lengths: tuple[int, ...] = ROWS) -> Iterator[LossSample]:
    sizes, batched = sizes_of(loss)[0]
    options = option_grid(loss)
    for i, specs in enumerate(spec_choices(loss)):
        for rows in lengths:
            wide = {**sizes, "...": (rows,) if i % 2 else (rows, 3)} if "..." in sizes else {**sizes, "N": rows}
            for chosen in (options[0], options[(7 * i + rows) % len(options)]):
                with suppress(LookupError):
                    yield build(loss, specs, wide, batched, chosen, ignoring=False)


def gradients(loss: Loss, sample: LossSample, reduction: str, kind: Any, only: str) -> tuple[Any, Any]:
    given = {n: x.astype(kind) if x.dtype.kind == "f" else x for n, x in sample.given().items()}
    tensors = {n: tl.tensor(x, requires_grad=n == only) for n, x in given.items()}
    with advised():
        y = call(loss, sample, reduction, **tensors)
    if y.requires_grad:
        (y * 0.75).sum().backward()
    g = tensors[only].grad
    return y.array, None if g is None else g.array


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_kernel_equals_formula(name: str, kind: Any) -> None:
    loss = LOSSES[name]
    rtol = 1e-12 if kind is np.float64 else 1e-5
    for sample in large(loss):
        for reduction in (r for r in reductions(loss) if r != "none"):
            for only in sample.floats()[:2]:
                with mock.patch.multiple(loss, _bindings=[], _last=_loss.Binding(), plans={}):
                    fast = gradients(loss, sample, reduction, kind, only)
                with mock.patch.multiple(loss, _bindings=[], _last=_loss.Binding(), plans={}, at_once=lambda *a: None):
                    slow = gradients(loss, sample, reduction, kind, only)
                close(fast[0], slow[0], rtol, f"{sample} {reduction}: value")
                assert (fast[1] is None) == (slow[1] is None)
                if slow[1] is not None:
                    close(fast[1], slow[1], rtol, f"{sample} {reduction}: gradient of {only}")


@pytest.mark.parametrize("name", [made.name for made in own_losses()])
def test_blocks_equal_formula_where_only_one_argument_has_a_gradient(name: str) -> None:
    """Weights without a gradient of their own take part in plans, and in the denominator that is known beforehand."""
    loss = LOSSES[name]
    for sample in large(loss, (33,)):
        for reduction in reductions(loss):
            for only in sample.floats()[:1]:
                with small_blocks(loss):
                    fast = gradients(loss, sample, reduction, np.float64, only)
                with small_blocks(loss, composed=True):
                    slow = gradients(loss, sample, reduction, np.float64, only)
                close(fast[0], slow[0], 1e-12, f"{sample} {reduction}: value")
                if slow[1] is not None:
                    close(fast[1], slow[1], 1e-12, f"{sample} {reduction}: gradient of {only}")


def test_there_are_kernels() -> None:
    assert len(NAMES) >= 14
