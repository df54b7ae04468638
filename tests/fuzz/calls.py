"""Random calls of operations: the arguments, taken apart into their arrays and put together again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tests.laws import over
from tests.samples import Array
from tests.test_laws import public_operations

from . import operations, picking, rearranging
from .methods import METHODS
from .operations import DRAWERS, Draw

OURS = {**public_operations(), **METHODS}
DRAWN_IN = (operations, rearranging, picking)  # the drawers of these are in DRAWERS


class Call(NamedTuple):
    """An operation by its name, with arrays that are contiguous and of float64, int64 or bool."""

    name: str
    args: tuple[Any, ...]
    settings: dict[str, Any]


def drawn_call(name: str, d: Draw) -> Call:
    *args, settings = DRAWERS[name](d)
    return Call(name, tuple(args), settings)


class Slot(NamedTuple):
    """The place of an array among the arguments."""

    at: int


def taken_apart(args: Any) -> tuple[Any, list[Array]]:
    """The arguments with a slot in the place of each array, and the arrays."""
    arrays: list[Array] = []

    def keep(x: Array) -> Slot:
        arrays.append(np.asarray(x))
        return Slot(len(arrays) - 1)

    return over(args, keep), arrays


def filled(args: Any, values: list[Any]) -> Any:
    if isinstance(args, Slot):
        return values[args.at]
    return type(args)(filled(a, values) for a in args) if isinstance(args, (tuple, list)) else args
