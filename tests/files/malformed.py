"""Malformed files, fuzzed and crafted: LoadError and nothing else, little memory, nothing touched but the file."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import random
import re
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tinygrad_loss as tl
from tinygrad_loss import serialization
from tinygrad_loss.serialization import LoadError

from ..saved import packed, unpacked
from .crafted import crafted
from .report import Report
from .states import random_state

ALLOWANCE = 64 << 20  # bytes above the size of the file
ATOMS: list[Any] = [
    None, True, 0, 1, -1, 2, 7, 8, 1.5, 1e308, -0.0, "", "w", "F32", "BOOL", "I64", "BF16", "\x00", [], {}, [0], [0, 8], [[]], {"a": 1},
    2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**40, -(2**63), "inf", "tinygrad_loss", "1", "2", "__metadata__", [2**62, 2**62], "\ud800",
]  # fmt: skip
TAGS = ["dict", "tuple", "size", "float", "dtype", "tensor", "leaf", "array", "number", "generator", "object", "call"]
TEXTS = ["", "w", "inf", "-inf", "nan", "float32", "float33", "(1", "i4,i4", "O", "object", "a.b", "\x00", "1e5", "../x", "\ud800"]
_watching: list[str] | None = None  # what has happened outside of reading


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & 3):
            _watching.append(f"open {arguments[:2]}")
    elif event in ("exec", "compile", "import", "tempfile.mkstemp") or event.startswith(
        ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.", "marshal.", "urllib.")
    ):
        _watching.append(f"{event} {arguments!r:.100}")


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """The list of what is written, executed, imported or sent inside."""
    global _watching
    _watching = events = []
    try:
        yield events
    finally:
        _watching = None


_hooked = False


def prepare() -> None:
    """The hook, once, and everything loaded that is imported on first use."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    unpacked(packed([tl.Generator(), 1.5, tl.ones(2)]))


def resident() -> tuple[int, int]:
    """Bytes of memory now, and the most since :func:`reset_resident`; Linux only."""
    with contextlib.suppress(OSError):
        lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
        return int(lines["VmRSS"].split()[0]) << 10, int(lines["VmHWM"].split()[0]) << 10
    return 0, 0


def reset_resident() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def outcome(path: Path, verify: bool, report: Report, where: str) -> Any:
    """The LoadError, or what was loaded; anything else that happens is a fault."""
    reset_resident()
    before = resident()[0]
    tracemalloc.reset_peak()
    started = tracemalloc.get_traced_memory()[0]
    result: Any = None
    with watched() as events:
        try:
            result = tl.load(path, verify=verify)
        except LoadError as error:
            result = error.with_traceback(None)
        except BaseException as error:
            report.faults.append(f"{where}: {type(error).__name__}: {error!s:.200}")
    size = path.stat().st_size
    for what, peak in (
        ("bytes above the file size, traced", tracemalloc.get_traced_memory()[1] - started - size),
        ("bytes above the file size, resident", resident()[1] - before - size),
    ):
        report.peak(what, peak)
        if peak > ALLOWANCE:
            report.faults.append(f"{where}: {peak} {what}")
    report.faults += [f"{where}: {event}" for event in events]
    return result


# damage


def bytes_changed(raw: bytes, draw: random.Random) -> bytes:
    broken = bytearray(raw)
    header = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(draw.choice([1, 1, 2, 6])):
        end = header if draw.random() < 0.7 else len(broken)
        i, j = sorted(draw.randrange(min(end, len(broken)) + 1) for _ in range(2))
        kind = draw.randrange(6)
        if kind == 0:
            broken[i:j] = draw.randbytes(draw.randint(0, 20))
        elif kind == 1:
            broken[i:i] = broken[j : j + draw.randint(1, 50)]
        elif kind == 2 and i < len(broken):
            broken[i] = draw.choice(b'0123456789{}[]",:\\-eE\x00\xff')
        elif kind == 3:
            del broken[i : i + draw.randint(1, 9)]
        elif kind == 4:
            broken[i : i + 8] = draw.choice([2**63, 2**64 - 1, 2**32, 0, 7]).to_bytes(8, "little")
        else:
            del broken[i:]
            broken += bytes(draw.choice([0, 0, 1, 1000]))
    return bytes(broken)


def invented(draw: random.Random) -> bytes:
    """Text that is nearly JSON, or brackets, or nothing, with a right or a wrong length in front."""
    kind = draw.randrange(4)
    if kind == 0:
        body = draw.randbytes(draw.randrange(300))
    elif kind == 1:
        body = b"{" + bytes(draw.choices(b'{}[]":,\\01eE-. tfn', k=draw.randrange(1, 200)))
    elif kind == 2:
        body = b"{" + draw.choice([b"[", b'{"a":', b'"\\', b"-", b"1e"]) * draw.randrange(1, 5000)
    else:
        body = json.dumps({draw.choice(TAGS): draw.choice(ATOMS) for _ in range(3)}).encode()
    length = len(body) if draw.random() < 0.8 else draw.choice([0, 1, 2**32, len(body) + 1, 2**63])
    return length.to_bytes(8, "little") + body + bytes(draw.choice([0, 0, 8, 100]))


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in nested JSON."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from places(node[key])


def changed(node: Any, draw: random.Random) -> None:
    """One change somewhere in nested JSON: each name, and each type in a list, is equally probable."""
    found: dict[Any, list[Any]] = {}
    for container, key in places(node):
        found.setdefault(key if isinstance(container, dict) else type(container[key]), []).append((container, key))
    if not found:
        return
    container, key = draw.choice(found[draw.choice(list(found))])
    old = container[key]
    if isinstance(old, str) and draw.random() < 0.6:
        others = [c[k] for some in found.values() for c, k in some if isinstance(c[k], str)]
        container[key] = draw.choice(TEXTS if draw.random() < 0.5 else others)
        return
    if isinstance(container, dict) and len(container) == 1 and draw.random() < 0.4:
        container[draw.choice(TAGS)] = container.pop(key)
        return
    kind = draw.randrange(5)
    if kind == 0:
        container[key] = copy.deepcopy(draw.choice(ATOMS))
    elif kind == 1 and isinstance(old, (int, float)):
        container[key] = draw.choice([old + 1, old - 1, -old, old * 2, float(old), old + 2**32, str(old), [old]])
    elif kind == 2:
        del container[key]
    elif kind == 3:
        container[key] = [old] if draw.random() < 0.5 else {draw.choice(TAGS): old}
    elif isinstance(container, dict):
        container[draw.choice([*TAGS, "dtype", "shape", "data_offsets", "x", f"{key}#1"])] = copy.deepcopy(old)
    else:
        container.insert(draw.randrange(len(container) + 1), copy.deepcopy(old))


def resealed(raw: bytes, draw: random.Random) -> bytes:
    """The header, the tree or the table of checksums changed, and all checksums made right again."""
    start = 8 + int.from_bytes(raw[:8], "little")
    header, values = json.loads(raw[8:start]), raw[start:]
    metadata = header["__metadata__"]
    part = draw.choice(["header", "header", "tree", "tree", "tree", "sha256"])
    for _ in range(draw.choice([1, 1, 3])):
        if part == "header":
            changed(header, draw)
        else:
            inner = [json.loads(metadata[part])]
            changed(inner, draw)
            metadata[part] = json.dumps(inner[0] if inner else None)
    if draw.random() < 0.2:
        values = values[: draw.randrange(len(values) + 1)] + bytes(draw.choice([0, 1, 8]))
    if part == "header" and draw.random() < 0.7:
        _right_hashes(header, values)
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"]["header_sha256"] = "0" * 64
    return serialization._sealed(json.dumps(header, separators=(",", ":")).encode()) + values


def _right_hashes(header: dict[str, Any], values: bytes) -> None:
    hashes = {}
    for name, spec in header.items():
        with contextlib.suppress(TypeError, ValueError, KeyError, IndexError):
            begin, end = spec["data_offsets"]
            hashes[name] = hashlib.sha256(values[begin:end]).hexdigest()
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"]["sha256"] = json.dumps(hashes)


def run(seed: int, count: int, hand_made: bool = False) -> Report:
    """``count`` malformed files that are refused as they should be; ``hand_made``: the crafted ones as well."""
    report, draw = Report(), random.Random(seed)
    prepare()
    tracemalloc.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            if hand_made:
                _hand_made(path, report)
            done = k = 0
            while done < count:
                if k % 25 == 0:
                    raw = packed(random_state(draw))
                kind, broken = draw.choice([("changed", bytes_changed), ("resealed", resealed), ("resealed", resealed), ("invented", None)])
                damaged = invented(draw) if broken is None else broken(raw, draw)
                path.write_bytes(damaged)
                where = f"seed {seed}, file {k}, {kind}"
                result = outcome(path, True, report, where)
                if isinstance(result, LoadError):
                    report.count(f"fuzzed, {kind}")
                    done += 1
                elif kind != "resealed" and not damaged == raw == packed(result):  # some changes change nothing
                    report.faults.append(f"{where}: loaded")
                outcome(path, False, report, f"{where}, verify=False")
                k += 1
            if [p.name for p in Path(folder).iterdir()] != ["state"]:
                report.faults.append(f"seed {seed}: files appeared: {list(Path(folder).iterdir())}")
    finally:
        tracemalloc.stop()
    return report


def _hand_made(path: Path, report: Report) -> None:
    for name, raw, message, verify in crafted():
        path.write_bytes(raw)
        error = outcome(path, verify, report, name)
        if not isinstance(error, LoadError) or not re.search(message, str(error)):
            report.faults.append(f"{name}: expected {message!r}, got {error!r:.200}")
        outcome(path, not verify, report, name)
        report.count("crafted")
