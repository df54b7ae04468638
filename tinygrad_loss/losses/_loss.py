"""@loss: a formula becomes a function, a module, its checks and its place in the registry.

A call enters the tape as one node. Inside it the formula runs on a small tape of its own; a plain backward
walks that tape, and under ``create_graph`` the formula is run again on the outer tape, so that derivatives
of every order are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, overload

from ..backward import UNITS
from ..callsite import advise
from ..modes import Scope, State, get_state, reset_state, set_state
from ..ops.elementwise import alias
from ..primitive import Value, result
from ..quiet import QUIET, enter_quiet, leave_quiet
from ..tape import Tensor
from ..walk import path_to, walk
from ..writes import next_birth
from . import _guard as guard
from ._binding import Binding, bind
from ._blocks import LEAST, fused, one_block
from ._checks import value_checks_enabled
from ._evaluation import evaluate, leaf_of, times_upstream, uses_others
from ._module import module_class
from ._reductions import advise_batchmean, resolve_reduction
from ._routes import BLOCK
from ._signature import Declaration, Per

if TYPE_CHECKING:
    PerElement: TypeAlias = Any
    PerExample: TypeAlias = Any
    PerBatch: TypeAlias = Any
else:  # what a formula returns: a Tensor (or Terms) with the loss
    PerElement = Annotated[Any, Per("element")]  # of each element of its first array,
    PerExample = Annotated[Any, Per("example")]  # of each example: the axes N, * and ..., not C or D,
    PerBatch = Annotated[Any, Per("batch")]  # or of the batch as a whole

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

    def __init__(self, formula: Callable[..., Any], declaration: Declaration, node: str | None, mixes: bool) -> None:
        self.formula = formula
        self.declaration = declaration
        self.mixes = mixes
        self.name = self.__name__ = self.__qualname__ = formula.__name__
        self.__module__ = formula.__module__
        self.__doc__ = formula.__doc__
        self.grad_name = node or "".join(part.capitalize() for part in self.name.split("_"))
        self.Module: Any = None
        self._kernel: Callable[..., Any] | None = None
        self.plans: dict[Any, Any] = {}
        self._require: Callable[..., Any] | None = None
        self._advice: Callable[..., Any] | None = None
        self._bindings: list[Binding] = []  # the last signatures that passed, newest first
        self._last = Binding()

    def __repr__(self) -> str:
        return f"<loss {self.name}({', '.join(self.declaration.order)})>"

    def __call__(self, *args: Any, sample_weight: Any = None, mask: Any = None, **kwargs: Any) -> Tensor:
        d = self.declaration
        values = d.defaults.copy()
        if len(args) > len(d.positional):
            raise TypeError(f"{self.name}: got {len(args)} positional arguments; expected ({', '.join(d.positional)})")
        values.update(zip(d.positional, args, strict=False))
        if sample_weight is not None or mask is not None:
            for name, value in (("sample_weight", sample_weight), ("mask", mask)):
                if name in d.arrays:
                    kwargs[name] = value
        for name in kwargs:
            if name not in d.order:
                raise TypeError(
                    f"{self.name}: unknown argument {name!r}; expected ({', '.join((*d.order, *d.counts))})"
                )
            if name in d.positional[: len(args)]:
                raise TypeError(f"{self.name}: argument {name!r} is given twice, by position and by name")
        values.update(kwargs)
        for name in d.required:
            if name not in values:
                raise TypeError(f"{self.name}: missing argument {name!r}; expected ({', '.join(d.order)})")
        reduction = resolve_reduction(self.name, values, d.reductions)
        arrays, options = tuple([values[n] for n in d.arrays]), {n: values[n] for n in d.options}
        weight = sample_weight if "sample_weight" in d.counts else None
        return self.call(arrays, options, reduction, weight, mask if "mask" in d.counts else None)

    def call(
        self, arrays: Any, options: dict[str, Any], reduction: str, sample_weight: Any = None, mask: Any = None
    ) -> Tensor:
        """Check the arrays (shapes once per signature, values each time), compute, enter the tape."""
        shapes: list[Any] = []
        raw: list[Any] = []
        needs: list[bool] = []
        state = get_state()
        recording = state.recording
        if self.declaration.literals:
            arrays = guard.as_tensors(self, arrays)
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
        kept = found = weight = None
        if sample_weight is not None or mask is not None:
            weight, kept = guard.counts(self, sample_weight, mask, binding)
            raw = raw if kept is None else guard.left_out(self, raw, kept, binding)
        token = enter_quiet(QUIET)
        try:
            look = guard.check_values if value_checks_enabled() else guard.ignored
            kept = look(self, arrays, raw, binding, options, kept)
            if state.watch is None and kept is None and weight is None and not binding.composed:
                if self._kernel is not None and binding.plain and raw[0].size <= BLOCK:
                    found = one_block(self, raw, binding, options, needs, reduction)
                if found is None and raw[0].size >= LEAST:
                    found = fused(self, raw, binding, options, needs, reduction)
        finally:
            leave_quiet(token)
        if reduction == "mean" and self.declaration.batchmean and self.declaration.defaults["reduction"] == "mean":
            advise_batchmean(self.name, binding.sizes["first"])
        need = True in needs
        if found is not None:
            settings = {"gradients": found[1], "call": (binding, options, reduction, None)}
            return result(self, found[0], need, arrays, settings, False)
        if kept is not None and not kept.any():
            why = (
                f"every target is ignore_index={options['ignore_index']}" if mask is None else "the mask keeps nothing"
            )
            advise(f"{self.name}: {why}; the mean of nothing is nan")
        if weight is not None:
            arrays = (*arrays, weight)
            need = need or (recording and weight.needs_grad)
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
        """Declare the value and gradients of a block by hand (see _kernels.py), beside the formula, which stays the
        truth."""
        self._kernel = function
        return function

    def requires(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a check that needs several arrays: ``function({name: array}, options)`` raises."""
        self._require = function
        return function

    def advises(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare advice that needs several arrays: ``function({name: array}, options)`` returns a text or None."""
        self._advice = function
        return function

    def _run_formula(self, args: tuple[Any, ...], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        binding = call[0]
        if binding.composed and state.recording:
            return self._on_inner_tape(args, call, True, state)
        leaves = [leaf_of(a, need) for a in args]
        start = next_birth()
        inner = self._on_inner_tape(leaves, call, need or binding.composed is None, state)
        if binding.composed is None and state.recording:
            binding.composed = uses_others(inner, leaves, start)
            if binding.composed:  # what the formula closes over gets its gradients on the outer tape
                return self._on_inner_tape(args, call, True, state)
        settings = {"inner": inner, "leaves": leaves, "call": call}
        return result(self, inner.array, need and inner.needs_grad, args, settings, False)

    def _on_inner_tape(self, leaves: Sequence[Any], call: tuple[Any, ...], need: bool, state: State) -> Tensor:
        token = set_state(State(need, Scope(self.name, None), state.watch))
        try:
            return evaluate(self, leaves, *call)
        finally:
            reset_state(token)

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
            if len(found) > len(settings["leaves"]):
                raise RuntimeError(
                    f"{self.name}: its formula used a tensor that requires grad and is none of its arguments, and did "
                    "not in its first call; declare it as an argument of the formula"
                )
            return [found.get(leaf) if isinstance(leaf, Tensor) else None for leaf in settings["leaves"]]
        if g is UNITS.get(tensor.array.dtype):
            return gradients
        return [
            None if d is None else times_upstream(d, g, a.array.dtype) for a, d in zip(args, gradients, strict=True)
        ]

    def opened(self, tensor: Tensor) -> tuple[Tensor, list[Any]]:
        """The inner tape of a node that this loss made: its result, and a leaf for each argument that is a Tensor.

        A node made by a kernel runs its formula for it. Raises RuntimeError when a backward has freed the node.
        """
        if tensor.op is not self or tensor.args is None:
            raise RuntimeError(
                f"{self.name}: opened() got a tensor that is no node of this loss, or one that was freed"
            )
        settings: dict[str, Any] = tensor.settings or {}
        if "inner" in settings:
            return settings["inner"], settings["leaves"]
        leaves = [leaf_of(a, True) for a in tensor.args]
        return self._on_inner_tape(leaves, settings["call"], True, get_state()), leaves

    def _pull_taped(self, args: tuple[Any, ...], call: tuple[Any, ...], g: Value) -> list[Value]:
        copies = [alias(a) if isinstance(a, Tensor) else a for a in args]
        wanted = {c for c in copies if isinstance(c, Tensor) and c.needs_grad}
        value = evaluate(self, copies, *call)
        found = walk([value], [g], taped=True, only=path_to([value], list(wanted)), capture=wanted)
        return [found.get(c) if isinstance(c, Tensor) else None for c in copies]


@overload
def loss(formula: Callable[..., Any], /) -> Loss: ...
@overload
def loss(
    *,
    order: str | None = None,
    batchmean: bool = False,
    reduction: str = "mean",
    module: str | None = None,
    module_order: str | None = None,
    node: str | None = None,
    mixes: bool = False,
) -> Callable[[Callable[..., Any]], Loss]: ...
def loss(
    formula: Callable[..., Any] | None = None,
    *,
    order: str | None = None,
    batchmean: bool = False,
    reduction: str = "mean",
    module: str | None = None,
    module_order: str | None = None,
    node: str | None = None,
    mixes: bool = False,
) -> Any:
    """Declare a loss: the body is the formula for a block of examples, its annotations are the domains.

    ``order``: the positional order of all arguments where torch has one (default: arrays, options,
    ``reduction``). ``module``: the class's name. ``module_order``: the class's arguments. ``node``: the
    name shown as ``grad_fn``. ``batchmean``: that reduction exists. ``reduction``: the default one. ``mixes``:
    the loss of an example depends on the others. Raises TypeError for a parameter with neither domain nor default.

    Every loss also takes ``sample_weight=`` (how often an example or element counts) and ``mask=`` (False: not at
    all, whatever its values); the mean divides by what was counted.

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
        made = Loss(function, Declaration(function, order, batchmean, reduction), node, mixes)
        made.Module = module_class(made, module, module_order, made.declaration)
        LOSSES[made.name] = made
        return made

    return declare if formula is None else declare(formula)
