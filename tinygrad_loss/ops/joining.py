"""Tensors put together and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import Value, primitive
from .layout import shape_of, view_
from .reduce import axis_of

EMPTY = (0,)  # torch's cat skips such tensors, whatever the shape of the others


def _cat(*arrays: Array, dim: int, starts: tuple[int, ...]) -> Array:
    kept = [a for a in arrays if a.shape != EMPTY] or arrays
    return np.concatenate(kept, dim)


def _cat_rule(g: Value, y: Value, *tensors: Value, which: int, dim: int, starts: tuple[int, ...]) -> Value:
    part = g[(slice(None),) * dim + (slice(starts[which], starts[which + 1]),)]
    return view_(part, shape=EMPTY) if tensors[which].shape == EMPTY else part


def _stack_rule(g: Value, y: Value, *tensors: Value, which: int, dim: int) -> Value:
    return g[(slice(None),) * dim + (which,)]


cat_ = primitive(_cat, _cat_rule, name="cat", index_name="which", saves=False)
stack_ = primitive(
    lambda *arrays, dim: np.stack(arrays, dim), _stack_rule, name="stack", index_name="which", saves=False
)


def _shapes(name: str, tensors: Sequence[Value]) -> list[tuple[int, ...]]:
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}: tensors must be a list or tuple of Tensors, got {type(tensors).__name__}")
    return [shape_of(name, x, f"tensors[{i}]") for i, x in enumerate(tensors)]


def cat(tensors: Sequence[Value], dim: int = 0) -> Value:
    """The tensors one after the other along ``dim``; all other sizes must be equal.

    Tensors of shape (0,) are skipped, as in torch. Raises ValueError for an empty list, IndexError when ``dim``
    is out of range, RuntimeError when shapes do not fit.

    >>> cat([tensor([1., 2.]), tensor([3.])])
    tensor([1., 2., 3.])
    """
    shapes = _shapes("cat", tensors)
    if not shapes:
        raise ValueError("cat: expected a non-empty list of Tensors")
    first = next((i for i, s in enumerate(shapes) if s != EMPTY), 0)
    axis = axis_of("cat", tensors[first], dim)
    like = shapes[first]
    for i, s in enumerate(shapes):
        if not s:
            raise RuntimeError(f"cat: tensors[{i}] has no dimension to join along; use stack, or unsqueeze(0) first")
        if s != EMPTY and (len(s) != len(like) or s[:axis] + s[axis + 1 :] != like[:axis] + like[axis + 1 :]):
            raise RuntimeError(
                f"cat: tensors[{i}] has shape {s}, tensors[{first}] {like}; sizes must be equal except in dim {axis}"
            )
    lengths = (0 if s == EMPTY else s[axis] for s in shapes)
    return cat_(*tensors, dim=axis, starts=tuple(accumulate(lengths, initial=0)))


concat = cat


def stack(tensors: Sequence[Value], dim: int = 0) -> Value:
    """The tensors, of one shape, along a new dimension ``dim``.

    Raises RuntimeError for an empty list or unequal shapes, IndexError when ``dim`` is out of range.

    >>> stack([tensor([1., 2.]), tensor([3., 4.])], dim=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    shapes = _shapes("stack", tensors)
    if not shapes:
        raise RuntimeError("stack: expected a non-empty list of Tensors")
    for i, s in enumerate(shapes):
        if s != shapes[0]:
            raise RuntimeError(f"stack: tensors[{i}] has shape {s}, tensors[0] {shapes[0]}; all must be equal")
    n = len(shapes[0]) + 1
    if not -n <= dim < n:
        raise IndexError(f"stack: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return stack_(*tensors, dim=dim % n)


_FAN = 4  # pieces cut from one tensor at a time


def _pieces(tensor: Value, lengths: Sequence[int], axis: int) -> tuple[Value, ...]:
    """Each piece's gradient is as long as what it was cut from: cut in a tree, n pieces cost O(n log n), not O(n²)."""
    before = (slice(None),) * axis
    if len(lengths) <= _FAN:
        return tuple(tensor[(*before, slice(a, b))] for a, b in pairwise(accumulate(lengths, initial=0)))
    each = -(-len(lengths) // _FAN)
    groups = [lengths[i : i + each] for i in range(0, len(lengths), each)]
    parts = _pieces(tensor, [sum(group) for group in groups], axis)
    return tuple(chain.from_iterable(_pieces(p, g, axis) for p, g in zip(parts, groups, strict=True)))


def _axis(name: str, tensor: Value, dim: int) -> tuple[int, int]:
    """The axis and its size; a number has none to take apart."""
    shape = shape_of(name, tensor)
    if not shape:
        raise RuntimeError(f"{name}: expected at least 1 dimension, got a tensor of shape ()")
    axis = axis_of(name, tensor, dim)
    return axis, shape[axis]


def _even(tensor: Value, length: int, n: int, axis: int) -> tuple[Value, ...]:
    return _pieces(tensor, [min(length, n - a) for a in range(0, n, length)] if n else [0], axis)


def split(tensor: Value, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    """Pieces along ``dim``: of one size (the last may be smaller), or of the sizes in a list.

    Raises RuntimeError for a negative or zero size, or sizes that do not add up; IndexError for ``dim``.

    >>> split(tensor([1., 2., 3.]), 2)
    (tensor([1., 2.]), tensor([3.]))
    """
    axis, n = _axis("split", tensor, dim)
    if isinstance(split_size_or_sections, (tuple, list)):
        if sum(split_size_or_sections) != n or any(s < 0 for s in split_size_or_sections):
            raise RuntimeError(
                f"split: sizes {list(split_size_or_sections)} in dim {axis}; they must be 0 or more and add up to {n}"
            )
        return _pieces(tensor, split_size_or_sections, axis)
    size: Any = split_size_or_sections
    if size < 0 or (size == 0 and n):
        raise RuntimeError(f"split: size {size} in dim {axis} of size {n}; give a size of at least 1")
    return _even(tensor, size, n, axis)


def chunk(input: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``, the last of which may be smaller.

    Raises RuntimeError unless ``chunks`` is positive, IndexError when ``dim`` is out of range.

    >>> chunk(tensor([1., 2., 3.]), 2)
    (tensor([1., 2.]), tensor([3.]))
    """
    axis, n = _axis("chunk", input, dim)
    if chunks < 1:
        raise RuntimeError(f"chunk: chunks={chunks}; expected at least 1")
    return _even(input, -(-n // chunks), n, axis) if n else _pieces(input, [0] * chunks, axis)


def unbind(input: Value, dim: int = 0) -> tuple[Value, ...]:
    """The slices along ``dim``, without it; IndexError when it is out of range.

    >>> unbind(tensor([[1., 2.], [3., 4.]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if not shape_of("unbind", input):
        raise IndexError("unbind: a tensor of shape () has no dimension to take apart")
    axis = axis_of("unbind", input, dim)
    before, n = (slice(None),) * axis, input.shape[axis]
    parts = _even(input, _FAN, n, axis) if n > _FAN else (input,)
    return tuple(part[(*before, i)] for part in parts for i in range(part.shape[axis]))
