"""Fused against composed: every loss, reduction, option and dtype, at sizes around the borders of blocks."""

import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, PerElement, Real, _blocks, _loss, _routes
from tinygrad_loss.losses._loss import Loss

from .laws import close
from .loss_laws import advised, reductions
from .loss_samples import LossSample, build, call, option_grid, sizes_of, spec_choices

BLOCK = 8  # elements of a block, in these tests


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of a few rows, and two threads, so that small samples have many borders."""
    for module in (_blocks, _routes, _loss):
        for name in ("BLOCK", "_LARGE_BLOCK", "LEAST", "_MANY"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, BLOCK if "BLOCK" in name else 1)
    before = tl.get_num_threads()
    tl.set_num_threads(2)
    yield
    tl.set_num_threads(before)


def many(loss: Loss) -> list[LossSample]:
    """Samples of enough rows, some with a last block that is not full."""
    found = []
    sizes, batched = sizes_of(loss)[0]
    for specs in spec_choices(loss):
        for rows in (24, 31, 33):
            wide = {**sizes, "...": (rows,)} if "..." in sizes else {**sizes, "N": rows}
            for options in option_grid(loss)[:: max(1, len(option_grid(loss)) // 4)]:
                with suppress(LookupError):  # options that such arguments refuse
                    found.append(build(loss, specs, wide, batched, options, ignoring=False))
    assert found
    return found


def both(loss: Loss, sample: LossSample, reduction: str, kind: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """((value, gradients) fused, the same composed, whether it was fused)."""
    results = []
    fused = False
    for composed in (False, True):
        leaves = {n: tl.tensor(np.asarray(sample.arrays[n]).astype(kind), requires_grad=True) for n in sample.floats()}
        rest = {n: tl.tensor(x) for n, x in sample.given().items() if n not in leaves}
        with monkeypatch.context() as patch, advised():
            if composed:
                patch.setattr(_loss, "fused", lambda *a: None)
                patch.setattr(_loss, "one_block", lambda *a: None)
            y = call(loss, sample, reduction, **rest, **leaves)
            if not composed:
                fused = y.op is loss and "gradients" in (y.settings or {})
            weights = np.linspace(0.5, 1.5, y.array.size).reshape(y.array.shape).astype(y.array.dtype)
            (y * tl.tensor(weights)).sum().backward()
        results.append((y.array, {n: x.grad.array if x.grad is not None else None for n, x in leaves.items()}))
    return (*results, fused)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_fused_equals_composed(name: str, small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LOSSES[name]
    monkeypatch.setattr(loss, "_bindings", [])
    monkeypatch.setattr(loss, "_last", _loss.Binding())
    monkeypatch.setattr(loss, "plans", {})
    for sample in many(loss):
        for reduction in reductions(loss):
            for kind, rtol in ((np.float64, 2e-13), (np.float32, 2e-5)):
                a, b, _ = both(loss, sample, reduction, kind, monkeypatch)
                assert a[0].dtype == b[0].dtype and a[0].shape == b[0].shape
                close(a[0], b[0], rtol, f"{sample} {reduction}: value")
                for n in b[1]:
                    assert (a[1][n] is None) == (b[1][n] is None)
                    if b[1][n] is not None:
                        assert a[1][n].dtype == b[1][n].dtype
                        close(a[1][n], b[1][n], rtol, f"{sample} {reduction}: gradient of {n}", least=1e-2)


def test_most_losses_have_a_plan(small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elementwise losses run as plans, and say so; what the other ones lack is said too."""
    planned = []
    for name, loss in LOSSES.items():
        sample = many(loss)[0]
        arrays = {n: tl.tensor(x, requires_grad=x.dtype.kind == "f") for n, x in sample.given().items()}
        try:
            text = str(loss.plan(**arrays, **sample.options))
        except ValueError as error:
            assert name in str(error) and "not computed by a plan" in str(error)
            continue
        planned.append(name)
        assert "loss = " in text and "d/d" in text
    assert {"mse_loss", "huber_loss", "binary_cross_entropy_with_logits", "kl_div", "gaussian_nll_loss"} <= set(planned)
    assert len(planned) >= 15


@pytest.mark.parametrize("name", ["mse_loss", "kl_div", "binary_cross_entropy_with_logits", "cross_entropy", "l1_loss"])
def test_same_bits_for_any_number_of_threads(name: str) -> None:
    """One, two or three threads: the same value and the same gradient, bit for bit."""
    r = np.random.default_rng(1)
    if name == "cross_entropy":
        given: Any = (r.normal(size=(120_001, 10)).astype("f"), r.integers(0, 10, 120_001))
    elif name == "kl_div":
        p = r.uniform(0.1, 1.0, (120_001, 10)).astype("f")
        given = (np.log(p / p.sum(1, keepdims=True)), p)
    else:
        given = (r.normal(size=1_200_001).astype("f"), r.integers(0, 2, 1_200_001).astype("f"))
    before, seen = tl.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            tl.set_num_threads(threads)
            x = tl.tensor(given[0], requires_grad=True)
            y = LOSSES[name](x, tl.tensor(given[1]), reduction="sum")
            assert "gradients" in y.settings
            y.backward()
            seen.append((y.array.tobytes(), x.grad.array.tobytes()))
    finally:
        tl.set_num_threads(before)
    assert seen[0] == seen[1] == seen[2]


def test_memory_of_a_large_loss() -> None:
    """The gradient, and scratch of a few percent."""
    tracemalloc.start()
    try:
        for name in ("mse_loss", "huber_loss", "l1_loss"):
            x, target = (tl.tensor(np.ones(8_000_000, "f") * k, requires_grad=k == 2) for k in (2, 1))
            tl.set_num_threads(1)
            LOSSES[name](x, target).backward()
            x.grad = None
            tracemalloc.reset_peak()
            base = tracemalloc.get_traced_memory()[0]
            LOSSES[name](x, target).backward()
            assert tracemalloc.get_traced_memory()[1] - base <= 1.05 * x.array.nbytes, name
    finally:
        tracemalloc.stop()


def user_loss(formula: Any) -> Loss:
    made = tl.loss(formula)
    del LOSSES[made.name]
    return made


def test_second_derivatives_of_a_fused_loss() -> None:
    """A fused node remembers its formula."""
    x = tl.tensor(np.linspace(-2, 2, 5000), requires_grad=True)
    y = LOSSES["soft_margin_loss"](x, tl.tensor(np.ones(5000)), reduction="sum")
    assert "gradients" in y.settings
    (first,) = tl.autograd.grad(y, x, create_graph=True)
    (second,) = tl.autograd.grad(first.sum(), x)
    s = 1.0 / (1.0 + np.exp(-x.array))
    close(second, s * (1.0 - s), 1e-12, "second derivative")


def test_a_formula_that_mixes_rows_is_not_cut() -> None:
    """It should say so, but if it does not, its loss is still right."""

    def centred_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        d = input - target
        return (d - d.mean()) ** 2

    loss, x = user_loss(centred_loss), tl.tensor(np.arange(5000.0), requires_grad=True)
    y = loss(x, tl.tensor(np.zeros(5000)))
    assert "gradients" not in y.settings
    close(y, np.arange(5000.0).var(), 1e-12, "mixed")


def test_a_formula_that_looks_at_values_is_run_anew() -> None:
    def either_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        d = input - target
        return d * d if bool((d > 0).all()) else d * d * 0.5

    loss = user_loss(either_loss)
    with pytest.raises(ValueError, match="looks at a value"):
        loss.plan(tl.tensor([1.0, 2.0]), tl.tensor([0.0, 0.0]))
    for sign, factor in ((1.0, 1.0), (-1.0, 0.5)):
        x = tl.tensor(np.full(400_000, sign), requires_grad=True)
        y = loss(x, tl.tensor(np.zeros(400_000)))
        y.backward()
        close(y, factor, 1e-12, "value")
        close(x.grad, 2.0 * factor * sign * np.ones(400_000) / 400_000, 1e-12, "gradient")


def test_a_formula_that_uses_a_parameter_of_its_own() -> None:
    """What it closes over gets its gradient, large or small."""
    scale = tl.tensor(3.0, requires_grad=True)

    def scaled_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."]) -> PerElement:
        return scale * (input - target) ** 2

    loss = user_loss(scaled_loss)
    for count in (3, 5000):
        scale.grad = None
        x = tl.tensor(np.full(count, 2.0), requires_grad=True)
        loss(x, tl.tensor(np.zeros(count))).backward()
        close(scale.grad, 4.0, 1e-6, "the closure's gradient")
        close(x.grad, np.full(count, 12.0 / count), 1e-6, "the argument's gradient")


def test_errors_in_threads_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """And leave nothing behind: the next call is right."""
    x, target = tl.tensor(np.ones(2_000_000, "f"), requires_grad=True), tl.tensor(np.zeros(2_000_000, "f"))
    calls = []

    def broken(*args: Any) -> float:
        calls.append(threading.get_ident())
        raise MemoryError("planted")

    tl.set_num_threads(2)
    LOSSES["mse_loss"](x, target)
    with monkeypatch.context() as patch:
        patch.setattr(LOSSES["mse_loss"], "_kernel", broken)
        with pytest.raises(MemoryError, match="planted"):
            LOSSES["mse_loss"](x, target)
    assert calls
    assert LOSSES["mse_loss"](x, target).item() == 1.0


def test_a_forked_child_has_its_own_threads() -> None:
    code = (
        "import os, numpy as np, tinygrad_loss as tl\n"
        "tl.set_num_threads(2)\n"
        "x, t = tl.ones(2_000_000, requires_grad=True), tl.zeros(2_000_000)\n"
        "F = tl.nn.functional\n"
        "F.mse_loss(x, t).backward()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    F.mse_loss(x, t).backward()\n"
        "    os._exit(0 if float(x.grad[0]) == float(np.float32(2e-06)) else 3)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=900, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError)])
def test_set_num_threads_refuses(count: Any, error: type[Exception]) -> None:
    before = tl.get_num_threads()
    with pytest.raises(error, match="set_num_threads: count"):
        tl.set_num_threads(count)
    assert tl.get_num_threads() == before
