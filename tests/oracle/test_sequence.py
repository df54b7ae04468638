"""CTC on batches of every kind, and the losses with parameters of their own, against torch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tests.samples import Array, seeded
from tinygrad_loss.nn import functional as F

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

BOTH = ((tl, F), (torch, torch.nn.functional))


def close(ours: Any, theirs: Any, rtol: float) -> None:
    a, b = (x.numpy(force=True) for x in (ours, theirs))
    assert a.shape == b.shape and a.dtype == b.dtype
    scale = max(float(np.abs(b[np.isfinite(b)]).max(initial=0.0)), 1e-2)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


def batch(r: np.random.Generator) -> tuple[Array, list[Array]]:
    frames, count, classes, longest = (int(r.integers(low, high)) for low, high in ((1, 60), (1, 9), (2, 30), (1, 13)))
    lengths, counts = r.integers(0, frames + 1, size=count), r.integers(0, longest + 1, size=count)
    return r.normal(size=(frames, count, classes)) * r.uniform(0.1, 8.0), [r.integers(1, classes, size=(count, longest)), lengths, counts]


@pytest.mark.parametrize(("kind", "rtol"), [(np.float64, (1e-13, 5e-12)), (np.float32, (2e-6, 1e-3))], ids=["float64", "float32"])
def test_ctc(kind: Any, rtol: tuple[float, float]) -> None:
    """Lengths of every mix, repeated labels, empty targets, too few frames, all forms of the targets."""
    r, infinite = seeded("ctc"), 0
    for turn in range(150):
        logits, (targets, lengths, counts) = batch(r)
        form = turn % 3
        labels = np.concatenate([row[:n] for row, n in zip(targets, counts, strict=True)]) if form == 1 else targets
        zero, reduction = bool(turn % 2), ("none", "sum", "mean")[turn % 3]
        found = []
        for lib, functional in BOTH:
            leaf = lib.from_numpy(logits.astype(kind)).requires_grad_()
            sizes = (tuple(lengths.tolist()), tuple(counts.tolist())) if form == 2 else (lib.from_numpy(lengths), lib.from_numpy(counts))
            log_p = functional.log_softmax(leaf, -1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                y = functional.ctc_loss(log_p, lib.from_numpy(labels), *sizes, reduction=reduction, zero_infinity=zero)
            (g,) = lib.autograd.grad(y.sum(), leaf)
            found.append((y, g))
        (y, g), (z, h) = found
        infinite += int(np.isinf(y.numpy(force=True)).any())
        close(y, z, rtol[0])
        lost = np.isnan(h.numpy(force=True)).any(axis=(0, 2))  # torch's gradient of an infinite loss
        assert not g.numpy(force=True)[:, lost].any()
        close(g[:, ~lost], h[:, ~lost], rtol[1])
    assert infinite > 20


def test_ctc_gradient_is_the_derivative() -> None:
    """A deviation: torch's gradient by log-probabilities is none of them; it has the classes' own probabilities added."""
    logits, args = batch(seeded("derivative"))
    args[1], args[2] = np.full_like(args[1], len(logits)), np.minimum(args[2], len(logits) // 2)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    slopes = []
    for lib, functional in BOTH:
        leaf = lib.from_numpy(log_p.copy()).requires_grad_()
        functional.ctc_loss(leaf, *map(lib.from_numpy, args), reduction="sum").backward()
        slopes.append(leaf.grad.numpy())
    np.testing.assert_allclose(slopes[0] + np.exp(log_p), slopes[1], rtol=1e-10, atol=1e-13)


def test_unbatched_ctc() -> None:
    x = seeded("one").normal(size=(9, 5))
    for labels in ([1, 2, 2], [4], []):
        y, z = (
            functional.ctc_loss(functional.log_softmax(lib.from_numpy(x), -1), lib.tensor(labels).long(), lib.tensor(9), lib.tensor(len(labels)), reduction="none")
            for lib, functional in BOTH
        )
        close(y, z, 1e-13)


@pytest.mark.parametrize(("cutoffs", "options"), [([5, 10], {}), ([3], {"div_value": 2.0, "head_bias": True}), ([2, 6, 9], {"div_value": 1.5})])
def test_adaptive_softmax(cutoffs: list[int], options: dict[str, Any]) -> None:
    """The same parameters under the same names, from the same seed; values, gradients, all log-probabilities, predictions."""
    r = seeded(f"adaptive{cutoffs}")
    x, labels = r.normal(size=(12, 16)).astype(np.float32) * 3.0, r.integers(0, 20, size=12)
    made, inputs = [], []
    for lib in (tl, torch):
        lib.manual_seed(3)
        made.append(lib.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs, **options))
        inputs.append(lib.from_numpy(x.copy()).requires_grad_())
    ours, theirs = made
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].numpy(), value.numpy())
    y, z = ours(inputs[0], tl.from_numpy(labels)), theirs(inputs[1], torch.from_numpy(labels))
    assert y._fields == z._fields
    close(y.output, z.output, 1e-6)
    close(y.loss, z.loss, 1e-6)
    y.loss.backward()
    z.loss.backward()
    close(inputs[0].grad, inputs[1].grad, 1e-5)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            close(p.grad, q.grad, 1e-5)
    close(ours.log_prob(inputs[0]), theirs.log_prob(inputs[1]), 1e-6)
    np.testing.assert_array_equal(ours.predict(inputs[0]).numpy(), theirs.predict(inputs[1]).numpy())
    for few in (labels % cutoffs[0], labels * 0 + 19):  # the head alone; one cluster alone
        close(ours(inputs[0], tl.from_numpy(few)).output, theirs(inputs[1], torch.from_numpy(few)).output, 1e-6)
    close(ours(inputs[0][0], tl.tensor(7)).output, theirs(inputs[1][0], torch.tensor(7)).output, 1e-6)


@pytest.mark.parametrize("sizes", [(), (2,), (2, 3)])
def test_linear_cross_entropy(sizes: tuple[int, ...]) -> None:
    """The module: parameters, printing, indices (some of them ignored) and probabilities, weights and smoothing."""
    r = seeded(f"linear{sizes}")
    x, labels = r.normal(size=(6, 5)).astype(np.float32), r.integers(0, 4, size=(6, *sizes))
    labels.flat[0] = -100
    soft = r.uniform(0.1, 1.0, size=(6, 4, *sizes)).astype(np.float32)
    soft /= soft.sum(1, keepdims=True)
    for options in ({}, {"bias": True, "label_smoothing": 0.1}, {"reduction": "sum", "bias": True}, {"reduction": "none", "weight": True}):
        made, inputs = [], []
        for lib in (tl, torch):
            more = {**options, **({"weight": lib.tensor([1.0, 2.0, 0.5, 1.5])} if "weight" in options else {})}
            lib.manual_seed(5)
            made.append(lib.nn.LinearCrossEntropyLoss(5, 4, out_features=sizes, **more))
            inputs.append(lib.from_numpy(x.copy()).requires_grad_())
        ours, theirs = made
        assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
        for target in (labels, soft):
            y, z = (module(leaf, lib.from_numpy(target)) for module, leaf, lib in zip(made, inputs, (tl, torch), strict=True))
            close(y, z, 1e-6)
            y.sum().backward()
            z.sum().backward()
        close(inputs[0].grad, inputs[1].grad, 1e-5)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            close(p.grad, q.grad, 1e-5)
