"""Choices by a boolean tensor, and one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..coercion import not_a_tensor
from ..dtypes import Array, is_number, promote
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .layout import shape_of
from .positions import check_range, reader
from .reduce import broadcast_

masked_select_ = reader("masked_select")


def _check_mask(name: str, argument: str, mask: Any) -> None:
    if not isinstance(mask, (np.ndarray, np.generic)):
        raise not_a_tensor(name, argument, mask)
    if mask.dtype.kind != "b":
        raise RuntimeError(f"{name}: {argument} has dtype {mask.dtype}; expected a boolean tensor: use .bool() or != 0")


def _misfit(name: str, **shapes: tuple[int, ...]) -> RuntimeError:
    said = " and ".join(f"{argument} of shape {shape}" for argument, shape in shapes.items())
    return RuntimeError(
        f"{name}: {said} do not broadcast: aligned at the last dimension, sizes must be equal or 1; use unsqueeze or "
        "expand on one of them"
    )


def _where(condition: Array, input: Any, other: Any) -> Any:
    _check_mask("where", "condition", condition)
    if not isinstance(input, np.ndarray) or type(other) is not float or input.dtype.kind != "f":  # the usual rule
        for argument, value in (("input", input), ("other", other)):
            if not isinstance(value, np.ndarray) and not is_number(value):
                raise not_a_tensor("where", argument, value)
        input, other = promote((input, other))
    try:
        return np.where(condition, input, other)
    except ValueError as error:
        shapes = {"condition": np.shape(condition), "input": np.shape(input), "other": np.shape(other)}
        raise _misfit("where", **shapes) from error


def _only(g: Value, condition: Value) -> Value:
    """``g`` where the condition holds, else 0. A NumPy number is an array here: it has its own dtype to keep."""
    return where_(condition, np.asarray(g) if isinstance(g, np.generic) else g, 0.0)


where_: Function = primitive(
    _where,
    None,
    lambda g, y, condition, input, other: _only(g, condition),
    lambda g, y, condition, input, other: _only(g, ~condition),
    name="where",
    promotes=False,
)


def _masked_fill(x: Array, mask: Array, value: Any) -> Any:
    _check_mask("masked_fill", "mask", mask)
    if isinstance(value, np.ndarray) and value.ndim:
        raise RuntimeError(f"masked_fill: value has shape {value.shape}; expected a number or 0-d tensor: use where")
    if not isinstance(value, np.ndarray) and not is_number(value):
        raise not_a_tensor("masked_fill", "value", value)
    if x.dtype.kind in "iu" and not np.iinfo(x.dtype).min <= value <= np.iinfo(x.dtype).max:
        raise RuntimeError(f"masked_fill: value {value} does not fit {x.dtype}; use input.float() first")
    try:
        return np.where(mask, np.asarray(value).astype(x.dtype), x)
    except ValueError as error:
        raise _misfit("masked_fill", input=x.shape, mask=mask.shape) from error


masked_fill_ = primitive(
    _masked_fill,
    lambda g, y, x, mask, value: _only(g, ~mask),
    None,
    lambda g, y, x, mask, value: _only(g, mask),
    name="masked_fill",
    promotes=False,
)


def where(condition: Value, input: Value | None = None, other: Value | None = None) -> Any:
    """``input`` where ``condition`` holds, else ``other``, broadcast; both may be numbers.

    With ``condition`` alone: its nonzero positions, one index tensor per dimension. The gradient of what was not
    chosen is 0 times what stands behind it: nan if that is infinite, so clean the input of a log or root first.

    Raises RuntimeError when the condition is not boolean or shapes do not broadcast.

    >>> where(tensor([True, False]), tensor([1., 2.]), 0.)
    tensor([1., 0.])
    """
    shape_of("where", condition, "condition")
    if input is not None and other is not None:
        return where_(condition, input, other)
    if input is not None or other is not None:
        raise TypeError("where: got input or other without the other one; pass both, or the condition alone")
    array = condition.array if isinstance(condition, Tensor) else condition
    found = np.nonzero(np.atleast_1d(array))
    return tuple(Tensor(i) for i in found) if isinstance(condition, Tensor) else found


def masked_fill(input: Value, mask: Value, value: Value) -> Value:
    """``input`` with ``value`` (a number or 0-d tensor) where the boolean ``mask`` holds, broadcast.

    Raises RuntimeError when the mask is not boolean or the shapes do not broadcast.

    >>> masked_fill(tensor([1., 2.]), tensor([True, False]), float("-inf"))
    tensor([-inf, 2.])
    """
    shape_of("masked_fill", input)
    return masked_fill_(input, mask, value)


def masked_select(input: Value, mask: Value) -> Value:
    """The elements where the boolean ``mask`` holds, in one dimension; both broadcast.

    Raises RuntimeError when the mask is not boolean or the shapes do not broadcast.

    >>> masked_select(tensor([1., 2., 3.]), tensor([True, False, True]))
    tensor([1., 3.])
    """
    shape = shape_of("masked_select", input)
    chosen = np.array(mask.array) if isinstance(mask, Tensor) else mask  # a copy: the tape keeps it
    _check_mask("masked_select", "mask", chosen)
    try:
        both = np.broadcast_shapes(shape, chosen.shape)
    except ValueError as error:
        raise _misfit("masked_select", input=shape, mask=chosen.shape) from error
    wide = input if both == shape else broadcast_(input, shape=both)
    return masked_select_(wide, index=np.broadcast_to(chosen, both), unique=True)


def _one_hot(x: Array, *, num_classes: int) -> Array:
    if x.dtype.kind not in "iu":
        raise RuntimeError(f"one_hot: got dtype {x.dtype}; expected integer class ids: use .long()")
    if x.size == 0 and num_classes < 1:
        raise RuntimeError("one_hot: cannot infer num_classes from an empty tensor; pass it")
    n = int(x.max()) + 1 if num_classes == -1 else num_classes
    check_range("one_hot", "tensor", x, max(n, 1), "num_classes")
    return np.asarray(np.arange(n) == x[..., np.newaxis], np.int64)


one_hot_ = primitive(_one_hot, name="one_hot", promotes=False)


def one_hot(tensor: Value, num_classes: int = -1) -> Value:
    """A new last dimension of size ``num_classes`` (default: the largest id + 1) with 1 at the class id, else 0.

    The result is int64. Raises IndexError for an id that is negative or too large, naming the first, RuntimeError
    for a dtype that is not an integer.

    >>> one_hot(tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    shape_of("one_hot", tensor, "tensor")
    return one_hot_(tensor, num_classes=num_classes)
