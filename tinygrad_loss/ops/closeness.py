"""Comparing tensors as a whole: equal, or equal up to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..coercion import not_a_tensor
from ..quiet import quiet
from ..tape import Tensor
from ..tracing import note_read


def _arrays(name: str, input: Any, other: Any) -> tuple[Any, Any]:
    for argument, x in (("input", input), ("other", other)):
        if not isinstance(x, Tensor):
            raise not_a_tensor(name, argument, x)
    return input.array, other.array


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where ``|input - other| <= atol + rtol * |other|``, broadcast; of the same dtype. Without gradient.

    Raises RuntimeError for two dtypes.

    >>> isclose(tensor([1.0, 2.0]), tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    a, b = _arrays("isclose", input, other)
    if a.dtype != b.dtype:
        raise RuntimeError(f"isclose: {input.dtype} and {other.dtype} did not match; convert one with .to(dtype)")
    with quiet():
        return Tensor(np.asarray(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: see :func:`isclose`.

    >>> allclose(tensor([1.0, 2.0]), tensor([1.0, 2.0 + 1e-6]))
    True
    """
    note_read()
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all values are the same; a nan equals nothing.

    >>> equal(tensor([1, 2]), tensor([1, 2])), equal(tensor([1, 2]), tensor([1, 2, 3]))
    (True, False)
    """
    note_read()
    a, b = _arrays("equal", input, other)
    return bool(np.array_equal(a, b))
