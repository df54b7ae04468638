"""The losses: each a formula, declared once."""

from . import _kernels as _kernels  # beside their formulas
from ._checks import set_value_checks
from ._domains import (
    Amount,
    BinaryProbability,
    Distribution,
    Log,
    Logit,
    Logits,
    Probability,
    Real,
    Simplex,
    Variance,
    Weight,
)
from ._labels import Group, Label, LabelList, Lengths, Mask, Pair, Sign
from ._loss import LOSSES, Loss, PerBatch, PerElement, PerExample, loss
from ._options import IgnoreIndex, NonNegative, Number, Positive, Switch, UnitInterval
from ._reductions import Terms
from .classification import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, nll_loss
from .divergence import kl_div
from .regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "LOSSES", "Amount", "BinaryProbability", "Distribution", "Group", "IgnoreIndex", "Label", "LabelList", "Lengths",
    "Log", "Logit", "Logits", "Loss", "Mask", "NonNegative", "Number", "Pair", "PerBatch", "PerElement", "PerExample",
    "Positive", "Probability", "Real", "Sign", "Simplex", "Switch", "Terms", "UnitInterval", "Variance", "Weight",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "kl_div", "l1_loss", "loss", "mse_loss", "nll_loss", "set_value_checks", "smooth_l1_loss",
]  # fmt: skip
