"""Losses of real numbers against real numbers, from their definitions."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from . import exact as e
from .exact import Exact, total
from .registry import of_batch, of_element


def weighted(y: Exact, weight: Exact | None) -> Exact:
    return y if weight is None else y * weight


@of_element
def mse_loss(input: Exact, target: Exact, weight: Exact | None = None) -> Exact:
    return weighted(e.square(input - target), weight)


@of_element
def l1_loss(input: Exact, target: Exact, weight: Exact | None = None) -> Exact:
    return weighted(abs(input - target), weight)


@of_element
def smooth_l1_loss(input: Exact, target: Exact, beta: Any = 1.0) -> Exact:
    d, beta = abs(input - target), mpf(beta)
    return e.square(d) / (2 * beta) if d < beta else d - beta / 2


@of_element
def huber_loss(input: Exact, target: Exact, weight: Exact | None = None, delta: Any = 1.0) -> Exact:
    d, delta = abs(input - target), mpf(delta)
    return weighted(e.square(d) / 2 if d < delta else (d - delta / 2) * delta, weight)


@of_element
def rmse_loss(input: Exact, target: Exact) -> Exact:
    """Unreduced it is the absolute difference."""
    return abs(input - target)


@of_batch
def rmse_of_mean(input: list[Exact], target: list[Exact]) -> Exact:
    squares = [e.square(x - y) for x, y in zip(input, target, strict=True)]
    return e.sqrt(e.sum_(squares) / len(squares))


@of_element
def mape_loss(input: Exact, target: Exact, eps: Any = 1e-7) -> Exact:
    floor = mpf(eps)
    return abs(input - target) / (abs(target) if abs(target.v) >= floor else floor)


@of_element
def smape_loss(input: Exact, target: Exact, eps: Any = 1e-7) -> Exact:
    sizes, floor = abs(input) + abs(target), mpf(eps)
    return 2 * abs(input - target) / (sizes if sizes.v >= floor else floor)


@of_element
def msle_loss(input: Exact, target: Exact) -> Exact:
    """The square of log((1 + x) / (1 + t))."""
    high, low = (input, target) if input.v >= target.v else (target, input)
    return e.square(e.log1p((high - low) / (1 + low)))


@of_element
def log_cosh_loss(input: Exact, target: Exact) -> Exact:
    d = input - target
    if abs(d.v) > 1000:
        return e.function(d, abs(d.v) - mp.log(2), mp.sign(d.v))
    return e.function(d, mp.log1p(2 * mp.sinh(d.v / 2) ** 2), mp.tanh(d.v))


@of_element
def quantile_loss(input: Exact, target: Exact, q: Any = 0.5) -> Exact:
    d = target - input
    return d * mpf(q) if d > 0 else abs(d) * (1 - mpf(q))


@of_element
def expectile_loss(input: Exact, target: Exact, tau: Any = 0.5) -> Exact:
    d = target - input
    return e.square(d) * (1 - mpf(tau) if d < 0 else mpf(tau))


@of_element
def charbonnier_loss(input: Exact, target: Exact, eps: Any = 1e-3) -> Exact:
    return e.sqrt(e.square(input - target) + mpf(eps) ** 2)


@of_element
def robust_loss(input: Exact, target: Exact, alpha: Any = 1.0, c: Any = 1.0) -> Exact:
    z, alpha = e.square((input - target) / mpf(c)), mpf(alpha)
    b = abs(alpha - 2)
    if b == 0:
        return z / 2
    logarithm = e.log1p(z / b)
    return logarithm if alpha == 0 else e.expm1(e.rounded(logarithm * (alpha / 2))) * (b / alpha)


@of_element
def laplace_nll_loss(input: Exact, target: Exact, scale: Exact) -> Exact:
    return total(e.log(scale), mp.log(2), abs(input - target) / scale)


@of_element
def poisson_nll_loss(input: Exact, target: Exact, log_input: bool = True, full: bool = False, eps: Any = 1e-8) -> Exact:
    if log_input:
        terms = [e.exp(input), -(target * input)]
    else:
        rate = e.rounded(input + mpf(eps))
        terms = [input, -(target * e.log(rate)) if rate.v else Exact(mpf(0))]
    if full and target > 1:  # Stirling's t log t - t + log(2 pi t) / 2
        terms += [target * e.log(target), -target, e.log(target * (2 * mp.pi)) / 2]
    return total(*terms)


@of_element
def gaussian_nll_loss(input: Exact, target: Exact, var: Exact, full: bool = False, eps: Any = 1e-6) -> Exact:
    v = e.several(max(var.v, mpf(eps)), [(var, mpf(1))])  # the gradient passes as if the floor were not there
    terms = [e.log(v) / 2, e.square(input - target) / v / 2]
    return total(*terms, *([mpf(mp.log(2 * mp.pi)) / 2] if full else []))


@of_element
def gaussian_kl_loss(mean: Exact, logvar: Exact) -> Exact:
    return e.square(mean) / 2 + expm2(logvar) / 2


def expm2(x: Exact) -> Exact:
    """exp(x) - 1 - x, with enough digits to subtract."""
    with mp.workprec(mp.prec + 2 * max(0, -mp.mag(x.v)) if x.v else mp.prec):
        value, slope = mp.expm1(x.v) - x.v, mp.expm1(x.v)
    return e.function(x, +value, +slope)
