"""Losses of scores that have to be right by a margin: against signs, classes, lists of classes, and each other.

A hinge has two derivatives at its tie, and torch uses both: 1 where it clamps, 0 in its multi-class kernels.
"""

import math
from typing import Any

from ..ops.activations import hinge
from ..ops.elementwise import eq, lt, ne, square
from ..ops.gathering import gather, pick
from ..ops.masking import one_hot, where
from ..ops.reduce import amax_, any_, mean_, sum_
from ..ops.running import cumsum_
from ..ops.shape import movedim
from ..ops.stable import logsigmoid, times_log
from ..tape import Tensor
from ._domains import Real, Weight
from ._labels import Label, LabelList, Sign
from ._loss import PerElement, PerExample, loss
from ._options import Number, OneOrTwo, Switch


def own_class(input: Tensor, target: Tensor) -> Any:
    """True at the target's class, False at the others, in the shape of ``input`` (N, C, ...)."""
    return movedim(ne(one_hot(target, input.shape[1]), 0), -1, 1)


@loss(order="input target size_average reduce reduction", module="SoftMarginLoss")
def soft_margin_loss(input: Real[Tensor, "..."], target: Sign[Tensor, "..."]) -> PerElement:
    """log(1 + exp(-target * input)), the logistic loss for targets +1 and -1.

    Finite for every finite input, where torch overflows. Raises ValueError for another target.
    Accuracy: 2 ulp, gradient 3.

    >>> F.soft_margin_loss(tensor([2., -1000.]), tensor([1., 1.]), reduction="none")
    tensor([1.2693e-01, 1.0000e+03])
    """
    return -logsigmoid(target * input)


@loss(order="input target margin size_average reduce reduction", module="HingeEmbeddingLoss")
def hinge_embedding_loss(
    input: Real[Tensor, "..."], target: Sign[Tensor, "..."], *, margin: Number = 1.0
) -> PerElement:
    """A distance ``input`` between two things: itself where ``target`` is 1, max(0, margin - input) where it is -1.

    The slope at the hinge is -1, as in torch. Raises ValueError for a target other than +1 and -1.
    Accuracy: 1 ulp of the largest term, gradient 0.

    >>> F.hinge_embedding_loss(tensor([0.5, 0.5, 2.]), tensor([1., -1., -1.]), reduction="none")
    tensor([0.5000, 0.5000, 0.0000])
    """
    similar, unlike = 0.5 + 0.5 * target, 0.5 - 0.5 * target  # 1 and 0, or 0 and 1
    return times_log(similar, input) + times_log(unlike, hinge(margin - input, tie=1.0))


@loss(order="input1 input2 target margin size_average reduce reduction", module="MarginRankingLoss")
def margin_ranking_loss(
    input1: Real[Tensor, "..."], input2: Real[Tensor, "..."], target: Sign[Tensor, "..."], *, margin: Number = 0.0
) -> PerElement:
    """max(0, margin - target * (input1 - input2)): ``input1`` should be the larger where ``target`` is 1.

    At the hinge the derivative is that of the sloping side, as in torch. Raises ValueError for a target other than
    +1 and -1.
    Accuracy: 2 ulp of the largest term, gradient 0.

    >>> F.margin_ranking_loss(tensor([3., 1.]), tensor([1., 3.]), tensor([1., 1.]), margin=0.5)
    tensor(1.2500)
    """
    return hinge(margin - (target * input1 - target * input2), tie=1.0)


@loss(order="input target p margin weight size_average reduce reduction", module="MultiMarginLoss")
def multi_margin_loss(
    input: Real[Tensor, "[N] C"],
    target: Label[Tensor, "[N]"],
    weight: Weight[Tensor, "C"] | None = None,
    *,
    p: OneOrTwo = 1,
    margin: Number = 1.0,
) -> PerExample:
    """max(0, margin - own score + other score)**p, summed over the other classes and divided by C.

    ``weight``: of the target's class, outside the power; the mean divides by N all the same. The derivative at the
    hinge is 0, as in torch. Raises IndexError for a class outside 0..C-1.
    Accuracy: 4 ulp of the largest term, gradient 3.

    >>> F.multi_margin_loss(tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([3]))
    tensor(0.3250)
    """
    gap = input - pick(input, target, 1).unsqueeze(1) + margin
    share = None if weight is None else weight[target.long()]
    if share is not None:  # a class of weight 0 does not count, even where its gap overflows
        gap = times_log(ne(share, 0).unsqueeze(1), gap)
    error = hinge(where(own_class(input, target), 0.0, gap), tie=0.0)
    error = mean_(error if p == 1 else square(error), dim=(1,), keepdim=False)
    return error if share is None else times_log(share, error)


@loss(order="input target size_average reduce reduction", module="MultiLabelMarginLoss")
def multilabel_margin_loss(input: Real[Tensor, "[N] C"], target: LabelList[Tensor, "[N] C"]) -> PerExample:
    """max(0, 1 - score of a class listed + score of one that is not), summed over all such pairs, divided by C.

    A row of ``target`` lists classes up to its first -1; what follows does not count. The derivative at the hinge
    is 0, as in torch. Raises IndexError for a class outside 0..C-1, ValueError for one listed twice.
    Accuracy: 4 ulp of the largest term, gradient 2.

    >>> F.multilabel_margin_loss(tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    classes = input.shape[1]
    listed = eq(cumsum_(lt(target, 0), dim=1, reverse=False), 0)
    longest = int(sum_(listed, dim=(1,), keepdim=False).max()) if input.shape[0] else 0  # no pair needs more columns
    listed, labels = listed[:, :longest], where(listed, target, 0)[:, :longest]
    member = any_(one_hot(labels, classes) * listed.unsqueeze(2), dim=(1,), keepdim=False)
    gap = 1.0 - gather(input, 1, labels).unsqueeze(2) + input.unsqueeze(1)  # (N, listed, C)
    pairs = listed.unsqueeze(2) & ~member.unsqueeze(1)
    return sum_(hinge(where(pairs, gap, 0.0), tie=0.0), dim=(1, 2), keepdim=False) / classes


@loss
def hinge_loss(input: Real[Tensor, "..."], target: Sign[Tensor, "..."], *, squared: Switch = False) -> PerElement:
    """max(0, 1 - target * input), or its square: the loss of a support vector machine, for targets +1 and -1.

    At the hinge the derivative is that of the sloping side. Raises ValueError for another target (for 0 and 1 use
    2 * target - 1). Source: Cortes and Vapnik, "Support-vector networks", 1995.
    Accuracy: 3 ulp, gradient 1.

    >>> F.hinge_loss(tensor([0.5, -2., 3.]), tensor([1., 1., 1.]), reduction="none")
    tensor([0.5000, 3.0000, 0.0000])
    """
    error = hinge(1.0 - target * input, tie=1.0)
    return square(error) if squared else error


@loss
def perceptron_loss(input: Real[Tensor, "..."], target: Sign[Tensor, "..."]) -> PerElement:
    """max(0, -target * input): what is wrong counts as far as it is wrong, for targets +1 and -1.

    A score of 0 counts as wrong: the derivative there is -target. Raises ValueError for another target.
    Source: Rosenblatt, "The perceptron", 1958.
    Accuracy: 0 ulp, gradient 0.

    >>> F.perceptron_loss(tensor([0.5, -2.]), tensor([1., 1.]), reduction="none")
    tensor([0., 2.])
    """
    return hinge(-target * input, tie=1.0)


@loss
def categorical_hinge_loss(
    input: Real[Tensor, "[N] C *"], target: Label[Tensor, "[N] *"], *, against_zero: Switch = False
) -> PerExample:
    """max(0, 1 + the best other score - own score), the multi-class hinge of Crammer and Singer.

    ``against_zero``: 0 competes with the other scores, as in Keras, so that the own score has to be above 1 even if
    all others are negative. Ties of the best share the gradient; at the hinge the derivative is that of the sloping
    side. Raises IndexError for a class outside 0..C-1.
    Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001.
    Accuracy: 1 ulp of the largest term, gradient 0.

    >>> F.categorical_hinge_loss(tensor([[0.5, 2., -1.], [0.5, 2., -1.]]), tensor([0, 1]), reduction="none")
    tensor([2.5000, 0.0000])
    """
    others = where(own_class(input, target), 0.0 if against_zero else -math.inf, input)
    best = amax_(others, dim=(1,), keepdim=False)
    return hinge(best - pick(input, target, 1) + 1.0, tie=1.0)
