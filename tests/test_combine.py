"""Sums of losses, and one loss for each task: values, gradients, parameters, state, what is printed, errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn, optim
from tinygrad_loss.losses import PerElement, Real, loss
from tinygrad_loss.tape import Tensor

F = nn.functional
t = tl.tensor
A, B, C = nn.MSELoss(), nn.L1Loss(), nn.HuberLoss(delta=2.0)
PAIR = t([[1.0, 4.0], [-2.0, 0.5]]), t([[0.0, 2.0], [1.0, 1.0]])


def value(criterion: Any, *args: Any, **kwargs: Any) -> tuple[float, Any]:
    """The loss of PAIR, and its gradient."""
    x = PAIR[0].clone().requires_grad_()
    y = criterion(x, PAIR[1], *args, **kwargs)
    y.backward()
    return y.item(), x.grad.array


a, b, c = (value(m)[0] for m in (A, B, C))
SUMS: list[tuple[Any, float, str]] = [
    (0.7 * A + 0.3 * B, 0.7 * a + 0.3 * b, "0.7 * MSELoss() + 0.3 * L1Loss()"),
    (A * 0.7 + B * 0.3, 0.7 * a + 0.3 * b, "0.7 * MSELoss() + 0.3 * L1Loss()"),
    (A + B, a + b, "MSELoss() + L1Loss()"), (A - B, a - b, "MSELoss() - L1Loss()"), (-A, -a, "-1 * MSELoss()"),
    (A - 2 * B, a - 2 * b, "MSELoss() - 2 * L1Loss()"), (A / 4, a / 4, "0.25 * MSELoss()"), (1 * A, a, "MSELoss()"),
    (0.5 * (A + 2 * B) - C / 2, 0.5 * a + b - c / 2, "0.5 * MSELoss() + L1Loss() - 0.5 * HuberLoss(delta=2.0)"),
    (2 * (3 * (A - B)), 6 * a - 6 * b, "6 * MSELoss() - 6 * L1Loss()"), (A + (B + (C + A)), 2 * a + b + c, "MSELoss() + L1Loss() + HuberLoss(delta=2.0) + MSELoss()"),
    (A - (B - C), a - b + c, "MSELoss() - L1Loss() + HuberLoss(delta=2.0)"), (-(A - B), b - a, "-1 * MSELoss() + L1Loss()"),
    (sum([A, B, C]), a + b + c, "MSELoss() + L1Loss() + HuberLoss(delta=2.0)"),
    (0.7 * F.mse_loss + 0.3 * F.l1_loss, 0.7 * a + 0.3 * b, "0.7 * mse_loss + 0.3 * l1_loss"),
    (F.mse_loss + B, a + b, "mse_loss + L1Loss()"), (A + (lambda x, y: (x - y).abs().max()), a + 3.0, "MSELoss() + <lambda>"),
    (np.float64(0.7) * A, 0.7 * a, "0.7 * MSELoss()"), (A * np.float32(0.5), a / 2, "0.5 * MSELoss()"), (np.array(2.0) * A, 2 * a, "2 * MSELoss()"),
    (np.int64(3) * A, 3 * a, "3 * MSELoss()"), (A * t(0.5), a / 2, "0.5 * MSELoss()"), (-0.5 * A, -a / 2, "-0.5 * MSELoss()"),
    (0 * A + B, b, "0 * MSELoss() + L1Loss()"),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "expected", "text"), SUMS, ids=[s[2] for s in SUMS])
def test_sum(criterion: Any, expected: float, text: str) -> None:
    assert value(criterion)[0] == pytest.approx(expected, rel=1e-6)
    assert repr(criterion) == text
    assert repr(A) == "MSELoss()", "the parts stay as they are"


def test_gradients_and_higher_derivatives() -> None:
    smooth = nn.LogCoshLoss()
    both = 0.7 * A + 0.3 * smooth
    np.testing.assert_allclose(value(both)[1], 0.7 * value(A)[1] + 0.3 * value(smooth)[1], rtol=1e-6)
    x, y = (v.double() for v in PAIR)
    assert tl.autograd.gradcheck(lambda v: both(v, y), (x.requires_grad_(),))
    assert tl.autograd.gradgradcheck(lambda v: both(v, y), (x,))


def test_a_learned_weight_is_a_parameter_and_gets_its_gradient_also_where_it_is_1() -> None:
    w = nn.Parameter(t(1.0))
    criterion = A * w + 2 * B
    assert [n for n, _ in criterion.named_parameters()] == ["weight0"] and criterion.weights[0].item() == 1.0
    for _ in range(2):  # nothing is computed once and for all
        w.grad = None
        criterion(*PAIR).backward()
        assert w.grad.item() == pytest.approx(a)
    nested = 0.5 * (0.5 * criterion)  # the weight stays a leaf
    for _ in range(2):
        w.grad = None
        nested(*PAIR).backward()
        assert w.grad.item() == pytest.approx(a / 4)
    assert len(list((criterion + criterion).parameters())) == 1, "a shared one once"
    assert repr(criterion) == "1 * MSELoss() + 2 * L1Loss()" and repr(nested) == "0.25 * 1 * MSELoss() + 0.5 * L1Loss()"
    optim.SGD(criterion.parameters(), lr=0.1).step()
    assert criterion(*PAIR).item() == pytest.approx(w.item() * a + 2 * b)
    copied = copy.deepcopy(criterion)
    w.data.fill_(0.0)
    assert copied(*PAIR).item() != criterion(*PAIR).item() == pytest.approx(2 * b)
    assert next(criterion.double().parameters()).dtype == tl.float64 and criterion(*PAIR).item() == pytest.approx(2 * b)


class Learned(nn.Module):
    """A loss of one's own, with a parameter and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(t(2.0))
        self.register_buffer("shift", t(0.5))

    def forward(self, input: Any, target: Any) -> Any:
        return ((input - target) * self.scale + self.shift).abs().mean()


def test_modules_are_registered() -> None:
    learned = Learned()
    criterion = 0.5 * A + 2 * nn.CrossEntropyLoss(weight=t([1.0, 2.0])) + nn.HuberLoss() * 0.1
    assert list(criterion.state_dict()) == ["1.weight"] and len(list(criterion.children())) == 3
    assert not criterion.eval().training and not any(m.training for m in criterion.children())
    own = A + B + nn.functional.mse_loss
    assert [n for n, _ in own.named_children()] == ["0", "1"]
    mixed = 3 * nn.MSELoss() + learned
    assert [n for n, _ in mixed.named_parameters()] == ["1.scale"] and list(mixed.state_dict()) == ["1.scale", "1.shift"]
    mixed(*PAIR).backward()
    assert learned.scale.grad is not None
    state = mixed.state_dict()
    learned.scale.data.fill_(7.0)
    mixed.load_state_dict(state)
    assert learned.scale.item() == 2.0
    model = nn.Linear(2, 2)
    together = optim.SGD([*model.parameters(), *mixed.parameters()], lr=0.1)
    assert sum(len(g["params"]) for g in together.param_groups) == 3


def test_arguments_go_to_all_parts() -> None:
    both = 0.7 * A + 0.3 * B
    weight, mask = t([[1.0, 2.0], [3.0, 4.0]]), t([[True, False], [True, True]])
    for more in ({"sample_weight": weight}, {"mask": mask}, {"sample_weight": weight, "mask": mask}):
        expected = 0.7 * A(*PAIR, **more).item() + 0.3 * B(*PAIR, **more).item()
        assert both(*PAIR, **more).item() == pytest.approx(expected)
    functions = F.mse_loss + F.l1_loss
    np.testing.assert_allclose(functions(*PAIR, reduction="none").array, (F.mse_loss(*PAIR, reduction="none") + F.l1_loss(*PAIR, reduction="none")).array)
    assert (nn.MSELoss(reduction="none") + nn.L1Loss(reduction="none"))(*PAIR).shape == (2, 2)


def test_a_declared_loss_is_summed_like_the_others() -> None:
    @loss
    def quartic_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:  # noqa: UP037
        return (input - target) ** 4

    try:
        criterion = quartic_loss.Module() * 0.1 + quartic_loss
        assert criterion(*PAIR).item() == pytest.approx(1.1 * float(np.mean((PAIR[0] - PAIR[1]).array ** 4)))
        assert repr(criterion) == "0.1 * QuarticLoss() + quartic_loss"
    finally:
        del tl.losses.LOSSES["quartic_loss"]


TASKS = {"kind": nn.CrossEntropyLoss(), "size": nn.L1Loss(), "near": nn.TripletMarginLoss()}
POINTS = (t([[0.0, 0.0]]), t([[3.0, 4.0]]), t([[0.0, 4.5]]))
OUTPUTS = {"kind": tl.zeros(1, 2), "size": t([3.0]), "near": POINTS}
TARGETS = {"kind": t([0]), "size": t([1.0]), "near": ()}


def test_multi_task() -> None:
    criterion = nn.MultiTaskLoss(TASKS, weights={"size": 0.5, "near": 2.0})
    assert criterion(OUTPUTS, TARGETS).item() == pytest.approx(math.log(2) + 0.5 * 2 + 2 * 1.5)
    assert {n: round(v.item(), 4) for n, v in criterion.parts.items()} == {"kind": 0.6931, "size": 2.0, "near": 1.5}
    assert not any(v.requires_grad for v in criterion.parts.values())
    assert criterion.weights == {"kind": 1.0, "size": 0.5, "near": 2.0}
    assert repr(criterion) == (
        "MultiTaskLoss(\n  size: 0.5, near: 2\n  (kind): CrossEntropyLoss()\n  (size): L1Loss()\n  (near): TripletMarginLoss()\n)"
    )
    assert nn.MultiTaskLoss({"a": F.mse_loss})({"a": PAIR[0]}, {"a": PAIR[1]}).item() == pytest.approx(a), "functions too"
    lengths = {"ctc": (F.log_softmax(tl.zeros(3, 1, 3), 2),)}, {"ctc": (t([[2, 1]]), (3,), (2,))}
    assert math.isfinite(nn.MultiTaskLoss({"ctc": nn.CTCLoss()})(*lengths).item()), "several targets"
    ordered = criterion(dict(reversed(OUTPUTS.items())), dict(reversed(TARGETS.items())))
    assert ordered.item() == pytest.approx(criterion(OUTPUTS, TARGETS).item()), "by name, not by order"


def test_multi_task_gradients() -> None:
    x = PAIR[0].clone().requires_grad_()
    nn.MultiTaskLoss({"a": A, "b": B}, {"b": 3.0})({"a": x, "b": x}, {"a": PAIR[1], "b": PAIR[1]}).backward()
    np.testing.assert_allclose(x.grad.array, value(A)[1] + 3 * value(B)[1], rtol=1e-6)


def test_multi_task_with_learned_weights() -> None:
    w = nn.Parameter(t(1.0))
    criterion = nn.MultiTaskLoss({"a": A, "b": Learned()}, {"a": w})
    assert [n for n, _ in criterion.named_parameters()] == ["weight_a", "b.scale"]
    for _ in range(2):
        w.grad = None
        criterion({"a": PAIR[0], "b": PAIR[0]}, {"a": PAIR[1], "b": PAIR[1]}).backward()
        assert w.grad.item() == pytest.approx(a)


def test_uncertainty_weights_find_their_minimum() -> None:
    """The minimum of exp(-s) L + s is at s = log L."""
    criterion = nn.UncertaintyWeightedLoss({"a": A, "b": B})
    given = {"a": PAIR[0], "b": PAIR[0]}, {"a": PAIR[1], "b": PAIR[1]}
    assert criterion(*given).item() == pytest.approx(a + b) and repr(criterion).startswith("UncertaintyWeightedLoss(\n  (a): MSELoss()")
    optimizer = optim.SGD(criterion.parameters(), lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        criterion(*given).backward()
        optimizer.step()
    np.testing.assert_allclose(criterion.log_variance.detach().array, np.log([a, b]), atol=1e-4)
    assert criterion(*given).item() == pytest.approx(2 + math.log(a) + math.log(b), abs=1e-5)
    assert list(criterion.state_dict()) == ["log_variance"]
    x = t([2.0], dtype=tl.float64, requires_grad=True)
    assert criterion({"a": x, "b": x}, {"a": x.detach() * 0, "b": x.detach() * 0}).dtype == tl.float64


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: A * "2", TypeError, "a loss is multiplied by a number or a 0-d Tensor, got str"),
    (lambda: A * True, TypeError, "a number or a 0-d Tensor, got bool"), (lambda: A * None, TypeError, "got NoneType"),
    (lambda: A * B, TypeError, "got L1Loss"), (lambda: A * t([1.0, 2.0]), TypeError, r"got Tensor of shape \(2,\)"),
    (lambda: np.array([1.0, 2.0]) * A, TypeError, r"got ndarray of shape \(2,\)"),
    (lambda: math.nan * A, ValueError, "a loss is multiplied by nan; expected a finite number"),
    (lambda: A * math.inf, ValueError, "multiplied by inf"), (lambda: A / 0, ValueError, "a loss is divided by 0; expected a number other than 0"),
    (lambda: A / t(2.0), ValueError, "a loss is divided by"), (lambda: A / "2", TypeError, "got str"),
    (lambda: A + 1.0, TypeError, "to a loss only a loss can be added, got float; add numbers to its result"),
    (lambda: A + t(1.0), TypeError, "only a loss can be added, got Tensor"), (lambda: A - 1, TypeError, "got int"),
    (lambda: 1 + A, TypeError, "unsupported operand"), (lambda: A + nn.L1Loss, TypeError, r"part 1 is the class L1Loss; make a loss of it, L1Loss\(\)"),
    (lambda: nn.WeightedSum([]), ValueError, "WeightedSum: no terms"), (lambda: nn.WeightedSum([(3, 1.0)]), TypeError, "part 0 is 3; expected a loss"),
    (lambda: nn.WeightedSum([(A, "x")]), TypeError, "got str"),
    (lambda: (A + B)(*PAIR, reduction="sum"), TypeError, "reduction go to the constructor"),
    (lambda: (F.mse_loss + F.l1_loss)(PAIR[0], PAIR[1][0]), ValueError, "mse_loss: target has shape"),
    (lambda: nn.MultiTaskLoss({}), ValueError, "MultiTaskLoss: no task"),
    (lambda: nn.MultiTaskLoss([A]), TypeError, "MultiTaskLoss: losses is a list; expected a mapping"),
    (lambda: nn.MultiTaskLoss({"a": A}, [1.0]), TypeError, "MultiTaskLoss: weights is a list"),
    (lambda: nn.MultiTaskLoss({"a": A}, {"b": 1.0}), ValueError, r"weights name \['b'\]; expected some of the tasks \['a'\]"),
    (lambda: nn.MultiTaskLoss({"a": 3}), TypeError, "the loss of task 'a' is 3; expected a loss"),
    (lambda: nn.MultiTaskLoss({"a": nn.MSELoss}), TypeError, "the loss of task 'a' is the class MSELoss"),
    (lambda: nn.MultiTaskLoss({"a": A}, {"a": math.nan}), ValueError, "multiplied by nan"),
    (lambda: nn.MultiTaskLoss({"a.b": A}), KeyError, "must not be empty or contain a dot"),
    (lambda: nn.MultiTaskLoss({"forward": A}), KeyError, "attribute 'forward' exists already"),
    (lambda: nn.MultiTaskLoss({"a": A})({}, {"a": PAIR[1]}), KeyError, r"outputs has no 'a'; expected \['a'\]"),
    (lambda: nn.MultiTaskLoss({"a": A})({"a": PAIR[0]}, {}), KeyError, "targets has no 'a'"),
    (lambda: nn.MultiTaskLoss({"a": A})({"a": PAIR[0], "b": 1}, {"a": PAIR[1]}), KeyError, "outputs has an unknown task 'b'"),
    (lambda: nn.MultiTaskLoss({"a": A})(PAIR[0], {"a": PAIR[1]}), TypeError, "MultiTaskLoss: outputs is a Tensor; expected a mapping"),
    (lambda: nn.UncertaintyWeightedLoss({})({}, {}), ValueError, "UncertaintyWeightedLoss: no task"),
    (lambda: nn.UncertaintyWeightedLoss({"a": A})({}, {}), KeyError, "UncertaintyWeightedLoss: outputs has no 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[e[2] for e in ERRORS])
def test_error(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        call()
    assert caught.type is kind


def test_a_failed_call_leaves_the_parts_of_the_last() -> None:
    criterion = nn.MultiTaskLoss({"a": A})
    criterion({"a": PAIR[0]}, {"a": PAIR[1]})
    with pytest.raises(ValueError, match="mse_loss"):
        criterion({"a": PAIR[0]}, {"a": PAIR[1][0]})
    assert criterion.parts["a"].item() == pytest.approx(a)
