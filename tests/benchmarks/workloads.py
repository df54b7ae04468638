"""The same work written for ``tinygrad_loss`` and for torch: each function takes the library and returns a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], object]


def documents_loop(torch: Any) -> Step:
    """Linear(10, 3), batch 32, CrossEntropyLoss, Adam: the tutorials' training step."""
    torch.manual_seed(0)
    model, criterion = torch.nn.Linear(10, 3), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

    return step


def mlp(sizes: tuple[int, ...], batch: int) -> Callable[[Any], Step]:
    """Linear and ReLU layers of these sizes, CrossEntropyLoss, Adam."""

    def make(torch: Any) -> Step:
        torch.manual_seed(0)
        layers: list[Any] = []
        for i, o in zip(sizes, sizes[1:], strict=False):
            layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
        model, criterion = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        x, y = torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,))

        def step() -> None:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()

        return step

    return make


def tiny_operations(torch: Any) -> Step:
    """100 operations on 3 elements, forward and backward."""
    x = torch.tensor([0.5, 1.0, -0.5], requires_grad=True)

    def step() -> None:
        x.grad = None
        y = x
        for _ in range(20):
            y = y * x
            y = y + x
            y = torch.tanh(y)
            y = y - 0.5
            y = y * 0.9
        y.sum().backward()

    return step


def _value_and_gradient(torch: Any, loss: str, arrays: list[Any], **options: Any) -> Step:
    function = getattr(torch.nn.functional, loss)
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors[0].requires_grad_()

    def step() -> None:
        tensors[0].grad = None
        function(*tensors, **options).backward()

    return step


def elementwise_loss(loss: str, n: int) -> Callable[[Any], Step]:
    """Value and gradient of a loss of ``n`` float32 elements."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n).astype(np.float32)
    t = rng.uniform(0.1, 0.9, size=n).astype(np.float32)
    if loss == "binary_cross_entropy":
        x = (1 / (1 + np.exp(-x))).astype(np.float32)
    if loss == "kl_div":
        return lambda torch: _value_and_gradient(torch, loss, [np.log(t), t[::-1].copy()], reduction="sum")
    return lambda torch: _value_and_gradient(torch, loss, [x, t])


def class_loss(loss: str, n: int, classes: int) -> Callable[[Any], Step]:
    """Value and gradient of a loss of ``n`` rows against class indices, float32."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, classes)).astype(np.float32)
    if loss == "nll_loss":
        z = (z - np.log(np.exp(z).sum(1, keepdims=True))).astype(np.float32)
    y = rng.integers(0, classes, size=n)
    return lambda torch: _value_and_gradient(torch, loss, [z, y])


ELEMENTWISE = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "kl_div",
)  # fmt: skip
CLASSES = ("cross_entropy", "nll_loss")


def workloads(short: bool) -> dict[str, Callable[[Any], Step]]:
    """Every workload by its name in the table."""
    table: dict[str, Callable[[Any], Step]] = {
        "the documents' loop, Linear(10, 3)": documents_loop,
        "100 tiny operations": tiny_operations,
        "MLP 784-128-10, batch 32": mlp((784, 128, 10), 32),
        "MLP 64-64-10, batch 64": mlp((64, 64, 10), 64),
    }
    for n in (100, 10_000) if short else (100, 10_000, 1_000_000):
        table |= {f"{name}, {n:,} elements": elementwise_loss(name, n) for name in ELEMENTWISE}
        table |= {f"{name}, {n // 10:,} x 10": class_loss(name, n // 10, 10) for name in CLASSES}
    if not short:
        table["MLP 784-256-128-10, batch 128"] = mlp((784, 256, 128, 10), 128)
    return table
