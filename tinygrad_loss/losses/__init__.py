"""The losses: each a formula, declared once."""

from . import _kernels as _kernels  # beside their formulas
from ._domains import (
    BinaryProbability,
    ClassLogProbability,
    Distribution,
    IgnoreIndex,
    Label,
    Log,
    NonNegative,
    Positive,
    Probability,
    Real,
    Simplex,
    Switch,
    UnitInterval,
    Weight,
)
from ._loss import LOSSES, Loss, PerElement, PerExample, Weighted, loss
from .classification import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, nll_loss
from .divergence import kl_div
from .regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "LOSSES", "BinaryProbability", "ClassLogProbability", "Distribution", "IgnoreIndex", "Label", "Log", "Loss",
    "NonNegative", "PerElement", "PerExample", "Positive", "Probability", "Real", "Simplex", "Switch", "UnitInterval",
    "Weight", "Weighted", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "kl_div", "l1_loss", "loss", "mse_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip
