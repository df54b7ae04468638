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
from tinygrad_loss.losses._domains import SimplexDomain, Spec
from tinygrad_loss.losses._labels import LabelDomain, OrderDomain, SignDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._options import Axes, Flag, Function, Interval, OneOf, Or, Whole

from .samples import Array, seeded

_SIZES = {"N": 3, "C": 4, "D": 5, "T": 7, "S": 2}  # of named axes; 3 for others
MOST = 18  # samples of a loss in a plain run, and options that are combined
MOST_FULL = 400  # with all combinations
DRAWS = 100  # until arrays that have to fit each other do


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
        return f"{shapes} { {n: getattr(v, '__name__', v) for n, v in self.options.items()} }"


def call(loss: Loss, sample: LossSample, reduction: str = "mean", **tensors: Any) -> Any:
    """The loss of the sample, some of its arrays replaced by ``tensors``."""
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    return loss(**{**arrays, **tensors}, **sample.options, reduction=reduction)


def leaves(sample: LossSample, kind: Any = np.float64) -> dict[str, Any]:
    """A leaf for each array of floats; what is only ever +1 or -1, or only compared, has no derivative."""
    signs = {n for n in sample.floats() if isinstance(sample.specs[n].domain, (OrderDomain, SignDomain))}
    return {n: tl.tensor(np.asarray(sample.arrays[n]).astype(kind), requires_grad=n not in signs) for n in sample.floats()}


# Shapes.


def sizes_of(loss: Loss) -> list[tuple[dict[str, Any], bool]]:
    """(sizes of the named axes, batched): typical, unbatched, one example, K-dimensional, empty; the typical first."""
    axes = {axis for a in loss.declaration.arguments for spec in a.specs for axis in spec.axes}
    named = {a.strip("[]"): 3 for a in sorted(axes) if a.strip("[]").isalpha()}
    named |= {a: n for a, n in _SIZES.items() if a in named} | ({"N": 6} if loss.mixes else {})
    if "..." in axes:
        found = [({**named, "...": shape}, True) for shape in ((2, 3), (4,), (), (2, 3, 2), (0,), (2, 0))]
    else:
        typical = {**named, "*": ()} if "*" in axes else named
        found = [(typical, True)]
        if any(a.startswith("[") for a in axes):
            found.append((typical, False))
        shared = any("*" in spec.axes and "[N]" not in spec.axes for a in loss.declaration.arguments for spec in a.specs)
        if "*" in axes and not shared:  # what has * without N makes no examples of its own of the positions along *
            found += [({**named, "*": (2,)}, True), ({**named, "*": (2, 3)}, True)]
        if "N" in named:
            found += [({**typical, "N": 1}, True), ({**typical, "N": 0}, True)]
    if "broadcast" in axes:  # has the last axis only
        found.append(({**found[0][0], "narrow": 1}, True))
    if "row" in axes:  # one for each row, one for all, one for each with the axis kept
        found += [({**found[0][0], "row": how}, True) for how in ("row", "number", "column")]
    return found


def shape_of(spec: Spec, sizes: dict[str, Any], batched: bool, first: tuple[int, ...] = ()) -> tuple[int, ...]:
    """``first``: the shape of the first array, for what is declared relative to it."""
    if spec.axes == ("broadcast",):
        return first[sizes.get("narrow", 0) :]
    if spec.axes == ("row",):
        return {"row": first[:-1], "number": (), "column": (*first[:-1], 1)}.get(sizes.get("row", ""), first)
    shape: tuple[int, ...] = ()
    for axis in spec.axes:
        if axis in ("...", "*"):
            shape += sizes[axis]
        elif batched or not axis.startswith("["):
            shape += (sizes[axis.strip("[]")],)
    return shape


def class_axis(spec: Spec, sizes: dict[str, Any], batched: bool) -> dict[str, int]:
    """{"axis": where the classes are}, for the domains."""
    axes = [a for a in spec.axes if batched or not a.startswith("[")]
    if "C" not in axes:
        return {}
    return {"axis": sum(len(sizes[a]) if a in ("...", "*") else 1 for a in axes[: axes.index("C")])}


# Options.


def manhattan(a: Any, b: Any) -> Any:
    """A distance for options that are functions, in either library."""
    return (a - b).abs().sum(-1)


def allowed_by(check: Any, default: Any) -> list[Any]:
    """The default and other values that an option's check allows, corners included."""
    if isinstance(check, Or):
        return [default, None, *allowed_by(check.inner, 0 if default is None else default)[default is None :]]
    if isinstance(check, Flag):
        return [default, not default]
    if isinstance(check, OneOf):
        return [default, *check.values]
    if isinstance(check, Function):
        return [default, manhattan]
    if isinstance(check, Axes):
        return [default, *check.examples]
    if isinstance(check, Whole):
        return [default, default + 1 if check.least is None else max(default, check.least) + 1]
    if not isinstance(check, Interval):
        return [default]
    if not math.isfinite(check.low):
        return [default, default + 1.0, default - 0.5]
    top = check.high if math.isfinite(check.high) else check.low + 3.0
    ends = [check.low] if check.closed else []
    return [default, *ends, check.low + 0.3 * (top - check.low), top, *([math.inf] if check.infinite else [])]


def values_of(loss: Loss, name: str) -> list[Any]:
    default, check = loss.declaration.options[name], loss.declaration.checks.get(name)
    found = allowed_by(check, default)
    if name == "eps":  # a floor lies below the ordinary values
        found = [default, *(v for v in (0.0, 1e-3, 0.05) if v or check.closed)]
    return unique([default, 1] if name == "ignore_index" else found)


def unique(values: list[Any]) -> list[Any]:
    return [v for i, v in enumerate(values) if not any(v == w and type(v) is type(w) for w in values[:i])]


def option_grid(loss: Loss, most: int = MOST_FULL) -> list[dict[str, Any]]:
    """All combinations, or ``most`` of them, spread evenly; the defaults first."""
    names = list(loss.declaration.options)
    grid = [dict(zip(names, v, strict=True)) for v in itertools.product(*(values_of(loss, n) for n in names))]
    return grid if len(grid) <= most else [grid[i * (len(grid) - 1) // (most - 1)] for i in range(most)]


# Samples.


@dataclass(frozen=True)
class Plan:
    """What a sample is to be made of."""

    specs: dict[str, Spec]
    sizes: dict[str, Any]
    batched: bool
    options: dict[str, Any]
    ignoring: bool = True

    def features(self) -> list[Any]:
        whole = [("specs", n, id(s)) for n, s in self.specs.items()] + [("none", tuple(self.specs))]
        return [*whole, ("sizes", repr(self.sizes), self.batched), self.ignoring, *((n, repr(v)) for n, v in self.options.items())]


def build(
    loss: Loss, specs: dict[str, Spec], sizes: dict[str, Any], batched: bool, options: dict[str, Any], ignoring: bool = True
) -> LossSample:
    """Arrays drawn until the loss's own check of them together is content."""
    key = f"{loss.name}{sorted(specs)}{sizes}{batched}"
    for turn in range(DRAWS):
        arrays = draw(loss, specs, sizes, batched, options, ignoring, seeded(key + f"{turn}" * (turn > 0)))
        if not loss.checks_together or consistent(loss, arrays, options):
            return LossSample(arrays, specs, options, sizes, batched)
    raise LookupError(f"{loss.name}: {DRAWS} draws, and none passes what it requires: {sizes} {options}")


def consistent(loss: Loss, arrays: dict[str, Array | None], options: dict[str, Any]) -> bool:
    try:
        with warnings.catch_warnings(action="error", category=tl.LossWarning):
            loss.check_together(arrays, options)
    except (ValueError, RuntimeError, IndexError, tl.LossWarning):
        return False
    return True


def draw(
    loss: Loss, specs: dict[str, Spec], sizes: dict[str, Any], batched: bool, options: dict[str, Any], ignoring: bool,
    r: np.random.Generator,
) -> dict[str, Array | None]:  # fmt: skip
    arrays: dict[str, Array | None] = {a.name: None for a in loss.declaration.arguments}
    first: tuple[int, ...] | None = None
    for name, spec in specs.items():
        shape = shape_of(spec, sizes, batched, first or ())
        first = shape if first is None else first
        with np.errstate(all="ignore"):
            x = np.asarray(spec.domain.sample(r, shape, {**sizes, **options, **class_axis(spec, sizes, batched)}))
        ignored = options.get("ignore_index")
        if isinstance(spec.domain, LabelDomain) and x.size > 1 and ignored is not None and ignoring:
            x = np.where(np.arange(x.size).reshape(x.shape) == 1, ignored, x)
            if 0 <= ignored < sizes["C"]:  # something has to stay
                x = np.where((np.arange(x.size).reshape(x.shape) == 0) & (x == ignored), ignored - 1, x)
        arrays[name] = x
    return arrays


def spec_choices(loss: Loss) -> Iterator[dict[str, Spec]]:
    """Every choice of domains, and of optional arguments that are given."""
    choices: list[list[tuple[str, Spec | None]]] = []
    for a in loss.declaration.arguments:
        choices.append([(a.name, spec) for spec in (*((None,) if a.optional else ()), *a.specs)])
    for choice in itertools.product(*choices):
        yield {n: spec for n, spec in choice if spec is not None}


def plans(loss: Loss, full: bool = False) -> list[Plan]:
    """The grid of options on the typical shape; the defaults, and two mixes of others, on the rest."""
    grid = option_grid(loss, MOST_FULL if full else 2 * MOST)
    found = []
    for specs in spec_choices(loss):
        for i, (sizes, batched) in enumerate(sizes_of(loss)):
            some = unique([grid[0], grid[len(grid) // 2], grid[-1]])
            found += [Plan(specs, sizes, batched, o) for o in (grid if i == 0 else some)]
            found += [Plan(specs, sizes, batched, grid[0], False)] if grid[0].get("ignore_index") is not None else []
    return [p for p in found if allowed(p) and (not loss.checks_together or possible(loss, p))]


def possible(loss: Loss, plan: Plan) -> bool:
    """Whether the loss allows these options beside these arrays."""
    try:
        build(loss, **vars(plan))
    except LookupError:
        return False
    return True


def allowed(plan: Plan | LossSample) -> bool:
    """An index to ignore means something for class indices only: beside probabilities it is refused."""
    soft = any(isinstance(spec.domain, SimplexDomain) for spec in plan.specs.values())
    ignored = plan.options.get("ignore_index")
    return not soft or ignored is None or ignored < 0


def covering(found: list[Plan], most: int) -> list[Plan]:
    """``most`` plans, each next one showing as many values, and pairs of values, as possible that none before showed."""
    features = [[frozenset(f) for k in (1, 2) for f in itertools.combinations(p.features(), k)] for p in found]
    chosen, seen, left = [0], set(features[0]), set(range(1, len(found)))
    while left and len(chosen) < most:
        best = max(sorted(left), key=lambda i: sum(30 if len(f) == 1 else 1 for f in features[i] if f not in seen))
        chosen.append(best)
        seen.update(features[best])
        left.remove(best)
    return [found[i] for i in chosen]


def samples(loss: Loss, full: bool = False) -> list[LossSample]:
    """A few that show every option, choice of arrays and shape, the typical one first and any number from the start
    showing much; or all of them."""
    found = plans(loss, full)
    return [build(loss, **vars(p)) for p in (found if full else covering(found, MOST))]


# What a domain has to refuse, said a second time: a check that forgot it must not pass for right.
REFUSED: dict[str, tuple[float, ...]] = {
    "Real": (), "Logit": (), "Logits": (), "Probability": (-0.5, 1.5, -1e-9, math.nan, math.inf),
    "BinaryTarget": (-0.5, 1.5, math.nan), "Simplex": (-0.5, -math.inf), "NonNegative": (-0.5, -math.inf),
    "Variance": (-0.5, -math.inf), "Distribution": (-0.5,), "Label": (17, -7, -1), "LabelList": (17, -7), "Lengths": (-1, 99), "TargetLengths": (-1, 99), "Labels": (),
    "LogProbability": (0.5, math.inf), "Weight": (-0.5, math.nan, math.inf), "Sign": (0.0, 0.5, 2.0, math.nan),
    "Pair": (-1.0, 0.5, 2.0, math.nan), "Group": (), "Mask": (), "Rate": (), "Scale": (0.0, -0.5),
    "Prediction": (), "Order": (math.nan,),
}  # fmt: skip
