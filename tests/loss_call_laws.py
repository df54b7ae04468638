"""What holds for every call of a loss: its place in the graph, the older arguments, and bad input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.losses import set_value_checks
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._options import Flag, Function, Interval, OneOf, Or, Whole

from .laws import close
from .loss_changes import another, plain, redrawn
from .loss_laws import advised, evaluate
from .loss_samples import (
    REFUSED,
    LossSample,
    Plan,
    allowed,
    build,
    call,
    consistent,
    leaves,
    option_grid,
    possible,
    unique,
    values_of,
)
from .samples import seeded

SEED = tl.tensor(np.asarray(seeded("seed").uniform(0.5, 1.5, ())))  # what evaluate() starts from


def law_graph(loss: Loss, sample: LossSample) -> None:
    """One node; a second backward raises unless retained; gradients accumulate, own their memory and pass on."""
    given = leaves(sample)
    with advised():
        y = call(loss, sample, "sum", **given)
        z = call(loss, sample, "sum", **given)
    assert repr(y.grad_fn).startswith(f"<{loss.grad_name}Backward0") and not y.is_leaf
    y.backward(retain_graph=True)
    given = {n: x for n, x in given.items() if x.requires_grad}
    once = {n: x.grad.array.copy() for n, x in given.items()}
    for name, x in given.items():
        assert not any(np.shares_memory(x.grad.array, other.array) for other in (*given.values(), y)), name
    y.backward()
    for name, x in given.items():
        close(x.grad, 2 * once[name], 1e-15, "accumulated")
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    tripled = {n: x * 1.0 for n, x in given.items()}  # what is computed from leaves passes gradients on
    with advised():
        (call(loss, sample, "sum", **tripled) * 3.0).backward()
    for name, x in given.items():
        close(x.grad, 5 * once[name], 1e-14, f"through a non-leaf {name}", least=1.0)
    z.backward(inputs=list(given.values()))


def law_no_grad(loss: Loss, sample: LossSample) -> None:
    """Inside no_grad there is no graph, nor one from tensors that need none; a recorded backward is differentiable."""
    given = leaves(sample)
    with advised(), tl.no_grad():
        assert call(loss, sample, **given).grad_fn is None
    with advised():
        assert call(loss, sample).grad_fn is None
        y = call(loss, sample, "sum", **given)
        again = call(loss, sample, "sum", **given)
    given = {n: x for n, x in given.items() if x.requires_grad}
    plain = autograd.grad(y, list(given.values()))
    assert all(g.grad_fn is None for g in plain)
    assert [g.dtype for g in plain] == [x.dtype for x in given.values()]
    autograd.grad(again, list(given.values()), create_graph=True)
    with tl.no_grad():
        assert not any(g.requires_grad for g in autograd.grad(again, list(given.values())))


def law_one_by_one(loss: Loss, sample: LossSample) -> None:
    """The gradient of one argument is the same whether or not others want theirs."""
    _, whole = evaluate(loss, sample, "sum")
    for name, x in leaves(sample).items():
        if not x.requires_grad:
            continue
        with advised():
            (g,) = autograd.grad(call(loss, sample, "sum", **{name: x}), x, SEED)
        close(g, whole[name], 1e-14, f"gradient of {name} alone")


def law_unmodified(loss: Loss, sample: LossSample) -> None:
    """What goes in stays as it was; what is strided or of another integer type gives the same."""
    arrays = {n: np.copy(x) for n, x in sample.given().items()}
    evaluate(loss, sample, "mean", create_graph=True)
    for name, x in sample.given().items():
        np.testing.assert_array_equal(x, arrays[name])
    strided = {n: tl.from_numpy(np.repeat(x[..., None], 2, -1)[..., 0]) for n, x in arrays.items()}
    with advised():
        y = call(loss, sample)
        np.testing.assert_array_equal(call(loss, sample, **strided).array, y.array)
        for name, x in arrays.items():
            if x.dtype.kind == "i":
                for kind in (np.int32, np.int16, np.int8) + ((np.uint8,) if x.size and x.min() >= 0 else ()):
                    np.testing.assert_array_equal(call(loss, sample, **{name: tl.tensor(x.astype(kind))}).array, y.array)


def law_legacy(loss: Loss, sample: LossSample) -> None:
    """size_average and reduce override reduction, as documented, and are deprecated."""
    if "size_average" not in loss.declaration.order:
        return
    for average, reduce, meant in (
        (True, None, "mean"), (False, None, "sum"), (None, False, "none"), (None, True, "mean"),
        (True, True, "mean"), (False, True, "sum"), (True, False, "none"), (False, False, "none"),
    ):  # fmt: skip
        arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
        with advised():
            expected = call(loss, sample, meant)
            with pytest.warns(DeprecationWarning, match=f"use reduction='{meant}'"):
                got = loss(**arrays, **sample.options, reduction="sum", size_average=average, reduce=reduce)
            with pytest.warns(DeprecationWarning, match=f"use reduction='{meant}'"):
                module = loss.Module(size_average=average, reduce=reduce)
        np.testing.assert_array_equal(got.array, expected.array)
        assert module.reduction == meant


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


def law_all_matters(loss: Loss, sample: LossSample) -> None:
    """No argument and no option is ignored: another value of it gives another result, or is refused."""
    if sample.size < 6 or sample.ignores or sample.options != loss.declaration.options:
        return
    with advised():
        before = call(loss, sample, "none").array
        for name in sample.given():
            others = [x for x in (another(sample, name, turn) for turn in (0, 20, 40)) if x is not None]
            # beyond every hinge the value is 0, but not where two arguments are equal
            alike = [n for n in sample.given() if sample.specs[n] is not sample.specs[name] and _alike(sample, n, name)]
            equal = [sample.given()[n] for n in alike]
            found = [call(loss, sample.with_arrays(**{name: x}), "none").array for x in [*others, *equal]]
            moved = not others or any(not np.array_equal(x, before) for x in found)
            assert moved or any(_moves(loss, drawn, name) for drawn in _settings(loss, sample)), name  # of no length at all
        for name in loss.declaration.options:
            values = [*values_of(loss, name), *(range(4) if name == "ignore_index" else ()), *((0.5, 3.0) if name == "eps" else ())]
            nothing = len(unique(values)) == 1  # to choose
            assert nothing or any(_matters(loss, drawn, name, values) for drawn in _settings(loss, sample)), f"{name} is ignored"


def _moves(loss: Loss, sample: LossSample, name: str) -> bool:
    other = another(sample, name)
    ways = [sample] if other is None else [sample, sample.with_arrays(**{name: other})]
    results = [call(loss, x, "none").array for x in ways if loss._require is None or consistent(loss, x.arrays, x.options)]
    return len(results) == 2 and not np.array_equal(*results)


def _alike(sample: LossSample, one: str, other: str) -> bool:
    """Whether two arguments are of one domain and shape."""
    a, b = sample.given()[one], sample.given()[other]
    return sample.specs[one].domain is sample.specs[other].domain and a.shape == b.shape


def _settings(loss: Loss, sample: LossSample) -> Iterator[LossSample]:
    """The sample with other values; and with other options, beside which an option may mean something."""
    yield from redrawn(sample, 8)
    yield sample.with_arrays(**{n: np.asarray(x) * 0.1 for n, x in sample.given().items() if plain(sample.specs[n])})  # inside hinges
    for name, turn in itertools.product([n for n, x in sample.given().items() if x.dtype.kind == "i"], range(0, 200, 10)):
        other = another(sample, name, turn)  # some lengths, too, that are advised against
        if other is not None:
            yield sample.with_arrays(**{name: other})
    for options in option_grid(loss, 12):
        plan = Plan(sample.specs, sample.sizes, sample.batched, options)
        if allowed(plan) and possible(loss, plan):
            yield build(loss, **vars(plan))


def _matters(loss: Loss, sample: LossSample, option: str, values: list[Any]) -> bool:
    before = call(loss, sample, "none").array
    for value in values:
        try:
            after = call(loss, sample.with_options(**{option: value}), "none").array
        except (ValueError, RuntimeError, IndexError):
            return True
        if not np.array_equal(after, before):
            return True
    return False


def law_dtype_errors(loss: Loss, sample: LossSample) -> None:
    """Class indices are integers; everything else may be integers or bools, which follow the floats."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, x in arrays.items():
        if isinstance(sample.specs[name].domain, LabelDomain):
            for kind in (tl.float32, tl.bool):
                refuses(loss, RuntimeError, [name, str(kind)], **{**arrays, name: x.to(kind)}, **sample.options)
