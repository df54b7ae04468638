"""What each item of a picture says, and its shape and colours: told apart in grey and on a dark page as well.

A :class:`Scene` is all of it as text and numbers, taken when ``draw`` is called: what happens to the tensors later
does not show in the picture. Fills are light, of different lightness, with dark text; lines and text outside of them
have a grey that is read on white and on black.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

from ..dtypes import Array
from ._model import Graph, Node
from ._text import call_text, shape_text, value_text
from ._view import Item, View, contents, nodes_of, title

GREY = "#777777"
INK = "#1a1a1a"
FAULT = "#b3261e"
FONT_SIZE = 12
LABEL_SIZE = 11
WIDTH = 40  # characters in a line
CHARACTER = 0.602  # the width of a character of a monospaced font, for which all sizes are worked out
FAMILY = "Menlo, 'Lucida Console', 'DejaVu Sans Mono', 'Liberation Mono', monospace"  # all of that width


class Look(NamedTuple):
    """``outline``: box, round, octagon, note, tab or double; ``line``: the width of the outline."""

    outline: str
    fill: str
    border: str = "#666666"
    line: float = 1.0
    dashed: bool = False


LOOKS = {
    "data": Look("note", "#ffffff"),
    "leaf": Look("box", "#ffe9a8", line=1.5),
    "parameter": Look("box", "#f5c451", line=2.5),
    "operation": Look("round", "#dbe8f7"),
    "loss": Look("octagon", "#a9c8ef", line=1.5),
    "module": Look("tab", "#c8d0da", line=1.5),
    "folded": Look("round", "#e6e6e6", dashed=True),
    "result": Look("double", "#bfe3c0", line=1.5),
    "broken": Look("box", "#ffd0c9", FAULT, 3.0),
}


class Line(NamedTuple):
    text: str
    bold: bool = False
    fault: bool = False


class Drawn(NamedTuple):
    """One item of a scene; ``home``: the box that it is drawn in."""

    title: str
    lines: list[Line]
    look: Look
    home: int | None


class Frame(NamedTuple):
    """A box that is open; ``parent``: the one around it."""

    label: str
    path: str
    parent: int | None
    is_loss: bool


class Arrow(NamedTuple):
    """From one item to another, both by their place in the scene."""

    source: int
    target: int
    label: str
    tracked: bool


class Scene(NamedTuple):
    items: list[Drawn]
    arrows: list[Arrow]
    frames: dict[int, Frame]  # outer before inner


class Shown:
    """What was asked for: values, gradients, and the gradients that were worked out for it."""

    def __init__(self, values: bool = False, grads: bool = False, computed: Mapping[int, Array] | None = None) -> None:
        self.values, self.grads, self.computed = values, grads, computed


def scene_of(view: View, shown: Shown) -> Scene:
    """Everything that is drawn."""
    graph = view.graph
    index = {id(item): i for i, item in enumerate(view.items)}
    frames = {}
    for b in sorted(view.opened):
        box = graph.boxes[b]
        label = box.name if box.kind == "loss" or box.name == box.type else f"{box.name}: {box.type}"
        frames[b] = Frame(_printable(label), _printable(box.path), box.parent, box.kind == "loss")
    return Scene(
        [Drawn(_printable(title(i)), lines_of(graph, i, shown), look_of(graph, i), i.home) for i in view.items],
        [Arrow(index[id(e.source)], index[id(e.target)], e.label, e.tracked) for e in view.edges],
        frames,
    )


def look_of(graph: Graph, item: Item) -> Look:
    look = LOOKS[item.kind]
    if item.kind != "result" and any(node.culprit for node in nodes_of(graph, item)):
        return look._replace(fill=LOOKS["broken"].fill, border=FAULT, line=3.0)
    return look


def lines_of(graph: Graph, item: Item, shown: Shown) -> list[Line]:
    """The text of an item, the title first."""
    node = item.node
    name = call_text(node) if node is not None and item.kind == "operation" else title(item)
    lines = [Line(part, True) for part in _wrap(name) or ["-"]]
    if node is not None and item.kind == "loss":
        options = ", ".join(f"{k}={v}" for k, v in node.options.items())
        lines += [Line(part) for part in _wrap(options)]
    if node is not None and node.is_leaf and node.name:
        lines.append(Line("data" if node.kind == "data" else node.kind))
    lines += [Line(part) for text in contents(graph, item) for part in _wrap(text)]
    if node is not None:
        if node.tensor is not None:
            lines.append(Line(shape_text(node)))
        lines += [Line(part) for text in numbers_of(node, item, shown) for part in _wrap(text, 6)]
        if node.message:
            lines += [Line("raised here", True, True)] + [Line(part, fault=True) for part in _wrap(node.message, 6)]
        if node.freed:
            lines.append(Line("freed by a backward", fault=True))
    else:
        lines += [Line(text) for text in outputs(graph, item)]
    if item.kind != "result":
        lines += faults(graph, item)
    return lines


def outputs(graph: Graph, item: Item) -> list[str]:
    """The shape of what a closed module or a folded run hands on: that of its last operation."""
    made = [n for n in nodes_of(graph, item) if not n.is_leaf and n.tensor is not None]
    return [shape_text(max(made, key=lambda n: n.id))] if made else []


def faults(graph: Graph, item: Item) -> list[Line]:
    """``makes nan`` where a nan or inf comes up for the first time, ``has nan`` where it only passes."""
    nodes = nodes_of(graph, item)
    culprits = [n for n in nodes if n.culprit and n.bad]
    if culprits:
        verb = "holds" if item.kind in ("data", "leaf", "parameter") else "makes"
        return [Line(f"{verb} {_words(culprits)}", True, True)]
    bad = [n for n in nodes if n.bad]
    return [Line(f"has {_words(bad)}", fault=True)] if bad else []


def _words(nodes: list[Node]) -> str:
    words = {word for n in nodes for word in n.bad.split(", ")}
    return " and ".join(sorted(words, reverse=True))


def numbers_of(node: Node, item: Item, shown: Shown) -> list[str]:
    """Values and gradients, where they were asked for."""
    texts = []
    if shown.values and node.tensor is not None:
        texts.append(f"value {value_text(node.tensor.array)}")
    needs = node.tensor is not None and node.tensor.needs_grad
    if shown.grads and needs and item.kind != "result":
        if shown.computed is not None:
            g = shown.computed.get(node.id)
            texts.append("grad none arrives" if g is None else f"grad {value_text(g)}")
        elif node.is_leaf or node.grad is not None:
            texts.append(f"grad {value_text(node.grad)}")
    return texts


def _wrap(text: str, most: int = 4) -> list[str]:
    lines = textwrap.wrap(_printable(text), WIDTH, break_long_words=True, break_on_hyphens=False)
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: WIDTH - 4] + " ..."]


def _printable(text: str) -> str:
    """Without characters that no picture can hold."""
    return "".join(c if c.isprintable() else " " for c in text)
