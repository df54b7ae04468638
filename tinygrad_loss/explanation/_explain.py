"""explain(): ask a criterion, on copies of its arguments, how its number came about."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..callsite import LossWarning
from ..dtypes import Array
from ..losses import Loss, WeightedSum, _guard
from ..modes import enable_grad
from ..quiet import quiet
from ..tape import Tensor
from ..walk import walk
from ._page import Explanation, Sizes
from ._part import Part


def explain(criterion: Any, *args: Any, **kwargs: Any) -> Explanation:
    """Why ``criterion(*args, **kwargs)`` is the number it is.

    ``criterion``: a loss function, a loss module, a weighted sum of them, or any function of tensors that calls some.
    It is called once, on copies: gradients, the graph and the arguments stay as they are. Raises what the call itself
    raises, and TypeError if it returns no Tensor.

    >>> print(explain(nn.MSELoss(), tensor([1.0, 4.0]), tensor([0.0, 2.0])))
    MSELoss() = 2.5
    formula
      The squared difference.
        if weight is None:
            return square(input - target)
        # a weight of 0 leaves an element out, also where its difference or square overflows
        return times_log(weight, square(times_log(ne(weight, 0), input - target))), weight
    arguments
      input: (2,) float32, 1 to 4; any real number
      target: (2,) float32, 0 to 2; any real number
    reduction
      mean = 5 / 2 = 2.5
      5: the sum of 2 values
      2: how many count
    worst elements
      [1] = 4: input 4, target 2
      [0] = 1: input 1, target 0
    gradient, its size for each example
      input: 1 to 2, median 1.5; largest at [1]
    advice
      nothing noticed
    """
    if not callable(criterion):
        raise TypeError(
            f"explain: criterion is {type(criterion).__name__}; expected a loss, or a function that calls one"
        )
    originals: dict[Tensor, Tensor] = {}
    leaves: list[tuple[str, Tensor]] = []

    def copy(name: str, x: Any) -> Any:
        if isinstance(x, Mapping):
            return {key: copy(f"{name}[{key!r}]", value) for key, value in x.items()}
        if type(x) in (list, tuple):
            return type(x)(copy(f"{name}[{i}]", value) for i, value in enumerate(x))
        if not isinstance(x, Tensor):
            return x
        leaf = Tensor(x.array)
        leaf.needs_grad = x.array.dtype.kind == "f"
        originals[leaf] = x
        if leaf.needs_grad:
            leaves.append((name, leaf))
        return leaf

    names = _names(criterion)
    given = [copy(names[i] if i < len(names) else f"argument {i}", x) for i, x in enumerate(args)]
    named = {k: copy(k, x) for k, x in kwargs.items()}
    asked = _asked(leaves, originals, criterion)
    with enable_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = criterion(*given, **named)
        if not isinstance(y, Tensor):
            raise TypeError(f"explain: the criterion returned {type(y).__name__}; expected a Tensor")
        parts = [*map(Part.of_node, _losses_of(y)), *_without_node(criterion, given, named)]
        for part in parts:  # a loss looks closely in few calls of a loop; here, always, and at what came before it
            arrays = [originals.get(a, a) if isinstance(a, Tensor) else a for a in part.args]
            arrays = arrays[: len(part.loss.declaration.arrays)]
            raw = [a.array if isinstance(a, Tensor) else a for a in arrays]
            with quiet():
                _guard.advise_all(part.loss, arrays, raw, part.binding, part.options)
    advice = list(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, LossWarning)))
    gradients: list[Sizes] = []
    if y.needs_grad:
        found = walk([y], [np.ones(y.array.shape, y.array.dtype)])
        for name, leaf in asked:
            if leaf in found:
                axes = next((a for part in parts if (a := part.example_axes(leaf)) is not None), (0,))
                gradients.append((name, _lengths(found[leaf], axes)))
    value = float(y.array) if y.array.ndim == 0 else y.array
    advice += _noticed(value, parts, gradients)
    return Explanation(_title(criterion), value, parts, gradients, advice)


def _asked(leaves: list[tuple[str, Tensor]], originals: dict[Tensor, Tensor], criterion: Any) -> list[Any]:
    """By what the gradients are shown: what requires one, or else the first argument; the others are constants."""
    asked = [pair for pair in leaves if originals[pair[1]].needs_grad]
    if not asked and leaves:
        loss = criterion if isinstance(criterion, Loss) else getattr(criterion, "loss", None)
        order = loss.declaration.arrays if isinstance(loss, Loss) else ()
        lead = min((name for name, _ in leaves), key=lambda n: order.index(n) if n in order else len(order))
        asked = [pair for pair in leaves if pair[0].partition("[")[0] == lead.partition("[")[0]]
    for pair in leaves:
        pair[1].needs_grad = any(pair[1] is leaf for _, leaf in asked)
    return asked


def _noticed(value: Any, parts: list[Part], gradients: list[Sizes]) -> list[str]:
    """What is odd about the numbers."""
    found = []
    if isinstance(value, float) and not np.isfinite(value):
        nothing = any(part.denominator == 0 for part in parts)
        found.append(f"the loss is {value:g}: {'a mean of nothing' if nothing else 'look at the worst examples above'}")
    for name, sizes in gradients:
        if sizes.size and not np.isfinite(sizes).all():
            found.append(f"the gradient of {name} is not finite; autograd.detect_anomaly() names the step")
        elif sizes.size and not sizes.any():
            found.append(f"the gradient of {name} is 0 everywhere: a step would change nothing")
    if not parts:
        found.append(
            "no loss of this library was found in the criterion: its operations are in viz.tree(loss)"
            if gradients else "no gradient leads from the result to the arguments, so there is nothing to take apart"
        )  # fmt: skip
    return found


def _title(criterion: Any) -> str:
    if not isinstance(criterion, Loss) and hasattr(criterion, "forward"):
        return repr(criterion)
    name = str(getattr(criterion, "__name__", "criterion"))
    return "criterion" if name == "<lambda>" else name


def _names(criterion: Any) -> tuple[str, ...]:
    """What the positional arguments are called."""
    loss = criterion if isinstance(criterion, Loss) else getattr(criterion, "loss", None)
    if isinstance(criterion, Loss):
        return tuple(criterion.declaration.positional)
    if isinstance(loss, Loss):
        return tuple(criterion._passed)
    if isinstance(criterion, WeightedSum):
        return _names(criterion._functions[0])
    try:
        return tuple(inspect.signature(getattr(criterion, "forward", criterion)).parameters)
    except (TypeError, ValueError):
        return ()


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


def _without_node(criterion: Any, args: list[Any], kwargs: dict[str, Any]) -> Iterator[Part]:
    """The parts of losses that use tensors besides their arguments, and so stand step by step on the caller's tape."""
    if isinstance(criterion, WeightedSum):
        for function in criterion._functions:
            yield from _without_node(function, args, kwargs)
    elif isinstance(criterion, Loss):
        if criterion._last.composed:
            yield Part.of_call(criterion, tuple(args), kwargs)
    elif isinstance(loss := getattr(criterion, "loss", None), Loss) and loss._last.composed:
        passed = dict(zip(criterion._passed, args, strict=False)) | kwargs
        kept = {name: getattr(criterion, name) for name in (*criterion._options, *criterion._kept, "reduction")}
        yield Part.of_call(loss, (), passed | kept)


def _lengths(g: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean length of the gradient of each example; shape: those of the axes of the examples."""
    with quiet():
        axes = axes if g.ndim else ()
        rest = tuple(i for i in range(g.ndim) if i not in axes)
        size = np.abs(np.asarray(g, np.float64))
        top = np.max(size, axis=rest, initial=0.0, keepdims=True)
        safe = np.where((top > 0) & np.isfinite(top), top, 1.0)
        return np.asarray(np.sqrt(np.sum((size / safe) ** 2, axis=rest)) * safe.reshape([g.shape[i] for i in axes]))
