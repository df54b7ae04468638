"""The losses as modules, under torch's names."""

from __future__ import annotations

from .. import losses

MSELoss = losses.mse_loss.Module
L1Loss = losses.l1_loss.Module
SmoothL1Loss = losses.smooth_l1_loss.Module
HuberLoss = losses.huber_loss.Module
CrossEntropyLoss = losses.cross_entropy.Module
NLLLoss = losses.nll_loss.Module
BCELoss = losses.binary_cross_entropy.Module
BCEWithLogitsLoss = losses.binary_cross_entropy_with_logits.Module
KLDivLoss = losses.kl_div.Module
