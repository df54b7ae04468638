"""The engine against torch: random graphs to the second order, Jacobians, hooks, retained gradients, refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_loss as tl

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")
BOTH = (tl, torch)

# Random graphs: every step takes tensors made before, so that parts are shared, reused and left out

UNARY: list[Callable[[Any, Any], Any]] = [
    lambda t, a: a.exp() / 10,
    lambda t, a: a.sin(),
    lambda t, a: -a,
    lambda t, a: a * a,
    lambda t, a: a.sum(),
    lambda t, a: a.sum(0, keepdim=True) if a.ndim else a,
    lambda t, a: a.mean(-1) if a.ndim else a * 3,
    lambda t, a: a.reshape(-1),
    lambda t, a: a.transpose(0, -1) if a.ndim else a,
    lambda t, a: a[0] if a.ndim else a,
    lambda t, a: a.unsqueeze(0).expand(2, *a.shape) if a.ndim < 3 else a,
    lambda t, a: a.softmax(-1) if a.ndim else a,
    lambda t, a: a.detach() * a,
    lambda t, a: t.where(a > 0, a, a * 0.1),
    lambda t, a: t.stack([a, a]).sum(0),
    lambda t, a: (a * a + 1).sqrt(),
]
BINARY: list[Callable[[Any, Any, Any], Any]] = [
    lambda t, a, b: a + b,
    lambda t, a, b: a - b * 0.5,
    lambda t, a, b: a * b,
    lambda t, a, b: a / (b * b + 1),
    lambda t, a, b: t.maximum(a, b),
]
STEPS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12)


def grow(t: Any, leaves: list[Any], steps: list[tuple[int, int, int]]) -> Any:
    """The sum of what no later step used, so that every branch counts."""
    made, used = list(leaves), set()
    for kind, i, j in steps:
        i, j = i % len(made), j % len(made)
        a, b = made[i], made[j]
        choice = kind % (len(UNARY) + len(BINARY))
        if choice < len(UNARY):
            result = UNARY[choice](t, a)
        else:
            try:
                np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
            except ValueError:
                a = a.sum()
            result = BINARY[choice - len(UNARY)](t, a, b)
            used.add(j)
        used.add(i)
        made.append(result)
    return sum(x.sum() for k, x in enumerate(made) if k not in used or k == len(made) - 1)


@given(STEPS, st.integers(0, 2**31))
@settings(max_examples=150, deadline=None)
def test_random_graphs(steps: list[tuple[int, int, int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    arrays = [np.asarray(random.uniform(-1, 1, shape)) for shape in [(2, 3), (3,), (), (2, 1)]]
    results = []
    for t in BOTH:
        leaves = [t.tensor(a, requires_grad=True) for a in arrays]
        y = grow(t, leaves, steps)
        first = t.autograd.grad(y, leaves, create_graph=True, allow_unused=True, materialize_grads=True)
        second = t.autograd.grad(
            sum((g * g * (k + 1)).sum() + g.sum() for k, g in enumerate(first) if g.requires_grad) + y * 0,
            leaves,
            allow_unused=True,
            materialize_grads=True,
        )
        y = grow(t, leaves, steps)
        y.backward()
        plain = [t.zeros_like(x) if x.grad is None else x.grad for x in leaves]
        results.append([x.detach().numpy() for x in [y, *first, *second, *plain]])
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


# Jacobians and Hessians

FUNCTIONS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], bool]] = {
    "vector": (lambda x: x * x, [(3,)], True),
    "matrix": (lambda x: x @ x.T, [(2, 3)], True),
    "scalar": (lambda x: (x**3).sum(), [(2, 2)], True),
    "no dimensions": (lambda x: x.exp(), [()], True),
    "two inputs": (lambda a, b: (a * b).sum(), [(2, 3), (3,)], False),
    "two outputs": (lambda a, b: (a * b, b.sum()), [(2,), (2,)], False),
    "a tuple of one": (lambda a: (a * 2,), [(2,)], False),
    "unused": (lambda a, b: (a * a).sum(), [(2,), (3,)], False),
}


def structure(x: Any) -> Any:
    return tuple(structure(v) for v in x) if isinstance(x, tuple) else tuple(x.shape)


def flat(x: Any) -> list[Any]:
    return [v for part in x for v in flat(part)] if isinstance(x, tuple) else [x.detach().numpy()]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("which", ["jacobian", "hessian"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functional(name: str, which: str, create_graph: bool) -> None:
    func, shapes, alone = FUNCTIONS[name]
    if which == "hessian" and name in ("vector", "matrix", "two outputs", "a tuple of one"):
        func = lambda *xs, inner=func: sum(
            (y**2).sum() for y in (lambda r: r if isinstance(r, tuple) else (r,))(inner(*xs))
        )
    arrays = [np.asarray(np.random.default_rng(k).normal(size=s)) for k, s in enumerate(shapes)]
    found = []
    for t in BOTH:
        inputs = tuple(t.tensor(a, requires_grad=create_graph) for a in arrays)
        made = getattr(t.autograd.functional, which)(func, inputs[0] if alone else inputs, create_graph=create_graph)
        found.append(
            (
                structure(made),
                flat(made),
                [x.requires_grad for x in (made if isinstance(made, tuple) else [made]) if not isinstance(x, tuple)],
            )
        )
    assert found[0][0] == found[1][0]
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    if not create_graph:
        assert found[0][2] == found[1][2]


# One program, two libraries


def accumulation(t: Any) -> Any:
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.retain_grad()
    z = (y * 3).sum()
    z.backward(retain_graph=True)
    z.backward()
    return x.grad.tolist(), y.grad.tolist(), x.is_leaf, y.is_leaf


def hooks(t: Any) -> Any:
    x, log = t.tensor([1.0, 2.0], requires_grad=True), []
    y = x * 2
    x.register_hook(lambda g: log.append(("x", g.tolist())))
    h = y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: log.append(("y", g.tolist())))
    (y.exp() * 0 + y).sum().backward(retain_graph=True)
    h.remove()
    t.autograd.grad((y * y).sum(), y)
    return log, x.grad.tolist()


def chosen_inputs(t: Any) -> Any:
    x, w = (t.tensor([v], requires_grad=True) for v in (2.0, 5.0))
    h = x * w
    (h * h).backward(inputs=[w, h])
    return x.grad, w.grad.tolist(), h.grad.tolist()


def several_roots(t: Any) -> Any:
    x = t.tensor([1.0, 2.0], requires_grad=True)
    t.autograd.backward([x * x, x.sum()], [t.tensor([1.0, 10.0]), None])
    return x.grad.tolist()


def types_of_gradients(t: Any) -> Any:
    half, single, double = (
        t.tensor([2.0, 3.0], dtype=getattr(t, d), requires_grad=True) for d in ("float16", "float32", "float64")
    )
    scalar = t.tensor(2.0, dtype=t.float64, requires_grad=True)
    ((half * single) * double + single * scalar + t.tensor([1, 2]) * half * 2.5).sum().backward()
    return [
        (str(x.grad.dtype).split(".")[1], x.grad.tolist(), tuple(x.grad.shape)) for x in (half, single, double, scalar)
    ]


def penalty(t: Any) -> Any:
    w, x = (t.tensor(v, dtype=t.float64, requires_grad=True) for v in ([1.0, 2.0], [3.0, 4.0]))
    (g,) = t.autograd.grad((w * x).exp().sum() / 1e3, x, create_graph=True)
    (g.norm() - 1).square().backward()
    return [round(v, 9) for v in [*w.grad.tolist(), *x.grad.tolist()]]


def retained_twice(t: Any) -> Any:
    x = t.tensor([3.0], requires_grad=True)
    (x**2).backward(create_graph=True)
    first = x.grad
    (second,) = t.autograd.grad(first, x)
    return first.tolist(), second.tolist(), first.requires_grad


def copies(t: Any) -> Any:
    x = t.tensor([1.0], requires_grad=True)
    (x * 2).backward()
    twin = copy.deepcopy(x)
    return twin.grad.tolist(), twin.requires_grad, twin.is_leaf


PROGRAMS = [accumulation, hooks, chosen_inputs, several_roots, types_of_gradients, penalty, retained_twice, copies]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_programs(program: Callable[[Any], Any]) -> None:
    assert program(tl) == program(torch)


def raised(t: Any, program: Callable[[Any], Any]) -> type[BaseException] | None:
    try:
        program(t)
    except Exception as error:
        return type(error)
    return None


def leaf(t: Any) -> Any:
    return t.tensor([1.0, 2.0], requires_grad=True)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "second backward": lambda t: (lambda y: (y.backward(), y.backward()))((leaf(t) ** 2).sum()),
    "no scalar": lambda t: (leaf(t) * 2).backward(),
    "constant": lambda t: t.ones(1).backward(),
    "wrong seed": lambda t: (leaf(t) * 2).backward(t.ones(3)),
    "unused": lambda t: t.autograd.grad(leaf(t).sum(), leaf(t)),
    "integer leaf": lambda t: t.tensor([1], requires_grad=True),
    "write into a leaf": lambda t: leaf(t).add_(1),
    "write into a graph": lambda t: (lambda y: (y.exp().sum(), y.mul_(2)))(leaf(t))[0],
    "switch off a result": lambda t: setattr(leaf(t) * 2, "requires_grad", False),
    "copy a result": lambda t: copy.deepcopy(leaf(t) * 2),
    "truth of two": lambda t: bool(t.tensor([1, 2])),
    "numpy of a parameter": lambda t: leaf(t).numpy(),
    "grad of another shape": lambda t: setattr(leaf(t), "grad", t.ones(3)),
    "hook without gradient": lambda t: t.ones(1).register_hook(print),
    "retain without gradient": lambda t: t.ones(1).retain_grad(),
    "inputs empty": lambda t: leaf(t).sum().backward(inputs=[]),
    "outputs of two": lambda t: t.autograd.functional.hessian(lambda x: x * 2, leaf(t)),
}


@pytest.mark.parametrize("program", REFUSED.values(), ids=REFUSED)
def test_refusals_are_of_the_same_type(program: Callable[[Any], Any]) -> None:
    ours = raised(tl, program)
    assert ours is not None
    assert ours is raised(torch, program)


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_both_gradchecks_agree(name: str) -> None:
    for t in BOTH:
        x = t.tensor([0.5, 1.5], dtype=t.float64, requires_grad=True)
        func = (lambda x: x.exp() * x) if name == "right" else (lambda x: x.exp() * x.detach())
        assert t.autograd.gradcheck(func, x, raise_exception=False) is (name == "right")
        assert t.autograd.gradgradcheck(func, x, raise_exception=False) is (name == "right")
