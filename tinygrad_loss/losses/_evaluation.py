"""The formula on tensors: casts, what is left out, the optional batch axis, weights, and the reduction at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import Array, float16, of_numpy
from ..ops.masking import where
from ..ops.stable import times_log
from ..tape import Tensor
from ._binding import Binding
from ._domains import Spec
from ._reductions import Terms, reduce


def terms_of(loss: Any, args: Sequence[Any], binding: Binding, options: dict[str, Any]) -> Terms:
    """What the formula gives for a block of rows; nothing left out, nothing weighted."""
    given = dict(zip(loss.declaration.arrays, args, strict=True))
    for name, kind in binding.casts.items():
        given[name] = given[name].to(of_numpy(kind))
    return Terms.of(loss.formula(**given, **options))


def evaluate(
    loss: Any, args: Sequence[Any], binding: Binding, options: dict[str, Any], reduction: str, kept: Array | None
) -> Tensor:
    """The formula and its reduction. ``args``: the arrays, and after them the sample weights if there are any."""
    reduced: Tensor = reduce(counted(loss, args, binding, options, kept), reduction)
    return reduced.to(float16) if binding.half else reduced


def counted(loss: Any, args: Sequence[Any], binding: Binding, options: dict[str, Any], kept: Array | None) -> Terms:
    """What the formula gives, with what is left out and what counts more than once, before the reduction."""
    names = loss.declaration.arrays
    given: dict[str, Any] = dict(zip(names, args, strict=False))
    weight = args[len(names)] if len(args) > len(names) else None
    for name, kind in binding.casts.items():
        given[name] = given[name].to(of_numpy(kind))
    rows = None
    if kept is not None:
        if loss.mixes:  # examples that look at each other: those left out are taken away
            rows = np.flatnonzero(kept)
            given = {n: _take(x, binding.specs.get(n), rows) for n, x in given.items()}
        else:
            given = {n: _without(n, x, loss, binding, kept) for n, x in given.items()}
    if not binding.batched:
        for name, spec in binding.specs.items():
            axis = next((i for i, a in enumerate(spec.axes) if a.startswith("[")), None)
            if axis is not None:
                given[name] = given[name].unsqueeze(axis)
    terms = Terms.of(loss.formula(**given, **options))
    if not binding.batched:
        terms = terms.map(lambda x: x.squeeze(0))
    per = loss.declaration.per
    if (binding.composed is None and per not in ("batch", "any")) or (
        per == "any" and (weight is not None or kept is not None)
    ):
        _check_shape(loss, terms.value, binding, rows)
    if rows is not None:
        terms = terms.map(lambda x: _put(x, rows, binding.shape))
    return terms if weight is None and kept is None else weighted(terms, weight, kept)


def weighted(terms: Terms, weight: Tensor | None, kept: Array | None) -> Terms:
    """An example counts as often as its weight says, one left out not at all: in the value and in the denominator."""
    value, share, alone = terms.value, terms.share, terms.alone
    if share is None:
        share = Tensor(np.ones(value.shape, value.array.dtype))
    if weight is not None:
        w = weight.to(value.dtype).reshape(tuple(weight.shape) + (1,) * (value.ndim - weight.ndim))
        # a weight of 0 leaves an example out, also where its loss overflows
        value, share = times_log(w.expand(value.shape), value), share * w
        alone = None if alone is None else times_log(w.expand(alone.shape), alone)
    if kept is not None:
        mask = Tensor(kept)
        value, share = where(mask, value, 0.0), where(mask, share, 0.0)
        alone = None if alone is None else where(mask, alone, 0.0)
    return terms._replace(value=value, share=share, alone=alone)


def spread(kept: Array, spec: Spec, shape: tuple[int, ...], loss: Any, binding: Binding) -> Array | None:
    """Which entries of an argument some value that is kept looks at; None for an argument that all values share."""
    if spec.axes in (("row",), ("broadcast",)):
        # one for each class has the mask's shape by chance
        return kept if loss.declaration.per == "element" and shape == binding.shape else None
    output = loss.declaration.output
    axes = [a for a in spec.axes if binding.batched or not a.startswith("[")]
    if output[:1] != spec.axes[:1] and not (output and set(output) <= set(spec.axes)):
        return None
    if "*" in output and "*" not in axes:  # several values look at the same entries
        kept = np.asarray(kept.any(tuple(range(kept.ndim - len(binding.sizes["*"]), kept.ndim))))
    expanded: tuple[int, ...] = ()
    for axis in axes:
        size = binding.sizes[axis.strip("[]")]
        sizes = size if isinstance(size, tuple) else (size,)
        expanded += sizes if axis in output else (1,) * len(sizes)
    return kept.reshape(expanded)


def _without(name: str, x: Any, loss: Any, binding: Binding, kept: Array) -> Any:
    """``x`` with harmless values where an example is left out, so that nothing of it reaches the others."""
    spec = binding.specs.get(name)
    entries = None if spec is None else spread(kept, spec, tuple(x.shape), loss, binding)
    if spec is None or entries is None:
        return x
    return where(Tensor(entries), x, int(spec.domain.neutral) if spec.domain.integers else spec.domain.neutral)


def _take(x: Any, spec: Spec | None, rows: Array) -> Any:
    """The rows kept, of an argument that has the axis of the examples."""
    return x if spec is None or spec.axes[:1] not in (("N",), ("[N]",)) else x[Tensor(rows)]


def _put(x: Tensor, rows: Array, shape: tuple[int, ...]) -> Tensor:
    """The values of the rows kept, at their places; 0 at the others."""
    if not len(rows):
        nothing: Tensor = x.sum().expand(shape)  # zeros that still know where they come from
        return nothing
    place = np.zeros(shape[0], np.int64)
    place[rows] = np.arange(len(rows))
    present = np.zeros(shape[0], np.bool_)
    present[rows] = True
    result: Tensor = where(Tensor(present.reshape((-1,) + (1,) * (len(shape) - 1))), x[Tensor(place)], 0.0)
    return result


def _check_shape(loss: Any, value: Any, binding: Binding, rows: Array | None) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{loss.name}: its formula returned {type(value).__name__}, expected a Tensor")
    expected = binding.shape if rows is None else (len(rows), *binding.shape[1:])
    if tuple(value.shape) != expected:
        per = "element" if loss.declaration.per == "element" else "example"
        raise ValueError(
            f"{loss.name}: its formula returned shape {tuple(value.shape)}, expected {expected}, one value per {per}, "
            "as its return annotation says (PerElement, PerExample, PerBatch); the reduction comes after the formula"
        )


def leaf_of(argument: Any, need: bool) -> Any:
    """A tensor of the inner tape with the values of an argument of the outer one."""
    if not isinstance(argument, Tensor):
        return argument
    leaf = Tensor(argument.array)
    leaf.needs_grad = need and argument.needs_grad
    return leaf


def uses_others(inner: Tensor, leaves: Sequence[Any], start: int) -> bool:
    """Whether a formula used tensors that require grad and are none of its arguments: a closure's, a model's."""
    own, seen, stack = {id(x) for x in leaves}, set(), [inner]
    while stack:
        tensor = stack.pop()
        if id(tensor) in own or id(tensor) in seen or not tensor.needs_grad:
            continue
        if tensor.op is None or tensor.birth <= start:
            return True
        seen.add(id(tensor))
        stack += [a for a in tensor.args or () if isinstance(a, Tensor)]
    return False


def times_upstream(gradient: Array, g: Any, kind: np.dtype[Any]) -> Array:
    """A gradient times what comes from above: one number, or one for each example."""
    if g.ndim and gradient.ndim > g.ndim:
        g = np.expand_dims(g, tuple(range(g.ndim, gradient.ndim)))
    return np.asarray(np.multiply(gradient, g), kind)
