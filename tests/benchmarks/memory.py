"""One call's greatest extra memory: ``python -m tests.benchmarks.memory ours|torch FOLDER DESCRIPTION`` prints it as a
multiple of the arrays that are differentiated, by the operating system's account and, for NumPy, by tracemalloc's.

The process does nothing else: what a process once held it is said to hold for ever.
"""

from __future__ import annotations

import importlib
import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np

from .workloads import value_and_gradient

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]


def resident() -> int | None:
    """The most bytes that were ever in memory, or None where that is not told."""
    status = Path("/proc/self/status")
    if status.exists():  # the other account begins with what the parent held
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return None if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    who, folder, description = sys.argv[1:]
    what = json.loads(description)
    library = importlib.import_module("tinygrad_loss" if who == "ours" else "torch")
    library.set_num_threads(what["threads"])
    arrays = {name: np.load(Path(folder) / f"{name}.npy") for name in what["names"]}
    few = {name: a[:100].copy() for name, a in arrays.items()}
    value_and_gradient(library, what["loss"], few, what["leaves"], **what["options"])()  # what is made once is no part
    step = value_and_gradient(library, what["loss"], arrays, what["leaves"], **what["options"])
    input_bytes = sum(arrays[name].nbytes for name in what["leaves"])
    found = {}
    before = resident()
    step()
    after = resident()
    if before is not None and after is not None:
        found["resident"] = (after - before) / input_bytes
    if who == "ours":
        step = value_and_gradient(library, what["loss"], arrays, what["leaves"], **what["options"])
        tracemalloc.start()
        step()
        found["traced"] = tracemalloc.get_traced_memory()[1] / input_bytes
    print(json.dumps(found))


if __name__ == "__main__":
    main()
