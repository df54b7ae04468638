"""Losses of overlap: a predicted region against the true one.

They take ``sample_weight`` and ``mask`` as weights of pixels, in the sums that make the overlap. What ``axis`` sums
over becomes one overlap; ``reduction="none"`` gives all the others, ``"mean"`` their plain mean.
"""

from typing import Any

import numpy as np

from ..dtypes import Array
from ..ops.elementwise import eq, sigmoid
from ..ops.masking import one_hot, where
from ..ops.reduce import axes_of, sum
from ..ops.shape import movedim
from ..ops.stable import softmax_
from ..tape import Tensor
from ._domains import BinaryProbability, Weight
from ._labels import Label, Mask
from ._loss import Loss, PerBatch, loss
from ._options import MaybeAxes, NonNegative, Positive, Switch
from ._predictions import Prediction


def _check(made: Loss) -> None:
    def check(arrays: dict[str, Array | None], options: dict[str, Any]) -> None:
        input, target = np.asarray(arrays["input"]), np.asarray(arrays["target"])
        axes_of(f"{made.name}: axis", input, options["axis"])
        if target.dtype.kind in "iu" and input.shape[1] == 1:
            raise ValueError(
                f"{made.name}: target has class indices, but input of shape {input.shape} has one class, whose softmax "
                "is always 1; for a mask of zeros and ones use target.unsqueeze(1).float()"
            )

    made.requires(check)


def _overlap(
    input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, from_logits: bool, axis: Any
) -> tuple[Any, Any, Any]:
    """How much is in both, only predicted (false positive), only there (false negative)."""
    if mask is not None:
        mask = mask.unsqueeze(1)
        input = where(mask, input, 0.0)
    indices = not target.dtype.is_floating_point
    if indices:
        target = movedim(one_hot(target, input.shape[1]), -1, 1).to(input.dtype)
    if not from_logits:
        inside, outside = input, 1.0 - input
    elif indices:
        inside = softmax_(input, dim=1)
        outside = sum(inside * (1.0 - target), 1, keepdim=True)  # where it counts: the other classes' share
    else:
        inside, outside = sigmoid(input), sigmoid(-input)  # 1 - sigmoid(x) = sigmoid(-x), which keeps its digits
    parts = [inside * target, inside * (1.0 - target), outside * target]
    if weight is not None:
        parts = [part * weight.unsqueeze(1) for part in parts]
    if mask is not None:
        parts = [where(mask, part, 0.0) for part in parts]
    both, false, missed = (sum(part, axis) for part in parts)
    return both, false, missed


def _miss(right: Any, wrong: Any, smooth: float, eps: float) -> Any:
    """1 - (right + smooth) / (right + wrong + smooth + eps), without cancellation near a perfect overlap."""
    eps = max(eps, 1e-37)  # what float32 can divide by
    return (wrong + eps) / (right + wrong + (smooth + eps))


@loss(
    order="input target axis smooth eps from_logits reduction sample_weight mask",
    module_order="axis smooth eps from_logits reduction",
)
def dice_loss(
    input: Prediction[Tensor, "N C *"],
    target: Label[Tensor, "N *"] | BinaryProbability[Tensor, "N C *"],
    sample_weight: Weight[Tensor, "N *"] | None = None,
    mask: Mask[Tensor, "N *"] | None = None,
    *,
    axis: MaybeAxes = None,
    smooth: NonNegative = 0.0,
    eps: Positive = 1e-7,
    from_logits: Switch = True,
) -> PerBatch:
    """1 - (2 I + smooth) / (P + T + smooth + eps): I, P, T the sums over ``axis`` of p t, of p and of t.

    ``input`` (N, C, d1...): logits, or probabilities with ``from_logits=False``. ``target``: class indices (N, d1...),
    and p is the softmax over C; or zeros and ones (or between) of the input's shape, and p is the sigmoid.
    ``axis=None`` sums over all; (0, 2, 3) gives one overlap for each class, (2, 3) for each example and class.
    ``sample_weight`` and ``mask`` (N, d1...) weigh the pixels in the sums. Where there is nothing, the loss is near 1
    unless ``smooth`` > 0. Raises IndexError for a label outside 0..C-1, RuntimeError for a target outside [0, 1].
    Source: Milletari, Navab, Ahmadi, "V-Net", 2016.
    Accuracy: 5 ulp of the largest term, gradient 6.

    >>> F.dice_loss(tensor([[[0.9, 0.2, 0.6]]]), tensor([[[1., 0., 1.]]]), from_logits=False)
    tensor(0.1892)
    """
    both, false, missed = _overlap(input, target, sample_weight, mask, from_logits, axis)
    return _miss(both * 2.0, false + missed, smooth, eps)


@loss(
    module="JaccardLoss",
    order="input target axis smooth eps from_logits reduction sample_weight mask",
    module_order="axis smooth eps from_logits reduction",
)
def iou_loss(
    input: Prediction[Tensor, "N C *"],
    target: Label[Tensor, "N *"] | BinaryProbability[Tensor, "N C *"],
    sample_weight: Weight[Tensor, "N *"] | None = None,
    mask: Mask[Tensor, "N *"] | None = None,
    *,
    axis: MaybeAxes = None,
    smooth: NonNegative = 0.0,
    eps: Positive = 1e-7,
    from_logits: Switch = True,
) -> PerBatch:
    """1 - (I + smooth) / (U + smooth + eps), intersection over union (Jaccard): I the sum of p t, U of p + t - p t.

    Arguments and errors as of dice_loss.
    Accuracy: 5 ulp of the largest term, gradient 6.

    >>> F.iou_loss(tensor([[[0.9, 0.2, 0.6]]]), tensor([[[1., 0., 1.]]]), from_logits=False)
    tensor(0.3182)
    """
    both, false, missed = _overlap(input, target, sample_weight, mask, from_logits, axis)
    return _miss(both, false + missed, smooth, eps)


@loss(
    order="input target alpha beta gamma axis smooth eps from_logits reduction sample_weight mask",
    module_order="alpha beta gamma axis smooth eps from_logits reduction",
)
def tversky_loss(
    input: Prediction[Tensor, "N C *"],
    target: Label[Tensor, "N *"] | BinaryProbability[Tensor, "N C *"],
    sample_weight: Weight[Tensor, "N *"] | None = None,
    mask: Mask[Tensor, "N *"] | None = None,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    gamma: Positive = 1.0,
    axis: MaybeAxes = None,
    smooth: NonNegative = 0.0,
    eps: Positive = 1e-7,
    from_logits: Switch = True,
) -> PerBatch:
    """(1 - (I + smooth) / (I + alpha FP + beta FN + smooth + eps)) ** gamma: FP, FN the false positives and negatives.

    ``alpha`` weighs the false positives (Keras 3.15 swaps the two), alpha = beta = 1/2 is Dice and 1 the Jaccard
    index; ``gamma`` other than 1 is the focal form. A perfect overlap has gradient 0 for each gamma but 1. Arguments
    and errors as of dice_loss. Source: Salehi, Erdogmus, Gholipour, "Tversky loss function for image segmentation",
    2017; Abraham, Khan, "A novel focal Tversky loss function", 2019.
    Accuracy: 8 ulp of the largest term, gradient 8.

    >>> F.tversky_loss(tensor([[[0.9, 0.2, 0.6]]]), tensor([[[1., 0., 1.]]]), 0.3, 0.7, from_logits=False)
    tensor(0.2147)
    """
    both, false, missed = _overlap(input, target, sample_weight, mask, from_logits, axis)
    value = _miss(both, false * alpha + missed * beta, smooth, eps)
    if gamma == 1.0:
        return value
    perfect = eq(value, 0.0)  # where a root has no slope
    return (value + perfect) ** gamma * ~perfect


for _each in (dice_loss, iou_loss, tversky_loss):
    _check(_each)
