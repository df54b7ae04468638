"""Every loss against torch.nn.functional: all options, reductions and shapes, values, first and second derivatives."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.evaluation import Answer, answer, compare
from tests.loss_samples import LossSample, Plan, allowed, build, option_grid, possible, samples, spec_choices
from tests.samples import seeded
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._labels import LabelDomain
from tinygrad_loss.losses._loss import Loss

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

NAMES = sorted(n for n, made in LOSSES.items() if hasattr(torch.nn.functional, n) and made.__module__.startswith("tinygrad_loss"))
RTOL: dict[Any, tuple[float, float, float]] = {np.float64: (1e-13, 1e-12, 1e-11), np.float32: (3e-6, 2e-5, 2e-4)}
COARSER: dict[tuple[str, Any], tuple[float, float, float]] = {
    ("binary_cross_entropy", np.float64): (1e-13, 1e-12, 1e-9),  # torch's second derivative adds 1e-12 below
    ("binary_cross_entropy_with_logits", np.float32): (3e-5, 2e-5, 2e-4),  # torch adds and takes away the logit
    ("linear_cross_entropy", np.float32): (3e-6, 2e-5, 5e-3),  # torch's second derivative by confident logits does not sum to 0
    ("cosine_embedding_loss", np.float32): (3e-5, 1e-3, 1e-3),  # torch's 1 - cos is off by a rounding of 1, below 0 even
}
# What torch refuses to differentiate by (here it is differentiable, and finite differences check it).
CONSTANT = {
    "nll_loss": {"weight"}, "cross_entropy": {"weight"}, "binary_cross_entropy": {"weight"},
    "binary_cross_entropy_with_logits": {"weight", "pos_weight"}, "multi_margin_loss": {"weight"},
    "soft_margin_loss": {"target"}, "hinge_embedding_loss": {"target"}, "linear_cross_entropy": {"weight"},
}  # fmt: skip
ONCE = {"multi_margin_loss", "multilabel_margin_loss", "ctc_loss"}  # torch has no second derivative
NORMALISED = {"ctc_loss": "log_probs"}  # torch's gradient is that of the scores before a log_softmax
COMPARED: dict[tuple[str, str], int] = {}  # how many arrays of each loss were compared, in each test
UNWRITTEN = {"multi_margin_loss", "multilabel_margin_loss", "ctc_loss"}  # for no examples torch returns memory that it never wrote, or refuses
# Where torch is wrong, or answers where it should refuse: (call, torch's answer, ours, why).
F, X = torch.nn.functional, torch.tensor([[0.0, -40.0]], dtype=torch.float64)
DEVIATIONS: list[tuple[str, Any, Any, str]] = [
    ("cross_entropy", ([[0.0, -40.0]], [0], {}), 4.248354255291589e-18, "torch rounds a confident prediction to 0"),
    ("cross_entropy", ([[0.0, 0.0, -math.inf]], [[0.5, 0.5, 0.0]], {}), math.log(2), "torch: 0 * -inf = nan"),
    ("binary_cross_entropy_with_logits", ([-40.0], [0.0], {}), 4.248354255291589e-18, "torch cancels on this side only"),
    ("binary_cross_entropy_with_logits", ([-math.inf], [0.0], {}), 0.0, "torch: nan, the limit is 0"),
    ("binary_cross_entropy_with_logits", ([math.inf], [1.0], {}), 0.0, "torch: nan, the limit is 0"),
    ("kl_div", ([-math.inf], [0.0], {"reduction": "sum"}), 0.0, "torch: nan, the limit is 0"),
    ("kl_div", ([-1.0], [-math.inf], {"reduction": "sum", "log_target": True}), 0.0, "torch: nan, the limit is 0"),
    ("soft_margin_loss", ([-1000.0], [1.0], {}), 1000.0, "torch: exp overflows to inf"),
    ("multi_margin_loss", ([[math.nan, 1.0, 2.0]], [0], {}), math.nan, "torch: 0, the nan is lost"),
    ("multi_margin_loss", ([[math.nan, 1.0, 2.0]], [1], {}), math.nan, "torch: 2/3, the nan is lost"),
    ("multilabel_margin_loss", ([[math.nan, 1.0, 2.0]], [[1, -1, 0]], {}), math.nan, "torch: 2/3, the nan is lost"),
    ("mse_loss", ([1e200, 1.0], [0.0, 0.0], {"weight": [0.0, 1.0]}), 1.0, "torch: 0 * inf = nan; a weight of 0 leaves out"),
    ("cosine_embedding_loss", ([[1e200, 0.0]], [[1e200, 1e200]], {"target": [-1.0]}), math.sqrt(0.5), "torch: inf / inf"),
    ("cosine_embedding_loss", ([[1e-30, 0.0]], [[1e-30, 0.0]], {"target": [-1.0]}), 1.0, "torch's 1e-12 makes the cosine 0"),
    ("triplet_margin_loss", ([[1.5e308]], [[-1.5e308]], {"negative": [[-1.5e308]]}), 1.0, "torch: inf - inf"),
]  # fmt: skip
REFUSED: list[tuple[str, Any, str]] = [
    ("mse_loss", ([[1.0], [2.0]], [1.0, 2.0], {}), "broadcasts to (2, 2) with a warning"),
    ("kl_div", ([[-1.0, -1.0]], [0.5, 0.5], {}), "broadcasts silently"),
    ("binary_cross_entropy_with_logits", ([0.5], [2.0], {}), "a target of 2 makes the loss unbounded below"),
    ("cross_entropy", ([[0.0, 1.0]], [[1.5, -0.5]], {}), "negative probabilities"),
    ("cross_entropy", ([[0.0, 1.0]], [0], {"weight": [-1.0, 1.0]}), "a negative weight"),
    ("cross_entropy", ([[0.0, 1.0]], [0], {"label_smoothing": -0.1}), "silently no smoothing"),
    ("nll_loss", ([[0.9, 0.1]], [0], {}), "probabilities for log-probabilities: a negative loss"),
    ("kl_div", ([0.9], [0.5], {}), "probabilities for log-probabilities"),
    ("binary_cross_entropy_with_logits", ([0.5], [1.0], {"pos_weight": [-1.0]}), "a negative loss"),
    ("poisson_nll_loss", ([0.0], [-1.0], {}), "a negative count"),
    ("poisson_nll_loss", ([-0.5], [1.0], {"log_input": False}), "a negative rate: nan"),
    ("poisson_nll_loss", ([[1.0], [2.0]], [1.0, 2.0], {}), "broadcasts silently"),
    ("gaussian_nll_loss", ([[0.0], [1.0]], [0.0, 1.0], {"var": [[1.0], [1.0]]}), "broadcasts silently"),
    ("gaussian_nll_loss", ([0.0], [0.0], {"var": [0.0], "eps": 0.0}), "no floor: 0 / 0"),
    ("soft_margin_loss", ([0.5], [0.0], {}), "log 2 whatever the input is"),
    ("hinge_embedding_loss", ([0.5], [0.0], {}), "both terms at once"),
    ("multilabel_soft_margin_loss", ([[0.5, 0.5]], [[1.0, -1.0]], {}), "a loss below 0 for a list of labels"),
    ("multilabel_margin_loss", ([[0.5, 0.5, 0.1]], [[1, 1, -1]], {}), "a label twice counts twice"),
    ("cosine_embedding_loss", ([[1.0, 0.0]], [[0.0, 1.0]], {"target": [0.0]}), "0 whatever the inputs are"),
    ("triplet_margin_loss", ([[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0]], {"negative": [[1.0, 0.0]]}), "broadcasts silently"),
]  # fmt: skip


def as_torch_takes_it(sample: LossSample, given: dict[str, Any]) -> dict[str, Any]:
    """One variance for all elements is a float in torch, without a gradient; expanded it means the same. A list of labels
    by itself has no padding in torch."""
    first = next(iter(sample.given().values())).shape
    lone = {n for n, spec in sample.specs.items() if spec.axes == ("row",) and n in given and given[n].ndim == 0}
    if "target_lengths" in given and given["target_lengths"].ndim == 0:
        given = {**given, "targets": given["targets"][: int(given["target_lengths"])]}
    return {n: x.expand(first) if n in lone else x for n, x in given.items()}


def both(loss: Loss, sample: LossSample, reduction: str, kind: Any) -> tuple[Answer, Answer]:
    constant = CONSTANT.get(loss.name, set())
    by = {n: x for n, x in sample.given().items() if n not in constant}
    fixed = {n: x for n, x in sample.given().items() if n in constant}

    def call(lib: Any, function: Any) -> Answer:
        def of_tensors(*x: Any) -> Any:
            rest = {n: lib.from_numpy(v.astype(kind)) for n, v in fixed.items()}
            given = dict(zip(by, x, strict=True))
            given = as_torch_takes_it(sample, given) if lib is torch else given
            if loss.name in NORMALISED:
                given[NORMALISED[loss.name]] = lib.nn.functional.log_softmax(given[NORMALISED[loss.name]], -1)
            return function(**given, **rest, **sample.options, reduction=reduction)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return answer(lib, of_tensors, list(by.values()), {}, kind, 2 if loss.name in ONCE else 3)

    return call(tl, loss), call(torch, getattr(F, loss.name))


def check(loss: Loss, sample: LossSample, kind: Any) -> int:
    count = 0
    for reduction in loss.declaration.reductions:
        if sample.size == 0 and loss.name in UNWRITTEN:
            continue
        try:
            rtol = COARSER.get((loss.name, kind), RTOL[kind])
            count += compare(*both(loss, sample, reduction, kind), kind, rtol)
        except AssertionError as error:
            error.add_note(f"{loss.name} {reduction} {kind.__name__}: {sample}")
            raise
    return count


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_grid(name: str, kind: Any) -> None:
    loss = LOSSES[name]
    COMPARED[name, f"grid {kind.__name__}"] = count = sum(check(loss, sample, kind) for sample in samples(loss, full=True))
    assert count > 15


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_random_shapes(name: str, kind: Any) -> None:
    """Random sizes, 0 and 1 among them, any options, half of the arrays strided."""
    loss, r = LOSSES[name], seeded("shapes" + name)
    grid, choices = option_grid(loss), list(spec_choices(loss))
    axes = loss.declaration.arguments[0].specs[0].axes
    count = 0
    for _ in range(60):
        sizes: dict[str, Any] = {"N": int(r.integers(0, 6)), "C": int(r.integers(1, 7)), "*": (), "...": ()}
        sizes["*"] = tuple(int(n) for n in r.integers(1, 4, size=r.integers(0, 3)))
        sizes["..."] = tuple(int(n) for n in r.integers(0, 5, size=r.integers(0, 4)))
        others = {x.strip("[]") for a in loss.declaration.arguments for spec in a.specs for x in spec.axes}
        sizes |= {a: int(r.integers(1, 6)) for a in sorted(others) if a.isalpha() and a not in sizes}
        options = grid[r.integers(len(grid))]
        sizes["C"] += "blank" in options
        if (options.get("ignore_index") or 0) >= sizes["C"]:
            continue
        batched = axes[0] != "[N]" or bool(r.integers(2)) or bool(sizes["*"])
        plan = Plan(choices[r.integers(len(choices))], sizes, batched, options)
        if not allowed(plan) or (loss.checks_together and not possible(loss, plan)):
            continue
        if _ambiguous(sample := build(loss, **vars(plan))):
            continue
        strided = {n: np.repeat(x[..., None], 2, -1)[..., 0] for n, x in sample.given().items() if r.integers(2)}
        count += check(loss, sample.with_arrays(**strided), kind)
    COMPARED[name, f"shapes {kind.__name__}"] = count
    assert count > 100


def test_enough_was_compared() -> None:
    """Values, first and second derivatives of calls to both libraries, by the tests above."""
    if len(COMPARED) < 4 * len(NAMES):
        pytest.skip("the other tests of this file did not all run")
    assert sum(COMPARED.values()) >= 10_000


def _ambiguous(sample: LossSample) -> bool:
    """A one-class logit vector is no batch, and an integer target of the input's shape reads as one-hot."""
    given = list(sample.given().values())
    labels = [x for n, x in sample.given().items() if isinstance(sample.specs[n].domain, LabelDomain)]
    return bool(labels) and given[0].shape == labels[0].shape


def tensors(lib: Any, args: Any) -> tuple[list[Any], dict[str, Any]]:
    x, y, more = args
    kind = np.int64 if isinstance(np.ravel(np.asarray(y, dtype=object))[0], int) else np.float64
    first, second = lib.from_numpy(np.asarray(x)), lib.from_numpy(np.asarray(y, kind))
    return [first, second], {n: lib.from_numpy(np.asarray(v)) if isinstance(v, list) else v for n, v in more.items()}


@pytest.mark.parametrize(("name", "args", "value", "why"), DEVIATIONS)
def test_deviation(name: str, args: Any, value: float, why: str) -> None:
    """The limit, where torch gives something else: if torch changes, the row goes."""
    (a, more), (b, also) = tensors(tl, args), tensors(torch, args)
    assert LOSSES[name](*a, **more).item() == pytest.approx(value, rel=1e-14, abs=0, nan_ok=True), why
    theirs = getattr(F, name)(*b, **also).item()
    assert theirs != pytest.approx(value, rel=1e-9, abs=0, nan_ok=True), f"torch now gives {theirs}"


@pytest.mark.parametrize(("name", "args", "why"), REFUSED)
def test_refusal(name: str, args: Any, why: str) -> None:
    """What torch computes without an error is refused here."""
    (a, more), (b, also) = tensors(tl, args), tensors(torch, args)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isinstance(getattr(F, name)(*b, **also), torch.Tensor)
    with pytest.raises((ValueError, RuntimeError), match=name):
        LOSSES[name](*a, **more)


def test_modules_have_torch_signatures() -> None:
    """Names, order and defaults of functions and classes."""
    for name in NAMES:
        loss = LOSSES[name]
        theirs = inspect.signature(getattr(F, name))
        assert loss.declaration.order == tuple(theirs.parameters), name
        for parameter in theirs.parameters.values():
            if parameter.default is not inspect.Parameter.empty:
                assert loss.declaration.defaults[parameter.name] == parameter.default, f"{name}: {parameter.name}"
        mine, module = (getattr(lib.nn, loss.Module.__name__) for lib in (tl, torch))
        parameters = inspect.signature(module).parameters
        assert getattr(mine, "order", tuple(inspect.signature(mine).parameters)) == tuple(parameters), name
        sizes = (3,) * sum(p.default is inspect.Parameter.empty for p in parameters.values())
        parts = name == "triplet_margin_with_distance_loss"  # torch makes a module even of the default distance
        assert (parts or repr(mine(*sizes)) == repr(module(*sizes))) and repr(mine(*sizes, reduction="sum"))
        assert set(dict(module(*sizes).named_buffers())) == set(dict(mine(*sizes).named_buffers()))
