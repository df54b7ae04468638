"""Whole Jacobians and Hessians: values, the structure of the results, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.tape import Tensor

F = nn.functional
jacobian, hessian = autograd.functional.jacobian, autograd.functional.hessian


def values(*given: Any) -> Tensor:
    return tl.tensor(list(given), dtype=tl.float64)


def test_one_input_and_one_output() -> None:
    matrix = tl.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=tl.float64)
    x = values(1.0, -1.0)
    assert jacobian(lambda x: matrix @ x, x).tolist() == matrix.tolist()
    assert jacobian(lambda x: x.sum(), x).tolist() == [1.0, 1.0]
    assert jacobian(lambda x: x.reshape(2, 1) * x, x).shape == (2, 2, 2)
    assert jacobian(lambda x: x.exp(), tl.tensor(0.0)).shape == ()
    assert not x.requires_grad


def test_tuples_in_tuples_out() -> None:
    a, b = values(1.0, 2.0), values(3.0)
    per_output = jacobian(lambda a, b: (a * b, b.sum()), (a, b))
    assert [[tuple(block.shape) for block in row] for row in per_output] == [[(2, 2), (2, 1)], [(2,), (1,)]]
    assert per_output[0][0].tolist() == [[3.0, 0.0], [0.0, 3.0]]
    assert per_output[0][1].tolist() == [[1.0], [2.0]]
    assert per_output[1][0].tolist() == [0.0, 0.0]
    assert isinstance(jacobian(lambda a: a * 2, (a,)), tuple)
    assert isinstance(jacobian(lambda a: (a * 2,), a), tuple)


def test_hessian_of_a_loss() -> None:
    logits = tl.tensor([[0.2, -0.5, 1.0]], dtype=tl.float64)
    found = hessian(lambda x: F.cross_entropy(x, tl.tensor([2])), logits)
    p = np.exp(logits.array[0]) / np.exp(logits.array[0]).sum()
    np.testing.assert_allclose(found.array.reshape(3, 3), np.diag(p) - np.outer(p, p), atol=1e-15)


def test_hessian_blocks() -> None:
    a, b = values(1.0, 2.0), values(3.0)
    blocks = hessian(lambda a, b: (a * a * b).sum(), (a, b))
    assert [[block.tolist() for block in row] for row in blocks] == [
        [[[6.0, 0.0], [0.0, 6.0]], [[2.0], [4.0]]],
        [[[2.0, 4.0]], [[0.0]]],
    ]
    assert hessian(lambda x: (x * 3).sum(), a).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(lambda x: tl.ones(1), a).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_create_graph_makes_the_result_differentiable() -> None:
    x = tl.tensor([1.0, 2.0], dtype=tl.float64, requires_grad=True)
    jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    x.grad = None
    hessian(lambda x: (x**3).sum(), x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
    assert not jacobian(lambda x: x**3, x).requires_grad


def test_gradients_are_on_inside_and_grad_stays_untouched() -> None:
    x, w = (tl.ones(2, dtype=tl.float64, requires_grad=True) for _ in range(2))
    with tl.no_grad():
        assert jacobian(lambda x: x * w, x).tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert hessian(lambda x: (x * x * w).sum(), x).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert x.grad is None and w.grad is None


def test_strict_refuses_what_does_not_depend() -> None:
    a, b = values(1.0), values(2.0)
    with pytest.raises(RuntimeError, match=r"jacobian: output 0 of func does not depend on inputs\[1\]"):
        jacobian(lambda a, b: a * 2, (a, b), strict=True)
    with pytest.raises(RuntimeError, match=r"hessian: .*does not depend"):
        hessian(lambda a: tl.ones(1), a, strict=True)


def test_bad_input_is_named() -> None:
    x = values(1.0, 2.0)
    with pytest.raises(TypeError, match=r"jacobian: inputs must be a Tensor or a tuple of Tensors, got float"):
        jacobian(lambda x: x, 1.0)
    with pytest.raises(TypeError, match=r"jacobian: the result of func must be a Tensor .* got Tensor, int"):
        jacobian(lambda x: (x, 1), x)
    with pytest.raises(RuntimeError, match=r"jacobian: inputs\[0\] is tinygrad_loss.int64.*x\.float\(\)"):
        jacobian(lambda x: x, tl.tensor([1]))
    with pytest.raises(RuntimeError, match=r"hessian: func must return a Tensor with one element, got shape \(2,\)"):
        hessian(lambda x: x * 2, x)


def test_empty_inputs_and_outputs() -> None:
    assert jacobian(lambda x: x * 2, tl.zeros(0)).shape == (0, 0)
    assert jacobian(lambda x: x.sum(), tl.zeros(0)).shape == (0,)
    assert jacobian(lambda x: x[:0], tl.zeros(2)).shape == (0, 2)
