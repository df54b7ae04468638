"""Types, sums and NumPy around the engine: what a number, a dtype or another library may not change."""

from __future__ import annotations

import copy
import gc
import operator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.accumulate import accurate_sum, sum_to
from tinygrad_loss.tape import Tensor

F = nn.functional


def leaf(*values: Any, dtype: Any = None) -> Tensor:
    return tl.tensor(list(values), dtype=dtype, requires_grad=True)


# Types


@pytest.mark.parametrize("dtype", [tl.int64, tl.int32, tl.uint8, tl.bool])
def test_only_floats_can_require_grad(dtype: Any) -> None:
    """E09"""
    with pytest.raises(RuntimeError, match="only floating point"):
        tl.tensor([1, 0], dtype=dtype, requires_grad=True)
    x = tl.tensor([1, 0], dtype=dtype)
    with pytest.raises(RuntimeError, match=r"only floating point.*x\.float\(\)"):
        x.requires_grad_()
    assert not x.requires_grad


SCALARS = [2, 2.5, True, np.float64(2), np.sqrt(2), np.int64(3), np.float32(2), tl.tensor(3.0, dtype=tl.float64)]


@pytest.mark.parametrize("dtype", [tl.float16, tl.float32, tl.float64])
@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_a_number_never_changes_the_dtype(scalar: Any, dtype: Any) -> None:
    """E10: NumPy makes float64 of ``float32 * np.float64(2)``; a 0-d tensor is a number as well."""
    x = leaf(4.0, 9.0, dtype=dtype)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        for y in (f(x, scalar), f(scalar, x)):
            assert y.dtype is dtype, f
            assert tl.autograd.grad(y.sum(), x)[0].dtype is dtype, f


def test_a_float32_training_step_leaves_no_float64_alive() -> None:
    """E10: neither in a gradient nor on the tape, the tape inside the loss included."""
    x, t = tl.ones(4, 10), tl.zeros(4, 3)
    model = nn.Linear(10, 3)
    gc.collect()
    before = {id(a) for a in _float64_arrays()}
    out = model(x).sigmoid() * np.float64(2) + np.sqrt(2)
    loss = F.mse_loss(out, t) + F.smooth_l1_loss(out, t).exp() / np.array(3) + out.mean()
    loss.backward(retain_graph=True)
    with tl.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    fresh = [a for a in _float64_arrays() if id(a) not in before]
    assert fresh == []
    assert any(a.dtype == np.float32 for a in _arrays_under(loss))  # the search does find the tape's arrays


def _float64_arrays() -> list[Any]:
    found = {id(a): a for o in gc.get_objects() if issubclass(type(o), Tensor) for a in _arrays_under(o)}
    return [a for a in found.values() if a.dtype == np.float64]


def _arrays_under(root: Tensor) -> list[Any]:
    """Every array that the tape below ``root`` holds, in arguments and in settings."""
    arrays, stack, seen = [], [root], set()
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            arrays.append(value)
        elif isinstance(value, (tuple, list)):
            stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, Tensor):
            stack.append(value.array)
            stack.append(value._grad)
            if value.op is not None:
                stack.extend([value.args, value.settings])
    return arrays


def test_results_are_arrays_even_without_dimensions() -> None:
    """E11: a reduction of NumPy's gives a number that an in-place write cannot reach."""
    x = leaf(1.0, 2.0)
    for y in (x.sum(), x.mean(), x.max(), x[0], x.prod(), (x * x).sum() * 2, x.norm(), F.mse_loss(x, x * 2), x.std()):
        assert type(y.array) is np.ndarray
        assert y.array.shape == ()
        (g,) = tl.autograd.grad(y, x)
        assert type(g.array) is np.ndarray
    total = x.detach().sum()
    held = total.array
    total += 1
    assert total.array is held
    assert held == 4.0


# Accuracy of long sums


@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_over_the_first_axis_keep_their_digits(order: Any) -> None:
    """N01, N02: NumPy adds pairwise only along the last axis of a contiguous array."""
    values = np.asarray(np.random.default_rng(0).uniform(0, 1, (65536, 3)).astype(np.float32), order=order)
    exact = values.sum(0, dtype=np.float64)
    for found in (tl.from_numpy(values).sum(0).array, accurate_sum(values, (0,)), sum_to(values, (3,))):
        np.testing.assert_allclose(found, exact, rtol=1e-6)
    np.testing.assert_allclose(tl.from_numpy(values).mean(0).array, exact / 65536, rtol=1e-6)
    assert tl.ones(3000, 2, dtype=tl.float16).sum(0).tolist() == [3000.0, 3000.0]
    bias = tl.zeros(3, requires_grad=True)
    (tl.from_numpy(values) * 0 + bias).backward(tl.from_numpy(values))
    np.testing.assert_allclose(bias.grad.array, exact, rtol=1e-6)


# NumPy and Python around the tensor


def test_numpy_on_the_left_gives_a_tensor() -> None:
    """E16: ``np.ones(2) * x`` must not become an array of objects."""
    x = leaf(1.0, 2.0)
    for y in (np.ones(2, np.float32) * x, np.float32(2) * x, np.array([1.0, 2.0], np.float32) - x):
        assert isinstance(y, Tensor)
        assert y.requires_grad
    assert isinstance(np.ones((3, 2), np.float32) @ x, Tensor)


def test_ufuncs_are_refused_with_the_remedy() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(TypeError, match=r"np\.exp.*tinygrad_loss\.exp\(x\)"):
        np.exp(x)
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        np.asarray(x)


def test_the_truth_of_several_elements_is_ambiguous() -> None:
    """E16"""
    with pytest.raises(RuntimeError, match=r"ambiguous.*x\.any\(\) or x\.all\(\)"):
        bool(tl.tensor([1, 2]))
    assert bool(tl.tensor([1])) is True
    assert (tl.tensor(1.0) == tl.tensor(1.0)).item() is True


def test_copies_are_values_without_the_graph() -> None:
    """E15: a copy of a leaf is a leaf of its own; the copy of a result would be half a graph, so it raises."""
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin.is_leaf
    assert twin.grad.tolist() == [2.0, 4.0]
    assert not np.shares_memory(twin.array, x.array)
    assert not np.shares_memory(twin.grad.array, x.grad.array)
    (twin * 3).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    with pytest.raises(RuntimeError, match=r"graph leaves.*x\.detach\(\)\.clone\(\)"):
        copy.deepcopy(x * 2)
    build, args = (x * 2).__reduce_ex__(2)[:2]  # what crosses to another process
    sent = build(*args)
    assert sent.is_leaf and sent.tolist() == [2.0, 4.0]


# What must not depend on the surroundings

NAN = float("nan")
BOUNDS = {
    "relu": lambda x: x.relu(),
    "clamp": lambda x: x.clamp(0.0, 1.0),
    "clamp_min": lambda x: x.clamp_min(0.0),
    "maximum": lambda x: tl.maximum(x, tl.zeros(1)),
    "minimum": lambda x: tl.minimum(tl.zeros(1), x),
    "max": lambda x: x.max(),
    "amin": lambda x: x.amin(),
    "a nan bound": lambda x: tl.clamp(tl.ones(1, requires_grad=True), min=x.detach()),
}


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_a_nan_passes_every_bound(bound: Any) -> None:
    """K04"""
    assert np.isnan(bound(leaf(NAN)).detach().array).all()


def test_a_masked_branch_needs_a_safe_input() -> None:
    """K05: masking a result leaves 0 * inf in the gradient, in every library; masking the input does not."""
    for safe in (False, True):
        x = leaf(0.0, 1.0)
        inside = tl.where(x > 0, x, 1.0) if safe else x
        y = tl.where(x > 0, inside.log(), 0.0).sum()
        y.backward()
        assert y.item() == 0.0
        assert bool(np.isfinite(x.grad.array).all()) is safe


def test_numpys_global_generator_is_left_alone() -> None:
    """N04"""
    np.random.seed(0)
    before = np.random.get_state()[1].tolist()
    nn.Sequential(nn.Linear(3, 3), nn.Dropout(), nn.Embedding(4, 2))
    tl.randn(3), tl.randperm(5), F.dropout(tl.ones(3))
    assert np.random.get_state()[1].tolist() == before


def test_a_row_has_the_same_bits_alone_and_in_a_batch() -> None:
    """N05: and in both memory orders; of matrix products this can be said for a fixed number of threads only (N03)."""
    logits = np.random.default_rng(0).normal(0, 5, (64, 10)).astype(np.float32)
    target = tl.arange(64) % 10

    def run(rows: slice, order: Any = "C") -> tuple[bytes, bytes]:
        x = tl.from_numpy(np.asarray(logits[rows], order=order)).requires_grad_()
        y = F.cross_entropy(x, target[rows], reduction="none")
        (g,) = tl.autograd.grad(y.sum(), x)
        return y.detach().array.tobytes(), np.ascontiguousarray(g.array).tobytes()

    values, gradients = run(slice(None))
    assert run(slice(None), "F") == (values, gradients)
    alone = [run(slice(i, i + 1)) for i in range(64)]
    assert (b"".join(v for v, _ in alone), b"".join(g for _, g in alone)) == (values, gradients)
    model, batch = nn.Linear(10, 5), tl.from_numpy(logits)
    assert model(batch).detach().array.tobytes() == model(batch).detach().array.tobytes()
