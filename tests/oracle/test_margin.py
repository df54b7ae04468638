"""Margin losses against torch where many hinges are at their tie: scores on a lattice, so that no rounding decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.samples import Array, seeded

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")


def lattice(r: np.random.Generator, *shape: int) -> Array:
    return r.integers(-4, 5, size=shape) / 2.0


def signs(r: np.random.Generator, *shape: int) -> Array:
    return r.choice([-1.0, 1.0], size=shape)


def lists(r: np.random.Generator, n: int, classes: int) -> Array:
    return np.array([np.where(np.arange(classes) < r.integers(0, classes + 1), r.permutation(classes), -1) for _ in range(n)])


# (loss, arrays that need a gradient, other arrays by name, options, what a tie of it looks like)
CALLS: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("hinge_embedding_loss", lambda r: {"input": lattice(r, 9, 3)}, lambda r: {"target": signs(r, 9, 3)}, {"margin": 0.5}),
    ("margin_ranking_loss", lambda r: {"input1": lattice(r, 20), "input2": lattice(r, 20), "target": signs(r, 20)}, lambda r: {}, {"margin": 1.0}),
    ("multi_margin_loss", lambda r: {"input": lattice(r, 9, 5)}, lambda r: {"target": r.integers(0, 5, 9)}, {"p": 1}),
    ("multi_margin_loss", lambda r: {"input": lattice(r, 9, 5)}, lambda r: {"target": r.integers(0, 5, 9), "weight": r.uniform(size=5)}, {"p": 2, "margin": 0.5}),
    ("multi_margin_loss", lambda r: {"input": lattice(r, 5)}, lambda r: {"target": r.integers(0, 5, ())}, {"margin": -0.5}),
    ("multilabel_margin_loss", lambda r: {"input": lattice(r, 9, 5)}, lambda r: {"target": lists(r, 9, 5)}, {}),
    ("multilabel_margin_loss", lambda r: {"input": lattice(r, 5)}, lambda r: {"target": lists(r, 1, 5)[0]}, {}),
]  # fmt: skip


def pulled(lib: Any, name: str, floats: dict[str, Array], others: dict[str, Array], options: Any, kind: Any) -> list[Array]:
    given = {n: lib.from_numpy(x.astype(kind)).requires_grad_() for n, x in floats.items()}
    rest = {n: lib.from_numpy(np.asarray(x.astype(kind) if x.dtype.kind == "f" else x)) for n, x in others.items()}
    y = getattr(lib.nn.functional, name)(**given, **rest, **options, reduction="sum")
    return [y.detach().numpy(), *(g.numpy() for g in lib.autograd.grad(y, list(given.values())))]


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", range(len(CALLS)), ids=lambda i: f"{CALLS[i][0]}-{i}")
def test_ties(case: int, kind: Any) -> None:
    name, floats, others, options = CALLS[case]
    r = seeded(f"ties{case}")
    for _ in range(20):
        x, y = floats(r), others(r)
        ours, theirs = pulled(tl, name, x, y, options, kind), pulled(torch, name, x, y, options, kind)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14 if kind is np.float64 else 1e-6, atol=1e-14 if kind is np.float64 else 1e-6)


def test_an_empty_batch_is_the_mean_of_nothing() -> None:
    """torch hands out memory that it never wrote, in the mean and in the sum."""
    for loss, target in ((tl.nn.functional.multi_margin_loss, tl.zeros(0).long()), (tl.nn.functional.multilabel_margin_loss, tl.zeros(0, 3).long())):
        assert np.isnan(loss(tl.zeros(0, 3), target).item()) and loss(tl.zeros(0, 3), target, reduction="sum").item() == 0
