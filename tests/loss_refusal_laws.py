"""Bad input to every loss is refused, by name, before anything is computed."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import set_value_checks
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._options import Flag, Function, Interval, OneOf, Or, Whole

from .loss_changes import output_shape
from .loss_laws import advised
from .loss_samples import REFUSED, LossSample, call


def refuses(loss: Loss, kind: Any, words: list[str], *args: Any, **kwargs: Any) -> None:
    """The call raises before anything is computed, and says the loss, the argument and more."""
    with advised(), pytest.raises(kind) as caught:
        loss(*args, **kwargs)
    for word in (loss.name, *words):
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def law_bad_calls(loss: Loss, sample: LossSample) -> None:
    """A wrong reduction, keyword, count or kind of argument is refused by function and module, by name."""
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    required = loss.declaration.required
    refuses(loss, ValueError, ["reduction='avg'", "'mean'"], **arrays, reduction="avg")
    refuses(loss, ValueError, ["reduction=None"], **arrays, reduction=None)
    refuses(loss, TypeError, ["wait", *required], **arrays, wait=1)
    refuses(loss, TypeError, ["positional"], *[arrays[required[0]]] * 20)
    refuses(loss, TypeError, ["twice", loss.declaration.positional[0]], arrays[required[0]], **arrays)
    for name in required:
        refuses(loss, TypeError, ["missing", name], **{n: x for n, x in arrays.items() if n != name})
        taken = next(a.literals for a in loss.declaration.arguments if a.name == name)
        for wrong in (1.0, None, [1.0], np.ones(3)):
            if isinstance(wrong, taken):
                continue
            refuses(loss, TypeError, [name, "Tensor"], **{**arrays, name: wrong})
    kept = {n: arrays[n] for n in loss.Module.order if n in required}
    for bad in ("avg", "batch_mean", None):
        with pytest.raises(ValueError, match="reduction"):
            loss.Module(**kept, reduction=bad)
    with pytest.raises(TypeError, match="wait"):
        loss.Module(wait=1)
    with pytest.raises(TypeError, match="constructor|expected"):
        loss.Module(*arrays.values())
    with pytest.raises(TypeError, match="expected|missing"):
        loss.Module()(arrays[required[0]], *[arrays[required[0]]] * 5)
    with pytest.raises(TypeError):
        loss.Module()(arrays[required[0]])


def wrong_shapes(sample: LossSample, name: str) -> list[tuple[int, ...]]:
    """Shapes that cannot be meant, whatever broadcasts."""
    spec, shape = sample.specs[name], sample.given()[name].shape
    names = list(sample.given())
    whole = sample.given()[names[0]].shape
    if name == names[0]:
        return [()] if any(a.isalpha() for a in spec.axes) else []
    known = {a for n in names[: names.index(name)] for a in sample.specs[n].axes}
    if {"*", "..."} & set(spec.axes) - known:
        return []
    wrong = {(*shape, 1), (7, *shape), (1, 1, *shape)} - {shape}
    wrong -= {(1,)} if tuple in spec.domain.literals else set()  # for one example, a number or a tuple of one
    relative = spec.axes in (("broadcast",), ("row",))
    return sorted(s for s in wrong if not (relative and (_broadcasts(s, whole) or len(s) <= len(whole))))


def _broadcasts(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, whole) == whole
    except ValueError:
        return False


def law_bad_shapes(loss: Loss, sample: LossSample) -> None:
    """A shape that does not fit is refused with its argument."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name in arrays:
        for shape in wrong_shapes(sample, name):
            wrong = tl.tensor(np.resize(sample.given()[name], shape))
            for checked in (True, False):
                with set_value_checks(checked):
                    refuses(loss, (ValueError, RuntimeError, TypeError), [name], **{**arrays, name: wrong}, **sample.options)


def bad_values(sample: LossSample, name: str) -> tuple[float, ...]:
    domain = sample.specs[name].domain
    if domain.name == "Distribution" and sample.options.get("log_target"):
        return (0.5,)
    if domain.name == "Prediction" and not sample.options["from_logits"]:
        return (-0.5, 1.5, math.inf)
    return REFUSED[domain.name]


def law_bad_values(loss: Loss, sample: LossSample) -> None:
    """A value outside its domain is refused with its argument and place; with the checks off, floats are not looked at."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, x in arrays.items():
        if not x.array.size:
            continue
        for place in {(0,) * x.ndim, tuple(n - 1 for n in x.shape)}:
            listed = sample.specs[name].domain.name == "LabelList"
            for bad in bad_values(sample, name) if not listed or not any(place) else ():
                changed = np.array(x.array)
                changed[place] = bad
                words = [name] + ([f"[{', '.join(map(str, place))}]"] if place else [])
                kinds = (ValueError, RuntimeError, IndexError)
                refuses(loss, kinds, words, **{**arrays, name: tl.tensor(changed)}, **sample.options)
                if x.array.dtype.kind == "f":
                    with advised(), set_value_checks(False):
                        loss(**{**arrays, name: tl.tensor(changed)}, **sample.options)


def bad_option_values(check: Any) -> list[Any]:
    """What an option's check has to refuse."""
    if isinstance(check, Or):
        return [v for v in bad_option_values(check.inner) if v is not None]
    bad: list[Any] = ["x", None]
    if isinstance(check, Interval):
        bad += [check.low - 0.1, np.nan, *([] if check.infinite else [np.inf]), True, *([] if check.closed else [check.low])]
        bad = [v for v in bad if v != -np.inf] + ([check.high + 0.1] if np.isfinite(check.high) else [])
    elif isinstance(check, Whole):
        bad += [0.5, True, *([] if check.least is None else [check.least - 1])]
    elif isinstance(check, Flag):
        bad += [1, 0.0]
    elif isinstance(check, OneOf):
        bad += ["nothing of these", -17, True]
    elif isinstance(check, Function):
        bad = ["x", 1.0]
    return bad


def law_bad_options(loss: Loss, sample: LossSample) -> None:
    """An option outside its domain is refused by function and module."""
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    for name in loss.declaration.options:
        assert name in loss.declaration.checks, f"{name} has no check: annotate it as Positive, Switch, ..."
        for value in bad_option_values(loss.declaration.checks[name]):
            refuses(loss, (TypeError, ValueError), [name], **arrays, **{name: value})
            if name in loss.Module.order:
                with pytest.raises((TypeError, ValueError), match=name):
                    loss.Module(**{name: value})


def law_dtype_errors(loss: Loss, sample: LossSample) -> None:
    """Class indices are integers; everything else may be integers or bools, which follow the floats."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, x in arrays.items():
        if isinstance(sample.specs[name].domain, LabelDomain):
            for kind in (tl.float32, tl.bool):
                refuses(loss, RuntimeError, [name, str(kind)], **{**arrays, name: x.to(kind)}, **sample.options)


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
