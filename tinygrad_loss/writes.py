"""Birth numbers, and which arrays were written in place after which birth.

torch keeps a version per tensor and saves it with every operation. Here a write notes the birth number of
the moment, and only a backward that meets an operation older than the newest write looks closer: a training
loop, which writes its parameters before each forward, pays one comparison per operation for it.
"""

from __future__ import annotations

import weakref
from _thread import RLock
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from .dtypes import Array
from .threads import keep_over_fork

next_birth = count(1).__next__
_newest = 0
_noting = RLock()
keep_over_fork(_noting)
_written: dict[int, list[Any]] = {}  # id of the memory's owner -> [a weak reference to the owner, when]


def owner(array: Array) -> Any:
    """The array (or foreign object) whose memory this is: what two views of it have in common."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array if array.base is None else array.base


def note_write(*arrays: Array) -> None:
    """Remember that the memory under ``arrays`` changed now."""
    global _newest
    with _noting:  # two threads at once must not leave the older number
        _newest = now = next_birth()
        for array in arrays:
            held = array if array.base is None else owner(array)
            key = id(held)
            found = _written.get(key)
            if found is not None and found[0]() is held:
                found[1] = now
            else:
                with suppress(TypeError):  # foreign memory that cannot be followed: bytes, a memoryview
                    _written[key] = [weakref.ref(held, partial(_written.pop, key)), now]  # no Python runs when it dies


def writes_since() -> int:
    """The birth number of the newest write."""
    return _newest


def written_after(array: Array, birth: int) -> bool:
    """Whether the memory under ``array`` was written after ``birth``."""
    held = owner(array)
    found = _written.get(id(held))
    return found is not None and found[0]() is held and found[1] > birth
