"""The order in which a DataLoader visits the examples of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from ..creation import as_tensor
from ..dtypes import Array, float64
from ..generator import Generator, permutation, random_int64
from ..random import multinomial, randint

T = TypeVar("T", covariant=True)

_DRAWN_AT_ONCE = 32  # with replacement torch draws its indices in groups of this many


class Sampler(Generic[T]):
    """Base of samplers: ``__iter__`` gives the indices of the examples, or of one batch after the other.

    >>> class EvenSampler(utils.data.Sampler):
    ...     def __init__(self, n): self.n = n
    ...     def __iter__(self): return iter(range(0, self.n, 2))
    >>> list(EvenSampler(5))
    [0, 2, 4]
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__}: a sampler must implement __iter__")


class _ArraySampler(Sampler[int]):
    """A sampler that gives its indices as arrays, each drawn when it is needed."""

    def arrays(self) -> Iterator[Array]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        for indices in self.arrays():
            yield from indices.tolist()


class SequentialSampler(_ArraySampler):
    """The indices 0, 1, ... in order.

    >>> list(utils.data.SequentialSampler([7, 8, 9]))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def arrays(self) -> Iterator[Array]:
        yield np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_ArraySampler):
    """The indices shuffled, or ``num_samples`` of them drawn with replacement.

    With the same ``manual_seed`` or generator the order is torch's. Raises ValueError for an empty dataset.

    >>> _ = manual_seed(0)
    >>> list(utils.data.RandomSampler(range(5)))
    [1, 3, 4, 2, 0]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be True or False, got {replacement!r}")
        if num_samples is None and len(data_source) == 0:
            raise ValueError("RandomSampler: num_samples must be a positive integer, got 0: the dataset is empty")
        if num_samples is not None:
            _check_count("RandomSampler", "num_samples", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives: as many as there are examples, unless it was set."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def arrays(self) -> Iterator[Array]:
        n = len(self.data_source)
        if n == 0:
            raise ValueError("RandomSampler: the dataset is empty, there is nothing to draw from")
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(random_int64(None))
        if self.replacement:
            for start in range(0, self.num_samples, _DRAWN_AT_ONCE):
                size = min(self.num_samples - start, _DRAWN_AT_ONCE)
                yield randint(0, n, (size,), generator=generator).array
        else:
            for _ in range(self.num_samples // n):
                yield permutation(n, generator)
            rest = self.num_samples % n
            if rest or self.generator is not None:  # torch draws it even for a rest of 0: the caller's next numbers
                yield permutation(n, generator)[:rest]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices, shuffled.

    >>> sorted(utils.data.SubsetRandomSampler([3, 1, 4]))
    [1, 3, 4]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in permutation(len(self.indices), self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_ArraySampler):
    """``num_samples`` indices drawn with probabilities in proportion to ``weights``, one per example.

    The usual remedy for rare classes: weigh every example by one over the count of its class. Raises
    ValueError for weights that are not one-dimensional and for a count that is not positive.

    >>> list(utils.data.WeightedRandomSampler([0.0, 1.0], num_samples=3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float] | Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_count("WeightedRandomSampler", "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: replacement must be True or False, got {replacement!r}")
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"WeightedRandomSampler: weights must have one dimension, one weight per example, "
                f"got shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def arrays(self) -> Iterator[Array]:
        yield multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).array

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices from another sampler; the last may be shorter, or is dropped.

    >>> list(utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("BatchSampler", "batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last must be True or False, got {drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]  # any iterable may be a sampler; this one has no length
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def index_arrays(batches: Iterable[Any]) -> Iterator[Any]:
    """The same batches, as arrays where the samplers are our own: no Python integer is made."""
    if type(batches) is not BatchSampler or type(batches.sampler) not in _OWN:
        return iter(batches)
    return _cut(batches.sampler.arrays(), batches.batch_size, batches.drop_last)  # type: ignore[union-attr]


_OWN = (SequentialSampler, RandomSampler, WeightedRandomSampler)


def _cut(arrays: Iterator[Array], size: int, drop_last: bool) -> Iterator[Array]:
    """Batches of ``size`` indices; an array is asked for when the batch at hand needs it, not before."""
    rest: Array = np.empty(0, np.int64)
    for array in arrays:
        rest = np.concatenate([rest, array]) if len(rest) else array
        full = len(rest) - len(rest) % size
        for start in range(0, full, size):
            yield rest[start : start + size]
        rest = rest[full:]
    if len(rest) and not drop_last:
        yield rest


def _check_count(who: str, name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{who}: {name} must be a positive integer, got {value!r}")
