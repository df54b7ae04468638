"""What operations record: grad mode, scopes and the anomaly watch, one immutable state per context.

A new thread starts with gradients on, as in torch; what one thread or task switches off, another does not
see. States are restored by token, so nesting order and exceptions cannot leave a mode behind.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Generator
from contextvars import ContextVar, Token
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class Scope:
    """A named box around operations: a module, a loss, or whatever the user calls one."""

    __slots__ = ("name", "parent")

    def __init__(self, name: str, parent: Scope | None) -> None:
        self.name = name
        self.parent = parent

    def __repr__(self) -> str:
        return f"{self.parent!r}/{self.name}" if self.parent is not None else self.name


class State:
    """``recording``: operations enter the tape. ``scope``: their box.

    ``watch``: called with each recorded result; its ``for_backward()`` is the watch for one backward, whose
    ``visit(tensor, g, gradients)`` is called with what the rules of each node made of ``g``.
    """

    __slots__ = ("recording", "scope", "watch")

    def __init__(self, recording: bool = True, scope: Scope | None = None, watch: Any = None) -> None:
        self.recording = recording
        self.scope = scope
        self.watch = watch


_DEFAULT = State()
_state: ContextVar[State] = ContextVar("tinygrad_loss.state", default=_DEFAULT)
get_state = _state.get
set_state = _state.set
reset_state = _state.reset


def is_grad_enabled() -> bool:
    """Whether operations are recorded for backward here.

    >>> is_grad_enabled()
    True
    """
    return get_state().recording


class _Mode:
    """Base of the modes: a context manager, and a decorator that also works on generator functions."""

    _default = False

    def __new__(cls, mode: Any = None) -> Any:
        if callable(mode):  # @no_grad without parentheses
            decorated: Any = cls()(mode)
            return decorated
        return super().__new__(cls)

    def __init__(self, mode: Any = None) -> None:
        self.mode = self._default if mode is None else bool(mode)
        self._tokens: list[Token[State]] = []

    def __enter__(self) -> None:
        _refuse_generator(type(self).__name__)
        old = get_state()
        try:
            self._tokens.append(set_state(State(self.mode, old.scope, old.watch)))
        except BaseException:  # Ctrl-C in between
            set_state(old)
            raise

    def __exit__(self, *exc: object) -> None:
        for token in self._tokens[::-1]:
            try:
                reset_state(token)
            except (ValueError, RuntimeError):  # of another thread or task that shares this object
                continue
            self._tokens.remove(token)
            return
        raise RuntimeError(f"{type(self).__name__}: left without having been entered in this thread")

    def __call__(self, function: F) -> F:
        mode = self.mode

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                """Each step runs in the mode; while suspended, the caller keeps its own."""
                inner = function(*args, **kwargs)
                sent: Any = None
                raised: BaseException | None = None
                while True:
                    old = get_state()
                    token = set_state(State(mode, old.scope, old.watch))
                    try:
                        item = inner.send(sent) if raised is None else inner.throw(raised)
                    except StopIteration as stop:
                        return stop.value
                    finally:
                        reset_state(token)
                    try:
                        sent, raised = (yield item), None
                    except GeneratorExit:
                        inner.close()
                        raise
                    except BaseException as error:  # handed on to the wrapped generator
                        sent, raised = None, error

            return generator  # type: ignore[return-value]

        if inspect.isasyncgenfunction(function):
            raise TypeError(f"{type(self).__name__}: cannot decorate an async generator; decorate what it calls")

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                old = get_state()
                token = set_state(State(mode, old.scope, old.watch))
                try:
                    return await function(*args, **kwargs)
                finally:
                    reset_state(token)

            return coroutine  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            old = get_state()
            try:
                set_state(State(mode, old.scope, old.watch))
                return function(*args, **kwargs)
            finally:
                set_state(old)

        return wrapped  # type: ignore[return-value]


def _refuse_generator(name: str) -> None:
    """A generator suspended inside the context would switch the mode for its caller as well."""
    frame = sys._getframe(2)
    if not frame.f_code.co_flags & _SUSPENDABLE:
        return
    caller = frame.f_back
    if caller is not None and caller.f_globals.get("__name__") == "contextlib":
        return  # @contextmanager: switching the mode for the caller is what it is written for
    raise RuntimeError(
        f"{name}: entered with 'with' inside the generator function {frame.f_code.co_name!r}: while the "
        f"generator is suspended, its caller would run under {name} too. Decorate the generator with "
        f"@{name}() instead"
    )


class no_grad(_Mode):
    """Operations inside are not recorded; their results do not require grad. Context or decorator.

    Only this thread or task is affected. Raises RuntimeError when entered inside a generator function,
    whose caller would lose its gradients: decorate the generator instead.

    Ctrl-C at the very end of a ``with`` block, before the first step of its exit, leaves the mode behind, as with any
    context manager written in Python; a decorated function never leaves it behind. Where Python lets threads inherit
    the context of their starter (``-X thread_inherit_context``), they inherit the mode.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """


class enable_grad(_Mode):
    """Operations inside are recorded, also within :class:`no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """

    _default = True


class inference_mode(_Mode):
    """As :class:`no_grad`; ``inference_mode(False)`` leaves gradients on.

    >>> with inference_mode():
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool | None = True) -> None:
        super().__init__(not mode)


class set_grad_enabled(_Mode):
    """Switch recording on or off at once; as a context manager, until its end.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    >>> is_grad_enabled()
    True
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        old = get_state()
        self._tokens.append(set_state(State(self.mode, old.scope, old.watch)))

    def __enter__(self) -> None:
        """The constructor has switched already; a generator gets its mode back before the refusal."""
        try:
            _refuse_generator("set_grad_enabled")
        except RuntimeError:
            self.__exit__()
            raise


class scope:
    """Name the operations made inside, for pictures of the graph.

    >>> with scope("encoder"):
    ...     y = tensor([1.0], requires_grad=True) * 2
    >>> y.scope
    encoder
    """

    __slots__ = ("_token", "name")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        old = get_state()
        try:
            self._token = set_state(State(old.recording, Scope(self.name, old.scope), old.watch))
        except BaseException:  # Ctrl-C in between
            set_state(old)
            raise

    def __exit__(self, *exc: object) -> None:
        reset_state(self._token)
