"""NumPy's floating-point reports are off inside the engine, whatever the caller has set.

A loss meets inf and nan on purpose (``-log(0)`` is ``inf``), so no kernel may print a warning or, under
the caller's ``np.seterr(all="raise")``, fail. ``np.errstate`` does that for 1.5 microseconds a call, which
is more most operations on small arrays cost. It works by setting one context variable, so the engine
looks that variable up once and sets it itself, in contexts that it keeps.
"""

from __future__ import annotations

import contextvars
from _thread import _local as local  # what threading.local is, without the import of threading
from collections.abc import Callable
from typing import Any

import numpy as np


def _numpy_error_state() -> tuple[Callable[[Any], Any], Any, Callable[[Any], None]]:
    """(enter, QUIET, leave): ``leave(enter(QUIET))`` brackets code that must not report."""
    before = contextvars.copy_context()
    with np.errstate(all="ignore"):
        inside = contextvars.copy_context()
    changed = [v for v in inside if v not in before or before[v] is not inside[v]]
    if len(changed) == 1:
        return changed[0].set, inside[changed[0]], changed[0].reset

    def enter(_: Any) -> Any:  # a NumPy that keeps its error state elsewhere: the public way, slower
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    return enter, None, lambda state: state.__exit__(None, None, None)


enter_quiet, QUIET, leave_quiet = _numpy_error_state()


class _PerThread(local):
    """``run(function, *args)`` calls a NumPy function quietly for 0.02 microseconds: it enters a context made
    beforehand, in which the variable is set. One per thread, because a context cannot be entered twice."""

    run: Callable[..., Any]

    def __init__(self) -> None:
        if QUIET is None:
            self.run = self.run_slowly
        else:
            context = contextvars.Context()
            context.run(enter_quiet, QUIET)
            self.run = context.run

    @staticmethod
    def run_slowly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The same from code that may already be inside ``run``."""
        token = enter_quiet(QUIET)
        try:
            return function(*args, **kwargs)
        finally:
            leave_quiet(token)


here = _PerThread()


def nested(error: RuntimeError) -> bool:
    """Whether ``here.run`` failed because it runs already: a signal handler or a finalizer computes something. The
    function's own errors come from below."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``here.run``, also from inside itself."""
    try:
        return here.run(function, *args, **kwargs)
    except RuntimeError as error:
        if not nested(error):
            raise
        return here.run_slowly(function, *args, **kwargs)


class quiet:
    """``with quiet():`` for code that is not worth spelling out as enter and leave.

    >>> import numpy as np
    >>> with quiet():
    ...     float(np.log(np.float32(0.0)))
    -inf
    """

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = enter_quiet(QUIET)

    def __exit__(self, *exc: object) -> None:
        leave_quiet(self._token)
