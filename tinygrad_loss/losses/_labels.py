"""The domains of targets: class indices, signs, lists of labels, lengths, masks."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import Array
from ..tape import Tensor
from ._domains import Domain, first

_PART = 1 << 15  # elements
_MANY, _BIT = 24, np.uint32(1)  # classes whose bits, and sums of some of them twice, fit 32 of them


def _at(bad: Array, x: Array) -> Any:
    """The first bad value, as a Python number."""
    return x[np.unravel_index(int(np.argmax(bad)), x.shape)].item()


def ignored_index(options: dict[str, Any]) -> int | None:
    """The index to leave out; where the option is None, torch's -100; None where a loss has no such option."""
    ignored = options.get("ignore_index")
    return -100 if ignored is None and "ignore_index" in options else ignored


class LabelDomain(Domain):
    """Class indices 0..C-1 of any integer type; ``ignore_index`` marks examples to leave out."""

    name = "Label"
    describe = "a class index, 0 to C-1 (or ignore_index)"
    integers = True

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if x.size == 0:
            return None
        classes, ignored = sizes["C"], ignored_index(options)
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


class GroupDomain(Domain):
    """Numbers that say which examples belong together; any integers."""

    name = "Group"
    describe = "an integer: examples with the same one belong together"
    integers = True

    def suspect(self, x: Tensor) -> bool:
        return x.array.size > 1 and len(set(x.array.ravel().tolist())) == x.array.size  # nobody belongs to anybody

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.integers(0, 2, size=shape))


def _lists(x: Array, classes: int) -> bool:
    """Whether every row surely lists different classes, with nothing but -1 behind them: one bit for each class."""
    if classes > _MANY or not x.size:
        return False
    if np.minimum.reduce(x, axis=None) < -1 or np.maximum.reduce(x, axis=None) >= classes:
        return False
    step = max(1, _PART // x.shape[1])
    for start in range(0, len(x), step):
        columns = np.array(x[start : start + step].T, np.int8, order="C")
        ended = np.less(columns, 0)
        if np.greater(ended[:-1], ended[1:]).any():
            return False
        bits = np.left_shift(_BIT, columns.view(np.uint8), dtype=np.uint32)  # none for -1
        if not np.array_equal(np.add.reduce(bits, 0, dtype=np.uint64), np.bitwise_or.reduce(bits, 0)):
            return False
    return True


class LabelListDomain(Domain):
    """Rows of class indices, each ending at its first -1."""

    name = "LabelList"
    describe = "a row of class indices, the list ending at the first -1"
    integers = True
    neutral = -1

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        classes = sizes["C"]
        if x.ndim and _lists(x.reshape(-1, x.shape[-1]), classes):
            return None
        listed = np.logical_and.accumulate(x != -1, axis=-1) if x.ndim else x != -1
        bad = np.asarray(((x < 0) | (x >= classes)) & listed)
        if bad.any():
            raise IndexError(
                f"{where}{first(bad)} = {_at(bad, x)} is out of bounds: input has C={classes} classes (valid "
                f"0..{classes - 1}; a list ends at its first -1)"
            )
        if x.ndim and x.size:
            marked = np.where(listed, x, -1 - np.arange(x.shape[-1]))  # what is not listed differs from all else
            ordered = np.sort(marked, axis=-1)
            twice = (ordered[..., 1:] == ordered[..., :-1]).any(axis=-1)
            if twice.any():
                raise ValueError(f"{where}{first(np.asarray(twice))} lists a label twice; expected each label once")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        classes, most = sizes["C"], shape[-1]
        order = rng.permuted(np.broadcast_to(np.arange(classes), (*shape[:-1], classes)), axis=-1)[..., :most]
        listed = np.arange(most) < rng.integers(1, classes + 1, size=(*shape[:-1], 1))
        padded = np.concatenate([order, np.full((*shape[:-1], most - order.shape[-1]), -1)], axis=-1)
        return np.asarray(np.where(listed, padded, -1))


class LabelsDomain(LabelDomain):
    """Class indices in order; how many of a row count is said elsewhere, so that the loss checks them itself."""

    name = "Labels"
    describe = "a sequence of class indices, 0 to C-1"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        x, blank = rng.integers(0, sizes["C"] - ("blank" in sizes), size=shape), sizes.get("blank", sizes["C"])
        return np.asarray(x + (x >= blank))


class LengthsDomain(Domain):
    """How much of an axis belongs to each example; plain integers are accepted."""

    integers = True
    literals = (int, tuple, list)

    def __init__(self, name: str, axis: str) -> None:
        self.name, self.axis = name, axis
        self.describe = f"a length, 0 to {axis}"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        most = sizes.get(self.axis, math.inf)
        if x.size and not (np.minimum.reduce(x, axis=None) >= 0 and np.maximum.reduce(x, axis=None) <= most):
            bad = np.asarray((x < 0) | (x > most))
            limit = ">= 0" if math.isinf(most) else f"from 0 to {self.axis}={most}"
            raise ValueError(f"{where}{first(bad)} = {_at(bad, x)}: expected a length {limit}")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.integers(self.axis == "S", sizes.get(self.axis, 3) + 1, size=shape))


class SignDomain(Domain):
    """+1 or -1, of any type of number."""

    name = "Sign"
    describe = "+1 or -1"
    neutral = 1.0

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        flat = np.ravel(x)
        for start in range(0, flat.size, _PART):  # by parts that stay in the cache
            if (np.abs(flat[start : start + _PART]) != 1).any():
                break
        else:
            return None
        bad = np.asarray(np.abs(x) != 1)
        if bad.any():
            value = _at(bad, x)
            fix = "; for labels 0 and 1 use 2 * target - 1" if value == 0 else ""
            raise ValueError(f"{where}{first(bad)} = {value:g}: expected +1 or -1{fix}")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.choice([-1.0, 1.0], size=shape))


class PairDomain(SignDomain):
    """1 for a pair that belongs together, 0 for one that does not."""

    name = "Pair"
    describe = "1 (similar) or 0 (not)"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        bad = np.asarray((x != 0) & (x != 1))
        if bad.any():
            value = _at(bad, x)
            fix = "; for labels +1 and -1 use (target + 1) / 2" if value == -1 else ""
            raise ValueError(f"{where}{first(bad)} = {value:g}: expected 1 for a similar pair, 0 for another{fix}")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.choice([0.0, 1.0], size=shape))


class OrderDomain(Domain):
    """Numbers of which only the order counts: there is no derivative by them."""

    name = "Order"
    describe = "any real number; only their order counts"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        bad = np.isnan(x)
        if bad.any():
            raise ValueError(f"{where}{first(bad)} is nan, which has no place in an order; expected real numbers")
        return None

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.integers(0, 4, size=shape) * 1.0)


class MaskDomain(Domain):
    """True for what counts."""

    name = "Mask"
    describe = "True for what counts, False for what is left out"
    integers = True
    kinds = "b"

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        return np.asarray(rng.uniform(size=shape) < 0.8)


if TYPE_CHECKING:
    from typing import Annotated as Group
    from typing import Annotated as Label
    from typing import Annotated as LabelList
    from typing import Annotated as Labels
    from typing import Annotated as Lengths
    from typing import Annotated as Mask
    from typing import Annotated as Order
    from typing import Annotated as Pair
    from typing import Annotated as Sign
    from typing import Annotated as TargetLengths
else:
    Label, LabelList, Labels, Group = LabelDomain(), LabelListDomain(), LabelsDomain(), GroupDomain()
    Lengths, TargetLengths = LengthsDomain("Lengths", "T"), LengthsDomain("TargetLengths", "S")
    Mask, Order, Pair, Sign = MaskDomain(), OrderDomain(), PairDomain(), SignDomain()

__all__ = [
    "Group", "Label", "LabelDomain", "LabelList", "Labels", "Lengths", "Mask", "Order", "OrderDomain", "Pair", "Sign",
    "TargetLengths",
]  # fmt: skip
