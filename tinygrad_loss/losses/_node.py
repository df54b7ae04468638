"""What the tape asks of a loss: one node, with a tape of its own inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backward import UNITS
from ..modes import Scope, State, get_state, reset_state, set_state
from ..ops.elementwise import alias
from ..primitive import Value, result
from ..quiet import QUIET, reports, set_reports
from ..tape import Tensor
from ..walk import path_to, walk
from ..writes import next_birth
from ._evaluation import evaluate, leaf_of, times_upstream, uses_others
from ._signature import Declaration
from .combine import Combinable

_LARGE = 1024  # elements: a gradient that is worth not being copied


class LossNode(Combinable):
    """The operation of a loss's tape node; it has what the walk asks for: ``name``, ``rules``, ``pull``."""

    rules: tuple[Any, ...] = ()
    flat = False
    saves = True
    name: str

    def __init__(self, formula: Callable[..., Any], declaration: Declaration, mixes: bool) -> None:
        self.formula = formula
        self.declaration = declaration
        self.mixes = mixes

    def run_formula(self, args: tuple[Any, ...], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        binding = call[0]
        if binding.composed and state.recording:
            return self._on_inner_tape(args, call, True, state)
        leaves = [leaf_of(a, need) for a in args]
        start = next_birth()
        inner = self._on_inner_tape(leaves, call, need or binding.composed is None, state)
        if binding.composed is None and state.recording:
            binding.composed = uses_others(inner, leaves, start)
            if binding.composed:  # what the formula closes over gets its gradients on the outer tape
                return self._on_inner_tape(args, call, True, state)
        settings = {"inner": inner, "leaves": leaves, "call": call}
        return result(self, inner.array, need and inner.needs_grad, args, settings, False)

    def _on_inner_tape(self, leaves: Sequence[Any], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        token = set_state(State(need, Scope(self.name, None), state.watch))
        try:
            return evaluate(self, leaves, *call)
        finally:
            reset_state(token)

    def pull(self, tensor: Tensor, g: Value, taped: bool) -> list[Value]:
        """The gradients for all arguments: the kernel's, by the inner tape, or, taped, by the formula run on the
        outer tape."""
        settings: dict[str, Any] = tensor.settings or {}
        args = tensor.args or ()
        if taped:
            return self._pull_taped(args, settings["call"], g)
        gradients: list[Value] | None = settings.get("gradients")
        if gradients is None and "inner" not in settings:
            gradients = self._again(args, settings["call"])
        if gradients is None:
            found = walk([settings["inner"]], [g])
            if len(found) > len(settings["leaves"]):
                raise RuntimeError(
                    f"{self.name}: its formula used a tensor that requires grad and is none of its arguments, and did "
                    "not in its first call; declare it as an argument of the formula"
                )
            return [found.get(leaf) if isinstance(leaf, Tensor) else None for leaf in settings["leaves"]]
        if g is UNITS.get(tensor.array.dtype):
            if args[0].array.size >= _LARGE:
                settings.pop("gradients", None)  # handed over without a copy; a second backward computes them again
            return gradients
        return [
            None if d is None else times_upstream(d, g, a.array.dtype) for a, d in zip(args, gradients, strict=True)
        ]

    def at_once(self, raw: Any, binding: Any, options: dict[str, Any], needs: Any, reduction: str) -> Any:
        """(value, gradients) without a tape, or None."""
        raise NotImplementedError

    def _again(self, args: tuple[Any, ...], call: tuple[Any, ...]) -> list[Value]:
        """The gradients that a first backward was given."""
        binding, options, reduction, _ = call
        raw = [a.array if isinstance(a, Tensor) else a for a in args]
        needs = [isinstance(a, Tensor) and a.needs_grad for a in args]
        before = reports()
        try:
            set_reports(QUIET)
            gradients: list[Value] = self.at_once(raw, binding, options, needs, reduction)[1]
        finally:
            set_reports(before)
        return gradients

    def opened(self, tensor: Tensor) -> tuple[Tensor, list[Any]]:
        """The inner tape of a node that this loss made: its result, and a leaf for each argument that is a Tensor.

        A node made by a kernel runs its formula for it. Raises RuntimeError when a backward has freed the node.
        """
        if tensor.op is not self or tensor.args is None:
            raise RuntimeError(
                f"{self.name}: opened() got a tensor that is no node of this loss, or one that was freed"
            )
        settings: dict[str, Any] = tensor.settings or {}
        if "inner" in settings:
            return settings["inner"], settings["leaves"]
        leaves = [leaf_of(a, True) for a in tensor.args]
        return self._on_inner_tape(leaves, settings["call"], True, get_state()), leaves

    def _pull_taped(self, args: tuple[Any, ...], call: tuple[Any, ...], g: Value) -> list[Value]:
        copies = [alias(a) if isinstance(a, Tensor) else a for a in args]
        wanted = {c for c in copies if isinstance(c, Tensor) and c.needs_grad}
        value = evaluate(self, copies, *call)
        found = walk([value], [g], taped=True, only=path_to([value], list(wanted)), capture=wanted)
        return [found.get(c) if isinstance(c, Tensor) else None for c in copies]
