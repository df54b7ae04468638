"""``draw``: the computation graph as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..tape import Tensor
from ._broken import broken_by
from ._build import build
from ._dot import to_dot
from ._fold import fold
from ._gradients import gradients
from ._look import Shown, scene_of
from ._picture import Picture
from ._svg import to_svg
from ._text import counted
from ._view import opened_by


def draw(
    tensor: Tensor | Sequence[Tensor] | BaseException,
    *,
    expand: bool | str | Iterable[str] = (),
    values: bool = False,
    grads: bool | str = False,
    params: Any = None,
    limit: int = 200,
    direction: str = "TB",
) -> Picture:
    """The graph below ``tensor`` (or several) as a picture: shows itself in a notebook, ``.save('graph.svg')``
    writes it (.svg, .png, .pdf or .dot).

    Modules and losses are closed boxes. ``expand`` opens those it names (``"cross_entropy"``, ``"fc1"``,
    ``"encoder.fc1"``, ``"Linear"``), ``expand=True`` all. ``values`` shows the numbers: small arrays in full, large
    ones as range and mean. ``grads=True`` shows what ``.grad`` holds ("not computed" before a backward);
    ``grads="compute"`` works out the gradient of the result at every node and touches no ``.grad``. ``params`` names
    the leaves: a module, or a dict of names to tensors and modules (``locals()`` will do). A graph with more than
    ``limit`` nodes to show is folded: repeated layers are shown once. ``direction`` ``"LR"`` draws to the right
    (with Graphviz).

    Edges carry the place of an argument: ``a - b`` takes ``a`` along the edge ``a``. Dashed: no gradient comes back.
    Red: a nan or an inf came up here. After an exception, ``draw(error)`` (``sys.last_value`` in a notebook) draws
    what was computed up to the operation that raised.

    Raises RuntimeError when a backward has freed the graph, and where there is none; TypeError for what is no
    tensor; ValueError for an ``expand`` that names no box.

    >>> w = tensor([1., 2.], requires_grad=True)
    >>> picture = viz.draw(F.mse_loss(w * 3, zeros(2)), params={"w": w})
    >>> picture
    <Picture: 5 nodes below mse_loss; .save('graph.svg') writes it>
    >>> picture.dot.splitlines()[0]
    'digraph mse_loss {'
    """
    if limit < 2:
        raise ValueError(f"draw: limit must be at least 2, got {limit}")
    if direction not in ("TB", "LR"):
        raise ValueError(f"draw: direction must be 'TB' or 'LR', got {direction!r}")
    if grads not in (True, False, "compute"):
        raise ValueError(f"draw: grads must be True, False or 'compute', got {grads!r}")
    if isinstance(tensor, BaseException):
        broken, near = broken_by(tensor)
        graph = build(near, params=params, broken=broken, results=False, open_losses=bool(expand))
    else:
        graph = build(tensor, params=params, open_losses=bool(expand))
    opened = opened_by(graph, expand, "draw")
    for node in graph.nodes:
        if node.kind == "broken":
            opened.update(graph.inside(node.box))
    view = fold(graph, opened, limit)
    scene = scene_of(view, Shown(values, bool(grads), gradients(graph) if grads == "compute" else None))
    name = graph.nodes[graph.results[0]].name or "leaf"
    caption = f"{counted(len(view.items), 'node')} below {name}"
    return Picture(to_dot(scene, name, direction), lambda: to_svg(scene), caption)
