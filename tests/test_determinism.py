"""The same seed gives the same bits: over processes, hash seeds, numbers of threads and block boundaries.

What matrix products give may depend on the BLAS library, the processor and its number of threads: NumPy's, not ours.
``python -m tests.test_determinism`` prints how much.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, _blocks

F, nn, optim = tl.nn.functional, tl.nn, tl.optim
ROOT = Path(__file__).resolve().parent.parent
LARGE = 1_100_000  # elements: from a million on, several threads share the work

TRAINS = """
import hashlib, sys
import numpy as np
import tinygrad_loss as tl
from tinygrad_loss import nn, optim
F = nn.functional
width, rows, threads = map(int, sys.argv[1:4])
if threads: tl.set_num_threads(threads)
tl.manual_seed(7)
digest = hashlib.sha256()
def note(*tensors):
    for t in tensors: digest.update(t.array.tobytes())
data = tl.utils.data.TensorDataset(tl.randn(4 * rows, width), tl.randint(0, 5, (4 * rows,)))
for make in (lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True), optim.Adam, lambda p: optim.AdamW(p, amsgrad=True), optim.RMSprop):
    model = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, 5))
    optimizer, groups = make(model.parameters()), {"a", "b", "c"}
    for x, y in tl.utils.data.DataLoader(data, batch_size=rows, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, label_smoothing=0.1) + 1e-3 * sum(p.square().sum() for p in model.parameters())
        loss.backward()
        note(loss, *[p.grad for p in model.parameters()])
        optimizer.step()
        note(*model.parameters())
a = tl.randn(1_100_000, requires_grad=True)
b = tl.rand(1_100_000)
for name in ("binary_cross_entropy_with_logits", "huber_loss", "poisson_nll_loss", "log_cosh_loss", "gaussian_nll_loss"):
    value = getattr(F, name)(a, b, *([b + 1] if "gaussian" in name else []))
    note(value, *tl.autograd.grad(value, a))
leaves = {i: tl.rand(3, requires_grad=True) for i in range(20)}
sum((w.exp() * w).sum() for w in leaves.values()).backward()
note(*[w.grad for w in leaves.values()])
print(digest.hexdigest())
"""


def trained(width: int = 8, rows: int = 16, threads: int = 0, **environment: str) -> str:
    """The digest of losses, gradients and trained parameters, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINS, str(width), str(rows), str(threads)], cwd=ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_same_bits_in_every_process() -> None:
    """Hash seeds, numbers of threads, and twice the same."""
    found = {
        (seed, threads): trained(threads=threads, PYTHONHASHSEED=seed, OMP_NUM_THREADS="1")
        for seed, threads in (("0", 1), ("1", 2), ("random", 3), ("random", 4), ("0", 0))
    }
    assert len(set(found.values())) == 1, found


@pytest.fixture
def threads() -> Any:
    before = tl.get_num_threads()
    yield tl.set_num_threads
    tl.set_num_threads(before)


def digest(*arrays: Any) -> str:
    found = hashlib.sha256()
    for a in arrays:
        found.update(np.ascontiguousarray(a).tobytes())
    return found.hexdigest()


def large_calls() -> list[tuple[str, Any]]:
    """A call of many elements for each way of computing one: kernels, plans, tapes; by element and by example."""
    tl.manual_seed(1)
    y, p = tl.randn(LARGE), tl.rand(LARGE)
    rows, labels, weight = tl.randn(LARGE // 10, 10), tl.randint(0, 10, (LARGE // 10,)), tl.rand(10) + 0.5
    return [
        ("mse_loss", lambda a: F.mse_loss(a, y)), ("l1_loss", lambda a: F.l1_loss(a, y, reduction="sum")),
        ("huber_loss", lambda a: F.huber_loss(a, y)), ("none", lambda a: F.huber_loss(a, y, reduction="none").sum()),
        ("log_cosh_loss", lambda a: F.log_cosh_loss(a, y)),
        ("binary_cross_entropy_with_logits", lambda a: F.binary_cross_entropy_with_logits(a, p)),
        ("sample_weight", lambda a: F.log_cosh_loss(a, y, sample_weight=p)),
        ("cross_entropy", lambda a: F.cross_entropy(a.reshape(rows.shape), labels)),
        ("cross_entropy, weights", lambda a: F.cross_entropy(a.reshape(rows.shape), labels, weight=weight, label_smoothing=0.1)),
        ("kl_div", lambda a: F.kl_div(a.reshape(rows.shape).log_softmax(1), rows.softmax(1), reduction="batchmean")),
        ("multi_margin_loss", lambda a: F.multi_margin_loss(a.reshape(rows.shape), labels)),
    ]  # fmt: skip


def test_the_same_bits_for_any_number_of_threads(threads: Any) -> None:
    tl.manual_seed(2)
    x = tl.randn(LARGE)
    for name, call in large_calls():
        found = set()
        for count in (1, 2, 3, 4, 4):
            threads(count)
            a = x.clone().requires_grad_()
            value = call(a)
            value.backward()
            found.add(digest(value.array, a.grad.array))
        assert len(found) == 1, name


def test_the_same_bits_whatever_ran_before(threads: Any) -> None:
    """Plans and signatures that are remembered, and those made anew."""
    threads(2)
    x = tl.linspace(-3, 3, LARGE)
    for name, call in large_calls():
        found = set()
        for forget in (False, True, False):
            if forget:
                for loss in LOSSES.values():
                    loss.plans.clear()
                    loss._bindings.clear()
            a = x.clone().requires_grad_()
            value = call(a)
            value.backward()
            found.add(digest(value.array, a.grad.array))
        assert len(found) == 1, name


def test_block_boundaries_change_the_last_digit_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a block ends is fixed by the shape alone. Were it elsewhere, NumPy's vector loops would end elsewhere."""
    tl.manual_seed(2)
    x = tl.randn(LARGE)
    for name, call in large_calls():
        values, gradients = [], []
        for block in (1 << 17, 1 << 16, 50_000, 99_991):
            monkeypatch.setattr(_blocks, "_LARGE_BLOCK", block)
            a = x.clone().requires_grad_()
            value = call(a)
            value.backward()
            values.append(value.array)
            gradients.append(a.grad.array)
        np.testing.assert_allclose(values, values[0], rtol=3e-7, err_msg=name)
        for g in gradients[1:]:
            np.testing.assert_allclose(g, gradients[0], rtol=1e-6, atol=1e-13, err_msg=name)


def test_an_interrupted_training_that_was_restarted_from_its_seed() -> None:
    """In one process, with everything that is remembered in between, as in a fresh one."""

    def once() -> str:
        tl.manual_seed(11)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(model(tl.randn(16, 4)), tl.randint(0, 3, (16,))).backward()
            optimizer.step()
        return digest(*[p.array for p in model.parameters()])

    first = once()
    tl.rand(1000), tl.randn(7)
    assert once() == first


def test_blocks_that_depend_on_the_threads_would_be_caught(threads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tl.manual_seed(2)
    x, differ = tl.randn(LARGE), 0
    monkeypatch.setattr(_blocks.math, "fsum", lambda sums: float(np.cumsum(np.fromiter(sums, np.float32))[-1]))  # planted
    for _, call in large_calls():
        found = set()
        for count in (1, 2, 3, 4):
            threads(count)
            monkeypatch.setattr(_blocks, "_LARGE_BLOCK", (1 << 17) // count)  # planted
            found.add(digest(call(x).array))
        differ += len(found) > 1
    assert differ


def measure_blas() -> None:
    """How much the threads of BLAS change: for small and large layers."""
    for width, rows in ((8, 16), (64, 64), (256, 256), (1024, 512)):
        found = [trained(width, rows, 0, OMP_NUM_THREADS=str(n), OPENBLAS_NUM_THREADS=str(n)) for n in (1, 1, 2, 3, 4)]
        print(f"width {width:5}, batches of {rows:4}: BLAS threads 1, 1 again, 2, 3, 4 -> {[found.index(f) for f in found]}", flush=True)
    code = (
        "import sys, numpy as np, tinygrad_loss as tl; tl.manual_seed(0); n = int(sys.argv[1]); "
        "np.save(sys.argv[2], (tl.randn(n, n) @ tl.randn(n, n)).array)"
    )
    for n in (32, 128, 512, 1024):
        found = []
        for count in (1, 2, 4):
            path = f"/tmp/blas-{os.getpid()}-{count}.npy"
            subprocess.run([sys.executable, "-c", code, str(n), path], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": str(count), "OPENBLAS_NUM_THREADS": str(count)}, check=True)
            found.append(np.load(path))
            Path(path).unlink()
        worst = max(float(np.max(np.abs(f - found[0]))) for f in found)
        print(f"product {n} x {n}: largest difference between 1, 2 and 4 threads {worst:.1e}, of values up to {np.abs(found[0]).max():.0f}", flush=True)


if __name__ == "__main__":
    measure_blas()
