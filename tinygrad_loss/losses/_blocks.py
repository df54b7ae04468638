"""Large inputs: value and gradient block by block of rows in one pass, blocks side by side on threads.

The blocks and the order of their sums do not depend on the number of threads, so neither do the bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ..dtypes import Array
from ..quiet import quiet
from ..threads import get_num_threads, run_all
from ._binding import Binding
from ._fold import Sym
from ._plan import Plan, Scratch, plain, scaled, total
from ._routes import BLOCK, Layout, Route, Taped, find_route
from ._trace import Unplannable

LEAST = 2048  # elements: below, the tape is as fast
_LARGE_BLOCK = 1 << 17  # elements of a temporary where threads share the work: they need longer steps
_VAST, _LEAST_BLOCK = 4_000_000, 1 << 15  # elements: from here on memory counts more than the longer steps
_MANY = 1_000_000  # elements: below, one thread is as fast


class Fused:
    """One call: the blocks, and what they leave behind."""

    def __init__(
        self, loss: Any, layout: Layout, route: Route, options: Any, needs: Sequence[bool], each: bool, raw: Any
    ) -> None:
        self.loss, self.layout, self.plan = loss, layout, route.plan
        self.options, self.needs, self.each = options, needs, each
        size = layout.elements // max(layout.rows, 1)
        block = BLOCK if layout.elements < _MANY else _LARGE_BLOCK
        if layout.elements >= _VAST and loss._kernel is None:
            block = min(block, max(layout.elements >> 9, _LEAST_BLOCK))  # the temporaries of all threads: a few percent
        step = max(1, block // max(size, 1))
        self.bounds = [(i, min(i + step, layout.rows)) for i in range(0, layout.rows, step)]
        most = min(get_num_threads(), len(self.bounds)) if layout.elements >= _MANY else 1
        self.threads = route.pace.threads(most)
        self.full: list[Any] = []  # the gradients of what is cut, as they are handed over: each its own memory
        self.out: list[Any] = []  # the same, by rows
        for x, cut, need, like in zip(layout.arrays, layout.cut, needs, raw, strict=True):
            self.full.append(np.empty(like.shape, like.dtype) if need and cut else None)
            self.out.append(None if self.full[-1] is None else self.full[-1].reshape(x.shape))
        # what is given whole to every block, and has a gradient that the blocks add up to
        self.whole = [x if n and not c else None for x, c, n in zip(layout.arrays, layout.cut, needs, strict=True)]
        self.values: Any = None
        self.shape: tuple[int, ...] = ()  # of the values, before the reduction

    def run(self, job: Any) -> list[Any]:
        """The results of ``job(start, stop, scratch)`` for all blocks, in order, on several threads if that pays."""

        def some(bounds: Sequence[tuple[int, int]]) -> list[Any]:
            scratch = Scratch()
            with quiet():
                return [job(start, stop, scratch) for start, stop in bounds]

        if self.threads == 1:
            return some(self.bounds)
        share = math.ceil(len(self.bounds) / self.threads)
        chunks = [self.bounds[i : i + share] for i in range(0, len(self.bounds), share)]
        return [x for part in run_all([lambda c=c: some(c) for c in chunks]) for x in part]  # type: ignore[misc]

    def denominator(self) -> float | None:
        """The sum of the shares; None where every value counts once."""
        taped = self.plan if isinstance(self.plan, Taped) else None
        if taped is not None:
            if not taped.shared:
                return None
            forward = Taped(self.loss, taped.binding, self.options, [False] * len(self.needs), True)

            def sum_shares(start: int, stop: int, scratch: Scratch) -> float:
                share = forward.run(self.layout.part(start, stop))[1]
                return 0.0 if share is None else total(share)

            return math.fsum(self.run(sum_shares))
        if self.plan.share is None:
            return None
        plan = self.plan.denominator()

        def job(start: int, stop: int, scratch: Scratch) -> float:
            values = plan.run(self.layout.part(start, stop), stop - start, scratch)
            return _sum(plan.value, values, self._value_shape(stop - start))

        return math.fsum(self.run(job))

    def _value_shape(self, rows: int) -> tuple[int, ...]:
        return (rows, *self.shape[1:])

    def block(self, start: int, stop: int, scratch: Scratch, factor: float) -> tuple[float, list[Any]]:
        """One block: its sum; the gradients of what is cut are written, the others returned."""
        part, rest = self.layout.part(start, stop), []
        kernel = self.loss._kernel
        if kernel is not None and not self.each:
            outs = [None if w is None else np.empty_like(w) for w in self.whole]
            places = [w if o is None else o[start:stop] for o, w in zip(self.out, outs, strict=True)]
            found = kernel(part, self.options, factor, places)
            if found is not None:
                return found, outs
        if isinstance(self.plan, Taped):
            value, _, gradients = self.plan.run(part)
            for o, g in zip(self.out, gradients, strict=True):
                if o is not None and g is not None:
                    np.multiply(g, g.dtype.type(factor), out=o[start:stop])
                elif o is not None:
                    o[start:stop] = 0
                rest.append(None if o is not None or g is None else g * g.dtype.type(factor))
            if self.each:
                self.values[start:stop] = value
            return total(value), rest
        values = self.plan.run(part, stop - start, scratch)
        for x, o, sym in zip(part, self.out, self.plan.gradients, strict=True):
            if o is not None and sym is not None:
                scaled(sym, values, factor, o[start:stop], o[start:stop])
            elif o is not None:
                o[start:stop] = 0
            rest.append(None if o is not None or sym is None else np.array(scaled(sym, values, factor, x)))
        if self.each:
            self.values[start:stop] = plain(self.plan.value, values, self.values[start:stop])
        summed = _sum(self.plan.value, values, self._value_shape(stop - start))
        for index in values.pop(-1):
            if index in values:
                scratch.give(values[index])
        return summed, rest


def _sum(sym: Sym, values: dict[int, Any], shape: tuple[int, ...]) -> float:
    if sym.ref is None:
        return sym.factor * math.prod(shape)
    return total(values[sym.ref]) * sym.factor


def one_block(
    loss: Any, raw: Sequence[Any], binding: Binding, options: dict[str, Any], needs: Sequence[bool], reduction: str
) -> tuple[Array, list[Any]] | None:
    """A small call by the loss's kernel, or None where it has none for such a call."""
    count = raw[0].shape[0] if reduction == "batchmean" and raw[0].ndim else binding.count
    if reduction == "none" or count == 0 or not binding.bare:
        return None
    return _by_kernel(loss, raw, options, needs, float(count) if reduction != "sum" else 1.0)


def _by_kernel(
    loss: Any, raw: Sequence[Any], options: dict[str, Any], needs: Sequence[bool], whole: float
) -> tuple[Array, list[Any]] | None:
    outs = [np.empty(x.shape, x.dtype) if n else None for x, n in zip(raw, needs)]  # noqa: B905  it costs too much here
    summed = loss._kernel(raw, options, 1.0 / whole, outs)
    if summed is None or not math.isfinite(summed):
        return None
    return np.array(summed / whole, raw[0].dtype), outs


def _at_once(
    loss: Any, route: Route, raw: Sequence[Any], binding: Binding, options: Any, needs: Sequence[bool], reduction: str
) -> tuple[Array, list[Any]] | None:
    """A call that fits one block: its kernel or plan, without the rest of the machinery."""
    plan, whole = route.plan, 1.0
    if reduction != "sum":
        whole = float(raw[0].shape[0] if reduction == "batchmean" else math.prod(binding.shape))
    if loss._kernel is not None and binding.plain and not binding.bare:  # else it was asked before
        found = _by_kernel(loss, raw, options, needs, whole)
        if found is not None:
            return found
    arrays: Sequence[Any] = [None if x is None else x.reshape(-1) for x in raw] if route.flat else raw
    rows = len(arrays[0])
    values = plan.run(arrays, rows, Scratch())
    summed = _sum(plan.value, values, (rows,) if route.flat else binding.shape)
    if not math.isfinite(summed):
        return None
    gradients: list[Any] = []
    for x, n, sym in zip(raw, needs, plan.gradients, strict=True):
        if not n or sym is None:
            gradients.append(None)
        else:
            out = np.empty(x.shape, x.dtype)
            scaled(sym, values, 1.0 / whole, x, out.reshape(-1) if route.flat else out)
            gradients.append(out)
    return np.array(summed / whole, route.kind), gradients


def fused(
    loss: Any, raw: Sequence[Any], binding: Binding, options: dict[str, Any], needs: Sequence[bool], reduction: str
) -> tuple[Array, list[Any]] | None:
    """(the reduced value, the gradient for each array), or None for a call that is better computed whole."""
    key = (tuple(needs), reduction)
    route = binding.routes.get(key, False)
    if route is False:
        route = binding.routes[key] = find_route(loss, raw, binding, options, needs, reduction)
    if route is None:
        return None
    plan, each = route.plan, reduction == "none"
    if not each and isinstance(plan, Plan) and plan.share is None and raw[0].size <= BLOCK:
        return _at_once(loss, route, raw, binding, options, needs, reduction)
    layout = route.lay_out(raw)
    call = Fused(loss, layout, route, options, needs, each, raw)
    call.shape = (layout.rows,) if layout.flat else binding.shape
    try:
        factor, whole = 1.0, 1.0
        if reduction in ("mean", "batchmean"):
            counted = call.denominator() if reduction == "mean" else float(raw[0].shape[0])
            whole = math.prod(binding.shape) if counted is None else counted
            if whole == 0:
                return None
            factor = 1.0 / whole
        if each:
            call.values = np.empty(call.shape, route.kind)
        begun = perf_counter()
        found = call.run(lambda start, stop, scratch: call.block(start, stop, scratch, factor))
        route.pace.note(call.threads, perf_counter() - begun)
    except Unplannable:
        return None
    summed = math.fsum(s for s, _ in found) if all(math.isfinite(s) for s, _ in found) else math.nan
    if not math.isfinite(summed):
        return None  # the formula, run whole, says what becomes of inf and nan
    gradients: list[Any] = []
    for i, (x, o) in enumerate(zip(raw, call.full, strict=True)):
        if plan.gradients[i] is None:
            gradients.append(None)
        elif o is not None:
            gradients.append(o)
        elif needs[i]:
            parts = [rest[i] for _, rest in found if rest and rest[i] is not None]
            gradients.append(np.add.reduce(np.stack(parts), 0).astype(x.dtype) if parts else np.zeros(x.shape, x.dtype))
        else:
            gradients.append(None)
    y = call.values.reshape(binding.shape) if each else np.array(summed / whole, route.kind)
    return y, gradients
