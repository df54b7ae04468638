"""The documents' examples: true values at the digits printed, written as the documents write them.

Values are torch 2.13's (float32); where a page prints something else, the page is wrong and the remark says so.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F
from tinygrad_loss.utils.data import DataLoader, TensorDataset

t = torch.tensor

A, B = t([1.2, 3.4, 2.1]), t([1.0, 3.0, 2.0])
LOGITS, CLASSES = t([[2, 0.5, -1], [-0.5, 1.5, 0]]), t([0, 2])
Z, Y = t([1.5, -0.8, 3.2]), t([1.0, 0.0, 1.0])
LOG_Q, P = t([[0.4, 0.3, 0.3], [0.2, 0.7, 0.1]]).log(), t([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
H, HT = t([1, 2.5, 10]), t([1.1, 2, 8])
M, MT = t([0.0, 3.0]), t([1.0, 0.0])
LP, ONE_HOT = t([[-1.9, -0.29, -2.3], [-0.29, -1.9, -2.3]]), t([[0.0, 1, 0], [1, 0, 0]])
TABLE, ROWS = t([[2, 0.5, 0.3], [0.1, 3, 0.2], [0.2, 0.1, 4]]), t([0, 1, 2])
SOFT = t([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]])
RAW, MANY = t([2.0, -1, 0.5, -3]), t([1.0, 0, 1, 0])
R, RT = t([2.5, 0.5, 2, 8]), t([3, -0.5, 2, 7])
U, UT = t([2.0, 3, 4]), t([2.5, 3.5, 4.5])
V, VY = t([0.5, -1.5, 2]), t([1.0, 0, 1])
C, CY = t([[1.0, 2, 3]] * 2), t([2, 0])
K, KT = t([[0.4, 0.6], [0.3, 0.7]]).log(), t([[0.5, 0.5], [0.4, 0.6]])
W, WY = t([-1.0, 2, -0.5]), t([0.0, 1, 0])


class WeightedMSELoss(nn.Module):
    def __init__(self, weights: Any) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, predictions: Any, targets: Any) -> Any:
        squared_error = (predictions - targets) ** 2
        return torch.mean(self.weights * squared_error)


class MyParameterizedLoss(nn.Module):
    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, output: Any, target: Any) -> Any:
        l1_loss = torch.abs(output - target).mean()
        l2_loss = ((output - target) ** 2).mean()
        return self.alpha * l1_loss + (1 - self.alpha) * l2_loss


def mape(output: Any, target: Any) -> Any:
    return torch.mean(torch.abs((target - output) / target))


def my_custom_rmse_loss(output: Any, target: Any) -> Any:
    return torch.sqrt(torch.mean((output - target) ** 2))


def seeded_bce() -> Any:
    torch.manual_seed(0)
    return nn.BCELoss()(torch.sigmoid(torch.randn(4, 5)), torch.randint(0, 2, (4, 5)).float())


def seeded_nll(loss: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    return loss(torch.randn(4, 3), t([0, 2, 1, 0]))


def seeded_mse() -> Any:
    torch.manual_seed(0)
    predicted, target = torch.randn(10, 1, requires_grad=True), torch.randn(10, 1)
    return nn.MSELoss()(predicted, target)


def slope(function: Callable[..., Any], x: Any) -> Any:
    x = x.clone().requires_grad_()
    function(x).backward()
    return x.grad


# (row, the call, true value): a number, a list, or what the tensor prints
EXAMPLES: list[tuple[str, Callable[[], Any], Any]] = [
    ("000-01", lambda: nn.L1Loss()(A, B), 0.233333), ("000-01 printed", lambda: nn.L1Loss()(A, B), "tensor(0.2333)"),
    ("000-02", lambda: nn.MSELoss()(A, B), 0.07), ("000-02 printed", lambda: nn.MSELoss()(A, B), "tensor(0.0700)"),
    ("000-03", lambda: nn.CrossEntropyLoss()(LOGITS, CLASSES), 1.023834),
    ("000-04", lambda: nn.BCEWithLogitsLoss()(Z, Y), 0.204156),
    ("000-06", lambda: nn.KLDivLoss(reduction="batchmean")(LOG_Q, P), 0.028961),
    ("000-07", lambda: nn.HuberLoss(delta=1.0)(H, HT), 0.543333), ("000-07b", lambda: nn.SmoothL1Loss(beta=1.0)(H, HT), 0.543333),
    ("000-10", lambda: WeightedMSELoss(t([1.0, 2, 1]))(t([1.2, 3.5, 2]), B), 0.18),
    ("000-10 F", lambda: F.mse_loss(t([1.2, 3.5, 2]), B, weight=t([1.0, 2, 1])), 0.135),
    ("001-01", lambda: nn.L1Loss()(M, MT), 2.0), ("001-02", lambda: nn.MSELoss()(M, MT), 5.0),
    ("001-03", lambda: (lambda e: e[1] / e.sum())(nn.MSELoss(reduction="none")(M, MT)), 0.9),
    ("001-04", lambda: (lambda e: e[1] / e.sum())(nn.L1Loss(reduction="none")(M, MT)), 0.75),
    ("001-05", lambda: [nn.MSELoss(reduction="sum")(t(x), t([0.0] * len(x))).item() for x in ([1.0, 1], [2.0])], [2, 4]),
    ("001-06", lambda: [nn.L1Loss(reduction="sum")(t(x), t([0.0] * len(x))).item() for x in ([1.0, 1], [2.0])], [2, 2]),
    ("001-07", lambda: nn.CrossEntropyLoss()(LP, ONE_HOT), 0.288089),
    ("001-08", lambda: torch.softmax(LP, dim=1).sum(1), [1.0, 1.0]),
    ("001-08b", lambda: torch.softmax(LP, dim=1)[[0, 1], [1, 0]], [0.749695, 0.749695]),
    ("001-09", lambda: nn.CrossEntropyLoss()(LP, t([1, 0])), 0.288089),
    ("001-10", lambda: torch.argmax(ONE_HOT, dim=1), "tensor([1, 0])"),
    ("001-11", lambda: nn.NLLLoss()(nn.LogSoftmax(dim=1)(LP), t([1, 0])), 0.288089),
    ("001-12", lambda: nn.BCELoss()(t([0.75, 0.25]), t([1.0, 0])), 0.287682), ("001-13", lambda: -torch.log(t(0.75)), 0.287682),
    ("001-14", lambda: -torch.log(t([1.0, 0.0])), [0.0, math.inf]), ("001-15", lambda: slope(lambda p: -torch.log(p), t(0.4)), -2.5),
    ("001-16", lambda: mape(t([110.0, 180]), t([100.0, 200])), 0.1), ("001-16 inf", lambda: mape(M, MT), math.inf),
    ("001-17", lambda: [slope(lambda x: (x**2).mean(), t([3.0])).item(), slope(lambda x: torch.sqrt((x**2).mean()), t([3.0])).item()], [6, 1]),
    ("001-17b", lambda: slope(lambda x: torch.sqrt((x**2).mean()), t([0.0, 0.0])), [math.nan, math.nan]),
    ("001-18", lambda: slope(lambda x: torch.abs(x), t(0.0)), 0.0),
    ("001-19", lambda: nn.BCELoss()(t([0.75, 0.25]), t([0.9, 0.1])), 0.397543),
    ("002-01, the page says 0.1763", lambda: nn.CrossEntropyLoss()(TABLE, ROWS), 0.163982),
    ("002-01 each", lambda: nn.CrossEntropyLoss(reduction="none")(TABLE, ROWS), [0.340616, 0.109601, 0.04173]),
    ("002-02", lambda: nn.CrossEntropyLoss(label_smoothing=0.1)(TABLE, ROWS), 0.348427),
    ("002-03", lambda: nn.CrossEntropyLoss(label_smoothing=0.1)(TABLE[:2], SOFT), 0.573692),
    ("002-03 once", lambda: nn.CrossEntropyLoss()(TABLE[:2], SOFT), 0.447609),
    ("002-04", lambda: torch.sigmoid(RAW), [0.880797, 0.268941, 0.622459, 0.047426]),
    ("002-04 printed", lambda: torch.sigmoid(RAW), "tensor([0.8808, 0.2689, 0.6225, 0.0474])"),
    ("002-05, the page says 0.2824", lambda: nn.BCELoss()(torch.sigmoid(RAW), MANY), 0.240714),
    ("002-06", lambda: nn.BCEWithLogitsLoss()(RAW, MANY), 0.240714),
    ("002-07", lambda: nn.BCEWithLogitsLoss(pos_weight=t([10.0]))(RAW, MANY), 1.592975),
    ("002-08", seeded_bce, 0.712220), ("002-09", lambda: seeded_nll(lambda x, y: nn.NLLLoss()(torch.log_softmax(x, dim=1), y)), 1.082031),
    ("002-09 CE", lambda: seeded_nll(nn.CrossEntropyLoss()), 1.082031),
    ("002-10, the page says 0.3750", lambda: nn.MSELoss()(R, RT), 0.5625), ("002-10b", lambda: ((R - RT) ** 2).mean(), 0.5625),
    ("002-10 with 0.0 second", lambda: nn.MSELoss()(t([2.5, 0.0, 2, 8]), RT), 0.375),
    ("002-11, the page says 0.5000", lambda: nn.L1Loss()(R, RT), 0.625), ("002-12", lambda: nn.SmoothL1Loss()(R, RT), 0.28125),
    ("003-01", lambda: nn.MSELoss()(U, UT), 0.25), ("003-01s", lambda: nn.MSELoss(reduction="sum")(U, UT), 0.75),
    ("003-01n", lambda: nn.MSELoss(reduction="none")(U, UT), [0.25] * 3), ("003-02", lambda: nn.CrossEntropyLoss()(C, CY), 1.407606),
    ("003-03", lambda: nn.BCEWithLogitsLoss()(V, VY), 0.267473), ("003-04", lambda: nn.SmoothL1Loss()(U, UT), 0.125),
    ("003-06", lambda: nn.KLDivLoss(reduction="batchmean")(K, KT), 0.021497),
    ("003-10", lambda: nn.BCEWithLogitsLoss(weight=t([1.0, 2, 3]))(V, VY), 0.419229),
    ("003-11", lambda: nn.CrossEntropyLoss(weight=t([1.0, 1, 3]))(C, CY), 0.907606),
    ("003-12", lambda: nn.CrossEntropyLoss(ignore_index=-100)(C, t([2, -100])), 0.407606),
    ("004-01", seeded_mse, 1.155020), ("004-02", lambda: F.mse_loss(A, B) - nn.MSELoss()(A, B), 0.0),
    ("004-03, the page says 0.3711", lambda: nn.BCEWithLogitsLoss(reduction="mean")(W, WY), 0.304756),
    ("004-04, the page says 1.1133", lambda: nn.BCEWithLogitsLoss(reduction="sum")(W, WY), 0.914267),
    ("004-05", lambda: nn.BCEWithLogitsLoss(reduction="none")(W, WY), "tensor([0.3133, 0.1269, 0.4741])"),
    ("004-06", lambda: my_custom_rmse_loss(M, MT), 2.236068), ("004-07", lambda: MyParameterizedLoss(alpha=0.3)(M, MT), 4.1),
    ("004-07b", lambda: MyParameterizedLoss()(M, MT), 3.5), ("004-10", lambda: nn.CrossEntropyLoss()(TABLE, F.one_hot(ROWS, 3).float()), 0.163982),
    ("P5 BCE", lambda: nn.BCELoss()(torch.sigmoid(t([20.0])), t([0.0])), 100.0), ("P5 logits", lambda: nn.BCEWithLogitsLoss()(t([20.0]), t([0.0])), 20.0),
    ("P6", lambda: [f(t([2.0]), t([0.0])).item() for f in (nn.HuberLoss(delta=0.5), nn.SmoothL1Loss(beta=0.5))], [0.875, 1.75]),
    ("P7", lambda: [f(t([0.3]), t([0.0])).item() for f in (nn.HuberLoss(), nn.MSELoss())], [0.045, 0.09]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "true"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES])
def test_value(call: Callable[[], Any], true: Any) -> None:
    got = call()
    if isinstance(true, str):
        assert str(got) == true
        return
    values = np.asarray(got.detach() if isinstance(got, torch.Tensor) else got, float)
    assert values.shape == np.shape(true)
    np.testing.assert_allclose(values, true, rtol=2e-6, atol=6e-7)


def test_nll_of_rows_that_are_no_distribution_warns_and_gives_the_value() -> None:
    """000-05: the page's rows exponentiate to 1.648 and 1.490."""
    with pytest.warns(torch.LossWarning, match=r"nll_loss: input.*sum to 1.*1\.648.*log_softmax"):
        loss = nn.NLLLoss()(t([[-0.2, -1.5, -0.5], [-0.8, -0.1, -2]]), t([0, 1]))
    assert str(loss) == "tensor(0.1500)"


def test_kl_div_mean_divides_by_every_element_and_says_so() -> None:
    """003-07: the page calls it the mean across the batch."""
    with pytest.warns(torch.LossWarning, match=r"divides by all N\*C=4 .*'batchmean', 2 x"):
        loss = nn.KLDivLoss()(K, KT)
    assert loss.item() == pytest.approx(0.010748, abs=6e-7)


def test_logits_into_bce_raise() -> None:
    """002-13: instability or nan, says the page; torch raises, and so do we, with the remedy."""
    with pytest.raises(RuntimeError, match=r"input\[0\] is 2.*between 0 and 1.*binary_cross_entropy_with_logits"):
        nn.BCELoss()(RAW, MANY)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(), nn.BCEWithLogitsLoss(), nn.BCELoss()])
def test_columns_against_vectors_raise(loss: Any) -> None:
    """004-08, 004-09: torch broadcasts (4, 1) against (4,) to (4, 4) in the first four, with a warning."""
    with pytest.raises(ValueError, match=r"target has shape \(4,\), expected \(4, 1\).*\(4, 4\).*squeeze.*unsqueeze"):
        loss(torch.rand(4, 1), torch.rand(4))


def test_grad_fn_of_the_page() -> None:
    """004-01: <MseLossBackward0>."""
    loss = seeded_mse()
    assert str(loss) == "tensor(1.1550, grad_fn=<MseLossBackward0>)"
    loss.backward()
    assert "NllLossBackward0" in repr(nn.CrossEntropyLoss()(LOGITS.clone().requires_grad_(), CLASSES))


def test_parameterised_loss_has_no_parameters_but_is_a_child() -> None:
    """004-07: the float alpha is not learnable."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.criterion = MyParameterizedLoss(alpha=0.3)

    assert list(MyParameterizedLoss().parameters()) == [] and len(list(Model().children())) == 1


@pytest.mark.parametrize("seed", [2148, 6355, 10942])
def test_training_step(seed: int) -> None:
    """000-11, with the seeds for which torch prints the page's 1.1385."""
    torch.manual_seed(seed)
    model = nn.Linear(10, 3)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    inputs = torch.randn(32, 10)
    targets = torch.randint(0, 3, (32,))

    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    assert f"Loss: {loss.item():.4f}" == "Loss: 1.1385"
    assert criterion(model(inputs), targets).item() < loss.item()


def test_epochs_over_a_loader() -> None:
    """The loop of the pages: for inputs, labels in train_loader."""
    inputs = torch.randn(64, 4)
    labels = (inputs.sum(1) > 0).long()
    train_loader = DataLoader(TensorDataset(inputs, labels), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    criterion, optimizer, history = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05), []
    for _ in range(8):
        running_loss = 0.0
        for batch, target in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(batch), target)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        history.append(running_loss / len(train_loader))
    accuracy = (model(inputs).argmax(dim=1) == labels).float().mean().item()
    assert history[-1] < 0.5 * history[0] and accuracy > 0.9


def test_names_of_the_documents() -> None:
    """What the pages call exists and does it: section 4 of what they use."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float32)
    assert x.dtype == torch.float32 and torch.tensor([1, 2]).float().dtype == torch.float32
    for name in ("log", "sigmoid", "abs", "sqrt", "mean"):
        assert isinstance(getattr(torch, name)(x), torch.Tensor)
    assert torch.allclose(x, x) if hasattr(torch, "allclose") else True
    assert f"{x.mean().item():.4f}" == "2.5000" and x.argmax(dim=1).tolist() == [1, 1]
    assert isinstance(x.mean().item(), float) and (x**2 + 1 - x / 2).shape == (2, 2)
    for module in (nn.LogSoftmax(dim=1), nn.Softmax(dim=1), nn.Sigmoid(), nn.Linear(2, 3)):
        assert isinstance(module, nn.Module) and module(x).shape[0] == 2
    for loss in (nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss, nn.HuberLoss, nn.CrossEntropyLoss, nn.NLLLoss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.KLDivLoss):
        assert issubclass(loss, nn.Module) and repr(loss()) == f"{loss.__name__}()"
    assert torch.randn(2, 3, requires_grad=True).requires_grad and torch.randint(0, 3, (5,)).dtype == torch.int64


def test_no_page_value_needs_a_warning() -> None:
    """Nothing in the table above advises or deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, call, _ in EXAMPLES:
            call()
