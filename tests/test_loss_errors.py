"""What users get wrong: the type and text of every message, which names the argument, what came and the fix."""

from __future__ import annotations

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.nn import functional as F

t = tl.tensor
X, Y = t([[2.0, 0.5, -1.0], [-0.5, 1.5, 0.0]]), t([0, 2])
BIG = tl.zeros(2, 5, 3)
CE, NLL, MSE, BCE, BCEL, KL = F.cross_entropy, F.nll_loss, F.mse_loss, F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.kl_div

# (what is wrong, the call, the exception, words that its message has to have)
MISTAKES: list[tuple[str, Any, type[Exception], list[str]]] = [
    ("float labels", lambda: CE(X, t([0.0, 2.0])), RuntimeError, ["cross_entropy: target", "float32", "(2,)", "integer dtype", ".long()", "probabilities", "(2, 3)"]),
    ("bool labels", lambda: CE(X, t([True, False])), RuntimeError, ["cross_entropy: target", "bool", "integer"]),
    ("float labels in nll", lambda: NLL(F.log_softmax(X, 1), t([0.0, 2.0])), RuntimeError, ["nll_loss: target", "float32", ".long()"]),
    ("one-hot integers", lambda: CE(X, t([[1, 0, 0], [0, 0, 1]])), RuntimeError, ["cross_entropy: target", "(2, 3)", "one-hot", "argmax(1)", "float()"]),
    ("column against vector", lambda: MSE(tl.zeros(4, 1), tl.zeros(4)), ValueError, ["mse_loss: target", "(4,)", "(4, 1)", "(4, 4)", "input.squeeze(-1)", "target.unsqueeze(-1)"]),
    ("vector against column", lambda: F.l1_loss(tl.zeros(4), tl.zeros(4, 1)), ValueError, ["l1_loss: target", "(4, 1)", "(4,)", "squeeze"]),
    ("broadcast in huber", lambda: F.huber_loss(tl.zeros(2, 3), tl.zeros(3)), ValueError, ["huber_loss: target", "(3,)", "(2, 3)", "broadcast"]),
    ("broadcast in smooth_l1", lambda: F.smooth_l1_loss(tl.zeros(2, 3), tl.zeros(1, 3)), ValueError, ["smooth_l1_loss: target", "(1, 3)", "(2, 3)"]),
    ("broadcast in kl_div", lambda: KL(F.log_softmax(X, 1), tl.ones(3) / 3), ValueError, ["kl_div: target", "(3,)", "(2, 3)"]),
    ("column in bce with logits", lambda: BCEL(tl.zeros(4, 1), tl.zeros(4)), ValueError, ["binary_cross_entropy_with_logits: target", "(4,)", "(4, 1)", "squeeze"]),
    ("logits into bce", lambda: BCE(t([2.0, -1.0]), t([1.0, 0.0])), RuntimeError, ["binary_cross_entropy: input[0] is 2", "[-1, 2]", "logits? use binary_cross_entropy_with_logits"]),
    ("nan into bce", lambda: BCE(t([0.5, float("nan")]), t([1.0, 0.0])), RuntimeError, ["binary_cross_entropy: input[1] is nan", "detect_anomaly"]),
    ("a target of 2", lambda: BCEL(t([0.5]), t([2.0])), RuntimeError, ["binary_cross_entropy_with_logits: target[0] is 2", "0 and 1"]),
    ("probabilities into nll", lambda: NLL(t([[0.9, 0.1]]), t([0])), ValueError, ["nll_loss: input[0, 0] is 0.9", "log_softmax", ".log()"]),
    ("probabilities into kl_div", lambda: KL(t([[0.9, 0.1]]), t([[0.5, 0.5]]), reduction="sum"), ValueError, ["kl_div: input[0, 0] is 0.9", "log_softmax"]),
    ("log-probabilities as kl_div target", lambda: KL(t([[-0.7, -0.7]]), t([[-0.7, -0.7]]), reduction="sum"), ValueError, ["kl_div: target[0, 0] is negative", "log_target=True"]),
    ("probabilities as log target", lambda: KL(t([[-0.7, -0.7]]), t([[0.5, 0.5]]), reduction="sum", log_target=True), ValueError, ["kl_div: target[0, 0] is 0.5"]),
    ("label too large", lambda: CE(X, t([0, 3])), IndexError, ["cross_entropy: target[1] = 3", "C=3", "0..2", "ignore_index=-100", "subtract 1"]),
    ("label -1", lambda: CE(X, t([0, -1])), IndexError, ["cross_entropy: target[1] = -1", "C=3", "0..2"]),
    ("label -1 in nll", lambda: NLL(F.log_softmax(X, 1), t([-1, 0])), IndexError, ["nll_loss: target[0] = -1"]),
    ("label in an image", lambda: CE(tl.zeros(1, 3, 2, 2), t([[[0, 1], [2, 9]]])), IndexError, ["cross_entropy: target[0, 1, 1] = 9"]),
    ("column of labels", lambda: CE(X, t([[0], [2]])), ValueError, ["cross_entropy: target", "(2, 1)", "(2,)", "target.squeeze(1)"]),
    ("too few labels", lambda: CE(X, t([0])), ValueError, ["cross_entropy: target", "(1,)", "(2,)"]),
    ("no batch", lambda: CE(X[0], t([0, 1])), ValueError, ["cross_entropy: target", "(2,)", "()"]),
    ("classes last", lambda: CE(BIG, tl.zeros(2, 5).long()), ValueError, ["cross_entropy: target", "(2, 5)", "axis 1", "input.swapaxes(1, -1)"]),
    ("negative probabilities", lambda: CE(X, t([[1.5, -0.5, 0.0], [1.0, 0.0, 0.0]])), ValueError, ["cross_entropy: target[0, 1] is negative", "softmax"]),
    ("ignored probabilities", lambda: CE(X, F.softmax(X, 1), ignore_index=1), RuntimeError, ["cross_entropy: ignore_index=1", "probabilities"]),
    ("a weight too short", lambda: CE(X, Y, weight=tl.ones(2)), ValueError, ["cross_entropy: weight", "(2,)", "(3,)"]),
    ("a negative weight", lambda: CE(X, Y, weight=t([1.0, -1.0, 1.0])), ValueError, ["cross_entropy: weight[1]", "negative", ">= 0"]),
    ("an infinite weight", lambda: MSE(X, X, weight=X * float("inf")), ValueError, ["mse_loss: weight", "not finite"]),
    ("a weight of another shape", lambda: MSE(X, X, weight=tl.ones(3)), ValueError, ["mse_loss: weight", "(3,)", "(2, 3)"]),
    ("a negative pos_weight", lambda: BCEL(X, tl.ones(2, 3), pos_weight=t([-1.0])), ValueError, ["binary_cross_entropy_with_logits: pos_weight[0]", "negative"]),
    ("pos_weight of an image", lambda: BCEL(tl.zeros(2, 3, 4, 3), tl.ones(2, 3, 4, 3), pos_weight=tl.ones(3)), ValueError, ["pos_weight", "(3,)", "last axis", "(3, 1, 1)"]),
    ("pos_weight that fits nothing", lambda: BCEL(X, tl.ones(2, 3), pos_weight=tl.ones(2)), ValueError, ["pos_weight", "(2,)", "(2, 3)"]),
    ("label_smoothing below 0", lambda: CE(X, Y, label_smoothing=-0.1), ValueError, ["cross_entropy: label_smoothing=-0.1", "[0, 1]"]),
    ("label_smoothing above 1", lambda: CE(X, Y, label_smoothing=1.1), ValueError, ["cross_entropy: label_smoothing=1.1", "[0, 1]"]),
    ("delta 0", lambda: F.huber_loss(X, X, delta=0.0), ValueError, ["huber_loss: delta=0.0", "> 0"]),
    ("delta nan", lambda: F.huber_loss(X, X, delta=float("nan")), ValueError, ["huber_loss: delta=nan"]),
    ("beta below 0", lambda: F.smooth_l1_loss(X, X, beta=-1.0), ValueError, ["smooth_l1_loss: beta=-1.0", ">= 0"]),
    ("beta as text", lambda: F.smooth_l1_loss(X, X, beta="1"), TypeError, ["smooth_l1_loss: beta", "number", "str"]),
    ("ignore_index 1.5", lambda: CE(X, Y, ignore_index=1.5), TypeError, ["cross_entropy: ignore_index", "int"]),
    ("unknown reduction", lambda: MSE(X, X, reduction="avg"), ValueError, ["mse_loss: reduction='avg'", "'mean'", "'sum'", "'none'"]),
    ("batchmean elsewhere", lambda: MSE(X, X, reduction="batchmean"), ValueError, ["mse_loss: reduction='batchmean'"]),
    ("reduction at construction", lambda: nn.MSELoss(reduction="avg"), ValueError, ["MSELoss: reduction='avg'"]),
    ("reduction by position", lambda: nn.MSELoss("sum"), TypeError, ["MSELoss: size_average='sum'", "reduction='sum'"]),
    ("reduction by position, in F", lambda: MSE(X, X, "sum"), TypeError, ["mse_loss: size_average='sum'", "reduction='sum'"]),
    ("tensors to the constructor", lambda: nn.MSELoss(X, X), TypeError, ["MSELoss", "size_average", "Tensor", "MSELoss()(input, target)"]),
    ("three tensors to the constructor", lambda: nn.MSELoss(X, X, X, X), TypeError, ["MSELoss", "criterion(input, target)"]),
    ("an option to the call", lambda: nn.CrossEntropyLoss()(X, Y, reduction="sum"), TypeError, ["CrossEntropyLoss", "reduction"]),
    ("unknown option", lambda: CE(X, Y, smoothing=0.1), TypeError, ["cross_entropy: unknown argument 'smoothing'", "label_smoothing"]),
    ("no target", lambda: CE(X), TypeError, ["cross_entropy: missing argument 'target'"]),
    ("an array", lambda: MSE(np.zeros(3), X), TypeError, ["mse_loss: input must be a Tensor", "ndarray", "tensor("]),
    ("a number", lambda: MSE(X, 1.0), TypeError, ["mse_loss: target must be a Tensor", "float"]),
    ("a list", lambda: CE(X, [0, 2]), TypeError, ["cross_entropy: target must be a Tensor", "list"]),
    ("None", lambda: CE(X, None), TypeError, ["cross_entropy: target must be a Tensor", "NoneType"]),
    ("backward of none", lambda: MSE(X.clone().requires_grad_(), X, reduction="none").backward(), RuntimeError, ["scalar", "(2, 3)", "mean", "gradient="]),
    ("swapped", lambda: CE(Y, X), (ValueError, RuntimeError), ["cross_entropy: target", "are input and target swapped?"]),  # type: ignore[list-item]
    ("integers alone", lambda: CE(t([[1, 2]]), t([5])), IndexError, ["cross_entropy: target[0] = 5"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistake(call: Any, kind: Any, words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    assert "\n" not in message and len(message) < 420


def test_a_graph_that_is_cut_is_named() -> None:
    w = tl.ones(3, requires_grad=True)
    guess = (X * w).argmax(1).float()
    with pytest.raises(RuntimeError, match=r"does not require grad.*'argmax'.*test_loss_errors\.py:\d+"):
        MSE(guess, t([0.0, 1.0])).backward()


def test_every_integer_type_is_a_label() -> None:
    for kind in (tl.int64, tl.int32, tl.int16, tl.int8, tl.uint8):
        assert CE(X, Y.to(kind)).item() == CE(X, Y).item()


def test_integers_follow_the_floats() -> None:
    assert MSE(t([1, 2]), t([0.0, 0.0])).item() == 2.5 and MSE(t([1.0, 2.0]), t([0, 0])).dtype == tl.float32
    assert BCEL(t([0.0]), t([1])).item() == pytest.approx(np.log(2)) and BCEL(t([0.0]), t([True])).item() == pytest.approx(np.log(2))
    assert MSE(t([1.0]).double(), t([0.0])).dtype == tl.float64


def test_nothing_is_computed_before_a_refusal() -> None:
    x = X.clone().requires_grad_()
    with pytest.raises(IndexError):
        CE(x, t([0, 3])).backward()
    assert x.grad is None


ADVICE: list[tuple[str, Any, str]] = [
    ("kl_div mean", lambda: KL(F.log_softmax(X, 1), F.softmax(X, 1)), r"kl_div: reduction='mean' divides by all N\*C=6 elements.*'batchmean', 3 x"),
    ("unnormalised rows", lambda: NLL(t([[-0.2, -1.5, -0.5]]), t([0])), r"nll_loss: input: expected log-probabilities.*log_softmax\(logits, dim=1\)"),
    ("all ignored", lambda: CE(X, t([-100, -100])), r"cross_entropy: every target is ignore_index=-100"),
    ("no dim", lambda: F.softmax(X), r"softmax: dim is not given"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), [a[1:] for a in ADVICE], ids=[a[0] for a in ADVICE])
def test_advice(call: Any, text: str) -> None:
    with pytest.warns(tl.LossWarning, match=text) as caught:
        call()
    assert len(caught) == 1 and caught[0].filename == __file__, "the warning points at the caller's line"


def test_advice_comes_once_per_call_site() -> None:
    """Under Python's default filters."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(5):
            KL(F.log_softmax(X, 1), F.softmax(X, 1))
        KL(F.log_softmax(X, 1), F.softmax(X, 1))
    assert len([w for w in caught if w.category is tl.LossWarning]) == 2


def test_gradients_added_to_used_ones_are_noticed() -> None:
    """A forgotten zero_grad."""
    w = tl.ones(3, requires_grad=True)
    optimizer = tl.optim.SGD([w], lr=0.1)
    (w * w).sum().backward()
    optimizer.step()
    (w * w).sum().backward()
    with pytest.warns(tl.LossWarning, match="zero_grad"):
        optimizer.step()


def test_correct_calls_are_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CE(X, Y, weight=tl.ones(3), label_smoothing=0.1)
        NLL(F.log_softmax(X, 1), Y)
        KL(F.log_softmax(X, 1), F.softmax(X, 1), reduction="batchmean")
        BCE(t([0.0, 1.0]), t([1.0, 0.0]))


def test_warnings_and_seterr_as_errors_do_not_break_a_loss() -> None:
    """A whole interpreter that is strict."""
    code = (
        "import numpy as np; np.seterr(all='raise'); import tinygrad_loss as tl; from tinygrad_loss.nn import functional as F\n"
        "x = tl.tensor([[1e30, -1e30, 0.0]], requires_grad=True)\n"
        "for loss in (F.cross_entropy(x, tl.tensor([1])), F.mse_loss(x, x * 0), F.binary_cross_entropy_with_logits(x, x * 0)):\n"
        "    loss.backward()\n"
        "print(bool(np.isfinite(x.grad.numpy()).all()))"
    )
    done = subprocess.run([sys.executable, "-O", "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_value_checks_can_be_switched_off() -> None:
    """What looks at values is skipped, advice too; shapes, dtypes and options are checked still."""
    bad = t([1.5]), t([1.0])
    with tl.losses.set_value_checks(False), warnings.catch_warnings():
        warnings.simplefilter("error")
        BCE(*bad)
        CE(F.softmax(X, 1), Y)
        NLL(X, Y)
        KL(X, X, reduction="sum")
        for call, kind in (
            (lambda: BCE(t([1.5, 1.0]), t([[1.0]])), ValueError), (lambda: CE(X, t([0.0, 2.0])), RuntimeError),
            (lambda: CE(X, Y, label_smoothing=2.0), ValueError), (lambda: MSE(X, X, mask=X), TypeError),
            (lambda: MSE(X, X, sample_weight=t([-1.0, 1.0])), ValueError), (lambda: MSE(X, X, reduction="avg"), ValueError),
        ):  # fmt: skip
            with pytest.raises(kind):
                call()
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        BCE(*bad)


def test_the_switch_is_one_thread_s_and_is_put_back() -> None:
    def refused() -> bool:
        try:
            BCE(t([1.5]), t([1.0]))
        except RuntimeError:
            return True
        return False

    with pytest.raises(ZeroDivisionError), tl.losses.set_value_checks(False):
        assert not refused()
        with tl.losses.set_value_checks(True):
            assert refused()
        assert not refused()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(refused).result(), "another thread is not affected"
        raise ZeroDivisionError
    assert refused()
    tl.losses.set_value_checks(False)  # as a statement, until it is switched on
    try:
        assert not refused()
    finally:
        tl.losses.set_value_checks(True)
    assert refused()
