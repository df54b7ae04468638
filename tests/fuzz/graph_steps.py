"""More steps for the random graphs: losses as nodes, joined and chosen elements, modes, several roots, recorded backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

import tinygrad_loss as tl
from tinygrad_loss.nn import functional as F

from . import twin
from .twin import Array, Jet

PICK = st.integers(0, 10**6)


def _softplus(target: Array) -> Callable[[Array], tuple[Array, Array, Array]]:
    def f(x: Array) -> tuple[Array, Array, Array]:
        s = 1.0 / (1.0 + np.exp(-x))
        return np.logaddexp(0.0, x) - x * target, s - target, s * (1 - s)

    return f


def _huber(d: Array) -> tuple[Array, Array, Array]:
    inside = np.abs(d) < 1.0
    return np.where(inside, 0.5 * d * d, np.abs(d) - 0.5), np.clip(d, -1.0, 1.0), inside * 1.0


def same(x: Array, y: Array, what: str) -> None:
    scale = max(1.0, float(np.abs(y).max(initial=0.0)))
    if x.shape != y.shape or not np.abs(x - y).max(initial=0.0) <= 1e-9 * scale:
        raise AssertionError(f"{what}: {x}, expected {y}")


class MoreSteps:
    """Beside the growing, writing and differentiating of GraphMachine, whose pairs these add to."""

    if TYPE_CHECKING:
        pairs: list[tuple[Any, Jet]]
        graded: list[tuple[Any, int, Array | None]]
        memory: twin.Memory
        steps: int

        def pick(self, number: int) -> tuple[Any, Jet]: ...
        def add(self, tensor: Any, jet: Jet) -> None: ...
        def may_refuse(self, jet: Jet) -> bool: ...
        def expect(self, g: Array, only: set[int] | None = None) -> None: ...

    def has_room(self) -> bool:
        return 0 < len(self.pairs) < 60

    # Growing.

    @precondition(has_room)
    @rule(a=PICK, b=PICK, name=st.sampled_from(["mse_loss", "huber_loss", "bce", "cross_entropy"]), reduction=st.sampled_from(["mean", "sum", "none"]))
    def loss(self, a: int, b: int, name: str, reduction: str) -> None:
        """A loss is one node; its twin is made of steps."""
        (x, p), (y, q) = self.pick(a), self.pick(b)
        if not p.v.size or not p.v.ndim or np.abs(p.v).max() > 30:
            return
        memory = self.memory
        if name == "cross_entropy":
            if p.v.ndim != 2:
                return
            labels = np.arange(p.v.shape[0]) * 7 % p.v.shape[1]
            value = F.cross_entropy(x, tl.tensor(labels), reduction=reduction)
            total = twin.summed(twin.unary(p, lambda v: (np.exp(v),) * 3, memory), 1, 1.0, memory)
            level = twin.unary(total, lambda v: (np.log(v), 1 / v, -1 / (v * v)), memory)
            made = twin.added(level, twin.moved(p, lambda v: v[np.arange(len(v)), labels], memory), -1.0, memory)
        elif name == "bce":
            target = np.arange(p.v.size).reshape(p.v.shape) % 3 / 2.0
            value = F.binary_cross_entropy_with_logits(x, tl.tensor(target), reduction=reduction)
            made = twin.unary(p, _softplus(target), memory)
        else:
            if q.v.shape != p.v.shape:
                y, q = x.detach(), twin.constant(p.v, memory)
            f = _huber if name == "huber_loss" else lambda d: (d * d, 2 * d, 2.0 + 0 * d)
            value = getattr(F, name)(x, y, reduction=reduction)
            made = twin.unary(twin.added(p, q, -1.0, memory), f, memory)
        if reduction != "none":
            made = twin.summed(made, None, 1.0 / made.v.size if reduction == "mean" else 1.0, memory)
        self.add(value, made)

    @precondition(has_room)
    @rule(at=PICK, others=st.lists(PICK, max_size=2), stacked=st.booleans())
    def join(self, at: int, others: list[int], stacked: bool) -> None:
        """Several of one shape, some of them the same, end to end or as rows."""
        x, jet = self.pick(at)
        alike = [(t, p) for t, p in self.pairs if p.v.shape == jet.v.shape]
        parts = [(x, jet), *(alike[k % len(alike)] for k in others)]
        if jet.v.ndim > 3 or (not stacked and not jet.v.ndim):
            return
        join = tl.stack if stacked else tl.cat
        self.add(join([t for t, _ in parts], 0), twin.joined([p for _, p in parts], stacked, self.memory))

    @precondition(has_room)
    @rule(a=PICK, b=PICK)
    def choose(self, a: int, b: int) -> None:
        (x, p), (y, q) = self.pick(a), self.pick(b)
        try:
            np.broadcast_shapes(p.v.shape, q.v.shape)
        except ValueError:
            return
        self.add(tl.where(x > 0.1, x, y), twin.chosen(p.v > 0.1, p, q, self.memory))

    @precondition(has_room)
    @rule(at=PICK)
    def without_grad(self, at: int) -> None:
        """What is computed under no_grad is a constant."""
        x, jet = self.pick(at)
        with tl.no_grad():
            y = x * 0.5 + 1.0
        if y.requires_grad or y.grad_fn is not None:
            raise AssertionError("a result of no_grad requires grad")
        self.add(y, twin.constant(jet.v * 0.5 + 1.0, self.memory))

    @precondition(has_room)
    @rule(a=PICK, b=PICK)
    def augmented(self, a: int, b: int) -> None:
        """Inside a graph += makes another tensor: the old one stays as it is."""
        (x, p), (y, q) = self.pick(a), self.pick(b)
        try:
            fits = np.broadcast_shapes(p.v.shape, q.v.shape) == p.v.shape
        except ValueError:
            return
        if not fits or x.is_leaf or not x.requires_grad:
            return
        z = x
        z += y
        if z is x:
            raise AssertionError("a recorded tensor was written in place")
        self.add(z, twin.added(p, q, 1.0, self.memory))

    # Differentiating.

    @precondition(has_room)
    @rule(at=PICK, number=PICK, leaf=st.none() | st.integers(0, 2))
    def recorded_backward(self, at: int, number: int, leaf: int | None) -> None:
        """create_graph=True for all, or the gradient of one leaf only; the graph stays."""
        y, jet = self.pick(at)
        if not y.requires_grad:
            return
        w = np.asarray(np.random.default_rng(number).uniform(-1.0, 1.0, jet.v.shape))
        g = np.tensordot(w, jet.j, jet.v.ndim)
        more: dict[str, Any] = {"create_graph": True}
        reached = None
        if leaf is not None:
            x, start, _ = self.graded[leaf]
            if not g[start : start + x.array.size].any():
                return
            more = {"inputs": [x], "retain_graph": True}
            jets = {id(t): p for t, p in self.pairs}
            origin = id(self.pairs[leaf][1])  # on the way to the leaf, gradients that are to be kept are kept
            reached = {leaf, *(k for k, (t, _, _) in enumerate(self.graded) if id(t) in jets and origin in jets[id(t)].history)}
        try:
            y.backward(tl.tensor(w), **more)
        except RuntimeError as error:
            if not self.may_refuse(jet):
                raise AssertionError(f"refused without a cause: {error}") from error
            return
        self.expect(g, reached)

    @precondition(has_room)
    @rule(a=PICK, b=PICK, number=PICK)
    def two_roots(self, a: int, b: int, number: int) -> None:
        """autograd.grad of two results at once, by all leaves, writes nothing into .grad."""
        (x, p), (y, q) = self.pick(a), self.pick(b)
        if not x.requires_grad or not y.requires_grad:
            return
        r = np.random.default_rng(number)
        v, w = (np.asarray(r.uniform(-1.0, 1.0, k.v.shape)) for k in (p, q))
        leaves = [t for t, _, _ in self.graded[:3]]
        try:
            found = tl.autograd.grad([x, y], leaves, [tl.tensor(v), tl.tensor(w)], retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            if not (self.may_refuse(p) or self.may_refuse(q)):
                raise AssertionError(f"refused without a cause: {error}") from error
            return
        g = np.tensordot(v, p.j, p.v.ndim) + np.tensordot(w, q.j, q.v.ndim)
        for (t, start, _), part in zip(self.graded[:3], found, strict=True):
            expected = g[start : start + t.array.size].reshape(t.array.shape)
            same(np.zeros(t.array.shape) if part is None else part.array, expected, "a gradient of two roots")

    @precondition(has_room)
    @rule(leaf=st.integers(0, 2))
    def zero_in_place(self, leaf: int) -> None:
        x, start, expected = self.graded[leaf]
        if x.grad is not None:
            with tl.no_grad():
                x.grad.zero_()
            self.graded[leaf] = (x, start, None if expected is None else np.zeros(x.array.shape))
