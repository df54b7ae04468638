"""What a change of the input must do to the output: shifts, other names for classes and groups, targets said in another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinygrad_loss.losses._domains import LogitsDomain, SimplexDomain, WeightDomain
from tinygrad_loss.losses._labels import LabelDomain, LabelListDomain
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import accepts, resolved
from .loss_laws import evaluate, reductions
from .loss_samples import LossSample, class_axis
from .samples import Array, seeded


def axis_of_classes(sample: LossSample, name: str) -> int | None:
    return class_axis(sample.specs[name], sample.sizes, sample.batched).get("axis")


def law_shift(loss: Loss, sample: LossSample) -> None:
    """Logits may all be larger by a constant: the value stays, and so their gradients sum to 0 over the classes."""
    for name in sample.floats():
        axis = axis_of_classes(sample, name)
        if not isinstance(sample.specs[name].domain, LogitsDomain) or axis is None:
            continue
        x = np.asarray(sample.arrays[name])
        shift = seeded("shift").normal(size=x.shape[:axis] + (1,) + x.shape[axis + 1 :]) * 3.0
        moved = sample.with_arrays(**{name: x + shift})
        for reduction in reductions(loss):
            (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, moved, reduction)
            close(y, z, 1e-13, f"{reduction}: value, {name} shifted", least=1.0)
            close(g[name].sum(axis), np.zeros_like(g[name].sum(axis)), 1e-14, f"{reduction}: sum of the gradients", least=1.0)
            for n in g:
                close(g[n], h[n], 1e-13, f"{reduction}: gradient of {n}, {name} shifted", least=1.0)


def law_classes(loss: Loss, sample: LossSample) -> None:
    """The order of the classes matters to nobody."""
    if "C" not in sample.sizes or "blank" in sample.options:
        return
    order = np.roll(np.arange(sample.sizes["C"]), 1)
    place = np.argsort(order)  # of each class, in the new order

    def along(name: str, x: Array) -> Array:
        axes = resolved(sample.specs[name], sample.batched)
        position = 0
        for axis in axes:
            x = np.take(x, order, position) if axis == "C" else x
            position += len(sample.sizes[axis]) if axis in ("*", "...") else 1
        return x

    def named(x: Array) -> Array:
        valid = (x >= 0) & (x < len(order))
        return np.where(valid, place[np.where(valid, x, 0)], x)

    arrays = {}
    for name, x in sample.given().items():
        labels = isinstance(sample.specs[name].domain, (LabelDomain, LabelListDomain))
        if sample.specs[name].axes in (("broadcast",), ("row",)) and x.ndim:
            return  # may go along the classes, or not
        arrays[name] = named(x) if labels else along(name, x)
    options = dict(sample.options)
    if isinstance(options.get("ignore_index"), int):
        options["ignore_index"] = int(named(np.asarray(options["ignore_index"])))
    other = sample.with_arrays(**arrays).with_options(**options)
    if loss.checks_together:
        loss.check_together(other.arrays, options)
    for reduction in reductions(loss):
        (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, other, reduction)
        if y.array.ndim:
            continue
        close(y, z, 1e-12, f"{reduction}: value, classes in another order", least=1e-2)
        for name in g:
            close(along(name, g[name]), h[name], 1e-11, f"{reduction}: gradient of {name}, classes in another order", least=1e-2)


def law_groups(loss: Loss, sample: LossSample) -> None:
    """Groups may have any names."""
    groups = [n for n in sample.given() if sample.specs[n].domain.name == "Group"]
    other = sample.with_arrays(**{n: 7 - 1000 * np.asarray(sample.arrays[n]) for n in groups})
    for reduction in reductions(loss) if groups else ():
        (y, g), (z, h) = evaluate(loss, sample, reduction), evaluate(loss, other, reduction)
        np.testing.assert_array_equal(y.array, z.array)
        for name in g:
            np.testing.assert_array_equal(g[name], h[name])


def soft(x: Array, classes: int, axis: int, smoothing: float) -> Array:
    """Indices as probabilities."""
    one_hot = np.moveaxis(np.eye(classes)[x], -1, axis)
    return np.asarray(one_hot * (1.0 - smoothing) + smoothing / classes)


def law_smoothing(loss: Loss, sample: LossSample) -> None:
    """Indices, and their smoothing, are a short way to write probabilities (without weights, which count otherwise)."""
    for argument in loss.declaration.arguments:
        specs = {type(s.domain): s for s in argument.specs}
        x = sample.given().get(argument.name)
        if not {LabelDomain, SimplexDomain} <= set(specs) or x is None or x.dtype.kind == "f":
            continue
        spec, classes = specs[SimplexDomain], sample.sizes["C"]
        weights = {n: None for n in sample.given() if sample.specs[n].axes == ("C",) and isinstance(sample.specs[n].domain, WeightDomain)}
        ignored = {n: v for n, v in loss.declaration.options.items() if n == "ignore_index"}
        labels = np.where((x >= 0) & (x < classes), x, 0)
        for smoothing in (0.0, 0.3, 1.0) if "label_smoothing" in sample.options else (0.0,):
            target = soft(labels, classes, class_axis(spec, sample.sizes, sample.batched)["axis"], smoothing)
            smoothed = {"label_smoothing": smoothing} if "label_smoothing" in sample.options else {}
            short = sample.with_arrays(**weights, **{argument.name: labels}).with_options(**ignored, **smoothed)
            long = short.with_arrays(**{argument.name: target}).with_options(**dict.fromkeys(smoothed, 0.0))
            long = replace(long, specs={**sample.specs, argument.name: spec})
            for reduction in reductions(loss):
                (y, g), (z, h) = evaluate(loss, short, reduction), evaluate(loss, long, reduction)
                close(y, z, 1e-13, f"{reduction}: indices against probabilities")
                for name in g:
                    close(g[name], h[name], 1e-12, f"{reduction}: gradient of {name}, indices against probabilities", least=1e-2)


def law_own_mask(loss: Loss, sample: LossSample) -> None:
    """A mask among a loss's own arguments: what it leaves out does not matter, whatever its values in their domain, and has
    no gradient."""
    masks = [n for n in sample.given() if sample.specs[n].domain.name == "Mask"]
    for name in masks:
        mask = np.asarray(sample.arrays[name])
        axes = resolved(sample.specs[name], sample.batched)
        clean = {reduction: evaluate(loss, sample, reduction) for reduction in reductions(loss)}
        for poison in (0.5, -1e30, np.nan, np.inf):
            arrays, outs = {}, {}
            for other, x in sample.given().items():
                theirs = resolved(sample.specs[other], sample.batched)
                if other == name or not set(axes) <= set(theirs):
                    continue
                shape = [1 if axis not in axes else sample.sizes[axis] for axis in theirs]
                flat = [n for size in shape for n in (size if isinstance(size, tuple) else (size,))]
                outs[other] = np.broadcast_to(~mask.reshape(flat), x.shape)
                wild = poison if x.dtype.kind == "f" else 1
                drawn = np.where(outs[other], wild, x).astype(x.dtype)
                arrays[other] = drawn if accepts(sample, other, drawn) else x
            for reduction, (y, g) in clean.items():
                z, h = evaluate(loss, sample.with_arrays(**arrays), reduction)
                np.testing.assert_array_equal(y.array, z.array, err_msg=f"{reduction}, {poison} where masked")
                for n in g:
                    np.testing.assert_array_equal(g[n], h[n], err_msg=f"{reduction}: gradient of {n}, {poison} where masked")
                    assert n not in outs or not h[n][outs[n]].any(), f"{reduction}: gradient of a masked {n}"


def law_own_mask_deletes(loss: Loss, sample: LossSample) -> None:
    """Such a mask, False at the end for all examples alike, is as if they were shorter by that."""
    for name in sample.given():
        if sample.specs[name].domain.name != "Mask" or not sample.batched:
            continue
        axes = [a for a in resolved(sample.specs[name], True) if a not in ("*", "...") or sample.sizes[a]]
        axis = axes[-1] if axes else ""
        size = sample.sizes.get(axis, 0)
        lead, last = (size[:-1], size[-1]) if isinstance(size, tuple) else ((), size)
        if last < 2:
            continue
        mask = np.ones_like(sample.given()[name])
        mask[..., -1] = False
        arrays = {}
        for other, x in sample.given().items():
            theirs = [a for a in resolved(sample.specs[other], True) if a not in ("*", "...") or sample.sizes[a]]
            before = [sample.sizes[a] for a in theirs[: theirs.index(axis)]] if axis in theirs else []
            position = len(lead) + sum(len(n) if isinstance(n, tuple) else 1 for n in before)
            arrays[other] = np.delete(mask if other == name else x, -1, position) if axis in theirs else x
        masked = sample.with_arrays(**{name: mask})
        shorter = replace(sample.with_arrays(**arrays), sizes={**sample.sizes, axis: (*lead, last - 1) if isinstance(size, tuple) else last - 1})
        if evaluate(loss, masked, "none")[0].shape != evaluate(loss, shorter, "none")[0].shape:
            continue  # the axis is no longer there
        for reduction in reductions(loss):
            (y, g), (z, h) = evaluate(loss, masked, reduction), evaluate(loss, shorter, reduction)
            close(y, z, 1e-12, f"{reduction}: masked against shorter")
            assert set(g) == set(h)
