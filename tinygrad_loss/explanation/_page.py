"""The page that explain() makes of what it found: text, and a table for notebooks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from ..choose import first_sentence
from ..dtypes import Array
from ..quiet import quiet
from ._part import SHOWN, Part

Sizes = tuple[str, Array]  # of the gradient by one argument, for each example


class Explanation:
    """What :func:`explain` found; printed, it is a page of text, in a notebook a table.

    ``value``, ``parts`` (one :class:`Part` for each loss in the criterion), ``gradients`` (name, size of the gradient
    of each example) and ``advice`` (texts) are there to be read by programs too.
    """

    def __init__(self, title: str, value: Any, parts: list[Part], gradients: list[Sizes], advice: list[str]) -> None:
        self.title, self.value, self.parts, self.gradients, self.advice = title, value, parts, gradients, advice

    @property
    def headline(self) -> str:
        shown = _short(self.value) if isinstance(self.value, float) else f"{np.size(self.value)} values"
        return f"{self.title} = {shown}"

    def sections(self) -> list[tuple[str, list[str]]]:
        """(heading, lines) of the whole explanation."""
        found: list[tuple[str, list[str]]] = []
        told: set[str] = set()
        for number, part in enumerate(self.parts, 1):
            name = "" if len(self.parts) == 1 else f"{number}. {part.loss.name}: "
            if part.loss.name not in told:  # a loss that comes twice has one formula
                told.add(part.loss.name)
                lines = textwrap.wrap(first_sentence(part.loss), 116)
                found.append((f"{name}formula", [*lines, *textwrap.indent(part.formula, "  ").splitlines()]))
            rows = [_row(*argument) for argument in part.arguments]
            found.append((f"{name}arguments", [*rows, *(f"{k} = {_option(v)}" for k, v in part.options.items())]))
            found.append((f"{name}reduction", _reduction(part)))
            if part.values.ndim:
                what = {"element": "elements", "example": "examples", "any": "examples"}.get(
                    part.loss.declaration.per, "values"
                )
                found.append((f"{name}worst {what}", list(_worst(part)) or ["there is none"]))
        if self.gradients:
            found.append(("gradient, its size for each example", [_sizes(n, g) for n, g in self.gradients]))
        advice = [line for text in self.advice for line in textwrap.wrap(text, 116, subsequent_indent="  ")]
        found.append(("advice", advice or ["nothing noticed"]))
        return found

    def __str__(self) -> str:
        lines = [self.headline]
        for heading, rows in self.sections():
            lines += [heading, *(f"  {row}" if row else "" for row in rows)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{escape(self.headline)}</b></p><table>"]
        for heading, rows in self.sections():
            text = escape("\n".join(rows))
            parts.append(
                f'<tr><th style="text-align:left;vertical-align:top" scope="row">{escape(heading)}</th>'
                f'<td style="text-align:left"><pre style="margin:0">{text}</pre></td></tr>'
            )
        return "".join(parts) + "</table>"


def _sizes(name: str, sizes: Array) -> str:
    if not sizes.size:
        return f"{name}: no examples"
    with quiet():
        place = [int(i) for i in np.unravel_index(int(sizes.argmax()), sizes.shape)]
        low, high, middle = (_brief(float(f(sizes))) for f in (np.min, np.max, np.median))
    if low == high:
        return f"{name}: {low}" if sizes.size == 1 else f"{name}: {low} for all {sizes.size}"
    return f"{name}: {low} to {high}, median {middle}; largest at {place}"


def _reduction(part: Part) -> list[str]:
    count = part.values.size
    values = "the one value" if count == 1 else f"{count} values"
    left = f", {part.left_out} left out" if part.left_out else ""
    if part.reduction == "none":
        return [f"none: {values}{left}"]
    top, bottom, result = _short(part.numerator), _short(part.denominator), _short(part.value)
    after = f", then {part.finish}()" if part.finish else ""
    if part.reduction == "sum":
        return [f"sum = {top}{after} = {result}" if after else f"sum = {result}", f"of {values}{left}"]
    ones = bool(np.isin(part.weights, (0.0, 1.0)).all())
    nothing = " (the mean of nothing)" if part.denominator == 0 else ""
    below = "how many count" if ones else "the sum of their weights"
    below = "the examples" if part.reduction == "batchmean" else below
    return [
        f"{part.reduction} = {top} / {bottom}{after} = {result}{nothing}",
        f"{top}: {values if count == 1 else f'the sum of {values}'}{', each times its scale' * part.scaled}",
        f"{bottom}: {below}{left}",
    ]


def _worst(part: Part) -> Iterator[str]:
    for place, value in part.worst():
        around = ", ".join(f"{name} {_numbers(x)}" for name, x in part.around(place))
        yield textwrap.shorten(f"{list(place)} = {_brief(value)}: {around}".removesuffix(": "), 116, placeholder=" ...")


def _row(name: str, x: Array, describe: str) -> str:
    kind = f"{x.shape} {x.dtype}"
    if not x.size:
        return f"{name}: {kind}, empty; {describe}"
    if x.dtype.kind == "b":
        return f"{name}: {kind}, {int(x.sum())} of {x.size} True; {describe}"
    bad = int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
    low, high = (np.nanmin(x).item(), np.nanmax(x).item()) if bad < x.size else (np.nan, np.nan)
    span = _brief(low) if low == high or bad == x.size else f"{_brief(low)} to {_brief(high)}"
    return f"{name}: {kind}, {span}{f', {bad} nan' if 0 < bad < x.size else ''}; {describe}"


def _option(value: Any) -> str:
    return str(getattr(value, "__name__", repr(value)))


def _numbers(x: Array) -> str:
    flat = x.reshape(-1)
    if flat.size == 1:
        return _brief(flat.item())
    return f"[{', '.join(_brief(v.item()) for v in flat[:SHOWN])}{', ...' * (flat.size > SHOWN)}]"


def _short(x: Any) -> str:
    return str(x) if isinstance(x, (bool, int)) else f"{x:.6g}"


def _brief(x: Any) -> str:
    return str(x) if isinstance(x, (bool, int)) else f"{x:.4g}"
