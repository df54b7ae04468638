"""Forked and spawned children: right results, and nothing waits for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .company import HEAD, LARGE, ROOT, run

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

BUSY = {
    "backward": "x = tl.ones(100_000, requires_grad=True)\ny = (x * 2).sum()\ndef busy(): y.backward(retain_graph=True)\n"
    "def work():\n    z = tl.ones(3, requires_grad=True)\n    (z * z).sum().backward()\n    return z.grad.tolist() == [2.0, 2.0, 2.0]\n",
    "draws": "g = tl.Generator()\ndef busy():\n    tl.rand(50_000)\n    tl.randn(50_000, generator=g)\n"
    "def work():\n    tl.manual_seed(0)\n    tl.rand(3, generator=g)\n    return abs(tl.rand(1).item() - 0.4963) < 1e-4\n",
    "writes": "w = tl.ones(10)\ndef busy():\n    for _ in range(100): w.mul_(1.0)\n"
    "def work():\n    v = tl.ones(3)\n    v.add_(1.0)\n    return v.tolist() == [2.0, 2.0, 2.0]\n",
    "large losses": f"tl.set_num_threads(2)\nx, t = tl.ones({LARGE}, requires_grad=True), tl.zeros({LARGE})\ndef busy(): F.mse_loss(x, t)\n"
    f"def work():\n    F.mse_loss(x, t).backward()\n    return bool((x.grad == np.float32(2 / {LARGE})).all())\n",
}


@forks
@pytest.mark.parametrize("what", BUSY)
def test_a_child_that_is_born_while_other_threads_compute(what: str) -> None:
    """Their locks are never let go in the child: fork waits for them instead."""
    code = """
stop = False
def loop():
    while not stop: busy()
busy()
others = [threading.Thread(target=loop) for _ in range(2)]
for other in others: other.start()
codes = children(15, work)
stop = True
for other in others: other.join()
print(set(codes))
"""
    assert run(BUSY[what] + code) == "{0}"


@forks
def test_a_child_goes_on_as_its_parent_would() -> None:
    """Born inside no_grad, with the pool in use: the mode, the seed and the gradients are the parent's; it ends by itself."""
    code = f"""
tl.set_num_threads(3)
x, t = tl.ones({LARGE}, requires_grad=True), tl.zeros({LARGE})
F.smooth_l1_loss(x, t).backward()
wanted = x.grad.array.tobytes()
tl.manual_seed(5)
with tl.no_grad():
    pid = os.fork()
    inside = tl.is_grad_enabled()
after = tl.is_grad_enabled()
drawn = tl.rand(4).tolist()
x.grad = None
F.smooth_l1_loss(x, t).backward()
line = repr((inside, after, drawn, x.grad.array.tobytes() == wanted))
if not pid:
    with open(os.environ["CHILD"], "w") as file: file.write(line)
    sys.exit(0)  # through the exit handlers, where a thread that is missing would be waited for
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
with open(os.environ["CHILD"]) as file: print(line == file.read(), inside, after, line[-5:])
"""
    path = ROOT / "tests" / f".child-{os.getpid()}"
    os.environ["CHILD"] = str(path)
    try:
        assert run(code) == "True False True True)"
    finally:
        del os.environ["CHILD"]
        path.unlink(missing_ok=True)


TRAINING = """
def train(seed):
    tl.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x, y = tl.randn(32, 8), tl.randint(0, 3, (32,))
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    a = tl.linspace(0, 1, 1_100_000, requires_grad=True)
    F.huber_loss(a * 1.0, tl.zeros(1_100_000)).backward()
    return b"".join(p.array.tobytes() for p in model.parameters()).hex() + str(hash(a.grad.array.tobytes()))
"""


def test_children_of_multiprocessing(tmp_path: Path) -> None:
    """fork, spawn and forkserver: the same bits as here."""
    script = tmp_path / "trains.py"
    script.write_text(
        HEAD + TRAINING + "\nimport multiprocessing\nif __name__ == '__main__':\n"
        "    wanted, found = train(1), {}\n"
        "    for method in multiprocessing.get_all_start_methods():\n"
        "        with multiprocessing.get_context(method).Pool(2) as pool: found[method] = pool.map(train, [1, 1])\n"
        "    print(sorted(found), all(f == [wanted, wanted] for f in found.values()))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-W", "ignore", str(script)], env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("True"), done.stdout
    assert "spawn" in done.stdout


def test_no_thread_is_left_at_exit() -> None:
    code = f"""
import atexit
x, t = tl.ones({LARGE}, requires_grad=True), tl.zeros({LARGE})
def last():
    print(len(threading.enumerate()), F.mse_loss(x, t).item())  # threads of the pool are gone, and it still computes
atexit.register(last)
tl.set_num_threads(3)
F.mse_loss(x, t).backward()
print(len(threading.enumerate()) > 1)
"""
    assert run(code) == "True\n1 1.0"
