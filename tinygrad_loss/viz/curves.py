"""``plot_loss``: a loss and its gradient as curves, or a loss of two numbers as a contour."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .curves_drawing import draw_beside, draw_contours, draw_over
from .curves_families import family_of
from .curves_figure import require, style
from .curves_paths import Coordinate, Path
from .curves_subject import Subject, labels_of, read
from .curves_values import Surface, sample, surface

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_loss(
    *criteria: Any,
    against: str | None = None,
    at: Mapping[str, Any] | None = None,
    x: Sequence[float] | None = None,
    overlay: bool = False,
    contour: bool | tuple[str, str] = False,
    gradient: bool = True,
    like: Any = None,
    save: str | os.PathLike[str] | None = None,
) -> Figure:
    """The loss of one example and its gradient, against what the loss is about: the residual, the probability of the
    true class, a logit, a margin, a distance. Returns the matplotlib Figure, which shows itself in a notebook.

    ``criteria``: losses as functions or modules, declared here or by you, weighted sums of them, or any function of
    (input, target) or of one number; also a list, or a dict whose keys are the labels. What is varied follows from the
    declaration: arguments stay fixed at what the label says. The reduction does not matter; a module's options and
    class weights do. Where the gradient jumps, a ring marks its limits and a dot the value that autograd gives.

    ``against``: the name of an argument to vary instead. ``at``: values for other arguments, by name. ``x``: the ends
    of the axis. ``overlay``: all losses in one picture and their gradients in another, in place of one picture for
    each. ``contour``: the loss over two numbers, the first two arguments or two that you name, or two logits; arrows
    point downhill. ``like``: the declared loss whose arguments a plain function takes. ``save``: a file to write, by
    its ending .png, .svg or .pdf.

    Raises ImportError without matplotlib, TypeError for what is no loss, ValueError for a loss that no one number can
    be drawn against (those that compare the examples of a batch, and of sequences).

    >>> figure = viz.plot_loss(nn.HuberLoss(delta=0.5), nn.HuberLoss(), save="huber.png")  # doctest: +SKIP
    >>> viz.plot_loss(F.hinge_loss, F.soft_margin_loss, overlay=True)                      # doctest: +SKIP
    >>> viz.plot_loss(my_cross_entropy, like=F.cross_entropy)                              # doctest: +SKIP
    >>> viz.plot_loss(F.gaussian_nll_loss, contour=("input", "var"))                       # doctest: +SKIP
    """
    require("plot_loss")
    given, title, labels = _named(criteria)
    subjects = [read(c, at, like) for c in given]
    over = contour if isinstance(contour, tuple) else None
    families = [family_of(s, against, over) for s in subjects]
    ends = _ends(x)
    if contour:
        surfaces = [_surface(s, f.plane) for s, f in zip(subjects, families, strict=True)]
    else:
        spans = _spans([c for f in families for path in f.curves for c in path.coordinates], ends)
        curves = [
            [sample(s, path, *spans[path.coordinates[0].label]) for path in f.curves]
            for s, f in zip(subjects, families, strict=True)
        ]
    with style():
        if contour:
            figure = draw_contours(surfaces, labels, title, gradient)
        else:
            figure = (draw_over if overlay else draw_beside)(curves, labels, title, gradient)
        if save is not None:
            figure.savefig(save)
    return figure


def _named(criteria: tuple[Any, ...]) -> tuple[list[Any], str, list[str]]:
    """(losses, what they share, what each is called)."""
    if len(criteria) == 1 and isinstance(criteria[0], Mapping):
        return list(criteria[0].values()), "", [str(key) for key in criteria[0]]
    given = list(criteria[0]) if len(criteria) == 1 and isinstance(criteria[0], (list, tuple)) else list(criteria)
    if not given:
        raise TypeError("plot_loss: no loss; expected plot_loss(nn.MSELoss()) or several losses")
    title, labels = labels_of(given)
    return given, title, labels


def _ends(x: Sequence[float] | None) -> tuple[float, float] | None:
    if x is None:
        return None
    ends = tuple(float(v) for v in x)
    if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] >= ends[1]:
        raise ValueError(f"plot_loss: x={x!r}: expected the two ends of the axis, such as (-3, 3)")
    return ends


def _spans(coordinates: list[Coordinate], ends: tuple[float, float] | None) -> dict[str, tuple[float, float]]:
    """For each label the range that all curves with this label share."""
    spans: dict[str, tuple[float, float]] = {}
    for c in coordinates:
        low, high = spans.get(c.label, (c.low, c.high))
        spans[c.label] = ends or (min(low, c.low), max(high, c.high))
    return spans


def _surface(subject: Subject, plane: Path | None) -> Surface:
    if plane is None:
        raise ValueError(f"plot_loss: {subject.name} has no two numbers to vary: its arguments are {subject.names}")
    return surface(subject, plane)
