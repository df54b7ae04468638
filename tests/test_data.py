"""utils.data: the same batches as torch's (golden numbers from torch 2.13), and errors that name the remedy."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

Point = namedtuple("Point", "x y")


class Squares(Dataset[Any]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < self.n:
            raise IndexError(index)
        return tl.tensor([float(index), float(index**2)]), index


class Count(IterableDataset[int]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))

    def __len__(self) -> int:
        return self.n


def numbers(n: int = 10) -> TensorDataset:
    return TensorDataset(tl.arange(float(n)).reshape(n, 1), tl.arange(n))


def labels(loader: DataLoader[Any]) -> list[list[int]]:
    return [batch[1].tolist() for batch in loader]


def seeded(seed: int = 0) -> Any:
    return tl.Generator().manual_seed(seed)


# order: the same numbers as torch 2.13 for the same seed


def test_shuffled_order_is_torchs() -> None:
    tl.manual_seed(0)
    loader = DataLoader(numbers(), batch_size=4, shuffle=True)
    first, second = labels(loader), labels(loader)
    assert first == GOLDEN["shuffle"][0]
    assert second == GOLDEN["shuffle"][1]
    assert tl.rand(1).item() == pytest.approx(GOLDEN["next"], abs=0), "later numbers follow torch too"


def test_order_with_a_generator_is_torchs() -> None:
    loader = DataLoader(numbers(), batch_size=4, shuffle=True, generator=seeded())
    assert labels(loader) == GOLDEN["generator"][0]
    assert labels(loader) == GOLDEN["generator"][1], "torch draws one more permutation at the end of a pass"


def test_random_split_is_torchs() -> None:
    parts = random_split(range(10), [3, 7], generator=seeded(42))
    assert [part.indices for part in parts] == GOLDEN["split"]
    parts = random_split(range(30), [0.3, 0.3, 0.4], generator=seeded(42))
    assert [len(part) for part in parts] == [9, 9, 12]
    assert sorted(i for part in parts for i in part) == list(range(30))
    tl.manual_seed(42)
    assert random_split(range(10), [3, 7])[0].indices == GOLDEN["split"][0], "the default generator"


def test_random_sampler_with_replacement_is_torchs() -> None:
    assert list(RandomSampler(range(5), replacement=True, num_samples=40, generator=seeded())) == GOLDEN["replacement"]
    assert list(RandomSampler(range(3), num_samples=7, generator=seeded())) == GOLDEN["more"]


def test_weighted_sampler_is_torchs() -> None:
    weights = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6]
    assert list(WeightedRandomSampler(weights, 6, generator=seeded())) == GOLDEN["weighted"]
    assert list(WeightedRandomSampler(weights, 6, replacement=False, generator=seeded())) == GOLDEN["weighted without"]


def test_subset_random_sampler() -> None:
    assert list(SubsetRandomSampler([5, 6, 7, 8], generator=seeded())) == GOLDEN["subset"]


GOLDEN: dict[str, Any] = {
    "shuffle": [[[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]], [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]]],
    "next": 0.455627977848053,
    "generator": [[[3, 7, 5, 2], [0, 8, 1, 6], [9, 4]], [[1, 3, 2, 7], [5, 9, 0, 6], [4, 8]]],
    "split": [[2, 6, 1], [8, 4, 5, 0, 9, 3, 7]],
    "replacement": [int(digit) for digit in "4430342323111431134314144144401230002413"],
    "more": [2, 0, 1, 2, 1, 0, 1],
    "weighted": [5, 4, 4, 5, 4, 4],
    "weighted without": [4, 1, 2, 5, 3, 0],
    "subset": [5, 6, 8, 7],
}


# the loader


@pytest.mark.parametrize("n", [0, 1, 7, 8])
@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
@pytest.mark.parametrize("drop_last", [False, True])
def test_sequential_batches_cover_the_dataset(n: int, batch_size: int, drop_last: bool) -> None:
    for dataset in (numbers(n), Squares(n)):
        loader: DataLoader[Any] = DataLoader(dataset, batch_size=batch_size, drop_last=drop_last)
        batches = labels(loader)
        kept = n - n % batch_size if drop_last else n
        assert [i for batch in batches for i in batch] == list(range(kept))
        assert len(batches) == len(loader)
        assert all(len(batch) == batch_size for batch in batches[:-1])


@pytest.mark.parametrize("wrap", ["plain", "subset", "subset of subset", "numpy indices"])
@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {}, {"sampler": [3, 1, 1, -1]}, {"batch_sampler": [[0], [3, 1]]}]
)
def test_indexing_at_once_equals_one_by_one(wrap: str, options: dict[str, Any]) -> None:
    x = tl.arange(60.0).reshape(5, 12).T  # not contiguous
    dataset: Any = TensorDataset(x, tl.arange(12), tl.arange(12) > 5, tl.zeros(12, 0))
    if wrap != "plain":
        dataset = Subset(dataset, [7, 3, 3, 11, 0, -2])
    if wrap == "subset of subset":
        dataset = Subset(dataset, [5, 0, 1, 2, 2])
    if wrap == "numpy indices":
        dataset = Subset(dataset, np.array([5, 0, 1, 2, 2]))

    def one_by_one(batch: Any) -> Any:
        return default_collate(batch)

    if "batch_sampler" not in options:
        options = {"batch_size": 3, **options}
    tl.manual_seed(3)
    fast = list(DataLoader(dataset, **options))
    tl.manual_seed(3)
    slow = list(DataLoader(dataset, collate_fn=one_by_one, **options))
    assert len(fast) == len(slow) > 0
    for a, b in zip(fast, slow, strict=True):
        assert type(a) is type(b) is list
        for p, q in zip(a, b, strict=True):
            assert p.dtype == q.dtype and p.shape == q.shape and p.tolist() == q.tolist()


def test_a_batch_shares_no_memory_with_the_dataset() -> None:
    dataset = numbers(4)
    for batch_size in (1, 4):
        for inputs, _ in DataLoader(dataset, batch_size=batch_size):
            inputs.array[...] = -1
    assert dataset.tensors[0].flatten().tolist() == [0, 1, 2, 3]


def test_gradients_reach_a_dataset_that_requires_them() -> None:
    x = tl.arange(4.0).requires_grad_()
    for (batch,) in DataLoader(TensorDataset(x), batch_size=2):
        (batch * batch).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 2, 4, 6]


def test_two_loops_at_once_and_an_early_break() -> None:
    loader = DataLoader(numbers(4), batch_size=2)
    pairs = [(a[1].tolist(), b[1].tolist()) for a in loader for b in loader]
    assert pairs == [([0, 1], [0, 1]), ([0, 1], [2, 3]), ([2, 3], [0, 1]), ([2, 3], [2, 3])]
    next(iter(loader))
    assert labels(loader) == [[0, 1], [2, 3]]


def test_without_batches() -> None:
    loader: DataLoader[Any] = DataLoader(numbers(3), batch_size=None)
    assert [label.item() for _, label in loader] == [0, 1, 2]
    assert len(loader) == 3
    (first, *_) = DataLoader([np.array([1.0]), 2], batch_size=None)  # type: ignore[misc]
    assert isinstance(first, tl.Tensor) and first.dtype == tl.float64


def test_getitems_of_the_dataset_is_used() -> None:
    class Together(Squares):
        def __getitem__(self, index: int) -> Any:
            raise AssertionError("one by one")

        def __getitems__(self, indices: list[int]) -> list[Any]:
            return [(i, i) for i in indices]

    assert labels(DataLoader(Together(3), batch_size=2)) == [[0, 1], [2]]


def test_an_overridden_getitem_is_respected() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(2 * t for t in super().__getitem__(index))

    assert labels(DataLoader(Doubled(tl.zeros(3), tl.arange(3)), batch_size=3)) == [[0, 2, 4]]


@pytest.mark.parametrize(("drop_last", "expected"), [(False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])])
def test_iterable_dataset(drop_last: bool, expected: list[list[int]]) -> None:
    loader: DataLoader[Any] = DataLoader(Count(5), batch_size=2, drop_last=drop_last)
    assert [batch.tolist() for batch in loader] == expected
    assert len(loader) == len(expected)
    assert list(DataLoader(Count(3), batch_size=None)) == [0, 1, 2]


def test_batch_sampler_takes_any_iterable() -> None:
    assert list(BatchSampler("abcde", 2, drop_last=True)) == [["a", "b"], ["c", "d"]]
    assert len(BatchSampler(range(5), 2, False)) == 3
    assert list(SequentialSampler("abc")) == [0, 1, 2]


# datasets


def test_concat() -> None:
    both = numbers(3) + numbers(2)
    assert isinstance(both, ConcatDataset) and len(both) == 5
    assert [both[i][1].item() for i in range(-5, 5)] == [0, 1, 2, 0, 1, 0, 1, 2, 0, 1]
    assert labels(DataLoader(both, batch_size=5)) == [[0, 1, 2, 0, 1]]
    with pytest.raises(IndexError, match="index 5 is out of range for 5 examples"):
        both[5]


def test_datasets_end_a_for_loop() -> None:
    assert [label.item() for _, label in numbers(3)] == [0, 1, 2]
    assert [label.item() for _, label in Subset(numbers(3), [2, 0])] == [2, 0]


def test_random_split_warns_of_an_empty_part() -> None:
    with pytest.warns(tl.LossWarning, match="length of split at index 1 is 0"):
        random_split(range(1), [0.5, 0.5])


# collate


def test_collate_keeps_the_form() -> None:
    batch = [{"p": Point(1, 2.0), "s": "a", "t": (True, [np.float32(1), b"x"])}] * 2
    made = default_collate(batch)
    assert isinstance(made["p"], Point)
    assert (made["p"].x.dtype, made["p"].y.dtype) == (tl.int64, tl.float64)
    assert made["s"] == ["a", "a"]
    assert isinstance(made["t"], list)
    assert made["t"][0].dtype == tl.bool
    assert made["t"][1][0].dtype == tl.float32
    assert isinstance(default_collate([OrderedDict(a=1), OrderedDict(a=2)]), OrderedDict)
    assert default_collate([np.zeros((2, 3), np.int16)] * 4).shape == (4, 2, 3)
    assert default_collate([1, 2.5]).dtype == tl.float32, "as tensor([1, 2.5])"
