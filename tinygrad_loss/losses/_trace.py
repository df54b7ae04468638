"""A formula and its gradient, run once on a few rows and written down: every operation, in order.

The gradient is the taped one (rules run on tensors), so it consists of primitives as well. Only the rule of an
operation that keeps something for it (log_softmax) stays whole, because what is kept makes it cheap.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..coercion import cast
from ..dtypes import Array, promote
from ..modes import Scope, State, reset_state, set_state
from ..primitive import Primitive
from ..tape import Tensor
from ..tracing import listeners
from ..walk import fit
from ..writes import next_birth
from ._reductions import Terms


class Unplannable(Exception):
    """This formula cannot be written down; it is run anew each time."""


class Ref:
    """The place of a value in a recording."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.index == self.index

    def __hash__(self) -> int:
        return hash(("Ref", self.index))

    def __repr__(self) -> str:
        return f"%{self.index}"


class Step:
    """One operation: ``inputs`` are Refs and constants. ``rule``: it is the gradient rule of that argument of a
    ``kept`` operation, called with (gradient, result, arguments...)."""

    __slots__ = ("inputs", "op", "out", "rule", "settings")

    def __init__(
        self, op: Primitive, inputs: tuple[Any, ...], settings: dict[str, Any], out: int, rule: int | None
    ) -> None:
        self.op, self.inputs, self.settings, self.out, self.rule = op, inputs, settings, out, rule


class Recording:
    """The steps for some rows, where the results are, and a sample of every value."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self.thread = get_ident()
        self.tensors: list[Tensor] = []  # by index; kept alive, so that no id is used twice
        self.places: dict[int, int] = {}  # id of a tensor, and of its array, to its index
        self.casts: dict[tuple[int, Any], int] = {}
        self.steps: list[Step] = []
        self.forward: list[Tensor] = []  # the results on the tape, in order
        self.value: Any = None
        self.scale: Any = None
        self.share: Any = None
        self.gradients: list[Any] = []
        for leaf in leaves:
            self._place(leaf if isinstance(leaf, Tensor) else Tensor(np.empty(0)))

    def seed(self, value: Tensor) -> Tensor:
        """Ones: the gradient of a sum, to be multiplied by the reduction's factor at the end."""
        ones = Tensor(np.ones(value.shape, value.array.dtype))
        self.steps.append(Step(SEED, (), {}, self._place(ones), None))
        return ones

    def _place(self, tensor: Tensor) -> int:
        index = len(self.tensors)
        self.tensors.append(tensor)
        self.places[id(tensor)] = index
        self.places.setdefault(id(tensor.array), index)
        return index

    # what the engine calls

    def __call__(self, out: Tensor) -> None:
        self.step(out.op, out.args or (), out.settings or {}, out)
        self.forward.append(out)

    def read(self) -> None:
        raise Unplannable("it looks at a value")

    def step(self, op: Any, args: tuple[Any, ...], settings: dict[str, Any], out: Tensor) -> None:
        if not isinstance(op, Primitive):
            raise Unplannable(f"it calls {op.name}")
        raw = [a.array if isinstance(a, Tensor) else a for a in args]
        cast_to = self._casts(op, raw)
        inputs = tuple(self._input(a, c, r) for a, c, r in zip(args, cast_to, raw, strict=True))
        settings = {name: value for name, value in settings.items() if name != "kept"}
        if any(isinstance(v, Tensor) for v in settings.values()):
            raise Unplannable(f"{op.name} has a tensor among its settings")
        self.steps.append(Step(op, inputs, settings, self._place(out), None))

    def pull_step(self, op: Primitive, argument: int, g: Tensor, y: Tensor, args: tuple[Any, ...], out: Tensor) -> None:
        settings = {n: v for n, v in (y.settings or {}).items() if n != "kept"}
        inputs = tuple(self._input(a, None, None) for a in (g, y, *args))
        self.steps.append(Step(op, inputs, settings, self._place(out), argument))

    def _casts(self, op: Primitive, raw: list[Any]) -> list[Any]:
        """The values as the operation gets them, where it casts them first; else None."""
        arrays = [x for x in raw if isinstance(x, np.ndarray)]
        if len(raw) == 1 and arrays:
            new = promote((raw[0],), True) if op.floats and raw[0].dtype.kind != "f" else (raw[0],)
        elif op.promotes and arrays and (len({x.dtype for x in arrays}) > 1 or arrays[0].dtype.kind != "f"):
            new = cast(op.name, tuple(raw), op.floats)
        else:
            new = tuple(raw)
        changed = [a is not b and isinstance(a, np.ndarray) for a, b in zip(new, raw, strict=True)]
        return [x if c else None for x, c in zip(new, changed, strict=True)]

    def _input(self, given: Any, changed: Any, raw: Any) -> Any:
        if not isinstance(given, Tensor):
            return given if changed is None else changed
        index = self.places.get(id(given), self.places.get(id(given.array)))
        if index is None:
            index = self._constant(given)
        if changed is None or changed.dtype == given.array.dtype:
            return Ref(index)
        key = (index, changed.dtype)
        known = self.casts.get(key)
        if known is None:
            known = self.casts[key] = self._place(Tensor(changed))
            self.steps.append(Step(CAST, (Ref(index),), {"kind": changed.dtype}, known, None))
        return Ref(known)

    def _constant(self, tensor: Tensor) -> int:
        """A tensor that the formula made itself: all of it one number, or not to be written down."""
        array = tensor.array
        if array.size == 0 or not (array == array.flat[0]).all():
            raise Unplannable("it makes an array of its own")
        index = self._place(tensor)
        self.steps.append(Step(UNIFORM, (), {"value": array.flat[0], "shape": array.shape}, index, None))
        return index


def _own(name: str, forward: Any) -> Primitive:
    """An operation that only plans have."""
    flags: dict[str, Any] = {"floats": False, "promotes": False, "saves": False, "keeps": False}
    return Primitive(name, forward, (), **flags, index_name=None, grad_name=None)


CAST = _own("cast", lambda x, *, kind: x.astype(kind))
UNIFORM = _own("uniform", lambda *, value, shape: np.broadcast_to(value, shape))
SEED = _own("seed", None)


def record(formula: Any, arrays: Sequence[Array | None], needs: Sequence[bool], mean: bool) -> Recording:
    """Write down ``formula`` (tensors to Terms) on these arrays, with the gradient of the sum of its values.

    With ``mean``, the values are multiplied by Terms.scale. Raises Unplannable.
    """
    leaves: list[Any] = []
    for x, need in zip(arrays, needs, strict=True):
        leaf = None if x is None else Tensor(np.array(x))
        if leaf is not None:
            leaf.needs_grad = need
        leaves.append(leaf)
    recording = Recording(leaves)
    start = next_birth()
    token = set_state(State(True, Scope("plan", None), recording))
    listeners.append(recording)
    try:
        terms: Terms = formula(leaves)
        if terms.finish is not None or terms.alone is not None:
            raise Unplannable("it changes the reduced value")
        if terms.share is not None and terms.share.needs_grad:
            raise Unplannable("its denominator has a gradient")
        value = terms.value * terms.scale if mean and terms.scale is not None else terms.value
        recording.value, recording.share = value, terms.share
        recording.gradients = _pull(recording, value, leaves, start)
    finally:
        listeners.remove(recording)
        reset_state(token)
    return recording


def _pull(recording: Recording, value: Tensor, leaves: list[Any], start: int) -> list[Any]:
    """The gradient of sum(value) by each leaf, None where none is needed."""
    found: dict[int, Any] = {id(value): recording.seed(value)} if value.needs_grad else {}
    for tensor in reversed(recording.forward[:]):
        g = found.pop(id(tensor), None)
        if g is None:
            continue
        op, args = tensor.op, tensor.args or ()
        if op.keeps:
            steps = [_whole_rule(recording, tensor, i, a, g) for i, a in enumerate(args)]
        else:
            steps = op.pull(tensor, g, True)
        for a, d in zip(args, steps, strict=False):
            if d is None or not (isinstance(a, Tensor) and a.needs_grad):
                continue
            if (a.op is None and not any(a is leaf for leaf in leaves)) or (a.birth and a.birth < start):
                raise Unplannable("it uses tensors that are none of its arguments")
            d = fit(d, a, op.name)
            found[id(a)] = found[id(a)] + d if id(a) in found else d
    return [found.get(id(leaf)) if leaf is not None and leaf.needs_grad else None for leaf in leaves]


def _whole_rule(recording: Recording, y: Tensor, argument: int, a: Any, g: Tensor) -> Tensor | None:
    rule = (y.op.rules or ())[argument]
    if rule is None or not (isinstance(a, Tensor) and a.needs_grad):
        return None
    args = y.args or ()
    raw = [x.array if isinstance(x, Tensor) else x for x in args]
    out = Tensor(np.asarray(rule(g.array, y.array, *raw, **(y.settings or {}))))
    recording.pull_step(y.op, argument, g, y, args, out)
    return out
