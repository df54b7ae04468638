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


class Spec:
    """A domain with named axes: ``"..."`` any shape, ``"[N] C *"`` an optional batch, classes, anything."""

    __slots__ = ("axes", "domain")

    def __init__(self, domain: "Domain", axes: str) -> None:
        self.domain = domain
        self.axes = tuple(axes.split())

    def __repr__(self) -> str:
        return f"{self.domain.name}({' '.join(self.axes)})"


class Domain:
    """The reals: every floating point value, also nan and inf, which go in and come out."""

    name = "Real"
    describe = "any real number"
    integers = False

    def __getitem__(self, item: tuple[Any, str]) -> Any:
        tensor, axes = item
        return Annotated[tensor, Spec(self, axes)]

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        """Raise for a value outside; a label domain returns which examples to keep, or None for all."""
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        """Random values, float64 (or int64): typical ones, with the domain's corners among them."""
        return rng.normal(size=shape) * 2.0


def first(bad: Array) -> str:
    """The index of the first True, as ``[1, 2]``; nothing for a 0-d array."""
    index = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return f"[{', '.join(str(int(i)) for i in index)}]" if bad.ndim else ""


class ProbabilityDomain(Domain):
    name = "Probability"
    describe = "a number in [0, 1]"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size == 0:
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
        p = rng.uniform(0.02, 0.98, size=shape)
        return p


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

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        axis = 0 if len(shape) == 1 else 1
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
    name = "LogProbability"
    describe = "log-probabilities: <= 0, and their exponentials sum to 1"
    class_axis: int | None = None

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size == 0:
            return None
        top = np.maximum.reduce(x, axis=None)
        if top > 1e-6:
            raise ValueError(
                f"{where}{first(x > 1e-6)} is {float(x[np.unravel_index(int(np.argmax(x > 1e-6)), x.shape)]):g}: "
                "log-probabilities are never above 0; pass log_softmax(logits, dim) or, for probabilities, p.log()"
            )
        axis = self.class_axis
        if axis is not None and x.ndim:
            axis = 0 if x.ndim == 1 else axis
            sums = np.exp(x[:32] if x.ndim > 1 else x).sum(axis=axis)  # a few rows tell
            off = np.abs(sums - 1) > 1e-3
            if off.any():
                advise(
                    f"{where}: expected log-probabilities, whose exponentials sum to 1 over the classes, got "
                    f"{float(sums[off].flat[0] if sums.ndim else sums):.4g}; pass log_softmax(logits, dim=1)"
                )
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        z = rng.normal(size=shape)
        axis = (0 if z.ndim < 2 else (self.class_axis or z.ndim - 1)) if z.ndim else None
        return np.asarray(z - np.log(np.exp(z).sum(axis=axis, keepdims=True)))


class ClassLogProbabilityDomain(LogProbabilityDomain):
    name = "ClassLogProbability"
    class_axis = 1


class LabelDomain(Domain):
    """Class indices 0..C-1 of any integer type; ``ignore_index`` marks examples to leave out."""

    name = "Label"
    describe = "a class index, 0 to C-1 (or ignore_index)"
    integers = True

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size == 0:
            return None
        classes, ignored = sizes["C"], options.get("ignore_index")
        unsigned = x.view(np.uint64) if x.dtype.itemsize == 8 else x.astype(np.int64).view(np.uint64)
        inside = unsigned.item(unsigned.argmax()) < classes  # a negative id is a huge unsigned one
        if inside and (ignored is None or not 0 <= ignored < classes):
            return None
        kept = np.asarray(x != ignored)  # of a 0-d array, NumPy makes a plain bool
        bad = ((x < 0) | (x >= classes)) & kept
        if bad.any():
            value = int(x[np.unravel_index(int(np.argmax(bad)), x.shape)])
            note = "" if ignored is None else f"; ignore_index={ignored}"
            fix = "Labels starting at 1? subtract 1" if value == classes else "Check the labels"
            raise IndexError(
                f"{where}{first(bad)} = {value} is out of bounds: input has C={classes} classes "
                f"(valid 0..{classes - 1}{note}). {fix}"
            )
        return None if kept.all() else kept

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.integers(0, sizes["C"], size=shape))


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
    from typing import Annotated as BinaryProbability
    from typing import Annotated as ClassLogProbability
    from typing import Annotated as Distribution
    from typing import Annotated as Label
    from typing import Annotated as Log
    from typing import Annotated as Probability
    from typing import Annotated as Real
    from typing import Annotated as Simplex
    from typing import Annotated as Weight
else:
    Real, Probability, BinaryProbability, Simplex = Domain(), ProbabilityDomain(), BinaryTarget(), SimplexDomain()
    Distribution, Log, ClassLogProbability = TargetDistribution(), LogProbability, ClassLogProbabilityDomain()
    Label, Weight = LabelDomain(), WeightDomain()


class Interval:
    """The domain of a numeric option: checked before anything is computed."""

    __slots__ = ("closed", "high", "low", "text")

    def __init__(self, text: str, low: float, high: float = math.inf, closed: bool = True) -> None:
        self.text, self.low, self.high, self.closed = text, low, high, closed

    def check(self, where: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{where} must be a number, got {type(value).__name__}")
        inside = self.low <= value <= self.high if self.closed else self.low < value <= self.high
        if not inside or math.isinf(value):
            raise ValueError(f"{where}={value!r}: expected {self.text}")


class Flag:
    """A yes-or-no option."""

    def check(self, where: str, value: Any) -> None:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{where} must be True or False, got {value!r}")


class Whole:
    """An integer option."""

    def check(self, where: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{where} must be an int, got {value!r}")


Positive = Annotated[float, Interval("a finite number > 0", 0.0, closed=False)]
NonNegative = Annotated[float, Interval("a finite number >= 0", 0.0)]
UnitInterval = Annotated[float, Interval("a number in [0, 1]", 0.0, 1.0)]
Switch = Annotated[bool, Flag()]
IgnoreIndex = Annotated[int, Whole()]

__all__ = [
    "BinaryProbability", "ClassLogProbability", "Distribution", "Domain", "Flag", "IgnoreIndex", "Interval", "Label",
    "LabelDomain", "Log", "NonNegative",
    "Positive", "Probability", "Real", "Simplex", "SimplexDomain", "Spec", "Switch", "UnitInterval", "Weight", "Whole",
]  # fmt: skip
