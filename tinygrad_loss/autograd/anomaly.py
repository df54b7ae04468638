"""Which operation made the first nan, and on which line it was called.

While the mode is on, every recorded operation is looked at, inside losses too, and so is every gradient rule.
An inf is legal, but remembered: ``inf * 0`` and ``inf - inf`` are how most nans come about.
"""

from __future__ import annotations

import linecache
from contextvars import Token
from typing import Any

import numpy as np

from ..callsite import user_line
from ..modes import Scope, State, get_state, reset_state, set_state
from ..primitive import Value
from ..quiet import quiet
from ..tape import Extra, Tensor


class Made:
    """How a value came about: the operation, the line that called it, and where its inf came from."""

    __slots__ = ("box", "file", "inf", "line", "name")

    def __init__(self, name: str, box: Scope | None) -> None:
        self.name = name
        self.box = box
        self.file, self.line = user_line()
        self.inf: Made | None = None  # the operation whose result had the first inf on the way here

    def __str__(self) -> str:
        inside = f" in {self.box!r}" if self.box is not None else ""
        source = linecache.getline(self.file, self.line).strip()
        return f"{self.name!r}{inside}, called at {self.file}:{self.line}" + (f": {source}" if source else "")


def _array(value: Any) -> Any:
    """The floats of an argument, or None: what a nan can be in."""
    array = value.array if isinstance(value, Tensor) else value
    if isinstance(array, float):
        array = np.asarray(array)
    return array if isinstance(array, (np.ndarray, np.generic)) and array.dtype.kind == "f" else None


def _has(value: Any, what: np.ufunc) -> bool:
    array = _array(value)
    return array is not None and bool(what(array).any())


def _made(value: Any) -> Made | None:
    return value.extra.made if isinstance(value, Tensor) and value.extra is not None else None


def _shape(value: Any) -> str:
    return str(tuple(value.array.shape)) if isinstance(value, Tensor) else repr(value)


def _first(array: Any) -> tuple[int, ...]:
    """The index of the first nan."""
    return tuple(int(i) for i in np.argwhere(np.isnan(array))[0])


def _call(tensor: Tensor) -> str:
    made = _made(tensor)
    return str(made) if made is not None else f"{tensor.op.name!r}, called before detect_anomaly was switched on"


class Watch:
    """Looks at the result of every operation as it is recorded."""

    def __call__(self, result: Tensor) -> None:
        with quiet():
            made = Made(result.op.name, result.scope)
            result.extra = result.extra or Extra()
            result.extra.made = made
            args = result.args or ()
            self._trace_inf(result, args, made)
            if _has(result, np.isnan):
                self._report(result, args, made)

    @staticmethod
    def _trace_inf(result: Tensor, args: tuple[Any, ...], made: Made) -> None:
        origins = [_made(a) for a in args if _has(a, np.isinf)]
        earlier = next((m.inf or m for m in origins if m is not None), None)
        if earlier is not None:
            made.inf = earlier
        elif not origins and _has(result, np.isinf):
            made.inf = made

    @staticmethod
    def _report(result: Tensor, args: tuple[Any, ...], made: Made) -> None:
        index = _first(result.array)
        for i, a in enumerate(args):
            if _has(a, np.isnan):
                where = f"detect_anomaly: a nan came in with argument {i}, at {_first(_array(a))}, of {made}\n"
                if isinstance(a, Tensor) and a.op is not None:
                    raise RuntimeError(f"{where}It was made by {a.op.name!r}, before detect_anomaly was switched on")
                raise RuntimeError(f"{where}No recorded operation made it: look at the data and the parameters")
        shapes = ", ".join(_shape(a) for a in args)
        message = f"detect_anomaly: the first nan was made by {made}\nArguments: {shapes}; the nan is at {index}"
        values = [_array(a) for a in args]
        if all(v is not None and v.shape == result.array.shape for v in values) and values:
            message += f", where they are {', '.join(f'{v[index]:g}' for v in values)}"
        if made.inf is not None and made.inf is not made:
            message += f". An argument holds an inf, made by {made.inf}"
        raise RuntimeError(message)

    def for_backward(self) -> BackwardWatch:
        return BackwardWatch()


class BackwardWatch:
    """Looks at the gradients of one backward; operations recorded by it (``create_graph``) get a line only."""

    def __init__(self) -> None:
        # By the array of a tensor, which a loss shares with the root of its inner tape: whose rule made the inf
        # in its gradient.
        self._infs: dict[int, Tensor | None] = {}

    def __call__(self, result: Tensor) -> None:
        result.extra = result.extra or Extra()
        result.extra.made = Made(result.op.name, result.scope)

    def visit(self, tensor: Tensor, g: Value, pulled: list[Value]) -> None:
        """``pulled``: what the rules of ``tensor`` made of ``g``."""
        with quiet():
            clean, infinite = not _has(g, np.isnan), _has(g, np.isinf)
            origin = self._infs.get(id(tensor.array)) if infinite else tensor
            for i, (a, d) in enumerate(zip(tensor.args or (), pulled, strict=False)):
                if d is None or not isinstance(a, Tensor):
                    continue
                if clean and _has(d, np.isnan):
                    self._report(tensor, i, d, infinite, origin)
                if _has(d, np.isinf):
                    self._infs[id(a.array)] = origin

    @staticmethod
    def _report(tensor: Tensor, i: int, d: Value, infinite: bool, origin: Tensor | None) -> None:
        message = (
            f"detect_anomaly: Function '{tensor.op.grad_name}Backward0' returned nan values in its {i}th output: the "
            f"first nan is in the gradient of argument {i}, at {_first(_array(d))}, of {_call(tensor)}"
        )
        if infinite and origin is not None:
            message += f"\nIt met an inf, which was made by the gradient of {_call(origin)}"
        elif infinite:
            message += "\nIt met an inf in the gradient that backward was given"
        raise RuntimeError(message)

    def for_backward(self) -> BackwardWatch:
        return BackwardWatch()


class set_detect_anomaly:
    """Switch the search for nans on or off at once; as a context manager, until its end.

    Only this thread or task is affected. See :class:`detect_anomaly`.

    >>> with autograd.set_detect_anomaly(False):
    ...     tensor(-1., requires_grad=True).log()
    tensor(nan, grad_fn=<LogBackward0>)
    """

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"set_detect_anomaly: mode must be True or False, got {type(mode).__name__}")
        self._tokens: list[Token[State]] = []
        self._switch(mode)

    def _switch(self, mode: bool) -> None:
        old = get_state()
        self._tokens.append(set_state(State(old.recording, old.scope, Watch() if mode else None)))

    def __enter__(self) -> None:
        """The constructor has switched already."""

    def __exit__(self, *exc: object) -> None:
        reset_state(self._tokens.pop())


class detect_anomaly(set_detect_anomaly):
    """Raise a RuntimeError at the first nan, naming the operation that made it and the line that called it.

    Inside, each recorded operation and each gradient rule is checked, in losses as well: it is slow, for
    debugging. A nan that comes in with data is reported where it is first used. An inf alone is no error, but is
    named when a nan comes of it. Only this thread or task is affected.

    >>> x = tensor([4., 0.], requires_grad=True)
    >>> with autograd.detect_anomaly():
    ...     (x.sqrt() * tensor([1., 0.])).sum().backward()  # the slope of sqrt at 0 is inf, and 0 * inf is nan
    Traceback (most recent call last):
    RuntimeError: detect_anomaly: ...
    """

    def __init__(self) -> None:
        self._tokens = []

    def __enter__(self) -> None:
        self._switch(True)
