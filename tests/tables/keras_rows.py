"""Each keras.losses class and its counterpart here, both as code: tests/golden/make_keras.py runs the one, the tests
the other, on the same numbers. Plain data: this file is read where only Keras is installed."""

from __future__ import annotations

from typing import Any, NamedTuple

# Arguments by name: y is Keras' y_true, p its y_pred, w weights.
_NUMBERS = [[1.5, -2.0, 0.25], [0.5, 3.0, -1.25], [2.0, 0.0, 1.0], [-0.5, 1.0, 4.0]]
_GUESSES = [[1.0, -1.5, 0.75], [-1.0, 3.5, -1.0], [4.5, 0.125, 1.0], [-0.25, -2.0, 2.5]]
_AMOUNTS = [[1.5, 2.0, 0.25], [0.5, 3.0, 1.25], [2.0, 0.5, 1.0], [0.75, 1.0, 4.0]]
_RATES = [[1.0, 1.5, 0.75], [1.0, 3.5, 1.0], [4.5, 0.125, 1.0], [0.25, 2.0, 2.5]]
_LOGITS = [[2.0, -1.0, 0.5], [0.25, 1.5, -0.75], [-1.0, 0.0, 3.0], [1.0, 2.0, -2.0]]
_SURE = [[0.7, 0.2, 0.1], [0.15, 0.8, 0.05], [0.3, 0.3, 0.4], [0.6, 0.25, 0.15]]
_ONE_HOT = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
_MANY = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
_SOFT = [[0.5, 0.25, 0.25], [0.1, 0.3, 0.6], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]]
_UNIT = [[0.6, 0.8], [1.0, 0.0], [0.8, -0.6], [0.0, 1.0], [-0.28, 0.96]]
_FRAMES = [[[0.5, 1.0, -0.5], [2.0, 0.0, 0.25], [-1.0, 0.5, 0.0], [0.0, 0.75, 1.5]], [[1.0, -1.0, 0.5], [0.0, 0.5, 2.0], [0.25, 1.0, 0.0], [1.5, 0.5, -0.5]]]

INPUTS: dict[str, dict[str, Any]] = {
    "numbers": {"y": _NUMBERS, "p": _GUESSES, "w": [1.0, 0.5, 2.0, 0.0]},
    "amounts": {"y": _AMOUNTS, "p": _RATES},
    "yes or no, logits": {"y": _MANY, "p": _LOGITS},
    "yes or no": {"y": _MANY, "p": _SURE},
    "one-hot, logits": {"y": _ONE_HOT, "p": _LOGITS},
    "one-hot, unscaled": {"y": _ONE_HOT, "p": [[2 * p for p in row] for row in _SURE]},
    "soft, logits": {"y": _SOFT, "p": _LOGITS},
    "soft": {"y": _SOFT, "p": _SURE},
    "index, logits": {"y": [0, 2, 1, 0], "p": _LOGITS, "w": [1.0, 0.5, 2.0, 0.0]},
    "index": {"y": [0, 2, 1, 0], "p": _SURE},
    "groups": {"y": [0, 1, 0, 1, 0], "p": _UNIT},
    "frames": {"y": [[1, 2], [2, 0]], "p": _FRAMES},
}


class Row(NamedTuple):
    """``keras``: a class with its arguments (and after ``@`` those of the call). ``ours``: the same number.
    ``inputs``: which of INPUTS."""

    keras: str
    ours: str
    inputs: str
    note: str = ""

    @property
    def call(self) -> str:
        """The call of Keras."""
        made, _, more = self.keras.partition(" @ ")
        made = made if made.endswith(")") else f"{made}()"
        return f"keras.losses.{made}(y, p{', ' + more if more else ''})"


ROWS: list[Row] = [
    Row("MeanSquaredError", "F.mse_loss(p, y)", "numbers", "the order of the arguments is reversed, in every row"),
    Row("MeanAbsoluteError", "F.l1_loss(p, y)", "numbers"),
    Row("MeanAbsolutePercentageError", "100 * F.mape_loss(p, y)", "amounts", "Keras counts in percent"),
    Row("MeanSquaredLogarithmicError", "F.msle_loss(p, y)", "amounts", "Keras raises what is below 1e-7 to it; here < 0 raises"),
    Row("Huber(delta=0.5)", "F.huber_loss(p, y, delta=0.5)", "numbers"),
    Row("LogCosh", "F.log_cosh_loss(p, y)", "numbers"),
    Row("CosineSimilarity", "-F.cosine_similarity(p, y, dim=-1).mean()", "numbers", "a loss: negative, best at -1"),
    Row("CosineSimilarity(axis=-1)", "F.cosine_embedding_loss(p, y, tl.ones(4)) - 1", "numbers", "as a loss of pairs"),
    Row("Poisson", "F.poisson_nll_loss(p, y, log_input=False, eps=1e-7)", "amounts", "the prediction is the rate, not its logarithm"),
    Row("BinaryCrossentropy", "F.binary_cross_entropy(p, y)", "yes or no", "Keras clips to [1e-7, 1 - 1e-7]; here logarithms end at -100"),
    Row("BinaryCrossentropy(from_logits=True)", "F.binary_cross_entropy_with_logits(p, y)", "yes or no, logits", "Keras with the numpy backend clips here too"),
    Row(
        "BinaryCrossentropy(from_logits=True, label_smoothing=0.1)",
        "F.binary_cross_entropy_with_logits(p, y * 0.9 + 0.05)", "yes or no, logits", "smoothing s: y (1 - s) + s / 2",
    ),
    Row("BinaryFocalCrossentropy(from_logits=True)", "F.sigmoid_focal_loss(p, y)", "yes or no, logits", "gamma is 2 in both"),
    Row(
        "BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.5, from_logits=True)",
        "F.sigmoid_focal_loss(p, y, alpha=0.25, gamma=1.5)", "yes or no, logits", "alpha: only with balancing",
    ),
    Row("CategoricalCrossentropy(from_logits=True)", "F.cross_entropy(p, y)", "one-hot, logits", "classes on axis 1 here, on the last axis there"),
    Row("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "F.cross_entropy(p, y, label_smoothing=0.1)", "soft, logits"),
    Row("CategoricalCrossentropy", "F.cross_entropy(p.log(), y)", "one-hot, unscaled", "both divide by the sum; Keras then clips"),
    Row("SparseCategoricalCrossentropy(from_logits=True)", "F.cross_entropy(p, y)", "index, logits"),
    Row("SparseCategoricalCrossentropy", "F.nll_loss(p.log(), y)", "index", "probabilities, which here go in as logarithms"),
    Row(
        "SparseCategoricalCrossentropy(ignore_class=2, from_logits=True)", "F.cross_entropy(p, y, ignore_index=2)",
        "index, logits", "the mean is over those kept, in both",
    ),
    Row("CategoricalFocalCrossentropy(from_logits=True)", "0.25 * F.focal_loss(p, y)", "one-hot, logits", "alpha=0.25 is a plain factor there"),
    Row("CategoricalGeneralizedCrossEntropy(q=0.7)", "F.generalized_cross_entropy(p.log(), y, q=0.7)", "index", "Keras takes probabilities and indices"),
    Row("Hinge", "F.hinge_loss(p, 2 * y - 1)", "yes or no, logits", "labels 0 and 1 are converted there; here they raise"),
    Row("SquaredHinge", "F.hinge_loss(p, 2 * y - 1, squared=True)", "yes or no, logits"),
    Row(
        "CategoricalHinge", "F.categorical_hinge_loss(p, y.argmax(1), against_zero=True)", "one-hot, logits",
        "in Keras 0 competes with the other scores",
    ),
    Row("KLDivergence", 'F.kl_div(p.log(), y, reduction="batchmean")', "soft", "Keras clips both to [1e-7, 1]"),
    Row(
        "CTC", 'F.ctc_loss(F.log_softmax(p, 2).swapaxes(0, 1), y, (4, 4), (2, 1), reduction="none").mean()', "frames",
        "logits (N, T, C); not divided by lengths",
    ),
    Row("Dice", "F.dice_loss(p, y, from_logits=False)", "yes or no", "probabilities; one overlap for the whole batch"),
    Row("Dice(axis=(0,))", 'F.dice_loss(p, y, axis=0, from_logits=False)', "yes or no"),
    Row(
        "Tversky(alpha=0.3, beta=0.7)", "F.tversky_loss(p, y, alpha=0.7, beta=0.3, from_logits=False)", "yes or no",
        "Keras 3.15 swaps alpha and beta",
    ),
    Row("Circle(gamma=8.0, margin=0.25)", "F.circle_loss(p, y, gamma=8.0, margin=0.25)", "groups", "Keras expects unit vectors; here lengths do not matter"),
    Row("MeanSquaredError(reduction='sum')", 'F.mse_loss(p, y, reduction="none").mean(-1).sum()', "numbers", "Keras averages the last axis first"),
    Row("MeanSquaredError(reduction=None)", 'F.mse_loss(p, y, reduction="none").mean(-1)', "numbers", "as above, without the sum"),
    Row("MeanSquaredError(reduction='mean')", "F.mse_loss(p, y)", "numbers", "and 'sum_over_batch_size', the default"),
    Row("CategoricalCrossentropy(from_logits=True, reduction='sum')", 'F.cross_entropy(p, y, reduction="sum")', "one-hot, logits", "nothing is averaged first"),
    Row("MeanSquaredError @ sample_weight=w", '(F.mse_loss(p, y, reduction="none").mean(-1) * w).mean()', "numbers", "Keras divides by the examples"),
    Row(
        "MeanSquaredError(reduction='mean_with_sample_weight') @ sample_weight=w", "F.mse_loss(p, y, sample_weight=w)", "numbers",
        "divided by the weights, as here",
    ),
    Row(
        "SparseCategoricalCrossentropy(from_logits=True, reduction='mean_with_sample_weight') @ sample_weight=w",
        "F.cross_entropy(p, y, sample_weight=w)", "index, logits",
    ),
]
