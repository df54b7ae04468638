"""The losses as modules, under torch's names."""

from __future__ import annotations

from typing import Any

from ..callsite import deprecated
from ..losses import MultiTaskLoss as MultiTaskLoss
from ..losses import UncertaintyWeightedLoss as UncertaintyWeightedLoss
from ..losses import WeightedSum as WeightedSum
from ..losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    categorical_hinge_loss,
    charbonnier_loss,
    circle_loss,
    clip_loss,
    contrastive_loss,
    cosine_embedding_loss,
    crf1d_loss,
    cross_entropy,
    ctc_loss,
    dice_loss,
    distillation_loss,
    expectile_loss,
    focal_loss,
    gaussian_kl_loss,
    gaussian_nll_loss,
    generalized_cross_entropy,
    generalized_kl_div,
    hinge_embedding_loss,
    hinge_loss,
    huber_loss,
    info_nce_loss,
    iou_loss,
    js_div,
    kl_div,
    l1_loss,
    laplace_nll_loss,
    listmle_loss,
    log_cosh_loss,
    mape_loss,
    margin_ranking_loss,
    mse_loss,
    msle_loss,
    multi_margin_loss,
    multi_similarity_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    nt_xent_loss,
    perceptron_loss,
    poisson_nll_loss,
    poly_loss,
    quantile_loss,
    ranking_softmax_loss,
    ranknet_loss,
    rmse_loss,
    robust_loss,
    sigmoid_focal_loss,
    simclr_loss,
    smape_loss,
    smooth_l1_loss,
    soft_margin_loss,
    sparsemax_loss,
    supcon_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
    tversky_loss,
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
RMSELoss = rmse_loss.Module
MAPELoss = mape_loss.Module
SMAPELoss = smape_loss.Module
MSLELoss = msle_loss.Module
LogCoshLoss = log_cosh_loss.Module
QuantileLoss = quantile_loss.Module
ExpectileLoss = expectile_loss.Module
CharbonnierLoss = charbonnier_loss.Module
PoissonNLLLoss = poisson_nll_loss.Module
GaussianNLLLoss = gaussian_nll_loss.Module
GaussianKLLoss = gaussian_kl_loss.Module
GeneralizedKLDivLoss = generalized_kl_div.Module
JSDivLoss = js_div.Module
DistillationLoss = distillation_loss.Module
MultiLabelSoftMarginLoss = multilabel_soft_margin_loss.Module
FocalLoss = focal_loss.Module
GeneralizedCrossEntropyLoss = generalized_cross_entropy.Module
PolyLoss = poly_loss.Module
SigmoidFocalLoss = sigmoid_focal_loss.Module
SparsemaxLoss = sparsemax_loss.Module
CategoricalHingeLoss = categorical_hinge_loss.Module
HingeEmbeddingLoss = hinge_embedding_loss.Module
HingeLoss = hinge_loss.Module
MarginRankingLoss = margin_ranking_loss.Module
MultiMarginLoss = multi_margin_loss.Module
MultiLabelMarginLoss = multilabel_margin_loss.Module
PerceptronLoss = perceptron_loss.Module
SoftMarginLoss = soft_margin_loss.Module
CircleLoss = circle_loss.Module
CLIPLoss = clip_loss.Module
ContrastiveLoss = contrastive_loss.Module
CosineEmbeddingLoss = cosine_embedding_loss.Module
DiceLoss = dice_loss.Module
InfoNCELoss = info_nce_loss.Module
JaccardLoss = iou_loss.Module
ListMLELoss = listmle_loss.Module
MultiSimilarityLoss = multi_similarity_loss.Module
NTXentLoss = nt_xent_loss.Module
ListNetLoss = ranking_softmax_loss.Module
RankNetLoss = ranknet_loss.Module
SimCLRLoss = simclr_loss.Module
SupConLoss = supcon_loss.Module
TripletMarginLoss = triplet_margin_loss.Module
TripletMarginWithDistanceLoss = triplet_margin_with_distance_loss.Module
TverskyLoss = tversky_loss.Module
CRF1dLoss = crf1d_loss.Module
CTCLoss = ctc_loss.Module
RobustLoss = robust_loss.Module
LaplaceNLLLoss = laplace_nll_loss.Module


class NLLLoss2d(nll_loss.Module):  # type: ignore[name-defined,misc]
    """torch's old name of :class:`NLLLoss`, which takes more dimensions as well. Warns (DeprecationWarning).

    >>> nn.NLLLoss
    <class 'tinygrad_loss.losses.classification.NLLLoss'>
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        deprecated("NLLLoss2d: the name is deprecated; use NLLLoss, which is the same")
        super().__init__(*args, **kwargs)
