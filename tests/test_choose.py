"""which_loss: the table, read off the declarations, and every wish."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.choose import TASKS, first_sentence, which_loss
from tinygrad_loss.losses import LOSSES, PerBatch, PerElement, PerExample, Real, loss
from tinygrad_loss.losses._labels import Label
from tinygrad_loss.tape import Tensor

OURS = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))


# The places of the losses, said a second time: what the declarations yield is compared with it.
PLACES: dict[str, str] = {
    "regression": (
        "charbonnier_loss expectile_loss gaussian_nll_loss huber_loss l1_loss log_cosh_loss mape_loss mse_loss msle_loss quantile_loss "
        "rmse_loss smape_loss smooth_l1_loss"
    ),
    "counts": "poisson_nll_loss",
    "binary": (
        "binary_cross_entropy binary_cross_entropy_with_logits hinge_loss multilabel_soft_margin_loss perceptron_loss sigmoid_focal_loss "
        "soft_margin_loss"
    ),
    "multiclass": (
        "categorical_hinge_loss cross_entropy focal_loss generalized_cross_entropy linear_cross_entropy multi_margin_loss nll_loss "
        "poly_loss sparsemax_loss"
    ),
    "multilabel": "multilabel_margin_loss",
    "distribution": "distillation_loss gaussian_kl_loss generalized_kl_div js_div kl_div",
    "embedding": (
        "circle_loss clip_loss contrastive_loss cosine_embedding_loss hinge_embedding_loss info_nce_loss multi_similarity_loss "
        "nt_xent_loss simclr_loss supcon_loss triplet_margin_loss triplet_margin_with_distance_loss"
    ),
    "ranking": "listmle_loss margin_ranking_loss ranking_softmax_loss ranknet_loss",
    "sequence": "crf1d_loss ctc_loss",
    "segmentation": "dice_loss iou_loss tversky_loss",
}  # fmt: skip
PLACED = {n for found in PLACES.values() for n in found.split()}


def names(task: str | None = None, **wishes: Any) -> list[str]:
    return [n for n in which_loss(task, **wishes).names if n in PLACED]


@pytest.mark.parametrize("task", TASKS)
def test_task(task: str) -> None:
    assert names(task) == PLACES[task].split()


def test_every_loss_has_one_place() -> None:
    found = [n for task in TASKS for n in which_loss(task).names if n in OURS]
    assert sorted(found) == OURS == [n for n in which_loss().names if n in OURS]
    assert set(PLACES) == set(TASKS) and set(OURS) >= PLACED
    assert all(c.says and c.outputs and c.module for c in which_loss() if c.name in OURS)


WISHES: list[tuple[str | None, dict[str, Any], str]] = [
    ("binary", {"outputs": "logits"}, "binary_cross_entropy_with_logits multilabel_soft_margin_loss sigmoid_focal_loss"),
    ("binary", {"outputs": "probabilities"}, "binary_cross_entropy"),
    ("binary", {"outputs": "scores"}, "hinge_loss perceptron_loss soft_margin_loss"),
    ("binary", {"targets": "+1"}, "hinge_loss perceptron_loss soft_margin_loss"),
    ("multiclass", {"outputs": "log-probabilities"}, "nll_loss"), ("multiclass", {"outputs": "features"}, "linear_cross_entropy"),
    ("multiclass", {"outputs": "scores"}, "categorical_hinge_loss multi_margin_loss sparsemax_loss"),
    ("multiclass", {"outputs": "logits"}, "cross_entropy focal_loss generalized_cross_entropy poly_loss"),
    ("multiclass", {"outputs": "logits", "targets": "probabilities"}, "cross_entropy focal_loss poly_loss"),
    ("multiclass", {"robust": True}, "generalized_cross_entropy"),
    ("regression", {"robust": False}, "expectile_loss gaussian_nll_loss mse_loss rmse_loss"),
    ("regression", {"robust": True}, "charbonnier_loss huber_loss l1_loss log_cosh_loss mape_loss msle_loss quantile_loss smape_loss smooth_l1_loss"),
    ("regression", {"targets": ">= 0"}, "msle_loss"), ("counts", {"outputs": "logarithms"}, "poisson_nll_loss"),
    ("segmentation", {"outputs": "logits"}, "dice_loss iou_loss tversky_loss"), ("segmentation", {"outputs": "probabilities"}, "dice_loss iou_loss tversky_loss"),
    ("segmentation", {"targets": "indices"}, "dice_loss iou_loss tversky_loss"),
    ("embedding", {"targets": "group"}, "circle_loss multi_similarity_loss nt_xent_loss supcon_loss"),
    ("embedding", {"targets": "similar"}, "contrastive_loss"), ("embedding", {"outputs": "distances"}, "hinge_embedding_loss"),
    ("sequence", {"outputs": "log-probabilities"}, "ctc_loss"), ("ranking", {"targets": "relevances"}, "listmle_loss ranknet_loss"),
    (None, {"outputs": "log-probabilities"}, "ctc_loss js_div kl_div nll_loss"), (None, {"targets": "lists"}, "multilabel_margin_loss"),
    ("binary", {"robust": True}, ""), ("counts", {"outputs": "logits"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("task", "wishes", "expected"), WISHES)
def test_wishes(task: str | None, wishes: dict[str, Any], expected: str) -> None:
    assert names(task, **wishes) == expected.split()


def test_robust_is_measured_not_written() -> None:
    """An outlier 100 times farther pulls 100 times harder with mse, and no harder with l1; a surely wrong label pulls
    less and less with generalized_cross_entropy only."""
    for name, factor in (("mse_loss", 100.0), ("l1_loss", 1.0), ("huber_loss", 1.0), ("expectile_loss", 100.0)):
        pulls = []
        for residual in (10.0, 1000.0):
            x = tl.tensor([residual], requires_grad=True)
            LOSSES[name](x, tl.zeros(1)).backward()
            pulls.append(x.grad.item())
        assert pulls[1] / pulls[0] == pytest.approx(factor)
        assert which_loss("regression", robust=factor == 1.0).names.count(name) == 1
    for name in ("cross_entropy", "generalized_cross_entropy"):
        pulls = []
        for lead in (5.0, 15.0):
            x = tl.tensor([[0.0, lead, 0.0]], requires_grad=True)
            LOSSES[name](x, tl.tensor([0])).backward()
            pulls.append(abs(x.grad.array).max())
        assert (pulls[1] < pulls[0] / 2) == (name == "generalized_cross_entropy")


def test_printed() -> None:
    found = which_loss("sequence")
    lines = str(found).split("\n")
    assert repr(found) == str(found) and lines[0].split() == ["loss", "module", "outputs", "targets", "robust", "what", "it", "is"]
    assert lines[2].startswith("ctc_loss    CTCLoss    log-probabilities  class indices          The negative log-likelihood")
    assert len({line.index(word) for line, word in zip(lines, ("what it is", "The negative", "The negative"), strict=True)}) == 1, "aligned"
    assert str(which_loss("binary", robust=True)) == "no loss fits; leave out one of the wishes"
    for choice in which_loss():
        assert "\n" not in choice.says and choice.says and choice.loss is LOSSES[choice.name]


def test_sequence_of_choices() -> None:
    found = which_loss("sequence")
    assert len(found) == 2 and found[1].name == "ctc_loss" and [c.name for c in found] == found.names
    assert found[0].module == "CRF1dLoss" and found[0].family == "sequence" and found[0] in found and len(found[:1]) == 1


@pytest.mark.parametrize(
    ("wishes", "kind", "message"),
    [
        ({"task": "clustering"}, ValueError, "task='clustering' is not known; expected one of regression, counts, binary"),
        ({"outputs": "logit"}, ValueError, "outputs='logit' is not known; expected one of distances, features, log-probabilities"),
        ({"robust": "yes"}, TypeError, "robust='yes': expected True, False or None"), ({"robust": 1}, TypeError, "robust=1"),
        ({"loss": "x"}, TypeError, "unexpected keyword"),
    ],
)  # fmt: skip
def test_error(wishes: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        which_loss(**wishes)


def test_first_sentence() -> None:
    def spoken() -> None:
        """One that goes on
        in the next line, e.g. here. `Another`.

        More.
        """

    assert first_sentence(spoken) == "One that goes on in the next line, e.g. here."
    assert first_sentence(lambda: None) == ""
    assert first_sentence(LOSSES["mse_loss"]) == "The squared difference."


@pytest.fixture
def mine() -> Any:
    """Losses of a user's, of any kind."""

    @loss
    def cubic(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:  # noqa: UP037
        """The cube."""
        return abs(input - target) ** 3

    @loss
    def flat(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:  # noqa: UP037
        return 0.0 * (input - target)

    @loss
    def vote(input: Real[Tensor, "N C"], target: Label[Tensor, "N"]) -> PerExample:  # noqa: UP037
        """Fails: a formula may do anything."""
        raise RuntimeError("of this batch nothing can be computed")

    @loss
    def energy(field: Real[Tensor, "X Y"]) -> PerBatch:
        """No target at all."""
        return (field**2).sum()

    made = {n: LOSSES[n] for n in ("cubic", "flat", "vote", "energy")}
    yield made
    for n in made:
        del LOSSES[n]


def test_losses_of_ones_own(mine: Any) -> None:
    with np.errstate(all="raise"):
        every = {c.name: c for c in which_loss()}
    assert (every["cubic"].task, every["cubic"].robust, every["cubic"].says) == ("regression", False, "The cube.")
    assert (every["vote"].task, every["vote"].robust, every["vote"].outputs) == ("multiclass", None, "scores")
    assert (every["energy"].task, every["energy"].targets, every["energy"].robust) == ("distribution", "", None)
    assert every["flat"].robust is None, "no pull, nothing to compare"
    assert "cubic" in str(which_loss("regression", robust=False))


def test_a_loss_declared_anew_is_measured_anew(mine: Any) -> None:
    assert which_loss("regression", robust=False).names.count("cubic") == 1

    @loss
    def cubic(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:  # noqa: UP037
        return abs(input - target)

    assert which_loss("regression", robust=True).names.count("cubic") == 1


def test_asking_changes_nothing() -> None:
    with tl.no_grad():
        assert which_loss("regression", robust=True).names
    assert tl.is_grad_enabled()
