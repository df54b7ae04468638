"""Writing into a tensor. Every write is noted, so that a backward which needs the old values refuses.

A leaf that requires grad may be written only where nothing is recorded. Inside a graph ``a += b`` makes a
new tensor instead; what cannot be read as a new tensor (``a.add_(b)``, ``a[i] = v``) raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array, is_number, of_numpy, promote, result_dtype
from ..modes import get_state
from ..quiet import quiet, quietly
from ..tape import Tensor
from ..writes import note_write

_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}


def check_write(name: str, self: Tensor, *others: Any, remedy: str = "") -> None:
    """Refuse a write that gradients, or memory, do not allow; before anything has changed."""
    if get_state().recording:
        if self.needs_grad and self.op is None:
            raise RuntimeError(
                f"{name}: a leaf Variable that requires grad is being used in an in-place operation. Write inside "
                "'with no_grad():', or write to x.data"
            )
        if self.needs_grad or any(isinstance(v, Tensor) and v.needs_grad for v in others):
            plain = name.rstrip("_")
            raise RuntimeError(
                f"{name}: cannot write in place into a recorded computation, because the old values may be needed for "
                f"gradients; {remedy or f'use the form that returns a new tensor: x = x.{plain}(...)'}"
            )
    _check_memory(name, self.array)


def _check_memory(name: str, array: Array) -> None:
    steps = zip(array.strides, array.shape, strict=True)
    shared = bool(array.size) and any(step == 0 and n > 1 for step, n in steps)
    if shared or not array.flags.writeable:
        raise RuntimeError(
            f"{name}: the tensor's memory is {'shared by several of its elements' if shared else 'read-only'}; "
            "write into a copy: x = x.clone()"
        )


def _operand(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.array
    if is_number(value):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray):
        return value
    raise TypeError(f"{name}: other must be a Tensor or a number, got {type(value).__name__}; use tensor(...)")


def check_shape(name: str, target: tuple[int, ...], value: Any) -> None:
    given = np.shape(value)
    if given == target or not given:
        return
    try:
        fits = np.broadcast_shapes(target, given) == target
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{name}: output with shape {target} doesn't match the broadcast shape: a value of shape {given} cannot be "
            "written into it; reshape the value, or use the form that returns a new tensor"
        )


def _check_kind(name: str, self: Tensor, found: np.dtype[Any]) -> None:
    mine = self.array.dtype
    if _CATEGORY[found.kind] > _CATEGORY[mine.kind]:
        raise RuntimeError(
            f"{name}: result type {of_numpy(found).name} can't be cast to the desired output type "
            f"{of_numpy(mine).name}: a tensor keeps its dtype when written to; use "
            f"x = x.{'float' if found.kind == 'f' else 'long'}() first"
        )


def _arithmetic(name: str, ufunc: np.ufunc, self: Tensor, other: Any, floats: bool = False) -> Tensor:
    x, z = self.array, _operand(name, other)
    if type(z) is not float or x.dtype.kind != "f":  # the common case needs no check
        _check_kind(name, self, result_dtype((x, z), floats))
        check_shape(name, x.shape, z)
        x, z = promote((x, z), floats)
    quietly(ufunc, x, z, out=self.array, casting="unsafe")
    note_write(self.array)
    return self


def _scaled(name: str, other: Any, alpha: Any) -> Any:
    if alpha == 1:
        return other
    value = _operand(name, other)
    with quiet():
        return np.asarray(value * alpha) if isinstance(value, np.ndarray) else value * alpha


def add_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """``self += alpha * other``, written in place; the dtype stays. Raises where gradients need the old values."""
    check_write("add_", self, other)
    return _arithmetic("add_", np.add, self, _scaled("add_", other, alpha))


def sub_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """``self -= alpha * other``, written in place; see :func:`add_`."""
    check_write("sub_", self, other)
    return _arithmetic("sub_", np.subtract, self, _scaled("sub_", other, alpha))


def mul_(self: Tensor, other: Any) -> Tensor:
    """``self *= other``, written in place; see :func:`add_`."""
    check_write("mul_", self, other)
    return _arithmetic("mul_", np.multiply, self, other)


def div_(self: Tensor, other: Any) -> Tensor:
    """``self /= other``, written in place; see :func:`add_`. RuntimeError for an integer tensor."""
    check_write("div_", self, other)
    return _arithmetic("div_", np.true_divide, self, other, floats=True)


def pow_(self: Tensor, exponent: Any) -> Tensor:
    """``self **= exponent``, written in place; see :func:`add_`."""
    check_write("pow_", self, exponent)
    if self.array.dtype.kind in "iu" and np.any(np.asarray(_operand("pow_", exponent)) < 0):
        raise RuntimeError("pow_: integers to negative integer powers are not allowed; use x = x.float() first")
    return _arithmetic("pow_", np.power, self, exponent)


def _unary(name: str, ufunc: np.ufunc, floats: bool) -> Callable[[Tensor], Tensor]:
    def write(self: Tensor) -> Tensor:
        check_write(name, self)
        if floats:
            _check_kind(name, self, result_dtype((self.array,), True))
        with quiet():
            ufunc(self.array, out=self.array)
        note_write(self.array)
        return self

    write.__name__ = write.__qualname__ = name
    write.__doc__ = f"``self.{name[:-1]}()``, written in place; see :func:`add_`."
    return write


neg_ = _unary("neg_", np.negative, False)
exp_ = _unary("exp_", np.exp, True)
sqrt_ = _unary("sqrt_", np.sqrt, True)


def relu_(self: Tensor) -> Tensor:
    """Negative elements become 0, in place; see :func:`add_`."""
    check_write("relu_", self)
    return _arithmetic("relu_", np.maximum, self, 0)


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Elements below ``min`` become ``min``, above ``max`` ``max``, in place; see :func:`add_`."""
    check_write("clamp_", self, min, max)
    if min is None and max is None:
        raise RuntimeError("clamp_: at least one of min and max must be given")
    for bound in (min, max):  # all checks before the first write
        if bound is not None:
            value = _operand("clamp_", bound)
            _check_kind("clamp_", self, result_dtype((self.array, value)))
            check_shape("clamp_", self.array.shape, value)
    if min is not None:
        _arithmetic("clamp_", np.maximum, self, min)
    if max is not None:
        _arithmetic("clamp_", np.minimum, self, max)
    return self


# Assignment: the value is cast to the tensor's dtype


def _scalar(name: str, self: Tensor, value: Any) -> Any:
    """A number as the tensor's dtype stores it."""
    d = self.array.dtype
    if d.kind in "iu":
        try:
            whole = int(value)
            if not -(2 ** (8 * d.itemsize - 1)) <= whole <= np.iinfo(d).max:
                raise OverflowError
        except (ValueError, OverflowError):
            raise RuntimeError(f"{name}: {value!r} cannot be converted to {self.dtype} without overflow") from None
        return np.asarray(whole).astype(d)
    return value


def _assign(name: str, self: Tensor, target: Any, value: Any) -> None:
    with quiet():
        self.array[target] = value if not isinstance(value, np.ndarray) else value.astype(self.array.dtype, copy=False)
    note_write(self.array)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes ``value``, a number or 0-d tensor; see :func:`add_` for when it may be written."""
    check_write("fill_", self, value)
    number = _operand("fill_", value)
    if np.ndim(number):
        raise RuntimeError(f"fill_: value must be a number or a 0-d tensor, got shape {np.shape(number)}; use copy_")
    _assign("fill_", self, ..., number if isinstance(number, np.ndarray) else _scalar("fill_", self, number))
    return self


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0."""
    check_write("zero_", self)
    _assign("zero_", self, ..., 0)
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The values of ``src``, broadcast and cast to this tensor's dtype; see :func:`add_`."""
    check_write("copy_", self, src, remedy="use src.clone() or src.to(x.dtype) in its place")
    value = _operand("copy_", src)
    check_shape("copy_", self.array.shape, value)
    _assign("copy_", self, ..., value if isinstance(value, np.ndarray) else _scalar("copy_", self, value))
    return self


def _plain(index: Any) -> Any:
    """An index without tensors in it."""
    if isinstance(index, tuple):
        return tuple(_plain(i) for i in index)
    if isinstance(index, Tensor):
        if index.array.dtype.kind == "f":
            raise IndexError(f"setitem: indices must be integers, booleans or slices, got {index.dtype}; use .long()")
        return index.array
    if isinstance(index, list):
        return [_plain(i) for i in index]
    return index


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``: a number, or a tensor that is broadcast and cast to this one's dtype.

    Raises IndexError for a bad index, RuntimeError for a shape that does not fit or where gradients need the
    old values.
    """
    remedy = "build the tensor instead, with stack([...]), cat([...]) or where(mask, value, x)"
    check_write("setitem", self, value, remedy=remedy)
    if not isinstance(value, (Tensor, np.ndarray)) and not is_number(value):
        raise TypeError(f"setitem: can't assign a {type(value).__name__} to a tensor; use tensor(...)")
    given, where = _operand("setitem", value), _plain(index)
    try:
        shape = np.shape(self.array[where])
    except (IndexError, ValueError) as error:
        raise IndexError(f"setitem: {error}, for a tensor of shape {tuple(self.array.shape)}") from None
    if isinstance(given, np.ndarray):
        while given.ndim > len(shape) and given.shape[0] == 1:
            given = given[0]
        given = np.asarray(given)
        check_shape("setitem", shape, given)
    else:
        given = _scalar("setitem", self, given)
    _assign("setitem", self, where, given)


# The augmented assignments


def _augmented(
    name: str, ufunc: np.ufunc, outside: Callable[[Any, Any], Any], floats: bool = False
) -> Callable[[Tensor, Any], Any]:
    def assign(self: Tensor, other: Any) -> Any:
        if not isinstance(other, (Tensor, np.ndarray)) and not is_number(other):
            return NotImplemented
        theirs = isinstance(other, Tensor) and other.needs_grad
        if (self.needs_grad or theirs) and get_state().recording and (not self.needs_grad or self.op is not None):
            if theirs and other.op is not None and other.args is None:
                advise(
                    f"{name}: a loss whose backward has run is added up as a tensor, which keeps every step's graph "
                    "in memory; use running += loss.item()"
                )
            _check_kind(name, self, result_dtype((self.array, _operand(name, other)), floats))
            check_shape(name, self.array.shape, _operand(name, other))
            made = outside(self, other)
            return made if made.array.dtype == self.array.dtype else made.to(self.dtype)
        check_write(name, self, other)
        return _arithmetic(name, ufunc, self, other, floats)

    return assign


iadd = _augmented("+=", np.add, lambda a, b: a + b)
isub = _augmented("-=", np.subtract, lambda a, b: a - b)
imul = _augmented("*=", np.multiply, lambda a, b: a * b)
itruediv = _augmented("/=", np.true_divide, lambda a, b: a / b, floats=True)
