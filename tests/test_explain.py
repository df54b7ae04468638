"""explain: for every loss the numbers that make its number, the worst examples, the gradient, and the advice."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.explanation import Explanation, Part, explain
from tinygrad_loss.losses import LOSSES, PerElement, Real, loss
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.tape import Tensor

from .laws import hostile
from .loss_changes import by_hand, resolved, terms_of
from .loss_samples import LossSample
from .test_laws import samples_of

F = nn.functional
t = tl.tensor
OURS = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))
Z = t([[2.0, 0.5, -1.0], [-0.5, 1.5, 0.0], [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
Y = t([0, 2, 1, 0])


def samples(made: Loss) -> list[LossSample]:
    return samples_of(made.name)


def given(sample: LossSample) -> dict[str, Any]:
    return {n: t(x) for n, x in sample.given().items()}


def asked(made: Loss, sample: LossSample, **more: Any) -> Explanation:
    with warnings.catch_warnings(), hostile():
        warnings.simplefilter("error")  # advice is kept for the page
        return explain(made, **given(sample), **sample.options, **more)


def result_of(part: Part) -> float:
    return part.numerator / part.denominator if part.denominator else part.empty


@pytest.mark.parametrize("name", OURS)
def test_numerator_and_denominator(name: str) -> None:
    made, count = LOSSES[name], 0
    for sample in samples(made)[:8]:
        terms, kept = terms_of(made, sample)
        share = np.ones(terms.value.shape) if terms.share is None else terms.share.array
        hand = by_hand(made, sample)
        for reduction in made.declaration.reductions:
            found = asked(made, sample, reduction=reduction)
            (part,) = found.parts
            assert part.loss is made and part.options == sample.options and part.reduction == reduction
            expected = np.asarray(found.value)
            alone = hand["none"]
            np.testing.assert_allclose(part.values, alone, rtol=1e-12)
            if reduction == "none":
                np.testing.assert_allclose(expected, alone, rtol=1e-12)
            elif part.finish is None:
                np.testing.assert_allclose(result_of(part), expected, rtol=1e-12)
            if part.denominator or reduction != "mean":
                np.testing.assert_allclose(expected, hand[reduction], rtol=1e-12)
            if reduction == "mean":
                np.testing.assert_allclose(part.denominator, (share * kept).sum(), rtol=1e-12)
            assert part.left_out == int(kept.size - kept.sum())
            check_page(found, part)
            count += 1
    assert count >= 9


def check_page(found: Explanation, part: Part) -> None:
    """It reads well: nothing empty, no line too long but those of the source, and worst first."""
    text = str(found)
    assert text == repr(found) and text.startswith(f"{found.title} = ")
    headings = [h for h, _ in found.sections()]
    assert headings[:3] == ["formula", "arguments", "reduction"] and headings[-1] == "advice" and all(rows for _, rows in found.sections())
    assert not [line for line in text.split("\n") if len(line) > 124 or line != line.rstrip() or not line.strip()] or "\n\n" in part.formula
    assert '"""' not in part.formula and "return" in part.formula and part.formula.split("\n")[0] == part.formula.split("\n")[0].lstrip()
    worst = part.worst()
    values = [v for _, v in worst]
    assert values == sorted(values, reverse=True) and all(part.values[place] == v for place, v in worst)
    assert len(worst) == min(3, part.values.size - part.left_out)
    for place, _ in worst:
        assert all(x.size for _, x in part.around(place))


@pytest.mark.parametrize("name", OURS)
def test_gradient_sizes(name: str) -> None:
    """They are the lengths of the rows of what autograd gives."""
    made, checked = LOSSES[name], 0
    for sample in samples(made)[:5]:
        found = asked(made, sample)
        lead = made.declaration.arrays[0]
        x = given(sample)
        x[lead].requires_grad_()
        with warnings.catch_warnings(action="ignore"):
            y = made(**x, **sample.options)
        (g,) = tl.autograd.grad(y, x[lead])
        ((shown, sizes),) = found.gradients
        assert shown == lead
        np.testing.assert_allclose(np.sqrt((sizes**2).sum()), np.sqrt((g.array**2).sum()), rtol=1e-10)
        if g.array.size:
            rest = tuple(i for i in range(g.array.ndim) if i not in axes_of_examples(made, sample, lead))
            np.testing.assert_allclose(sizes, np.sqrt((g.array**2).sum(rest)), rtol=1e-10)
            checked += 1
    assert checked > 1


def axes_of_examples(made: Loss, sample: LossSample, name: str) -> list[int]:
    """The first axis of elements, or all that count examples: N, * and ..."""
    axes = [a for a in resolved(sample.specs[name], sample.batched) for _ in range(width(sample.sizes[a.strip("[]")]))]
    found = [i for i, a in enumerate(axes) if a in ("N", "*", "...")]
    return found if made.declaration.per == "example" else found[:1]


def width(size: Any) -> int:
    return len(size) if isinstance(size, tuple) else 1


@pytest.mark.parametrize("name", OURS)
def test_weights_and_mask(name: str) -> None:
    made = LOSSES[name]
    if "sample_weight" not in made.declaration.counts:
        return
    for sample in samples(made)[:3]:
        terms, kept = terms_of(made, sample)
        shape = terms.value.shape
        if made.declaration.per == "batch" or not shape or not terms.value.array.size:
            continue
        w = np.random.default_rng(0).uniform(0.5, 2.0, shape)
        share = (np.ones(shape) if terms.share is None else terms.share.array) * w * kept
        (part,) = asked(made, sample, sample_weight=t(w), reduction="mean").parts
        np.testing.assert_allclose(part.denominator, share.sum(), rtol=1e-12)
        np.testing.assert_allclose(part.values, by_hand(made, sample, w)["none"], rtol=1e-10)
        assert [n for n, *_ in part.arguments][-1] == "sample_weight"
        shown = [dict(part.around(place))["sample_weight"].item() for place, _ in part.worst()]
        assert shown == [w[place] for place, _ in part.worst()]
        if "mask" not in made.declaration.counts or made.mixes:
            continue
        mask = np.arange(w.size).reshape(shape) % 2 == 0
        found = asked(made, sample, sample_weight=t(w), mask=t(mask), reduction="mean")
        (part,) = found.parts
        np.testing.assert_allclose(part.denominator, (share * mask).sum(), rtol=1e-12)
        assert part.left_out == int((~(mask & (kept > 0))).sum()) and all(mask[place] for place, _ in part.worst())
        assert part.finish or np.isclose(result_of(part), found.value, rtol=1e-12, equal_nan=True)


def test_ignored_targets_are_left_out() -> None:
    weight = t([1.0, 2.0, 0.5])
    found = explain(nn.CrossEntropyLoss(weight=weight, ignore_index=2, label_smoothing=0.1), Z, Y)
    (part,) = found.parts
    assert part.left_out == 1 and part.denominator == 4.0 and [place for place, _ in part.worst()] == [(3,), (2,), (0,)]
    assert found.value == pytest.approx(F.cross_entropy(Z, Y, weight, ignore_index=2, label_smoothing=0.1).item())
    assert dict(part.around((3,)))["target"].item() == 0 and list(dict(part.around((3,)))["input"]) == [1.0, 2.0, 3.0]
    assert "4: the sum of their weights, 1 left out" in str(found)


PAGE = """\
CrossEntropyLoss(label_smoothing=0.1) = 1.28824
formula
  The negative log-likelihood of classes given as indices or probabilities, from logits.
    return expected(log_softmax_(input, dim=1), target, weight, label_smoothing)
arguments
  input: (4, 3) float32, -1 to 3; logits: any real numbers, before the softmax over C
  target: (4,) int64, 0 to 2; a class index, 0 to C-1 (or ignore_index)
  weight: (3,) float32, 0.5 to 2; a finite weight >= 0
  ignore_index = -100
  label_smoothing = 0.1
reduction
  mean = 5.79706 / 4.5 = 1.28824
  5.79706: the sum of 4 values
  4.5: the sum of their weights
worst examples
  [3] = 2.348: input [1, 2, 3], target 0
  [2] = 2.114: input [0.1, 0.2, 0.3], target 1
  [1] = 0.9403: input [-0.5, 1.5, 0], target 2
gradient, its size for each example
  input: 0.03919 to 0.3355, median 0.1775; largest at [2]
advice
  nothing noticed"""


def test_page() -> None:
    """The values, their sum, the mean and the lengths are torch's for the same call."""
    found = explain(nn.CrossEntropyLoss(weight=t([1.0, 2.0, 0.5]), label_smoothing=0.1), Z, Y)
    assert str(found) == PAGE


class Strict(HTMLParser):
    """Every tag is closed in order, and only known ones appear."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("p", "b", "table", "tr", "th", "td", "pre"), tag
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def html_text(found: Explanation) -> str:
    parser = Strict()
    parser.feed(found._repr_html_())
    parser.close()
    assert not parser.open
    return "\n".join(parser.text)


@pytest.mark.parametrize("name", OURS)
def test_html(name: str) -> None:
    found = asked(LOSSES[name], samples(LOSSES[name])[0])
    text = html_text(found)
    for heading, rows in found.sections():
        assert heading in text and "\n".join(rows) in text


def test_html_is_escaped() -> None:
    @loss
    def angle(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, name: str = "<script>alert(1)</script>") -> PerElement:  # noqa: UP037
        """Less than <b>nothing</b> & more."""
        return (input - target) ** 2

    try:
        found = explain(angle, t([1.0]), t([2.0]))
        assert "<script>" in str(found) and "<b>nothing" not in found._repr_html_() and "<script>" in html_text(found)
        tagged = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1))
        points = t([[0.0]]), t([[1.0]]), t([[2.0]])
        assert "<function" in html_text(explain(tagged, *points)) and "<function" not in explain(tagged, *points)._repr_html_()
    finally:
        del LOSSES["angle"]


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = set(LOSSES)
    yield
    assert set(LOSSES) == before
