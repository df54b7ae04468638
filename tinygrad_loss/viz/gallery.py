"""``gallery``: every registered loss on one page."""

from __future__ import annotations

import difflib
import html
import os
from pathlib import Path

from ..atomic import write_file
from ..losses._loss import LOSSES, Loss
from .gallery_cards import chart_of, formula_of, graph_of, sentence_of

_HERE = Path(__file__).parent
_PACKAGE = __package__.partition(".")[0]
_LEGEND = (
    '<p><svg class="key" viewBox="0 0 34 8" aria-hidden="true"><path class="l" d="M0 4H34"/></svg> the loss of one '
    'example &nbsp; <svg class="key" viewBox="0 0 34 8" aria-hidden="true"><path class="g" d="M0 4H34"/></svg> its '
    "gradient by autograd, against what stands below. Where the gradient jumps, rings mark its limits and a dot the "
    "value at the point. A loss that compares examples, or reads sequences, has its graph in place of a curve.</p>"
)


class Gallery:
    """The page that :func:`gallery` made. In a notebook it shows itself; ``html`` is its text."""

    def __init__(self, losses: list[Loss]) -> None:
        self.names = [loss.name for loss in losses]
        self.html = _page(losses)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, which opens from disk in any browser. ValueError unless the name ends in ``.html``."""
        name = os.fspath(path)
        if not name.lower().endswith((".html", ".htm")):
            raise ValueError(f"gallery: save({name!r}): a gallery is a web page; give it a name that ends in .html")
        write_file(name, [self.html.encode()])

    def __repr__(self) -> str:
        count = len(self.names)
        return f'<gallery of {count} loss{"es" * (count != 1)}: .save("gallery.html") writes the page>'

    def _repr_html_(self) -> str:
        page = self.html.replace("&", "&amp;").replace("'", "&#39;")
        return (
            f"<iframe title='Gallery of losses' sandbox srcdoc='{page}' "
            "style='width: 100%; height: 640px; border: 1px solid #8c959f'></iframe>"
        )


def gallery(*names: str) -> Gallery:
    """Every registered loss (or those named) on one page: its name and class, what it says of itself, its arguments,
    its formula as it is written, and its curve, or, where there is none to draw, the opened graph of a call. Losses
    of your own, declared with ``@loss``, stand among them. Needs no matplotlib.

    The page is one HTML text without any link or script, which shows in a notebook and which
    ``.save("gallery.html")`` writes. Raises ValueError for a name that no loss has.

    >>> page = viz.gallery("huber_loss", "ctc_loss")
    >>> page
    <gallery of 2 losses: .save("gallery.html") writes the page>
    """
    for name in names:
        if name not in LOSSES:
            near = [n for n in LOSSES if name in n] or difflib.get_close_matches(str(name), LOSSES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; expected some of {sorted(LOSSES)}"
            raise ValueError(f"gallery: no loss is called {name!r}{hint}")
    return Gallery([LOSSES[name] for name in names or LOSSES])


def _page(losses: list[Loss]) -> str:
    sections: dict[str, list[Loss]] = {}
    for loss in losses:
        sections.setdefault(_section(loss), []).append(loss)
    links = "".join(f'<a href="#{_anchor(name)}">{html.escape(name)}</a>' for name in sections)
    bodies = "".join(
        f'<section aria-labelledby="{_anchor(name)}"><h2 id="{_anchor(name)}">{html.escape(name)}</h2>'
        f"{''.join(map(_card, group))}</section>"
        for name, group in sections.items()
    )
    style = (_HERE / "gallery.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Gallery of losses</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{style}</style></head><body><h1>{len(losses)} losses</h1>{_LEGEND}"
        f'<nav aria-label="Families">{links}</nav>{bodies}</body></html>'
    )


def _section(loss: Loss) -> str:
    """The file that declares it; what was declared elsewhere is your own."""
    inside = loss.__module__.startswith(f"{_PACKAGE}.losses.")
    return loss.__module__.rpartition(".")[2].capitalize() if inside else "Your own"


def _anchor(section: str) -> str:
    return "family-" + section.lower().replace(" ", "-")


def _card(loss: Loss) -> str:
    d = loss.declaration
    arguments = [
        (a.name + (" = None" if a.optional else ""), " or ".join(s.domain.describe for s in a.specs))
        for a in d.arguments
    ]
    options = [(f"{n} = {value!r}", getattr(d.checks.get(n), "text", "an option")) for n, value in d.options.items()]
    rows = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(what)}</dd>" for n, what in (*arguments, *options))
    formula = formula_of(loss)
    written = f'<pre tabindex="0" aria-label="formula of {loss.name}">{html.escape(formula)}</pre>' if formula else ""
    return (
        f'<article id="{html.escape(loss.name)}"><h3>{html.escape(loss.name)}'
        f"<small>{html.escape(loss.Module.__name__)}</small></h3><p>{sentence_of(loss)}</p><dl>{rows}</dl>{written}"
        f"{_picture(loss)}</article>"
    )


def _picture(loss: Loss) -> str:
    """The curve, else the graph; a formula of the user's that fails costs its picture, not the page."""
    try:
        return chart_of(loss)
    except Exception:
        try:
            return graph_of(loss)
        except Exception as error:
            return f"<p>No picture: {html.escape(f'{type(error).__name__}: {error}'[:300])}</p>"
