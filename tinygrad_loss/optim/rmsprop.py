"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..dtypes import Array
from .flat import Chunk, Rows
from .optimizer import Optimizer, at_least_zero, check_eps


class RMSprop(Optimizer):
    """The gradient over the root of its running mean square (Tieleman & Hinton 2012).

    ``centered`` subtracts the squared running mean, giving the variance (Graves 2013), which is kept from
    falling below 0 by rounding; ``momentum`` accumulates the quotients. Raises ValueError for negative
    options.

    >>> weight = nn.Parameter(tensor([1.0]))
    >>> optimizer = optim.RMSprop([weight], lr=0.01)
    >>> weight.sum().backward(); optimizer.step(); weight.detach()
    tensor([0.9000])
    """

    counts = True
    remembers: Mapping[str, bool] = {"square_avg": True, "momentum_buffer": False, "grad_avg": False}

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("RMSprop", group, "lr", "alpha", "eps", "weight_decay", "momentum")
        check_eps("RMSprop", group)

    def _buffers(self, group: dict[str, Any]) -> tuple[tuple[str, ...], int]:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return tuple(names), 1

    def _update(self, group: dict[str, Any], chunk: Chunk) -> None:
        lr, alpha, eps, decay = float(group["lr"]), group["alpha"], group["eps"], group["weight_decay"]
        options = (lr, alpha, eps, decay, group["momentum"], group["maximize"])
        if chunk.options != options:
            floor = max(eps, chunk.tiny)  # with eps=0, 0/0 shall be 0
            sign = -1.0 if group["maximize"] else 1.0
            chunk.set_numbers(options, sign, decay, alpha, 1 - alpha, floor, group["momentum"], lr)
        chunk.count()
        scale = chunk.numbers[0] if group["maximize"] else None
        chunk.run(_centered if group["centered"] else _plain, scale, chunk.numbers[1] if decay else None)


def _plain(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    g, t = temporary
    _mean_square(chunk, rows[0], g, t)
    np.sqrt(rows[0], t)
    _finish(chunk, rows[1] if len(rows) == 2 else None, g, t)


def _centered(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    g, t = temporary
    square, mean = rows[0], rows[-1]
    _mean_square(chunk, square, g, t)
    np.subtract(g, mean, t)
    np.multiply(t, chunk.numbers[3], t)
    np.add(mean, t, mean)
    np.multiply(mean, mean, t)
    np.subtract(square, t, t)
    np.maximum(t, _ZERO, out=t)  # the variance of a constant gradient can come out negative
    np.sqrt(t, t)
    _finish(chunk, rows[1] if len(rows) == 3 else None, g, t)


def _mean_square(chunk: Chunk, square: Array, g: Array, t: Array) -> None:
    np.multiply(g, g, t)
    np.multiply(t, chunk.numbers[3], t)
    np.multiply(square, chunk.numbers[2], square)
    np.add(square, t, square)


def _finish(chunk: Chunk, buffer: Array | None, g: Array, t: Array) -> None:
    _, _, _, _, floor, momentum, lr = chunk.numbers
    np.add(t, floor, t)
    np.divide(g, t, t)
    if buffer is not None:
        np.multiply(buffer, momentum, buffer)
        np.add(buffer, t, buffer)
        np.multiply(buffer, lr, t)
    else:
        np.multiply(t, lr, t)


_ZERO = np.zeros((), np.float32)
