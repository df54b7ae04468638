"""How curves and contours stand on the paper."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quiet import quiet
from .curves_figure import COLOURS, GRADIENT, GREY, INK, LINES, LOSS, PAPER, dress, figure_of, key
from .curves_paths import EDGE
from .curves_subject import wrapped
from .curves_values import Curve, Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Sequence[Sequence[Curve]]  # of each loss, one for each value of a target that has two
_ACROSS = 3  # pictures in a row
_CASES: tuple[tuple[Any, Any], ...] = (("-", (0, (5, 2))), ((0, (8, 2, 1.5, 2)), (0, (1, 1.5))))  # of loss, of gradient
_ARROWS = 11
ROOM = 0.06  # above and below, of the height of what is shown


def draw_beside(losses: Curves, labels: Sequence[str], title: str, gradient: bool) -> Figure:
    """One picture for each loss, with its gradient."""
    across, down = _grid(len(losses))
    width = 6.0 if len(losses) == 1 else 3.6 * across
    figure = figure_of(width, 4.2 if len(losses) == 1 else 3.4 * down + 0.5)
    pictures = figure.subplots(down, across, squeeze=False).ravel()
    alike = {c.path.coordinates[0].label for curves in losses for c in curves}
    shared = limits([c for curves in losses for c in curves], gradient) if len(alike) == 1 else None
    drawn: dict[tuple[str, int], list[Any]] = {(what, i): [] for i in (0, 1) for what in ("loss", "gradient")}
    for axes, curves, label in zip(pictures, losses, labels, strict=False):
        coordinate = curves[0].path.coordinates[0]
        dress(axes, wrapped(coordinate.label, 44), wrapped(label, 38 if len(losses) > 1 else 70))
        axes.axhline(0, color=GREY, linewidth=0.8)
        for i, (curve, (solid, dashed)) in enumerate(zip(curves, _CASES, strict=False)):
            told = f", {curve.path.case}" if curve.path.case else ""
            drawn["loss", i] += axes.plot(
                curve.x, curve.loss, color=LOSS, linestyle=solid, linewidth=2.0, label=f"loss{told}"
            )
            if gradient and curve.gradient is not None:
                drawn["gradient", i] += axes.plot(
                    curve.x, curve.gradient, color=GRADIENT, linestyle=dashed, linewidth=1.7, label=f"gradient{told}"
                )
                _kinks(axes, curve, GRADIENT)
        _across(axes, curves[0])
        axes.set_ylim(*(shared or limits(curves, gradient)))
    for axes in pictures[len(losses) :]:
        axes.remove()
    if title:
        figure.suptitle(title, fontsize=11)
    key(figure, _told_apart(drawn, losses), width)
    return figure


def draw_over(losses: Curves, labels: Sequence[str], title: str, gradient: bool) -> Figure:
    """All losses in one picture, all gradients in another. ValueError where they are not about the same number."""
    coordinates = [c.path.coordinates[0] for curves in losses for c in curves]
    if len({c.label for c in coordinates}) > 1:
        told = "; ".join(dict.fromkeys(c.label for c in coordinates))
        raise ValueError(
            f"plot_loss: overlay: the losses are drawn against different things: {told}; leave overlay out, or name "
            "one argument with against="
        )
    both = gradient and any(c.gradient is not None for curves in losses for c in curves)
    width = 7.6 if both else 5.0
    figure = figure_of(width, 3.9)
    pictures = figure.subplots(1, 1 + both, squeeze=False).ravel()
    symbol = coordinates[0].symbol
    for axes, what in zip(pictures, ("loss", f"gradient (d loss / d {symbol})"), strict=False):
        dress(axes, wrapped(coordinates[0].label, 44), what)
        axes.axhline(0, color=GREY, linewidth=0.8)
    lines: list[Any] = []
    flat = [(label, c) for label, curves in zip(labels, losses, strict=True) for c in curves]
    for i, (label, curve) in enumerate(flat):
        told = f"{label}, {curve.path.case}" if curve.path.case else label
        colour, kind = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        look: dict[str, Any] = {"color": colour, "linestyle": kind, "linewidth": 1.9}
        lines += pictures[0].plot(curve.x, curve.loss, label=told, **look)
        if both and curve.gradient is not None:
            pictures[1].plot(curve.x, curve.gradient, **look)
            _kinks(pictures[1], curve, colour)
    for axes in pictures:
        _across(axes, flat[0][1])
    all_ = [c for _, c in flat]
    low, high = limits(all_, False)
    pictures[0].set_ylim(low, high)
    if both:
        ends = [(g.min(), g.max()) for c in all_ if c.gradient is not None for g in [_middle(c.gradient, high - low)]]
        pictures[1].set_ylim(*_padded(min(a for a, _ in ends), max(b for _, b in ends)))
    if title:
        figure.suptitle(title, fontsize=11)
    key(figure, lines, width)
    return figure


def draw_contours(surfaces: Sequence[Surface], labels: Sequence[str], title: str, arrows: bool) -> Figure:
    """The loss over two numbers: lines of equal loss, darker where it is larger, and the way down."""
    import matplotlib.colors

    across, down = _grid(len(surfaces))
    figure = figure_of(5.6 if across == 1 else 4.4 * across, 4.4 if across == 1 else 3.9 * down)
    pictures = figure.subplots(down, across, squeeze=False).ravel()
    shades = matplotlib.colors.LinearSegmentedColormap.from_list("losses", ["#f7fbff", "#c6dbef", "#5b93c2"])
    for axes, found, label in zip(pictures, surfaces, labels, strict=False):
        first, second = found.path.coordinates
        dress(axes, wrapped(first.label, 44), wrapped(label, 44))
        axes.set_ylabel(wrapped(second.label, 40))
        axes.grid(False)
        height = np.ma.masked_invalid(found.loss)
        levels = _levels(found.loss)
        beyond = "max" if height.count() and height.max() > levels[-1] else "neither"
        filled = axes.contourf(found.x, found.y, height, levels=levels, cmap=shades, extend=beyond)
        axes.contour(found.x, found.y, height, levels=levels, colors=[INK], linewidths=0.5, alpha=0.55)
        if arrows and found.slopes is not None:
            _arrows(axes, found)
        bar = figure.colorbar(filled, ax=axes, label="loss")
        bar.ax.tick_params(colors=GREY, labelcolor=INK, labelsize=8.5)
    for axes in pictures[len(surfaces) :]:
        axes.remove()
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def limits(curves: Sequence[Curve], gradient: bool) -> tuple[float, float]:
    """What the vertical axis shows: the losses, and of what goes to infinity only the middle."""
    ends = [(v.min(), v.max()) for c in curves for v in [_near(c.loss)] if v.size]
    low, high = min((a for a, _ in ends), default=0.0), max((b for _, b in ends), default=1.0)
    low, high = min(low, 0.0), max(high, 0.0)
    if gradient:
        slopes = [_middle(c.gradient, high - low) for c in curves if c.gradient is not None]
        low = min([low, *(g.min() for g in slopes if g.size)])
        high = max([high, *(g.max() for g in slopes if g.size)])
    return _padded(float(low), float(high))


def _near(loss: Any) -> Any:
    """The losses, but for those near a pole that makes all others flat."""
    v = loss[np.isfinite(loss)]
    if v.size:
        low, high = np.quantile(v, [0.06, 0.94])
        if np.ptp(v) > 8 * (high - low) > 0:
            v = v[(v >= low) & (v <= high)]
    return v


def _middle(gradient: Any, span: float) -> Any:
    """The gradients but for those near a pole."""
    g = gradient[np.isfinite(gradient)]
    if g.size and np.ptp(g) > 3 * max(span, 1e-12):
        low, high = np.quantile(g, [0.08, 0.92])
        g = g[(g >= low) & (g <= high)]
    return g


def _padded(low: float, high: float) -> tuple[float, float]:
    room = ROOM * (high - low) or 1.0
    return low - room, high + room


def _grid(count: int) -> tuple[int, int]:
    """(columns, rows), with as few empty places as can be."""
    across = 2 if count == 4 else min(count, _ACROSS)
    return across, math.ceil(count / across)


def _across(axes: Axes, curve: Curve) -> None:
    """The ends of the horizontal axis; of probabilities 0 and 1, though no curve goes quite so far."""
    low, high = curve.x[0], curve.x[-1]
    axes.set_xlim(*((0.0, 1.0) if (low, high) == (EDGE, 1 - EDGE) else (low, high)))


def _told_apart(drawn: dict[tuple[str, int], list[Any]], losses: Curves) -> list[Any]:
    """One line of each look, for the legend, with a name that holds in all pictures."""
    symbols = list(dict.fromkeys(curves[0].path.coordinates[0].symbol for curves in losses))
    handles = []
    for (what, _), lines in drawn.items():
        cases = list(dict.fromkeys(str(line.get_label()).partition(", ")[2] for line in lines))
        name = f"{what} (d loss / d {symbols[0]})" if what == "gradient" and len(symbols) == 1 else what
        if lines:
            handles.append(copy.copy(lines[0]))
            handles[-1].set_label(name if "" in cases else f"{name}, {' or '.join(cases)}")
    return handles


def _kinks(axes: Axes, curve: Curve, colour: str) -> None:
    """Rings at the limits of the gradient, a dot at the value that autograd gives, on a thin line between."""
    for kink in curve.kinks:
        ends = [v for v in (kink.before, kink.after) if v != kink.there]
        axes.plot([kink.x] * 2, [kink.before, kink.after], color=colour, linewidth=0.8, linestyle=":", label="_jump")
        marks: dict[str, Any] = {"color": colour, "linestyle": "none", "marker": "o", "clip_on": True, "zorder": 3}
        axes.plot([kink.x] * len(ends), ends, markersize=5, markerfacecolor=PAPER, label="_limits", **marks)
        axes.plot([kink.x], [kink.there], markersize=4.5, label="_value", **marks)


def _levels(loss: Any) -> Any:
    """A dozen round heights; what is far above the rest is one colour."""
    from matplotlib.ticker import MaxNLocator

    finite = loss[np.isfinite(loss)]
    if not finite.size or np.ptp(finite) == 0:
        return np.linspace(0.0, 1.0, 11) + (finite.min() if finite.size else 0.0)
    low, high = float(finite.min()), float(finite.max())
    most = float(np.quantile(finite, 0.97))
    high = most if high - low > 2 * (most - low) > 0 else high
    return MaxNLocator(12).tick_values(low, high)


def _arrows(axes: Axes, found: Surface) -> None:
    """A step against the gradient, all drawn equally long; none where it is flat."""
    slopes = found.slopes or []
    count = len(found.x)
    some = np.unique(np.linspace(2, count - 3, _ARROWS).round().astype(int))
    pick = np.ix_(some, some)
    with quiet():
        u, v = -slopes[0][pick] / np.ptp(found.x), -slopes[1][pick] / np.ptp(found.y)  # a step, as long as on paper
        length = np.hypot(u, v)
        steep = np.isfinite(length) & (length > 1e-9 * np.nanmax(length[np.isfinite(length)], initial=0.0))
        u, v = (np.where(steep, w / length, np.nan) for w in (u, v))
    axes.quiver(
        found.x[some], found.y[some], np.ma.masked_invalid(u), np.ma.masked_invalid(v),
        angles="uv", pivot="mid", scale=26, width=0.004, headwidth=4, color=INK, alpha=0.75,
    )  # fmt: skip
