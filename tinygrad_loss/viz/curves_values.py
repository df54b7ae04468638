"""The numbers of a curve: the loss by the library, its gradient by autograd, and the places where that jumps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..backward import grad
from ..dtypes import Array
from ..modes import enable_grad
from ..quiet import quiet
from ..tape import Tensor
from .curves_paths import Path
from .curves_subject import Subject

_POINTS = 401
_HALVINGS = 30
_MOST_SUSPECTS = 48
_WINDOW = 8
_NARROW = 1e-9  # of the range: how well a kink is located


class Kink(NamedTuple):
    """Where the gradient jumps: what it is just before, there, and just after."""

    x: float
    loss: float
    before: float
    there: float
    after: float


class Curve(NamedTuple):
    """``gradient`` is None for what has none; at a kink it is nan, so that a line has a gap there."""

    path: Path
    x: Array
    loss: Array
    gradient: Array | None
    kinks: list[Kink]


class Surface(NamedTuple):
    """The loss on a grid: ``x`` along the columns, ``y`` along the rows; ``slopes``: its gradients by both."""

    path: Path
    x: Array
    y: Array
    loss: Array
    slopes: list[Array] | None


def evaluate(subject: Subject, path: Path, *xs: Array) -> tuple[Array, list[Array] | None]:
    """The losses at these coordinates, and the gradient by each; no ``.grad`` is touched."""
    if not subject.batched and xs[0].size > 1:
        points = [evaluate(subject, path, *(x[i : i + 1] for x in xs)) for i in range(xs[0].size)]
        gradients = [g for _, g in points if g is not None]
        whole = [np.concatenate(column) for column in zip(*gradients, strict=True)]
        return np.concatenate([v for v, _ in points]), whole if len(gradients) == len(points) else None
    with quiet(), enable_grad():
        coordinates = [Tensor(np.array(x, np.float64), requires_grad=True) for x in xs]
        losses = subject(path.arguments(*coordinates), xs[0].size)
        if not losses.requires_grad:
            return np.array(losses.array, np.float64), None
        found = grad(losses.sum(), coordinates, materialize_grads=True)
    return np.array(losses.array, np.float64), [g.array for g in found]


def sample(subject: Subject, path: Path, low: float, high: float, points: int = _POINTS) -> Curve:
    """The curve between two ends, with its kinks."""
    x = np.linspace(low, high, points)
    loss, gradients = evaluate(subject, path, x)
    if gradients is None:
        return Curve(path, x, loss, None, [])
    gradient = gradients[0]
    kinks = []
    for before, after in _jumps(subject, path, x, gradient):
        x, loss, gradient, kink = _insert(subject, path, (x, loss, gradient), before, after)
        kinks.append(kink)
    return Curve(path, x, loss, gradient, kinks)


def surface(subject: Subject, path: Path, points: int = 61) -> Surface:
    """The loss over two numbers."""
    x, y = (np.linspace(c.low, c.high, points) for c in path.coordinates)
    columns, lines = np.meshgrid(x, y)
    loss, slopes = evaluate(subject, path, columns.ravel(), lines.ravel())
    shaped = None if slopes is None else [g.reshape(points, points) for g in slopes]
    return Surface(path, x, y, loss.reshape(points, points), shaped)


def _insert(
    subject: Subject, path: Path, line: tuple[Array, Array, Array], before: float, after: float
) -> tuple[Array, Array, Array, Kink]:
    """The line with a kink: a point before, one there, where the gradient has a gap, and one after."""
    there = round((before + after) / 2, 7) + 0.0
    there = there if before <= there <= after else before
    ends = np.array([before, there, after])
    ends[0] -= (after - before) * (there == before)
    ends[2] += (after - before) * (there == after)
    loss, gradients = evaluate(subject, path, ends)
    g = np.zeros(3) if gradients is None else gradients[0]
    keep = (line[0] < ends[0]) | (line[0] > ends[2])
    place = int(np.searchsorted(line[0][keep], there))
    x, losses, gradient = (np.insert(a[keep], place, b) for a, b in zip(line, (ends, loss, g), strict=True))
    gradient[place + 1] = np.nan
    return x, losses, gradient, Kink(there, float(loss[1]), float(g[0]), float(g[1]), float(g[2]))


def _jumps(subject: Subject, path: Path, x: Array, g: Array) -> list[tuple[float, float]]:
    """Narrow brackets around the points where the gradient jumps.

    Where the slope of the gradient changes much more than nearby, a step is halved again and again: what is
    continuous shrinks with it, a jump does not.
    """
    with quiet():
        bend = np.abs(np.diff(g, 2))
        bend = np.maximum(np.append(bend, 0.0), np.insert(bend, 0, 0.0))  # at either end of each step
        usual = np.median(sliding_window_view(np.pad(bend, _WINDOW, "edge"), 2 * _WINDOW + 1), axis=1)
        scale = np.abs(g[np.isfinite(g)]).max(initial=0.0)
        suspects = np.flatnonzero(bend > 4 * np.nan_to_num(usual) + 1e-6 * scale)
    suspects = np.sort(suspects[np.argsort(-bend[suspects], kind="stable")[:_MOST_SUSPECTS]])
    if not suspects.size:
        return []
    with quiet():
        low, high, g_low, g_high = x[suspects], x[suspects + 1], g[suspects], g[suspects + 1]
        whole = np.abs(g_high - g_low)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            g_middle = _gradient(subject, path, middle)
            left = np.abs(g_middle - g_low) >= np.abs(g_high - g_middle)
            high, g_high = np.where(left, middle, high), np.where(left, g_middle, g_high)
            low, g_low = np.where(left, low, middle), np.where(left, g_low, g_middle)
            if np.max(high - low) <= _NARROW * (x[-1] - x[0]):
                break
        left_over = np.abs(g_high - g_low)
        jump = (left_over > 1e-3 * whole) & (left_over > 1e-7 * scale)
    return _merged([(float(a), float(b)) for a, b in zip(low[jump], high[jump], strict=True)], x[-1] - x[0])


def _gradient(subject: Subject, path: Path, x: Array) -> Array:
    gradients = evaluate(subject, path, x)[1]
    return np.full(x.shape, np.nan) if gradients is None else gradients[0]


def _merged(brackets: Sequence[tuple[float, float]], length: float) -> list[tuple[float, float]]:
    """A jump to and a jump from a value at one point are one kink."""
    found: list[tuple[float, float]] = []
    for low, high in brackets:
        if found and low - found[-1][1] <= 2 * _NARROW * length:
            low, _ = found.pop()
        found.append((low, high))
    return found
