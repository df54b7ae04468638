"""Distances between distributions."""

from ..ops.elementwise import exp
from ..ops.stable import times_log, xlogy
from ..tape import Tensor
from ._domains import Distribution, Log
from ._loss import PerElement, loss
from ._options import Switch


@loss(module="KLDivLoss", order="input target size_average reduce reduction log_target", batchmean=True)
def kl_div(input: Log[Tensor, "..."], target: Distribution[Tensor, "..."], *, log_target: Switch = False) -> PerElement:
    """target * (log target - input), the terms of KL(target || exp(input)); 0 log 0 is 0.

    ``reduction="batchmean"`` is the divergence per example; ``"mean"`` divides by every element, which is
    1/C of it, and warns. Raises ValueError for an input above 0 or a negative target.

    >>> q, p = tensor([[0.4, 0.6], [0.3, 0.7]]), tensor([[0.5, 0.5], [0.4, 0.6]])
    >>> F.kl_div(q.log(), p, reduction="batchmean")
    tensor(0.0215)
    """
    if log_target:
        return times_log(exp(target), target - input)
    return xlogy(target, target) - times_log(target, input)
