"""The measurements of one process, for one number of threads: rows, as they are ready."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

import tinygrad_loss

from . import peers as others
from .goals import LOOPS, NAMED, OVERHEAD, loop_goal, loss_goal
from .processes import import_time, peak_memory
from .registry import call_of, shared_losses
from .report import Row, row, timed_row
from .timing import fit, interleave
from .workloads import (
    Step,
    Training,
    alignments,
    scores,
    tiny_operations,
    tiny_ufuncs,
    training,
    training_step,
    value_and_gradient,
)

GROUPS = ("loops", "tape", "named", "losses", "processes")
PAUSE = 0.005
TRAINING = {
    "the documents' loop, Linear(10, 3), batch 32": ((10, 3), 32),
    "MLP 64-64-10, batch 64": ((64, 64, 10), 64),
    "MLP 784-128-10, batch 32": ((784, 128, 10), 32),
    "MLP 784-256-128-10, batch 128": ((784, 256, 128, 10), 128),
    "MLP 784-512-512-10, batch 512": ((784, 512, 512, 10), 512),
}


@dataclass
class Plan:
    """What is to be measured, and how long for each row."""

    threads: int = 1
    short: bool = False
    only: str = ""
    groups: tuple[str, ...] = GROUPS
    sizes: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()
    seconds: float = 0.0
    peers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seconds = self.seconds or (0.25 if self.short else 1.2)
        self.sizes = self.sizes or ((100, 10_000) if self.short else (100, 10_000, 1_000_000, 10_000_000))
        self.dtypes = self.dtypes or (("float32",) if self.short else ("float32", "float64"))

    def wants(self, group: str, workload: str) -> bool:
        return group in self.groups and self.only in workload

    def interleave(self, steps: dict[str, Step], factor: float = 1.0) -> dict[str, list[float]]:
        return interleave(steps, factor * self.seconds, PAUSE if self.threads > 1 else 0.0)


def measure(plan: Plan) -> Iterator[Row]:
    torch.set_num_threads(plan.threads)
    tinygrad_loss.set_num_threads(plan.threads)
    warnings.simplefilter("ignore")  # advice is not the subject here
    for group, rows in (("loops", loops), ("tape", tape), ("named", named), ("losses", losses), ("processes", processes)):
        if group in plan.groups:
            yield from rows(plan)


def both(make: Any, *arguments: Any, **options: Any) -> dict[str, Step]:
    return {"ours": make(tinygrad_loss, *arguments, **options), "torch": make(torch, *arguments, **options)}


def loops(plan: Plan) -> Iterator[Row]:
    for name, (sizes, batch) in TRAINING.items():
        if plan.wants("loops", name):
            times = plan.interleave(training_steps(plan, training(sizes, batch)), 2)
            yield timed_row("loops", name, plan.threads, times, loop_goal(name, plan.threads))


def training_steps(plan: Plan, task: Training) -> dict[str, Step]:
    steps = both(training_step, task) | {"torch fused": training_step(torch, task, fused=True)}
    steps["numpy"] = others.numpy_training(task)
    return steps | {name: others.TRAINING[name](module, task) for name, module in plan.peers.items()}


def tape(plan: Plan) -> Iterator[Row]:
    """The tape's cost for an operation, over the ufuncs that any tape has to call."""
    found: dict[int, dict[str, list[float]]] = {}
    for count in (20, 100, 400):
        name = f"{count} tiny operations"
        if plan.wants("tape", name):
            found[count] = plan.interleave({**both(tiny_operations, count), "numpy": tiny_ufuncs(count)}, 2)
            yield timed_row("tape", name, plan.threads, found[count], loop_goal(name, plan.threads))
    if len(found) == 3:
        rows = {count: timed_row("tape", "", 1, times, None)["microseconds"] for count, times in found.items()}
        slopes = {who: fit(list(rows), [r[who] for r in rows.values()])[1] for who in ("ours", "torch", "numpy")}
        over = slopes["ours"] - slopes["numpy"]
        note = "fitted, us for an operation: " + ", ".join(f"{who} {b:.2f}" for who, b in slopes.items())
        ratios = {"us over the ufuncs": (over, over, over)}
        yield row("tape", "an operation of the tape, us over the ufuncs", plan.threads, ratios, OVERHEAD, "us over the ufuncs", note=note)


def named(plan: Plan) -> Iterator[Row]:
    """The workloads of the goals that are none of the sizes every loss is measured at."""
    wide, tall, aligned = (name for name in LOOPS if "float32" in name)
    tasks = {wide: ("cross_entropy", lambda: scores(10_000, 1_000)), aligned: ("ctc_loss", lambda: alignments(150, 32, 50, 30))}
    if not plan.short:
        tasks[tall] = ("cross_entropy", lambda: scores(1_000_000, 10))
    for name, (loss, make) in tasks.items():
        if plan.wants("named", name):
            yield loss_row(plan, "named", name, loss, make(), loop_goal(name, plan.threads))
    for loss in NAMED if plan.short else ():
        name = f"{loss}, 1,000,000 elements, float32"
        if plan.wants("named", name):
            call = call_of(loss, 10**6)
            goal = loss_goal(loss, 10**6, "float32", plan.threads)
            yield loss_row(plan, "named", name, loss, call.of("float32"), goal, call.leaves, **call.options)


def loss_row(
    plan: Plan, group: str, name: str, loss: str, arrays: Any, goal: Any, leaves: Any = None, more: Any = None, **options: Any
) -> Row:
    leaves = [next(iter(arrays))] if leaves is None else leaves
    steps = both(value_and_gradient, loss, arrays, leaves, **options)
    if next(iter(arrays.values())).dtype == "float32":
        steps |= others.loss_steps(plan.peers, loss, arrays, leaves)
    return timed_row(group, name, plan.threads, plan.interleave(steps), goal, **(more or {}))


def losses(plan: Plan) -> Iterator[Row]:
    """Every loss that torch has, value and gradient, at every size."""
    for loss in shared_losses(torch.nn.functional):
        for n in plan.sizes:
            names = {dtype: f"{loss}, {n:,} elements, {dtype}" for dtype in plan.dtypes}
            wanted = {dtype: name for dtype, name in names.items() if plan.wants("losses", name)}
            call = call_of(loss, n) if wanted else None
            for dtype, name in wanted.items():
                assert call is not None
                more = {"loss": loss, "dtype": dtype, "elements": n}
                goal = loss_goal(loss, n, dtype, plan.threads)
                yield loss_row(plan, "losses", name, loss, call.of(dtype), goal, call.leaves, more, **call.options)


def processes(plan: Plan) -> Iterator[Row]:
    if plan.threads == 1 and plan.wants("processes", "import, beside NumPy's"):
        yield import_time(5 if plan.short else 11, torch_too=not plan.short)
    chosen = ("mse_loss",) if plan.short else (*NAMED, "cross_entropy")
    chosen = tuple(loss for loss in chosen if plan.wants("processes", f"peak extra memory, {loss}"))
    yield from peak_memory(chosen, 10**7, plan.threads)

