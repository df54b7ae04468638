"""What a backward leaves behind: gradients in ``.grad`` or as a result, all or nothing."""

from __future__ import annotations

from _thread import RLock
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from sys import getrefcount
from typing import Any

import numpy as np

from .callsite import forget_cut, no_gradient_message
from .dtypes import Array
from .modes import State, get_state, reset_state, set_state
from .quiet import QUIET, reports, set_reports
from .tape import Tensor, wrap
from .threads import keep_over_fork
from .walk import path_to, walk
from .writes import owner

_commit = RLock()  # reentrant: a signal handler that calls backward in the middle must not wait for itself
keep_over_fork(_commit)
_set_grad, _set_args, _set_settings = (vars(Tensor)[name].__set__ for name in ("_grad", "args", "settings"))
USED = -1  # the birth number of a gradient that an optimizer has stepped with
PILED = -2  # that of one with another added to it


def _alone() -> int:
    """What the reference count of an array is that only its caller holds: differs between Pythons."""
    held = {None: np.zeros(1)}
    _, g = held.popitem()
    return getrefcount(g)


_ALONE = _alone()
UNITS: dict[Any, Array] = {np.dtype(d): np.ones((), d) for d in (np.float16, np.float32, np.float64)}  # d loss / d loss


def _uninterrupted(calls: Iterable[Any]) -> None:
    """Run calls of C functions in one step of the interpreter: Ctrl-C comes before all of them or after."""
    deque(calls, maxlen=0)


def _freeing(done: list[Tensor]) -> Iterable[Any]:
    return chain(map(_set_args, done, repeat(None)), map(_set_settings, done, repeat(None)))


def commit(result: dict[Tensor, Any], done: list[Tensor]) -> None:
    """Add the gradients to ``.grad`` and free the nodes in ``done``: all or nothing, also for threads that
    share a leaf.

    A gradient is handed over when nothing else holds its buffer and copied otherwise, so that no ``.grad``
    aliases another array.
    """
    before = reports()
    try:
        set_reports(QUIET)
        with _commit:
            leaves: list[Tensor] = []
            fresh: list[Tensor] = []
            while result:
                tensor, g = result.popitem()
                old = tensor._grad
                if old is None and type(g) is np.ndarray and g.base is None and getrefcount(g) <= _ALONE:
                    new = wrap(g)
                elif old is None:
                    new = g.clone() if isinstance(g, Tensor) else wrap(np.array(g))
                else:
                    new = old + g if isinstance(g, Tensor) else wrap(np.asarray(old.array + g))
                    if old.birth < 0 and new.op is None:
                        new.birth = PILED
                leaves.append(tensor)
                fresh.append(new)
            _uninterrupted(chain(map(_set_grad, leaves, fresh), _freeing(done)))
    finally:
        set_reports(before)


def _seeds(name: str, roots: Sequence[Tensor], given: Sequence[Any], taped: bool) -> list[Any]:
    """The gradients to start from, checked before anything is computed."""
    seeds: list[Any] = []
    for root, seed in zip(roots, given, strict=True):
        if not root.needs_grad:
            raise RuntimeError(no_gradient_message(name))
        if seed is None:
            if root.array.size != 1:
                raise RuntimeError(
                    f"{name}: grad can be implicitly created only for scalar outputs, this one has shape "
                    f"{tuple(root.array.shape)}: reduce it first (.mean() or .sum()), or pass gradient="
                )
            seed = Tensor(np.ones(root.array.shape, root.array.dtype))
        elif not isinstance(seed, Tensor):
            raise TypeError(f"{name}: gradient must be a Tensor or None, got {type(seed).__name__}")
        elif seed.array.shape != root.array.shape:
            raise RuntimeError(
                f"{name}: gradient has shape {tuple(seed.array.shape)}, the output {tuple(root.array.shape)}; "
                "pass one of the output's shape"
            )
        if taped:
            seeds.append(seed.to(root.dtype))
        else:
            seeds.append(seed.array.astype(root.array.dtype, copy=False))
    return seeds


def _walk_in_mode(*args: Any, taped: bool, **options: Any) -> dict[Tensor, Any]:
    """The walk, with recording on when its gradients are to be differentiated again."""
    old = get_state()
    if not taped and old.watch is None:
        return walk(*args, **options)
    watch = None if old.watch is None else old.watch.for_backward()
    token = set_state(State(taped or old.recording, old.scope, watch))
    try:
        return walk(*args, taped=taped, **options)
    finally:
        reset_state(token)


def accumulate(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    retain_graph: bool | None,
    create_graph: bool,
    inputs: Tensor | Sequence[Tensor] | None,
) -> None:
    """:func:`backward` from several roots at once."""
    seeds = _seeds("backward", roots, gradients, create_graph)
    forget_cut()
    only = capture = None
    if inputs is not None:
        chosen = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        if not chosen:
            raise RuntimeError("backward: inputs is empty; leave it out to reach every leaf")
        _check_wanted("backward", chosen)
        only, capture = path_to(roots, chosen), {t for t in chosen if t.op is not None}
    done: list[Tensor] = []
    found = _walk_in_mode(roots, seeds, only=only, capture=capture, taped=create_graph, done=done)
    keep = create_graph if retain_graph is None else retain_graph
    commit(found, [] if keep else done)


def _check_wanted(name: str, inputs: Sequence[Tensor]) -> None:
    for i, t in enumerate(inputs):
        if not isinstance(t, Tensor):
            raise TypeError(f"{name}: inputs[{i}] must be a Tensor, got {type(t).__name__}")
        if not t.needs_grad:
            raise RuntimeError(f"{name}: inputs[{i}] does not require grad; call requires_grad_() before using it")


def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of this tensor to ``.grad`` of every leaf below it (or of ``inputs`` only).

    ``gradient`` has this tensor's shape and may be left out for a single element. The graph is freed unless
    ``retain_graph``; ``create_graph`` records the gradients so that they can be differentiated again.

    Raises RuntimeError when nothing requires grad, when the shape needs a ``gradient``, when an earlier
    backward has freed the graph, or when a value it needs was changed in place. Nothing is written then.

    >>> from tinygrad_loss import tensor
    >>> w = tensor([3.0], requires_grad=True)
    >>> (w ** 2).sum().backward()
    >>> w.grad
    tensor([6.])
    """
    state = get_state()
    if gradient is None and inputs is None and not create_graph and state.watch is None and self.needs_grad:
        unit = UNITS[self.array.dtype] if self.array.ndim == 0 else None
        if unit is not None:  # the common case: a loss
            forget_cut()
            done: list[Tensor] = []
            commit(walk((self,), (unit,), done=done), [] if retain_graph else done)
            return
    accumulate([self], [gradient], retain_graph, create_graph, inputs)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of the sum of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    Raises RuntimeError when an input does not require grad or, unless ``allow_unused``, when no path leads
    to it. With ``materialize_grads`` unused inputs get zeros, with ``allow_unused`` None.

    >>> from tinygrad_loss import tensor, autograd
    >>> x = tensor(3.0, requires_grad=True)
    >>> (first,) = autograd.grad(x ** 3, x, create_graph=True)
    >>> autograd.grad(first, x)
    (tensor(18.),)
    """
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given: Sequence[Tensor | None]
    if grad_outputs is None:
        given = [None] * len(roots)
    else:
        given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(given) != len(roots):
        raise RuntimeError(f"grad: got {len(given)} grad_outputs for {len(roots)} outputs; give one each, or None")
    _check_wanted("grad", wanted)
    seeds = _seeds("grad", roots, given, create_graph)
    done: list[Tensor] = []
    found = _walk_in_mode(roots, seeds, only=path_to(roots, wanted), capture=set(wanted), taped=create_graph, done=done)
    taken = {id(owner(seed.array)) for seed in seeds if create_graph}
    answer: list[Any] = []
    for i, t in enumerate(wanted):
        g = found.get(t)
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                f"grad: inputs[{i}] was not used to compute the outputs; pass allow_unused=True to get None, or "
                "materialize_grads=True to get zeros"
            )
        if isinstance(g, Tensor):
            if id(owner(g.array)) in taken:  # an addition hands the same gradient to both of its arguments
                g = g.clone()
            taken.add(id(owner(g.array)))
        elif g is not None or materialize_grads:
            g = Tensor(np.zeros_like(t.array) if g is None else np.array(g))
        answer.append(g)
    if not (create_graph if retain_graph is None else retain_graph):
        _uninterrupted(_freeing(done))
    return tuple(answer)
