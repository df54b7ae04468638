"""Which loss for which task: read off the declarations; what they do not say is measured."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from .losses import LOSSES, Loss
from .modes import enable_grad
from .tape import Tensor

TASKS = {
    "regression": "a number for each output",
    "counts": "how often something happens: 0, 1, 2...",
    "binary": "yes or no, for one output or for many at once (multi-label)",
    "multiclass": "one of C classes",
    "multilabel": "a list of classes for each example",
    "distribution": "two distributions",
    "embedding": "vectors: alike close together, others apart",
    "ranking": "an order of the items of a list",
    "sequence": "labels along time",
    "segmentation": "the overlap of regions",
}
_OUTPUTS = {
    "Logits": "logits", "Logit": "logits", "Probability": "probabilities", "LogProbability": "log-probabilities",
}  # fmt: skip
_TARGETS = {
    "Label": "class indices", "Labels": "class indices", "Simplex": "class probabilities", "BinaryTarget": "0 or 1",
    "Sign": "+1 or -1", "Pair": "1 (similar) or 0", "Group": "group labels", "LabelList": "lists of class indices",
    "Distribution": "probabilities", "Real": "numbers", "NonNegative": "numbers >= 0", "Order": "relevances",
}  # fmt: skip


class Choice:
    """One loss, as the table shows it."""

    def __init__(self, loss: Loss) -> None:
        first, *others = [a for a in loss.declaration.arguments if not a.optional]
        self.loss = loss
        self.name, self.module = loss.name, loss.Module.__name__
        self.family = loss.formula.__module__.rpartition(".")[2]
        domains = [spec.domain.name for spec in first.specs]
        embeds = "D" in first.specs[0].axes or first.name == "anchor"
        self.outputs = "vectors" if embeds else _OUTPUTS.get(domains[0], "numbers")
        aims = [a for a in others if a.name in ("target", "targets", "tags", "labels", "relevance", "teacher")]
        specs = aims[0].specs if aims else ()
        self.targets = " or ".join(dict.fromkeys(_TARGETS.get(s.domain.name, s.domain.name) for s in specs))
        self.task = self._task(embeds, {s.domain.name for s in specs}, first.specs[0].axes)
        self.robust = _bounded(loss.name) if self.task in ("regression", "counts") else None
        self.says = (inspect.getdoc(loss) or "").split("\n")[0]

    def _task(self, embeds: bool, targets: set[str], axes: tuple[str, ...]) -> str:
        if embeds or self.family in ("metric", "contrastive"):
            return "embedding"
        if self.family in ("segmentation", "sequence", "ranking"):
            return self.family
        if "K" in axes or "Order" in targets or self.name == "margin_ranking_loss":
            return "ranking"
        if "LabelList" in targets:
            return "multilabel"
        if targets & {"Label", "Simplex"}:
            return "multiclass"
        if targets & {"BinaryTarget", "Sign"}:
            return "binary"
        if self.family == "divergence" or not targets:
            return "distribution"
        return "counts" if "NonNegative" in targets and self.family == "likelihood" else "regression"


class Choices(Sequence[Choice]):
    """The losses that fit; printed, a table."""

    def __init__(self, found: list[Choice]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        return self._found[index]

    def __iter__(self) -> Iterator[Choice]:
        return iter(self._found)

    @property
    def names(self) -> list[str]:
        return [choice.name for choice in self._found]

    def rows(self) -> list[tuple[str, ...]]:
        """A heading and the rows of the table."""
        heading = ("loss", "module", "outputs", "targets", "robust", "what it is")
        spelled = {True: "yes", False: "no", None: ""}
        return [heading, *((c.name, c.module, c.outputs, c.targets, spelled[c.robust], c.says) for c in self._found)]

    def __str__(self) -> str:
        if not self._found:
            return "no loss fits; leave out one of the wishes"
        rows = self.rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        return "\n".join("  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]) for row in rows)

    __repr__ = __str__


def which_loss(
    task: str | None = None, *, outputs: str | None = None, targets: str | None = None, robust: bool | None = None
) -> Choices:
    """The losses that fit a task: what the model gives, what the targets are, and whether outliers shall be mild.

    ``task``: one of regression, counts, binary, multiclass, multilabel, distribution, embedding, ranking, sequence,
    segmentation. ``outputs``: "logits", "probabilities", "log-probabilities", "numbers" or "vectors". ``targets``:
    part of the targets' description, such as "indices". ``robust``: the gradient of an outlier does not grow with
    its distance (measured). Raises ValueError for a task or output that no loss has.

    >>> which_loss("regression", robust=False).names
    ['expectile_loss', 'mse_loss', 'rmse_loss']
    >>> print(which_loss("binary", outputs="probabilities"))
    loss                  module   outputs        targets  robust  what it is
    binary_cross_entropy  BCELoss  probabilities  0 or 1           The negative log-likelihood of yes-or-no targets, from probabilities. Prefer the form with logits.
    """
    every = [_choice(name) for name in sorted(LOSSES)]
    kinds = sorted({c.outputs for c in every})
    if task is not None and task not in TASKS:
        raise ValueError(f"which_loss: task={task!r} is not known; expected one of {', '.join(TASKS)}")
    if outputs is not None and outputs not in kinds:
        raise ValueError(f"which_loss: outputs={outputs!r} is not known; expected one of {', '.join(kinds)}")
    return Choices([
        c for c in every
        if (task is None or c.task == task) and (outputs is None or c.outputs == outputs)
        and (targets is None or targets in c.targets) and (robust is None or c.robust is robust)
    ])  # fmt: skip


@cache
def _choice(name: str) -> Choice:
    return Choice(LOSSES[name])


@cache
def _bounded(name: str) -> bool | None:
    """Whether an outlier pulls no harder the farther it is, compared with an ordinary residual beside it; None: not of
    that kind."""
    loss = LOSSES[name]
    if len(loss.declaration.required) != 2:
        return None
    pulls = []
    for residual in (10.0, 1000.0):
        x = Tensor(np.array([2.0, residual + 1.0]), requires_grad=True)
        with enable_grad(), warnings.catch_warnings(action="ignore"):
            loss(x, Tensor(np.array([1.0, 1.0])), reduction="mean").backward()
        ordinary, outlier = np.abs(x.grad.array) if x.grad is not None else (1.0, 0.0)
        pulls.append(float(outlier / ordinary))
    return pulls[1] <= 2.0 * pulls[0]
