"""What other libraries call a loss, or what comes nearest; torch is asked in tests/oracle."""

from __future__ import annotations

# loss: (Keras class, optax function, Chainer function). torch has the same names as here, where it has the loss.
PEERS: dict[str, tuple[str, str, str]] = {
    "l1_loss": ("MeanAbsoluteError", "", "mean_absolute_error"),
    "mse_loss": ("MeanSquaredError", "squared_error; l2_loss is half of it", "mean_squared_error"),
    "huber_loss": ("Huber", "huber_loss", "huber_loss, summed over axis 1"),
    "mape_loss": ("MeanAbsolutePercentageError, in percent", "", ""),
    "msle_loss": ("MeanSquaredLogarithmicError", "", ""),
    "log_cosh_loss": ("LogCosh", "log_cosh", ""),
    "gaussian_nll_loss": ("", "", "gaussian_nll, of the log-variance"),
    "poisson_nll_loss": ("Poisson, of the rate", "", ""),
    "cross_entropy": (
        "CategoricalCrossentropy, SparseCategoricalCrossentropy", "softmax_cross_entropy, ..._with_integer_labels", "softmax_cross_entropy",
    ),
    "binary_cross_entropy": ("BinaryCrossentropy", "", ""),
    "binary_cross_entropy_with_logits": ("BinaryCrossentropy(from_logits=True)", "sigmoid_binary_cross_entropy", "sigmoid_cross_entropy"),
    "sigmoid_focal_loss": ("BinaryFocalCrossentropy", "sigmoid_focal_loss", ""),
    "focal_loss": ("CategoricalFocalCrossentropy", "", ""),
    "poly_loss": ("", "poly_loss_cross_entropy, epsilon=2", ""),
    "generalized_cross_entropy": ("CategoricalGeneralizedCrossEntropy", "", ""),
    "sparsemax_loss": ("", "multiclass_sparsemax_loss", ""),
    "hinge_loss": ("Hinge, SquaredHinge", "hinge_loss", "hinge, one class against the others"),
    "perceptron_loss": ("", "perceptron_loss", ""),
    "categorical_hinge_loss": ("CategoricalHinge, against zero", "multiclass_hinge_loss", ""),
    "kl_div": ("KLDivergence, of probabilities", "kl_divergence", ""),
    "generalized_kl_div": ("", "generalized_kl_divergence", ""),
    "gaussian_kl_loss": ("", "", "gaussian_kl_divergence"),
    "cosine_embedding_loss": ("CosineSimilarity, negative", "cosine_distance", ""),
    "triplet_margin_loss": ("", "triplet_margin_loss, eps under the root", "triplet, of squared distances"),
    "margin_ranking_loss": ("", "", "margin_ranking_loss"),
    "contrastive_loss": ("", "", "contrastive"),
    "nt_xent_loss": ("", "ntxent", ""),
    "circle_loss": ("Circle", "", ""),
    "ranking_softmax_loss": ("", "ranking_softmax_loss", ""),
    "dice_loss": ("Dice", "dice_loss", ""),
    "tversky_loss": ("Tversky", "dice_loss(alpha, beta)", ""),
    "ctc_loss": ("CTC, of logits", "ctc_loss", "connectionist_temporal_classification"),
    "crf1d_loss": ("", "", "crf1d"),
}  # fmt: skip
TORCH = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip
