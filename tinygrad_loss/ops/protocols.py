"""How tensors meet NumPy's protocols, ``copy`` and other processes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array
from ..primitive import PRIMITIVES
from ..quiet import quiet
from ..tape import Tensor
from ..tracing import note_read


def _refuse_grad(self: Tensor, name: str) -> None:
    if self.needs_grad:
        raise RuntimeError(
            f"{name}: can't be called on a Tensor that requires grad, because NumPy records no gradients; use "
            f"x.detach().numpy()"
        )


def numpy(self: Tensor, *, force: bool = False) -> Array:
    """The values as a NumPy array that shares memory. Writes into it are not noticed by backward.

    Raises RuntimeError when the tensor requires grad, unless ``force``: call ``x.detach().numpy()``.
    """
    if not force:
        _refuse_grad(self, "numpy")
    note_read()
    return self.array


def array_protocol(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Array:
    """``np.asarray(x)``: as :func:`numpy`."""
    _refuse_grad(self, "np.asarray")
    note_read()
    with quiet():
        return np.array(self.array, dtype, copy=copy)


_OPERATORS: dict[np.ufunc, Callable[[Any, Any], Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.power: operator.pow, np.matmul: operator.matmul, np.floor_divide: operator.floordiv, np.remainder: operator.mod,
    np.equal: operator.eq, np.not_equal: operator.ne, np.less: operator.lt, np.less_equal: operator.le,
    np.greater: operator.gt, np.greater_equal: operator.ge,
}  # fmt: skip
_OUR_NAMES = {"absolute": "abs", "negative": "neg", "logical_not": "logical_not", "arctan": "atan"}


def ufunc_protocol(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """``ndarray * x`` and ``np.float64(2) * x`` are this library's; any other ufunc of a tensor is refused."""
    apply = _OPERATORS.get(ufunc)
    if apply is not None and method == "__call__" and not options:
        # plain numbers, because a NumPy one would ask the ufunc again
        plain = (v.item() if isinstance(v, np.generic) else v for v in inputs)
        a, b = (Tensor(v) if isinstance(v, np.ndarray) else v for v in plain)
        return apply(a, b)
    name = _OUR_NAMES.get(ufunc.__name__, ufunc.__name__)
    if "out" in options:
        remedy = "write array += x.detach().numpy()"
    elif name in PRIMITIVES and method == "__call__":
        remedy = f"use tinygrad_loss.{name}(x), which records its gradient, or np.{ufunc.__name__}(x.detach().numpy())"
    else:
        remedy = f"use np.{ufunc.__name__}(x.detach().numpy())"
    raise TypeError(f"np.{ufunc.__name__}: NumPy records no gradients, so it refuses tensors; {remedy}")


def _rebuild(kind: type[Tensor], array: Array, requires_grad: bool, extra: dict[str, Any] | None = None) -> Tensor:
    """A leaf of that class without calling its constructor."""
    t = object.__new__(kind)
    Tensor.__init__(t, array, requires_grad)
    if extra:
        t.__dict__.update(extra)
    return t


def deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """``copy.deepcopy(x)``: of a leaf, with its gradient. Raises RuntimeError inside a graph."""
    if id(self) in memo:
        known: Tensor = memo[id(self)]
        return known
    if self.op is not None:
        raise RuntimeError(
            "deepcopy: only Tensors created explicitly by the user (graph leaves) can be deep-copied, this one came "
            f"from {self.op.name!r}; use x.detach().clone()"
        )
    twin = _rebuild(type(self), self.array.copy(), self.needs_grad, getattr(self, "__dict__", None))
    memo[id(self)] = twin
    if self._grad is not None:
        twin._grad = Tensor(self._grad.array.copy())
    return twin


def reduce_(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    """What crosses to another process: the values and requires_grad, never the graph."""
    return _rebuild, (type(self), self.array, self.needs_grad, getattr(self, "__dict__", None))
