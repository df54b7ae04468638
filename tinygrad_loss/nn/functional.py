"""Everything under torch's functional names: activations, layers without state of their own, losses."""

from __future__ import annotations

from ..coercion import not_a_tensor
from ..generator import bernoulli_mask
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
    linear_cross_entropy,
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
from ..ops.activations import clamp, clamp_max, clamp_min, elu, gelu, leaky_relu, relu, silu, softplus
from ..ops.elementwise import sigmoid, tanh
from ..ops.linalg import linear
from ..ops.masking import one_hot, where_
from ..ops.normalize import cosine_similarity, layer_norm, normalize, pairwise_distance
from ..ops.positions import check_range, integers, reader
from ..ops.stable import log_softmax, logsigmoid, softmax, softmin, xlogy
from ..tape import Tensor

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "categorical_hinge_loss", "charbonnier_loss",
    "circle_loss", "clamp", "clamp_max", "clamp_min", "clip_loss", "contrastive_loss", "cosine_embedding_loss",
    "cosine_similarity", "crf1d_loss", "cross_entropy", "ctc_loss", "dice_loss", "distillation_loss", "dropout",
    "elu", "embedding", "expectile_loss", "focal_loss", "gaussian_kl_loss", "gaussian_nll_loss", "gelu",
    "generalized_cross_entropy", "generalized_kl_div", "hinge_embedding_loss", "hinge_loss", "huber_loss",
    "info_nce_loss", "iou_loss", "js_div", "kl_div", "l1_loss", "laplace_nll_loss", "layer_norm", "leaky_relu",
    "linear", "linear_cross_entropy", "listmle_loss", "log_cosh_loss", "log_softmax", "logsigmoid", "mape_loss",
    "margin_ranking_loss", "mse_loss", "msle_loss", "multi_margin_loss", "multi_similarity_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "normalize", "nt_xent_loss", "one_hot",
    "pairwise_distance", "perceptron_loss", "poisson_nll_loss", "poly_loss", "quantile_loss", "ranking_softmax_loss",
    "ranknet_loss", "relu", "rmse_loss", "robust_loss", "sigmoid", "sigmoid_focal_loss", "silu", "simclr_loss",
    "smape_loss", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "sparsemax_loss",
    "supcon_loss", "tanh", "triplet_margin_loss", "triplet_margin_with_distance_loss", "tversky_loss", "xlogy",
]  # fmt: skip

_rows = reader("embedding")


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of ``weight`` (num, dim) that the integers in ``input`` name: shape ``input.shape + (dim,)``.

    The row ``padding_idx`` gets no gradient. Raises TypeError for numbers that are no integers, RuntimeError
    for a weight that is no matrix, IndexError naming the first one out of range; negative ones do not count
    from the end.

    >>> F.embedding(tensor([1, 0]), tensor([[1., 2.], [3., 4.]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    if not isinstance(weight, Tensor):
        raise not_a_tensor("embedding", "weight", weight)
    if weight.array.ndim != 2:
        raise RuntimeError(f"embedding: weight has shape {tuple(weight.shape)}; expected (num_embeddings, dim)")
    index = integers("embedding", "input", input, weight)
    count = weight.array.shape[0]
    check_range("embedding", "input", index, count, "num_embeddings")
    rows: Tensor = _rows(weight, index=index, unique=False)
    if padding_idx is None:
        return rows
    if not -count <= padding_idx < count:
        raise ValueError(f"embedding: padding_idx={padding_idx} is not within the {count} rows of weight")
    padding = (index == padding_idx % count)[..., None]
    return where_(padding, rows.detach(), rows)  # type: ignore[no-any-return]


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeros at random places, with probability ``p`` each, the rest divided by ``1 - p``; nothing if not training.

    Also zero where the input is infinite. Raises ValueError for ``p`` outside [0, 1], NotImplementedError for
    ``inplace=True``.

    >>> F.dropout(tensor([1., np.inf]), p=1.0), F.dropout(tensor([1., 2.]), training=False)
    (tensor([0., 0.]), tensor([1., 2.]))
    """
    if not isinstance(input, Tensor):
        raise not_a_tensor("dropout", "input", input)
    check_probability("dropout", p)
    if inplace:
        raise NotImplementedError("dropout: inplace=True is not supported; use x = dropout(x)")
    if not training or p == 0:
        return input
    kept = bernoulli_mask(input.array.shape, 1.0 - p)
    return where_(kept, input * (1.0 / (1.0 - p) if p < 1 else 0.0), 0.0)  # type: ignore[no-any-return]


def check_probability(function: str, p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{function}: p is the probability of an element to be zeroed, between 0 and 1, got {p}")
