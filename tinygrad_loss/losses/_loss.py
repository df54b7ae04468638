"""@loss: a formula becomes a function, a module, its checks and its place in the registry.

A call enters the tape as one node. Inside it the formula runs on a small tape of its own; a plain backward
walks that tape, and under ``create_graph`` the formula is run again on the outer tape, so that derivatives
of every order are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, overload

import numpy as np

from ..backward import UNITS
from ..callsite import advise
from ..dtypes import Array, float16, of_numpy
from ..modes import Scope, State, get_state, reset_state, set_state
from ..ops.elementwise import alias
from ..ops.masking import where
from ..primitive import Value, result
from ..quiet import QUIET, enter_quiet, leave_quiet
from ..tape import Tensor
from ..walk import path_to, walk
from ._module import module_class
from ._reductions import advise_batchmean, reduce, resolve_reduction
from ._signature import Binding, Declaration, bind

PerElement: TypeAlias = Any  # what a formula returns: the loss of each element, a Tensor,
PerExample: TypeAlias = Any  # or of each example,
Weighted: TypeAlias = Any  # or a pair: that, weighted, and its share in the mean's denominator

LOSSES: dict[str, Loss] = {}  # every loss by name: tests, tables and pictures derive from it
_SIGNATURES_KEPT = 16


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
        self._kernel: Callable[..., Any] | None = None
        self._bindings: list[Binding] = []  # the last signatures that passed, newest first
        self._last = Binding()

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
        """The loss of complete, named arguments."""
        d = self.declaration
        reduction = resolve_reduction(self.name, values, d.reductions)
        return self.call(tuple(values[n] for n in d.arrays), {n: values[n] for n in d.options}, reduction)

    def call(self, arrays: tuple[Any, ...], options: dict[str, Any], reduction: str) -> Tensor:
        """Check the arrays (shapes once per signature, values each time), compute, enter the tape."""
        shapes: list[Any] = []
        raw: list[Any] = []
        needs: list[bool] = []
        state = get_state()
        recording = state.recording
        for x in arrays:
            if isinstance(x, Tensor):
                array = x.array
                raw.append(array)
                shapes.append((array.shape, array.dtype))
                needs.append(recording and x.needs_grad)
            else:
                raw.append(x)
                shapes.append(type(x))
                needs.append(False)
        binding = self._last
        signature = (shapes, options, [*map(type, options.values())])  # True is no 1.0, though they are equal
        if binding.signature != signature:
            binding = self._bind(signature, arrays, options)
        kept = found = None
        token = enter_quiet(QUIET)
        try:
            for index, where_, check in binding.checks:
                marked = check(where_, raw[index], binding.sizes, options)
                kept = marked if marked is not None else kept
            if self._kernel is not None and state.watch is None and kept is None and binding.plain:
                found = self._kernel(raw, options, needs, reduction)
        finally:
            leave_quiet(token)
        if reduction == "mean" and self.declaration.batchmean:
            advise_batchmean(self.name, binding.sizes["first"])
        need = True in needs
        if found is not None:
            settings = {"gradients": found[1], "call": (binding, options, reduction, None)}
            return result(self, found[0], need, arrays, settings, False)
        if kept is not None and not kept.any():
            advise(f"{self.name}: every target is ignore_index={options['ignore_index']}; the mean of nothing is nan")
        return self._run_formula(arrays, (binding, options, reduction, kept), need, state)

    def _bind(self, signature: tuple[Any, ...], arrays: tuple[Any, ...], options: dict[str, Any]) -> Binding:
        """Check shapes, dtypes and options, and remember that they passed."""
        for known in self._bindings:
            if known.signature == signature:
                self._last = known
                return known
        d = self.declaration
        d.check_options(options)
        binding = bind(d, dict(zip(d.arrays, arrays, strict=True)))
        binding.signature = (signature[0], options.copy(), signature[2])
        self._bindings = [binding, *self._bindings[: _SIGNATURES_KEPT - 1]]
        self._last = binding
        return binding

    def kernel(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare value and gradients by hand, beside the formula, which stays the truth.

        ``function(arrays, options, needs, reduction)`` takes raw arrays and returns None for a case it leaves to
        the formula, or (the reduced value, its gradient for each array, None where none is needed).
        """
        self._kernel = function
        return function

    def _run_formula(self, args: tuple[Any, ...], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        leaves = [_leaf(a, need) for a in args]
        inner = self._on_inner_tape(leaves, call, need, state)
        settings = {"inner": inner, "leaves": leaves, "call": call}
        return result(self, inner.array, need and inner.needs_grad, args, settings, False)

    def _on_inner_tape(self, leaves: list[Any], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        token = set_state(State(need, Scope(self.name, None), state.watch))
        try:
            return self._evaluate(leaves, *call)
        finally:
            reset_state(token)

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
        reduced: Tensor = reduce(value, share, reduction)
        return reduced.to(float16) if binding.half else reduced

    @staticmethod
    def _without(name: str, x: Any, binding: Binding, kept: Array) -> Any:
        """``x`` with harmless values where an example is left out, so that nothing of it reaches the others."""
        spec = binding.specs.get(name)
        if spec is None or not set(binding.output) <= set(spec.axes):
            return x
        mask = Tensor(np.expand_dims(kept, spec.axes.index("C") - (not binding.batched)) if "C" in spec.axes else kept)
        return where(mask, x, 0)

    def pull(self, tensor: Tensor, g: Value, taped: bool) -> list[Value]:
        """The gradients for all arguments: the kernel's, by the inner tape, or, taped, by the formula run on the
        outer tape."""
        settings: dict[str, Any] = tensor.settings or {}
        args = tensor.args or ()
        if taped:
            return self._pull_taped(args, settings["call"], g)
        gradients: list[Value] | None = settings.get("gradients")
        if gradients is None:
            found = walk([settings["inner"]], [g])
            return [found.get(leaf) if isinstance(leaf, Tensor) else None for leaf in settings["leaves"]]
        if g is UNITS.get(tensor.array.dtype):
            return gradients
        return [None if d is None else _times(d, g, a.array.dtype) for a, d in zip(args, gradients, strict=True)]

    def opened(self, tensor: Tensor) -> tuple[Tensor, list[Any]]:
        """The inner tape of a node that this loss made: its result, and a leaf for each argument that is a Tensor.

        A node made by a kernel runs its formula for it. Raises RuntimeError when a backward has freed the node.
        """
        if tensor.op is not self or tensor.args is None:
            raise RuntimeError(f"{self.name}: opened() got a tensor that is no node of this loss, or one that was freed")
        settings: dict[str, Any] = tensor.settings or {}
        if "inner" in settings:
            return settings["inner"], settings["leaves"]
        leaves = [_leaf(a, True) for a in tensor.args]
        return self._on_inner_tape(leaves, settings["call"], True, get_state()), leaves

    def _pull_taped(self, args: tuple[Any, ...], call: tuple[Any, ...], g: Value) -> list[Value]:
        copies = [alias(a) if isinstance(a, Tensor) else a for a in args]
        wanted = {c for c in copies if isinstance(c, Tensor) and c.needs_grad}
        value = self._evaluate(copies, *call)
        found = walk([value], [g], taped=True, only=path_to([value], list(wanted)), capture=wanted)
        return [found.get(c) if isinstance(c, Tensor) else None for c in copies]


def _leaf(argument: Any, need: bool) -> Any:
    """A tensor of the inner tape with the values of an argument of the outer one."""
    if not isinstance(argument, Tensor):
        return argument
    leaf = Tensor(argument.array)
    leaf.needs_grad = need and argument.needs_grad
    return leaf


def _times(gradient: Array, g: Any, kind: np.dtype[Any]) -> Array:
    """A gradient times what comes from above: one number, or one for each example."""
    if g.ndim and gradient.ndim > g.ndim:
        g = np.expand_dims(g, tuple(range(g.ndim, gradient.ndim)))
    return np.asarray(np.multiply(gradient, g), kind)


@overload
def loss(formula: Callable[..., Any], /) -> Loss: ...
@overload
def loss(
    *,
    order: str | None = None,
    batchmean: bool = False,
    module: str | None = None,
    module_order: str | None = None,
    node: str | None = None,
) -> Callable[[Callable[..., Any]], Loss]: ...
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
