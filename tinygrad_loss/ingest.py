"""Data of every kind as one array: what :func:`tinygrad_loss.tensor` accepts, and what it says about the rest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from .callsite import note_cut
from .dtypes import Array, bool_, get_default_dtype, int64, of_numpy
from .modes import get_state
from .quiet import quiet
from .tape import Tensor

_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}


def known(array: Array, function: str) -> Array:
    """The array, if its dtype is one of ours and nothing of it is hidden."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{function}: a masked array would lose its mask; pass x.filled(value), and the mask by itself")
    try:
        of_numpy(array.dtype)
    except TypeError as error:
        hint = "; convert it with .astype()" if array.dtype.kind in "iufbc" else ", only numbers become tensors"
        raise TypeError(f"{function}: the array has dtype {array.dtype}{hint} ({error})") from None
    return np.asarray(array)


def to_array(function: str, data: Any, d: np.dtype[Any] | None, copy: bool) -> Array:
    """``data`` as an array of dtype ``d``, or of the dtype that its numbers imply."""
    if isinstance(data, Tensor):
        if data.needs_grad and get_state().recording:
            note_cut(function)
        data = data.array
    elif not isinstance(data, (np.ndarray, np.generic, bool, int, float, list, tuple, range)):
        if not hasattr(data, "__array__"):
            data = _sequence(function, data)
        else:  # a pandas Series, an image
            data = np.asarray(data)
    if isinstance(data, (np.ndarray, np.generic)):
        array = known(data if isinstance(data, np.ndarray) else np.asarray(data), function)
        with quiet():
            return np.array(array, d, copy=True if copy else None)
    shape, leaves = _flatten(function, data)
    kinds = set(map(type, leaves))
    if any(issubclass(k, (np.ndarray, Tensor)) for k in kinds):
        return _stack(function, leaves, shape, d)
    implied = _implied(function, leaves, kinds)
    d = d or implied
    try:
        with quiet():
            if d.kind in "iu" and implied.kind == "f":
                leaves = [int(v) for v in leaves]
            return np.array(leaves, d).reshape(shape)
    except (OverflowError, ValueError):
        bad = next(v for v in leaves if not _fits(v, d))
        raise ValueError(f"{function}: {bad!r} does not fit {of_numpy(d)}; pass a larger dtype") from None


def _fits(value: Any, d: np.dtype[Any]) -> bool:
    try:
        np.array(int(value) if d.kind in "iu" else value, d)
    except (OverflowError, ValueError):
        return False
    return True


def _sequence(function: str, data: Any) -> list[Any]:
    """Any other sequence as a list."""
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return list(data)
    raise TypeError(
        f"{function}: data must be a number, nested lists, an array or a Tensor, got {type(data).__name__}"
        + ("; use list(...)" if hasattr(data, "__iter__") and not isinstance(data, (str, bytes, dict)) else "")
    )


def _flatten(function: str, data: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and numbers of nested lists, level by level; unequal lengths raise with their place."""
    shape: tuple[int, ...] = ()
    level = [data]
    while True:
        nested = {k: issubclass(k, (list, tuple, range)) for k in set(map(type, level))}
        if not any(nested.values()):
            return shape, level
        if not all(nested.values()) or len(set(map(len, level))) > 1:
            raise _ragged(function, level, shape)
        shape = (*shape, len(level[0]))
        level = list(chain.from_iterable(level))


def _ragged(function: str, level: list[Any], shape: tuple[int, ...]) -> ValueError:
    lengths = [len(v) if isinstance(v, (list, tuple, range)) else None for v in level]
    i = next(i for i, n in enumerate(lengths) if n != lengths[0])
    place = "".join(f"[{k}]" for k in np.unravel_index(i, shape))
    return ValueError(
        f"{function}: data{place} has {_described(lengths[i])}, data{'[0]' * len(shape)} has {_described(lengths[0])}; "
        "all entries of one level must have the same length (pad the short ones)"
    )


def _described(length: int | None) -> str:
    return "no length (it is a number)" if length is None else f"length {length}"


def _implied(function: str, leaves: list[Any], kinds: set[type]) -> np.dtype[Any]:
    """torch's dtype for these numbers: within the highest category (bool < int < float) the widest."""
    found: set[np.dtype[Any]] = set()
    for kind in kinds:
        if issubclass(kind, np.generic):
            found.add(of_numpy(np.dtype(kind)).dtype)
        elif issubclass(kind, float):
            found.add(get_default_dtype().dtype)
        elif issubclass(kind, int):
            found.add(bool_.dtype if kind is bool else int64.dtype)
        else:
            i = next(i for i, v in enumerate(leaves) if type(v) is kind)
            raise TypeError(f"{function}: element {i} is {leaves[i]!r}, a {kind.__name__}; only numbers become tensors")
    return _widest(found)


def _widest(found: set[np.dtype[Any]]) -> np.dtype[Any]:
    if not found:
        return get_default_dtype().dtype
    top = max(_CATEGORY[x.kind] for x in found)
    return np.result_type(*(x for x in found if _CATEGORY[x.kind] == top))


def _stack(function: str, leaves: list[Any], shape: tuple[int, ...], d: np.dtype[Any] | None) -> Array:
    """A list with arrays of one shape in it, or with tensors of one element."""
    arrays = []
    for i, v in enumerate(leaves):
        if isinstance(v, Tensor):
            if v.array.size != 1:
                raise ValueError(
                    f"{function}: element {i} is a tensor of shape {tuple(v.array.shape)}; only one element tensors "
                    "can be converted to Python scalars. Use stack(list) or cat(list), which also keep gradients"
                )
            if v.needs_grad and get_state().recording:
                note_cut(function)
            arrays.append(v.array.reshape(()))
        else:
            array = v if isinstance(v, np.ndarray) else np.asarray(v, _implied(function, [v], {type(v)}))
            arrays.append(known(array, function))
    for i, a in enumerate(arrays):
        if a.shape != arrays[0].shape:
            raise ValueError(
                f"{function}: element {i} has shape {a.shape}, element 0 has {arrays[0].shape}; all must have the same"
            )
    d = d or _widest({a.dtype for a in arrays})
    with quiet():
        return np.stack([a.astype(d) for a in arrays]).reshape(shape + arrays[0].shape)
