"""Rows of the table, as text and as plain data."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from .goals import Goal
from .timing import fit, ratio

Row = dict[str, Any]


def timed_row(group: str, workload: str, threads: int, times: dict[str, list[float]], goal: Goal | None, **more: Any) -> Row:
    """The others' times divided by ours; torch's is the one the goal is about."""
    ratios = {name: ratio(times, name) for name in times if name != "ours"}
    medians = {name: statistics.median(t) for name, t in times.items()}
    rounds = len(times["ours"])
    return row(group, workload, threads, ratios, goal, microseconds=medians, rounds=rounds, **more)


def row(group: str, workload: str, threads: int, ratios: dict[str, Any], goal: Goal | None, against: str = "torch", **more: Any) -> Row:
    """``ratios`` are (median, lower quartile, upper quartile) by contender."""
    measured = ratios[against][0]
    told = {"goal": None if goal is None else str(goal), "met": None if goal is None else goal.met(measured)}
    return {"group": group, "workload": workload, "threads": threads, "ratio": measured, "against": against, **told, "ratios": ratios, **more}


HEADER = f"{'ratio':>7} {'quartiles':>13}  {'goal':<8}    {'threads':<7} workload"


def line(r: Row) -> str:
    """One line: the ratio, its spread, the goal; the workload; ours and torch's time; the other contenders' ratios."""
    _, low, high = r["ratios"][r["against"]]
    verdict = {None: "   ", True: "met", False: "NOT"}[r["met"]]
    sign = " " if r["against"].startswith("us ") else "x"
    text = f"{r['ratio']:6.2f}{sign} {low:6.2f} {high:6.2f}  {r['goal'] or '':<8} {verdict} {r['threads']:>2}t  {r['workload']:<58}"
    times = r.get("microseconds", {})
    text += "  " + ", ".join(f"{name} {times[name]:.4g} us" for name in ("ours", "torch") if name in times)
    others = [f"{n} {v[0]:.2f}x" for n, v in r["ratios"].items() if n != r["against"]]
    return text + (f"  ({', '.join(others)})" if others else "") + (f"  {r['note']}" if r.get("note") else "")


def growth(rows: Iterable[Row]) -> list[Row]:
    """Of each loss: microseconds of a call and nanoseconds of an element, fitted over the sizes, for us and for torch."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for r in rows:
        if r["group"] == "losses":
            found.setdefault((r["loss"], r["dtype"], r["threads"]), []).append(r)
    fitted = []
    for (loss, dtype, threads), some in found.items():
        if len(some) < 3:
            continue
        both = {who: fit([r["elements"] for r in some], [r["microseconds"][who] for r in some]) for who in ("ours", "torch")}
        costs = {who: {"call_us": a, "element_ns": b * 1e3, "misfit": misfit} for who, (a, b, misfit) in both.items()}
        fitted.append({"loss": loss, "dtype": dtype, "threads": threads, **costs})
    return fitted


def growth_line(r: Row) -> str:
    parts = [f"{who} {c['call_us']:8.1f} us + {c['element_ns']:7.3f} ns/element (within {c['misfit']:4.0%})" for who, c in ((w, r[w]) for w in ("ours", "torch"))]
    return f"{parts[0]}   {parts[1]}   {r['threads']:>2}t  {r['loss']}, {r['dtype']}"


def verdicts(rows: Iterable[Row]) -> str:
    """How many goals are met, and which are not, the worst first."""
    held = [r for r in rows if r["met"] is not None]

    def miss(r: Row) -> float:
        kind, bound = r["goal"].split()
        return r["ratio"] / float(bound) if kind == ">=" else float(bound) / r["ratio"]

    missed = sorted((r for r in held if not r["met"]), key=miss)
    lines = [f"{len(held) - len(missed)} of {len(held)} goals met"]
    return "\n".join(lines + [f"  {r['ratio']:6.2f}x  {r['goal']:<8} {r['threads']:>2}t  {r['workload']}" for r in missed])
