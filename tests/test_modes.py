"""Grad modes: per thread and task, restored whatever happens, refused where a generator would leak them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import tinygrad_loss as tl
from tinygrad_loss.modes import _DEFAULT, get_state

MODES: dict[str, tuple[Callable[[], Any], bool]] = {
    "no_grad": (tl.no_grad, False),
    "enable_grad": (tl.enable_grad, True),
    "inference_mode": (tl.inference_mode, False),
    "inference_mode(False)": (lambda: tl.inference_mode(False), True),
    "set_grad_enabled(False)": (lambda: tl.set_grad_enabled(False), False),
    "set_grad_enabled(True)": (lambda: tl.set_grad_enabled(True), True),
}


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    assert get_state() is _DEFAULT


def recorded() -> bool:
    """What the mode is for, not only what it says."""
    y = tl.tensor([1.0], requires_grad=True) * 2
    assert y.requires_grad == (y.grad_fn is not None)
    assert y.requires_grad == tl.is_grad_enabled()
    return y.requires_grad


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner", MODES)
def test_modes_nest(outer: str, inner: str) -> None:
    with MODES[outer][0]():
        with MODES[inner][0]():
            assert recorded() is MODES[inner][1]
        assert recorded() is MODES[outer][1]
    assert recorded()


@pytest.mark.parametrize("name", MODES)
def test_an_exception_restores_the_mode(name: str) -> None:
    with pytest.raises(KeyError), MODES[name][0]():
        raise KeyError
    assert recorded()


def test_one_object_can_be_entered_again() -> None:
    mode = tl.no_grad()
    with mode, mode:
        assert not recorded()
    with mode:
        assert not recorded()
    assert recorded()


def test_set_grad_enabled_switches_at_once() -> None:
    with tl.scope("outer"):  # restores whatever is switched inside
        tl.set_grad_enabled(False)
        assert not recorded()
        tl.set_grad_enabled(True)
        assert recorded()
        tl.set_grad_enabled(False)
    assert recorded()


def test_leaves_made_without_recording_can_still_learn() -> None:
    with tl.no_grad():
        w = tl.tensor([1.0], requires_grad=True)
        constant = w * 3
    (w * constant).backward()
    assert w.grad.tolist() == [3.0]


# Decorators


@pytest.mark.parametrize("decorate", [tl.no_grad, tl.no_grad(), tl.inference_mode(), tl.set_grad_enabled], ids=["no_grad", "no_grad()", "inference_mode()", "set_grad_enabled"])
def test_a_decorated_function_runs_in_the_mode(decorate: Any) -> None:
    if decorate is tl.set_grad_enabled:
        with tl.scope("switched at once, as its call is"):
            decorate = tl.set_grad_enabled(False)

    @decorate
    def f(value: int, *, fail: bool = False) -> tuple[int, bool]:
        """What it does."""
        if fail:
            raise KeyError
        return value, recorded()

    assert f(3) == (3, False)
    with pytest.raises(KeyError):
        f(3, fail=True)
    assert recorded()
    assert (f.__name__, f.__doc__) == ("f", "What it does.")


def test_a_decorated_generator_has_the_mode_only_while_it_runs() -> None:
    """E13: values, sent values, exceptions and the result pass through as without the decorator."""

    @tl.no_grad()
    def count() -> Iterator[Any]:
        caught = []
        for i in range(3):
            try:
                sent = yield i, recorded()
            except KeyError:
                caught.append(i)
                continue
            assert sent in (None, "sent")
        return caught

    steps = count()
    assert next(steps) == (0, False)
    assert recorded()
    assert steps.send("sent") == (1, False)
    assert recorded()
    assert steps.throw(KeyError()) == (2, False)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == [1]
    assert list(count()) == [(0, False), (1, False), (2, False)]


def test_generators_closed_in_any_order_leave_the_mode() -> None:
    """E13: two of torch's, closed first in first out, leave gradients off for good."""

    @tl.no_grad()
    def forever() -> Iterator[None]:
        while True:
            yield

    first, second = forever(), forever()
    next(first)
    next(second)
    first.close()
    second.close()
    assert recorded()


# Generators


@pytest.mark.parametrize("name", MODES)
def test_a_generator_may_not_enter_a_mode(name: str) -> None:
    """E13: suspended inside, it would switch gradients off for its caller."""

    def steps() -> Iterator[int]:
        with MODES[name][0]():
            yield 1

    with pytest.raises(RuntimeError, match=r"inside the generator function 'steps'.*Decorate the generator"):
        next(steps())
    assert recorded()


def test_neither_may_an_async_generator() -> None:
    async def steps() -> AsyncIterator[int]:
        with tl.no_grad():
            yield 1

    async def work() -> None:
        await anext(steps())

    with pytest.raises(RuntimeError, match="'steps'"):
        asyncio.run(work())
    with pytest.raises(TypeError, match=r"no_grad: cannot decorate an async generator"):
        tl.no_grad()(steps)


def test_a_context_manager_may() -> None:
    """``contextlib.contextmanager`` switches the mode for its caller on purpose."""

    @contextlib.contextmanager
    def evaluation() -> Iterator[None]:
        with tl.no_grad():
            yield

    with evaluation():
        assert not recorded()
    assert recorded()
    with pytest.raises(KeyError), evaluation():
        raise KeyError
    assert recorded()


# Threads and tasks


def in_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_begins_with_gradients_on() -> None:
    """E12: as in torch, also when it is started inside ``no_grad``."""
    with tl.no_grad():
        assert in_thread(recorded) is True
        assert not recorded()


def test_threads_do_not_see_each_others_modes() -> None:
    """E12: mygrad's switch is global, and another thread's block loses this one's gradients."""
    inside, done = threading.Event(), threading.Event()

    def other() -> bool:
        with tl.no_grad():
            inside.set()
            assert done.wait(10)
            return recorded()

    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(other()))
    thread.start()
    assert inside.wait(10)
    x = tl.tensor([3.0], requires_grad=True)
    (x * x).backward()
    done.set()
    thread.join()
    assert x.grad.tolist() == [6.0]
    assert found == [False]


def test_tasks_do_not_see_each_others_modes() -> None:
    """A coroutine may stay in a mode while it waits: each task has a context of its own."""

    @tl.no_grad()
    async def decorated() -> list[bool]:
        before = recorded()
        await asyncio.sleep(0)
        return [before, recorded()]

    async def inside() -> list[bool]:
        with tl.no_grad():
            before = recorded()
            await asyncio.sleep(0)
            return [before, recorded()]

    async def outside() -> list[bool]:
        before = recorded()
        await asyncio.sleep(0)
        return [before, recorded()]

    async def main() -> list[list[bool]]:
        return list(await asyncio.gather(inside(), outside(), decorated(), outside()))

    assert asyncio.run(main()) == [[False, False], [True, True], [False, False], [True, True]]


def test_a_copied_context_keeps_its_mode_to_itself() -> None:
    def switch() -> bool:
        tl.set_grad_enabled(False)
        return recorded()

    assert contextvars.copy_context().run(switch) is False
    assert recorded()


# What is recorded


def test_nothing_is_recorded_without_a_tensor_that_requires_grad() -> None:
    x = tl.tensor([1.0])
    assert (x * 2).is_leaf
    with tl.no_grad():
        y = tl.tensor([1.0], requires_grad=True) * 2
    assert y.is_leaf and not y.requires_grad


def test_scopes_name_their_operations() -> None:
    x = tl.tensor([1.0], requires_grad=True)
    with tl.scope("encoder"), tl.scope("head"), tl.enable_grad():
        y = x * 2
    assert repr(y.scope) == "encoder/head"
    assert (x * 2).scope is None
