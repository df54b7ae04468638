"""Threads side by side and signal handlers in the middle: right results, or an error that names the remedy."""

import os
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import threads as pool
from tinygrad_loss.losses import LOSSES, PerElement, Real, loss
from tinygrad_loss.primitive import PRIMITIVES, primitive

from .company import LARGE, in_threads, run

F, nn, optim = tl.nn.functional, tl.nn, tl.optim


@pytest.fixture(autouse=True)
def _as_many_threads_as_before() -> Any:
    before = tl.get_num_threads()
    yield
    tl.set_num_threads(before)


def train(seed: int) -> bytes:
    g = tl.Generator().manual_seed(seed)
    w, b = (tl.randn(*size, generator=g).requires_grad_() for size in ((4, 3), (3,)))
    optimizer = optim.Adam([w, b], lr=0.1)
    x, y = tl.randn(16, 4, generator=g), tl.randint(0, 3, (16,), generator=g)
    for _ in range(20):
        optimizer.zero_grad()
        (F.cross_entropy(x @ w + b, y) + F.mse_loss(w, tl.zeros(4, 3))).backward()
        with tl.no_grad():
            b.mul_(0.99)
        optimizer.step()
    big = tl.linspace(-2, 2, 3000, requires_grad=True)
    F.smooth_l1_loss(big, tl.zeros(3000)).backward()
    return w.array.tobytes() + b.array.tobytes() + big.grad.array.tobytes()


def test_sixteen_threads_train_as_one_does() -> None:
    """Graphs, optimizers, generators and plans side by side: the same bits as one after the other."""
    wanted = [train(i) for i in range(16)]
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for name in ("cross_entropy", "mse_loss", "smooth_l1_loss"):
            LOSSES[name].plans.clear()  # all threads make the plans anew, at the same time
            LOSSES[name]._bindings.clear()
        assert in_threads(16, train) == wanted
    finally:
        sys.setswitchinterval(old)


@pytest.mark.parametrize("large", [False, True])
def test_threads_that_walk_the_same_graph(large: bool) -> None:
    """A gradient for each that got through, an error that names the remedy for each that came too late."""
    x = tl.ones(LARGE if large else 3, requires_grad=True)
    tl.set_num_threads(2)
    y = F.mse_loss(x, tl.zeros(x.shape)) if large else (x * x).sum()
    results = in_threads(8, lambda i: y.backward(retain_graph=True))
    assert results == [None] * 8
    once = np.float32(2 / LARGE) if large else np.float32(2)
    np.testing.assert_allclose(x.grad.array, 8 * once, rtol=1e-6)
    x.grad = None
    results = in_threads(8, lambda i: y.backward())
    through = results.count(None)
    assert through >= 1
    assert all("retain_graph=True" in str(r) for r in results if r is not None), results
    np.testing.assert_allclose(x.grad.array, through * once, rtol=1e-6)


def test_one_mode_object_in_many_threads() -> None:
    """What one thread leaves is its own mode, not that of another."""
    mode, named = tl.no_grad(), tl.no_grad()(tl.is_grad_enabled)

    def work(i: int) -> bool:
        for _ in range(300):
            with mode:
                assert not tl.is_grad_enabled()
            assert tl.is_grad_enabled()
            assert not named()
        return True

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert in_threads(8, work) == [True] * 8
    finally:
        sys.setswitchinterval(old)
    with pytest.raises(RuntimeError, match="without having been entered"):
        mode.__exit__(None, None, None)


def user_loss(formula: Callable[..., Any]) -> Any:
    declared = loss(formula)
    del LOSSES[declared.name]
    return declared


def test_a_large_loss_inside_a_large_loss() -> None:
    """A thread of the pool that waited for the pool would wait for itself."""
    tl.set_num_threads(2)
    inner = tl.ones(LARGE), tl.zeros(LARGE)
    seen = []

    def outer_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        seen.append(threading.get_ident())
        return (input - target) ** 2 * float(F.smooth_l1_loss(*inner))

    x = tl.ones(LARGE, requires_grad=True)
    y = user_loss(outer_loss)(x, tl.zeros(LARGE))
    y.backward()
    assert y.item() == 0.5
    np.testing.assert_allclose(x.grad.array, np.float32(1 / LARGE), rtol=1e-6)
    assert len(set(seen)) == 2, "the pool had no part in it: this test shows nothing"


def test_threads_of_the_pool_see_the_callers_modes() -> None:
    tl.set_num_threads(2)
    seen = set()

    def curious_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        bool(input.array.size)
        seen.add((threading.get_ident(), tl.get_default_dtype()))
        return (input - target) ** 2 * float(tl.tensor(1.0))  # reading a value: run anew for each block

    x = tl.ones(LARGE, dtype=tl.float64, requires_grad=True)
    tl.set_default_dtype(tl.float64)
    try:
        user_loss(curious_loss)(x, tl.zeros(LARGE)).backward()
    finally:
        tl.set_default_dtype(tl.float32)
    assert len({thread for thread, _ in seen}) == 2, "the pool had no part in it: this test shows nothing"
    assert {dtype for _, dtype in seen} == {tl.float64}


def test_a_pool_that_was_made_where_nothing_is_recorded() -> None:
    """Threads may inherit the modes of the thread that starts them (-X thread_inherit_context): not so in the pool."""
    code = f"""
from tinygrad_loss.losses import Real, loss, PerElement
@loss
def own_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
    return (input - target) ** 2 * float(tl.tensor(1.0))
tl.set_num_threads(2)
x, t = tl.ones({LARGE}, requires_grad=True), tl.zeros({LARGE})
with tl.no_grad(): F.mse_loss(x, t)
own_loss(x, t).backward()
print((x.grad.array > 0).all())
"""
    assert run(code, *(("-X", "thread_inherit_context=1") if sys.version_info >= (3, 14) else ())) == "True"


def test_the_number_of_threads_changes_meanwhile() -> None:
    x, target, stop = tl.ones(LARGE), tl.zeros(LARGE), threading.Event()

    def resize() -> None:
        while not stop.is_set():
            for count in (2, 3, 4, 5):
                tl.set_num_threads(count)
            pool._pool_size = 0  # the next call makes a new one, and ends the old

    changing = threading.Thread(target=resize)
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    changing.start()
    try:
        assert in_threads(3, lambda i: {F.mse_loss(x, target).item() for _ in range(100)}) == [{1.0}] * 3
    finally:
        stop.set()
        changing.join()
        sys.setswitchinterval(old)


def test_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the caller does all the work: where a limit is reached, and when Python ends."""
    tl.set_num_threads(3)
    x, target = tl.ones(LARGE, requires_grad=True), tl.zeros(LARGE)
    F.mse_loss(x, target).backward()
    wanted, x.grad = x.grad.array.copy(), None

    class Full:
        def submit(self, *args: Any) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_executor", Full)
    F.mse_loss(x, target).backward()
    assert (x.grad.array == wanted).all()


# Signal handlers and finalizers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no interval timers")
def test_a_signal_handler_that_computes() -> None:
    """In the middle of any operation, backward, step or draw."""
    code = """
count, wrong, own = 0, [], tl.Generator()
def handler(*_):
    global count
    count += 1
    try:
        z = tl.ones(3, requires_grad=True)
        with tl.enable_grad():
            (F.mse_loss(z.log_softmax(0), tl.zeros(3)) + z.exp().sum() * 2).backward()
        z.detach().add_(1.0)
        tl.rand(20, generator=own), tl.randn(3, generator=own)
    except BaseException as error:
        wrong.append(repr(error))
    if armed: signal.setitimer(signal.ITIMER_REAL, 0.001)  # the next one: they do not pile up on a slow machine
armed = True
signal.signal(signal.SIGALRM, handler)
def train():
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 20), nn.GELU(), nn.Linear(20, 5))
    optimizer, g = optim.Adam(model.parameters()), tl.Generator().manual_seed(1)
    for _ in range(300):
        x, y = tl.randn(16, 10, generator=g), tl.randint(0, 5, (16,), generator=g)
        optimizer.zero_grad()
        F.cross_entropy(model(x).log_softmax(1), y).backward()
        optimizer.step()
    return b"".join(p.array.tobytes() for p in model.parameters())
wanted = train()
signal.setitimer(signal.ITIMER_REAL, 0.001)
found = train()
armed = False
signal.setitimer(signal.ITIMER_REAL, 0)
print(count > 20, set(wrong), found == wanted)
"""
    assert run(code) == "True set() True"


def test_an_operation_inside_an_operation() -> None:
    """As a handler or a finalizer would make it; the errors of the outer one stay what they are."""
    x = tl.ones(2, requires_grad=True)

    def forward(a: Any) -> Any:
        inner = tl.ones(2, requires_grad=True)
        inner.detach().add_(1.0).mul_(2.0)
        (inner.exp() * 3.0 + inner.softmax(0)).sum().backward()
        np.testing.assert_allclose(inner.grad.array, 3 * np.exp(4.0), rtol=1e-6)
        if a.size == 3:
            raise RuntimeError("of the function itself")
        return a * 2.0

    outer = primitive(forward, lambda g, y, x: g * 2.0, name="outer_for_a_test", arity=1)
    try:
        copy_context().run(lambda: outer(x).sum().backward())
        assert x.grad.tolist() == [2.0, 2.0]
        with pytest.raises(RuntimeError, match="of the function itself") as caught:
            outer(tl.ones(3))
        assert caught.value.__context__ is None
    finally:
        del PRIMITIVES["outer_for_a_test"]


def test_the_faster_number_of_threads_is_kept() -> None:
    """Each is tried twice, the slower one again from time to time."""
    pace = pool.Pace()

    def called(seconds: dict[int, float], most: int = 4) -> int:
        n = pace.threads(most)
        pace.note(n, seconds[n])
        return n

    assert [called({1: 2.0, 4: 3.0}) for _ in range(10)] == [4, 1, 4, 1, 1, 1, 1, 1, 1, 1]
    later = [called({1: 2.0, 4: 0.1}) for _ in range(200)]  # what was slower is not any more
    assert later[:40] == [1] * 40 and 4 in later[:64] and later[-60:].count(4) > 55
    assert [called({1: 1.0, 2: 0.5}, 2) for _ in range(6)] == [2, 1, 2, 1, 2, 2]  # another number: tried anew
    assert called({1: 1.0}, 1) == 1
