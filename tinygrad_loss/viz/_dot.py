"""DOT text from a scene, made with the ``graphviz`` package."""

from __future__ import annotations

import html
from typing import Any

from ._look import FAULT, FONT_SIZE, GREY, INK, LABEL_SIZE, Drawn, Scene

_OUTLINES = {
    "box": {"shape": "box", "style": "filled"},
    "round": {"shape": "box", "style": "filled,rounded"},
    "octagon": {"shape": "octagon", "style": "filled"},
    "note": {"shape": "note", "style": "filled"},
    "tab": {"shape": "tab", "style": "filled"},
    "double": {"shape": "box", "style": "filled", "peripheries": "2"},
}


def to_dot(scene: Scene, name: str, direction: str) -> str:
    """The whole picture as DOT. RuntimeError with the command to run when the graphviz package is missing."""
    try:
        import graphviz
    except ImportError:
        raise RuntimeError("draw: pictures are made with the graphviz package: pip install graphviz") from None
    escape = graphviz.escape  # no backslash or bracket in a name means anything
    whole = graphviz.Digraph(
        name,
        graph_attr={"rankdir": direction, "bgcolor": "transparent", "fontname": "Courier", "ranksep": "0.4"},
        node_attr={"fontname": "Courier", "fontsize": str(FONT_SIZE), "fontcolor": INK, "margin": "0.14,0.07"},
        edge_attr={"fontname": "Courier", "fontsize": str(LABEL_SIZE), "fontcolor": GREY, "color": GREY},
    )
    parts: dict[int | None, Any] = {None: whole}
    for b, frame in scene.frames.items():
        parts[b] = graphviz.Digraph(
            f"cluster_{b}",
            graph_attr={
                "label": escape(frame.label), "labeljust": "l", "labelloc": "b", "style": "rounded", "color": GREY,
                "fontcolor": GREY, "fontsize": str(FONT_SIZE), "penwidth": "2" if frame.is_loss else "1",
            },
        )  # fmt: skip
    for i, item in enumerate(scene.items):
        look = item.look
        style = dict(_OUTLINES[look.outline])
        if look.dashed:
            style["style"] += ",dashed"
        parts[item.home].node(
            f"n{i}", _label(item), fillcolor=look.fill, color=look.border, penwidth=str(look.line),
            tooltip=escape(item.title), **style,
        )  # fmt: skip
    for b, frame in reversed(scene.frames.items()):
        parts[frame.parent].subgraph(parts[b])
    for arrow in scene.arrows:
        dashed = {} if arrow.tracked else {"style": "dashed"}
        label = escape(f" {arrow.label} ") if arrow.label else None
        whole.edge(f"n{arrow.source}", f"n{arrow.target}", label=label, **dashed)
    return str(whole.source)


def _label(item: Drawn) -> str:
    rows = []
    for line in item.lines:
        text = html.escape(line.text, quote=False).replace("\\", "&#92;&#92;")
        text = f"<B>{text}</B>" if line.bold else text
        rows.append(f'<FONT COLOR="{FAULT}">{text}</FONT>' if line.fault else text)
    return f"<{'<BR/>'.join(rows)}>"
