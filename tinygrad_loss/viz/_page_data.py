"""What the page of a trace shows, as plain data: nodes, boxes, arrays, texts and lines, each once."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..dtypes import Array
from ..modes import State, reset_state, set_state
from ..quiet import quiet
from ..tape import Tensor
from ..walk import fit, walk
from ._model import Graph, Node
from ._rules import Text, text_of
from ._text import labels_of
from ._view import opened_by

Data = dict[str, Any]
_LIMITS = (1000, 100, 16, 0)  # arrays of up to so many numbers are listed as a whole
_ROOM = 12_000  # numbers on a page
_FIRST = 8  # numbers shown of an array that is not listed
_DIGITS = 6


class Pulls:
    """Watches a walk: for each node the gradient that came in, and what the rules made of it."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[Any, list[Any]]] = {}

    def __call__(self, result: Tensor) -> None:
        """Nothing that the walk computes is recorded."""

    def visit(self, tensor: Tensor, g: Any, pulled: list[Any]) -> None:
        self.seen[id(tensor)] = (g, pulled)

    def for_backward(self) -> Pulls:
        return self


def pull_back(graph: Graph, root: Tensor, seed: Array) -> tuple[dict[int, tuple[Any, list[Any]]], dict[int, Any]]:
    """Walk back from ``root``: by the id of a tensor, what the rules of its node did; and the leaves' gradients.

    No ``.grad`` is written and the graph stays. Losses are walked inside; hooks run, as in any backward.
    """
    watch = Pulls()
    token = set_state(State(False, None, watch))
    try:
        leaves = walk([root], [seed])
        for box in graph.boxes:  # outer before inner, so the gradient of the loss is known by now
            if box.kind != "loss" or box.node is None or box.result is None:
                continue
            outer, inner = graph.nodes[box.node].tensor, graph.nodes[box.result].tensor
            reached = watch.seen.get(id(outer))
            if reached is not None and inner is not None and inner.op is not None and id(inner) not in watch.seen:
                walk([inner], [reached[0]])  # a kernel computed this loss; its formula has not been walked yet
    finally:
        reset_state(token)
    return watch.seen, {id(t): g for t, g in leaves.items() if t.op is None}


class PageData:
    """Collects what the page needs, each array, text and line once."""

    def __init__(self, graph: Graph, root: Tensor, seed: Array) -> None:
        self.graph = graph
        self.arrays: list[Array] = []
        self.texts: dict[Text, int] = {}
        self.lines: dict[tuple[str, int], int] = {}
        self._known: dict[int, int] = {}
        self.pulled, self.leaves = pull_back(graph, root, seed)

    def build(self) -> Data:
        """The page's data; arrays are rounded to six digits."""
        graph = self.graph
        skip = {b.id: b.parent for b in graph.boxes if _only_wraps(graph, b.id)}
        with quiet():
            nodes = [self._node(n, skip) for n in graph.nodes]
            sizes = [a.size for a in self.arrays]
            limit = next(m for m in _LIMITS if sum(s if s <= m else _FIRST for s in sizes) <= _ROOM or m == 0)
            arrays = [array_data(a, limit) for a in self.arrays]
        boxes = [
            _without_none(
                {
                    "k": b.kind,
                    "n": b.name,
                    "t": b.type,
                    "p": _past(b.parent, skip),
                    "node": b.node,
                    "result": b.result,
                    "skip": b.id in skip or None,
                }
            )
            for b in graph.boxes
        ]
        return {
            "nodes": nodes,
            "boxes": boxes,
            "arrays": arrays,
            "texts": [t._asdict() for t in self.texts],
            "lines": [_line_data(file, line) for file, line in self.lines],
            "results": graph.results,
        }

    def _array(self, array: Any) -> int:
        array = np.asarray(array)
        found = self._known.get(id(array))
        if found is None:
            found = self._known[id(array)] = len(self.arrays)
            self.arrays.append(array)  # which also keeps its id its own
        return found

    def _node(self, node: Node, skip: dict[int, int | None]) -> Data:
        tensor = node.tensor
        if tensor is None:
            raise RuntimeError(f"trace: the operation {node.name!r} has no result")
        found: Data = {"k": node.kind, "n": node.name, "v": self._array(tensor.array), "b": _past(node.box, skip)}
        found["bad"], found["culprit"], found["opens"] = node.bad or None, node.culprit or None, node.opens
        g, pulled = self.pulled.get(id(tensor), (self.leaves.get(id(tensor)), []))
        found["g"] = None if g is None else self._array(g)
        given = tensor.args if tensor.op is not None and tensor.args is not None else ()
        labels = labels_of(tensor.op, len(given)) if given else []
        text = text_of(tensor.op, len(given)) if tensor.op is not None else None
        found["a"] = []
        for a in node.args:
            position = labels.index(a.label) if a.label in labels and not (a.text and a.node is not None) else None
            arg: Data = {"l": a.label, "i": a.node, "c": a.text if a.node is None else None}
            if position is not None and text is not None:
                arg["l"], arg["p"] = text.names[position], position
                if position < len(pulled) and pulled[position] is not None and given[position].needs_grad:
                    arg.update(self._outgoing(pulled[position], given[position], node.name))
            found["a"].append(_without_none(arg))
        if tensor.op is not None:
            found["t"] = self.texts.setdefault(text_of(tensor.op, len(given)), len(self.texts))
            found["o"] = [f"{k} = {v}" for k, v in node.options.items()]
            made = None if tensor.extra is None else tensor.extra.made
            if made is not None:
                found["l"] = self.lines.setdefault((made.file, made.line), len(self.lines))
        return _without_none(found)

    def _outgoing(self, pulled: Any, argument: Tensor, name: str) -> Data:
        raw = np.asarray(pulled)
        fitted = fit(raw, argument, name)
        found: Data = {"g": self._array(fitted)}
        if raw.shape != fitted.shape or raw.dtype != fitted.dtype:
            found["f"] = f"{tuple(raw.shape)} {raw.dtype}"
        return found


def _only_wraps(graph: Graph, box: int) -> bool:
    """A module around a single loss, as ``nn.MSELoss`` is: one box is enough."""
    found = graph.boxes[box]
    inside = [graph.nodes[i].kind for i in found.nodes]
    return found.kind == "module" and inside == ["loss"] and all(graph.boxes[b].kind == "loss" for b in found.boxes)


def boxes_opened(graph: Graph, expand: bool | str | Iterable[str], function: str) -> list[int]:
    """The boxes that ``expand`` names, as in ``draw``; for a module that only wraps a loss, the loss."""
    opened = opened_by(graph, expand, function)
    wraps = {b.id for b in graph.boxes if _only_wraps(graph, b.id)}
    named = {b for w in wraps & opened for b in graph.boxes[w].boxes}
    return sorted((opened | named) - wraps)


def _past(box: int | None, skip: dict[int, int | None]) -> int | None:
    while box is not None and box in skip:
        box = skip[box]
    return box


def _without_none(data: Data) -> Data:
    return {k: v for k, v in data.items() if v is not None}


def _line_data(file: str, line: int) -> Data:
    """The line without the folders above it, which are nobody's business where the page goes."""
    name = os.path.basename(file)
    cell = f"ipykernel_{os.getpid()}" in file or file.startswith("<ipython-input")
    return {"f": "notebook cell" if cell else name, "n": line, "s": linecache.getline(file, line).strip()}


def _plain(values: Array) -> list[Any]:
    """Numbers that JSON can hold: nan and inf as words, floats in six digits."""
    if values.dtype.kind != "f":
        return list(values.ravel().tolist())
    return [float(f"{v:.{_DIGITS}g}") if np.isfinite(v) else str(float(v)) for v in values.ravel()]


def array_data(array: Array, limit: int) -> Data:
    """An array of up to ``limit`` numbers as a whole (single numbers always), else its range, mean and beginning."""
    found: Data = {"s": list(array.shape), "d": Tensor(array).dtype.name}
    if array.size <= max(limit, 1):
        return {**found, "v": _plain(array)}
    wide = array.astype(np.float64).ravel()
    finite = wide[np.isfinite(wide)]
    if finite.size:
        lo, hi, mean = _plain(np.array([finite.min(), finite.max(), finite.mean()]))
        found.update(lo=lo, hi=hi, mean=mean)
    return {**found, "bad": int(array.size - finite.size), "e": _plain(array.ravel()[:_FIRST])}
