"""The losses: each a formula, declared once."""

from . import _kernels as _kernels  # beside their formulas
from . import _kernels_linear as _kernels_linear
from . import _kernels_logistic as _kernels_logistic
from . import _kernels_margin as _kernels_margin
from . import _kernels_vectors as _kernels_vectors
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
from ._labels import (
    Group,
    Label,
    LabelList,
    Labels,
    Lengths,
    Mask,
    Pair,
    Sign,
    TargetLengths,
)
from ._loss import LOSSES, Loss, PerBatch, PerElement, PerExample, loss
from ._options import IgnoreIndex, NonNegative, Number, Positive, Switch, UnitInterval
from ._reductions import Terms
from .classification import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    multilabel_soft_margin_loss,
    nll_loss,
)
from .combine import MultiTaskLoss, UncertaintyWeightedLoss, WeightedSum
from .contrastive import (
    circle_loss,
    clip_loss,
    info_nce_loss,
    multi_similarity_loss,
    nt_xent_loss,
    simclr_loss,
    supcon_loss,
)
from .divergence import distillation_loss, generalized_kl_div, js_div, kl_div
from .focal import (
    focal_loss,
    generalized_cross_entropy,
    poly_loss,
    sigmoid_focal_loss,
    sparsemax_loss,
)
from .likelihood import gaussian_kl_loss, gaussian_nll_loss, laplace_nll_loss, poisson_nll_loss
from .linear import (
    linear_cross_entropy,
)
from .margin import (
    categorical_hinge_loss,
    hinge_embedding_loss,
    hinge_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    perceptron_loss,
    soft_margin_loss,
)
from .metric import (
    contrastive_loss,
    cosine_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .ranking import (
    listmle_loss,
    ranking_softmax_loss,
    ranknet_loss,
)
from .regression import huber_loss, l1_loss, mape_loss, mse_loss, msle_loss, rmse_loss, smape_loss, smooth_l1_loss
from .robust import charbonnier_loss, expectile_loss, log_cosh_loss, quantile_loss, robust_loss
from .segmentation import (
    dice_loss,
    iou_loss,
    tversky_loss,
)
from .sequence import (
    crf1d_loss,
    ctc_loss,
)

__all__ = [
    "Amount", "BinaryProbability", "Distribution", "Group", "IgnoreIndex", "LOSSES", "Label", "LabelList", "Labels",
    "Lengths", "Log", "Logit", "Logits", "Loss", "Mask", "MultiTaskLoss", "NonNegative", "Number", "Pair", "PerBatch",
    "PerElement", "PerExample", "Positive", "Probability", "Real", "Sign", "Simplex", "Switch", "TargetLengths",
    "Terms", "UncertaintyWeightedLoss", "UnitInterval", "Variance", "Weight", "WeightedSum", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "categorical_hinge_loss", "charbonnier_loss", "circle_loss", "clip_loss",
    "contrastive_loss", "cosine_embedding_loss", "crf1d_loss", "cross_entropy", "ctc_loss", "dice_loss",
    "distillation_loss", "expectile_loss", "focal_loss", "gaussian_kl_loss", "gaussian_nll_loss",
    "generalized_cross_entropy", "generalized_kl_div", "hinge_embedding_loss", "hinge_loss", "huber_loss",
    "info_nce_loss", "iou_loss", "js_div", "kl_div", "l1_loss", "laplace_nll_loss", "linear_cross_entropy",
    "listmle_loss", "log_cosh_loss", "loss", "mape_loss", "margin_ranking_loss", "mse_loss", "msle_loss",
    "multi_margin_loss", "multi_similarity_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss",
    "nt_xent_loss", "perceptron_loss", "poisson_nll_loss", "poly_loss", "quantile_loss", "ranking_softmax_loss",
    "ranknet_loss", "rmse_loss", "robust_loss", "set_value_checks", "sigmoid_focal_loss", "simclr_loss", "smape_loss",
    "smooth_l1_loss", "soft_margin_loss", "sparsemax_loss", "supcon_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "tversky_loss",
]  # fmt: skip
