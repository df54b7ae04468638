"""From a declaration and the arrays of one call: which domains hold, how long each axis is, what has to be cast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dtypes import Array
from ..tape import Tensor
from ._domains import Domain, SimplexDomain, Spec
from ._labels import LabelDomain
from ._signature import Argument, Declaration


class Binding:
    """The result of matching shapes and dtypes: which domains hold, the sizes of the axes, the casts to make."""

    __slots__ = (
        "bare", "batched", "calls", "casts", "checks", "composed", "count", "half", "plain", "routes", "shape",
        "signature", "sizes",
        "specs", "suspects",
    )  # fmt: skip

    def __init__(self) -> None:
        self.signature: Any = None  # the shapes, dtypes and options for which all this holds
        self.checks: list[tuple[int, str, Any, dict[str, Any]]] = []  # argument number, its name in messages, the check
        # of its values, the sizes
        self.plain = True  # nothing to cast, no batch axis to add
        self.sizes: dict[str, Any] = {}
        self.specs: dict[str, Spec] = {}
        self.casts: dict[str, np.dtype[Any]] = {}
        self.bare = True  # no argument that may be left out is given
        self.count = 0  # values before the reduction
        self.batched = True
        self.half = False  # float16 in and out: computed in float32, rounded once at the end
        self.shape: tuple[int, ...] = ()  # of reduction="none"
        self.calls = 0
        self.routes: dict[Any, Any] = {}  # how calls with these needs and reduction are computed by blocks
        self.suspects: list[tuple[int, Any]] = []  # argument number, a glance at it that says whether to look closer
        self.composed: bool | None = None  # the formula uses tensors besides its arguments; None: not known yet


def bind(declaration: Declaration, arrays: Mapping[str, Any]) -> Binding:
    """Match the arrays to the declared axes; errors name the loss, the argument, both shapes and the fix."""
    found = Binding()
    kind = _float_kind(arrays)
    if kind.itemsize == 2:
        found.half, kind = True, np.dtype(np.float32)
    for number, argument in enumerate(declaration.arguments):
        x = arrays[argument.name]
        if x is None and argument.optional:
            continue
        where = f"{declaration.name}: {argument.name}"
        if not isinstance(x, Tensor):
            raise TypeError(f"{where} must be a Tensor, got {type(x).__name__}; convert it with tensor(...)")
        spec = _choose(where, argument, x, found, arrays[declaration.arrays[0]])
        found.specs[argument.name] = spec
        if not spec.domain.integers and x.array.dtype != kind:
            found.casts[argument.name] = kind
        _match(where, spec, x.array.shape, found, declaration)
        if type(spec.domain).check is not Domain.check:
            found.checks.append((number, where, spec.domain.check, sizes_for(spec, found)))
        if type(spec.domain).suspect is not Domain.suspect:
            found.suspects.append((number, spec.domain.suspect))
    found.plain = found.batched and not found.casts
    found.shape = resolve(declaration.output, found) or ()
    found.count = math.prod(found.shape)
    found.bare = all(arrays[a.name] is None for a in declaration.arguments if a.optional)
    return found


def sizes_for(spec: Spec, found: Binding) -> dict[str, Any]:
    """The sizes of the axes, and where this argument has its class axis."""
    axes = [a for a in spec.axes if found.batched or not a.startswith("[")]
    if "C" not in axes:
        return found.sizes
    before, tail = axes.index("C"), len(axes) - axes.index("C")
    star = [a for a in axes[:before] if a in ("*", "...")]
    return (
        {**found.sizes, "axis": before if not star else before - 1 + len(found.sizes[star[0]])} if tail else found.sizes
    )


def resolve(axes: tuple[str, ...], found: Binding) -> tuple[int, ...] | None:
    """The shape that axes stand for, or None while one of them has no size yet."""
    shape: tuple[int, ...] = ()
    for axis in axes:
        if axis.startswith("[") and not found.batched:
            continue
        size = found.sizes.get(axis.strip("[]"))
        if size is None:
            return None
        shape += size if isinstance(size, tuple) else (size,)
    return shape


def _float_kind(arrays: Mapping[str, Any]) -> np.dtype[Any]:
    """The floating type of the loss: the widest of its floating arguments; integers follow."""
    kinds = [x.array.dtype for x in arrays.values() if isinstance(x, Tensor) and x.array.dtype.kind == "f"]
    if not kinds:
        return np.dtype(np.float32)
    widest = kinds[0]
    for k in kinds[1:]:
        widest = np.promote_types(widest, k)
    return widest


def _choose(where: str, argument: Argument, x: Tensor, found: Binding, first: Any) -> Spec:
    """The domain that fits the dtype: class indices are integers, everything else floating."""
    kind, shape = x.array.dtype.kind, tuple(x.array.shape)
    whole = [s for s in argument.specs if s.domain.integers]
    others = [s for s in argument.specs if not s.domain.integers]
    if whole and kind in whole[0].domain.kinds:
        if others and shape == resolve(others[0].axes, found):
            raise RuntimeError(
                f"{where} is an integer tensor of the input's shape {shape}: it looks one-hot. Use target.argmax(1) "
                "for class indices, or target.float() for probabilities"
            )
        fitting = [s for s in whole if len(shape) == len(resolve(s.axes, found) or s.axes)]
        return (fitting or whole)[0]
    if not whole:
        if kind == "b" and any(isinstance(s.domain, SimplexDomain) for s in others):
            raise RuntimeError(
                f"{where} has dtype {x.dtype}; class probabilities are floating point: use target.float()"
            )
        return others[0]
    if others and kind == "f" and shape == resolve(others[0].axes, found):
        return others[0]
    if not isinstance(whole[0].domain, LabelDomain):
        fix = "use (x != 0)" if whole[0].domain.kinds == "b" else "use x.long()"
        raise TypeError(f"{where} has dtype {x.dtype}; expected {whole[0].domain.describe}: {fix}")
    soft = (
        f" Float targets are class probabilities and need the input's shape {resolve(others[0].axes, found)}"
        if others
        else ""
    )
    if kind == "f" and isinstance(first, Tensor) and first.array.dtype.kind in "iu":
        soft = " The first argument has integers: are input and target swapped?"
    raise RuntimeError(
        f"{where} has dtype {x.dtype}, shape {shape}; class indices need an integer dtype (target.long()).{soft}"
    )


def _match(where: str, spec: Spec, shape: tuple[int, ...], found: Binding, declaration: Declaration) -> None:
    """Compare a shape with the axes, and learn the sizes of those that are new."""
    sizes, axes = found.sizes, spec.axes
    if "first" not in sizes:
        sizes["first"] = shape
    if axes == ("broadcast",):
        return _match_broadcast(where, shape, sizes["first"], declaration.arguments[0].specs[0].axes[-1] == "C")
    if axes == ("row",):
        return _match_row(where, shape, sizes["first"])
    star = next((i for i, a in enumerate(axes) if a in ("*", "...")), None)
    optional = [a for a in axes if a.startswith("[")]
    if optional and optional[0].strip("[]") not in sizes and not _known_unbatched(found, optional[0]):
        found.batched = len(shape) > len(axes) - len(optional) - (star is not None)
    expected = resolve(axes, found)
    if expected is not None:
        if shape != expected:
            raise ValueError(f"{where} has shape {shape}, expected {expected}{_hint(spec, shape, expected, sizes)}")
        return
    named = [a.strip("[]") for a in axes if found.batched or not a.startswith("[")]
    star = next((i for i, a in enumerate(named) if a in ("*", "...")), None)
    if len(shape) < len(named) - (star is not None) or (star is None and len(shape) > len(named)):
        raise ValueError(f"{where} has shape {shape}; expected {_spell(axes)}")
    tail = 0 if star is None else len(named) - star - 1
    parts: list[Any] = list(shape[: star if star is not None else None])
    if star is not None:
        parts += [shape[star : len(shape) - tail], *shape[len(shape) - tail :]]
    for axis, size in zip(named, parts, strict=True):
        if sizes.setdefault(axis, size) != size:
            raise ValueError(
                f"{where} has shape {shape}; expected {_spell(axes)} with {axis}={sizes[axis]}, as in "
                f"{declaration.arrays[0]} of shape {sizes['first']}"
            )


def _known_unbatched(found: Binding, axis: str) -> bool:
    """An argument before this one has the same optional axis, and came without it."""
    return any(axis in s.axes for s in list(found.specs.values())[:-1])


def _match_row(where: str, shape: tuple[int, ...], whole: tuple[int, ...]) -> None:
    """One value for each element, for each row (the last axis left out or 1), or one for all."""
    ones = len(shape) == len(whole) and sum(a != b for a, b in zip(shape, whole, strict=True)) == 1
    single = ones and next(a for a, b in zip(shape, whole, strict=True) if a != b) == 1
    if not (shape == whole or shape == () or single or (whole and shape == whole[:-1])):
        raise ValueError(
            f"{where} has shape {shape}; expected {whole}, {whole[:-1]} (one for each row), {whole} with one axis of "
            "size 1, or a number"
        )


def _match_broadcast(where: str, shape: tuple[int, ...], whole: tuple[int, ...], classes_last: bool) -> None:
    """A weight that broadcasts into the elements, in one way only."""
    try:
        fits = np.broadcast_shapes(shape, whole) == whole
    except ValueError:
        fits = False
    per_class = not classes_last and len(whole) > 2 and len(shape) == 1 and shape[0] > 1 and shape[0] == whole[1]
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


def match_count(where: str, x: Array, shape: tuple[int, ...]) -> Array:
    """A weight or a mask for each example (the leading axes) or each element, as it broadcasts to ``shape``."""
    given = tuple(x.shape)
    fits = len(given) <= len(shape) and all(a in (b, 1) for a, b in zip(given, shape, strict=False))
    if not fits or (shape and not given):
        raise ValueError(
            f"{where} has shape {given}; expected {shape}, one for each value of the loss, or its leading axes "
            f"{shape[:1]}, one for each example"
        )
    return x.reshape(given + (1,) * (len(shape) - len(given)))


def _spell(axes: tuple[str, ...]) -> str:
    return f"axes ({', '.join(axes)})".replace("*", "...")


def _hint(spec: Spec, shape: tuple[int, ...], expected: tuple[int, ...], sizes: dict[str, Any]) -> str:
    """What to do about a wrong shape."""
    first = sizes["first"]
    if isinstance(spec.domain, (LabelDomain, SimplexDomain)):
        if isinstance(spec.domain, LabelDomain) and shape == (*expected, 1):
            return f" for input {first}; use target.squeeze({len(expected)})"
        if len(first) > 2 and shape == first[:-1]:
            fix = "swapaxes(1, -1)" if len(first) == 3 else "movedim(-1, 1)"
            return f" for input {first}: the class axis is axis 1 and you seem to have it last; use input.{fix}"
        return f" for input {first}, whose axis {min(1, len(first) - 1)} is the classes; one target per example"
    if spec.axes == ("C",):
        return f": one for each of the {expected[0]} classes"
    if shape == (*expected, 1):
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
