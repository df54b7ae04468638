"""Points of the functions, of the losses that carry the others, and of regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import draws
from .registry import Array, Batch, points


def widths(n: int) -> Iterator[tuple[int, int]]:
    """(rows, classes) for about n examples: many narrow rows, some wide."""
    for share, classes in ((0.05, 1), (0.3, 2), (0.35, 3), (0.25, 5), (0.05, 17)):
        yield max(int(n * share), 2), classes
    if n >= 1000:
        yield max(n // 2000, 2), 500


@points("log_softmax", "softmax")
def rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in list(widths(n))[:5]:
        z = draws.logits(r, max(examples // classes, 2), classes, kind) / 4.0  # the factor is no part of the function
        several = draws.mixed(r, z.shape, lambda s: r.normal(size=s), np.zeros, np.ones, lambda s: 10.0 ** r.uniform(-3, 3, s))
        one = (np.arange(classes) == r.integers(0, classes, (len(z), 1))) * -1.0
        yield Batch({"input": z, "factor": np.where(r.uniform(size=(len(z), 1)) < 0.5, one, several)})


@points("logsumexp")
def rows_to_one(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n):
        yield Batch({"input": draws.logits(r, examples, classes, kind)})


@points("logsigmoid", "softplus", "sigmoid")
def lone(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield Batch({"input": draws.scores(r, n, kind)})


@points("erf")
def bell(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield Batch({"input": draws.mixed(r, n, lambda s: r.uniform(-7, 7, s), lambda s: draws.reals(r, s, kind))})


@points("xlogy")
def entropy_terms(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    x = draws.mixed(r, n, lambda s: draws.reals(r, s, kind), lambda s: draws.probabilities(r, s, kind), np.zeros)
    y = draws.mixed(r, n, lambda s: np.abs(draws.moderate(r, s)) + 1e-3, lambda s: draws.near(r, np.ones(s), kind))
    yield Batch({"input": x, "other": y}, by=("input", "other"))


def weights(r: np.random.Generator, shape: int | tuple[int, ...]) -> Array:
    return draws.mixed(r, shape, lambda s: r.uniform(0.1, 3, s), lambda s: 10.0 ** r.uniform(-3, 3, s), np.zeros, np.ones)


def paired(r: np.random.Generator, n: int, kind: str, options: dict[str, float], weighted: bool = False) -> Batch:
    x, t = draws.pairs(r, n, kind)
    arrays = {"input": x, "target": t}
    if weighted:
        arrays["weight"] = weights(r, n)
    return Batch(arrays, options, by=("input", "target"))


@points("l1_loss", "mse_loss")
def plain_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield paired(r, 2 * n // 3, kind, {})
    yield paired(r, n // 3, kind, {}, weighted=True)


def joint(r: np.random.Generator, n: int, kind: str, at: float) -> Batch:
    """Residuals near the joint of two pieces, from small and from large targets."""
    t = draws.mixed(r, n, np.zeros, lambda s: draws.moderate(r, s), lambda s: draws.small(r, s))
    d = draws.near(r, np.full(n, at), kind) * draws.signs(r, n)
    return Batch({"input": t + d, "target": t}, by=("input", "target"))


@points("smooth_l1_loss")
def smooth_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for beta in (1.0, 0.1, 0.5, 3.0, 1e-3, 100.0):
        yield paired(r, n // 8, kind, {"beta": beta})
        yield Batch(**{**vars(joint(r, n // 24, kind, beta)), "options": {"beta": beta}})


@points("huber_loss")
def huber_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for i, delta in enumerate((1.0, 0.1, 0.5, 3.0, 1e-3, 100.0)):
        yield paired(r, n // 8, kind, {"delta": delta}, weighted=i % 2 == 1)
        yield Batch(**{**vars(joint(r, n // 24, kind, delta)), "options": {"delta": delta}})


@points("kl_div")
def divergence_terms(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for classes in (2, 5):
        log_q = draws.log_probabilities(r, n // 6 // classes + 1, classes, kind)
        log_p = draws.log_probabilities(r, len(log_q), classes, kind)
        close = draws.near(r, log_q, kind)
        p = draws.simplex(r, len(log_q), classes, kind)
        yield Batch({"input": np.minimum(log_q, 0), "target": p})
        yield Batch({"input": np.minimum(log_q, 0), "target": np.exp(np.minimum(close, 0))}, by=("input", "target"))
        yield Batch({"input": np.minimum(log_q, 0), "target": np.minimum(log_p, 0)}, {"log_target": True}, by=("input", "target"))


@points("nll_loss")
def picked_rows(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n // 2):
        target = r.integers(0, classes, examples)
        arrays = {"input": np.minimum(draws.log_probabilities(r, examples, classes, kind), 0), "target": target}
        yield Batch(arrays)
        yield Batch({**arrays, "weight": weights(r, classes)}, whole=("weight",))


@points("cross_entropy", "cross_entropy_formula")
def classified(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for examples, classes in widths(n // 8):
        cases = (
            (3, {}, False, False), (1, {}, True, False), (1, {"label_smoothing": 0.1}, False, False),
            (1, {"label_smoothing": 0.3}, True, False), (1, {}, False, True), (1, {"label_smoothing": 0.1}, True, True),
        )  # fmt: skip
        for share, options, weighted, soft in cases[: 2 if classes > 100 else None]:
            z = draws.logits(r, share * examples, classes, kind)
            target = draws.simplex(r, len(z), classes, kind) if soft else _labels(r, z)
            arrays = {"input": z, "target": target} | ({"weight": weights(r, classes)} if weighted else {})
            yield Batch(arrays, options, whole=("weight",))


def _labels(r: np.random.Generator, z: Array) -> Array:
    """Often the class of the largest logit, as of a network that has learned."""
    return np.where(r.uniform(size=len(z)) < 0.6, z.argmax(1), r.integers(0, z.shape[1], len(z)))


@points("binary_cross_entropy")
def yes_or_no(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for weighted in (False, True):
        arrays = {"input": draws.probabilities(r, n // 2, kind), "target": draws.binary_targets(r, n // 2)}
        yield Batch(arrays | ({"weight": weights(r, n // 2)} if weighted else {}))


@points("binary_cross_entropy_with_logits")
def yes_or_no_scores(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for share, names in ((2, ()), (1, ("weight",)), (1, ("weight", "pos_weight"))):
        m = share * n // 4
        arrays = {"input": draws.scores(r, m, kind), "target": draws.binary_targets(r, m)}
        yield Batch(arrays | {name: weights(r, m) for name in names})
