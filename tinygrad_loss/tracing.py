"""Listening to every operation of a thread: how a formula, run once, becomes a plan that can be run again."""

from __future__ import annotations

from _thread import get_ident
from typing import Any, Protocol


class Listener(Protocol):
    """``step`` is called with each operation that does not enter the tape, ``read`` when a value is looked at."""

    thread: int

    def step(self, op: Any, args: tuple[Any, ...], settings: dict[str, Any], out: Any) -> None: ...
    def read(self) -> None: ...


listeners: list[Listener] = []  # of all threads; empty but for the moments in which a plan is made


def note_step(op: Any, args: tuple[Any, ...], settings: dict[str, Any], out: Any) -> None:
    thread = get_ident()
    for listener in listeners[:]:  # another thread may end its own meanwhile
        if listener.thread == thread:
            listener.step(op, args, settings, out)


def note_read() -> None:
    """A Python value was made of a tensor: what follows may depend on it."""
    if listeners:
        thread = get_ident()
        for listener in listeners[:]:
            if listener.thread == thread:
                listener.read()
