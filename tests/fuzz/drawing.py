"""Random calls of a loss, from its declaration: sizes, options, values, dtypes and the layout of the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

import tinygrad_loss as tl
from tests.loss_changes import accepts, example_axis
from tests.loss_samples import LossSample, Plan, allowed, class_axis, consistent, draw, option_grid, spec_choices
from tests.samples import Array
from tinygrad_loss.losses import LOSSES, _blocks, _loss, _routes
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss

BLOCK = 8  # elements of a block where blocks are made small
BORDERS = (1, 7, 8, 9, 15, 16, 17, 24, 31, 33)
LAYOUTS = ("plain", "fortran", "strided", "reversed", "read-only", "offset")
KINDS = (np.float64, np.float32, np.float16)
_REMEMBERED: dict[str, dict[Any, Any]] = {}  # the plans made in small blocks
_KNOWN: dict[str, tuple[list[Any], list[Any], set[str]]] = {}


def own_losses(only: str = "") -> list[Loss]:
    return [made for n, made in sorted(LOSSES.items()) if made.__module__.startswith("tinygrad_loss") and only in n]


@contextmanager
def small_blocks(loss: Loss, composed: bool = False, threads: int = 2, lasting: bool = False) -> Iterator[None]:
    """Blocks of a few rows, or no blocks and no kernels; nothing is remembered from other calls, or only from those in
    small blocks, as in one program."""
    before = tl.get_num_threads()
    tl.set_num_threads(threads)
    kept = _REMEMBERED.setdefault(loss.name, {}) if lasting else {}
    try:
        with mock.patch.multiple(loss, _bindings=[], _last=_loss.Binding(), plans=kept):
            if composed:
                with mock.patch.object(loss, "at_once", lambda *a: None):
                    yield
                return
            with (
                mock.patch.multiple(_blocks, LEAST=1, _MANY=1, _LARGE_BLOCK=BLOCK, BLOCK=BLOCK),
                mock.patch.multiple(_routes, BLOCK=BLOCK),
                mock.patch.multiple(_loss, BLOCK=BLOCK, LEAST=1),
            ):
                yield
    finally:
        tl.set_num_threads(before)


def known(loss: Loss) -> tuple[list[Any], list[Any], set[str]]:
    """(combinations of options, choices of arguments, names of axes)."""
    if loss.name not in _KNOWN:
        axes = {x for a in loss.declaration.arguments for spec in a.specs for x in spec.axes}
        _KNOWN[loss.name] = (option_grid(loss), list(spec_choices(loss)), axes)
    return _KNOWN[loss.name]


def sizes(loss: Loss, r: np.random.Generator, borders: bool) -> tuple[dict[str, Any], bool]:
    """Sizes of the axes, 0 and 1 among them, and whether there is an axis of examples."""
    axes = known(loss)[2]
    found: dict[str, Any] = {x: int(r.integers(1, 6)) for x in sorted(a.strip("[]") for a in axes) if x.isalpha()}
    found |= {"C": int(r.integers(1, 7)), "N": int(r.integers(0, 7))}
    shared = any("*" in s.axes and "[N]" not in s.axes for a in loss.declaration.arguments for s in a.specs)
    found["*"] = () if shared else tuple(int(n) for n in r.integers(1, 4, size=r.integers(0, 3)))
    found["..."] = tuple(int(n) for n in r.integers(0, 5, size=r.integers(0, 4)))
    if borders:
        rows = int(r.choice(BORDERS))
        found |= {"N": rows, "...": (rows, *found["..."][1:2])}
    if "broadcast" in axes:
        found["narrow"] = int(r.integers(0, 2)) if found["..."] else 0
    if "row" in axes:
        found["row"] = str(r.choice(["", "row", "number", "column"])) if found["..."] else ""
    if not axes & {"*", "[*]"}:
        del found["*"]
    if "..." not in axes:
        del found["..."]
    unbatched = any(a.startswith("[") for a in axes) and not found.get("*") and not borders and r.integers(4) == 0
    return found, not unbatched


def drawn(loss: Loss, r: np.random.Generator, borders: bool = False) -> LossSample | None:
    """One random sample; None for a combination that makes no sense."""
    grid, choices, _ = known(loss)
    options = grid[r.integers(len(grid))] if r.integers(4) else grid[0]
    specs = choices[r.integers(len(choices))]
    found, batched = sizes(loss, r, borders)
    if "blank" in options:
        found["C"] += 1
    if (options.get("ignore_index") or 0) >= found["C"] or not allowed(Plan(specs, found, batched, options)):
        return None
    for _ in range(4):
        try:
            arrays = draw(loss, specs, found, batched, options, bool(r.integers(2)), r)
        except (ValueError, IndexError):
            return None  # no such values: a label among no classes
        sample = LossSample(arrays, specs, options, found, batched)
        if r.integers(5) == 0:
            sample = repeated(sample, r)
        if consistent(loss, sample.arrays, options):
            return None if ambiguous(sample) else sample
    return None


def repeated(sample: LossSample, r: np.random.Generator) -> LossSample:
    """One argument as a view that repeats its first example."""
    names = [n for n, x in sample.given().items() if example_axis(sample, n) == 0 and x.shape[0] > 1]
    names = [n for n in names if class_axis(sample.specs[n], sample.sizes, sample.batched).get("axis") != 0]
    if not names:
        return sample
    name = str(r.choice(names))
    x = np.asarray(sample.arrays[name])
    return sample.with_arrays(**{name: np.broadcast_to(x[:1], x.shape)})


def ambiguous(sample: LossSample) -> bool:
    """A one-class logit vector is no batch, and an integer target of the input's shape reads as one-hot."""
    given = list(sample.given().values())
    labels = [x for n, x in sample.given().items() if isinstance(sample.specs[n].domain, LabelDomain)]
    return bool(labels) and given[0].shape == labels[0].shape


def rounded(sample: LossSample, kind: Any) -> LossSample | None:
    """The same with values that ``kind`` holds; None if they then lie outside their domains."""
    with np.errstate(all="ignore"):
        arrays = {n: as_kind(np.asarray(sample.arrays[n]), kind) for n in sample.floats()}
    made = sample.with_arrays(**{n: x.astype(np.float64) if x.strides and 0 not in x.strides else x for n, x in arrays.items()})
    fits = kind is np.float64 or all(accepts(made, n, np.asarray(made.arrays[n], np.float64)) for n in arrays)
    return made.with_arrays(**arrays) if fits else None


def as_kind(x: Array, kind: Any) -> Array:
    """Cast; what repeats its first example still does."""
    if x.ndim and x.shape[0] > 1 and x.strides[0] == 0:
        return np.broadcast_to(x[:1].astype(kind), x.shape)
    return x.astype(kind)


def laid(x: Array, r: np.random.Generator) -> tuple[Array, str]:
    """The same values in another layout."""
    if x.ndim and x.size and 0 in x.strides:
        return x, "broadcast"
    how = str(r.choice(LAYOUTS))
    return laid_as(x, how), how


def laid_as(x: Array, how: str) -> Array:
    """The same values in one of the layouts; a number has but few."""
    if how == "fortran" and x.ndim:
        return np.asfortranarray(x)
    if how == "strided" and x.ndim:
        return np.repeat(x, 2, -1)[..., ::2]
    if how == "reversed" and x.ndim:
        turn = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[turn])[turn]
    if how == "read-only":
        x = np.array(x)
        x.flags.writeable = False
    if how == "offset":
        raw = np.zeros(x.nbytes + 1, np.uint8)  # at an address that no element size divides
        y = raw[1:].view(x.dtype).reshape(x.shape)
        y[...] = x
        return y
    return x


def with_labels(sample: LossSample, r: np.random.Generator) -> LossSample:
    """Labels in other integer types, where those hold the values."""
    kinds = (np.int64, np.int32, np.int16, np.int8, np.uint8)
    labels = {}
    for n, x in sample.given().items():
        if isinstance(sample.specs[n].domain, LabelDomain) and x.dtype.kind == "i":
            kind = kinds[r.integers(len(kinds))]
            info = np.iinfo(kind)
            if not x.size or (x.min() >= info.min and x.max() <= info.max):
                labels[n] = as_kind(x, kind)
    return sample.with_arrays(**labels)
