"""An interrupted save loses nothing: not the old file, not the folder's order, not its permissions."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tinygrad_loss as tl
from tinygrad_loss import atomic

from .saved import same


def test_a_failing_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x"
    tl.save({"w": tl.ones(3)}, target)
    for name in ("fsync", "replace"):
        for error in (OSError("disk full"), KeyboardInterrupt()):
            with monkeypatch.context() as patch:

                def fail(*_: Any, error: BaseException = error) -> None:
                    raise error

                patch.setattr(os, name, fail)
                with pytest.raises(type(error)):
                    tl.save({"w": tl.zeros(3)}, target)
            assert same({"w": tl.ones(3)}, tl.load(target))
            assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(atomic.fcntl is None, reason="file locks are POSIX's")
def test_stale_temporaries_are_removed_and_live_ones_are_not(tmp_path: Path) -> None:
    stale = tmp_path / ".tinygrad_loss-0123456789abcdef.tmp"
    stale.write_bytes(b"half a file")
    other = tmp_path / ".tinygrad_loss-notes.tmp"
    other.write_bytes(b"the user's")
    live, file = atomic._create(str(tmp_path))
    tl.save(1, tmp_path / "x")
    assert not stale.exists() and other.exists() and Path(live).exists()
    file.close()
    tl.save(2, tmp_path / "x")
    assert not Path(live).exists() and tl.load(tmp_path / "x") == 2


KILLED = """
import itertools, sys
import tinygrad_loss as tl
from tinygrad_loss import tensor
path, big = sys.argv[1], tl.ones(200_000)
tl.save({"i": -1, "w": big}, path)
print("ready", flush=True)
for i in itertools.count():
    tl.save({"i": i, "w": big * i}, path)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX")
def test_kill_during_save_loses_nothing(tmp_path: Path) -> None:
    target, draw = tmp_path / "x", random.Random(0)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0.001, 0.05))
            process.kill()
        loaded = tl.load(target)
        assert (loaded["w"] == abs(loaded["i"])).all()
    tl.save(1, target)
    assert os.listdir(tmp_path) == ["x"]


def test_threads_saving_to_one_path(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for _ in range(10):
                tl.save({"k": tl.full((1000,), float(k))}, tmp_path / "x")
                assert len(set(tl.load(tmp_path / "x")["k"].tolist())) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_permissions_links_and_devices(tmp_path: Path) -> None:
    target = tmp_path / "x"
    old = os.umask(0o022)
    try:
        tl.save(1, target)
    finally:
        os.umask(old)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644, "as open() would have made it"
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    tl.save(2, link)
    assert link.is_symlink() and tl.load(target) == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o640, "as the file that it replaces"
    tl.save(3, os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(FileNotFoundError):
        tl.save(4, tmp_path / "missing" / "x")
    with pytest.raises(IsADirectoryError):
        tl.save(5, tmp_path)
