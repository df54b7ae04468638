"""Losses of real numbers that treat large, or one-sided, differences in their own way.

Computed in float64 and rounded once: float32 overflows on the way.
"""

import math

from ..ops.activations import clamp
from ..ops.curves import hypot, log1p_square, log_cosh
from ..ops.elementwise import abs, expm1, log
from ..ops.masking import where
from ..ops.stable import times_log
from ..tape import Tensor
from ._domains import Real
from ._loss import PerElement, loss
from ._options import Number, Positive, UnitInterval

_TOP = 1e308  # the end of float64's range, nearly


@loss
def log_cosh_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
    """log(cosh(input - target)): half the square near 0, the absolute difference minus log 2 far away.

    Right to the last digits for tiny and for huge differences. Keras' LogCosh, optax' log_cosh.
    Accuracy: 4 ulp, gradient 3.

    >>> F.log_cosh_loss(tensor([0., 3.]), tensor([1., 0.]))
    tensor(1.3716)
    """
    return log_cosh(input.double() - target.double()).to(input.dtype)


@loss
def quantile_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, q: UnitInterval = 0.5) -> PerElement:
    """q times a difference by which the target is above the input, 1 - q times one below: least at the q-quantile.

    Also called pinball loss; ``q=0.5`` is half of l1_loss. The derivative is 0 where both are equal.
    Source: Koenker and Bassett, "Regression quantiles", 1978. Accuracy: 2 ulp, gradient 1.
    Accuracy: 2 ulp, gradient 1.

    >>> F.quantile_loss(tensor([0., 3.]), tensor([1., 0.]), q=0.9)
    tensor(0.6000)
    """
    above = target.double() - input.double()
    size = abs(above)
    return where(above < 0.0, times_log(1.0 - q, size), times_log(q, size)).to(input.dtype)  # 0 * inf is 0


@loss
def expectile_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, tau: UnitInterval = 0.5) -> PerElement:
    """tau times the squared difference where the target is above the input, 1 - tau times where it is below.

    ``tau=0.5`` is half of mse_loss. Source: Newey and Powell, "Asymmetric least squares", 1987.
    Accuracy: 4 ulp, gradient 3.

    >>> F.expectile_loss(tensor([0., 3.]), tensor([1., 0.]), tau=0.9)
    tensor(0.9000)
    """
    half = 0.5 * target.double() - 0.5 * input.double()  # finite, so that a weight of 0 leaves 0
    return (where(half < 0.0, (4.0 * (1.0 - tau)) * half, (4.0 * tau) * half) * half).to(input.dtype)


@loss
def charbonnier_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, eps: Positive = 1e-3) -> PerElement:
    """sqrt(difference**2 + eps**2): the absolute difference with a rounded tip, ``eps`` at its lowest.

    Source: Charbonnier et al., "Two deterministic half-quadratic regularization algorithms", 1994.
    Accuracy: 2 ulp, gradient 5.

    >>> F.charbonnier_loss(tensor([0., 3.]), tensor([3., 3.]), eps=4.)
    tensor(4.5000)
    """
    half = 0.5 * input.double() - 0.5 * target.double()
    return (2.0 * hypot(half, 0.5 * eps)).to(input.dtype)


@loss
def robust_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, alpha: Number = 1.0, c: Positive = 1.0
) -> PerElement:
    """One family from square to bounded: b / alpha * ((z / b + 1)**(alpha / 2) - 1), b = |alpha - 2|, z = (d / c)**2.

    ``alpha``: 2 is half the square, 1 Charbonnier's, 0 Cauchy's log(z / 2 + 1), -2 Geman and McClure's; the smaller,
    the less a far residual d counts. ``c``: the size of an ordinary one.
    Source: Barron, "A general and adaptive robust loss function", 2019.
    Accuracy: 6 ulp of the largest term, gradient 8.

    >>> F.robust_loss(tensor([0., 3.]), tensor([0., 0.]), alpha=1.0)
    tensor(1.0811)
    """
    half, b = 0.5 * input.double() - 0.5 * target.double(), math.fabs(alpha - 2.0)
    if b == 0.0:
        z = half / (0.5 * c)
        return (z * (0.5 * z)).to(input.dtype)
    w = clamp(half / (0.5 * c * math.sqrt(b)), -_TOP, _TOP)
    if alpha == 0.0:
        return log1p_square(w).to(input.dtype)
    root = hypot(w, 1.0)  # (w**2 + 1)**(alpha / 2) is a power of it; where that is near 1, expm1 keeps what is left
    far = abs(alpha * log(root)) > 1.0
    near = expm1((0.5 * alpha) * log1p_square(where(far, 0.0, w)))
    return ((b / alpha) * where(far, root**alpha - 1.0, near)).to(input.dtype)
