"""Tensors filled in place with random numbers, from torch's streams."""

from __future__ import annotations

from typing import Any

import numpy as np

from .generator import (
    Generator,
    bernoulli_array,
    bernoulli_mask,
    default_generator,
    float_only,
    normal_array,
    probability,
    uniform_array,
)
from .ops.inplace import check_shape, check_write
from .quiet import quiet
from .random import randint
from .tape import Tensor
from .writes import note_write


def _write(self: Tensor, values: Any) -> Tensor:
    with quiet():
        self.array[...] = values
    note_write(self.array)
    return self


def uniform_(self: Tensor, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers from [low, high), in place. Raises RuntimeError when low > high."""
    check_write("uniform_", self)
    if not low <= high:
        raise RuntimeError(f"uniform_: expects a range, but low={low} > high={high}")
    d = float_only("uniform_", self.array.dtype)
    return _write(self, uniform_array(self.array.shape, d, low, high, generator))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, in place. Raises RuntimeError for a negative ``std``."""
    check_write("normal_", self)
    if not std >= 0:
        raise RuntimeError(f"normal_: std must be >= 0, got {std}")
    d = float_only("normal_", self.array.dtype)
    return _write(self, normal_array(self.array.shape, d, mean, std, generator))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 with probability ``p`` (a number, or a tensor of them), else 0; in place."""
    check_write("bernoulli_", self)
    shape = self.array.shape
    if isinstance(p, Tensor):
        check_shape("bernoulli_", shape, p.array)
        return _write(self, bernoulli_array("bernoulli_", p.array, shape, generator))
    return _write(self, bernoulli_mask(shape, probability("bernoulli_", p), generator))


def random_(self: Tensor, *bounds: int, generator: Generator | None = None) -> Tensor:
    """Fill with integers: ``random_(high)`` from 0, ``random_(low, high)``, or all that the dtype counts exactly."""
    check_write("random_", self)
    array = self.array
    d, n, g = array.dtype, array.size, generator or default_generator
    if bounds:
        low, high = bounds if len(bounds) == 2 else (0, bounds[0])
        return _write(self, randint(low, high, array.shape, generator=g, dtype=self.dtype).array)
    wide = d.itemsize == 8
    top = np.finfo(d).nmant + 1 if d.kind == "f" else 1 if d.kind == "b" else 8 * d.itemsize - (d.kind == "i")
    drawn = (g.long_words(n) if wide else g.words(n)) % np.uint64(2**top + (d.kind == "f"))
    return _write(self, drawn.astype(d).reshape(array.shape))
