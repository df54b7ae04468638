"""Disks that are full, folders that are read-only, links, folders, several processes: the old state stays, or the new one is there."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tinygrad_loss as tl

from .files.kills import POSSIBLE, fork, said
from .saved import same

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="POSIX")
NOBODY = 65534


def in_child(work: Callable[[], Any]) -> str:
    """What ``work`` returns or raises in a forked process, as text."""
    reader, writer = os.pipe()
    child = fork()
    if not child:
        try:
            text = str(work())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def unprivileged(work: Callable[[], Any]) -> str:
    """As a user whom permissions bind."""

    def as_nobody() -> Any:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        return work()

    return in_child(as_nobody)


OLD, NEW = {"w": tl.ones(3), "n": 1}, {"w": tl.zeros(100_000), "n": 2}


@pytest.mark.parametrize("limit", [0, 1, 100, 4096, 399_000])
def test_a_file_that_may_not_grow(limit: int, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="POSIX")
    target = tmp_path / "x"

    def save() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        tl.save(NEW, target)

    assert "OSError: [Errno 27]" in in_child(save) and not target.exists() and not os.listdir(tmp_path)
    tl.save(OLD, target)
    assert "OSError: [Errno 27]" in in_child(save)
    assert same(OLD, tl.load(target)) and os.listdir(tmp_path) == ["x"]
    tl.save(NEW, target)
    assert same(NEW, tl.load(target))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
def test_a_device_that_is_full(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/full")
    for target in ("/dev/full", link):
        with pytest.raises(OSError, match="No space left"):
            tl.save(NEW, target)
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as file:
        tl.save(NEW, file)
    assert os.listdir(tmp_path) == ["link"]
    with pytest.raises(tl.serialization.LoadError, match="0 bytes are too few"):
        tl.load("/dev/zero")


def test_a_folder_that_is_read_only(folder: Path) -> None:
    target = folder / "x"
    tl.save(OLD, target)
    target.chmod(0o666)
    folder.chmod(0o555)
    assert unprivileged(lambda: tl.save(NEW, target)).startswith("PermissionError")
    assert unprivileged(lambda: tl.save(NEW, folder / "new")).startswith("PermissionError")
    assert unprivileged(lambda: tl.load(target)["n"]) == "1"
    assert os.listdir(folder) == ["x"]


def test_a_file_that_is_read_only(folder: Path) -> None:
    """The folder would allow to move another file over it."""
    target = folder / "x"
    tl.save(OLD, target)
    target.chmod(0o444)
    folder.chmod(0o777)
    assert unprivileged(lambda: tl.save(NEW, target)).startswith("PermissionError")
    assert same(OLD, tl.load(target)) and os.listdir(folder) == ["x"]
    target.chmod(0o600)
    assert unprivileged(lambda: tl.load(target)).startswith("PermissionError")


def test_a_private_file_stays_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the new one is being written."""
    target, seen = tmp_path / "x", []
    tl.save(OLD, target)
    target.chmod(0o600)
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.extend(p.stat().st_mode & 0o777 for p in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    tl.save(NEW, target)
    assert set(seen) == {0o600}


def test_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link").symlink_to("folder/x")  # to nothing yet
    tl.save(OLD, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and same(OLD, tl.load(tmp_path / "real" / "x"))
    tl.save(NEW, tmp_path / "folder" / "x")
    assert same(NEW, tl.load(tmp_path / "link"))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        tl.save(OLD, tmp_path / "loop")
    os.link(tmp_path / "real" / "x", tmp_path / "second")  # another name of the same file keeps what it has
    tl.save(OLD, tmp_path / "link")
    assert same(NEW, tl.load(tmp_path / "second")) and same(OLD, tl.load(tmp_path / "link"))
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["x"]


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for target in (tmp_path, tmp_path / "empty", f"{tmp_path}/new/", f"{tmp_path}/empty/"):
        with pytest.raises(IsADirectoryError):
            tl.save(OLD, target)
    tl.save(OLD, tmp_path / "x")
    for target in (tmp_path / "x" / "y", tmp_path / "missing" / "y"):
        with pytest.raises((NotADirectoryError, FileNotFoundError)):
            tl.save(OLD, target)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["empty", "x"]


def test_several_processes_save_to_one_path(tmp_path: Path) -> None:
    """Each also loads: it finds one of the states, whole."""
    target, pipes = tmp_path / "x", []
    states = [{"k": k, "w": tl.full((50_000,), float(k))} for k in range(3)]
    tl.save(states[0], target)

    def work(k: int) -> str:
        for _ in range(15):
            tl.save(states[k], target)
            loaded = tl.load(target)
            if not same(loaded, states[loaded["k"]]):
                return "torn"
        return "right"

    for k in range(3):
        reader, writer = os.pipe()
        child = fork()
        if not child:
            try:
                os.write(writer, b"r" if work(k) == "right" else b"w")
            finally:
                os._exit(0)
        os.close(writer)
        pipes.append((reader, child))
    outcomes = []
    for reader, child in pipes:
        outcomes.append(said(reader))
        os.waitpid(child, 0)
        os.close(reader)
    assert outcomes == [b"r"] * 3 and os.listdir(tmp_path) == ["x"]
