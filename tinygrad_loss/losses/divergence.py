"""Distances between distributions."""

from typing import Any

from ..ops.activations import clamp
from ..ops.curves import expm2, js_cost, rate_gap
from ..ops.elementwise import exp
from ..ops.gathering import pick
from ..ops.masking import where
from ..ops.reduce import amax_, sum_
from ..ops.stable import log_softmax_, times_log, xlogy
from ..tape import Tensor
from ._domains import Amount, Distribution, Log, Logits, Real
from ._labels import Label
from ._loss import PerElement, PerExample, loss
from ._options import MaybeUnitInterval, Positive, Switch


@loss(module="KLDivLoss", order="input target size_average reduce reduction log_target", batchmean=True)
def kl_div(input: Log[Tensor, "..."], target: Distribution[Tensor, "..."], *, log_target: Switch = False) -> PerElement:
    """target * (log target - input), the terms of KL(target || exp(input)); 0 log 0 is 0.

    ``reduction="batchmean"`` is the divergence per example; ``"mean"`` divides by every element, which is
    1/C of it, and warns. Raises ValueError for an input above 0 or a negative target. The derivative by a target of
    0 is -input: its 0 log 0 counts as constant, where the limit is -inf and torch gives nan.
    Accuracy: 5 ulp of the largest term, gradient 5.

    >>> q, p = tensor([[0.4, 0.6], [0.3, 0.7]]), tensor([[0.5, 0.5], [0.4, 0.6]])
    >>> F.kl_div(q.log(), p, reduction="batchmean")
    tensor(0.0215)
    """
    if log_target:
        return times_log(exp(target), target - input)
    return xlogy(target, target) - times_log(target, input)


@loss(module="GeneralizedKLDivLoss", batchmean=True, reduction="batchmean")
def generalized_kl_div(input: Real[Tensor, "..."], target: Amount[Tensor, "..."]) -> PerElement:
    """target * (log target - input) + exp(input) - target: kl_div for amounts that need not sum to one; never negative.

    ``input``: the logarithm of the predicted amounts. ``reduction="batchmean"``, the default, is the sum for each
    example. The derivative by a target of 0 is -input, as kl_div's. Raises ValueError for a negative target.
    optax' generalized_kl_divergence. Accuracy: 3 ulp of the largest term, gradient 2.
    Accuracy: 3 ulp of the largest term, gradient 2.

    >>> F.generalized_kl_div(tensor([[0., 0.]]), tensor([[2., 0.]]))
    tensor(1.3863)
    """
    return rate_gap(input.double(), target.double()).to(input.dtype)


@loss(module="JSDivLoss", batchmean=True, reduction="batchmean")
def js_div(input: Log[Tensor, "..."], target: Distribution[Tensor, "..."], *, log_target: Switch = False) -> PerElement:
    """The terms of (KL(target || m) + KL(exp(input) || m)) / 2 with m the mean of both: symmetric, at most log 2.

    ``reduction="batchmean"``, the default, is the divergence for each example; its root is a metric. The derivative
    by a target of 0 counts as 0. Raises ValueError for an input above 0 or a negative target.
    Source: Lin, "Divergence measures based on the Shannon entropy", 1991.
    Accuracy: 3 ulp of the largest term, gradient 4.

    >>> F.js_div(tensor([[0.5, 0.5]]).log(), tensor([[1., 0.]]))
    tensor(0.2158)
    """
    return js_cost(input.double(), target.double(), log_target=log_target).to(input.dtype)


@loss(module="DistillationLoss", module_order="temperature alpha reduction")
def distillation_loss(
    student: Logits[Tensor, "[N] C *"],
    teacher: Logits[Tensor, "[N] C *"],
    target: Label[Tensor, "[N] *"] | None = None,
    *,
    temperature: Positive = 2.0,
    alpha: MaybeUnitInterval = None,
) -> PerExample:
    """temperature**2 * KL(softmax(teacher / temperature) || softmax(student / temperature)), from logits.

    With ``target``, class indices, it is ``alpha`` (default 0.5) times that plus 1 - ``alpha`` times cross_entropy;
    ``alpha`` without a target raises ValueError. The mean is over the examples. The teacher gets gradients as well:
    detach it. Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
    Accuracy: 40 ulp of the largest term, gradient 8.

    >>> F.distillation_loss(tensor([[3., 0.]]), tensor([[2., 0.]]), temperature=1.0)
    tensor(0.0409)
    """
    z = student.double()
    log_q, log_p = (log_softmax_(_cooled(x, temperature), dim=1) for x in (z, teacher.double()))
    p, gap = exp(log_p), log_q - log_p
    # the terms of KL(p || q) with q - p added, whose sum is 0: none is negative, so nothing cancels
    far = gap > 1.0
    terms = where(far, exp(log_q) - times_log(p, 1.0 + gap), p * expm2(where(far, 0.0, gap)))
    error = temperature**2 * sum_(terms, dim=(1,), keepdim=False)
    if target is not None:
        share = 0.5 if alpha is None else alpha
        own = pick(log_softmax_(z, dim=1), target, 1)
        error = times_log(share, error) - times_log(1.0 - share, own)  # a share of 0 of what overflows is 0
    return error.to(student.dtype)


def _cooled(logits: Tensor, temperature: float) -> Any:
    """The logits over the temperature, the largest made 0: what is divided then is small, and keeps its digits."""
    below = logits - amax_(logits, dim=(1,), keepdim=True).detach()
    return clamp(below / temperature, min=-1e300)  # finite, so that two of them have a difference


@distillation_loss.requires
def _alpha_needs_a_target(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    if options["alpha"] is not None and arrays["target"] is None:
        raise ValueError(
            f"distillation_loss: alpha={options['alpha']!r} is the teacher's share beside a target, and target is not "
            "given; pass target= (class indices), or leave alpha out"
        )
