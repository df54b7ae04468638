"""Points of the functions and losses of rows of scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import draws
from .points_numbers import weights
from .registry import Array, Batch, points


def widths(n: int) -> Iterator[tuple[int, int]]:
    """(rows, classes) for about n examples: many narrow rows, some wide."""
    for share, classes in ((0.05, 1), (0.3, 2), (0.35, 3), (0.25, 5), (0.05, 17)):
        yield max(int(n * share), 2), classes


@points("log_softmax", "softmax")
def rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        z = draws.logits(r, max(examples // classes, 2), classes, kind) / 4.0  # the factor is no part of the function
        several = draws.mixed(r, z.shape, lambda s: r.normal(size=s), np.zeros, np.ones, lambda s: 10.0 ** r.uniform(-3, 3, s))
        one = (np.arange(classes) == r.integers(0, classes, (len(z), 1))) * -1.0
        yield Batch({"input": z, "factor": np.where(r.uniform(size=(len(z), 1)) < 0.5, one, several)})


@points("logsumexp")
def rows_to_one(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        yield Batch({"input": draws.logits(r, examples, classes, kind)})


@points("nll_loss")
def picked_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n // 2):
        target = r.integers(0, classes, examples)
        arrays = {"input": np.minimum(draws.log_probabilities(r, examples, classes, kind), 0), "target": target}
        yield Batch(arrays)
        yield Batch({**arrays, "weight": weights(r, classes)}, whole=("weight",))


def labels(r: np.random.Generator, z: Array) -> Array:
    """Often the class of the largest score, as of a network that has learned."""
    return np.where(r.uniform(size=len(z)) < 0.6, z.argmax(1), r.integers(0, z.shape[1], len(z)))


def classified(
    r: np.random.Generator, n: int, kind: str, weighted: bool = False, soft: bool = False, **options: Any
) -> Iterator[Batch]:
    for examples, classes in widths(n):
        z = draws.logits(r, examples, classes, kind)
        target = draws.simplex(r, len(z), classes, kind) if soft else labels(r, z)
        arrays = {"input": z, "target": target} | ({"weight": weights(r, classes)} if weighted else {})
        yield Batch(arrays, options, whole=("weight",))


@points("cross_entropy", "cross_entropy_formula")
def every_option(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield from classified(r, 3 * n // 8, kind)
    yield from classified(r, n // 8, kind, weighted=True)
    yield from classified(r, n // 8, kind, label_smoothing=0.1)
    yield from classified(r, n // 8, kind, weighted=True, label_smoothing=0.3)
    yield from classified(r, n // 8, kind, soft=True)
    yield from classified(r, n // 8, kind, weighted=True, soft=True, label_smoothing=0.1)
    if n >= 1000:
        z = draws.logits(r, n // 1000, 500, kind)
        yield Batch({"input": z, "target": labels(r, z)})


@points("focal_loss")
def focused_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield from classified(r, n // 3, kind)
    yield from classified(r, n // 6, kind, gamma=0.5)
    yield from classified(r, n // 6, kind, weighted=True, gamma=3.0)
    yield from classified(r, n // 6, kind, label_smoothing=0.1)
    yield from classified(r, n // 6, kind, weighted=True, soft=True, gamma=1.0)


@points("poly_loss")
def poly_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for epsilon in (1.0, 2.0, -0.5):
        yield from classified(r, n // 4, kind, epsilon=epsilon)
    yield from classified(r, n // 4, kind, soft=True)


@points("generalized_cross_entropy")
def bounded_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for q in (0.5, 0.7, 1.0, 0.01, 0.0):
        yield from classified(r, n // 5, kind, q=q)


@points("sparsemax_loss")
def sparse_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        z = draws.logits(r, examples, classes, kind) * np.where(r.uniform(size=(examples, 1)) < 0.5, 0.1, 1.0)
        yield Batch({"input": z, "target": labels(r, z)})


@points("multi_margin_loss")
def by_margins(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for weighted, options in ((False, {}), (True, {}), (False, {"p": 2}), (True, {"p": 2, "margin": 0.1})):
        yield from classified(r, n // 4, kind, weighted=weighted, **options)


@points("categorical_hinge_loss")
def against_the_best(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield from classified(r, n // 2, kind)
    yield from classified(r, n // 2, kind, against_zero=True)


@points("multilabel_margin_loss")
def listed(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        z = np.clip(draws.logits(r, examples, classes, kind), -1e34, 1e34)  # the sum is in range
        lists = np.argsort(r.uniform(size=z.shape), 1)
        yield Batch({"input": z, "target": np.where(np.arange(classes) < r.integers(0, classes + 1, (len(z), 1)), lists, -1)})


@points("multilabel_soft_margin_loss")
def many_labels(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for weighted in (False, True):
        for examples, classes in widths(n // 2):
            z = np.clip(draws.scores(r, examples * classes, kind), -1e34, 1e34)  # the sum is in range
            z = z.reshape(examples, classes)
            arrays = {"input": z, "target": draws.binary_targets(r, z.size).reshape(z.shape)}
            yield Batch(arrays | ({"weight": weights(r, classes)} if weighted else {}), whole=("weight",))


@points("ranking_softmax_loss")
def relevant(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        z = draws.logits(r, examples, classes, kind)
        relevance = r.integers(0, 4, z.shape) * r.choice([1.0, 0.1], (examples, 1))
        arrays = {"scores": z, "relevance": relevance}
        yield Batch(arrays | ({"weight": weights(r, z.shape)} if classes == 3 else {}), by=("scores",))


@points("ranknet_loss", "listmle_loss")
def ordered(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in list(widths(n))[:4]:
        z = draws.logits(r, examples, classes, kind)
        yield Batch({"scores": z, "relevance": r.integers(0, 4, z.shape) * 1.0}, by=("scores",))


@points("distillation_loss")
def taught(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in list(widths(n))[1:4]:
        for share, options in ((3, {}), (1, {"temperature": 0.5}), (1, {"temperature": 7.0}), (2, {"alpha": 0.3})):
            z = draws.logits(r, examples * share // 7 + 1, classes, kind) / 4.0
            t = np.where(r.uniform(size=(len(z), 1)) < 0.4, draws.near(r, z, kind), draws.logits(r, len(z), classes, kind) / 4.0)
            arrays = {"student": z, "teacher": t} | ({"target": labels(r, z)} if "alpha" in options else {})
            yield Batch(arrays, options, by=("student", "teacher"))


@points("linear_cross_entropy")
def projected(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in list(widths(n))[1:4]:
        for _ in range(5):
            arrays = {
                "input": r.normal(size=(examples // 5 + 1, 4)) * r.choice([0.1, 1.0, 10.0], (examples // 5 + 1, 1)),
                "linear_weight": r.normal(size=(classes, 4)) * 2, "target": r.integers(0, classes, examples // 5 + 1),
                "linear_bias": r.normal(size=classes),
            }  # fmt: skip
            yield Batch(arrays, whole=("linear_weight", "linear_bias"))
