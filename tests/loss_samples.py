"""Samples for every registered loss, derived from its declaration: axes give shapes, domains values, checks options.

A loss that is declared is tested: nothing in this file names one.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss.losses._domains import ProbabilityDomain, SimplexDomain, Spec
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._options import Flag, Interval, Whole

from .samples import Array, seeded

_SIZES = {"N": 3, "C": 4, "D": 5}


@dataclass(frozen=True)
class LossSample:
    """The arguments of one call. Arrays that are left out are None."""

    arrays: dict[str, Array | None]
    specs: dict[str, Spec]
    options: dict[str, Any]
    sizes: dict[str, Any]
    batched: bool

    def with_arrays(self, **arrays: Array | None) -> LossSample:
        return replace(self, arrays={**self.arrays, **arrays})

    def with_options(self, **options: Any) -> LossSample:
        return replace(self, options={**self.options, **options})

    def floats(self) -> list[str]:
        """The arguments to differentiate by."""
        return [n for n, x in self.arrays.items() if x is not None and x.dtype.kind == "f"]

    def given(self) -> dict[str, Array]:
        return {n: x for n, x in self.arrays.items() if x is not None}

    @property
    def ignores(self) -> bool:
        """Whether some target stands for an example to leave out."""
        ignored = self.options.get("ignore_index")
        labels = [x for n, x in self.given().items() if isinstance(self.specs[n].domain, LabelDomain)]
        return ignored is not None and any((x == ignored).any() for x in labels)

    @property
    def size(self) -> int:
        return next(iter(self.given().values())).size

    def __repr__(self) -> str:
        shapes = {n: x.shape if x.dtype.kind == "f" else (*x.shape, "labels") for n, x in self.given().items()}
        return f"{shapes} {self.options}"


def call(loss: Loss, sample: LossSample, reduction: str = "mean", **tensors: Any) -> Any:
    """The loss of the sample, some of its arrays replaced by ``tensors``."""
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    return loss(**{**arrays, **tensors}, **sample.options, reduction=reduction)


def leaves(sample: LossSample, kind: Any = np.float64) -> dict[str, Any]:
    """A leaf for each array of floats."""
    return {n: tl.tensor(np.asarray(sample.arrays[n]).astype(kind), requires_grad=True) for n in sample.floats()}


# Shapes.


def sizes_of(loss: Loss) -> list[tuple[dict[str, Any], bool]]:
    """(sizes of the named axes, batched): typical, unbatched, K-dimensional, empty; the typical one first."""
    axes = loss.declaration.arguments[0].specs[0].axes
    if axes == ("...",):
        shapes: list[dict[str, Any]] = [{"...": shape} for shape in ((2, 3), (4,), (), (2, 3, 2), (0,), (2, 0))]
        if any(spec.axes == ("broadcast",) for a in loss.declaration.arguments for spec in a.specs):
            shapes.append({"...": (2, 3), "narrow": 1})  # what broadcasts has the last axis only
        return [(sizes, True) for sizes in shapes]
    named = {a.strip("[]"): 2 for a in axes if a != "*"} | _SIZES
    found = [({**named, "*": ()}, True)]
    if axes[0].startswith("["):
        found.append(({**named, "*": ()}, False))
    if "*" in axes:
        found += [({**named, "*": (2,)}, True), ({**named, "*": (2, 3)}, True)]
    return [*found, ({**named, "*": (), axes[0].strip("[]"): 0}, True)]


def shape_of(spec: Spec, sizes: dict[str, Any], batched: bool) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    for axis in spec.axes:
        if axis in ("...", "*"):
            shape += sizes[axis]
        elif axis == "broadcast":
            shape += sizes["..."][sizes.get("narrow", 0) :]
        elif batched or not axis.startswith("["):
            shape += (sizes[axis.strip("[]")],)
    return shape


# Options.


def values_of(loss: Loss, name: str) -> list[Any]:
    """The default and other values that the option's check allows, corners included."""
    default, check = loss.declaration.options[name], loss.declaration.checks.get(name)
    if isinstance(check, Flag):
        return [default, not default]
    if isinstance(check, Interval):
        top = check.high if math.isfinite(check.high) else check.low + 3.0
        low = [check.low] if check.closed else []
        return list(dict.fromkeys([default, *low, check.low + 0.3 * (top - check.low), top]))
    if isinstance(check, Whole):
        return [default, 1] if name == "ignore_index" else [default, default + 1]
    return [default]


def option_grid(loss: Loss) -> list[dict[str, Any]]:
    names = list(loss.declaration.options)
    return [dict(zip(names, v, strict=True)) for v in itertools.product(*(values_of(loss, n) for n in names))]


# Samples.


def build(
    loss: Loss, specs: dict[str, Spec], sizes: dict[str, Any], batched: bool, options: dict[str, Any], ignoring: bool = True
) -> LossSample:
    r = seeded(f"{loss.name}{sorted(specs)}{sizes}{batched}")
    arrays: dict[str, Array | None] = {a.name: None for a in loss.declaration.arguments}
    for name, spec in specs.items():
        shape = shape_of(spec, sizes, batched)
        with np.errstate(all="ignore"):
            x = np.asarray(spec.domain.sample(r, shape, {**sizes, **options}))
        if isinstance(spec.domain, LabelDomain) and x.size > 1 and "ignore_index" in options and ignoring:
            ignored = options["ignore_index"]
            x = np.where(np.arange(x.size).reshape(x.shape) == 1, ignored, x)
            if 0 <= ignored < sizes["C"]:  # something has to stay
                x = np.where((np.arange(x.size).reshape(x.shape) == 0) & (x == ignored), ignored - 1, x)
        arrays[name] = x
    return LossSample(arrays, specs, options, sizes, batched)


def spec_choices(loss: Loss) -> Iterator[dict[str, Spec]]:
    """Every choice of domains, and of optional arguments that are given."""
    choices: list[list[tuple[str, Spec | None]]] = []
    for a in loss.declaration.arguments:
        choices.append([(a.name, spec) for spec in (*((None,) if a.optional else ()), *a.specs)])
    for choice in itertools.product(*choices):
        yield {n: spec for n, spec in choice if spec is not None}


def samples(loss: Loss) -> list[LossSample]:
    """The full grid of options on the typical shape; the default options, and one mix of others, on the rest."""
    grid = option_grid(loss)
    found = []
    for specs in spec_choices(loss):
        for i, (sizes, batched) in enumerate(sizes_of(loss)):
            found += [build(loss, specs, sizes, batched, o) for o in (grid if i == 0 else dict_unique([grid[0], grid[-1]]))]
            found += [build(loss, specs, sizes, batched, grid[0], ignoring=False)] if "ignore_index" in grid[0] else []
    return [x for x in found if allowed(x)]


def allowed(sample: LossSample) -> bool:
    """An index to ignore means something for class indices only: beside probabilities it is refused."""
    soft = any(isinstance(spec.domain, SimplexDomain) for spec in sample.specs.values())
    return not soft or sample.options.get("ignore_index", -100) < 0


def dict_unique(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [o for i, o in enumerate(options) if o not in options[:i]]


def interior(sample: LossSample) -> LossSample:
    """The same, with probabilities away from 0 and 1, so that finite differences stay in the domain."""
    arrays = dict(sample.arrays)
    for name, spec in sample.specs.items():
        if isinstance(spec.domain, ProbabilityDomain) and not isinstance(spec.domain, SimplexDomain):
            arrays[name] = np.clip(np.asarray(arrays[name]), 0.02, 0.98)
    return replace(sample, arrays=arrays)


# What a domain has to refuse, said a second time: a check that forgot it must not pass for right.
REFUSED: dict[str, tuple[float, ...]] = {
    "Real": (), "Logit": (), "Logits": (), "Probability": (-0.5, 1.5, -1e-9, math.nan, math.inf),
    "BinaryTarget": (-0.5, 1.5, math.nan), "Simplex": (-0.5, -math.inf), "NonNegative": (-0.5, -math.inf),
    "Variance": (-0.5, -math.inf), "Distribution": (-0.5,), "Label": (17, -7, -1), "LabelList": (17, -7), "Lengths": (-1, -7),
    "LogProbability": (0.5, math.inf), "Weight": (-0.5, math.nan, math.inf), "Sign": (0.0, 0.5, 2.0, math.nan),
    "Pair": (-1.0, 0.5, 2.0, math.nan), "Group": (), "Mask": (),
}  # fmt: skip

EXTREMES = (0.0, 1e30, -1e30, 1e-30, -1e-30, 1.0, -1.0, 0.5, 80.0, -80.0)


def extremes(loss: Loss, sample: LossSample, name: str) -> list[float]:
    """The extreme values that the domain of an argument admits."""
    fine = []
    for v in EXTREMES:
        try:
            with warnings.catch_warnings(action="ignore"):
                sample.specs[name].domain.check("", np.array([[v]]), sample.sizes, sample.options)
        except (ValueError, RuntimeError):
            continue
        fine.append(v)
    return fine


def without(sample: LossSample, keep: Array) -> LossSample:
    """Only the examples in ``keep`` (positions along the batch)."""
    arrays = dict(sample.arrays)
    for name, spec in sample.specs.items():
        x = np.asarray(arrays[name])
        if spec.axes[0] in ("[N]", "N", "...") or (spec.axes == ("broadcast",) and x.shape == sample.sizes["..."]):
            arrays[name] = x[keep]
    return replace(sample, arrays=arrays)
