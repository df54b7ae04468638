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
from functools import partial
from typing import Any

import numpy as np


def _numpy_error_state() -> tuple[Callable[[], Any], Callable[[Any], Any], Any]:
    """(reports, set_reports, QUIET): what NumPy reports now, how to change that, and the state in which it is silent.

    ::

        before = reports()
        try:
            set_reports(QUIET)  # inside: Ctrl-C may come between any two statements
            ...
        finally:
            set_reports(before)
    """
    before = contextvars.copy_context()
    with np.errstate(all="ignore"):
        inside = contextvars.copy_context()
    changed = [v for v in inside if v not in before or before[v] is not inside[v]]
    if len(changed) == 1:
        variable = changed[0]
        with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            usual = variable.get()  # for a thread in which nobody has set anything
        return partial(variable.get, usual), variable.set, inside[variable]
    # a NumPy that keeps its error state elsewhere: the public way, slower
    return np.geterr, lambda state: np.seterr(**state), dict.fromkeys(np.geterr(), "ignore")


reports, set_reports, QUIET = _numpy_error_state()


class _PerThread(local):
    """``run(function, *args)`` calls a NumPy function quietly for 0.02 microseconds: it enters a context made
    beforehand, in which the variable is set. One per thread, because a context cannot be entered twice."""

    run: Callable[..., Any]

    def __init__(self) -> None:
        if isinstance(QUIET, dict):
            self.run = self.run_slowly
        else:
            context = contextvars.Context()
            context.run(set_reports, QUIET)
            self.run = context.run

    @staticmethod
    def run_slowly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The same from code that may already be inside ``run``."""
        before = reports()
        try:
            set_reports(QUIET)
            return function(*args, **kwargs)
        finally:
            set_reports(before)


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

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = reports()
        set_reports(QUIET)

    def __exit__(self, *exc: object) -> None:
        set_reports(self._before)
