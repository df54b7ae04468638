"""Bad inputs to every loss, derived from its declaration: each is refused, by name, with what was expected, before anything
is computed. None is silent."""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

from .loss_changes import output_shape
from .loss_refusal_laws import bad_option_values, bad_values, wrong_shapes
from .loss_samples import LossSample, samples

OWN = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))
# A message says what to do, or what was expected.
REMEDY = re.compile(r"expected|use |pass |convert|between 0 and 1|must be|valid |find where|subtract|give |needs? |\.float\(\)|\.long\(\)|divide|twice")
TYPES = (TypeError, ValueError, IndexError, RuntimeError)


@dataclass(frozen=True)
class Case:
    """A call that must be refused: what is wrong, the words of the message, and the type of the exception."""

    what: str
    call: Callable[[], Any]
    words: tuple[str, ...]
    kinds: tuple[type[Exception], ...]


def of_arrays(loss: Loss, sample: LossSample) -> Iterator[Case]:
    """What is no tensor; a wrong shape; a value outside the domain, in the first place and in the last."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}

    def case(what: str, name: str, value: Any, kinds: tuple[type[Exception], ...], *words: str) -> Case:
        given = {**arrays, name: value}
        return Case(what, lambda: loss(**given, **sample.options), (name, *words), kinds)

    for argument in loss.declaration.arguments:
        name = argument.name
        if name not in arrays:
            continue
        for wrong in (1.5, [1.0], np.ones(2), "x", object(), *(() if argument.optional else (None,))):
            if not isinstance(wrong, argument.literals):
                kind = type(wrong).__name__
                yield case(f"{name} is a {kind}", name, wrong, (TypeError,), "Tensor", kind)
        for shape in wrong_shapes(sample, name):
            wrong = tl.tensor(np.resize(sample.given()[name], shape))
            yield case(f"{name} has shape {shape}", name, wrong, (ValueError, RuntimeError, TypeError), str(shape) if len(shape) > 1 else "shape")
        x = sample.given()[name]
        for value in bad_values(sample, name):
            changed = np.array(x)
            changed[(0,) * x.ndim] = value
            yield case(f"{name} holds {value}", name, tl.tensor(changed), (ValueError, RuntimeError, IndexError))
            if x.dtype.kind == "f" and x.ndim:
                changed = np.array(x)
                changed[tuple(n - 1 for n in x.shape)] = value
                place = ", ".join(str(n - 1) for n in x.shape)
                yield case(f"{name} ends in {value}", name, tl.tensor(changed), (ValueError, RuntimeError), f"[{place}]")
        if x.dtype.kind == "i":
            yield case(f"{name} of floats", name, tl.tensor(x.astype(np.float32)), (TypeError, RuntimeError), "float32")


def of_options(loss: Loss, sample: LossSample) -> Iterator[Case]:
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, check in loss.declaration.checks.items():
        for value in bad_option_values(check):
            given = {**sample.options, name: value}
            yield Case(f"{name}={value!r}", lambda given=given: loss(**arrays, **given), (name,), (TypeError, ValueError))


def of_calls(loss: Loss, sample: LossSample) -> Iterator[Case]:
    """A wrong reduction, a keyword that is none, too many arguments, too few, one of them twice."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for reduction in ("avg", "MEAN", "", None, 1, True):
        yield Case(f"reduction={reduction!r}", lambda r=reduction: loss(**arrays, **sample.options, reduction=r), ("reduction", "'sum'"), (ValueError,))
    yield Case("unknown keyword", lambda: loss(**arrays, weihgt=1.0), ("'weihgt'", *loss.declaration.required), (TypeError,))
    first = arrays[loss.declaration.required[0]]
    yield Case("too many", lambda: loss(*[first] * 30), ("30 positional arguments",), (TypeError,))
    yield Case("twice", lambda: loss(first, **arrays), ("twice", loss.declaration.positional[0]), (TypeError,))
    for name in loss.declaration.required:
        rest = {n: x for n, x in arrays.items() if n != name}
        yield Case(f"no {name}", lambda rest=rest: loss(**rest), ("missing", name), (TypeError,))


def of_counts(loss: Loss, sample: LossSample) -> Iterator[Case]:
    """Weights and masks of examples."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    shape = output_shape(loss, sample)
    if not shape:
        return
    bad: list[tuple[str, str, Any, tuple[type[Exception], ...]]] = []
    for name, fit, other in (("mask", bool, float), ("sample_weight", float, bool)):
        bad += [(name, f"of {other.__name__}s", tl.tensor(np.ones(shape, other)), (TypeError,)), (name, "a list", [1], (TypeError,))]
        for wrong in ((shape[0] + 2, *shape[1:]), (*shape, 2), ()):
            bad.append((name, f"of shape {wrong}", tl.tensor(np.ones(wrong, fit)), (ValueError,)))
    for value in (-1.0, math.nan, math.inf):
        bad.append(("sample_weight", f"of {value}", tl.tensor(np.full(shape, value)), (ValueError,)))
    for name, what, x, kinds in bad:
        if name in loss.declaration.counts:
            yield Case(f"{name} {what}", lambda n=name, x=x: loss(**arrays, **sample.options, **{n: x}), (name,), kinds)


@functools.cache
def cases(name: str) -> list[Case]:
    """Those of a typical sample, and of the first one that shows another choice of arrays; each only once."""
    loss, found, shown = LOSSES[name], {}, set()
    for sample in samples(loss):
        choice = tuple((n, id(s)) for n, s in sample.specs.items())
        if choice in shown or sample.size < 4 or not sample.batched or (sample.ignores and shown):
            continue
        shown.add(choice)
        for of in (of_calls, of_options, of_counts, of_arrays):
            for case in of(loss, sample):
                found.setdefault(case.what, case)
    return list(found.values())


@pytest.mark.parametrize("name", OWN)
def test_bad_inputs_are_refused(name: str) -> None:
    silent = []
    for case in cases(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tl.LossWarning)
            try:
                case.call()
            except TYPES as error:
                text = str(error)
                assert type(error) in case.kinds, f"{case.what}: {type(error).__name__}: {text}"
                assert text.startswith(f"{name}: "), f"{case.what}: {text}"
                assert not [w for w in case.words if w not in text], f"{case.what}: {case.words} in: {text}"
                assert REMEDY.search(text), f"{case.what}: no remedy in: {text}"
                assert "\n" not in text and len(text) < 450, f"{case.what}: {text}"
            else:
                silent.append(case.what)
    assert not silent, f"{name} computes without a word: {silent}"


def test_there_are_enough_and_all_differ() -> None:
    every = [(name, case.what) for name in OWN for case in cases(name)]
    assert len(every) == len(set(every)) >= 300
    assert min(len(cases(name)) for name in OWN) >= 20
