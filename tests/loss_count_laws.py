"""What counts: sample weights, masks and ignored targets, by which examples stand for several or are left out."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import (
    accepts,
    by_hand,
    continuous,
    count_of,
    example_axis,
    interior,
    merged,
    output_shape,
    plain,
    take,
)
from .loss_laws import advised, at_most, check_derivatives, evaluate, reductions
from .loss_samples import REFUSED, LossSample, call, leaves
from .samples import Array, seeded


def counted(loss: Loss, sample: LossSample, name: str) -> tuple[tuple[int, ...], int] | None:
    """(shape of a weight or mask for each position, number of examples), or None where the loss has none of its own."""
    shape = output_shape(loss, sample)
    if shape is None or name not in loss.declaration.counts:
        return None
    count = count_of(merged(sample)) or 0
    lead, size = 0, 1
    while lead < len(shape) and (size != count or shape[lead] == 1):
        size *= shape[lead]
        lead += 1
    return None if loss.mixes and lead != 1 else (shape[:lead], count)


def entries(sample: LossSample, name: str, rows: Array) -> Array:
    """Which entries of an array the examples at ``rows`` use, by their flat index; one entry for each that deleting keeps."""
    x = np.asarray(sample.arrays[name])
    numbered = merged(sample.with_arrays(**{name: np.arange(x.size).reshape(x.shape)}))
    return np.asarray(take(numbered, rows).arrays[name])


def own_entries(sample: LossSample, name: str, drop: Array, keep: Array) -> Array:
    """Those that the examples at ``drop`` use alone."""
    return np.setdiff1d(entries(sample, name, drop), entries(sample, name, keep))


def poisoned(
    loss: Loss, sample: LossSample, drop: Array, keep: Array, names: list[str], r: np.random.Generator, legal: bool = False
) -> LossSample:
    """nan, inf, and (but if ``legal``) what the domain refuses, wherever only the examples at ``drop`` look."""
    arrays = dict(sample.arrays)
    for name in names:
        x = np.array(sample.arrays[name])
        bad = [*REFUSED[sample.specs[name].domain.name], *((math.nan, math.inf, -math.inf) if x.dtype.kind == "f" else (99, -99))]
        if legal:
            bad = [v for v in bad if accepts(sample, name, np.full_like(x, v))]
        relative = sample.specs[name].axes in (("broadcast",), ("row",))  # one value for several elements is never left out
        at = np.zeros(0, int) if relative and x.shape != output_shape(loss, sample) else own_entries(sample, name, drop, keep)
        if x.dtype.kind != "b" and bad:
            np.put(x, at, r.choice(bad, at.size).astype(x.dtype))
        arrays[name] = x
    return sample.with_arrays(**arrays)


def check_deleted(
    loss: Loss, given: LossSample, clean: LossSample, keep: Array, what: str, weight: Array | None = None, **counts: Array
) -> None:
    """``given`` is, but for the gradients' shapes, ``clean`` with the examples at ``keep`` alone, each as often as listed."""
    fewer = take(merged(clean), keep)
    more = {} if weight is None else {"sample_weight": weight}
    drop = np.setdiff1d(np.arange(count_of(merged(clean)) or 0), keep)
    for reduction in reductions(loss):
        if reduction == "none" or (reduction == "batchmean" and len(output_shape(loss, clean) or ()) != 1):
            continue  # elements are no examples for batchmean
        (y, g), (z, h) = evaluate(loss, given, reduction, **counts), evaluate(loss, fewer, reduction, **more)
        close(y, z, 2e-13, f"{reduction}, {what}")
        for name in clean.floats():
            expected = np.zeros(g[name].size)
            if example_axis(fewer, name) is None:
                expected += h[name].ravel()
            else:
                np.add.at(expected, entries(clean, name, keep).ravel(), h[name].ravel())
            close(g[name], expected.reshape(g[name].shape), 2e-12, f"{reduction}: gradient of {name}, {what}", least=1e-2)
            alone = g[name].ravel()[own_entries(clean, name, drop, keep)]
            assert not alone.any(), f"{reduction}: gradient of {name} where nothing counts, {what}: {alone}"


def patterns(shape: tuple[int, ...], count: int, r: np.random.Generator) -> list[Array]:
    """Masks for each position, and for each row; something is kept by one, everything by another."""
    found = [r.uniform(size=shape) < 0.6, np.asarray(np.arange(count).reshape(shape) != 0), np.ones(shape, bool)]
    if len(shape) > 1 and count:
        rows = np.arange(shape[0]) > 0
        found += [rows, rows.reshape((-1,) + (1,) * (len(shape) - 1))]
    return [np.asarray(m) for m in found]


def kept_rows(mask: Array, shape: tuple[int, ...]) -> Array:
    mask = mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
    return np.flatnonzero(np.broadcast_to(mask, shape))


# Masks.


@at_most(8)
def law_mask(loss: Loss, sample: LossSample) -> None:
    """What is masked counts as if it were not there, whatever its values, and its gradient is exactly 0."""
    if sample.batched:
        check_mask(loss, sample)


def law_mask_of_one(loss: Loss, sample: LossSample) -> None:
    """The same of an example by itself."""
    if not sample.batched:
        check_mask(loss, sample)
        check_module(loss, sample)
        check_nothing_kept(loss, sample)


def check_mask(loss: Loss, sample: LossSample) -> None:
    fits = counted(loss, sample, "mask")
    if fits is None:
        return
    shape, count = fits
    r = seeded(f"mask{sample!r}")
    for mask in patterns(shape, count, r):
        keep = kept_rows(mask, shape)
        drop = np.setdiff1d(np.arange(count), keep)
        given = poisoned(loss, sample, drop, keep, list(sample.given()), r)
        check_deleted(loss, given, sample, keep, f"mask {mask.tolist()}", mask=mask)
        expected = by_hand(loss, sample, mask.astype(float)) if not loss.mixes else {}
        with advised():
            for reduction, value in expected.items():
                close(call(loss, given, reduction, mask=tl.tensor(mask)), value, 2e-13, f"{reduction} with mask {mask.tolist()}")
            none = call(loss, given, "none", mask=tl.tensor(mask)).array
            whole = call(loss, take(merged(sample), keep), "none").array
        none = none.reshape(count, *whole.shape[1:])
        assert not none[drop].any()
        close(none[keep], whole, 1e-13, f"none with mask {mask.tolist()}")


@at_most(8)
def law_mask_module(loss: Loss, sample: LossSample) -> None:
    """The module takes weights and masks as the function does."""
    if sample.batched:
        check_module(loss, sample)


def check_module(loss: Loss, sample: LossSample) -> None:
    fits = counted(loss, sample, "mask")
    if fits is None or "sample_weight" not in loss.declaration.counts:
        return
    r = seeded(f"module{sample!r}")
    counts = {"mask": tl.tensor(r.uniform(size=fits[0]) < 0.7), "sample_weight": tl.tensor(r.uniform(0.5, 2.0, fits[0]))}
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    kept = {n: x for n, x in arrays.items() if n in loss.Module.order}
    passed = {n: x for n, x in arrays.items() if n not in loss.Module.order}
    for reduction in reductions(loss):
        module = loss.Module(**sample.options, **kept, reduction=reduction)
        for names in (["mask"], ["sample_weight"], ["sample_weight", "mask"]):
            some = {n: counts[n] for n in names}
            with advised():
                np.testing.assert_array_equal(module(**passed, **some).array, call(loss, sample, reduction, **some).array)
    with pytest.raises(TypeError, match="expected"):
        loss.Module(sample_weight=counts["sample_weight"])


def law_nothing_kept(loss: Loss, sample: LossSample) -> None:
    """A mask that keeps nothing: the mean of nothing is nan, and says so; sums are 0; no gradient, whatever the values."""
    if sample.batched:
        check_nothing_kept(loss, sample)


def check_nothing_kept(loss: Loss, sample: LossSample) -> None:
    fits = counted(loss, sample, "mask")
    if fits is None or not fits[1]:
        return
    mask = np.zeros(fits[0], bool)
    everything = np.arange(fits[1])
    given = poisoned(loss, sample, everything, np.zeros(0, int), list(sample.given()), seeded("nothing"))
    for reduction in reductions(loss):
        tensors = {n: tl.tensor(x) for n, x in given.given().items()} | leaves(given)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y = call(loss, given, reduction, mask=tl.tensor(mask), **tensors)
        assert f"{loss.name}: the mask keeps nothing; the mean of nothing is nan" in [str(w.message) for w in caught]
        assert np.isnan(y.array).all() if reduction in ("mean", "batchmean") else not y.array.any(), f"{reduction}: {y}"
        if y.requires_grad:
            y.backward(tl.ones_like(y))
        for name in sample.floats():
            g = tensors[name].grad
            assert g is None or not g.array.any(), f"{reduction}: gradient of {name}: {g}"


def law_mask_is_quiet(loss: Loss, sample: LossSample) -> None:
    """No advice about values that the mask leaves out."""
    fits = counted(loss, sample, "mask")
    if fits is None or not fits[1] or not sample.batched:
        return
    given = poisoned(loss, sample, np.arange(fits[1]), np.zeros(0, int), list(sample.given()), seeded("quiet"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(loss, given, "sum", mask=tl.tensor(np.zeros(fits[0], bool)))
    said = [str(w.message) for w in caught]
    assert all("the mask keeps nothing" in text for text in said), said


def law_ignored(loss: Loss, sample: LossSample) -> None:
    """An ignored example counts as if it were not there, whatever its values, and its gradient is 0."""
    if not sample.ignores:
        return
    whole = merged(sample)
    label = next(x for x in whole.given().values() if x.dtype.kind == "i")
    keep = np.flatnonzero(label != sample.options["ignore_index"])
    drop = np.flatnonzero(label == sample.options["ignore_index"])
    for turn in range(2):
        given = poisoned(loss, sample, drop, keep, sample.floats(), seeded(f"poison{turn}"), legal=True)
        check_deleted(loss, given, sample, keep, "ignored")
        with advised():
            none = call(loss, given, "none").array.reshape(label.size, -1)
            assert not none[drop].any()


# Weights.


@at_most(12)
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


@at_most(10)
def law_weights_repeat(loss: Loss, sample: LossSample) -> None:
    """A weight of 2 is the example twice, one of 0 is none: values and gradients."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None or loss.mixes or not fits[1]:
        return
    shape, count = fits
    for times in (np.arange(count) % 4, 3 - np.arange(count) % 3, np.arange(count) % 2):
        rows = np.repeat(np.arange(count), times)
        check_deleted(loss, sample, sample, rows, f"weights {times.tolist()}", sample_weight=times.reshape(shape).astype(float))


@at_most(8)
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


@at_most(6)
def law_weights_derivatives(loss: Loss, sample: LossSample) -> None:
    """The loss is differentiable by its weights, twice, alone and together with its arguments."""
    fits = counted(loss, sample, "sample_weight")
    if fits is None or not fits[1]:
        return
    sample = interior(sample)
    weight = seeded("weight").uniform(0.5, 2.0, fits[0])
    for reduction in ("mean", "none"):
        check_derivatives(loss, sample, reduction, continuous(sample), sample_weight=weight)


@at_most(8)
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


# Errors.


def law_bad_counts(loss: Loss, sample: LossSample) -> None:
    """Weights and masks of the wrong kind, type or shape are refused, by name."""
    shape = output_shape(loss, sample)
    if shape is None or not shape or not sample.size:
        return
    ones = np.ones(shape)
    bad: list[tuple[str, Any, Any]] = [
        ("mask", tl.tensor(ones), TypeError), ("mask", tl.tensor(ones.astype(int)), TypeError), ("mask", ones > 0, TypeError),
        ("mask", True, TypeError), ("sample_weight", tl.tensor(ones > 0), TypeError), ("sample_weight", [1.0], TypeError),
        ("sample_weight", 2.0, TypeError), ("sample_weight", ones, TypeError),
    ]  # fmt: skip
    for wrong in ((shape[0] + 2, *shape[1:]), (*shape, 2), ()):
        bad.append(("mask", tl.tensor(np.ones(wrong, bool)), ValueError))
        bad.append(("sample_weight", tl.tensor(np.ones(wrong)), ValueError))
    for value in (-1.0, math.nan, math.inf):
        spoiled = ones.copy()
        spoiled.flat[-1] = value
        bad.append(("sample_weight", tl.tensor(spoiled), ValueError))
    for name, x, kind in bad:
        if name in loss.declaration.counts:
            with warnings.catch_warnings(), pytest.raises(kind) as caught:
                warnings.simplefilter("error")
                call(loss, sample, **{name: x})
            assert f"{loss.name}: {name}" in str(caught.value), caught.value
