"""Negative log-likelihoods of numbers: how surprising the target is under the distribution that was predicted.

Most are computed in float64 and rounded once: float32 overflows on the way.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import Array
from ..ops.curves import gaussian_cost, half_expm2, laplace_cost, poisson_cost, raise_to
from ..ops.elementwise import eq, log
from ..ops.masking import where
from ..tape import Tensor
from ._domains import Amount, Domain, Real, Variance, first
from ._loss import PerElement, loss
from ._options import NonNegative, Positive, Switch


class RateDomain(Domain):
    """The mean of a count, or its logarithm when the loss's option ``log_input`` says so."""

    name = "Rate"
    describe = "a rate: a number >= 0 (or, with log_input, its logarithm)"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if not options.get("log_input") and x.size and np.minimum.reduce(x, axis=None) < 0:
            raise ValueError(
                f"{where}{first(x < 0)} is negative: a rate is >= 0; is it the logarithm of one? pass log_input=True"
            )
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return rng.normal(size=shape) if sizes.get("log_input") else rng.uniform(0.1, 3.0, size=shape)


class ScaleDomain(Domain):
    """The width of a distribution; a plain number stands for all elements."""

    name = "Scale"
    describe = "a scale: a number > 0"
    literals = (int, float)
    neutral = 1.0

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size and np.minimum.reduce(x, axis=None) <= 0:
            raise ValueError(f"{where}{first(x <= 0)} is not above 0; pass a width, such as softplus(x) or x.exp()")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return rng.uniform(0.3, 2.0, size=shape)


if TYPE_CHECKING:
    from typing import Annotated as Rate
    from typing import Annotated as Scale
else:
    Rate, Scale = RateDomain(), ScaleDomain()

_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)


@loss(
    module="PoissonNLLLoss",
    order="input target log_input full size_average eps reduce reduction",
    module_order="log_input full size_average eps reduce reduction",
)
def poisson_nll_loss(
    input: Rate[Tensor, "..."],
    target: Amount[Tensor, "..."],
    *,
    log_input: Switch = True,
    full: Switch = False,
    eps: NonNegative = 1e-8,
) -> PerElement:
    """exp(input) - target * input, counts against the logarithm of their rate, without the log(target!) of the count.

    ``log_input=False``: input is the rate, the loss input - target * log(input + eps). ``full`` adds Stirling's
    log(target!) where target > 1. Raises ValueError for a negative target or rate. The derivative by a target of
    0 is finite (torch: nan with ``full``). Accuracy: 3 ulp of the largest term, gradient 2.
    Accuracy: 3 ulp of the largest term, gradient 2.

    >>> F.poisson_nll_loss(tensor([0., 1.]), tensor([1., 3.]))
    tensor(0.3591)
    """
    x, t = input.double(), target.double()
    if log_input and not full:
        return poisson_cost(x, t, stirling=False).to(input.dtype)
    many = where(t > 1.0, t, 1.0)
    if log_input:
        error = poisson_cost(x, t, stirling=True)  # with Stirling's t log t - t
    else:
        nothing = eq(x + eps, 0.0) & eq(t, 0.0)  # 0 log 0 is 0
        error = x - t * (log(x + eps + nothing) - (log(many) - (t > 1.0) if full else 0.0))
    if full:
        error = error + where(t > 1.0, 0.5 * log(many) + _HALF_LOG_TAU, 0.0)
    return error.to(input.dtype)


def _for_rows(x: Tensor, input: Tensor) -> Tensor:
    """One value for each row, as a column."""
    return x.unsqueeze(-1) if 0 < x.ndim < input.ndim else x


@loss(order="input target var full eps reduction", module="GaussianNLLLoss", module_order="full eps reduction")
def gaussian_nll_loss(
    input: Real[Tensor, "..."],
    target: Real[Tensor, "..."],
    var: Variance[Tensor, "row"],
    *,
    full: Switch = False,
    eps: Positive = 1e-6,
) -> PerElement:
    """(log var + (input - target)**2 / var) / 2, a target against the mean and variance predicted for it.

    ``var``: the input's shape, its shape without the last axis or with one axis of size 1, or a number. It is raised
    to ``eps``, which the gradient does not see: below it is the one at ``eps``. ``full`` adds log(2 pi) / 2.
    Raises ValueError for a negative variance. Source: Nix and Weigend, 1994.
    Accuracy: 4 ulp of the largest term, gradient 4.

    >>> F.gaussian_nll_loss(tensor([0., 1.]), tensor([1., 3.]), tensor([1., 2.]))
    tensor(0.9233)
    """
    error = gaussian_cost(input, target, raise_to(_for_rows(var, input), lo=eps))
    return error + _HALF_LOG_TAU if full else error


@loss(module="LaplaceNLLLoss")
def laplace_nll_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], scale: Scale[Tensor, "row"]
) -> PerElement:
    """log(2 scale) + |input - target| / scale: a target against the centre and width of a Laplace distribution.

    ``scale``: the input's shape, its shape without the last axis or with one axis of size 1, or a number. Its
    derivative is 0 where input and target are equal. Raises ValueError for a scale that is not above 0.
    Accuracy: 3 ulp of the largest term, gradient 4.

    >>> F.laplace_nll_loss(tensor([0., 1.]), tensor([1., 3.]), tensor([1., 2.]))
    tensor(2.0397)
    """
    s = _for_rows(scale, input).double()
    return laplace_cost(input.double(), target.double(), s).to(input.dtype)


@loss(module="GaussianKLLoss", batchmean=True, reduction="batchmean")
def gaussian_kl_loss(mean: Real[Tensor, "..."], logvar: Real[Tensor, "..."]) -> PerElement:
    """(mean**2 + var - log var - 1) / 2: the divergence of a normal distribution from the standard one.

    The regulariser of variational autoencoders. ``reduction="batchmean"``, the default, is the sum for each example;
    ``"mean"`` divides by every element. Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014.
    Accuracy: 4 ulp, gradient 4.

    >>> F.gaussian_kl_loss(tensor([[0., 1.]]), tensor([[0., 1.]]))
    tensor(0.8591)
    """
    m = mean.double()
    return (m * (0.5 * m) + half_expm2(logvar.double())).to(mean.dtype)
