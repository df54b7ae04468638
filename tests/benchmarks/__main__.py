"""``python -m tests.benchmarks [--short] [--json]``: one table of ratios, torch's time divided by ours."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import warnings
from pathlib import Path

import numpy as np

import tinygrad_loss

from .timing import interleave, summary
from .workloads import workloads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer workloads and rounds")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--threads", type=int, default=1, help="threads torch may use (default 1)")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    options = parser.parse_args()
    try:
        import torch
    except ModuleNotFoundError:
        sys.exit("the benchmarks compare with torch: pip install -e '.[oracle]'")
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", UserWarning)  # kl_div's advice and the like are not the subject here
    rounds = 15 if options.short else 41
    rows = []
    for name, make in workloads(options.short).items():
        if options.only not in name:
            continue
        times = interleave({"ours": make(tinygrad_loss), "torch": make(torch)}, rounds)
        ours, theirs, ratio, spread = summary(times, "ours", "torch")
        rows.append({"workload": name, "ratio": ratio, "spread": spread, "ours_us": ours, "torch_us": theirs})
        if not options.json:
            print(f"{ratio:7.2f}x (± {spread / 2:4.2f})  ours {ours:11.1f} us  torch {theirs:11.1f} us  {name}", flush=True)
    if options.json:
        print(json.dumps({"machine": machine(options.threads), "rows": rows}, indent=1))
    else:
        print("\n" + ", ".join(f"{k} {v}" for k, v in machine(options.threads).items()))


def machine(threads: int) -> dict[str, str | int]:
    """What the figures were measured on."""
    import torch

    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = f"{names[0]} x {len(names)}" if names else model
    return {
        "cpu": model,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "threads": threads,
    }


if __name__ == "__main__":
    main()
