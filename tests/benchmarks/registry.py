"""Arguments of any size for every loss that torch has too, derived from its declaration: nothing here names a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.loss_samples import build, option_grid, spec_choices
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

from .workloads import Array

SIZES = {"C": 10, "D": 10, "I": 10, "T": 50, "S": 10}  # of named axes; the first other one grows
FEW = 8
CONSTANT = ("target", "weight", "pos_weight")  # nobody trains what these names begin with


@dataclass(frozen=True)
class Call:
    """One call of a loss: its arrays in float64, which of them to differentiate by, its options."""

    loss: str
    arrays: dict[str, Array]
    leaves: list[str]
    options: dict[str, Any]

    def of(self, dtype: str) -> dict[str, Array]:
        return {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in self.arrays.items()}


def shared_losses(functional: Any) -> list[str]:
    """The losses of the registry that torch.nn.functional has under the same name."""
    return [n for n, made in LOSSES.items() if hasattr(functional, n) and made.__module__.startswith("tinygrad_loss")]


def sizes_for(loss: Loss, n: int) -> dict[str, Any]:
    """Sizes of the axes with which the first array has about ``n`` elements."""
    declared = loss.declaration.arguments
    sizes: dict[str, Any] = {a.strip("[]"): 10 for argument in declared for spec in argument.specs for a in spec.axes}
    sizes |= {name: size for name, size in SIZES.items() if name in sizes} | {"*": ()}
    first = [a.strip("[]") for a in declared[0].specs[0].axes]
    if "T" in first:  # what is aligned needs its steps
        sizes["T"] = min(sizes["T"], max(n // sizes["C"], 4))
        sizes["S"] = sizes["T"] // 4
    rest = math.prod(sizes[a] for a in first if a not in ("N", "...", "*"))
    return {**sizes, "N": max(n // rest, 1), "...": (max(n // rest, 1),)}


def repeated(x: Array, axes: tuple[str, ...], count: int) -> Array:
    """``count`` examples, the given ones over and over."""
    axis = [a.strip("[]") for a in axes].index("N") if {"N", "[N]"} & set(axes) else None
    return x if axis is None or x.shape[axis] == count else np.take(x, np.arange(count) % x.shape[axis], axis=axis)


def call_of(name: str, n: int) -> Call:
    """The loss with its required arguments only and its default options."""
    loss, specs, sizes = LOSSES[name], next(spec_choices(LOSSES[name])), sizes_for(LOSSES[name], n)
    # Of what has to fit together a few examples are drawn, and repeated.
    drawn = {**sizes, "N": min(sizes["N"], FEW)} if loss.checks_together else sizes
    sample = build(loss, specs, drawn, True, option_grid(loss, 2)[0], ignoring=False)
    arrays = {a: repeated(x, specs[a].axes, sizes["N"]) for a, x in sample.given().items()}
    leaves = [a for a in sample.floats() if not a.startswith(CONSTANT)]
    # The mean over elements is not a divergence, and both libraries take time to say so.
    options = {"reduction": "batchmean"} if "batchmean" in loss.declaration.reductions else {}
    return Call(name, arrays, leaves, options)
