"""The reverse walk over the tape.

Arguments are born before results, so decreasing birth numbers are a topological order: a heap of birth
numbers finds the nodes and their order at once, without recursion.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from threading import Lock
from typing import Any

import numpy as np

from .accumulate import sum_to
from .callsite import advise, no_gradient_message
from .modes import State, get_state, reset_state, set_state
from .quiet import QUIET, enter_quiet, leave_quiet
from .tape import Tensor
from .writes import written_after, writes_since

_commit = Lock()
USED = -1  # the birth number of a gradient that an optimizer has stepped with


def fit(gradient: Any, like: Tensor) -> Any:
    """Un-broadcast and cast a gradient to the argument it belongs to: once per edge, for every rule."""
    array = like.array
    if isinstance(gradient, Tensor):
        if gradient.array.shape != array.shape:
            gradient = gradient.sum_to_size(array.shape)
        return gradient if gradient.array.dtype is array.dtype else gradient.to(like.dtype)
    if gradient.shape != array.shape:
        gradient = sum_to(gradient, array.shape)
    return gradient if gradient.dtype is array.dtype else gradient.astype(array.dtype)


def walk(
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    *,
    keep: bool = False,
    taped: bool = False,
    only: set[Tensor] | None = None,
    capture: set[Tensor] | None = None,
    visit: Callable[[Tensor, Any], None] | None = None,
) -> dict[Tensor, Any]:
    """Pull ``seeds`` back from ``roots``: gradients of the leaves, of retained and of captured tensors.

    On raw arrays, or on Tensors (``taped``) so that the gradient can be differentiated again. ``only``
    limits the walk to the tensors in it. The graph is freed at the very end, so that an exception on the
    way leaves it as it was.
    """
    result: dict[Tensor, Any] = {}
    grads: dict[int, Any] = {}
    pending: dict[int, Tensor] = {}
    heap: list[int] = []
    done: list[Tensor] = []
    for root, seed in zip(roots, seeds, strict=True):
        if root.op is None:
            result[root] = result[root] + seed if root in result else seed
        elif root.birth in grads:
            grads[root.birth] = grads[root.birth] + seed
        else:
            grads[root.birth], pending[root.birth] = seed, root
            heappush(heap, -root.birth)
    newest = writes_since()
    token = enter_quiet(QUIET)
    try:
        while heap:
            birth = -heappop(heap)
            tensor, g = pending.pop(birth), grads.pop(birth)
            op, args = tensor.op, tensor.args
            if tensor.extra is not None:
                g = _run_hooks(tensor, g)
                if tensor.extra.retain:
                    result[tensor] = g
            if capture is not None and tensor in capture:
                result[tensor] = g
            if args is None:
                raise _freed(op.name)
            if birth < newest:
                _check_unwritten(tensor)
            if visit is not None:
                visit(tensor, g)
            done.append(tensor)
            aligned = tensor.aligned
            if taped or not op.flat:
                pulled = iter(op.pull(tensor, g, taped, keep))
                arity = 0
            else:  # one or two arguments and no settings: called directly, it is the hot path
                arity = len(args)
                y = tensor.array
                a = args[0]
                x = a.array if isinstance(a, Tensor) else a
                if arity == 2:
                    a = args[1]
                    z = a.array if isinstance(a, Tensor) else a
            for a, rule in zip(args, op.rules or args):
                if not isinstance(a, Tensor) or not a.needs_grad:
                    continue
                if arity == 2:
                    d = rule(g, y, x, z)
                elif arity == 1:
                    d = rule(g, y, x)
                else:
                    d = next(pulled)
                    if d is None:
                        continue
                if only is not None and a not in only:
                    continue
                if not aligned:
                    d = fit(d, a)
                if a.op is None:
                    before = result.get(a)
                    result[a] = d if before is None else before + d
                else:
                    born = a.birth
                    before = grads.get(born)
                    if before is None:
                        grads[born] = d
                        pending[born] = a
                        heappush(heap, -born)
                    else:
                        grads[born] = before + d
        for tensor in result:
            if tensor.op is None and tensor.extra is not None:
                result[tensor] = _run_hooks(tensor, result[tensor])
    finally:
        leave_quiet(token)
    if not keep:
        for tensor in done:
            tensor.args = tensor.settings = None
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
        given = g if isinstance(g, Tensor) else Tensor(np.asarray(g))
        replaced = hook(given)
        if replaced is not None:
            if replaced.shape != tensor.shape:
                raise RuntimeError(f"register_hook: the hook returned shape {replaced.shape} for {tensor.shape}")
            g = replaced if isinstance(g, Tensor) else replaced.array
    return g


def _references(gradient: Any) -> int:
    return sys.getrefcount(gradient)


def _alone() -> int:
    """What :func:`_references` counts for an array that only its caller holds: differs between Pythons."""
    held = {None: np.zeros(1)}
    _, g = held.popitem()
    return _references(g)


_ALONE = _alone()


def commit(result: dict[Tensor, Any]) -> None:
    """Add the gradients to ``.grad``, all or nothing; safe for threads that share a leaf.

    A gradient is handed over when nothing else holds its buffer and copied otherwise, so that no ``.grad``
    aliases another array.
    """
    token = enter_quiet(QUIET)
    try:
        with _commit:
            before = [(tensor, tensor._grad) for tensor in result]
            fresh: list[Tensor] = []
            for tensor, old in reversed(before):
                _, g = result.popitem()
                if old is not None and old.birth == USED:
                    advise(
                        "backward: the gradient is added to one that optimizer.step() has already used; "
                        "call optimizer.zero_grad() before backward()"
                    )
                if isinstance(g, Tensor):
                    fresh.append(g if old is None else old + g)
                elif old is not None:
                    fresh.append(Tensor(np.asarray(old.array + g)))
                elif type(g) is np.ndarray and g.base is None and _references(g) <= _ALONE:
                    fresh.append(Tensor(g))
                else:
                    fresh.append(Tensor(np.array(g)))
                    del tensor
            try:
                for (tensor, _), new in zip(reversed(before), fresh, strict=True):
                    tensor._grad = new
            except BaseException:
                for tensor, old in before:
                    tensor._grad = old
                raise
    finally:
        leave_quiet(token)


def path_to(roots: Sequence[Tensor], inputs: Sequence[Tensor]) -> set[Tensor]:
    """The tensors on a path from ``roots`` down to ``inputs``: all that a walk for them has to visit."""
    seen = set(roots)
    stack = list(roots)
    while stack:
        tensor = stack.pop()
        if tensor.op is not None and tensor.args is not None:
            for a in tensor.args:
                if isinstance(a, Tensor) and a.needs_grad and a not in seen:
                    seen.add(a)
                    stack.append(a)
    needed = set(inputs) & seen
    for tensor in sorted((t for t in seen if t.op is not None), key=lambda t: t.birth):
        if any(isinstance(a, Tensor) and a in needed for a in tensor.args or ()):
            needed.add(tensor)
    return needed


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
    """The walk, with recording on exactly when its gradients are to be differentiated again."""
    if not taped:
        return walk(*args, **options)
    old = get_state()
    token = set_state(State(True, old.scope, old.watch))
    try:
        return walk(*args, taped=True, **options)
    finally:
        reset_state(token)


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
    seeds = _seeds("backward", [self], [gradient], create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    only = capture = None
    if inputs is not None:
        chosen = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        if not chosen:
            raise RuntimeError("backward: inputs is empty; leave it out to reach every leaf")
        only, capture = path_to([self], chosen), {t for t in chosen if t.op is not None}
    commit(_walk_in_mode([self], seeds, keep=keep, only=only, capture=capture, taped=create_graph))


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
    for i, t in enumerate(wanted):
        if not t.needs_grad:
            raise RuntimeError(f"grad: inputs[{i}] does not require grad; call requires_grad_() before using it")
    seeds = _seeds("grad", roots, given, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = _walk_in_mode(
        roots, seeds, keep=keep, only=path_to(roots, wanted), capture=set(wanted), taped=create_graph
    )
    answer: list[Any] = []
    for i, t in enumerate(wanted):
        g = found.get(t)
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                f"grad: inputs[{i}] was not used to compute the outputs; pass allow_unused=True to get None, or "
                "materialize_grads=True to get zeros"
            )
        if g is None and materialize_grads:
            g = np.zeros_like(t.array)
        answer.append(g if g is None or isinstance(g, Tensor) else Tensor(np.array(g)))
    return tuple(answer)
