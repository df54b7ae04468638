"""The tables: for every name a reference and a generator of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batch:
    """The arguments of one call. ``whole`` names the arrays that every example sees as they are."""

    arrays: dict[str, Array]
    options: dict[str, Any] = field(default_factory=dict)
    by: tuple[str, ...] = ("input",)  # what to differentiate by
    whole: tuple[str, ...] = ()

    def typed(self, kind: str) -> Batch:
        """The same in one floating type; what is too large for it becomes its largest number."""
        top = float(np.finfo(kind).max)
        arrays = {
            n: np.clip(x, -top, top).astype(kind) if x.dtype.kind == "f" else x for n, x in self.arrays.items()
        }
        return Batch(arrays, self.options, self.by, self.whole)


@dataclass(frozen=True)
class Reference:
    """The definition of a function in exact numbers: of one element, one example or a whole batch."""

    function: Callable[..., Any]
    per: str


REFERENCES: dict[str, Reference] = {}
POINTS: dict[str, Callable[[np.random.Generator, int, str], Iterator[Batch]]] = {}
CALLS: dict[str, Callable[..., Any]] = {}  # what is no loss: a function of Tensors


def _declare(per: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        assert function.__name__ not in REFERENCES, function.__name__
        REFERENCES[function.__name__] = Reference(function, per)
        return function

    return declare


of_element, of_example, of_batch = _declare("element"), _declare("example"), _declare("batch")


def points(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare ``generator(rng, n, kind)`` of batches with about n losses in all; it takes ``name=`` if it wants it."""

    def declare(generator: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            assert name not in POINTS, name
            POINTS[name] = generator
        return generator

    return declare
