"""The figures that curves are drawn in: made without pyplot, so that none stays open or is shown twice."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, INK, GREY, GRID = "#ffffff", "#1f2328", "#5c6570", "#e4e7eb"
LOSS, GRADIENT, BAD = "#1f5fa8", "#cf4a0b", "#b3261e"
# Of several curves: colours that the colour-blind tell apart, and lines that are told apart in grey.
COLOURS = ("#1f5fa8", "#cf4a0b", "#2a7f4f", "#8a3ffc", "#8a6d00", "#c2185b", "#00707a", "#4d4d4d")
LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), "-.", (0, (8, 2, 1, 2, 1, 2)), (0, (1, 2)))
_DOTS = 100  # per inch, in a notebook
_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The same look whatever is set outside, where nothing changes: also a dark style would not be read in here."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams
        settings.update(_STYLE)
        yield


def require(function: str) -> None:
    """ImportError with what to do, where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{function} needs matplotlib: pip install 'tinygrad_loss[viz]'") from error


def figure_of(width: float, height: float) -> Figure:
    """An empty figure, in inches, that shows itself in a notebook; with a background of its own."""
    from matplotlib.figure import Figure

    def bundle(self: Any, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=_DOTS)
        return {"image/png": picture.getvalue(), "text/plain": repr(self)}

    def savefig(self: Any, fname: Any, **options: Any) -> None:
        options = {"facecolor": PAPER, "dpi": 2 * _DOTS, **options}
        with style():  # ticks are made when they are drawn
            Figure.savefig(self, fname, **options)

    kind = type("Plot", (Figure,), {"_repr_mimebundle_": bundle, "savefig": savefig})
    made: Figure = kind(figsize=(width, height), layout="constrained", facecolor=PAPER)
    return made


def dress(axes: Axes, label: str = "", title: str = "") -> None:
    """What all axes have in common; the zero line is darker than the grid."""
    axes.set_facecolor(PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", colors=GREY, labelcolor=INK, labelsize=8.5)
    axes.grid(True, color=GRID, linewidth=0.7)
    if label:
        axes.set_xlabel(label)
    if title:
        axes.set_title(title)


def key(figure: Figure, handles: Sequence[Any], width: float) -> None:
    """The legend, below everything, in as many columns as there is room for."""
    longest = max((len(str(h.get_label())) for h in handles), default=0)
    columns = max(1, min(len(handles), int(width * 14 / (longest + 7))))
    columns = -(-len(handles) // max(1, -(-len(handles) // columns)))  # rows of equal length
    made = figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2)
    for text in made.get_texts():
        text.set_color(INK)
