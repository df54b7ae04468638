"""The curves of losses and of trainings: what is drawn is what the library computes, and it can be read."""

import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, autograd, nn, tensor, viz
from tinygrad_loss.losses import LOSSES, Label, Logits, PerElement, PerExample, Real, loss
from tinygrad_loss.viz.curves_drawing import limits
from tinygrad_loss.viz.curves_families import family_of
from tinygrad_loss.viz.curves_paths import MINUS
from tinygrad_loss.viz.curves_subject import labels_of, name_of, read, wrapped
from tinygrad_loss.viz.curves_values import Curve, evaluate, sample, surface

from .test_viz_training import history, legend, line

matplotlib = pytest.importorskip("matplotlib", reason="draws: pip install '.[viz]'")

F = nn.functional
SHIPPED = {n: made for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss.")}
NO_CURVE = {  # they compare the examples of a batch, read sequences, or take a layer
    "nt_xent_loss", "simclr_loss", "info_nce_loss", "clip_loss", "supcon_loss", "circle_loss", "multi_similarity_loss",
    "ctc_loss", "crf1d_loss", "linear_cross_entropy",
}  # fmt: skip


def flat(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ").replace(MINUS, "-")


def curves_of(made: Any, points: int = 41, **options: Any) -> list[Curve]:
    subject = read(made, **options)
    ends = [(p, p.coordinates[0]) for p in family_of(subject).curves]
    return [sample(subject, p, c.low, c.high, points) for p, c in ends]


# what is drawn


CLOSED_FORMS: list[tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = [
    (nn.MSELoss(), lambda r: r**2, lambda r: 2 * r),
    (nn.L1Loss(), np.abs, np.sign),
    (F.huber_loss, lambda r: np.where(abs(r) < 1, r**2 / 2, abs(r) - 0.5), lambda r: np.clip(r, -1, 1)),
    (nn.CrossEntropyLoss(), lambda p: -np.log(p), lambda p: -1 / p),
    (F.nll_loss, lambda p: -np.log(p), lambda p: -1 / p),
    (F.binary_cross_entropy, lambda p: -np.log(p), lambda p: -1 / p),
    (nn.FocalLoss(gamma=1.0), lambda p: -(1 - p) * np.log(p), lambda p: np.log(p) - (1 - p) / p),
    (nn.GeneralizedCrossEntropyLoss(q=0.7), lambda p: (1 - p**0.7) / 0.7, lambda p: -(p**-0.3)),
    (nn.BCEWithLogitsLoss(), lambda z: np.log1p(np.exp(-z)), lambda z: -1 / (1 + np.exp(z))),
    (F.soft_margin_loss, lambda z: np.log1p(np.exp(-z)), lambda z: -1 / (1 + np.exp(z))),
    (F.hinge_loss, lambda z: np.maximum(0, 1 - z), lambda z: -1.0 * (z < 1)),
    (0.7 * nn.MSELoss() + 0.3 * nn.L1Loss(), lambda r: 0.7 * r**2 + 0.3 * abs(r), lambda r: 1.4 * r + 0.3 * np.sign(r)),
    (functools.partial(F.quantile_loss, q=0.9), lambda r: np.where(r < 0, -0.9 * r, 0.1 * r), lambda r: np.where(r < 0, -0.9, 0.1)),
    (lambda a, b: ((a - b) ** 4).mean(), lambda r: r**4, lambda r: 4 * r**3),
]  # fmt: skip


@pytest.mark.parametrize(("made", "value", "slope"), CLOSED_FORMS, ids=lambda x: name_of(x) if callable(x) else "")
def test_the_lines_are_the_loss_and_its_derivative(made: Any, value: Any, slope: Any) -> None:
    (axes,) = viz.plot_loss(made).axes
    x, y = line(axes, "loss")
    np.testing.assert_allclose(y, value(x), rtol=1e-9, atol=1e-12)
    x, g = line(axes, "gradient")
    gap = np.isnan(g)
    np.testing.assert_allclose(g[~gap], slope(x[~gap]), rtol=1e-8, atol=1e-12)
    assert gap.sum() == len(curves_of(made)[0].kinks) <= 1


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - NO_CURVE))
def test_every_loss_has_its_curve(name: str) -> None:
    """The gradient is the slope of the drawn loss, but at kinks; the loss is the function's own."""
    subject = read(SHIPPED[name])
    for curve in curves_of(SHIPPED[name]):
        assert np.isfinite(curve.loss).all() and curve.gradient is not None
        assert np.ptp(curve.loss) > 0.1 and np.isnan(curve.gradient).sum() == len(curve.kinks)
        h, x = 1e-6, curve.x[1:-1]
        away = np.min([np.full(x.shape, 1.0), *(abs(x - k.x) for k in curve.kinks)], axis=0) > 1e-5
        high, low = (evaluate(subject, curve.path, x[away] + d)[0] for d in (h, -h))
        np.testing.assert_allclose(curve.gradient[1:-1][away], (high - low) / (2 * h), rtol=1e-4, atol=1e-6)
        arrays = curve.path.arguments(Tensor(curve.x[5:6]))
        alone = SHIPPED[name](**{n: a.detach() for n, a in arrays.items()}, reduction="sum")
        np.testing.assert_allclose(alone.array.item(), curve.loss[5], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(NO_CURVE))
def test_what_has_no_curve_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=rf"plot_loss: {name}.*(one example has no loss|draw a function of one number)"):
        viz.plot_loss(SHIPPED[name])


KINKS = [
    (F.l1_loss, 0, [(0.0, -1.0, 0.0, 1.0)]),
    (F.rmse_loss, 0, [(0.0, -1.0, 0.0, 1.0)]),
    (F.hinge_loss, 0, [(1.0, -1.0, -1.0, 0.0)]),  # at a hinge the gradient passes,
    (F.multi_margin_loss, 0, [(1.0, -0.5, 0.0, 0.0)]),  # but here
    (F.hinge_embedding_loss, 1, [(1.0, -1.0, -1.0, 0.0)]),
    (F.cosine_embedding_loss, 1, [(0.0, 0.0, 1.0, 1.0)]),
    (F.quantile_loss, 0, [(0.0, -0.5, 0.0, 0.5)]),
    (functools.partial(F.huber_loss, delta=0.3), 0, []),
    (F.charbonnier_loss, 0, []),  # steep, but without a jump
    (lambda x, t: (x - t - 1 / 3).abs().sum() + (x - t + 1.234567891).relu().sum(), 0,
     [(-1.234567891, -1.0, -1.0, 0.0), (1 / 3, 0.0, 1.0, 2.0)]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "case", "expected"), KINKS, ids=lambda x: name_of(x) if callable(x) else "")
def test_kinks(made: Any, case: int, expected: list[Any]) -> None:
    for points in (41, 160):  # with and without a point on the kink
        found = curves_of(made, points)[case].kinks
        got = [(k.x, k.before, k.there, k.after) for k in found]
        assert len(got) == len(expected)
        for mine, right in zip(got, expected, strict=True):
            np.testing.assert_allclose([mine[0], mine[1], mine[3]], [right[0], right[1], right[3]], atol=2e-8)
            if round(right[0], 7) == right[0]:
                assert abs(mine[2] - right[2]) < 1e-8


def test_marks_at_a_kink() -> None:
    (axes,) = viz.plot_loss(F.l1_loss).axes
    rings, dot = line(axes, "_limits"), line(axes, "_value")
    assert rings[0].tolist() == [0, 0] and rings[1].tolist() == [-1, 1] and [v.tolist() for v in dot] == [[0], [0]]
    x, g = line(axes, "gradient")
    assert np.isnan(g[x == 0]).all() and line(axes, "loss")[1].min() == 0


def test_the_reduction_does_not_matter() -> None:
    drawn = [line(viz.plot_loss(nn.KLDivLoss(reduction=r)).axes[0], "loss")[1] for r in ("none", "sum", "batchmean", "mean")]
    assert all((y == drawn[0]).all() for y in drawn)
    twice = nn.CrossEntropyLoss(weight=tensor([2.0, 1.0]), reduction="sum")
    x, y = line(viz.plot_loss(twice).axes[0], "loss")
    np.testing.assert_allclose(y, -2 * np.log(x))
    assert twice.reduction == "sum"


def test_class_weights_and_ignored_indices_say_which_class() -> None:
    x, y = line(viz.plot_loss(nn.CrossEntropyLoss(weight=tensor([3.0, 1.0, 1.0]), ignore_index=0)).axes[0], "loss")
    np.testing.assert_allclose(y, -np.log(x))  # class 1
    smooth = nn.CrossEntropyLoss(weight=tensor([1.0, 1.0, 1.0]), label_smoothing=0.3)
    x, y = line(viz.plot_loss(smooth).axes[0], "loss")
    np.testing.assert_allclose(y, -0.8 * np.log(x) - 0.2 * np.log((1 - x) / 2))


def test_two_curves_where_one_target_is_not_the_others_mirror() -> None:
    figure = viz.plot_loss(nn.BCEWithLogitsLoss(pos_weight=tensor([3.0])))
    x, one = line(figure.axes[0], "loss, target = 1")
    _, zero = line(figure.axes[0], "loss, target = 0")
    np.testing.assert_allclose([one, zero], [3 * np.log1p(np.exp(-x)), np.log1p(np.exp(x))], rtol=1e-9)
    assert legend(figure) == [
        "loss, target = 1", "gradient (d loss / d input), target = 1", "loss, target = 0",
        "gradient (d loss / d input), target = 0",
    ]  # fmt: skip
    several = viz.plot_loss(nn.BCEWithLogitsLoss(pos_weight=tensor([1.0, 2.0, 3.0])))  # of three classes: their sum
    np.testing.assert_allclose(line(several.axes[0], "loss, target = 1")[1], 6 * np.log1p(np.exp(-x)), rtol=1e-9)


def test_the_gradient_of_a_weighted_sum_is_autograds() -> None:
    made = 0.5 * nn.SmoothL1Loss() + 2.0 * nn.LogCoshLoss()
    axes = viz.plot_loss(made).axes[0]
    x, g = line(axes, "gradient")
    for i in (3, 200, 390):
        r = tensor(np.array(x[i : i + 1]), requires_grad=True)
        (right,) = autograd.grad(made(r, tl.zeros(1, dtype=tl.float64)), r)
        np.testing.assert_allclose(g[i], right.array.item(), rtol=1e-12)


# what it says


def test_labels() -> None:
    expected = {
        "mse_loss": "input - target", "mape_loss": "input (target = 1)", "cross_entropy": "probability of the true class",
        "binary_cross_entropy": "input (probability; target = 1)",
        "binary_cross_entropy_with_logits": "input (logit; target = 1)", "hinge_loss": "target · input",
        "margin_ranking_loss": "target · (input1 - input2)", "gaussian_nll_loss": "input - target (var = 1)",
        "gaussian_kl_loss": "mean (logvar = 0)", "kl_div": "probability of class 0 in input (target: 0.7)",
        "cosine_embedding_loss": "cosine of input1 and input2", "contrastive_loss": "distance of input1 and input2",
        "triplet_margin_loss": "distance of anchor and positive (negative: 2)",
        "multi_margin_loss": "score of the true class - the others'", "dice_loss": "probability of the pixel in the region",
        "ranknet_loss": "score of the relevant item - the other's", "hinge_embedding_loss": "input",
    }  # fmt: skip
    assert {n: flat(curves_of(SHIPPED[n])[0].path.coordinates[0].label) for n in expected} == expected


def test_modules_are_told_apart_by_what_differs() -> None:
    three = [nn.HuberLoss(delta=d) for d in (0.5, 1.0, 2.0)]
    assert labels_of(three) == ("HuberLoss", ["delta=0.5", "delta=1.0", "delta=2.0"])
    figure = viz.plot_loss(*three)
    assert [a.get_title() for a in figure.axes] == ["delta=0.5", "delta=1.0", "delta=2.0"]
    assert figure.get_suptitle() == "HuberLoss" and len({a.get_ylim() for a in figure.axes}) == 1
    assert legend(figure) == ["loss", "gradient (d loss / d input)"]
    assert labels_of([nn.MSELoss(), nn.HuberLoss(delta=2.0)]) == ("", ["MSELoss()", "HuberLoss(delta=2.0)"])
    assert labels_of([nn.BCEWithLogitsLoss(pos_weight=tensor([3.0])), nn.BCEWithLogitsLoss()])[1] == ["pos_weight=[3.]", "pos_weight=None"]
    assert [name_of(f) for f in (F.mse_loss, lambda x: x, functools.partial(F.huber_loss, delta=2), nn.L1Loss() * 2)] == [
        "mse_loss", "loss", "huber_loss(delta=2)", "2 * L1Loss()",
    ]  # fmt: skip


def test_overlay() -> None:
    figure = viz.plot_loss({"small": nn.HuberLoss(delta=0.5), "large": nn.HuberLoss(delta=5.0)}, overlay=True)
    losses, gradients = figure.axes
    assert [losses.get_title(), gradients.get_title()] == ["loss", "gradient (d loss / d input)"]
    assert legend(figure) == ["small", "large"]
    x, y = line(losses, "large")
    assert x[-1] == 7.5  # beyond the larger delta, for both
    np.testing.assert_allclose(y, np.where(abs(x) < 5, x**2 / 2, 5 * (abs(x) - 2.5)))
    looks = [(x.get_color(), x._dash_pattern) for x in losses.get_lines() if not x.get_label().startswith("_")]
    assert len({c for c, _ in looks}) == len({str(d) for _, d in looks}) == 2
    with pytest.raises(ValueError, match="drawn against different things: input . target; probability of the true class"):
        viz.plot_loss(F.mse_loss, F.cross_entropy, overlay=True)
    one = viz.plot_loss([F.l1_loss, F.mape_loss], overlay=True, against="input", at={"target": 2.0}, gradient=False)
    assert len(one.axes) == 1 and one.axes[0].get_xlabel() == "input (target\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}2)"
    x, y = line(one.axes[0], "mape_loss")
    np.testing.assert_allclose(y, abs(x - 2) / 2, atol=1e-15)


def test_what_is_varied_and_what_is_fixed() -> None:
    x, y = line(viz.plot_loss(F.gaussian_nll_loss, at={"var": 4.0}).axes[0], "loss")
    np.testing.assert_allclose(y, 0.5 * (np.log(4) + x**2 / 4))
    axes = viz.plot_loss(F.gaussian_nll_loss, against="var", x=(0.5, 3)).axes[0]
    x, y = line(axes, "loss")
    np.testing.assert_allclose(y, 0.5 * (np.log(x) + 1 / x))
    assert flat(axes.get_xlabel()) == "var (input = 0, target = 1)" and (x[0], x[-1]) == (0.5, 3)
    x, y = line(viz.plot_loss(F.cross_entropy, at={"weight": tensor([5.0, 1.0])}).axes[0], "loss")
    np.testing.assert_allclose(y, -5 * np.log(x))
    x, y = line(viz.plot_loss(F.mse_loss, at={"weight": 3.0}).axes[0], "loss")
    np.testing.assert_allclose(y, 3 * x**2)
    x, y = line(viz.plot_loss(functools.partial(F.distillation_loss, alpha=0.0), at={"target": 0}).axes[0], "loss")
    np.testing.assert_allclose(y, -np.log(x), atol=1e-12)
    x, y = line(viz.plot_loss(F.huber_loss, at={"delta": 6.0}).axes[0], "loss")
    assert x[-1] == 9.0


def test_a_function_of_one_number_and_one_that_takes_another_losses_arguments() -> None:
    axes = viz.plot_loss(lambda score: (score * score).sum() / 2).axes[0]
    assert axes.get_xlabel() == "score"
    np.testing.assert_allclose(line(axes, "gradient")[1], line(axes, "gradient")[0])

    def mine(logits: Tensor, y: Tensor) -> Tensor:
        return -tl.log_softmax(logits, 1).gather(1, y.unsqueeze(1)).mean()

    x, y = line(viz.plot_loss(mine, like=F.cross_entropy).axes[0], "loss")
    np.testing.assert_allclose(y, -np.log(x))


def test_losses_of_your_own() -> None:
    class Mix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.alpha = nn.Parameter(tensor(0.25))

        def forward(self, prediction: Tensor, truth: Tensor) -> Tensor:
            error = prediction - truth
            return (self.alpha * error.abs() + (1 - self.alpha) * error**2).mean()

    try:

        @loss
        def relative_loss(p: Real[Tensor, "..."], t: Real[Tensor, "..."], *, power: float = 2.0) -> PerElement:
            """The relative error."""
            return abs((p - t) / t) ** power

        @loss
        def brier_loss(scores: Logits[Tensor, "N C"], y: Label[Tensor, "N"]) -> PerExample:
            """The squared distance of the probabilities from what was true."""
            p = tl.softmax(scores, 1)
            return 1 - 2 * p.gather(1, y.unsqueeze(1)).squeeze(1) + (p**2).sum(1)

        mix, relative = Mix(), relative_loss.Module(power=1.0)
        figure = viz.plot_loss(mix, relative, brier_loss, 0.5 * F.cross_entropy + brier_loss)
        labels = [flat(a.get_xlabel()) for a in figure.axes]
        assert labels == ["prediction - truth", "p (t = 1)", *["probability of the true class"] * 2]
        x, y = line(figure.axes[0], "loss")
        np.testing.assert_allclose(y, 0.25 * abs(x) + 0.75 * x**2)
        x, y = line(figure.axes[1], "loss")
        np.testing.assert_allclose(y, abs(x - 1))
        x, y = line(figure.axes[2], "loss")
        np.testing.assert_allclose(y, 2 * (1 - x) ** 2)
        x, y = line(figure.axes[3], "loss")
        np.testing.assert_allclose(y, -0.5 * np.log(x) + line(figure.axes[2], "loss")[1])
        assert mix.alpha.grad is None
    finally:
        for name in ("relative_loss", "brier_loss"):
            LOSSES.pop(name, None)


def test_a_criterion_without_gradient_or_with_nan() -> None:
    axes = viz.plot_loss(lambda x, t: (x > t).float().mean()).axes[0]
    assert not [x for x in axes.get_lines() if x.get_label() == "gradient"]
    x, y = line(viz.plot_loss(lambda x: x.log().sum()).axes[0], "loss")
    assert np.isnan(y[x < 0]).all() and np.isfinite(y[x > 0]).all()


def test_nothing_outside_changes() -> None:
    tl.manual_seed(3)
    state, before = tl.get_rng_state(), dict(matplotlib.rcParams)
    with tl.no_grad():
        axes = viz.plot_loss(F.mse_loss, F.dice_loss).axes[0]
    assert np.ptp(line(axes, "gradient")[1]) == 12
    assert (tl.get_rng_state().array == state.array).all() and dict(matplotlib.rcParams) == before


def test_poles_do_not_flatten_the_rest() -> None:
    low, high = limits(curves_of(F.cross_entropy, 401), True)
    assert -20 < low < -5 and 5 < high < 7
    low, high = limits(curves_of(functools.partial(F.mse_loss), 401), True)
    np.testing.assert_allclose([low, high], [-6.9, 9.9])
    made = read(F.gaussian_nll_loss)
    (path,) = family_of(made, "var").curves
    low, high = limits([sample(made, path, 0.0, 4.0)], True)
    assert -5 < low < 0 < high < 5


# contours


def test_surface_is_the_loss_and_its_gradient() -> None:
    subject = read(F.mse_loss)
    plane = family_of(subject).plane
    assert plane is not None
    found = surface(subject, plane, 5)
    x, t = np.meshgrid(found.x, found.y)
    np.testing.assert_allclose(found.loss, (x - t) ** 2)
    assert found.slopes is not None
    np.testing.assert_allclose(found.slopes, [2 * (x - t), -2 * (x - t)])


def test_surface_of_two_logits() -> None:
    subject = read(nn.CrossEntropyLoss())
    plane = family_of(subject).plane
    assert plane is not None
    found = surface(subject, plane, 4)
    a, b = np.meshgrid(found.x, found.y)
    np.testing.assert_allclose(found.loss, np.log1p(np.exp(b - a)))


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - NO_CURVE))
def test_surfaces_have_gradients(name: str) -> None:
    subject = read(SHIPPED[name])
    plane = family_of(subject).plane
    if plane is None:
        assert any("Sign" in repr(s) for a in SHIPPED[name].declaration.arguments for s in a.specs)
        return
    xs = [np.linspace(a * c.low + (1 - a) * c.high, 0.13 * c.low + 0.87 * c.high, 4) for a, c in zip((0.9, 0.7), plane.coordinates, strict=True)]
    xs[1] -= 0.01
    value, slopes = evaluate(subject, plane, *xs)
    assert np.isfinite(value).all() and slopes is not None
    for i, slope in enumerate(slopes):
        high, low = (evaluate(subject, plane, *[x + h * (j == i) for j, x in enumerate(xs)])[0] for h in (1e-6, -1e-6))
        np.testing.assert_allclose(slope, (high - low) / 2e-6, rtol=1e-3, atol=1e-5)


def test_contour() -> None:
    figure = viz.plot_loss(F.gaussian_nll_loss, contour=("input", "var"))
    axes, bar = figure.axes
    assert (axes.get_xlabel(), flat(axes.get_ylabel()), bar.get_ylabel()) == ("input", "var (target = 1)", "loss")
    quiver = next(c for c in axes.collections if type(c).__name__ == "Quiver")
    assert (~np.ma.getmaskarray(np.ma.masked_array(quiver.U, quiver.Umask))).sum() > 100
    both = viz.plot_loss(F.mse_loss, F.l1_loss, contour=True, gradient=False)
    assert len(both.axes) == 4 and not [c for c in both.axes[0].collections if type(c).__name__ == "Quiver"]
    arrows = next(c for c in viz.plot_loss(lambda a, b: (a * a + b * b).sum(), contour=True).axes[0].collections if type(c).__name__ == "Quiver")
    at = np.array(arrows.get_offsets())
    inward = np.where(arrows.Umask, 0, arrows.U * at[:, 0] + arrows.V * at[:, 1])
    assert (inward <= 0).all() and (inward < 0).sum() > 100
    with pytest.raises(ValueError, match="hinge_loss has no two numbers to vary"):
        viz.plot_loss(F.hinge_loss, contour=True)
    with pytest.raises(ValueError, match=r"cannot be drawn against \['nothing'\]; expected of \['input', 'target', 'var'\]"):
        viz.plot_loss(F.gaussian_nll_loss, contour=("input", "nothing"))


# the figure


def test_errors() -> None:
    cases: list[tuple[type[Exception], str, Callable[[], Any]]] = [
        (TypeError, "no loss; expected", lambda: viz.plot_loss()),
        (TypeError, r"expected a loss \(a function or a module\), got str", lambda: viz.plot_loss("mse")),
        (TypeError, "takes no array 'foo'", lambda: viz.plot_loss(F.mse_loss, at={"foo": 1})),
        (TypeError, r"make it HuberLoss\(delta=...\)", lambda: viz.plot_loss(nn.HuberLoss(), at={"delta": 1.0})),
        (TypeError, "takes 3 arguments", lambda: viz.plot_loss(lambda a, b, c: a)),
        (TypeError, "like must be a declared loss", lambda: viz.plot_loss(lambda a, b: a, like=max)),
        (TypeError, "returned float; a loss returns a Tensor", lambda: viz.plot_loss(lambda a, b: 1.0)),
        (ValueError, "expected the two ends of the axis", lambda: viz.plot_loss(F.mse_loss, x=(1, 1))),
        (ValueError, r"cannot be drawn against \['foo'\]", lambda: viz.plot_loss(F.mse_loss, against="foo")),
        (ValueError, "by that name", lambda: viz.plot_loss(F.cross_entropy, against="input")),
    ]  # fmt: skip
    for kind, message, call in cases:
        with pytest.raises(kind, match=message):
            call()


@pytest.mark.parametrize("call", [lambda: viz.plot_loss(F.mse_loss), lambda: viz.plot_training({"loss": [1.0]})])
def test_without_matplotlib(call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"plot_(loss|training) needs matplotlib: pip install 'tinygrad_loss\[viz\]'"):
        call()


def test_no_figure_stays_open_and_it_shows_itself_once() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    figure = viz.plot_loss(F.mse_loss)
    assert plt.get_fignums() == [] and isinstance(figure, matplotlib.figure.Figure)
    bundle = figure._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG") and len(bundle["image/png"]) < 40_000
    formatters = pytest.importorskip("IPython.core.formatters", reason="comes with ipykernel: pip install '.[test]'")
    shown, _ = formatters.DisplayFormatter().format(figure)
    assert set(shown) == {"image/png", "text/plain"}


def test_a_style_that_is_set_does_not_make_it_unreadable(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    plt = pytest.importorskip("matplotlib.pyplot")
    viz.plot_loss(F.l1_loss).savefig(tmp_path / "light.png")
    with plt.style.context(["dark_background", {"font.size": 20, "xtick.direction": "in", "axes.spines.left": False, "lines.dash_capstyle": "round"}]):
        viz.plot_loss(F.l1_loss, save=tmp_path / "dark.png")
        made = viz.plot_loss(F.l1_loss)
        made.savefig(tmp_path / "later.png")
    assert (tmp_path / "later.png").read_bytes() == (tmp_path / "dark.png").read_bytes()
    light, dark = (image.imread(tmp_path / f"{n}.png") for n in ("light", "dark"))
    assert (light == dark).all() and (light[0, 0, :3] == 1).all() and light.min() < 0.2


def test_save(tmp_path: Path) -> None:
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for ending, start in starts.items():
        viz.plot_loss(F.mse_loss, save=tmp_path / f"loss.{ending}")
        viz.plot_training({"loss": [2.0, 1.0]}, save=str(tmp_path / f"training.{ending}"))
        assert all((tmp_path / f"{n}.{ending}").read_bytes().startswith(start) for n in ("loss", "training"))


PICTURES: dict[str, Callable[[], Any]] = {
    "documents": lambda: viz.plot_loss(nn.L1Loss(), nn.MSELoss(), nn.CrossEntropyLoss()),
    "huber": lambda: viz.plot_loss(*[nn.HuberLoss(delta=d) for d in (0.5, 1.0, 2.0)]),
    "overlaid": lambda: viz.plot_loss(F.cross_entropy, F.focal_loss, F.generalized_cross_entropy, overlay=True),
    "two targets": lambda: viz.plot_loss(nn.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss(pos_weight=tensor([3.0])), nn.BCELoss()),
    "four": lambda: viz.plot_loss(F.hinge_loss, F.soft_margin_loss, F.triplet_margin_loss, F.hinge_embedding_loss),
    "long": lambda: viz.plot_loss(0.7 * nn.MSELoss() + 0.3 * nn.L1Loss() + 0.1 * nn.HuberLoss(delta=0.25), F.kl_div, F.margin_ranking_loss),
    "seven": lambda: viz.plot_loss(*[nn.HuberLoss(delta=d / 4) for d in range(1, 8)]),
    "contour": lambda: viz.plot_loss(F.mse_loss, F.triplet_margin_loss, F.cosine_embedding_loss, contour=True),
    "training": lambda: viz.plot_training(history()),
    "tasks": lambda: viz.plot_training({f"task{i}_loss": history()["loss"] * i for i in range(1, 6)} | {"acc": [0.1, 0.2], "val_acc": [0.1, 0.3]}),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_lies_on_another(name: str) -> None:
    backend_agg = pytest.importorskip("matplotlib.backends.backend_agg")
    figure = PICTURES[name]()
    figure.set_dpi(100)
    backend_agg.FigureCanvasAgg(figure).draw()
    page, boxes, hidden = figure.bbox, [], undrawn(figure)
    for text in figure.findobj(matplotlib.text.Text):
        box = text.get_window_extent()
        if text.get_visible() and text.get_text().strip() and box.width > 0 and id(text) not in hidden:
            boxes.append((text.get_text(), box))
            inside = page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1
            assert inside, f"{text.get_text()!r} is cut"
    assert len(boxes) > 5
    for (a, one), (b, two) in itertools.combinations(boxes, 2):
        across, down = min(one.x1, two.x1) - max(one.x0, two.x0), min(one.y1, two.y1) - max(one.y0, two.y0)
        assert across <= 1.5 or down <= 1.5, f"{a!r} lies on {b!r}"


def undrawn(figure: Any) -> set[int]:
    """The labels of ticks beyond the ends of an axis."""
    axes = [axis for a in figure.axes for axis in (a.xaxis, a.yaxis)]
    all_ = {id(x) for axis in axes for t in (*axis.get_major_ticks(), *axis.get_minor_ticks()) for x in (t.label1, t.label2)}
    return all_ - {id(x) for axis in axes for t in axis._update_ticks() for x in (t.label1, t.label2)}


def test_long_labels_are_wrapped_between_words() -> None:
    assert wrapped("probability of class 0 in student (teacher: 0.7)", 44).split("\n")[-1] == "(teacher:\N{NO-BREAK SPACE}0.7)"
    assert "target\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1" in wrapped("x (target = 1)", 5)
