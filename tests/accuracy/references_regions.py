"""Losses of overlap and of sequences, from their definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from .exact import Exact, exact, exp, function, log1p, power, rounded, several, sigmoid, sum_, total
from .references_functions import softmax_of
from .registry import of_batch, of_example


def overlaps(
    input: Any, target: Any, from_logits: bool, axis: Any, loss: Callable[[Exact, Exact, Exact], Exact]
) -> list[Exact]:
    """The loss of the sums of p t, p (1 - t) and (1 - p) t over ``axis``, for input (N, C, L)."""
    n, c, length = len(input), len(input[0]), len(input[0][0])
    sums: dict[Any, list[list[Exact]]] = {}
    for i, k in itertools.product(range(n), range(length)):
        column = [input[i][j][k] for j in range(c)]
        p = column if not from_logits else softmax_of(column) if isinstance(target[i][0], int) else [sigmoid(x) for x in column]
        for j in range(c):
            t = exact(int(target[i][k] == j)) if isinstance(target[i][0], int) else target[i][j][k]
            place = tuple(v for a, v in enumerate((i, j, k)) if axis is not None and a not in axis)
            parts = sums.setdefault(place, [[], [], []])
            for part, term in zip(parts, (p[j] * t, p[j] * (1 - t), one_minus(p[j]) * t), strict=True):
                part.append(term)
    return [loss(*map(sum_, sums[place])) for place in sorted(sums)]


def one_minus(p: Exact) -> Exact:
    return several(1 - p.v, [(p, mpf(-1))])


def miss(right: Exact, wrong: Exact, smooth: Any, eps: Any) -> Exact:
    """1 - (right + smooth) / (right + wrong + smooth + eps)."""
    return (wrong + mpf(eps)) / (right + wrong + (mpf(smooth) + mpf(eps)))


@of_batch
def dice_loss(input: Any, target: Any, axis: Any = None, smooth: Any = 0.0, eps: Any = 1e-7, from_logits: bool = True) -> Any:
    return overlaps(input, target, from_logits, axis, lambda both, fp, fn: miss(2 * both, fp + fn, smooth, eps))


@of_batch
def iou_loss(input: Any, target: Any, axis: Any = None, smooth: Any = 0.0, eps: Any = 1e-7, from_logits: bool = True) -> Any:
    return overlaps(input, target, from_logits, axis, lambda both, fp, fn: miss(both, fp + fn, smooth, eps))


@of_batch
def tversky_loss(
    input: Any, target: Any, alpha: Any = 0.5, beta: Any = 0.5, gamma: Any = 1.0, axis: Any = None, smooth: Any = 0.0,
    eps: Any = 1e-7, from_logits: bool = True,
) -> Any:  # fmt: skip
    a, b = mpf(alpha), mpf(beta)
    return overlaps(input, target, from_logits, axis, lambda both, fp, fn: power(miss(both, fp * a + fn * b, smooth, eps), gamma))


@of_batch
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: list[int], target_lengths: list[int], blank: int = 0,
    zero_infinity: bool = False,
) -> list[Exact]:  # fmt: skip
    """-log of the sum over all alignments; the 1 that a sum of probabilities is compared with is a term."""
    return [
        _alignments([log_probs[t][i] for t in range(frames)], targets[i][: target_lengths[i]], blank)
        for i, frames in enumerate(input_lengths)
    ]


def _alignments(log_p: list[list[Exact]], labels: list[int], blank: int) -> Exact:
    path = [blank, *itertools.chain.from_iterable((k, blank) for k in labels)]
    p = [[exp(x) for x in row] for row in log_p]
    alpha = [p[0][k] if s < 2 else exact(0) for s, k in enumerate(path)]
    for row in p[1:]:
        alpha = [
            sum_([
                alpha[s], *alpha[max(s - 1, 0) : s],
                *(alpha[s - 2 : s - 1] if s > 1 and k != blank and path[s - 2] != k else ()),
            ]) * row[k]
            for s, k in enumerate(path)
        ]  # fmt: skip
    likelihood = sum_(alpha[-2:])
    y = function(likelihood, -mp.log(likelihood.v), -1 / likelihood.v)
    y.size = max(abs(y.v), mpf(1))
    return y


@of_example
def crf1d_loss(scores: Any, transitions: Any, tags: list[int]) -> Exact:
    """log of the sum over all sequences of exp(their score relative to that of ``tags``): log1p of all the others."""
    paths = list(itertools.product(range(len(transitions)), repeat=len(tags)))
    others = []
    for path in paths:
        if list(path) != tags:
            steps = [(scores[t][k], scores[t][own]) for t, (k, own) in enumerate(zip(path, tags, strict=True)) if k != own]
            moves = [(transitions[a][b], transitions[c][d]) for a, b, c, d in zip(path, path[1:], tags, tags[1:], strict=False)]
            others.append(exp(rounded(total(*(v for a, b in [*steps, *moves] for v in (a, -b))))))
    y = log1p(sum_(others))
    own = [scores[t][k] for t, k in enumerate(tags)] + [transitions[a][b] for a, b in itertools.pairwise(tags)]
    return Exact(y.v, [(y, 1, 1), *((x, 0, 1) for x in own)], y.size)  # in its derivative, their 1 is a term
