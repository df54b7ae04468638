"""torch's CPU random streams, word for word: MT19937 and how torch cuts its 32-bit words into numbers.

NumPy seeds the same generator the same way, so nothing of it is written here. Uniform numbers, integers and
permutations are torch's bit for bit; normal ones too, but for the last digit, where torch's vectorised
logarithm and cosine round differently. NumPy's global generator is never touched.
"""

from __future__ import annotations

import math
import os
import weakref
from _thread import RLock
from typing import Any

import numpy as np

from .devices import CPU, check_device, device
from .dtypes import Array
from .quiet import quiet
from .tape import Tensor

_DEFAULT_SEED = 67280421310721
_STATE = np.dtype(  # torch's own layout, so that a state can be carried over, in either direction
    {
        "names": ["seed", "left", "seeded", "next", "key", "x", "y", "rho", "valid"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", 624), "<f8", "<f8", "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5016, 5024, 5032, 5040],
        "itemsize": 5056,
    }
)


class Generator:
    """A stream of random numbers of its own, equal to that of torch's CPU generator with the same seed.

    Threads may share one: each draw is atomic. Raises RuntimeError for a seed outside 64 bits.

    >>> g = Generator().manual_seed(0)
    >>> rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    __slots__ = ("__weakref__", "_bits", "_seed", "_spare", "lock")

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self.lock = RLock()
        self._bits: Any = None  # made at the first draw: importing numpy.random takes time
        self._seed = _DEFAULT_SEED
        self._spare: float | None = None  # normal numbers come in pairs
        _generators.add(self)

    @property
    def device(self) -> device:
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start again at ``seed``; only its lower 32 bits matter, as in torch."""
        if not isinstance(seed, (int, np.integer)) or not -(2**63) <= seed < 2**64:
            raise RuntimeError(f"manual_seed: seed must be an integer of at most 64 bits, got {seed!r}")
        with self.lock:
            self._seed = int(seed) & 0xFFFFFFFFFFFFFFFF
            self._bits = self._spare = None
        return self

    def seed(self) -> int:
        """Start again at a seed from the operating system, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed it was started at."""
        return self._seed

    def get_state(self) -> Tensor:
        """The state as a uint8 tensor of 5056 bytes, in torch's layout."""
        with self.lock:
            state = self._engine().state["state"]
            record = np.zeros((), _STATE)
            record["seed"], record["seeded"], record["key"] = self._seed, 1, state["key"]
            record["next"], record["left"] = state["pos"] % 624, 625 - state["pos"]
            if self._spare is not None:
                record["y"], record["valid"] = self._spare, 1
        return Tensor(np.frombuffer(bytearray(record.tobytes()), np.uint8))

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state of :meth:`get_state`. Raises TypeError or RuntimeError for anything else."""
        if not isinstance(new_state, Tensor) or new_state.array.dtype != np.uint8:
            raise TypeError("set_state: new_state must be a uint8 tensor from get_state()")
        if new_state.array.shape != (_STATE.itemsize,):
            raise RuntimeError(f"set_state: expected {_STATE.itemsize} bytes, got shape {tuple(new_state.array.shape)}")
        record = np.frombuffer(new_state.array.tobytes(), _STATE)[0]
        position = 624 if record["left"] == 1 else int(record["next"])
        if not record["seeded"] or not 0 <= position <= 624 or (record["key"] >> np.uint64(32)).any():
            raise RuntimeError("set_state: these bytes are not the state of a generator")
        seed, spare = int(record["seed"]), float(record["y"]) if record["valid"] else None
        bits: Any = np.random.MT19937(0)
        key = {"key": record["key"].astype(np.uint32), "pos": position}
        bits.state = {"bit_generator": "MT19937", "state": key}
        with self.lock:
            self._seed, self._bits, self._spare = seed, bits, spare
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.get_state().array.tobytes(),)

    def _engine(self) -> Any:
        if self._bits is None:
            self._bits = np.random.MT19937(0)
            self._bits.state = np.random.RandomState(self._seed & 0xFFFFFFFF).get_state(legacy=False)
        return self._bits

    def words(self, n: int) -> Array:
        """The next ``n`` words of 32 bits, as uint64."""
        with self.lock:
            drawn: Array = self._engine().random_raw(n)
            return drawn

    def long_words(self, n: int) -> Array:
        """The next ``n`` words of 64 bits: two of 32, the higher half first."""
        drawn = self.words(2 * n)
        return drawn[0::2] << np.uint64(32) | drawn[1::2]

    def normal_pairs(self, n: int) -> Array:
        """``n`` normal numbers in float64, one after the other: torch's way for fewer than 16."""
        with self.lock:
            kept = [] if self._spare is None or not n else [self._spare]
            pairs = (n - len(kept) + 1) // 2
            u = uniform(self, 2 * pairs, np.dtype(np.float64)).reshape(pairs, 2)
            radius, angle = np.sqrt(-2.0 * np.log1p(-u[:, 1])), 2.0 * math.pi * u[:, 0]
            drawn = np.concatenate([kept, np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()])
            if n:
                self._spare = float(drawn[n]) if drawn.size > n else None
        return drawn[:n]


_generators: weakref.WeakSet[Generator] = weakref.WeakSet()
_held: list[Any] = []  # while a process forks: the locks of all generators


def _hold() -> None:
    """A child that is born in the middle of another thread's draw would wait for its end for ever."""
    for lock in [g.lock for g in _generators]:
        lock.acquire()
        _held.append(lock)


def _let_go() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


def _restored(state: bytes) -> Generator:
    return Generator().set_state(Tensor(np.frombuffer(bytearray(state), np.uint8)))


default_generator = Generator()
default_generator.seed()


def float_only(function: str, d: np.dtype[Any], device: Any = None) -> np.dtype[Any]:
    """The dtype, if random reals can be drawn in it."""
    check_device(device)
    if d.kind != "f":
        raise NotImplementedError(f"{function}: not implemented for {d.name}; use a floating point dtype, or randint")
    return d


def uniform(generator: Generator, n: int, d: np.dtype[Any]) -> Array:
    """``n`` numbers in [0, 1) with all the bits that the dtype holds."""
    if d.itemsize == 8:
        return (generator.long_words(n) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
    return ((generator.words(n) & np.uint64(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)).astype(d)


def multiply_add(x: Array, factor: float, shift: float) -> Array:
    """``x * factor + shift`` rounded once, as processors compute it and NumPy does not."""
    if x.dtype.itemsize < 8:
        return (x.astype(np.float64) * factor + shift).astype(x.dtype)
    if shift == 0.0 or not 1e-100 < abs(factor) < 1e100:
        return x * factor + shift

    def halves(a: Any) -> tuple[Any, Any]:  # Dekker: each half has 26 bits, so their products are exact
        high = a * 134217729.0 - (a * 134217729.0 - a)
        return high, a - high

    product = x * factor
    (a, b), (c, d) = halves(x), halves(factor)
    lost = ((a * c - product) + a * d + b * c) + b * d
    total = product + shift
    part = total - product
    return np.asarray(total + (((product - (total - part)) + (shift - part)) + lost))


def uniform_array(
    shape: tuple[int, ...], dtype: Any = np.float32, low: float = 0.0, high: float = 1.0, generator: Any = None
) -> Array:
    """Numbers from [low, high), row by row, as torch's ``uniform_``."""
    d = np.dtype(dtype)
    with quiet():
        u = uniform(generator or default_generator, math.prod(shape), d).reshape(shape)
        if (low, high) == (0.0, 1.0) and d.itemsize > 2:
            return u
        start, end = d.type(low), d.type(high)
        drawn = multiply_add(u, float(end - start), float(start))
        return np.where(drawn == end, start, drawn)  # rounded up to the end, which does not belong to it


def normal_array(
    shape: tuple[int, ...], dtype: Any = np.float32, mean: float = 0.0, std: float = 1.0, generator: Any = None
) -> Array:
    """Normal numbers, row by row, as torch's ``normal_``: in blocks of 16 (Box-Muller), below 16 in pairs."""
    d, n, g = np.dtype(dtype), math.prod(shape), generator or default_generator
    with quiet():
        if n < 16:
            return (g.normal_pairs(n) * std + mean).astype(d).reshape(shape)
        whole, rest = n - n % 16, n % 16
        with g.lock:
            u = uniform(g, whole if d.itemsize == 2 else n, np.promote_types(d, np.float32))
            drawn = np.empty(n, u.dtype)
            drawn[:whole] = _box_muller(u[:whole])
            if rest:  # the last 16 are drawn anew, whole
                drawn[-16:] = _box_muller(uniform(g, 16, u.dtype))
        if (mean, std) != (0.0, 1.0):
            drawn = multiply_add(drawn, float(std), float(mean))
        return drawn.astype(d, copy=False).reshape(shape)


def _box_muller(u: Array) -> Array:
    blocks = u.reshape(-1, 2, 8)
    kind = u.dtype.type
    radius, angle = np.sqrt(kind(-2) * np.log(kind(1) - blocks[:, 0])), kind(2 * math.pi) * blocks[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()


def integer_array(shape: tuple[int, ...], low: int, high: int, generator: Any = None) -> Array:
    """Integers from low to high - 1, as int64."""
    g, n, span = generator or default_generator, math.prod(shape), high - low
    drawn = (g.words(n) if span < 2**28 else g.long_words(n)) % np.uint64(span)
    with quiet():
        return (drawn + np.uint64(low & 0xFFFFFFFFFFFFFFFF)).astype(np.int64).reshape(shape)


def bernoulli_mask(shape: tuple[int, ...], p: float, generator: Any = None) -> Array:
    """True with probability ``p``: for dropout masks, where torch draws the same."""
    g = generator or default_generator
    return (uniform(g, math.prod(shape), np.dtype(np.float64)) < p).reshape(shape)


def probability(function: str, p: Any) -> Any:
    """``p``, when all of it is in [0, 1]."""
    given = np.asarray(p)
    with quiet():
        inside = (given >= 0) & (given <= 1)
    if not inside.all():
        raise RuntimeError(f"{function}: probabilities must be in [0, 1], got {given[~inside].ravel()[0]}")
    return p


def bernoulli_array(function: str, p: Array, shape: tuple[int, ...], generator: Any) -> Array:
    """True with the probability of each place: a draw of the precision of ``p`` each, as in torch."""
    probability(function, p)
    d = np.dtype(np.float64 if p.dtype == np.float64 else np.float32)
    return np.asarray(uniform_array(shape, d, generator=generator) < p)


def permutation(n: int, generator: Any = None) -> Array:
    """The numbers 0 to n - 1 in random order (Fisher and Yates), as int64."""
    order = list(range(n))
    if n > 1:
        left = np.arange(n, 1, -1, dtype=np.uint64)
        steps = (generator or default_generator).words(n - 1) % left
        for i, step in enumerate(steps.tolist()):
            j = i + step
            order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def random_int64(generator: Any = None) -> int:
    """What ``empty((), dtype=int64).random_()`` draws: the seed of a shuffle."""
    return int((generator or default_generator).long_words(1)[0] & np.uint64(2**63 - 1))
