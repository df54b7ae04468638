"""From an exception to the operation that raised it: read off the traceback, which keeps its frames."""

from __future__ import annotations

import inspect
import os
from types import FrameType
from typing import Any

from ..losses import Loss
from ..modes import Scope, State
from ..module import Module
from ..primitive import Primitive
from ..tape import Tensor
from ._model import Broken
from ._text import labels_of

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def broken_by(error: BaseException) -> tuple[list[Broken], list[Tensor]]:
    """The operation that raised ``error``, and the tensors of the functions it was called from.

    RuntimeError when the traceback is gone or no tensor is in sight.
    """
    frames = _frames(error)
    if not frames:
        raise RuntimeError("draw: the exception has no traceback; draw it where it was caught, or sys.last_value")
    scope = _scope(frames)
    line = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    user = [i for i, f in enumerate(frames) if not f.f_code.co_filename.startswith(_PACKAGE)]
    calls = [f for f in frames[user[-1] + 1 if user else 0 :] if not _is_plumbing(f)]
    failed: Broken | None = None
    for frame in calls:  # from the user's call inwards: the first that says what was called with which tensors
        failed = _call(frame, line, scope)
        if failed is not None:
            break
    if failed is None and user:
        where = frames[user[-1]]
        failed = Broken(where.f_code.co_name, [], [], line, scope)
    if failed is None:
        raise RuntimeError("draw: the exception came from no operation on tensors")
    modules = [i for i, f in enumerate(frames) if f.f_code is Module.__call__.__code__]
    start = modules[0] if modules else max(user[-1:], default=0)  # further out is what has no part in it
    near = [t for i in user if i >= max(start, 1) for t in _locals(frames[i])]
    if not near and not any(isinstance(a, Tensor) for a in failed.args):
        raise RuntimeError("draw: no tensor is in sight where the exception was raised")
    return [failed], near


def _frames(error: BaseException) -> list[FrameType]:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames


def _is_plumbing(frame: FrameType) -> bool:
    """Calling a module is no operation; what it calls is."""
    return frame.f_code in (Module.__call__.__code__, Loss.__call__.__code__) or frame.f_code.co_name == "forward"


def _scope(frames: list[FrameType]) -> Scope | None:
    """The innermost box in which it happened."""
    found = None
    for frame in frames:
        if frame.f_code is Module.__call__.__code__:
            inside = frame.f_locals.get("inside")
            found = inside.scope if isinstance(inside, State) else found
    return found


def _call(frame: FrameType, message: str, scope: Scope | None) -> Broken | None:
    """The operation of one frame, when it was given a tensor."""
    here = frame.f_locals
    op: Any = next((v for v in (here.get("op"), here.get("self")) if isinstance(v, (Loss, Primitive))), None)
    args: list[Any]
    names: list[str]
    if isinstance(op, Loss) and "arrays" in here:
        args, labels = list(here["arrays"]), labels_of(op, len(here["arrays"]))
        name = op.name
    elif isinstance(op, Primitive):
        names = [n for n in ("input", "other") if n in here]
        args = list(here.get("args") or [here[n] for n in names])
        labels, name = labels_of(op, len(args)), op.name
    else:
        code = frame.f_code
        names = list(code.co_varnames[: code.co_argcount])
        if code.co_flags & inspect.CO_VARARGS:
            names.append(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        given = [(n, v) for n in names for v in _spread(here.get(n)) if isinstance(v, Tensor)]
        args, labels, name = [v for _, v in given], [n for n, _ in given], code.co_name
    if not any(isinstance(a, Tensor) for a in args):
        return None
    pairs = [(k, a) for k, a in zip(labels, args, strict=True) if a is not None]
    return Broken(name.strip("_"), [a for _, a in pairs], [k for k, _ in pairs], message, scope)


def _spread(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) and not isinstance(value, Tensor) else [value]


def _locals(frame: FrameType) -> list[Tensor]:
    """What a function had computed by then; a module's or a notebook's globals hold too much."""
    if not frame.f_code.co_flags & inspect.CO_NEWLOCALS:
        return []
    values = [v for value in frame.f_locals.values() for v in _spread(value)]
    return [v for v in values if isinstance(v, Tensor) and v.op is not None and v.args is not None]
