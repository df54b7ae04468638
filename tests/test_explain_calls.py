"""What can be explained, what stays as it is, and the advice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.explanation import explain
from tinygrad_loss.losses import LOSSES, PerElement, Real, loss, set_value_checks
from tinygrad_loss.tape import Tensor

from .test_explain import Y, Z, html_text, result_of

F = nn.functional
t = tl.tensor


# Nothing is changed.


def test_no_gradient_is_touched_and_no_graph_freed() -> None:
    model = nn.Linear(3, 3)
    z, factor = model(Z), nn.Parameter(t(2.0))
    criterion = nn.CrossEntropyLoss() * factor
    before = Z.array.copy(), Y.array.copy()
    marker = model.weight.grad = tl.ones(3, 3)
    for _ in range(2):
        found = explain(criterion, z, Y)
    assert model.weight.grad is marker and model.bias.grad is None and factor.grad is None and Z.grad is None
    assert (marker.array == 1).all() and z.requires_grad and z.grad_fn is not None
    np.testing.assert_array_equal(before[0], Z.array)
    np.testing.assert_array_equal(before[1], Y.array)
    criterion(z, Y).backward()  # the graph before it is whole
    assert factor.grad is not None and (model.weight.grad.array != 1).any()
    assert found.value == pytest.approx(criterion(z, Y).item())
    assert [n for n, _ in explain(nn.MSELoss(), Z, Z * 2).gradients] == ["input"], "of constants, the first argument's"


def test_hooks_of_the_arguments_stay_silent() -> None:
    x = Z.clone().requires_grad_()
    called: list[Any] = []
    x.register_hook(called.append)
    explain(nn.CrossEntropyLoss(), x, Y)
    assert not called and x.grad is None


def test_it_is_called_once() -> None:
    calls = []

    def criterion(input: Any, target: Any) -> Any:
        calls.append(1)
        return F.mse_loss(input, target)

    explain(criterion, Z, Z)
    assert calls == [1]


def test_modes_are_left_alone() -> None:
    with tl.no_grad():
        found = explain(nn.MSELoss(), Z, Z * 2)
        assert not tl.is_grad_enabled() and found.gradients and found.parts
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = explain(nn.MSELoss(), t([3e38, 1.0]), t([-3e38, 1.0]))
        assert found.value == np.inf and "inf" in str(found) and found._repr_html_()


# What can be asked about.


def test_functions_modules_and_names() -> None:
    assert explain(F.mse_loss, Z, Z).title == "mse_loss" and explain(nn.MSELoss(reduction="sum"), Z, Z).title == "MSELoss(reduction='sum')"
    assert explain(F.mse_loss, target=Z, input=Z * 2).gradients[0][0] == "input"
    assert explain(lambda prediction, truth: F.mse_loss(prediction, truth), Z, Z).gradients[0][0] == "prediction"
    assert explain(lambda *a: F.mse_loss(*a), Z, Z).title == "criterion"
    x = [v.clone().requires_grad_() for v in (Z, Z * 2, Z + 1)]
    assert [n for n, _ in explain(F.triplet_margin_loss, *x).gradients] == ["anchor", "positive", "negative"]
    assert [n for n, _ in explain(F.gaussian_nll_loss, Z, Z * 2, Z.abs().requires_grad_()).gradients] == ["var"]


def test_literals() -> None:
    found = explain(F.gaussian_nll_loss, Z, Z * 2, 2.0)
    assert [n for n, *_ in found.parts[0].arguments] == ["input", "target", "var"] and "var: () float32, 2;" in str(found)
    log_probs = F.log_softmax(tl.zeros(3, 2, 3), 2)
    assert explain(nn.CTCLoss(), log_probs, t([2, 1, 1]), (3, 3), (2, 1)).parts[0].denominator == 2


def test_sums_of_losses() -> None:
    criterion = 0.7 * nn.CrossEntropyLoss() + 0.3 * nn.MultiMarginLoss()
    found = explain(criterion, Z, Y)
    assert [p.loss.name for p in found.parts] == ["cross_entropy", "multi_margin_loss"] and found.title == repr(criterion)
    assert found.value == pytest.approx(0.7 * result_of(found.parts[0]) + 0.3 * result_of(found.parts[1]))
    assert "2. multi_margin_loss: worst examples" in str(found) and len(found.gradients) == 1
    twice = str(explain(lambda x: F.mse_loss(x, Z) + F.mse_loss(2 * x, Z), Z))
    assert twice.count("The squared difference") == 1 and "2. mse_loss: reduction" in twice


def test_tasks() -> None:
    criterion = nn.MultiTaskLoss({"kind": nn.CrossEntropyLoss(), "size": nn.L1Loss()}, {"size": 0.5})
    found = explain(criterion, {"kind": Z, "size": (Z,)}, {"kind": Y, "size": Z * 2})
    assert [p.loss.name for p in found.parts] == ["cross_entropy", "l1_loss"]
    assert [n for n, _ in found.gradients] == ["outputs['kind']", "outputs['size'][0]"]
    learned = nn.UncertaintyWeightedLoss({"a": nn.MSELoss()})
    assert explain(learned, {"a": Z}, {"a": Z * 2}).parts and learned.log_variance.grad is None


def test_a_loss_inside_a_model() -> None:
    """Softmax before cross_entropy is seen wherever it happens."""
    head = nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=1))

    def criterion(x: Any, y: Any) -> Any:
        return F.cross_entropy(head(x), y) + 0.01 * (head[0].weight ** 2).sum()

    found = explain(criterion, Z, Y)
    assert len(found.parts) == 1 and "looks like probabilities" in found.advice[0] and head[0].weight.grad is None
    with pytest.warns(tl.LossWarning):
        assert found.value == pytest.approx(criterion(Z, Y).item())


def test_a_formula_that_uses_a_model() -> None:
    """It stands step by step on the caller's tape; alone, and as a part of a sum, it is taken apart all the same."""
    layer = nn.Linear(3, 2)
    criterion = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (layer(a) - layer(b)).norm(dim=1))
    points = Z, Z * 2, Z + 1
    for _ in range(2):
        for asking, more in ((criterion, {}), (criterion.loss, {"distance_function": criterion.distance_function})):
            found = explain(asking, *points, **more)
            (part,) = found.parts
            assert found.value == pytest.approx(criterion(*points).item()) == pytest.approx(result_of(part)) and part.denominator == 4
    found = explain(criterion + nn.TripletMarginLoss(), *points)
    assert sorted(p.loss.name for p in found.parts) == ["triplet_margin_loss", "triplet_margin_with_distance_loss"]
    assert found.value == pytest.approx(sum(p.value for p in found.parts)) and layer.weight.grad is None


def test_a_formula_with_a_parameter_of_its_own() -> None:
    scale = nn.Parameter(t(2.0))

    @loss
    def scaled(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:  # noqa: UP037
        return abs(input - target) * scale

    try:
        for criterion in (scaled, scaled.Module(), nn.L1Loss() + scaled):
            for _ in range(2):
                found = explain(criterion, Z, Z * 2, sample_weight=t([1.0, 2.0, 3.0, 4.0]), mask=t([True, True, True, False]))
                part = found.parts[-1]
                assert (part.loss, part.denominator, part.left_out) == (scaled, 18.0, 3) and scale.grad is None
                assert part.value == pytest.approx(result_of(part)) and found.value == pytest.approx(sum(p.value for p in found.parts))
    finally:
        del LOSSES["scaled"]


def test_a_formula_without_source() -> None:
    names: dict[str, Any] = {"loss": loss, "Real": Real, "Tensor": Tensor, "PerElement": PerElement}
    exec('@loss\ndef typed(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:\n    return abs(input - target)', names)
    try:
        found = explain(names["typed"], t([1.0]), t([3.0]))
        assert found.parts[0].formula == "# its source is not at hand: typed(input, target)" and "mean = 2 / 1 = 2" in str(found)
    finally:
        del LOSSES["typed"]


def test_large_calls_computed_by_blocks() -> None:
    x = tl.randn(30000, 4)
    y = tl.randint(0, 4, (30000,))
    weight = t([1.0, 2.0, 3.0, 4.0])
    found = explain(nn.CrossEntropyLoss(weight=weight), x, y)
    (part,) = found.parts
    assert part.denominator == float(weight.array[y.array].sum(dtype=np.float64)) and result_of(part) == pytest.approx(found.value, rel=1e-5)
    assert found.gradients[0][1].shape == (30000,) and part.worst()[0][1] == part.values.max()


def test_dtypes_and_no_examples() -> None:
    half = explain(nn.MSELoss(), Z.half(), Z.half() * 2)
    assert half.parts[0].value == pytest.approx(result_of(half.parts[0]), rel=1e-3) and "float16" in str(half)
    empty = explain(nn.MSELoss(), tl.zeros(0, 3), tl.zeros(0, 3))
    assert np.isnan(empty.value) and empty.parts[0].denominator == 0 and empty.advice == ["the loss is nan: a mean of nothing"]
    assert "mean = 0 / 0 = nan (the mean of nothing)" in str(empty) and "input: no examples" in str(empty)
    single = str(explain(nn.L1Loss(), t(1.0), t(3.0)))
    assert "worst" not in single and "2: the one value" in single and "input: 1" in single
    none = explain(nn.L1Loss(reduction="none"), Z, Z * 2)
    assert none.value.shape == (4, 3) and str(none).startswith("L1Loss(reduction='none') = 12 values") and "none: 12 values" in str(none)


# Advice.


def advice(criterion: Any, *args: Any, **kwargs: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return "\n".join(explain(criterion, *args, **kwargs).advice)


def many_times(criterion: Callable[..., Any], *args: Any) -> None:
    with warnings.catch_warnings(action="ignore"):
        for _ in range(9):
            criterion(*args)


PROBABILITIES = t([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [1.0, 0.0, 0.0]])
ADVICE: list[tuple[Any, tuple[Any, ...], str]] = [
    (nn.CrossEntropyLoss(), (PROBABILITIES, Y), "cross_entropy: input looks like probabilities"),
    (nn.FocalLoss(), (PROBABILITIES, Y), "focal_loss: input looks like probabilities"),
    (nn.BCEWithLogitsLoss(), (tl.sigmoid(Z.clone().requires_grad_()), (Z > 0).float()), "is the result of sigmoid"),
    (nn.NLLLoss(), (-Z.abs(), Y), "expected log-probabilities, whose exponentials sum to 1"),
    (nn.KLDivLoss(), (PROBABILITIES[:3].log(), PROBABILITIES[1:]), "the divergence per example is reduction='batchmean', 3 x this"),
    (nn.CrossEntropyLoss(), (Z, PROBABILITIES * 2), "class probabilities sum to 2"),
    (nn.BCELoss(), ((Z > 0).float(), PROBABILITIES), "are input and target swapped"),
    (nn.SupConLoss(), (Z, t([0, 1, 2, 3])), "no two of the 4 labels are equal"),
    (nn.DiceLoss(), (tl.softmax(Z.clone().requires_grad_(), 1), Y), "is the result of softmax"),
    (nn.CrossEntropyLoss(ignore_index=5), (Z, t([5, 5, 5, 5])), "every target is ignore_index=5"),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "args", "text"), ADVICE, ids=[a[2] for a in ADVICE])
def test_advice(criterion: Any, args: tuple[Any, ...], text: str) -> None:
    assert advice(criterion, *args).count(text) == 1
    many_times(criterion, *args)  # in a loop a loss looks closely only now and then; asked, it always does
    assert advice(criterion, *args).count(text) == 1
    set_value_checks(False)
    try:
        assert text in advice(criterion, *args)
    finally:
        set_value_checks(True)
    assert text in " ".join(html_text(explain(criterion, *args)).replace("\n", " ").split())


def test_advice_about_the_numbers() -> None:
    assert advice(nn.CrossEntropyLoss(), Z, Y) == "" and "nothing noticed" in str(explain(nn.CrossEntropyLoss(), Z, Y))
    assert advice(nn.MSELoss(), t([np.nan, 1.0]), t([0.0, 0.0])) == (
        "the loss is nan: look at the worst examples above\nthe gradient of input is not finite; autograd.detect_anomaly() names the step"
    )
    assert advice(nn.MSELoss(), Z, Z) == "the gradient of input is 0 everywhere: a step would change nothing"
    assert "no loss of this library was found" in advice(lambda x: (x**2).mean(), Z)
    assert "no gradient leads from the result" in advice(lambda x: F.mse_loss(x, x).detach(), Z)
    assert explain(nn.MSELoss(), t([1.0, np.nan, 5.0]), t([0.0, 0.0, 0.0])).parts[0].worst()[0][0] == (1,), "nan comes first"
    assert "input: (3,) float32, 1 to 5, 1 nan;" in str(explain(nn.MSELoss(), t([1.0, np.nan, 5.0]), tl.zeros(3)))
    assert "input: (2,) float32, nan;" in str(explain(nn.MSELoss(), t([np.nan, np.nan]), tl.zeros(2)))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: explain(nn.MSELoss(), Z, Z[0]), ValueError, r"mse_loss: target has shape \(3,\)"),
        (lambda: explain(nn.CrossEntropyLoss(), Z, Y + 9), IndexError, r"cross_entropy: target\[0\] = 9 is out of bounds"),
        (lambda: explain(lambda x: x.mean().item(), Z), TypeError, "explain: the criterion returned float; expected a Tensor"),
        (lambda: explain(Z, Z), TypeError, "explain: criterion is Tensor; expected a loss, or a function"),
        (lambda: explain(F.mse_loss, Z), TypeError, "mse_loss: missing argument 'target'"),
        (lambda: explain(nn.MSELoss, Z, Z), TypeError, "the tensors go to the module"),
        (lambda: explain(), TypeError, "criterion"),
    ],
)
def test_error(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
    assert tl.is_grad_enabled()


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = set(LOSSES)
    yield
    assert set(LOSSES) == before
