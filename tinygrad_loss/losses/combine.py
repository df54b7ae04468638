"""Sums of losses: ``0.7 * nn.MSELoss() + 0.3 * nn.L1Loss()``, and one loss for each task of a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..module import Module
from ..ops.elementwise import exp
from ..registry import Parameter
from ..tape import Tensor


class Factor(NamedTuple):
    """A number times tensors, which may be learned: multiplied in anew at every call."""

    number: float = 1.0
    tensors: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, value: Any) -> Factor:
        """A finite number, or a 0-d Tensor."""
        if isinstance(value, Factor):
            return value
        if isinstance(value, Tensor) and value.array.ndim == 0:
            return cls(1.0, (value,))
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
            shape = f" of shape {tuple(value.shape)}" if isinstance(value, (Tensor, np.ndarray)) else ""
            raise TypeError(f"a loss is multiplied by a number or a 0-d Tensor, got {type(value).__name__}{shape}")
        if not math.isfinite(value):
            raise ValueError(f"a loss is multiplied by {value}; expected a finite number")
        return cls(float(value))

    def times(self, other: Factor) -> Factor:
        return Factor(self.number * other.number, self.tensors + other.tensors)

    def apply(self, value: Any) -> Any:
        value = value if self.number == 1.0 else value * self.number
        for tensor in self.tensors:
            value = value * tensor
        return value

    @property
    def value(self) -> Any:
        """The number, or what a tensor makes of it."""
        return self.apply(1.0) if self.tensors else self.number

    def __str__(self) -> str:
        numbers = [] if self.number == 1.0 else [f"{self.number:g}"]
        return " * ".join([*numbers, *(f"{t.item():.4g}" for t in self.tensors)])


class Combinable:
    """What can be multiplied by a number and added: losses, functions and modules alike."""

    __array_ufunc__ = None  # a NumPy number times a loss is left to the loss

    def __mul__(self, weight: Any) -> WeightedSum:
        by = Factor.of(weight)
        return WeightedSum([(part, own.times(by)) for part, own in _terms(self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> WeightedSum:
        return WeightedSum([*_terms(self), *_terms(other)])

    def __radd__(self, other: Any) -> Any:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum([a, b]) starts with 0

    def __truediv__(self, by: Any) -> WeightedSum:
        divisor = Factor.of(by)
        if divisor.tensors or divisor.number == 0.0:
            raise ValueError(f"a loss is divided by {by}; expected a number other than 0")
        return Combinable.__mul__(self, 1.0 / divisor.number)

    def __neg__(self) -> WeightedSum:
        return Combinable.__mul__(self, -1.0)

    def __sub__(self, other: Any) -> WeightedSum:
        return WeightedSum([*_terms(self), *((part, own.times(Factor(-1.0))) for part, own in _terms(other))])


class WeightedSum(Combinable, Module):
    """A sum of losses of the same arguments, each times its weight; made by ``a * 0.7 + b * 0.3``.

    Called as its parts are; keyword arguments go to all of them. A weight may be a 0-d tensor, also a Parameter, which
    then is one of this module (``criterion * weight``). Raises TypeError for a part that cannot be called.

    >>> criterion = 0.7 * nn.MSELoss() + 0.3 * nn.L1Loss()
    >>> criterion(tensor([1., 4.]), tensor([0., 2.]))
    tensor(2.2000)
    >>> criterion
    0.7 * MSELoss() + 0.3 * L1Loss()
    """

    def __init__(self, terms: Sequence[tuple[Any, Any]]) -> None:
        super().__init__()
        self._functions: list[Any] = []
        self._factors: list[Factor] = []
        if not terms:
            raise ValueError("WeightedSum: no terms; expected at least one (loss, weight)")
        for index, (part, weight) in enumerate(terms):
            _callable(part, f"WeightedSum: part {index}")
            if isinstance(part, Module):
                self.add_module(str(index), part)
            self._functions.append(part)
            self._factors.append(Factor.of(weight))
        learned = [t for weight in self._factors for t in weight.tensors if isinstance(t, Parameter)]
        for number, parameter in enumerate({id(t): t for t in learned}.values()):
            self.register_parameter(f"weight{number}", parameter)

    @property
    def weights(self) -> list[Any]:
        """The weight of each part: a number, or a 0-d tensor."""
        return [factor.value for factor in self._factors]

    @property
    def terms(self) -> list[tuple[Any, Factor]]:
        """(loss, weight) of each part."""
        return list(zip(self._functions, self._factors, strict=True))

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        total: Any = None
        for part, weight in self.terms:
            value = weight.apply(part(*args, **kwargs))
            total = value if total is None else total + value
        result: Tensor = total
        return result

    def __repr__(self) -> str:
        shown = [f"{weight} * {_spell(part)}" if str(weight) else _spell(part) for part, weight in self.terms]
        signed = [
            ("- ", text.removeprefix("-").removeprefix("1 * ")) if text.startswith("-") else ("+ ", text)
            for text in shown
        ]
        return " ".join([shown[0], *(sign + text for sign, text in signed[1:])])


class MultiTaskLoss(Module):
    """One loss for each task, by name; the total is their weighted sum.

    ``forward(outputs, targets)`` takes a mapping of the tasks' outputs and one of their targets: a Tensor each, or a
    tuple of the loss's arguments, () for none. ``weights``: a number or a 0-d tensor for each task, 1 where none is
    given. ``parts`` holds each task's own loss of the last call, detached, for display. Raises ValueError for tasks
    and weights that do not agree, KeyError for a task without output or target, TypeError for what is no mapping.

    >>> criterion = nn.MultiTaskLoss({"kind": nn.CrossEntropyLoss(), "size": nn.L1Loss()}, weights={"size": 0.5})
    >>> criterion({"kind": zeros(1, 2), "size": tensor([3.])}, {"kind": tensor([0]), "size": tensor([1.])})
    tensor(1.6931)
    >>> criterion.parts
    {'kind': tensor(0.6931), 'size': tensor(2.)}
    """

    def __init__(self, losses: Mapping[str, Any], weights: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        _mapping(f"{name}: losses", losses)
        _mapping(f"{name}: weights", {} if weights is None else weights)
        unknown = set(weights or ()) - set(losses)
        if not losses or unknown:
            what = f"weights name {sorted(unknown)}" if unknown else "no task"
            raise ValueError(f"{name}: {what}; expected some of the tasks {sorted(losses)}")
        self.tasks: dict[str, Any] = {}
        self._factors = {task: Factor.of((weights or {}).get(task, 1.0)) for task in losses}
        self.parts: dict[str, Tensor] = {}
        for task, part in losses.items():
            _callable(part, f"{name}: the loss of task {task!r}")
            if isinstance(part, Module):
                self.add_module(task, part)
            self.tasks[task] = part
        for task, factor in self._factors.items():
            for tensor in factor.tensors:
                if isinstance(tensor, Parameter):
                    self.register_parameter(f"weight_{task}", tensor)

    @property
    def weights(self) -> dict[str, Any]:
        """The weight of each task: a number, or a 0-d tensor."""
        return {task: factor.value for task, factor in self._factors.items()}

    def forward(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> Tensor:
        for what, given in (("outputs", outputs), ("targets", targets)):
            _mapping(f"{type(self).__name__}: {what}", given)
            missing, more = sorted(self.tasks.keys() - given.keys()), sorted(given.keys() - self.tasks.keys())
            if missing or more:
                wrong = f"no {missing[0]!r}" if missing else f"an unknown task {more[0]!r}"
                raise KeyError(f"{type(self).__name__}: {what} has {wrong}; expected {sorted(self.tasks)}")
        values = {
            task: part(*_arguments(outputs[task]), *_arguments(targets[task])) for task, part in self.tasks.items()
        }
        self.parts = {task: value.detach() for task, value in values.items()}
        return self.total(values)

    def total(self, values: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the tasks' losses."""
        result: Any = None
        for task, value in values.items():
            weighted = self._factors[task].apply(value)
            result = weighted if result is None else result + weighted
        total: Tensor = result
        return total

    def extra_repr(self) -> str:
        return ", ".join(f"{task}: {weight}" for task, weight in self._factors.items() if str(weight))


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


def _terms(other: Any) -> list[tuple[Any, Factor]]:
    """(loss, weight) of each part."""
    if isinstance(other, WeightedSum):
        return other.terms
    if not callable(other):
        raise TypeError(f"to a loss only a loss can be added, got {type(other).__name__}; add numbers to its result")
    return [(other, Factor())]


def _callable(part: Any, where: str) -> None:
    if isinstance(part, type):
        raise TypeError(f"{where} is the class {part.__name__}; make a loss of it, {part.__name__}()")
    if not callable(part):
        raise TypeError(f"{where} is {part!r}; expected a loss")


def _mapping(where: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"{where} is a {type(given).__name__}; expected a mapping, such as {{'task': ...}}")


def _arguments(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _spell(part: Callable[..., Any]) -> str:
    return repr(part) if isinstance(part, Module) else str(getattr(part, "__name__", "f"))
