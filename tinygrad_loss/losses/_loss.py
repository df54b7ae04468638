"""@loss: a formula becomes a function, a module, its checks and its place in the registry.

A call enters the tape as one node. Inside it the formula runs on a small tape of its own; a plain backward
walks that tape, and under ``create_graph`` the formula is run again on the outer tape, so that derivatives
of every order are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..backward import path_to, walk
from ..callsite import advise, deprecated
from ..dtypes import Array, of_numpy
from ..modes import State, get_state, reset_state, set_state
from ..ops.elementwise import alias
from ..ops.masking import where
from ..ops.reduce import mean_, sum_
from ..primitive import Value, result
from ..quiet import QUIET, enter_quiet, leave_quiet
from ..tape import Tensor
from ._module import module_class
from ._signature import Binding, Declaration, bind

PerElement: TypeAlias = Tensor  # a formula returns the loss of each element,
PerExample: TypeAlias = Tensor  # or of each example,
Weighted: TypeAlias = tuple[Tensor, Tensor]  # or that, weighted, with its share in the mean's denominator

LOSSES: dict[str, Loss] = {}  # every loss by name: tests, tables and pictures derive from it
_SIGNATURES_KEPT = 256


class Loss:
    """A declared loss; call it like the function it was declared as.

    ``formula`` is the plain function, ``Module`` the class that keeps the options. As the operation of a
    tape node it has what the walk asks for: ``name``, ``grad_name``, ``rules``, ``pull``.
    """

    rules: tuple[Any, ...] = ()
    flat = False
    saves = True

    def __init__(self, formula: Callable[..., Any], order: str | None, batchmean: bool, node: str | None) -> None:
        self.formula = formula
        self.declaration = Declaration(formula, order, batchmean)
        self.name = self.__name__ = self.__qualname__ = formula.__name__
        self.__module__ = formula.__module__
        self.__doc__ = formula.__doc__
        self.grad_name = node or "".join(part.capitalize() for part in self.name.split("_"))
        self.Module: Any = None
        self._bindings: dict[Any, Binding] = {}

    def __repr__(self) -> str:
        return f"<loss {self.name}({', '.join(self.declaration.order)})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        d = self.declaration
        values = d.defaults.copy()
        if len(args) > len(d.order):
            raise TypeError(f"{self.name}: got {len(args)} positional arguments; expected ({', '.join(d.order)})")
        values.update(zip(d.order, args, strict=False))
        for name in kwargs:
            if name not in d.order:
                raise TypeError(f"{self.name}: unknown argument {name!r}; expected ({', '.join(d.order)})")
            if name in d.order[: len(args)]:
                raise TypeError(f"{self.name}: argument {name!r} is given twice, by position and by name")
        values.update(kwargs)
        for name in d.required:
            if name not in values:
                raise TypeError(f"{self.name}: missing argument {name!r}; expected ({', '.join(d.order)})")
        return self.apply(values)

    def apply(self, values: Mapping[str, Any]) -> Tensor:
        """The loss of complete, named arguments: check, compute, enter the tape."""
        d = self.declaration
        reduction = self.resolve_reduction(self.name, values, d.reductions)
        arrays = {a.name: values[a.name] for a in d.arguments}
        options = {n: values[n] for n in d.options}
        key = (
            *[(x.array.shape, x.array.dtype) if isinstance(x, Tensor) else x for x in arrays.values()],
            *options.values(),
        )
        try:
            binding = self._bindings.get(key)
        except TypeError:  # an option or argument that cannot be hashed is checked anew each time
            key, binding = None, None
        if binding is None:
            d.check_options(options)
            binding = bind(d, arrays)
            if key is not None:
                if len(self._bindings) >= _SIGNATURES_KEPT:
                    self._bindings.clear()
                self._bindings[key] = binding
        if d.batchmean and reduction == "mean":
            self._advise_batchmean(binding.sizes["first"])
        kept = self._check_values(arrays, binding, options)
        return self._enter(tuple(arrays.values()), binding, options, reduction, kept)

    @staticmethod
    def resolve_reduction(name: str, values: Mapping[str, Any], allowed: tuple[str, ...]) -> str:
        """The reduction, from the deprecated ``size_average`` and ``reduce`` if either is given."""
        reduction = values["reduction"]
        average, legacy = values.get("size_average"), values.get("reduce")
        if average is not None or legacy is not None:
            reduction = "none" if legacy is False else ("sum" if average is False else "mean")
            deprecated(f"{name}: size_average and reduce are deprecated; use reduction={reduction!r}")
        if reduction == "elementwise_mean":
            deprecated(f"{name}: reduction='elementwise_mean' is deprecated; use 'mean'")
            reduction = "mean"
        if reduction not in allowed:
            raise ValueError(f"{name}: reduction={reduction!r} is not valid; expected {' or '.join(map(repr, allowed))}")
        return str(reduction)

    def _advise_batchmean(self, shape: tuple[int, ...]) -> None:
        if len(shape) > 1:
            count, classes = math.prod(shape), math.prod(shape[1:])
            advise(
                f"{self.name}: reduction='mean' divides by all N*C={count} elements; the divergence per example is "
                f"reduction='batchmean', {classes} x this"
            )

    def _check_values(self, arrays: Mapping[str, Any], binding: Binding, options: dict[str, Any]) -> Array | None:
        kept = None
        token = enter_quiet(QUIET)
        try:
            for name, spec in binding.specs.items():
                found = spec.domain.check(f"{self.name}: {name}", arrays[name].array, binding.sizes, options)
                kept = found if found is not None else kept
        finally:
            leave_quiet(token)
        if kept is not None and not kept.any():
            advise(f"{self.name}: every target is ignore_index={options['ignore_index']}; the mean of nothing is nan")
        return kept

    def _enter(
        self, args: tuple[Any, ...], binding: Binding, options: dict[str, Any], reduction: str, kept: Array | None
    ) -> Tensor:
        state = get_state()
        needs = [isinstance(a, Tensor) and a.needs_grad for a in args]
        recording = state.recording and any(needs)
        leaves = []
        for a, need in zip(args, needs, strict=True):
            if isinstance(a, Tensor):
                leaf = Tensor(a.array)
                leaf.needs_grad = need and recording
                leaves.append(leaf)
            else:
                leaves.append(a)
        call = (binding, options, reduction, kept)
        token = set_state(State(recording, None, state.watch))
        try:
            inner = self._evaluate(leaves, *call)
        finally:
            reset_state(token)
        settings = {"inner": inner, "leaves": leaves, "call": call}
        return result(self, inner.array, recording and inner.needs_grad, args, settings, False)

    def _evaluate(
        self, args: Any, binding: Binding, options: dict[str, Any], reduction: str, kept: Array | None
    ) -> Tensor:
        """The formula and its reduction, on tensors."""
        given: dict[str, Any] = dict(zip((a.name for a in self.declaration.arguments), args, strict=True))
        for name, kind in binding.casts.items():
            given[name] = given[name].to(of_numpy(kind))
        if kept is not None:
            given = {n: self._without(n, x, binding, kept) for n, x in given.items()}
        if not binding.batched:
            for name, spec in binding.specs.items():
                if spec.axes[0].startswith("["):
                    given[name] = given[name].unsqueeze(0)
        returned = self.formula(**given, **options)
        value, share = returned if isinstance(returned, tuple) else (returned, None)
        if not binding.batched:
            value, share = value.squeeze(0), None if share is None else share.squeeze(0)
        if kept is not None:
            mask = Tensor(kept)
            value = where(mask, value, 0.0)
            share = where(mask, share, 0.0) if share is not None else mask.to(value.dtype)
        return reduce(value, share, reduction)

    @staticmethod
    def _without(name: str, x: Any, binding: Binding, kept: Array) -> Any:
        """``x`` with harmless values where an example is left out, so that nothing of it reaches the others."""
        spec = binding.specs.get(name)
        if spec is None or not set(binding.output) <= set(spec.axes):
            return x
        mask = Tensor(np.expand_dims(kept, spec.axes.index("C") - (not binding.batched)) if "C" in spec.axes else kept)
        return where(mask, x, 0)

    def pull(self, tensor: Tensor, g: Value, taped: bool, keep: bool) -> list[Value]:
        """The gradients for all arguments, by the inner tape or, taped, by the formula run on the outer one."""
        settings: dict[str, Any] = tensor.settings or {}
        args = tensor.args or ()
        if not taped:
            found = walk([settings["inner"]], [g], keep=keep)
            return [found.get(leaf) if isinstance(leaf, Tensor) else None for leaf in settings["leaves"]]
        copies = [alias(a) if isinstance(a, Tensor) else a for a in args]
        wanted = {c for c in copies if isinstance(c, Tensor) and c.needs_grad}
        value = self._evaluate(copies, *settings["call"])
        found = walk([value], [g], keep=True, taped=True, only=path_to([value], list(wanted)), capture=wanted)
        return [found.get(c) if isinstance(c, Tensor) else None for c in copies]


def reduce(value: Tensor, share: Tensor | None, reduction: str) -> Tensor:
    """``mean`` divides by the elements, or by the sum of their shares; ``batchmean`` by the first axis."""
    if reduction == "none":
        return value
    if reduction == "sum":
        return sum_(value, dim=None, keepdim=False)  # type: ignore[no-any-return]
    if reduction == "batchmean":
        total = sum_(value, dim=None, keepdim=False)
        return total / value.shape[0] if value.ndim else total  # type: ignore[no-any-return]
    if share is None:
        return mean_(value, dim=None, keepdim=False)  # type: ignore[no-any-return]
    return sum_(value, dim=None, keepdim=False) / sum_(share, dim=None, keepdim=False)  # type: ignore[no-any-return]


def loss(
    formula: Callable[..., Any] | None = None,
    *,
    order: str | None = None,
    batchmean: bool = False,
    module: str | None = None,
    module_order: str | None = None,
    node: str | None = None,
) -> Any:
    """Declare a loss: the body is the formula for a block of examples, its annotations are the domains.

    ``order``: the positional order of all arguments where torch has one (default: arrays, options,
    ``reduction``). ``module``: the class's name. ``module_order``: the class's arguments. ``node``: the
    name shown as ``grad_fn``. Raises TypeError when a parameter has neither a domain nor a default.

    >>> from tinygrad_loss.losses import Real, loss, PerElement
    >>> @loss
    ... def cubic_loss(input: Real[torch.Tensor, "..."], target: Real[torch.Tensor, "..."]) -> PerElement:
    ...     return abs(input - target) ** 3
    >>> cubic_loss(tensor([1., 4.]), tensor([0., 2.]))
    tensor(4.5000)
    >>> cubic_loss.Module(reduction="sum")(tensor([1., 4.]), tensor([0., 2.]))
    tensor(9.)
    """

    def declare(function: Callable[..., Any]) -> Loss:
        made = Loss(function, order, batchmean, node)
        made.Module = module_class(made, module, module_order, made.declaration)
        LOSSES[made.name] = made
        return made

    return declare if formula is None else declare(formula)
