"""The suite under hostile surroundings: ``python -m tests.hostile [--all] [--only name] [--jobs N] [--files ...]``.

Each surrounding runs the test files in fresh Pythons, and prints how that ended. Under ``-O`` pytest keeps the asserts
of the tests (it rewrites them) while those of the library, if it relied on any, are gone.

``--python PATH ...`` runs them under other Pythons; ``--fresh PATH REQUIREMENT ...`` makes a new environment for PATH in
a temporary folder first, with these requirements (``numpy==2.0.0``) and what the tests need, from the package index.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = (
    "test_laws.py", "test_engine.py", "test_engine_types.py", "test_engine_limits.py", "test_fused.py", "test_inplace.py",
    "test_autograd.py", "test_modes.py", "test_serialization.py", "test_optim.py", "test_stress.py", "test_fuzz.py",
    "test_processes.py", "test_threads.py", "test_interrupts.py", "test_determinism.py",
)  # fmt: skip
QUICK = ("test_engine.py", "test_inplace.py")
ERRSTATE = "TINYGRAD_LOSS_TEST_ERRSTATE"  # what conftest.py sets NumPy's floating point reports to
OWN_WARNINGS = ("-W", "ignore::pytest.PytestConfigWarning")  # under -O pytest warns that asserts in other files are gone
NEEDED = ("pytest>=8", "hypothesis>=6.100", "tqdm", "graphviz", "mpmath")
OTHERS = ("safetensors", "matplotlib", "nbclient", "ipykernel")  # without these, some tests are skipped
VERSIONS = (
    "import sys, sysconfig, numpy; free = '' if getattr(sys, '_is_gil_enabled', lambda: True)() else ' without the GIL'; "
    "print(f'Python {sys.version.split()[0]}{free}, NumPy {numpy.__version__}')"
)
GROUP = 10  # test files that one process runs, of the whole suite


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


def run(surrounding: Surrounding, files: Sequence[str], timeout: float = 1800.0, python: str = sys.executable) -> Outcome:
    # -O leaves other bytecode behind than is usual: nothing is written
    command = [python, *surrounding.flags, "-B", "-m", "pytest", "-v", "-rf", "-p", "no:cacheprovider", "--continue-on-collection-errors", *OWN_WARNINGS, *(f"tests/{f}" for f in files)]
    begun = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **surrounding.environment}  # also for the kernels of notebooks
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(surrounding, -1, f"not done after {timeout:.0f} s: {' '.join(files)}", (), timeout)
    lines = (done.stdout + done.stderr).strip().splitlines()
    failures = tuple(line for line in lines if line.startswith(("FAILED", "ERROR")))
    counts = [line.strip("= ") for line in lines if re.search(r"\d+ (passed|failed|skipped|error)", line)]
    return Outcome(surrounding, done.returncode, (counts or lines or [""])[-1], failures, time.perf_counter() - begun)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Those of several groups of files as one. A group of which all is skipped ends with 5 or 0."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        for number, what in re.findall(r"(\d+) (passed|failed|skipped|xfailed|error)", outcome.line):
            counts[what] = counts.get(what, 0) + int(number)
    bad = [o for o in outcomes if o.code not in (0, 5)]
    line = ", ".join(f"{n} {what}" for what, n in sorted(counts.items(), key=lambda item: -item[1]))
    late = "".join(f"; {o.line}" for o in bad if o.code < 0)
    failures = tuple(f for o in outcomes for f in o.failures)
    return Outcome(outcomes[0].surrounding, bad[0].code if bad else 0, line + late, failures, sum(o.seconds for o in outcomes))


def fresh(folder: Path, python: str, requirements: Sequence[str]) -> str:
    """A new environment for ``python``; its interpreter."""
    target = folder / re.sub(r"\W+", "-", " ".join([Path(python).name, *requirements]))
    subprocess.run([python, "-m", "venv", "--without-pip", str(target)], check=True)
    made = str(target / ("Scripts" if os.name == "nt" else "bin") / "python")
    install = [sys.executable, "-m", "pip", "--python", made, "install", "-q", "--only-binary", ":all:"]
    subprocess.run([*install, *NEEDED, *(requirements or ["numpy"])], check=True)
    for name in OTHERS:  # not there for every Python
        subprocess.run([*install, name, *requirements], check=False, capture_output=True)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="surroundings whose name contains this")
    parser.add_argument("--files", nargs="*", default=list(CORE), help="test files")
    parser.add_argument("--all", action="store_true", help="the whole suite, but for the comparisons with torch")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--python", nargs="+", default=[], help="other Pythons, with what the tests need")
    parser.add_argument("--fresh", nargs="+", action="append", default=[], metavar=("PATH", "REQUIREMENT"))
    chosen = parser.parse_args()
    files = sorted(p.name for p in (ROOT / "tests").glob("test_*.py")) if chosen.all else chosen.files
    groups = [files[i :: -(-len(files) // GROUP)] for i in range(-(-len(files) // GROUP))] if chosen.all else [files]
    wanted = [s for s in SURROUNDINGS if chosen.only in s.name]
    bad = count = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.jobs) as pool:
        pythons = chosen.python + [fresh(Path(folder), python, requirements) for python, *requirements in chosen.fresh]
        for python in pythons or [sys.executable]:
            print(subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True).stdout.strip(), flush=True)
            begun = [(s, [pool.submit(run, s, group, 1800.0, python) for group in groups]) for s in wanted]
            for surrounding, parts in begun:
                outcome = together([part.result() for part in parts])
                print(f"{surrounding.name:28} {'passed' if outcome.code == 0 else 'FAILED':8}{outcome.seconds:7.1f} s   {outcome.line}", flush=True)
                for failure in outcome.failures:
                    print(f"    {failure}", flush=True)
                bad, count = bad + (outcome.code != 0), count + 1
    print(f"{count} surroundings, {bad} with failures; {'the whole suite' if chosen.all else ', '.join(files)}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
