"""What a fuzzer counts."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 3  # differences of a kind that are kept


@dataclass
class Report:
    """Cases by kind, those that were refused or lie where rounding decides, and the differences nothing explains."""

    cases: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    explained: dict[str, int] = field(default_factory=dict)
    unexplained: dict[str, list[str]] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)

    def count(self, what: str, by: int = 1) -> None:
        self.cases[what] = self.cases.get(what, 0) + by

    def refuse(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1

    def explain(self, what: str) -> None:
        self.explained[what] = self.explained.get(what, 0) + 1

    def fault(self, what: str, text: str) -> None:
        self.unexplained.setdefault(what, []).append(text)

    @property
    def total(self) -> int:
        return sum(self.cases.values())

    @property
    def faults(self) -> int:
        return sum(map(len, self.unexplained.values()))

    def line(self) -> str:
        seeds = f"seeds {self.seeds[0]}..{self.seeds[-1]}" if self.seeds else "no seeds"
        return (
            f"{self.total:10} cases, {self.faults} unexplained differences, {sum(self.explained.values())} within what rounding "
            f"of the inputs does, {sum(self.refused.values())} drawn and refused, {seeds}"
        )

    def details(self) -> str:
        return "\n".join(f"{what}: {len(texts)}\n    " + "\n    ".join(texts[:SHOWN]) for what, texts in self.unexplained.items())
