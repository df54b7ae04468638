"""A primitive: a NumPy function and, per positional array, the rule that pulls a gradient back through it.

    exp = primitive(np.exp, lambda g, y, x: g * y)

Arrays are positional, settings are keywords. Raw arrays in, raw array out; any Tensor in, Tensor out: a
rule written with operators and primitives runs on raw arrays in a plain backward and on Tensors under
``create_graph``, which gives every order of derivative from one line. The engine un-broadcasts; rules never.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .callsite import note_cut
from .coercion import cast, common, not_a_tensor, number, shape_mismatch
from .dtypes import promote
from .modes import get_state
from .quiet import here, nested
from .tape import Tensor
from .tracing import listeners, note_step
from .writes import next_birth

Value: TypeAlias = Any  # a raw array or a Tensor: what a rule must accept
Rule: TypeAlias = Callable[..., Value] | None
Function: TypeAlias = Callable[..., Any]

PRIMITIVES: dict[str, Primitive] = {}  # every primitive by name: tests and pictures derive from it
LATE = {  # those that come with nn, when it is first asked for: their names are taken before as well
    "ctc_likelihood", "difference_over", "embedding", "expm2", "gaussian_cost", "half_expm2", "hypot", "inverse_length",
    "js_cost", "laplace_cost", "log1p_square", "log_cosh", "log_twice_sigmoid", "longer", "poisson_cost", "raise_to",
    "rate_gap", "rstd", "sparsemax", "standardize", "unit",
}  # fmt: skip
_NONE: dict[str, Any] = {}
_new = object.__new__
_ndarray, _asarray = np.ndarray, np.asarray


class Primitive:
    """What the tape knows of an operation; ``function`` is what users call."""

    __slots__ = (
        "flat", "floats", "forward", "function", "grad_name", "index_name", "into", "keeps", "name", "promotes",
        "rules", "saves",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        forward: Function,
        rules: tuple[Rule, ...],
        *,
        floats: bool,
        promotes: bool,
        saves: bool,
        keeps: bool,
        index_name: str | None,
        grad_name: str | None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.rules = rules or None
        self.floats = floats  # integers become the default float type first
        self.promotes = promotes  # arguments of different types are cast to their common one
        self.saves = saves  # the rules read the values of arguments or result, not only their shapes
        self.keeps = keeps  # forward returns (y, kept); a rule on raw arrays gets what was kept, on Tensors None
        self.index_name = index_name  # a variadic operation has one rule, told its argument by this keyword
        self.grad_name = grad_name or "".join(part.capitalize() for part in name.split("_"))
        self.into = isinstance(forward, np.ufunc)  # forward takes out=, as ufuncs do: plans reuse their memory
        self.flat = False  # a ufunc: one rule for each of its one or two arguments, no settings
        self.function: Function = forward

    def pull(self, tensor: Tensor, g: Value, taped: bool) -> list[Value]:
        """The gradient for each argument, ``None`` where none is needed: only the needed rules run."""
        args, settings, rules = tensor.args or (), tensor.settings or _NONE, self.rules or ()
        if taped and self.keeps:
            settings = {**settings, "kept": None}
        y: Value = tensor if taped else tensor.array
        values = args if taped else [a.array if isinstance(a, Tensor) else a for a in args]
        if self.index_name:
            return [
                rules[0](g, y, *values, **{self.index_name: i}, **settings)  # type: ignore[misc]
                if isinstance(a, Tensor) and a.needs_grad
                else None
                for i, a in enumerate(args)
            ]
        found: list[Value] = []
        for a, rule in zip(args, rules):  # noqa: B905  strict costs as much as the rest of the line
            if rule is None or not isinstance(a, Tensor) or not a.needs_grad:
                found.append(None)
            else:
                found.append(rule(g, y, *values, **settings) if settings else rule(g, y, *values))
        return found

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def primitive(
    forward: Function,
    *rules: Rule,
    name: str | None = None,
    floats: bool = False,
    promotes: bool = True,
    saves: bool = True,
    keeps: bool = False,
    into: bool = False,
    index_name: str | None = None,
    grad_name: str | None = None,
    arity: int = 0,
    doc: str | None = None,
    example: tuple[str, str] | None = None,
) -> Function:
    """Register an operation and return the function that users and rules call.

    ``rules[i](g, y, *args, **settings)`` gives the gradient of positional argument ``i`` from that of the
    result ``y``; ``None`` where there is none. ``arity`` 1 or 2 says that ``forward`` works element by element
    and takes no settings, as a ufunc does; ``into`` that it takes ``out=``. ``example`` is a call and what it
    prints: a doctest.

    >>> import numpy as np
    >>> from tinygrad_loss import tensor
    >>> cube = primitive(lambda x: x * x * x, lambda g, y, x: g * 3.0 * x * x, name="doc_cube")
    >>> x = tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    op = Primitive(
        name or forward.__name__.lstrip("_"),
        forward,
        rules,
        floats=floats,
        promotes=promotes,
        saves=saves,
        keeps=keeps,
        index_name=index_name,
        grad_name=grad_name,
    )
    op.into = op.into or into
    module = sys._getframe(1).f_globals["__name__"]
    if op.name in PRIMITIVES or (op.name in LATE and not module.startswith(f"{__package__}.")):
        raise ValueError(f"primitive: {op.name!r} is declared already; pass another name=")
    arity = forward.nin if isinstance(forward, np.ufunc) else arity
    op.flat = 0 < arity == len(rules) and None not in rules
    if arity == 1:
        function = _unary(op)
    elif arity == 2:
        function = _binary(op)
    else:
        function = _general(op)
    function.__name__ = function.__qualname__ = op.name
    function.__module__ = module
    function.__doc__ = doc or forward.__doc__
    if doc is not None and example is not None:
        function.__doc__ = f"{doc}\n\n>>> {example[0]}\n{example[1]}\n"
    function.primitive = op  # type: ignore[attr-defined]
    op.function = function
    PRIMITIVES[op.name] = op
    return function


def result(op: Any, y: Any, need: bool, args: tuple[Any, ...], settings: dict[str, Any], aligned: bool) -> Tensor:
    """The tensor for a computed value, on the tape when something in ``args`` needs a gradient.

    ``aligned``: every tensor in ``args`` has the shape and dtype of ``y``, so its gradient fits as it is.
    """
    out = _new(Tensor)
    out.array = y if type(y) is _ndarray else _asarray(y)
    out._grad = out.extra = None
    if need and (state := get_state()).recording:
        if op.rules is not None and (aligned or out.array.dtype.kind == "f"):
            out.needs_grad = True
            out.op = op
            out.args = args
            out.settings = settings
            out.aligned = aligned
            out.scope = state.scope
            out.birth = next_birth()
            if state.watch is not None:
                state.watch(out)
            return out
        note_cut(op.name)
    out.needs_grad = False
    out.op = None
    out.birth = 0
    if listeners:
        note_step(op, args, settings, out)
    return out


def _unary(op: Primitive) -> Function:
    forward, floats = op.forward, op.floats

    def unary(input: Any) -> Any:
        if not isinstance(input, Tensor):
            if isinstance(input, (np.ndarray, np.generic)):
                return forward(input)
            raise not_a_tensor(op.name, "input", input)
        x = input.array
        if floats and x.dtype.kind != "f":
            (x,) = promote((x,), True)
        try:
            y = here.run(forward, x)
        except RuntimeError as error:
            if not nested(error):
                raise
            y = here.run_slowly(forward, x)
        return result(op, y, input.needs_grad, (input,), _NONE, True)

    return unary


def _binary(op: Primitive) -> Function:
    forward, floats, name = op.forward, op.floats, op.name
    ufunc = isinstance(forward, np.ufunc)
    taped = op.rules is not None

    def binary(input: Any, other: Any) -> Any:
        if isinstance(input, Tensor):
            x = input.array
            if isinstance(other, Tensor):
                z = other.array
                need = input.needs_grad or other.needs_grad
                same = x.dtype is z.dtype and (not floats or x.dtype.kind == "f")
                aligned = same and x.shape == z.shape
            else:
                z = other
                need = input.needs_grad
                aligned = same = (type(z) is float or type(z) is int) and x.dtype.kind == "f"
                if same and ufunc:
                    other = z = number(z, x.dtype)
        elif isinstance(other, Tensor):
            x, z = input, other.array
            need = other.needs_grad
            aligned = same = (type(x) is float or type(x) is int) and z.dtype.kind == "f"
            if same and ufunc:
                input = x = number(x, z.dtype)
        else:
            return forward(input, other)
        try:
            if not same:
                x, z = cast(name, (x, z), floats)
            y = here.run(forward, x, z)
        except ValueError as error:
            raise shape_mismatch(name, x, z, error) from error
        except RuntimeError as error:
            if not nested(error):
                raise
            y = here.run_slowly(forward, x, z)
        if need and aligned and taped:
            state = get_state()
            if state.recording and state.watch is None:  # result(), spelt out: the hot path of small tapes
                out = _new(Tensor)
                out.array = y if type(y) is _ndarray else _asarray(y)
                out._grad = out.extra = None
                out.needs_grad = out.aligned = True
                out.op = op
                out.args = (input, other)
                out.settings = _NONE
                out.scope = state.scope
                out.birth = next_birth()
                return out
        return result(op, y, need, (input, other), _NONE, aligned)

    return binary


def _general(op: Primitive) -> Function:
    forward, floats, promotes, name, keeps = op.forward, op.floats, op.promotes, op.name, op.keeps

    def general(*args: Any, **settings: Any) -> Any:
        values: Any = []
        need, raw = False, True
        for a in args:
            if isinstance(a, Tensor):
                values.append(a.array)
                need, raw = need or a.needs_grad, False
            else:
                values.append(a)
        if raw:
            return forward(*args, **settings)[0] if keeps else forward(*args, **settings)
        if promotes:
            values = common(name, values, floats)
        try:
            y = here.run(forward, *values, **settings)
        except RuntimeError as error:
            if not nested(error):
                raise
            y = here.run_slowly(forward, *values, **settings)
        if keeps:
            y, settings["kept"] = y
        return result(op, y, need, args, settings, False)

    return general
