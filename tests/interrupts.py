"""Ctrl-C wherever Python looks for signals, one place after the other: ``python -m tests.interrupts [--stride N]``.

Python handles signals after calls, at the start of functions and at the end of loop bodies. For each operation below,
KeyboardInterrupt is raised at the first such place inside the package, then at the second, and so on until it runs
through. Each time everything it could have touched is compared: it is as before, or as after the whole operation, or
``partly``. Then the operation is done again and must give the right result.
"""

from __future__ import annotations

import argparse
import contextvars
import dis
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss.modes import get_state

from .interrupt_cases import CASES, Case

PACKAGE = str(Path(tl.__file__).parent) + os.sep
LOOKS = ("CALL", "RESUME", "JUMP_BACKWARD")  # the instructions after which Python handles signals begin so

@dataclass
class Tally:
    """How the strikes on one operation ended."""

    name: str
    strikes: int = 0
    before: int = 0
    after: int = 0
    partly: int = 0
    wrong: int = 0  # the second try gave something else
    modes: int = 0  # another grad mode than before
    reports: int = 0  # other floating point reports than before
    places: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def faults(self, case: Case) -> int:
        return self.wrong + (self.partly if case.whole else 0)


@cache
def looked_at(code: CodeType) -> frozenset[int]:
    """Offsets of the instructions before which Python may have handled a signal.

    What is raised there is raised by this instruction, a signal by the one before: the two must have the same handler.
    """
    entries = dis.Bytecode(code).exception_entries
    found, old, before = set(), "", None
    for instruction in dis.get_instructions(code):
        handler = [e.target for e in entries if e.start <= instruction.offset < e.end]
        if old.startswith(LOOKS) and handler == before:
            found.add(instruction.offset)
        old, before = instruction.opname, handler
    return frozenset(found)


class Striker:
    """Raises KeyboardInterrupt at the ``at``-th place of this thread; ``where`` says where that was."""

    def __init__(self, at: int) -> None:
        self.left, self.where, self.thread = at, "", threading.get_ident()

    def look(self, code: CodeType, offset: int, line: int) -> None:
        if self.where or offset not in looked_at(code) or threading.get_ident() != self.thread:
            return
        self.left -= 1
        if self.left == 0:
            self.where = f"{code.co_filename.removeprefix(PACKAGE)}:{line} {code.co_qualname}"
            raise KeyboardInterrupt

    def trace(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self.look(frame.f_code, frame.f_lasti, frame.f_lineno)
        return self.trace

    def watch(self, code: CodeType, offset: int) -> Any:
        if not code.co_filename.startswith(PACKAGE):
            return sys.monitoring.DISABLE
        self.look(code, offset, sys._getframe(1).f_lineno)
        return None


def struck(work: Callable[[], Any], at: int) -> str | None:
    """Raise KeyboardInterrupt at the ``at``-th place: where that was, or None when ``work`` ran through."""
    striker = Striker(at)
    if sys.version_info < (3, 12):
        sys.settrace(striker.trace)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
    else:
        monitoring, tool, instruction = sys.monitoring, sys.monitoring.DEBUGGER_ID, sys.monitoring.events.INSTRUCTION
        monitoring.use_tool_id(tool, "interrupts")
        monitoring.register_callback(tool, instruction, striker.watch)
        monitoring.set_events(tool, instruction)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, instruction, None)
            monitoring.free_tool_id(tool)
    return striker.where or None


def _modes(work: Callable[[], Any], at: int) -> tuple[str | None, bool, bool]:
    """(where it was struck, whether the grad mode and the floating point reports are what they were)"""
    old, reports = get_state(), np.geterr()
    where = struck(work, at)
    now = get_state()
    return where, (now.recording, now.scope, now.watch) == (old.recording, old.scope, old.watch), np.geterr() == reports


def strike_all(case: Case, stride: int = 1, first: int = 1, most: int = 100_000) -> Tally:
    """Strike ``case`` at every ``stride``-th place."""
    tally, begun = Tally(case.name), time.perf_counter()
    work, observe = case.fresh()
    start = observe()
    work()
    wanted = observe()
    for at in range(first, most, stride * case.rarely):
        work, observe = case.fresh()
        if observe() != start:
            raise AssertionError(f"{case.name}: fresh() is not the same each time")
        where, mode, reports = contextvars.copy_context().run(_modes, work, at)
        found = observe()
        if where is None:
            tally.wrong += found != wanted
            break
        tally.strikes += 1
        tally.before += found == start
        tally.after += found == wanted and found != start
        if found not in (start, wanted):
            tally.partly += 1
            tally.places[f"partly {where}"] = tally.places.get(f"partly {where}", 0) + 1
        for name, kept in (("modes", mode), ("reports", reports)):
            if not kept:
                setattr(tally, name, getattr(tally, name) + 1)
                tally.places[f"{name} {where}"] = tally.places.get(f"{name} {where}", 0) + 1
        if found == start and wanted != start:
            work()
            if observe() != wanted:
                tally.wrong += 1
                tally.places[f"wrong {where}"] = tally.places.get(f"wrong {where}", 0) + 1
    tally.seconds = time.perf_counter() - begun
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interrupts", description=__doc__)
    parser.add_argument("--stride", type=int, default=1, help="strike at every N-th place")
    parser.add_argument("--only", default="", help="operations whose name contains this")
    parser.add_argument("--places", action="store_true", help="where it was partly done, or left a mode behind")
    chosen = parser.parse_args()
    tl.set_num_threads(2)
    print(f"{'':36} strikes  before   after  partly   wrong   modes reports   seconds")
    strikes = faults = partly = modes = 0
    for case in CASES:
        if chosen.only not in case.name:
            continue
        t = strike_all(case, chosen.stride)
        print(f"{t.name:36}{t.strikes:8}{t.before:8}{t.after:8}{t.partly:8}{t.wrong:8}{t.modes:8}{t.reports:8}{t.seconds:10.1f}", flush=True)
        strikes, faults, partly, modes = strikes + t.strikes, faults + t.faults(case), partly + t.partly, modes + t.modes
        if chosen.places:
            for place, count in sorted(t.places.items()):
                print(f"    {count:6} {place}")
    print(f"{strikes} strikes: {faults} faults, {partly} partly done where that is allowed, {modes} left a grad mode behind; Python {sys.version.split()[0]}")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
