"""``plot_training``: how a training went, from its numbers."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..dtypes import Array
from ..tape import Tensor
from .curves_figure import BAD, COLOURS, GREY, dress, figure_of, key, require, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STEPS = ("epoch", "step", "iteration")  # a series of this name is the horizontal axis
_HELD_OUT = ("val_", "valid_", "validation_", "test_", "eval_")
_AUTO = 60  # a series of more points is smoothed


class Series(NamedTuple):
    """The numbers under one name; points that were not logged are left out, nan and inf are not."""

    name: str
    x: Array
    y: Array


def plot_training(
    history: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    smoothing: float | None = None,
    log: bool | Iterable[str] = (),
    save: str | os.PathLike[str] | None = None,
) -> Figure:
    """Losses, metrics, learning rate and gradient norm of a training, each kind with axes of its own. Returns the
    matplotlib Figure, which shows itself in a notebook.

    ``history``: a dict of lists (``{"loss": [...], "val_loss": [...], "lr": [...]}``; a shorter list, such as one
    value for each epoch beside one for each step, is spread over the same length), or a list of one dict for each
    epoch or step, which need not have all names. The names decide: what contains "loss" is a loss, "lr" or
    "learning_rate" the learning rate, "grad" a gradient norm, "epoch" or "step" the horizontal axis, anything else a
    metric, with "accuracy" and "val_accuracy" together. What begins with "val_" or "test_" is drawn dashed.

    ``smoothing``: weight of the past in an exponential average, 0 (none) to below 1; by default none for short
    series, and for long ones an average over about a fortieth. The raw numbers stay faint behind. ``log``: True, or
    the names whose axis is logarithmic; a learning rate or gradient norm that spans more than a factor 50 is by
    itself. Where a value is nan or inf the line has a gap with a mark at the foot. ``save``: a file to write.

    Raises ImportError without matplotlib, ValueError for an empty history or a smoothing outside [0, 1), TypeError
    for what are no numbers.

    >>> history = {"loss": [2.3, 1.1, 0.7], "val_loss": [2.2, 1.3, 1.2], "accuracy": [0.2, 0.6, 0.8]}
    >>> viz.plot_training(history, save="training.png")  # doctest: +SKIP
    """
    require("plot_training")
    if smoothing is not None and not 0 <= smoothing < 1:
        raise ValueError(f"plot_training: smoothing={smoothing!r}: expected a number from 0 to below 1")
    label, series = _series(history)
    panels = _panels(series)
    named = {log} if isinstance(log, str) else {s.name for s in series} if log is True else set(log or ())
    across = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    down = math.ceil(len(panels) / across)
    with style():
        from matplotlib.ticker import MaxNLocator

        width = 6.4 if across == 1 else 4.0 * across
        figure = figure_of(width, 3.9 if across == 1 else 3.1 * down + 0.2)
        pictures = figure.subplots(down, across, squeeze=False).ravel()
        ends = min(s.x.min() for s in series), max(s.x.max() for s in series)
        for axes, (title, group) in zip(pictures, panels.items(), strict=False):
            dress(axes, label)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            _draw(axes, group, smoothing)
            _name(axes, title, len(group))
            if ends[0] < ends[1]:
                axes.set_xlim(ends[0] - 0.02 * (ends[1] - ends[0]), ends[1] + 0.02 * (ends[1] - ends[0]))
            if named & {s.name for s in group} or (title in ("learning rate", "gradient norm") and _spans(group)):
                axes.set_yscale("log", nonpositive="mask")
        for axes in pictures[len(panels) :]:
            axes.remove()
        _explain(figure, series, smoothing, width)
        if save is not None:
            figure.savefig(save)
    return figure


def smoothed(y: Array, weight: float) -> Array:
    """The exponential average, without the pull to 0 at the start; what is not finite is passed over."""
    total = share = 0.0
    found = np.full(y.shape, np.nan)
    for i, value in enumerate(y):
        if math.isfinite(value):
            total = weight * total + (1 - weight) * value
            share = weight * share + (1 - weight)
            found[i] = total / share
    return found


def _series(history: Any) -> tuple[str, list[Series]]:
    """The name of the horizontal axis, and what was logged."""
    columns = _columns(history)
    axis = next((name for name in _STEPS if name in columns and len(columns) > 1), None)
    steps = None if axis is None else columns.pop(axis)[1]
    longest = max((len(y) for _, y in columns.values()), default=0)
    if not longest:
        raise ValueError("plot_training: the history is empty; expected {'loss': [...], ...} or a list of dicts")
    found = []
    for name, (places, y) in columns.items():
        if steps is not None and len(steps) == longest and places is not None:
            x = steps[places]
        elif steps is not None and len(steps) == len(y):
            x = steps
        elif places is not None:
            x = places + 1.0
        else:
            x = np.arange(1, len(y) + 1) * (longest / max(len(y), 1))  # the last values of all stand together
        found.append(Series(name, np.asarray(x, np.float64), y))
    return axis or "step", [s for s in found if s.y.size]


def _columns(history: Any) -> dict[str, tuple[Any, Array]]:
    """(places in the list, or None; values) under each name."""
    if isinstance(history, Mapping):
        return {str(name): (None, _numbers(str(name), values)) for name, values in history.items()}
    if isinstance(history, (str, bytes)) or not isinstance(history, Iterable):
        raise TypeError(f"plot_training: expected a dict of lists or a list of dicts, got {type(history).__name__}")
    rows = list(history)
    if not all(isinstance(row, Mapping) for row in rows):
        wrong = next(row for row in rows if not isinstance(row, Mapping))
        raise TypeError(f"plot_training: expected a list of dicts, one for each epoch, got a {type(wrong).__name__}")
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    logged = {n: [i for i, row in enumerate(rows) if row.get(n) is not None] for n in names}
    return {n: (np.array(at, int), _numbers(n, [rows[i][n] for i in at])) for n, at in logged.items()}


def _numbers(name: str, values: Any) -> Array:
    if isinstance(values, (str, bytes, Mapping)) or (not isinstance(values, (Tensor, np.ndarray, Iterable))):
        raise TypeError(f"plot_training: {name!r}: expected a list of numbers, got {type(values).__name__}")
    try:
        found = [float(v.array.item() if isinstance(v, Tensor) else v) for v in values]
    except (TypeError, ValueError) as error:
        raise TypeError(f"plot_training: {name!r}: expected a list of numbers: {error}") from error
    return np.array(found, np.float64)


def _panels(series: Sequence[Series]) -> dict[str, list[Series]]:
    """The series by the axes they belong on: losses, each metric, learning rate, gradient norm."""
    kinds: dict[str, dict[str, list[Series]]] = {k: {} for k in ("loss", "metric", "learning rate", "gradient norm")}
    for s in series:
        kind = _kind(s.name)
        kinds[kind].setdefault(_base(s.name) if kind == "metric" else kind, []).append(s)
    return {title: group for groups in kinds.values() for title, group in groups.items()}


def _kind(name: str) -> str:
    words = re.split(r"[^a-z]+", name.lower())
    if "lr" in words or {"learning", "rate"} <= {*words}:
        return "learning rate"
    if "grad" in words or "gradient" in words:
        return "gradient norm"
    return "loss" if any("loss" in word for word in words) else "metric"


def _base(name: str) -> str:
    """The name without the mark of held-out or training data."""
    marks = (p for p in (*_HELD_OUT, "train_") if name.lower().startswith(p) and len(name) > len(p))
    return name[len(next(marks, "")) :]


def _held_out(name: str) -> bool:
    return name.lower().startswith(_HELD_OUT)


def _draw(axes: Axes, group: Sequence[Series], smoothing: float | None) -> None:
    bases = list(dict.fromkeys(_base(s.name) for s in group))
    for s in group:
        colour = COLOURS[bases.index(_base(s.name)) % len(COLOURS)]
        line: dict[str, Any] = {"color": colour, "linestyle": (0, (4, 2)) if _held_out(s.name) else "-"}
        weight = _weight(s, smoothing)
        y = np.where(np.isfinite(s.y), s.y, np.nan)
        few: dict[str, Any] = {"marker": "o", "markersize": 3.5} if np.isfinite(y).sum() <= 12 else {}
        if weight:
            axes.plot(s.x, y, color=colour, alpha=0.25, linewidth=0.9, label=f"_raw {s.name}")
            axes.plot(s.x, smoothed(s.y, weight), label=s.name, linewidth=1.8, **line)
        else:
            axes.plot(s.x, y, label=s.name, linewidth=1.6, **line, **few)
    _mark(axes, np.unique(np.concatenate([s.x[~np.isfinite(s.y)] for s in group])))


def _name(axes: Axes, title: str, count: int) -> None:
    """The title, and beside it, or below where there are many, which line is which: nothing lies on the lines."""
    rows = count if count <= 3 else -(-count // 2)
    if count > 1:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=1 if count <= 3 else 2, fontsize=8.5, handlelength=3.0,
            borderaxespad=0.2, borderpad=0.1, labelspacing=0.2,
        )  # fmt: skip
    axes.set_title(title, loc="left", pad=6.0 if count <= 3 else 8.0 + 12.0 * rows)


def _weight(s: Series, smoothing: float | None) -> float:
    """Of the past; by default so that about a fortieth of the points counts. A learning rate is shown as it is."""
    if _kind(s.name) == "learning rate":
        return 0.0
    if smoothing is not None:
        return smoothing
    return 1 - 40 / len(s.y) if len(s.y) > _AUTO else 0.0


def _mark(axes: Axes, x: Array) -> None:
    """A cross at the foot of the axes where a value is not finite."""
    if x.size:
        axes.plot(
            x, np.full(x.size, 0.02), transform=axes.get_xaxis_transform(), linestyle="none", marker="x",
            markersize=6, markeredgewidth=1.6, color=BAD, clip_on=False, label="_not finite",
        )  # fmt: skip
        for place in x[:20]:
            axes.axvline(place, color=BAD, alpha=0.12, linewidth=3, label="_not finite")


def _spans(group: Sequence[Series]) -> bool:
    y = np.concatenate([s.y[np.isfinite(s.y) & (s.y > 0)] for s in group])
    return bool(y.size and y.max() > 50 * y.min())


def _explain(figure: Figure, series: Sequence[Series], smoothing: float | None, width: float) -> None:
    """The legend of what was done to the lines."""
    from matplotlib.lines import Line2D

    handles = []
    if any(_weight(s, smoothing) for s in series):
        handles.append(Line2D([], [], color=GREY, alpha=0.35, linewidth=1.2, label="as logged"))
        handles.append(Line2D([], [], color=GREY, linewidth=1.8, label="smoothed"))
    if any(not np.isfinite(s.y).all() for s in series):
        bad = sorted({"nan" if math.isnan(v) else "inf" for s in series for v in s.y[~np.isfinite(s.y)]}, reverse=True)
        mark: dict[str, Any] = {"linestyle": "none", "marker": "x", "markeredgewidth": 1.6}
        handles.append(Line2D([], [], color=BAD, label=" or ".join(bad), **mark))
    if handles:
        key(figure, handles, width)
