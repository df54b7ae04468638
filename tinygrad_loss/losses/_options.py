"""The domains of options: numbers in an interval, flags, whole numbers, choices."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np


class Interval:
    """A number between two bounds; ``closed``: the bounds belong to it; ``infinite``: so does inf."""

    __slots__ = ("closed", "high", "infinite", "low", "text")

    def __init__(
        self, text: str, low: float, high: float = math.inf, closed: bool = True, infinite: bool = False
    ) -> None:
        self.text, self.low, self.high, self.closed, self.infinite = text, low, high, closed, infinite

    def check(self, where: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{where} must be a number, got {type(value).__name__}")
        inside = self.low <= value <= self.high if self.closed else self.low < value <= self.high
        if not inside or (math.isinf(value) and not self.infinite):
            raise ValueError(f"{where}={value!r}: expected {self.text}")


class Flag:
    """A yes-or-no option."""

    text = "True or False"

    def check(self, where: str, value: Any) -> None:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{where} must be True or False, got {value!r}")


class Whole:
    """An integer, with a least value where there is one."""

    def __init__(self, least: int | None = None) -> None:
        self.least = least
        self.text = "an integer" if least is None else f"an integer >= {least}"

    def check(self, where: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{where} must be an int, got {value!r}")
        if self.least is not None and value < self.least:
            raise ValueError(f"{where}={value!r}: expected {self.text}")


class OneOf:
    """One of a few values."""

    def __init__(self, *values: Any) -> None:
        self.values = values
        self.text = " or ".join(map(repr, values))

    def check(self, where: str, value: Any) -> None:
        if not any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in self.values):
            raise ValueError(f"{where}={value!r}: expected {self.text}")


class Or:
    """None, or what another check allows."""

    def __init__(self, check: Any) -> None:
        self.inner = check
        self.text = f"None or {check.text}"

    def check(self, where: str, value: Any) -> None:
        if value is not None:
            self.inner.check(where, value)


class Axes:
    """Some axes, by number."""

    text = "an axis number or a tuple of them"
    examples = (0, (1,), (-1, 0))

    def check(self, where: str, value: Any) -> None:
        axes = value if isinstance(value, (tuple, list)) else (value,)
        if not all(isinstance(a, (int, np.integer)) and not isinstance(a, bool) for a in axes):
            raise TypeError(f"{where} must be {self.text}, got {value!r}")


class Function:
    """A callable, or None for the loss's own."""

    text = "a function, or None"

    def check(self, where: str, value: Any) -> None:
        if value is not None and not callable(value):
            raise TypeError(f"{where} must be a function or None, got {type(value).__name__}")


class Absent:
    """What torch takes and has no meaning here."""

    text = "nothing else"

    def __init__(self, why: str) -> None:
        self.why = why

    def check(self, where: str, value: Any) -> None:
        raise ValueError(f"{where}={value!r}: expected None; {self.why}")


Number = Annotated[float, Interval("a finite number", -math.inf)]
Positive = Annotated[float, Interval("a finite number > 0", 0.0, closed=False)]
NonNegative = Annotated[float, Interval("a finite number >= 0", 0.0)]
UnitInterval = Annotated[float, Interval("a number in [0, 1]", 0.0, 1.0)]
MaybeUnitInterval = Annotated[float | None, Or(Interval("a number in [0, 1]", 0.0, 1.0))]
Switch = Annotated[bool, Flag()]
IgnoreIndex = Annotated[int, Whole()]
MaybeIgnoreIndex = Annotated[int | None, Or(Whole())]
ClassNumber = Annotated[int, Whole(0)]
OneOrTwo = Annotated[int, OneOf(1, 2)]
NormOrder = Annotated[float, Interval("a number > 0, or inf", 0.0, closed=False, infinite=True)]
MaybeAxes = Annotated[int | tuple[int, ...] | None, Or(Axes())]
DistanceFunction = Annotated[Callable[..., Any] | None, Function()]
NoOptions = Annotated[None, Or(Absent("a large batch is computed in blocks in any case"))]
