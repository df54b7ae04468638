"""Whole Jacobians and Hessians, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backward import grad
from ..modes import enable_grad
from ..ops.joining import stack
from ..tape import Tensor


def _tensors(name: str, what: str, values: Any) -> tuple[Tensor, ...]:
    given = (values,) if isinstance(values, Tensor) else values
    if not isinstance(given, (tuple, list)) or not all(isinstance(v, Tensor) for v in given):
        kinds = ", ".join(type(v).__name__ for v in given) if isinstance(given, (tuple, list)) else type(given).__name__
        raise TypeError(f"{name}: {what} must be a Tensor or a tuple of Tensors, got {kinds}; wrap it in tensor(...)")
    return tuple(given)


def _prepare(name: str, inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs under fresh nodes, so that only paths through ``func`` count."""
    made = []
    for i, x in enumerate(_tensors(name, "inputs", inputs)):
        if x.array.dtype.kind != "f":
            raise RuntimeError(f"{name}: inputs[{i}] is {x.dtype}, only floats have derivatives; use x.float()")
        if create_graph and x.needs_grad:
            made.append(x.view_as(x))
        else:
            made.append(x.detach().requires_grad_())
    return tuple(made)


def _rows(name: str, i: int, output: Tensor, inputs: Sequence[Tensor], create_graph: bool, strict: bool) -> list[Any]:
    """The Jacobian of one output for every input, of shape ``output.shape + input.shape``."""
    rows: list[list[Any]] = [[] for _ in inputs]
    for k in range(output.array.size if output.needs_grad else 0):
        seed = np.zeros(output.array.shape, output.array.dtype)
        seed.reshape(-1)[k] = 1
        found = grad(output, inputs, Tensor(seed), retain_graph=True, create_graph=create_graph, allow_unused=True)
        for row, g in zip(rows, found, strict=True):
            row.append(g)
    blocks: list[Any] = []
    for j, (x, row) in enumerate(zip(inputs, rows, strict=True)):
        shape = (*output.array.shape, *x.array.shape)
        if not row or any(g is None for g in row):
            if strict and output.array.size:
                raise RuntimeError(
                    f"{name}: output {i} of func does not depend on inputs[{j}]; strict=False gives zeros"
                )
            row = [g if g is not None else Tensor(np.zeros_like(x.array)) for g in row]
        if not row:
            blocks.append(Tensor(np.zeros(shape, x.array.dtype)))
        elif create_graph:
            blocks.append(stack(row).reshape(shape))
        else:
            blocks.append(Tensor(np.stack([g.array for g in row]).reshape(shape)))
    return blocks


def _jacobian(
    name: str, func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool
) -> tuple[Any, tuple[Tensor, ...]]:
    with enable_grad():
        given = _prepare(name, inputs, create_graph)
        returned = func(*given)
        outputs = _tensors(name, "the result of func", returned)
        blocks = [_rows(name, i, y, given, create_graph, strict) for i, y in enumerate(outputs)]
    per_output = [b[0] if isinstance(inputs, Tensor) else tuple(b) for b in blocks]
    return (per_output[0] if isinstance(returned, Tensor) else tuple(per_output)), outputs


def jacobian(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    create_graph: bool = False,
    strict: bool = False,
) -> Any:
    """The derivative of every element of ``func(*inputs)`` by every element of the inputs.

    One input and one output: a tensor of shape ``output.shape + input.shape``. A tuple of inputs gives a tuple
    over them, a tuple of outputs a tuple over those, outermost. An input that does not matter gives zeros, or
    with ``strict`` a RuntimeError. ``create_graph`` makes the result differentiable.

    >>> autograd.functional.jacobian(lambda x: x ** 2, tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _jacobian("jacobian", func, inputs, create_graph, strict)[0]


def hessian(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    create_graph: bool = False,
    strict: bool = False,
) -> Any:
    """The second derivatives of ``func(*inputs)``, which must be one number.

    One input: a tensor of shape ``input.shape + input.shape``. A tuple of inputs gives a tuple of tuples of
    blocks. Raises RuntimeError when the result of ``func`` has more than one element.

    >>> autograd.functional.hessian(lambda x: (x ** 3).sum(), tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        value = func(*given)
        if not isinstance(value, Tensor) or value.array.size != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise RuntimeError(f"hessian: func must return a Tensor with one element, got {got}; reduce it with .sum()")
        if not value.needs_grad:
            if strict:
                raise RuntimeError(
                    "hessian: the result of func does not depend on the inputs; strict=False gives zeros"
                )
            return tuple(Tensor(np.zeros_like(x.array)) for x in given)
        return grad(value, given, create_graph=True, allow_unused=not strict, materialize_grads=not strict)

    blocks, _ = _jacobian("hessian", first, inputs, create_graph, strict)
    return blocks[0] if isinstance(inputs, Tensor) else blocks
