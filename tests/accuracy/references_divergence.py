"""Distances between distributions, from their definitions."""

from __future__ import annotations

from typing import Any

from mpmath import mpf

from .exact import Exact, exact, exp, log, rounded, total
from .references_functions import minus_log_softmax
from .registry import of_element, of_example


@of_element
def kl_div(input: Exact, target: Exact, log_target: bool = False) -> Exact:
    if log_target:
        return exp(target) * (target - input)
    return total(t_log_t(target), -(target * input))


def t_log_t(t: Exact) -> Exact:
    """0 for t = 0, and there counted as constant."""
    return t * log(t) if t.v else exact(0)


@of_element
def generalized_kl_div(input: Exact, target: Exact) -> Exact:
    return total(t_log_t(target), -(target * input), exp(input), -target)


@of_element
def js_div(input: Exact, target: Exact, log_target: bool = False) -> Exact:
    """Half of p log(p / m) + q log(q / m), m = (p + q) / 2."""
    q, p = exp(input), exp(target) if log_target else target
    log_m = log((p + q) / 2)
    p_log_p = p * target if log_target else t_log_t(p)
    return total(p_log_p / 2, -(p * log_m / 2), q * input / 2, -(q * log_m / 2))


@of_example
def distillation_loss(
    student: list[Exact], teacher: list[Exact], target: int | None = None, temperature: Any = 2.0, alpha: Any = None
) -> Exact:
    T = mpf(temperature)
    log_q, log_p = (minus_log_softmax([rounded((x - max(v.v for v in z)) / T) for x in z]) for z in (student, teacher))
    terms = [v for q, p in zip(log_q, log_p, strict=True) for v in (exp(-p) * q * (T * T), -(exp(-p) * p * (T * T)))]
    if target is None:
        return total(*terms)
    share = mpf(0.5 if alpha is None else alpha)
    return total(*(v * share for v in terms), minus_log_softmax(student, target) * (1 - share))
