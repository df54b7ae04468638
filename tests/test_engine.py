"""The tape and its walk: what a gradient may never get wrong.

Depth, memory, threads and interruption: test_engine_limits.py; dtypes and NumPy: test_engine_types.py.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.tape import Tensor

F = nn.functional
RAW = tl.primitive(np.add, lambda g, y, a, b: g, None, name="test_one_rule_of_two")
SHORT = tl.primitive(lambda x, *, n: x.sum(), lambda g, y, x, n: g, name="test_forgets_to_expand")


def leaf(*values: float) -> Tensor:
    return tl.tensor(list(values), requires_grad=True)


# Reuse of a graph


def test_doubling_forty_times_is_linear() -> None:
    """E02: ``y = y + y`` visits 40 nodes, not 2**40 paths."""
    x = leaf(1.0)
    y, seen = x, []
    for _ in range(40):
        y = y + y
        y.register_hook(seen.append)
    y.backward()
    assert x.grad.item() == 2.0**40
    assert len(seen) == 40


def test_a_second_backward_raises_and_names_the_remedy() -> None:
    """E05: also where nothing had been saved (torch goes on there)."""
    x = leaf(1.0)
    for make in (lambda: (x * x).sum(), lambda: x + 1.0, lambda: F.mse_loss(x, tl.tensor([3.0]))):
        y = make()
        y.backward()
        before = x.grad.item()
        with pytest.raises(RuntimeError, match=r"a second time through .*retain_graph=True.*detach"):
            y.backward()
        assert x.grad.item() == before


def test_a_retained_graph_accumulates() -> None:
    """E05: micrograd gives 18 here because intermediates keep their gradient; two losses add up as well."""
    x = leaf(3.0)
    y = x * x
    z = y * 1.0
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.item() == 12.0
    (x * x).backward()
    assert x.grad.item() == 18.0


def test_a_shared_part_that_was_freed_is_named() -> None:
    x = leaf(2.0)
    shared = x.exp()
    (shared * 2).backward()
    with pytest.raises(RuntimeError, match=r"a second time through 'exp'"):
        (shared * 3).backward()
    assert x.grad.item() == pytest.approx(2 * np.exp(2.0))


def test_a_gradient_of_an_intermediate_needs_nothing_below_it() -> None:
    x = leaf(2.0)
    hidden = x * x
    (hidden * 1.0).backward()  # frees the part below hidden
    assert tl.autograd.grad(hidden * hidden, hidden)[0].item() == 8.0


def test_losses_can_be_walked_again_when_the_walk_above_them_failed() -> None:
    """E19: the tape inside a loss belongs to the graph, which a failed backward leaves whole."""
    x = leaf(1.0, 2.0)
    y = F.mse_loss(x * 1.0, tl.zeros(2))
    handle = x.register_hook(_fail)
    with pytest.raises(KeyError):
        y.backward()
    handle.remove()
    assert x.grad is None
    y.backward()
    assert x.grad.tolist() == [1.0, 2.0]


def _fail(_: Any) -> None:
    raise KeyError


# Writes after use

WRITES: dict[str, Callable[[Tensor], Any]] = {
    "add_": lambda t: t.add_(1.0),
    "augmented": lambda t: operator.iadd(t, 1.0),
    "setitem": lambda t: operator.setitem(t, 0, 5.0),
    "zero_": lambda t: t.zero_(),
    "data": lambda t: t.data.mul_(2.0),
    "a slice of it": lambda t: t[:1].add_(1.0),
    "a reshaped view of it": lambda t: t.reshape(2, 1).mul_(3.0),
    "detached": lambda t: t.detach().fill_(4.0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_backward_through_overwritten_values_raises(write: Callable[[Tensor], Any]) -> None:
    """E04: torch lets ``.data`` writes through and answers with wrong numbers."""
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with tl.no_grad():
        write(x)
    with pytest.raises(RuntimeError, match=r"argument 1 of 'mul', of shape \(2,\).*in-place.*clone"):
        y.backward()
    assert x.grad is None
    (x * x).sum().backward()  # and what is computed afterwards is fine


def test_an_overwritten_result_raises_where_the_rule_needs_it() -> None:
    x = leaf(1.0)
    y = x.exp()
    with tl.no_grad():
        y.mul_(2.0)
    with pytest.raises(RuntimeError, match="its result of 'exp'"):
        y.backward()


def test_writes_that_the_gradient_does_not_need_are_allowed() -> None:
    """E04: an addition needs no values, and a write before the operation is not one after it."""
    x = leaf(1.0, 2.0)
    with tl.no_grad():
        x.add_(1.0)
    y = (x + 1.0).sum()
    with tl.no_grad():
        x.add_(1.0)
    y.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_leaf_can_be_written_only_where_nothing_is_recorded() -> None:
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"leaf Variable that requires grad.*no_grad"):
        x.add_(1.0)
    assert x.item() == 1.0


def test_the_callers_array_is_copied() -> None:
    """E04: autograd gives [200, 200] here."""
    given = np.array([1.0, 2.0])
    x = tl.tensor(given, requires_grad=True)
    y = (x * x).sum()
    given[:] = 100.0
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


# Ownership of gradients

GRAPHS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "reshape": lambda a, b: (a.reshape(6) + b.reshape(6)).reshape(2, 3),
    "transpose": lambda a, b: a.T.T + b,
    "sum": lambda a, b: (a.sum() + b.sum()).expand(2, 3),
    "expand": lambda a, b: a[:1].expand(2, 3) + b,
    "getitem": lambda a, b: a[:] + b[...],
    "stack": lambda a, b: tl.stack([a, b]).sum(0),
    "clone": lambda a, b: a.clone() + b.clone(),
    "mul": lambda a, b: a * b,
    "alias": lambda a, b: a.to(tl.float64) + b.view(2, 3),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_no_gradient_shares_memory(make: Callable[[Tensor, Tensor], Tensor], create_graph: bool) -> None:
    """E06: every leaf's gradient owns its buffer: writing into one changes nothing else."""
    a, b = (tl.ones(2, 3, dtype=tl.float64, requires_grad=True) for _ in range(2))
    seed = tl.ones(2, 3, dtype=tl.float64)
    y = make(a, b)
    y.retain_grad()
    y.backward(seed, create_graph=create_graph)
    arrays = {"a": a, "b": b, "y": y, "seed": seed, "a.grad": a.grad, "b.grad": b.grad, "y.grad": y.grad}
    for (n, u), (m, v) in itertools.combinations(arrays.items(), 2):
        if "grad" in n + m:
            assert not np.shares_memory(u.array, v.array), (n, m)
    given = tl.autograd.grad(make(a, b), [a, b], seed, create_graph=create_graph)
    for u, v in itertools.combinations([*given, a, b, seed], 2):
        if any(u is g for g in given):
            assert not np.shares_memory(u.array, v.array)


def test_a_gradient_that_is_accumulated_into_leaves_the_first_alone() -> None:
    x = leaf(1.0)
    (x * 2).backward()
    first, kept = x.grad, x.grad.clone()
    (x * 3).backward()
    assert first.tolist() == kept.tolist()
    assert x.grad.tolist() == [5.0]


# Broadcasting

SHAPES = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3).map(tuple)


@given(SHAPES, SHAPES)
@settings(max_examples=200, deadline=None)
def test_unbroadcast_sums_what_was_repeated(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    """E07: a gradient has its argument's shape, and each element counts as often as it was used."""
    try:
        full = np.broadcast_shapes(shape, other)
    except ValueError:
        with pytest.raises(RuntimeError, match="do not broadcast"):
            tl.ones(shape) + tl.ones(other)
        return
    a, b = (tl.ones(s, dtype=tl.float64, requires_grad=True) for s in (shape, other))
    seed = np.random.default_rng(0).normal(size=full)
    (a * 2.0 + b).backward(tl.tensor(np.asarray(seed)))
    for t, factor in ((a, 2.0), (b, 1.0)):
        count = np.zeros(t.shape)
        places = np.broadcast_to(np.arange(count.size).reshape(t.shape), full)
        np.add.at(count.reshape(-1), places, seed)
        assert t.grad.shape == t.shape
        np.testing.assert_allclose(t.grad.array, factor * count, rtol=1e-12, atol=1e-12)


def test_duplicate_indices_accumulate() -> None:
    """E08: ``d[index] += g`` would count a repeated index once."""
    x = leaf(1.0, 2.0, 3.0)
    index = tl.tensor([0, 0, 2])
    x[index].sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]
    x.grad = None
    tl.gather(x, 0, index).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]
    x.grad = None
    x.index_select(0, index).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


# What primitives may return


def test_an_argument_without_a_rule_is_skipped() -> None:
    a, b = leaf(1.0), leaf(2.0)
    RAW(a, b).backward()
    assert a.grad.item() == 1.0
    assert b.grad is None


def test_a_rule_that_forgets_to_expand_is_named() -> None:
    x = leaf(1.0, 2.0)
    for create_graph in (False, True):
        with pytest.raises(RuntimeError, match=r"'test_forgets_to_expand' returned shape \(\) .* shape \(2,\).*expand"):
            SHORT(x, n=1).backward(create_graph=create_graph)
    assert x.grad is None
