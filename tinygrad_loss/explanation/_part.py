"""One loss of a criterion, taken apart: its arguments, its values before the reduction, numerator and denominator."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..callsite import LossWarning
from ..dtypes import Array
from ..losses import Loss, _guard
from ..losses._domains import Domain
from ..losses._evaluation import counted, spread
from ..losses._reductions import reduce
from ..modes import enable_grad
from ..quiet import quiet
from ..tape import Tensor

WORST = 3  # examples shown
SHOWN = 5  # numbers shown of one
_COUNTS = "how often each value counts"


def _describe(domain: Domain, options: dict[str, Any]) -> str:
    return domain.describe if "ignore_index" in options else domain.describe.removesuffix(" (or ignore_index)")


@cache
def _source(formula: Callable[..., Any], name: str) -> str:
    try:
        body = textwrap.dedent(inspect.getsource(formula))
    except (OSError, TypeError):  # typed into a prompt that keeps no source
        return f"# its source is not at hand: {name}({', '.join(inspect.signature(formula).parameters)})"
    if formula.__doc__ is not None:
        quotes = min(("'''", '"""'), key=lambda q: body.find(q) % (len(body) + 1))
        if quotes in body:
            body = body[body.index(quotes, body.index(quotes) + 3) + 3 :]
    return textwrap.dedent(body).strip("\n")


class Part:
    """One loss of the criterion: how its number came about.

    ``loss``, ``options`` and ``reduction`` say what was called, ``arguments`` lists (name, values, what they mean).
    ``numerator`` and ``denominator`` make the mean; ``values`` are the losses of the elements or examples before the
    reduction, ``weights`` how much each counts in the denominator. ``left_out``: how many values the mask or
    ``ignore_index`` leaves out. ``finish``: the name of what is applied after the reduction (a root), or None.
    ``plain``: each value counts once.
    """

    def __init__(self, loss: Loss, args: Any, call: tuple[Any, ...], value: Array | None = None) -> None:
        self.loss = loss
        self.binding, self.options, self.reduction, self.kept = call
        self.args = tuple(args)
        d, specs = loss.declaration, self.binding.specs
        self.arguments = [
            (name, x.array, _describe(specs[name].domain, self.options))
            for name, x in zip(d.arrays, self.args, strict=False)
            if isinstance(x, Tensor) and name in specs
        ]
        if len(self.args) > len(d.arrays):
            self.arguments.append(("sample_weight", self.args[len(d.arrays)].array, _COUNTS))
        copies = [Tensor(a.array) if isinstance(a, Tensor) else a for a in self.args]
        with enable_grad(), warnings.catch_warnings(action="ignore", category=LossWarning):
            terms = counted(loss, copies, self.binding, self.options, self.kept)
            value = reduce(terms, self.reduction).array if value is None else value
        self.value: Any = float(value) if value.ndim == 0 else value
        self.values: Array = (terms.value if terms.alone is None else terms.alone).array
        self.weights: Array = np.ones(terms.value.shape) if terms.share is None else terms.share.array
        self.finish = None if terms.finish is None else getattr(terms.finish, "__name__", "finish")
        self.scaled = terms.scale is not None and self.reduction == "mean"
        self.empty, self.plain = terms.empty, terms.share is None
        summed = terms.value * terms.scale if self.scaled else terms.value
        with quiet():
            self.numerator = float(np.sum(summed.array, dtype=np.float64))
            self.denominator = self._denominator()
        self.left_out = 0 if self.kept is None else int(self.kept.size - self.kept.sum())

    @classmethod
    def of_node(cls, node: Tensor) -> Part:
        """The part of a tape node that a loss made."""
        return cls(node.op, node.args or (), (node.settings or {})["call"], node.array)

    @classmethod
    def of_call(cls, loss: Loss, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Part:
        """The part of a call that has just passed, of a loss that leaves no node: its formula uses other tensors."""
        arrays, options, reduction, weight, mask = loss._parse(args, dict(kwargs))
        arrays, binding = _guard.as_tensors(loss, arrays), loss._last
        weight, kept = _guard.counts(loss, weight, mask, binding)
        raw = [x.array if isinstance(x, Tensor) else x for x in arrays]
        kept = _guard.ignored(loss, arrays, raw, binding, options, kept)
        more = () if weight is None else (weight,)
        return cls(loss, (*arrays, *more), (binding, options, reduction, kept))

    def _denominator(self) -> float:
        if self.reduction in ("sum", "none"):
            return 1.0
        count = float(np.sum(self.weights, dtype=np.float64))
        if self.reduction == "mean":
            return count
        examples = float(self.weights.shape[0] if self.weights.ndim else 1)
        return examples if self.plain else count and examples * count / self.weights.size

    @property
    def formula(self) -> str:
        """The source of the formula, without its docstring."""
        return _source(self.loss.formula, self.loss.name)

    def worst(self, count: int = WORST) -> list[tuple[tuple[int, ...], float]]:
        """The places with the largest values, nan first."""
        flat = np.where(np.isnan(self.values), np.inf, self.values).reshape(-1)
        flat = flat + 0.0 if self.kept is None or self.kept.shape != self.values.shape else np.where(
            self.kept.reshape(-1), flat, -np.inf
        )  # fmt: skip
        order = np.lexsort((np.arange(flat.size), -flat, ~np.isnan(self.values.reshape(-1))))[:count]
        return [
            (tuple(int(i) for i in np.unravel_index(k, self.values.shape)), float(self.values.reshape(-1)[k]))
            for k in order
            if flat[k] > -np.inf
        ]

    def around(self, place: tuple[int, ...]) -> list[tuple[str, Array]]:
        """(name, numbers) of what the arguments hold for the value at ``place``; not what all values share."""
        one = np.zeros(self.values.shape, np.bool_)
        one[place] = True
        found = []
        for name, x, _ in self.arguments:
            if self.loss.declaration.per == "batch" or self.values.shape != self.binding.shape:
                continue
            if name in self.binding.specs:
                entries = spread(one, self.binding.specs[name], x.shape, self.loss, self.binding)
            else:  # the weights that every loss takes: of the leading axes
                entries = np.asarray(one.any(axis=tuple(range(x.ndim, one.ndim))))
                entries = np.asarray(entries.any(axis=tuple(i for i, n in enumerate(x.shape) if n == 1), keepdims=True))
            if entries is not None:
                found.append((name, x[np.broadcast_to(entries, x.shape)]))
        return found

    def example_axes(self, argument: Tensor) -> tuple[int, ...] | None:
        """The axes of the examples in one of the arguments; None if it is none of them."""
        d = self.loss.declaration
        name = next((n for n, x in zip(d.arrays, self.args, strict=False) if x is argument), None)
        if name is None or name not in self.binding.specs:
            return None
        spec, shape = self.binding.specs[name], argument.array.shape
        if spec.axes in (("row",), ("broadcast",)):
            return (0,) if shape == self.binding.shape and shape else ()
        found: list[int] = []
        at = 0
        for axis in spec.axes:
            if axis.startswith("[") and not self.binding.batched:
                continue
            size = self.binding.sizes.get(axis.strip("[]"), 0)
            width = len(size) if isinstance(size, tuple) else 1
            if axis in d.output or (d.per == "batch" and axis.strip("[]") in ("N", "...")):
                found += range(at, at + width)
            at += width
        return tuple(found[:1]) if d.per != "example" else tuple(found)
