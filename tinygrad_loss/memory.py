"""An opt-in: let the C library keep freed memory for the next large array."""

from __future__ import annotations

from contextlib import suppress

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # glibc's malloc.h
_MOST = (1 << 31) - 1  # mallopt takes an int


def keep_freed_memory(limit: int = 1 << 30) -> None:
    """Ask the C library to keep up to ``limit`` bytes that were freed, instead of returning them to the system.

    Fresh memory of large arrays comes page by page from the kernel, about half a millisecond for each megabyte;
    memory that is kept is there at once. It pays for losses of millions of elements called again and again.

    Scope: the whole process, every library in it that uses the C library's ``malloc``, from now to its end; it
    cannot be taken back, and memory that others freed is not given back before ``limit`` is reached. Nothing here
    calls it. Raises TypeError when ``limit`` is no int, ValueError when it is not between 1 and 2**31 - 1, RuntimeError
    where the C library has no ``mallopt`` (macOS, Windows, musl): there is nothing to set there.

    >>> keep_freed_memory(-1)
    Traceback (most recent call last):
    ValueError: keep_freed_memory: limit=-1; expected 1 to 2147483647 bytes
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"keep_freed_memory: limit must be an int, got {type(limit).__name__}")
    if not 1 <= limit <= _MOST:
        raise ValueError(f"keep_freed_memory: limit={limit}; expected 1 to {_MOST} bytes")
    import ctypes  # only for those who ask for it

    mallopt = None
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
    if mallopt is None or not (mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, limit)):
        raise RuntimeError(
            "keep_freed_memory: this C library has no mallopt (it is glibc's, on Linux); leave the call out here"
        )
