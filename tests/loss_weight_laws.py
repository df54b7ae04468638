"""Sample weights: how often an example counts, in the value, in the denominator and in the derivatives."""

from __future__ import annotations

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import by_hand, continuous, interior, plain
from .loss_count_laws import check_deleted, counted, kept_rows, own_entries, poisoned
from .loss_laws import advised, at_most, check_derivatives, evaluate, reductions
from .loss_samples import LossSample, call
from .samples import seeded


@at_most(8)
def law_weights(loss: Loss, sample: LossSample) -> None:
    """Values are multiplied by their weight, and the mean divides by the sum of what was counted."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None:
        return
    shape = fits[0]
    r = seeded(f"weights{sample!r}")
    every = [r.uniform(0.2, 2.0, shape), r.uniform(0.2, 2.0, shape).astype(np.float32), r.integers(1, 4, shape), np.zeros(shape)]
    if len(shape) > 1:
        every += [r.uniform(0.2, 2.0, shape[:1]), r.uniform(0.2, 2.0, (shape[0], 1))]
    for weight in every:
        expected = by_hand(loss, sample, weight.astype(float))
        for reduction in reductions(loss):
            with advised():
                y = call(loss, sample, reduction, sample_weight=tl.tensor(weight))
            close(y, expected[reduction], 1e-13, f"{reduction}, weights {weight.tolist()}")
            assert y.array.dtype == np.float64


@at_most(6)
def law_weights_repeat(loss: Loss, sample: LossSample) -> None:
    """A weight of 2 is the example twice, one of 0 is none: values and gradients."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None or loss.mixes or not fits[1]:
        return
    shape, count = fits
    for times in (np.arange(count) % 4, 3 - np.arange(count) % 3, np.arange(count) % 2):
        rows = np.repeat(np.arange(count), times)
        check_deleted(loss, sample, sample, rows, f"weights {times.tolist()}", sample_weight=times.reshape(shape).astype(float))


@at_most(6)
def law_weights_and_mask(loss: Loss, sample: LossSample) -> None:
    """Weights and a mask together: what is left, weighted; weights of the masked do not matter."""
    fits = counted(loss, sample, "mask")
    if fits is None or "sample_weight" not in loss.declaration.counts or not sample.batched:
        return
    shape, count = fits
    r = seeded(f"both{sample!r}")
    mask, weight = np.asarray(r.uniform(size=shape) < 0.6), r.uniform(0.2, 2.0, shape)
    keep = kept_rows(mask, shape)
    drop = np.setdiff1d(np.arange(count), keep)
    given = poisoned(loss, sample, drop, keep, list(sample.given()), r)
    check_deleted(loss, given, sample, keep, "both", weight.reshape(count)[keep], sample_weight=weight, mask=mask)
    expected = by_hand(loss, sample, weight * mask) if not loss.mixes else {}
    for reduction in reductions(loss):
        y, g = evaluate(loss, given, reduction, sample_weight=weight, mask=mask)
        if expected:
            close(y, expected[reduction], 2e-13, f"{reduction}, both")
        assert not g["sample_weight"][~mask].any(), f"{reduction}: gradient of a masked weight"


@at_most(5)
def law_weights_derivatives(loss: Loss, sample: LossSample) -> None:
    """The loss is differentiable by its weights, twice, alone and together with its arguments."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None or not fits[1]:
        return
    sample = interior(sample)
    weight = seeded("weight").uniform(0.5, 2.0, fits[0])
    for reduction in ("mean", "none"):
        check_derivatives(loss, sample, reduction, continuous(sample), sample_weight=weight)


@at_most(6)
def law_weight_of_zero(loss: Loss, sample: LossSample) -> None:
    """A weight of 0 leaves an example out also where its loss overflows."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None or loss.mixes or not fits[1] or sample.ignores:
        return
    shape, count = fits
    weight = (np.arange(count) % 2).astype(float)
    keep, drop = np.flatnonzero(weight), np.flatnonzero(weight == 0)
    for huge in (1e200, 600.0):
        arrays = {}
        for name in sample.floats():
            x = np.array(sample.arrays[name])
            if plain(sample.specs[name]):
                np.put(x, own_entries(sample, name, drop, keep), seeded(name).choice([huge, -huge], x.size))
            arrays[name] = x
        drawn = sample.with_arrays(**arrays)
        if all(np.isfinite(g).all() for g in evaluate(loss, drawn, "none")[1].values()):  # 0 * inf would be nan
            check_deleted(loss, drawn, sample, keep, "weights of 0", sample_weight=weight.reshape(shape))
