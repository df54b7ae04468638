"""Random states to save: models, optimizers in the middle of training, generators, and everything that can be nested."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import tinygrad_loss as tl

DTYPES = [tl.float16, tl.float32, tl.float64, tl.uint8, tl.int8, tl.int16, tl.int32, tl.int64, tl.bool]
NAMES = ["weight", "0", "__metadata__", "../x", "/etc/passwd", "häß", "a.b", "", "\U0001f600", 'q"', "\\", "header_sha256"]


def tensor(draw: random.Random) -> Any:
    shape = [draw.choice([0, 1, 2, 3, 5]) for _ in range(draw.randrange(4))]
    values = np.random.default_rng(draw.randrange(2**32)).integers(0, 2, shape)
    return tl.tensor(values).to(draw.choice(DTYPES))


def value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.randrange(12 if depth < 4 else 8)
    if kind < 3:
        return tensor(draw)
    if kind == 3:
        return draw.choice([0, -7, 2**100, True, None, draw.getrandbits(60)])
    if kind == 4:
        return draw.choice([0.0, -0.0, float("inf"), float("nan"), 5e-324, draw.gauss(0, 1)])
    if kind == 5:
        return draw.choice([*NAMES, "float", "inf"])
    if kind == 6:
        return draw.choice([tl.float32, tl.Size((2, 3)), np.float64(0.1), np.int8(3), np.arange(3.0)])
    if kind == 7:
        return tl.ones(draw.randrange(3), requires_grad=True)
    if kind < 10:
        keys = draw.sample([*NAMES, 0, 1, -5, None, 2.5], draw.randrange(4))
        return {key: value(draw, depth + 1) for key in keys}
    items = [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return items if kind == 10 else tuple(items)


def training(draw: random.Random) -> dict[str, Any]:
    """A model and its optimizer after a few steps, a scheduler, generators."""
    g = tl.Generator().manual_seed(draw.getrandbits(32))
    model = tl.nn.Sequential(tl.nn.Linear(2, draw.randint(1, 8)), tl.nn.Linear(1, 1))
    name = draw.choice(["SGD", "Adam", "AdamW", "RMSprop"])
    optimizer = getattr(tl.optim, name)(model.parameters(), **({"momentum": 0.9} if name == "SGD" else {}))
    scheduler = tl.optim.lr_scheduler.StepLR(optimizer, 2)
    for p in model.parameters():
        p.grad = tl.randn(*p.shape, generator=g)
    optimizer.step()
    scheduler.step()
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    state: dict[str, Any] = {key: part.state_dict() for key, part in parts.items()}
    if draw.random() < 0.5:
        state["generator"] = g
    return state


def random_state(draw: random.Random) -> Any:
    if draw.random() < 0.5:
        return {**training(draw), "more": value(draw)}
    return [value(draw) for _ in range(draw.randint(1, 6))]
