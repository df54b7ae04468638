"""What the benchmarks time in both libraries gives the same values."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.benchmarks import registry, report, workloads

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")
measure = pytest.importorskip("tests.benchmarks.measure")

NAMES = registry.shared_losses(torch.nn.functional)
OF_SCORES = {"ctc_loss"}  # torch's gradient is that of the scores before a log_softmax


def test_every_loss_of_torch_is_measured() -> None:
    assert {"cross_entropy", "mse_loss", "ctc_loss", "triplet_margin_loss"} <= set(NAMES) and len(NAMES) >= 20


@pytest.mark.parametrize("n", [100, 3000])
@pytest.mark.parametrize("loss", NAMES)
def test_losses(loss: str, n: int) -> None:
    call = registry.call_of(loss, n)
    ours, theirs = (
        workloads.value_and_gradient(lib, loss, call.of("float64"), call.leaves, **call.options)() for lib in (tl, torch)
    )
    assert ours[0].item() == pytest.approx(theirs[0].item(), rel=1e-12)
    assert len(ours[1]) == len(call.leaves) > 0
    for a, b in zip(ours[1], theirs[1], strict=True):
        if loss not in OF_SCORES:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-15)


def test_training() -> None:
    task = workloads.training((5, 8, 3), 6)
    steps = [workloads.training_step(tl, task), workloads.training_step(torch, task), workloads.training_step(torch, task, fused=True)]
    for _ in range(4):
        ours, theirs, fused = (step().item() for step in steps)
        assert ours == pytest.approx(theirs, rel=1e-5) and theirs == pytest.approx(fused, rel=1e-5)


def test_tiny_operations() -> None:
    ours, theirs = (workloads.tiny_operations(lib, 20)() for lib in (tl, torch))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_alignments() -> None:
    arrays = workloads.alignments(6, 2, 5, 3)
    ours, theirs = (workloads.value_and_gradient(lib, "ctc_loss", arrays, ["log_probs"])()[0].item() for lib in (tl, torch))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_rows() -> None:
    before = tl.get_num_threads(), torch.get_num_threads()
    try:
        plan = measure.Plan(1, only="mse_loss", groups=("losses",), sizes=(100, 10_000), seconds=0.01)
        rows = list(measure.measure(plan))
    finally:
        tl.set_num_threads(before[0])
        torch.set_num_threads(before[1])
    assert [r["workload"] for r in rows] == [f"mse_loss, {n} elements, {d}" for n in ("100", "10,000") for d in ("float32", "float64")]
    assert [r["goal"] for r in rows] == [None, None, ">= 1", ">= 1"]
    assert set(rows[0]["ratios"]) == {"torch", "numpy"} and all(report.line(r) for r in rows)
