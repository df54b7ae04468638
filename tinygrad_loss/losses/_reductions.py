"""From losses of examples to one number: ``mean``, ``sum``, ``none``, ``batchmean``, and torch's older spellings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..callsite import advise, deprecated
from ..dtypes import Array
from ..ops.reduce import mean_, sum_
from ..tape import Tensor


def resolve_reduction(name: str, values: Mapping[str, Any], allowed: tuple[str, ...]) -> str:
    """The reduction, from the deprecated ``size_average`` and ``reduce`` if either is given."""
    reduction = values["reduction"]
    average, legacy = values.get("size_average"), values.get("reduce")
    for key, value in (("size_average", average), ("reduce", legacy)):
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"{name}: {key}={value!r}: expected True, False or None; write reduction='sum' by name")
    if average is not None or legacy is not None:
        reduction = "none" if legacy is False else ("sum" if average is False else "mean")
        deprecated(f"{name}: size_average and reduce are deprecated; use reduction={reduction!r}")
    if reduction == "elementwise_mean":
        deprecated(f"{name}: reduction='elementwise_mean' is deprecated; use 'mean'")
        reduction = "mean"
    if reduction not in allowed:
        choices = " or ".join(map(repr, allowed))
        raise ValueError(f"{name}: reduction={reduction!r} is not valid; expected {choices}")
    return str(reduction)


def advise_batchmean(name: str, shape: tuple[int, ...]) -> None:
    """``mean`` is rarely what is meant for a divergence."""
    if len(shape) > 1:
        count, classes = math.prod(shape), math.prod(shape[1:])
        advise(
            f"{name}: reduction='mean' divides by all N*C={count} elements; the divergence per example is "
            f"reduction='batchmean', {classes} x this"
        )


def reduce_block(
    value: Array, summed: Any, share: Array | None, reduction: str, kind: np.dtype[Any]
) -> tuple[Array, float]:
    """The reduced value of a kernel, and the factor for the gradients of the sum of its values."""
    if reduction == "mean":
        whole = value.size if share is None else float(np.add.reduce(share, axis=None))
        if whole == 0:
            return np.array(math.nan, kind), 0.0
        return np.array(summed / whole, kind), 1.0 / whole
    return np.array(summed if reduction == "sum" else value, kind), 1.0


def reduce(value: Tensor, share: Tensor | None, reduction: str) -> Any:
    """``mean`` divides by the elements, or by the sum of their shares; ``batchmean`` by the first axis."""
    if reduction == "none":
        return value
    if reduction == "sum":
        return sum_(value, dim=None, keepdim=False)
    if reduction == "batchmean":
        total = sum_(value, dim=None, keepdim=False)
        return total / value.shape[0] if value.ndim else total
    if share is None:
        return mean_(value, dim=None, keepdim=False)
    total, whole = sum_(value, dim=None, keepdim=False), sum_(share, dim=None, keepdim=False)
    if whole.array == 0:
        return total * 0.0 + math.nan  # the mean of nothing is nan; its gradient is 0, not nan
    return total / whole
