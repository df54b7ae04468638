"""A plan: the folded steps of a formula and its gradient, run on the raw arrays of a block of rows.

A value nobody reads any more gives its memory to the next step that can write there, so a block lives in the
processor's cache. ``str(plan)`` shows the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..accumulate import accurate_sum
from ..dtypes import Array
from ._fold import Folder, Rows, Sym
from ._trace import Recording, Ref, Step, Unplannable


class Scratch:
    """The buffers of one thread, by shape and dtype."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        self.free: dict[Any, list[Array]] = {}

    def take(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
        found = self.free.get((shape, kind))
        return found.pop() if found else np.empty(shape, kind)

    def give(self, array: Array) -> None:
        self.free.setdefault((array.shape, array.dtype), []).append(array)


class Plan:
    """Made from two recordings. ``run`` computes a block: the sum of its values, the gradients written where told."""

    def __init__(self, first: Recording, second: Recording, rows_a: int, rows_b: int, names: Sequence[str]) -> None:
        folder = Folder(first, second, rows_a, rows_b)
        self.names, self.leaves = list(names), len(names)
        self.shapes, self.kinds = folder.shapes, folder.kind
        self.value = self._result(folder, first, first.value)
        self.share = self._result(folder, first, first.share) if first.share is not None else None
        self.gradients = [None if g is None else self._result(folder, first, g) for g in first.gradients]
        if self.value.seeded or (self.share is not None and self.share.seeded):
            raise Unplannable("its value depends on its gradient")
        self.steps = self._needed(folder.out)
        self.last_use = self._lives()
        self.program = [_instruction(step, self.shapes, self.kinds) for step in self.steps]

    @staticmethod
    def _result(folder: Folder, recording: Recording, tensor: Any) -> Sym:
        index = recording.places.get(id(tensor), recording.places.get(id(tensor.array)))
        if index is None:
            raise Unplannable("its result comes from elsewhere")
        return folder.values.get(index) or Sym(index)

    def _needed(self, steps: Sequence[Step]) -> list[Step]:
        """Only the steps that lead to a result."""
        wanted = {s.ref for s in (self.value, self.share, *self.gradients) if s is not None and s.ref is not None}
        kept = []
        for step in reversed(steps):
            if step.out in wanted:
                kept.append(step)
                wanted |= {i.index for i in step.inputs if isinstance(i, Ref)}
        return kept[::-1]

    def _lives(self) -> list[list[int]]:
        """For each step, the values nobody reads after it."""
        held = {s.ref for s in (self.value, self.share, *self.gradients) if s is not None}
        seen: set[int] = set()
        dying: list[list[int]] = []
        for step in reversed(self.steps):
            used = {i.index for i in step.inputs if isinstance(i, Ref)}
            dying.append([i for i in used if i not in seen and i not in held and i >= self.leaves])
            seen |= used
        return dying[::-1]

    def run(self, arrays: Sequence[Any], rows: int, scratch: Scratch) -> dict[int, Any]:
        """Every value still held at the end, by index."""
        values: dict[int, Any] = dict(enumerate(arrays))
        own: set[int] = set()
        kept: dict[int, Any] = {}
        for (call, inputs, settings, out, into, shape, kind, keeps, rule), dying in zip(
            self.program, self.last_use, strict=True
        ):
            given = [values[i.index] if type(i) is Ref else i for i in inputs]
            if into:
                reused = next(
                    (
                        i
                        for i in dying
                        if i in own and values[i].dtype == kind and values[i].shape == _sized(shape, rows)
                    ),
                    None,
                )
                target = values[reused] if reused is not None else scratch.take(_sized(shape, rows), kind)
                call(*given, out=target, **_sized(settings, rows)) if settings else call(*given, out=target)
                values[out] = target
                own.add(out)
                if reused is not None:
                    own.discard(reused)
            elif rule:
                values[out] = call(
                    *given, **_sized(settings, rows), **({"kept": kept[inputs[1].index]} if keeps else {})
                )
            elif keeps:
                values[out], kept[out] = call(*given, **_sized(settings, rows))
            else:
                values[out] = call(*given, **_sized(settings, rows)) if settings else call(*given)
            if not into and (values[out].base is not None or any(values[out] is x for x in given)):
                own -= {i.index for i in inputs if type(i) is Ref}  # a view: what it looks at is not given away
            for index in dying:
                gone = values.pop(index)
                if index in own:
                    own.discard(index)
                    scratch.give(gone)
                kept.pop(index, None)
        values[-1] = own
        return values

    def denominator(self) -> Plan:
        """The same plan for the share alone: what has to be known before the blocks run."""
        alone = object.__new__(Plan)
        alone.names, alone.leaves, alone.shapes, alone.kinds = self.names, self.leaves, self.shapes, self.kinds
        assert self.share is not None
        alone.value, alone.share, alone.gradients = self.share, None, [None] * self.leaves
        alone.steps = alone._needed(self.steps)
        alone.last_use = alone._lives()
        alone.program = [_instruction(step, self.shapes, self.kinds) for step in alone.steps]
        return alone

    def __str__(self) -> str:
        names = dict(enumerate(self.names))
        lines: list[str] = []
        for step in self.steps:
            names[step.out] = f"t{len(lines)}"
            args = [names[i.index] if isinstance(i, Ref) else _plainly(i) for i in step.inputs]
            args += [f"{k}={_plainly(v)}" for k, v in step.settings.items()]
            what = f"{step.op.name}'" if step.rule is not None else step.op.name
            lines.append(f"{names[step.out]:>4} = {what}({', '.join(args)})")
        lines.append(
            f"     loss = {_spell(self.value, names)}" + (f", share {_spell(self.share, names)}" if self.share else "")
        )
        for name, sym in zip(self.names, self.gradients, strict=True):
            if sym is not None:
                lines.append(f"     d/d{name} = {_spell(sym, names)}")
        return "\n".join(lines)


def _instruction(step: Step, shapes: list[Any], kinds: list[Any]) -> tuple[Any, ...]:
    op = step.op
    rule = step.rule is not None
    call = (op.rules or ())[step.rule] if step.rule is not None else op.forward
    into = op.into and not rule and kinds[step.out].kind in "fb"
    return call, step.inputs, step.settings, step.out, into, shapes[step.out], kinds[step.out], op.keeps, rule


def _sized(setting: Any, rows: int) -> Any:
    """A setting for this many rows."""
    if isinstance(setting, Rows):
        return setting.factor * rows
    if isinstance(setting, tuple):
        return tuple([_sized(x, rows) for x in setting])
    if isinstance(setting, dict):
        return {k: _sized(v, rows) for k, v in setting.items()}
    return setting


def _plainly(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return repr(value.item()) if value.ndim == 0 else f"array{value.shape}"
    return repr(value)


def _spell(sym: Sym, names: dict[int, str]) -> str:
    factor = [] if sym.factor == 1.0 and (sym.ref is not None or sym.seeded) else [f"{sym.factor:g}"]
    return " * ".join([*factor, *(["g"] if sym.seeded else []), *([names[sym.ref]] if sym.ref is not None else [])])


def total(value: Any) -> float:
    """The sum of a block's values: pairwise, so that float32 loses less than its last digit."""
    if value.dtype.itemsize == 4 and value.flags.c_contiguous:
        return float(np.add.reduce(value, axis=None))
    return float(accurate_sum(value.astype(np.float64, copy=False)))


def plain(sym: Sym, values: dict[int, Any], like: Array) -> Any:
    """A value of a plan as an array like ``like``."""
    if sym.ref is None:
        return np.full(like.shape, sym.factor, like.dtype)
    x = values[sym.ref]
    return x if sym.factor == 1.0 else x * x.dtype.type(sym.factor)


def scaled(sym: Sym, values: dict[int, Any], factor: float, like: Array, out: Array | None = None) -> Array:
    """A gradient of a plan, times the reduction's factor, written into ``out``."""
    by = np.asarray(sym.factor * (factor if sym.seeded else 1.0), like.dtype)
    out = np.empty(like.shape, like.dtype) if out is None else out
    if sym.ref is None:
        out[...] = by
    else:
        np.multiply(values[sym.ref], by, out=out, casting="same_kind")
    return out
