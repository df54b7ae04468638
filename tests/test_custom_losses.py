"""The documents' own losses: as the pages write them, and shorter with @loss. Both give the true values."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as torch
from tinygrad_loss import Tensor, nn, optim
from tinygrad_loss.losses import LOSSES, PerElement, Real, UnitInterval, Weight, loss
from tinygrad_loss.nn import functional as F

from . import loss_samples
from .test_laws import LOSS_LAWS

t = torch.tensor
A, B = t([1.2, 3.5, 2.0]), t([1.0, 3.0, 2.0])  # weighted with 1, 2, 1: 0.18
M, N = t([0.0, 3.0]), t([1.0, 0.0])  # l1 2, mse 5
W = t([1.0, 2.0, 1.0])


EXACTING = {"law_extremes"}  # 1e30 squared times a weight of 0 is nan in a plain formula

# As the pages write them.


class WeightedMSELoss(nn.Module):
    def __init__(self, weights: Any) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, predictions: Any, targets: Any) -> Any:
        squared_error = (predictions - targets) ** 2
        weighted_squared_error = self.weights * squared_error
        return torch.mean(weighted_squared_error)


def mape(output: Any, target: Any) -> Any:
    return torch.mean(torch.abs((target - output) / target))


def my_custom_rmse_loss(output: Any, target: Any) -> Any:
    return torch.sqrt(torch.mean((output - target) ** 2))


class MyParameterizedLoss(nn.Module):
    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, output: Any, target: Any) -> Any:
        l1_loss = torch.abs(output - target).mean()
        l2_loss = ((output - target) ** 2).mean()
        return self.alpha * l1_loss + (1 - self.alpha) * l2_loss


class LearnableLoss(nn.Module):
    """With a parameter and a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(t(0.0))
        self.features = nn.Linear(2, 2, bias=False)

    def forward(self, output: Any, target: Any) -> Any:
        difference = self.features(output) - self.features(target)
        return (difference**2).mean() * torch.exp(-self.log_scale) + self.log_scale


# Shorter, with shape checks, reductions, weights and masks of their own.


@pytest.fixture(scope="module")
def short() -> Iterator[dict[str, Any]]:
    before = set(LOSSES)

    @loss
    def weighted_mse(input: Real[Tensor, "..."], target: Real[Tensor, "..."], weights: Weight[Tensor, "..."]) -> PerElement:
        """weights * (input - target)**2; the mean divides by the elements."""
        return weights * (input - target) ** 2

    @loss
    def relative(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
        """|input - target| / |target|."""
        return torch.abs((target - input) / target)

    @loss
    def mixture(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, alpha: UnitInterval = 0.5) -> PerElement:
        """alpha * |d| + (1 - alpha) * d**2."""
        d = input - target
        return alpha * torch.abs(d) + (1 - alpha) * d**2

    @loss(module_order="logit reduction")
    def learned_mixture(input: Real[Tensor, "..."], target: Real[Tensor, "..."], logit: Real[Tensor, ""]) -> PerElement:
        """The mixture, its alpha = sigmoid(logit) a tensor that may learn."""
        d, alpha = input - target, torch.sigmoid(logit)
        return alpha * torch.abs(d) + (1 - alpha) * d**2

    @loss(module_order="log_scale reduction")
    def scaled(input: Real[Tensor, "..."], target: Real[Tensor, "..."], log_scale: Real[Tensor, ""]) -> PerElement:
        """The squared difference under a noise that is learned (Kendall, Gal and Cipolla, 2018)."""
        return (input - target) ** 2 * torch.exp(-log_scale) + log_scale

    yield {name: LOSSES[name] for name in set(LOSSES) - before}
    for name in set(LOSSES) - before:
        del LOSSES[name]


def gradient(function: Any, x: Tensor) -> Any:
    x = x.detach().clone().requires_grad_()
    function(x).backward()
    return x.grad.tolist()


# (row of the documents, as the page writes it, ours, the input, the true value)
ROWS: list[tuple[str, Any, Any, Tensor, float]] = [
    ("000-10", lambda x, own: WeightedMSELoss(W)(x, B), lambda x, own: own["weighted_mse"](x, B, W), A, 0.18),
    ("001-16", lambda x, own: mape(x, t([100.0, 200.0])), lambda x, own: own["relative"](x, t([100.0, 200.0])), t([110.0, 180.0]), 0.1),
    ("001-16, shipped", lambda x, own: mape(x, t([100.0, 200.0])), lambda x, own: F.mape_loss(x, t([100.0, 200.0])), t([110.0, 180.0]), 0.1),
    ("004-06", lambda x, own: my_custom_rmse_loss(x, N), lambda x, own: F.rmse_loss(x, N), M, math.sqrt(5)),
    ("004-07", lambda x, own: MyParameterizedLoss(alpha=0.3)(x, N), lambda x, own: own["mixture"](x, N, alpha=0.3), M, 4.1),
    ("004-07b", lambda x, own: MyParameterizedLoss()(x, N), lambda x, own: own["mixture"].Module()(x, N), M, 3.5),
    ("004-07, as a sum of losses", lambda x, own: MyParameterizedLoss(alpha=0.3)(x, N), lambda x, own: (0.3 * nn.L1Loss() + 0.7 * nn.MSELoss())(x, N), M, 4.1),
]  # fmt: skip


@pytest.mark.parametrize(("row", "page", "ours", "x", "true"), ROWS, ids=[r[0] for r in ROWS])
def test_both_ways(row: str, page: Any, ours: Any, x: Tensor, true: float, short: dict[str, Any]) -> None:
    assert page(x, short).item() == pytest.approx(true, rel=1e-6)
    assert ours(x, short).item() == pytest.approx(true, rel=1e-6)
    assert gradient(lambda x: ours(x, short), x) == pytest.approx(gradient(lambda x: page(x, short), x), rel=1e-5)


def test_where_the_pages_fail() -> None:
    """At a perfect fit the page's RMSE has no gradient, and its MAPE of a target of 0 is infinite."""
    assert np.isnan(gradient(lambda x: my_custom_rmse_loss(x, M), M)).all()
    assert gradient(lambda x: F.rmse_loss(x, M), M) == [0.0, 0.0]
    assert math.isinf(mape(M, N).item()) and math.isfinite(F.mape_loss(M, N).item())


def test_the_short_ones_have_everything(short: dict[str, Any]) -> None:
    """Reductions, sample weights, masks and errors that name them."""
    weighted = short["weighted_mse"]
    assert weighted(A, B, W, reduction="none").tolist() == pytest.approx([0.04, 0.5, 0.0])
    assert weighted(A, B, W, mask=t([True, False, True])).item() == pytest.approx(0.02)
    assert short["mixture"](M, N, alpha=0.3, reduction="sum", sample_weight=t([1.0, 0.0])).item() == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"weighted_mse: target has shape \(3, 1\)"):
        weighted(A, B.unsqueeze(1), W)
    with pytest.raises(ValueError, match="mixture: alpha=1.5"):
        short["mixture"].Module(alpha=1.5)
    with pytest.raises(TypeError, match="missing argument 'weights'"):
        weighted(A, B)


def test_the_short_ones_obey_the_laws(short: dict[str, Any]) -> None:
    for made in (short["weighted_mse"], short["mixture"]):
        for law in LOSS_LAWS:
            if law.__name__ not in EXACTING:
                law(made, loss_samples.samples(made)[0])


def test_an_alpha_that_learns(short: dict[str, Any]) -> None:
    """A tensor among the arguments: the module keeps it, as a parameter when it is one."""
    criterion = short["learned_mixture"].Module(logit=nn.Parameter(t(0.0)))
    assert [name for name, _ in criterion.named_parameters()] == ["logit"]
    assert criterion(M, N).item() == pytest.approx(MyParameterizedLoss()(M, N).item())
    assert criterion.state_dict().keys() == {"logit"} and repr(criterion) == "LearnedMixtureLoss()"
    optimizer = optim.SGD(criterion.parameters(), lr=0.5)
    start = criterion(M, N).item()
    for _ in range(20):
        optimizer.zero_grad()
        criterion(M, N).backward()
        optimizer.step()
    assert criterion(M, N).item() < start and criterion.logit.item() > 1.0  # l1 is the smaller of the two
    constant = short["learned_mixture"].Module(logit=t(0.0))
    assert not list(constant.parameters()) and [name for name, _ in constant.named_buffers()] == ["logit"]
    with pytest.raises(TypeError, match="missing argument 'logit'"):
        short["learned_mixture"].Module()


def test_a_scale_that_learns_finds_the_noise(short: dict[str, Any]) -> None:
    r = np.random.default_rng(0)
    noise = r.normal(size=400) * 3.0
    x, target = torch.zeros(400), t(noise.astype(np.float32))
    criterion = short["scaled"].Module(log_scale=nn.Parameter(t(0.0)))
    optimizer = optim.Adam(criterion.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        criterion(x, target).backward()
        optimizer.step()
    assert criterion.log_scale.item() == pytest.approx(math.log(float((noise**2).mean())), abs=1e-3)


def test_parameters_and_modules_inside_a_loss() -> None:
    """As the page says: a loss is a module, so what it holds is found and trained."""
    torch.manual_seed(0)
    criterion = LearnableLoss()
    assert {name for name, _ in criterion.named_parameters()} == {"log_scale", "features.weight"}
    model = nn.ModuleList([nn.Linear(2, 2), criterion])
    assert criterion in list(model.children()) and len(list(model.parameters())) == 4
    output, target = torch.randn(5, 2, requires_grad=True), torch.randn(5, 2)
    criterion(output, target).backward()
    assert output.grad is not None and all(p.grad is not None and p.grad.abs().sum().item() > 0 for p in criterion.parameters())
    assert not list(MyParameterizedLoss(alpha=0.3).parameters())  # a float is an option, not a parameter


def test_a_model_inside_a_formula() -> None:
    """A formula may use a model: what it closes over gets its gradients too."""
    features = nn.Linear(2, 3, bias=False)
    before = set(LOSSES)

    @loss
    def perceptual(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
        """The distance of what a model sees."""
        return ((features(input) - features(target)) ** 2).sum(-1, keepdim=True) * torch.ones(1, 2) / 2

    try:
        x, y = t([[1.0, 2.0]], requires_grad=True), t([[0.0, 1.0]])
        value = perceptual(x, y, reduction="sum")
        value.backward()
        w = features.weight.detach().numpy()
        assert value.item() == pytest.approx(float((w.sum(1) ** 2).sum()), rel=1e-5)
        np.testing.assert_allclose(x.grad.numpy()[0], 2 * w.T @ w.sum(1), rtol=1e-5)
        np.testing.assert_allclose(features.weight.grad.numpy(), np.repeat(2 * w.sum(1)[:, None], 2, 1), rtol=1e-5)
    finally:
        for name in set(LOSSES) - before:
            del LOSSES[name]
