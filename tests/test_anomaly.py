"""detect_anomaly names the first operation that made a nan, and the line that called it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.losses import Real
from tinygrad_loss.modes import _DEFAULT, get_state
from tinygrad_loss.tape import Tensor

F = nn.functional
NAN = float("nan")


@tl.loss
def anomaly_test_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> Any:  # noqa: UP037
    difference = input - target
    return tl.sqrt(difference * difference)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    assert get_state() is _DEFAULT


def leaf(*values: float) -> Tensor:
    return tl.tensor(list(values), requires_grad=True)


def caught(work: Callable[[], Any]) -> str:
    with pytest.raises(RuntimeError, match=r"^detect_anomaly: ") as error, autograd.detect_anomaly():
        work()
    return str(error.value)


def line_of(function: Callable[..., Any], text: str) -> str:
    lines, start = inspect.getsourcelines(function)
    (number,) = [start + i for i, line in enumerate(lines) if text in line]
    return f"called at {__file__}:{number}: "


# Forward


def test_the_operation_and_its_line() -> None:
    def work() -> None:
        x = leaf(3.0, -1.0)
        y = x * 2
        z = y.log()  # the place
        (z * 2).sum()

    text = caught(work)
    assert f"the first nan was made by 'log', {line_of(work, '# the place')}z = y.log()" in text
    assert "Arguments: (2,); the nan is at (1,), where they are -2" in text


def test_an_inf_that_became_a_nan_is_traced_back() -> None:
    def work() -> None:
        x = leaf(0.0, 1.0)
        bad = x.log()  # makes -inf
        spread = bad + 1.0
        (x * spread).sum()  # 0 * -inf

    text = caught(work)
    assert f"made by 'mul', {line_of(work, '# 0 * -inf')}" in text
    assert "where they are 0, -inf" in text
    assert f"An argument holds an inf, made by 'log', {line_of(work, '# makes -inf')}" in text


def test_an_inf_alone_is_no_anomaly() -> None:
    x = leaf(0.0, 1.0)
    with autograd.detect_anomaly():
        x.log().sum().backward()
    assert x.grad.tolist() == [float("inf"), 1.0]


def test_a_nan_that_came_with_the_data() -> None:
    text = caught(lambda: leaf(1.0, 2.0) * tl.tensor([1.0, NAN]))
    assert "a nan came in with argument 1, at (1,), of 'mul', called at" in text
    assert "No recorded operation made it: look at the data and the parameters" in text
    x = leaf(-1.0).log()
    assert "It was made by 'log', before detect_anomaly was switched on" in caught(lambda: x * 2)


def test_a_nan_that_is_masked_is_no_anomaly() -> None:
    x = leaf(1.0, 2.0)
    with autograd.detect_anomaly():
        tl.where(tl.tensor([True, True]), x, tl.tensor([NAN, NAN])).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_inside_a_module_it_is_the_users_line() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sqrt()  # in forward

    text = caught(lambda: nn.Sequential(Net())(leaf(-1.0)))
    assert f"'sqrt' in Sequential/0: Net, {line_of(Net, '# in forward')}return x.sqrt()" in text


# Backward


def test_rmse_at_zero() -> None:
    """Mistake 20: the slope of sqrt at 0 is inf, and the square below multiplies it by 0."""

    def work() -> None:
        x = leaf(1.0, 2.0)
        error = ((x - x.detach()) ** 2).mean()
        loss = tl.sqrt(error)  # the root
        loss.backward()

    text = caught(work)
    assert text.startswith("detect_anomaly: Function 'PowBackward0' returned nan values in its 0th output")
    assert f"It met an inf, which was made by the gradient of 'sqrt', {line_of(work, '# the root')}" in text


def test_rmse_of_a_loss() -> None:
    """The inf comes from outside the loss, the nan is made inside."""

    def work() -> None:
        x = leaf(1.0, 2.0)
        loss = F.mse_loss(x, x.detach())  # the loss
        loss.sqrt().backward()  # the root

    text = caught(work)
    assert f"of 'square' in mse_loss, {line_of(work, '# the loss')}" in text
    assert f"made by the gradient of 'sqrt', {line_of(work, '# the root')}" in text


def test_a_loss_with_a_kernel_is_searched_by_its_formula() -> None:
    logits = tl.tensor([[float("inf"), 0.0]], requires_grad=True)
    assert "the first nan was made by 'log_softmax' in cross_entropy" in caught(
        lambda: F.cross_entropy(logits, tl.tensor([0]))
    )
    sure = tl.tensor([[200.0, 0.0]], requires_grad=True)
    text = caught(lambda: F.cross_entropy(sure, tl.tensor([0]), tl.tensor([0.0, 1.0]), reduction="sum").sqrt().backward())
    assert "of 'times_log' in cross_entropy" in text
    assert "made by the gradient of 'sqrt'" in text


@pytest.mark.parametrize("create_graph", [False, True])
def test_inside_a_loss_of_the_users(create_graph: bool) -> None:
    x = leaf(1.0, 2.0)
    text = caught(lambda: anomaly_test_loss(x, x.detach()).backward(create_graph=create_graph))
    assert "Function 'MulBackward0' returned nan" in text
    inside = "" if create_graph else " in anomaly_test_loss"
    line = line_of(anomaly_test_loss.formula, "return tl.sqrt")
    assert f"the gradient of 'sqrt'{inside}, {line}" in text


def test_nothing_is_written_and_the_graph_stays() -> None:
    x = leaf(0.0, 4.0)
    y = (x * x).sqrt().sum()
    text = caught(y.backward)
    assert "'mul', called before detect_anomaly was switched on" in text
    assert "the gradient of 'sqrt', called before detect_anomaly was switched on" in text
    assert x.grad is None
    y.backward()
    assert np.isnan(x.grad.array[0]) and x.grad.array[1] == 1.0


def test_a_nan_given_to_backward_is_the_callers() -> None:
    x = leaf(1.0)
    with autograd.detect_anomaly():
        (x * 2).backward(tl.tensor([NAN]))
    assert np.isnan(x.grad.array).all()
    text = caught(lambda: (leaf(1.0) * leaf(0.0)).backward(tl.tensor([float("inf")])))
    assert "It met an inf in the gradient that backward was given" in text


def test_a_second_derivative() -> None:
    """x ** 1.5 has no second derivative at 0: its first gradient is recorded, and searched as well."""

    def work() -> None:
        x = leaf(0.0)
        (g,) = autograd.grad(x.sqrt() * x * x, x, create_graph=True)
        g.backward()

    assert "detect_anomaly: Function '" in caught(work)


# The mode itself


def test_a_healthy_run_gives_the_same_gradients() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x, t = tl.randn(5, 3), tl.tensor([0, 1, 0, 1, 1])

    def gradients() -> list[Any]:
        loss = F.cross_entropy(model(x), t)
        plain = autograd.grad(loss, list(model.parameters()), retain_graph=True)
        return [g.detach().array for g in (*plain, *autograd.grad(loss, list(model.parameters()), create_graph=True))]

    usual = gradients()
    with autograd.detect_anomaly():
        watched = gradients()
    for a, b in zip(usual, watched, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_where_it_is_on() -> None:
    def raises() -> bool:
        try:
            leaf(-1.0).log()
        except RuntimeError:
            return True
        return False

    assert not raises()
    with autograd.detect_anomaly():
        assert raises()
        with tl.no_grad(), tl.enable_grad(), tl.scope("inner"):
            assert raises()
        with autograd.set_detect_anomaly(False):
            assert not raises()
        assert raises()
        with tl.no_grad():
            assert not raises()  # nothing is recorded
    assert not raises()
    with tl.scope("restores what is switched inside"):
        autograd.set_detect_anomaly(True)
        assert raises()
        autograd.set_detect_anomaly(False)
        assert not raises()
    with pytest.raises(TypeError, match="mode must be True or False, got str"):
        autograd.set_detect_anomaly("on")
