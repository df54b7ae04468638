"""Numbers of 50 digits that know their derivatives: what the references are written in.

An :class:`Exact` carries, beside its value, a ``size``: where :func:`total` added terms that may cancel, the sum of
the positive ones or of the negative ones, whichever is larger. An error is counted in units in the last place of
that size, for the value as for every gradient (whose terms are the paths to it). Where nothing cancels that is the
unit in the last place of the result itself. No size is below the smallest normal number: an intermediate result
below it has the same spacing, and a weight that follows magnifies that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from mpmath import mp, mpf

DIGITS = 50
Operand: TypeAlias = "Exact | float | int | Any"


class Tape:
    """What was computed since :meth:`clear`, in order, and whether a choice fell where rounding decides it."""

    def __init__(self) -> None:
        self.nodes: list[Exact] = []
        self.on_kink = False
        self.eps = self.least = mpf(0)  # the rounding unit of the type under test, its smallest normal number

    def clear(self, eps: float, least: float) -> None:
        self.nodes, self.on_kink, self.eps, self.least = [], False, mpf(eps), mpf(least)


TAPE = Tape()


class Exact:
    """A value, its size and its parents: (parent, derivative, size of the derivative)."""

    __slots__ = ("down", "g", "parents", "size", "up", "v")

    def __init__(self, v: Any, parents: Sequence[tuple[Exact, Any, Any]] = (), size: Any = None) -> None:
        self.v = v
        size = abs(v) if size is None else size
        self.size = TAPE.least if 0 < size < TAPE.least else size
        self.parents = parents
        self.g = self.up = self.down = mpf(0)  # the derivative, the sizes of its positive and of its negative part
        TAPE.nodes.append(self)

    @property
    def g_size(self) -> Any:
        return max(self.up, self.down)

    @property
    def cancelled(self) -> bool:
        return bool(self.size > abs(self.v) and self.size > TAPE.least)

    def __add__(self, other: Operand) -> Exact:
        other = exact(other)
        v = self.v + other.v
        lost = [x.size for x in (self, other) if x.cancelled]
        return Exact(v, ((self, 1, 1), (other, 1, 1)), max(abs(v), *lost) if lost else None)

    def __neg__(self) -> Exact:
        return Exact(-self.v, ((self, -1, 1),), self.size)

    def __sub__(self, other: Operand) -> Exact:
        return self + (-exact(other))

    def __mul__(self, other: Operand) -> Exact:
        other = exact(other)
        return Exact(
            self.v * other.v, ((self, other.v, other.size), (other, self.v, self.size)), self.size * other.size
        )

    def __truediv__(self, other: Operand) -> Exact:
        other = exact(other)
        y, one = self.v / other.v, 1 / other.v
        size = self.size * abs(one)
        return Exact(y, ((self, one, abs(one)), (other, -y * one, size * abs(one))), size)

    def __radd__(self, other: Operand) -> Exact:
        return self + other

    __rmul__ = __mul__

    def __rsub__(self, other: Operand) -> Exact:
        return exact(other) - self

    def __rtruediv__(self, other: Operand) -> Exact:
        return exact(other) / self

    def __abs__(self) -> Exact:
        s = (self.v > 0) - (self.v < 0)
        _note_kink(self, at_zero=False)  # at 0 the derivative is 0
        return Exact(abs(self.v), ((self, s, 1),), self.size)

    def __lt__(self, other: Operand) -> bool:
        return bool(self.v < (other.v if isinstance(other, Exact) else other))

    def __gt__(self, other: Operand) -> bool:
        return bool(self.v > (other.v if isinstance(other, Exact) else other))


def exact(x: Operand) -> Exact:
    return x if isinstance(x, Exact) else Exact(mpf(x))


def _note_kink(x: Exact, at_zero: bool = True) -> None:
    if (x.v == 0 and at_zero) or (x.cancelled and abs(x.v) <= 16 * TAPE.eps * x.size):
        TAPE.on_kink = True


def _size(d: Any) -> Any:
    return max(abs(d), TAPE.least) if d else d


def function(x: Operand, value: Any, derivative: Any, bend: Any = 1) -> Exact:
    """A node for f(x), from f's value and derivative there, and how fast that derivative changes, as a share of it.

    What x lost by cancelling, f(x) has lost times the derivative, and the derivative times its own.
    """
    x = exact(x)
    lost = x.size if x.cancelled else 0
    size = max(abs(value), abs(derivative) * lost)
    return Exact(value, ((x, derivative, _size(derivative) * (1 + bend * lost)),), size)


def several(value: Any, parents: Sequence[tuple[Exact, Any]], size: Any = None) -> Exact:
    """A node of many parents, from its value and derivatives."""
    lost = max((x.size for x, _ in parents if x.cancelled), default=0)
    if size is None:
        size = max(abs(value), mp.fsum(abs(d) * x.size for x, d in parents if x.cancelled))
    return Exact(value, [(x, d, _size(d) * (1 + lost)) for x, d in parents], size)


def exp(x: Operand) -> Exact:
    y = mp.exp(exact(x).v)
    return function(x, y, y)


def expm1(x: Operand) -> Exact:
    x = exact(x)
    return function(x, mp.expm1(x.v), mp.exp(x.v))


def log(x: Operand) -> Exact:
    x = exact(x)
    return function(x, mp.log(x.v), 1 / x.v, bend=1 / abs(x.v))


def log1p(x: Operand) -> Exact:
    x = exact(x)
    return function(x, mp.log1p(x.v), 1 / (1 + x.v))


def sqrt(x: Operand) -> Exact:
    """The square root; its derivative at 0 counts as 0."""
    x = exact(x)
    y = mp.sqrt(x.v)
    return function(x, y, 1 / (2 * y) if y else mpf(0), bend=1 / x.v if y else 0)


def power(x: Operand, p: float) -> Exact:
    """x**p for x >= 0; at 0 with p < 1 the derivative counts as 0."""
    x = exact(x)
    if x.v == 0:
        return function(x, mpf(int(p == 0)), mpf(int(p == 1)))
    y = mp.power(x.v, mpf(p))
    return function(x, y, p * y / x.v, bend=abs(p - 1) / x.v)


def square(x: Operand) -> Exact:
    x = exact(x)
    return Exact(x.v * x.v, ((x, 2 * x.v, 2 * x.size),), x.size * x.size)


def sigmoid(x: Operand) -> Exact:
    x = exact(x)
    y = 1 / (1 + mp.exp(-x.v))
    return function(x, y, y / (1 + mp.exp(x.v)))


def softplus(x: Operand) -> Exact:
    """log(1 + exp(x)), which is -logsigmoid(-x)."""
    x = exact(x)
    y = mp.log1p(mp.exp(-abs(x.v))) + max(x.v, 0)
    return function(x, y, 1 / (1 + mp.exp(-x.v)))


def hinge(x: Operand) -> Exact:
    """max(x, 0). Where rounding decides on which side x falls, gradients are not compared."""
    x = exact(x)
    _note_kink(x)
    on = int(x.v > 0)
    size = x.size if on or x.cancelled else mpf(0)
    return Exact(x.v if on else mpf(0), ((x, on, on),), size)


def largest(xs: Iterable[Exact]) -> Exact:
    """The maximum; where rounding decides which one it is, gradients are not compared."""
    ordered = sorted(xs, key=lambda x: x.v)
    if len(ordered) > 1:
        gap, size = ordered[-1].v - ordered[-2].v, max(ordered[-1].size, ordered[-2].size)
        if gap <= 16 * TAPE.eps * size:
            TAPE.on_kink = True
    return ordered[-1]


def smallest(xs: Iterable[Exact]) -> Exact:
    return -largest([-x for x in xs])


def total(*terms: Operand) -> Exact:
    """A sum whose terms may cancel."""
    found = [exact(t) for t in terms]
    parts = [mp.fsum(t.size for t in found if (t.v > 0) is sign) for sign in (True, False)]
    return Exact(mp.fsum(t.v for t in found), [(t, 1, 1) for t in found], max(parts))


def sum_(terms: Iterable[Operand]) -> Exact:
    """A sum of one sign."""
    found = [exact(t) for t in terms]
    lost = [t.size for t in found if t.cancelled]
    v = mp.fsum(t.v for t in found)
    return Exact(v, [(t, 1, 1) for t in found], max(abs(v), *lost) if lost else None)


def dot(a: Sequence[Operand], b: Sequence[Operand]) -> Exact:
    return total(*(exact(x) * y for x, y in zip(a, b, strict=True)))


def rounded(x: Exact) -> Exact:
    """A result that is a number of the type before a curve magnifies it: its rounding error counts."""
    return Exact(x.v, ((x, 1, 1),), max(x.size, abs(x.v) * (1 + mpf(2) ** -60)))


def constant(x: Exact) -> Exact:
    """The value without its derivative."""
    return Exact(x.v, (), x.size)


def pull_back(results: Iterable[Exact]) -> None:
    """Derivatives of the sum of ``results`` for every number on the tape."""
    for y in results:
        y.g += 1
        y.up += 1
    for node in reversed(TAPE.nodes):
        g, up, down = node.g, node.up, node.down
        if up or down:
            for parent, d, size in node.parents:
                if size:
                    parent.g += g * d
                    parent.up += (down if d < 0 else up) * size
                    parent.down += (up if d < 0 else down) * size
