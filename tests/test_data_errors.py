"""utils.data refuses early, by the type that torch's users expect, with what came and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)


class Count(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


def numbers(n: int = 10) -> TensorDataset:
    return TensorDataset(tl.arange(float(n)).reshape(n, 1), tl.arange(n))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"batch_size": -1}, "batch_size must be a positive integer"),
        ({"batch_size": 2.0}, "batch_size must be a positive integer, got 2.0"),
        ({"batch_size": True}, "batch_size must be a positive integer, got True"),
        ({"drop_last": 1}, "drop_last must be True or False"),
        ({"num_workers": 2}, r"num_workers=2 is not supported, only 0: batches are made in this process"),
        ({"num_workers": -1}, "num_workers=-1"),
        ({"pin_memory": True}, "pin_memory=True is not supported"),
        ({"timeout": 3}, "timeout=3"),
        ({"worker_init_fn": print}, "worker_init_fn"),
        ({"multiprocessing_context": "spawn"}, "multiprocessing_context='spawn'"),
        ({"prefetch_factor": 2}, "prefetch_factor=2"),
        ({"persistent_workers": True}, "persistent_workers=True"),
        ({"in_order": False}, "in_order=False"),
        ({"shuffle": True, "sampler": [0]}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[0]], "shuffle": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
    ],
)
def test_loader_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(numbers(), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_a_stream_has_no_sampler(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="IterableDataset has its own order"):
        DataLoader(Count(), **options)


@pytest.mark.parametrize("name", ["batch_size", "sampler", "batch_sampler", "drop_last", "dataset"])
def test_loader_options_are_fixed(name: str) -> None:
    loader = DataLoader(numbers())
    with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
        setattr(loader, name, None)


def test_shuffling_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the dataset is empty"):
        DataLoader(numbers(0), shuffle=True)


@pytest.mark.parametrize("dataset", [numbers(4), Subset(numbers(9), [1, 2, 3, 4])])
@pytest.mark.parametrize("sampler", [[0, 4], [0, -5], [10**6]])
def test_index_out_of_range(dataset: Any, sampler: list[int]) -> None:
    with pytest.raises(IndexError, match=rf"{sampler[-1]}, which is out of range for 4 examples"):
        list(DataLoader(dataset, batch_size=2, sampler=sampler))
    with pytest.raises(IndexError, match=rf"index {sampler[-1]} is out of range for 4 examples"):
        dataset[sampler[-1]]


def test_a_subset_beyond_its_dataset() -> None:
    with pytest.raises(IndexError, match="index 9 is out of range for 4 examples"):
        list(DataLoader(Subset(numbers(4), [1, 9]), batch_size=2))


def test_tensor_dataset_refuses() -> None:
    with pytest.raises(ValueError, match=r"Size mismatch between tensors.*\(3,\), \(4, 2\)"):
        TensorDataset(tl.zeros(3), tl.zeros(4, 2))
    with pytest.raises(TypeError, match=r"argument 1 must be a Tensor, got ndarray.*from_numpy"):
        TensorDataset(tl.zeros(3), np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one tensor"):
        TensorDataset()
    with pytest.raises(ValueError, match="no dimension to index"):
        TensorDataset(tl.tensor(1.0))


@pytest.mark.parametrize("lengths", [[3, 8], [0.5, 0.4], [5.5, 4.5], [11, -1]])
def test_random_split_refuses(lengths: list[float]) -> None:
    with pytest.raises(ValueError, match="random_split"):
        random_split(range(10), lengths)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([tl.zeros(3), tl.zeros(4)], RuntimeError, r"but got \[3\] at entry 0 and \[4\] at entry 1.*collate_fn"),
        ([np.zeros(3), np.zeros((3, 1))], RuntimeError, r"\[3\] at entry 0 and \[3, 1\] at entry 1"),
        ([(1, 2), (1,)], RuntimeError, r"should be of equal size, got the lengths \[2, 1\].*collate_fn"),
        ([{"a": 1}, {"b": 1}], KeyError, "example 1 of the batch has no key 'a'"),
        ([tl.zeros(1), 2], TypeError, "expected a Tensor as example 1"),
        ([None], TypeError, "found <class 'NoneType'>.*collate_fn"),
        ([np.array("text")], TypeError, "found <U4"),
        ([], IndexError, "the batch is empty"),
    ],
)
def test_collate_refuses(batch: list[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        default_collate(batch)


def test_samplers_refuse() -> None:
    with pytest.raises(TypeError, match="replacement must be True or False"):
        RandomSampler(range(3), replacement=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="num_samples must be a positive integer, got 0"):
        RandomSampler(range(3), num_samples=0)
    with pytest.raises(ValueError, match="one weight per example"):
        WeightedRandomSampler([[1.0]], 1)
    with pytest.raises(NotImplementedError, match="must implement __iter__"):
        iter(Sampler())
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        Dataset()[0]  # type: ignore[var-annotated]
