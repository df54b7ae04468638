"""What becomes of odd values in every loss: other floating types, nan, and numbers at the ends of the range."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_loss.losses._domains import WeightDomain
from tinygrad_loss.losses._loss import Loss

from .laws import close, hostile
from .loss_changes import count_of, extremes, plain, share_of, take
from .loss_laws import at_most, evaluate, reductions
from .loss_samples import LossSample
from .samples import Array, seeded


@at_most(6)
def law_dtypes(loss: Loss, sample: LossSample) -> None:
    """float32 agrees with float64 and stays float32; float16 is accepted, stays, and is finite."""
    for reduction in reductions(loss):
        y, g = evaluate(loss, sample, reduction)
        for kind, rtol in ((np.float32, 1e-5), (np.float16, 0.02)):
            z, h = evaluate(loss, sample, reduction, kind)
            assert z.array.dtype == kind and all(x.dtype == kind for x in h.values()), f"{z.dtype} from {kind}"
            finite = np.isfinite(y.array).all()
            assert np.isfinite(z.array).all() == finite
            if finite:
                close(z, y, rtol, f"{kind.__name__} against float64", least=1e-2)
                for name in g:
                    beyond = np.abs(g[name]) > 0.9 * float(np.finfo(kind).max)
                    a, b = (np.where(beyond, 0.0, x) for x in (h[name], g[name]))
                    close(a, b, 10 * rtol, f"{kind.__name__}: gradient of {name}", least=0.1)


@at_most(5)
def law_nan(loss: Loss, sample: LossSample) -> None:
    """A nan that could have mattered comes out, or is refused: in the value, and in the gradient."""
    if sample.ignores or not 0 < sample.size <= 36:
        return
    y, g = evaluate(loss, sample, "sum")
    for name in sample.floats():
        values = extremes(sample, name)
        for at in np.ndindex(np.asarray(sample.arrays[name]).shape):
            try:
                z, h = _moved(loss, sample, name, at, math.nan)
            except (RuntimeError, ValueError) as error:
                assert loss.name in str(error) and name in str(error)
                continue
            value, slope = not np.isnan(z.array), not any(np.isnan(x).any() for x in h.values())
            for v in values if value or slope else ():
                other, slopes = _moved(loss, sample, name, at, v)
                assert not value or np.array_equal(other.array, y.array), f"nan at {name}{list(at)} is swallowed"
                same = all(np.array_equal(slopes[n], g[n], equal_nan=True) for n in g)
                assert not slope or same, f"nan at {name}{list(at)} leaves no trace in gradients"


def _moved(loss: Loss, sample: LossSample, name: str, at: Any, value: float) -> tuple[Any, dict[str, Array]]:
    changed = np.array(sample.arrays[name])
    changed[at] = value
    return evaluate(loss, sample.with_arrays(**{name: changed}), "sum")


@at_most(8)
def law_nan_stays(loss: Loss, sample: LossSample) -> None:
    """A nan in one example is that example's alone: the values and gradients of the others are as without it."""
    if loss.mixes or loss.declaration.per == "batch" or not (count_of(sample) or 0) > 1:
        return
    y, g = evaluate(loss, sample, "none")
    for name in sample.floats():
        if take(sample, np.array([0])).given()[name].shape == sample.given()[name].shape:
            continue  # all examples share it
        for row in (0, (count_of(sample) or 0) - 1):
            rest = np.delete(np.arange(count_of(sample) or 0), row)
            poison = np.full(np.asarray(sample.arrays[name]).shape, math.nan)
            kept = take(sample, rest).given()[name].shape  # put nan where the row is
            changed = _with_row(sample, name, row, poison)
            assert kept != poison.shape
            try:
                z, h = evaluate(loss, sample.with_arrays(**{name: changed}), "none")
            except (RuntimeError, ValueError):
                continue
            np.testing.assert_array_equal(z.array[rest], y.array[rest])
            for n in g:
                mine, theirs = (take(sample.with_arrays(**{n: x[n]}), rest).given()[n] for x in (h, g))
                if mine.shape != h[n].shape:
                    np.testing.assert_array_equal(mine, theirs, err_msg=f"gradient of {n}, nan in {name}")


def _with_row(sample: LossSample, name: str, row: int, values: Array) -> Array:
    """The array with one example's entries from ``values``."""
    x = np.array(sample.arrays[name])
    index = take(sample.with_arrays(**{name: np.arange(x.size).reshape(x.shape)}), np.array([row])).given()[name]
    np.put(x, index.ravel(), np.ravel(values)[index.ravel()])
    return x


@at_most(5)
def law_extremes(loss: Loss, sample: LossSample) -> None:
    """Finite in, no nan out, in value and gradient, with huge, tiny, equal and zero values; nothing is reported.

    A mean that overflowed to inf has no derivative by its weights: (inf - inf) / sum.
    """
    if not sample.size or sample.ignores:
        return
    r = seeded(f"extremes{loss.name}{sample!r}")
    for turn, kind in itertools.product(range(6), (np.float64, np.float32)):
        arrays = {}
        for name in sample.floats():
            x = np.array(sample.arrays[name])
            values = extremes(sample, name)
            if kind is np.float32 and not plain(sample.specs[name]):
                values = [v for v in values if v == 0 or 1e-3 < abs(v) < 1e3]  # 1e30 * 1e30 is beyond float32
            arrays[name] = r.choice(values, size=x.shape) if turn % 2 or turn == 0 else np.full(x.shape, r.choice(values))
        with hostile():
            drawn = sample.with_arrays(**arrays)
            for reduction in ("none", "sum", "mean"):
                if reduction == "mean" and not share_of(loss, drawn):
                    continue
                y, g = evaluate(loss, drawn, reduction, kind)
                assert not np.isnan(y.array).any(), f"{kind.__name__} {reduction}: nan from finite {arrays}"
                for name in g:
                    lost = not np.isfinite(y.array).all() and isinstance(drawn.specs[name].domain, WeightDomain)
                    assert lost or not np.isnan(g[name]).any(), f"{kind.__name__} {reduction}: nan gradient of {name}, {arrays}"
