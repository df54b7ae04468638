"""The tensor, which is also the node of the tape.

A tensor that an operation made holds the operation, its arguments and a birth number. Nodes point only
backwards, so there are no cycles and reference counting alone frees a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .callsite import note_cut
from .dtypes import Array, Size, dtype, of_numpy
from .writes import note_write


class Extra:
    """What few tensors have: hooks, the wish to keep the gradient, and the line that made them."""

    __slots__ = ("hooks", "made", "retain")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.retain = False
        self.made: Any = None  # noted by detect_anomaly


class Tensor:
    """An array that remembers how it was made. Make one with :func:`tinygrad_loss.tensor`.

    ``array`` is the NumPy array with the values (writes into it are not tracked: write through the tensor).

    >>> from tinygrad_loss import tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = (
        "__weakref__", "_grad", "aligned", "args", "array", "birth", "extra", "needs_grad", "op", "scope", "settings",
    )  # fmt: skip

    array: Array
    needs_grad: bool
    op: Any  # the Primitive or Loss that made it; None for a leaf
    args: tuple[Any, ...] | None  # what op was called with; None once a backward has freed it
    settings: dict[str, Any] | None
    aligned: bool  # every tensor argument has the shape and dtype of the result
    birth: int
    extra: Extra | None
    scope: Any  # the box of modules and losses it was made in

    if TYPE_CHECKING:  # the methods that ops/operators.py binds, one greppable list

        def __getattr__(self, name: str) -> Any: ...
        def _binary(self, other: Any) -> Tensor: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _binary
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = _binary
        __iadd__ = __isub__ = __imul__ = __itruediv__ = _binary
        __and__ = __or__ = __xor__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _binary
        __eq__ = __ne__ = _binary  # type: ignore[assignment]

        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Any: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __bool__(self) -> bool: ...
        def __index__(self) -> int: ...

    __hash__ = object.__hash__

    def __init__(self, array: Array, requires_grad: bool = False) -> None:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"Tensor: got {type(array).__name__}; use tensor({array!r}), which copies it")
        self.array = array
        self._grad: Tensor | None = None
        self.needs_grad = False
        self.op = None
        self.extra = None
        self.birth = 0
        if requires_grad:
            self.requires_grad = True

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def dtype(self) -> dtype:
        return of_numpy(self.array.dtype)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def is_leaf(self) -> bool:
        """True unless an operation made it from tensors that require grad."""
        return self.op is None

    @property
    def grad_fn(self) -> Node | None:
        return None if self.op is None else Node(self)

    @property
    def requires_grad(self) -> bool:
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.op is not None and not value:
            raise RuntimeError(
                "requires_grad: only a leaf can be switched off; to stop gradients here use x = x.detach()"
            )
        if value and self.array.dtype.kind != "f":
            raise RuntimeError(
                f"requires_grad: only floating point tensors can require grad, got {self.dtype}; use x.float()"
            )
        self.needs_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        self.requires_grad = requires_grad
        return self

    @property
    def data(self) -> Tensor:
        """The values without their history. Writes through it are noticed by a later backward."""
        return Tensor(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data: expected a Tensor, got {type(value).__name__}; use x.data = tensor(...)")
        if self.needs_grad and value.array.dtype.kind != "f":
            raise RuntimeError(f"data: {self.dtype} requires grad and cannot become {value.dtype}")
        self.array = value.array
        note_write(self.array)

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf (or after ``retain_grad()``); None before the first backward."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            if value.array.shape != self.array.shape or value.array.dtype != self.array.dtype:
                raise RuntimeError(
                    f"grad: expected shape {tuple(self.array.shape)} and {self.dtype} like the tensor, "
                    f"got {tuple(value.array.shape)} and {value.dtype}"
                )
        self._grad = value

    def retain_grad(self) -> None:
        """Keep ``.grad`` of this intermediate result in the next backward."""
        if not self.needs_grad:
            raise RuntimeError("retain_grad: the tensor does not require grad; call it on a recorded result")
        if self.op is not None:
            self.extra = self.extra or Extra()
            self.extra.retain = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call ``hook(grad)`` when the gradient of this tensor is complete; what it returns replaces it."""
        if not self.needs_grad:
            raise RuntimeError("register_hook: the tensor does not require grad, so no gradient will arrive")
        self.extra = self.extra or Extra()
        return Handle(self.extra.hooks, hook)

    def detach(self) -> Tensor:
        """The same values, sharing memory, outside the graph."""
        if self.needs_grad:
            note_cut("detach")
        return Tensor(self.array)


_new = object.__new__


def wrap(array: Array) -> Tensor:
    """A leaf around an array that is known to be one: the constructor without its checks."""
    out = _new(Tensor)
    out.array = array
    out._grad = out.op = out.extra = None
    out.needs_grad = False
    out.birth = 0
    return out


class Handle:
    """Removes a hook again."""

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self._hooks, self._key = hooks, max(hooks, default=-1) + 1
        hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)


class Node:
    """The operation behind a result, as ``tensor.grad_fn``: its name and where gradients go next."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def name(self) -> str:
        return "AccumulateGrad" if self.tensor.op is None else f"{self.tensor.op.grad_name}Backward0"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        args = (self.tensor.args or ()) if self.tensor.op is not None else ()
        return tuple((Node(a) if a.needs_grad else None, 0) for a in args if isinstance(a, Tensor))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other.tensor is self.tensor

    def __hash__(self) -> int:
        return hash(self.tensor)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self.tensor):#x}>"
