"""Depth, memory, threads, interruption, other processes: where an engine breaks when it is used for long."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.modes import _DEFAULT, get_state
from tinygrad_loss.primitive import PRIMITIVES
from tinygrad_loss.tape import Tensor

from . import limits

F = nn.functional
PACKAGE = str(Path(tl.__file__).parent)


def run(code: str, **environment: str) -> str:
    """What a fresh Python prints for ``code``."""
    where = os.environ | {"PYTHONPATH": str(Path(PACKAGE).parent), "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# Depth and memory


def test_a_chain_of_a_million_operations() -> None:
    """E01: forward, backward and freeing, under the default recursion limit; micrograd stops at 1,100."""
    found, right = limits.depth("y + 1", 1_000_000)
    assert right, found


@pytest.mark.parametrize("name", list(limits.CHAINS))
@pytest.mark.parametrize(("thread", "retain"), [(True, False), (False, True)])
def test_deep_graphs_of_every_kind(name: str, thread: bool, retain: bool) -> None:
    """E01: in a thread of 64 KiB, and freed by the last reference to the end of the chain."""
    found, right = limits.depth(name, 10_000, thread, retain)
    assert right, found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("name", list(limits.STEPS))
def test_steps_without_the_garbage_collector_do_not_grow(name: str) -> None:
    """E03: less than 1 MiB, and nothing that only the collector would free; ``python -m tests.limits`` takes 100,000 steps."""
    found, right = limits.growth(name, 10_000 if name == "training" else 1000)
    assert right, found


def test_growth_garbage_and_death_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.STEPS, "grows", "kept = []\ndef step(i):\n    kept.append(tl.ones(1000))")
    monkeypatch.setitem(limits.STEPS, "cycle", "def step(i):\n    y = tl.ones(2, requires_grad=True) * 2.0\n    y.grad = tl.ones(2)\n    y.grad.grad = y")
    monkeypatch.setitem(limits.CHAINS, "wrong", ("y = y + x", "1.0"))
    monkeypatch.setitem(limits.CHAINS, "dies", ("raise RecursionError", "1.0"))
    assert limits.growth("grows", 1000)[0]["grown"] > limits.MEBIBYTE
    assert limits.growth("cycle", 100)[0]["garbage"] >= 200
    assert not any(limits.growth(name, 1000)[1] for name in ("grows", "cycle"))
    assert limits.depth("wrong", 10)[1] is False
    assert "RecursionError" in limits.depth("dies", 10)[0]["died"]


def test_reference_counting_alone_frees_a_graph() -> None:
    """E03: nothing that a forward and backward made waits for the collector, errors on the way included."""

    def work() -> None:
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
        loss = F.mse_loss(model(tl.ones(2, 4)), tl.zeros(2, 1))
        loss.backward(retain_graph=True)
        tl.autograd.grad(loss, list(model.parameters()), create_graph=True)
        del loss, model

    work()
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        work()
        gc.collect()
        ours = [type(o) for o in gc.garbage if type(o) is np.ndarray or isinstance(o, Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert ours == []


def test_a_freed_graph_holds_no_arrays() -> None:
    x = tl.ones(3, requires_grad=True)
    y = F.mse_loss(x.exp(), tl.zeros(3))
    y.backward()
    assert y.args is None
    assert y.settings is None


# Threads


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def target(i: int) -> None:
        start.wait()
        try:
            results[i] = work(i)
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=target, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def test_independent_graphs_in_sixteen_threads() -> None:
    """E12: the birth numbers are shared, the graphs are not."""

    def work(i: int) -> list[float]:
        found = []
        for k in range(30):
            x = tl.tensor([float(i), float(k)], requires_grad=True)
            (F.mse_loss(x, tl.zeros(2), reduction="sum") + (x * x).sum()).backward()
            found += x.grad.tolist()
        return found

    assert in_threads(16, work) == [[v for k in range(30) for v in (4.0 * i, 4.0 * k)] for i in range(16)]


def test_threads_that_share_a_leaf_add_up_exactly() -> None:
    """E12: 8 x 100 gradients into one ``.grad``, none lost."""
    x = tl.ones(3, requires_grad=True)

    def work(i: int) -> None:
        for _ in range(100):
            (x * float(i + 1)).sum().backward()

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert in_threads(8, work) == [None] * 8
    finally:
        sys.setswitchinterval(old)
    assert x.grad.tolist() == [3600.0] * 3


# Interruption


def interrupted(work: Callable[[], Any], at: int) -> bool:
    """Raise KeyboardInterrupt on the ``at``-th line of the package that ``work`` runs; False when it ran through."""
    left = at

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        contextvars.copy_context().run(work)  # an interrupt inside a finally leaves a mode behind in here only
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.parametrize(("create_graph", "shape"), [(False, ()), (False, (1,)), (True, ())])
def test_an_interrupted_backward_is_all_or_nothing(
    create_graph: bool, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E19: wherever Ctrl-C strikes, every ``.grad`` is as before and a retry is right, or all is done."""
    # Tracing can raise between the end of a with block and its exit, where Python handles no signal: no lock.
    monkeypatch.setattr("tinygrad_loss.backward._commit", contextlib.nullcontext())
    outcomes = set()
    for at in range(1, 100_000):
        a, b = (tl.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        (a * 10 + b * 20).sum().backward()  # something to lose
        y = (F.mse_loss(a * b + a.exp(), tl.zeros(2)) + (a.reshape(2, 1) * b).sum()).reshape(shape)
        before = [a.grad.tolist(), b.grad.tolist()]
        wanted = [
            (x.grad + g).tolist() for x, g in zip((a, b), tl.autograd.grad(y, (a, b), retain_graph=True), strict=True)
        ]
        hit = interrupted(lambda y=y: y.backward(create_graph=create_graph), at)
        after = [a.grad.tolist(), b.grad.tolist()]
        assert after in (before, wanted), at
        if hit and after == before:
            y.backward(create_graph=create_graph)
            assert [a.grad.tolist(), b.grad.tolist()] == wanted, at
        outcomes.add((hit, after == wanted))
        if not hit:
            break
    assert (True, False) in outcomes
    assert (False, True) in outcomes


def test_a_failing_rule_leaves_gradients_and_graph() -> None:
    """E14, E19: the walk has passed the first branch when the second fails."""
    x, broken = tl.ones(2, requires_grad=True), True

    def hook(_: Tensor) -> None:
        if broken:
            raise ZeroDivisionError

    early = x * 2.0
    early.register_hook(hook)
    y = (early + x * 3.0).sum()
    for create_graph in (False, True):
        with pytest.raises(ZeroDivisionError):
            y.backward(create_graph=create_graph)
        assert x.grad is None
        assert get_state() is _DEFAULT
    broken = False
    y.backward()
    assert x.grad.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_an_error_in_any_operation_leaves_no_mode_behind(name: str) -> None:
    """E14: HIPS autograd's trace stack stays three levels deep after errors."""
    bad = Tensor(np.array(["words", "for", "numbers"]))
    old, reports = get_state(), np.geterr()
    for count in range(1, 5):
        try:
            with tl.no_grad(), tl.scope("box"), tl.enable_grad():
                PRIMITIVES[name].function(*[bad] * count)
        except Exception:
            assert get_state() is old
    assert get_state() is old
    assert np.geterr() == reports
    x = tl.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


# The caller's settings


def test_the_callers_floating_point_settings_do_not_matter() -> None:
    """E20: 0 * log(0) and exp(-1000) are everyday values for a loss."""
    x = tl.tensor([-1000.0, 0.0, 1000.0, 1e38], requires_grad=True)

    def work() -> list[float]:
        x.grad = None
        y = x.exp() + (x / 0.0).sum() + x.sigmoid() + (x * x).log() + x.softmax(0) + F.softplus(-x) + x**3
        y.retain_grad()
        y.sum().backward(retain_graph=True)
        y.sum().backward(create_graph=True)
        return x.grad.detach().array.tobytes()

    usual = work()
    with np.errstate(all="raise"):
        assert work() == usual
        assert np.geterr()["over"] == "raise"


HASHES = """
import tinygrad_loss as tl
from tinygrad_loss import nn
tl.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
x, leaves = tl.randn(16, 8), [tl.rand(3, requires_grad=True) for _ in range(20)]
y = nn.functional.cross_entropy(model(x) + sum(w * w for w in leaves), tl.arange(16) % 3)
y.backward()
found = [t.grad for t in [*model.parameters(), *leaves]]
found += tl.autograd.grad(sum((w.exp() * w).sum() for w in leaves), leaves)
print(b"".join(t.array.tobytes() for t in found).hex())
"""


def test_gradients_are_the_same_bits_in_every_process() -> None:
    """E18: a set of parents gave micrograd three different sums in twelve runs."""
    assert len({run(HASHES, PYTHONHASHSEED=str(seed)) for seed in (0, 1, 42)}) == 1
