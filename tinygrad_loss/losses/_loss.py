"""@loss: a formula becomes a function, a module, its checks and its place in the registry.

A call enters the tape as one node. Inside it the formula runs on a small tape of its own; a plain backward
walks that tape, and under ``create_graph`` the formula is run again on the outer tape, so that derivatives
of every order are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, overload

from ..callsite import advise
from ..modes import get_state
from ..primitive import result
from ..quiet import QUIET, reports, set_reports
from ..tape import Tensor
from ._binding import Binding, bind
from ._blocks import LEAST, fused, one_block
from ._checks import value_checks_enabled
from ._guard import as_tensors, check_values, counts, ignored, left_out
from ._labels import ignored_index
from ._module import module_class
from ._node import LossNode
from ._reductions import advise_batchmean, resolve_reduction
from ._routes import BLOCK, plan_of
from ._signature import Declaration, Per

if TYPE_CHECKING:
    PerElement: TypeAlias = Any
    PerExample: TypeAlias = Any
    PerBatch: TypeAlias = Any
    PerAny: TypeAlias = Any
else:  # what a formula returns: a Tensor (or Terms) with the loss
    PerElement = Annotated[Any, Per("element")]  # of each element of its first array,
    PerExample = Annotated[Any, Per("example")]  # of each example: the axes N, * and ..., not C or D,
    PerBatch = Annotated[Any, Per("batch")]  # of the batch as a whole,
    PerAny = Annotated[Any, Per("any")]  # or as a function of the user's decides, each example's as a rule

LOSSES: dict[str, Loss] = {}  # every loss by name: tests, tables and pictures derive from it
_SIGNATURES_KEPT = 16


class Loss(LossNode):
    """A declared loss; call it like the function it was declared as.

    ``formula`` is the plain function, ``Module`` the class that keeps the options. ``0.7 * a + 0.3 * b`` is a loss.
    """

    def __init__(self, formula: Callable[..., Any], declaration: Declaration, node: str | None, mixes: bool) -> None:
        super().__init__(formula, declaration, mixes)
        self.name = self.__name__ = self.__qualname__ = formula.__name__
        self.__module__ = formula.__module__
        self.__doc__ = formula.__doc__
        self.grad_name = node or "".join(part.capitalize() for part in self.name.split("_"))
        self.Module: Any = None
        self._kernel: Callable[..., Any] | None = None
        self.plans: dict[Any, Any] = {}
        self._prepare: Callable[..., Any] | None = None
        self._match: Callable[..., Any] | None = None
        self._require: Callable[..., Any] | None = None
        self._advice: Callable[..., Any] | None = None
        self._bindings: list[Binding] = []  # the last signatures that passed, newest first
        self._last = Binding()

    def __repr__(self) -> str:
        return f"<loss {self.name}({', '.join(self.declaration.order)})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        d = self.declaration
        if not kwargs and len(args) == d.plain:  # the arrays it needs, in their order, and nothing else
            return self.call(args + d.absent, d.options, d.defaults["reduction"])
        arrays, options, reduction, weight, mask = self._parse(args, kwargs)
        return self.call(arrays, options, reduction, weight, mask)

    def _parse(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], str, Any, Any]:
        """(arrays, options, reduction, sample_weight, mask) of a call, each given once and known."""
        d = self.declaration
        values = d.defaults.copy()
        if len(args) > len(d.positional):
            raise TypeError(f"{self.name}: got {len(args)} positional arguments; expected ({', '.join(d.positional)})")
        values.update(zip(d.positional, args, strict=False))
        given = {name: kwargs.pop(name, None) for name in d.counts} if kwargs else {}
        for name in kwargs:
            if name not in d.order:
                known = ", ".join((*d.order, *d.counts))
                raise TypeError(f"{self.name}: unknown argument {name!r}; expected ({known})")
            if name in d.positional[: len(args)]:
                raise TypeError(f"{self.name}: argument {name!r} is given twice, by position and by name")
        values.update(kwargs)
        for name in d.required:
            if name not in values:
                raise TypeError(f"{self.name}: missing argument {name!r}; expected ({', '.join(d.order)})")
        reduction = resolve_reduction(self.name, values, d.reductions)
        arrays, options = tuple([values[n] for n in d.arrays]), {n: values[n] for n in d.options}
        return arrays, options, reduction, given.get("sample_weight"), given.get("mask")

    def call(
        self, arrays: Any, options: dict[str, Any], reduction: str, sample_weight: Any = None, mask: Any = None
    ) -> Tensor:
        """Check the arrays (shapes once per signature, values each time), compute, enter the tape."""
        shapes: list[Any] = []
        raw: list[Any] = []
        needs: list[bool] = []
        state = get_state()
        recording = state.recording
        if self._prepare is not None:
            arrays = self._prepare(arrays)
        if self.declaration.literals:
            arrays = as_tensors(self, arrays)
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
            weight, kept = counts(self, sample_weight, mask, binding)
            raw = raw if kept is None else left_out(self, raw, kept, binding)
        before = reports()
        try:
            set_reports(QUIET)
            look = check_values if value_checks_enabled() else ignored
            kept = look(self, arrays, raw, binding, options, kept)
            if state.watch is None and kept is None and weight is None and not binding.composed:
                found = self.at_once(raw, binding, options, needs, reduction)
        finally:
            set_reports(before)
        if reduction == "mean" and self.declaration.batchmean and self.declaration.defaults["reduction"] == "mean":
            advise_batchmean(self.name, binding.sizes["first"])
        need = True in needs
        if found is not None:
            settings = {"gradients": found[1], "call": (binding, options, reduction, None)}
            return result(self, found[0], need, arrays, settings, False)
        if kept is not None and not kept.any():
            why = f"every target is ignore_index={ignored_index(options)}" if mask is None else "the mask keeps nothing"
            advise(f"{self.name}: {why}; the mean of nothing is nan")
        if weight is not None:
            arrays = (*arrays, weight)
            need = need or (recording and weight.needs_grad)
        return self.run_formula(arrays, (binding, options, reduction, kept), need, state)

    def at_once(
        self, raw: list[Any], binding: Binding, options: dict[str, Any], needs: list[bool], reduction: str
    ) -> Any:
        """(value, gradients) by the kernel or the plan, or None for a call that is left to the formula."""
        found = None
        if self._kernel is not None and binding.plain and raw[0].size <= BLOCK:
            found = one_block(self, raw, binding, options, needs, reduction)
        if found is None and raw[0].size >= LEAST:
            found = fused(self, raw, binding, options, needs, reduction)
        return found

    def plan(self, *args: Any, **kwargs: Any) -> Any:
        """The steps that a large call with such arguments runs for each block of rows; ``print`` it.

        Raises ValueError for a loss whose calls are not computed by a plan.

        >>> x = tensor([0.5, 3.0], requires_grad=True)
        >>> print(F.mse_loss.plan(x, tensor([0.0, 1.0])))
          t0 = sub(input, target)
          t1 = square(t0)
             loss = t1
             d/dinput = 2 * g * t0
        """
        arrays, options, reduction, _, _ = self._parse(args, kwargs)
        arrays = as_tensors(self, arrays if self._prepare is None else self._prepare(arrays))
        binding = bind(self.declaration, dict(zip(self.declaration.arrays, arrays, strict=True)))
        needs = [isinstance(x, Tensor) and x.needs_grad for x in arrays]
        raw = [x.array if isinstance(x, Tensor) else x for x in arrays]
        return plan_of(self, raw, binding, options, needs, reduction)

    def _bind(self, signature: tuple[Any, ...], arrays: tuple[Any, ...], options: dict[str, Any]) -> Binding:
        """Check shapes, dtypes and options, and remember that they passed."""
        for known in self._bindings:
            if known.signature == signature:
                self._last = known
                return known
        d = self.declaration
        d.check_options(options)
        binding = bind(d, dict(zip(d.arrays, arrays, strict=True)))
        if self._match is not None:
            self._match({n: getattr(x, "array", x) for n, x in zip(d.arrays, arrays, strict=True)}, options)
        binding.signature = (signature[0], options.copy(), signature[2])
        self._bindings = [binding, *self._bindings[: _SIGNATURES_KEPT - 1]]
        self._last = binding
        return binding

    def kernel(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare the value and gradients of a block by hand (see _kernels.py), beside the formula, which stays the
        truth."""
        self._kernel = function
        return function

    def prepares(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare other forms of the arguments: ``function(arrays)`` returns them as the axes say."""
        self._prepare = function
        return function

    def matches(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a check of dtypes, shapes and options together: ``function({name: array}, options)`` raises. It is
        asked once per signature, also with the checks of values switched off."""
        self._match = function
        return function

    @property
    def checks_together(self) -> bool:
        """Whether some check needs several arguments at once."""
        return self._match is not None or self._require is not None

    def check_together(self, arrays: dict[str, Any], options: dict[str, Any]) -> None:
        """The checks that need several arguments."""
        for check in (self._match, self._require):
            if check is not None:
                check(arrays, options)

    def requires(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a check that needs several arrays: ``function({name: array}, options)`` raises."""
        self._require = function
        return function

    def advises(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare advice that needs several arrays: ``function({name: array}, options)`` returns a text or None."""
        self._advice = function
        return function


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
        known, own = LOSSES.get(made.name), __name__.rpartition(".")[0]
        if known is not None and known.__module__.startswith(own) and not made.__module__.startswith(own):
            raise ValueError(f"@loss {made.name}: the library has a loss of this name; call yours another")
        LOSSES[made.name] = made
        return made

    return declare if formula is None else declare(formula)
