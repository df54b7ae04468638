"""How tensors print: torch's layout, digit for digit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import Array, get_default_dtype
from .quiet import quiet
from .tape import Tensor


class _Options:
    def __init__(self) -> None:
        self.precision = 4
        self.threshold: float = 1000
        self.edgeitems = 3
        self.linewidth = 80
        self.sci_mode: bool | None = None


_options = _Options()
_PROFILES: dict[str, tuple[int, float, int, int]] = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, math.inf, 3, 80),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print from now on: digits, when to summarise and how much of it to show, line width.

    ``sci_mode=None`` chooses scientific notation by the values (and every call resets it, as in torch).
    Raises ValueError for an unknown profile or a negative number.

    >>> set_printoptions(precision=2); tensor([1.12345])
    tensor([1.12])
    >>> set_printoptions(profile="default"); tensor([1.12345])
    tensor([1.1235])
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None and not value >= 0:
            raise ValueError(f"set_printoptions: {name} must be a number >= 0, got {value!r}")
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
        _options.precision, _options.threshold, _options.edgeitems, _options.linewidth = _PROFILES[profile]
    for name, value in given.items():
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def format_tensor(t: Tensor) -> str:
    """The ``repr`` of a tensor: values, then dtype, grad_fn or requires_grad where torch would name them."""
    array = t.array
    prefix = "tensor("
    d, default = t.dtype, get_default_dtype()
    suffixes = []
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if d is not default:  # nothing in it tells the type, so int64 is named too
            suffixes.append(f"dtype={d!r}")
    else:
        with quiet():
            body = _body(array, len(prefix))
        if not _options.edgeitems:
            suffixes.append(f"size={tuple(array.shape)}")
        if d is not default and d.name not in ("int64", "bool"):
            suffixes.append(f"dtype={d!r}")
    node = t.grad_fn
    if node is not None:
        suffixes.append(f"grad_fn=<{node.name()}>")
    elif t.needs_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(prefix + body, suffixes, len(prefix))


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    last_line = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last_line + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            last_line = indent + len(suffix)
        else:
            text += ", " + suffix
            last_line += len(suffix) + 2
    return text + ")"


def _body(array: Array, indent: int) -> str:
    summarize = array.size > _options.threshold
    shown = array
    if summarize and _options.edgeitems:
        e = _options.edgeitems
        for axis, n in enumerate(array.shape):
            if n > 2 * e:
                shown = np.take(shown, [*range(e), *range(n - e, n)], axis)
    width, form = _formatter(shown)
    return _nested(array, indent, summarize, width, form)


def _formatter(shown: Array) -> tuple[int, Callable[[Any], str]]:
    """The common width, and the function that prints one number in it, chosen by all numbers shown."""
    if shown.dtype.kind != "f":
        width = max(len(str(v)) for v in shown.ravel().tolist())
        return width, lambda v: f"{v!s:>{width}}"
    finite = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
    if finite.size == 0:
        return 1, lambda v: f"{v:.0f}" + ("." if math.isfinite(v) else "")
    size = np.abs(finite)
    low, high = float(size.min()), float(size.max())
    whole = bool((finite == np.ceil(finite)).all())
    sci = _options.sci_mode
    if sci is None:
        sci = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
    spec = f".{_options.precision}e" if sci else ".0f" if whole else f".{_options.precision}f"
    dotted = whole and not sci  # a whole number of a floating type prints as "1."
    width = max(len(format(v, spec)) for v in finite.tolist()) + dotted

    def form(v: float) -> str:
        return (format(v, spec) + ("." if dotted and math.isfinite(v) else "")).rjust(width)

    return width, form


def _nested(array: Array, indent: int, summarize: bool, width: int, form: Callable[[Any], str]) -> str:
    if array.ndim == 0:
        return form(array.item())
    e, n = _options.edgeitems, array.shape[0]
    cut = summarize and n > 2 * e
    if array.ndim == 1:
        per_line = max(1, (_options.linewidth - indent) // (width + 2))
        if not cut:
            data = [form(v) for v in array.tolist()]
        elif e:
            data = [form(v) for v in array[:e].tolist()] + [" ..."] + [form(v) for v in array[-e:].tolist()]
        else:
            data = ["..."]
        lines = [", ".join(data[i : i + per_line]) for i in range(0, n if not cut else len(data), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [*range(e), *range(n - e, n)] if cut else range(n)
    parts = [_nested(array[i], indent + 1, summarize, width, form) for i in rows]
    if cut:
        parts.insert(e, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
