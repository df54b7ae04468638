"""Reading and writing at positions, the two primitives behind every kind of index, and their checks.

Reading is NumPy's ``x[index]``; its adjoint adds into zeros at the same positions. ``unique`` says that no
position is named twice: then writing is an assignment.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..coercion import not_a_tensor
from ..dtypes import Array, of_numpy
from ..primitive import Function, Value, primitive
from ..tape import Tensor

_FEW = 128  # so many numbers may be added in float32 without losing digits


def add_at(g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of ``shape`` plus ``g`` at ``index``; what meets at one position is added, accurately."""
    if g.dtype.kind != "f" or (g.size <= _FEW and g.dtype.itemsize >= 4):
        out = np.zeros(shape, g.dtype)
        np.add.at(out, index, g)
        return out
    arrays = index if isinstance(index, tuple) else (index,)
    if len(arrays) == len(shape) and all(type(i) is np.ndarray for i in arrays):
        # every axis has its index array: count in the flattened result, which is faster than add.at
        flat = np.ravel_multi_index(np.broadcast_arrays(*arrays), shape, mode="wrap").ravel()  # wrap: -1 is the last
        sums = np.bincount(flat, weights=g.ravel(), minlength=math.prod(shape))
        return sums.reshape(shape).astype(g.dtype, copy=False)
    wide = np.zeros(shape)
    np.add.at(wide, index, g.astype(np.float64, copy=False))  # add.at is slow when it has to cast
    return wide.astype(g.dtype, copy=False)


def _put(g: Array, *, index: Any, shape: tuple[int, ...], unique: bool) -> Array:
    if not unique:
        return add_at(np.asarray(g), index, shape)
    out = np.zeros(shape, g.dtype)
    out[index] = g
    return out


put_ = primitive(
    _put,
    lambda g, y, x, *, index, shape, unique: read(g, index=index, unique=unique),
    name="put",
    saves=False,
    promotes=False,
)


def reader(name: str, grad_name: str | None = None) -> Function:
    """A primitive ``x[index]`` under the name that users know it by."""
    return primitive(
        lambda x, *, index, unique: x[index],
        lambda g, y, x, *, index, unique: put_(g, index=index, shape=tuple(x.shape), unique=unique),
        name=name,
        grad_name=grad_name,
        saves=False,
        promotes=False,
    )


read: Function = reader("getitem", "Index")


def integers(name: str, argument: str, index: Any, input: Value, kinds: str = "iu") -> Array:
    """The array behind an integer index, a copy where the tape keeps it (the caller may write into his)."""
    array = index.array if isinstance(index, Tensor) else index
    if not isinstance(array, np.ndarray):
        if not isinstance(array, np.generic):
            raise not_a_tensor(name, argument, index)
        array = np.asarray(array)
    if array.dtype.kind not in kinds:
        raise TypeError(
            f"{name}: {argument} has dtype {of_numpy(array.dtype).name}; expected integers: use {argument}.long()"
        )
    return array.copy() if isinstance(input, Tensor) and input.needs_grad else array


def check_range(name: str, argument: str, index: Array, n: int, what: str, negative: bool = False) -> None:
    """IndexError for the first position in ``index`` whose value is not in 0 ... n-1 (or, if allowed, from -n)."""
    if index.size == 0:
        return
    # a negative number is a huge one when read as unsigned: one pass over the labels finds both kinds of error
    seen = index.view(f"u{index.itemsize}") if index.dtype.kind == "i" and not negative else index
    if int(np.maximum.reduce(seen, axis=None)) < n and (not negative or int(np.minimum.reduce(index, axis=None)) >= -n):
        return
    low = -n if negative else 0
    first = np.argwhere((index < low) | (index >= n))[0]
    place = f"[{', '.join(map(str, first.tolist()))}]" if first.size else ""
    value = int(index[tuple(first)])
    hint = "; negative ones do not count from the end here" if value < 0 and not negative else ""
    hint = "; labels that start at 1? subtract 1" if value == n and value > 0 else hint
    valid = f"valid are {low} to {n - 1}" if n else "it is empty, no index is valid"
    raise IndexError(f"{name}: {argument}{place} = {value} is out of range for {what} of size {n}: {valid}{hint}")


def grid(index: Array, dim: int, sizes: tuple[int, ...] | None = None) -> tuple[Array, ...]:
    """Index arrays that pick ``index`` along ``dim`` and, elsewhere, each position's own place.

    With ``sizes``, a dimension of size 1 there is read at 0 throughout: a broadcast.
    """
    n = index.ndim
    places: list[Array] = []
    for d, size in enumerate(index.shape):
        if d == dim:
            places.append(index)
        else:
            own = np.arange(size) if sizes is None or sizes[d] != 1 else np.zeros(1, np.int64)
            places.append(own.reshape((-1,) + (1,) * (n - d - 1)))
    return tuple(places)


def grid_without(index: Array, dim: int) -> tuple[Array, ...]:
    """The same for an index that lacks ``dim``."""
    if index.ndim == 1:
        own = np.arange(index.shape[0])
        return (own, index) if dim == 1 else (index, own)
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)]) if index.ndim else []
    places.insert(dim, index)
    return tuple(places)
