"""From two recordings of a formula to a short list of steps for any number of rows.

Two recordings, of different rows, must agree step by step; where a setting is the number of rows in both, it
becomes the number of rows. Then everything that follows from the incoming gradient being one number is folded:
ones disappear, constant factors and signs are gathered and applied once, at the end, together with 1 / N.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import PRIMITIVES, Primitive
from ._trace import SEED, UNIFORM, Recording, Ref, Step, Unplannable


class Rows:
    """The number of rows of a block, times ``factor``, in a setting."""

    __slots__ = ("factor",)

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and other.factor == self.factor

    def __hash__(self) -> int:
        return hash(("Rows", self.factor))

    def __repr__(self) -> str:
        return "rows" if self.factor == 1 else f"{self.factor}*rows"


def unify(a: Any, b: Any, rows_a: int, rows_b: int) -> Any:
    """What a setting or constant is for any number of rows."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if (
            type(a) is type(b)
            and a.shape == b.shape
            and a.dtype == b.dtype
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        ):
            return a
        raise Unplannable("an array among its settings differs from rows to rows")
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(unify(x, y, rows_a, rows_b) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {k: unify(a[k], b[k], rows_a, rows_b) for k in a}
    if type(a) is type(b) and (a is b or a == b or (a != a and b != b)):
        return a
    if type(a) is type(b) is int and a % rows_a == 0 and a // rows_a * rows_b == b:
        return Rows(a // rows_a)
    raise Unplannable("a setting differs from rows to rows")


def agree(first: Recording, second: Recording, rows_a: int, rows_b: int) -> list[Step]:
    """The steps that both recordings have in common, which must be all."""
    if len(first.steps) != len(second.steps):
        raise Unplannable("it takes different steps for different rows")
    steps = []
    for a, b in zip(first.steps, second.steps, strict=True):
        if a.op is not b.op or a.out != b.out or a.rule != b.rule:
            raise Unplannable("it takes different steps for different rows")
        inputs, settings = unify(a.inputs, b.inputs, rows_a, rows_b), unify(a.settings, b.settings, rows_a, rows_b)
        steps.append(Step(a.op, inputs, settings, a.out, a.rule))
    return steps


class Sym:
    """A value as ``factor * [seed] * ref``; ``ref`` None: the same number everywhere."""

    __slots__ = ("factor", "ref", "seeded")

    def __init__(self, ref: int | None, factor: float = 1.0, seeded: bool = False) -> None:
        self.ref, self.factor, self.seeded = ref, factor, seeded


_LINEAR = ("spread", "broadcast_to", "view", "reshape", "expand", "transpose", "permute", "alias")
_KEEPS_FACTOR = (*_LINEAR, "sum", "sum_to_size")


class Folder:
    """Rewrites steps one by one; ``out`` is the folded list."""

    def __init__(self, first: Recording, second: Recording, rows_a: int, rows_b: int) -> None:
        pairs = zip(first.tensors, second.tensors, strict=True)
        self.shapes = [unify(a.array.shape, b.array.shape, rows_a, rows_b) for a, b in pairs]  # for any number of rows
        self.shape = [t.array.shape for t in first.tensors]  # of the sample, to be compared
        self.kind = [t.array.dtype for t in first.tensors]
        self.values: dict[int, Sym] = {}
        self.known: dict[Any, int] = {}  # equal steps are taken once
        self.out: list[Step] = []
        for step in agree(first, second, rows_a, rows_b):
            self.values[step.out] = self._fold(step)

    def sym(self, given: Any) -> Sym:
        if isinstance(given, Ref):
            return self.values.get(given.index) or Sym(given.index)
        return Sym(None, float(given))

    def _emit(
        self, op: Primitive, inputs: tuple[Any, ...], settings: dict[str, Any], like: int, rule: int | None = None
    ) -> int:
        """Add a step, or find the one that computed the same; ``like``: the recorded value it stands for."""
        try:
            key: Any = (op.name, tuple(_key(i) for i in inputs), _key(settings), rule)
            found = self.known.get(key)
        except TypeError:
            key = found = None
        if found is not None:
            return found
        index = len(self.shape)
        self.shapes.append(self.shapes[like])
        self.shape.append(self.shape[like])
        self.kind.append(self.kind[like])
        self.out.append(Step(op, inputs, settings, index, rule))
        if key is not None:
            self.known[key] = index
        return index

    def _plain(self, given: Any, like: int | None = None) -> Any:
        """An input of a step that is not folded: a Ref or a constant, its factor multiplied in."""
        if not isinstance(given, Ref):
            return given
        sym = self.sym(given)
        if sym.seeded:
            raise Unplannable("its gradient passes a step that is not linear in it")
        if sym.ref is None:
            if self.shape[given.index] == ():
                return np.asarray(sym.factor, self.kind[given.index])
            return self._uniform(sym.factor, given)
        if sym.factor == 1.0:
            return Ref(sym.ref)
        factor = np.asarray(sym.factor, self.kind[given.index])
        return Ref(self._emit(PRIMITIVES["mul"], (Ref(sym.ref), factor), {}, given.index))

    def _uniform(self, value: float, like: Ref) -> Ref:
        """The same number everywhere, as an array of the shape of ``like``."""
        at = like.index
        settings = {"value": np.asarray(value, self.kind[at]), "shape": self.shapes[at]}
        return Ref(self._emit(UNIFORM, (), settings, at))

    def _fold(self, step: Step) -> Sym:
        name, inputs = step.op.name, step.inputs
        if step.op is SEED:
            return Sym(None, 1.0, True)
        if step.op is UNIFORM:
            return Sym(None, float(step.settings["value"])) if self.kind[step.out].kind == "f" else self._keep(step)
        syms = [self.sym(i) if _numeric(i) else None for i in inputs]
        if step.rule is not None:
            return self._whole_rule(step)
        if name == "zeros_like_":
            return Sym(None, 0.0)
        seeded = [s is not None and s.seeded for s in syms]
        uniform = [s is not None and s.ref is None for s in syms]
        if name == "mul" and len(syms) == 2 and (any(seeded) or any(uniform)):
            return self._mul(step, syms[0], syms[1])  # type: ignore[arg-type]
        if not any(seeded):
            if name in _LINEAR and uniform[0] and syms[0] is not None:
                return Sym(None, syms[0].factor)
            return self._keep(step)
        first = syms[0]
        if name == "neg" and first is not None:
            return Sym(first.ref, -first.factor, True)
        if name == "div" and seeded[0] and not seeded[1] and first is not None:
            return Sym(
                self._emit(step.op, (self._base(inputs[0]), self._plain(inputs[1])), {}, step.out), first.factor, True
            )
        if name == "times_log" and sum(seeded) == 1:  # a product
            at = seeded.index(True)
            parts = [self._base(inputs[i]) if i == at else self._plain(inputs[i]) for i in (0, 1)]
            return Sym(self._emit(step.op, tuple(parts), {}, step.out), syms[at].factor, True)  # type: ignore[union-attr]
        if name in ("add", "sub") and all(seeded):
            return self._add(step, syms[0], syms[1], -1.0 if name == "sub" else 1.0)  # type: ignore[arg-type]
        if name in _LINEAR and uniform[0] and first is not None:
            return Sym(None, first.factor, True)
        if name in _KEEPS_FACTOR and first is not None:
            return Sym(
                self._emit(step.op, (self._full(inputs[0]), *map(self._plain, inputs[1:])), step.settings, step.out),
                first.factor,
                True,
            )
        kind = step.settings.get("kind", step.settings.get("dtype"))  # of a plan's own cast; of a formula's
        if name == "cast" and first is not None and kind is not None and kind.kind == "f":
            if uniform[0]:
                return Sym(None, first.factor, True)
            return Sym(self._emit(step.op, (Ref(first.ref or 0),), step.settings, step.out), first.factor, True)
        raise Unplannable(f"its gradient passes {name}")

    def _keep(self, step: Step) -> Sym:
        return Sym(self._emit(step.op, tuple(map(self._plain, step.inputs)), step.settings, step.out))

    def _base(self, given: Ref) -> Any:
        """What a seeded value is a multiple of: a Ref, or 1."""
        sym = self.sym(given)
        return np.asarray(1.0, self.kind[given.index]) if sym.ref is None else Ref(sym.ref)

    def _full(self, given: Ref) -> Any:
        """The same at its full shape, and no bool: sums of those would count in integers."""
        sym = self.sym(given)
        if sym.ref is None:
            return self._uniform(1.0, given)
        if self.kind[sym.ref].kind == "b" or self.shape[sym.ref] != self.shape[given.index]:
            raise Unplannable("it sums a condition")
        return Ref(sym.ref)

    def _whole_rule(self, step: Step) -> Sym:
        g = self.sym(step.inputs[0])
        if not g.seeded:
            raise Unplannable("a rule without a gradient")
        inputs = (self._full(step.inputs[0]), *map(self._plain, step.inputs[1:]))
        return Sym(self._emit(step.op, inputs, step.settings, step.out, step.rule), g.factor, True)

    def _mul(self, step: Step, a: Sym, b: Sym) -> Sym:
        seeded, shape = a.seeded or b.seeded, self.shape[step.out]
        if a.seeded and b.seeded:
            raise Unplannable("its gradient is squared")
        if a.ref is None and b.ref is None:
            return Sym(None, a.factor * b.factor, seeded)
        if (a.ref is None or b.ref is None) and (seeded or 1.0 in (a.factor if a.ref is None else b.factor,)):
            one = b if a.ref is None else a
            if one.ref is not None and self.shape[one.ref] == shape:
                return Sym(one.ref, a.factor * b.factor, seeded)
        if not seeded:
            return self._keep(step)
        x, y = (self._base(i) if s.seeded else self._plain(i) for i, s in zip(step.inputs, (a, b), strict=True))
        return Sym(self._emit(step.op, (x, y), {}, step.out), (a if a.seeded else b).factor, True)

    def _add(self, step: Step, a: Sym, b: Sym, sign: float) -> Sym:
        if a.ref is None and b.ref is None:
            return Sym(None, a.factor + sign * b.factor, True)
        if a.factor == 0 or b.factor == 0:
            raise Unplannable("a gradient of 0 is added")
        ratio = sign * b.factor / a.factor
        x, y = self._base(step.inputs[0]), self._base(step.inputs[1])
        bools = [isinstance(i, Ref) and self.kind[i.index].kind == "b" for i in (x, y)]
        if abs(ratio) != 1.0 or all(bools):
            y = Ref(self._emit(PRIMITIVES["mul"], (y, np.asarray(abs(ratio), self.kind[step.out])), {}, step.out))
        return Sym(self._emit(PRIMITIVES["sub" if ratio < 0 else "add"], (x, y), {}, step.out), a.factor, True)


def _numeric(given: Any) -> bool:
    return (
        isinstance(given, Ref)
        or (isinstance(given, (int, float)) and not isinstance(given, bool))
        or (isinstance(given, np.ndarray) and given.ndim == 0)
    )


def _key(value: Any) -> Any:
    """A hashable stand-in for a constant or a setting."""
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes()) if value.size < 64 else id(value)
    if isinstance(value, dict):
        return tuple((k, _key(v)) for k, v in sorted(value.items()))
    if isinstance(value, (tuple, list)):
        return tuple(_key(v) for v in value)
    if isinstance(value, float):
        return ("float", repr(value))
    return (type(value).__name__, value)
