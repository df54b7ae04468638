"""Why is my loss this number? The formula, the arguments, the reduction, the worst examples, and advice."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from html import escape
from typing import Any

import numpy as np

from .callsite import LossWarning
from .dtypes import Array
from .losses import Loss
from .losses._evaluation import counted
from .modes import enable_grad
from .quiet import quiet
from .tape import Tensor
from .walk import walk

_WORST = 3  # examples shown
_SHOWN = 6  # numbers shown of one


class Part:
    """One loss of the criterion: how its number came about.

    ``numerator`` and ``denominator`` make the mean; ``values`` are the losses of the elements or examples before the
    reduction, ``weights`` how much each counts in the denominator.
    """

    def __init__(self, node: Tensor) -> None:
        self.loss: Loss = node.op
        self.value = float(node.array) if node.array.ndim == 0 else node.array
        args = node.args or ()
        settings: dict[str, Any] = node.settings or {}
        binding, self.options, self.reduction, kept = settings["call"]
        d = self.loss.declaration
        self.arguments = [
            (name, x.array, spec.domain.describe)
            for name, x in zip(d.arrays, args, strict=False)
            if isinstance(x, Tensor) and (spec := binding.specs.get(name)) is not None
        ]
        if len(args) > len(d.arrays):
            self.arguments.append(("sample_weight", args[len(d.arrays)].array, "how often each value counts"))
        with enable_grad(), warnings.catch_warnings(action="ignore", category=LossWarning):
            terms = counted(
                self.loss, [Tensor(a.array) if isinstance(a, Tensor) else a for a in args], binding, self.options, kept
            )
        self.values: Array = (terms.value if terms.alone is None else terms.alone).array
        scaled = terms.value if terms.scale is None or self.reduction != "mean" else terms.value * terms.scale
        self.weights: Array = np.ones(self.values.shape) if terms.share is None else terms.share.array
        self.finished = terms.finish is not None
        with quiet():
            self.numerator = float(np.sum(scaled.array, dtype=np.float64))
            self.denominator = self._denominator()
        self.left_out = 0 if kept is None else int(kept.size - kept.sum())

    def _denominator(self) -> float:
        if self.reduction in ("sum", "none"):
            return 1.0
        counted = float(np.sum(self.weights, dtype=np.float64))
        if self.reduction == "batchmean" and self.values.size:
            return counted * (self.values.shape[0] if self.values.ndim else 1) / self.values.size
        return counted

    @property
    def formula(self) -> str:
        """The source of the formula, without its docstring."""
        try:
            lines = textwrap.dedent(inspect.getsource(self.loss.formula)).splitlines()
        except OSError:  # typed into a prompt that keeps no source
            return f"{self.loss.name}{inspect.signature(self.loss.formula)}"
        body = "\n".join(lines)
        doc = self.loss.formula.__doc__
        if doc is not None and '"""' in body:
            body = body[body.index('"""', body.index('"""') + 3) + 3 :]
        return textwrap.dedent(body).strip("\n")

    def worst(self, count: int = _WORST) -> list[tuple[tuple[int, ...], float]]:
        """The places with the largest values, nan first."""
        flat = np.where(np.isnan(self.values), np.inf, self.values).reshape(-1)
        order = np.argsort(-flat, kind="stable")[:count]
        return [
            (tuple(int(i) for i in np.unravel_index(k, self.values.shape)), float(self.values.reshape(-1)[k]))
            for k in order
        ]

    def around(self, place: tuple[int, ...]) -> str:
        """What the arguments hold for the value at ``place``."""
        shown = []
        for name, x, _ in self.arguments:
            if x.shape[: len(place)] == self.values.shape[: len(place)]:
                shown.append(f"{name} {_numbers(x[place])}")
            elif place and x.ndim > len(place) and x.shape[0] == self.values.shape[0]:
                shown.append(f"{name} {_numbers(x[place[0]])}")
        return ", ".join(shown)


class Explanation:
    """What :func:`explain` found; printed, it is a page of text, in a notebook a table.

    ``value``, ``parts`` (one :class:`Part` for each loss in the criterion), ``gradients`` (name, size of the gradient
    of each example) and ``advice`` (texts) are there to be read by programs too.
    """

    def __init__(
        self, title: str, value: Any, parts: list[Part], gradients: list[tuple[str, Array]], advice: list[str]
    ) -> None:
        self.title, self.value, self.parts, self.gradients, self.advice = title, value, parts, gradients, advice

    def sections(self) -> list[tuple[str, list[str]]]:
        """(heading, lines) of the whole explanation."""
        found: list[tuple[str, list[str]]] = []
        for part in self.parts:
            name = "" if len(self.parts) == 1 else f"{part.loss.name}: "
            doc = inspect.getdoc(part.loss) or ""
            found.append((f"{name}formula", [doc.split("\n")[0], *textwrap.indent(part.formula, "  ").splitlines()]))
            rows = [_row(*argument) for argument in part.arguments]
            rows += [f"{k} = {v!r}" for k, v in part.options.items()]
            found.append((f"{name}arguments", rows))
            found.append((f"{name}reduction", self._reduction(part)))
            if part.values.ndim:
                lines = [f"{list(place)}  {value:.4g}  {part.around(place)}" for place, value in part.worst()]
                found.append(
                    (f"{name}worst {'element' if part.loss.declaration.per == 'element' else 'example'}s", lines)
                )
        if self.gradients:
            found.append(("gradient, its size for each example", [_sizes(n, g) for n, g in self.gradients]))
        found.append(("advice", self.advice or ["nothing noticed"]))
        return found

    @staticmethod
    def _reduction(part: Part) -> list[str]:
        count = f"{part.values.size} value{'s' * (part.values.size != 1)}"
        left = f", {part.left_out} of them left out" if part.left_out else ""
        if part.reduction == "none":
            return [f"none: {count}{left}"]
        text = f"{part.reduction}: {part.numerator:.6g}"
        if part.reduction != "sum":
            text += f" / {part.denominator:.6g}"
        text += ", then its finish (a root, for RMSE)" if part.finished else ""
        what = "the sum of" if part.reduction == "sum" else "the sum of the values over what they count, for"
        return [f"{text} = {part.value:.6g}", f"{what} {count}{left}"]

    def __str__(self) -> str:
        shown = f"{self.value:.6g}" if isinstance(self.value, float) else f"of shape {np.shape(self.value)}"
        lines = [f"{self.title} = {shown}"]
        for heading, rows in self.sections():
            lines += [heading, *("  " + row for row in rows)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = f"{self.value:.6g}" if isinstance(self.value, float) else f"of shape {np.shape(self.value)}"
        parts = [f"<p><b>{escape(self.title)} = {escape(shown)}</b></p><table>"]
        for heading, rows in self.sections():
            text = escape("\n".join(rows))
            parts.append(
                f'<tr><th style="text-align:left;vertical-align:top" scope="row">{escape(heading)}</th>'
                f'<td style="text-align:left"><pre style="margin:0">{text}</pre></td></tr>'
            )
        return "".join(parts) + "</table>"


def explain(criterion: Any, *args: Any, **kwargs: Any) -> Explanation:
    """Why ``criterion(*args, **kwargs)`` is the number it is.

    ``criterion``: a loss function, a loss module, a weighted sum of them, or any function of tensors that calls some.
    Gradients, the graph and the arguments stay as they are. Raises what the call itself raises.

    >>> print(explain(nn.MSELoss(), tensor([1.0, 4.0]), tensor([0.0, 2.0])))
    MSELoss() = 2.5
    formula
      The squared difference. With ``weight`` (the input's shape) the mean divides by the sum of the weights.
        error = square(input - target)
        # a weight of 0 leaves an element out, also where its square overflows
        return error if weight is None else (times_log(weight, error), weight)
    arguments
      input: (2,) float32, 1 to 4; any real number
      target: (2,) float32, 0 to 2; any real number
    reduction
      mean: 5 / 2 = 2.5
      the sum of the values over what they count, for 2 values
    worst elements
      [1]  4  input 4, target 2
      [0]  1  input 1, target 0
    gradient, its size for each example
      input: 1 to 2, median 1.5; largest at [1]
    advice
      nothing noticed
    """
    leaves: list[tuple[str, Tensor]] = []

    def copy(name: str, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        leaf = Tensor(x.array)
        leaf.needs_grad = x.array.dtype.kind == "f"
        if leaf.needs_grad:
            leaves.append((name, leaf))
        return leaf

    names = _names(criterion)
    given = [copy(names[i] if i < len(names) else f"argument {i}", x) for i, x in enumerate(args)]
    named = {k: copy(k, x) for k, x in kwargs.items()}
    with enable_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = criterion(*given, **named)
        criterion(*args, **kwargs)  # with their history: softmax before a loss shows there
    if not isinstance(y, Tensor):
        raise TypeError(f"explain: the criterion returned {type(y).__name__}; expected a Tensor")
    nodes = _losses_of(y)
    advice = list(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, LossWarning)))
    gradients: list[tuple[str, Array]] = []
    if y.needs_grad:
        found = walk([y], [np.ones(y.array.shape, y.array.dtype)])
        gradients = [(name, _per_example(found[leaf])) for name, leaf in leaves[:1] if leaf in found]
        if gradients and not np.isfinite(gradients[0][1]).all():
            advice.append(f"the gradient of {gradients[0][0]} is not finite; autograd.detect_anomaly() names the step")
    value = float(y.array) if y.array.ndim == 0 else y.array
    if isinstance(value, float) and not np.isfinite(value):
        advice.append(f"the loss is {value}; look at the worst examples above")
    if not nodes:
        advice.append("no loss of this library is in the criterion: its operations are in viz.tree(loss)")
    title = (
        repr(criterion)
        if not isinstance(criterion, Loss) and hasattr(criterion, "forward")
        else getattr(criterion, "__name__", "criterion")
    )
    return Explanation(title, value, [Part(node) for node in nodes], gradients, advice)


def _names(criterion: Any) -> tuple[str, ...]:
    loss = criterion if isinstance(criterion, Loss) else getattr(criterion, "loss", None)
    return tuple(loss.declaration.required) if isinstance(loss, Loss) else ("input", "target")


def _losses_of(y: Tensor) -> list[Tensor]:
    """The nodes that losses made, in the order of their calls."""
    seen: set[int] = set()
    found, stack = [], [y]
    while stack:
        t = stack.pop()
        if id(t) in seen or t.op is None:
            continue
        seen.add(id(t))
        if isinstance(t.op, Loss):
            found.append(t)
        stack += [a for a in t.args or () if isinstance(a, Tensor)]
    return sorted(found, key=lambda t: t.birth)


def _per_example(g: Array) -> Array:
    """The size (Euclidean norm) of the gradient of each example, the first axis."""
    with quiet():
        rows = np.asarray(g, np.float64).reshape(len(g) if g.ndim else 1, -1)
        top = np.max(np.abs(rows), axis=1, initial=0.0, keepdims=True)
        safe = np.where((top > 0) & np.isfinite(top), top, 1.0)
        return np.asarray(np.sqrt(np.sum((rows / safe) ** 2, axis=1)) * safe[:, 0])


def _sizes(name: str, sizes: Array) -> str:
    if not sizes.size:
        return f"{name}: no examples"
    if sizes.size == 1:
        return f"{name}: {sizes[0]:.4g}"
    return f"{name}: {sizes.min():.4g} to {sizes.max():.4g}, median {np.median(sizes):.4g}; largest at [{int(sizes.argmax())}]"


def _row(name: str, x: Array, describe: str) -> str:
    if not x.size:
        return f"{name}: {x.shape} {x.dtype}, empty; {describe}"
    bad = int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
    low, high = (float(np.nanmin(x)), float(np.nanmax(x))) if bad < x.size else (np.nan, np.nan)
    nans = f", {bad} nan" if bad else ""
    return f"{name}: {x.shape} {x.dtype}, {low:g} to {high:g}{nans}; {describe}"


def _numbers(x: Any) -> str:
    flat = np.asarray(x).reshape(-1)
    if np.ndim(x) == 0:
        return f"{float(flat[0]):.4g}"
    return f"[{', '.join(f'{float(v):.4g}' for v in flat[:_SHOWN])}{', ...' if flat.size > _SHOWN else ''}]"
