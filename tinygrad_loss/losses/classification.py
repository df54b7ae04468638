"""Losses of scores or probabilities against classes."""

from collections.abc import Callable
from typing import Any

from ..ops.elementwise import isnan
from ..ops.gathering import pick
from ..ops.masking import where
from ..ops.reduce import mean_, sum_
from ..ops.shape import reshape
from ..ops.stable import binary_log_likelihood, clip_infinite, log_softmax_, logsigmoid, times_log
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
    return _weighted(-pick(log_p, target, 1), target, weight)


def _weighted(value: Tensor, target: Tensor, weight: Tensor | None, part: float = 1.0) -> PerExample:
    if weight is None:
        return value if part == 1.0 else times_log(part, value)
    share = weight[target.long()]
    return times_log(share if part == 1.0 else share * part, value), share


def expected(
    log_p: Tensor,
    target: Tensor,
    weight: Tensor | None,
    label_smoothing: float,
    change: Callable[[Tensor], Tensor] | None = None,
) -> PerExample:
    """Minus the log-probabilities, or what ``change`` makes of them (0 of 0), on average over the target."""
    classes = log_p.shape[1]
    column = None if weight is None else _along_classes(weight, log_p.ndim)
    if target.dtype.is_floating_point:
        smooth = target
        if label_smoothing:
            own = target * (1.0 - label_smoothing) if label_smoothing < 1.0 else where(isnan(target), target, 0.0)
            smooth = own + label_smoothing / classes
        share = smooth if column is None else smooth * column
        # 0 * -inf is 0: what cannot be and is not expected has no part
        terms = times_log(share, log_p if change is None else change(clip_infinite(log_p, share)))
        return -sum_(terms, dim=(1,), keepdim=False)
    picked = pick(log_p, target, 1)
    found = _weighted(-(picked if change is None else change(picked)), target, weight, 1.0 - label_smoothing)
    if not label_smoothing:
        return found
    part = label_smoothing / classes  # multiplied in before the sum, which could overflow
    terms = log_p if change is None else change(log_p)
    even = -sum_(terms * part if column is None else times_log(column * part, terms), dim=(1,), keepdim=False)
    return (found[0] + even, found[1]) if isinstance(found, tuple) else found + even


def consistent_classes(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """The check of scores, targets and ``ignore_index`` together."""

    def check(arrays: dict[str, Any], options: dict[str, Any]) -> None:
        if arrays["target"].dtype.kind != "f":
            return
        if arrays["input"].dtype.kind != "f":
            raise RuntimeError(
                f"{name}: input has dtype {arrays['input'].dtype} and target {arrays['target'].dtype}: are input and "
                f"target swapped? It is {name}(logits, target)"
            )
        if options.get("ignore_index", -1) >= 0:
            raise RuntimeError(
                f"{name}: ignore_index={options['ignore_index']} is not supported for class probabilities; give the "
                "rows to leave out a weight of 0, or use class indices"
            )

    return check


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
    Accuracy: 1 ulp, gradient 1.

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
    Accuracy: 4 ulp of the largest term, gradient 6.

    >>> F.cross_entropy(tensor([[1., 2., 3.], [1., 2., 3.]]), tensor([2, 0]))
    tensor(1.4076)
    """
    return expected(log_softmax_(input, dim=1), target, weight, label_smoothing)


cross_entropy.matches(consistent_classes("cross_entropy"))


@loss(module="BCELoss", order="input target weight size_average reduce reduction")
def binary_cross_entropy(
    input: Probability[Tensor, "..."],
    target: BinaryProbability[Tensor, "..."],
    weight: Weight[Tensor, "broadcast"] | None = None,
) -> PerElement:
    """The negative log-likelihood of yes-or-no targets, from probabilities. Prefer the form with logits.

    Logarithms are clamped at -100 and the gradient is (p - t) / max(p (1 - p), 1e-12), as in torch; in float32, 1 - p
    counts at least 3e-8 there.
    Raises RuntimeError for an input or target outside [0, 1].
    Accuracy: 5 ulp, gradient 4.

    >>> F.binary_cross_entropy(tensor([0.75, 0.25]), tensor([1., 0.]))
    tensor(0.2877)
    """
    error = -binary_log_likelihood(input, target)
    return error if weight is None else weight * error


@binary_cross_entropy.advises
def _swapped(arrays: dict[str, Any], options: dict[str, Any]) -> str | None:
    certain, target = (((x == 0) | (x == 1)).all() for x in (arrays["input"], arrays["target"]))
    if certain and not target:
        return "input holds only 0 and 1 and target does not: are input and target swapped?"
    return None


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
    Accuracy: 3 ulp of the largest term, gradient 4.

    >>> F.binary_cross_entropy_with_logits(tensor([1.5, -0.8, 3.2]), tensor([1., 0., 1.]))
    tensor(0.2042)
    """
    return binary_error(input, target, weight, pos_weight)


@loss(
    module="MultiLabelSoftMarginLoss",
    order="input target weight size_average reduce reduction",
)
def multilabel_soft_margin_loss(
    input: Logit[Tensor, "... C"],
    target: BinaryProbability[Tensor, "... C"],
    weight: Weight[Tensor, "broadcast"] | None = None,
) -> PerExample:
    """binary_cross_entropy_with_logits of each class (the last axis), averaged over them; ``weight`` broadcasts.

    Raises RuntimeError for a target outside [0, 1].
    Accuracy: 4 ulp of the largest term, gradient 5.

    >>> F.multilabel_soft_margin_loss(tensor([[1.5, -0.8, 3.2]]), tensor([[1., 0., 1.]]))
    tensor(0.2042)
    """
    return mean_(binary_error(input, target, weight), dim=(input.ndim - 1,), keepdim=False)


def binary_error(input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None) -> Any:
    """The negative log-likelihood of yes-or-no targets, from logits."""
    yes, no = target, 1.0 - target
    if weight is not None:  # before the logarithms, so that a small one keeps the product from overflowing
        no = no * weight
        pos_weight = weight if pos_weight is None else weight * pos_weight
    if pos_weight is not None:
        yes = yes * pos_weight
    # log(1 - sigmoid(x)) = logsigmoid(-x): each side keeps its digits, and an absent side adds an exact 0
    return -(times_log(yes, logsigmoid(input)) + times_log(no, logsigmoid(-input)))
