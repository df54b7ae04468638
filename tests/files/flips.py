"""Single bit flips in a saved file: every one is noticed by ``load``."""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_loss as tl
from tinygrad_loss.serialization import LoadError

from ..saved import packed
from .report import Report
from .states import random_state


def refused(load: Any) -> str:
    """Empty when ``load`` raises LoadError, otherwise what happened."""
    try:
        load()
    except LoadError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "loaded"


def run(seed: int, count: int) -> Report:
    """Random bits of random states; one file in 50 on the disk."""
    report, draw = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        for k in range(count):
            if k % 2000 == 0:
                raw = bytearray(packed(random_state(draw)))
                start = 8 + int.from_bytes(raw[:8], "little")
            bit = draw.randrange(8 * len(raw))
            if k % 2 and start < len(raw):
                bit = draw.randrange(8 * start, 8 * len(raw))
            raw[bit // 8] ^= 1 << bit % 8
            if k % 50:
                outcome = refused(lambda copy=bytes(raw): tl.load(io.BytesIO(copy)))
            else:
                path.write_bytes(raw)
                outcome = refused(lambda: tl.load(path))
            raw[bit // 8] ^= 1 << bit % 8
            place = "in the length" if bit < 64 else "in the header" if bit < 8 * start else "in the values"
            report.count(place)
            if outcome:
                report.faults.append(f"seed {seed}, flip {k} of bit {bit} of {8 * len(raw)}, {place}: {outcome}")
        if refused(lambda: tl.load(io.BytesIO(raw))) != "loaded":
            report.faults.append(f"seed {seed}: the file itself does not load")
    return report
