"""Damaged and hostile files: LoadError and nothing else, before much memory is taken."""

from __future__ import annotations

import random
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import serialization, strict_json
from tinygrad_loss import tree as tree_module
from tinygrad_loss.serialization import LoadError

from .files.crafted import CRAFTED, HEAVY, W, heavy, signed
from .saved import packed, state, unpacked


def test_every_single_bit_flip_is_noticed() -> None:
    raw = bytearray(packed({"w": tl.tensor([1.0, 2.0]), "m": tl.tensor([True]), "n": (1, 2.5)}))
    silent = []
    for i in range(8 * len(raw)):
        raw[i // 8] ^= 1 << i % 8
        try:
            unpacked(bytes(raw))
            silent.append(i)
        except LoadError:
            pass
        raw[i // 8] ^= 1 << i % 8
    assert not silent


def test_every_cut_is_noticed() -> None:
    raw = packed(state())
    for n in range(len(raw)):
        with pytest.raises(LoadError):
            unpacked(raw[:n])
    with pytest.raises(LoadError, match="the file has 61 for them"):
        unpacked(raw + b"x")


def test_damage_names_the_tensor() -> None:
    raw = bytearray(packed(state()))
    raw[-1] ^= 1
    with pytest.raises(LoadError, match=r"tensor 'optimizer\.state\.0\.exp_avg' does not match its checksum"):
        unpacked(bytes(raw))


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files(name: str, tmp_path: Path) -> None:
    raw, message = CRAFTED[name]
    target = tmp_path / "x"
    target.write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(LoadError, match=message):
            tl.load(target, verify=b"tinygrad_loss" in raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(raw) + (64 << 20)
    with pytest.raises(LoadError):
        tl.load(target)


@pytest.mark.parametrize("name", HEAVY)
def test_heavy_files(name: str) -> None:
    """What is measured of the others is measured of these by ``python -m tests.files``: they are slow when traced."""
    raw, message = heavy(name)
    with pytest.raises(LoadError, match=message) as caught:
        unpacked(raw, verify=b"header_sha256" in raw)
    assert len(str(caught.value)) < 2000


def test_there_are_enough_crafted_files() -> None:
    assert len(CRAFTED) + len(HEAVY) >= 90 and len({raw for raw, _ in CRAFTED.values()}) == len(CRAFTED)


def test_signed_files_are_fine_when_they_are_right() -> None:
    assert unpacked(signed({"w": W}, bytes(8))).tolist() == [0, 0]


def test_random_damage_raises_only_load_error() -> None:
    draw = random.Random(0)
    raw = packed(state())
    for _ in range(1500):
        broken = bytearray(raw)
        for _ in range(draw.randint(1, 6)):
            i, j = sorted(draw.randrange(len(broken) + 1) for _ in range(2))
            kind = draw.randrange(4)
            if kind == 0:
                broken[i:j] = draw.randbytes(draw.randint(0, 20))
            elif kind == 1:
                broken[i:i] = broken[j : j + draw.randint(1, 50)]
            elif kind == 2 and i < len(broken):
                broken[i] = draw.choice(b'0123456789{}[]",:\\-eE\x00\xff')
            else:
                del broken[i : i + draw.randint(1, 9)]
        for verify in (True, False):
            try:
                unpacked(bytes(broken), verify=verify)
            except LoadError:
                continue
            assert not verify or broken == raw


# every check is needed by one of the crafted files


def unsorted(header: dict[str, Any], size: int) -> list[serialization.Entry]:
    return [serialization._entry(name, spec) for name, spec in header.items()]


def decoded(tree: Any, arrays: dict[str, Any]) -> Any:
    return tree_module._Decoder(arrays).value(tree)


def any_dict(self: Any, pairs: list[Any], depth: int) -> Any:
    return {key: self.value(value, depth + 1) for key, value in pairs}


def any_array(self: Any, tag: str, name: str) -> Any:
    self.used.add(name)
    return self.arrays[name]


def unchecked(file: Any, entry: serialization.Entry, digest: str | None) -> Any:
    raw = file.read(entry.stop - entry.start)
    return np.frombuffer(bytearray(raw), entry.dtype).reshape(entry.shape)


def sizes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(n, int) and n >= 0 for n in value)


PLANTED: list[tuple[Any, str, Any]] = [
    (strict_json, "_no_duplicates", dict),
    (strict_json, "_no_constants", float),
    (strict_json, "MAX_DEPTH", 1 << 40),
    (strict_json, "MAX_VALUES", 1 << 40),
    (serialization, "MAX_HEADER", 1 << 40),
    (serialization, "_are_sizes", sizes),
    (serialization, "_are_sizes", lambda value: isinstance(value, list)),
    (serialization, "_entries", unsorted),
    (serialization, "_read", unchecked),
    (serialization, "_DTYPES", {**serialization._DTYPES, "BF16": np.dtype("<f2")}),
    (serialization, "decode", decoded),
    (tree_module, "MAX_NESTING", 1 << 40),
    (tree_module, "MAX_KEY", 1 << 200),
    (tree_module, "_DTYPES", {**tree_module._DTYPES, "object": tl.float32}),
    (tree_module, "_generator", lambda name, state: tl.Generator()),
    (tree_module._Decoder, "_dict", any_dict),
    (tree_module._Decoder, "_array", any_array),
]


@pytest.mark.parametrize("i", range(len(PLANTED)), ids=lambda i: f"{PLANTED[i][1]} {i}")
def test_planted_defects_are_found(i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong = PLANTED[i]
    monkeypatch.setattr(owner, name, wrong)
    found = []
    for case, (raw, message) in CRAFTED.items():
        try:
            unpacked(raw, verify=b"tinygrad_loss" in raw)
        except LoadError as error:
            if not re.search(message, str(error)):
                found.append(case)
        except Exception:
            found.append(case)
        else:
            found.append(case)
    assert found
