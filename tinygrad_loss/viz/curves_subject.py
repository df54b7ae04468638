"""A criterion to plot: what its declaration says about its arguments, and the loss of one example."""

from __future__ import annotations

import copy
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..creation import as_tensor
from ..losses._domains import Real, Spec
from ..losses._loss import Loss
from ..losses._module import LossModule
from ..losses._signature import Argument
from ..losses.combine import WeightedSum
from ..module import Module
from ..tape import Tensor


class Subject:
    """``arguments``: the arrays that a call needs. ``fixed``: what ``at`` says of those, or of optional arrays and
    options. ``batched``: one call gives the losses of many examples; else each takes a call of its own.
    """

    loss: Loss | None = None  # that declares the arguments
    batched = False

    def __init__(self, name: str, arguments: Sequence[Argument]) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.options: dict[str, Any] = {}
        self.fixed: dict[str, Any] = {}
        self.call: Callable[[dict[str, Any]], Any]

    @property
    def names(self) -> list[str]:
        return [a.name for a in self.arguments]

    def option(self, name: str, default: Any = None) -> Any:
        return self.options.get(name, default)

    def __call__(self, arrays: Mapping[str, Any], count: int) -> Tensor:
        """The losses of ``count`` examples, what belongs to one example summed: of one, unless ``batched``."""
        made = self.call(self._extended(arrays))
        if not isinstance(made, Tensor):
            raise TypeError(f"plot_loss: {self.name} returned {type(made).__name__}; a loss returns a Tensor")
        if made.array.ndim == 1 and len(made.array) == count:
            return made
        summed: Tensor = made.reshape(count if self.batched else 1, -1).sum(1)
        return summed

    def _extended(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """With what ``at`` fixes: a number stands for all elements."""
        shape = next(iter(arrays.values())).shape
        found = dict(arrays)
        declared = [] if self.loss is None else self.loss.declaration.arguments
        indices = {a.name for a in declared if a.specs[0].domain.integers}
        for name, value in self.fixed.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if self.loss is not None and name in self.loss.declaration.options:
                found[name] = value
            elif number and name in indices and name not in arrays:
                found[name] = Tensor(np.full(shape[:1], int(value)))
            elif number and name in arrays:
                found[name] = Tensor(np.full(arrays[name].shape, value, arrays[name].array.dtype))
            else:
                found[name] = Tensor(np.full(shape, float(value))) if number else as_tensor(value)
        return found


def read(criterion: Any, at: Mapping[str, Any] | None = None, like: Any = None) -> Subject:
    """The subject for a declared loss, its module, a weighted sum of them, or any function or module.

    Raises TypeError for what cannot be called, and for a name in ``at`` that is no argument.
    """
    if not callable(criterion):
        raise TypeError(f"plot_loss: expected a loss (a function or a module), got {type(criterion).__name__}")
    name = name_of(criterion)
    if isinstance(criterion, WeightedSum):
        subject = _read_sum(criterion, name, like)
    else:
        subject = _read_declared(criterion, name) or _read_plain(criterion, name, like)
    d = None if subject.loss is None else subject.loss.declaration
    known = [*subject.names] if d is None or isinstance(criterion, WeightedSum) else [*d.arrays, *d.options]
    for key, value in (at or {}).items():
        if key not in known or (isinstance(criterion, Module) and key not in subject.names and key in subject.options):
            hint = f"; make it {type(criterion).__name__}({key}=...)" if key in known else f"; expected {known}"
            raise TypeError(f"plot_loss: at: {subject.name} takes no array {key!r}{hint}")
        subject.fixed[key] = value
        if d is not None and key in d.options:
            subject.options[key] = value
    return subject


def name_of(criterion: Any) -> str:
    if isinstance(criterion, functools.partial):
        given = [*map(repr, criterion.args), *(f"{k}={v!r}" for k, v in criterion.keywords.items())]
        return f"{name_of(criterion.func)}({', '.join(given)})"
    if isinstance(criterion, LossModule):
        defaults = criterion.loss.declaration.defaults
        own = {n: getattr(criterion, n) for n in (*criterion._options, *criterion._kept)}
        told = [f"{n}={_short(v)}" for n, v in own.items() if isinstance(v, Tensor) or v != defaults.get(n)]
        return f"{type(criterion).__name__}({', '.join(told)})"
    if isinstance(criterion, Module):
        lines = [line.strip() for line in repr(criterion).splitlines()]
        return lines[0] if len(lines) == 1 else type(criterion).__name__
    return str(getattr(criterion, "__name__", type(criterion).__name__)).replace("<lambda>", "loss")


def labels_of(criteria: Sequence[Any]) -> tuple[str, list[str]]:
    """What the criteria share, for the title, and what tells them apart: modules of one class by their options."""
    kinds = {type(c) for c in criteria}
    if len(criteria) > 1 and len(kinds) == 1 and isinstance(criteria[0], LossModule):
        given = [{n: _short(getattr(c, n)) for n in (*c._options, *c._kept)} for c in criteria]
        told = [n for n in given[0] if len({g[n] for g in given}) > 1]
        names = [", ".join(f"{n}={g[n]}" for n in told) for g in given]
        if len(set(names)) == len(names):
            return type(criteria[0]).__name__, names
    return "", [name_of(c) for c in criteria]


def _short(value: Any) -> str:
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value) if not isinstance(value, Tensor) else np.array2string(value.array, precision=3, threshold=6)


def wrapped(text: str, width: int) -> str:
    """In lines of at most this width; "target = 1" stays together."""
    text = re.sub(r" = |: ", lambda sign: sign.group().replace(" ", "\N{NO-BREAK SPACE}"), text)
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _read_declared(criterion: Any, name: str) -> Subject | None:
    """A loss, with options given by ``functools.partial`` or not, or its module. The reduction is left out, so that
    it is the loss of one example that is shown; not where only a batch as a whole has a loss."""
    function, keywords = criterion, {}
    if isinstance(criterion, functools.partial) and not criterion.args:
        function, keywords = criterion.func, dict(criterion.keywords)
    module = function if isinstance(function, LossModule) else None
    loss = function if isinstance(function, Loss) else module.loss if module is not None else None
    if not isinstance(loss, Loss):
        return None
    d = loss.declaration
    whole = d.per == "batch" or (module is not None and type(module).forward is not LossModule.forward)
    own = module._kept if module is not None else ()
    subject = Subject(name, [a for a in d.arguments if not a.optional and a.name not in own])
    subject.loss = loss
    if module is None:
        subject.options = {**d.options, **{k: v for k, v in keywords.items() if k in d.options}}
        keywords = keywords if whole else {**keywords, "reduction": "none"}
        subject.call = lambda arrays: loss(**{**keywords, **arrays})
    else:
        subject.options = {n: getattr(module, n) for n in module._options}
        subject.options |= {n: getattr(module, n) for n in own}
        copied = copy.copy(module)
        if not whole:
            copied.reduction = "none"
        subject.call = lambda arrays: copied(**arrays)
    first = d.arguments[0].specs[0].axes
    subject.batched = not whole and not loss.mixes and bool({"...", "N", "[N]"} & set(first[:1]))
    return subject


def _read_plain(criterion: Any, name: str, like: Any) -> Subject:
    """Anything else that can be called, one example at a time, with its arguments by position."""
    if like is not None:
        model = _read_declared(like, name)
        if model is None:
            raise TypeError(f"plot_loss: like must be a declared loss, such as F.mse_loss, got {name_of(like)}")
        subject = Subject(name, model.arguments)
        subject.loss, subject.options = model.loss, model.options
    else:
        names = _parameters(criterion)
        if not 1 <= len(names) <= 2:
            raise TypeError(
                f"plot_loss: {name} takes {len(names)} arguments; expected (input, target), or one number; or say "
                "whose arguments it takes with like=F.cross_entropy"
            )
        subject = Subject(name, [Argument(n, (Spec(Real, "..."),), False) for n in names])  # type: ignore[arg-type]
    subject.call = lambda arrays: criterion(*arrays.values())
    return subject


def _parameters(criterion: Any) -> list[str]:
    """The names of the arguments that a call needs."""
    try:
        parameters = inspect.signature(criterion.forward if isinstance(criterion, Module) else criterion).parameters
    except (TypeError, ValueError):
        return ["input", "target"]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return ["input", "target"]
    return [p.name for p in parameters.values() if p.default is p.empty and p.kind < p.VAR_POSITIONAL]


def _read_sum(criterion: WeightedSum, name: str, like: Any) -> Subject:
    """The parts take the same arguments; what they are is said by the first part that was declared."""
    parts = [read(part, None, like) for part in criterion._functions]
    model = next((p for p in parts if p.loss is not None), parts[0])
    subject = Subject(name, model.arguments)
    subject.loss, subject.options = model.loss, model.options
    subject.batched = all(p.batched for p in parts)

    def call(arrays: dict[str, Any]) -> Tensor:
        count = len(next(iter(arrays.values()))) if subject.batched else 1
        total: Any = None
        for part, weight in zip(parts, criterion.weights, strict=True):
            value = part(dict(zip(part.names, arrays.values(), strict=False)), count) * weight
            total = value if total is None else total + value
        result: Tensor = total
        return result

    subject.call = call
    return subject
