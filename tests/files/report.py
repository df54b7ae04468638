"""What the attacks on files count."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

SHOWN = 10


@dataclass
class Report:
    """Cases by what happened, the largest figures, and what should not have happened."""

    cases: dict[str, int] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def count(self, what: str, by: int = 1) -> None:
        self.cases[what] = self.cases.get(what, 0) + by

    def note(self, what: str, by: int) -> None:
        """Something else to report, which is no case."""
        self.notes[what] = self.notes.get(what, 0) + by

    def peak(self, what: str, value: int) -> None:
        self.largest[what] = max(self.largest.get(what, value), value)

    def add(self, other: Report) -> None:
        for what, n in other.cases.items():
            self.count(what, n)
        for what, value in other.largest.items():
            self.peak(what, value)
        for what, n in other.notes.items():
            self.note(what, n)
        self.faults += other.faults

    @property
    def total(self) -> int:
        return sum(self.cases.values())

    def line(self) -> str:
        parts = [f"{n} {what}" for what, n in sorted(self.cases.items())]
        parts += [f"{n} {what}" for what, n in sorted(self.notes.items())]
        parts += [f"{what} at most {value}" for what, value in sorted(self.largest.items())]
        return f"{self.total} cases, {len(self.faults)} faults ({', '.join(parts)})"

    def details(self) -> str:
        return "\n".join(f"    {fault}" for fault in self.faults[:SHOWN])


Task = Callable[[], Report]


def call(task: Task) -> Report:
    """What a worker process does; here, so that it can import it."""
    warnings.simplefilter("error")
    return task()
