"""Losses of vectors against vectors, from their definitions."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .exact import (
    TAPE,
    Exact,
    exact,
    exp,
    hinge,
    largest,
    log,
    power,
    rounded,
    smallest,
    softplus,
    sqrt,
    square,
    sum_,
    total,
)
from .references_functions import minus_log_softmax
from .registry import of_batch, of_example


def squared_length(a: list[Exact]) -> Exact:
    return sum_(square(x) for x in a)


def cosine(a: list[Exact], b: list[Exact], more: tuple[Any, Any] = (0, 0)) -> Exact:
    """a.b / sqrt((a.a + more) (b.b + more)), 0 for a vector of zeros. It counts as 1, being a product of unit vectors."""
    with mp.workdps(2 * mp.dps):  # 1 - c may be as small as the square of what the type resolves
        aa, bb = (mp.fsum(x.v * x.v for x in v) + extra for v, extra in zip((a, b), more, strict=True))
        length = mp.sqrt(aa * bb)
        c = mp.fsum(x.v * y.v for x, y in zip(a, b, strict=True)) / length if length else mpf(0)
    some = min(sum(bool(x.v) for x in a), 1) * min(sum(bool(x.v) for x in b), 1)
    parents = [
        (x, some * (y.v / (length or 1) - c * x.v / square), abs(y.v) * some / (length or 1) + abs(x.v) / square)
        for v, w, square in ((a, b, aa), (b, a, bb)) if square for x, y in zip(v, w, strict=True)
    ]  # fmt: skip
    return Exact(c, parents, max(abs(c), 1) * (1 + mpf(2) ** -60))


@of_example
def cosine_embedding_loss(input1: list[Exact], input2: list[Exact], target: Exact, margin: Any = 0.0) -> Exact:
    """torch's cosine, with 1e-12 beside the squared lengths, but for vectors so small that it would bend them."""
    shortest = mpf(2) ** -14
    bent = tuple(mpf(1e-6) ** 2 if mp.fsum(x.v * x.v for x in v) >= shortest else 0 for v in (input1, input2))
    c = cosine(input1, input2, bent)
    if not target > 0:
        return hinge(total(c, -mpf(margin)))
    with mp.workdps(2 * mp.dps):
        y = total(mpf(1), -c)
        apart = mp.sqrt(2 * abs(y.v))  # |u - v| of the unit vectors, whose half square is 1 - c, keeps its digits
    y.size = max(abs(y.v), apart, 4 * TAPE.eps)
    return y


def distance(a: list[Exact], b: list[Exact], p: Any = 2.0, eps: Any = 1e-6) -> Exact:
    """torch's: eps is added to each difference."""
    d = [abs(total(x, -y, mpf(eps))) for x, y in zip(a, b, strict=True)]
    if p == 2:
        return sqrt(squared_length(d))
    return sum_(d) if p == 1 else power(sum_(power(x, p) for x in d), 1 / mpf(p))


@of_example
def triplet_margin_loss(
    anchor: list[Exact], positive: list[Exact], negative: list[Exact], margin: Any = 1.0, p: Any = 2.0, eps: Any = 1e-6,
    swap: bool = False,
) -> Exact:  # fmt: skip
    near, far = distance(anchor, positive, p, eps), distance(anchor, negative, p, eps)
    if swap:
        far = smallest([far, distance(positive, negative, p, eps)])
    return hinge(total(mpf(margin), near, -far))


@of_example
def triplet_margin_with_distance_loss(
    anchor: list[Exact], positive: list[Exact], negative: list[Exact], margin: Any = 1.0, swap: bool = False
) -> Exact:
    return triplet_margin_loss(anchor, positive, negative, margin=margin, swap=swap)


@of_example
def contrastive_loss(input1: list[Exact], input2: list[Exact], target: int, margin: Any = 1.0) -> Exact:
    d2 = squared_length([x - y for x, y in zip(input1, input2, strict=True)])
    return d2 / 2 if target else square(hinge(total(mpf(margin), -sqrt(d2)))) / 2


# Of whole batches: lists of vectors and labels. A cosine is a sum of terms up to 1.


def cosines(a: list[list[Exact]], b: list[list[Exact]], scale: Any = 1) -> list[list[Exact]]:
    return [[cosine(x, y) * scale for y in b] for x in a]


def log_sum_exp(terms: list[Exact]) -> Exact:
    top = largest(terms)
    rest = sum_(exp(x - top.v) for x in terms)
    return rounded(log(rest) + top.v)


def pair_loss(positive: Exact, negatives: list[Exact]) -> Exact:
    return minus_log_softmax([positive, *negatives], 0)


@of_batch
def nt_xent_loss(embeddings: list[list[Exact]], labels: list[int], temperature: Any = 0.07) -> list[Exact]:
    s, n = cosines(embeddings, embeddings, 1 / mpf(temperature)), range(len(labels))
    return [
        sum_(
            pair_loss(s[i][j], [s[i][k] for k in n if labels[k] != labels[i]])
            for j in n if j != i and labels[j] == labels[i]
        )
        for i in n
    ]  # fmt: skip


@of_batch
def simclr_loss(input1: list[list[Exact]], input2: list[list[Exact]], temperature: Any = 0.5) -> list[Exact]:
    both, n = input1 + input2, len(input1)
    s = cosines(both, both, 1 / mpf(temperature))
    views = [pair_loss(s[i][(i + n) % (2 * n)], [s[i][k] for k in range(2 * n) if k % n != i % n]) for i in range(2 * n)]
    return [(views[i] + views[i + n]) / 2 for i in range(n)]


@of_batch
def info_nce_loss(
    query: list[list[Exact]], key: list[list[Exact]], negatives: list[list[Exact]] | None = None, temperature: Any = 0.07
) -> list[Exact]:
    s = cosines(query, key + (negatives or []), 1 / mpf(temperature))
    return [minus_log_softmax(row, i) for i, row in enumerate(s)]


@of_batch
def clip_loss(input1: list[list[Exact]], input2: list[list[Exact]], logit_scale: Exact | None = None) -> list[Exact]:
    s = cosines(input1, input2, mpf(1 / 0.07) if logit_scale is None else logit_scale)
    columns = [list(column) for column in zip(*s, strict=True)]
    return [(minus_log_softmax(s[i], i) + minus_log_softmax(columns[i], i)) / 2 for i in range(len(s))]


@of_batch
def supcon_loss(embeddings: list[list[Exact]], labels: list[int], temperature: Any = 0.1) -> list[Exact]:
    s, n, found = cosines(embeddings, embeddings, 1 / mpf(temperature)), range(len(labels)), []
    for i in n:
        others = [k for k in n if k != i]
        mates = [k for k in others if labels[k] == labels[i]]
        terms = minus_log_softmax([s[i][k] for k in others])
        found.append(sum_(terms[others.index(k)] for k in mates) / len(mates) if mates else exact(0))
    return found


@of_batch
def circle_loss(embeddings: list[list[Exact]], labels: list[int], margin: Any = 0.4, gamma: Any = 80.0) -> list[Exact]:
    s, n, m, g, found = cosines(embeddings, embeddings), range(len(labels)), mpf(margin), mpf(gamma), []
    for i in n:
        near = [hinge(total(1, m, -s[i][k])) * total(1, -m, -s[i][k]) * g for k in n if k != i and labels[k] == labels[i]]
        far = [hinge(total(m, s[i][k])) * total(s[i][k], -m) * g for k in n if labels[k] != labels[i]]
        found.append(softplus(total(log_sum_exp(near), log_sum_exp(far))) if near and far else exact(0))
    return found


@of_batch
def multi_similarity_loss(
    embeddings: list[list[Exact]], labels: list[int], alpha: Any = 2.0, beta: Any = 50.0, base: Any = 0.5
) -> list[Exact]:
    s, n, a, b, found = cosines(embeddings, embeddings), range(len(labels)), mpf(alpha), mpf(beta), []
    for i in n:
        near = [total(mpf(base), -s[i][k]) * a for k in n if k != i and labels[k] == labels[i]]
        far = [total(s[i][k], -mpf(base)) * b for k in n if labels[k] != labels[i]]
        parts = [softplus(log_sum_exp(x)) / y for x, y in ((near, a), (far, b)) if x]
        found.append(sum_(parts) if parts else exact(0))
    return found
