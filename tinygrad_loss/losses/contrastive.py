"""Losses in which the examples of a batch are each other's positives and negatives.

All compare directions: the cosine of two embeddings, 0 for a zero vector. An anchor without a partner contributes 0
and does not count in the mean; in a batch without any the loss is 0, and says so.
"""

import math
from typing import Any

import numpy as np

from ..creation import arange
from ..dtypes import Array
from ..ops.activations import clamp, softplus
from ..ops.elementwise import eq
from ..ops.joining import cat
from ..ops.linalg import mm
from ..ops.masking import where
from ..ops.normalize import unit_
from ..ops.reduce import amax_, any, sum
from ..ops.shape import diagonal, reshape
from ..ops.stable import log_softmax_, logsumexp_
from ..tape import Tensor
from ._domains import Amount, Real
from ._labels import Group
from ._loss import PerExample, loss
from ._options import Positive, UnitInterval

_LARGE_SCALE = 1e4  # from here on float32 may overflow on the way, or magnify its rounding to an inf


def _directions(x: Tensor) -> Any:
    return unit_(x, dim=(1,), eps=0.0)


def _cosines(a: Tensor, b: Tensor) -> Any:
    return mm(_directions(a), _directions(b).t())


def _others(x: Any) -> Any:
    """A square without its diagonal, (n, n - 1): nobody is compared with itself."""
    n = x.shape[0]
    return x[:, :0] if n < 2 else x.reshape(-1)[1:].reshape(n - 1, n + 1)[:, :-1].reshape(n, n - 1)


def _below_largest(x: Tensor, dim: int) -> Any:
    """What a softmax does not tell from ``x``, and times a large scale overflows only where its loss does."""
    return x - amax_(x, dim=(dim,), keepdim=True).detach() if x.shape[0] else x


def _compare(embeddings: Tensor, labels: Tensor) -> tuple[Any, Any]:
    """The cosine with each other example, and whether it has the same label."""
    u = _directions(embeddings)  # once: of a tiny vector one gradient may overflow, two of opposite sign must not meet
    return _others(mm(u, u.t())), _others(eq(labels.unsqueeze(1), labels.unsqueeze(0)))


def _logsumexp_of(x: Any, chosen: Any) -> Any:
    """Over the chosen of each row; -inf where none is, with gradient 0."""
    none = ~any(chosen, 1, keepdim=True)
    return where(none, -math.inf, logsumexp_(where(chosen | none, x, -math.inf), dim=(1,), keepdim=True))


def _counted(count: Any) -> Any:
    """The shares in the mean; where no anchor has one, the mean of the zeros is 0."""
    return count + eq(sum(count), 0)


def _pair_losses(embeddings: Tensor, labels: Tensor, temperature: float) -> tuple[Any, Any]:
    """For each anchor the sum over its positives, and how many there are."""
    cosine, same = _compare(embeddings, labels)
    s = cosine / temperature
    # -log(exp(s) / (exp(s) + sum of the negatives' exp)) = softplus(logsumexp of the negatives - s)
    pairs = softplus(_logsumexp_of(s, ~same) - s)
    return sum(where(same, pairs, 0.0), 1), sum(same, 1)


@loss(mixes=True, module="NTXentLoss")
def nt_xent_loss(
    embeddings: Real[Tensor, "N D"], labels: Group[Tensor, "N"], *, temperature: Positive = 0.07
) -> PerExample:
    """Each pair of examples with one label against all negatives of its first, by softmax of cosines / temperature.

    The mean is over all ordered positive pairs; ``reduction="none"`` gives each anchor's sum over its pairs. An anchor
    without a positive has none: it contributes 0 and does not count. Without any pair the loss is 0, with a warning.
    Source: Sohn, "Improved deep metric learning with multi-class N-pair loss objective", 2016; as in optax.
    Accuracy: 5 ulp of the largest term, gradient 4.

    >>> F.nt_xent_loss(tensor([[1., 0.], [2., 1.], [0., 1.]]), tensor([0, 0, 1]), temperature=0.5)
    tensor(0.2487)
    """
    value, count = _pair_losses(embeddings, labels, temperature)
    return value, _counted(count)


@loss(mixes=True, module="SimCLRLoss")
def simclr_loss(input1: Real[Tensor, "N D"], input2: Real[Tensor, "N D"], *, temperature: Positive = 0.5) -> PerExample:
    """Two views of each example: each view has to find the other among all 2N - 1 others, by cosines / temperature.

    The loss of an example is the mean over its two views. Source: Chen, Kornblith, Norouzi, Hinton, "A simple
    framework for contrastive learning of visual representations", 2020.
    Accuracy: 5 ulp of the largest term, gradient 4.

    >>> F.simclr_loss(tensor([[1., 0.], [0., 1.]]), tensor([[2., 1.], [1., 3.]]))
    tensor(0.5479)
    """
    n = input1.shape[0]
    number = arange(n)
    value, _ = _pair_losses(cat([input1, input2]), cat([number, number]), temperature)
    return sum(reshape(value, (2, n)), 0) * 0.5


@loss(
    mixes=True,
    module="InfoNCELoss",
    order="query key temperature reduction negatives",
    module_order="temperature reduction",
)
def info_nce_loss(
    query: Real[Tensor, "N D"],
    key: Real[Tensor, "N D"],
    negatives: Real[Tensor, "K D"] | None = None,
    *,
    temperature: Positive = 0.07,
) -> PerExample:
    """Each query has to find its key among the keys of the batch, and of a queue of ``negatives`` (K, D) if given.

    The cross-entropy of the cosines / temperature. Source: van den Oord, Li, Vinyals, "Representation learning with
    contrastive predictive coding", 2018; the queue: He et al., "Momentum contrast", 2020.
    Accuracy: 4 ulp of the largest term, gradient 5.

    >>> F.info_nce_loss(tensor([[1., 0.], [0., 1.]]), tensor([[2., 1.], [1., 3.]]), temperature=0.5)
    tensor(0.2930)
    """
    s = _cosines(query, key if negatives is None else cat([key, negatives])) / temperature
    return -diagonal(log_softmax_(s, dim=1))


@loss(mixes=True, module="CLIPLoss", order="input1 input2 logit_scale reduction", module_order="reduction")
def clip_loss(
    input1: Real[Tensor, "N D"], input2: Real[Tensor, "N D"], logit_scale: Amount[Tensor, ""] | None = None
) -> PerExample:
    """Pairs of two kinds (image and text): each has to find its partner among the other kind, both ways.

    The mean of the cross-entropies of ``logit_scale`` times the cosines, along rows and along columns.
    ``logit_scale``: a 0-d tensor, learned as ``log_scale.exp()``; 1 / 0.07 without one. Source: Radford et al.,
    "Learning transferable visual models from natural language supervision", 2021.
    Accuracy: 4 ulp of the largest term, gradient 5.

    >>> F.clip_loss(tensor([[1., 0.], [0., 1.]]), tensor([[2., 1.], [1., 3.]]), tensor(2.0))
    tensor(0.2944)
    """
    if logit_scale is None:
        s = _cosines(input1, input2) * (1.0 / 0.07)
        return (diagonal(log_softmax_(s, dim=1)) + diagonal(log_softmax_(s, dim=0))) * -0.5
    a, b, scale = input1, input2, logit_scale
    if scale.item() > _LARGE_SCALE:
        a, b, scale = a.double(), b.double(), scale.double()
    cosine = _cosines(a, b)
    rows, columns = (diagonal(log_softmax_(_below_largest(cosine, dim) * scale, dim=dim)) for dim in (1, 0))
    return (rows * -0.5 - columns * 0.5).to(input1.dtype)


@loss(mixes=True, module="SupConLoss")
def supcon_loss(
    embeddings: Real[Tensor, "N D"], labels: Group[Tensor, "N"], *, temperature: Positive = 0.1
) -> PerExample:
    """The mean over an anchor's positives of -log softmax(cosines / temperature) over all other examples.

    The mean is over the anchors that have a positive; the others contribute 0. Without any the loss is 0, with a
    warning. Source: Khosla et al., "Supervised contrastive learning", 2020, equation 2.
    Accuracy: 4 ulp of the largest term, gradient 5.

    >>> F.supcon_loss(tensor([[1., 0.], [2., 1.], [0., 1.]]), tensor([0, 0, 1]), temperature=0.5)
    tensor(0.2487)
    """
    cosine, same = _compare(embeddings, labels)
    log_p, count = log_softmax_(cosine / temperature, dim=1), sum(same, 1)
    return -sum(where(same, log_p, 0.0), 1) / clamp(count, min=1), _counted(count > 0)


@loss(mixes=True)
def circle_loss(
    embeddings: Real[Tensor, "N D"], labels: Group[Tensor, "N"], *, margin: UnitInterval = 0.4, gamma: Positive = 80.0
) -> PerExample:
    """log(1 + sum_n exp(gamma a_n (s_n - margin)) * sum_p exp(-gamma a_p (s_p - 1 + margin))), s cosines.

    The weights a_n = max(s_n + margin, 0) and a_p = max(1 + margin - s_p, 0) take part in the gradient, as in Keras
    (pytorch-metric-learning holds them fixed). The mean is over the anchors that have a positive and a negative; the
    others contribute 0. Without any the loss is 0. Source: Sun et al., "Circle loss", 2020.
    Accuracy: 5 ulp of the largest term, gradient 2.

    >>> F.circle_loss(tensor([[1., 0.], [2., 1.], [0., 1.]]), tensor([0, 0, 1]), gamma=4.0)
    tensor(0.3771)
    """
    s, same = _compare(embeddings, labels)
    near = clamp(1.0 + margin - s, min=0.0) * (1.0 - margin - s) * gamma
    far = clamp(s + margin, min=0.0) * (s - margin) * gamma
    value = softplus(_logsumexp_of(near, same) + _logsumexp_of(far, ~same)).squeeze(1)
    return value, _counted(any(same, 1) & any(~same, 1))


@loss(mixes=True)
def multi_similarity_loss(
    embeddings: Real[Tensor, "N D"],
    labels: Group[Tensor, "N"],
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base: UnitInterval = 0.5,
) -> PerExample:
    """log(1 + sum_p exp(-alpha (s_p - base))) / alpha + log(1 + sum_n exp(beta (s_n - base))) / beta, s cosines.

    Every anchor counts in the mean; without positives or negatives that term is 0. Source: Wang et al.,
    "Multi-similarity loss with general pair weighting for deep metric learning", 2019.
    Accuracy: 5 ulp of the largest term, gradient 4.

    >>> F.multi_similarity_loss(tensor([[1., 0.], [2., 1.], [0., 1.]]), tensor([0, 0, 1]))
    tensor(0.1258)
    """
    s, same = _compare(embeddings, labels)
    near, far = _logsumexp_of((base - s) * alpha, same), _logsumexp_of((s - base) * beta, ~same)
    return (softplus(near) / alpha + softplus(far) / beta).squeeze(1)


@nt_xent_loss.advises
@supcon_loss.advises
@circle_loss.advises
@multi_similarity_loss.advises
def _lonely(arrays: dict[str, Array | None], options: dict[str, Any]) -> str | None:
    labels = arrays["labels"]
    if labels is None or labels.size < 2 or len(np.unique(labels)) < labels.size:
        return None
    return (
        f"no two of the {labels.size} labels are equal, so no example has a positive to come close to; draw batches "
        "with at least two examples of a class"
    )
