"""The measured result that is kept, and the tables made of it: ``python -m tests.benchmarks.published result.json``.

Takes what ``python -m tests.benchmarks --json`` printed, keeps it in ``measured.json`` beside this file, and writes the
README's speed table and ``results.md``. Without an argument it writes the two again from what is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .bounds import BOUNDED_BY
from .goals import LOOPS, NAMED
from .report import Row, growth

HERE = Path(__file__).resolve().parent
KEPT, REPORT, README = HERE / "measured.json", HERE / "results.md", HERE.parent.parent / "README.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
SIZES = (100, 10_000, 1_000_000, 10_000_000)


def significant(x: float) -> float:
    return float(f"{x:.3g}")


def compact(result: dict[str, Any]) -> dict[str, Any]:
    """What the tables need, with the digits that mean something."""
    rows = []
    for r in result["rows"]:
        row = {k: r[k] for k in ("group", "workload", "threads", "against", "goal", "met", "loss", "dtype", "elements") if k in r}
        row["ratios"] = {n: [significant(x) for x in v] for n, v in r["ratios"].items()}
        row["microseconds"] = {n: significant(x) for n, x in r.get("microseconds", {}).items()}
        rows.append(row | ({"note": r["note"]} if r.get("note") else {}))
    return {"machine": result["machine"], "rows": rows}


def text_of(result: dict[str, Any]) -> str:
    rows = ",\n".join(json.dumps(r, separators=(",", ":")) for r in result["rows"])
    return f'{{"machine": {json.dumps(result["machine"])},\n"rows": [\n{rows}\n]}}\n'


def ratio(r: Row | None) -> str:
    """The median; bold where a goal is missed."""
    if r is None:
        return ""
    shown = f"{r['ratios'][r['against']][0]:.2f}"
    return f"**{shown}**" if r["met"] is False else shown


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def about(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{n} {machine[n]}" for n in ("numpy", "torch", "jax", "autograd", "mygrad") if machine.get(n) != "not installed")
    return f"{machine['cpu']}, {machine['processors']} processors, Python {machine['python']}, {packages}"


class Result:
    """The rows by what they measured."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.machine, self.rows = result["machine"], result["rows"]
        self.by = {(r["group"], r["workload"], r["threads"]): r for r in self.rows}
        self.threads = sorted({r["threads"] for r in self.rows})

    def cells(self, group: str, workload: str) -> list[str]:
        return [ratio(self.by.get((group, workload, t))) for t in self.threads]

    def heads(self, first: str) -> list[str]:
        return [first, *(f"{t} thread{'s' * (t > 1)}" for t in self.threads)]

    def for_readme(self) -> str:
        rows = []
        for name in LOOPS:
            group = next((r["group"] for r in self.rows if r["workload"] == name), "loops")
            rows.append([name, *self.cells(group, name)])
        for loss in NAMED:
            for n in (10**6, 10**7):
                rows.append([f"{loss}, {n:,} elements, float32", *self.cells("losses", f"{loss}, {n:,} elements, float32")])
        memory = [r for r in self.rows if r["workload"].startswith("peak extra memory") and r["threads"] == 1]
        most = max((r["ratios"][r["against"]][0] for r in memory), default=0.0)
        imported = self.by.get(("processes", "import, beside NumPy's", 1))
        goals = [r for r in self.rows if r["met"] is not None]
        return "".join(
            [
                f"Measured on: {about(self.machine)}.\n\n",
                table(self.heads("torch's time divided by ours; bold where a goal is missed"), (r for r in rows if any(r[1:]))),
                f"\nExtra memory of a large loss with its gradient: at most {most:.2f} times its input. ",
                "" if imported is None else f"`import tinygrad_loss` takes {ratio(imported).strip('*')} times `import numpy`, "
                f"with `nn` {imported['ratios']['with nn'][0]:.2f} times, `import torch` {imported['ratios']['torch'][0]:.0f} times. ",
                f"{sum(r['met'] for r in goals)} of {len(goals)} goals are met; [all figures](tests/benchmarks/results.md), every loss of torch "
                "at four sizes, with what bounds those that are slower.\n",
            ]
        )

    def report(self) -> str:
        parts = [
            "# What was measured\n\n",
            f"By `python -m tests.benchmarks` on: {about(self.machine)}; {self.machine['load']} processes were busy at the start. ",
            "Ratios are torch's time divided by ours, above 1 ours is faster: medians of interleaved rounds. Bold: a goal is missed.\n\n",
            "## Training, the tape, large losses\n\n",
        ]
        named = dict.fromkeys((r["group"], r["workload"]) for r in self.rows if r["group"] in ("loops", "tape", "named"))
        goals = {(r["group"], r["workload"]): r["goal"] for r in self.rows}
        parts.append(table([*self.heads("workload"), "goal (1 thread, all)", "others, 1 thread"], (
            [workload, *self.cells(group, workload), self.goals(group, workload), self.others(group, workload)] for group, workload in named
        )))  # fmt: skip
        parts.append("\n## Every loss that torch has, value and gradient\n")
        for dtype in ("float32", "float64"):
            for t in self.threads:
                parts += [f"\n{dtype}, {t} thread{'s' * (t > 1)}; elements:\n\n", self.losses(dtype, t)]
        parts.append("\n## What bounds those that miss a goal\n\n")
        parts.append(table(["workload", "bounded by, and what was tried"], ([n, BOUNDED_BY[n]] for n in self.missed())))
        parts.append("\n## How the cost grows\n\nFitted over the sizes: microseconds of a call + nanoseconds of an element.\n\n")
        fitted = growth(self.rows)
        cost = "{call_us:.1f} + {element_ns:.3f}"
        parts.append(table(["loss", "dtype", "threads", "ours", "torch"], (
            [f["loss"], f["dtype"], str(f["threads"]), cost.format(**f["ours"]), cost.format(**f["torch"])] for f in fitted
        )))  # fmt: skip
        parts.append("\n## Processes\n\n")
        parts.append(table(["figure", "threads", "ours", "goal", "others"], (
            [r["workload"], str(r["threads"]), ratio(r), goals[r["group"], r["workload"]] or "",
             "; ".join([*(f"{n} {v[0]:.2f}" for n, v in r["ratios"].items() if n != r["against"]), *([r["note"]] if r.get("note") else [])])]
            for r in self.rows if r["group"] == "processes"
        )))  # fmt: skip
        return "".join(parts)

    def missed(self) -> list[str]:
        """The losses and workloads with a missed goal."""
        return list(dict.fromkeys(r.get("loss") or r["workload"] for r in self.rows if r["met"] is False))

    def goals(self, group: str, workload: str) -> str:
        found = [self.by[group, workload, t]["goal"] for t in self.threads if (group, workload, t) in self.by]
        return ", ".join(g or "none" for g in found) if any(found) else ""

    def others(self, group: str, workload: str) -> str:
        row = self.by.get((group, workload, 1))
        return "" if row is None else ", ".join(f"{n} {v[0]:.2f}" for n, v in row["ratios"].items() if n != row["against"])

    def losses(self, dtype: str, threads: int) -> str:
        names = dict.fromkeys(r["loss"] for r in self.rows if r["group"] == "losses")
        rows = ([n, *(ratio(self.by.get(("losses", f"{n}, {size:,} elements, {dtype}", threads))) for size in SIZES)] for n in names)
        return table(["loss", *(f"{size:,}" for size in SIZES)], rows)


def kept() -> Result:
    return Result(json.loads(KEPT.read_text(encoding="utf-8")))


def readme_with(text: str, part: str) -> str:
    """The README with ``part`` between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + part + END + after


def main() -> None:
    if len(sys.argv) > 1:
        KEPT.write_text(text_of(compact(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))), encoding="utf-8")
    result = kept()
    REPORT.write_text(result.report(), encoding="utf-8")
    README.write_text(readme_with(README.read_text(encoding="utf-8"), result.for_readme()), encoding="utf-8")


if __name__ == "__main__":
    main()
