"""Every public operation against torch: values, dtypes, first and second derivatives, in float32 and float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.evaluation import answer, answer_sample, compare
from tests.samples import OPERATIONS, seeded
from tests.test_laws import lookup

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")
torch_side = pytest.importorskip("tests.oracle.torch_side", reason="the oracle: pip install '.[oracle]'")

RTOL: dict[Any, tuple[float, float, float]] = {np.float64: (1e-13, 1e-12, 1e-11), np.float32: (2e-6, 2e-5, 2e-4)}
# Where torch has no second derivative, or a value that is its own: {name: why}; all else is compared.
PARTS = {  # how much is compared: 1 the value, 2 the first derivative too
    "floor_divide": (1, "torch refuses to differentiate it; here it has no gradient, like floor"),
    "cosine_similarity": (1, "eps=0.5: torch's gradient leaves out that the norm was clamped; here it is the derivative"),
}
FIRST_ONLY = {
    "xlogy": "torch's gradient by the second argument at (0, 0) is 0/0 = nan, here 0: compared up to the value",
    "embedding": "padding_idx: torch's second derivative is that of the masked rows",
    "std": "torch's second derivative of equal values is nan, here 0: the kink of a minimum-norm subgradient",
    "norm": "torch's second derivative at 0 is nan, here 0",
}


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation(name: str, kind: Any) -> None:
    for i, sample in enumerate(OPERATIONS[name]):
        parts = PARTS.get(name, (3, ""))[0] if sample.settings.get("eps", 0.5) == 0.5 else 3
        ours = answer_sample(tl, lookup(name), sample, kind, parts)
        theirs = answer_sample(torch, torch_side.operation(name), sample, kind, parts)
        if sample.kink and name in FIRST_ONLY:
            upto = 1 if name == "xlogy" else 2
            ours, theirs = ((*x[:upto], *[[]] * (3 - upto)) for x in (ours, theirs))  # type: ignore[assignment]
        try:
            compare(ours, theirs, kind, RTOL[kind])
        except AssertionError as error:
            error.add_note(f"{name}, sample {i}, {kind.__name__}: {sample}")
            raise


SHAPES = [(), (1,), (4,), (3, 1), (1, 4), (3, 4), (2, 3, 4), (2, 1, 4), (0,), (0, 4), (3, 0), (2, 3, 4, 2)]
UNARY = ["exp", "log", "sqrt", "tanh", "sigmoid", "square", "abs", "log1p", "expm1", "logsigmoid", "relu", "silu", "gelu", "erf", "sin", "cos", "rsqrt", "reciprocal", "neg", "log2", "softplus", "elu"]  # fmt: skip
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "pow", "xlogy"]
REDUCTIONS = ["sum", "mean", "amax", "amin", "logsumexp", "softmax", "log_softmax", "cumsum", "var", "std", "prod", "norm"]


def arrays(name: str, *shapes: tuple[int, ...]) -> list[Any]:
    """Positive numbers without ties, some of them strided or transposed."""
    r = seeded(name + str(shapes))
    made = []
    for i, shape in enumerate(shapes):
        x = np.asarray(r.uniform(0.2, 3.0, size=(*shape[:-1], 2 * shape[-1]) if shape and i % 2 == 0 else shape))
        made.append(x[..., ::2] if shape and i % 2 == 0 else np.ascontiguousarray(x.T).T)
    return made


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", UNARY)
def test_unary_shapes(name: str, kind: Any) -> None:
    for shape in SHAPES:
        args = arrays(name, shape)
        compare(answer(tl, lookup(name), args, {}, kind), answer(torch, torch_side.operation(name), args, {}, kind), kind, RTOL[kind])


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", BINARY)
def test_broadcast_pairs(name: str, kind: Any) -> None:
    count = 0
    for a in SHAPES:
        for b in SHAPES:
            try:
                np.broadcast_shapes(a, b)
            except ValueError:
                continue
            args = arrays(name, a, b)
            count += compare(answer(tl, lookup(name), args, {}, kind), answer(torch, torch_side.operation(name), args, {}, kind), kind, RTOL[kind])
    assert count > 200


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, kind: Any) -> None:
    for shape in [s for s in SHAPES if 0 not in s and s]:
        for dim in range(-len(shape), len(shape)):
            if shape[dim] < 3 and name in ("var", "std"):
                continue  # 1: nan, with a warning there; 2: the second derivative is 0 up to cancellation
            for more in ({}, {"keepdim": True}) if name not in ("softmax", "log_softmax", "cumsum") else ({},):
                args, settings = arrays(name, shape), {"dim": dim, **more}
                ours, theirs = answer(tl, lookup(name), args, settings, kind), answer(torch, torch_side.operation(name), args, settings, kind)
                compare(ours, theirs, kind, RTOL[kind])


def test_mixed_types() -> None:
    """A number never changes a dtype, a category gives way only to a higher one: as torch, over all pairs."""
    kinds = [np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_]
    values: list[Any] = [np.ones(shape, kind) for kind in kinds for shape in ((2,), ())] + [2, 2.5, True]
    count = 0
    for name in ("add", "mul", "true_divide", "maximum", "pow", "eq", "where"):
        for a in values:
            for b in values:
                if not isinstance(a, np.ndarray) or (name == "pow" and a.dtype == bool) or (not isinstance(b, np.ndarray) and name == "maximum"):
                    continue

                def call(lib: Any, function: Any, a: Any = a, b: Any = b, name: str = name) -> Any:
                    x, y = (lib.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for v in (a, b))
                    y = function(lib.from_numpy(np.array([True, False])), x, y) if name == "where" else function(x, y)
                    return y.numpy().dtype

                try:
                    expected = call(torch, torch_side.operation(name))
                except (NotImplementedError, RuntimeError):
                    continue  # torch has no such pair: bool to a power, an integer to a negative one
                assert call(tl, lookup(name)) == expected, (name, a, b)
                count += 1
    assert count > 900
