"""What a card of the gallery shows: a small curve, or the graph of a call as text; the formula; the first sentence."""

from __future__ import annotations

import ast
import html
import inspect
import itertools
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..callsite import LossWarning
from ..dtypes import Array
from ..losses._loss import Loss
from ..modes import enable_grad
from ..quiet import quiet
from ..tape import Tensor
from .curves_drawing import ROOM, limits
from .curves_families import family_of
from .curves_paths import MINUS
from .curves_subject import read
from .curves_values import Curve, sample
from .tree import tree

_WIDTH, _HEIGHT, _LEFT, _BELOW = 340, 170, 34, 16
_POINTS = 161
_SIZES = {"N": 2, "C": 3, "D": 2, "T": 3, "S": 1, "K": 3}
_DRAWS = 50
_LINES = 60  # of a graph


def chart_of(loss: Loss) -> str:
    """The curve of a loss. Raises ValueError where there is none to draw."""
    subject = read(loss)
    paths = family_of(subject).curves
    curves = [sample(subject, p, p.coordinates[0].low, p.coordinates[0].high, _POINTS) for p in paths]
    x = paths[0].coordinates[0]
    cases = [p.case for p in paths if p.case]
    told = f"{x.label}; second pair of lines: {cases[1].replace(' ', chr(160))}" if cases else x.label
    return (
        f'<figure class="chart">{_svg(curves, f"{loss.name} and its gradient against {x.label}")}'
        f"<figcaption>{html.escape(told)}</figcaption></figure>"
    )


def _svg(curves: Sequence[Curve], label: str) -> str:
    low, high = limits(curves, True)
    start, end = curves[0].x[0], curves[0].x[-1]
    width, height = _WIDTH - _LEFT - 4, _HEIGHT - _BELOW - 4

    def across(x: Any) -> Any:
        return (x - start) / (end - start) * width

    def down(y: Any) -> Any:
        return np.clip((high - y) / (high - low), -2, 3) * height

    parts = [f'<path class="z" d="M0 {down(0.0):.1f}H{width}"/>']
    for i, curve in enumerate(curves):
        kind = " b" if i else ""
        parts.append(f'<path class="l{kind}" d="{_line(across(curve.x), down(curve.loss))}"/>')
        if curve.gradient is None:
            continue
        parts.append(f'<path class="g{kind}" d="{_line(across(curve.x), down(curve.gradient))}"/>')
        for k in curve.kinks:
            ends = [(v, "") for v in (k.before, k.after) if v != k.there] + [(k.there, ' class="d"')]
            parts += [f'<circle{c} cx="{across(k.x):.1f}" cy="{down(v):.1f}" r="2.6"/>' for v, c in ends]
    ticks = [f'<text x="{_LEFT}" y="{_HEIGHT - 3}">{_number(round(start, 1))}</text>']
    ticks.append(f'<text x="{_WIDTH - 3}" y="{_HEIGHT - 3}" text-anchor="end">{_number(round(end, 1))}</text>')
    if start < 0 < end:
        ticks.append(f'<text x="{_LEFT + across(0.0):.0f}" y="{_HEIGHT - 3}" text-anchor="middle">0</text>')
    room = (high - low) * ROOM / (1 + 2 * ROOM)
    for y in (low + room, 0.0, high - room):
        place = 4 + float(down(y)) + 3.5
        near = y != 0 and abs(down(y) - down(0.0)) < 12
        if not near:
            ticks.append(f'<text x="{_LEFT - 4}" y="{place:.0f}" text-anchor="end">{_number(y)}</text>')
    frame = f'<path class="f" d="M{_LEFT} 4V{_HEIGHT - _BELOW}H{_WIDTH - 4}"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    inner = f'<svg x="{_LEFT}" y="4" {size}>{"".join(parts)}</svg>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        f"{frame}{inner}{''.join(ticks)}</svg>"
    )


def _number(value: float) -> str:
    return f"{value:.2g}".replace("-", MINUS)


def _line(x: Array, y: Array) -> str:
    """Path data: a piece for each run of finite values, of no more points than can be seen."""
    pieces = []
    finite = np.isfinite(y)
    for good, places in itertools.groupby(range(len(y)), key=lambda i: bool(finite[i])):
        if good:
            run = list(places)
            kept = _thinned(x[run], y[run])
            points = [f"{a:.1f} {b:.1f}" for a, b in zip(x[run][kept], y[run][kept], strict=True)]
            pieces.append("M" + "L".join(points))
    return "".join(pieces)


def _thinned(x: Array, y: Array, within: float = 0.2) -> list[int]:
    """Which points to keep so that the line through them is nowhere off by more (Douglas and Peucker)."""
    keep = {0, len(x) - 1}
    spans = [(0, len(x) - 1)]
    while spans:
        a, b = spans.pop()
        if b - a < 2:
            continue
        slope = (y[b] - y[a]) / (x[b] - x[a]) if x[b] != x[a] else 0.0
        off = np.abs(y[a + 1 : b] - y[a] - slope * (x[a + 1 : b] - x[a])) / np.hypot(1.0, slope)
        worst = int(off.argmax())
        if off[worst] > within:
            keep.add(a + 1 + worst)
            spans += [(a, a + 1 + worst), (a + 1 + worst, b)]
    return sorted(keep)


def graph_of(loss: Loss) -> str:
    """The opened graph of a small call, as text. Raises LookupError where no arguments for one are found."""
    arrays = _arguments(loss)
    with quiet(), enable_grad():
        tensors = {n: Tensor(a, requires_grad=a.dtype.kind == "f") for n, a in arrays.items()}
        text = tree(loss(**tensors), expand=True, params=tensors, limit=_LINES)
    lines = str(text).splitlines()
    shown = lines if len(lines) <= _LINES else [*lines[:_LINES], f"... {len(lines) - _LINES} more lines"]
    written = html.escape("\n".join(shown))
    return f'<pre class="graph" tabindex="0" aria-label="graph of {html.escape(loss.name)}">{written}</pre>'


def _arguments(loss: Loss) -> dict[str, Array]:
    """Small arrays of every required argument, drawn anew until the loss's own check is content."""
    d = loss.declaration
    required = [a for a in d.arguments if not a.optional]
    sizes: dict[str, Any] = {axis.strip("[]"): 2 for a in required for axis in a.specs[0].axes}
    sizes |= {name: n for name, n in _SIZES.items() if name in sizes} | ({"N": 4} if loss.mixes else {})
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        found: dict[str, Array] = {}
        for a in required:
            spec = a.specs[0]
            shape: tuple[int, ...] = ()
            axes = [axis.strip("[]") for axis in spec.axes]
            for axis in axes:
                relative = axis in ("broadcast", "row")
                shape += next(iter(found.values())).shape if relative else () if axis == "*" else (sizes[axis],)
            place = {"axis": axes.index("C")} if "C" in axes else {}
            with quiet():
                found[a.name] = np.asarray(spec.domain.sample(rng, shape, {**sizes, **d.options, **place}))
        try:
            if loss._require is not None:
                loss._require({**dict.fromkeys(d.arrays), **found}, dict(d.options))
        except (ValueError, RuntimeError, IndexError, LossWarning):
            continue
        return found
    raise LookupError(f"{loss.name}: no arguments were found that fit each other")


def formula_of(loss: Loss) -> str:
    """The body of the formula as it is written, without its docstring; empty where the source is not at hand."""
    try:
        source = textwrap.dedent(inspect.getsource(loss.formula))
        function = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""
    if not isinstance(function, ast.FunctionDef):
        return ""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    lines = source.splitlines()[body[0].lineno - 1 : body[-1].end_lineno] if body else []
    return textwrap.dedent("\n".join(lines))


def sentence_of(loss: Loss) -> str:
    """The first sentence of the docstring, as HTML."""
    paragraph = " ".join((inspect.getdoc(loss.formula) or "").split("\n\n")[0].split())
    first = re.match(r"(.*?[.:])(?= [A-Z`]|$)", paragraph)
    text = html.escape(first.group(1).rstrip(":") if first else paragraph)
    return re.sub(r"``(.+?)``", r"<code>\1</code>", text)
