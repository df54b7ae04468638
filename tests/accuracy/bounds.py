"""The bounds: the only place where they are written as numbers; docstrings repeat them and are held to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """Units in the last place, for value and gradient, in float64 and in float32.

    ``of_terms``: of the largest of the terms that the definition adds up, where these may cancel; everywhere else
    of the result.
    """

    value: float
    gradient: float
    value32: float
    gradient32: float
    of_terms: bool = False

    def of(self, kind: str) -> tuple[float, float]:
        return (self.value, self.gradient) if kind == "float64" else (self.value32, self.gradient32)


BOUNDS: dict[str, Bound] = {
    # what the losses are composed of
    "log_softmax": Bound(3, 6, 2, 2),
    "softmax": Bound(4, 6, 2, 4, of_terms=True),
    "logsumexp": Bound(3, 4, 2, 2, of_terms=True),
    "logsigmoid": Bound(2, 3, 1, 1),
    "softplus": Bound(2, 3, 1, 1),
    "sigmoid": Bound(3, 4, 1, 2),
    "erf": Bound(4, 4, 1, 3),
    "xlogy": Bound(2, 2, 4, 4),
    # classes
    "nll_loss": Bound(1, 1, 1, 1),
    "cross_entropy": Bound(4, 6, 4, 4, of_terms=True),
    "cross_entropy_formula": Bound(4, 6, 4, 4, of_terms=True),
    "binary_cross_entropy": Bound(3, 3, 4, 3),
    "binary_cross_entropy_with_logits": Bound(3, 4, 3, 4, of_terms=True),
    # numbers
    "l1_loss": Bound(2, 1, 2, 1),
    "mse_loss": Bound(3, 2, 3, 2),
    "smooth_l1_loss": Bound(3, 2, 3, 3),
    "huber_loss": Bound(3, 2, 3, 2),
    # distributions
    "kl_div": Bound(3, 3, 4, 4, of_terms=True),
}


def stated(name: str) -> str:
    """The line of the docstring: value and gradient, whichever type is worse."""
    b = BOUNDS[name]
    of = " of the largest term" if b.of_terms else ""
    return f"Accuracy: {max(b.value, b.value32):g} ulp{of}, gradient {max(b.gradient, b.gradient32):g}."
