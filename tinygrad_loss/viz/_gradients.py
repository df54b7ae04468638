"""The gradient at every node of a graph, for pictures: nothing is written into ``.grad``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..modes import State, reset_state, set_state
from ..tape import Tensor
from ..walk import walk
from ._model import Graph


def gradients(graph: Graph) -> dict[int, Array]:
    """The gradient of the sum of the results at each node that one reaches, by the node's id.

    Inside a loss it is that of its inner tape. A node without an entry gets no gradient. RuntimeError where the
    graph was freed or a saved value was written in place.
    """
    found: dict[int, Array] = {}
    token = set_state(State())  # no anomaly watch
    try:
        ids = {id(node.tensor): node.id for node in graph.nodes if node.tensor is not None}
        roots = [graph.nodes[i].tensor for i in graph.results]
        tensors = [t for t in roots if t is not None and t.needs_grad]
        _pull(graph, tensors, [np.ones_like(t.array) for t in tensors], None, ids, found)
        for box in graph.boxes:  # outer before inner, so the gradient of the loss is known by now
            if box.kind == "loss" and box.result is not None and box.node in found:
                inner = graph.nodes[box.result].tensor
                if inner is not None and inner.op is not None:
                    _pull(graph, [inner], [found[box.node]], box.id, ids, found)
    finally:
        reset_state(token)
    return found


def _pull(
    graph: Graph, roots: list[Tensor], seeds: list[Any], box: int | None, ids: dict[int, int], found: dict[int, Array]
) -> None:
    """One walk over one tape; ``box`` is the loss whose tape it is."""
    within = None if box is None else graph.nodes_within(box)
    tensors = [n.tensor for n in (graph.nodes if within is None else map(graph.nodes.__getitem__, within))]
    capture = {t for t in tensors if t is not None and t.op is not None}
    for tensor, g in walk(roots, seeds, capture=capture).items():
        node = ids.get(id(tensor))
        if node is not None:
            found.setdefault(node, np.asarray(g))
