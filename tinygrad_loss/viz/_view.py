"""What a picture shows of a graph: nodes, closed boxes, and runs of repeated layers folded into one item each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ._model import Box, Graph, Node
from ._text import counted, needs_labels

LEAVES = ("parameter", "leaf", "data")
TIMES = "\N{MULTIPLICATION SIGN}"


class Item:
    """One thing in a picture: a node, a closed module, a result, or a folded run of others."""

    __slots__ = ("block", "box", "count", "home", "kind", "members", "node", "order")

    def __init__(self, kind: str, node: Node | None, box: Box | None, home: int | None, order: int) -> None:
        self.kind = kind  # a node's kind, or "module", "result", "folded"
        self.node, self.box = node, box
        self.home = home  # the open box it is drawn in
        self.order = order  # its place in the order of execution
        self.members: list[Item] = []  # all that was folded into it
        self.block: list[Item] = []  # one repetition of it
        self.count = 1  # how many repetitions there are


class Edge:
    """From one item to another: the argument ``label`` of the second."""

    __slots__ = ("label", "source", "target", "tracked")

    def __init__(self, source: Item, target: Item, label: str, tracked: bool) -> None:
        self.source, self.target, self.label, self.tracked = source, target, label, tracked


class View:
    """Items, edges and the boxes that are open around them."""

    def __init__(self, graph: Graph, opened: set[int], results: bool = True) -> None:
        self.graph, self.opened = graph, opened
        self.items: list[Item] = []
        self.edges: list[Edge] = []
        self._closed: list[int | None] = []  # box -> the outermost closed one around it, itself included
        self._hidden: list[bool] = []  # box -> it is the inside of a loss whose node stands for it
        for box in graph.boxes:
            above = None if box.parent is None else self._closed[box.parent]
            self._closed.append(above if above is not None else None if box.id in opened else box.id)
            hidden = box.parent is not None and self._hidden[box.parent]
            self._hidden.append(hidden or (box.kind == "loss" and self._closed[-1] is not None))
        self._of_box: dict[int, Item] = {}
        self._of_node: dict[int, Item] = {}
        for node in graph.nodes:
            self._place(node)
        for node in graph.nodes:
            self._link(node)
        for id in graph.results if results else ():
            if graph.nodes[id].kind != "broken":
                self._result(graph.nodes[id])
        self.merge_edges()

    def _place(self, node: Node) -> None:
        if node.box is not None and self._hidden[node.box]:
            return
        closed = None if node.box is None else self._closed[node.box]
        if closed is None:
            if node.opens is None or node.opens not in self.opened:
                item = Item(node.kind, node, None, node.box, node.id)
                self.items.append(item)
                self._of_node[node.id] = item
            return
        known = self._of_box.get(closed)
        if known is None:
            box = self.graph.boxes[closed]
            known = self._of_box[closed] = Item("module", None, box, box.parent, node.id)
            self.items.append(known)
        self._of_node[node.id] = known

    def item_of(self, id: int) -> Item:
        """What stands for the value of a node: for an open loss, the result inside."""
        while id not in self._of_node:
            opens = self.graph.nodes[id].opens
            inside = None if opens is None else self.graph.boxes[opens].result
            assert inside is not None
            id = inside
        return self._of_node[id]

    def _link(self, node: Node) -> None:
        target = self._of_node.get(node.id)
        if target is None:
            return  # inside a closed loss, or a loss that is open
        several = needs_labels(node.args) or node.is_leaf
        for a in node.args:
            if a.node is None:
                continue
            source = self.item_of(a.node)
            if source is not target:
                label = a.label if several and (target.kind != "module" or node.kind == "loss") else ""
                self.edges.append(Edge(source, target, label, a.tracked))

    def _result(self, node: Node) -> None:
        item = Item("result", node, None, None, len(self.graph.nodes) + node.id)
        self.items.append(item)
        self.edges.append(Edge(self.item_of(node.id), item, "", True))

    def merge_edges(self) -> None:
        """One edge between two items, but for the arguments of one operation, whose order matters."""
        seen: dict[tuple[int, int, str], Edge] = {}
        labels: dict[int, list[str]] = {}
        for edge in self.edges:
            if edge.source is edge.target:
                continue
            folded = edge.source.kind == "folded"
            known = seen.setdefault((id(edge.source), id(edge.target), "" if folded else edge.label), edge)
            known.tracked = known.tracked or edge.tracked
            if folded and edge.label:
                labels.setdefault(id(known), []).append(edge.label)
        self.edges = list(seen.values())
        for edge in self.edges:
            if id(edge) in labels:
                several = labels[id(edge)]
                edge.label = ", ".join(several) if len(several) < 4 else f"{several[0]} ... {several[-1]}"

    def replace(self, into: dict[int, Item]) -> None:
        """Put other items in the place of some, by their id()."""
        kept: dict[int, Item] = {}
        for item in self.items:
            new = into.get(id(item), item)
            kept.setdefault(id(new), new)
        self.items = list(kept.values())
        for edge in self.edges:
            source, target = into.get(id(edge.source), edge.source), into.get(id(edge.target), edge.target)
            if target is not edge.target and target.kind == "folded":
                edge.label = ""
            edge.source, edge.target = source, target
        self.merge_edges()


def title(item: Item) -> str:
    """What an item is called, without its shapes."""
    if item.box is not None:
        box = item.box
        return box.name if box.name == box.type else f"{box.name}: {box.type}"
    if item.kind == "result":
        return "result"
    if item.kind == "folded":
        steps = len([m for m in item.members if m.kind not in LEAVES])
        if not steps:
            return counted(len(item.members), "leaf", "leaves")
        return f"{TIMES} {item.count}" if item.count > 1 else counted(steps, "step")
    assert item.node is not None
    return item.node.name or ("constant" if item.kind == "data" and item.node.box is not None else item.kind)


def nodes_of(graph: Graph, item: Item) -> list[Node]:
    """All nodes that an item stands for, those inside closed losses left out."""
    found: list[Node] = []
    stack = [item]
    while stack:
        item = stack.pop()
        stack += item.members
        boxes = [] if item.box is None else [item.box.id]
        while boxes:
            box = graph.boxes[boxes.pop()]
            if box.kind != "loss":
                found += [graph.nodes[n] for n in box.nodes]
                boxes += box.boxes
        if item.node is not None:
            found.append(item.node)
    return found


def contents(graph: Graph, item: Item) -> list[str]:
    """What is inside a closed module or a folded run: kinds of parts with their numbers, and parameters."""
    if item.kind not in ("module", "folded"):
        return []
    nodes = nodes_of(graph, item)
    parameters = [n for n in nodes if n.kind == "parameter"]
    if item.box is not None and item.box.boxes:
        boxes = [graph.boxes[b] for b in item.box.boxes]
        inner = Counter(box.type if box.kind == "module" else box.name for box in boxes)
    else:
        inner = Counter(n.name for n in nodes if not n.is_leaf)
    lines = []
    if item.count > 1:
        lines.append(" → ".join([title(m) for m in item.block[:4]] + ["..."] * (len(item.block) > 4)))
    names = [f"{n} {TIMES} {k}" if k > 1 else n for n, k in inner.most_common(3)] + ["..."] * (len(inner) > 3)
    if item.count == 1 and sum(inner.values()) > 1:
        lines.append(", ".join(names))
    if parameters:
        size = sum(n.tensor.array.size for n in parameters if n.tensor is not None)
        lines.append(f"{counted(len(parameters), 'parameter')}, {counted(size, 'number')}")
    return lines


def opened_by(graph: Graph, expand: bool | str | Iterable[str], function: str) -> set[int]:
    """The boxes that ``expand`` names, by attribute, dotted path or type, and those around them.

    ValueError lists the boxes there are when a name fits none.
    """
    if expand is True or expand == "all":
        return {box.id for box in graph.boxes}
    names = [expand] if isinstance(expand, str) else list(expand or ())
    by_name: dict[str, list[int]] = {}
    for box in graph.boxes:
        for name in {box.name, box.type, box.path} if box.kind == "module" else {box.name}:
            by_name.setdefault(name, []).append(box.id)
    opened: set[int] = set()
    for name in names:
        if name not in by_name:
            known = ", ".join(dict.fromkeys(b.path for b in graph.boxes)) or "none"
            raise ValueError(f"{function}: expand={name!r} is no box of this graph; there are: {known[:300]}")
        for id in by_name[name]:
            opened.update(graph.inside(id))
    return opened
