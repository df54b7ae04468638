"""The losses as modules, under torch's names."""

from __future__ import annotations

from ..losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

MSELoss = mse_loss.Module
L1Loss = l1_loss.Module
SmoothL1Loss = smooth_l1_loss.Module
HuberLoss = huber_loss.Module
CrossEntropyLoss = cross_entropy.Module
NLLLoss = nll_loss.Module
BCELoss = binary_cross_entropy.Module
BCEWithLogitsLoss = binary_cross_entropy_with_logits.Module
KLDivLoss = kl_div.Module
