"""Many small parameters updated as one vector.

The state of parameters with the same dtype and the same number of steps lies in one block of memory. A step
gathers their gradients into a vector, updates it with a few NumPy calls, and subtracts the result from each
parameter. What ``optimizer.state`` shows are views of that memory. Nothing is assumed about the parameters
themselves: arrays that were re-bound, gradients that are missing and state that the user replaced are
noticed at the next step, and the memory is laid out anew from what ``optimizer.state`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..backward import PILED, USED
from ..dtypes import F32, Array
from ..tape import Tensor
from .entries import Entries

BLOCK = 65536  # elements that are updated at once: the temporaries of one block stay in the cache
FEW = 4  # below this many parameters, gathering them one by one is faster
Rows: TypeAlias = Sequence[Array]
Pool: TypeAlias = dict[np.dtype[Any], Array]
Kernel: TypeAlias = Callable[["Chunk", Array, Array, Rows, Rows], None]


class Chunk:
    """Parameters that are updated together: small ones side by side, or a large one in blocks.

    ``state`` has a row for each quantity the optimizer remembers, ``scratch`` two: a kernel finds the gradient
    in the first and leaves what is to be subtracted in row ``result``.
    """

    def __init__(
        self, params: Sequence[Tensor], names: tuple[str, ...], counted: bool, result: int, state: Entries, pool: Pool
    ) -> None:
        self.params = list(params)
        self.members = [(p, p.array, p.array.shape) for p in params]
        self.dtype = params[0].array.dtype
        self.work = F32 if self.dtype.itemsize < 4 else self.dtype  # float16 would lose the squares
        self.tiny = float(np.finfo(self.work).tiny)
        self.result = result
        self.fresh = not any(name in state.get(params[0], ()) for name in ("step", *names))
        total = sum(p.array.size for p in params)
        self.blocked = total > BLOCK
        self.state = np.zeros((len(names), total), self.work)
        if self.blocked:
            self.scratch = pool.setdefault(self.work, np.empty((2, BLOCK), self.work))
        else:
            self.scratch = np.empty((2, total), self.work)
        self.state_rows, self.scratch_rows = list(self.state), list(self.scratch)
        self.steps = np.zeros(len(params) if counted else 0, F32)
        self.options: Any = None  # the options for which the numbers below were computed
        self.numbers: list[Array] = []
        self.views: list[list[tuple[Tensor, Array]]] = [[], []]  # each parameter with its part of each scratch row
        start = 0
        for i, p in enumerate(params):
            part = slice(start, start + p.array.size)
            start = part.stop
            if not self.blocked:
                for views, row in zip(self.views, self.scratch, strict=True):
                    views.append((p, row[part].reshape(p.array.shape)))
            if counted or names:
                self._adopt(i, state[p], names, part, p.array.shape)

    def _adopt(
        self, i: int, entry: dict[str, Any], names: tuple[str, ...], part: slice, shape: tuple[int, ...]
    ) -> None:
        """Move the state of parameter ``i`` into this chunk's memory and leave views of it in ``entry``."""
        if len(self.steps):
            step = self.steps[i : i + 1].reshape(())
            step[()] = float(entry.get("step", 0.0))
            entry["step"] = Tensor(step)
        for name, row in zip(names, self.state_rows, strict=True):
            view = row[part].reshape(shape)
            if entry.get(name) is not None:
                view[...] = entry[name].array
            entry[name] = Tensor(view)

    def fits(self) -> bool:
        """Whether parameters, gradients and counts are what this chunk was laid out for."""
        moved = False
        for p, array, shape in self.members:
            if p.array is not array:
                moved = True
                if p.array.shape != shape or p.array.dtype is not self.dtype:
                    return False
            if p._grad.array.shape != shape:  # type: ignore[union-attr]
                return False
        if moved:
            self.members = [(p, p.array, p.array.shape) for p in self.params]
        if len(self.steps) > 1:
            counts = self.steps.tolist()
            return bool(counts.count(counts[0]) == len(counts))
        return True

    def piled(self) -> bool:
        """Whether a gradient was added to one that an earlier step has used."""
        return PILED in [p._grad.birth for p, _, _ in self.members]  # type: ignore[union-attr]

    def mark(self) -> list[Array]:
        """Mark the gradients as used; returns the arrays that were written."""
        arrays = []
        for p, array, _ in self.members:
            p._grad.birth = USED  # type: ignore[union-attr]
            arrays.append(array)
        return arrays

    def count(self) -> float:
        """Begin the next step and return its number."""
        steps = self.steps
        np.add(steps, _ONE, steps)
        return float(steps.item(0))

    def set_numbers(self, options: Any, *values: float) -> None:
        """The kernel's numbers as 0-d arrays of the working dtype, which NumPy takes faster than Python floats."""
        self.options = options
        self.numbers = [np.asarray(value, self.work) for value in values]

    def _fill(self, row: int, gradients: bool, factor: Array | None) -> None:
        """Lay the parameters, or their gradients, side by side in a row of the scratch, times ``factor``."""
        if len(self.params) < FEW:
            for p, view in self.views[row]:
                array = p._grad.array if gradients else p.array  # type: ignore[union-attr]
                if factor is None:
                    np.copyto(view, array)
                else:
                    np.multiply(array, factor, view)
            return
        flat = self.scratch_rows[row]
        tensors: Any = [p._grad for p in self.params] if gradients else self.params
        np.concatenate([t.array.ravel() for t in tensors], out=flat, casting="same_kind")
        if factor is not None:
            np.multiply(flat, factor, flat)

    def run(self, kernel: Kernel, scale: Array | None, decay: Array | None = None, shrink: Array | None = None) -> None:
        """parameter = parameter - kernel(gradient * scale + parameter * decay) - parameter * shrink"""
        if self.blocked:
            self._run_blocks(kernel, scale, decay, shrink)
        else:
            rows = self.scratch_rows
            self._fill(0, True, scale)
            if decay is not None:
                self._fill(1, False, decay)
                np.add(rows[0], rows[1], rows[0])
            kernel(self, self.state, self.scratch, self.state_rows, rows)
            if shrink is not None:
                self._fill(1 - self.result, False, shrink)
                np.add(rows[0], rows[1], rows[self.result])
            subtract = np.subtract
            for p, view in self.views[self.result]:
                subtract(p.array, view, p.array)
        self.fresh = False

    def _run_blocks(self, kernel: Kernel, scale: Array | None, decay: Array | None, shrink: Array | None) -> None:
        (p,) = self.params
        gradient = p._grad.array.reshape(-1)  # type: ignore[union-attr]
        flat = p.array.reshape(-1)  # a copy when the parameter is not contiguous: written back below
        for start in range(0, flat.size, BLOCK):
            values = flat[start : start + BLOCK]
            scratch, state = self.scratch[:, : values.size], self.state[:, start : start + BLOCK]
            rows = list(scratch)
            g = gradient[start : start + BLOCK]
            if scale is not None:
                np.multiply(g, scale, rows[0])
            elif decay is not None or g.dtype != self.work:
                rows[0][...] = g
            else:
                rows[0] = g  # read, not written: only kernels that keep it pass no scale
            if decay is not None:
                np.multiply(values, decay, rows[1])
                np.add(rows[0], rows[1], rows[0])
            kernel(self, state, scratch, list(state), rows)
            if shrink is not None:
                np.multiply(values, shrink, rows[1 - self.result])
                np.add(rows[0], rows[1], rows[self.result])
            np.subtract(values, rows[self.result], values)
        if not p.array.flags.c_contiguous:
            p.array[...] = flat.reshape(p.array.shape)


_ONE = np.ones((), F32)


def lay_out(
    params: Sequence[Tensor], names: tuple[str, ...], counted: bool, result: int, state: Entries, pool: Pool
) -> list[Chunk]:
    """Chunks for the parameters: of one dtype and step each, at most BLOCK elements or a single parameter."""
    alike: dict[Any, list[Tensor]] = {}
    for p in params:
        entry = state.get(p, {})
        fresh = not any(name in entry for name in ("step", *names))
        alike.setdefault((p.array.dtype, fresh, float(entry.get("step", 0.0)) if counted else 0.0), []).append(p)
    return [Chunk(some, names, counted, result, state, pool) for group in alike.values() for some in _packed(group)]


def _packed(params: list[Tensor]) -> Iterator[list[Tensor]]:
    some: list[Tensor] = []
    size = 0
    for p in params:
        if some and size + p.array.size > BLOCK:
            yield some
            some, size = [], 0
        some.append(p)
        size += p.array.size
    yield some
