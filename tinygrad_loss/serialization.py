"""Save and load state without pickle, in the safetensors layout: many tools read it, and it holds no code.

A file is 8 bytes (the length of the header, little-endian), the header (JSON: dtype, shape and offsets of
every tensor by name), then the raw values. Other programs find each tensor under its dotted path
(``model.0.weight``) with the ``safetensors`` package. What safetensors does not know, the nesting, the numbers
and the checksums, is in the header's ``__metadata__``, as the strings that it allows there:

- ``format`` and ``version``: ``"tinygrad_loss"`` and ``"1"``
- ``tree``: JSON of the saved object, see :mod:`tinygrad_loss.tree`
- ``sha256``: JSON of tensor name to SHA-256 of its bytes
- ``header_sha256``: SHA-256 of the 8 bytes and the header, with 64 zeros in the place of this value
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from .atomic import write_file
from .devices import check_device
from .dtypes import Array
from .strict_json import MAX_VALUES, count_values, parsed
from .tape import Tensor
from .tree import LoadError, decode, encode, shown

__all__ = ["LoadError", "load", "save"]

MAX_HEADER = 4 << 20  # bytes; this and MAX_VALUES bound the memory that a hostile header can make us take

_CODES = {
    "F64": "f8", "I64": "i8", "F32": "f4", "I32": "i4", "F16": "f2", "I16": "i2", "U8": "u1", "I8": "i1", "BOOL": "?",
}  # fmt: skip
_DTYPES = {name: np.dtype(code).newbyteorder("<") for name, code in _CODES.items()}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_NO_HASH = b"0" * 64
_HASH = re.compile(rb'"header_sha256":"([0-9a-f]{64})"')

Path = str | os.PathLike[str]


class Entry(NamedTuple):
    """A tensor in the file: its bytes, counted from the end of the header, go from ``start`` to ``stop``."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


def save(obj: Any, f: Path | BinaryIO) -> None:
    """Save a state dict or checkpoint: dicts, lists and tuples of tensors, generators, numbers, strings, None.

    ``f`` is a path or a binary file. A path holds the new file whole or keeps the old one: the new one is written
    beside it, flushed to the disk and moved over. The format is safetensors, as this module's text describes.
    Parameters are saved as tensors, an array that appears twice once, a Generator as its state: a run that is to
    go on with the same bits needs those too, and ``get_rng_state()``. Raises TypeError for any other object and
    ValueError for one nested deeper than 100, naming the place; nothing is written then.

    >>> import io
    >>> model, file = nn.Linear(2, 1), io.BytesIO()
    >>> torch.save({"model": model.state_dict(), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> checkpoint = torch.load(file)
    >>> checkpoint["epoch"], model.load_state_dict(checkpoint["model"])
    (3, <All keys matched successfully>)
    """
    tree, arrays = encode(obj)
    copies = {name: _snapshot(array) for name, array in arrays.items()}
    values = dict(sorted(copies.items(), key=lambda item: -item[1].itemsize))  # so that every one is aligned
    pieces: list[Any] = [_header(tree, values), *map(_bytes_of, values.values())]
    if isinstance(f, (str, os.PathLike)):
        write_file(os.fsdecode(f), pieces)
        return
    file = _file("save", f, "write")
    for piece in pieces:
        view = memoryview(piece)
        while len(view):
            written = file.write(view)
            if written == 0:
                raise OSError(f"save: the file takes no more, {len(view)} bytes are left")
            view = view[len(view) if written is None else written :]  # an unbuffered file may take a part


def load(f: Path | BinaryIO, map_location: Any = None, *, weights_only: bool | None = None, verify: bool = True) -> Any:
    """Load what :func:`save` wrote, after checking all of it: layout, sizes, checksums.

    ``map_location`` may be "cpu". ``weights_only`` is accepted for the sake of code written for torch and has no
    meaning: there is never code in the file. ``verify=False`` skips the checksums and also loads the safetensors
    files of other tools, as a dict of name to tensor. Raises :class:`LoadError` (a ValueError) for a damaged or
    foreign file, naming the tensor, and RuntimeError for another device. An example is at :func:`save`.
    """
    check_device(map_location)
    if not isinstance(f, (str, os.PathLike)):
        return _load(_file("load", f, "read"), verify)
    with open(f, "rb") as file:
        return _load(file, verify)


def _file(function: str, f: Any, method: str) -> BinaryIO:
    if not hasattr(f, method) or isinstance(f, io.TextIOBase):
        raise TypeError(f"{function}: f must be a path or an open binary file, got {type(f).__name__}")
    return cast(BinaryIO, f)


def _snapshot(array: Array) -> Array:
    """A copy, so that what is written is what was hashed, whatever other threads do to the array."""
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)


def _bytes_of(array: Array) -> Any:
    """A view of the values as bytes, for files and hashes."""
    return array.reshape(-1).view(np.uint8)


def _header(tree: str, values: dict[str, Array]) -> bytes:
    """The length and the header; its entries are in the order of the values."""
    hashes = {name: hashlib.sha256(_bytes_of(array)).hexdigest() for name, array in values.items()}
    metadata = {"format": "tinygrad_loss", "version": "1", "tree": tree, "sha256": json.dumps(hashes)}
    header: dict[str, Any] = {"__metadata__": {**metadata, "header_sha256": _NO_HASH.decode()}}
    start = 0
    for name, array in values.items():
        stop = start + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, stop]}
        start = stop
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)  # the values start at a multiple of 8
    if len(raw) > MAX_HEADER or count_values(raw) > MAX_VALUES:
        raise ValueError(
            f"save: too many tensors, or numbers outside of tensors, for a header of at most {MAX_HEADER} bytes "
            f"and {MAX_VALUES} values; put long lists of numbers into a tensor"
        )
    return _sealed(raw)


def _sealed(header: bytes) -> bytes:
    """The length and the header, with its hash in the place of the 64 zeros."""
    whole = len(header).to_bytes(8, "little") + header
    return whole.replace(b'"' + _NO_HASH + b'"', b'"' + hashlib.sha256(whole).hexdigest().encode() + b'"', 1)


def _load(file: BinaryIO, verify: bool) -> Any:
    if not (hasattr(file, "readinto") and hasattr(file, "seekable") and file.seekable()):
        file = io.BytesIO(file.read())
    here = file.tell()
    size = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    raw = _read_header(file, size)
    if verify:
        _check_header(raw)
    header = parsed(raw, "header")
    if not isinstance(header, dict):
        raise LoadError("load: the header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise LoadError("load: the metadata is not a JSON object of strings")
    entries = _entries(header, size - 8 - len(raw))
    del raw, header
    if metadata.get("format") != "tinygrad_loss" and not verify:
        return {entry.name: Tensor(_read(file, entry, None)) for entry in entries}
    if metadata.get("version") != "1":
        version = shown(metadata.get("version"))
        raise LoadError(f"load: the file has version {version}, expected '1'; a newer library wrote it")
    tree, hashes = parsed(metadata.get("tree", ""), "tree"), parsed(metadata.get("sha256", ""), "table of checksums")
    if not isinstance(hashes, dict) or hashes.keys() != {entry.name for entry in entries}:
        raise LoadError("load: the checksums are not those of the tensors in the file")
    return decode(tree, {e.name: _read(file, e, hashes[e.name] if verify else None) for e in entries})


def _read_header(file: BinaryIO, size: int) -> bytearray:
    if size < 8:
        raise LoadError(f"load: {max(size, 0)} bytes are too few for a file of save()")
    length = int.from_bytes(_read_exactly(file, bytearray(8), "the length of the header"), "little")
    if length > size - 8:
        raise LoadError(f"load: a header of {length} bytes in a file of {size}: it is cut off or in another format")
    if length > MAX_HEADER:
        raise LoadError(f"load: a header of {length} bytes is more than the {MAX_HEADER} allowed")
    raw: bytearray = _read_exactly(file, bytearray(length), "the header")
    if not raw.startswith(b"{"):
        raise LoadError("load: the header does not start with '{': this is not a file of save()")
    return raw


def _check_header(raw: bytearray) -> None:
    found = _HASH.search(raw)
    if found is None:
        raise LoadError(
            "load: the header has no checksum: it is damaged, or another tool wrote the file; "
            "to load such a file, pass verify=False"
        )
    digest = hashlib.sha256(len(raw).to_bytes(8, "little"))
    for part in (memoryview(raw)[: found.start(1)], _NO_HASH, memoryview(raw)[found.end(1) :]):
        digest.update(part)
    if digest.hexdigest().encode() != found[1]:
        raise LoadError("load: the header does not match its checksum: the file is damaged")


def _entries(header: dict[str, Any], size: int) -> list[Entry]:
    """The tensors in the order of their bytes, which must fill the ``size`` bytes after the header exactly."""
    entries = sorted((_entry(name, spec) for name, spec in header.items()), key=lambda entry: entry[3:])
    end = 0
    for entry in entries:
        if entry.start != end:
            raise LoadError(
                f"load: tensor {shown(entry.name)} starts at {entry.start}, expected {end}: overlap or hole"
            )
        end = entry.stop
    if end != size:
        last = f", the last is {shown(entries[-1].name)}" if entries else ""
        raise LoadError(f"load: the tensors take {end} bytes{last}, but the file has {size} for them: it is damaged")
    return entries


def _entry(name: str, spec: Any) -> Entry:
    if not isinstance(spec, dict) or spec.keys() != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"load: tensor {shown(name)} must have dtype, shape and data_offsets")
    dtype, shape, offsets = spec["dtype"], spec["shape"], spec["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise LoadError(
            f"load: tensor {shown(name)} has the dtype {shown(dtype)}, expected one of {', '.join(_DTYPES)}"
        )
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise LoadError(f"load: tensor {shown(name)} has a shape or data_offsets that are not lists of sizes")
    span = math.prod(shape) * _DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != span:
        raise LoadError(
            f"load: tensor {shown(name)} of shape {shown(tuple(shape))} takes {shown(span)} bytes, "
            f"its offsets say {offsets}"
        )
    return Entry(name, _DTYPES[dtype], tuple(shape), *offsets)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(type(n) is int and 0 <= n < 1 << 63 for n in value)


def _read(file: BinaryIO, entry: Entry, digest: str | None) -> Array:
    try:
        array: Array = np.empty(entry.shape, entry.dtype)
    except ValueError as error:
        raise LoadError(f"load: tensor {shown(entry.name)} has an impossible shape: {error}") from None
    raw = _bytes_of(array)
    _read_exactly(file, raw, f"tensor {shown(entry.name)}")
    if digest is not None and hashlib.sha256(raw).hexdigest() != digest:
        raise LoadError(f"load: tensor {shown(entry.name)} does not match its checksum: the file is damaged")
    if entry.dtype.kind == "b" and len(raw) and raw.max() > 1:
        raise LoadError(f"load: tensor {shown(entry.name)} is BOOL but holds other bytes than 0 and 1")
    return array.astype(entry.dtype.newbyteorder("="), copy=False)


def _read_exactly(file: BinaryIO, buffer: Any, what: str) -> Any:
    view, done = memoryview(buffer), 0
    while done < len(view):
        n = cast(Any, file).readinto(view[done:])
        if not n:
            raise LoadError(f"load: the file ended within {what}")
        done += n
    return buffer
