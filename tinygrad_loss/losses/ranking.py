"""Losses of lists: the scores shall order the items as their relevance does."""

import math
from typing import Any

from ..creation import arange
from ..ops.activations import softplus
from ..ops.elementwise import gt, le
from ..ops.gathering import take_along_dim
from ..ops.masking import where
from ..ops.ordering import argsort
from ..ops.reduce import any, sum
from ..ops.shape import diagonal
from ..ops.stable import log_softmax_, times_log
from ..tape import Tensor
from ._domains import Amount, Real, Weight
from ._labels import Mask, Order
from ._loss import PerExample, loss
from ._reductions import Terms


def _kept(x: Tensor, mask: Tensor | None, other: float) -> Any:
    return x if mask is None else where(mask, x, other)


def _log_softmax_of(scores: Any, kept: Any) -> Any:
    """Over the kept of each row; where none is, over all, so that nothing is nan."""
    last = scores.ndim - 1
    return log_softmax_(where(kept | ~any(kept, last, keepdim=True), scores, -math.inf), dim=last)


@loss(
    module="ListNetLoss",
    order="scores relevance weight mask reduction",
    module_order="reduction",
)
def ranking_softmax_loss(
    scores: Real[Tensor, "... K"],
    relevance: Amount[Tensor, "... K"],
    weight: Weight[Tensor, "... K"] | None = None,
    mask: Mask[Tensor, "... K"] | None = None,
) -> PerExample:
    """-sum of relevance * log_softmax(scores) over each list (the last axis): ListNet's top-one cross-entropy.

    The relevances, >= 0, are taken as they are: divide them by their sum for probabilities. ``weight`` multiplies
    them. ``mask``: True for the items that count; the others have no part in the softmax, whatever their values. The
    mean is over the lists that have such an item. Raises ValueError for a relevance below 0. Source: Cao, Qin, Liu,
    Tsai, Li, "Learning to rank: from pairwise approach to listwise approach", 2007; as in optax.
    Accuracy: 3 ulp of the largest term, gradient 6.

    >>> F.ranking_softmax_loss(tensor([2., 1., 3.]), tensor([1., 0., 0.]))
    tensor(1.4076)
    """
    share, s = _kept(relevance, mask, 0.0).double(), scores.double()  # float32 overflows in their product, and its sum
    if weight is not None:
        share = share * weight.double()
    last = scores.ndim - 1
    if mask is None:
        return -sum(times_log(share, log_softmax_(s, dim=last)), last).to(scores.dtype)
    log_p = _log_softmax_of(_kept(s, mask, 0.0), mask)
    return -sum(times_log(share, log_p), last).to(scores.dtype), any(mask, last)


@loss(module="RankNetLoss", order="scores relevance mask reduction", module_order="reduction")
def ranknet_loss(
    scores: Real[Tensor, "... K"], relevance: Order[Tensor, "... K"], mask: Mask[Tensor, "... K"] | None = None
) -> PerExample:
    """log(1 + exp(s_j - s_i)) for each pair of a list with relevance_i > relevance_j: the better shall score higher.

    The mean is over all such pairs; ``reduction="none"`` gives each list's sum. Without any pair the loss is 0.
    ``mask``: True for the items that count. Raises ValueError for a relevance that is nan. Source: Burges et al.,
    "Learning to rank using gradient descent", 2005.
    Accuracy: 3 ulp of the largest term, gradient 3.

    >>> F.ranknet_loss(tensor([2., 1., 3.]), tensor([1., 0., 0.]))
    tensor(0.8133)
    """
    s, r = _kept(scores, mask, 0.0), _kept(relevance, mask, 0.0)
    better = gt(r.unsqueeze(-1), r.unsqueeze(-2))
    if mask is not None:
        better = better & mask.unsqueeze(-1) & mask.unsqueeze(-2)
    pairs = softplus(s.unsqueeze(-2) - s.unsqueeze(-1))
    return Terms(sum(where(better, pairs, 0.0), (-2, -1)), share=sum(better, (-2, -1)), empty=0.0)


@loss(module="ListMLELoss", order="scores relevance mask reduction", module_order="reduction")
def listmle_loss(
    scores: Real[Tensor, "... K"], relevance: Order[Tensor, "... K"], mask: Mask[Tensor, "... K"] | None = None
) -> PerExample:
    """Minus the log-probability of the true order (relevance descending) when items are drawn one by one by softmax.

    Items of equal relevance count in the order given. ``mask``: True for the items that count; the mean is over the
    lists that have one. Memory grows with the square of the list. Raises ValueError for a relevance that is nan.
    Source: Xia, Liu, Wang, Zhang, Li, "Listwise approach to learning to rank", 2008.
    Accuracy: 3 ulp of the largest term, gradient 4.

    >>> F.listmle_loss(tensor([2., 1., 3.]), tensor([2., 0., 1.]))
    tensor(1.5345)
    """
    last, items = scores.ndim - 1, arange(scores.shape[-1])
    order = argsort(_kept(relevance, mask, -math.inf), last, descending=True)
    s = take_along_dim(_kept(scores, mask, 0.0), order, last)
    left = le(items.unsqueeze(1), items)  # at draw k, the items k, k + 1, ...
    if mask is None:
        return -sum(diagonal(log_softmax_(where(left, s.unsqueeze(-2), -math.inf), dim=last + 1), 0, -2, -1), last)
    kept = take_along_dim(mask, order, last)
    log_p = diagonal(_log_softmax_of(s.unsqueeze(-2), left & kept.unsqueeze(-2)), 0, -2, -1)
    return -sum(where(kept, log_p, 0.0), last), any(mask, last)
