"""Along what a loss is drawn, from its declaration: the residual, a probability, a logit, a margin, a distance.

A :class:`Path` turns one number (for a contour, two) into the arguments of a call, by tensor operations, so that the
gradient by that number is autograd's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..losses._domains import Domain, LogitDomain, ProbabilityDomain
from ..losses._signature import Argument
from ..ops.elementwise import log, log1p
from ..ops.joining import stack
from ..tape import Tensor
from .curves_subject import Subject

MINUS = "\N{MINUS SIGN}"
EDGE = 0.005  # how near a probability comes to 0 and 1


class Coordinate(NamedTuple):
    """``label``: of the axis; ``symbol``: what the derivative is by."""

    label: str
    symbol: str
    low: float
    high: float


class Path(NamedTuple):
    """``case``: which of several curves of a loss this is, such as "target = 1"."""

    coordinates: tuple[Coordinate, ...]
    arguments: Callable[..., dict[str, Any]]
    case: str = ""


class Family(NamedTuple):
    """The curves of a loss, and the path of two numbers, where there is one."""

    curves: list[Path]
    plane: Path | None = None


def probability(label: str, symbol: str = "p") -> Coordinate:
    return Coordinate(label, symbol, EDGE, 1 - EDGE)


def domain_of(argument: Argument) -> Domain:
    return argument.specs[0].domain


def axes_of(argument: Argument) -> list[str]:
    return [axis.strip("[]") for axis in argument.specs[0].axes]


def leads(argument: Argument) -> bool:
    """Whether the first axis counts examples."""
    return axes_of(argument)[:1] in (["N"], ["..."])


def rows(argument: Argument, *columns: Tensor) -> Tensor:
    """Each example a row; the row itself where the array has no axis of examples."""
    made: Tensor = stack(list(columns), 1)
    row: Tensor = made if leads(argument) or axes_of(argument)[:1] == [] else made[0]
    return row


def constant(like: Tensor, *values: float, kind: type = np.float64) -> Tensor:
    """The same numbers for every example."""
    return Tensor(np.full((like.shape[0], len(values)), values, kind))


def full(shape: Sequence[int], value: float) -> Tensor:
    return Tensor(np.full(shape, float(value)))


def reach_of(subject: Subject, least: float) -> float:
    """How far to look to both sides: beyond the deltas, betas and margins."""
    names = [] if subject.loss is None else list(subject.loss.declaration.checks)
    numbers = [v for n in names if isinstance(v := subject.option(n), float) and n != "eps"]
    return max([least, *(1.5 * v for v in numbers if least / 1.5 < v < 1e3)])


def interval(subject: Subject, domain: Domain) -> tuple[float, float]:
    """The part of the line where a domain's values lie, by asking its check."""
    wide = reach_of(subject, 3.0)
    around = 6.0 if isinstance(domain, LogitDomain) else wide
    for low, high in ((-around, around), (0.0, max(4.0, wide)), (EDGE, 1 - EDGE), (-around, 0.0)):
        try:
            for end in (low, high):
                domain.check("", np.array([end]), {}, subject.options)
        except (ValueError, TypeError, RuntimeError, LookupError):
            continue
        return low, high
    raise ValueError(f"plot_loss: {subject.name}: no interval fits the values of {domain.name}: {domain.describe}")


def kind_of(domain: Domain) -> str:
    """What the numbers are, for a label."""
    if isinstance(domain, ProbabilityDomain):
        return "probability"
    return "logit" if isinstance(domain, LogitDomain) else ""


def log_rows(argument: Argument, p: Tensor, true: int = 0, classes: int = 2) -> Tensor:
    """Log-probabilities: p for one class, the others share the rest."""
    rest = log1p(-p) - float(np.log(classes - 1))
    return rows(argument, *(log(p) if c == true else rest for c in range(classes)))
