"""``python -m tests.limits --steps 100000 --depth 1000000``: growth of memory, cyclic garbage, and how deep a graph may be.

Each measurement is a Python of its own with the default recursion limit. The garbage collector is off; what it would have
found at the end is counted. Faults: 1 MiB of growth, one object of garbage, a wrong gradient, a Python that died.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEBIBYTE = 1 << 20

# What a step may be. Each defines ``step(i)``.
STEPS: dict[str, str] = {
    "training": """
model, x, t = nn.Linear(10, 3), tl.randn(5, 10), tl.randn(5, 3)
optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
def step(i):
    optimizer.zero_grad()
    F.mse_loss(model(x), t).backward()
    optimizer.step()
""",
    "classifier": """
model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 4))
x, t = tl.randn(16, 8), tl.arange(16) % 4
optimizer = optim.AdamW(model.parameters(), lr=1e-4)
schedule = optim.lr_scheduler.StepLR(optimizer, 1000)
def step(i):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), t, label_smoothing=0.1)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return loss.item()
""",
    "every loss": """
from tests.loss_samples import call, leaves, samples
from tinygrad_loss.losses import LOSSES
names = sorted(LOSSES)
every = [(LOSSES[n], samples(LOSSES[n])[0]) for n in names]
every = [(loss, sample, leaves(sample)) for loss, sample in every]
def step(i):
    loss, sample, given = every[i % len(every)]
    for x in given.values():
        x.grad = None
    call(loss, sample, "sum", **given).backward()
""",
    "large losses": """
inputs = [tl.randn(600, 8, requires_grad=True) for _ in range(2)]
labels = tl.arange(600) % 8
def step(i):
    for x in inputs:
        x.grad = None
    a, b = inputs
    loss = (F.mse_loss(a, b), F.cross_entropy(a, labels), F.huber_loss(a, b.detach(), reduction="sum"))[i % 3]
    loss.backward()
""",
    "second order": """
x = tl.randn(4, 3, requires_grad=True)
def step(i):
    x.grad = None
    y = (F.softplus(x) * x.exp()).sum() + F.cross_entropy(x, tl.arange(4) % 3)
    g, = tl.autograd.grad(y, x, create_graph=True)
    (g * g).sum().backward()
""",
    "hooks and scopes": """
x = tl.randn(6, requires_grad=True)
def step(i):
    x.grad = None
    with tl.scope("box"):
        y = x * 2.0
        y.retain_grad()
        handle = y.register_hook(lambda g: g * 0.5)
    z = (y[1:] * y[:-1]).sum()
    z.backward(retain_graph=True)
    z.backward()
    handle.remove()
    with tl.no_grad():
        x.sub_(0.0)
""",
    "refused": """
x = tl.randn(4, 3, requires_grad=True)
calls = [
    lambda: F.cross_entropy(x, tl.tensor([0, 1, 2, 3])), lambda: F.mse_loss(x, tl.zeros(3)), lambda: F.huber_loss(x, x, delta=-1.0),
    lambda: (x * 2.0).backward(), lambda: F.cross_entropy(x, tl.zeros(4)), lambda: x @ x, lambda: twice((x * x).sum()),
]
def twice(y):
    y.backward()
    y.backward()
def step(i):
    x.grad = None
    try:
        calls[i % len(calls)]()
    except (RuntimeError, ValueError, IndexError, TypeError):
        return
    raise SystemExit(f"call {i % len(calls)} was not refused")
""",
    "saved and loaded": """
import io
model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters())
def step(i):
    optimizer.zero_grad()
    model(tl.ones(1, 4)).sum().backward()
    optimizer.step()
    if i % 20 == 0:
        file = io.BytesIO()
        tl.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        state = tl.load(file)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
""",
}

GROWTH = """
import gc, json, os, sys, time, warnings
import tinygrad_loss as tl
from tinygrad_loss import nn, optim
F = nn.functional
warnings.simplefilter("ignore")
assert sys.getrecursionlimit() == 1000
tl.manual_seed(0)
{step}
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
for i in range({warm}):
    step(i)
gc.collect()
gc.disable()
before, blocks, begun = resident(), sys.getallocatedblocks(), time.perf_counter()
for i in range({steps}):
    step(i)
seconds, blocks, grown = time.perf_counter() - begun, sys.getallocatedblocks() - blocks, resident() - before
gc.set_debug(gc.DEBUG_SAVEALL)
gc.collect()
print(json.dumps(dict(seconds=seconds, grown=grown, blocks=blocks, garbage=len(gc.garbage), kinds=sorted({{type(o).__name__ for o in gc.garbage}})[:8])))
"""

# What a chain may be made of: the step, and the gradient of the first leaf after n steps of it.
CHAINS: dict[str, tuple[str, str]] = {
    "y + 1": ("y = y + 1.0", "1.0"),
    "y * w, a leaf in every step": ("y = y * w", "1.0"),
    "y + exp(y) * 0, a diamond in every step": ("y = y + y.exp() * 0.0", "1.0"),
    "view, slice, sum": ("y = y.reshape(1, 1)[0] if i % 2 else y.sum().unsqueeze(0)", "1.0"),
}
DEPTH = """
import gc, json, resource, sys, threading, time
import tinygrad_loss as tl
gc.collect()  # what imports leave
gc.disable()
assert sys.getrecursionlimit() == 1000
def work():
    n = {depth}
    x = tl.tensor([1e-3], requires_grad=True)
    w = tl.tensor([1.0], requires_grad=True)
    y, begun = x, time.perf_counter()
    for i in range(n):
        {chain}
    forward, begun = time.perf_counter() - begun, time.perf_counter()
    y.sum().backward(retain_graph={retain})
    backward, begun = time.perf_counter() - begun, time.perf_counter()
    del y
    freed = time.perf_counter() - begun
    found.update(forward=forward, backward=backward, freed=freed, gradient=x.grad.item())
found = {{}}
if {thread}:  # with the smallest stack that there is
    threading.stack_size(1 << 16)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
gc.set_debug(gc.DEBUG_SAVEALL)
gc.collect()
print(json.dumps(dict(found, garbage=len(gc.garbage), peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)))
"""


def run(code: str) -> dict[str, Any]:
    """What a fresh Python says in JSON; {"died": ...} where it did not come to that."""
    where = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=where, check=False, cwd=ROOT)
    if done.returncode:
        return {"died": f"exit {done.returncode}: {done.stderr.strip()[-300:]}"}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def growth(name: str, steps: int) -> tuple[dict[str, Any], bool]:
    """(figures, whether it is as it should be) of ``steps`` steps after some that fill the caches."""
    found = run(GROWTH.format(step=STEPS[name], steps=steps, warm=min(steps, 1000)))
    return found, "died" not in found and found["grown"] < MEBIBYTE and found["garbage"] == 0


def depth(name: str, n: int, thread: bool = False, retain: bool = False) -> tuple[dict[str, Any], bool]:
    """(figures, whether it is as it should be) of a chain of ``n`` steps; ``retain``: freed by its last reference."""
    chain, wanted = CHAINS[name]
    found = run(DEPTH.format(depth=n, chain=chain, thread=thread, retain=retain))
    return found, "died" not in found and found.get("gradient") == float(wanted) and found["garbage"] == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.limits", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--depth", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="measurements whose name contains this")
    chosen = parser.parse_args(arguments)
    faults, begun = 0, time.perf_counter()
    for name in [n for n in STEPS if chosen.only in n]:
        found, right = growth(name, chosen.steps)
        faults += not right
        said = found.get("died") or (
            f"{found['grown'] / MEBIBYTE:.3f} MiB, {found['blocks']} more blocks, {found['garbage']} objects of cyclic garbage, {found['seconds']:.1f} s"
        )
        print(f"memory  {name:18} {chosen.steps} steps: {said}{'' if right else '  FAULT ' + str(found.get('kinds', ''))}", flush=True)
    for name, thread, retain in [(n, t, r) for n in CHAINS for t, r in ((False, False), (True, False), (False, True)) if chosen.only in n]:
        found, right = depth(name, chosen.depth, thread, retain)
        faults += not right
        said = found.get("died") or (
            f"forward {found['forward']:.2f} s, backward {found['backward']:.2f} s, free {found['freed']:.2f} s, gradient {found['gradient']}, "
            f"{found['garbage']} objects of cyclic garbage, peak {found['peak']} MiB"
        )
        how = " in a thread of 64 KiB" if thread else " freed by the last reference" if retain else ""
        print(f"depth   {name}{how}: {chosen.depth}: {said}{'' if right else '  FAULT'}", flush=True)
    print(f"{faults} faults, {time.perf_counter() - begun:.1f} s")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
