"""What holds for every call of a loss: its place in the graph, the older arguments, and bad input."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_changes import another, plain, redrawn
from .loss_laws import advised, evaluate
from .loss_samples import (
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
