"""Domains: what the values of a loss's arguments mean.

A domain checks values (and says which one is wrong), describes itself for the tables, and samples itself,
corners included, for the tests. ``Real[Tensor, "N C"]`` is ``typing.Annotated`` underneath: type checkers
read ``Tensor``, the loss reads the domain and the names of the axes.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array
from ..tape import Tensor


class Spec:
    """A domain with named axes: ``"..."`` any shape, ``"[N] C *"`` an optional batch, classes, anything."""

    __slots__ = ("axes", "domain")

    def __init__(self, domain: "Domain", axes: str) -> None:
        self.domain = domain
        self.axes = tuple(axes.split())

    def __repr__(self) -> str:
        return f"{self.domain.name}({' '.join(self.axes)})"


ROWS = 32  # as many examples tell whether they are probabilities


def sums_over_classes(x: Array, axis: int) -> Array:
    """The sums over the class axis, of the first examples only."""
    some = x[:ROWS] if axis > 0 else x
    return np.asarray(np.add.reduce(some, axis=axis, dtype=np.float64))


class Domain:
    """The reals: every floating point value, also nan and inf, which go in and come out."""

    name = "Real"
    describe = "any real number"
    integers = False
    kinds = "iu"  # of dtype, where ``integers``
    literals: tuple[type, ...] = ()  # Python values that are accepted as they are, besides tensors
    neutral: float = 0.0  # a value inside the domain, for examples that a mask leaves out

    def __getitem__(self, item: tuple[Any, str]) -> Any:
        tensor, axes = item
        return Annotated[tensor, Spec(self, axes)]

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        """Raise for a value outside; a label domain returns which examples to keep, or None for all.

        ``sizes``: those of the named axes, and under "axis" the position of the class axis.
        """
        return None

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        """Warn about what is legal but hardly meant; asked in few calls of a loop."""

    def suspect(self, x: Tensor) -> bool:
        """A glance, at every call: is it worth asking :meth:`advise`?"""
        return False

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        """Random values, float64 (or int64): typical ones, with the domain's corners among them."""
        return rng.normal(size=shape) * 2.0


def first(bad: Array) -> str:
    """The index of the first True, as ``[1, 2]``; nothing for a 0-d array."""
    index = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return f"[{', '.join(str(int(i)) for i in index)}]" if bad.ndim else ""


class LogitDomain(Domain):
    """A score whose sigmoid is the probability; a sigmoid applied before is a mistake that only costs."""

    name = "Logit"
    describe = "a logit: any real number, before the sigmoid"

    def suspect(self, x: Tensor) -> bool:
        return x.op is not None and x.op.name == "sigmoid"

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        if x.op is not None and x.op.name == "sigmoid":
            advise(
                f"{where} is the result of sigmoid, which {where.split(':')[0]} applies itself: pass the logits, or "
                "use binary_cross_entropy"
            )


class LogitsDomain(Domain):
    """Scores whose softmax over the classes are the probabilities."""

    name = "Logits"
    describe = "logits: any real numbers, before the softmax over C"

    def suspect(self, x: Tensor) -> bool:
        a, n = x.array, x.array.size
        if x.op is not None and x.op.name == "softmax":
            return True
        return n > 1 and 0 <= a.item(0) <= 1 and 0 <= a.item(n - 1) <= 1 and 0 <= a.item(n >> 1) <= 1

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        array, axis = x.array, sizes.get("axis")
        softmax = x.op is not None and x.op.name == "softmax"
        if not softmax and axis is not None and array.size and array.shape[axis] > 1:
            some = array[:ROWS] if axis > 0 else array
            if np.minimum.reduce(some, axis=None) < 0 or np.maximum.reduce(some, axis=None) > 1:
                return
            softmax = bool((np.abs(sums_over_classes(array, axis) - 1) < 1e-3).all())
        if softmax:
            name = where.split(":")[0]
            other = ", or nll_loss(p.log(), target)" if name == "cross_entropy" else ""
            advise(
                f"{where} looks like probabilities (the rows sum to 1); {name} applies log_softmax itself: pass the "
                f"logits{other}"
            )


_ONES: dict[Any, Any] = {k.dtype: k.view(b) for k, b in ((np.float32(1), np.uint32), (np.float64(1), np.uint64))}


class ProbabilityDomain(Domain):
    name = "Probability"
    describe = "a number in [0, 1]"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size == 0:
            return None
        one = _ONES.get(x.dtype)  # the bits of 0 to 1 are the least that floats have, and in the same order
        if one is not None and np.maximum.reduce(x.view(one.dtype), axis=None) <= one:
            return None
        low, high = np.minimum.reduce(x, axis=None), np.maximum.reduce(x, axis=None)
        if low >= 0 and high <= 1:
            return None
        bad = ~((x >= 0) & (x <= 1))
        value = float(x[np.unravel_index(int(np.argmax(bad)), bad.shape)])
        what = "nan" if math.isnan(value) else f"{value:g}, and values in [{low:g}, {high:g}]"
        fix = "find where the nan comes from (autograd.detect_anomaly)" if math.isnan(value) else (
            "logits? use binary_cross_entropy_with_logits" if where.endswith("input") else "targets are probabilities"
        )  # fmt: skip
        raise RuntimeError(f"{where}{first(bad)} is {what}: all elements should be between 0 and 1; {fix}")

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return rng.uniform(0.02, 0.98, size=shape)


class BinaryTarget(ProbabilityDomain):
    name = "BinaryTarget"
    describe = "0, 1 or a probability between"

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.where(rng.uniform(size=shape) < 0.7, rng.integers(0, 2, size=shape), rng.uniform(size=shape))


class SimplexDomain(ProbabilityDomain):
    """Rows of probabilities along the class axis."""

    name = "Simplex"
    describe = "class probabilities: non-negative, summing to 1 over C"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size and np.minimum.reduce(x, axis=None) < 0:
            raise ValueError(
                f"{where}{first(x < 0)} is negative: class probabilities must be >= 0; pass softmax(scores), "
                "or class indices"
            )
        return None

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        if x.array.size and sizes.get("axis") is not None:
            sums = sums_over_classes(x.array, sizes["axis"])
            off = np.abs(sums - 1) > 1e-3
            if off.any():
                advise(
                    f"{where}: class probabilities sum to {float(sums[off].flat[0]):.4g} over the classes, expected 1; "
                    "divide them by their sum"
                )

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        axis = sizes.get("axis", 0 if len(shape) == 1 else 1)
        p = rng.uniform(0.05, 1.0, size=shape) * (rng.uniform(size=shape) < 0.8) + 1e-3
        return np.asarray(p / p.sum(axis=axis, keepdims=True))


class NonNegativeDomain(Domain):
    name = "NonNegative"
    describe = "a number >= 0"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size and np.minimum.reduce(x, axis=None) < 0:
            hint = "; is it a log-probability? pass log_target=True" if "log_target" in options else ""
            raise ValueError(f"{where}{first(x < 0)} is negative; expected values >= 0{hint}")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return rng.uniform(0.1, 2.0, size=shape)


class VarianceDomain(NonNegativeDomain):
    """A variance; a plain number stands for all elements."""

    name = "Variance"
    describe = "a variance: a number >= 0"
    literals = (int, float)
    neutral = 1.0


class TargetDistribution(NonNegativeDomain):
    """Probabilities, or their logarithms when the loss's option ``log_target`` says so."""

    name = "Distribution"
    describe = "probabilities (or, with log_target, log-probabilities)"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if not options.get("log_target"):
            return super().check(where, x, sizes, options)
        return LogProbability.check(where, x, sizes, options)

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        p = rng.uniform(0.05, 1.0, size=shape)
        p = p / p.sum(axis=-1, keepdims=True) if p.ndim and p.size else p * 0.9
        return np.log(p) if sizes.get("log_target") else p


class LogProbabilityDomain(Domain):
    """Never above 0; where the axes name classes, their exponentials sum to 1 over them."""

    name = "LogProbability"
    describe = "log-probabilities: <= 0, and their exponentials sum to 1"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size and np.maximum.reduce(x, axis=None) > 1e-6:
            raise ValueError(
                f"{where}{first(x > 1e-6)} is {float(x[np.unravel_index(int(np.argmax(x > 1e-6)), x.shape)]):g}: "
                "log-probabilities are never above 0; pass log_softmax(logits, dim) or, for probabilities, p.log()"
            )
        return None

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        axis = sizes.get("axis")
        if axis is not None and x.array.size:
            sums = sums_over_classes(np.exp(x.array[:ROWS] if axis > 0 else x.array), axis)
            off = np.abs(sums - 1) > 1e-3
            if off.any():
                advise(
                    f"{where}: expected log-probabilities, whose exponentials sum to 1 over the classes, got "
                    f"{float(sums[off].flat[0]):.4g}; pass log_softmax(logits, dim={axis})"
                )

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        z = rng.normal(size=shape)
        axis = sizes.get("axis", z.ndim - 1 if z.ndim else None)
        return np.asarray(z - np.log(np.exp(z).sum(axis=axis, keepdims=True)))


class WeightDomain(Domain):
    name = "Weight"
    describe = "a finite weight >= 0"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size and not (np.minimum.reduce(x, axis=None) >= 0 and np.maximum.reduce(x, axis=None) < math.inf):
            bad = ~((x >= 0) & (x < math.inf))
            raise ValueError(f"{where}{first(bad)} is negative or not finite; weights must be finite and >= 0")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return rng.uniform(0.2, 2.0, size=shape)


LogProbability = LogProbabilityDomain()
if TYPE_CHECKING:
    from typing import Annotated as Amount
    from typing import Annotated as BinaryProbability
    from typing import Annotated as Distribution
    from typing import Annotated as Log
    from typing import Annotated as Logit
    from typing import Annotated as Logits
    from typing import Annotated as Probability
    from typing import Annotated as Real
    from typing import Annotated as Simplex
    from typing import Annotated as Variance
    from typing import Annotated as Weight
else:
    Real, Logit, Logits = Domain(), LogitDomain(), LogitsDomain()
    Probability, BinaryProbability, Simplex = ProbabilityDomain(), BinaryTarget(), SimplexDomain()
    Distribution, Log = TargetDistribution(), LogProbability
    Amount, Variance, Weight = NonNegativeDomain(), VarianceDomain(), WeightDomain()

__all__ = [
    "Amount", "BinaryProbability", "Distribution", "Domain", "Log", "Logit", "Logits", "Probability",
    "ProbabilityDomain", "Real", "Simplex", "SimplexDomain", "Spec", "Variance", "Weight", "WeightDomain", "first",
]  # fmt: skip
