"""Operations that rearrange elements and compute nothing: each gradient is rearranged back.

Results share memory with their argument where NumPy can arrange it, as views do in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitive import Value
from .layout import (
    Sizes,
    diagonal_,
    permute_,
    repeat_,
    shape_of,
    sizes_of,
    squeeze_,
    t_,
    transpose_,
    tril_,
    triu_,
    unsqueeze_,
    view_,
)
from .layout import clone as clone
from .layout import size_of as size_of
from .reduce import axis_of, broadcast_


def reshape(input: Value, *sizes: Any, shape: Sizes | None = None) -> Value:
    """The same elements in another shape, of which one size may be -1.

    Raises RuntimeError when the sizes do not multiply to the number of elements.

    >>> reshape(tensor([1., 2., 3., 4.]), (2, -1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    shape_of("reshape", input)
    return view_(input, shape=sizes_of("reshape", sizes, shape))


def view(input: Value, *sizes: Any, size: Sizes | None = None) -> Value:
    """As :func:`reshape`: where torch's view refuses a layout that it cannot share, this copies.

    >>> tensor([1., 2., 3., 4.]).view(2, 2)
    tensor([[1., 2.],
            [3., 4.]])
    """
    shape_of("view", input)
    return view_(input, shape=sizes_of("view", sizes, size))


def reshape_as(input: Value, other: Value) -> Value:
    """``input`` in the shape of ``other``.

    >>> tensor([1., 2.]).reshape_as(tensor([[0.], [0.]]))
    tensor([[1.],
            [2.]])
    """
    shape_of("reshape_as", input)
    return view_(input, shape=shape_of("reshape_as", other, "other"))


view_as = reshape_as


def flatten(input: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    """The dimensions ``start_dim`` to ``end_dim`` as one.

    Raises IndexError for a dimension that is not there, RuntimeError when they are in the wrong order.

    >>> flatten(tensor([[1., 2.], [3., 4.]]))
    tensor([1., 2., 3., 4.])
    """
    shape = shape_of("flatten", input) or (1,)
    start, end = axis_of("flatten", input, start_dim), axis_of("flatten", input, end_dim)
    if start > end:
        raise RuntimeError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim}; swap them")
    middle = int(np.prod(shape[start : end + 1], dtype=np.int64))
    return view_(input, shape=(*shape[:start], middle, *shape[end + 1 :]))


def squeeze(input: Value, dim: int | Sequence[int] | None = None) -> Value:
    """Without the dimensions of size 1, or without ``dim`` where its size is 1.

    Raises IndexError for a dimension that is not there, RuntimeError when one is named twice.

    >>> squeeze(tensor([[1., 2.]]))
    tensor([1., 2.])
    """
    shape = shape_of("squeeze", input)
    if dim is None:
        chosen = list(range(len(shape)))
    else:
        chosen = [axis_of("squeeze", input, d) for d in size_of((dim,))]
        if len(set(chosen)) < len(chosen):
            raise RuntimeError(f"squeeze: dim={dim} names a dimension twice; name each once")
    return squeeze_(input, shape=tuple(n for i, n in enumerate(shape) if n != 1 or i not in chosen))


def unsqueeze(input: Value, dim: int) -> Value:
    """With a new dimension of size 1 at ``dim``; IndexError when that is out of range.

    >>> unsqueeze(tensor([1., 2.]), 1)
    tensor([[1.],
            [2.]])
    """
    shape = shape_of("unsqueeze", input)
    n = len(shape) + 1
    if not -n <= dim < n:
        raise IndexError(
            f"unsqueeze: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim}) for a "
            f"tensor of shape {shape}"
        )
    return unsqueeze_(input, shape=(*shape[: dim % n], 1, *shape[dim % n :]))


def permute(input: Value, *sizes: Any, dims: Sizes | None = None) -> Value:
    """The dimensions in the order ``dims``; RuntimeError unless each is named once.

    >>> permute(tensor([[1., 2.], [3., 4.]]), (1, 0))
    tensor([[1., 3.],
            [2., 4.]])
    """
    shape = shape_of("permute", input)
    order = sizes_of("permute", sizes, dims)
    axes = tuple(axis_of("permute", input, d) for d in order)
    if sorted(axes) != list(range(len(shape))):
        raise RuntimeError(f"permute: dims={order} for a tensor of shape {shape}; name each dimension exactly once")
    return permute_(input, dims=axes)


def transpose(input: Value, dim0: int, dim1: int) -> Value:
    """With two dimensions exchanged; IndexError when one is out of range.

    >>> transpose(tensor([[1., 2.]]), 0, 1)
    tensor([[1.],
            [2.]])
    """
    shape = shape_of("transpose", input)
    first, second = axis_of("transpose", input, dim0), axis_of("transpose", input, dim1)
    return transpose_(input, dim0=first, dim1=second) if shape else permute_(input, dims=())


swapaxes = transpose


def movedim(input: Value, source: int | Sizes, destination: int | Sizes) -> Value:
    """With the dimensions ``source`` moved to ``destination``, the others in their order.

    Raises IndexError for a dimension that is not there, RuntimeError unless both name as many, each once.

    >>> movedim(tensor([[[1., 2.]]]), 2, 0).shape
    tinygrad_loss.Size([2, 1, 1])
    """
    n = len(shape_of("movedim", input))
    old = [axis_of("movedim", input, d) for d in size_of((source,))]
    new = [axis_of("movedim", input, d) for d in size_of((destination,))]
    if len(set(old)) != len(old) or len(set(new)) != len(new) or len(old) != len(new):
        raise RuntimeError(f"movedim: {source} to {destination}; name as many new places as old ones, each once")
    order = [i for i in range(n) if i not in old]
    for to, axis in sorted(zip(new, old, strict=True)):
        order.insert(to, axis)
    return permute_(input, dims=tuple(order[:n]))


def t(input: Value) -> Value:
    """The transpose of a matrix; vectors and numbers as they are. RuntimeError beyond two dimensions.

    >>> t(tensor([[1., 2.]]))
    tensor([[1.],
            [2.]])
    """
    shape = shape_of("t", input)
    if len(shape) > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {shape}; use transpose(dim0, dim1) or mT")
    return t_(input)


def T(input: Value) -> Value:
    """The dimensions in reverse order.

    >>> tensor([[1., 2.]]).T
    tensor([[1.],
            [2.]])
    """
    shape_of("T", input)
    return t_(input)


def mT(input: Value) -> Value:
    """The last two dimensions exchanged; RuntimeError for fewer than two.

    >>> tensor([[[1., 2.]]]).mT.shape
    tinygrad_loss.Size([1, 2, 1])
    """
    shape = shape_of("mT", input)
    if len(shape) < 2:
        raise RuntimeError(f"mT: expected a matrix or a batch of matrices, got shape {shape}; use unsqueeze first")
    return transpose_(input, dim0=-2, dim1=-1)


def expand(input: Value, *sizes: Any, size: Sizes | None = None) -> Value:
    """Dimensions of size 1 repeated, and new ones put in front, without copying; -1 keeps a size.

    Raises RuntimeError when a size other than 1 would change.

    >>> tensor([[1.], [2.]]).expand(2, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    old = shape_of("expand", input)
    new = sizes_of("expand", sizes, size)
    extra = len(new) - len(old)
    full = tuple(old[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(new))
    if extra < 0 or any(n < 0 or (i >= extra and old[i - extra] not in (1, n)) for i, n in enumerate(full)):
        raise RuntimeError(
            f"expand: shape {old} cannot become {new}: aligned at the last dimension, each size must be equal, 1 "
            "(then it is repeated) or -1 (kept); use unsqueeze or reshape first"
        )
    return broadcast_(input, shape=full)


def expand_as(input: Value, other: Value) -> Value:
    """``input`` expanded to the shape of ``other``.

    >>> tensor([1.]).expand_as(tensor([0., 0.]))
    tensor([1., 1.])
    """
    return expand(input, shape_of("expand_as", other, "other"))


def broadcast_to(input: Value, size: Sizes) -> Value:
    """As :func:`expand`.

    >>> broadcast_to(tensor([1.]), (2,))
    tensor([1., 1.])
    """
    return expand(input, tuple(size))


def repeat(input: Value, *sizes: Any, repeats: Sizes | None = None) -> Value:
    """Copies of ``input`` side by side, so many along each dimension (new ones in front).

    Raises RuntimeError for fewer counts than dimensions or a negative one.

    >>> repeat(tensor([1., 2.]), 2, 2)
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    shape = shape_of("repeat", input)
    counts = sizes_of("repeat", sizes, repeats)
    if len(counts) < len(shape) or any(n < 0 for n in counts):
        raise RuntimeError(f"repeat: {counts} for shape {shape}; give a count of 0 or more for every dimension")
    return repeat_(input, repeats=counts)


def diagonal(input: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """The diagonal over ``dim1`` and ``dim2``, as the new last dimension; ``offset`` > 0 is above it.

    Raises IndexError for a dimension that is not there, RuntimeError when they are the same.

    >>> diagonal(tensor([[1., 2.], [3., 4.]]))
    tensor([1., 4.])
    """
    shape = shape_of("diagonal", input)
    first, second = axis_of("diagonal", input, dim1), axis_of("diagonal", input, dim2)
    if first == second:
        raise RuntimeError(f"diagonal: dim1={dim1} and dim2={dim2} are the same dimension of shape {shape}")
    return diagonal_(input, offset=int(offset), dim1=first, dim2=second)


def tril(input: Value, diagonal: int = 0) -> Value:
    """The lower triangle, up to the given diagonal; 0 elsewhere. RuntimeError for fewer than two dimensions.

    >>> tril(tensor([[1., 2.], [3., 4.]]))
    tensor([[1., 0.],
            [3., 4.]])
    """
    shape_of("tril", input)
    return tril_(input, diagonal=diagonal)


def triu(input: Value, diagonal: int = 0) -> Value:
    """The upper triangle, from the given diagonal on; 0 elsewhere. RuntimeError for fewer than two dimensions.

    >>> triu(tensor([[1., 2.], [3., 4.]]), diagonal=1)
    tensor([[0., 2.],
            [0., 0.]])
    """
    shape_of("triu", input)
    return triu_(input, diagonal=diagonal)
