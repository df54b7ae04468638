"""``kill -9`` during ``save``: what is on the disk afterwards is the state before it or the one after it, whole.

Half of the kills come from outside, at a moment that depends on the time or on how much is written. The others
come at each line in turn of the code that replaces files. Some strike one of two
processes that save to one path.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import tinygrad_loss as tl

from ..saved import packed, same
from .report import Report

TRACED = os.path.join("tinygrad_loss", "atomic.py")
POSSIBLE = hasattr(os, "fork") and hasattr(signal, "SIGKILL")
PATIENCE = 60.0  # seconds, for a machine that is busy


def version(i: int, elements: int) -> dict[str, Any]:
    return {"i": i, "model": {"w": tl.arange(float(elements)) + i, "b": tl.full((7,), float(i))}, "lr": 0.1 * i}


class Folder:
    """A path that is saved to, what it holds, and the temporaries that killed saves left."""

    def __init__(self, folder: str, elements: int) -> None:
        self.folder, self.path, self.elements = folder, os.path.join(folder, "state"), elements
        self.number = itertools.count()
        self.objects: dict[bytes, Any] = {}
        self.now = self.prepared()
        tl.save(self.objects[self.now], self.path)
        self.duration = self._duration()
        self.lines = count_lines(self.objects[self.now], self.path)

    def prepared(self) -> bytes:
        """The next version: its bytes."""
        obj = version(next(self.number), self.elements)
        raw = packed(obj)
        self.objects = {k: v for k, v in self.objects.items() if k == getattr(self, "now", None)} | {raw: obj}
        return raw

    def _duration(self) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            tl.save(self.objects[self.now], self.path)
            times.append(time.perf_counter() - start)
        return sorted(times)[2]

    def temporaries(self) -> dict[str, int]:
        found = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".tmp"):
                    with contextlib.suppress(FileNotFoundError):
                        found[entry.name] = os.stat(entry.path).st_size
        return found


def count_lines(obj: Any, path: str) -> int:
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    traced(count, obj, path)
    return seen


def traced(at_line: Callable[[], None], obj: Any, path: str) -> None:
    """Save and call ``at_line`` before every line of the code that writes."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            at_line()
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename.endswith(TRACED) else None

    old = sys.gettrace()
    sys.settrace(enter)
    try:
        tl.save(obj, path)
    finally:
        sys.settrace(old)


def fork() -> int:
    """``os.fork``, without newer Python's warning about threads: the child calls nothing that waits for one."""
    with warnings.catch_warnings(action="ignore"):
        return os.fork()


def forked(work: Callable[[], None]) -> tuple[int, int]:
    """A child that says "s", works, says "d" and waits: its id and the pipe on which it says so."""
    reader, writer = os.pipe()
    child = fork()
    if child:
        os.close(writer)
        return child, reader
    try:
        os.write(writer, b"s")
        work()
        os.write(writer, b"d")
        while True:
            signal.pause()
    finally:
        os._exit(1)


def said(pipe: int) -> bytes:
    return os.read(pipe, 1)


def end(child: int, pipe: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(pipe)


def killed_outside(at: Folder, obj: Any, draw: random.Random, size: int, before: dict[str, int]) -> None:
    """Kill at a random time, or when a random part is written, or soon after all is."""
    aim = draw.choice(["time", "part", "part", "whole"])
    wanted = draw.random() * size if aim == "part" else size
    child, pipe = forked(lambda: tl.save(obj, at.path))
    said(pipe)
    if aim == "time":
        time.sleep(draw.uniform(0.0, 1.2) * at.duration)
    else:
        limit = time.perf_counter() + PATIENCE
        while time.perf_counter() < limit:
            new = [n for name, n in at.temporaries().items() if name not in before]
            if (new and new[0] >= wanted) or _moved(at):
                break
        if aim == "whole":
            time.sleep(draw.uniform(0.0, 0.5) * at.duration)
    end(child, pipe)


def _moved(at: Folder) -> bool:
    with open(at.path, "rb") as file:
        return file.read(len(at.now[:4096])) != at.now[:4096]  # the header has a checksum of everything


def killed_at_line(at: Folder, obj: Any, line: int) -> None:
    left = line

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    child, pipe = forked(lambda: traced(count, obj, at.path))
    while said(pipe) == b"s":  # then "d", or nothing: it is dead
        pass
    end(child, pipe)


def one_of_two(at: Folder, obj: Any, other: Any, draw: random.Random) -> bool:
    """Two save to one path, each three times, and one is killed; whether the other one finished."""

    def three_times(obj: Any) -> None:
        for _ in range(3):
            tl.save(obj, at.path)

    pair = [forked(lambda: three_times(obj)), forked(lambda: three_times(other))]
    draw.shuffle(pair)
    time.sleep(draw.uniform(0.0, 3.0) * at.duration)
    end(*pair[0])
    finished = said(pair[1][1]) + said(pair[1][1]) == b"sd"
    end(*pair[1])
    return finished


def run(seed: int, count: int, elements: int = 4_000_000, folder: str | None = None, pairs: int = 20) -> Report:
    """``count`` kills; those from outside strike saves of that many float32 numbers, the others of a few.

    One kill in ``pairs`` strikes one of two processes.
    """
    report, draw = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory(dir=folder) as large, tempfile.TemporaryDirectory(dir=folder) as small:
        folders = Folder(large, elements), Folder(small, 1000)
        for k in range(count):
            at = folders[k % 2 if k % pairs != pairs - 1 else 0]
            one_kill(at, k, f"seed {seed}, kill {k}", random.Random(draw.random()), report, seed, pairs)
        for at in folders:
            tl.save(at.objects[at.now], at.path)
            if os.listdir(at.folder) != ["state"]:
                report.faults.append(f"seed {seed}: left behind: {os.listdir(at.folder)}")
    return report


def one_kill(at: Folder, k: int, where: str, draw: random.Random, report: Report, seed: int, pairs: int) -> None:
    raw = at.prepared()
    obj, before, choices = at.objects[raw], at.temporaries(), {raw}
    if k % pairs == pairs - 1:
        kind, other = "one of two processes", version(next(at.number), at.elements)
        choices.add(packed(other))
        at.objects[packed(other)] = other
        if not one_of_two(at, obj, other, draw):
            report.faults.append(f"{where}: the other process did not finish")
    elif k % 2:
        kind = "at a line"
        killed_at_line(at, obj, (k // 2 + 31 * seed) % max(at.lines, 1))
    else:
        kind = "from outside"
        killed_outside(at, obj, draw, len(raw), before)
    found, after = Path(at.path).read_bytes(), at.temporaries()
    new = [size for name, size in after.items() if name not in before]
    if found in choices:
        moment = "after the move"
    elif not new:
        moment = "before the write"
    else:
        moment = "within the write" if max(new) < len(raw) else "written, before the move"
    report.count(f"{kind}, {moment}")
    report.peak("temporaries left", len(after))
    if found not in {at.now, *choices}:
        report.faults.append(f"{where} {kind} {moment}: neither the old nor the new state is on the disk")
        tl.save(at.objects[at.now], at.path)
        return
    if not same(at.objects[found], tl.load(at.path)):
        report.faults.append(f"{where} {kind} {moment}: what is loaded differs from what was saved")
    if (new or found in choices) and before.keys() & after.keys():
        report.faults.append(f"{where} {kind} {moment}: stale temporaries were not removed")
    at.now = found
