"""Central differences of a function of tensors, one input element at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array
from ..modes import enable_grad
from ..tape import Tensor


def place(shape: tuple[int, ...], k: int) -> tuple[int, ...]:
    """The index of the k-th element."""
    return tuple(int(i) for i in np.unravel_index(k, shape)) if shape else ()


class Function:
    """``func`` with its inputs, which are moved in place so that what ``func`` closes over sees it."""

    def __init__(self, name: str, func: Callable[..., Any], inputs: list[Any], eps: float) -> None:
        self.name = name
        self.func = func
        self.inputs = inputs
        self.eps = eps

    def outputs(self) -> list[Tensor]:
        """The floating point results of a call, as recorded."""
        with enable_grad():
            returned = self.func(*self.inputs)
        given = returned if isinstance(returned, (tuple, list)) else (returned,)
        outputs = [y for y in given if isinstance(y, Tensor) and y.array.dtype.kind == "f"]
        if not outputs:
            raise ValueError(f"{self.name}: func returned no floating point Tensor, got {type(returned).__name__}")
        for i, y in enumerate(outputs):
            if y.array.dtype != np.float64:
                raise ValueError(
                    f"{self.name}: output {i} of func is {y.dtype}; differences need float64: keep func from casting, "
                    "or use .double() inside it"
                )
        return outputs

    def values(self) -> list[Array]:
        return [y.array.copy() for y in self.outputs()]

    def moved(self, j: int, k: int, direction: float) -> tuple[float, list[Array]]:
        """How far element ``k`` of input ``j`` went, after rounding, and what func returns there."""
        x = self.inputs[j].array
        index = place(x.shape, k)
        before = x[index]
        size = abs(float(before))
        try:
            x[index] = before + direction * self.eps * max(1.0, size if np.isfinite(size) else 1.0)
            return float(x[index] - before), self.values()
        finally:
            x[index] = before

    def jacobian(self, j: int) -> list[Array]:
        """d(outputs)/d(inputs[j]): one matrix per output."""
        columns: list[list[Array]] = []
        for k in range(self.inputs[j].array.size):
            up, above = self.moved(j, k, 1.0)
            down, below = self.moved(j, k, -1.0)
            columns.append([((a - b) / (up - down)).reshape(-1) for a, b in zip(above, below, strict=True)])
        if not columns:
            return [np.zeros((y.size, 0)) for y in self.values()]
        return [np.stack(column, axis=1) for column in zip(*columns, strict=True)]

    def slopes(self, i: int, row: int, j: int, k: int) -> tuple[float, float]:
        """The one-sided differences of element ``row`` of output ``i``: they differ at a kink."""
        middle = self.values()[i].reshape(-1)[row]
        sides = []
        for direction in (-1.0, 1.0):
            far, values = self.moved(j, k, direction)
            sides.append(float((values[i].reshape(-1)[row] - middle) / far) + 0.0)
        return sides[0], sides[1]
