"""Compute, compare, keep the worst."""

from __future__ import annotations

import inspect
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES

from .exact import DIGITS, TAPE, Exact, pull_back
from .registry import CALLS, POINTS, REFERENCES, Array, Batch
from .ulp import EPS, LEAST, ulps


@dataclass
class Worst:
    """The largest error seen, and where."""

    ulp: float = 0.0
    where: str = ""

    def see(self, found: float, where: str) -> None:
        if found > self.ulp:
            self.ulp, self.where = found, where


@dataclass
class Measured:
    """What a run found for one function and one floating type."""

    value: Worst
    gradient: Worst
    points: int = 0
    gradients: int = 0
    on_kinks: int = 0


NOT_SUMMED = {"rmse_loss"}  # the sum of which is a root


def ours(name: str, batch: Batch) -> tuple[Array, list[dict[str, Array]]]:
    """The unreduced loss, and the gradient of its sum: through it, and of a loss also by the sum, which may go another
    way (a kernel, blocks)."""
    y, one = _call(name, batch, "none")
    if name not in LOSSES or name in NOT_SUMMED:
        return y, [one]
    _, two = _call(name, batch, "sum")
    return y, [one] if all(np.array_equal(one[n], two[n], equal_nan=True) for n in one) else [one, two]


def _call(name: str, batch: Batch, reduction: str) -> tuple[Array, dict[str, Array]]:
    tensors = {n: tl.tensor(x, requires_grad=n in batch.by) for n, x in batch.arrays.items()}
    call = CALLS.get(name)
    y = call(**tensors, **batch.options) if call else LOSSES[name](**tensors, **batch.options, reduction=reduction)
    y.backward(tl.ones(y.shape, dtype=y.dtype))
    return y.array, {n: tensors[n].grad.array for n in batch.by}


def _cells(name: str, batch: Batch, y: Array) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(index into the result, arguments of the reference) for each thing that the reference defines."""
    per = REFERENCES[name].per
    if per == "batch":
        yield ..., dict(batch.arrays)
        return
    arrays = {n: np.broadcast_to(x, y.shape) if per == "element" else x for n, x in batch.arrays.items()}
    for i in np.ndindex(y.shape if per == "element" else y.shape[:1]):
        yield i, {n: x if n in batch.whole else x[i] for n, x in arrays.items()}


def _lifted(x: Any, kind: str) -> Any:
    """Arrays of floats as nested lists of exact numbers; what is an integer stays one."""
    if isinstance(x, list):
        return [_lifted(v, kind) for v in x]
    return Exact(mpf(x)) if kind == "f" else x


def _flat(x: Any) -> list[Any]:
    return [v for row in x for v in _flat(row)] if isinstance(x, list) else [x]


def compare(name: str, batch: Batch, kind: str, found: Measured, digits: int = DIGITS) -> None:
    """Hold every value and every gradient of one batch to the reference."""
    y, ways = ours(name, batch)
    assert y.dtype == kind, (name, y.dtype, kind)
    function, options = REFERENCES[name].function, batch.options
    with mp.workdps(digits):
        for index, arguments in _cells(name, batch, y):
            TAPE.clear(EPS[kind], LEAST[kind])
            lifted = {n: _lifted(x.tolist(), x.dtype.kind) for n, x in arguments.items()}
            results = _flat(function(**lifted, **options))
            values = np.atleast_1d(y[index]).ravel()
            assert len(results) == len(values), (name, len(results), values.shape)
            for true, value in zip(results, values.tolist(), strict=True):
                found.points += 1
                error = ulps(value, true.v, true.size, kind)
                if error > found.value.ulp:
                    found.value.see(error, _tell(arguments, options, value, true))
            if TAPE.on_kink:
                found.on_kinks += 1
                continue
            pull_back(results)
            for by, gradients in itertools.product(batch.by, ways):
                pulled = np.atleast_1d(gradients[by][index]).ravel()
                for k, (x, g) in enumerate(zip(_flat(lifted[by]), pulled.tolist(), strict=True)):
                    found.gradients += 1
                    error = ulps(g, x.g, x.g_size, kind)
                    if error > found.gradient.ulp:
                        true = Exact(x.g, (), x.g_size)
                        found.gradient.see(error, f"d/d {by}[{k}] " + _tell(arguments, options, g, true))
    TAPE.clear(0.0, 0.0)


def exact_results(name: str, batch: Batch, kind: str, digits: int) -> list[tuple[Any, Any]]:
    """The reference's values and gradients for a batch, each with its size."""
    found = []
    y, _ = ours(name, batch)
    with mp.workdps(digits):
        for _, arguments in _cells(name, batch, y):
            TAPE.clear(EPS[kind], LEAST[kind])
            lifted = {n: _lifted(x.tolist(), x.dtype.kind) for n, x in arguments.items()}
            results = _flat(REFERENCES[name].function(**lifted, **batch.options))
            found += [(true.v, true.size) for true in results]
            pull_back(results)
            found += [(x.g, x.g_size) for by in batch.by for x in _flat(lifted[by])]
    TAPE.clear(0.0, 0.0)
    return found


def _tell(arguments: dict[str, Any], options: dict[str, Any], value: float, true: Exact) -> str:
    given = ", ".join(f"{n}={np.asarray(x).tolist()}" for n, x in arguments.items())
    size = f" (largest term {mp.nstr(true.size, 5)})" if true.size > abs(true.v) else ""
    return f"{given} {options}: {value!r}, exactly {mp.nstr(true.v, 25)}{size}"


def batches(name: str, rng: np.random.Generator, points: int, kind: str) -> Iterator[Batch]:
    generator = POINTS[name]
    more = {"name": name} if "name" in inspect.signature(generator).parameters else {}
    return generator(rng, points, kind, **more)


def measure(name: str, kind: str, points: int, seed: int = 0, digits: int = DIGITS) -> Measured:
    """The worst of about ``points`` losses of one function in one floating type."""
    found = Measured(Worst(), Worst())
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    for batch in batches(name, rng, points, kind):
        compare(name, batch.typed(kind), kind, found, digits)
    return found


def subjects() -> list[str]:
    """Every registered loss, and the functions they are composed of."""
    return [n for n, loss in LOSSES.items() if loss.__module__.startswith("tinygrad_loss.")] + list(CALLS)
