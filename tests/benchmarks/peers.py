"""The same work in jax, HIPS autograd, mygrad and hand-written NumPy: what is not installed is left out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .workloads import Array, Step, Training

Formula = Callable[..., Any]


def installed() -> tuple[dict[str, Any], list[str]]:
    """(the peers that are there, the names of those that are not)."""
    found: dict[str, Any] = {}
    for name in ("jax", "autograd", "mygrad"):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            continue
    return found, [name for name in ("jax", "autograd", "mygrad") if name not in found]


# Training: Linear and ReLU layers, cross-entropy, Adam.


class Adam:
    """Kingma and Ba 2015, over a list of arrays."""

    def __init__(self, parameters: Iterable[Array], rate: float = 1e-3) -> None:
        self.parameters, self.rate, self.steps = list(parameters), rate, 0
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]

    def step(self, gradients: Iterable[Array]) -> None:
        self.steps += 1
        size = self.rate / (1 - 0.9**self.steps)
        root = (1 - 0.999**self.steps) ** 0.5
        for p, g, m, v in zip(self.parameters, gradients, self.m, self.v, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            p -= size * m / (np.sqrt(v) / root + 1e-8)


def forward(xp: Any, parameters: list[Any], x: Any, y: Any) -> Any:
    for layer in range(0, len(parameters), 2):
        x = x @ parameters[layer].T + parameters[layer + 1]
        if layer + 2 < len(parameters):
            x = xp.maximum(x, 0)
    return cross_entropy(xp, x, y)


def numpy_training(task: Training) -> Step:
    """Straight-line NumPy with the gradients written out."""
    parameters = [p.copy() for p in task.parameters]
    adam, rows = Adam(parameters), np.arange(len(task.y))

    def step() -> Any:
        inputs, x = [], task.x
        for layer in range(0, len(parameters), 2):
            inputs.append(x)
            x = x @ parameters[layer].T + parameters[layer + 1]
            if layer + 2 < len(parameters):
                x = np.maximum(x, 0)
        z = x - np.maximum.reduce(x, axis=1, keepdims=True)
        e = np.exp(z)
        total = np.add.reduce(e, axis=1, keepdims=True)
        loss = np.add.reduce(np.log(total[:, 0]) - z[rows, task.y]) / len(rows)
        g = e / total
        g[rows, task.y] -= 1
        g /= len(rows)
        gradients: list[Array] = []
        for layer in range(len(parameters) - 2, -1, -2):
            x = inputs.pop()
            gradients = [g.T @ x, np.add.reduce(g, axis=0), *gradients]
            if layer:
                g = (g @ parameters[layer]) * (x > 0)
        adam.step(gradients)
        return loss

    return step


def jax_training(jax: Any, task: Training) -> Step:
    xp = jax.numpy
    x, y = xp.asarray(task.x), xp.asarray(task.y)
    start = [xp.asarray(p) for p in task.parameters]
    derive = jax.value_and_grad(lambda parameters: forward(xp, parameters, x, y))

    @jax.jit
    def update(parameters: Any, m: Any, v: Any, count: Any) -> Any:
        loss, gradients = derive(parameters)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        size, root = 1e-3 / (1 - 0.9**count), xp.sqrt(1 - 0.999**count)
        stepped = [p - size * a / (xp.sqrt(b) / root + 1e-8) for p, a, b in zip(parameters, m, v, strict=True)]
        return loss, stepped, m, v, count + 1

    state = [start, [p * 0 for p in start], [p * 0 for p in start], xp.asarray(1.0)]

    def step() -> Any:
        loss, *state[:] = update(*state)
        return jax.block_until_ready(loss)

    return step


def autograd_training(autograd: Any, task: Training) -> Step:
    xp = importlib.import_module("autograd.numpy")
    parameters = [p.copy() for p in task.parameters]
    adam = Adam(parameters)
    derive = autograd.value_and_grad(lambda parameters: forward(xp, parameters, task.x, task.y))

    def step() -> Any:
        loss, gradients = derive(parameters)
        adam.step(gradients)
        return loss

    return step


def mygrad_training(mygrad: Any, task: Training) -> Step:
    parameters = [p.copy() for p in task.parameters]
    adam = Adam(parameters)

    def step() -> Any:
        leaves = [mygrad.tensor(p, copy=False) for p in parameters]
        loss = forward(mygrad, leaves, task.x, task.y)
        loss.backward()
        adam.step([leaf.grad for leaf in leaves])
        return loss

    return step


TRAINING: dict[str, Callable[[Any, Training], Step]] = {
    "jax": jax_training, "autograd": autograd_training, "mygrad": mygrad_training,
}  # fmt: skip

# Losses, in the operations that all of them have; float32, the mean over elements.


def cross_entropy(xp: Any, z: Any, y: Any) -> Any:
    shifted = z - xp.max(z, axis=1, keepdims=True)
    return (xp.log(xp.sum(xp.exp(shifted), axis=1)) - shifted[np.arange(len(y)), y]).mean()


def bce_with_logits(xp: Any, x: Any, t: Any) -> Any:
    return (xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(-xp.abs(x)))).mean()


def huber(xp: Any, x: Any, t: Any) -> Any:
    d = xp.abs(x - t)
    return xp.where(d < 1, d * d / 2, d - 0.5).mean()


FORMULAS: dict[str, Formula] = {
    "mse_loss": lambda xp, x, t: ((x - t) ** 2).mean(),
    "huber_loss": huber,
    "binary_cross_entropy_with_logits": bce_with_logits,
    "kl_div": lambda xp, x, t: (t * (xp.log(t) - x)).mean(),
    "gaussian_nll_loss": lambda xp, x, t, v: ((xp.log(xp.maximum(v, 1e-6)) + (x - t) ** 2 / xp.maximum(v, 1e-6)) / 2).mean(),
    "cross_entropy": cross_entropy,
}  # fmt: skip


def by_hand(loss: str) -> Callable[..., tuple[Any, list[Array]]]:
    """The value and the gradients, as one writes them in NumPy without a library."""

    def mse(x: Array, t: Array) -> Any:
        d = x - t
        return np.dot(d, d) / d.size, [d * np.float32(2 / d.size)]

    def huber(x: Array, t: Array) -> Any:
        d = x - t
        c = np.minimum(np.maximum(d, -1), 1)
        return np.dot(c, d - c / 2) / d.size, [c / np.float32(d.size)]

    def bce(x: Array, t: Array) -> Any:
        e = np.exp(-np.abs(x))
        value = np.maximum(x, 0) - x * t + np.log1p(e)
        return value.mean(), [(np.where(x >= 0, 1, e) / (1 + e) - t) / np.float32(x.size)]

    def kl(x: Array, t: Array) -> Any:
        return np.dot(t, np.log(t) - x) / x.size, [t / np.float32(-x.size)]

    def gaussian(x: Array, t: Array, v: Array) -> Any:
        v, d, half = np.maximum(v, 1e-6), x - t, np.float32(0.5 / x.size)
        r = d / v
        return (np.log(v) + d * r).mean() / 2, [r * (2 * half), (1 / v - r * r) * half]

    def ce(z: Array, y: Array) -> Any:
        rows = np.arange(len(y))
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        value = (np.log(total[:, 0]) - z[rows, y]).mean()
        g = e / total
        g[rows, y] -= 1
        return value, [g / np.float32(len(y))]

    return {
        "mse_loss": mse, "huber_loss": huber, "binary_cross_entropy_with_logits": bce, "kl_div": kl,
        "gaussian_nll_loss": gaussian, "cross_entropy": ce,
    }[loss]  # fmt: skip


def loss_steps(peers: dict[str, Any], loss: str, arrays: dict[str, Array], leaves: list[str]) -> dict[str, Step]:
    """The peers' value and gradient of a loss they have here; nothing for others."""
    if loss not in FORMULAS:
        return {}
    formula, given = FORMULAS[loss], list(arrays.values())
    where = tuple(i for i, name in enumerate(arrays) if name in leaves)
    steps: dict[str, Step] = {"numpy": lambda: by_hand(loss)(*given)}
    if "jax" in peers:
        jax = peers["jax"]
        derive = jax.jit(jax.value_and_grad(lambda *x: formula(jax.numpy, *x), where))
        placed = [jax.numpy.asarray(a) for a in given]
        steps["jax"] = lambda: jax.block_until_ready(derive(*placed))
    if "autograd" in peers:
        xp, tools = importlib.import_module("autograd.numpy"), peers["autograd"]
        both = tools.value_and_grad(lambda x: formula(xp, *(x[where.index(i)] if i in where else a for i, a in enumerate(given))))
        chosen = tuple(given[i] for i in where)
        steps["autograd"] = lambda: both(chosen)
    if "mygrad" in peers:
        mygrad = peers["mygrad"]

        def step() -> Any:
            tensors = [mygrad.tensor(a, copy=False) if i in where else a for i, a in enumerate(given)]
            value = formula(mygrad, *tensors)
            value.backward()
            return value, [tensors[i].grad for i in where]

        steps["mygrad"] = step
    return steps
