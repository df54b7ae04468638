"""The functions the losses are composed of. The names of what is no loss stand in CALLS."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES

from . import exact as e
from .exact import Exact, several
from .registry import CALLS, of_element, of_example


def minus_log_softmax(z: list[Exact], only: int | None = None) -> Any:
    """-log softmax(z) of every class, or of one: log(sum over j of exp(z_j - z_k)), nothing cancelling."""
    top = max(range(len(z)), key=lambda j: z[j].v)
    exps = [mp.exp(x.v - z[top].v) for x in z]
    others = mp.fsum(x for j, x in enumerate(exps) if j != top)
    shares = [x / (1 + others) for x in exps]

    def of(k: int) -> Exact:
        rest = mp.fsum(s for j, s in enumerate(shares) if j != k)
        value = (z[top].v - z[k].v) + mp.log1p(others)
        return several(value, [(x, -rest if j == k else shares[j]) for j, x in enumerate(z)])

    return of(only) if only is not None else [of(k) for k in range(len(z))]


@of_example
def log_softmax(input: list[Exact], factor: list[Exact]) -> Any:
    return [-y * f for y, f in zip(minus_log_softmax(input), factor, strict=True)]


@of_example
def softmax(input: list[Exact], factor: list[Exact]) -> Any:
    return [y * f for y, f in zip(softmax_of(input), factor, strict=True)]


def softmax_of(z: list[Exact]) -> list[Exact]:
    """exp(z_k) / sum exp(z_j), and its derivatives p_k (1 - p_k), -p_k p_j."""
    top = max(x.v for x in z)
    exps = [mp.exp(x.v - top) for x in z]
    whole = mp.fsum(exps)
    p = [x / whole for x in exps]
    rest = [mp.fsum(s for j, s in enumerate(p) if j != k) for k in range(len(z))]
    return [several(p[k], [(x, p[k] * (rest[k] if j == k else -p[j])) for j, x in enumerate(z)]) for k in range(len(z))]


@of_example
def logsumexp(input: list[Exact]) -> Exact:
    """max + log1p(sum of the others); the two may cancel."""
    top = max(range(len(input)), key=lambda j: input[j].v)
    exps = [mp.exp(x.v - input[top].v) for x in input]
    rest = mp.log1p(mp.fsum(x for j, x in enumerate(exps) if j != top))
    whole = mp.fsum(exps)
    return several(
        input[top].v + rest, [(x, y / whole) for x, y in zip(input, exps, strict=True)], max(abs(input[top].v), rest)
    )


@of_element
def logsigmoid(input: Exact) -> Exact:
    return -e.softplus(-input)


@of_element
def softplus(input: Exact) -> Exact:
    return e.softplus(input)


@of_element
def sigmoid(input: Exact) -> Exact:
    return e.sigmoid(input)


@of_element
def erf(input: Exact) -> Exact:
    return e.function(input, mp.erf(input.v), 2 / mp.sqrt(mp.pi) * mp.exp(-input.v * input.v))


@of_element
def xlogy(input: Exact, other: Exact) -> Exact:
    if input.v == 0:
        return several(mpf(0), [(input, mp.log(other.v) if other.v else mpf(0)), (other, mpf(0))])
    return input * e.log(other)


CALLS.update(
    # a factor, so that the gradients that come back to them differ
    log_softmax=lambda input, factor: tl.log_softmax(input, dim=1) * factor,
    softmax=lambda input, factor: tl.softmax(input, dim=1) * factor,
    logsumexp=lambda input: tl.logsumexp(input, dim=1), logsigmoid=tl.logsigmoid, softplus=tl.softplus,
    sigmoid=tl.sigmoid, erf=tl.erf, xlogy=lambda input, other: tl.xlogy(input, other),
    rmse_of_mean=lambda input, target: LOSSES["rmse_loss"](input, target),
    cross_entropy_formula=lambda input, target, weight=None, **options: tl.nn.functional.cross_entropy(
        input.unsqueeze(-1), target.unsqueeze(-1), weight, reduction="none", **options
    ).squeeze(1),
)  # fmt: skip
