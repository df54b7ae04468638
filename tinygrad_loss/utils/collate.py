"""Examples into a batch: tensors are stacked, numbers become tensors, containers keep their form."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ..creation import as_tensor, tensor
from ..dtypes import float64
from ..ops.joining import stack
from ..tape import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of examples; the first dimension of each tensor is the batch.

    Tensors and NumPy arrays are stacked, ints and floats become int64 and float64 tensors, strings stay a
    list, and tuples, lists, dicts and named tuples are collated element by element. Raises RuntimeError for
    unequal shapes or lengths, TypeError for any other kind of example.

    >>> utils.data.default_collate([(tensor([1., 2.]), 0), (tensor([3., 4.]), 1)])
    [tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1])]
    """
    if len(batch) == 0:
        raise IndexError("default_collate: the batch is empty; a batch_sampler must give at least one index")
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, np.ndarray):
        _refuse_objects(first.dtype, first.dtype)
        return _stack([as_tensor(array) for array in batch])
    if isinstance(first, (np.number, np.bool_)):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like_mapping(first, {key: default_collate(_at_key(batch, key)) for key in first})
    if isinstance(first, Sequence):
        if any(len(example) != len(first) for example in batch):
            raise RuntimeError(
                f"default_collate: each element in list of batch should be of equal size, got the lengths "
                f"{_some([len(example) for example in batch])}; pass collate_fn= to the DataLoader to pad them"
            )
        return _like_sequence(first, [default_collate(column) for column in zip(*batch, strict=True)])
    raise _unknown(type(first))


def default_convert(data: Any) -> Any:
    """What a DataLoader without batches does to an example: NumPy values become tensors, the rest stays.

    >>> utils.data.default_convert((np.array([0, 1]), "label"))
    [tensor([0, 1]), 'label']
    """
    if isinstance(data, (np.ndarray, np.number, np.bool_)):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, (Tensor, str, bytes)):
        return data
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence):
        return _like_sequence(data, [default_convert(value) for value in data])
    return data


def _stack(batch: Sequence[Any]) -> Tensor:
    first = batch[0].array
    out = np.empty((len(batch), *first.shape), first.dtype)
    plain = True
    for i, item in enumerate(batch):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"default_collate: expected a Tensor as example {i} of the batch, like example 0, "
                f"got {type(item).__name__}"
            )
        array = item.array
        if array.shape != first.shape:
            raise RuntimeError(
                f"default_collate: stack expects each tensor to be equal size, but got {list(first.shape)} at "
                f"entry 0 and {list(array.shape)} at entry {i}; pass collate_fn= to the DataLoader to pad or cut them"
            )
        if item.needs_grad or array.dtype != first.dtype:
            plain = False
        elif plain:
            out[i] = array
    return Tensor(out) if plain else stack(batch)


def _at_key(batch: Sequence[Any], key: Any) -> list[Any]:
    for i, example in enumerate(batch):
        if key not in example:
            raise KeyError(f"default_collate: example {i} of the batch has no key {key!r}, which example 0 has")
    return [example[key] for example in batch]


def _like_mapping(model: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """A mapping of the model's type; a plain dict where that type cannot be made from one."""

    def make() -> Any:
        if not isinstance(model, MutableMapping):
            return type(model)(values)  # type: ignore[call-arg]
        clone = copy.copy(model)  # the type may carry more than its items
        clone.update(values)
        return clone

    return _made(make, values)


def _like_sequence(model: Sequence[Any], values: list[Any]) -> Any:
    """A sequence of the model's type; a list for a tuple, as in torch, and for what cannot be made from one."""

    def make() -> Any:
        if isinstance(model, tuple):
            return type(model)(*values) if hasattr(model, "_fields") else values
        if not isinstance(model, MutableSequence):
            return type(model)(values)  # type: ignore[call-arg]
        clone = copy.copy(model)
        for i, value in enumerate(values):
            clone[i] = value
        return clone

    return _made(make, values)


def _made(make: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return make()
    except TypeError:
        return otherwise


def _refuse_objects(dtype: np.dtype[Any], shown: object) -> None:
    if dtype.kind in "SUO":
        raise _unknown(shown)


def _unknown(found: object) -> TypeError:
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}. "
        f"Pass collate_fn= to the DataLoader to make a batch of other things"
    )


def _some(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return f"[{shown}, ...]" if len(values) > 8 else f"[{shown}]"
