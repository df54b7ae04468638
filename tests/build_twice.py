"""The wheel is the same bytes from any checkout: ``python -m tests.build_twice``.

Builds it from two copies of the sources that differ in place, file times, order of creation and permissions, and with
another time, language, hash seed and umask around; prints both hashes. It needs the package index (or a cache) for the
build backend, whose version is written into the wheel. No SOURCE_DATE_EPOCH is needed; where one is set, the files in
the wheel bear that time, and both builds must be given the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("tinygrad_loss", "README.md", "LICENSE", "pyproject.toml")


def copied(folder: Path, backwards: bool) -> Path:
    """The sources; ``backwards``: made in the other order, old, and private."""
    files = [f for part in PARTS for f in ([ROOT / part] if (ROOT / part).is_file() else (ROOT / part).rglob("*"))]
    for file in sorted((f for f in files if f.is_file() and "__pycache__" not in f.parts), reverse=backwards):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o600 if backwards else 0o644)
        if backwards:
            os.utime(target, (1e9, 1e9))
    return folder


def built(folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", "-w", str(folder / "out"), str(folder)]
    subprocess.run(command, env={**os.environ, **environment}, check=True, cwd=folder)
    (wheel,) = (folder / "out").glob("*.whl")
    return wheel


def main() -> int:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory(prefix="another-place-") as two:
        begun = time.perf_counter()
        first = built(copied(Path(one), False), PYTHONHASHSEED="1", TZ="UTC")
        before = os.umask(0o077)
        try:
            second = built(copied(Path(two), True), PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C")
        finally:
            os.umask(before)
        hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in (first, second)]
        for wheel, digest in zip((first, second), hashes, strict=True):
            print(f"{digest}  {wheel.name}, {wheel.stat().st_size} bytes")
        if hashes[0] != hashes[1]:
            for a, b in zip(zipfile.ZipFile(first).infolist(), zipfile.ZipFile(second).infolist(), strict=False):
                if (a.filename, a.CRC, a.date_time, a.external_attr) != (b.filename, b.CRC, b.date_time, b.external_attr):
                    print(f"    {a.filename} {a.date_time} {a.external_attr:o} / {b.filename} {b.date_time} {b.external_attr:o}")
        print(f"{'the same' if hashes[0] == hashes[1] else 'DIFFERENT'}, {time.perf_counter() - begun:.1f} s")
    return hashes[0] != hashes[1]


if __name__ == "__main__":
    sys.exit(main())
