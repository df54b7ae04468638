"""What docstrings promise in passing: ties, nans, the ends of the range, what a graph keeps."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.threads import run_all


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_a_nan_result_has_the_gradient_of_the_nans(name: str) -> None:
    x = tl.tensor([[1.0, np.nan, 3.0, np.nan], [1.0, 2.0, 2.0, 1.0]], requires_grad=True)
    getattr(x, name)(1).backward(tl.tensor([4.0, 2.0]))
    ties = {"amax": [0.0, 1.0, 1.0, 0.0], "amin": [1.0, 0.0, 0.0, 1.0]}
    assert x.grad.tolist() == [[0.0, 2.0, 0.0, 2.0], ties[name]]


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_the_order_of_equal_elements(descending: bool) -> None:
    x = np.array([[2.0, 1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 3.0, 0.0, 3.0]])
    wanted = np.argsort(-x if descending else x, 1, kind="stable").tolist()
    assert tl.sort(tl.tensor(x), 1, descending).indices.tolist() == wanted
    assert tl.argsort(tl.tensor(x), 1, descending).tolist() == wanted


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_mean_overflows_only_where_its_value_does(kind: type) -> None:
    top = np.finfo(kind).max
    x = tl.tensor(np.array([top, top, -top, top], kind))
    assert tl.mean(x).item() == pytest.approx(top / 2, rel=1e-6)
    assert np.isfinite(tl.mean(tl.tensor(np.full((3, 2), top)), 0).array).all()


def test_create_graph_keeps_the_graph() -> None:
    x = tl.tensor([0.5, 1.0], requires_grad=True)
    y = x.exp().sum()
    y.backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.sum().backward(retain_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), np.exp([0.5, 1.0]), rtol=1e-6)
    x.grad = None
    y.backward()  # once more through the same nodes, which this frees
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


@pytest.mark.parametrize("kind", ["float64", "int64", "uint8"])
def test_full_is_filled_in_its_own_dtype(kind: str) -> None:
    value = {"float64": 0.1, "int64": 2.0**24 + 1.0, "uint8": 255}[kind]
    assert tl.full((2,), value, dtype=getattr(tl, kind)).tolist() == [value] * 2
    assert tl.full_like(tl.zeros(2, dtype=getattr(tl, kind)), value).tolist() == [value] * 2
    with pytest.raises(ValueError, match="does not fit"):
        tl.full((2,), float("nan") if kind != "float64" else 10**400, dtype=getattr(tl, kind if kind != "float64" else "int64"))


def test_a_dim_is_an_integer_of_any_kind() -> None:
    x = tl.ones(2, 3)
    assert x.sum(np.int64(1)).tolist() == x.sum(1).tolist()
    with pytest.raises(TypeError, match="dim must be an int"):
        x.sum(0.5)


def test_the_slope_of_expm1_keeps_its_digits() -> None:
    """exp(x) is what it is, where expm1(x) + 1 has lost it."""
    x = tl.tensor([-40.0, -60.0], dtype=tl.float64, requires_grad=True)
    tl.expm1(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([-40.0, -60.0]), rtol=1e-14)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_rmse_where_squares_overflow_and_vanish(size: float) -> None:
    x = tl.tensor([size, -size, size, size], dtype=tl.float64, requires_grad=True)
    value = tl.nn.functional.rmse_loss(x, tl.zeros(4, dtype=tl.float64))
    value.backward()
    assert value.item() == pytest.approx(size, rel=1e-14)
    np.testing.assert_allclose(x.grad.numpy(), [0.25, -0.25, 0.25, 0.25], rtol=1e-14)


def test_a_new_rate_counts_for_the_decay_as_well() -> None:
    """AdamW shrinks by lr * weight_decay: nothing at a rate of 0, whatever the steps before were."""
    w = tl.tensor([1.0, -2.0], requires_grad=True)
    optimizer = tl.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    for rate in (0.1, 0.0):
        optimizer.param_groups[0]["lr"] = rate
        before = w.tolist()
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        assert (w.tolist() == before) == (rate == 0.0)


def test_a_weight_of_0_has_no_slope_against_an_infinite_logarithm() -> None:
    p = tl.tensor([0.0, 0.5], requires_grad=True)
    q = tl.tensor([-np.inf, -1.0], requires_grad=True)
    tl.ops.stable.times_log(p, q).sum().backward()
    assert p.grad.tolist() == [0.0, -1.0]
    assert q.grad.tolist() == [0.0, 0.5]


def test_nothing_is_recorded_where_nothing_requires_grad() -> None:
    a, b = tl.ones(2), tl.tensor([3.0, 4.0])
    results = [a + b, a * 2.0, 2.0 - a, -a, a.exp(), a**b, tl.where(a > 0, a, b), a.sum(), tl.cat([a, b]), a @ b, tl.nn.functional.mse_loss(a, b)]
    assert [r.requires_grad or r.grad_fn is not None for r in results] == [False] * len(results)
    a.requires_grad_()
    with tl.no_grad():
        results = [a + b, b + a, a * 2.0, -a, tl.cat([a, b]), tl.nn.functional.mse_loss(a, b)]
    assert [r.requires_grad for r in results] == [False] * len(results)


def test_a_scope_leaves_the_mode_alone() -> None:
    w = tl.ones(2, requires_grad=True)
    with tl.no_grad(), tl.scope("box"):
        assert not tl.is_grad_enabled()
        assert not (w * 2.0).requires_grad
    with tl.scope("box"), tl.no_grad():
        assert not (w * 2.0).requires_grad
    with tl.no_grad():
        assert not tl.nn.Linear(2, 1)(tl.ones(1, 2)).requires_grad


def test_xlogy_of_0_and_0_is_flat_on_both_sides() -> None:
    a, b = (tl.tensor([0.0, 0.0, 2.0], requires_grad=True), tl.tensor([0.0, 3.0, 4.0], requires_grad=True))
    tl.xlogy(a, b).sum().backward()
    assert b.grad.tolist() == [0.0, 0.0, 0.5]
    np.testing.assert_allclose(a.grad.numpy(), [0.0, np.log(3.0), np.log(4.0)], rtol=1e-6)


def test_a_power_of_0_is_flat_in_its_exponent() -> None:
    a, b = tl.tensor([0.0, 0.0, 2.0]), tl.tensor([0.0, 2.0, 3.0], requires_grad=True)
    (a**b).sum().backward()
    np.testing.assert_allclose(b.grad.numpy(), [0.0, 0.0, 8.0 * np.log(2.0)], rtol=1e-6)


def test_cross_entropy_of_a_target_that_is_nearly_impossible() -> None:
    """exp(-744.5) is among the last numbers that float64 holds, with one digit left."""
    z = tl.tensor([[-372.0, 372.5], [0.0, 0.0]], requires_grad=True)
    value = tl.nn.functional.cross_entropy(z, tl.tensor([0, 1]), reduction="sum")
    value.backward()
    assert value.item() == pytest.approx(744.5 + np.log(2.0), rel=1e-6)
    np.testing.assert_allclose(z.grad.numpy(), [[-1.0, 1.0], [0.5, -0.5]], rtol=1e-6)


@pytest.mark.parametrize("size", [5000, 70_000])
def test_the_mean_of_a_large_loss_overflows_only_where_its_value_does(size: int) -> None:
    x = tl.tensor(np.full(size, 1e305), requires_grad=True)
    value = tl.nn.functional.l1_loss(x, tl.zeros(size, dtype=tl.float64))
    value.backward()
    assert value.item() == pytest.approx(1e305, rel=1e-12)
    assert x.grad.tolist() == [1.0 / size] * size


def test_an_error_of_a_later_task_reaches_the_caller() -> None:
    before = tl.get_num_threads()
    tl.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError):
            run_all([lambda: 1.0, lambda: 1.0 / 0.0, lambda: 3.0])
        assert run_all([lambda: 1.0, lambda: 2.0, lambda: 3.0]) == [1.0, 2.0, 3.0]
    finally:
        tl.set_num_threads(before)


@pytest.mark.parametrize("size", [3, 300])
def test_the_sign_of_a_nan_is_nan(size: int) -> None:
    x = np.linspace(-1.0, 1.0, size)
    x[1] = np.nan
    np.testing.assert_array_equal(tl.sign(tl.tensor(x)).numpy(), np.sign(x))
    y = tl.tensor(np.where(np.isnan(x), np.inf, x))
    np.testing.assert_array_equal(tl.sign(y).numpy(), np.sign(y.numpy()))
