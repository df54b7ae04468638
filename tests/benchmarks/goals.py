"""What every workload is held to: floors on torch's time divided by ours, ceilings on memory and import time."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 0  # stands for "all threads"


@dataclass(frozen=True)
class Goal:
    """``ratio`` is a floor, or a ceiling when ``most``."""

    ratio: float
    most: bool = False

    def met(self, measured: float) -> bool:
        return measured <= self.ratio if self.most else measured >= self.ratio

    def __str__(self) -> str:
        return f"{'<=' if self.most else '>='} {self.ratio:g}"


# Loops and others: {threads: ratio}; a workload that is not there is only shown.
LOOPS: dict[str, dict[int, float]] = {
    "the documents' loop, Linear(10, 3), batch 32": {1: 8.0},
    "MLP 784-128-10, batch 32": {1: 1.8, MANY: 1.5},
    "MLP 784-256-128-10, batch 128": {1: 1.3, MANY: 1.1},
    "MLP 784-512-512-10, batch 512": {1: 1.0, MANY: 0.75},
    "100 tiny operations": {1: 3.0, MANY: 3.0},
    "cross_entropy, 10,000 x 1,000, float32": {1: 1.5, MANY: 1.5},
    "cross_entropy, 1,000,000 x 10, float32": {1: 4.0, MANY: 4.0},
    "ctc_loss, T 150, N 32, C 50, S 30, float32": {1: 1.8},
}
NAMED = ("binary_cross_entropy_with_logits", "mse_loss", "huber_loss", "kl_div", "gaussian_nll_loss")
NAMED_AT = {10**6: 1.2, 10**7: 2.5}  # elements, float32, one thread and all
OTHERS_FROM, OTHERS = 10**4, 1.0  # every loss, at one thread
MEMORY = Goal(1.05, most=True)  # of the arrays that are differentiated
IMPORT = Goal(1.2, most=True)  # of NumPy's
OVERHEAD = Goal(2.2, most=True)  # microseconds for an operation, forward and backward, over the bare ufuncs


def loop_goal(workload: str, threads: int) -> Goal | None:
    goals = LOOPS.get(workload, {})
    ratio = goals.get(1 if threads == 1 else MANY)
    return None if ratio is None else Goal(ratio)


def loss_goal(loss: str, n: int, dtype: str, threads: int) -> Goal | None:
    if loss in NAMED and n in NAMED_AT and dtype == "float32":
        return Goal(NAMED_AT[n])
    return Goal(OTHERS) if n >= OTHERS_FROM and threads == 1 else None
