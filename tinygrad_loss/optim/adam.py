"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..dtypes import Array
from .flat import Chunk, Rows
from .optimizer import Optimizer, at_least_zero, check_eps


class Adam(Optimizer):
    """Steps of about ``lr`` per parameter: the mean gradient over the root of the mean squared gradient.

    Kingma & Ba 2015; ``amsgrad`` divides by the largest mean square so far (Reddi et al. 2018);
    ``weight_decay`` is added to the gradient, or shrinks the parameter directly with
    ``decoupled_weight_decay`` as in :class:`AdamW`. The state of float16 parameters is float32, in which the
    default ``eps`` does not vanish. Raises ValueError for options out of range and for an ``eps`` that is 0 in
    the dtype of the state.

    >>> weight = nn.Parameter(tensor([1.0]))
    >>> optimizer = optim.Adam([weight], lr=0.1)
    >>> (weight ** 2).sum().backward(); optimizer.step(); weight.detach()
    tensor([0.9000])
    """

    counts = True
    remembers: Mapping[str, bool] = {"exp_avg": True, "exp_avg_sq": True, "max_exp_avg_sq": False}

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        name = type(self).__name__
        at_least_zero(name, group, "lr", "eps", "weight_decay")
        betas = tuple(group["betas"])
        if len(betas) != 2:
            raise ValueError(f"{name}: betas must be two numbers, got {group['betas']}")
        for i, beta in enumerate(betas):
            if not 0.0 <= float(beta) < 1.0:
                raise ValueError(f"{name}: betas[{i}] must be in [0, 1), got {beta}")
        check_eps(name, group)

    def _buffers(self, group: dict[str, Any]) -> tuple[tuple[str, ...], int]:
        return (("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")), 1

    def _update(self, group: dict[str, Any], chunk: Chunk) -> None:
        beta1, beta2 = group["betas"]
        lr, decay, eps = float(group["lr"]), group["weight_decay"], group["eps"]
        options = (lr, beta1, beta2, decay, eps, group["maximize"], group["decoupled_weight_decay"])
        if chunk.options != options:
            self._prepare(group, chunk, options)
        step = chunk.count()
        # m / (sqrt(v) / root + eps) * lr / (1 - beta1**step), with both divisions by root drawn out
        root = math.sqrt(1 - beta2**step)
        scale, shrink, _, _, floor, size = chunk.numbers
        floor.fill(max(eps * root, chunk.tiny))  # with eps=0, 0/0 shall be 0
        size.fill(lr * root / (1 - beta1**step))
        decoupled = group["decoupled_weight_decay"]
        chunk.run(
            _adam,
            scale,
            shrink if decay and not decoupled else None,
            shrink if decay and decoupled else None,
        )

    def _prepare(self, group: dict[str, Any], chunk: Chunk, options: Any) -> None:
        lr, beta1, beta2, decay, _, maximize, decoupled = options
        scale = 1 - beta1
        shrink = lr * decay if decoupled else scale * decay
        chunk.set_numbers(options, -scale if maximize else scale, shrink, (1 - beta2) / scale**2, 0.0, 0.0, 0.0)
        factors = np.array([[beta1], [beta2]], chunk.work)
        if not chunk.blocked:  # one factor per element: broadcasting costs more on few elements
            factors = np.repeat(factors, chunk.state.shape[1], axis=1)
        chunk.numbers[3] = factors


class AdamW(Adam):
    """Adam with the weight decay taken from the parameter itself (Loshchilov & Hutter 2019).

    >>> optim.AdamW([nn.Parameter(tensor([1.0]))]).defaults["weight_decay"]
    0.01
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def _adam(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    """Both running means are updated at once; the gradient comes scaled by 1 - beta1."""
    g, t = temporary
    _, _, square, factors, floor, size = chunk.numbers
    amsgrad = len(rows) == 3
    moments = state[:2] if amsgrad else state
    np.multiply(g, g, t)
    np.multiply(t, square, t)
    np.multiply(moments, factors, moments)
    np.add(moments, scratch, moments)
    variance = np.maximum(rows[2], rows[1], out=rows[2]) if amsgrad else rows[1]
    np.sqrt(variance, t)
    np.add(t, floor, t)
    np.divide(rows[0], t, t)
    np.multiply(t, size, t)
