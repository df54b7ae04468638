"""``python -m tests.benchmarks [--short] [--json]``: one table of ratios, the others' time divided by ours.

Every number of threads is measured in a process of its own, which is told it before NumPy and torch are loaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .report import HEADER, Row, growth, growth_line, line, verdicts

GROUPS = ("loops", "tape", "named", "losses", "processes")
PACKAGES = ("numpy", "torch", "jax", "mygrad", "autograd")
LEGEND = "ratio: torch's time divided by ours, above 1 ours is faster, the median of interleaved rounds; in brackets the other contenders'"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less than a minute: fewer sizes and rounds, one thread, no peers but torch and NumPy")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--threads", type=int, nargs="+", help="numbers of threads (default 1 and all; with --short 1)")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--sizes", type=float, nargs="+", default=(), help="elements of the losses, as 1e4 1e6")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "float64"), default=())
    parser.add_argument("--seconds", type=float, default=0.0, help="about how long each row takes (default 1.2, --short 0.25)")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)  # the inner process
    return parser.parse_args()


def processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def measured(threads: int) -> Iterator[Row]:
    """The rows of an inner process, as they come."""
    environment = {**os.environ, "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    if threads == 1:
        environment["XLA_FLAGS"] += " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    arguments = [*sys.argv[1:], "--measure", "--threads", str(threads)]
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as inner:
        assert inner.stdout is not None
        for text in inner.stdout:
            yield json.loads(text)
    if inner.returncode:
        sys.exit(inner.returncode)


def measuring(chosen: argparse.Namespace) -> None:
    from . import measure, peers  # torch, jax and NumPy: only where the number of threads is set

    found = {} if chosen.short else peers.installed()[0]
    plan = measure.Plan(
        chosen.threads[0], chosen.short, chosen.only, tuple(chosen.groups), tuple(map(int, chosen.sizes)), tuple(chosen.dtypes),
        chosen.seconds, found,
    )  # fmt: skip
    for row in measure.measure(plan):
        print(json.dumps(row), flush=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [text.split(":", 1)[1].strip() for text in cpuinfo.read_text().splitlines() if "model name" in text]
        model = names[0] if names else model
    found: dict[str, Any] = {"cpu": model, "processors": processors(), "system": platform.platform(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "load": round(load(), 2)}


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def main() -> None:
    chosen = options()
    if importlib.util.find_spec("torch") is None:
        sys.exit("the benchmarks compare with torch: pip install -e '.[oracle]'")
    if chosen.measure:
        return measuring(chosen)
    numbers = chosen.threads or ([1] if chosen.short else sorted({1, processors()}))
    about, rows = machine(), []
    if not chosen.json:
        print(", ".join(f"{k} {v}" for k, v in about.items()), LEGEND, "", HEADER, sep="\n", flush=True)
    for threads in numbers:
        if threads > 1 and about["load"] > 1:
            print(f"{about['load']} processes were busy at the start: {threads} threads share processors with them, "
                  "and threads that wait for each other suffer most; do not rely on these ratios", file=sys.stderr)  # fmt: skip
        for row in measured(threads):
            rows.append(row)
            if not chosen.json:
                print(line(row), flush=True)
    fitted = growth(rows)
    if chosen.json:
        return print(json.dumps({"machine": about, "rows": rows, "growth": fitted}, indent=1))
    if fitted:
        print("\nhow the cost grows, fitted over the sizes", *map(growth_line, fitted), sep="\n")
    print("\n" + verdicts(rows))
    return None


if __name__ == "__main__":
    main()
