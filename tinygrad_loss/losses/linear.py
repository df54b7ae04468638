"""Cross-entropy together with the linear layer before it."""

import math
from typing import Any

import numpy as np

from ..dtypes import float64
from ..ops.linalg import linear
from ..tape import Tensor
from ._domains import Real, Simplex, Weight
from ._labels import Label
from ._loss import PerExample, loss
from ._options import MaybeIgnoreIndex, NoOptions, UnitInterval
from ._reductions import Terms
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
    Accuracy: 8 ulp of the largest term, gradient 8.

    >>> F.linear_cross_entropy(tensor([[1., 2.]]), tensor([[1., 0.], [0., 1.], [1., 1.]]), tensor([2]))
    tensor(0.4076)
    """
    kind = input.dtype
    logits = _logits(input, linear_weight, linear_bias)
    if kind != float64 and not np.isfinite(logits.detach().numpy()).all():  # the loss itself may be in range
        logits = _logits(input.double(), linear_weight.double(), linear_bias)
        target = target.double() if target.is_floating_point() else target
        weight = None if weight is None else weight.double()
    ignored = -100 if ignore_index is None else ignore_index
    found = cross_entropy.formula(logits, target, weight, ignore_index=ignored, label_smoothing=label_smoothing)
    return Terms.of(found).map(lambda x: x.to(kind))


def _logits(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(N, C, d1...), the layer's weight and bias laid out as a matrix and a vector."""
    *sizes, features = weight.shape
    rows = math.prod(sizes)
    flat = None if bias is None else bias.to(weight.dtype).reshape(rows)
    matrix = weight.contiguous().reshape(rows, features)
    return linear(input.contiguous(), matrix, flat).reshape(input.shape[0], *sizes)  # type: ignore[no-any-return]


@linear_cross_entropy.matches
def _indices_to_ignore(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    if arrays["target"].dtype.kind == "f" and options["ignore_index"] is not None:
        raise RuntimeError(
            f"linear_cross_entropy: ignore_index={options['ignore_index']} cannot be given with class probabilities; "
            "give the rows to leave out a sample_weight of 0, or use class indices"
        )
