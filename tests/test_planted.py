"""The suite can fail: each defect planted here must be caught by the law that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import backward as backward_module
from tinygrad_loss import walk as walk_module
from tinygrad_loss.autograd import GradcheckError
from tinygrad_loss.losses import (
    LOSSES,
    _domains,
    _evaluation,
    _kernels,
    _labels,
    _loss,
    _options,
    classification,
    regression,
)
from tinygrad_loss.primitive import PRIMITIVES

from . import laws, loss_call_laws, loss_count_laws, loss_laws, loss_samples
from .primitive_samples import primitive_samples

CAUGHT = (AssertionError, GradcheckError, pytest.fail.Exception, FloatingPointError, RuntimeError, IndexError, ValueError)
SAMPLES = primitive_samples()


def broken(law: Callable[..., None], function: Callable[..., Any], samples: list[Any]) -> bool:
    for sample in samples:
        try:
            law(function, sample)
        except CAUGHT:
            return True
    return False


# Wrong rules of primitives: (primitive, argument, wrong rule, law that catches it).
RULES: list[tuple[str, int, Any, Callable[..., None]]] = [
    ("exp", 0, lambda g, y, x: -g * y, laws.law_derivatives),  # a sign
    ("log", 0, lambda g, y, x: g / x * 1.001, laws.law_derivatives),  # a factor
    ("square", 0, lambda g, y, x: g * x, laws.law_derivatives),  # a missing 2
    ("mul", 1, lambda g, y, a, b: g * b, laws.law_derivatives),  # the wrong argument
    ("div", 1, lambda g, y, a, b: g * (y / b), laws.law_derivatives),
    ("sub", 1, lambda g, y, a, b: g, laws.law_derivatives),
    ("sigmoid", 0, lambda g, y, x: g * (y * (1.0 + 1e-4 - y)), laws.law_derivatives),  # an epsilon
    ("tanh", 0, lambda g, y, x: g * (1.0 - y), laws.law_derivatives),
    ("sum", 0, lambda g, y, x, *, dim, keepdim: g, laws.law_derivatives),  # not expanded
    ("mean", 0, lambda g, y, x, *, dim, keepdim: PRIMITIVES["spread"].function(g, shape=tuple(x.shape), dim=dim, keepdim=keepdim), laws.law_derivatives),
    ("cumsum", 0, lambda g, y, x, *, dim, reverse: PRIMITIVES["cumsum"].function(g, dim=dim, reverse=reverse), laws.law_derivatives),
    ("permute", 0, lambda g, y, x, *, dims: PRIMITIVES["permute"].function(g, dims=dims[::-1]), laws.law_derivatives),
    ("getitem", 0, lambda g, y, x, *, index, unique: PRIMITIVES["put"].function(g, index=index, shape=tuple(x.shape), unique=True), laws.law_derivatives),  # duplicates overwrite
    ("cat", 0, lambda g, y, *t, which, dim, starts: g[(slice(None),) * dim + (slice(0, t[which].shape[dim]),)], laws.law_derivatives),
    ("mm", 1, lambda g, y, a, b: PRIMITIVES["mm"].function(PRIMITIVES["t"].function(g), a), laws.law_derivatives),  # transposed
    ("log", 0, lambda g, y, x: g * (1.0 / x.array) if isinstance(x, tl.Tensor) else g / x, laws.law_derivatives),  # cut under create_graph
    ("expm1", 0, lambda g, y, x: g * y if isinstance(x, tl.Tensor) else g * (y + 1.0), laws.law_two_modes),
    ("exp", 0, lambda g, y, x: g * y * np.float64(1.0), laws.law_dtypes),  # float64 leaks into a float32 backward
    ("neg", 0, lambda g, y, x: g if not isinstance(g, np.ndarray) else np.negative(g, out=g), laws.law_memory),  # writes into what came in
]  # fmt: skip


@pytest.mark.parametrize(("name", "argument", "wrong", "law"), RULES, ids=[f"{r[0]}-{i}" for i, r in enumerate(RULES)])
def test_wrong_rule(monkeypatch: pytest.MonkeyPatch, name: str, argument: int, wrong: Any, law: Any) -> None:
    op = PRIMITIVES[name]
    assert not broken(law, op.function, SAMPLES[name])
    rules = list(op.rules)
    rules[argument] = wrong
    monkeypatch.setattr(op, "rules", tuple(rules))
    assert broken(law, op.function, SAMPLES[name])


@pytest.mark.parametrize(("name", "law"), [("add", laws.law_derivatives), ("where", laws.law_derivatives), ("bmm", laws.law_derivatives)])
def test_missing_unbroadcast(monkeypatch: pytest.MonkeyPatch, name: str, law: Any) -> None:
    """A gradient that keeps the broadcast shape, with the sum over it left out."""

    def lazy(gradient: Any, like: Any, name: str) -> Any:
        shape = like.array.shape
        extra = gradient.ndim - len(shape)
        return gradient[(0,) * extra + tuple(slice(0, n) for n in shape)]

    assert not broken(law, PRIMITIVES[name].function, SAMPLES[name])
    monkeypatch.setattr(walk_module, "fit", lazy)
    assert broken(law, PRIMITIVES[name].function, SAMPLES[name])


def test_gradient_that_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that hands buffers over without looking who else holds them."""

    def careless(result: dict[Any, Any], *rest: Any) -> None:
        for x, g in result.items():
            x._grad = g if isinstance(g, tl.Tensor) else tl.Tensor(np.asarray(g))

    monkeypatch.setattr(backward_module, "commit", careless)
    assert broken(laws.law_memory, PRIMITIVES["add"].function, SAMPLES["add"])


def forward(name: str, wrong: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose results are wrong in the Tensor case only, or that breaks its promises otherwise."""

    def function(*args: Any, **settings: Any) -> Any:
        return wrong(PRIMITIVES[name].function(*args, **settings), *args)

    function.__name__ = name
    return function


FORWARDS: list[tuple[str, Callable[..., Any], Callable[..., None]]] = [
    ("exp", lambda y, x: y if isinstance(y, tl.Tensor) else np.nextafter(y, 9), laws.law_raw_equals_tensor),
    ("exp", lambda y, x: y * tl.tensor(np.ones((1, 1, 1))) if isinstance(y, tl.Tensor) else y, laws.law_dtypes),
    ("exp", lambda y, x: x, laws.law_memory),
    ("sqrt", lambda y, x: np.sqrt(x) if isinstance(x, np.ndarray) else tl.tensor(np.sqrt(x.array)) * x, laws.law_hostile),
    ("exp", lambda y, x: (x.array.__setitem__(..., 0.0), y)[1] if isinstance(x, tl.Tensor) else y, laws.law_memory),
    ("exp", lambda y, x: y * float(np.random.default_rng().uniform()), laws.law_repeatable),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong", "law"), FORWARDS, ids=[f"{r[0]}-{r[2].__name__}-{i}" for i, r in enumerate(FORWARDS)])
def test_wrong_forward(name: str, wrong: Any, law: Any) -> None:
    assert not broken(law, PRIMITIVES[name].function, SAMPLES[name])
    assert broken(law, forward(name, wrong), SAMPLES[name])


# Wrong losses: (loss, what to change, law that catches it).


def formula_of(name: str, change: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        true = LOSSES[name].formula
        monkeypatch.setattr(LOSSES[name], "formula", lambda **given: change(true, **given))
        monkeypatch.setattr(LOSSES[name], "_kernel", None)

    return apply


def at(where: Any, name: str, wrong: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(where, name, wrong)


def reduce_wrong(terms: Any, reduction: str) -> Any:
    """The weighted mean that forgets its weights."""
    return _reduce(terms._replace(share=None), reduction)


_reduce = _evaluation.reduce
_clip = regression.clamp
_times = classification.times_log


def swallow(terms: Any, reduction: str) -> Any:
    """nan counts as 0."""
    return _reduce(terms._replace(value=tl.where(tl.isnan(terms.value), 0.0, terms.value)), reduction)


def kernel_off_by(factor: float) -> Callable[..., Any]:
    def wrong(arrays: Any, options: Any, needs: Any, reduction: Any) -> Any:
        found = _kernels.cross_entropy_of_indices(arrays, options, needs, reduction)
        if found is None or found[1] is None:
            return found
        return found[0], (found[1][0] * np.float32(factor), *found[1][1:])

    return wrong


LOSS_DEFECTS: list[tuple[str, Callable[[pytest.MonkeyPatch], None], Callable[..., None]]] = [
    ("mse_loss", at(_evaluation, "reduce", reduce_wrong), loss_laws.law_reductions),
    ("cross_entropy", at(_evaluation, "reduce", reduce_wrong), loss_laws.law_reductions),
    ("cross_entropy", at(_evaluation, "reduce", reduce_wrong), loss_count_laws.law_ignored),
    ("nll_loss", at(_evaluation, "reduce", swallow), loss_laws.law_nan),
    ("mse_loss", at(_evaluation, "reduce", swallow), loss_laws.law_nan),
    ("huber_loss", formula_of("huber_loss", lambda true, **k: tl.where(tl.isnan(true(**k)), 0.0, true(**k))), loss_laws.law_nan),
    ("huber_loss", at(regression, "clamp", lambda x, lo, hi: _clip(x.detach(), lo, hi)), loss_laws.law_derivatives),
    ("smooth_l1_loss", formula_of("smooth_l1_loss", lambda true, **k: true(**k) / (k["input"] - k["target"]) * (k["input"] - k["target"])), loss_laws.law_extremes),
    ("mse_loss", at(regression, "square", lambda x: x * x.detach()), loss_laws.law_derivatives),
    ("mse_loss", formula_of("mse_loss", lambda true, **k: tl.exp(tl.log(true(**{**k, "weight": None})))), loss_laws.law_extremes),
    ("mse_loss", formula_of("mse_loss", lambda true, **k: true(**{**k, "weight": None}) + k["input"].mean()), loss_laws.law_permutation),
    ("l1_loss", formula_of("l1_loss", lambda true, **k: true(**{**k, "weight": None}).sum()), loss_laws.law_reductions),
    ("mse_loss", formula_of("mse_loss", lambda true, **k: true(**{**k, "weight": None}) * tl.tensor(np.ones((1,)))), loss_laws.law_dtypes),
    ("cross_entropy", formula_of("cross_entropy", lambda true, **k: true(**{**k, "weight": None})), loss_call_laws.law_all_matters),
    ("cross_entropy", formula_of("cross_entropy", lambda true, **k: true(**{**k, "label_smoothing": 0.0})), loss_call_laws.law_all_matters),
    ("huber_loss", formula_of("huber_loss", lambda true, **k: true(**{**k, "delta": 1.0})), loss_call_laws.law_all_matters),
    ("cross_entropy", at(classification, "log_softmax_", lambda x, dim: x - tl.log(tl.exp(x).sum(dim, keepdim=True))), loss_laws.law_extremes),
    ("cross_entropy", at(LOSSES["cross_entropy"], "_kernel", kernel_off_by(1.001)), loss_laws.law_kernel),
    ("cross_entropy", at(_labels.LabelDomain, "check", lambda *a: None), loss_call_laws.law_bad_values),
    ("nll_loss", at(_labels.LabelDomain, "check", lambda *a: None), loss_count_laws.law_ignored),
    ("binary_cross_entropy", at(_domains.ProbabilityDomain, "check", lambda *a: None), loss_call_laws.law_bad_values),
    ("mse_loss", at(_domains.WeightDomain, "check", lambda *a: None), loss_call_laws.law_bad_values),
    ("huber_loss", at(_options.Interval, "check", lambda *a: None), loss_call_laws.law_bad_options),
    ("kl_div", at(backward_module, "commit", lambda result, *rest: [setattr(x, "_grad", tl.tensor(g)) for x, g in result.items()]), loss_call_laws.law_graph),
    ("kl_div", at(_loss, "resolve_reduction", lambda name, values, allowed: values["reduction"]), loss_call_laws.law_legacy),
    ("mse_loss", at(_evaluation, "reduce", lambda t, r: _reduce(t, r if r != "sum" else "mean")), loss_laws.law_reductions),
    ("binary_cross_entropy_with_logits", at(classification, "logsigmoid", lambda x: tl.log(tl.sigmoid(x))), loss_laws.law_extremes),
    ("binary_cross_entropy_with_logits", at(classification, "times_log", lambda p, q: p * q.detach() + _times(p, q) * 0.0), loss_laws.law_derivatives),
]  # fmt: skip


@pytest.mark.parametrize(("name", "plant", "law"), LOSS_DEFECTS, ids=[f"{r[0]}-{r[2].__name__}-{i}" for i, r in enumerate(LOSS_DEFECTS)])
def test_wrong_loss(monkeypatch: pytest.MonkeyPatch, name: str, plant: Any, law: Any) -> None:
    loss, samples = LOSSES[name], loss_samples.samples(LOSSES[name])
    assert not broken(law, loss, samples)
    monkeypatch.setattr(loss, "_bindings", [])
    monkeypatch.setattr(loss, "_last", _loss.Binding())
    plant(monkeypatch)
    assert broken(law, loss, samples)
