"""Cross-entropy reshaped: less for what is easy (focal), less for what is wrong (generalized), exact zeros (sparsemax).

Each is a function of log-probabilities that keep their digits, so that 1 - p = -expm1(log p) keeps them too.
"""

from typing import Any

from ..ops.elementwise import eq, expm1, sigmoid, square
from ..ops.gathering import pick
from ..ops.masking import where
from ..ops.ordering import argmax_
from ..ops.reduce import amax_, sum_
from ..ops.simplex import sparsemax_
from ..ops.stable import between, log_softmax_, share_power
from ..tape import Tensor
from ._domains import BinaryProbability, Logit, Logits, Real, Simplex, Weight
from ._labels import Label
from ._loss import PerElement, PerExample, loss
from ._options import IgnoreIndex, MaybeUnitInterval, NonNegative, Number, UnitInterval
from .classification import binary_error, consistent_classes, expected
from .margin import own_class

_FAR = 1000.0  # beyond, every probability is 0 or 1


def _near(score: Tensor) -> Any:
    """A score, or _FAR where it lies beyond: there no probability moves, however large what it multiplies is."""
    return where(score > _FAR, _FAR, where(score < -_FAR, -_FAR, score))


@loss(order="input target alpha gamma reduction", module="SigmoidFocalLoss")
def sigmoid_focal_loss(
    input: Logit[Tensor, "..."],
    target: BinaryProbability[Tensor, "..."],
    *,
    alpha: MaybeUnitInterval = None,
    gamma: NonNegative = 2.0,
) -> PerElement:
    """(1 - p)**gamma * binary_cross_entropy_with_logits, where p is the probability of the right answer.

    ``alpha`` weighs the positive class, 1 - alpha the negative one (torchvision's defaults: 0.25, and no reduction).
    A target between 0 and 1 averages p and alpha. Raises RuntimeError for a target outside [0, 1].
    Source: Lin et al., "Focal loss for dense object detection", 2017.
    Accuracy: 16 ulp of the largest term, gradient 16.

    >>> F.sigmoid_focal_loss(tensor([3., -1.]), tensor([1., 1.]), reduction="none")
    tensor([1.0928e-04, 7.0187e-01])
    """
    score = _near(input)
    missed = between(target, sigmoid(score), sigmoid(-score))  # 1 - p without a difference
    error = share_power(missed, exponent=gamma) * binary_error(input, target)
    return error if alpha is None else (alpha * target + (1.0 - alpha) * (1.0 - target)) * error


@loss(order="input target gamma weight ignore_index label_smoothing reduction", module="FocalLoss")
def focal_loss(
    input: Logits[Tensor, "[N] C *"],
    target: Label[Tensor, "[N] *"] | Simplex[Tensor, "[N] C *"],
    weight: Weight[Tensor, "C"] | None = None,
    *,
    gamma: NonNegative = 2.0,
    ignore_index: IgnoreIndex = -100,
    label_smoothing: UnitInterval = 0.0,
) -> PerExample:
    """cross_entropy whose log p of each class is weighed by (1 - p)**gamma; ``gamma=0`` is cross_entropy.

    Targets, weights, smoothing and the mean's divisor are those of cross_entropy. Raises IndexError for an index
    outside 0..C-1. Source: Lin et al., "Focal loss for dense object detection", 2017.
    Accuracy: 12 ulp of the largest term, gradient 12.

    >>> F.focal_loss(tensor([[1., 2., 3.], [1., 2., 3.]]), tensor([2, 0]))
    tensor(1.0196)
    """

    def modulated(log_p: Tensor) -> Any:
        return share_power(-expm1(_near(log_p)), exponent=gamma) * log_p

    return expected(log_softmax_(input, dim=1), target, weight, label_smoothing, modulated)


@loss(order="input target epsilon reduction", module="PolyLoss")
def poly_loss(
    input: Logits[Tensor, "[N] C *"],
    target: Label[Tensor, "[N] *"] | Simplex[Tensor, "[N] C *"],
    *,
    epsilon: Number = 1.0,
) -> PerExample:
    """cross_entropy + epsilon * (1 - p), p the probability of the target: its first coefficient is another.

    Raises IndexError for an index outside 0..C-1. Source: Leng et al., "PolyLoss", 2022 (Poly-1).
    Accuracy: 4 ulp of the largest term, gradient 5.

    >>> F.poly_loss(tensor([[1., 2., 3.], [1., 2., 3.]]), tensor([2, 0]))
    tensor(2.0300)
    """
    return expected(log_softmax_(input, dim=1), target, None, 0.0, lambda log_p: log_p + epsilon * expm1(log_p))


@loss(order="input target q reduction", module="GeneralizedCrossEntropyLoss")
def generalized_cross_entropy(
    input: Logits[Tensor, "[N] C *"], target: Label[Tensor, "[N] *"], *, q: UnitInterval = 0.5
) -> PerExample:
    """(1 - p**q) / q, p the probability of the target class: bounded, so that wrong labels do less harm.

    ``q=0`` is the limit, cross_entropy; ``q=1`` is 1 - p, half the mean absolute error of the probabilities. Raises
    IndexError for an index outside 0..C-1. Source: Zhang and Sabuncu, "Generalized cross entropy loss for training
    deep neural networks with noisy labels", 2018.
    Accuracy: 5 ulp of the largest term, gradient 5.

    >>> F.generalized_cross_entropy(tensor([[1., 2., 3.], [1., 2., 3.]]), tensor([2, 0]))
    tensor(0.8843)
    """
    log_p = pick(log_softmax_(input, dim=1), target, 1)
    return -log_p if q < 1e-37 else -expm1(q * log_p) / q  # float32 cannot divide by less


@loss(order="input target reduction", module="SparsemaxLoss")
def sparsemax_loss(input: Real[Tensor, "[N] C *"], target: Label[Tensor, "[N] *"]) -> PerExample:
    """The loss whose gradient is sparsemax(input) - one_hot(target): exactly 0 once the own score leads by 1.

    Raises IndexError for a class outside 0..C-1. Source: Martins and Astudillo, "From softmax to sparsemax", 2016.
    Accuracy: 2 ulp of the largest term, gradient 1.

    >>> F.sparsemax_loss(tensor([[1., 1.5, -1.], [1., 2.5, -1.]]), tensor([0, 1]), reduction="none")
    tensor([0.5625, 0.0000])
    """
    input = input - amax_(input, dim=(1,), keepdim=True).detach()  # an offset in common changes nothing but the digits
    p = sparsemax_(input, dim=1)
    top = argmax_(input, dim=1, keepdim=False)
    threshold = pick(input, top, 1) - pick(p, top, 1)  # what is above it has a probability
    beyond = where(eq(pick(p, target, 1), 0.0), threshold - pick(input, target, 1), 0.0)
    return 0.5 * sum_(square(p - own_class(input, target)), dim=(1,), keepdim=False) + beyond


for _made in (focal_loss, poly_loss):
    _made.matches(consistent_classes(_made.name))
