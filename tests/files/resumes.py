"""Training interrupted after every step and resumed from the file: the bits of a run that was not interrupted.

Each interruption goes on with new objects from other seeds; one in 20 goes on in a new interpreter with another
hash seed. One training in three is also killed with ``kill -9``, saving after every step, until it gets through.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tinygrad_loss as tl

from .kills import POSSIBLE, end, forked, said
from .report import Report
from .training import Training, interrupted, options, resumed, straight

ELSEWHERE = """
import hashlib, sys
from pathlib import Path
from tests.files.training import resumed
print(hashlib.sha256(resumed(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))).hexdigest())
"""


def elsewhere(index: int, path: Path, seed: int) -> str:
    """The hash of the bits of a run that another process has resumed."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed % 1000)}
    command = [sys.executable, "-W", "error", "-c", ELSEWHERE, str(index), str(path), str(seed)]
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def train(index: int, path: Path, seed: int) -> None:
    """Go on from the file, or begin, saving after every step."""
    training = Training(index, fresh=seed if path.exists() else None)
    if path.exists():
        training.load_state_dict(tl.load(path))
    for _ in training.steps():
        tl.save(training.state_dict(), path)
    tl.save(training.state_dict(), path)


def killed(index: int, path: Path, draw: random.Random) -> int:
    """Train in processes that are killed until one gets to the end; how many were killed."""
    for kills in range(1000):
        child, pipe = forked(lambda: train(index, path, draw.randrange(2**32)))
        said(pipe)
        if kills < 12:
            time.sleep(draw.expovariate(1 / 0.02))
            os.kill(child, signal.SIGKILL)
        finished = said(pipe) == b"d"
        end(child, pipe)
        if finished:
            return kills
    raise RuntimeError("no process got to the end")


def run(seed: int, count: int, processes: bool = True) -> Report:
    """``count`` interruptions of the trainings from number ``seed`` on; ``processes``: also in other ones."""
    report, draw, index, done = Report(), random.Random(seed), seed, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        while done < count:
            steps, bits = straight(index)
            for step in range(min(steps + 1, count - done)):
                interrupted(index, step, path)
                where = f"training {index}, step {step} of {steps}, {options(index)}"
                if processes and done % 20 == 10:
                    report.count("resumed in a new interpreter")
                    same = elsewhere(index, path, draw.randrange(2**32)) == hashlib.sha256(bits).hexdigest()
                else:
                    report.count("resumed")
                    same = resumed(index, path, draw.randrange(2**32)) == bits
                if not same:
                    report.faults.append(where)
                done += 1
            path.unlink()
            if processes and POSSIBLE and index % 3 == 0:
                report.count("resumed after kills")
                report.note("kills of trainings", killed(index, path, draw))
                if resumed(index, path, draw.randrange(2**32)) != bits:
                    report.faults.append(f"training {index} with kills, {options(index)}")
                if set(os.listdir(folder)) != {path.name}:
                    report.faults.append(f"training {index} with kills: left behind {os.listdir(folder)}")
                path.unlink()
            report.note("trainings", 1)
            index += 1
    return report
