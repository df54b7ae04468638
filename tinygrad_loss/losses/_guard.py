"""What a loss asks of the values of its arguments: checks, advice, weights and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array
from ..tape import Tensor
from ._binding import Binding, match_count, sizes_for
from ._domains import Domain, WeightDomain
from ._evaluation import spread
from ._labels import ignored_index

if TYPE_CHECKING:
    from ._loss import Loss

_WEIGHT = WeightDomain()


def check_values(
    loss: Loss, arrays: Any, raw: list[Any], binding: Binding, options: dict[str, Any], kept: Array | None
) -> Array | None:
    """Raise for bad values; advise where a glance is suspicious, and in calls 1, 2, 4, 8... of a signature, so that
    a loop pays nothing for it. Returns which values are kept."""
    masked = kept is not None
    for index, where, check, sizes in binding.checks:
        marked = check(where, raw[index], sizes, options)
        if marked is not None:
            kept = marked if kept is None else np.asarray(kept & marked)
    if loss._require is not None:
        loss._require(dict(zip(loss.declaration.arrays, raw, strict=True)), options)
    binding.calls = calls = binding.calls + 1
    look = not calls & (calls - 1)
    if masked:
        return kept  # what is left out may look like anything
    for index, suspect in binding.suspects:
        look = look or suspect(arrays[index])
    if look:
        advise_all(loss, arrays, raw, binding, options)
    return kept


def ignored(
    loss: Loss, arrays: Any, raw: list[Any], binding: Binding, options: dict[str, Any], kept: Array | None
) -> Array | None:
    """With the checks of values switched off: which targets are ``ignore_index``, and nothing else."""
    ignored = ignored_index(options)
    for index, _, _, sizes in binding.checks:
        if ignored is not None and raw[index].dtype.kind in "iu" and "C" in sizes:
            marked = np.asarray(raw[index] != ignored)
            if not marked.all():
                kept = marked if kept is None else np.asarray(kept & marked)
    return kept


def advise_all(loss: Loss, arrays: Any, raw: list[Any], binding: Binding, options: dict[str, Any]) -> None:
    for name, x in zip(loss.declaration.arrays, arrays, strict=True):
        spec = binding.specs.get(name)
        if spec is not None and type(spec.domain).advise is not Domain.advise:
            spec.domain.advise(f"{loss.name}: {name}", x, sizes_for(spec, binding), options)
    if loss._advice is not None:
        message = loss._advice(dict(zip(loss.declaration.arrays, raw, strict=True)), options)
        if message:
            advise(f"{loss.name}: {message}")


def as_tensors(loss: Loss, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Python numbers and lists, where a domain accepts them, as tensors."""
    found = list(arrays)
    for index, kinds in loss.declaration.literals.items():
        x = found[index]
        if isinstance(x, kinds) and not isinstance(x, bool):
            whole = loss.declaration.arguments[index].specs[0].domain.integers
            kind = np.int64 if whole else next((a.array.dtype for a in arrays if isinstance(a, Tensor)), np.float32)
            found[index] = Tensor(np.asarray(x, kind))
    return tuple(found)


def counts(loss: Loss, sample_weight: Any, mask: Any, binding: Binding) -> tuple[Tensor | None, Array | None]:
    """Checked sample weights, and the mask at the loss's shape."""
    kept = None
    for name, x in (("sample_weight", sample_weight), ("mask", mask)):
        where = f"{loss.name}: {name}"
        if x is None:
            continue
        if not isinstance(x, Tensor):
            raise TypeError(f"{where} must be a Tensor, got {type(x).__name__}; convert it with tensor(...)")
        if (name == "mask") != (x.array.dtype.kind == "b"):
            fix = "a mask is bool, True for what counts: use mask.bool()" if name == "mask" else "use mask= for a mask"
            raise TypeError(f"{where} has dtype {x.dtype}; {fix}")
        fitted = match_count(where, x.array, binding.shape)
        if name == "mask":
            kept = np.broadcast_to(fitted, binding.shape)
        else:
            _WEIGHT.check(where, x.array, binding.sizes, {})
    return sample_weight, kept


def left_out(loss: Loss, raw: list[Any], kept: Array, binding: Binding) -> list[Any]:
    """The arrays with values inside their domains where the mask leaves an example out."""
    found = list(raw)
    for index, name in enumerate(loss.declaration.arrays):
        spec = binding.specs.get(name)
        entries = None if spec is None else spread(kept, spec, raw[index].shape, loss, binding)
        if spec is not None and entries is not None:
            found[index] = np.where(entries, raw[index], np.asarray(spec.domain.neutral, raw[index].dtype))
    return found
