"""nan in, nan out: at every position of every argument, by every reduction and every way to compute; and what a mask
leaves out stays out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.laws import hostile
from tests.loss_changes import count_of, extremes, merged, output_shape, resolved, take
from tests.loss_count_laws import counted, own_entries
from tests.loss_laws import evaluate, reductions
from tests.loss_samples import LossSample, samples
from tests.samples import Array, seeded
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._labels import MaskDomain
from tinygrad_loss.losses._loss import Loss

from .checks import formula_only
from .draws import looks_at_others

ALL = 36  # elements of an array of which each is tried; of a larger one the first, the middle and the last
LARGE = 4096  # elements that blocks compute
Answer = tuple[Array, dict[str, Array]]


@dataclass
class Tally:
    """What became of a nan, by (argument, position) and how the loss was computed."""

    positions: set[tuple[Any, ...]] = field(default_factory=set)
    ways: dict[str, int] = field(default_factory=dict)  # checks of each way
    out: int = 0  # came out in value and gradient
    refused: int = 0
    idle: int = 0  # at a place that no value at all changes anything of
    left_out: int = 0  # masked, and left no trace
    faults: list[str] = field(default_factory=list)

    def join(self, other: Tally) -> None:
        self.positions |= other.positions
        for way, n in other.ways.items():
            self.ways[way] = self.ways.get(way, 0) + n
        self.out, self.refused = self.out + other.out, self.refused + other.refused
        self.idle, self.left_out = self.idle + other.idle, self.left_out + other.left_out
        self.faults += other.faults

    @property
    def checks(self) -> int:
        return sum(self.ways.values())


def at_positions(x: Array) -> list[tuple[int, ...]]:
    flat = range(x.size) if x.size <= ALL else sorted({0, x.size // 2, x.size - 1})
    return [tuple(int(i) for i in np.unravel_index(i, x.shape)) for i in flat]


def moved(loss: Loss, sample: LossSample, name: str, at: Any, value: float, reduction: str, **counts: Array) -> Answer:
    changed = np.array(sample.arrays[name])
    changed[at] = value
    with hostile():
        y, g = evaluate(loss, sample.with_arrays(**{name: changed}), reduction, **counts)
    return y.array, g


def one(loss: Loss, sample: LossSample, clean: Answer, name: str, at: Any, reduction: str, tally: Tally, **counts: Array) -> None:
    """A nan at a place comes out, is refused, or nothing that stands there matters."""
    where = f"{loss.name} {reduction}: nan at {name}{list(at)} of {sample!r}"
    try:
        y, g = moved(loss, sample, name, at, math.nan, reduction, **counts)
    except (RuntimeError, ValueError) as error:
        tally.refused += 1
        if loss.name not in str(error) or name not in str(error):
            tally.faults.append(f"{where}: refused without saying where: {error}")
        return
    value, slope = not np.isnan(y).any(), not any(np.isnan(x).any() for x in g.values())
    if not value and (not slope or not g):
        tally.out += 1
        return
    for v in extremes(sample, name):
        other, slopes = moved(loss, sample, name, at, v, reduction, **counts)
        if value and not np.array_equal(other, clean[0], equal_nan=True):
            tally.faults.append(f"{where} is swallowed; {v} there matters")
            return
        if slope and not all(np.array_equal(slopes[n], clean[1][n], equal_nan=True) for n in g):
            tally.faults.append(f"{where} leaves no trace in gradients; {v} there does")
            return
    tally.idle += 1


def left_out(loss: Loss, sample: LossSample, clean: Answer, name: str, at: Any, reduction: str, tally: Tally, **counts: Array) -> None:
    """A nan that is masked is as if it were not there."""
    y, g = moved(loss, sample, name, at, math.nan, reduction, **counts)
    same = np.array_equal(y, clean[0], equal_nan=True) and all(np.array_equal(g[n], clean[1][n], equal_nan=True) for n in g)
    if same and not g.get(name, np.zeros(np.asarray(sample.arrays[name]).shape))[at].any():
        tally.left_out += 1
    else:
        tally.faults.append(f"{loss.name} {reduction}: a masked nan at {name}{list(at)} leaks, {sample!r}")


def answers(loss: Loss, sample: LossSample, **counts: Array) -> Iterator[tuple[str, Answer]]:
    for reduction in reductions(loss):
        with hostile():
            y, g = evaluate(loss, sample, reduction, **counts)
        yield reduction, (y.array, g)


def masked_by(sample: LossSample, name: str) -> Array | None:
    """Which elements of an array the loss's own mask keeps."""
    for other, mask in sample.given().items():
        if not isinstance(sample.specs[other].domain, MaskDomain):
            continue
        shape: tuple[int, ...] = ()
        of_mask = resolved(sample.specs[other], sample.batched)
        for axis in resolved(sample.specs[name], sample.batched):
            size = sample.sizes.get(axis, 0)
            sizes = size if isinstance(size, tuple) else (size,)
            shape += sizes if axis in of_mask else (1,) * len(sizes)
        if math.prod(shape) == mask.size and set(of_mask) <= set(resolved(sample.specs[name], sample.batched)):
            return np.broadcast_to(mask.reshape(shape), np.asarray(sample.arrays[name]).shape)
    return None


def every_position(loss: Loss, sample: LossSample, way: str, tally: Tally, **counts: Array) -> None:
    for reduction, clean in answers(loss, sample, **counts):
        for name in sample.floats():
            kept = masked_by(sample, name)
            for at in at_positions(np.asarray(sample.arrays[name])):
                tally.positions.add((loss.name, name, np.asarray(sample.arrays[name]).shape, at))
                tally.ways[way] = tally.ways.get(way, 0) + 1
                if kept is not None and not kept[at]:
                    tally.ways["own mask"] = tally.ways.get("own mask", 0) + 1
                    with contextlib.suppress(RuntimeError, ValueError):  # what a domain refuses is refused also there
                        left_out(loss, sample, clean, name, at, reduction, tally, **counts)
                        continue
                one(loss, sample, clean, name, at, reduction, tally, **counts)


def under_masks(loss: Loss, sample: LossSample, tally: Tally) -> None:
    """The example that is masked, in turn; and weights that are not 0, beside which a nan comes out."""
    fits = counted(loss, sample, "sample_weight")
    if fits is not None and sample.batched:
        every_position(loss, sample, "sample_weight", tally, sample_weight=seeded("w").uniform(0.5, 2.0, fits[0]))
    fits = counted(loss, sample, "mask")
    if fits is None or not sample.batched or fits[1] < 2:
        return
    shape, count = fits
    every = np.arange(count)
    for example in range(count) if count <= 8 else (0, count // 2, count - 1):
        mask = (every != example).reshape(shape)
        for reduction, clean in answers(loss, sample, mask=mask):
            for name in sample.floats():
                x = np.asarray(sample.arrays[name])
                if sample.specs[name].axes in (("broadcast",), ("row",)) and x.shape != output_shape(loss, sample):
                    continue
                own = own_entries(sample, name, np.array([example]), np.delete(every, example))
                for flat in own if own.size <= 4 else own[[0, own.size // 2, -1]]:
                    tally.ways["mask"] = tally.ways.get("mask", 0) + 1
                    at = tuple(int(i) for i in np.unravel_index(flat, x.shape))
                    left_out(loss, sample, clean, name, at, reduction, tally, mask=mask)


def large(sample: LossSample) -> LossSample | None:
    """The same examples again and again, as many as blocks and their plans compute."""
    try:
        sample = merged(sample)
    except NotImplementedError:
        return None
    count = count_of(sample)
    return None if not count else take(sample, np.arange(max(LARGE * count // sample.size, 64)) % count)


def nans(loss: Loss, most: int | None = None) -> Tally:
    """All samples of a loss, or the first few, which show much."""
    tally = Tally()
    for sample in samples(loss)[:most]:
        if not sample.size or any(callable(v) and v.__module__ != "tests.loss_samples" for v in sample.options.values()):
            continue
        every_position(loss, sample, "small", tally)
        if loss._kernel is not None:
            with formula_only(loss):
                every_position(loss, sample, "formula", tally)
        under_masks(loss, sample, tally)
        if not looks_at_others(loss) and sample.batched and (wide := large(sample)) is not None:
            every_position(loss, wide, "blocks", tally)
    return tally


def task(given: tuple[str, int | None]) -> tuple[str, Tally]:
    """(name of a loss, samples): what a process is sent."""
    name, most = given
    return name, nans(LOSSES[name], most)
