"""Rounds of a part, one after the other or in several processes: each has a seed, and gives a report of its own."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from .report import Report

# {part: (the modules whose fuzz(seed, only) makes a round, the share of the minutes)}
PARTS: dict[str, tuple[tuple[str, ...], float]] = {
    "torch": (("against_torch", "operations_torch"), 0.3), "losses": (("losses",), 0.2), "graphs": (("graphs",), 0.15),
    "mistakes": (("mistakes",), 0.05), "gradients": (("gradients",), 0.15), "metamorphic": (("metamorphic",), 0.15),
}  # fmt: skip
NEEDS_TORCH = {"torch"}
EVERY = 60.0  # seconds, for a line in between


def possible(part: str) -> bool:
    return part not in NEEDS_TORCH or importlib.util.find_spec("torch") is not None


def one_round(part: str, seed: int, only: str = "") -> Report:
    report = Report()
    for name in PARTS[part][0]:
        module = importlib.import_module(f"tests.fuzz.{name}")
        try:
            module.fuzz(seed, only, report=report)
        except Exception:
            report.fault(f"the round of {name}", f"--part {part} --rounds 1 --seed {seed}: {traceback.format_exc()}")
    report.seeds = [seed]
    return report


def start() -> None:
    """For each process: NumPy, torch and the blocks on one thread, so that processes do not fight over the cores."""
    if importlib.util.find_spec("torch"):
        importlib.import_module("torch").set_num_threads(1)


@dataclass
class Limits:
    """When a part is done; without any, after one round."""

    cases: int = 0
    seconds: float = 0.0
    rounds: int = 0
    begun: float = field(default_factory=time.perf_counter)

    def over(self, done: int, rounds: int) -> bool:
        late = 0.0 < self.seconds < time.perf_counter() - self.begun
        return late or 0 < self.cases <= done or 0 < self.rounds <= rounds

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.begun


def reports(part: str, only: str, seed: int, jobs: int, more: Callable[[int], bool]) -> Iterator[Report]:
    """Of the rounds from ``seed`` on, for as long as ``more(rounds started)``."""
    started = 0
    if jobs < 2:
        start()
        while more(started):
            yield one_round(part, seed + started, only)
            started += 1
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), start) as pool:
        running: set[Future[Report]] = set()
        while running or more(started):
            while len(running) < jobs + 1 and more(started):
                running.add(pool.submit(one_round, part, seed + started, only))
                started += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def run(part: str, only: str, seed: int, jobs: int, limits: Limits, say: Callable[[str], None] = print) -> Report:
    """All rounds of a part; says in between how far it is, and at once what is found."""
    report, last = Report(), time.perf_counter()

    def reached() -> int:
        # the laws of the metamorphic part are each to be reached
        return min(report.cases.values(), default=0) if part == "metamorphic" else report.total

    for other in reports(part, only, seed, jobs, lambda rounds: not limits.over(reached(), rounds)):
        report.add(other)
        if other.faults:
            say(f"{part}, --seed {other.seeds[0]}: {other.details()}")
        if time.perf_counter() - last > EVERY:
            last = time.perf_counter()
            say(f"{part:11} so far {report.line()}, {limits.elapsed:.0f} s")
    return report
