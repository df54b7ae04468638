"""From tensors to numbers, arrays and other dtypes: what ops/operators.py binds as methods of Tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..callsite import note_cut
from ..devices import CPU, check_device
from ..devices import device as Device
from ..dtypes import Size, dtype, float16, float32, float64, int16, int32, int64, is_number, to_numpy, uint8
from ..dtypes import bool_ as _bool
from ..primitive import primitive
from ..quiet import quiet
from ..tape import Tensor
from ..tracing import note_read
from .protocols import array_protocol as array_protocol
from .protocols import deepcopy as deepcopy
from .protocols import numpy as numpy
from .protocols import reduce_ as reduce_
from .protocols import ufunc_protocol as ufunc_protocol

cast = primitive(
    lambda x, dtype: x.astype(dtype, order="C"),
    lambda g, y, x, dtype: g,  # the engine casts it back to the dtype of x
    name="cast",
    promotes=False,
    saves=False,
    grad_name="ToCopy",
    doc="A copy of a tensor in another NumPy dtype. Its gradient comes back in the tensor's own.",
)


# dtypes


def _cast(self: Tensor, d: np.dtype[Any], copy: bool = False) -> Tensor:
    if self.array.dtype == d and not copy:
        return self
    done: Tensor = cast(self, dtype=d)
    return done


def to(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """``to(dtype)``, ``to("cpu")``, ``to("cpu", dtype)`` or ``to(other)``: this tensor in that dtype.

    Itself when there is nothing to change, unless ``copy=True``. Raises RuntimeError for another device.
    """
    d, where = options.pop("dtype", None), options.pop("device", None)
    other, copy = options.pop("other", None), bool(options.pop("copy", False))
    options.pop("non_blocking", None)
    options.pop("memory_format", None)
    if options:
        raise TypeError(f"to: unknown argument {next(iter(options))!r}; it takes dtype, device, other and copy")
    for a in args:
        if isinstance(a, Tensor):
            other = a
        elif isinstance(a, (dtype, np.dtype, type)):
            d = a
        elif isinstance(a, bool):
            continue  # non_blocking, by position
        elif a is not None:
            where = a
    check_device(where)
    if other is not None:
        d = other.dtype
    return _cast(self, self.array.dtype if d is None else to_numpy(d), copy)


def type_(self: Tensor, dtype: Any = None) -> Any:
    """This tensor in ``dtype``; without one, the name of its type."""
    if dtype is None:
        kind = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "int32": "Int",
                "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}[self.dtype.name]  # fmt: skip
        return f"tinygrad_loss.{kind}Tensor"
    return _cast(self, to_numpy(dtype))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the dtype of ``other``."""
    return _cast(self, other.array.dtype)


def _to(d: dtype) -> Callable[[Tensor], Tensor]:
    numpy_dtype = d.dtype

    def convert(self: Tensor) -> Tensor:
        return _cast(self, numpy_dtype)

    convert.__doc__ = f"This tensor as {d.name}; itself when it is that already."
    return convert


float_, double, half = _to(float32), _to(float64), _to(float16)
long, int_, short, byte, bool_ = _to(int64), _to(int32), _to(int16), _to(uint8), _to(_bool)


def cpu(self: Tensor) -> Tensor:
    """Itself: every tensor is on the CPU."""
    return self


def device(self: Tensor) -> Device:
    """The CPU."""
    return CPU


# sizes and layout


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one dimension. Raises IndexError when there is no such dimension."""
    shape = self.array.shape
    if dim is None:
        return Size(shape)
    n = len(shape)
    if not -n <= dim < n:
        raise IndexError(f"size: dim={dim}, but the tensor has {n} dimensions: shape {tuple(shape)}")
    return int(shape[dim])


def dim(self: Tensor) -> int:
    """The number of dimensions."""
    return self.array.ndim


def numel(self: Tensor) -> int:
    """The number of elements."""
    return self.array.size


def element_size(self: Tensor) -> int:
    """Bytes per element."""
    return self.array.itemsize


def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is float16, float32 or float64."""
    return self.array.dtype.kind == "f"


def is_contiguous(self: Tensor) -> bool:
    """Whether the elements lie in memory row by row."""
    return self.array.flags.c_contiguous


def contiguous(self: Tensor) -> Tensor:
    """Itself when contiguous, otherwise a copy that is."""
    return self if self.array.flags.c_contiguous else _cast(self, self.array.dtype, copy=True)


# to numbers


def item(self: Tensor) -> Any:
    """The one element as a Python number. Raises RuntimeError when there is not exactly one."""
    if self.array.size != 1:
        raise RuntimeError(
            f"item: a Tensor with {self.array.size} elements cannot be converted to a number, only one with a single "
            f"element; this one has shape {tuple(self.array.shape)}: reduce it first, or use tolist()"
        )
    if self.needs_grad:
        note_cut("item")
    note_read()
    return self.array.item()


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers."""
    note_read()
    return self.array.tolist()


def truth(self: Tensor) -> bool:
    """``bool(x)``: of one element only."""
    if self.array.size != 1:
        values = "no values" if self.array.size == 0 else "more than one value"
        raise RuntimeError(
            f"Boolean value of Tensor with {values} is ambiguous (shape {tuple(self.array.shape)}): "
            "use x.any() or x.all(), or x is None. If this came from building a loss, build it first: "
            "nn.MSELoss()(input, target)"
        )
    note_read()
    with quiet():
        return bool(self.array.item())


def _single(self: Tensor, function: str) -> Any:
    if self.array.size != 1:
        raise ValueError(
            f"{function}: only one element tensors can be converted to Python scalars, got shape "
            f"{tuple(self.array.shape)}; use tolist()"
        )
    note_read()
    return self.array.item()


def as_float(self: Tensor) -> float:
    """``float(x)``."""
    return float(_single(self, "float"))


def as_int(self: Tensor) -> int:
    """``int(x)``: towards zero."""
    return int(_single(self, "int"))


def as_index(self: Tensor) -> int:
    """``list[x]`` and ``range(x)``: an integer tensor of one element."""
    if self.array.dtype.kind == "f" or self.array.size != 1:
        raise TypeError(
            "only integer tensors of a single element can be converted to an index, got "
            f"{self.dtype} of shape {tuple(self.array.shape)}; use int(x), or x.long()"
        )
    note_read()
    return int(self.array.item())


def format_(self: Tensor, spec: str) -> str:
    """``f"{x:.3f}"`` formats the number in a 0-d tensor; others take no format."""
    if self.array.ndim == 0:
        return format(self.array.item(), spec)
    if spec:
        raise TypeError(
            f"format: {spec!r} formats one number, but the tensor has shape {tuple(self.array.shape)}; use x.item() "
            "when it has one element, or set_printoptions(precision=...)"
        )
    return str(self)


# containers


def length(self: Tensor) -> int:
    """``len(x)``: the size of the first dimension."""
    if self.array.ndim == 0:
        raise TypeError("len() of a 0-d tensor: it has no dimensions; use x.item() for its number")
    return int(self.array.shape[0])


def iterate(self: Tensor) -> Iterator[Tensor]:
    """The slices along the first dimension, each part of the graph."""
    if self.array.ndim == 0:
        raise TypeError("iteration over a 0-d tensor: it has no dimensions; use x.item() for its number")
    return (self[i] for i in range(self.array.shape[0]))


def contains(self: Tensor, element: Any) -> bool:
    """``element in x``: whether any element equals it."""
    if not isinstance(element, Tensor) and not is_number(element):
        raise RuntimeError(f"in: a tensor contains numbers, got {type(element).__name__}; pass a number or a Tensor")
    return bool((self == element).any())
