"""Losses of real numbers against real numbers.

Those with a quotient or a root compute in float64, and round once: float32 overflows on the way.
"""

import math
from typing import Any

from ..ops.activations import clamp
from ..ops.elementwise import abs, log1p, logical_not, ne, sqrt, square
from ..ops.masking import where
from ..ops.reduce import amax_
from ..ops.stable import times_log
from ..tape import Tensor
from ._domains import Amount, Real, Weight
from ._loss import PerElement, loss
from ._options import NonNegative, Positive
from ._reductions import Terms


@loss(
    module="MSELoss",
    order="input target size_average reduce reduction weight",
    module_order="size_average reduce reduction",
)
def mse_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], weight: Weight[Tensor, "..."] | None = None
) -> PerElement:
    """The squared difference. With ``weight`` (the input's shape) the mean divides by the sum of the weights.

    Accuracy: 4 ulp, gradient 2.

    >>> F.mse_loss(tensor([1.2, 3.4, 2.1]), tensor([1., 3., 2.]))
    tensor(0.0700)
    """
    if weight is None:
        return square(input - target)
    # a weight of 0 leaves an element out, also where its difference or square overflows
    return times_log(weight, square(times_log(ne(weight, 0), input - target))), weight


@loss(
    module="L1Loss",
    order="input target size_average reduce reduction weight",
    module_order="size_average reduce reduction",
)
def l1_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], weight: Weight[Tensor, "..."] | None = None
) -> PerElement:
    """The absolute difference; its derivative at 0 is 0. With ``weight`` the mean divides by the sum of the weights.

    Accuracy: 2 ulp, gradient 0.

    >>> F.l1_loss(tensor([1.2, 3.4, 2.1]), tensor([1., 3., 2.]))
    tensor(0.2333)
    """
    error = abs(input - target)
    return error if weight is None else (times_log(weight, error), weight)  # a weight of 0 leaves out an inf


@loss(order="input target size_average reduce reduction beta", module="SmoothL1Loss")
def smooth_l1_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, beta: NonNegative = 1.0) -> PerElement:
    """Quadratic below ``beta``, then a line of slope 1; ``huber_loss(delta) == delta * smooth_l1_loss(beta=delta)``.

    ``beta=0`` is l1_loss. Source: Girshick, "Fast R-CNN", 2015.
    Accuracy: 3 ulp, gradient 3.

    >>> F.smooth_l1_loss(tensor([2., 3., 4.]), tensor([2.5, 3.5, 4.5]))
    tensor(0.1250)
    """
    residual = input - target
    if beta < 1e-37:  # below what float32 can divide by: no residual tells it from l1
        return abs(residual)
    near = clamp(residual / beta, -1.0, 1.0)
    return near * (residual - 0.5 * beta * near)


@loss(order="input target reduction delta weight", module="HuberLoss", module_order="reduction delta")
def huber_loss(
    input: Real[Tensor, "..."],
    target: Real[Tensor, "..."],
    weight: Weight[Tensor, "..."] | None = None,
    *,
    delta: Positive = 1.0,
) -> PerElement:
    """Quadratic up to ``delta``, then the straight line that continues it. Weights do not change the mean's divisor.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    Accuracy: 3 ulp, gradient 2.

    >>> F.huber_loss(tensor([1., 2.5, 10.]), tensor([1.1, 2., 8.]))
    tensor(0.5433)
    """
    residual = input - target if weight is None else times_log(ne(weight, 0), input - target)
    near = clamp(residual, -delta, delta)
    error = near * (residual - 0.5 * near)  # exact on both sides and at the joint
    return error if weight is None else times_log(weight, error)


def _scale_for_squares(x: Tensor) -> float:
    """1, or the power of two to divide ``x`` by so that its squares neither overflow nor vanish."""
    exponent = math.frexp(amax_(abs(x), dim=None, keepdim=False).item())[1] if x.array.size else 0
    return math.ldexp(1.0, exponent - min(max(exponent, -400), 500))


@loss(module="RMSELoss")
def rmse_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
    """The root of the mean squared difference, in the units of the target; its derivative at a perfect fit is 0.

    ``reduction="sum"`` is the root of the sum, the Euclidean distance; ``"none"`` the absolute differences.
    Sample weights enter under the root. Differences are scaled where they need it, so that 1e200 and 1e-200 survive.
    Accuracy: 1 ulp, gradient 0.

    >>> F.rmse_loss(tensor([0., 3.]), tensor([1., 0.]))
    tensor(2.2361)
    """
    residual = input.double() - target.double()
    scale = _scale_for_squares(residual)

    def root(mean: Tensor) -> Any:
        flat = logical_not(mean > 0.0)  # a perfect fit, or the mean of nothing: no derivative
        return (scale * where(flat, 0.0 * mean, sqrt(where(flat, 1.0, mean)))).to(input.dtype)

    return Terms(square(residual / scale), finish=root, alone=abs(residual).to(input.dtype))


def _at_least(size: Tensor, eps: float) -> Any:
    """A divisor kept from 0; where it is ``eps`` no gradient passes, not even an infinite one."""
    return where(size >= eps, size, eps)


@loss(module="MAPELoss")
def mape_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, eps: Positive = 1e-7) -> PerElement:
    """The absolute difference as a share of the target: |input - target| / max(|target|, eps). A ratio, not percent.

    Its derivative is 0 where both are equal. Keras' MeanAbsolutePercentageError is 100 times this.
    Accuracy: 2 ulp, gradient 3.

    >>> F.mape_loss(tensor([110., 180.]), tensor([100., 200.]))
    tensor(0.1000)
    """
    x, t = input.double(), target.double()
    return (abs(x - t) / _at_least(abs(t), eps)).to(input.dtype)


@loss(module="SMAPELoss")
def smape_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, eps: Positive = 1e-7) -> PerElement:
    """The absolute difference as a share of the mean size: 2 |input - target| / max(|input| + |target|, eps).

    Between 0 and 2; a ratio, not percent. Its derivative is 0 where both are equal.
    Source: Makridakis, "Accuracy measures: theoretical and practical concerns", 1993.
    Accuracy: 3 ulp of the largest term, gradient 4.

    >>> F.smape_loss(tensor([110., 180.]), tensor([100., 200.]))
    tensor(0.1003)
    """
    x, t = 0.5 * input.double(), 0.5 * target.double()  # the sum of two halves cannot overflow
    return (2.0 * (abs(x - t) / _at_least(abs(x) + abs(t), 0.5 * eps))).to(input.dtype)


@loss(module="MSLELoss")
def msle_loss(input: Amount[Tensor, "..."], target: Amount[Tensor, "..."]) -> PerElement:
    """The squared difference of log(1 + input) and log(1 + target). Raises ValueError for negative values.

    log((1 + a) / (1 + b)) is taken as log1p((a - b) / (1 + b)) with b the smaller, which keeps small differences.
    Keras' MeanSquaredLogarithmicError is the same, with negative values raised to 1e-7.
    Accuracy: 6 ulp of the largest term, gradient 6.

    >>> F.msle_loss(tensor([3., 5.]), tensor([2.5, 5.]))
    tensor(0.0089)
    """
    x, t = input.double(), target.double()
    low, high = where(x >= t, t, x), where(x >= t, x, t)
    return square(log1p((high - low) / (1.0 + low))).to(input.dtype)
