"""Losses of scores or probabilities against classes, from their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from .exact import TAPE, Exact, function, power, rounded, several, sigmoid, softplus, sum_, total
from .references_functions import minus_log_softmax
from .references_regression import weighted
from .registry import of_element, of_example


@of_example
def nll_loss(input: list[Exact], target: int, weight: list[Exact] | None = None, ignore_index: int = -100) -> Exact:
    if target == ignore_index:
        return Exact(mpf(0))
    return weighted(-input[target], None if weight is None else weight[target])


def expected(
    z: list[Exact], target: Any, weight: list[Exact] | None, smoothing: float, change: Callable[[Exact], Exact] | None = None
) -> Exact:
    """The average over the target of -log softmax(z), or of what ``change`` makes of it."""
    s, classes = mpf(smoothing), len(z)
    if isinstance(target, int) and not s:
        y = minus_log_softmax(z, target)
        return weighted(y if change is None else change(y), None if weight is None else weight[target])
    hard = [mpf(int(k == target)) for k in range(classes)] if isinstance(target, int) else target
    terms = [y if change is None else change(y) for y in minus_log_softmax(z)]
    soft = [t * (1 - s) + s / classes for t in hard]
    return sum_(weighted(y * t, None if weight is None else weight[k]) for k, (y, t) in enumerate(zip(terms, soft, strict=True)))


@of_example
def cross_entropy(
    input: list[Exact], target: Any, weight: list[Exact] | None = None, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Exact:
    return Exact(mpf(0)) if target == ignore_index else expected(input, target, weight, label_smoothing)


@of_example
def cross_entropy_formula(**arguments: Any) -> Exact:
    """The same where no kernel takes it."""
    return cross_entropy(**arguments)


def one_minus_exp(x: Exact) -> Exact:
    """1 - exp(x), for x <= 0."""
    return function(x, -mp.expm1(x.v), -mp.exp(x.v))


@of_example
def focal_loss(
    input: list[Exact], target: Any, weight: list[Exact] | None = None, gamma: Any = 2.0, ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Exact:  # fmt: skip
    return expected(input, target, weight, label_smoothing, lambda y: power(one_minus_exp(-y), gamma) * y)


@of_example
def poly_loss(input: list[Exact], target: Any, epsilon: Any = 1.0) -> Exact:
    return expected(input, target, None, 0.0, lambda y: total(y, one_minus_exp(-y) * mpf(epsilon)))


@of_example
def generalized_cross_entropy(input: list[Exact], target: int, q: Any = 0.5) -> Exact:
    y = minus_log_softmax(input, target)
    return one_minus_exp(-rounded(y * mpf(q))) / mpf(q) if q else y


@of_example
def sparsemax_loss(input: list[Exact], target: int) -> Exact:
    """|p - onehot|^2 / 2 + max(tau - x_y, 0), p the nearest point of the simplex, p_j = x_j - tau where positive.

    The 1 that a p of several classes is cut from is a term.
    """
    top = max(x.v for x in input)
    z = [x.v - top for x in input]
    ordered = sorted(z, reverse=True)
    k = max(k for k in range(1, len(z) + 1) if k == 1 or k * ordered[k - 1] + 1 > mp.fsum(ordered[:k]))
    tau = (mp.fsum(ordered[:k]) - 1) / k
    p = [max(v - tau, mpf(0)) for v in z]
    off = [v - int(j == target) for j, v in enumerate(p)]
    one = mpf(int(k > 1))
    value = mp.fsum(v * v for v in off) / 2 + (tau - z[target] if not p[target] else 0)
    y = Exact(value, (), max(value, *(abs(v) * one for v in off), one if not p[target] else 0))
    y.parents = [(x, d, max(abs(d), one if p[j] else 0)) for j, (x, d) in enumerate(zip(input, off, strict=True))]
    return y


@of_element
def binary_cross_entropy(input: Exact, target: Exact, weight: Exact | None = None) -> Exact:
    """torch's: logarithms at least -100, the derivative (p - t) / max(p (1 - p), 1e-12); 1 - p of a float32 at least 3e-8."""
    p, t = input.v, target.v
    yes = min(-mp.log(p), 100) if p else mpf(100)
    no = min(-mp.log1p(-p), 100) if p != 1 else mpf(100)
    missed = max(1 - p, mpf(3e-8)) if TAPE.eps > 1e-10 else 1 - p
    slope = (p - t) / max(p * missed, mpf(1e-12))
    return weighted(several(t * yes + (1 - t) * no, [(input, slope)]), weight)


@of_element
def binary_cross_entropy_with_logits(
    input: Exact, target: Exact, weight: Exact | None = None, pos_weight: Exact | None = None
) -> Exact:
    yes = target * softplus(-input)
    return weighted(sum_([weighted(yes, pos_weight), (1 - target) * softplus(input)]), weight)


@of_element
def sigmoid_focal_loss(input: Exact, target: Exact, alpha: Any = None, gamma: Any = 2.0) -> Exact:
    """(1 - p)^gamma times the cross-entropy; a target between 0 and 1 averages p, and alpha."""
    missed = target * sigmoid(-input) + (1 - target) * sigmoid(input)
    y = power(missed, gamma) * binary_cross_entropy_with_logits(input, target)
    return y if alpha is None else y * (mpf(alpha) * target + (1 - mpf(alpha)) * (1 - target))


@of_example
def multilabel_soft_margin_loss(input: list[Exact], target: list[Exact], weight: list[Exact] | None = None) -> Exact:
    terms = [binary_cross_entropy_with_logits(z, t) for z, t in zip(input, target, strict=True)]
    return sum_(weighted(y, None if weight is None else weight[k]) for k, y in enumerate(terms)) / len(input)


@of_example
def ranking_softmax_loss(scores: list[Exact], relevance: list[Exact], weight: list[Exact] | None = None) -> Exact:
    share = relevance if weight is None else [r * w for r, w in zip(relevance, weight, strict=True)]
    return sum_(t * y for t, y in zip(share, minus_log_softmax(scores), strict=True))


@of_example
def ranknet_loss(scores: list[Exact], relevance: list[Exact]) -> Exact:
    pairs = [(i, j) for i, a in enumerate(relevance) for j, b in enumerate(relevance) if a.v > b.v]
    return sum_(softplus(rounded(scores[j] - scores[i])) for i, j in pairs)


@of_example
def listmle_loss(scores: list[Exact], relevance: list[Exact]) -> Exact:
    order = sorted(range(len(scores)), key=lambda i: -relevance[i].v)
    return sum_(minus_log_softmax([scores[i] for i in order[k:]], 0) for k in range(len(order)))




@of_example
def linear_cross_entropy(input: list[Exact], linear_weight: list[list[Exact]], target: int, linear_bias: list[Exact]) -> Exact:
    logits = [
        rounded(total(b, *(x * y for x, y in zip(input, row, strict=True))))
        for row, b in zip(linear_weight, linear_bias, strict=True)
    ]
    return cross_entropy(logits, target)
