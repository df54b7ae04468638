"""keep_freed_memory: large arrays are made of memory that is there already."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tinygrad_loss as tl

COUNT = """
import json, resource, sys
import numpy as np
import tinygrad_loss as tl
if sys.argv[1] == "keep":
    tl.keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    x = np.ones(10**7)
    del x
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([faults() for _ in range(4)]))
"""


def faults(how: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
    return [int(n) for n in json.loads(done.stdout)]


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_kept_memory_is_not_fetched_again() -> None:
    kept, returned = faults("keep"), faults("no")
    assert max(kept[1:]) <= 2 < min(returned[1:])


@pytest.mark.parametrize("limit", [0, -1, 2**31])
def test_limits(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit={limit}; expected 1 to 2147483647 bytes"):
        tl.keep_freed_memory(limit)


def test_types() -> None:
    with pytest.raises(TypeError, match="limit must be an int, got float"):
        tl.keep_freed_memory(1e9)  # type: ignore[arg-type]
