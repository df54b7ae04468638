"""Every loss, and what the losses are composed of, within its bound in units in the last place (tests/accuracy)."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES

from .accuracy import KINDS, exact
from .accuracy.bounds import BOUNDS, stated
from .accuracy.exact import TAPE, Exact, pull_back
from .accuracy.measure import batches, exact_results, measure, subjects
from .accuracy.registry import CALLS, POINTS, REFERENCES, Batch, Reference
from .accuracy.ulp import EPS, LEAST, ulps


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The references' own arithmetic may overflow, whatever NumPy reports elsewhere."""
    with np.errstate(all="ignore"):
        yield


SUBJECTS = subjects()
REQUIRED = {  # value and gradient, in either type
    **dict.fromkeys(("cross_entropy", "log_softmax"), (4, 6)),
    **dict.fromkeys(("logsigmoid", "softplus", "binary_cross_entropy_with_logits", "soft_margin_loss"), (3, 4)),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_covered(name: str) -> None:
    assert name in REFERENCES, f"{name} has no reference: write its definition in tests/accuracy/references_*.py"
    assert name in POINTS, f"{name} has no points: write a generator in tests/accuracy/points_*.py"
    assert name in BOUNDS, f"{name} has no bound: measure it (python -m tests.accuracy --only {name}), write it in bounds.py"
    value, gradient = REQUIRED.get(name, (math.inf, math.inf))
    assert max(BOUNDS[name].value, BOUNDS[name].value32) <= value
    assert max(BOUNDS[name].gradient, BOUNDS[name].gradient32) <= gradient


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [n for n in SUBJECTS if n in BOUNDS and n in POINTS and n in REFERENCES])
def test_bound(name: str, kind: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        found = measure(name, kind, 18 if REFERENCES[name].per == "batch" or name == "crf1d_loss" else 90)
    value, gradient = BOUNDS[name].of(kind)
    assert found.value.ulp <= value, f"{name} {kind}: {found.value.ulp:.3g} ulp at {found.value.where}"
    assert found.gradient.ulp <= gradient, f"{name} {kind}: {found.gradient.ulp:.3g} ulp at {found.gradient.where}"
    assert found.points >= 15 and found.gradients >= 15, "too few were compared"


@pytest.mark.parametrize("name", [n for n in SUBJECTS if n in LOSSES])
def test_docstring_states_the_bound(name: str) -> None:
    assert stated(name) in re.sub(r"\s+", " ", LOSSES[name].__doc__ or ""), f"write in the docstring of {name}: {stated(name)}"


@pytest.mark.parametrize("name", [n for n in SUBJECTS if n in POINTS and n in REFERENCES])
def test_reference_has_converged(name: str) -> None:
    """With three times the digits the references say the same, values and gradients: nothing cancels in them."""
    for batch in batches(name, np.random.default_rng(3), 24, "float64"):
        once, again = (exact_results(name, batch.typed("float64"), "float64", digits) for digits in (50, 150))
        for (v, size), (w, _) in zip(once, again, strict=True):
            assert abs(v - w) <= mpf(10) ** -30 * max(abs(w), size), (name, mp.nstr(v, 40), mp.nstr(w, 40), batch.options)


SMOOTH: dict[str, Any] = {
    "exp": exact.exp, "expm1": exact.expm1, "log": exact.log, "log1p": exact.log1p, "sqrt": exact.sqrt,
    "square": exact.square, "sigmoid": exact.sigmoid, "softplus": exact.softplus, "cube": lambda x: exact.power(x, 3.0),
    "ratio": lambda x: (x * x + 2) / (3 - x), "abs": lambda x: abs(x - 5), "hinge": lambda x: exact.hinge(exact.total(x, x * 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_of_exact_numbers(name: str) -> None:
    with mp.workdps(50):
        for at in (0.7, 1.3, 2.5):
            TAPE.clear(EPS["float64"], LEAST["float64"])
            x = Exact(mpf(at))
            pull_back([SMOOTH[name](x)])
            assert abs(x.g - mp.diff(lambda v: SMOOTH[name](Exact(v)).v, mpf(at))) < mpf(10) ** -20


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy_with_logits", "softmax"])
def test_derivatives_of_references(name: str) -> None:
    """The gradient of a reference is mpmath's own derivative of it."""
    function = REFERENCES[name].function
    point = [mpf("0.3"), mpf("-1.2"), mpf("2.1")]

    def value(first: Any) -> Any:
        z = [Exact(v) for v in [first, *point[1:]]]
        y = (
            function(input=z, target=[mpf("0.2"), mpf("0.3"), mpf("0.5")]) if name == "cross_entropy"
            else function(input=z, factor=[2, -1, mpf("0.5")]) if name == "softmax"
            else function(input=z[0], target=mpf("0.25"), pos_weight=mpf(3))
        )  # fmt: skip
        return z, y if isinstance(y, list) else [y]

    with mp.workdps(50):
        TAPE.clear(EPS["float64"], LEAST["float64"])
        z, ys = value(point[0])
        pull_back(ys)
        assert abs(z[0].g - mp.diff(lambda v: mp.fsum(y.v for y in value(v)[1]), point[0])) < mpf(10) ** -20


@pytest.mark.parametrize(
    "computed, true, kind, expected",
    [
        (1.0 + 2.0**-52, 1, "float64", 1.0), (1.0 - 2.0**-53, 1, "float64", 0.5), (2.0**-1074, 0, "float64", 1.0),
        (2.0**-149, 0, "float32", 1.0), (1.0, 1 + mpf(2) ** -24, "float32", 0.5), (3 * 2.0**-1074, mpf(2) ** -1074, "float64", 2.0),
        (math.inf, mpf(2) ** 1024, "float64", 0.0), (math.inf, -(mpf(2) ** 1024), "float64", math.inf),
        (math.nan, 1, "float64", math.inf), (math.inf, mpf(2) ** 1023, "float64", 2.0**52), (np.inf, mpf(2) ** 128, "float32", 0.0),
    ],
)  # fmt: skip
def test_ulp(computed: float, true: Any, kind: str, expected: float) -> None:
    found = ulps(computed, mpf(true), abs(mpf(true)), kind)
    assert found == expected or (math.isinf(expected) and found > 1e15)


NAIVE: dict[str, Any] = {
    "cross_entropy": lambda input, target: tl.logsumexp(input, dim=1) - input.gather(1, target.unsqueeze(1)).squeeze(1),
    "log_softmax": lambda input, factor: tl.softmax(input, dim=1).log() * factor,
    "logsigmoid": lambda input: tl.sigmoid(input).log(),
    "softplus": lambda input: (1.0 + input.exp()).log(),
}


@pytest.mark.parametrize("name", NAIVE)
def test_the_measure_can_fail(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The textbook formula exceeds the bound a thousandfold."""
    plain = POINTS[name]

    def unweighted(r: Any, n: int, kind: str) -> Any:
        yield from (b for b in plain(r, n, kind) if not b.options and b.arrays.keys() <= {"input", "target", "factor"} and _hard(b))

    monkeypatch.setitem(CALLS, name, NAIVE[name])
    monkeypatch.setitem(POINTS, name, unweighted)
    found = measure(name, "float64", 300)
    assert found.points and found.value.ulp > 1000 * BOUNDS[name].value


def _hard(batch: Batch) -> bool:
    return "target" not in batch.arrays or "target" in batch.by or batch.arrays["target"].dtype.kind == "i"


def test_a_kink_is_left_out_of_gradients_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REFERENCES, "corner", Reference(lambda input: exact.hinge(exact.total(input, -1.0)), "element"))
    monkeypatch.setitem(CALLS, "corner", lambda input: tl.clamp(input - 1.0, min=0.0))
    monkeypatch.setitem(POINTS, "corner", lambda r, n, kind: iter([Batch({"input": np.array([1.0, 1.0 + 2.0**-51, 1.5, 0.5])})]))
    found = measure("corner", "float64", 4)
    assert (found.points, found.gradients, found.on_kinks) == (4, 2, 2) and found.value.ulp == found.gradient.ulp == 0
