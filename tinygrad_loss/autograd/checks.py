"""Is a gradient right? Every element of the Jacobian against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ..backward import grad
from ..dtypes import Array
from ..quiet import quiet
from ..tape import Tensor
from .differences import Function, place

Func = Callable[..., Any]


class GradcheckError(RuntimeError):
    """What gradcheck found wrong."""


def _checked(name: str, inputs: Any) -> tuple[list[Any], list[int]]:
    """The inputs, and which of them to differentiate by."""
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    chosen = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.needs_grad]
    if not chosen:
        raise ValueError(f"{name}: no input requires grad, so there is nothing to check; use x.requires_grad_()")
    for i in chosen:
        array = given[i].array
        if array.dtype != np.float64:
            raise ValueError(
                f"{name}: inputs[{i}] is {given[i].dtype}; differences are too coarse below float64: pass x.double()"
            )
        shared = array.size and any(step == 0 and n > 1 for step, n in zip(array.strides, array.shape, strict=True))
        if shared or not array.flags.writeable:
            raise ValueError(
                f"{name}: elements of inputs[{i}] share memory or are read-only, so they cannot be varied one by one: "
                "pass x.clone()"
            )
    for i, j in combinations(chosen, 2):
        if np.shares_memory(given[i].array, given[j].array):
            raise ValueError(
                f"{name}: inputs[{i}] and inputs[{j}] share memory, so they cannot be varied one by one: pass x.clone()"
            )
    return given, chosen


def _analytical(f: Function, output: Tensor, chosen: list[int], create_graph: bool) -> tuple[list[Array], list[bool]]:
    """d(output)/d(each chosen input) from the gradient rules, and for which inputs no gradient came."""
    wanted = [f.inputs[j] for j in chosen]
    matrices = [np.zeros((output.array.size, x.array.size)) for x in wanted]
    missing = [True] * len(wanted)
    for k in range(output.array.size if output.needs_grad else 0):
        seed = np.zeros(output.array.shape)
        seed.reshape(-1)[k] = 1.0
        found = grad(output, wanted, Tensor(seed), retain_graph=True, create_graph=create_graph, allow_unused=True)
        for i, (x, g) in enumerate(zip(wanted, found, strict=True)):
            if g is None:
                continue
            if g.array.shape != x.array.shape:
                raise GradcheckError(
                    f"{f.name}: the gradient of input {chosen[i]} has shape {tuple(g.array.shape)}, the input "
                    f"{tuple(x.array.shape)}: a rule returns its argument's shape; expand where forward reduced"
                )
            missing[i] = False
            matrices[i][k] = g.array.reshape(-1)
    return matrices, missing


def _same(a: Array, b: Array, tolerance: float) -> bool:
    return bool(np.all((np.abs(a - b) <= tolerance) | (a == b) | (np.isnan(a) & np.isnan(b))))


def _agree(a: Array, b: Array, atol: float, rtol: float) -> Array:
    close: Array = (np.abs(a - b) <= atol + rtol * np.abs(b)) | (a == b)
    return close


def _hint(a: Array, n: Array, missing: bool, sides: tuple[float, float], tolerance: float) -> str:
    """What the failing elements have in common."""
    left, right = sides
    if missing:
        return "no gradient arrives here: a rule is None, or the graph is cut by detach(), item() or a new tensor"
    if abs(left - right) > max(tolerance, 1e-3 * (abs(left) + abs(right))):
        return (
            f"the slopes to the left, {left:.6g}, and right, {right:.6g}, differ: a kink or jump; move the input away"
        )
    ratio = a / n
    if a.size > 1 and np.isfinite(ratio).all() and np.ptp(ratio) <= 1e-3 * np.abs(ratio).max():
        return f"every wrong element is {float(ratio[0]):.4g} times the difference: a factor or sign in the rule"
    return "the rule does not belong to the forward, or func changes its inputs"


def _compare(f: Function, i: int, j: int, a: Array, n: Array, missing: bool, atol: float, rtol: float) -> None:
    wrong = ~_agree(a, n, atol, rtol)
    if not wrong.any():
        return
    excess = np.where(wrong, np.abs(a - n) - rtol * np.abs(n), -np.inf)
    excess[np.isnan(excess)] = np.inf
    row, k = (int(v) for v in np.unravel_index(int(np.argmax(excess)), a.shape))
    x, y = f.inputs[j].array, f.values()[i]
    at = place(x.shape, k)
    hint = _hint(a[wrong], n[wrong], missing, f.slopes(i, row, j, k), atol)
    raise GradcheckError(
        f"{f.name}: the gradient of output {i} with respect to input {j} is wrong. Largest deviation at input element "
        f"{at} (value {float(x[at]):.6g}), output element {place(y.shape, row)}: analytical {float(a[row, k]):.10g}, "
        f"numerical {float(n[row, k]):.10g}, tolerance {atol:g} + {rtol:g} * |numerical|; {int(wrong.sum())} of "
        f"{wrong.size} elements are wrong. {hint[0].upper()}{hint[1:]}"
    )


def _compare_taped(f: Function, i: int, y: Tensor, chosen: list[int], plain: list[Array], scale: float) -> None:
    """The gradient under ``create_graph`` is that of a plain backward: rules have one meaning."""
    try:
        taped, _ = _analytical(f, y, chosen, True)
    except GradcheckError:
        raise
    except Exception as error:
        raise GradcheckError(
            f"{f.name}: the gradient of output {i} cannot be taken under create_graph=True: {type(error).__name__}: "
            f"{error}. A rule must take tensors as well as arrays: write it with operators and this library's functions"
        ) from error
    for j, a, b in zip(chosen, plain, taped, strict=True):
        wrong = ~(_agree(a, b, scale * 1e-8, 1e-6) | (np.isnan(a) & np.isnan(b)))
        if wrong.any():
            row, k = (int(v[0]) for v in np.nonzero(wrong))
            raise GradcheckError(
                f"{f.name}: the gradient of output {i} with respect to input {j} is {a[row, k]:.10g} in a plain "
                f"backward, but {b[row, k]:.10g} under create_graph=True, at input element "
                f"{place(f.inputs[j].array.shape, k)}: a rule does not do the same to arrays and to tensors"
            )


def _check(f: Function, chosen: list[int], atol: float, rtol: float, nondet_tol: float) -> None:
    with quiet():
        first = f.outputs()
        values = [y.array.copy() for y in first]
        plain = [_analytical(f, y, chosen, False) for y in first]
        again = f.outputs()
        if len(again) != len(values) or not all(
            _same(y.array, v, nondet_tol) for y, v in zip(again, values, strict=True)
        ):
            raise GradcheckError(
                f"{f.name}: func returns different values for the same inputs, so differences mean nothing: seed its "
                "random numbers, and switch Dropout off with eval()"
            )
        for i, y in enumerate(again):
            _compare_taped(f, i, y, chosen, plain[i][0], 1.0 + nondet_tol * 1e8)
        for c, j in enumerate(chosen):
            for i, n in enumerate(f.jacobian(j)):
                analytical, missing = plain[i]
                _compare(f, i, j, analytical[c], n, missing[c], atol, rtol)


def gradcheck(
    func: Func,
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Whether the gradients of ``func(*inputs)`` are right, for each input that requires grad.

    Every element of the Jacobian is compared with ``(f(x + h) - f(x - h)) / 2h``, ``h = eps * max(1, |x|)``. Values
    of size 1 and slopes on a scale of 1 give differences with about 9 right digits (eps=1e-5: 10), so ``rtol=1e-6,
    atol=1e-8`` is attainable; the defaults are torch's. Move inputs away from kinks. A gradient under
    ``create_graph=True`` must be that of a plain backward, and a repeated call must give the same values, up to
    ``nondet_tol``.

    Raises ValueError for inputs or outputs that are not float64, and GradcheckError, a RuntimeError, with the
    place of the largest deviation; with ``raise_exception=False`` returns False for it.

    >>> x = tensor([0.5, 2.0], dtype=float64, requires_grad=True)
    >>> autograd.gradcheck(lambda x: x.log().sum(), x)
    True
    >>> autograd.gradcheck(lambda x: x * x.detach(), x, raise_exception=False)
    False
    """
    given, chosen = _checked("gradcheck", inputs)
    try:
        _check(Function("gradcheck", func, given, eps), chosen, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Func,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Whether the gradient of the gradient of ``func(*inputs)`` is right: :func:`gradcheck` of its backward.

    ``grad_outputs``, one per output, are what the first backward starts from; without them, random numbers that
    are the same in every run. Raises as :func:`gradcheck` does.

    >>> x = tensor([0.5, 2.0], dtype=float64, requires_grad=True)
    >>> autograd.gradgradcheck(lambda x: x.exp(), x)
    True
    """
    given, chosen = _checked("gradgradcheck", inputs)
    outputs = [y for y in Function("gradgradcheck", func, given, eps).outputs() if y.needs_grad]
    if not outputs:
        raise ValueError("gradgradcheck: no output of func requires grad, so there is no gradient to check")
    if grad_outputs is None:
        random = np.random.default_rng(0)
        seeds = [Tensor(np.asarray(random.uniform(0.5, 1.5, y.array.shape)), True) for y in outputs]
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(seeds) != len(outputs):
        raise ValueError(f"gradgradcheck: got {len(seeds)} grad_outputs for {len(outputs)} outputs; give one each")
    count = len(given)

    def first(*values: Any) -> list[Tensor]:
        made = Function("gradgradcheck", func, list(values[:count]), eps).outputs()
        wanted = [values[j] for j in chosen]
        roots = [y for y in made if y.needs_grad]
        found = grad(roots, wanted, values[count:], create_graph=True, allow_unused=True, materialize_grads=True)
        return list(found)

    both, chosen_of_both = _checked("gradgradcheck", [*given, *seeds])
    try:
        _check(Function("gradgradcheck", first, both, eps), chosen_of_both, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True
