"""What has to be measured in processes of their own: the time an import takes, the greatest memory of a call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .goals import IMPORT, MEMORY
from .registry import call_of
from .report import Row, row
from .timing import ratio

IMPORTING = "import time; start = time.perf_counter(); import {}; print((time.perf_counter() - start) * 1e6)"
MODULES = {"numpy": "numpy", "ours": "tinygrad_loss", "with nn": "tinygrad_loss.nn", "torch": "torch"}


def run(*arguments: str) -> str:
    keeping = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # an import is read as it is everywhere after the first one
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=keeping).stdout


def import_time(rounds: int, torch_too: bool) -> Row:
    """Of fresh processes, in turn; the first round, which reads the files from the disk, is left out."""
    names = [n for n in MODULES if n != "torch" or torch_too]
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            taken = float(run("-c", IMPORTING.format(MODULES[name])))
            if turn:
                times[name].append(taken)
    ratios = {name: ratio(times, name, "numpy") for name in names if name != "numpy"}
    note = ", ".join(f"{name} {np.median(t) / 1e3:.0f} ms" for name, t in times.items())
    return row("processes", "import, beside NumPy's", 1, ratios, IMPORT, "ours", note=note)


def peak_memory(losses: tuple[str, ...], n: int, threads: int) -> Iterator[Row]:
    """Extra memory of the value with the gradient, beside the arrays that are differentiated; float32."""
    for loss in losses:
        call = call_of(loss, n)
        with tempfile.TemporaryDirectory() as folder:
            for name, array in call.of("float32").items():
                np.save(Path(folder) / name, array)
            what = json.dumps({"loss": loss, "leaves": call.leaves, "names": list(call.arrays), "options": call.options, "threads": threads})
            ratios = {}
            for who in ("ours", "torch"):
                for measure, value in json.loads(run("-m", "tests.benchmarks.memory", who, folder, what)).items():
                    ratios["ours" if measure == "traced" else f"{who}, resident"] = (value, value, value)
        yield row("processes", f"peak extra memory, {loss}, {n:,} elements", threads, ratios, MEMORY, "ours")
