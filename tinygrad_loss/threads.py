"""How many threads large losses may use, and the pool that runs them.

NumPy releases the interpreter lock in its loops, so blocks of rows run side by side. The pool is made when it
is first needed and belongs to one process: a forked child makes its own.
"""

from __future__ import annotations

import math
import os
from _thread import RLock
from _thread import _local as local  # what threading.local is, without the import of threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_TRIALS, _AGAIN = 2, 64  # calls
_count = 0  # 0: as many as the machine gives this process
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_resizing = RLock()  # reentrant: a signal handler may compute a large loss in the middle


class _Thread(local):
    """``works``: this thread belongs to the pool."""

    works = False


_this = _Thread()


def keep_over_fork(lock: Any) -> None:
    """A fork waits for ``lock``: a child that is born while another thread holds it would wait for ever."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def get_num_threads() -> int:
    """How many threads a large loss may use; at first, the processors this process may run on.

    >>> get_num_threads() >= 1
    True
    """
    if _count:
        return _count
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Let large losses use ``count`` threads. Their results are the same bits for any number.

    NumPy's matrix products have threads of their own, which this does not touch: set OMP_NUM_THREADS before the
    start for those. Raises TypeError for what is no int, ValueError below 1.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _count
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"set_num_threads: count must be an int, got {type(count).__name__}")
    if count < 1:
        raise ValueError(f"set_num_threads: count={count}; expected at least 1")
    _count = count


class Pace:
    """Whether several threads are faster than one for calls of one kind: each is tried twice, the slower one again
    from time to time. On a machine that wakes threads slowly one is often faster. The bits are the same for both."""

    __slots__ = ("calls", "most", "taken")

    def __init__(self) -> None:
        self.most, self.calls = 1, 0
        self.taken: dict[int, float] = {}  # by threads: seconds, the least of the trials

    def threads(self, most: int) -> int:
        """How many of at most ``most`` threads the next call shall use."""
        if most == 1:
            return 1
        if most != self.most:
            self.most, self.calls, self.taken = most, 0, {}
        self.calls = calls = self.calls + 1
        if calls <= 2 * _TRIALS:
            return most if calls % 2 else 1
        faster, slower = sorted((1, most), key=lambda n: self.taken.get(n, 0.0))
        return faster if calls % _AGAIN else slower

    def note(self, threads: int, seconds: float) -> None:
        """How long a call took."""
        known = self.taken.get(threads, math.inf)
        self.taken[threads] = min(known, seconds) if self.calls <= 2 * _TRIALS else 0.5 * (min(known, 1e9) + seconds)


def run_all(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of independent tasks, in their order; the first error is raised when all have ended.

    Each task sees the caller's modes and default dtype, whichever thread runs it. Tasks of tasks run one after the
    other: their thread would wait for itself.
    """
    threads = min(get_num_threads(), len(tasks))
    if threads <= 1 or _this.works:
        return [task() for task in tasks]
    futures = _submit(tasks[1:])
    error: BaseException | None = None
    results: list[Any] = []
    try:
        results.append(tasks[0]())
    except BaseException as raised:
        error = raised
    for future in futures:
        try:
            results.append(future.result())
        except BaseException as raised:
            error = error or raised
    if error is not None:
        raise error
    return results + [task() for task in tasks[len(results) :]]


def _submit(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """The tasks that other threads have taken: fewer where there can be no thread, as when Python ends."""
    futures: list[Any] = []
    with _resizing, suppress(RuntimeError):
        pool = _executor()
        for task in tasks:
            futures.append(pool.submit(copy_context().run, task))
    return futures


def _executor() -> ThreadPoolExecutor:
    global _pool, _pool_size
    wanted = get_num_threads() - 1
    if _pool is None or _pool_size < wanted:
        from concurrent.futures import ThreadPoolExecutor

        if _pool is not None:
            _pool.shutdown(wait=False)
        _pool, _pool_size = ThreadPoolExecutor(wanted, "tinygrad_loss", _join_the_pool), wanted
    return _pool


def _join_the_pool() -> None:
    _this.works = True


def _forget_pool() -> None:
    """A forked child has none of its parent's threads."""
    global _pool
    _pool = None
    _this.works = False


keep_over_fork(_resizing)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
