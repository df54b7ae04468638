"""Elements picked out, put back and masked. Duplicates of an index accumulate in the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Value
from ..tape import Tensor
from .gathering import gather, pick, scatter, scatter_add, take_along_dim
from .layout import shape_of, view_
from .masking import masked_fill, masked_select, one_hot, where
from .positions import check_range, integers, put_, read, reader
from .reduce import axis_of

__all__ = [
    "gather", "getitem", "index_select", "masked_fill", "masked_select", "narrow", "one_hot", "pick", "put", "scatter",
    "scatter_add", "select", "take_along_dim", "where",
]  # fmt: skip

select_, narrow_ = reader("select"), reader("narrow", "Slice")
index_select_ = reader("index_select")


def _plain_item(item: Any) -> Any:
    """One item of an index as NumPy takes it: tensors and lists become arrays, 0-d integers Python ints."""
    if isinstance(item, (int, slice)) or item is None or item is Ellipsis:
        if isinstance(item, slice) and item.step is not None and item.step < 1:
            raise ValueError(f"getitem: slice step {item.step}; expected at least 1: use flip or an index tensor")
        return item
    if isinstance(item, (list, tuple, range)):
        item = np.asarray([_plain_item(i) for i in item])
        item = item.astype(np.int64) if item.size == 0 else item
    array = np.array(item.array) if isinstance(item, Tensor) else item  # a copy: the tape keeps it
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.kind not in "iub":
        kind = array.dtype if isinstance(array, (np.ndarray, np.generic)) else type(item).__name__
        raise IndexError(
            f"getitem: only integers, slices (`:`), ellipsis (`...`), None and integer or bool tensors are valid "
            f"indices, got {kind}; for a tensor use .long() or .bool()"
        )
    if isinstance(item, Tensor) and array.dtype == np.uint8:
        raise IndexError("getitem: a uint8 tensor could be a mask or positions; say which with .bool() or .long()")
    return int(array) if array.ndim == 0 and array.dtype.kind != "b" else array


def _spans(item: Any) -> int:
    """How many dimensions of the input an item of an index takes up."""
    if isinstance(item, np.ndarray) and item.dtype.kind == "b":
        return item.ndim
    return 0 if item is None or item is Ellipsis or isinstance(item, (bool, np.bool_)) else 1


def _plain_index(index: Any, ndim: int) -> tuple[Any, bool]:
    """The index as NumPy takes it, and whether no position can occur twice."""
    if type(index) is int or (type(index) is slice and index.step is None):
        return index, True
    if not isinstance(index, tuple):
        plain = _plain_item(index)
        return plain, not isinstance(plain, np.ndarray) or plain.dtype.kind == "b"
    items = tuple(_plain_item(i) for i in index)
    arrays = [i for i in items if isinstance(i, np.ndarray)]
    dots = [at for at, i in enumerate(items) if i is Ellipsis] if arrays else []
    if len(dots) == 1:  # NumPy takes even dots that stand for nothing as a gap between arrays, torch does not
        rest = ndim - sum(_spans(i) for i in items)
        items = items[: dots[0]] + (slice(None),) * rest + items[dots[0] + 1 :]
    return items, all(i.dtype.kind == "b" or i.size < 2 for i in arrays)


def _ints_first(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Two indices to apply in turn when integers stand beside arrays: NumPy would broadcast the integers with the
    arrays, which moves the result's dimensions; torch takes them first."""
    arrays = [isinstance(i, np.ndarray) for i in index]
    if not any(arrays) or not any(type(i) is int for i in index):
        return None
    basic: list[Any] = []
    rest: list[Any] = []
    for item, is_array in zip(index, arrays, strict=True):
        if is_array:
            basic += [slice(None)] * (item.ndim if item.dtype.kind == "b" else 1)
            rest.append(item)
        else:
            basic.append(item)
            if type(item) is not int:
                rest.append(slice(None))
    return tuple(basic), tuple(rest)


def getitem(input: Value, index: Any) -> Value:
    """``input[index]`` with integers, slices, None, ``...``, and integer or boolean tensors, arrays or lists.

    Raises IndexError when an index is out of range, of a wrong type, or there are too many.

    >>> x = tensor([[1., 2.], [3., 4.]])
    >>> x[:, 1], x[x > 2], x[[0, 0], [1, 1]]
    (tensor([2., 4.]), tensor([3., 4.]), tensor([2., 2.]))
    """
    plain, unique = _plain_index(index, len(shape_of("getitem", input)))
    try:
        parts = _ints_first(plain) if type(plain) is tuple else None
        if parts is not None:
            return read(read(input, index=parts[0], unique=True), index=parts[1], unique=unique)
        return read(input, index=plain, unique=unique)
    except IndexError as error:
        raise IndexError(f"getitem: {error}, for a tensor of shape {shape_of('getitem', input)}") from error


def put(input: Value, index: Any, shape: tuple[int, ...]) -> Value:
    """Zeros of ``shape`` with ``input`` added at ``index``: the adjoint of :func:`getitem`.

    >>> put(tensor([1., 2.]), [0, 0], (3,))
    tensor([3., 0., 0.])
    """
    plain, unique = _plain_index(index, len(shape))
    parts = _ints_first(plain) if type(plain) is tuple else None
    if parts is None:
        return put_(input, index=plain, shape=tuple(shape), unique=unique)
    inner = np.empty(shape, np.bool_)[parts[0]].shape
    input = put_(input, index=parts[1], shape=inner, unique=unique)
    return put_(input, index=parts[0], shape=tuple(shape), unique=True)


def select(input: Value, dim: int, index: int) -> Value:
    """The slice ``index`` of dimension ``dim``, without that dimension; IndexError when out of range.

    >>> select(tensor([[1., 2.], [3., 4.]]), 1, 0)
    tensor([1., 3.])
    """
    shape = shape_of("select", input)
    if not shape:
        raise IndexError("select: a tensor of shape () has no dimension to select from")
    axis = axis_of("select", input, dim)
    if not -shape[axis] <= index < shape[axis]:
        raise IndexError(f"select: index {index} out of range for dim {axis} of size {shape[axis]}, shape {shape}")
    return select_(input, index=(slice(None),) * axis + (int(index),), unique=True)


def narrow(input: Value, dim: int, start: int, length: int) -> Value:
    """``length`` slices of dimension ``dim`` from ``start`` on; RuntimeError when they are not all there.

    >>> narrow(tensor([1., 2., 3.]), 0, 1, 2)
    tensor([2., 3.])
    """
    shape = shape_of("narrow", input)
    if not shape:
        raise RuntimeError("narrow: a tensor of shape () has no dimension to narrow")
    axis = axis_of("narrow", input, dim)
    n, start, length = shape[axis], int(start), int(length)
    if not -n <= start <= n:
        raise IndexError(f"narrow: start={start} is out of range for dim {axis} of size {n}, shape {shape}")
    start = start + n if start < 0 else start
    if length < 0 or start + length > n:
        raise RuntimeError(f"narrow: start {start} + length {length} must lie within dim {axis} of size {n}")
    return narrow_(input, index=(slice(None),) * axis + (slice(start, start + length),), unique=True)


def index_select(input: Value, dim: int, index: Value) -> Value:
    """The slices of dimension ``dim`` that the integers ``index`` (at most 1-d) name, in their order.

    Raises IndexError when one is out of range or negative, naming the first.

    >>> index_select(tensor([[1., 2.], [3., 4.]]), 1, tensor([1, 1]))
    tensor([[2., 2.],
            [4., 4.]])
    """
    shape = shape_of("index_select", input)
    axis = axis_of("index_select", input, dim)
    chosen = integers("index_select", "index", index, input)
    if chosen.ndim > 1:
        raise IndexError(f"index_select: index has shape {chosen.shape}; expected one dimension, use flatten()")
    check_range("index_select", "index", chosen, shape[axis] if shape else 1, f"dim {axis}")
    if not shape:
        if chosen.size != 1:
            raise IndexError(f"index_select: index of {chosen.size} elements for a tensor of shape (); give one")
        return view_(input, shape=())
    at = (slice(None),) * axis + (chosen.reshape(-1),)
    return index_select_(input, index=at, unique=chosen.size < 2)
