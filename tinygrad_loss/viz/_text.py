"""How operations, constants and arrays read in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import Array, of_numpy
from ..losses import Loss
from ..quiet import quiet
from ..tape import Tensor
from ._model import Argument, Node

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "remainder": "%", "floor_divide": "//",
    "mm": "@", "bmm": "@", "mv": "@", "dot": "@", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
_NAMED = {
    "linear": ("input", "weight", "bias"),
    "embedding": ("weight",),
    "where": ("condition", "input", "other"),
}
_INTERNAL = {"kept", "unique", "starts", "inner", "leaves", "call", "gradients", "index"}
FULL = 6  # arrays of up to so many numbers are shown in full


def labels_of(op: Any, count: int) -> list[str]:
    """What the arguments of an operation are called: by name where it has names, else a, b, c ..."""
    if isinstance(op, Loss):
        names: Sequence[str] = (*op.declaration.arrays, *op.declaration.counts)
    else:
        names = _NAMED.get(op.name, ())
    letters = "abcdefghijklmnopqrstuvwxyz"
    rest = [letters[i] if i < len(letters) else f"a{i}" for i in range(len(names), count)]
    return [*names[:count], *rest]


def number(x: Any) -> str:
    """A number in at most six digits."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)):
        return str(int(x))
    return f"{float(x):.5g}"


def constant_text(value: Any) -> str:
    """An argument or option that is no tensor."""
    if isinstance(value, slice):
        parts = ["" if p is None else constant_text(p) for p in (value.start, value.stop)]
        return ":".join(parts) + ("" if value.step is None else f":{constant_text(value.step)}")
    if isinstance(value, np.dtype):
        return of_numpy(value).name
    if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value):
        return f"{value.dtype}{list(np.shape(value))}".replace(" ", "")
    if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        return number(value if not isinstance(value, np.ndarray) else value.item())
    if isinstance(value, (tuple, list)):
        inner = ", ".join(constant_text(v) for v in value[:FULL]) + (", ..." if len(value) > FULL else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if value is Ellipsis:
        return "..."
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def options_of(tensor: Tensor, linked: Mapping[int, str]) -> dict[str, str]:
    """What an operation was called with beside its arguments; ``linked`` names index arrays by their id."""
    settings = tensor.settings or {}
    if isinstance(tensor.op, Loss):
        call = settings.get("call")
        if call is None:
            return {}
        _, options, reduction, *_ = call
        defaults = tensor.op.declaration.options
        chosen = {k: constant_text(v) for k, v in options.items() if v is not defaults.get(k) and v != defaults.get(k)}
        return {**chosen, "reduction": reduction}
    shown = {k: v for k, v in settings.items() if k not in _INTERNAL and v is not None and v is not False}
    texts = {k: constant_text(v) for k, v in shown.items()}
    if "index" in settings:
        index = settings["index"]
        parts = index if isinstance(index, tuple) else (index,)
        texts["index"] = ", ".join(linked.get(id(p)) or _index_text(p) for p in parts)
    return texts


def _index_text(part: Any) -> str:
    if isinstance(part, np.ndarray) and part.size > 1 and np.array_equal(part, np.arange(part.size)):
        return "row"  # beside an array of columns: one of each row
    return constant_text(part)


def call_text(node: Node) -> str:
    """The operation as it would be written: ``a - b``, ``clamp(a, lo=-1)``, ``where(condition, 0, other)``."""
    given = [a for a in node.args if a.node is None or not a.text]
    words = [a.label if a.node is not None else a.text for a in given]
    if not needs_labels(node.args):  # the only one is "a", wherever it stands
        words = ["a" if a.node is not None and len(a.label) == 1 else w for a, w in zip(given, words, strict=True)]
    if len(words) > 2 * FULL:
        words = [*words[:3], "...", words[-1]]
    sign = _INFIX.get(node.name)
    if sign is not None and len(words) == 2:
        return f"{words[0]} {sign} {words[1]}"
    options = dict(node.options)
    index = options.pop("index", None)
    if index is not None and words and node.name in ("getitem", "pick"):
        return f"{words[0]}[{index}]"
    if index is not None:
        options["index"] = index
    if len(words) == 1 and given[0].node is not None and not options:
        return node.name
    return f"{node.name}({', '.join([*words, *(f'{k}={v}' for k, v in options.items())])})"


def needs_labels(args: Sequence[Argument]) -> bool:
    """Whether the edges into a node must say which argument they are."""
    return len([a for a in args if a.node is not None]) > 1


def shape_text(node: Node) -> str:
    return f"{node.shape} {node.dtype}" if node.tensor is not None else ""


def value_text(array: Array | None) -> str:
    """A small array in full, a large one as its range and mean; None reads as not computed."""
    if array is None:
        return "not computed"
    if array.size == 0:
        return "empty"
    if array.size <= FULL:
        return _nested(array.tolist())
    if array.dtype.kind == "b":
        return f"{int(array.sum())} of {array.size} True"
    if array.dtype.kind != "f":
        return f"{number(array.min())} ... {number(array.max())}"
    with quiet():
        finite = array[np.isfinite(array)].astype(np.float64)
        lost = array.size - finite.size
        if not finite.size:
            return f"no finite number in {array.size}"
        text = f"{number(finite.min())} ... {number(finite.max())}, mean {number(finite.mean())}"
    return text + (f", {lost} not finite" if lost else "")


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(_nested(v) for v in values)}]"
    return number(values)


def counted(n: int, word: str, words: str = "") -> str:
    """``1 number``, ``12,345 numbers``."""
    return f"{n:,} {word if n == 1 else words or word + 's'}"
