"""Making tensors from data, from a value and from a rule."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .devices import check_device
from .dtypes import Array, get_default_dtype, is_number, to_numpy
from .generator import multiply_add
from .ingest import known, to_array
from .quiet import quiet
from .tape import Tensor


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new tensor with a copy of ``data``: a number, nested lists or tuples, an array, a tensor.

    Python floats become the default dtype (float32), ints int64, bools bool; arrays and NumPy numbers keep
    theirs. Raises ValueError for lists of unequal length, naming the place, and for numbers that do not fit
    the dtype; TypeError for what is no number; RuntimeError when something other than floats requires grad.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    >>> tensor([1, 2]).dtype, tensor(np.array([1.0])).dtype
    (tinygrad_loss.int64, tinygrad_loss.float64)
    """
    check_device(device)
    return Tensor(to_array("tensor", data, None if dtype is None else to_numpy(dtype), copy=True), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory where it can; a tensor of that dtype is returned as it is.

    >>> x = tensor([1.0])
    >>> as_tensor(x) is x
    True
    """
    check_device(device)
    d = None if dtype is None else to_numpy(dtype)
    if isinstance(data, Tensor):
        same: Tensor = data if d is None else data.to(d)
        return same
    return Tensor(to_array("as_tensor", data, d, copy=False))


asarray = as_tensor


def from_numpy(ndarray: Array) -> Tensor:
    """A tensor that shares its memory with a NumPy array. Raises TypeError for anything else.

    >>> a = np.zeros(2)
    >>> x = from_numpy(a)
    >>> a[0] = 5
    >>> x
    tensor([5., 0.], dtype=tinygrad_loss.float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a np.ndarray, got {type(ndarray).__name__}; use tensor(...)")
    return Tensor(known(ndarray, "from_numpy"))


# From a size and a value


def size_of(function: str, size: tuple[Any, ...], given: Any = None) -> tuple[int, ...]:
    """The shape meant by ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))``."""
    if given is not None:
        size = (given,)
    elif not size:
        raise TypeError(f"{function}: missing the size; write {function}(2, 3) or {function}((2, 3))")
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    try:
        shape = tuple(map(operator.index, size))
    except TypeError:
        raise TypeError(f"{function}: size must be ints, got {size!r}; write {function}((2, 3))") from None
    if any(n < 0 for n in shape):
        raise RuntimeError(f"{function}: sizes must not be negative, got {shape}")
    return shape


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """NumPy's dtype for the argument ``dtype``; the default dtype for None."""
    return get_default_dtype().dtype if dtype is None else to_numpy(dtype)


def _made(array: Array, device: Any, requires_grad: bool) -> Tensor:
    check_device(device)
    return Tensor(array, requires_grad)


def zeros(*sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros: ``zeros(2, 3)``, ``zeros((2, 3))`` or ``zeros(size=(2, 3))``.

    Raises TypeError for sizes that are no ints, RuntimeError for negative ones.

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _made(np.zeros(size_of("zeros", sizes, size), real_dtype(dtype)), device, requires_grad)


def ones(*sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, with sizes as for :func:`zeros`.

    >>> ones(3, dtype=int64)
    tensor([1, 1, 1])
    """
    return _made(np.ones(size_of("ones", sizes, size), real_dtype(dtype)), device, requires_grad)


def empty(*sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled: its values are whatever was in memory. Sizes as for :func:`zeros`.

    >>> empty(2, 3).shape
    tinygrad_loss.Size([2, 3])
    """
    return _made(np.empty(size_of("empty", sizes, size), real_dtype(dtype)), device, requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``fill_value`` everywhere, in its own dtype unless ``dtype`` is given. ``size`` is a tuple.

    >>> full((2,), 3.5), full((2,), True)
    (tensor([3.5000, 3.5000]), tensor([True, True]))
    """
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full: size must be a tuple of ints, got {size!r}; write full(({size!r},), ...)")
    shape = size_of("full", (size,))
    kind = None if dtype is None else to_numpy(dtype)
    value = to_array("full", fill_value, kind, copy=False)  # at once: not by way of float32
    if value.ndim:
        raise RuntimeError(f"full: fill_value must be a number or a 0-d tensor, got shape {value.shape}")
    with quiet():
        return _made(np.full(shape, value, kind), device, requires_grad)


def _like(function: str, input: Any, dtype: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if not isinstance(input, Tensor):
        raise TypeError(f"{function}: input must be a Tensor, got {type(input).__name__}; convert it with tensor(...)")
    return input.array.shape, input.array.dtype if dtype is None else to_numpy(dtype)


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of ``input``.

    >>> zeros_like(tensor([1, 2]))
    tensor([0, 0])
    """
    return _made(np.zeros(*_like("zeros_like", input, dtype)), device, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of ``input``.

    >>> ones_like(tensor([3., 4.]))
    tensor([1., 1.])
    """
    return _made(np.ones(*_like("ones_like", input, dtype)), device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled, in the shape and dtype of ``input``.

    >>> empty_like(tensor([3., 4.])).shape
    tinygrad_loss.Size([2])
    """
    return _made(np.empty(*_like("empty_like", input, dtype)), device, requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``fill_value`` in the shape and dtype of ``input``.

    >>> full_like(tensor([3., 4.]), 7)
    tensor([7., 7.])
    """
    shape, d = _like("full_like", input, dtype)
    return full(shape, fill_value, dtype=d, device=device, requires_grad=requires_grad)


# By a rule


def _number(function: str, name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.item()
    if not is_number(value):
        raise TypeError(f"{function}: {name} must be a number, got {type(value).__name__}")
    return value.item() if isinstance(value, np.generic) else value


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``arange(end)`` or ``arange(start, end, step)``: from start up to, not including, end.

    int64 when all three are ints, else the default dtype. Raises RuntimeError when step is 0 or leads away
    from end.

    >>> arange(4), arange(1, 2, 0.5)
    (tensor([0, 1, 2, 3]), tensor([1.0000, 1.5000]))
    """
    if end is None:
        start, end = 0, start
    start, end, step = (_number("arange", n, v) for n, v in (("start", start), ("end", end), ("step", step)))
    whole = not any(isinstance(v, float) for v in (start, end, step))
    d = (np.dtype(np.int64) if whole else real_dtype(None)) if dtype is None else to_numpy(dtype)
    if not all(math.isfinite(v) for v in (start, end)) or math.isnan(step):
        raise RuntimeError(f"arange: unsupported range: {start} -> {end} in steps of {step}; all must be finite")
    if d.kind != "f":
        start, end, step = int(start), int(end), int(step)
    if step == 0:
        raise RuntimeError("arange: step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} leads away from {end}, starting at {start}; use step={-step}")
    exact = d.kind != "f"
    n = -((start - end) // step) if exact else math.ceil((end - start) / step)
    with quiet():
        steps = np.arange(n, dtype=np.int64 if exact else np.float64)
        return _made(np.asarray(start + steps * step).astype(d), device, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` equally spaced numbers from start to end, both included.

    Raises RuntimeError for negative ``steps``, TypeError when it is no int.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end = _number("linspace", "start", start), _number("linspace", "end", end)
    try:
        n = operator.index(steps)
    except TypeError:
        raise TypeError(f"linspace: steps must be an int, got {steps!r}") from None
    if n < 0:
        raise RuntimeError(f"linspace: number of steps must be non-negative, got {n}")
    d = real_dtype(dtype)
    kind = d.type if d.kind == "f" else np.float64
    with quiet():
        first, last = kind(start), kind(end)
        step = float((last - first) / kind(max(n - 1, 1)))
        i = np.arange(n, dtype=np.float64)  # from both ends, so that it is symmetric and ends at end
        values = np.where(
            i < max(n // 2, n == 1), multiply_add(i, step, float(first)), multiply_add(n - 1 - i, -step, float(last))
        )
        return _made(values.astype(d), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix, n by n, or n by m.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = size_of("eye", (n, n if m is None else m))
    return _made(np.eye(rows, columns, dtype=real_dtype(dtype)), device, requires_grad)


def _new(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, dtype: Any = None, **options: Any) -> Tensor:
        return make(*args, dtype=self.dtype if dtype is None else dtype, **options)

    method.__name__ = method.__qualname__ = f"new_{make.__name__}"
    method.__doc__ = f":func:`{make.__name__}` in the dtype of this tensor."
    return method


new_tensor, new_full = _new(tensor), _new(full)
new_zeros, new_ones, new_empty = _new(zeros), _new(ones), _new(empty)
