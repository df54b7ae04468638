"""What holds for every call of a loss: its place in the graph, the older arguments, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.losses._options import Interval, Whole

from .laws import close
from .loss_laws import advised, evaluate
from .loss_samples import REFUSED, LossSample, call, leaves, values_of
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
        close(x.grad, 5 * once[name], 1e-14, f"through a non-leaf {name}")
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
    plain = autograd.grad(y, list(given.values()))
    assert all(g.grad_fn is None for g in plain)
    assert [g.dtype for g in plain] == [x.dtype for x in given.values()]
    autograd.grad(again, list(given.values()), create_graph=True)
    with tl.no_grad():
        assert not any(g.requires_grad for g in autograd.grad(again, list(given.values())))


def law_one_by_one(loss: Loss, sample: LossSample) -> None:
    """The gradient of one argument is the same whether or not others want theirs."""
    _, whole = evaluate(loss, sample, "sum")
    for name in sample.floats():
        x = tl.tensor(sample.arrays[name], requires_grad=True)
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
            if isinstance(sample.specs[name].domain, LabelDomain):
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
    refuses(loss, TypeError, ["twice", required[0]], arrays[required[0]], **arrays)
    for name in required:
        refuses(loss, TypeError, ["missing", name], **{n: x for n, x in arrays.items() if n != name})
        for wrong in (1.0, None, [1.0], np.ones(3)):
            refuses(loss, TypeError, [name, "Tensor"], **{**arrays, name: wrong})
    for bad in ("avg", "batch_mean", None):
        with pytest.raises(ValueError, match="reduction"):
            loss.Module(reduction=bad)
    with pytest.raises(TypeError, match="wait"):
        loss.Module(wait=1)
    with pytest.raises(TypeError, match="constructor|expected"):
        loss.Module(*arrays.values())
    with pytest.raises(TypeError, match="expected|missing"):
        loss.Module()(arrays[required[0]], *[arrays[required[0]]] * 5)
    with pytest.raises(TypeError):
        loss.Module()(arrays[required[0]])


def _broadcasts(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, whole) == whole
    except ValueError:
        return False


def law_bad_arrays(loss: Loss, sample: LossSample) -> None:
    """A shape that does not fit, and values outside a domain, are refused with their argument and place."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    first = next(iter(arrays))
    for name, x in arrays.items():
        spec = sample.specs[name]
        if name != first:
            for shape in {(*x.shape, 1), (7, *x.shape), (1, 1, *x.shape)}:
                if spec.axes == ("broadcast",) and _broadcasts(shape, sample.sizes["..."]):
                    continue
                wrong = tl.tensor(spec.domain.sample(seeded("wrong"), shape, {**sample.sizes, **sample.options}))
                refuses(loss, (ValueError, RuntimeError), [name], **{**arrays, name: wrong}, **sample.options)
        elif spec.axes != ("...",):
            refuses(loss, ValueError, [name, "()"], **{**arrays, name: tl.tensor(-1.0)}, **sample.options)
        if not x.array.size:
            continue
        place = (0,) * x.ndim
        for bad in REFUSED[spec.domain.name] if not sample.options.get("log_target") or name != "target" else (0.5,):
            changed = np.array(x.array)
            changed[place] = bad
            words = [name] + ([f"[{', '.join(map(str, place))}]"] if place else [])
            kinds = (ValueError, RuntimeError, IndexError)
            refuses(loss, kinds, words, **{**arrays, name: tl.tensor(changed)}, **sample.options)


def law_bad_options(loss: Loss, sample: LossSample) -> None:
    """An option outside its domain is refused by function and module."""
    arrays = {n: None if x is None else tl.tensor(x) for n, x in sample.arrays.items()}
    for name, check in loss.declaration.checks.items():
        bad: list[Any] = ["x", None]
        if isinstance(check, Interval):
            bad += [check.low - 0.1, np.nan, np.inf, *([] if check.closed else [check.low])]
            bad += [check.high + 0.1] if np.isfinite(check.high) else []
        elif isinstance(check, Whole):
            bad += [0.5]
        for value in bad:
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
            x = np.asarray(sample.arrays[name])
            other = np.flip(x) if x.dtype.kind != "f" else np.clip(x * 0.5, -3.0, 0.9)
            if not np.array_equal(other, x):
                assert not np.array_equal(call(loss, sample.with_arrays(**{name: other}), "none").array, before), name
        for name in loss.declaration.options:
            found = []
            for value in {*values_of(loss, name), *(range(4) if name == "ignore_index" else ())}:
                try:
                    found.append(call(loss, sample.with_options(**{name: value}), "none").array)
                except (ValueError, RuntimeError):
                    found.append(np.zeros(0))
            assert any(not np.array_equal(y, before) for y in found), f"{name} is ignored"


def law_dtype_errors(loss: Loss, sample: LossSample) -> None:
    """Class indices are integers; everything else may be integers or bools, which follow the floats."""
    arrays = {n: tl.tensor(x) for n, x in sample.given().items()}
    for name, x in arrays.items():
        if isinstance(sample.specs[name].domain, LabelDomain):
            for kind in (tl.float32, tl.bool):
                refuses(loss, RuntimeError, [name, str(kind)], **{**arrays, name: x.to(kind)}, **sample.options)
