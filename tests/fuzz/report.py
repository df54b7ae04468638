"""What a fuzzer counts."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 3  # differences of a kind that are kept


def add_to(counts: dict[str, int], what: str, by: int = 1) -> None:
    counts[what] = counts.get(what, 0) + by


@dataclass
class Report:
    """Cases by kind, those that were refused or explained (by reason, then kind), and the differences nothing explains."""

    cases: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    explained: dict[str, dict[str, int]] = field(default_factory=dict)
    unexplained: dict[str, list[str]] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)  # cases in float32, with second derivatives, of each layout ...
    seeds: list[int] = field(default_factory=list)

    def count(self, what: str, by: int = 1) -> None:
        add_to(self.cases, what, by)

    def share(self, what: str, by: int = 1) -> None:
        add_to(self.shares, what, by)

    def refuse(self, what: str) -> None:
        add_to(self.refused, what)

    def explain(self, what: str, reason: str) -> None:
        add_to(self.explained.setdefault(reason, {}), what)

    def fault(self, what: str, text: str) -> None:
        self.unexplained.setdefault(what, []).append(text)

    def add(self, other: Report) -> None:
        """The counts of another process."""
        for mine, theirs in ((self.cases, other.cases), (self.refused, other.refused), (self.shares, other.shares)):
            for what, by in theirs.items():
                add_to(mine, what, by)
        for reason, counts in other.explained.items():
            for what, by in counts.items():
                add_to(self.explained.setdefault(reason, {}), what, by)
        for what, texts in other.unexplained.items():
            self.unexplained.setdefault(what, []).extend(texts)
        self.seeds += other.seeds

    @property
    def total(self) -> int:
        return sum(self.cases.values())

    @property
    def faults(self) -> int:
        return sum(map(len, self.unexplained.values()))

    def line(self) -> str:
        seeds = f"seeds {min(self.seeds)}..{max(self.seeds)}" if self.seeds else "no seeds"
        explained = sum(sum(counts.values()) for counts in self.explained.values())
        return (
            f"{self.total:10,} cases, {self.faults} unexplained differences, {explained:,} explained, "
            f"{sum(self.refused.values()):,} drawn and refused, {seeds}"
        )

    def reasons(self) -> str:
        """A line for each reason of what is explained, with the kinds that it is of most."""
        lines = []
        for reason, counts in sorted(self.explained.items()):
            most = sorted(counts, key=lambda n: -counts[n])
            kinds = ", ".join(f"{n} {counts[n]:,}" for n in most[:5]) + (f" and {len(most) - 5} more" if len(most) > 5 else "")
            lines.append(f"    explained: {sum(counts.values()):8,} {reason} ({kinds})")
        return "\n".join(lines)

    def counted(self) -> str:
        """How many kinds there were, the rarest, and the shares."""
        if not self.cases:
            return "    nothing"
        least, most = (pick(self.cases, key=lambda n: self.cases[n]) for pick in (min, max))
        kinds = f"    {len(self.cases)} kinds, of each {self.cases[least]:,} ({least}) to {self.cases[most]:,} ({most})"
        shares = ", ".join(f"{n} {by:,}" for n, by in sorted(self.shares.items()))
        return kinds + (f"\n    among them: {shares}" if shares else "")

    def listed(self) -> str:
        """Every kind with its count."""
        return "\n".join(f"    {by:10,} {what}" for what, by in self.cases.items())

    def details(self) -> str:
        return "\n".join(f"{what}: {len(texts)}\n    " + "\n    ".join(texts[:SHOWN]) for what, texts in self.unexplained.items())
