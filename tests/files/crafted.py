"""Files made by hand to mislead ``load``, and what the error says of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tinygrad_loss import serialization

from ..saved import foreign


def signed(header: dict[str, Any], data: bytes = b"", **metadata: Any) -> bytes:
    """A file with right checksums around whatever it holds."""
    hashes = {}
    for name, spec in header.items():
        start, stop = spec["data_offsets"]
        hashes[name] = hashlib.sha256(data[start:stop]).hexdigest()
    known = {"format": "tinygrad_loss", "version": "1", "tree": '{"tensor":"w"}', "sha256": json.dumps(hashes)}
    everything = {"__metadata__": {**known, **metadata, "header_sha256": "0" * 64}, **header}
    return serialization._sealed(json.dumps(everything, separators=(",", ":")).encode()) + data


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
    "version": (signed({"w": W}, bytes(8), version="2"), "version '2', expected '1'"),
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
    "tree dtype": (signed({"w": W}, bytes(8), tree='{"dtype":"object"}'), "unknown entry 'dtype'"),
    "tree number": (signed({"w": W}, bytes(8), tree='{"number":"w"}'), "should be a number"),
    "int leaf": (signed({"w": {**W, "dtype": "I32"}}, bytes(8), tree='{"leaf":"w"}'), "int32 and cannot require grad"),
    "tree dtype parsed": (signed({"w": W}, bytes(8), tree='{"dtype":"(1"}'), "unknown entry 'dtype'"),
    "tree deep list": (signed({"w": W}, bytes(8), tree="[" * 399 + "]" * 399), "nested deeper than 100"),
    "tree big key": (signed({"w": W}, bytes(8), tree='{"dict":[[' + "9" * 30 + ",1]]}"), "more than 64 bits"),
    "tree half a character": (signed({"w": W}, bytes(8), tree='"\ud800"'), "tree is not UTF-8"),
    "generator of floats": (signed({"w": W}, bytes(8), tree='{"generator":"w"}'), "'w' is not the state of a generator"),
    "generator of zeros": (
        signed({"w": {"dtype": "U8", "shape": [5056], "data_offsets": [0, 5056]}}, bytes(5056), tree='{"generator":"w"}'),
        "not the state of a generator",
    ),
    "tensor listed twice": (signed({"w": W}, bytes(8), tree='[{"tensor":"w"},{"size":[1.5]}]'), "unknown entry 'size'"),
    "utf-16": (foreign('{"w": 1}'.encode("utf-16-le")), "not valid JSON"),
    "byte order mark": (foreign(b"\xef\xbb\xbf{}"), "does not start with '{'"),
    "pickle": (b"\x80\x04\x95" + bytes(60), "another format"),
    "numpy": (b"\x93NUMPY\x01\x00v\x00" + bytes(118), "another format"),
    "header alone": (foreign("{}")[:8], "a header of 2 bytes in a file of 8"),
}  # fmt: skip


def heavy(name: str) -> tuple[bytes, str]:
    """Files that are small, or nothing but header, and try to make the reader take memory or time."""
    limit = serialization.MAX_HEADER
    wide = "\U0001f600"  # one such character makes every other in a Python string take four bytes
    if name == "wide header":
        return foreign(('{"__metadata__":{"a":"' + wide).encode() + b"a" * (limit - 50) + b'"}, "w": 1}'), "must have dtype"
    if name == "wide header with a wrong hash":
        return foreign(('{"__metadata__":{"a":"' + wide).encode() + b"a" * (limit - 200) + b'","header_sha256":"' + b"0" * 64 + b'"}}'), "does not match"
    if name == "wide name":
        return foreign(('{"' + wide).encode() + b"a" * (limit - 50) + b'": 1}'), "must have dtype"
    if name == "name that prints long":
        return foreign(('{"' + wide + "\x80" * (limit // 2 - 50) + '": 1}').encode()), "must have dtype"
    if name == "wide tree":
        text = f'{{"__metadata__":{{"format":"tinygrad_loss","version":"1","sha256":"{{}}","tree":"[\\"{wide}'
        text += "a" * (limit - 300) + '\\",{}]","header_sha256":"' + "0" * 64 + '"}}'
        return serialization._sealed(text.encode()), "expected one tag"
    if name == "empty dicts":
        return foreign('{"w":[' + "{}," * 124_000 + "{}]}"), "must have dtype"
    if name == "many names":
        return foreign("{" + ",".join(f'"{i}":1' for i in range(120_000)) + "}"), "must have dtype"
    if name == "many tensors":
        spec = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
        return foreign("{" + ",".join(f'"{i}":{spec}' for i in range(22_000)) + ',"w":1}'), "must have dtype"
    if name == "many tensors, signed":
        none = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
        return signed({f"{i}": none for i in range(9_000)}, tree='[{"tensor":"x"}]'), "in the saved object but not"
    if name == "many floats":
        return signed({}, tree="[" + "1.5," * 124_000 + "{}]"), "expected one tag"
    if name == "many tuples":
        return signed({}, tree="[" + '{"tuple":[]},' * 60_000 + "{}]"), "expected one tag"
    if name == "many strings":
        return signed({}, tree="[" + ",".join(f'"{i}"' for i in range(200_000)) + ",{}]"), "expected one tag"
    if name == "big integers":
        return signed({}, tree="[" + ",".join(["9" * 4000] * 1000) + ",{}]"), "expected one tag"
    if name == "colliding keys":  # all with the same hash: looking each up would take time quadratic in their number
        return signed({}, tree='{"dict":[' + ",".join(f"[{i * (2**61 - 1)},1]" for i in range(1, 60_000)) + "]}"), "more than 64 bits"
    if name == "colliding names":
        return foreign('{"w":{' + ",".join(f'"{i:08x}":1' for i in range(60_000)) + "}}"), "must have dtype"
    if name == "many quotes":
        return foreign('{"' + '\\"' * (limit // 2 - 10) + '":1}'), "must have dtype"
    if name == "impossible sizes":
        return foreign('{"w":{"dtype":"F64","shape":[' + ",".join(["9223372036854775807"] * 64) + '],"data_offsets":[0,8]}}' + " " * 9), "its offsets say"
    assert name == "sizes that overflow"
    return foreign('{"w":{"dtype":"F64","shape":[2,4611686018427387904,2],"data_offsets":[0,0]}}' + " " * 9), "its offsets say"


HEAVY = [
    "wide header", "wide header with a wrong hash", "wide name", "name that prints long", "wide tree", "empty dicts", "many names",
    "many tensors", "many tensors, signed", "many floats", "many tuples", "many strings", "big integers", "colliding keys",
    "colliding names", "many quotes", "impossible sizes", "sizes that overflow",
]  # fmt: skip


def crafted() -> Iterator[tuple[str, bytes, str, bool]]:
    """(name, file, what the error says, verify) of every crafted file."""
    for name, (raw, message) in CRAFTED.items():
        yield name, raw, message, "tinygrad_loss" in raw.decode("latin-1")
    for name in HEAVY:
        raw, message = heavy(name)
        yield name, raw, message, b"header_sha256" in raw
