"""Reading values into tensors that exist already: everything is checked first, then all is written or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .dtypes import Array, of_numpy
from .quiet import quiet
from .tape import Tensor
from .writes import note_write


class LoadResult(NamedTuple):
    """The keys that ``load_state_dict`` did not find, and those it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    def __str__(self) -> str:
        return repr(self)


def cast_exactly(value: Array, to: np.dtype[Any]) -> Array | None:
    """A copy of ``value`` in the dtype ``to``, or None when values would be lost.

    Rounding loses values as overflow does, and a float never becomes an integer.
    """
    if value.dtype == to:
        return value.astype(to, copy=True)
    if value.dtype.kind == "f" and to.kind != "f":
        return None
    with quiet():
        cast = value.astype(to)
        kept = cast.astype(value.dtype) == value
        if value.dtype.kind == "f":
            kept |= np.isnan(value)
    return cast if bool(np.all(kept)) else None


def load_into(what: str, targets: Mapping[str, Tensor], values: Mapping[str, Any], strict: bool = True) -> LoadResult:
    """Copy ``values`` into the ``targets`` of the same name, all or none: RuntimeError lists every problem."""
    if not isinstance(values, Mapping):
        raise TypeError(f"load_state_dict: expected a dict of name to Tensor, got {type(values).__name__}")
    missing = [name for name in targets if name not in values]
    unexpected = [name for name in values if name not in targets]
    problems = []
    if strict and unexpected:
        problems.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}.")
    if strict and missing:
        problems.append(f"Missing key(s) in state_dict: {_quoted(missing)}.")
    ready: list[tuple[Tensor, Array]] = []
    written: dict[int, tuple[str, Array]] = {}  # by the target's array: a tied parameter has several names
    for name, target in targets.items():
        if name not in values:
            continue
        value = values[name]
        problem, array = _fitted(name, target, value)
        if array is None:
            problems.append(problem)
        else:
            first, known = written.setdefault(id(target.array), (name, array))
            if known is not array and known.tobytes() != array.tobytes():
                problems.append(f'"{first}" and "{name}" are one tensor in the current model, their values differ.')
            ready.append((target, array))
    if problems:
        if strict and (missing or unexpected):
            problems.append("Pass strict=False to load only the names that match.")
        raise RuntimeError(f"Error(s) in loading state_dict for {what}:\n\t" + "\n\t".join(problems))
    write_all(ready)
    return LoadResult(missing, unexpected)


def _fitted(name: str, target: Tensor, value: Any) -> tuple[str, Array | None]:
    """The array to copy into ``target``, or what is wrong with ``value``."""
    if not isinstance(value, Tensor):
        return f"{name}: expected a Tensor, got {type(value).__name__}; convert it with tensor(...).", None
    if value.array.shape != target.array.shape:
        return (
            f"size mismatch for {name}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {target.shape}."
        ), None
    array = cast_exactly(value.array, target.array.dtype)
    if array is None:
        return (
            f"dtype mismatch for {name}: its values in {of_numpy(value.array.dtype)} do not fit into the "
            f"{of_numpy(target.array.dtype)} of the current model; convert one of them, or the values with .to()."
        ), None
    return "", array


def write_all(ready: list[tuple[Tensor, Array]]) -> None:
    """Write every array into its tensor; an exception on the way restores those already written."""
    before: list[tuple[Tensor, Array]] = []
    try:
        for target, array in ready:
            before.append((target, target.array.copy()))
            np.copyto(target.array, array)
            note_write(target.array)
    except BaseException:
        for target, array in reversed(before):
            if target.array.flags.writeable:
                np.copyto(target.array, array)
        raise


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
