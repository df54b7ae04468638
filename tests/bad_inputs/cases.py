"""Bad calls of every loss, derived from its declaration and from a sample that is right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.loss_changes import output_shape
from tests.loss_refusal_laws import bad_option_values, bad_values, wrong_shapes
from tests.loss_samples import LossSample
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

OWN = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))
# A message says what to do, or what was expected.
REMEDY = re.compile(r"expected|use |pass |convert|between 0 and 1|must be|valid |find where|subtract|give |needs? |\.float\(\)|\.long\(\)|divide|twice")
TYPES = (TypeError, ValueError, IndexError, RuntimeError)
Random = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A call that must be refused: what is wrong, the words of the message, and the type of the exception."""

    what: str
    call: Callable[[], Any]
    words: tuple[str, ...]
    kinds: tuple[type[Exception], ...]


def wrong(case: Case, name: str) -> str:
    """What is wrong with how the call is refused; "" for nothing, "silent" for no refusal."""
    try:
        case.call()
    except TYPES as error:
        text = str(error)
        if type(error) not in case.kinds:
            return f"{type(error).__name__}: {text}"
        if not text.startswith(f"{name}: "):
            return f"begins otherwise: {text}"
        missing = [w for w in case.words if w not in text]
        if missing:
            return f"{missing} not in: {text}"
        if not REMEDY.search(text):
            return f"no remedy in: {text}"
        return f"long: {text}" if "\n" in text or len(text) >= 450 else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "silent"


def how(shape: tuple[int, ...], right: tuple[int, ...]) -> str:
    """A shape that is wrong, said without sizes."""
    if len(shape) == len(right):
        axis = next(i for i, (n, m) in enumerate(zip(shape, right, strict=True)) if n != m)
        return f"{'1' if shape[axis] == 1 else 'another size'} along axis {axis}"
    return {len(right) + 1: "one more axis", len(right) + 2: "two more axes"}.get(len(shape), "no axes") + (" in front" if shape[-1:] == right[-1:] else "")


def other_sizes(sample: LossSample, name: str) -> list[tuple[int, ...]]:
    """One size wrong, where an argument before it has the axis too: one more, and the 1 that would broadcast."""
    spec, shape, names = sample.specs[name], sample.given()[name].shape, list(sample.given())
    axes = spec.axes if sample.batched else tuple(a for a in spec.axes if not a.startswith("["))
    known = {a for n in names[: names.index(name)] for a in sample.specs[n].axes}
    found = []
    if axes == ("...",) and "..." in known:
        for i, n in enumerate(shape):
            found += [(*shape[:i], m, *shape[i + 1 :]) for m in (n + 1, 1) if m != n]
    elif len(axes) == len(shape) and axes[0:1] not in (("broadcast",), ("row",)):
        for i, (axis, n) in enumerate(zip(axes, shape, strict=True)):
            if axis in known and axis.strip("[]").isalpha():
                found += [(*shape[:i], m, *shape[i + 1 :]) for m in (n + 1, 1) if m != n]
    return found


def of_arrays(loss: Loss, sample: LossSample, r: Random) -> Iterator[Case]:
    """What is no tensor; a wrong shape; a value outside the domain, in the first place, the last, and another."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}

    def case(what: str, name: str, value: Any, kinds: tuple[type[Exception], ...], *words: str) -> Case:
        given = {**arrays, name: value}
        return Case(what, lambda: loss(**given, **sample.options), (name, *words), kinds)

    for argument in loss.declaration.arguments:
        name = argument.name
        if name not in arrays:
            continue
        for bad in (1.5, [1.0], np.ones(2), "x", object(), *(() if argument.optional else (None,))):
            if not isinstance(bad, argument.literals):
                kind = type(bad).__name__
                yield case(f"{name} is a {kind}", name, bad, (TypeError,), "Tensor", kind)
        x = sample.given()[name]
        for shape in wrong_shapes(sample, name) + other_sizes(sample, name):
            value = tl.tensor(np.resize(x, shape))
            word = str(shape) if len(shape) > 1 else "shape"
            yield case(f"{name} has {how(shape, x.shape)}", name, value, (ValueError, RuntimeError, TypeError), word)
        if x.dtype.kind == "i":
            yield case(f"{name} of floats", name, tl.tensor(x.astype(np.float32)), (TypeError, RuntimeError), "float32")
        if not x.size or sample.ignores:  # what is left out may hold anything
            continue
        listed = sample.specs[name].domain.name == "LabelList"  # what stands behind the end of a list counts for nothing
        places = {"holds": (0,) * x.ndim}
        if x.dtype.kind == "f" and x.ndim and not listed:
            places |= {"ends in": tuple(n - 1 for n in x.shape), "has somewhere": tuple(int(r.integers(n)) for n in x.shape)}
        for value in bad_values(sample, name):
            for verb, place in places.items():
                changed = np.array(x)
                changed[place] = value
                word = f"[{', '.join(map(str, place))}]" if any(place) else name
                yield case(f"{name} {verb} {value}", name, tl.tensor(changed), (ValueError, RuntimeError, IndexError), word)


def of_options(loss: Loss, sample: LossSample, r: Random) -> Iterator[Case]:
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, check in loss.declaration.checks.items():
        for value in bad_option_values(check):
            given = {**sample.options, name: value}
            yield Case(f"{name}={value!r}", lambda given=given: loss(**arrays, **given), (name,), (TypeError, ValueError))


def of_calls(loss: Loss, sample: LossSample, r: Random) -> Iterator[Case]:
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


def of_counts(loss: Loss, sample: LossSample, r: Random) -> Iterator[Case]:
    """Weights and masks of examples."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    shape = output_shape(loss, sample)
    if not shape:
        return
    bad: list[tuple[str, str, Any, tuple[type[Exception], ...]]] = []
    for name, fit, other in (("mask", bool, float), ("sample_weight", float, bool)):
        bad += [(name, f"of {other.__name__}s", tl.tensor(np.ones(shape, other)), (TypeError,)), (name, "a list", [1], (TypeError,))]
        for what, size in (("longer", (shape[0] + 2, *shape[1:])), ("with another axis", (*shape, 2)), ("without axes", ())):
            bad.append((name, what, tl.tensor(np.ones(size, fit)), (ValueError,)))
    for value in (-1.0, math.nan, math.inf) if math.prod(shape) else ():
        spoiled = np.ones(shape)
        spoiled[tuple(int(r.integers(n)) for n in shape)] = value
        bad.append(("sample_weight", f"with {value}", tl.tensor(spoiled), (ValueError,)))
    for name, what, x, kinds in bad:
        if name in loss.declaration.counts:
            yield Case(f"{name} {what}", lambda n=name, x=x: loss(**arrays, **sample.options, **{n: x}), (name,), kinds)


def cases(loss: Loss, sample: LossSample, r: Random) -> dict[str, Case]:
    """{what is wrong: the call}."""
    found: dict[str, Case] = {}
    for of in (of_calls, of_options, of_counts, of_arrays):
        for case in of(loss, sample, r):
            found.setdefault(case.what, case)
    return found
