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
from tinygrad_loss.primitive import PRIMITIVES

from . import laws
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
