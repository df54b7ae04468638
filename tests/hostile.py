"""The core of the suite under hostile surroundings: ``python -m tests.hostile [--only name] [--jobs N] [--files ...]``.

Each surrounding runs the files below in a fresh Python, and prints how it ended. Under ``-O`` pytest keeps the asserts
of the tests (it rewrites them) while those of the library, if it relied on any, are gone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = (
    "test_laws.py", "test_engine.py", "test_engine_types.py", "test_fused.py", "test_inplace.py", "test_autograd.py", "test_modes.py",
    "test_serialization.py", "test_optim.py", "test_stress.py", "test_fuzz.py",
)  # fmt: skip
QUICK = ("test_engine.py", "test_inplace.py")
ERRSTATE = "TINYGRAD_LOSS_TEST_ERRSTATE"  # what conftest.py sets NumPy's floating point reports to
OWN_WARNINGS = ("-W", "ignore::pytest.PytestConfigWarning")  # under -O pytest warns that asserts in other files are gone


@dataclass(frozen=True)
class Surrounding:
    """Flags for Python and variables of its environment."""

    name: str
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


SURROUNDINGS = [
    Surrounding("as usual"),
    Surrounding("np.seterr(all='raise')", (), {ERRSTATE: "raise"}),
    Surrounding("np.seterr(all='ignore')", (), {ERRSTATE: "ignore"}),
    Surrounding("-W error", ("-W", "error")),
    Surrounding("-O", ("-O",)),
    Surrounding("-X dev", ("-X", "dev")),
    Surrounding("PYTHONHASHSEED=0", (), {"PYTHONHASHSEED": "0"}),
    Surrounding("PYTHONHASHSEED=1", (), {"PYTHONHASHSEED": "1"}),
    Surrounding("PYTHONHASHSEED=random", (), {"PYTHONHASHSEED": "random"}),
    Surrounding("OMP_NUM_THREADS=1", (), {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}),
    Surrounding("OMP_NUM_THREADS=3", (), {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}),
    Surrounding("all at once", ("-O", "-W", "error", "-X", "dev"), {ERRSTATE: "raise", "PYTHONHASHSEED": "random", "OMP_NUM_THREADS": "2"}),
]


@dataclass(frozen=True)
class Outcome:
    """How pytest ended, its last line, and the failures."""

    surrounding: Surrounding
    code: int
    line: str
    failures: tuple[str, ...]
    seconds: float


def run(surrounding: Surrounding, files: Sequence[str], timeout: float = 1800.0) -> Outcome:
    # -O leaves other bytecode behind than is usual: nothing is written
    command = [sys.executable, *surrounding.flags, "-B", "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *OWN_WARNINGS, *(f"tests/{f}" for f in files)]
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **surrounding.environment}, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(surrounding, -1, f"not done after {timeout:.0f} s", (), timeout)
    lines = (done.stdout + done.stderr).strip().splitlines()
    failures = tuple(line for line in lines if line.startswith(("FAILED", "ERROR")))
    return Outcome(surrounding, done.returncode, lines[-1] if lines else "", failures, time.perf_counter() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--only", default="", help="surroundings whose name contains this")
    parser.add_argument("--files", nargs="*", default=list(CORE), help="test files")
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    wanted = [s for s in SURROUNDINGS if chosen.only in s.name]
    bad = 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for outcome in pool.map(lambda s: run(s, chosen.files), wanted):
            print(f"{outcome.surrounding.name:28} {'passed' if outcome.code == 0 else 'FAILED':8}{outcome.seconds:7.1f} s   {outcome.line}", flush=True)
            for failure in outcome.failures:
                print(f"    {failure}", flush=True)
            bad += outcome.code != 0
    print(f"{len(wanted)} surroundings, {bad} with failures; {', '.join(chosen.files)}; Python {sys.version.split()[0]}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
