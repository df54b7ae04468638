"""What a loss's declaration says: its arrays with domains and axes, its options, and torch's argument order."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np

from ..tape import Tensor
from ._domains import Domain, LabelDomain, SimplexDomain, Spec

REDUCTIONS = ("mean", "sum", "none")
_LEGACY = ("size_average", "reduce")


class Argument:
    """One array of a loss: its name, the domains it may come from, and whether it may be left out."""

    __slots__ = ("name", "optional", "specs")

    def __init__(self, name: str, specs: tuple[Spec, ...], optional: bool) -> None:
        self.name, self.specs, self.optional = name, specs, optional


class Declaration:
    """The parsed signature of a formula."""

    def __init__(self, formula: Callable[..., Any], order: str | None, batchmean: bool) -> None:
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
        self.batchmean = batchmean
        self.reductions = (*REDUCTIONS, "batchmean") if batchmean else REDUCTIONS
        self.arrays = tuple(a.name for a in self.arguments)
        self.order = tuple(order.split()) if order else (*self.arrays, *self.options, "reduction")
        known = {*self.arrays, *self.options, "reduction", *_LEGACY}
        if set(self.order) - known or known - {*_LEGACY} - set(self.order):
            raise TypeError(f"@loss {self.name}: order= must name each of {sorted(known - set(_LEGACY))} once")
        if any(a.optional and not b.optional for a, b in zip(self.arguments, self.arguments[1:], strict=False)):
            raise TypeError(f"@loss {self.name}: arrays that may be None come after those that may not")
        self.required = tuple(a.name for a in self.arguments if not a.optional)
        self.defaults: dict[str, Any] = {a.name: None for a in self.arguments if a.optional}
        self.defaults |= self.options | {"reduction": "mean"}
        self.defaults |= {n: None for n in _LEGACY if n in self.order}

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name, checker in self.checks.items():
            checker.check(f"{self.name}: {name}", options[name])


def _read(hint: Any) -> tuple[tuple[Spec, ...], bool, Any]:
    """(specs of an array, may be None, checker of an option) of one annotation."""
    parts = typing.get_args(hint) if typing.get_origin(hint) is not Annotated else (hint,)
    specs: list[Spec] = []
    checker = None
    for part in parts or (hint,):
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Spec):
                specs.append(extra)
            elif hasattr(extra, "check"):
                checker = extra
    return tuple(specs), type(None) in parts, checker


class Binding:
    """The result of matching shapes and dtypes: which domains hold, the sizes of the axes, the casts to make."""

    __slots__ = ("batched", "casts", "checks", "half", "output", "plain", "signature", "sizes", "specs")

    def __init__(self) -> None:
        self.signature: Any = None  # the shapes, dtypes and options for which all this holds
        self.checks: list[tuple[int, str, Any]] = []  # argument number, its name in messages, the check of its values
        self.plain = True  # nothing to cast, no batch axis to add
        self.sizes: dict[str, Any] = {}
        self.specs: dict[str, Spec] = {}
        self.casts: dict[str, np.dtype[Any]] = {}
        self.batched = True
        self.half = False  # float16 in and out: computed in float32, rounded once at the end
        self.output: tuple[str, ...] = ("...",)


def bind(declaration: Declaration, arrays: Mapping[str, Any]) -> Binding:
    """Match the arrays to the declared axes; errors name the loss, the argument, both shapes and the fix."""
    found = Binding()
    kind = _float_kind(arrays)
    if kind.itemsize == 2:
        found.half, kind = True, np.dtype(np.float32)
    for argument in declaration.arguments:
        x = arrays[argument.name]
        if x is None and argument.optional:
            continue
        where = f"{declaration.name}: {argument.name}"
        if not isinstance(x, Tensor):
            raise TypeError(f"{where} must be a Tensor, got {type(x).__name__}; convert it with tensor(...)")
        spec = _choose(where, argument, x, found, arrays)
        found.specs[argument.name] = spec
        if not spec.domain.integers and x.array.dtype != kind:
            found.casts[argument.name] = kind
        _match(where, spec, x, found, declaration, arrays)
        if type(spec.domain).check is not Domain.check:
            found.checks.append((declaration.arrays.index(argument.name), where, spec.domain.check))
    found.plain = found.batched and not found.casts
    return found


def _float_kind(arrays: Mapping[str, Any]) -> np.dtype[Any]:
    """The floating type of the loss: that of its first floating argument; integers follow."""
    kinds = [x.array.dtype for x in arrays.values() if isinstance(x, Tensor) and x.array.dtype.kind == "f"]
    if not kinds:
        return np.dtype(np.float32)
    widest = kinds[0]
    for k in kinds[1:]:
        widest = np.promote_types(widest, k)
    return widest


def _choose(where: str, argument: Argument, x: Tensor, found: Binding, arrays: Mapping[str, Any]) -> Spec:
    """The domain that fits the dtype: class indices are integers, everything else floating."""
    kind = x.array.dtype.kind
    labels = [s for s in argument.specs if isinstance(s.domain, LabelDomain)]
    others = [s for s in argument.specs if not isinstance(s.domain, LabelDomain)]
    shape = tuple(x.array.shape)
    if labels and kind in "iu":
        scores = found.sizes.get("scores", ())
        if others and shape == scores:
            raise RuntimeError(
                f"{where} is an integer tensor of the input's shape {shape}: it looks one-hot. Use target.argmax(1) "
                "for class indices, or target.float() for probabilities"
            )
        return labels[0]
    if labels and (kind == "b" or not others or shape != found.sizes.get("scores", shape)):
        soft = (
            f" Float targets are class probabilities and need the input's shape {found.sizes['scores']}"
            if others
            else ""
        )
        raise RuntimeError(
            f"{where} has dtype {x.dtype}, shape {shape}; class indices need an integer dtype (target.long()).{soft}"
        )
    if not others:
        raise RuntimeError(f"{where} has dtype {x.dtype}; expected {argument.specs[0].domain.describe}")
    return others[0]


def _match(
    where: str, spec: Spec, x: Tensor, found: Binding, declaration: Declaration, arrays: Mapping[str, Any]
) -> None:
    shape, sizes, axes = tuple(x.array.shape), found.sizes, spec.axes
    first = not sizes
    if first:
        sizes["first"] = shape
        found.output = tuple(a for a in axes if a != "C")
        if axes == ("...",):
            sizes["..."] = shape
            return
        named = [a for a in axes if a != "*"]
        optional = named[0].startswith("[")
        least = len(named) - optional
        if len(shape) < least or (len(shape) > len(named) and "*" not in axes):
            raise ValueError(f"{where} has shape {shape}; expected {_spell(axes)}")
        found.batched = not optional or len(shape) > least
        used = [a.strip("[]") for a in (named if found.batched else named[optional:])]
        sizes.update(zip(used, shape, strict=False))
        sizes["*"] = shape[len(used) :]
        if "C" in sizes:
            sizes["scores"] = shape
        return
    if axes == ("broadcast",):
        return _match_broadcast(where, shape, sizes["..."])
    expected: tuple[int, ...] = ()
    for axis in axes:
        if axis in ("...", "*"):
            expected += sizes[axis]
        elif axis.startswith("["):
            expected += (sizes[axis.strip("[]")],) if found.batched else ()
        elif axis in sizes:
            expected += (sizes[axis],)
        else:
            raise TypeError(f"@loss {declaration.name}: axis {axis!r} of {where} appears nowhere before it")
    if shape != expected:
        raise ValueError(f"{where} has shape {shape}, expected {expected}{_hint(spec, shape, expected, sizes)}")


def _match_broadcast(where: str, shape: tuple[int, ...], whole: tuple[int, ...]) -> None:
    """A weight that broadcasts into the elements, in one way only."""
    try:
        fits = np.broadcast_shapes(shape, whole) == whole
    except ValueError:
        fits = False
    per_class = len(whole) > 2 and len(shape) == 1 and shape[0] > 1 and shape[0] == whole[1]
    if fits and not per_class:
        return
    columns = f"({whole[1]}{', 1' * (len(whole) - 2)})" if len(whole) > 2 else str(whole)
    if per_class:
        raise ValueError(
            f"{where} has shape {shape}: for an input of shape {whole} it would act along the last axis, not the "
            f"classes; use weight.reshape{columns} for one weight per class"
        )
    raise ValueError(
        f"{where} has shape {shape}, which does not broadcast to the input's {whole}; use for example {columns}"
    )


def _spell(axes: tuple[str, ...]) -> str:
    return f"axes ({', '.join(axes)})".replace("*", "...")


def _hint(spec: Spec, shape: tuple[int, ...], expected: tuple[int, ...], sizes: dict[str, Any]) -> str:
    """What to do about a wrong shape."""
    first = sizes["first"]
    if isinstance(spec.domain, (LabelDomain, SimplexDomain)):
        if isinstance(spec.domain, LabelDomain) and shape == (*expected, 1):
            return f" for input {first}; use target.squeeze({len(expected)})"
        if len(first) > 2 and shape == first[:-1]:
            return (
                f" for input {first}: the class axis is axis 1 and you seem to have it last; use input.swapaxes(1, -1)"
            )
        return f" for input {first}, whose axis {min(1, len(first) - 1)} is the classes; one target per example"
    if shape == (*expected, 1) or (len(shape) == len(expected) + 1 and shape[:-1] == expected):
        return "; use target.squeeze(-1)"
    if expected == (*shape, 1):
        return (
            f": the two would broadcast to {(*shape[:-1], shape[-1] if shape else 1, shape[-1] if shape else 1)}; "
            "use input.squeeze(-1) or target.unsqueeze(-1)"
        )
    try:
        together = np.broadcast_shapes(shape, expected)
    except ValueError:
        return "; each element of the input needs its own target"
    return f": the two would broadcast to {together}; use reshape or expand on one of them"
