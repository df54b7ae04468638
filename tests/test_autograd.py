"""Gradients as values and in ``.grad``: grad, backward, hooks, higher orders, whole Jacobians."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.tape import Tensor

F = nn.functional


def leaf(*values: float) -> Tensor:
    return tl.tensor(list(values), dtype=tl.float64, requires_grad=True)


# grad


def test_grad_leaves_no_trace() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x * w).sum()
    dx, dw = autograd.grad(y, [x, w])
    assert (dx.tolist(), dw.tolist()) == ([3.0, 4.0], [1.0, 2.0])
    assert x.grad is None and w.grad is None
    assert not dx.requires_grad
    with pytest.raises(RuntimeError, match=r"a second time"):
        autograd.grad(y, x)


def test_an_input_that_was_not_used() -> None:
    x, unused = leaf(1.0), leaf(1.0, 1.0)
    with pytest.raises(
        RuntimeError, match=r"grad: inputs\[1\] was not used.*allow_unused=True.*materialize_grads=True"
    ):
        autograd.grad(x * 2, [x, unused])
    dx, none = autograd.grad(x * 2, [x, unused], allow_unused=True)
    assert dx.tolist() == [2.0]
    assert none is None
    for materialize in ({}, {"allow_unused": True}):
        _, zeros = autograd.grad(x * 2, [x, unused], materialize_grads=True, **materialize)
        assert zeros.tolist() == [0.0, 0.0]
        assert zeros.dtype is tl.float64


def test_a_refused_grad_keeps_the_graph() -> None:
    """The error comes after the walk, and the retry it asks for must work."""
    x, unused = leaf(1.0), leaf(1.0)
    y = x * x
    with pytest.raises(RuntimeError, match="was not used"):
        autograd.grad(y, [x, unused])
    assert autograd.grad(y, [x, unused], allow_unused=True)[0].tolist() == [2.0]


def test_several_outputs_are_summed_with_their_weights() -> None:
    x = leaf(1.0, 2.0)
    a, b = x * 2, x * x
    (g,) = autograd.grad([a, b.sum()], x, [tl.tensor([1.0, 10.0], dtype=tl.float64), None])
    assert g.tolist() == [2.0 + 2.0, 20.0 + 4.0]
    with pytest.raises(RuntimeError, match=r"got 1 grad_outputs for 2 outputs"):
        autograd.grad([a, b], x, [tl.ones(2)])


def test_the_same_input_twice_and_the_output_itself() -> None:
    x = leaf(3.0)
    y = x * x
    first, second, itself = autograd.grad(y, [x, x, y])
    assert (first.item(), second.item(), itself.item()) == (6.0, 6.0, 1.0)


def test_third_derivatives() -> None:
    x = leaf(0.3, 0.7)
    g: Any = (x**5 + x.exp()).sum()
    for power in (5 * x.array**4, 20 * x.array**3, 60 * x.array**2):
        (g,) = autograd.grad(g.sum(), x, create_graph=True)
        np.testing.assert_allclose(g.detach().array, power + np.exp(x.array), rtol=1e-12)
    assert g.requires_grad


def test_a_gradient_penalty_reaches_the_parameters() -> None:
    w, x = leaf(2.0), leaf(3.0)
    (g,) = autograd.grad(w * x * x, x, create_graph=True)  # 2 w x
    (g * g).backward()  # 4 w^2 x^2
    assert w.grad.tolist() == [8 * 2.0 * 9.0]
    assert x.grad.tolist() == [8 * 4.0 * 3.0]


def test_losses_differentiate_twice() -> None:
    x = leaf(0.5, -1.0)
    y = F.binary_cross_entropy_with_logits(x, tl.ones(2, dtype=tl.float64), reduction="sum")
    (g,) = autograd.grad(y, x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    s = 1 / (1 + np.exp(-x.array))
    np.testing.assert_allclose(h.array, s * (1 - s), rtol=1e-12)


# backward


def test_backward_of_several_tensors() -> None:
    x = leaf(1.0, 2.0)
    autograd.backward([(x * x).sum(), x * 3], [None, tl.tensor([1.0, 10.0], dtype=tl.float64)])
    assert x.grad.tolist() == [5.0, 34.0]
    with pytest.raises(RuntimeError, match=r"got 1 grad_tensors for 2 tensors"):
        autograd.backward([x.sum(), x.sum()], [None])


def test_backward_for_chosen_inputs() -> None:
    x, w = leaf(2.0), leaf(5.0)
    hidden = x * w
    y = hidden * hidden
    y.backward(inputs=[w, hidden], retain_graph=True)
    assert x.grad is None
    assert (w.grad.tolist(), hidden.grad.tolist()) == ([40.0], [20.0])
    with pytest.raises(RuntimeError, match="inputs is empty"):
        y.backward(inputs=[])
    with pytest.raises(RuntimeError, match=r"inputs\[0\] does not require grad"):
        y.backward(inputs=tl.ones(1))
    with pytest.raises(TypeError, match=r"inputs\[0\] must be a Tensor, got int"):
        y.backward(inputs=[3])
    assert w.grad.tolist() == [40.0]


def test_a_leaf_is_its_own_gradient() -> None:
    x = leaf(3.0)
    x.backward()
    assert x.grad.tolist() == [1.0]


def test_backward_with_create_graph_records_the_gradient() -> None:
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad.item() == 27.0
    (second,) = autograd.grad(x.grad, x)
    assert second.item() == 18.0


def test_hooks_see_and_replace_the_gradient() -> None:
    x, seen = leaf(1.0, 2.0), []
    y = x * 2
    handle = y.register_hook(lambda g: seen.append(g.tolist()) or g * 10)
    x.register_hook(lambda g: g + 1)
    (y * 3).sum().backward()
    assert seen == [[3.0, 3.0]]
    assert x.grad.tolist() == [61.0, 61.0]
    handle.remove()
    handle.remove()
    x.grad = None
    (y.detach() * 0 + x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert len(seen) == 1


def test_a_hook_runs_once_when_the_gradient_is_complete() -> None:
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    (y + y * 3).backward()
    assert seen == [4.0, 8.0]


def test_what_a_hook_writes_into_its_gradient_reaches_nobody_else() -> None:
    """An addition hands one gradient to both of its arguments, and every loss begins with the same 1."""
    x, other = leaf(1.0), leaf(1.0)
    x.register_hook(lambda g: g.mul_(100.0))
    y = (x + other).sum()
    y.register_hook(lambda g: g.mul_(7.0) and None)
    y.backward()
    assert (x.grad.item(), other.grad.item()) == (100.0, 1.0)
    other.sum().backward()
    assert other.grad.item() == 2.0


def test_a_hook_may_not_change_shape_or_dtype() -> None:
    for hook, error, message in (
        (lambda g: g.sum(), RuntimeError, r"returned shape \(\) and .*, the tensor has \(2,\)"),
        (lambda g: g.float(), RuntimeError, r"returned .*float32, the tensor has .*float64"),
        (lambda g: 1.0, TypeError, r"must return a Tensor or None, got float"),
    ):
        x = leaf(1.0, 2.0)
        x.register_hook(hook)
        with pytest.raises(error, match=message):
            (x * 2).sum().backward()
        assert x.grad is None
    with pytest.raises(RuntimeError, match=r"register_hook: the tensor does not require grad"):
        tl.ones(1).register_hook(print)


def test_retained_gradients_of_intermediates() -> None:
    x = leaf(3.0)
    y, z = x * 2, x * 5
    y.retain_grad()
    (y * z).backward()
    assert y.grad.tolist() == [15.0]
    assert z.grad is None
    with pytest.raises(RuntimeError, match=r"retain_grad: the tensor does not require grad"):
        tl.ones(1).retain_grad()


# Messages

NOT_SCALAR: dict[str, Callable[[Tensor], Any]] = {
    "a loss without reduction": lambda x: F.mse_loss(x, x.detach() + 1, reduction="none"),
    "a vector": lambda x: x * 2,
}


@pytest.mark.parametrize("make", NOT_SCALAR.values(), ids=NOT_SCALAR)
def test_backward_of_several_elements_names_the_remedy(make: Callable[[Tensor], Any]) -> None:
    """Mistake 17"""
    x = leaf(1.0, 2.0, 3.0)
    message = r"implicitly created only for scalar outputs, this one has shape \(3,\).*\.mean\(\).*gradient="
    with pytest.raises(RuntimeError, match=message):
        make(x).backward()
    with pytest.raises(RuntimeError, match=message):
        autograd.grad(make(x), x)
    with pytest.raises(RuntimeError, match=r"gradient has shape \(2,\), the output \(3,\)"):
        make(x).backward(tl.ones(2))
    with pytest.raises(TypeError, match="gradient must be a Tensor or None, got float"):
        make(x).backward(1.0)
    assert x.grad is None
    make(x).backward(tl.ones(3))  # float32 for a float64 output, as torch allows
    assert x.grad.dtype is tl.float64


CUTS: dict[str, Callable[[Tensor], Any]] = {
    "argmax": lambda x: (x.argmax(1) == 1).double().mean(),
    "item": lambda x: tl.tensor(x.sum().item()),
    "detach": lambda x: tl.tensor(x.detach().numpy()).sum(),
    "tensor": lambda x: tl.tensor(x).sum(),
    "gt": lambda x: (x > 1).double().sum(),
    "cast": lambda x: x.long().double().sum(),
}


@pytest.mark.parametrize("name", CUTS)
def test_the_place_where_the_graph_was_cut_is_named(name: str) -> None:
    """Mistake 18"""
    x = tl.tensor([[1.0, 2.0], [3.0, 1.0]], dtype=tl.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=rf"it depends on no parameter.*'{name}', .*test_autograd\.py:\d+"):
        CUTS[name](x).backward()
    with pytest.raises(RuntimeError, match=r"no tensor it was computed from requires grad \(create it with"):
        tl.ones(1).backward()  # and is not blamed for the next mistake
    (x > 1).any()
    x.sum().backward()
    with pytest.raises(RuntimeError, match=r"no tensor it was computed from requires grad"):
        tl.ones(1).backward()
    with tl.no_grad(), pytest.raises(RuntimeError, match=r"gradients are switched off here.*no_grad"):
        (x * 2).sum().backward()


def test_a_forgotten_zero_grad_is_noticed_once_per_step() -> None:
    """Mistake 19: gradients 2, 4, 6; but two backward calls before a step are meant, and so is the loop of a GAN, where
    the generator's backward adds to gradients of the critic that are zeroed before its next step."""
    model = nn.Linear(2, 1)
    optimizer = tl.optim.SGD(model.parameters(), lr=0.1)
    model(tl.ones(1, 2)).sum().backward()
    model(tl.ones(1, 2)).sum().backward()
    optimizer.step()
    model(tl.ones(1, 2)).sum().backward()
    with pytest.warns(tl.LossWarning, match=r"optimizer\.zero_grad\(\) before backward\(\)") as caught:
        optimizer.step()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    model(tl.ones(1, 2)).sum().backward()
    optimizer.zero_grad()
    model(tl.ones(1, 2)).sum().backward()
    optimizer.step()


def test_a_running_loss_that_keeps_graphs_is_noticed() -> None:
    """Mistake 19"""
    x = leaf(1.0)
    running: Any = 0.0
    with pytest.warns(tl.LossWarning, match=r"running \+= loss\.item\(\)"):
        for _ in range(2):
            loss = x * x
            loss.backward()
            running += loss
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        running = 0.0
        for _ in range(2):
            loss = x * x
            loss.backward()
            running += loss.item()
    assert running == 2.0


def test_a_graph_that_is_partly_freed_is_refused() -> None:
    """What was freed may have led to the inputs: neither None nor zeros would be an answer."""
    a, b = leaf(2.0), leaf(3.0)
    y = a * b
    z = y + b
    y.backward()
    for call in (
        lambda: autograd.grad(z, [a], allow_unused=True),
        lambda: autograd.grad(z, [a], materialize_grads=True),
        lambda: z.backward(inputs=[a]),
    ):
        with pytest.raises(RuntimeError, match="a second time through 'mul'"):
            call()
    (g,) = autograd.grad(z, [y])
    assert g.item() == 1.0
