"""The benchmarks' workloads compute what they say, and the table says what was measured. Nothing here is about time."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.benchmarks import bounds, goals, peers, published, registry, report, timing, workloads


def test_contenders_are_timed_in_turn() -> None:
    seen: list[str] = []
    times = timing.interleave({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, 0.0, least=3)
    assert {name: len(t) for name, t in times.items()} == {"a": 3, "b": 3}
    assert "".join(seen).endswith("ababab")


def test_ratio_is_the_median_of_pairs() -> None:
    times = {"ours": [1.0, 10.0, 2.0, 2.0, 1.0], "torch": [2.0, 20.0, 8.0, 2.0, 3.0]}
    assert timing.ratio(times, "torch") == (2.0, 2.0, 3.0)


@pytest.mark.parametrize(("times", "a", "b"), [([12.0, 30.0, 210.0], 10.0, 2.0), ([5.0, 5.0, 5.0], 5.0, 0.0), ([1.0, 10.0, 100.0], 0.0, 1.0)])
def test_fit(times: list[float], a: float, b: float) -> None:
    found = timing.fit([1, 10, 100], times)
    assert found == pytest.approx((a, b, 0.0), abs=1e-9)


def test_goals() -> None:
    assert goals.Goal(1.2).met(1.2) and not goals.Goal(1.2).met(1.1)
    assert goals.Goal(1.05, most=True).met(1.0) and not goals.Goal(1.05, most=True).met(1.1)
    assert goals.loss_goal("mse_loss", 10**7, "float32", 4) == goals.Goal(2.5)
    assert goals.loss_goal("mse_loss", 10**7, "float64", 1) == goals.Goal(1.0)
    assert goals.loss_goal("l1_loss", 10**4, "float32", 4) is None
    assert goals.loss_goal("l1_loss", 100, "float32", 1) is None
    assert goals.loop_goal("MLP 784-128-10, batch 32", 4) == goals.Goal(1.5)


def test_table() -> None:
    more = {"loss": "mse_loss", "dtype": "float32"}
    rows = [
        report.timed_row("losses", f"mse {n}", 1, {"ours": [1.0 + n], "torch": [2.0 + 3 * n]}, goals.Goal(2.5), elements=n, **more)
        for n in (1, 10, 1000)
    ]
    assert [r["met"] for r in rows] == [True, True, True]
    assert "2.50x" in report.line(rows[0]) and "met" in report.line(rows[0]) and "mse 1 " in report.line(rows[0])
    (fitted,) = report.growth(rows)
    assert fitted["ours"] == pytest.approx({"call_us": 1.0, "element_ns": 1000.0, "misfit": 0.0}, abs=1e-9)
    missed = report.timed_row("losses", "slow", 1, {"ours": [2.0], "torch": [1.0]}, goals.Goal(1.0))
    assert report.verdicts([*rows, missed]).startswith("3 of 4 goals met\n    0.50x") and "NOT" in report.line(missed)


def test_steps_by_hand_train_as_ours() -> None:
    task = workloads.training((4, 6, 3), 5)
    ours, by_hand = workloads.training_step(tl, task), peers.numpy_training(task)
    for _ in range(4):
        assert ours().item() == pytest.approx(by_hand(), rel=1e-5)


def test_ufuncs_by_hand_are_the_tiny_operations() -> None:
    found = workloads.tiny_operations(tl, 20)()
    np.testing.assert_allclose(found.numpy(), workloads.tiny_ufuncs(20)(), rtol=1e-5)


@pytest.mark.parametrize("loss", peers.FORMULAS)
def test_losses_by_hand_are_ours(loss: str) -> None:
    call = registry.call_of(loss, 200)
    arrays = call.of("float32")
    value, gradients = workloads.value_and_gradient(tl, loss, arrays, call.leaves, **call.options)()
    theirs, slopes = peers.loss_steps({}, loss, arrays, call.leaves)["numpy"]()
    assert value.item() == pytest.approx(theirs, rel=1e-5)
    for ours, slope in zip(gradients, slopes, strict=True):
        assert slope.dtype == np.float32
        np.testing.assert_allclose(ours.numpy(), slope, rtol=1e-4, atol=1e-6)


def test_sizes_are_those_asked_for() -> None:
    for loss in ("mse_loss", "cross_entropy", "triplet_margin_loss", "ctc_loss"):
        for n in (100, 20_000):
            first = next(iter(registry.call_of(loss, n).arrays.values()))
            assert first.size == n


def test_what_is_published_is_what_was_measured() -> None:
    """``python -m tests.benchmarks.published`` writes both again."""
    result, readme = published.kept(), published.README.read_text(encoding="utf-8")
    assert published.readme_with(readme, result.for_readme()) == readme
    assert result.report() == published.REPORT.read_text(encoding="utf-8")
    assert published.KEPT.stat().st_size < 200_000
    assert {1} < set(result.threads) and all(result.machine.get(k) for k in ("cpu", "processors", "python", "numpy", "torch"))


def test_every_goal_that_is_missed_has_its_bound() -> None:
    slow = set(published.kept().missed())
    assert slow == set(bounds.BOUNDED_BY), f"say in bounds.py what bounds {slow - set(bounds.BOUNDED_BY)}, and no other"


def test_compact_keeps_the_figures() -> None:
    row = report.timed_row("losses", "x", 1, {"ours": [2.0] * 5, "torch": [3.00123] * 5}, goals.Goal(2.0), loss="l", dtype="float32", elements=10)
    kept = published.compact({"machine": {}, "rows": [row]})["rows"][0]
    assert kept["ratios"]["torch"] == [1.5, 1.5, 1.5] and kept["microseconds"] == {"ours": 2.0, "torch": 3.0} and kept["met"] is False
    assert published.ratio(kept) == "**1.50**"
