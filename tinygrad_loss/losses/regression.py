"""Losses of real numbers against real numbers."""

from ..ops.activations import clamp
from ..ops.elementwise import abs, square
from ..ops.stable import times_log
from ..tape import Tensor
from ._domains import Real, Weight
from ._loss import PerElement, loss
from ._options import NonNegative, Positive


@loss(
    module="MSELoss",
    order="input target size_average reduce reduction weight",
    module_order="size_average reduce reduction",
)
def mse_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], weight: Weight[Tensor, "..."] | None = None
) -> PerElement:
    """The squared difference. With ``weight`` (the input's shape) the mean divides by the sum of the weights.

    >>> F.mse_loss(tensor([1.2, 3.4, 2.1]), tensor([1., 3., 2.]))
    tensor(0.0700)
    """
    error = square(input - target)
    # a weight of 0 leaves an element out, also where its square overflows
    return error if weight is None else (times_log(weight, error), weight)


@loss(
    module="L1Loss",
    order="input target size_average reduce reduction weight",
    module_order="size_average reduce reduction",
)
def l1_loss(
    input: Real[Tensor, "..."], target: Real[Tensor, "..."], weight: Weight[Tensor, "..."] | None = None
) -> PerElement:
    """The absolute difference; its derivative at 0 is 0. With ``weight`` the mean divides by the sum of the weights.

    >>> F.l1_loss(tensor([1.2, 3.4, 2.1]), tensor([1., 3., 2.]))
    tensor(0.2333)
    """
    error = abs(input - target)
    return error if weight is None else (weight * error, weight)


@loss(order="input target size_average reduce reduction beta", module="SmoothL1Loss")
def smooth_l1_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, beta: NonNegative = 1.0) -> PerElement:
    """Quadratic below ``beta``, then a line of slope 1; ``huber_loss(delta) == delta * smooth_l1_loss(beta=delta)``.

    ``beta=0`` is l1_loss. Source: Girshick, "Fast R-CNN", 2015.

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

    >>> F.huber_loss(tensor([1., 2.5, 10.]), tensor([1.1, 2., 8.]))
    tensor(0.5433)
    """
    residual = input - target
    near = clamp(residual, -delta, delta)
    error = near * (residual - 0.5 * near)  # exact on both sides and at the joint
    return error if weight is None else weight * error
