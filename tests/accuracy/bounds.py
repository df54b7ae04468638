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
    "log_softmax": Bound(3, 6, 2, 2, of_terms=True),
    "softmax": Bound(4, 6, 2, 4, of_terms=True),
    "logsumexp": Bound(3, 4, 2, 2, of_terms=True),
    "logsigmoid": Bound(2, 3, 1, 1),
    "softplus": Bound(2, 3, 1, 1),
    "sigmoid": Bound(3, 4, 1, 2),
    "erf": Bound(4, 4, 1, 3),
    "xlogy": Bound(2, 2, 5, 4),
    # classes
    "nll_loss": Bound(1, 1, 1, 1),
    "cross_entropy": Bound(4, 6, 4, 4, of_terms=True),
    "cross_entropy_formula": Bound(4, 6, 4, 4, of_terms=True),
    "linear_cross_entropy": Bound(8, 8, 8, 8, of_terms=True),
    "focal_loss": Bound(12, 12, 10, 10, of_terms=True),
    "poly_loss": Bound(4, 5, 4, 4, of_terms=True),
    "generalized_cross_entropy": Bound(4, 5, 5, 5, of_terms=True),
    "sparsemax_loss": Bound(2, 1, 2, 1, of_terms=True),
    "binary_cross_entropy": Bound(3, 3, 5, 4),
    "binary_cross_entropy_with_logits": Bound(3, 4, 3, 4, of_terms=True),
    "multilabel_soft_margin_loss": Bound(4, 5, 4, 4, of_terms=True),
    "sigmoid_focal_loss": Bound(16, 16, 12, 12, of_terms=True),
    "ranking_softmax_loss": Bound(3, 6, 3, 3, of_terms=True),
    "ranknet_loss": Bound(3, 3, 3, 3, of_terms=True),
    "listmle_loss": Bound(3, 4, 3, 4, of_terms=True),
    # margins
    "soft_margin_loss": Bound(2, 3, 1, 1),
    "hinge_embedding_loss": Bound(1, 0, 1, 0, of_terms=True),
    "margin_ranking_loss": Bound(2, 0, 2, 0, of_terms=True),
    "multi_margin_loss": Bound(4, 3, 4, 3, of_terms=True),
    "multilabel_margin_loss": Bound(4, 2, 4, 2, of_terms=True),
    "hinge_loss": Bound(3, 1, 3, 1),
    "perceptron_loss": Bound(0, 0, 0, 0),
    "categorical_hinge_loss": Bound(1, 0, 1, 0, of_terms=True),
    # numbers
    "l1_loss": Bound(2, 0, 2, 0),
    "mse_loss": Bound(3, 2, 4, 2),
    "smooth_l1_loss": Bound(3, 2, 3, 3),
    "huber_loss": Bound(3, 2, 3, 2),
    "rmse_loss": Bound(1, 0, 1, 0),
    "rmse_of_mean": Bound(3, 4, 1, 1),
    "mape_loss": Bound(2, 3, 1, 1),
    "smape_loss": Bound(3, 4, 1, 1, of_terms=True),
    "msle_loss": Bound(6, 6, 1, 1, of_terms=True),
    "log_cosh_loss": Bound(4, 3, 1, 1),
    "quantile_loss": Bound(2, 1, 1, 1),
    "expectile_loss": Bound(4, 3, 1, 1),
    "charbonnier_loss": Bound(2, 5, 1, 1),
    "robust_loss": Bound(6, 8, 1, 1, of_terms=True),
    "laplace_nll_loss": Bound(3, 4, 1, 1, of_terms=True),
    "poisson_nll_loss": Bound(3, 2, 1, 1, of_terms=True),
    "gaussian_nll_loss": Bound(4, 4, 4, 4, of_terms=True),
    "gaussian_kl_loss": Bound(4, 4, 1, 1),
    # distributions
    "kl_div": Bound(3, 3, 5, 5, of_terms=True),
    "generalized_kl_div": Bound(3, 2, 1, 1, of_terms=True),
    "js_div": Bound(3, 4, 1, 1, of_terms=True),
    "distillation_loss": Bound(40, 8, 1, 1, of_terms=True),
    # vectors
    "cosine_embedding_loss": Bound(6, 10, 5, 8, of_terms=True),
    "triplet_margin_loss": Bound(4, 10, 4, 8, of_terms=True),
    "triplet_margin_with_distance_loss": Bound(4, 6, 4, 5, of_terms=True),
    "contrastive_loss": Bound(4, 5, 5, 6, of_terms=True),
    "nt_xent_loss": Bound(5, 4, 5, 4, of_terms=True),
    "simclr_loss": Bound(5, 4, 5, 4, of_terms=True),
    "info_nce_loss": Bound(4, 5, 4, 4, of_terms=True),
    "clip_loss": Bound(4, 5, 4, 4, of_terms=True),
    "supcon_loss": Bound(4, 5, 4, 4, of_terms=True),
    "circle_loss": Bound(5, 2, 5, 2, of_terms=True),
    "multi_similarity_loss": Bound(5, 4, 5, 4, of_terms=True),
    # overlaps and sequences
    "dice_loss": Bound(5, 6, 4, 5, of_terms=True),
    "iou_loss": Bound(5, 6, 4, 5, of_terms=True),
    "tversky_loss": Bound(8, 8, 6, 6, of_terms=True),
    "ctc_loss": Bound(4, 12, 1, 1, of_terms=True),
    "crf1d_loss": Bound(4, 4, 4, 4, of_terms=True),
}


def stated(name: str) -> str:
    """The line of the docstring: value and gradient, whichever type is worse."""
    b = BOUNDS[name]
    of = " of the largest term" if b.of_terms else ""
    return f"Accuracy: {max(b.value, b.value32):g} ulp{of}, gradient {max(b.gradient, b.gradient32):g}."
