"""How a large call falls into rows, and which plan its blocks run: found once per signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import Array
from ..quiet import quiet
from ..tape import Tensor
from ..threads import Pace
from ..walk import walk
from ._binding import Binding
from ._evaluation import terms_of
from ._plan import Plan, Scratch, plain, scaled
from ._reductions import Terms
from ._trace import Unplannable, record

BLOCK = 1 << 16  # elements of a temporary: they fit the cache
_ROWS_A, _ROWS_B = 5, 7  # of the two recordings: no common factor, and no likely size of another axis
_KEPT = 32


class Layout:
    """How the arguments fall into rows: which are cut, which are given whole to every block."""

    __slots__ = ("arrays", "cut", "elements", "flat", "rows")

    def __init__(self, arrays: list[Any], cut: list[bool], flat: bool) -> None:
        self.arrays, self.cut, self.flat = arrays, cut, flat
        self.rows = next(len(x) for x, c in zip(arrays, cut, strict=True) if c)
        self.elements = max(x.size for x, c in zip(arrays, cut, strict=True) if c)

    def part(self, start: int, stop: int) -> list[Any]:
        return [x[start:stop] if c else x for x, c in zip(self.arrays, self.cut, strict=True)]


def cuts(loss: Any, raw: Sequence[Any], binding: Binding) -> tuple[list[bool], bool] | None:
    """Which arguments are cut into rows, and whether as one long row of elements each; None: not by rows."""
    d, shape = loss.declaration, raw[0].shape
    if d.per == "batch" or loss.mixes or not binding.batched or binding.half or not shape:
        return None
    specs = [binding.specs.get(name) for name in d.arrays]
    given = [x for x in raw if x is not None]
    if d.per == "element" and all(x.shape == shape and x.flags.c_contiguous for x in given):
        return [x is not None for x in raw], True
    first = d.arguments[0].specs[0].axes[0]
    if first not in ("N", "[N]", "...", "*"):
        return None
    cut = []
    for spec, x in zip(specs, raw, strict=True):
        if spec is None:
            cut.append(False)
        elif spec.axes in (("row",), ("broadcast",)):
            cut.append(x.ndim > 0 and x.shape[0] == shape[0] and (x.ndim == len(shape) or spec.axes == ("row",)))
        else:
            cut.append(spec.axes[0] == first)
    return cut, False


class Route:
    """What is known after the first call of a signature: how its arguments fall into rows, and their plan."""

    __slots__ = ("cut", "flat", "kind", "pace", "plan")

    def __init__(self, raw: Sequence[Any], cut: list[bool], flat: bool) -> None:
        self.cut, self.flat = cut, flat
        self.plan: Any = None
        self.pace = Pace()
        self.kind = np.result_type(*[x.dtype for x in raw if x is not None and x.dtype.kind == "f"])

    def lay_out(self, raw: Sequence[Any]) -> Layout:
        if self.flat:
            return Layout([None if x is None else x.reshape(-1) for x in raw], self.cut, True)
        return Layout(list(raw), self.cut, False)


class Taped:
    """What stands in for a plan where a formula cannot be written down: its tape, for each block anew."""

    def __init__(self, loss: Any, binding: Binding, options: dict[str, Any], needs: Sequence[bool], mean: bool) -> None:
        self.loss, self.binding, self.options, self.needs, self.mean = loss, binding, options, needs, mean
        self.why = "its steps give another result"  # why there is no plan
        self.gradients: list[Any] = []  # of a few rows: which arguments have one
        self.shared = False  # its values have shares of their own

    def run(self, arrays: Sequence[Any]) -> tuple[Array, Array | None, list[Any]]:
        leaves: list[Any] = []
        for x, need in zip(arrays, self.needs, strict=True):
            leaf = None if x is None else Tensor(x)
            if leaf is not None:
                leaf.needs_grad = need
            leaves.append(leaf)
        terms: Terms = terms_of(self.loss, leaves, self.binding, self.options)
        if terms.finish is not None or terms.alone is not None or (terms.share is not None and terms.share.needs_grad):
            raise Unplannable("it changes the reduced value")
        value = terms.value * terms.scale if self.mean and terms.scale is not None else terms.value
        share = None if terms.share is None else terms.share.array
        found = walk([value], [np.ones(value.shape, value.array.dtype)]) if value.needs_grad else {}
        if len(found) > sum(self.needs):
            raise Unplannable("it uses tensors that are none of its arguments")
        return value.array, share, [found.get(leaf) for leaf in leaves]


def runner(
    loss: Any, layout: Layout, binding: Binding, options: dict[str, Any], needs: Sequence[bool], mean: bool
) -> Any:
    """The plan for such arguments, made at their first call; a Taped; or None: not by blocks."""
    parts = [
        None if x is None else (x.dtype, x.shape[1:] if c else x.shape, c)
        for x, c in zip(layout.arrays, layout.cut, strict=True)
    ]
    choices = tuple((name, type(v), v) for name, v in options.items())
    try:
        key = (tuple(parts), choices, tuple(needs), mean)
        found = loss.plans.get(key, False)
    except TypeError:
        return None
    if found is not False:
        return found
    if len(loss.plans) >= _KEPT:
        loss.plans.clear()
    loss.plans[key] = made = _make(loss, layout, binding, options, needs, mean)
    return made


def _make(
    loss: Any, layout: Layout, binding: Binding, options: dict[str, Any], needs: Sequence[bool], mean: bool
) -> Any:
    """Record, fold, and believe it only if it gives what the formula gives on the rows together."""
    taped = Taped(loss, binding, options, needs, mean)
    both = _ROWS_A + _ROWS_B
    a, b, ab = layout.part(0, _ROWS_A), layout.part(_ROWS_A, both), layout.part(0, both)
    try:
        whole = taped.run(ab)
        taped.shared, taped.gradients = whole[1] is not None, whole[2]
        pieces = [taped.run(a), taped.run(b)]
        values = np.concatenate([p[0] for p in pieces])
        if whole[0].shape != values.shape or not _alike(whole[0], values):
            return None  # a row's loss depends on the other rows
    except Unplannable:
        return None
    try:
        recordings = [record(lambda leaves: terms_of(loss, leaves, binding, options), x, needs, mean) for x in (a, b)]
        plan = Plan(recordings[0], recordings[1], _ROWS_A, _ROWS_B, loss.declaration.arrays)
        sums = plan.run(ab, both, Scratch())
        found = [None if s is None else scaled(s, sums, 1.0, g) for s, g in zip(plan.gradients, whole[2], strict=True)]
        if not _alike(plain(plan.value, sums, whole[0]), whole[0]):
            return taped
        for mine, theirs in zip(found, whole[2], strict=True):
            if mine is not None and not _alike(mine, theirs):
                return taped
    except (Unplannable, ValueError, TypeError) as error:
        taped.why = str(error)
        return taped
    return plan


def _alike(x: Array, y: Array) -> bool:
    eps = float(np.finfo(y.dtype).eps)
    with quiet():
        size = np.max(np.abs(y[np.isfinite(y)]), initial=0.0)
        return bool(np.allclose(x, y, rtol=64 * eps, atol=64 * eps * float(size), equal_nan=True))


def find_route(
    loss: Any, raw: Sequence[Any], binding: Binding, options: dict[str, Any], needs: Sequence[bool], reduction: str
) -> Route | None:
    """How to compute calls like this one by blocks, or None when they are better computed whole."""
    found = cuts(loss, raw, binding)
    if found is None or (loss.declaration.per == "any" and any(callable(v) for v in options.values())):
        return None
    route = Route(raw, *found)
    layout = route.lay_out(raw)
    if layout.rows < 2 * (_ROWS_A + _ROWS_B):
        return None
    whole_needed = any(n and not c for n, c in zip(needs, layout.cut, strict=True))
    if reduction == "none" and (whole_needed or (len(binding.shape) > 1 and not layout.flat)):
        return None
    route.plan = runner(loss, layout, binding, options, needs, reduction == "mean")
    small = isinstance(route.plan, Taped) and layout.elements < 2 * BLOCK and loss._kernel is None
    return None if route.plan is None or small else route


def plan_of(
    loss: Any, raw: Sequence[Any], binding: Binding, options: dict[str, Any], needs: Sequence[bool], reduction: str
) -> Plan:
    """The plan that large calls like this one run, to be looked at."""
    found = cuts(loss, raw, binding)
    why = "its examples do not fall into rows"
    if found is not None:
        route = Route(raw, *found)
        layout = route.lay_out(raw)
        least = 2 * (_ROWS_A + _ROWS_B)
        if 0 < layout.rows < least:  # the same rows again, as many as a recording takes
            more = [
                np.resize(x, (least, *x.shape[1:])) if c else x for x, c in zip(layout.arrays, layout.cut, strict=True)
            ]
            layout = Layout(more, layout.cut, layout.flat)
        made = runner(loss, layout, binding, options, needs, reduction == "mean") if layout.rows else None
        if isinstance(made, Plan):
            return made
        why = made.why if made is not None else "an example's loss depends on the other examples"
    raise ValueError(f"{loss.name}: such calls are not computed by a plan: {why}")
