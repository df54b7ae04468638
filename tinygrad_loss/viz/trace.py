"""A page that steps through the tape: forward operation by operation, backward rule by rule."""

from __future__ import annotations

import base64
import hashlib
import html
import inspect
import json
import os
from collections.abc import Callable, Iterable
from contextvars import Token
from pathlib import Path
from typing import Any

from ..atomic import write_file
from ..autograd.anomaly import Made
from ..backward import _seeds
from ..modes import State, get_state, reset_state, set_state
from ..tape import Extra, Tensor
from ._build import build
from ._page_data import Data, PageData, boxes_opened

_HERE = Path(__file__).parent
_SCRIPTS = ("_page_layout.js", "_page_arrays.js", "_page_graph.js", "_page_draw.js", "_page_panel.js", "_page.js")
_MOST = 2000  # operations on a page
_UNRECORDED = (
    "The line was not recorded. Pass a function, viz.trace(lambda: criterion(model(x), y)), or compute the loss under "
    "viz.recording()."
)


class _Lines:
    """Notes for every recorded operation the line that called it; ``also`` is the watch that was on before."""

    def __init__(self, also: Any = None) -> None:
        self.also = also

    def __call__(self, result: Tensor) -> None:
        result.extra = result.extra or Extra()
        result.extra.made = Made(result.op.name, result.scope)
        if self.also is not None:
            self.also(result)

    def for_backward(self) -> Any:
        return _Lines(None if self.also is None else self.also.for_backward())

    def visit(self, tensor: Tensor, g: Any, pulled: list[Any]) -> None:
        if self.also is not None:
            self.also.visit(tensor, g, pulled)


class recording:
    """Note for each operation the line of your code that called it, for :func:`trace`. Only this thread is affected.

    >>> x = tensor(3., requires_grad=True)
    >>> with viz.recording():
    ...     y = x * x
    >>> viz.trace(y)
    <trace of 1 operation forward and 1 rule backward: .save("trace.html") writes the page>
    """

    def __init__(self) -> None:
        self._tokens: list[Token[State]] = []

    def __enter__(self) -> None:
        old = get_state()
        self._tokens.append(set_state(State(old.recording, old.scope, _Lines(old.watch))))

    def __exit__(self, *exc: object) -> None:
        reset_state(self._tokens.pop())


class Trace:
    """The page that :func:`trace` made. In a notebook it shows itself; ``html`` is its text."""

    def __init__(self, data: Data, title: str) -> None:
        self.data = data
        self.html = _page(data, title)
        shown = [n for n in data["nodes"] if "t" in n and not _inside_loss(data, n)]
        self._counts = len(shown), len([n for n in shown if "g" in n])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, which opens from disk in any browser. ValueError unless the name ends in ``.html``."""
        name = os.fspath(path)
        if not name.lower().endswith((".html", ".htm")):
            raise ValueError(f"trace: save({name!r}): a trace is a web page; give it a name that ends in .html")
        write_file(name, [self.html.encode()])

    def __repr__(self) -> str:
        forward, backward = self._counts
        return (
            f"<trace of {forward} operation{'s' * (forward != 1)} forward and {backward} rule{'s' * (backward != 1)} "
            'backward: .save("trace.html") writes the page>'
        )

    def _repr_html_(self) -> str:
        page = self.html.replace("&", "&amp;").replace("'", "&#39;")
        return (
            f"<iframe title='{html.escape(self._title)}' sandbox='allow-scripts' srcdoc='{page}' "
            "style='width: 100%; height: 640px; border: 1px solid #8c959f'></iframe>"
        )

    @property
    def _title(self) -> str:
        return str(self.data["title"])


def trace(
    loss: Tensor | Callable[[], Tensor],
    gradient: Tensor | None = None,
    *,
    expand: bool | str | Iterable[str] = (),
    params: Any = None,
) -> Trace:
    """A page that steps through the tape of ``loss``: forward operation by operation, then backward rule by rule.

    ``loss`` is a tensor, or a function that computes one: then the page also names the line of your code that called
    each operation, and calls the tensors as the function does. ``gradient`` has the shape of a loss that is not a
    single number. Losses and modules are closed boxes, which open by a click; ``expand`` opens them from the start: all
    (True), or those of these names. ``params``: a module, or a dict of tensors and modules, to name the leaves by.

    Nothing changes: no ``.grad`` is written, and the graph is kept for ``backward()``. The page is one HTML text
    without any link, which shows in a notebook and which ``.save("trace.html")`` writes.

    Raises RuntimeError where ``backward()`` would (no graph, one that was freed, a value written in place, a shape
    that needs a ``gradient``), ValueError for more than 2000 operations or an unknown name in ``expand``.

    >>> model = nn.Linear(4, 3)
    >>> x, y = randn(5, 4), tensor([0, 2, 1, 1, 0])
    >>> viz.trace(lambda: F.cross_entropy(model(x), y))
    <trace of 2 operations forward and 2 rules backward: .save("trace.html") writes the page>
    """
    if not isinstance(loss, Tensor):
        if not callable(loss):
            raise TypeError(f"trace: expected a Tensor or a function that returns one, got {type(loss).__name__}")
        params = _names_in(loss) if params is None else params
        with recording():
            loss = loss()
        if not isinstance(loss, Tensor):
            raise TypeError(f"trace: the function returned {type(loss).__name__}; it must return the loss, a Tensor")
    (seed,) = _seeds("trace", [loss], [gradient], False)
    graph = build(loss, params=params, function="trace")
    count = sum(n.kind in ("operation", "loss") for n in graph.nodes)
    if count > _MOST:
        raise ValueError(
            f"trace: the graph has {count} operations, a page holds {_MOST}; trace one step, or see it folded with "
            "viz.draw"
        )
    opened = boxes_opened(graph, expand, "trace")
    data = PageData(graph, loss, seed).build()
    data["open"] = opened
    name = loss.op.name if loss.op is not None else "a leaf"
    value = f" = {loss.array.item():.6g}" if loss.array.size == 1 else f" of shape {tuple(loss.array.shape)}"
    data["title"] = f"Trace of {name}{value}"
    data["unrecorded"] = _UNRECORDED
    data["intro"] = (
        "The leaves: data, and the tensors that require a gradient. Step on to compute the loss, operation by "
        "operation, and then its gradients, rule by rule."
    )
    data["seed"] = (
        "The walk back starts here: the gradient of the loss with respect to itself is 1."
        if gradient is None
        else "The walk back starts here, with the gradient that was given."
    )
    return Trace(data, data["title"])


def _names_in(function: Callable[..., Any]) -> dict[str, Any] | None:
    """The tensors and modules that a function refers to, by the names it has for them."""
    if not inspect.isfunction(function):
        return None
    used = inspect.getclosurevars(function)
    return {**used.globals, **used.nonlocals}


def _inside_loss(data: Data, node: Data) -> bool:
    box = node.get("b")
    while box is not None:
        if data["boxes"][box]["k"] == "loss":
            return True
        box = data["boxes"][box].get("p")
    return False


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _page(data: Data, title: str) -> str:
    """The page: the script may only be the one that is in it, and nothing may be loaded."""
    style = (_HERE / "_page.css").read_text(encoding="utf-8")
    script = '"use strict";\n' + "".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":  # so that no string can end the element it stands in
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    parts = {
        "script-hash": _hash(script),
        "style-hash": _hash(style),
        "title": html.escape(title),
        "style": style,
        "script": script,
        "data": text,
    }
    template = (_HERE / "_page.html").read_text(encoding="utf-8")
    pieces = template.split("{{")
    return pieces[0] + "".join(parts[p.partition("}}")[0]] + p.partition("}}")[2] for p in pieces[1:])
