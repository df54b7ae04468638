"""Losses of numbers: of an input and a target, of two inputs and a sign, of a mean and a variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dtypes import Array
from ..losses._domains import BinaryTarget, Domain, NonNegativeDomain, ProbabilityDomain, WeightDomain
from ..losses._labels import PairDomain, SignDomain
from ..losses._signature import Argument
from ..ops.shape import reshape
from ..tape import Tensor
from .curves_paths import MINUS, Coordinate, Family, Path, axes_of, domain_of, full, interval, kind_of, leads
from .curves_subject import Subject
from .curves_values import evaluate

Marks = Mapping[str, float]  # the numbers that stay as they are, by argument


def elements(s: Subject, against: str | None = None, over: tuple[str, str] | None = None) -> Family | None:
    """Each element has its loss; None where an argument is an index or a list of them.

    Raises ValueError for names that are no arguments to vary.
    """
    if any(domain_of(a).integers or {"T", "I", "S", "K"} & set(axes_of(a)) for a in s.arguments):
        return None
    free = [a.name for a in s.arguments if not isinstance(domain_of(a), SignDomain)]
    wrong = [n for n in (against, *(over or ())) if n is not None and n not in free]
    if wrong or (over is not None and len({*over}) != 2):
        raise ValueError(f"plot_loss: {s.name} cannot be drawn against {wrong or over}; expected of {free}")
    marks, cases = _marks(s)
    plane = None
    names = over or tuple(free[:2])
    if len(names) == 2:
        rest = {k: v for k, v in marks.items() if k not in names}
        ends = (_coordinate(s, names[0], {}), _coordinate(s, names[1], rest))
        plane = Path(ends, lambda a, b: _arrays(s, {names[0]: a, names[1]: b}, marks))
    return Family(_curves(s, against, marks, cases), plane)


def _curves(s: Subject, against: str | None, marks: Marks, cases: list[Marks]) -> list[Path]:
    names, plain = s.names, [type(domain_of(a)) is Domain for a in s.arguments]
    signed = [a.name for a in s.arguments if _is_sign(domain_of(a))]
    one = against or names[0]
    moved = one
    if against is None and plain[:2] == [True, True] and names[1] not in s.fixed and _only_difference(s, marks):
        moved = f"{one} {MINUS} {names[1]}"
        marks = {**marks, names[1]: 0.0}
    varied = (one,) if moved == one else (one, names[1])
    low, high = interval(s, domain_of(s.arguments[names.index(one)]))
    kind = kind_of(domain_of(s.arguments[names.index(one)]))

    def path(label: str, case: Marks, told: str = "") -> Path:
        return Path((Coordinate(label, one, low, high),), lambda x: _arrays(s, {one: x}, {**marks, **case}), told)

    if len(cases) == 2 and _mirrored(s, path("", cases[0]), path("", cases[1]), low, high):
        if signed and [*cases[0]] == signed:
            product = f"({moved})" if varied != (one,) else moved
            return [path(f"{signed[0]} · {product}{_notes(marks, (*varied, *cases[0]))}", cases[0])]
        cases = cases[:1]
    if len(cases) == 2:
        notes = _notes(marks, (*varied, *cases[0]), kind)
        return [path(f"{moved}{notes}", case, _spell(case)) for case in cases]
    return [path(f"{moved}{_notes({**marks, **cases[0]}, varied, kind)}", cases[0])]


def _arrays(s: Subject, moved: Mapping[str, Tensor], marks: Marks) -> dict[str, Any]:
    count = next(iter(moved.values())).shape[0]
    first = s.arguments[0]
    shape: tuple[int, ...] = (count,) if leads(first) else ()
    shape += tuple(1 for axis in axes_of(first) if axis not in ("N", "...", "*"))
    wide = max([1, *map(_last, [s.fixed.get(n, s.option(n)) for n in _spread_over(s)])])
    if wide > 1:  # weights of several classes: each has the same number, and the loss is their sum
        shape = (*(shape[: 1 if leads(first) else 0] or (1,)), wide)
    found = {}
    for n in s.names:
        x = reshape(moved[n], (*shape[:-1], 1) if wide > 1 else shape) if n in moved else None
        found[n] = full(shape, marks[n]) if x is None else x + full(shape, 0.0) if wide > 1 else x
    return found


def _spread_over(s: Subject) -> list[str]:
    """Optional weights along the last axis."""
    declared = [] if s.loss is None else s.loss.declaration.arguments
    return [a.name for a in declared if a.optional and a.specs[0].axes == ("broadcast",)]


def _last(value: Any) -> int:
    shape = np.shape(getattr(value, "array", value))
    return int(shape[-1]) if shape else 1


def _marks(s: Subject) -> tuple[dict[str, float], list[Marks]]:
    """What the arguments are that are not varied, and the one or two values of a target that has two."""
    marks: dict[str, float] = {}
    cases: list[Marks] = [{}]
    for i, a in enumerate(s.arguments):
        domain = domain_of(a)
        marks[a.name] = _mark(s, i, a, domain)
        number = s.fixed.get(a.name)
        if isinstance(number, (int, float)):
            marks[a.name] = float(number)
        elif isinstance(domain, (SignDomain, BinaryTarget)) and cases == [{}]:
            low = 0.0 if isinstance(domain, (PairDomain, BinaryTarget)) else -1.0
            cases = [{a.name: 1.0}, {a.name: low}]
    return marks, cases


def _mark(s: Subject, i: int, a: Argument, domain: Domain) -> float:
    if isinstance(domain, (SignDomain, BinaryTarget, NonNegativeDomain, WeightDomain)) or a.name == "target":
        return 1.0
    if isinstance(domain, ProbabilityDomain):
        return 0.5
    if i != 1 or domain.neutral:
        return domain.neutral
    low, high = interval(s, domain_of(s.arguments[0]))
    others = {b.name: 1.0 if isinstance(domain_of(b), (SignDomain, NonNegativeDomain)) else 0.0 for b in s.arguments}
    path = Path((), lambda x: _arrays(s, {s.names[0]: x}, others))
    values = evaluate(s, path, np.linspace(low, high, 7))[0]
    dull = not np.isfinite(values).all() or np.ptp(values) == 0 or np.abs(values).max() > 1e5
    return 1.0 if dull else 0.0  # relative errors have nothing to show at a target of 0


def _is_sign(domain: Domain) -> bool:
    return isinstance(domain, SignDomain) and not isinstance(domain, PairDomain)


def _only_difference(s: Subject, marks: Marks) -> bool:
    """Whether it does not matter where the first two arguments are, only how far apart."""
    one, two = s.names[:2]
    x = np.linspace(-2.0, 2.0, 9)

    def losses(at: float) -> Array:
        return evaluate(s, Path((), lambda x: _arrays(s, {one: x + at}, {**marks, two: at})), x)[0]

    found = losses(0.0)
    return bool(np.ptp(found)) and all(np.allclose(found, losses(at), rtol=1e-6, atol=1e-9) for at in (1.0, -1.5))


def _mirrored(s: Subject, one: Path, two: Path, low: float, high: float) -> bool:
    """Whether the curve of one target is the other's, read from right to left."""
    x = np.linspace(low, high, 9)
    a, b = (evaluate(s, path, x)[0] for path in (one, two))
    return np.allclose(a[::-1], b, rtol=1e-6, atol=1e-9)


def _coordinate(s: Subject, name: str, marks: Marks) -> Coordinate:
    domain = domain_of(s.arguments[s.names.index(name)])
    low, high = interval(s, domain)
    return Coordinate(f"{name}{_notes(marks, (), kind_of(domain))}", name, low, high)


def _spell(marks: Marks) -> str:
    return ", ".join(f"{name} = {value:g}".replace("-", MINUS) for name, value in marks.items())


def _notes(marks: Marks, varied: tuple[str, ...], kind: str = "") -> str:
    """What the numbers are, and what stays as it is, in brackets."""
    told = [part for part in (kind, _spell({k: v for k, v in marks.items() if k not in varied})) if part]
    return f" ({'; '.join(told)})" if told else ""
