"""The twenty mistakes that users of loss functions make most, one test for each: what is said, and that it names the
function, the argument, what came, what was expected and the fix."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.nn import functional as F

t = tl.tensor
LOGITS = t([[2.0, 0.5, -1.0], [-0.5, 1.5, 0.0], [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
LABELS = t([0, 2, 1, 0])


def error(call: Callable[[], Any], kind: type[Exception]) -> str:
    """What the call raises, nothing being warned of before."""
    with warnings.catch_warnings(), pytest.raises(kind) as caught:
        warnings.simplefilter("error")
        call()
    assert caught.type is kind, f"{caught.type.__name__}: {caught.value}"
    return str(caught.value)


def advice(call: Callable[[], Any]) -> tuple[Any, str]:
    """What the call returns, and the one warning that it gives, at the caller's line."""
    with pytest.warns(tl.LossWarning) as caught:
        result = call()
    assert len(caught) == 1 and caught[0].filename == __file__
    return result, str(caught[0].message)


def test_01_float_labels() -> None:
    assert error(lambda: F.cross_entropy(LOGITS, t([0.0, 2.0, 1.0, 0.0])), RuntimeError) == (
        "cross_entropy: target has dtype tinygrad_loss.float32, shape (4,); class indices need an integer dtype (target.long()). "
        "Float targets are class probabilities and need the input's shape (4, 3)"
    )
    assert "nll_loss: target has dtype tinygrad_loss.bool" in error(lambda: F.nll_loss(F.log_softmax(LOGITS, 1), LABELS > 0), RuntimeError)
    for kind in (tl.int64, tl.int32, tl.int16, tl.int8, tl.uint8):  # torch takes two of them
        assert F.cross_entropy(LOGITS, LABELS.to(kind)).item() == F.cross_entropy(LOGITS, LABELS).item()


def test_02_one_hot_integers() -> None:
    one_hot = F.one_hot(LABELS, 3)
    assert error(lambda: F.cross_entropy(LOGITS, one_hot), RuntimeError) == (
        "cross_entropy: target is an integer tensor of the input's shape (4, 3): it looks one-hot. Use target.argmax(1) for class "
        "indices, or target.float() for probabilities"
    )
    expected = F.cross_entropy(LOGITS, LABELS).item()
    assert F.cross_entropy(LOGITS, one_hot.argmax(1)).item() == expected
    assert F.cross_entropy(LOGITS, one_hot.float()).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"])
def test_03_column_against_row(name: str) -> None:
    """torch: a warning, and the value of a matrix."""
    call, column, row = getattr(F, name), tl.zeros(4, 1), tl.zeros(4)
    assert error(lambda: call(column, row), ValueError) == (
        f"{name}: target has shape (4,), expected (4, 1): the two would broadcast to (4, 4); use input.squeeze(-1) or target.unsqueeze(-1)"
    )
    assert error(lambda: call(row, column), ValueError) == f"{name}: target has shape (4, 1), expected (4,); use target.squeeze(-1)"
    for fixed in (call(column.squeeze(-1), row), call(column, row.unsqueeze(-1)), call(row, column.squeeze(-1))):
        assert fixed.item() == 0.0


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_04_column_against_row_in_bce(name: str) -> None:
    assert error(lambda: getattr(F, name)(tl.zeros(4, 1), tl.zeros(4)), ValueError) == (
        f"{name}: target has shape (4,), expected (4, 1): the two would broadcast to (4, 4); use input.squeeze(-1) or target.unsqueeze(-1)"
    )


@pytest.mark.parametrize("name", [
    "poisson_nll_loss", "gaussian_nll_loss", "hinge_embedding_loss", "multilabel_soft_margin_loss", "kl_div", "triplet_margin_loss",
])  # fmt: skip
def test_05_silent_broadcasts(name: str) -> None:
    """torch computes all of these without a word."""
    loss = getattr(F, name)
    second = loss.declaration.arrays[1]
    args = [-tl.ones(4, 3), *[tl.ones(3)] * (len(loss.declaration.required) - 1)]
    assert error(lambda: loss(*args), ValueError) == (
        f"{name}: {second} has shape (3,), expected (4, 3): the two would broadcast to (4, 3); use reshape or expand on one of them"
    )


def test_06_softmax_before_cross_entropy() -> None:
    text = (
        "cross_entropy: input looks like probabilities (the rows sum to 1); cross_entropy applies log_softmax itself: pass the logits, "
        "or nll_loss(p.log(), target)"
    )
    perfect = t([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    value, said = advice(lambda: F.cross_entropy(perfect, LABELS[:2]))
    assert said == text and value.item() == pytest.approx(0.5514, abs=1e-4)  # by the values,
    w = LOGITS.clone().requires_grad_()
    assert advice(lambda: F.cross_entropy(F.softmax(w * 1.0, 1), LABELS))[1] == text  # and by the graph
    assert advice(lambda: nn.CrossEntropyLoss()(F.softmax(w * 1.0, 1), LABELS))[1] == text
    F.nll_loss(F.softmax(LOGITS, 1).log(), LABELS)  # what it says to do is silent
    F.cross_entropy(LOGITS, LABELS)


def test_07_sigmoid_before_bce_with_logits() -> None:
    z = t([10.0], requires_grad=True)
    value, said = advice(lambda: F.binary_cross_entropy_with_logits(tl.sigmoid(z), t([1.0])))
    assert value.item() == pytest.approx(0.3133, abs=1e-4) and said == (
        "binary_cross_entropy_with_logits: input is the result of sigmoid, which binary_cross_entropy_with_logits applies itself: pass "
        "the logits, or use binary_cross_entropy"
    )
    F.binary_cross_entropy(tl.sigmoid(z), t([1.0]))
    F.binary_cross_entropy_with_logits(z, t([1.0]))


def test_08_logits_into_bce() -> None:
    assert error(lambda: F.binary_cross_entropy(t([2.0, -1.0]), t([1.0, 0.0])), RuntimeError) == (
        "binary_cross_entropy: input[0] is 2, and values in [-1, 2]: all elements should be between 0 and 1; logits? use "
        "binary_cross_entropy_with_logits"
    )
    assert error(lambda: F.binary_cross_entropy(t([0.5, math.nan]), t([1.0, 0.0])), RuntimeError) == (
        "binary_cross_entropy: input[1] is nan: all elements should be between 0 and 1; find where the nan comes from "
        "(autograd.detect_anomaly)"
    )


def test_09_nll_without_log_softmax() -> None:
    """torch: a negative loss."""
    assert error(lambda: F.nll_loss(F.softmax(LOGITS, 1), LABELS), ValueError).startswith("nll_loss: input[0, 0] is 0.7855")
    assert error(lambda: F.nll_loss(LOGITS, LABELS), ValueError) == (
        "nll_loss: input[0, 0] is 2: log-probabilities are never above 0; pass log_softmax(logits, dim) or, for probabilities, p.log()"
    )
    _, said = advice(lambda: F.nll_loss(t([[-0.2, -1.5, -0.5]]), t([0])))
    assert said == (
        "nll_loss: input: expected log-probabilities, whose exponentials sum to 1 over the classes, got 1.648; pass "
        "log_softmax(logits, dim=1)"
    )
    F.nll_loss(F.log_softmax(LOGITS, 1), LABELS)


def test_10_kl_div_with_mean() -> None:
    log_q, p = F.log_softmax(LOGITS, 1), F.softmax(LOGITS * 2.0, 1)
    value, said = advice(lambda: F.kl_div(log_q, p))
    assert said == (
        "kl_div: reduction='mean' divides by all N*C=12 elements; the divergence per example is reduction='batchmean', 3 x this"
    )
    assert F.kl_div(log_q, p, reduction="batchmean").item() == pytest.approx(3 * value.item())
    assert advice(lambda: nn.KLDivLoss()(log_q, p))[1] == said


def test_11_kl_div_of_the_wrong_things() -> None:
    """torch: -1.33, or nan."""
    p, log_p = F.softmax(LOGITS, 1), F.log_softmax(LOGITS, 1)
    for call in (lambda: F.kl_div(p, p, reduction="sum"), lambda: F.kl_div(p, log_p, reduction="sum")):  # probabilities; swapped
        assert error(call, ValueError) == (
            "kl_div: input[0, 0] is 0.785597: log-probabilities are never above 0; pass log_softmax(logits, dim) or, for probabilities, "
            "p.log()"
        )
    assert error(lambda: F.kl_div(log_p, log_p, reduction="sum"), ValueError) == (
        "kl_div: target[0, 0] is negative; expected values >= 0; is it a log-probability? pass log_target=True"
    )
    assert "kl_div: target[0, 0] is 0.785597" in error(lambda: F.kl_div(log_p, p, reduction="sum", log_target=True), ValueError)
    assert F.kl_div(log_p, p, reduction="sum").item() == pytest.approx(0.0, abs=1e-6)


def test_12_class_index_out_of_range() -> None:
    assert error(lambda: F.cross_entropy(LOGITS, t([0, 3, 1, 0])), IndexError) == (
        "cross_entropy: target[1] = 3 is out of bounds: input has C=3 classes (valid 0..2; ignore_index=-100). Labels starting at 1? "
        "subtract 1"
    )
    for bad in (-1, 7, -101, 2**40):  # -1 is not the last class
        assert f"cross_entropy: target[3] = {bad} is out of bounds" in error(lambda bad=bad: F.cross_entropy(LOGITS, t([0, 1, 1, bad])), IndexError)
    assert F.cross_entropy(LOGITS, t([0, -1, 1, 0]), ignore_index=-1).item() > 0


def test_13_shape_of_targets() -> None:
    assert error(lambda: F.cross_entropy(LOGITS, LABELS.reshape(4, 1)), ValueError) == (
        "cross_entropy: target has shape (4, 1), expected (4,) for input (4, 3); use target.squeeze(1)"
    )
    assert error(lambda: F.cross_entropy(LOGITS[0], LABELS[:1]), ValueError) == (
        "cross_entropy: target has shape (1,), expected () for input (3,); use target.squeeze(0)"
    )
    assert error(lambda: F.cross_entropy(tl.zeros(2, 5, 3), tl.zeros(2, 5, dtype=tl.int64)), ValueError) == (
        "cross_entropy: target has shape (2, 5), expected (2, 3) for input (2, 5, 3): the class axis is axis 1 and you seem to have it "
        "last; use input.swapaxes(1, -1)"
    )
    assert F.cross_entropy(tl.zeros(2, 5, 3).swapaxes(1, -1), tl.zeros(2, 5, dtype=tl.int64)).item() == pytest.approx(math.log(3))


def test_14_what_a_weighted_mean_divides_by() -> None:
    """By the weights of the targets; the docstring says so, and none/sum give the rest."""
    w = t([1.0, 2.0, 5.0])
    values = F.cross_entropy(LOGITS, LABELS, weight=w, reduction="none")
    share = w[LABELS].sum()
    assert F.cross_entropy(LOGITS, LABELS, weight=w).item() == pytest.approx((values.sum() / share).item())
    assert F.cross_entropy(LOGITS[:1], LABELS[:1], weight=w).item() == pytest.approx(F.cross_entropy(LOGITS[:1], LABELS[:1]).item())
    for name in ("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "huber_loss"):
        assert "divi" in (getattr(F, name).__doc__ or ""), name
    per_example = F.cross_entropy(LOGITS, LABELS, sample_weight=w[LABELS])
    assert per_example.item() == pytest.approx((F.cross_entropy(LOGITS, LABELS, reduction="none") * w[LABELS]).sum().item() / share.item())


def test_15_nothing_to_average() -> None:
    x = LOGITS.clone().requires_grad_()
    value, said = advice(lambda: F.cross_entropy(x, t([-100] * 4)))
    assert said == "cross_entropy: every target is ignore_index=-100; the mean of nothing is nan" and math.isnan(value.item())
    value.backward()
    assert not x.grad.numpy().any()
    value, said = advice(lambda: F.mse_loss(x, x * 0.0, mask=tl.zeros(4, 3) > 0))
    assert said == "mse_loss: the mask keeps nothing; the mean of nothing is nan" and math.isnan(value.item())
    assert F.cross_entropy(x[:0], LABELS[:0], reduction="sum").item() == 0.0 and math.isnan(F.cross_entropy(x[:0], LABELS[:0]).item())


@pytest.mark.parametrize("name", ["soft_margin_loss", "hinge_loss", "hinge_embedding_loss", "margin_ranking_loss", "cosine_embedding_loss"])
def test_16_labels_0_and_1_for_signs(name: str) -> None:
    loss, y = getattr(F, name), t([1.0, 0.0])
    embeds = name.startswith("cosine")
    args = [t([[0.5, 1.0], [1.0, 2.0]]) if embeds else t([0.5, 1.0])] * (len(loss.declaration.required) - 1)
    assert error(lambda: loss(*args, y), ValueError) == f"{name}: target[1] = 0: expected +1 or -1; for labels 0 and 1 use 2 * target - 1"
    assert np.isfinite(loss(*args, 2 * y - 1).item())


def test_17_backward_of_many_numbers() -> None:
    x = LOGITS.clone().requires_grad_()
    loss = F.cross_entropy(x, LABELS, reduction="none")
    assert error(loss.backward, RuntimeError) == (
        "backward: grad can be implicitly created only for scalar outputs, this one has shape (4,): reduce it first (.mean() or .sum()), "
        "or pass gradient="
    )
    loss.mean().backward()


@pytest.mark.parametrize("name, cut", [
    ("argmax", lambda x: x.argmax(1).float()), ("item", lambda x: t(x.sum().item())), ("detach", lambda x: t(x.detach().numpy())),
    ("tensor", lambda x: t(x * 2.0)), ("no_grad", None),
])  # fmt: skip
def test_18_a_graph_that_is_cut(name: str, cut: Any) -> None:
    x = LOGITS.clone().requires_grad_()
    if cut is None:
        with tl.no_grad():
            loss = F.mse_loss(x * 2.0, tl.zeros(4, 3))
        assert "no tensor it was computed from requires grad" in error(loss.backward, RuntimeError)
        return
    guess = cut(x * 1.0)
    text = error(F.mse_loss(guess, tl.zeros_like(guess)).backward, RuntimeError)
    assert text.startswith("backward: element 0 of tensors does not require grad and does not have a grad_fn: it depends on no parameter.")
    assert f"The last step without a gradient was {name!r}" in text and "test_mistakes.py:" in text


def test_19_backward_twice_and_gradients_that_pile_up() -> None:
    w = tl.ones(3, requires_grad=True)
    loss = F.mse_loss(w * 2.0, tl.zeros(3))
    loss.backward()
    assert error(loss.backward, RuntimeError) == (
        "backward: a second time through 'mse_loss', whose saved values an earlier backward freed. Call the first backward with "
        "retain_graph=True, or compute the result again; if it came from an earlier training step, cut it off there with .detach()"
    )
    optimizer = tl.optim.SGD([w], lr=0.1)
    optimizer.step()
    F.mse_loss(w * 2.0, tl.zeros(3)).backward()
    _, said = advice(optimizer.step)
    assert said == "SGD.step: a gradient was added to one that an earlier step has already used; call optimizer.zero_grad() before backward()"
    optimizer.zero_grad()
    running = tl.zeros(())
    loss = F.mse_loss(w * 2.0, tl.zeros(3))
    loss.backward()
    with pytest.warns(tl.LossWarning, match=r"^\+=: a loss whose backward has run is added up as a tensor.*use running \+= loss\.item\(\)"):
        running += loss
    assert running.item() == loss.item()


def test_20_roots_at_zero() -> None:
    w = tl.ones(3, requires_grad=True)
    F.rmse_loss(w, tl.ones(3)).backward()
    assert not w.grad.numpy().any()  # by hand: nan, and anomaly mode says where from
    with tl.autograd.detect_anomaly():
        loss = tl.sqrt(F.mse_loss(w, tl.ones(3)))
        text = error(loss.backward, RuntimeError)
    assert "returned nan values" in text and "mse_loss" in text and "made by the gradient of 'sqrt'" in text


def test_20_ctc_that_cannot_be() -> None:
    """torch: inf without a word, a negative loss, or another's memory."""
    log_p = F.log_softmax(t([[[0.1, 0.2, 0.3, 0.4]], [[1.0, 0.0, 0.0, 0.0]]]), 2).requires_grad_()
    loss, said = advice(lambda: F.ctc_loss(log_p, t([[1, 1]]), t([2]), t([2])))
    assert said == "ctc_loss: sample 0 needs >= 3 frames, has 2: its loss is inf, its gradient 0; drop it, or pass zero_infinity=True"
    loss.backward()
    assert math.isinf(loss.item()) and not log_p.grad.numpy().any()
    assert F.ctc_loss(log_p, t([[1, 1]]), t([2]), t([2]), zero_infinity=True).item() == 0.0
    assert "exponentials sum to 1 over the classes, got 3.619" in advice(lambda: F.ctc_loss(log_p * 0.0 - 0.1, t([[1]]), t([2]), t([1])))[1]
    assert "log-probabilities are never above 0" in error(lambda: F.ctc_loss(log_p + 5.0, t([[1]]), t([2]), t([1])), ValueError)
    assert error(lambda: F.ctc_loss(log_p, t([[9]]), t([2]), t([1])), IndexError) == (
        "ctc_loss: targets[0, 0] = 9 is out of bounds: log_probs has C=4 classes (valid 0..3)"
    )
    assert error(lambda: F.ctc_loss(log_p, t([[0]]), t([2]), t([1])), IndexError) == (
        "ctc_loss: targets[0, 0] = 0 is the blank; list the labels only, or pass blank= the class that is the blank"
    )


def test_swapped_arguments_and_tensors_to_the_constructor() -> None:
    assert error(lambda: F.cross_entropy(LABELS, LOGITS), RuntimeError).startswith("cross_entropy: target has dtype tinygrad_loss.float32")
    assert error(lambda: F.cross_entropy(LABELS, LOGITS), RuntimeError).endswith("The first argument has integers: are input and target swapped?")
    _, said = advice(lambda: F.binary_cross_entropy(t([1.0, 0.0] * 11), t([0.3, 0.4] * 11)))  # a signature no other test has
    assert said == "binary_cross_entropy: input holds only 0 and 1 and target does not: are input and target swapped?"
    assert error(lambda: nn.MSELoss(LOGITS, LOGITS), TypeError) == (
        "MSELoss: argument 'size_average' got a Tensor; the constructor takes options, the tensors go to the module: MSELoss()(input, target)"
    )
    assert "(3,)" in error(lambda: F.binary_cross_entropy_with_logits(tl.zeros(2, 3, 4, 3), tl.ones(2, 3, 4, 3), pos_weight=tl.ones(3)), ValueError)
