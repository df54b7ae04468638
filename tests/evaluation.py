"""One call in either library: values, first and second derivatives. Both take the same arguments by the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .laws import flat, over
from .samples import Array, Sample

Answer = tuple[list[Array], list[Array | None], list[Array | None]]


def weights(shape: tuple[int, ...], kind: Any) -> Array:
    """The same numbers for both libraries and for every NumPy: weights to sum results with."""
    n = int(np.prod(shape, dtype=np.int64))
    return (0.5 + (np.arange(n) * 0.618034 + 0.3) % 1.0).reshape(shape).astype(kind)


def answer(
    lib: Any, function: Any, args: Any, settings: dict[str, Any], kind: Any = np.float64, parts: int = 3
) -> Answer:
    """Results, and the gradients of their weighted sum, and of the gradients' weighted sum."""
    leaves = []

    def change(x: Array) -> Any:
        if x.dtype.kind != "f":
            return lib.from_numpy(np.array(x))
        leaves.append(lib.from_numpy(x.astype(kind, copy=False)).requires_grad_())
        return leaves[-1]

    # a view of what is shared keeps its strides; a leaf for each
    results = [lib.as_tensor(y) for y in flat_results(function(*over(args, change), **over_settings(settings, change)))]
    values = [y.numpy(force=True).copy() for y in results]
    first = pulled(lib, [y for y in results if y.requires_grad], leaves, create_graph=True) if parts > 1 else []
    second = pulled(lib, [g for g in first if g is not None and g.requires_grad], leaves) if parts > 2 else []
    return values, *([None if g is None else g.numpy(force=True) for g in gs] for gs in (first, second))  # type: ignore[return-value]


def over_settings(settings: dict[str, Any], change: Any) -> dict[str, Any]:
    return {k: change(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}


def flat_results(y: Any) -> list[Any]:
    return flat(tuple(y) if isinstance(y, (tuple, list)) else y)


def pulled(lib: Any, results: list[Any], leaves: list[Any], create_graph: bool = False) -> list[Any]:
    if not results:
        return [None] * len(leaves)
    seeds = [lib.from_numpy(weights(tuple(y.shape), y.numpy(force=True).dtype)) for y in results]
    return list(lib.autograd.grad(results, leaves, seeds, create_graph=create_graph, allow_unused=True))


def compare(ours: Answer, theirs: Answer, kind: Any, rtol: tuple[float, float, float]) -> int:
    """Assert that both agree, a missing gradient being zeros; returns the number of arrays compared."""
    count = 0
    for what, a, b, tolerance in zip(("value", "first derivative", "second derivative"), ours, theirs, rtol, strict=True):
        assert len(a) == len(b), f"{what}: {len(a)} and {len(b)} results"
        for x, y in zip(a, b, strict=True):
            if x is None and y is None:
                continue
            x = np.zeros_like(y) if x is None else x
            y = np.zeros_like(x) if y is None else y
            assert x.shape == y.shape and x.dtype == y.dtype, f"{what}: {x.dtype}{x.shape}, torch {y.dtype}{y.shape}"
            finite = np.abs(y[np.isfinite(y)]).astype(float) if y.dtype.kind == "f" else np.zeros(0)
            scale = max(float(finite.max()) if finite.size else 0.0, 1e-2)
            with np.errstate(all="ignore"):  # the comparison's own arithmetic
                np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale, err_msg=what)
            count += 1
    return count


def answer_sample(lib: Any, function: Any, sample: Sample, kind: Any = np.float64, parts: int = 3) -> Answer:
    return answer(lib, function, sample.args, sample.settings, kind, parts)
