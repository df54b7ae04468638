"""Limits on gradients, between backward and the optimizer's step: ``nn.utils``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..quiet import quiet
from ..tape import Tensor


def _gradients(function: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, p in enumerate(given):
        if not isinstance(p, Tensor):
            raise TypeError(f"{function}: parameters[{i}] must be a Tensor, got {type(p).__name__}")
    return [p._grad for p in given if p._grad is not None]


def _length(gradients: list[Tensor], p: float) -> tuple[float, float]:
    """(top, length / top) of all gradients as one vector: apart, neither overflows."""
    sizes = [np.absolute(g.array, dtype=np.float64) for g in gradients if g.array.size]
    tops = [float(s.max()) for s in sizes]
    top = math.nan if any(map(math.isnan, tops)) else max(tops, default=0.0)
    if not math.isfinite(top) or top == 0.0 or p == math.inf:
        return top, 1.0
    return top, float(sum(np.add.reduce((s / top) ** p, axis=None) for s in sizes)) ** (1.0 / p)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale the gradients, as one vector, down to ``max_norm``; returns their norm before that.

    RuntimeError when a gradient is inf or nan, which scaling would spread to all of them; nothing is changed
    then (``error_if_nonfinite=False``: as torch, it is scaled). A norm that is larger than float32 holds is
    still clipped right. ValueError for a negative ``max_norm`` and a ``norm_type`` that is
    not positive.

    >>> w = nn.Parameter(tensor([3., 4.])); (w * w).sum().backward()
    >>> nn.utils.clip_grad_norm_([w], 1.0), w.grad
    (tensor(10.), tensor([0.6000, 0.8000]))
    """
    if not max_norm >= 0.0:
        raise ValueError(f"clip_grad_norm_: max_norm must be at least 0, got {max_norm}: gradients would change sign")
    p = float(norm_type)
    if not p > 0.0:
        raise ValueError(f"clip_grad_norm_: norm_type must be positive, got {norm_type}")
    gradients = _gradients("clip_grad_norm_", parameters)
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    with quiet():
        top, rest = _length(gradients, p)
        if error_if_nonfinite and not math.isfinite(top):
            raise RuntimeError(
                f"clip_grad_norm_: a gradient is {top}, so the norm is not finite and every gradient would become 0 or "
                "nan; look for the loss that overflowed, or pass error_if_nonfinite=False"
            )
        total = top * rest
        factor = float(max_norm) / (total + 1e-6) if math.isfinite(total) else float(max_norm) / top / rest
        if not factor >= 1.0:
            for g in gradients:
                _scale(g, factor)
        dtype = np.result_type(*[g.array.dtype for g in gradients])
        return Tensor(np.asarray(np.float64(total)).astype(dtype))


def _scale(g: Tensor, factor: float) -> None:
    small = g.array.dtype.type(factor)
    if small or not factor:
        np.multiply(g.array, small, out=g.array)
    else:  # the factor underflows in this dtype, the product need not
        g.array[...] = g.array.astype(np.float64) * factor


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]. ValueError for a negative one.

    >>> w = nn.Parameter(tensor([3., 0.5])); (w * w).sum().backward()
    >>> nn.utils.clip_grad_value_([w], 2.0); w.grad
    tensor([2., 1.])
    """
    if not clip_value >= 0.0:
        raise ValueError(f"clip_grad_value_: clip_value must be at least 0, got {clip_value}")
    with quiet():
        for g in _gradients("clip_grad_value_", parameters):
            limit: Any = g.array.dtype.type(clip_value)
            np.minimum(np.maximum(g.array, -limit), limit, out=g.array)
