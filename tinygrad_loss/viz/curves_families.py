"""The families of losses, by the arguments that they declare; the first that fits says what is varied."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses._domains import (
    BinaryTarget,
    Domain,
    LogitsDomain,
    LogProbabilityDomain,
    SimplexDomain,
    TargetDistribution,
)
from ..losses._labels import LabelDomain, LabelListDomain, LabelsDomain, PairDomain, SignDomain, ignored_index
from ..losses._predictions import PredictionDomain
from ..losses._signature import Argument
from ..ops.elementwise import log, log1p, sqrt
from ..ops.joining import stack
from ..ops.shape import reshape
from ..ops.stable import log_softmax_
from ..quiet import quiet
from ..tape import Tensor
from .curves_elements import elements
from .curves_paths import (
    EDGE,
    MINUS,
    Coordinate,
    Family,
    Path,
    axes_of,
    constant,
    domain_of,
    full,
    leads,
    log_rows,
    probability,
    reach_of,
    rows,
)
from .curves_subject import Subject
from .curves_values import evaluate

_TARGET = 0.7  # the probability of the first class where the target is a distribution
_AWAY = 2.0  # the distance of an anchor and its negative
_NEAR = 0.005  # the smallest distance: at 0 the direction of the gradient is undefined


def family_of(subject: Subject, against: str | None = None, over: tuple[str, str] | None = None) -> Family:
    """``against``, ``over``: the names of one or two arguments to vary, for losses of numbers.

    Raises ValueError for a loss that no single number can be drawn against, or for a name that is no such argument.
    """
    declared = [] if subject.loss is None else subject.loss.declaration.arguments
    if subject.loss is not None and subject.loss.mixes:
        raise ValueError(f"plot_loss: {subject.name} compares the examples of a batch; one example has no loss")
    for recipe in (elements,) if against or over else _RECIPES:
        found = recipe(subject, against, over)
        if found is not None:
            return found
    arrays = ", ".join(f"{a.name}: {' or '.join(map(repr, a.specs))}" for a in declared or subject.arguments)
    raise ValueError(
        f"plot_loss: {subject.name}({arrays}) has no number to be drawn against{' by that name' if against else ''}; "
        "draw a function of one number, lambda x: ..., that makes the arguments and calls it"
    )


def _classes(s: Subject, *_: Any) -> Family | None:
    """One score for each class, and the true class (or a list of them)."""
    if len(s.arguments) != 2 or set(axes_of(s.arguments[0])) - {"N", "...", "C", "*"}:
        return None
    scores, target = s.arguments
    labels = [x for x in target.specs if isinstance(x.domain, LabelDomain) and not isinstance(x.domain, LabelsDomain)]
    listed = isinstance(domain_of(target), LabelListDomain)
    if "C" not in axes_of(scores) or not (labels or listed) or isinstance(domain_of(scores), PredictionDomain):
        return None
    classes, true = _classes_of(s), int(ignored_index(s.options) == 0)

    def both(input: Tensor) -> dict[str, Any]:
        count = input.array.size // classes
        if listed:
            marks = np.tile([true, *[-1] * (classes - 1)], (count, 1))
            return {scores.name: input, target.name: Tensor(marks if leads(target) else marks[0])}
        return {scores.name: input, target.name: Tensor(np.full((count,) if input.array.ndim > 1 else (), true))}

    def spread(a: Tensor, b: Tensor) -> Tensor:
        made = rows(scores, *(a if c == true else b for c in range(classes)))
        if isinstance(domain_of(scores), LogProbabilityDomain):
            made = log_softmax_(made, dim=made.array.ndim - 1)
        return made

    word = "logit" if isinstance(domain_of(scores), (LogitsDomain, LogProbabilityDomain)) else "score"
    reach = reach_of(s, 3.0)
    ends = [Coordinate(f"{word} of the {who}", z, -reach, reach) for who, z in (("true class", "a"), ("others", "b"))]
    if word == "logit":
        p = probability("probability of the true class")
        curve = Path((p,), lambda p: both(log_rows(scores, p, true, classes)))
    else:
        z = Coordinate(f"score of the true class {MINUS} the others'", "z", -reach, reach)
        curve = Path((z,), lambda z: both(spread(z, z * 0.0)))
    return Family([curve], Path((ends[0], ends[1]), lambda a, b: both(spread(a, b))))


def _classes_of(s: Subject) -> int:
    """As many as there are class weights, or two."""
    weights = [] if s.loss is None else [a.name for a in s.loss.declaration.arguments if a.specs[0].axes == ("C",)]
    given: list[tuple[int, ...]] = [
        np.shape(getattr(v, "array", v)) for n in weights if (v := s.fixed.get(n, s.option(n))) is not None
    ]
    return max([2, *(shape[0] for shape in given if len(shape) == 1)])


def _distributions(s: Subject, *_: Any) -> Family | None:
    """Two distributions over the same classes."""
    kinds = (LogProbabilityDomain, LogitsDomain, SimplexDomain, TargetDistribution)
    if len(s.arguments) != 2 or not all(isinstance(domain_of(a), kinds) for a in s.arguments):
        return None
    one, two = s.arguments

    def pair(argument: Argument, p: Tensor) -> Tensor:
        domain, logs = domain_of(argument), log_rows(argument, p)
        plain = isinstance(domain, SimplexDomain) or (
            isinstance(domain, TargetDistribution) and not s.option("log_target")
        )
        return rows(argument, p, 1.0 - p) if plain else logs

    def both(p: Tensor, t: Tensor) -> dict[str, Any]:
        return {one.name: pair(one, p), two.name: pair(two, t)}

    ends = [probability(f"probability of class 0 in {a.name}", x) for a, x in ((one, "p"), (two, "t"))]
    curve = probability(f"{ends[0].label} ({two.name}: {_TARGET})")
    return Family(
        [Path((curve,), lambda p: both(p, full(p.shape, _TARGET)))],
        Path((ends[0], ends[1]), both),
    )


def _vectors(s: Subject, *_: Any) -> Family | None:
    """Two vectors, and whether they belong together; or an anchor and two others."""
    reals = [a for a in s.arguments if axes_of(a)[-1:] in (["D"], ["..."]) and type(domain_of(a)) is Domain]
    if len(reals) == 3 == len(s.arguments):
        anchor, positive, negative = reals

        def three(a: Tensor, b: Tensor) -> dict[str, Any]:
            zero = constant(a, 0.0, 0.0)
            near, far = rows(positive, a, a * 0.0), rows(negative, b * 0.0, b)
            return {anchor.name: zero, positive.name: near, negative.name: far}

        far = reach_of(s, 3.0)
        near = Coordinate(f"distance of {anchor.name} and {positive.name}", "d", _NEAR, far)
        other = Coordinate(f"distance of {anchor.name} and {negative.name}", "e", _NEAR, far)
        curve = near._replace(label=f"{near.label} ({negative.name}: {_AWAY:g})")
        return Family([Path((curve,), lambda a: three(a, full(a.shape, _AWAY)))], Path((near, other), three))
    rest = [a for a in s.arguments if a not in reals]
    if len(reals) != 2 or "D" not in axes_of(reals[0]) or not all(isinstance(domain_of(a), SignDomain) for a in rest):
        return None
    one, two = reals

    def pair(a: Tensor, b: Tensor, marks: float, at: float) -> dict[str, Any]:
        """``one`` at (at, 0), ``two`` at (a, b)."""
        start = constant(a, at, 0.0)
        first = start if leads(one) else start[0]
        more = {x.name: full((a.shape[0],) if leads(x) else (), marks) for x in rest}
        return {one.name: first, two.name: rows(two, a, b), **more}

    along = Path((Coordinate("", "", 0.5, 2.0),), lambda r: pair(0.6 * r, 0.8 * r, 1.0, 1.0))
    with quiet():
        values = evaluate(s, along, np.array([0.5, 1.0, 2.0]))[0]
    far = reach_of(s, 2.0)
    plane = tuple(Coordinate(f"{two.name}[{i}] ({one.name}: (1, 0))", f"v{i}", -2.0, 2.0) for i in (0, 1))
    if np.allclose(values, values[0], rtol=1e-6):
        x = Coordinate(f"cosine of {one.name} and {two.name}", "cos", -1 + EDGE, 1 - EDGE)
        paths = [Path((x,), lambda c, m=m: pair(c, sqrt(1.0 - c * c), m, 1.0), t) for m, t in _cases(rest)]
    else:
        x = Coordinate(f"distance of {one.name} and {two.name}", "d", _NEAR, far)
        paths = [Path((x,), lambda d, m=m: pair(d, d * 0.0, m, 0.0), t) for m, t in _cases(rest)]
    return Family(paths, Path(plane, lambda a, b: pair(a, b, 1.0, 1.0)))


def _cases(arguments: list[Argument]) -> list[tuple[float, str]]:
    """The values of a target that has but two, and what to call each."""
    for a in arguments:
        if isinstance(domain_of(a), (SignDomain, BinaryTarget)):
            other = 0 if isinstance(domain_of(a), (PairDomain, BinaryTarget)) else -1
            return [(1.0, f"{a.name} = 1"), (float(other), f"{a.name} = {other}".replace("-", MINUS))]
    return [(1.0, "")]


def _rankings(s: Subject, *_: Any) -> Family | None:
    """The scores of a list of items, and which of them are relevant."""
    if len(s.arguments) != 2 or any(axes_of(a)[-1:] != ["K"] for a in s.arguments):
        return None
    scores, relevance = s.arguments

    def both(a: Tensor, b: Tensor) -> dict[str, Any]:
        marks = constant(a, 1.0, 0.0)
        return {scores.name: rows(scores, a, b), relevance.name: marks if leads(relevance) else marks[0]}

    ends = [Coordinate(f"score of the {x} item", z, -3.0, 3.0) for x, z in (("relevant", "a"), ("other", "b"))]
    z = Coordinate(f"score of the relevant item {MINUS} the other's", "z", -3.0, 3.0)
    return Family([Path((z,), lambda z: both(z, z * 0.0))], Path((ends[0], ends[1]), both))


def _overlaps(s: Subject, *_: Any) -> Family | None:
    """A region: one pixel in it, for the contour one outside."""
    if len(s.arguments) != 2 or not isinstance(domain_of(s.arguments[0]), PredictionDomain):
        return None
    input, target = s.arguments

    def both(*ps: Tensor) -> dict[str, Any]:
        scores = [log(p) - log1p(-p) if s.option("from_logits", True) else p for p in ps]
        marks = constant(ps[0], 1.0, 0.0)[:, : len(ps)]
        count = ps[0].shape[0]
        pixels = stack(scores, 1)
        return {input.name: reshape(pixels, (count, 1, len(ps))), target.name: reshape(marks, (count, 1, len(ps)))}

    ends = [probability(f"probability of the pixel {x}", p) for x, p in (("in the region", "p"), ("outside", "q"))]
    return Family([Path((ends[0],), both)], Path((ends[0], ends[1]), both))


_RECIPES = (_overlaps, _classes, _distributions, _vectors, _rankings, elements)
