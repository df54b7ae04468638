"""Points of the losses of vectors, of overlaps and of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import draws
from .registry import Array, Batch, points


def vectors(r: np.random.Generator, n: int, size: int, kind: str) -> Array:
    """Of any length: around 1, tiny, huge (their squares are out of range), with zeros.

    Not so tiny that 1 / length, the slope of a direction, is out of range.
    """
    x = draws.mixed(r, (n, size), lambda s: r.normal(size=s), lambda s: r.normal(size=s), np.zeros, lambda s: draws.small(r, s))
    scale = np.choose(r.integers(0, 6, (n, 1)), [1.0, 1.0, 1.0, 10.0 ** r.uniform(-25, -3, (n, 1)), 10.0 ** r.uniform(3, 30, (n, 1)), 1.0])
    x = x * scale
    return np.where(np.abs(x) < 1e-34, 0.0, x)


def near_vectors(r: np.random.Generator, x: Array, kind: str) -> Array:
    """The same direction, almost; the same vector; another one."""
    turned = draws.near(r, x, kind) * r.choice([1.0, 1.0, 3.0, 0.01], (len(x), 1))
    other = vectors(r, *x.shape, kind)
    return np.where(r.uniform(size=(len(x), 1)) < 0.5, turned, other)


@points("cosine_embedding_loss")
def directions(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for size, margin in ((2, 0.0), (3, 0.0), (5, 0.5), (16, 0.25)):
        x = vectors(r, n // 4, size, kind)
        arrays = {"input1": x, "input2": near_vectors(r, x, kind), "target": draws.signs(r, n // 4)}
        yield Batch(arrays, {"margin": margin}, by=("input1", "input2"))


@points("contrastive_loss")
def pairs_of_vectors(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for size, margin in ((2, 1.0), (3, 0.1), (16, 2.0)):
        x = vectors(r, n // 3, size, kind)
        arrays = {"input1": x, "input2": near_vectors(r, x, kind), "target": r.integers(0, 2, n // 3)}
        yield Batch(arrays, {"margin": margin}, by=("input1", "input2"))


def triplets(r: np.random.Generator, n: int, size: int, kind: str, **options: Any) -> Batch:
    x = vectors(r, n, size, kind)
    arrays = {"anchor": x, "positive": near_vectors(r, x, kind), "negative": near_vectors(r, x, kind)}
    return Batch(arrays, options, by=tuple(arrays))


@points("triplet_margin_loss")
def near_and_far(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for size, options in ((2, {}), (5, {}), (3, {"swap": True}), (4, {"p": 1.0, "margin": 0.1}), (3, {"p": 3.0})):
        yield triplets(r, n // 5, size, kind, **options)


@points("triplet_margin_with_distance_loss")
def near_and_far_by_default(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield triplets(r, n // 2, 3, kind)
    yield triplets(r, n // 2, 4, kind, swap=True, margin=0.5)


def embedded(r: np.random.Generator, n: int, kind: str) -> Array:
    """Embeddings of a batch: in general, or some close to each other."""
    x = vectors(r, n, int(r.integers(2, 6)), kind)
    if r.uniform() < 0.5:
        x[1::2] = near_vectors(r, x[0 : n - n % 2 : 2], kind)[: len(x[1::2])]
    return x


def settings(r: np.random.Generator, **choices: tuple[float, ...]) -> dict[str, float]:
    return {name: float(r.choice(values)) for name, values in choices.items()}


@points("nt_xent_loss", "supcon_loss")
def grouped(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 6 + 1):
        labels = r.integers(0, 3, 6)
        yield Batch({"embeddings": embedded(r, 6, kind), "labels": labels}, settings(r, temperature=(0.07, 0.5, 1.0)), by=("embeddings",))


@points("circle_loss")
def circled(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 6 + 1):
        options = settings(r, margin=(0.4, 0.25), gamma=(80.0, 4.0))
        yield Batch({"embeddings": embedded(r, 6, kind), "labels": r.integers(0, 3, 6)}, options, by=("embeddings",))


@points("multi_similarity_loss")
def similar(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 6 + 1):
        options = settings(r, alpha=(2.0, 0.5), beta=(50.0, 4.0), base=(0.5, 0.1))
        yield Batch({"embeddings": embedded(r, 6, kind), "labels": r.integers(0, 3, 6)}, options, by=("embeddings",))


@points("simclr_loss", "clip_loss")
def views(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 4 + 1):
        x = embedded(r, 4, kind)
        yield Batch({"input1": x, "input2": near_vectors(r, x, kind)}, by=("input1", "input2"))


@points("info_nce_loss")
def queries(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for i in range(n // 4 + 1):
        x = embedded(r, 4, kind)
        arrays = {"query": x, "key": near_vectors(r, x, kind)} | ({"negatives": vectors(r, 3, x.shape[1], kind)} if i % 2 else {})
        yield Batch(arrays, settings(r, temperature=(0.07, 0.5)), by=("query", "key"))


@points("dice_loss", "iou_loss", "tversky_loss")
def regions(r: np.random.Generator, n: int, kind: str, name: str) -> Iterator[Batch]:
    axes: list[tuple[Any, int]] = [(None, 1), ((0, 2), 3), ((2,), 6)]
    for i in range(n // 3 + 1):
        axis, _ = axes[i % 3]
        options: dict[str, Any] = {"axis": axis, **settings(r, smooth=(0.0, 1.0), eps=(1e-7, 1e-3))}
        if name == "tversky_loss":
            options |= settings(r, alpha=(0.3, 0.5, 1.0), beta=(0.7, 0.5), gamma=(1.0, 0.75, 2.0))
        shape = (2, 3, 4)
        z = draws.scores(r, 24, kind).reshape(shape) if i % 2 else r.normal(size=shape) * 3
        target = (r.uniform(size=shape) < 0.4) * 1.0
        if i % 4 == 0:
            options["from_logits"], z = False, draws.probabilities(r, shape, kind)
        elif i % 4 == 2:
            target = r.integers(0, 3, (2, 4))
        yield Batch({"input": z, "target": target}, options)


@points("ctc_loss")
def sequences(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 3 + 1):
        frames, classes, size = int(r.integers(3, 9)), int(r.integers(2, 5)), int(r.integers(0, 4))
        x = draws.log_probabilities(r, 3 * frames, classes, kind).reshape(frames, 3, classes)
        targets = r.integers(1, classes, (3, max(size, 1)))
        lengths = r.integers(0, size + 1, 3)
        needed = [length + int((row[1:length] == row[: max(length - 1, 0)]).sum()) for row, length in zip(targets, lengths, strict=True)]
        given = np.array([r.integers(max(k, 1), frames + 1) if k <= frames else frames for k in needed])
        lengths = np.where(np.array(needed) <= frames, lengths, 0)
        arrays = {"log_probs": np.minimum(x, 0), "targets": targets, "input_lengths": given, "target_lengths": lengths}
        yield Batch(arrays, by=("log_probs",))


@points("crf1d_loss")
def chains(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n // 3 + 1):
        steps, tags = int(r.integers(1, 5)), int(r.integers(2, 4))
        scale = r.choice([1.0, 1.0, 20.0])
        arrays = {
            "scores": r.normal(size=(3, steps, tags)) * scale, "transitions": r.normal(size=(tags, tags)) * 2,
            "tags": r.integers(0, tags, (3, steps)),
        }  # fmt: skip
        yield Batch(arrays, by=("scores",), whole=("transitions",))
