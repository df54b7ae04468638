"""Sums of losses: ``0.7 * nn.MSELoss() + 0.3 * nn.L1Loss()``, and one loss for each task of a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..module import Module
from ..ops.elementwise import exp
from ..registry import Parameter
from ..tape import Tensor


class Combinable:
    """What can be multiplied by a number and added: losses, functions and modules alike."""

    def __mul__(self, weight: Any) -> WeightedSum:
        by = _weight(weight)
        return WeightedSum([(part, own * by) for part, own in _terms(self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> WeightedSum:
        return WeightedSum([*_terms(self), *_terms(other)])

    def __radd__(self, other: Any) -> Any:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum([a, b]) starts with 0

    def __truediv__(self, weight: Any) -> WeightedSum:
        return Combinable.__mul__(self, 1.0 / _weight(weight))

    def __neg__(self) -> WeightedSum:
        return Combinable.__mul__(self, -1.0)

    def __sub__(self, other: Any) -> WeightedSum:
        return WeightedSum([*_terms(self), *((part, -own) for part, own in _terms(other))])


class WeightedSum(Combinable, Module):
    """A sum of losses of the same arguments, each times its weight; made by ``a * 0.7 + b * 0.3``.

    Called as its parts are; keyword arguments go to all of them. Raises TypeError for a part that cannot be called.

    >>> criterion = 0.7 * nn.MSELoss() + 0.3 * nn.L1Loss()
    >>> criterion(tensor([1., 4.]), tensor([0., 2.]))
    tensor(2.2000)
    >>> criterion
    0.7 * MSELoss() + 0.3 * L1Loss()
    """

    def __init__(self, terms: Sequence[tuple[Any, Any]]) -> None:
        super().__init__()
        self.weights: list[Any] = []
        self._functions: list[Any] = []
        for index, (part, weight) in enumerate(terms):
            if not callable(part):
                raise TypeError(f"WeightedSum: part {index} is {part!r}; expected a loss")
            if isinstance(part, Module):
                self.add_module(str(index), part)
            self._functions.append(part)
            self.weights.append(weight)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        total: Any = None
        for part, weight in zip(self._functions, self.weights, strict=True):
            value = part(*args, **kwargs)
            value = value if weight == 1.0 else value * weight
            total = value if total is None else total + value
        result: Tensor = total
        return result

    def __repr__(self) -> str:
        parts = zip(self.weights, self._functions, strict=True)
        shown = [f"{_spell(p)}" if w == 1.0 else f"{w:g} * {_spell(p)}" for w, p in parts]
        return " + ".join(shown).replace("+ -", "- ")


class MultiTaskLoss(Module):
    """One loss for each task, by name; the total is their weighted sum.

    ``forward(outputs, targets)`` takes a mapping of the tasks' outputs (a Tensor, or a tuple of arguments) and one of
    targets. ``parts`` holds each task's own loss of the last call, detached, for display. Raises ValueError for tasks
    and weights that do not agree, KeyError for a task without output or target.

    >>> criterion = nn.MultiTaskLoss({"kind": nn.CrossEntropyLoss(), "size": nn.L1Loss()}, weights={"size": 0.5})
    >>> criterion({"kind": zeros(1, 2), "size": tensor([3.])}, {"kind": tensor([0]), "size": tensor([1.])})
    tensor(1.6931)
    >>> criterion.parts
    {'kind': tensor(0.6931), 'size': tensor(2.)}
    """

    def __init__(self, losses: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        unknown = set(weights or ()) - set(losses)
        if not losses or unknown:
            what = f"weights name {sorted(unknown)}" if unknown else "no task"
            raise ValueError(f"MultiTaskLoss: {what}; expected some of the tasks {sorted(losses)}")
        self.tasks: dict[str, Any] = {}
        self.weights = {name: _weight((weights or {}).get(name, 1.0)) for name in losses}
        self.parts: dict[str, Tensor] = {}
        for name, part in losses.items():
            if not callable(part):
                raise TypeError(f"MultiTaskLoss: the loss of task {name!r} is {part!r}; expected a loss")
            if isinstance(part, Module):
                self.add_module(name, part)
            self.tasks[name] = part

    def forward(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> Tensor:
        for what, given in (("outputs", outputs), ("targets", targets)):
            missing, more = sorted(self.tasks.keys() - given.keys()), sorted(given.keys() - self.tasks.keys())
            if missing or more:
                wrong = f"no {missing[0]!r}" if missing else f"an unknown task {more[0]!r}"
                raise KeyError(f"MultiTaskLoss: {what} has {wrong}; expected {sorted(self.tasks)}")
        values = {}
        for name, part in self.tasks.items():
            output = outputs[name]
            values[name] = part(*(output if isinstance(output, tuple) else (output,)), targets[name])
        self.parts = {name: value.detach() for name, value in values.items()}
        return self.total(values)

    def total(self, values: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the tasks' losses."""
        result: Any = None
        for name, value in values.items():
            weighted = value if self.weights[name] == 1.0 else value * self.weights[name]
            result = weighted if result is None else result + weighted
        total: Tensor = result
        return total

    def extra_repr(self) -> str:
        return f"weights={self.weights}"


class UncertaintyWeightedLoss(MultiTaskLoss):
    """Several tasks whose weights are learned: the sum of exp(-s) * loss + s, with a parameter s for each task.

    exp(-s) is the precision of a task; give the parameters to the optimizer. Source: Kendall, Gal and Cipolla,
    "Multi-task learning using uncertainty", 2018 (with s = log of the squared uncertainty, up to a factor 2).

    >>> criterion = nn.UncertaintyWeightedLoss({"a": nn.MSELoss(), "b": nn.L1Loss()})
    >>> criterion({"a": tensor([2.]), "b": tensor([1.])}, {"a": tensor([0.]), "b": tensor([0.])})
    tensor(5., grad_fn=<AddBackward0>)
    >>> [name for name, _ in criterion.named_parameters()]
    ['log_variance']
    """

    def __init__(self, losses: Mapping[str, Any]) -> None:
        super().__init__(losses)
        self.log_variance = Parameter(Tensor(np.zeros(len(losses), np.float32)))

    def total(self, values: Mapping[str, Tensor]) -> Tensor:
        result: Any = None
        for s, value in zip(self.log_variance, values.values(), strict=True):
            term = exp(-s) * value + s
            result = term if result is None else result + term
        total: Tensor = result
        return total

    def extra_repr(self) -> str:
        return ""


def _weight(value: Any) -> Any:
    """A finite number, or a 0-d Tensor, which may be learned."""
    if isinstance(value, Tensor) and value.array.ndim == 0:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"a loss is multiplied by a number or a 0-d Tensor, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"a loss is multiplied by {value}; expected a finite number")
    return float(value)


def _terms(other: Any) -> list[tuple[Any, Any]]:
    """(loss, weight) of each part."""
    if isinstance(other, WeightedSum):
        return list(zip(other._functions, other.weights, strict=True))
    if not callable(other):
        raise TypeError(f"to a loss only a loss can be added, got {type(other).__name__}; add numbers to its result")
    return [(other, 1.0)]


def _spell(part: Callable[..., Any]) -> str:
    return repr(part) if isinstance(part, Module) else str(getattr(part, "__name__", "f"))
