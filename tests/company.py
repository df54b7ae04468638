"""What the tests of children, threads and signal handlers share."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LARGE = 1_100_000  # elements: from a million on, several threads share the work
HEAD = "import os, signal, sys, threading, time\nimport numpy as np\nimport tinygrad_loss as tl\nF, nn, optim = tl.nn.functional, tl.nn, tl.optim\n"
BORN = """
def children(count, work, seconds=20.0):
    "Fork, run work() in the child and leave: the exit codes, -9 for a child that had to be killed."
    codes = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            code = 3
            try:
                code = 0 if work() else 1
            finally:
                os._exit(code)
        end, done = time.monotonic() + seconds, 0
        while not done and time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.001)
        if not done:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        codes.append(os.waitstatus_to_exitcode(status))
        if codes[-1]:
            break
    return codes
"""


def run(code: str, *flags: str) -> str:
    """What ``code`` prints in a Python of its own (which warns of forks with threads; that is what is tried here)."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *flags, "-c", HEAD + BORN + code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode or done.stderr:
        raise AssertionError((done.returncode, done.stdout, done.stderr))
    return done.stdout.strip()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def target(i: int) -> None:
        start.wait()
        try:
            results[i] = work(i)
        except BaseException as error:
            results[i] = error

    started = [threading.Thread(target=target, args=(i,)) for i in range(count)]
    for t in started:
        t.start()
    for t in started:
        t.join()
    return results
