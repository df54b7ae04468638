"""Points of the functions and losses of single numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import draws
from .registry import Array, Batch, points


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


PAIR = ("input", "target")
IN_RANGE = 1e33  # times a weight, and times delta, still in range of float32


def paired(
    r: np.random.Generator, n: int, kind: str, options: dict[str, Any], weighted: bool = False, top: float = np.inf
) -> Batch:
    x, t = (np.clip(v, -top, top) for v in draws.pairs(r, n, kind))
    return Batch({"input": x, "target": t} | ({"weight": weights(r, n)} if weighted else {}), options, PAIR)


@points("l1_loss", "mse_loss")
def plain_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield paired(r, 2 * n // 3, kind, {})
    yield paired(r, n // 3, kind, {}, weighted=True, top=1e38)  # a difference in range


def joint(r: np.random.Generator, n: int, kind: str, at: float, options: dict[str, Any]) -> Batch:
    """Residuals near the joint of two pieces, from small and from large targets."""
    t = draws.mixed(r, n, np.zeros, lambda s: draws.moderate(r, s), lambda s: draws.small(r, s))
    d = draws.near(r, np.full(n, at), kind) * draws.signs(r, n)
    return Batch({"input": t + d, "target": t}, options, PAIR)


@points("smooth_l1_loss")
def smooth_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for beta in (1.0, 0.1, 0.5, 3.0, 1e-3, 100.0):
        yield paired(r, n // 8, kind, {"beta": beta}, top=IN_RANGE)
        yield joint(r, n // 24, kind, beta, {"beta": beta})


@points("huber_loss")
def huber_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for i, delta in enumerate((1.0, 0.1, 0.5, 3.0, 1e-3, 100.0)):
        yield paired(r, n // 8, kind, {"delta": delta}, weighted=i % 2 == 1, top=IN_RANGE)
        yield joint(r, n // 24, kind, delta, {"delta": delta})


@points("rmse_loss", "log_cosh_loss")
def bare_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield paired(r, n, kind, {})


@points("rmse_of_mean")
def batches_of_pairs(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for _ in range(n):
        yield paired(r, int(r.integers(2, 8)), kind, {})


@points("mape_loss", "smape_loss")
def ratios(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield paired(r, n // 2, kind, {})
    yield paired(r, n // 2, kind, {"eps": 0.25})


@points("msle_loss")
def amounts(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    x, t = draws.pairs(r, n, kind)
    yield Batch({"input": np.abs(x), "target": np.abs(t)}, by=PAIR)


@points("quantile_loss")
def quantiles(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for q in (0.5, 0.1, 0.9, 0.25, 1.0):
        yield paired(r, n // 5, kind, {"q": q})


@points("expectile_loss")
def expectiles(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for tau in (0.5, 0.1, 0.9, 0.25, 1.0):
        yield paired(r, n // 5, kind, {"tau": tau})


@points("charbonnier_loss")
def rounded(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for eps in (1e-3, 1.0, 0.1, 1e-10):
        yield paired(r, n // 4, kind, {"eps": eps})


@points("robust_loss")
def family(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for alpha, c in ((1.0, 1.0), (2.0, 0.5), (0.0, 1.0), (-2.0, 3.0), (0.7, 0.1), (1.5, 1.0)):
        yield paired(r, n // 6, kind, {"alpha": alpha, "c": c})


@points("laplace_nll_loss")
def centred(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    scale = draws.mixed(r, n, lambda s: r.uniform(0.1, 3, s), lambda s: 10.0 ** r.uniform(-9, 9, s), np.ones)
    yield Batch({**paired(r, n, kind, {}).arrays, "scale": scale}, by=("input", "target", "scale"))


@points("poisson_nll_loss")
def counts(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    limit = 700.0 if kind == "float64" else 80.0
    for i, options in enumerate(({}, {"full": True}, {"log_input": False}, {"log_input": False, "full": True}, {"log_input": False, "eps": 0.0})):
        m = n // 5
        t = draws.mixed(r, m, lambda s: r.poisson(3, s) * 1.0, lambda s: np.abs(draws.reals(r, s, kind)), lambda s: r.uniform(0, 3, s))
        x = draws.mixed(r, m, lambda s: r.normal(size=s) * 2, lambda s: r.uniform(-limit, limit, s), lambda s: draws.small(r, s))
        close = np.log(np.maximum(t, 1e-30)) * (1 + 10.0 ** r.uniform(-9, -1, m))
        x = np.where(r.uniform(size=m) < 0.3, np.clip(close, -limit, limit), x)
        rate = np.exp(np.clip(x, -50, 50)) + (1e-3 if options.get("eps") == 0.0 else 0)
        yield Batch({"input": rate if i > 1 else x, "target": t}, options)


@points("gaussian_nll_loss")
def normal(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for options in ({}, {"full": True}, {"eps": 0.1}):
        batch = paired(r, n // 3, kind, options)
        var = draws.mixed(r, n // 3, lambda s: r.uniform(0.1, 3, s), lambda s: 10.0 ** r.uniform(-9, 9, s), np.ones, np.zeros)
        yield Batch({**batch.arrays, "var": var}, options, by=("input", "target", "var"))


@points("gaussian_kl_loss")
def posterior(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    logvar = draws.mixed(r, n, lambda s: r.normal(size=s) * 3, lambda s: draws.small(r, s), lambda s: signed_gaps(r, s, kind))
    yield Batch({"mean": draws.reals(r, n, kind), "logvar": logvar}, by=("mean", "logvar"))


def signed_gaps(r: np.random.Generator, shape: Any, kind: str) -> Array:
    return draws.signs(r, shape) * draws.gaps(r, shape, kind)


@points("kl_div", "js_div")
def divergence_terms(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for classes in (2, 5):
        log_q = np.minimum(draws.log_probabilities(r, n // 6 // classes + 1, classes, kind), 0)
        log_p = np.minimum(draws.log_probabilities(r, len(log_q), classes, kind), 0)
        close = np.exp(np.clip(draws.near(r, log_q, kind), -80, 0))
        yield Batch({"input": log_q, "target": draws.simplex(r, len(log_q), classes, kind)})
        yield Batch({"input": log_q, "target": close}, by=PAIR)
        yield Batch({"input": log_q, "target": log_p}, {"log_target": True}, by=PAIR)


@points("generalized_kl_div")
def divergence_of_amounts(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    x = draws.mixed(r, n, lambda s: r.normal(size=s) * 3, lambda s: -draws.gaps(r, s, kind), lambda s: r.uniform(-80, 80, s))
    t = np.where(r.uniform(size=n) < 0.5, np.exp(x) * (1 + 10.0 ** r.uniform(-9, -0.5, n)), np.exp(r.normal(size=n)))
    yield Batch({"input": x, "target": np.where(r.uniform(size=n) < 0.1, 0.0, t)})


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


@points("sigmoid_focal_loss")
def focused(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for options in ({}, {"alpha": 0.25}, {"gamma": 0.5}, {"gamma": 0.0, "alpha": 0.9}, {"gamma": 5.0}):
        yield Batch({"input": draws.scores(r, n // 5, kind), "target": draws.binary_targets(r, n // 5)}, options)


@points("soft_margin_loss", "perceptron_loss")
def signed(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    yield Batch({"input": draws.scores(r, n, kind), "target": draws.signs(r, n)})


def around(r: np.random.Generator, n: int, kind: str, at: float) -> Array:
    """Scores anywhere, and close to where a hinge turns."""
    return np.where(r.uniform(size=n) < 0.3, draws.near(r, np.full(n, at), kind), draws.scores(r, n, kind))


@points("hinge_loss")
def hinges(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for squared in (False, True):
        target = draws.signs(r, n // 2)
        yield Batch({"input": around(r, n // 2, kind, 1.0) * target, "target": target}, {"squared": squared})


@points("hinge_embedding_loss")
def distances(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for margin in (1.0, 0.1, 5.0):
        yield Batch({"input": around(r, n // 3, kind, margin), "target": draws.signs(r, n // 3)}, {"margin": margin})


@points("margin_ranking_loss")
def ranked(r: np.random.Generator, n: int, kind: str) -> Iterator[Batch]:
    for margin in (0.0, 0.1, 1.0):
        x, y = draws.pairs(r, n // 3, kind)
        y = np.where(r.uniform(size=len(x)) < 0.2, x + draws.near(r, np.full(len(x), margin), kind), y)
        arrays = {"input1": x, "input2": y, "target": draws.signs(r, len(x))}
        yield Batch(arrays, {"margin": margin}, by=("input1", "input2"))
