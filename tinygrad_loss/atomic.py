"""Replace a file as a whole or not at all, also when the process is killed or the power fails half-way."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable
from io import BufferedWriter

try:
    import fcntl
except ImportError:  # Windows: there a file that is open cannot be removed, which protects it as well
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.tinygrad_loss-[0-9a-f]{16}\.tmp")


def write_file(path: str, pieces: Iterable[bytes | memoryview]) -> None:
    """Write ``pieces`` to a temporary file beside ``path``, flush it to the disk, then move it over ``path``."""
    if path.endswith((os.sep, os.altsep or os.sep)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    path = os.path.realpath(path)  # a link stays a link: the file it points to is replaced
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):  # a device or a pipe cannot be replaced, only written to
        with open(path, "wb") as file:
            file.writelines(pieces)
        return
    if mode is not None and not os.access(path, os.W_OK):  # moving over it would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    folder = os.path.dirname(path)
    remove_stale(folder)
    temporary, file = _create(folder)
    try:
        with file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, path)  # still locked: no other save takes it for a stale one
        if fcntl is None:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def remove_stale(folder: str) -> None:
    """Remove what saves that were killed left in ``folder``. A save at work holds a lock on its file."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):
                    _remove_unlocked(os.path.join(folder, name))


def _remove_unlocked(path: str) -> None:
    if fcntl is None:
        os.unlink(path)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its save is at work
        os.unlink(path)
    finally:
        os.close(descriptor)


def _create(folder: str) -> tuple[str, BufferedWriter]:
    """A new temporary file, locked for as long as it is open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    while True:
        path = os.path.join(folder, f".tinygrad_loss-{os.urandom(8).hex()}.tmp")
        file = os.fdopen(os.open(path, flags, 0o666), "wb")
        if fcntl is None:
            return path, file
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        if os.path.exists(path):  # another save's cleaning may have come between creation and lock
            return path, file
        file.close()


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    """The move itself reaches the disk. Windows and some file systems cannot do that for a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
