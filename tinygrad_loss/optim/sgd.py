"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..dtypes import Array
from .flat import Chunk, Rows
from .optimizer import Optimizer, at_least_zero


class SGD(Optimizer):
    """p = p - lr * v with v = momentum * v + (1 - dampening) * grad; without momentum v is the gradient.

    ``weight_decay`` adds that multiple of the parameter to its gradient; ``nesterov`` looks one step ahead
    (Sutskever et al. 2013); ``maximize`` climbs. Raises ValueError for negative options and for nesterov
    without momentum or with dampening.

    >>> weight = nn.Parameter(tensor([1.0]))
    >>> optimizer = optim.SGD([weight], lr=0.1, momentum=0.9)
    >>> weight.sum().backward(); optimizer.step(); weight.detach()
    tensor([0.9000])
    """

    remembers: Mapping[str, bool] = {"momentum_buffer": False}

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("SGD", group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov requires a momentum and zero dampening, got momentum={group['momentum']}, "
                f"dampening={group['dampening']}"
            )

    def _buffers(self, group: dict[str, Any]) -> tuple[tuple[str, ...], int]:
        return (("momentum_buffer",), 1) if group["momentum"] != 0 else ((), 0)

    def _update(self, group: dict[str, Any], chunk: Chunk) -> None:
        lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
        options = (lr, momentum, group["dampening"], decay, group["maximize"])
        if chunk.options != options:
            size = 1.0 if momentum else lr
            sign = -1.0 if group["maximize"] else 1.0
            chunk.set_numbers(options, sign * size, decay * size, lr, momentum, 1.0 - group["dampening"])
        kernel = (_nesterov if group["nesterov"] else _momentum) if momentum else _plain
        as_it_is = momentum and not group["maximize"]
        chunk.run(kernel, None if as_it_is else chunk.numbers[0], chunk.numbers[1] if decay else None)


def _plain(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    """The scaled gradient is what is subtracted."""


def _accumulate(chunk: Chunk, buffer: Array, g: Array, t: Array) -> None:
    _, _, _, momentum, rest = chunk.numbers
    if chunk.fresh:
        buffer[...] = g  # the first gradient is taken whole, without dampening
        return
    np.multiply(buffer, momentum, buffer)
    if chunk.options[2]:
        np.multiply(g, rest, t)
        g = t
    np.add(buffer, g, buffer)


def _momentum(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    (buffer,), (g, t) = rows, temporary
    _accumulate(chunk, buffer, g, t)
    np.multiply(buffer, chunk.numbers[2], t)


def _nesterov(chunk: Chunk, state: Array, scratch: Array, rows: Rows, temporary: Rows) -> None:
    (buffer,), (g, t) = rows, temporary
    _accumulate(chunk, buffer, g, t)
    np.multiply(buffer, chunk.numbers[3], t)
    np.add(t, g, t)
    np.multiply(t, chunk.numbers[2], t)
