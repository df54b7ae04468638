"""From losses of examples to one number: ``mean``, ``sum``, ``none``, ``batchmean``, and torch's older spellings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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


class Terms(NamedTuple):
    """What a formula returns when a tensor does not say it all.

    ``value``: the loss of each element or example, weighted. ``share``: its part in the mean's denominator (default
    1 each). ``scale``: what ``mean``, and only it, multiplies each value by. ``finish``: a function applied to the
    reduced number. ``alone``: what ``reduction="none"`` returns instead of ``value``. ``empty``: the mean of nothing.
    """

    value: Tensor
    share: Tensor | None = None
    scale: Tensor | None = None
    finish: Callable[[Tensor], Tensor] | None = None
    alone: Tensor | None = None
    empty: float = math.nan

    @classmethod
    def of(cls, returned: Any) -> Terms:
        if isinstance(returned, Terms):
            return returned
        return cls(*returned) if isinstance(returned, tuple) else cls(returned)

    def map(self, change: Callable[[Tensor], Tensor]) -> Terms:
        """The same terms, their tensors changed alike."""
        fields = ("value", "share", "scale", "alone")
        changed: dict[str, Any] = {n: change(x) for n in fields if (x := getattr(self, n)) is not None}
        return self._replace(**changed)


def reduce(terms: Terms, reduction: str) -> Any:
    """``mean`` divides by the elements, or by the sum of their shares; ``batchmean`` by the share of the first axis."""
    value, share = terms.value, terms.share
    if reduction == "none":
        return value if terms.alone is None else terms.alone
    if reduction == "mean" and terms.scale is not None:
        value = value * terms.scale
    if reduction == "mean" and share is None:
        reduced = mean_(value, dim=None, keepdim=False)
    else:
        reduced = sum_(value, dim=None, keepdim=False)
    if reduction == "batchmean" or (reduction == "mean" and share is not None):
        count = value.array.size if reduction == "batchmean" else 1
        examples = value.shape[0] if value.ndim else 1
        if share is None:
            reduced = reduced / examples
        else:
            whole = sum_(share, dim=None, keepdim=False)
            if whole.array == 0:
                reduced = reduced * 0.0 + terms.empty  # the mean of nothing is nan; its gradient is 0, not nan
            else:
                reduced = reduced / (whole if reduction == "mean" else whole * (examples / count))
    return reduced if terms.finish is None else terms.finish(reduced)
