"""Datasets, and the loader that makes batches of them: torch's names, arguments, order and random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from ..generator import Generator, random_int64
from .collate import default_collate, default_convert
from .datasets import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split, rows_of
from .samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    index_arrays,
)

__all__ = [
    "Dataset", "IterableDataset", "TensorDataset", "ConcatDataset", "Subset", "random_split", "DataLoader",
    "Sampler", "SequentialSampler", "RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler", "BatchSampler",
    "default_collate", "default_convert",
]  # fmt: skip

T = TypeVar("T", covariant=True)


class DataLoader(Generic[T]):
    """Batches of a dataset, in order or shuffled anew for every ``for`` loop over the loader.

    The order and every random number drawn are torch's for the same ``manual_seed`` or ``generator``. Batches
    are made in this process: ``num_workers`` and what belongs to it (or to a GPU) only accept the default.
    Raises ValueError for options that exclude each other.

    >>> dataset = utils.data.TensorDataset(arange(5.), arange(5))
    >>> for inputs, labels in utils.data.DataLoader(dataset, batch_size=3):
    ...     print(inputs, labels)
    tensor([0., 1., 2.]) tensor([0, 1, 2])
    tensor([3., 4.]) tensor([3, 4])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _refuse_unless_default(
            num_workers=(num_workers, 0), timeout=(timeout, 0), worker_init_fn=(worker_init_fn, None),
            multiprocessing_context=(multiprocessing_context, None), prefetch_factor=(prefetch_factor, None),
            persistent_workers=(persistent_workers, False), in_order=(in_order, True),
            pin_memory=(pin_memory, False), pin_memory_device=(pin_memory_device, ""),
        )  # fmt: skip
        streams = isinstance(dataset, IterableDataset)
        if streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset has its own order: shuffle and samplers do not apply")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, sampler and drop_last"
            )
        if batch_size is None and drop_last:
            raise ValueError(
                "DataLoader: batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            )
        if batch_sampler is not None:
            batch_size = None
        if sampler is None and not streams:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(() if sampler is None else sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.generator = generator
        self._fixed = True

    _fixed = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._fixed and name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset"):
            raise ValueError(f"DataLoader: {name} attribute should not be set after it is initialized; make a new one")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._indices())  # type: ignore[arg-type]  # a sampler without a length says so itself
        n = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            examples = iter(self.dataset)
            self._draw_seed()
            return self._stream(examples)
        rows = rows_of(self.dataset) if self.collate_fn is default_collate and self.batch_sampler is not None else None
        if rows is None:
            indices = iter(self._indices())
            self._draw_seed()
            return map(self._fetch, indices)
        batches = index_arrays(self._indices())
        self._draw_seed()
        return map(rows.fetch, batches)

    def _draw_seed(self) -> None:
        """torch draws the seed of its workers here, also when there are none: later numbers depend on it."""
        random_int64(self.generator)

    def _indices(self) -> Iterable[Any]:
        return cast(Iterable[Any], self.sampler if self.batch_sampler is None else self.batch_sampler)

    def _fetch(self, index: Any) -> Any:
        if self.batch_sampler is None:
            return self.collate_fn(self.dataset[index])
        together = getattr(self.dataset, "__getitems__", None)
        return self.collate_fn(together(index) if together else [self.dataset[i] for i in index])

    def _stream(self, examples: Iterator[Any]) -> Iterator[Any]:
        if self.batch_size is None:
            yield from map(self.collate_fn, examples)
            return
        while batch := list(islice(examples, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield self.collate_fn(batch)


def _refuse_unless_default(**options: tuple[Any, Any]) -> None:
    for name, (value, default) in options.items():
        if value != default:
            raise ValueError(
                f"DataLoader: {name}={value!r} is not supported, only {default!r}: batches are made in this process, "
                f"on the CPU, without workers or pinned memory"
            )
