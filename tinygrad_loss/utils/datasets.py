"""Datasets: what has a length and gives an example for an index, or gives one example after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar, cast

import numpy as np

from ..callsite import advise
from ..dtypes import Array
from ..generator import Generator, permutation
from ..tape import Tensor
from .collate import default_collate

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Base of datasets: ``dataset[index]`` gives one example, ``len(dataset)`` says how many there are.

    A subclass may add ``__getitems__(indices)``, which gives the examples of a whole batch as a list.

    >>> class Squares(utils.data.Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, i): return i, i * i
    >>> next(iter(utils.data.DataLoader(Squares(), batch_size=4)))
    [tensor([0, 1, 2, 3]), tensor([0, 1, 4, 9])]
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__}: subclasses of Dataset should implement __getitem__")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Base of datasets that are a stream: ``__iter__`` gives one example after the other.

    >>> class Numbers(utils.data.IterableDataset):
    ...     def __iter__(self): return iter(range(5))
    >>> list(utils.data.DataLoader(Numbers(), batch_size=2))
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__}: subclasses of IterableDataset should implement __iter__")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Example i is the tuple of row i of every tensor.

    Raises ValueError unless all tensors have the same first dimension, TypeError for other things than tensors.

    >>> dataset = utils.data.TensorDataset(tensor([[1., 2.], [3., 4.]]), tensor([0, 1]))
    >>> len(dataset), dataset[1]
    (2, (tensor([3., 4.]), tensor(1)))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset: expected at least one tensor, got none")
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor):
                raise TypeError(
                    f"TensorDataset: argument {i} must be a Tensor, got {type(t).__name__}; "
                    f"convert it with tensor(x) or from_numpy(x)"
                )
            if t.ndim == 0:
                raise ValueError(f"TensorDataset: argument {i} has no dimension to index (its shape is ())")
        if len({t.array.shape[0] for t in tensors}) > 1:
            raise ValueError(
                f"TensorDataset: Size mismatch between tensors: the first dimensions must be equal, "
                f"got the shapes {', '.join(str(tuple(t.shape)) for t in tensors)}"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        if isinstance(index, (int, np.integer)) and not -len(self) <= index < len(self):
            raise IndexError(f"TensorDataset: index {index} is out of range for {len(self)} examples")
        if type(index) is int:
            return tuple([t[index] if t.needs_grad else Tensor(t.array[index, ...]) for t in self.tensors])
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0].array)


class ConcatDataset(Dataset[T]):
    """Several datasets one after the other; ``a + b`` makes one too.

    >>> len(utils.data.ConcatDataset([[1, 2], [3]])), utils.data.ConcatDataset([[1, 2], [3]])[2]
    (3, 3)
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise ValueError("ConcatDataset: an IterableDataset has no indices; chain the iterators instead")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: index {index} is out of range for {len(self)} examples")
        which = int(np.searchsorted(self.cumulative_sizes, position, side="right"))
        start = self.cumulative_sizes[which - 1] if which else 0
        return cast(T, self.datasets[which][position - start])


class Subset(Dataset[T]):
    """The examples of a dataset at the given indices.

    >>> list(utils.data.Subset("abcd", [3, 0]))
    ['d', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"Subset: index {index} is out of range for {len(self)} examples")
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Split a dataset at random into subsets of the given lengths, or fractions that sum to 1.

    The same seed gives torch's split. Raises ValueError for lengths that do not sum to the length of the dataset.

    >>> _ = manual_seed(0)
    >>> [part.indices for part in utils.data.random_split(range(5), [3, 2])]
    [[4, 0, 1], [3, 2]]
    """
    total = len(dataset)
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths must not be negative, got {list(lengths)}")
    if math.isclose(sum(lengths), 1):
        counts = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(counts)):  # what rounding down left over, one each
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                advise(f"random_split: length of split at index {i} is 0, so that subset is empty")
    else:
        counts = [int(length) for length in lengths]
        if counts != list(lengths) or sum(counts) != total:
            raise ValueError(
                f"random_split: Sum of input lengths does not equal the length of the input dataset: "
                f"{list(lengths)} sum to {sum(lengths)}, expected {total} (or 1 for fractions)"
            )
    order = permutation(total, generator).tolist()
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(counts), counts, strict=True)]


class Rows:
    """A TensorDataset (behind ``Subset``s): a batch is one indexing per tensor, not one per example."""

    def __init__(self, dataset: TensorDataset, positions: Array | None) -> None:
        self.dataset = dataset
        self.positions = positions

    def fetch(self, batch: Any) -> list[Tensor]:
        index = np.asarray(batch)
        if index.dtype.kind not in "iu" or index.ndim != 1 or any(t.needs_grad for t in self.dataset.tensors):
            at = batch if self.positions is None else [self.positions[i] for i in batch]
            return cast(list[Tensor], default_collate([self.dataset[i] for i in at]))
        try:
            if self.positions is not None:
                index = self.positions[index]
            return [Tensor(_take(t.array, index)) for t in self.dataset.tensors]
        except IndexError:
            n = len(self.dataset) if self.positions is None else len(self.positions)
            bad = next((i for i in batch if not -n <= i < n), "an index")
            raise IndexError(f"DataLoader: the sampler gave {bad}, which is out of range for {n} examples") from None


def _take(array: Array, index: Array) -> Array:
    # take copies whole rows, which is faster, but it would first copy all of an array that is not contiguous
    return array.take(index, 0) if array.flags.c_contiguous else np.ascontiguousarray(array[index])


def rows_of(dataset: Any) -> Rows | None:
    if type(dataset) is TensorDataset:
        return Rows(dataset, None)
    if type(dataset) is not Subset:
        return None
    inner, positions = rows_of(dataset.dataset), np.asarray(dataset.indices)
    n = len(dataset.dataset) if inner else 0
    if inner is None or positions.dtype.kind not in "iu" or positions.ndim != 1 or not _all_inside(positions, n):
        return None
    return Rows(inner.dataset, positions if inner.positions is None else inner.positions[positions])


def _all_inside(positions: Array, n: int) -> bool:
    return positions.size == 0 or bool(-n <= positions.min() and positions.max() < n)
