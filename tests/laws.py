"""What holds for every primitive and public operation: plain functions ``law(function, sample)``.

Each raises AssertionError (or GradcheckError) when the law is broken; test_laws.py applies them to everything
that is registered, test_planted.py shows that they catch what they are for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.tape import Tensor

from .samples import Array, Sample

Function = Callable[..., Any]


@contextmanager
def hostile() -> Iterator[None]:
    """The strictest caller: floating point reports are errors, and so are warnings, but for advice."""
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tl.LossWarning)
        yield


@contextmanager
def silent() -> Iterator[None]:
    """For raw calls, outside the engine's quiet."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def over(args: Any, change: Callable[[Array], Any]) -> Any:
    """The arguments with every array changed, also in lists."""
    if isinstance(args, np.ndarray):
        return change(args)
    if isinstance(args, (tuple, list)):
        return type(args)(over(a, change) for a in args)
    return args


def arrays_of(args: Any) -> list[Array]:
    found: list[Array] = []
    over(args, found.append)
    return found


def own(x: Array) -> Array:
    """A copy that is strided as before, so that each element can be varied by itself."""
    if x.flags.c_contiguous:
        return x.copy()
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def tensors(args: Any, kind: Any = None, grad: bool = True) -> tuple[Any, list[Tensor]]:
    """(arguments with tensors for arrays, the leaves to differentiate by). Layout is kept: nothing is copied."""
    made: list[Tensor] = []

    def change(x: Array) -> Tensor:
        if x.dtype.kind != "f":
            return Tensor(x)
        t = Tensor(x if kind is None else x.astype(kind), requires_grad=grad)
        made.append(t)
        return t

    return over(args, change), made


def flat(y: Any) -> list[Any]:
    return [part for item in y for part in flat(item)] if isinstance(y, (tuple, list)) else [y]


def outputs(function: Function, args: Any, sample: Sample) -> list[Tensor]:
    """The results that depend on the leaves."""
    return [y for y in flat(function(*args, **sample.settings)) if y.requires_grad]


def seeds_for(results: list[Tensor]) -> list[Tensor]:
    r = np.random.default_rng(7)
    return [Tensor(np.asarray(r.uniform(0.5, 1.5, y.shape)).astype(y.array.dtype)) for y in results]


def gradients(function: Function, sample: Sample, create_graph: bool = False, kind: Any = None) -> list[Tensor | None]:
    args, leaves = tensors(sample.args, kind)
    results = outputs(function, args, sample)
    if not results:
        return []
    seeds = seeds_for(results)
    return list(autograd.grad(results, leaves, seeds, create_graph=create_graph, allow_unused=True))


def close(a: Any, b: Any, rtol: float, what: str, least: float = 0.0) -> None:
    """Equal up to rounding, of the largest number there (or ``least``); nan and inf in the same places."""
    a, b = (np.asarray(x.array if isinstance(x, Tensor) else x) for x in (a, b))
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
    finite = np.abs(b[np.isfinite(b)]).astype(float)
    scale = max(float(finite.max()) if finite.size else 1.0, least)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale + 1e-300, err_msg=what)


# The laws.


def law_derivatives(function: Function, sample: Sample) -> None:
    """First and second derivatives are those of finite differences."""
    if sample.kink:
        return
    args, leaves = tensors(over(sample.args, own))
    if not outputs(function, args, sample):
        return

    def of_leaves(*given: Tensor) -> tuple[Tensor, ...]:
        queue = list(given)
        rebuilt = over(sample.args, lambda x: queue.pop(0) if x.dtype.kind == "f" else Tensor(x))
        return tuple(outputs(function, rebuilt, sample))

    assert autograd.gradcheck(of_leaves, leaves, eps=1e-6, atol=1e-7, rtol=1e-6)
    assert autograd.gradgradcheck(of_leaves, leaves, eps=1e-6, atol=1e-6, rtol=1e-5)


def law_raw_equals_tensor(function: Function, sample: Sample) -> None:
    """Raw arrays in give the raw array that is in the Tensor when Tensors go in."""
    args, _ = tensors(sample.args)
    with silent():
        raw = flat(function(*sample.args, **dict(sample.settings)))
    boxed = flat(function(*args, **dict(sample.settings)))
    assert len(raw) == len(boxed)
    for a, b in zip(raw, boxed, strict=True):
        assert not isinstance(a, Tensor) and isinstance(b, Tensor), f"{type(a)} from arrays, {type(b)} from Tensors"
        assert np.asarray(a).dtype == b.array.dtype, f"{np.asarray(a).dtype} from arrays, {b.dtype} from Tensors"
        np.testing.assert_array_equal(a, b.array)


def law_two_modes(function: Function, sample: Sample) -> None:
    """A plain backward and one that records itself give the same gradients."""
    plain, taped = gradients(function, sample), gradients(function, sample, create_graph=True)
    for a, b in zip(plain, taped, strict=True):
        assert (a is None) == (b is None), "one mode found a gradient, the other none"
        if a is not None and b is not None:
            assert a.dtype == b.dtype
            close(a, b, 1e-14, "plain against recorded backward")


def law_dtypes(function: Function, sample: Sample) -> None:
    """float32 stays float32, in results and both kinds of gradient, and agrees with float64; float16 stays too."""
    exact = flat(function(*tensors(sample.args)[0], **sample.settings))
    for kind, rtol in ((np.float32, 2e-5), (np.float16, 2e-2)):
        args, leaves = tensors(sample.args, kind)
        if not leaves or "dtype" in sample.settings:
            return
        results = flat(function(*args, **sample.settings))
        for y, e in zip(results, exact, strict=True):
            assert y.array.dtype == (kind if e.array.dtype.kind == "f" else e.array.dtype), f"{y.dtype} from {kind}"
            if not sample.kink and e.array.dtype.kind == "f" and _tame(e.array):
                close(y, e, rtol, f"{kind.__name__} against float64")
        for create in (False, True):
            for g in gradients(function, sample, create, kind):
                assert g is None or g.array.dtype == kind, f"gradient {g.dtype} for {kind}"
    if not sample.kink:
        for a, b in zip(gradients(function, sample, False, np.float32), gradients(function, sample), strict=True):
            if b is not None and _tame(b.array):
                close(a, b, 1e-4, "float32 gradient against float64")


def _tame(x: Array) -> bool:
    return bool(np.isfinite(x).all() and (np.abs(x) < 100).all())


VIEWS = frozenset({
    "alias", "view", "squeeze", "unsqueeze", "permute", "transpose", "t", "diagonal", "getitem", "gather", "pick",
    "take_along_dim", "masked_select", "select", "narrow", "index_select", "sort", "topk", "max_dim", "min_dim",
    "spread", "broadcast_to", "sum_to_size", "reshape", "flatten", "swapaxes", "movedim", "split", "chunk", "unbind",
    "max", "min", "argsort", "embedding",
})  # fmt: skip


def law_memory(function: Function, sample: Sample) -> None:
    """``.grad`` owns its memory; only views share theirs with an argument; nothing that went in has changed."""
    mine = over(sample.args, np.copy)
    args, leaves = tensors(mine)
    held = arrays_of(mine)
    if function.__name__ not in VIEWS:
        for y in flat(function(*args, **sample.settings)):
            assert not any(np.shares_memory(y.array, x) for x in held), "the result shares memory with an argument"
    results = outputs(function, args, sample)
    if results:
        seeds = seeds_for(results)
        kept = [seed.array.copy() for seed in seeds]
        total = (results[0] * seeds[0]).sum()
        for y, seed in zip(results[1:], seeds[1:], strict=True):
            total = total + (y * seed).sum()
        total.backward(retain_graph=True)
        reached = [t for t in leaves if t.grad is not None]
        found = [t.grad.array for t in reached]  # type: ignore[union-attr]
        others = [*held, *(y.array for y in results), *(seed.array for seed in seeds)]
        for i, g in enumerate(found):
            assert not any(np.shares_memory(g, x) for x in (*others, *found[:i])), "a gradient aliases another array"
            assert g.flags.writeable, "a gradient cannot be written"
        copies = [g.copy() for g in found]
        total.backward(create_graph=True)
        for g, old, t in zip(found, copies, reached, strict=True):
            np.testing.assert_array_equal(g, old, err_msg="a second backward wrote into the first gradient")
            close(t.grad, 2 * old, 1e-13, "gradients accumulate")
        for seed, old in zip(seeds, kept, strict=True):
            np.testing.assert_array_equal(seed.array, old, err_msg="the incoming gradient was changed")
    for x, old in zip(held, arrays_of(sample.args), strict=True):
        np.testing.assert_array_equal(x, old, err_msg="an argument was changed")


def law_hostile(function: Function, sample: Sample) -> None:
    """Nothing escapes under ``np.seterr(all="raise")`` and warnings as errors, whatever the values."""
    for value in (None, 0.0, 1e300, -1e300, 1e-320, np.inf, -np.inf, np.nan):
        args = over(sample.args, lambda x, v=value: x if v is None or x.dtype.kind != "f" else np.full_like(x, v))
        with hostile():
            for create in (False, True):
                gradients(function, sample._replace(args=args), create)


def law_repeatable(function: Function, sample: Sample) -> None:
    """The same bits every time."""
    for a, b in zip(gradients(function, sample), gradients(function, sample), strict=True):
        assert (a is None and b is None) or np.array_equal(a.array, b.array, equal_nan=True)  # type: ignore[union-attr]


LAWS = (
    law_derivatives, law_raw_equals_tensor, law_two_modes, law_dtypes, law_memory, law_hostile, law_repeatable,
)  # fmt: skip
