"""Which loss for which task: read off the declarations; what they do not say is measured."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from .losses import LOSSES, Loss
from .losses._signature import Argument
from .modes import enable_grad
from .quiet import quiet
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
    "Prediction": "logits or probabilities", "Rate": "logarithms or numbers",
}  # fmt: skip
_TARGETS = {
    "Label": "class indices", "Labels": "class indices", "Simplex": "class probabilities", "BinaryTarget": "0 or 1",
    "Sign": "+1 or -1", "Pair": "1 (similar) or 0", "Group": "group labels", "LabelList": "lists of class indices",
    "Distribution": "probabilities", "Real": "numbers", "NonNegative": "numbers >= 0", "Order": "relevances",
    "Logits": "logits",
}  # fmt: skip
_AIMS = ("target", "targets", "tags", "labels", "relevance", "teacher")
_SAID = {"hinge_embedding_loss": ("embedding", "distances")}  # looks like any loss of scores against signs
_SCORED = ("binary", "multiclass", "multilabel", "ranking", "sequence")  # where numbers are scores


def first_sentence(loss: Any) -> str:
    """What the docstring says first."""
    paragraph = " ".join((inspect.getdoc(loss) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`\"])", paragraph)[0]


class Choice:
    """One loss, as the table shows it."""

    def __init__(self, loss: Loss) -> None:
        first, *others = [a for a in loss.declaration.arguments if not a.optional]
        self.loss = loss
        self.name, self.module = loss.name, loss.Module.__name__
        self.family = loss.formula.__module__.rpartition(".")[2]
        aims = [a for a in others if a.name in _AIMS]
        specs = aims[0].specs if aims else ()
        self.targets = " or ".join(dict.fromkeys(_TARGETS.get(s.domain.name, s.domain.describe) for s in specs))
        self.task, self.outputs = self._kind(first, others, {s.domain.name for s in specs})
        self.robust = _robust(loss, self.task)
        self.says = first_sentence(loss) or loss.name

    def _kind(self, first: Argument, others: list[Argument], targets: set[str]) -> tuple[str, str]:
        """(task, what the model gives)."""
        axes, domain = first.specs[0].axes, first.specs[0].domain.name
        if self.name in _SAID:
            return _SAID[self.name]
        if "D" in axes or first.name == "anchor" or self.family in ("metric", "contrastive"):
            return "embedding", "vectors"
        task = self._task(axes, len(others), targets)
        plain = "features" if "I" in axes else "scores" if task in _SCORED else "numbers"
        return task, _OUTPUTS.get(domain, plain)

    def _task(self, axes: tuple[str, ...], others: int, targets: set[str]) -> str:
        if self.family in ("segmentation", "sequence", "ranking"):
            return self.family
        if "K" in axes or "Order" in targets or (others == 2 and targets == {"Sign"}):  # which of two is first
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
    segmentation. ``outputs``: "logits", "probabilities", "log-probabilities", "numbers", "scores" or "vectors", to
    name the most common. ``targets``: part of the targets' description, such as "indices". ``robust``: the gradient
    of an outlier does not grow with its distance; for classes: that of a wrongly labelled example falls, the surer
    the model is of another class (both measured, with the default options). Raises ValueError for a task or outputs
    that no loss has, TypeError for a ``robust`` that is not True, False or None.

    >>> which_loss("multiclass", outputs="logits", targets="probabilities").names
    ['cross_entropy', 'focal_loss', 'poly_loss']
    >>> print(which_loss("counts"))
    loss              module          outputs     ...
    poisson_nll_loss  PoissonNLLLoss  logarithms or numbers  numbers >= 0  no ...
    """
    every = [_choice(LOSSES[name]) for name in sorted(LOSSES)]
    kinds = sorted({kind for c in every for kind in c.outputs.split(" or ")})
    if task is not None and task not in TASKS:
        raise ValueError(f"which_loss: task={task!r} is not known; expected one of {', '.join(TASKS)}")
    if outputs is not None and outputs not in kinds:
        raise ValueError(f"which_loss: outputs={outputs!r} is not known; expected one of {', '.join(kinds)}")
    if robust is not None and not isinstance(robust, (bool, np.bool_)):
        raise TypeError(f"which_loss: robust={robust!r}: expected True, False or None")
    return Choices([
        c for c in every
        if (task is None or c.task == task) and (outputs is None or outputs in c.outputs.split(" or "))
        and (targets is None or targets in c.targets) and (robust is None or c.robust == robust)
    ])  # fmt: skip


@cache
def _choice(loss: Loss) -> Choice:
    return Choice(loss)


def _robust(loss: Loss, task: str) -> bool | None:
    """Whether what is far off pulls mildly; None where the question makes no sense, or nothing can be measured."""
    try:
        if task in ("regression", "counts"):  # beside an ordinary residual, an outlier farther and farther out
            near, far = (_pull(loss, np.array([2.0, 1.0 + residual])) for residual in (10.0, 1000.0))
            return bool(far[1] * near[0] <= 2.0 * near[1] * far[0]) if near[0] > 0 and far[0] > 0 else None
        if task in ("binary", "multiclass", "multilabel"):  # surer and surer of a wrong answer
            near, far = (_pull(loss, _wrong(loss, by)) for by in (5.0, 15.0))
            return bool(far.max() < 0.5 * near.max()) if near.max() > 0 else None
    except (IndexError, RuntimeError, TypeError, ValueError):  # a formula of another shape
        pass
    return None


def _wrong(loss: Loss, by: float) -> Any:
    """An output that is wrong, by so many logits."""
    spec = loss.declaration.arguments[0].specs[0]
    if "C" not in spec.axes or "BinaryTarget" in {s.domain.name for s in loss.declaration.arguments[1].specs}:
        z = np.full((1, 1), -by)
        return 1.0 / (1.0 + np.exp(-z)) if spec.domain.name == "Probability" else z
    z = np.array([[0.0, by, 0.0]])
    return z - np.log(np.exp(z).sum()) if spec.domain.name == "LogProbability" else z


def _pull(loss: Loss, outputs: Any) -> Any:
    """The size of the gradient of each output, against targets of 1 (the first class)."""
    x = Tensor(outputs, requires_grad=True)
    rest = []
    for argument in loss.declaration.arguments[1:]:
        domain = argument.specs[0].domain
        if argument.optional:
            continue
        if argument.name not in _AIMS:
            rest.append(Tensor(np.full(outputs.shape, domain.neutral)))
        elif domain.integers:
            whole = (1, 3) if domain.name == "LabelList" else (1,)
            rest.append(Tensor(np.where(np.arange(whole[-1]) > 0, -1, 0).reshape(whole)))
        else:
            rest.append(Tensor(np.ones(outputs.shape)))
    with enable_grad(), quiet(), warnings.catch_warnings(action="ignore"):
        loss(x, *rest, reduction="mean").backward()
    return np.abs(x.grad.array) if x.grad is not None else np.zeros(outputs.shape)
