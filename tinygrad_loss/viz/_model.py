"""The computation graph as plain data, for pictures, trees and pages.

:func:`~tinygrad_loss.viz._build.build` walks the tape once, without recursion, and returns a :class:`Graph`::

    Graph.nodes: list[Node]    arguments before results; ``nodes[i].id == i``
    Graph.boxes: list[Box]     modules, scopes and losses, outer before inner; ``boxes[i].id == i``
    Graph.results: list[int]   the nodes of the tensors that were asked for

    Node.kind      "parameter" | "leaf" (requires grad) | "data" (no gradient) | "operation" | "loss" | "broken"
    Node.name      the operation's name, or the name of a leaf ("" when it has none)
    Node.args      list[Argument], in the order of the call; [] for a leaf
    Node.options   what else the operation was called with, as text: {"dim": "0", "keepdim": "False"}
    Node.box       the innermost Box it is in, or None
    Node.tensor    the Tensor: ``.array`` has the values, ``.grad`` is None when it is not computed (not 0)
    Node.bad       "" | "nan" | "inf" | "nan, inf": what its values hold;  Node.culprit: no argument held it
    Node.freed     a backward has freed its arguments
    Node.opens     the Box that shows the inside of a loss, or None;  Node.message: why a broken one raised

    Argument.label     "input", "target" for a loss, otherwise "a", "b", "c" ...: where it stands in the call
    Argument.node      the node it comes from, or None for a constant
    Argument.text      the constant; for a node "" when it stands in the call, "index" when it is what the call picks
                       by (the targets of a loss), "value" when only its values were used
    Argument.tracked   False: values go this way, but no gradient comes back

A "data" node inside a loss that was computed there without a gradient has the loss's arguments as its own.

    Box.kind       "module" | "loss"
    Box.name       "fc1" (the attribute), "Linear" for a module without one, "cross_entropy", or a scope's name
    Box.type       "Linear", "loss"; the name again for a scope
    Box.path       dotted, below the outermost module: "encoder.fc1"
    Box.parent     Box or None;  Box.nodes, Box.boxes: what is directly inside
    Box.result     loss: the node inside (or outside, for an empty formula) that has its value
    Box.node       loss: the node that stands for it while it is closed

The node of a loss and the nodes inside its box are both in ``nodes``; a picture shows one or the other.
:func:`~tinygrad_loss.viz._gradients.gradients` works out the gradient at every node, inside losses too, and touches
no ``.grad``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import Array
from ..modes import Scope
from ..tape import Tensor


class Argument:
    """One argument of an operation: a node, or a constant as text."""

    __slots__ = ("label", "node", "text", "tracked")

    def __init__(self, label: str, node: int | None, text: str = "", tracked: bool = True) -> None:
        self.label, self.node, self.text, self.tracked = label, node, text, tracked


class Node:
    """A tensor of the graph and the operation that made it."""

    __slots__ = (
        "args", "bad", "box", "culprit", "freed", "id", "kind", "message", "name", "opens", "options", "tensor",
    )  # fmt: skip

    def __init__(self, id: int, kind: str, name: str, tensor: Tensor | None, box: int | None) -> None:
        self.id, self.kind, self.name, self.tensor, self.box = id, kind, name, tensor, box
        self.args: list[Argument] = []
        self.options: dict[str, str] = {}
        self.bad, self.culprit, self.freed, self.message = "", False, False, ""
        self.opens: int | None = None

    @property
    def is_leaf(self) -> bool:
        return self.kind in ("parameter", "leaf", "data")

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.tensor is None else tuple(self.tensor.array.shape)

    @property
    def dtype(self) -> str:
        return "" if self.tensor is None else self.tensor.dtype.name

    @property
    def grad(self) -> Array | None:
        """What ``.grad`` holds; None when no backward has written it."""
        return None if self.tensor is None or self.tensor._grad is None else self.tensor._grad.array


class Box:
    """A module, a scope or a loss: what is made inside belongs together."""

    __slots__ = ("boxes", "id", "kind", "name", "node", "nodes", "parent", "path", "result", "type")

    def __init__(self, id: int, kind: str, name: str, type: str, path: str, parent: int | None) -> None:
        self.id, self.kind, self.name, self.type, self.path, self.parent = id, kind, name, type, path, parent
        self.nodes: list[int] = []
        self.boxes: list[int] = []
        self.node: int | None = None
        self.result: int | None = None


class Graph:
    """Nodes, boxes and results: see the module's docstring."""

    __slots__ = ("boxes", "nodes", "results")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.boxes: list[Box] = []
        self.results: list[int] = []

    def inside(self, box: int | None) -> list[int]:
        """The boxes around something in ``box``, innermost first."""
        found = []
        while box is not None:
            found.append(box)
            box = self.boxes[box].parent
        return found

    def nodes_within(self, box: int) -> list[int]:
        """The nodes in a box and in the boxes inside it."""
        found, stack = [], [box]
        while stack:
            inner = self.boxes[stack.pop()]
            found += inner.nodes
            stack += inner.boxes
        return found


class Broken:
    """An operation that raised: what is known of it without a result."""

    __slots__ = ("args", "labels", "message", "name", "scope")

    def __init__(
        self, name: str, args: Sequence[Any], labels: Sequence[str], message: str, scope: Scope | None
    ) -> None:
        self.name, self.args, self.labels, self.message, self.scope = name, args, labels, message, scope
