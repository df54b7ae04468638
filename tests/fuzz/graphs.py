"""Random graphs grown step by step beside the naive twin: values and every ``.grad`` are compared after each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tinygrad_loss as tl

from . import twin
from .graph_steps import MoreSteps
from .report import Report
from .twin import Array, Jet

LEAVES = ((2,), (2, 2), ())
MOST = 60  # tensors of a graph
PICK = st.integers(0, 10**6)
NUMBER = st.sampled_from([-1.5, -0.5, 0.25, 1.0, 2.0])


def _sigmoid(x: Array) -> tuple[Array, Array, Array]:
    s = 1.0 / (1.0 + np.exp(-x))
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def _tanh(x: Array) -> tuple[Array, Array, Array]:
    t = np.tanh(x)
    return t, 1 - t * t, -2 * t * (1 - t * t)


UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Array], tuple[Array, Array, Array]]]] = {
    "sin": (tl.sin, lambda x: (np.sin(x), np.cos(x), -np.sin(x))),
    "tanh": (tl.tanh, _tanh),
    "sigmoid": (tl.sigmoid, _sigmoid),
    "square": (tl.square, lambda x: (x * x, 2 * x, 2.0 + 0 * x)),
    "cube": (lambda x: x**3, lambda x: (x**3, 3 * x * x, 6 * x)),
    "exp": (tl.exp, lambda x: (np.exp(x), np.exp(x), np.exp(x))),
    "relu": (tl.relu, lambda x: (np.maximum(x, 0), np.where(x > 0, 1.0, 0.0), 0 * x)),
    "abs": (abs, lambda x: (np.abs(x), np.sign(x), 0 * x)),
    "root": (lambda x: tl.sqrt(x * x + 1.0), lambda x: (np.sqrt(x * x + 1), x / np.sqrt(x * x + 1), (x * x + 1) ** -1.5)),
    "neg": (lambda x: -x, lambda x: (-x, -1.0 + 0 * x, 0 * x)),
    "over": (lambda x: 1.0 / (x * x + 1.0), lambda x: (1 / (x * x + 1), -2 * x / (x * x + 1) ** 2, (6 * x * x - 2) / (x * x + 1) ** 3)),
}
GROWING = {"square", "cube", "exp"}
MOVES: dict[str, tuple[int, Callable[[Any], Any], Callable[[Array], Array]]] = {  # (least ndim, ours, NumPy's)
    "flat": (0, lambda x: x.reshape(-1), lambda x: x.reshape(-1)),
    "column": (1, lambda x: x.unsqueeze(1), lambda x: np.expand_dims(x, 1)),
    "first": (1, lambda x: x[0], lambda x: x[0]),
    "slice": (1, lambda x: x[1:], lambda x: x[1:]),
    "stride": (1, lambda x: x[..., ::2], lambda x: x[..., ::2]),
    "take": (1, lambda x: x[[0, -1, 0]], lambda x: x[[0, -1, 0]]),
    "turn": (2, lambda x: x.transpose(0, 1), lambda x: x.swapaxes(0, 1)),
    "expand": (0, lambda x: x.expand(2, *x.shape), lambda x: np.broadcast_to(x, (2, *x.shape))),
}


class GraphMachine(MoreSteps, RuleBasedStateMachine):
    """Pairs of a tensor and its twin."""

    steps: ClassVar[int] = 0
    checks: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.memory = twin.Memory()
        self.pairs: list[tuple[Any, Jet]] = []
        self.graded: list[tuple[Any, int, Array | None]] = []  # (tensor, its first variable, the gradient expected)
        self.freed: set[int] = set()
        self.next = 0

    @initialize(number=PICK)
    def leaves(self, number: int) -> None:
        r = np.random.default_rng(number)
        for shape in LEAVES:
            v = np.asarray(r.uniform(-1.5, 1.5, shape))
            self.pairs.append((tl.tensor(v, requires_grad=True), twin.variable(v, self.next, self.memory)))
            self.graded.append((self.pairs[-1][0], self.next, None))
            self.next += v.size
        for shape in ((2,), (2, 2)):
            v = np.asarray(r.uniform(-1.5, 1.5, shape))
            self.pairs.append((tl.tensor(v), twin.constant(v, self.memory)))

    # What is drawn.

    def pick(self, number: int) -> tuple[Any, Jet]:
        """Any pair; every other time one of the newest, so that graphs get deep."""
        if number % 2 == 0:
            return self.pairs[-1 - number // 2 % min(4, len(self.pairs))]
        return self.pairs[number // 2 % len(self.pairs)]

    def room(self) -> bool:
        return 0 < len(self.pairs) < MOST

    def add(self, tensor: Any, jet: Jet) -> None:
        GraphMachine.steps += 1
        if jet.v.size <= 64 and (jet.v.size == 0 or np.abs(jet.v).max() < 1e4):
            self.pairs.append((tensor, jet))

    # Growing.

    @precondition(room)
    @rule(at=PICK, name=st.sampled_from(sorted(UNARY)), hook=st.none() | NUMBER)
    def unary(self, at: int, name: str, hook: float | None) -> None:
        x, jet = self.pick(at)
        if name in GROWING and jet.v.size and np.abs(jet.v).max() > 4:
            return
        f, closed = UNARY[name]
        y, made = f(x), twin.unary(jet, closed, self.memory)
        if hook is not None and y.requires_grad:  # the gradient that passes is multiplied
            y.register_hook(lambda g: g * hook)
            made.j, made.h = made.j * hook, None if made.h is None else made.h * hook
        elif y.requires_grad and at % 3 == 0 and self.next + made.v.size <= twin.VARIABLES:  # or kept
            y.retain_grad()
            made.j = made.j + twin.identity(made.v.shape, self.next)
            self.graded.append((y, self.next, None))
            self.next += made.v.size
        self.add(y, made)

    @precondition(room)
    @rule(a=PICK, b=PICK, name=st.sampled_from(["add", "sub", "mul", "matmul"]))
    def binary(self, a: int, b: int, name: str) -> None:
        (x, p), (y, q) = self.pick(a), self.pick(b)
        if name == "matmul":
            if p.v.ndim == q.v.ndim == 2 and p.v.shape[1] == q.v.shape[0]:
                self.add(x @ y, twin.contracted(p, q, self.memory))
            return
        try:
            np.broadcast_shapes(p.v.shape, q.v.shape)
        except ValueError:
            return
        if name == "mul":
            self.add(x * y, twin.multiplied(p, q, self.memory))
        else:
            self.add(x + y if name == "add" else x - y, twin.added(p, q, 1.0 if name == "add" else -1.0, self.memory))

    @precondition(room)
    @rule(at=PICK, name=st.sampled_from(sorted(MOVES)))
    def move(self, at: int, name: str) -> None:
        x, jet = self.pick(at)
        least, ours, plain = MOVES[name]
        if jet.v.ndim >= least and 0 < jet.v.size <= 16 and jet.v.ndim < 4:
            self.add(ours(x), twin.moved(jet, plain, self.memory))

    @precondition(room)
    @rule(at=PICK, axis=st.none() | st.integers(0, 1), mean=st.booleans())
    def total(self, at: int, axis: int | None, mean: bool) -> None:
        x, jet = self.pick(at)
        if (axis is not None and axis >= jet.v.ndim) or not jet.v.size:
            return
        count = jet.v.size if axis is None else jet.v.shape[axis]
        y = x.mean(axis) if mean else x.sum(axis)
        self.add(y, twin.summed(jet, axis, 1.0 / count if mean else 1.0, self.memory))

    @precondition(room)
    @rule(at=PICK)
    def detach(self, at: int) -> None:
        x, jet = self.pick(at)
        self.add(x.detach(), twin.constant(jet.v, self.memory))

    # Writing.

    @precondition(room)
    @rule(at=PICK, number=NUMBER, how=st.sampled_from(["add_", "mul_", "copy_", "setitem"]))
    def write(self, at: int, number: float, how: str) -> None:
        """In place, under no_grad: into leaves, constants, and through detach() into anything."""
        x, jet = self.pick(at)
        target = x if x.is_leaf else x.detach()
        if not jet.v.size or 0 in jet.v.strides:
            return
        with tl.no_grad():
            if how == "setitem":
                target[...] = number
            else:
                getattr(target, how)(number)
        if how == "add_":
            jet.v[...] += number
        elif how == "mul_":
            jet.v[...] *= number
        else:
            jet.v[...] = number
        self.memory.write(jet.v)
        GraphMachine.steps += 1

    # Differentiating.

    def may_refuse(self, jet: Jet) -> bool:
        """Whether memory that was used has been written since, or a part of the graph has been freed."""
        return self.memory.stale(jet.used) or bool(self.freed & (jet.history | {id(jet)}))

    @precondition(room)
    @rule(at=PICK, retain=st.booleans(), number=PICK)
    def backward(self, at: int, retain: bool, number: int) -> None:
        y, jet = self.pick(at)
        if not y.requires_grad:
            return
        GraphMachine.steps += 1
        w = np.asarray(np.random.default_rng(number).uniform(-1.0, 1.0, jet.v.shape))
        try:
            y.backward(tl.tensor(w), retain_graph=retain)
        except RuntimeError as error:
            assert self.may_refuse(jet), f"refused without a cause: {error}"
            return  # and all gradients are as before, says the invariant
        assert y.is_leaf or id(jet) not in self.freed, "went through a graph that was freed"
        if not retain and not y.is_leaf:
            self.freed |= {id(jet), *(i for i in jet.history)} - {id(p) for t, p in self.pairs if t.is_leaf}
        self.expect(np.tensordot(w, jet.j, jet.v.ndim))

    def expect(self, g: Array, only: set[int] | None = None) -> None:
        """Gradients that came in by all variables, of all or some of the graded."""
        for k, (tensor, start, old) in enumerate(self.graded):
            if only is not None and k not in only:
                continue
            part = g[start : start + tensor.array.size].reshape(tensor.array.shape)
            if old is not None or tensor.grad is not None or part.any():
                self.graded[k] = (tensor, start, part if old is None else old + part)

    @precondition(room)
    @rule(at=PICK, leaf=st.integers(0, len(LEAVES) - 1), number=PICK)
    def slope(self, at: int, leaf: int, number: int) -> None:
        """A gradient that can itself be used and differentiated."""
        y, jet = self.pick(at)
        x, start, _ = self.graded[leaf]
        if not y.requires_grad or jet.h is None:
            return
        GraphMachine.steps += 1
        w = np.asarray(np.random.default_rng(number).uniform(-1.0, 1.0, jet.v.shape))
        try:
            (g,) = tl.autograd.grad(y, [x], tl.tensor(w), create_graph=True, allow_unused=True)
        except RuntimeError as error:
            assert self.may_refuse(jet), f"refused without a cause: {error}"
            return
        made = twin.slope(jet, w, start, LEAVES[leaf])
        if g is None:
            assert not made.v.any(), f"autograd.grad found no way to the leaf; expected {made.v}"
        else:
            made.used |= {self.memory.of(p.v) for p in (made, self.pairs[leaf][1])}
            close(g.array, made.v, "a gradient by autograd.grad")
            self.aside(g, made)

    def aside(self, g: Any, made: Jet) -> None:
        """A gradient may share memory with anything: the graph goes on from a sum."""
        self.add(g * 1.0, twin.unary(made, lambda x: (x.copy(), 1.0 + 0 * x, 0 * x), self.memory))

    @precondition(room)
    @rule(leaf=st.integers(0, len(LEAVES) - 1))
    def zero(self, leaf: int) -> None:
        x, start, _ = self.graded[leaf]
        x.grad = None
        self.graded[leaf] = (x, start, None)

    @invariant()
    def same(self) -> None:
        for x, jet in self.pairs:
            close(x.array, jet.v, "a value")
        for x, _, expected in self.graded:
            assert x.grad is not None or expected is None, "a gradient is missing"
            if x.grad is not None:
                close(x.grad.array, np.zeros(x.array.shape) if expected is None else expected, "a gradient")
        GraphMachine.checks += len(self.pairs) + len(self.graded)


def close(x: Array, y: Array, what: str) -> None:
    assert x.shape == y.shape, f"{what}: shape {x.shape}, expected {y.shape}"
    scale = max(1.0, float(np.abs(y).max(initial=0.0)))
    assert np.abs(x - y).max(initial=0.0) <= 1e-9 * scale, f"{what}: {x}, expected {y}"


def fuzz(seed: int, only: str = "", examples: int = 10, steps: int = 40, report: Report | None = None, shrink: bool = True) -> Report:
    """``examples`` graphs of up to ``steps`` steps; a failing one is made smaller."""
    report = report or Report()
    report.seeds.append(seed)
    before = GraphMachine.steps
    limits = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=False, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
    )  # fmt: skip
    try:
        run_state_machine_as_test(seeded(seed)(GraphMachine), settings=limits)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        notes = "\n    ".join(getattr(error, "__notes__", []))
        report.fault(f"{type(error).__name__}", f"--part graphs --rounds 1 --seed {seed}: {error}\n    {notes}")
    report.count("steps", GraphMachine.steps - before)
    return report
