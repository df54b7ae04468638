"""What counts: sample weights, masks and ignored targets, by which examples stand for several or are left out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import (
    accepts,
    by_hand,
    count_of,
    example_axis,
    merged,
    output_shape,
    take,
)
from .loss_laws import advised, at_most, evaluate, reductions
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


@at_most(6)
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


@at_most(5)
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
