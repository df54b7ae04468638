"""The same work written for ``tinygrad_loss`` and for torch: each function takes the library and returns a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Step = Callable[[], Any]


@dataclass(frozen=True)
class Training:
    """Linear and ReLU layers, CrossEntropyLoss, Adam, on one batch: what every contender starts from."""

    parameters: list[Array]  # weight (out, in), bias (out,), and so on
    x: Array
    y: Array


def training(sizes: tuple[int, ...], batch: int) -> Training:
    rng = np.random.default_rng(0)
    parameters = []
    for i, o in pairwise(sizes):
        parameters += [rng.uniform(-1, 1, size=shape).astype(np.float32) / np.float32(i**0.5) for shape in ((o, i), (o,))]
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    return Training(parameters, x, rng.integers(0, sizes[-1], size=batch))


def training_step(torch: Any, task: Training, **adam: Any) -> Step:
    """The step as every tutorial writes it; it returns the loss."""
    layers: list[Any] = []
    for weight in task.parameters[::2]:
        layers += [torch.nn.Linear(weight.shape[1], weight.shape[0]), torch.nn.ReLU()]
    model, criterion = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    if len(layers) == 2:
        model = layers[0]
    with torch.no_grad():
        for parameter, start in zip(model.parameters(), task.parameters, strict=True):
            parameter.copy_(torch.from_numpy(start))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **adam)
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


TINY = np.array([0.5, 1.0, -0.5], dtype=np.float32)


def tiny_operations(torch: Any, count: int) -> Step:
    """``count`` operations on 3 elements, forward and backward, a multiple of 5; it returns the gradient."""
    x = torch.from_numpy(TINY.copy()).requires_grad_()

    def step() -> Any:
        x.grad = None
        y = x
        for _ in range(count // 5):
            y = y * x
            y = y + x
            y = torch.tanh(y)
            y = y - 0.5
            y = y * 0.9
        y.sum().backward()
        return x.grad

    return step


def tiny_ufuncs(count: int) -> Step:
    """The same by bare ufuncs: what is left of ``tiny_operations`` when there is no tape."""
    x = TINY.copy()

    def step() -> Array:
        y, kept = x, []
        for _ in range(count // 5):
            before = y
            y = np.tanh(y * x + x)
            kept.append((before, y))
            y = y - 0.5
            y = y * 0.9
        np.add.reduce(y)
        g, total = np.ones_like(x), np.zeros_like(x)
        for before, y in reversed(kept):
            g = g * 0.9
            g = g * (1 - y * y)
            total = total + g  # of + x
            total = total + g * before
            g = g * x
        return total + g

    return step


def value_and_gradient(torch: Any, loss: str, arrays: dict[str, Array], leaves: list[str], **options: Any) -> Step:
    """The loss of the arrays, by position as one writes it, differentiated by ``leaves``; returns the value and the gradients."""
    function = getattr(torch.nn.functional, loss)
    tensors = {name: torch.from_numpy(a) for name, a in arrays.items()}
    wanted = [tensors[name].requires_grad_() for name in leaves]

    def step() -> Any:
        for leaf in wanted:
            leaf.grad = None
        value = function(*tensors.values(), **options)
        value.backward()
        return value, [leaf.grad for leaf in wanted]

    return step


def scores(rows: int, classes: int) -> dict[str, Array]:
    """Scores and class indices for cross_entropy."""
    rng = np.random.default_rng(0)
    return {"input": rng.standard_normal((rows, classes), dtype=np.float32), "target": rng.integers(0, classes, size=rows)}


def alignments(t: int, n: int, c: int, s: int) -> dict[str, Array]:
    """The arguments of ctc_loss, all of full length."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((t, n, c), dtype=np.float32)
    return {
        "log_probs": z - np.log(np.exp(z).sum(-1, keepdims=True)),
        "targets": rng.integers(1, c, size=(n, s)),
        "input_lengths": np.full(n, t),
        "target_lengths": np.full(n, s),
    }
