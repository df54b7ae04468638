"""Damaged and hostile files: LoadError and nothing else, before much memory is taken."""

from __future__ import annotations

import hashlib
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import tinygrad_loss as tl
from tinygrad_loss import serialization
from tinygrad_loss.serialization import LoadError

from .saved import foreign, packed, state, unpacked


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


def signed(header: dict[str, Any], data: bytes = b"", **metadata: Any) -> bytes:
    """A file with right checksums around whatever it holds."""
    hashes = {}
    for name, spec in header.items():
        start, stop = spec["data_offsets"]
        hashes[name] = hashlib.sha256(data[start:stop]).hexdigest()
    known = {"format": "tinygrad_loss", "version": "1", "tree": '{"tensor":"w"}', "sha256": json.dumps(hashes)}
    everything = {"__metadata__": {**known, **metadata, "header_sha256": "0" * 64}, **header}
    text = json.dumps(everything, separators=(",", ":"))
    return serialization._with_length(text.replace("0" * 64, serialization._header_hash(text))) + data


W = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
CRAFTED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes are too few"),
    "short": (b"1234567", "7 bytes are too few"),
    "zeros": (bytes(100), "does not start with '{'"),
    "text": (b"hello, this is not a file of ours", "another format"),
    "zip": (b"PK\x03\x04" + bytes(100), "another format"),
    "huge header": ((2**63).to_bytes(8, "little") + b"{}", "a header of 9223372036854775808 bytes"),
    "header too long": (foreign(" " * (serialization.MAX_HEADER + 1)), "more than the 4194304 allowed"),
    "not utf-8": (foreign(b'{"\xff":1}'), "not UTF-8"),
    "not json": (foreign("{'w': 1}"), "not valid JSON"),
    "not an object": (foreign("{} []"), "not valid JSON"),
    "NaN": (foreign('{"w": NaN}'), "NaN is not JSON"),
    "Infinity": (foreign('{"w": -Infinity}'), "-Infinity is not JSON"),
    "duplicate": (foreign('{"w": 1, "w": 2}'), "duplicate name 'w'"),
    "duplicate escaped": (foreign('{"w": 1, "\\u0077": 2}'), "duplicate name 'w'"),
    "deep list": (foreign('{"w":' + "[" * 200_000), "nested deeper than 400"),
    "deep dict": (foreign('{"w":' * 100_000), "nested deeper than 400"),
    "many values": (foreign('{"w":[' + "1," * 300_000 + "1]}"), "more than the 250000 values"),
    "long number": (foreign('{"w": ' + "9" * 5000 + "}"), "not valid JSON"),
    "open string": (foreign('{"' + '\\"' * 500_000), "not valid JSON"),
    "entry is a list": (foreign('{"w": []}'), "tensor 'w' must have dtype, shape and data_offsets"),
    "extra field": (foreign({"w": {**W, "x": 1}}, bytes(8)), "must have dtype, shape and data_offsets"),
    "no offsets": (foreign({"w": {"dtype": "F32", "shape": [2]}}, bytes(8)), "must have dtype"),
    "bfloat16": (foreign({"w": {**W, "dtype": "BF16", "shape": [4]}}, bytes(8)), "the dtype 'BF16', expected one"),
    "object dtype": (foreign({"w": {**W, "dtype": "|O"}}, bytes(8)), "has the dtype"),
    "dtype list": (foreign({"w": {**W, "dtype": ["F32"]}}, bytes(8)), "has the dtype"),
    "negative": (foreign({"w": {**W, "shape": [-2]}}, bytes(8)), "not lists of sizes"),
    "float shape": (foreign({"w": {**W, "shape": [2.0]}}, bytes(8)), "not lists of sizes"),
    "bool shape": (foreign({"w": {**W, "shape": [True, 2]}}, bytes(8)), "not lists of sizes"),
    "one offset": (foreign({"w": {**W, "data_offsets": [0]}}, bytes(8)), "not lists of sizes"),
    "backwards": (foreign({"w": {**W, "data_offsets": [8, 0]}}, bytes(8)), "its offsets say"),
    "terabytes": (foreign({"w": {**W, "shape": [1 << 40], "data_offsets": [0, 4 << 40]}}, bytes(8)), "has 8 for them"),
    "overflow": (foreign({"w": {**W, "shape": [1 << 62, 1 << 62]}}, bytes(8)), "takes .* bytes, its offsets say"),
    "wraps to 8": (foreign({"w": {**W, "shape": [(1 << 62) + 2]}}, bytes(8)), "its offsets say"),
    "shape too small": (foreign({"w": {**W, "shape": [1]}}, bytes(8)), "takes 4 bytes"),
    "impossible": (foreign({"w": {**W, "shape": [0, 1 << 62, 1 << 62], "data_offsets": [0, 0]}}), "impossible shape"),
    "overlap": (foreign({"a": W, "b": {**W, "data_offsets": [4, 12]}}, bytes(12)), "'b' starts at 4, expected 8"),
    "same bytes": (foreign({"a": W, "b": W}, bytes(8)), "tensor 'b' starts at 0, expected 8"),
    "hole": (foreign({"a": W, "b": {**W, "data_offsets": [12, 20]}}, bytes(20)), "tensor 'b' starts at 12, expected 8"),
    "data missing": (foreign({"w": W}, bytes(7)), "has 7 for them"),
    "data left": (foreign({"w": W}, bytes(9)), "has 9 for them"),
    "bool of 2": (foreign({"w": {**W, "dtype": "BOOL", "shape": [8]}}, bytes(7) + b"\2"), "other bytes than 0 and 1"),
    "metadata list": (foreign('{"__metadata__": []}'), "not a JSON object of strings"),
    "metadata number": (foreign('{"__metadata__": {"a": 1}}'), "not a JSON object of strings"),
    "version": (signed({"w": W}, bytes(8), version="2"), "version 2, expected 1"),
    "checksums of others": (signed({"w": W}, bytes(8), sha256='{"v":"0"}'), "checksums are not those of the tensors"),
    "checksums a list": (signed({"w": W}, bytes(8), sha256="[]"), "checksums are not those of the tensors"),
    "no tree": (signed({"w": W}, bytes(8), tree=""), "tree is not valid JSON"),
    "tree deep": (signed({"w": W}, bytes(8), tree="[" * 1000), "tree is nested deeper"),
    "tree duplicate": (signed({"w": W}, bytes(8), tree='{"tensor":"w","tensor":"w"}'), "duplicate name 'tensor'"),
    "tree two tags": (signed({"w": W}, bytes(8), tree='{"tensor":"w","leaf":"w"}'), "expected one tag"),
    "tree empty": (signed({"w": W}, bytes(8), tree="{}"), "expected one tag"),
    "tree unknown": (signed({"w": W}, bytes(8), tree='{"call":"os.system"}'), "unknown entry 'call'"),
    "tree no name": (signed({"w": W}, bytes(8), tree='{"tensor":["w"]}'), "unknown entry 'tensor'"),
    "tree other name": (signed({"w": W}, bytes(8), tree='{"tensor":"v"}'), "tensor 'v' is in the saved object but not"),
    "tree without w": (signed({"w": W}, bytes(8), tree="[1]"), "tensor 'w' is in the file but not in the saved object"),
    "tree bad pair": (signed({"w": W}, bytes(8), tree='{"dict":[["a"]]}'), "not made of .key, value. pairs"),
    "tree list key": (signed({"w": W}, bytes(8), tree='{"dict":[[[],1]]}'), "not made of .key, value. pairs"),
    "tree key twice": (signed({"w": W}, bytes(8), tree='{"dict":[["a",1],["a",2]]}'), "duplicate key 'a'"),
    "tree float": (signed({"w": W}, bytes(8), tree='{"float":"1e5"}'), "unknown entry 'float'"),
    "tree size": (signed({"w": W}, bytes(8), tree='{"size":["a"]}'), "unknown entry 'size'"),
    "tree dtype": (signed({"w": W}, bytes(8), tree='{"dtype":"object"}'), "unknown dtype 'object'"),
    "tree number": (signed({"w": W}, bytes(8), tree='{"number":"w"}'), "should be a number"),
    "int leaf": (signed({"w": {**W, "dtype": "I32"}}, bytes(8), tree='{"leaf":"w"}'), "int32 and cannot require grad"),
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files(name: str, tmp_path: Path) -> None:
    raw, message = CRAFTED[name]
    verify = "tinygrad_loss" in raw.decode("latin-1")
    target = tmp_path / "x"
    target.write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(LoadError, match=message):
            tl.load(target, verify=verify)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(raw) + (64 << 20)
    with pytest.raises(LoadError):
        tl.load(target)


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
