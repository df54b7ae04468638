"""The reverse walk over the tape.

Arguments are born before results, so decreasing birth numbers are a topological order: a heap of birth
numbers finds the nodes and their order at once, without recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from .accumulate import sum_to
from .modes import get_state
from .quiet import QUIET, reports, set_reports
from .tape import Tensor
from .writes import writes_since, written_after


def fit(gradient: Any, like: Tensor, name: str) -> Any:
    """Un-broadcast and cast a gradient to the argument it belongs to: once per edge, for every rule."""
    array = like.array
    if isinstance(gradient, Tensor):
        if gradient.array.shape != array.shape:
            _check_broadcast(gradient.array.shape, array.shape, name)
            gradient = gradient.sum_to_size(array.shape)
        return gradient if gradient.array.dtype is array.dtype else gradient.to(like.dtype)
    if gradient.shape != array.shape:
        if gradient.shape[1:] != array.shape:  # not the bias of a batch, the common case
            _check_broadcast(gradient.shape, array.shape, name)
        gradient = sum_to(gradient, array.shape)
    return gradient if gradient.dtype is array.dtype else gradient.astype(array.dtype)


def _check_broadcast(given: tuple[int, ...], shape: tuple[int, ...], name: str) -> None:
    extra = len(given) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, given[extra:], strict=True)):
        raise RuntimeError(
            f"backward: the gradient rule of {name!r} returned shape {given} for an argument of shape {shape}; "
            "a rule returns the shape of its argument (or of the broadcast result): expand where forward reduced"
        )


def walk(
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    *,
    taped: bool = False,
    only: set[Tensor] | None = None,
    capture: set[Tensor] | None = None,
    done: list[Tensor] | None = None,
) -> dict[Tensor, Any]:
    """Pull ``seeds`` back from ``roots``: gradients of the leaves, of retained and of captured tensors.

    On raw arrays, or on Tensors (``taped``) so that the gradient can be differentiated again. ``only``
    limits the walk to the tensors in it. The graph stays as it was, whatever happens: the nodes that were
    visited are appended to ``done``, for the caller to free when the gradients are safe.
    """
    result: dict[Tensor, Any] = {}
    grads: dict[int, Any] = {}
    pending: dict[int, Tensor] = {}
    heap: list[int] = []
    visited: list[Tensor] = [] if done is None else done
    ahead: Tensor | None = None  # the next node of a chain, which need not pass through the heap,
    ahead_g: Any = None  # and its gradient
    for root, seed in zip(roots, seeds, strict=True):
        if root.op is not None and len(roots) == 1:
            ahead, ahead_g = root, seed
        elif root.op is None:
            if only is None or root in only:
                result[root] = result[root] + seed if root in result else seed
        elif root.birth in grads:
            grads[root.birth] = grads[root.birth] + seed
        else:
            grads[root.birth], pending[root.birth] = seed, root
            heappush(heap, -root.birth)
    newest = writes_since()
    watch = get_state().watch
    plain = not taped and watch is None
    outside = reports()
    try:
        set_reports(QUIET)
        while heap or ahead is not None:
            if ahead is not None and (not heap or ahead.birth > -heap[0]):
                tensor, g, ahead = ahead, ahead_g, None
            else:
                if ahead is not None:
                    grads[ahead.birth], pending[ahead.birth] = ahead_g, ahead
                    heappush(heap, -ahead.birth)
                    ahead = None
                birth = -heappop(heap)
                tensor, g = pending.pop(birth), grads.pop(birth)
            op, args = tensor.op, tensor.args
            if tensor.extra is not None:
                g = _run_hooks(tensor, g)
                if tensor.extra.retain:
                    result[tensor] = g
            if capture is not None and tensor in capture:
                result[tensor] = g
                if only is not None and not any(isinstance(a, Tensor) and a in only for a in args or ()):
                    continue  # nothing below it is asked for
            if args is None:
                raise _freed(op.name)
            if tensor.birth < newest:
                _check_unwritten(tensor)
            visited.append(tensor)
            steps: Sequence[Any]
            if op.flat and plain:  # one or two arguments and no settings: called directly, it is the hot path
                a = args[0]
                x = a.array if isinstance(a, Tensor) else a
                if len(args) == 1:
                    steps = (op.rules[0](g, tensor.array, x),)
                else:
                    b = args[1]
                    z = b.array if isinstance(b, Tensor) else b
                    first, second = op.rules
                    steps = (
                        first(g, tensor.array, x, z) if x is not a and a.needs_grad else None,
                        second(g, tensor.array, x, z) if z is not b and b.needs_grad else None,
                    )
            else:
                steps = op.pull(tensor, g, taped)
                if watch is not None:
                    watch.visit(tensor, g, steps)
            aligned = tensor.aligned
            for a, d in zip(args, steps):  # noqa: B905  strict costs as much as the rest of the line
                if d is None or (only is not None and a not in only):
                    continue
                if not aligned:
                    array = a.array
                    if d.shape != array.shape or d.dtype is not array.dtype:  # a Tensor's dtype is never NumPy's
                        d = fit(d, a, op.name)
                if a.op is None:
                    before = result.get(a)
                    result[a] = d if before is None else before + d
                elif a is ahead:
                    ahead_g = ahead_g + d
                elif ahead is None and not heap:
                    ahead, ahead_g = a, d
                else:
                    born = a.birth
                    before = grads.get(born)
                    if before is not None:
                        grads[born] = before + d
                    else:
                        grads[born] = d
                        pending[born] = a
                        heappush(heap, -born)
        for tensor in result:
            if tensor.op is None and tensor.extra is not None:
                result[tensor] = _run_hooks(tensor, result[tensor])
    finally:
        set_reports(outside)
    return result


def _freed(name: str) -> RuntimeError:
    return RuntimeError(
        f"backward: a second time through {name!r}, whose saved values an earlier backward freed. Call the first "
        "backward with retain_graph=True, or compute the result again; if it came from an earlier training step, "
        "cut it off there with .detach()"
    )


def _check_unwritten(tensor: Tensor) -> None:
    """Refuse to use values that were overwritten after the operation read them."""
    if not tensor.op.saves:
        return
    for i, a in enumerate((tensor, *(tensor.args or ()))):
        if isinstance(a, Tensor) and written_after(a.array, tensor.birth):
            which = "its result" if i == 0 else f"argument {i}"
            raise RuntimeError(
                f"backward: {which} of {tensor.op.name!r}, of shape {tuple(a.array.shape)}, was modified by an "
                "in-place operation after it was used, so its gradient would be wrong. Write in place only after "
                "backward(), or use a copy: x = x.clone()"
            )


def _run_hooks(tensor: Tensor, g: Any) -> Any:
    assert tensor.extra is not None
    for hook in list(tensor.extra.hooks.values()):
        replaced = hook(g if isinstance(g, Tensor) else Tensor(np.array(g)))  # a copy: others may share this gradient
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor):
            raise TypeError(f"register_hook: the hook must return a Tensor or None, got {type(replaced).__name__}")
        if replaced.array.shape != tensor.array.shape or replaced.array.dtype != tensor.array.dtype:
            raise RuntimeError(
                f"register_hook: the hook returned shape {tuple(replaced.shape)} and {replaced.dtype}, the tensor has "
                f"{tuple(tensor.shape)} and {tensor.dtype}; return a gradient like the tensor"
            )
        g = replaced if isinstance(g, Tensor) else replaced.array
    return g


def path_to(roots: Sequence[Tensor], inputs: Sequence[Tensor]) -> set[Tensor]:
    """The tensors on a path from ``roots`` down to ``inputs``: all that a walk for them has to visit."""
    seen, wanted = set(roots), set(inputs)
    stack = list(roots)
    while stack:
        tensor = stack.pop()
        if tensor.op is not None:
            if tensor.args is None and tensor not in wanted:
                raise _freed(tensor.op.name)  # nobody can say any more whether it leads to them
            for a in tensor.args or ():
                if isinstance(a, Tensor) and a.needs_grad and a not in seen:
                    seen.add(a)
                    stack.append(a)
    needed = wanted & seen
    for tensor in sorted((t for t in seen if t.op is not None), key=lambda t: t.birth):
        if any(isinstance(a, Tensor) and a in needed for a in tensor.args or ()):
            needed.add(tensor)
    return needed
