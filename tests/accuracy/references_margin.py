"""Losses of signed scores and of margins, from their definitions."""

from __future__ import annotations

from typing import Any

from mpmath import mpf

from .exact import Exact, exact, hinge, largest, softplus, square, sum_, total
from .references_regression import weighted
from .registry import of_element, of_example


@of_element
def soft_margin_loss(input: Exact, target: Exact) -> Exact:
    return softplus(-(target * input))


@of_element
def hinge_embedding_loss(input: Exact, target: Exact, margin: Any = 1.0) -> Exact:
    return input + 0 if target > 0 else hinge(total(mpf(margin), -input))


@of_element
def margin_ranking_loss(input1: Exact, input2: Exact, target: Exact, margin: Any = 0.0) -> Exact:
    return hinge(total((input2 - input1) * target, mpf(margin)))


@of_element
def hinge_loss(input: Exact, target: Exact, squared: bool = False) -> Exact:
    y = hinge(1 - target * input)
    return square(y) if squared else y


@of_element
def perceptron_loss(input: Exact, target: Exact) -> Exact:
    return hinge(-(target * input))


@of_example
def categorical_hinge_loss(input: list[Exact], target: int, against_zero: bool = False) -> Exact:
    rivals = [x for j, x in enumerate(input) if j != target] + ([exact(0)] if against_zero else [])
    return hinge(total(mpf(1), largest(rivals), -input[target])) if rivals else exact(0)


@of_example
def multi_margin_loss(
    input: list[Exact], target: int, weight: list[Exact] | None = None, p: int = 1, margin: Any = 1.0
) -> Exact:
    over = [hinge(total(mpf(margin), -input[target], x)) for j, x in enumerate(input) if j != target]
    share = None if weight is None else weight[target]
    return sum_(weighted(square(v) if p == 2 else v, share) for v in over) / len(input)


@of_example
def multilabel_margin_loss(input: list[Exact], target: list[int]) -> Exact:
    labels = target[: target.index(-1)] if -1 in target else target
    others = [x for j, x in enumerate(input) if j not in labels]
    return sum_(hinge(total(mpf(1), -input[k], x)) for k in labels for x in others) / len(input)
