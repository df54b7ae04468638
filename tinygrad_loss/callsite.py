"""Where in the user's code we are, for messages and warnings."""

from __future__ import annotations

import os
import os.path
import sys
import warnings
from contextvars import ContextVar

from .modes import get_state

_PACKAGE = os.path.dirname(__file__) + os.sep


class LossWarning(UserWarning):
    """A call that is legal but almost surely a mistake. Shown once per line of the caller's code."""


def _depth() -> int:
    """How many frames up the first one outside this package is, counted from the caller."""
    depth = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        depth += 1
    return depth


def user_line() -> tuple[str, int]:
    """File and line of the innermost call from outside this package."""
    frame = sys._getframe(_depth() - 1)
    return frame.f_code.co_filename, frame.f_lineno


def advise(message: str) -> None:
    """Warn at the user's line."""
    warnings.warn(message, LossWarning, stacklevel=_depth())


def deprecated(message: str) -> None:
    """A DeprecationWarning at the user's line."""
    warnings.warn(message, DeprecationWarning, stacklevel=_depth())


_cut: ContextVar[tuple[str, str, int] | None] = ContextVar("tinygrad_loss.cut", default=None)


def note_cut(name: str) -> None:
    """Remember the operation at which a graph ended, to name it if a backward then finds none."""
    _cut.set((name, *user_line()))


def forget_cut() -> None:
    """A backward found its graph: what was cut before is no longer of interest."""
    _cut.set(None)


def no_gradient_message(function: str) -> str:
    """Why ``function`` has nothing to differentiate, with the last place where a graph was cut."""
    message = f"{function}: element 0 of tensors does not require grad and does not have a grad_fn"
    if not get_state().recording:
        return message + ": gradients are switched off here; call it, and compute the loss, outside no_grad()"
    cut = _cut.get()
    if cut is None:
        return message + ": no tensor it was computed from requires grad (create it with requires_grad=True)"
    forget_cut()
    name, file, line = cut
    return f"{message}: it depends on no parameter. The last step without a gradient was {name!r}, {file}:{line}"
