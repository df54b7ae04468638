"""What a loss's declaration says: its arrays with domains and axes, its options, torch's argument order, its result."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from ._domains import Domain, Spec
from ._labels import LabelDomain

REDUCTIONS = ("mean", "sum", "none")
COUNTS = ("sample_weight", "mask")  # what every loss takes besides, unless its formula takes it itself
_LEGACY = ("size_average", "reduce")


class Per:
    """What one value of the formula stands for: each element, each example, or the whole batch."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


class Argument:
    """One array of a loss: its name, the domains it may come from, and whether it may be left out."""

    __slots__ = ("name", "optional", "specs")

    def __init__(self, name: str, specs: tuple[Spec, ...], optional: bool) -> None:
        self.name, self.specs, self.optional = name, specs, optional

    @property
    def literals(self) -> tuple[type, ...]:
        return tuple(kind for spec in self.specs for kind in spec.domain.literals)


class Declaration:
    """The parsed signature of a formula."""

    def __init__(
        self, formula: Callable[..., Any], order: str | None, batchmean: bool, reduction: str = "mean"
    ) -> None:
        self.name = formula.__name__
        hints = formula.__annotations__
        if any(isinstance(hint, str) for hint in hints.values()):  # from __future__ import annotations
            hints = typing.get_type_hints(formula, include_extras=True)
        code = formula.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        defaults = dict(zip(reversed(names[: code.co_argcount]), reversed(formula.__defaults__ or ()), strict=False))
        defaults |= formula.__kwdefaults__ or {}
        self.arguments: list[Argument] = []
        self.options: dict[str, Any] = {}
        self.checks: dict[str, Any] = {}
        for name in names:
            specs, optional, checker = _read(hints.get(name))
            if specs:
                self.arguments.append(Argument(name, specs, optional))
            elif name in defaults:
                self.options[name] = defaults[name]
                if checker is not None:
                    self.checks[name] = checker
            else:
                raise TypeError(
                    f"@loss {self.name}: parameter {name!r} has neither a domain nor a default; annotate an array as "
                    f'Real[Tensor, "..."], or give an option a default value'
                )
        if not self.arguments or any(
            a.optional and not b.optional for a, b in zip(self.arguments, self.arguments[1:], strict=False)
        ):
            raise TypeError(
                f"@loss {self.name}: expected at least one array; those that may be None come after the others"
            )
        self.batchmean = batchmean
        self.reductions = (*REDUCTIONS, "batchmean") if batchmean else REDUCTIONS
        self.arrays = tuple(a.name for a in self.arguments)
        self.counts = tuple(name for name in COUNTS if name not in self.arrays)
        positional, _, keywords = (order or " ".join((*self.arrays, *self.options, "reduction"))).partition("*")
        self.positional = tuple(positional.split())  # those that may be given without their name
        self.order = (*self.positional, *keywords.split())
        known = {*self.arrays, *self.options, "reduction", *_LEGACY}
        if set(self.order) - known or known - {*_LEGACY} - set(self.order):
            raise TypeError(f"@loss {self.name}: order= must name each of {sorted(known - set(_LEGACY))} once")
        self.required = tuple(a.name for a in self.arguments if not a.optional)
        self.defaults: dict[str, Any] = {a.name: None for a in self.arguments if a.optional}
        self.defaults |= self.options | {"reduction": reduction}
        self.defaults |= {n: None for n in _LEGACY if n in self.order}
        few = len(self.required)
        self.plain = few if self.positional[:few] == self.required == self.arrays[:few] else -1
        self.absent = (None,) * (len(self.arrays) - few)
        self.literals = {i: a.literals for i, a in enumerate(self.arguments) if a.literals}
        self._check_axes()
        per = [extra.what for extra in getattr(hints.get("return"), "__metadata__", ()) if isinstance(extra, Per)]
        self.per = per[0] if per else "element"
        self.output = self._output_axes()

    def _check_axes(self) -> None:
        axes = {axis for a in self.arguments for spec in a.specs for axis in spec.axes}
        for a in self.arguments:
            if any(isinstance(spec.domain, LabelDomain) for spec in a.specs) and "C" not in axes:
                raise TypeError(
                    f"@loss {self.name}: {a.name!r} is a Label, so one of the arrays needs the axis C of the classes: "
                    'input: Real[Tensor, "[N] C *"]'
                )

    def _output_axes(self) -> tuple[str, ...]:
        """The axes of ``reduction='none'``: all of the first array's, or only those that count examples."""
        axes = self.arguments[0].specs[0].axes
        if self.per == "batch":
            return ()
        every = [axis for a in self.arguments for axis in a.specs[0].axes]
        if "*" in every and "*" not in axes:
            axes = (*axes, "*")  # an example is what another argument makes of it
        return axes if self.per == "element" else tuple(a for a in axes if a.strip("[]") in ("N", "*", "..."))

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name, checker in self.checks.items():
            checker.check(f"{self.name}: {name}", options[name])


def _read(hint: Any) -> tuple[tuple[Spec, ...], bool, Any]:
    """(specs of an array, may be None, checker of an option) of one annotation."""
    whole = typing.get_origin(hint) is Annotated
    parts = (hint,) if whole else typing.get_args(hint)
    specs: list[Spec] = []
    checker = None
    for part in parts or (hint,):
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Spec):
                specs.append(extra)
            elif hasattr(extra, "check") and not isinstance(extra, Domain):
                checker = extra
    return tuple(specs), type(None) in parts, checker
