"""What ``load_state_dict`` of optimizers and schedulers checks before it changes anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..state_dict import cast_exactly
from ..tape import Tensor
from .entries import Entries


def loaded_groups(function: str, own: list[dict[str, Any]], saved: Any, needed: Mapping[str, Any]) -> Any:
    """The parameter groups with the options of the ``saved`` ones, and the parameters by their saved number."""
    if not isinstance(saved, Sequence) or not all(isinstance(g, Mapping) and _numbers(g.get("params")) for g in saved):
        raise ValueError(f"{function}: param_groups must be a list of dicts with 'params', a list of numbers")
    sizes, expected = [len(g["params"]) for g in saved], [len(g["params"]) for g in own]
    if sizes != expected:
        raise ValueError(
            f"{function}: the parameter groups have sizes {sizes}, this optimizer's have {expected}; "
            "make it with the same groups first"
        )
    groups, params = [], {}
    for i, (old, new) in enumerate(zip(own, saved, strict=True)):
        missing = [key for key in needed if key not in new]
        if missing:
            raise ValueError(f"{function}: param_groups[{i}] has no {missing}; did another optimizer write it?")
        names, known = new.get("param_names"), old.get("param_names")
        if names is not None and known is not None and list(names) != list(known):
            raise ValueError(f"{function}: param_groups[{i}] has the parameters {names}, this optimizer's {known}")
        kept = {"params": old["params"], **({} if known is None else {"param_names": known})}
        groups.append({**kept, **{k: deepcopy(v) for k, v in new.items() if k != "params"}})
        for number, p in zip(new["params"], old["params"], strict=True):
            if number in params:
                raise ValueError(f"{function}: parameter {number} is listed twice in param_groups")
            params[number] = p
    return groups, params


def _numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(type(n) in (int, str) for n in value)


def loaded_state(
    function: str, saved: Any, params: Mapping[Any, Tensor], remembered: Mapping[str, bool] | None
) -> Entries:
    """A copy of the ``saved`` state; ``remembered`` are the names it may have and whether it must (None: any)."""
    if not isinstance(saved, Mapping) or not all(isinstance(entry, Mapping) for entry in saved.values()):
        raise ValueError(f"{function}: state must be a dict of dicts, one for each parameter")
    state = Entries([0])
    for i, entry in saved.items():
        if i not in params:
            raise ValueError(f"{function}: state for parameter {i}, which is in no group")
        if remembered is None:
            state[params[i]] = {name: copied(value) for name, value in entry.items()}
            continue
        given = {name: value for name, value in entry.items() if value is not None}
        missing = [name for name, needed in remembered.items() if needed and name not in given]
        unexpected = [name for name in given if name not in remembered]
        if given and (missing or unexpected):
            raise ValueError(
                f"{function}: the state of parameter {i} is of another optimizer: missing {missing}, "
                f"unexpected {unexpected}"
            )
        state[params[i]] = {
            name: _count(function, i, value) if name == "step" else _fitted(function, i, name, value, params[i])
            for name, value in given.items()
        }
    return state


def copied(value: Any) -> Any:
    return Tensor(value.array.copy()) if isinstance(value, Tensor) else deepcopy(value)


def _count(function: str, i: Any, value: Any) -> Any:
    number = value.array if isinstance(value, Tensor) else np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "fiu" or not 0 <= number.item() < math.inf:
        raise ValueError(f"{function}: step of parameter {i} must be one number, at least 0, got {value!r}")
    return copied(value)


def _fitted(function: str, i: Any, name: str, value: Any, p: Tensor) -> Tensor:
    """A copy of saved state for parameter ``p``, in its dtype (float16: in float32)."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{function}: {name} of parameter {i} must be a Tensor, got {type(value).__name__}")
    if value.array.shape != p.array.shape:
        raise ValueError(
            f"{function}: {name} of parameter {i} has shape {tuple(value.shape)}, the parameter {tuple(p.shape)}"
        )
    array = cast_exactly(value.array, np.promote_types(p.array.dtype, np.float32))
    if array is None:
        raise ValueError(f"{function}: {name} of parameter {i} in {value.dtype} does not fit into {p.dtype}")
    return Tensor(array)


def loaded_schedule(function: str, own: Mapping[str, Any], saved: Any) -> dict[str, Any]:
    """A copy of the ``saved`` attributes, which must have the names, kinds and lengths of the ``own`` ones."""
    if not isinstance(saved, Mapping):
        raise ValueError(f"{function}: expected a dict, got {type(saved).__name__}")
    missing, unexpected = [k for k in own if k not in saved], [k for k in saved if k not in own]
    if missing or unexpected:
        raise ValueError(f"{function}: the state is of another scheduler: missing {missing}, unexpected {unexpected}")
    for name, value in own.items():
        if value is not None and _kind(value, name in _PER_GROUP) != _kind(saved[name], name in _PER_GROUP):
            raise ValueError(f"{function}: {name} must be like {value!r}, got {saved[name]!r}")
    return {name: saved[name].copy() if isinstance(saved[name], (list, dict)) else saved[name] for name in own}


_PER_GROUP = {"base_lrs", "_last_lr", "min_lrs", "lr_lambdas"}


def _kind(value: Any, whole: bool = False) -> Any:
    """What a saved value and the one it replaces have in common; of a ``whole`` list every item."""
    if whole and isinstance(value, (list, tuple)):
        return [_kind(v) for v in value]
    if isinstance(value, (int, float, np.number, Tensor)) and not isinstance(value, bool):
        return value.array.shape if isinstance(value, Tensor) and value.array.size != 1 else "number"
    return type(value)
