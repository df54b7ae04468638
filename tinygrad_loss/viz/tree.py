"""``tree``: the computation graph as indented text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..tape import Tensor
from ._build import build
from ._fold import fold
from ._gradients import gradients
from ._look import Shown, faults, numbers_of, outputs
from ._text import call_text, shape_text
from ._view import Edge, Item, View, contents, opened_by, title


class Text(str):
    """A string that shows itself as it reads: in a notebook no ``print`` is needed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def tree(
    tensor: Tensor | Sequence[Tensor],
    *,
    expand: bool | str | Iterable[str] = (),
    values: bool = False,
    grads: bool | str = False,
    params: Any = None,
    limit: int = 100,
) -> Text:
    """The graph below ``tensor`` as text: each result above its arguments. The options and errors are those of
    :func:`draw`. What is used twice is written out once.

    >>> w = tensor([1., 2.], requires_grad=True)
    >>> print(viz.tree(F.mse_loss(w * 3, zeros(2)), params={"w": w}))
    mse_loss  () float32, reduction=mean
    ├─ input: a * 3  (2,) float32
    │  └─ w  (2,) float32, leaf
    └─ target: data  (2,) float32
    >>> print(viz.tree(F.mse_loss(w * 3, zeros(2)), expand=True, values=True))
    mean  () float32, value 22.5, in mse_loss
    └─ square  (2,) float32, value [9, 36]
       └─ a - b  (2,) float32, value [3, 6]
          ├─ a: a * 3  (2,) float32, value [3, 6]
          │  └─ leaf  (2,) float32, value [1, 2]
          └─ b: data  (2,) float32, value [0, 0]
    """
    graph = build(tensor, params=params, function="tree", open_losses=bool(expand))
    view = fold(graph, opened_by(graph, expand, "tree"), max(2, limit))
    shown = Shown(values, bool(grads), gradients(graph) if grads == "compute" else None)
    return Text("\n".join(_lines(view, shown)))


def _lines(view: View, shown: Shown) -> list[str]:
    incoming: dict[int, list[Edge]] = {}
    for edge in view.edges:
        incoming.setdefault(id(edge.target), []).append(edge)
    roots = [incoming[id(item)][0].source for item in view.items if item.kind == "result"]
    stack: list[tuple[Item, str, str, str, int | None]] = [(root, "", "", "", None) for root in reversed(roots)]
    written: set[int] = set()
    lines = []
    while stack:
        item, before, under, label, home = stack.pop()
        edges = incoming.get(id(item), [])
        again = id(item) in written and bool(edges)
        about = "as above" if again else _about(view, item, shown, home)
        name = _name(item)
        lines.append(f"{before}{f'{label}: ' if label not in ('', name) else ''}{name}  {about}")
        if again:
            continue
        written.add(id(item))
        for i, edge in reversed(list(enumerate(edges))):
            joint, rest = ("└─ ", "   ") if i == len(edges) - 1 else ("├─ ", "│  ")
            stack.append((edge.source, under + joint, under + rest, edge.label, item.home))
    return lines


def _name(item: Item) -> str:
    return call_text(item.node) if item.node is not None and item.kind == "operation" else title(item)


def _about(view: View, item: Item, shown: Shown, home: int | None) -> str:
    """Shape, contents, options, numbers, faults, and the box where it is another one than above."""
    graph, node = view.graph, item.node
    if node is None:
        parts = [*outputs(graph, item), *contents(graph, item)]
    else:
        parts = [shape_text(node)]
        parts += [f"{k}={v}" for k, v in node.options.items() if item.kind == "loss"]
        parts += [node.kind] if node.is_leaf and node.name else []
        parts += numbers_of(node, item, shown)
        parts += ["freed by a backward"] if node.freed else []
    parts += [line.text for line in faults(graph, item)]
    if item.home is not None and item.home != home:
        parts.append(f"in {graph.boxes[item.home].path}")
    return ", ".join(parts)
