"""Losses of scores or probabilities against classes."""

from typing import Any

from ..ops.gathering import pick
from ..ops.reduce import sum_
from ..ops.shape import reshape
from ..ops.stable import binary_log_likelihood, log_softmax_, logsigmoid, times_log
from ..tape import Tensor
from ._domains import BinaryProbability, Log, Logit, Logits, Probability, Simplex, Weight
from ._labels import Label
from ._loss import PerElement, PerExample, loss
from ._options import IgnoreIndex, UnitInterval


def _along_classes(weight: Tensor, ndim: int) -> Any:
    """(C,) as (1, C, 1, ...)."""
    return reshape(weight, (1, -1) + (1,) * (ndim - 2))


def _negative(log_p: Tensor, target: Tensor, weight: Tensor | None) -> PerExample:
    """Minus the log-probability of the target class, weighted by that class."""
    picked = -pick(log_p, target, 1)
    if weight is None:
        return picked
    share = weight[target.long()]
    return picked * share, share


@loss(module="NLLLoss", order="input target weight size_average ignore_index reduce reduction")
def nll_loss(
    input: Log[Tensor, "[N] C *"],
    target: Label[Tensor, "[N] *"],
    weight: Weight[Tensor, "C"] | None = None,
    *,
    ignore_index: IgnoreIndex = -100,
) -> PerExample:
    """Minus the log-probability of the target class. The mean divides by the weights of the targets kept.

    ``input`` (C), (N, C) or (N, C, d1...): log-probabilities. ``target`` () , (N) or (N, d1...): indices.
    Raises IndexError for an index outside 0..C-1, ValueError for log-probabilities above 0.

    >>> F.nll_loss(tensor([[0.75, 0.25], [0.5, 0.5]]).log(), tensor([0, 1]))
    tensor(0.4904)
    """
    return _negative(input, target, weight)


@loss(
    module="CrossEntropyLoss",
    order="input target weight size_average ignore_index reduce reduction label_smoothing",
    node="NllLoss",
)
def cross_entropy(
    input: Logits[Tensor, "[N] C *"],
    target: Label[Tensor, "[N] *"] | Simplex[Tensor, "[N] C *"],
    weight: Weight[Tensor, "C"] | None = None,
    *,
    ignore_index: IgnoreIndex = -100,
    label_smoothing: UnitInterval = 0.0,
) -> PerExample:
    """The negative log-likelihood of classes given as indices or probabilities, from logits.

    ``input`` (C), (N, C) or (N, C, d1...): logits. ``target``: indices without the class axis, or
    probabilities of the input's shape. The mean divides by the weights of the indices kept; for
    probabilities by the number of examples. Raises IndexError for an index outside 0..C-1.

    >>> F.cross_entropy(tensor([[1., 2., 3.], [1., 2., 3.]]), tensor([2, 0]))
    tensor(1.4076)
    """
    classes = input.shape[1]
    log_p = log_softmax_(input, dim=1)
    column = None if weight is None else _along_classes(weight, input.ndim)
    if target.dtype.is_floating_point:
        if ignore_index >= 0:
            raise RuntimeError(
                f"cross_entropy: ignore_index={ignore_index} is not supported for class probabilities; give the rows "
                "to leave out a weight of 0, or use class indices"
            )
        smooth = target * (1.0 - label_smoothing) + label_smoothing / classes if label_smoothing else target
        terms = times_log(smooth, log_p)
        return -sum_(terms if column is None else terms * column, dim=(1,), keepdim=False)
    found = _negative(log_p, target, weight)
    if not label_smoothing:
        return found
    value, share = found if isinstance(found, tuple) else (found, None)
    even = -sum_(log_p if column is None else log_p * column, dim=(1,), keepdim=False)
    value = value * (1.0 - label_smoothing) + even * (label_smoothing / classes)
    return value if share is None else (value, share)


@loss(module="BCELoss", order="input target weight size_average reduce reduction")
def binary_cross_entropy(
    input: Probability[Tensor, "..."],
    target: BinaryProbability[Tensor, "..."],
    weight: Weight[Tensor, "broadcast"] | None = None,
) -> PerElement:
    """The negative log-likelihood of yes-or-no targets, from probabilities. Prefer the form with logits.

    Logarithms are clamped at -100 and the gradient is (p - t) / max(p (1 - p), 1e-12), as in torch.
    Raises RuntimeError for an input or target outside [0, 1].

    >>> F.binary_cross_entropy(tensor([0.75, 0.25]), tensor([1., 0.]))
    tensor(0.2877)
    """
    error = -binary_log_likelihood(input, target)
    return error if weight is None else weight * error


@loss(
    module="BCEWithLogitsLoss",
    order="input target weight size_average reduce reduction pos_weight",
    node="BinaryCrossEntropyWithLogits",
)
def binary_cross_entropy_with_logits(
    input: Logit[Tensor, "..."],
    target: BinaryProbability[Tensor, "..."],
    weight: Weight[Tensor, "broadcast"] | None = None,
    pos_weight: Weight[Tensor, "broadcast"] | None = None,
) -> PerElement:
    """The negative log-likelihood of yes-or-no targets, from logits.

    ``pos_weight`` multiplies the term of the positive class and broadcasts against the target.
    Raises RuntimeError for a target outside [0, 1].

    >>> F.binary_cross_entropy_with_logits(tensor([1.5, -0.8, 3.2]), tensor([1., 0., 1.]))
    tensor(0.2042)
    """
    # log(1 - sigmoid(x)) = logsigmoid(-x): each side keeps its digits, and an absent side adds an exact 0
    yes = times_log(target if pos_weight is None else target * pos_weight, logsigmoid(input))
    error = -(yes + times_log(1.0 - target, logsigmoid(-input)))
    return error if weight is None else weight * error
