"""Cross-entropy together with the linear layer before it."""

import math
from typing import Any

from ..ops.linalg import linear
from ..tape import Tensor
from ._domains import Real, Simplex, Weight
from ._labels import Label
from ._loss import PerExample, loss
from ._options import MaybeIgnoreIndex, NoOptions, UnitInterval
from .classification import cross_entropy


@loss(
    module="LinearCrossEntropyLoss",
    order="input linear_weight target * linear_bias weight reduction ignore_index label_smoothing options",
    node="NllLoss",
)
def linear_cross_entropy(
    input: Real[Tensor, "[N] I"],
    linear_weight: Real[Tensor, "C * I"],
    target: Label[Tensor, "[N] *"] | Simplex[Tensor, "[N] C *"],
    linear_bias: Real[Tensor, "C *"] | None = None,
    weight: Weight[Tensor, "C"] | None = None,
    *,
    ignore_index: MaybeIgnoreIndex = None,
    label_smoothing: UnitInterval = 0.0,
    options: NoOptions = None,
) -> PerExample:
    """``cross_entropy`` of the logits ``linear(input, linear_weight, linear_bias)``.

    ``input`` (I) or (N, I), ``linear_weight`` (C, I) or (C, d1..., I), the bias without I; ``target``, ``weight`` and
    the mean as in ``cross_entropy`` of logits (N, C, d1...). ``ignore_index=None`` is -100. torch's ``options`` only
    say how to save memory; here a large batch is computed in blocks in any case.
    Raises IndexError for an index outside 0..C-1.

    >>> F.linear_cross_entropy(tensor([[1., 2.]]), tensor([[1., 0.], [0., 1.], [1., 1.]]), tensor([2]))
    tensor(0.4076)
    """
    *sizes, features = linear_weight.shape
    rows = math.prod(sizes)
    bias = None if linear_bias is None else linear_bias.reshape(rows)
    logits = linear(input, linear_weight.reshape(rows, features), bias).reshape(input.shape[0], *sizes)
    ignored = -100 if ignore_index is None else ignore_index
    found: Any = cross_entropy.formula(logits, target, weight, ignore_index=ignored, label_smoothing=label_smoothing)
    return found


linear_cross_entropy.declaration.output = ("[N]", "*")  # the axes after C are those of linear_weight


@linear_cross_entropy.requires
def _indices_to_ignore(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    if arrays["target"].dtype.kind == "f" and options["ignore_index"] is not None:
        raise RuntimeError(
            f"linear_cross_entropy: ignore_index={options['ignore_index']} cannot be given with class probabilities; "
            "give the rows to leave out a sample_weight of 0, or use class indices"
        )
