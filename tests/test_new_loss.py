"""A loss that a user declares, as README.md shows it, and everything that follows from the declaration."""

import importlib.util
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.tables.render import code, divisor, examples, signature, spelled
from tests.test_laws import LOSS_LAWS, for_law
from tinygrad_loss import autograd, nn, viz
from tinygrad_loss.choose import Choice
from tinygrad_loss.losses import LOSSES, Label, PerElement, PerExample, Real, Weight, loss
from tinygrad_loss.losses._loss import Loss

from .loss_samples import samples

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Your own loss") : README.index("\n## ", README.index("## Your own loss") + 5)]
t = tl.tensor
X, Y = t([[0.5, 3.0, -1.0], [2.0, 0.0, 1.5]]), t([[0.0, 0.0, -1.25], [2.5, 4.0, 1.5]])
SQUARES = np.array([[0.25, 9.0, 0.0625], [0.25, 16.0, 0.0]])


@pytest.fixture(scope="module")
def capped_loss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loss]:
    """The code of README.md, from a file of a user's."""
    (block,) = examples(SECTION)
    file = tmp_path_factory.mktemp("user") / "users_losses.py"
    file.write_text(block + "\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("users_losses", file)
    assert spec is not None and spec.loader is not None
    module = sys.modules["users_losses"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.capped_loss
    del sys.modules["users_losses"], LOSSES["capped_loss"]


def test_it_takes_a_few_lines() -> None:
    (block,) = examples(SECTION)
    declaration = block[block.index("@loss") :].strip().split("\n")
    assert len(declaration) == 4 and len(SECTION.split("\n")) <= 32


def test_function(capped_loss: Loss) -> None:
    expected = np.minimum(SQUARES, 2.0)
    assert capped_loss(X, Y, cap=2.0).item() == pytest.approx(expected.mean())
    assert capped_loss(X, Y, 2.0, "sum").item() == pytest.approx(expected.sum())
    np.testing.assert_allclose(capped_loss(X, Y, cap=2.0, reduction="none").array, expected)
    weight, mask = t([1.0, 3.0]), t([[True, False, True], [True, True, False]])
    w = np.array([[1.0], [3.0]]) * np.ones((2, 3)) * mask.array
    found = capped_loss(X, Y, cap=2.0, sample_weight=weight, mask=mask)
    assert found.item() == pytest.approx((expected * w).sum() / w.sum())
    assert capped_loss.formula(X, Y, cap=2.0).shape == (2, 3) and capped_loss is LOSSES["capped_loss"]
    assert repr(capped_loss) == "<loss capped_loss(input, target, cap, reduction)>" and capped_loss.__doc__ == (
        "The squared error, but no element counts more than ``cap``."
    )


def test_gradients(capped_loss: Loss) -> None:
    x = X.clone().requires_grad_()
    y = capped_loss(x, Y, cap=2.0)
    assert repr(y.grad_fn).startswith("<CappedLossBackward0") and repr(y).endswith("grad_fn=<CappedLossBackward0>)")
    y.backward()
    np.testing.assert_allclose(x.grad.array, np.where(SQUARES < 2.0, 2 * (X.array - Y.array) / 6, 0.0), rtol=1e-6)
    inputs = (X.double().requires_grad_(), Y.double().requires_grad_())
    assert autograd.gradcheck(capped_loss, inputs) and autograd.gradgradcheck(capped_loss, inputs)


def test_module(capped_loss: Loss) -> None:
    module = capped_loss.Module(cap=2.0)
    assert isinstance(module, nn.Module) and module(X, Y).item() == capped_loss(X, Y, cap=2.0).item()
    assert repr(module) == "CappedLoss(cap=2.0)" and module.cap == 2.0 and capped_loss.Module(2.0, "sum").reduction == "sum"
    mixed = 0.5 * module + 0.5 * nn.L1Loss()
    assert mixed(X, Y).item() == pytest.approx(0.5 * module(X, Y).item() + 0.5 * nn.L1Loss()(X, Y).item())
    assert repr(mixed) == "0.5 * CappedLoss(cap=2.0) + 0.5 * L1Loss()"


@pytest.mark.parametrize(
    ("given", "more", "kind", "message"),
    [
        ((X, Y[0]), {}, ValueError, r"capped_loss: target has shape \(3,\), expected \(2, 3\): the two would broadcast"),
        ((X, Y), {"cap": -1}, ValueError, "capped_loss: cap=-1: expected a finite number > 0"),
        ((X, Y), {"cap": math.nan}, ValueError, "capped_loss: cap=nan: expected a finite number > 0"),
        ((X, Y), {"cap": "2"}, TypeError, "capped_loss: cap must be a number, got str"),
        ((X,), {}, TypeError, r"capped_loss: missing argument 'target'; expected \(input, target, cap, reduction\)"),
        ((X, Y), {"top": 2.0}, TypeError, "capped_loss: unknown argument 'top'"),
        ((X, Y), {"reduction": "avg"}, ValueError, "capped_loss: reduction='avg' is not valid; expected 'mean' or 'sum' or 'none'"),
        ((X, [0.0]), {}, TypeError, "capped_loss: target must be a Tensor, got list"),
        ((X, Y), {"sample_weight": t([-1.0, 1.0])}, ValueError, r"capped_loss: sample_weight\[0\] is negative"),
        ((X, Y), {"mask": t([1.0, 0.0])}, TypeError, "capped_loss: mask has dtype .*a mask is bool"),
    ],
)
def test_errors(capped_loss: Loss, given: Any, more: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        capped_loss(*given, **more)


@pytest.mark.parametrize("law", LOSS_LAWS, ids=lambda law: law.__name__.removeprefix("law_"))
def test_laws(capped_loss: Loss, law: Any) -> None:
    found = samples(capped_loss)
    assert len(found) >= 6 and {s.options["cap"] for s in found} >= {1.0, 3.0}
    for sample in for_law(law, found):
        law(capped_loss, sample)


def test_a_wrong_one_fails_the_laws(capped_loss: Loss) -> None:
    """The same with a square that overflows into the next example's value."""
    right = capped_loss.formula
    broken = 0
    capped_loss.formula = lambda input, target, cap: right(input, target, cap=cap) + 0.1 * input.detach().sum()
    try:
        for law in LOSS_LAWS:
            try:
                for sample in for_law(law, samples(capped_loss)):
                    law(capped_loss, sample)
            except (AssertionError, RuntimeError):
                broken += 1
    finally:
        capped_loss.formula = right
        capped_loss._bindings.clear()
    assert broken >= 2


def test_plan(capped_loss: Loss) -> None:
    text = str(capped_loss.plan(X.clone().requires_grad_(), Y, cap=2.0))
    assert "sub(input, target)" in text and "loss = " in text and "d/dinput = " in text and "clamp" in text
    large = tl.randn(200_000, requires_grad=True)
    value = capped_loss(large, tl.zeros(200_000), cap=2.0)
    value.backward()
    assert value.item() == pytest.approx(np.minimum(large.array.astype(np.float64) ** 2, 2.0).mean(), rel=1e-6)
    expected = np.where(large.array**2 < 2.0, 2 * large.array / 200_000, 0.0)
    np.testing.assert_allclose(large.grad.array, expected, rtol=1e-6)


def test_pictures(capped_loss: Loss) -> None:
    x = X.clone().requires_grad_()
    y = capped_loss(x * 2, Y, cap=2.0)
    assert str(viz.tree(y, params={"x": x})).split("\n")[0] == "capped_loss  () float32, cap=2, reduction=mean"
    opened = str(viz.tree(y, expand="capped_loss"))
    assert all(step in opened for step in ("clamp", "a - b", "mean", "in capped_loss"))
    assert "capped_loss" in viz.draw(y).dot and "<svg" in viz.draw(y, expand=True).svg


def test_explain_and_which_loss(capped_loss: Loss) -> None:
    page = str(tl.explain(capped_loss, X, Y, cap=2.0))
    assert "    return clamp((input - target) ** 2, max=cap)" in page and "  cap = 2.0" in page
    assert "mean = 4.5625 / 6 = 0.760417" in page
    assert "capped_loss" in tl.which_loss("regression", robust=True).names


def test_rows_of_the_tables(capped_loss: Loss) -> None:
    choice = Choice(capped_loss)
    row = (code(choice.name), code(choice.module), choice.outputs, choice.targets, spelled(choice), divisor(capped_loss))
    assert row == ("`capped_loss`", "`CappedLoss`", "numbers", "numbers", "yes", "elements")
    assert signature(capped_loss) == "capped_loss(input, target, cap=1.0, reduction='mean')"
    assert choice.says == "The squared error, but no element counts more than ``cap``."


def test_what_the_section_says(capped_loss: Loss) -> None:
    """Every name in it exists."""
    assert "<CappedLossBackward0>" in SECTION and len(re.findall(r"^python3 -m venv", README, re.MULTILINE)) == 2
    for link in re.findall(r"\]\(([\w/.]+)\)", SECTION):
        assert (ROOT / link).exists()
    for name in ("explain", "which_loss", "viz"):
        assert hasattr(tl, name) and name in SECTION


# Other kinds, in as many lines.


def test_a_loss_of_classes() -> None:
    @loss
    def brier_loss(input: Real[tl.Tensor, "[N] C"], target: Label[tl.Tensor, "[N]"], weight: Weight[tl.Tensor, "C"] | None = None) -> PerExample:
        """The squared distance of softmax(input) from the one-hot target. Source: Brier, 1950."""
        value = ((tl.softmax(input, 1) - tl.nn.functional.one_hot(target, input.shape[1])) ** 2).sum(1)
        return value if weight is None else (value * weight[target.long()], weight[target.long()])

    try:
        logits, labels = t([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]]), t([0, 2])
        p = np.exp(logits.array) / np.exp(logits.array).sum(1, keepdims=True)
        values = ((p - np.eye(3)[labels.array]) ** 2).sum(1)
        w = np.array([1.0, 2.0, 0.5])
        assert brier_loss(logits, labels).item() == pytest.approx(values.mean())
        assert brier_loss(logits[0], labels[0]).item() == pytest.approx(values[0]), "an example by itself"
        weighted = (values * w[labels.array]).sum() / w[labels.array].sum()
        assert brier_loss(logits, labels, t(w).float()).item() == pytest.approx(weighted) == brier_loss.Module(t(w).float())(logits, labels).item()
        with pytest.raises(IndexError, match=r"brier_loss: target\[1\] = 3 is out of bounds: input has C=3 classes .*subtract 1"):
            brier_loss(logits, t([0, 3]))
        assert (Choice(brier_loss).task, Choice(brier_loss).outputs) == ("multiclass", "scores") and divisor(brier_loss) == "examples; sum of `weight`"
        for law in LOSS_LAWS:
            for sample in for_law(law, samples(brier_loss)):
                law(brier_loss, sample)
    finally:
        del LOSSES["brier_loss"]


DECLARED_BADLY: list[tuple[str, str]] = [
    ("def bad(input, target): return input", "parameter 'input' has neither a domain nor a default"),
    ('def bad(input: Real[Tensor, "..."], cap): return input', "parameter 'cap' has neither a domain nor a default; annotate an array"),
    ("def bad(*, cap: Positive = 1.0): return cap", "expected at least one array"),
    ('def bad(input: Real[Tensor, "N"], target: Label[Tensor, "N"]): return input', "'target' is a Label, so one of the arrays needs the axis C"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), DECLARED_BADLY)
def test_declarations_that_say_too_little(source: str, message: str) -> None:
    names: dict[str, Any] = {"Tensor": tl.Tensor, **{n: getattr(tl.losses, n) for n in ("Real", "Label", "Positive", "loss")}}
    with pytest.raises(TypeError, match="@loss bad: ") as caught:
        exec(f"@loss\n{source}", names)
    assert message in str(caught.value) and "bad" not in LOSSES


def test_formulas_that_return_the_wrong_thing() -> None:
    @loss
    def early(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        return ((input - target) ** 2).mean()

    @loss
    def loose(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        return 1.0

    try:
        with pytest.raises(ValueError, match=r"early: its formula returned shape \(\), expected \(2, 3\), one value per element"):
            early(X, Y)
        with pytest.raises((TypeError, AttributeError)):
            loose(X, Y)
    finally:
        del LOSSES["early"], LOSSES["loose"]
