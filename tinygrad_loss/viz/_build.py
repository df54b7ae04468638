"""From the tape to a :class:`Graph`: one walk, without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..losses import Loss
from ..modes import Scope, State, reset_state, set_state
from ..quiet import quiet
from ..registry import Parameter
from ..tape import Tensor
from ._model import Argument, Box, Broken, Graph, Node
from ._text import constant_text, labels_of, options_of


def build(
    tensors: Tensor | Sequence[Tensor],
    *,
    params: Any = None,
    function: str = "draw",
    broken: Sequence[Broken] = (),
    open_losses: bool = True,
    results: bool = True,
) -> Graph:
    """The graph below ``tensors``, losses with their inside. ``params`` names leaves: see :func:`names_of`.

    ``broken``: operations that raised; ``results=False``: ``tensors`` are only what there was by then. Raises
    TypeError for what is no Tensor and RuntimeError where there is no graph: a backward freed it, or gradients were
    off.
    """
    roots: list[Any] = list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    if not roots and not broken:
        raise ValueError(f"{function}: expected a Tensor or some, got an empty {type(tensors).__name__}")
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(f"{function}: expected a Tensor, got {type(root).__name__}")
        if root.op is not None and root.args is None:
            raise RuntimeError(
                f"{function}: the graph below {root.op.name!r} is gone: a backward freed it. Call {function} before "
                "backward(), or keep the graph with backward(retain_graph=True)"
            )
        if root.op is None and not root.needs_grad and not broken:
            raise RuntimeError(
                f"{function}: the tensor has no graph: it was made without a tensor that requires grad, or under "
                "no_grad(), or it was detached"
            )
    token = set_state(State())  # no box, no anomaly watch: opening a loss may run its formula again
    try:
        with quiet():
            return _Builder(names_of(params, function), open_losses).run(roots, broken, results)
    finally:
        reset_state(token)


def names_of(params: Any, function: str = "draw") -> dict[int, str]:
    """Names by the id of the tensor: from a module, or from a mapping of names to tensors and modules.

    What else a mapping holds is passed over, so that ``params=locals()`` names everything in sight.
    """
    if params is None:
        return {}
    if hasattr(params, "named_parameters"):
        params = {"": params}
    if not isinstance(params, Mapping):
        raise TypeError(f"{function}: params must be a Module or a dict of names, got {type(params).__name__}")
    names: dict[int, str] = {}
    modules = {name: m for name, m in params.items() if hasattr(m, "named_parameters")}
    for name, module in modules.items():
        prefix = f"{name}." if name and len(modules) > 1 else ""
        for path, tensor in (*module.named_parameters(), *module.named_buffers()):
            names.setdefault(id(tensor), prefix + path)
    for name, tensor in params.items():
        if isinstance(tensor, Tensor):
            names.setdefault(id(tensor), name)
    return names


def reachable(roots: Iterable[Tensor], known: Mapping[int, int]) -> list[Tensor]:
    """All recorded tensors from ``roots`` down that are not in ``known``, arguments before results."""
    seen = {id(t): t for t in roots if t.op is not None and id(t) not in known}
    stack = list(seen.values())
    while stack:
        for a in stack.pop().args or ():
            if isinstance(a, Tensor) and a.op is not None and id(a) not in seen and id(a) not in known:
                seen[id(a)] = a
                stack.append(a)
    return sorted(seen.values(), key=lambda t: t.birth)


class _Level:
    """One tape: the outer one, or the inner one of a loss."""

    def __init__(self, tensors: list[Tensor], box: Box | None = None, root: Tensor | None = None) -> None:
        self.tensors = iter(tensors)
        self.box = None if box is None else box.id
        self.root = root
        self.scopes: list[tuple[Scope, int]] = []  # the boxes that are open now
        self.arguments: dict[int, str] = {}  # the nodes that a loss was given, and as what
        self.used: set[int] = set()


class _Builder:
    def __init__(self, names: dict[int, str], open_losses: bool) -> None:
        self.graph = Graph()
        self.names = names
        self.open_losses = open_losses
        self.known: dict[int, int] = {}  # id of a tensor -> its node
        self.kept: list[Any] = []  # an id is an identity only while its object lives

    def run(self, roots: list[Tensor], broken: Sequence[Broken], results: bool) -> Graph:
        graph = self.graph
        args = [a for failed in broken for a in failed.args if isinstance(a, Tensor)]
        outer = _Level(reachable([*roots, *args], self.known))
        stack = [outer]
        while stack:
            level = stack[-1]
            tensor = next(level.tensors, None)
            if tensor is None:
                self._close(stack.pop())
                continue
            node = self._operation(level, tensor)
            if self.open_losses and node.kind == "loss" and not node.freed:
                stack.append(self._open(level, node, tensor))
        for failed in broken:
            args_ = [self._argument(outer, v, k) for v, k in zip(failed.args, failed.labels, strict=True)]
            node = self._add("broken", failed.name, None, self._box_of(outer, failed.scope))
            node.args, node.message, node.culprit = args_, failed.message, True
            graph.results.append(node.id)
        graph.results += [self._node_of(outer, t) for t in roots] if results else []
        place_parameters(graph)
        return graph

    def _add(self, kind: str, name: str, tensor: Tensor | None, box: int | None) -> Node:
        node = Node(len(self.graph.nodes), kind, name, tensor, box)
        self.graph.nodes.append(node)
        if box is not None:
            self.graph.boxes[box].nodes.append(node.id)
        if tensor is not None and tensor.array.dtype.kind == "f" and not np.isfinite(tensor.array).all():
            found = (("nan", np.isnan(tensor.array).any()), ("inf", np.isinf(tensor.array).any()))
            node.bad = ", ".join(word for word, there in found if there)
        return node

    def _operation(self, level: _Level, tensor: Tensor) -> Node:
        op, given = tensor.op, tensor.args or ()
        args = [self._argument(level, a, label) for a, label in zip(given, labels_of(op, len(given)), strict=True)]
        args = [a for a in args if a.node is not None or a.text != "None"]
        indices = self._indices(level, tensor.settings or {})
        kind = "loss" if isinstance(op, Loss) else "operation"
        node = self._add(kind, op.name, tensor, self._box_of(level, tensor.scope))
        node.args, node.freed = args + list(indices.values()), tensor.args is None
        node.options = options_of(tensor, {id: a.label for id, a in indices.items()})
        if node.bad:
            before = " ".join(a.text if a.node is None else self.graph.nodes[a.node].bad for a in args)
            before += " ".join(node.options.values())  # a mask of -inf is meant
            node.culprit = any(word not in before for word in node.bad.split(", "))
        self.known[id(tensor)] = node.id
        return node

    def _argument(self, level: _Level, value: Any, label: str) -> Argument:
        if not isinstance(value, Tensor):
            return Argument(label, None, constant_text(value), False)
        return Argument(label, self._node_of(level, value), "", value.needs_grad)

    def _node_of(self, level: _Level, tensor: Tensor) -> int:
        """The node of an argument: all that is recorded is known by now, a leaf may be new."""
        known = self.known.get(id(tensor))
        if known is None:
            kind = "data" if not tensor.needs_grad else "parameter" if isinstance(tensor, Parameter) else "leaf"
            node = self._add(kind, self.names.get(id(tensor), ""), tensor, level.box)
            node.culprit = "nan" in node.bad
            known = self.known[id(tensor)] = node.id
        level.used.add(known)
        return known

    def _indices(self, level: _Level, settings: Mapping[str, Any]) -> dict[int, Argument]:
        """Settings that are the values of an argument, by the setting's id: the targets that a loss picks by."""
        index = settings.get("index")
        linked: dict[int, Argument] = {}
        candidates = dict(level.arguments)
        for array in reversed(index if isinstance(index, tuple) else (index,)):  # the numbers of the rows come first
            for node, label in candidates.items() if isinstance(array, np.ndarray) and array.ndim else ():
                given = self.graph.nodes[node].tensor
                if given is not None and given.array.dtype.kind in "iub" and np.array_equal(given.array, array):
                    linked[id(array)] = Argument(label, node, "index", False)
                    level.used.add(node)
                    del candidates[node]
                    break
        return linked

    def _box_of(self, level: _Level, scope: Scope | None) -> int | None:
        """The box for a scope. Modules run one after the other, so one that was left is not entered again: a second
        call of the same module is a second box, and closed boxes never form a cycle."""
        chain: list[Scope] = []
        while scope is not None:
            chain.append(scope)
            scope = scope.parent
        if level.root is not None and chain:
            chain.pop()  # the scope of the loss itself
        chain.reverse()
        depth, opened = 0, level.scopes
        while depth < min(len(chain), len(opened)) and opened[depth][0] is chain[depth]:
            depth += 1
        del opened[depth:]
        for inner in chain[depth:]:
            parent = opened[-1][1] if opened else level.box
            name, _, kind = inner.name.partition(": ")
            # The outermost module has no attribute name: the paths of its parts start below it.
            above = opened and (len(opened) > 1 or ": " in opened[0][0].name)
            path = f"{self.graph.boxes[opened[-1][1]].path}.{name}" if above else name
            opened.append((inner, self._add_box("module", name, kind or name, path, parent).id))
        return opened[-1][1] if opened else level.box

    def _add_box(self, kind: str, name: str, type: str, path: str, parent: int | None) -> Box:
        box = Box(len(self.graph.boxes), kind, name, type, path, parent)
        self.graph.boxes.append(box)
        if parent is not None:
            self.graph.boxes[parent].boxes.append(box.id)
        return box

    def _open(self, level: _Level, node: Node, tensor: Tensor) -> _Level:
        """The inner tape of a loss, its leaves being the arguments."""
        inner, leaves = tensor.op.opened(tensor)
        self.kept.append((inner, leaves))
        box = self._add_box("loss", node.name, "loss", node.name, node.box)
        node.opens, box.node = box.id, node.id
        arguments: dict[int, str] = {}
        for leaf, argument, label in zip(leaves, tensor.args or (), labels_of(tensor.op, len(leaves)), strict=False):
            if isinstance(leaf, Tensor):
                self.known[id(leaf)] = known = self._node_of(level, argument)
                arguments.setdefault(known, label)
        inside = _Level(reachable([inner], self.known), box, inner)
        inside.arguments = arguments
        return inside

    def _close(self, level: _Level) -> None:
        """Link what a loss computed without a gradient, weights and one-hot targets, to the arguments."""
        if level.box is None or level.root is None:
            return
        box = self.graph.boxes[level.box]
        box.result = self._node_of(level, level.root)
        unused = [Argument(label, id, "value", False) for id, label in level.arguments.items() if id not in level.used]
        hidden = [n for n in box.nodes if self.graph.nodes[n].kind == "data"] or [box.result]
        for n in hidden if unused else []:
            self.graph.nodes[n].args = [*self.graph.nodes[n].args, *unused]


def place_parameters(graph: Graph) -> None:
    """Each parameter goes into the innermost box with all that use it, and gets a name there if it has none."""
    around: dict[int, list[int]] = {}  # node -> the boxes around all its users, innermost first
    label: dict[int, str] = {}
    for node in graph.nodes:
        for a in node.args:
            if a.node is None or graph.nodes[a.node].kind != "parameter":
                continue
            boxes = graph.inside(node.box)
            if a.node in around:
                these = set(boxes)
                boxes = [b for b in around[a.node] if b in these]
            around[a.node] = boxes
            label.setdefault(a.node, a.label)
    for id, boxes in around.items():
        boxes = [b for b in boxes if graph.boxes[b].kind == "module"]
        node = graph.nodes[id]
        if boxes:
            node.box = boxes[0]
            graph.boxes[boxes[0]].nodes.append(id)
        if not node.name and len(label[id]) > 1:  # no letter: the operation names its arguments
            box = graph.boxes[boxes[0]] if boxes else None
            whole = box is None or (box.parent is None and box.name == box.type)
            node.name = label[id] if whole or box is None else f"{box.path}.{label[id]}"
