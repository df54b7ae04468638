"""Element types, sizes, and torch's rule for the type of a result.

NumPy and torch disagree about mixed types: for NumPy ``int64 + float32`` is float64, for torch float32,
because a *category* (bool < integer < float) only gives way to a higher one, and a number or 0-d tensor
never changes the type within its category.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, SupportsIndex

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class dtype:
    """The type of a tensor's elements; ``.dtype`` is NumPy's, so NumPy functions accept it as well.

    >>> float32
    tinygrad_loss.float32
    >>> float32.itemsize, float32.is_floating_point, float32.dtype
    (4, True, dtype('float32'))
    """

    __slots__ = ("dtype", "is_floating_point", "itemsize", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype: np.dtype[Any] = np.dtype(name)
        self.itemsize = self.dtype.itemsize
        self.is_floating_point = self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        return False

    @property
    def is_signed(self) -> bool:
        return self.dtype.kind in "if"

    def __repr__(self) -> str:
        return f"tinygrad_loss.{self.name}"

    def __reduce__(self) -> str:
        return self.name if self.name != "bool" else "bool_"


float16, float32, float64 = dtype("float16"), dtype("float32"), dtype("float64")
uint8, int8, int16, int32, int64 = dtype("uint8"), dtype("int8"), dtype("int16"), dtype("int32"), dtype("int64")
bool_ = dtype("bool")
half, float_, double, short, int_, long = float16, float32, float64, int16, int32, int64

_BY_NUMPY: dict[np.dtype[Any], dtype] = {
    d.dtype: d for d in (float16, float32, float64, uint8, int8, int16, int32, int64, bool_)
}
_BY_PYTHON: dict[type, dtype] = {bool: bool_, int: int64, float: float64}
_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}
F32 = float32.dtype

_default: ContextVar[dtype] = ContextVar("tinygrad_loss.default_dtype", default=float32)


def get_default_dtype() -> dtype:
    """The dtype of a tensor made from Python floats.

    >>> get_default_dtype()
    tinygrad_loss.float32
    """
    return _default.get()


def set_default_dtype(d: dtype) -> None:
    """Set the dtype that Python floats become, in this thread or context only.

    Raises TypeError when ``d`` is not float16, float32 or float64.

    >>> set_default_dtype(float64); get_default_dtype()
    tinygrad_loss.float64
    >>> set_default_dtype(float32)
    """
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"set_default_dtype: d must be float16, float32 or float64, got {d!r}")
    _default.set(d)


def of_numpy(d: np.dtype[Any]) -> dtype:
    """Our dtype for NumPy's; a TypeError names the ones there are."""
    found = _BY_NUMPY.get(d)
    if found is None:
        raise TypeError(f"dtype {d} is not supported: use one of {', '.join(x.name for x in _BY_NUMPY.values())}")
    return found


def to_numpy(d: Any) -> np.dtype[Any]:
    """NumPy's dtype for ours, a Python type, a NumPy dtype or its name."""
    if isinstance(d, dtype):
        return d.dtype
    if isinstance(d, type) and d in _BY_PYTHON:
        return _BY_PYTHON[d].dtype
    try:
        return of_numpy(np.dtype(d)).dtype
    except TypeError as error:
        raise TypeError(f"dtype={d!r} is not an element type: use for example tinygrad_loss.float32") from error


def is_number(value: object) -> bool:
    """A Python or NumPy number: it follows the tensor's dtype and never changes it."""
    return isinstance(value, (int, float, np.number, np.bool_))


def result_dtype(values: tuple[Any, ...], floats: bool = False) -> np.dtype[Any]:
    """torch's result type of arrays and Python numbers; ``floats`` asks for a floating one."""
    ranks: list[tuple[int, int, np.dtype[Any]]] = []
    for v in values:
        if isinstance(v, np.ndarray):
            ranks.append((_CATEGORY[v.dtype.kind], 2 if v.ndim else 1, v.dtype))
        elif isinstance(v, bool):
            ranks.append((0, 0, bool_.dtype))
        elif isinstance(v, int):
            ranks.append((1, 0, int64.dtype))
        else:
            ranks.append((2, 0, _default.get().dtype))
    category = max(r[0] for r in ranks)
    if floats and category < 2:
        return _default.get().dtype
    priority = max(r[1] for r in ranks if r[0] == category)
    result = None
    for c, p, d in ranks:
        if c == category and p == priority:
            result = d if result is None else np.promote_types(result, d)
    assert result is not None
    return result


def promote(values: tuple[Any, ...], floats: bool = False) -> tuple[Any, ...]:
    """The arrays cast to their common type; NumPy numbers become Python ones, which are weak."""
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    d = result_dtype(plain, floats)
    return tuple(v.astype(d, copy=False) if isinstance(v, np.ndarray) else d.type(v) for v in plain)


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as torch's and counts its elements.

    >>> Size((2, 3)), Size((2, 3)).numel()
    (tinygrad_loss.Size([2, 3]), 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self) -> str:
        return f"tinygrad_loss.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        picked = tuple.__getitem__(self, index)
        return Size(picked) if isinstance(picked, tuple) else picked
