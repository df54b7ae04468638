"""Agreement with torch 2.13 without torch: its stored values, first and second derivatives (golden/make_golden.py)."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES

from .evaluation import answer, compare
from .test_laws import lookup

PATH = Path(__file__).parent / "golden" / "golden.npz"
with np.load(PATH, allow_pickle=False) as _file:
    NUMBERS, INDEX = _file["numbers"], json.loads(str(_file["index"]))
NUMBERS.setflags(write=False)
KINDS = {"f": np.float64, "i": np.int64, "u": np.uint8, "b": np.bool_}
RTOL = (1e-13, 1e-12, 1e-9)


def array(ref: list[Any] | None) -> Any:
    if ref is None:
        return None
    offset, shape, kind = ref
    return NUMBERS[offset : offset + math.prod(shape)].reshape(shape).astype(KINDS[kind])


def value(v: Any) -> Any:
    if isinstance(v, dict):
        return array(v["array"]) if "array" in v else (math.inf if v["inf"] else -math.inf)
    return [value(x) for x in v] if isinstance(v, list) else v


def expected(parts: Any) -> Any:
    return tuple([array(ref) for ref in part] for part in parts)


def names(which: str) -> list[str]:
    return sorted({record[0] for record in INDEX[which]})


@pytest.mark.parametrize("name", names("operations"))
def test_operation(name: str) -> None:
    for _, args, settings, parts, golden in (r for r in INDEX["operations"] if r[0] == name):
        given = {k: value(v) for k, v in settings.items()}
        try:
            compare(answer(tl, lookup(name), value(args), given, np.float64, parts), expected(golden), np.float64, RTOL)
        except BaseException as error:
            error.add_note(f"{name}{value(args)} {given}")
            raise


@pytest.mark.parametrize("name", names("losses"))
def test_loss(name: str) -> None:
    for _, arrays, by, options, reduction, golden, parts in (r for r in INDEX["losses"] if r[0] == name):
        fixed = {n: tl.tensor(array(ref)) for n, ref in arrays.items() if n not in by}

        def call(*x: Any, by: Any = by, fixed: Any = fixed, options: Any = options, reduction: str = reduction) -> Any:
            return LOSSES[name](**dict(zip(by, x, strict=True)), **fixed, **options, reduction=reduction)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tl.LossWarning)
            ours = answer(tl, call, [array(arrays[n]) for n in by], {}, np.float64, parts)
        try:
            compare(ours, expected(golden), np.float64, RTOL)
        except BaseException as error:
            error.add_note(f"{name} {options} {reduction}")
            raise


def test_the_file_is_what_it_should_be() -> None:
    """Small, made by the torch that is the reference, and covering every loss of torch's there is."""
    assert PATH.stat().st_size < 200_000 and INDEX["torch"].startswith("2.13")
    assert len(INDEX["losses"]) > 300 and len(INDEX["operations"]) > 250 and np.isfinite(NUMBERS).mean() > 0.99
    per_loss = {name: sum(r[0] == name for r in INDEX["losses"]) for name in names("losses")}
    assert len(per_loss) >= 22 and min(per_loss.values()) >= 5, per_loss
