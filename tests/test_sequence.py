"""Losses of sequences against all paths, one by one; the sums over paths against the recursion; what they refuse."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.losses import _ctc
from tinygrad_loss.losses._alignments import Alignments
from tinygrad_loss.nn import functional as F

from .samples import Array, seeded

t = tl.from_numpy
CTC, CRF = F.ctc_loss, F.crf1d_loss


def log_probs(r: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    z = r.normal(size=shape) * scale
    return np.asarray(z - np.log(np.exp(z).sum(-1, keepdims=True)))


def collapsed(path: tuple[int, ...], blank: int) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c != blank]


def all_paths(log_p: Array, labels: list[int], blank: int) -> tuple[float, Array]:
    """The loss and its gradient, from every path of classes over the frames."""
    frames, classes = log_p.shape
    found, shares = 0.0, np.zeros_like(log_p)
    for path in itertools.product(range(classes), repeat=frames):
        if collapsed(path, blank) == labels:
            p = math.exp(sum(log_p[i, c] for i, c in enumerate(path)))
            found += p
            shares[range(frames), path] += p
    return (-math.log(found), -shares / found) if found else (math.inf, shares)


@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_is_the_sum_over_all_paths(blank: int) -> None:
    r = seeded("paths")
    for frames, labels in itertools.product((1, 2, 5), ([], [1], [1, 1], [1, 3], [3, 1, 3], [1, 1, 1])):
        x = log_probs(r, frames, 4)
        value, slope = all_paths(x, labels, blank)
        for checked in (True, False):
            with warnings.catch_warnings(), tl.losses.set_value_checks(checked):
                warnings.simplefilter("ignore", tl.LossWarning)
                leaf = t(x).requires_grad_()
                y = CTC(leaf, tl.tensor(labels).long(), (frames,), (len(labels),), blank, "sum")
            assert y.item() == pytest.approx(value, rel=1e-14, abs=1e-14)
            (g,) = autograd.grad(y, leaf)
            np.testing.assert_allclose(g.array, slope, rtol=1e-13, atol=1e-15)


def batch(r: np.random.Generator, frames: int, count: int, classes: int, longest: int, **more: Any) -> list[Array]:
    counts = r.integers(0, longest + 1, size=count)
    lengths = np.maximum(r.integers(frames // 2, frames + 1, size=count), np.minimum(2 * counts, frames))
    return [log_probs(r, frames, count, classes, **more), r.integers(1, classes, size=(count, longest)), lengths, counts]


def test_ctc_takes_its_targets_in_every_form() -> None:
    x, targets, lengths, counts = batch(seeded("forms"), 9, 4, 5, 3)
    expected = CTC(*map(t, (x, targets, lengths, counts)), reduction="none").array
    flat = np.concatenate([row[:n] for row, n in zip(targets, counts, strict=True)])
    padded = np.where(np.arange(3) < counts[:, None], targets, -9)
    as_tuples, as_lists = (tuple(lengths.tolist()), tuple(counts.tolist())), (lengths.tolist(), counts.tolist())
    for labels, (a, b) in itertools.product((flat, padded, padded.astype(np.int8), flat.astype(np.uint8)), (as_tuples, as_lists, (t(lengths), t(counts)))):
        np.testing.assert_array_equal(CTC(t(x), t(labels), a, b, reduction="none").array, expected)
        module = nn.CTCLoss(reduction="none")
        np.testing.assert_array_equal(module(t(x), t(labels), a, b).array, expected)
    for n in range(4):
        a, b = int(lengths[n]), int(counts[n])
        for labels in (targets[n], targets[n, :b], targets[n : n + 1]):
            for lone in ((a, b), ((a,), (b,)), (tl.tensor(a), tl.tensor([b]))):
                y = CTC(t(x[:, n]), t(labels), *lone, reduction="none")
                assert y.shape == () and y.item() == pytest.approx(expected[n], rel=1e-14)


def test_ctc_mean_divides_by_the_target_lengths() -> None:
    x, targets, lengths, counts = map(t, batch(seeded("mean"), 9, 4, 5, 3))
    none = CTC(x, targets, lengths, counts, reduction="none").array
    assert CTC(x, targets, lengths, counts).item() == pytest.approx((none / np.maximum(counts.array, 1)).mean(), rel=1e-14)
    weight, mask = np.array([0.5, 2.0, 0.0, 1.0]), np.array([True, False, True, True])
    got = CTC(x, targets, lengths, counts, sample_weight=t(weight), mask=t(mask)).item()
    assert got == pytest.approx((none / np.maximum(counts.array, 1) * weight * mask).sum() / (weight * mask).sum(), rel=1e-14)


def test_ctc_mask_hides_anything() -> None:
    """Labels that are none, frames of nan, too few frames: nothing of an example left out is looked at."""
    x, targets, lengths, counts = batch(seeded("mask"), 9, 3, 5, 3)
    flat = np.concatenate([row[:n] for row, n in zip(targets, counts, strict=True)])
    mask = t(np.array([True, False, True]))
    expected = CTC(*map(t, (x, targets, lengths, counts)), mask=mask)
    x[:, 1], targets[1], lengths[1] = math.nan, 99, 0
    flat[counts[0] : counts[0] + counts[1]] = 99
    with warnings.catch_warnings(action="error"):
        assert CTC(*map(t, (x, targets, lengths, counts)), mask=mask).item() == expected.item()
        leaf = t(x).requires_grad_()
        y = CTC(leaf, *map(t, (flat, lengths, counts)), mask=mask)
    (g,) = autograd.grad(y, leaf)
    assert y.item() == expected.item() and not g.array[:, 1].any() and np.isfinite(g.array).all()


def test_too_few_frames() -> None:
    x = log_probs(seeded("short"), 2, 3, 4)
    leaf = t(x).requires_grad_()
    args = tl.tensor([[1, 1], [1, 2], [2, 3]]), (2, 2, 1), (2, 2, 2)
    with pytest.warns(tl.LossWarning, match=r"ctc_loss: sample 0 needs >= 3 frames, has 2, and 1 more.*zero_infinity=True"):
        y = CTC(leaf, *args, reduction="none")
    assert np.isinf(y.array).tolist() == [True, False, True]
    (g,) = autograd.grad(y.sum(), leaf, create_graph=True)
    assert not g.array[:, 0].any() and not g.array[:, 2].any() and g.array[:, 1].sum() == pytest.approx(-2.0)
    with warnings.catch_warnings(action="error"):
        z = CTC(leaf, *args, reduction="none", zero_infinity=True)
    assert z.array.tolist() == [0.0, y.array[1], 0.0]
    (h,) = autograd.grad(z.sum(), leaf)
    np.testing.assert_allclose(h.array, g.array, rtol=1e-13)


def test_nothing_to_say_and_nothing_heard() -> None:
    x = log_probs(seeded("empty"), 3, 2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        y = CTC(t(x), tl.zeros(2, 0).long(), (3, 0), (0, 0), reduction="none").array
        z = CTC(t(x), tl.tensor([[1], [1]]), (0, 3), (1, 1), reduction="none").array
        nothing = CTC(t(x[:0]), tl.tensor([[1], [1]]), (0, 0), (1, 0), reduction="none").array
    assert y[0] == pytest.approx(-x[:, 0, 0].sum()) and y[1] == 0.0 and z[0] == math.inf and nothing.tolist() == [math.inf, 0.0]
    assert math.isnan(CTC(t(x[:, :0]), tl.zeros(0, 2).long(), t(np.zeros(0, int)), t(np.zeros(0, int))).item())
    assert CTC(t(x[:, :0]), tl.zeros(0, 2).long(), t(np.zeros(0, int)), t(np.zeros(0, int)), reduction="sum").item() == 0.0


# The sums over paths by hand.


def both_ways(x: Array, targets: Array, lengths: Array, counts: Array, monkeypatch: pytest.MonkeyPatch) -> int:
    """Values and gradients by the sums and by the recursion agree; returns how many examples the sums left."""
    path, g = Alignments(targets, lengths, counts, 0), np.linspace(0.5, 1.5, x.shape[1])
    with np.errstate(all="ignore"):
        sums = _ctc._Sums(x, path, True)
        found = sums.value, sums.gradient(g)
        steps = _ctc._Steps(x, path)
        truth = steps.gradient(g)
    finite = np.isfinite(steps.value)
    np.testing.assert_array_equal(found[0][~finite], steps.value[~finite])
    np.testing.assert_allclose(found[0][finite], steps.value[finite], rtol=2e-13, atol=1e-13)
    np.testing.assert_allclose(found[1], truth, rtol=1e-10, atol=2e-13)
    heard = path.heard(len(x))[:, :, None] & finite[:, None]
    np.testing.assert_allclose(found[1].sum(2), (heard * g[:, None])[:, :, 0], rtol=1e-11)  # the classes share each frame
    return len(sums.left)


def test_the_sums_are_those_of_the_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    r = seeded("sums")
    for frames, count, classes, longest, scale in ((1, 3, 3, 1, 1), (30, 5, 6, 8, 1), (60, 4, 30, 20, 3), (40, 6, 3, 12, 30)):
        assert both_ways(*batch(r, frames, count, classes, longest, scale=scale), monkeypatch) == 0
    monkeypatch.setattr(_ctc, "_BLOCK", 1)  # each example for itself
    both_ways(*batch(r, 30, 5, 6, 8), monkeypatch)


def test_what_probabilities_cannot_hold_is_left_to_the_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confident in the wrong path: the beginnings and the ends of the right one are beyond float64's range."""
    x, targets, lengths, counts = batch(seeded("deep"), 40, 4, 5, 15)
    lengths[:], counts[:] = 40, 15
    x[:, 0, 1:], x[:, 0, 0] = -120.0, 0.0  # nothing but blanks: 15 labels cost 1800
    x[:, 1] = -900.0  # exp(-900) is 0
    x[20, 2] = -739.0  # a number that has lost its digits
    assert both_ways(x, targets, lengths, counts, monkeypatch) == 3
    x[:, 1], x[5, 2], x[7, 3, 4] = math.nan, -math.inf, -math.inf
    path = Alignments(targets, lengths, counts, 0)
    with np.errstate(all="ignore"):
        value = _ctc._Sums(x, path, False).value
    assert np.isfinite(value[[0, 3]]).all() and np.isnan(value[1]) and value[2] == -math.inf


def test_digits_do_not_depend_on_the_neighbours() -> None:
    x, targets, lengths, counts = batch(seeded("alone"), 20, 6, 5, 6)
    leaf = t(x).requires_grad_()
    y = CTC(leaf, *map(t, (targets, lengths, counts)), reduction="none")
    (g,) = autograd.grad(y.sum(), leaf)
    for n in range(6):
        rows = np.array([n, (n + 1) % 6])
        worse = x[:, rows].copy()
        worse[:, 1] = log_probs(seeded(f"worse{n}"), 20, 5, scale=100.0)
        part = t(worse).requires_grad_()
        z = CTC(part, *map(t, (targets[rows], lengths[rows], counts[rows])), reduction="none")
        (h,) = autograd.grad(z.sum(), part)
        assert z.array[0] == y.array[n]
        np.testing.assert_array_equal(h.array[:, 0], g.array[:, n])


def test_float32_is_computed_in_float64() -> None:
    x, targets, lengths, counts = batch(seeded("wide"), 200, 3, 20, 40)
    narrow = x.astype(np.float32)
    exact = CTC(*map(t, (narrow.astype(float), targets, lengths, counts)), reduction="none").array
    np.testing.assert_allclose(CTC(*map(t, (narrow, targets, lengths, counts)), reduction="none").array, exact, rtol=1.2e-7)


def test_third_derivative() -> None:
    x = log_probs(seeded("third"), 3, 1, 3)
    leaf = t(x).requires_grad_()

    def second(z: Any) -> Any:
        (g,) = autograd.grad(CTC(z, tl.tensor([[1, 2]]), (3,), (2,)), z, create_graph=True)
        return autograd.grad((g * g).sum(), z, create_graph=True)[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LossWarning)
        assert autograd.gradcheck(second, (leaf,), eps=1e-6, atol=1e-6, rtol=1e-5)


# Chains of tags.


def all_tags(transitions: Array, scores: Array, tags: Array) -> float:
    def score(path: Any) -> float:
        steps = zip(path[:-1], path[1:], strict=True)
        return float(sum(s[c] for s, c in zip(scores, path, strict=True)) + sum(transitions[a, b] for a, b in steps))

    found = [score(p) for p in itertools.product(range(len(transitions)), repeat=len(tags))]
    return float(np.logaddexp.reduce(found) - score(tags.tolist()))


def test_crf_is_the_sum_over_all_tags() -> None:
    r = seeded("tags")
    transitions, scores, tags = r.normal(size=(3, 3)), r.normal(size=(6, 5, 3)), r.integers(0, 3, size=(6, 5))
    mask = r.uniform(size=(6, 5)) < 0.6  # with gaps
    mask[0], mask[1] = True, False
    junk, wild = np.where(mask[:, :, None], scores, math.nan), np.where(mask, tags, -7)
    got = CRF(t(transitions), t(junk), t(wild), t(mask), reduction="none").array
    expected = [all_tags(transitions, scores[n][mask[n]], tags[n][mask[n]]) for n in range(6)]
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14)
    lone = CRF(t(transitions), t(scores[2]), t(tags[2]))
    assert lone.shape == () and lone.item() == pytest.approx(all_tags(transitions, scores[2], tags[2]), rel=1e-13)
    module = nn.CRF1dLoss(nn.Parameter(t(transitions)), reduction="sum")
    assert module(t(scores), t(tags)).item() == pytest.approx(CRF(t(transitions), t(scores), t(tags), reduction="sum").item())
    assert [n for n, _ in module.named_parameters()] == ["transitions"]


def test_forbidden_transitions() -> None:
    r = seeded("forbidden")
    transitions, scores = r.normal(size=(3, 3)), r.normal(size=(4, 4, 3))
    transitions[0, 2] = transitions[1, 1] = -math.inf
    tags = np.array([[0, 1, 0, 0], [2, 2, 1, 2], [0, 2, 2, 2], [0, 0, 0, 0]])  # the third takes one of them
    a, b = t(transitions).requires_grad_(), t(scores).requires_grad_()
    y = CRF(a, b, t(tags), reduction="none")
    expected = [all_tags(transitions, scores[n], tags[n]) if n != 2 else math.inf for n in range(4)]
    np.testing.assert_allclose(y.array, expected, rtol=1e-13)
    for create in (False, True):
        g, h = autograd.grad(y.sum(), (a, b), create_graph=create, retain_graph=True)
        assert np.isfinite(g.array).all() and np.isfinite(h.array).all() and not h.array[2].any()
        assert g.array[0, 2] == 0.0 == g.array[1, 1]


def test_crf_of_a_certain_path_keeps_its_digits() -> None:
    scores = np.array([[0.0, -40.0], [0.0, -40.0]])
    for kind in (np.float64, np.float32):
        y = CRF(tl.zeros(2, 2, dtype=tl.float64), t(scores.astype(kind)), tl.tensor([0, 0]))
        assert y.item() == pytest.approx(2 * math.exp(-40.0), rel=1e-7)


# Bad input.

X = t(log_probs(seeded("bad"), 5, 2, 4))
TARGETS = tl.tensor([[1, 2], [3, 3]])
MISTAKES: list[tuple[str, Any, type[Exception], list[str]]] = [
    ("a label too large", lambda: CTC(X, tl.tensor([[1, 2], [3, 4]]), (5, 5), (2, 2)), IndexError, ["ctc_loss: targets[1, 1] = 4", "C=4", "0..3"]),
    ("a huge label", lambda: CTC(X, tl.tensor([[1, 10**8], [3, 3]]), (5, 5), (2, 2)), IndexError, ["ctc_loss: targets[0, 1] = 100000000"]),
    ("a negative label", lambda: CTC(X, tl.tensor([[-3, 2], [3, 3]]), (5, 5), (2, 2)), IndexError, ["ctc_loss: targets[0, 0] = -3"]),
    ("a label in one dimension", lambda: CTC(X, tl.tensor([1, 2, 9]), (5, 5), (1, 2)), IndexError, ["ctc_loss: targets[1, 1] = 9"]),
    ("the blank as a label", lambda: CTC(X, tl.tensor([[1, 2], [0, 3]]), (5, 5), (2, 2)), IndexError, ["ctc_loss: targets[1, 0] = 0 is the blank"]),
    ("another blank as a label", lambda: CTC(X, TARGETS, (5, 5), (2, 2), 3), IndexError, ["ctc_loss: targets[1, 0] = 3 is the blank"]),
    ("one example", lambda: CTC(X[:, 0], tl.tensor([1, 7]), 5, 2), IndexError, ["ctc_loss: targets[1] = 7"]),
    ("a blank that is no class", lambda: CTC(X, TARGETS, (5, 5), (2, 2), 4), ValueError, ["ctc_loss: blank=4", "C=4"]),
    ("a negative blank", lambda: CTC(X, TARGETS, (5, 5), (2, 2), -1), ValueError, ["ctc_loss: blank=-1", ">= 0"]),
    ("more frames than there are", lambda: CTC(X, TARGETS, (5, 6), (2, 2)), ValueError, ["ctc_loss: input_lengths[1] = 6", "T=5"]),
    ("more labels than there are", lambda: CTC(X, TARGETS, (5, 5), (3, 2)), ValueError, ["ctc_loss: target_lengths[0] = 3", "S=2"]),
    ("a negative length", lambda: CTC(X, TARGETS, (-1, 5), (2, 2)), ValueError, ["ctc_loss: input_lengths[0] = -1"]),
    ("a negative target length", lambda: CTC(X, tl.tensor([1, 2]), (5, 5), (-1, 3)), ValueError, ["ctc_loss: target_lengths[0] = -1"]),
    ("lengths that do not add up", lambda: CTC(X, tl.tensor([1, 2, 3]), (5, 5), (2, 2)), ValueError, ["ctc_loss: targets", "(3,)", "target_lengths", "4", "(N, S)"]),
    ("too few lengths", lambda: CTC(X, TARGETS, (5,), (2, 2)), ValueError, ["ctc_loss: input_lengths", "(1,)", "(2,)"]),
    ("one length for all", lambda: CTC(X, TARGETS, 5, (2, 2)), ValueError, ["ctc_loss: input_lengths", "()", "(2,)"]),
    ("lengths with fractions", lambda: CTC(X, TARGETS, (5, 4.5), (2, 2)), TypeError, ["ctc_loss: input_lengths", "ints", "4.5"]),
    ("float lengths", lambda: CTC(X, TARGETS, tl.tensor([5.0, 5.0]), (2, 2)), TypeError, ["ctc_loss: input_lengths", "float32"]),
    ("float targets", lambda: CTC(X, TARGETS.float(), (5, 5), (2, 2)), RuntimeError, ["ctc_loss: targets", "float32", ".long()"]),
    ("the batch first", lambda: CTC(X.transpose(0, 1), TARGETS, (5, 5), (2, 2)), ValueError, ["ctc_loss: targets", "(2, 2)"]),
    ("probabilities", lambda: CTC(X.exp(), TARGETS, (5, 5), (2, 2)), ValueError, ["ctc_loss: log_probs[0, 0, 0]", "log_softmax"]),
    ("a tag that is no class", lambda: CRF(tl.zeros(2, 2), tl.zeros(1, 3, 2), tl.tensor([[0, 2, 0]])), IndexError, ["crf1d_loss: tags[0, 1] = 2", "C=2", "mask="]),
    ("padding as a tag", lambda: CRF(tl.zeros(2, 2), tl.zeros(3, 2), tl.tensor([0, 1, -100])), IndexError, ["crf1d_loss: tags[2] = -100", "mask="]),
    ("transitions of other tags", lambda: CRF(tl.zeros(3, 3), tl.zeros(1, 3, 2), tl.tensor([[0, 1, 0]])), ValueError, ["crf1d_loss: transitions", "(3, 3)", "(2, 2)"]),
    ("a mask of numbers", lambda: CRF(tl.zeros(2, 2), tl.zeros(1, 3, 2), tl.tensor([[0, 1, 0]]), tl.ones(1, 3)), TypeError, ["crf1d_loss: mask", "!= 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistake(call: Any, kind: Any, words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    assert "\n" not in message and len(message) < 420


def test_unnormalised_frames_are_noticed() -> None:
    with pytest.warns(tl.LossWarning, match=r"ctc_loss: log_probs: expected log-probabilities.*log_softmax\(logits, dim=2\)"):
        CTC(t(-np.ones((5, 2, 6))), TARGETS, (5, 5), (2, 2))


# Losses with parameters.


LCE = F.linear_cross_entropy


def test_linear_cross_entropy_is_cross_entropy_of_a_linear_layer() -> None:
    r = seeded("linear")
    for sizes in ((), (2,), (2, 3)):
        x, weight, bias = r.normal(size=(5, 3)), r.normal(size=(4, *sizes, 3)), r.normal(size=(4, *sizes))
        target, scale = r.integers(0, 4, size=(5, *sizes)), r.uniform(0.5, 2.0, size=4)
        target.flat[1] = -100
        mask, count = r.uniform(size=(5, *sizes)) < 0.7, r.uniform(0.5, 2.0, size=(5, *sizes))
        for how in ("none", "mean", "sum"):
            found = []
            for together in (True, False):
                leaves = [t(a).requires_grad_() for a in (x, weight, bias)]
                more = {"weight": t(scale), "label_smoothing": 0.1, "mask": t(mask), "sample_weight": t(count), "reduction": how}
                if together:
                    y = LCE(leaves[0], leaves[1], t(target), linear_bias=leaves[2], **more)
                else:
                    logits = F.linear(leaves[0], leaves[1].reshape(-1, 3), leaves[2].reshape(-1)).reshape(5, 4, *sizes)
                    y = F.cross_entropy(logits, t(target), **more)
                found.append([y, *autograd.grad(y.sum(), leaves)])
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a.array, b.array, rtol=1e-12, atol=1e-14)


def test_linear_cross_entropy_ignores_what_torch_ignores() -> None:
    x, weight, target = tl.ones(3, 2), tl.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), tl.tensor([0, -100, 2])
    expected = F.cross_entropy(x @ weight.T, target).item()
    for checked in (True, False):
        with tl.losses.set_value_checks(checked):
            assert LCE(x, weight, target).item() == pytest.approx(expected) == LCE(x, weight, target, ignore_index=-100).item()
    with pytest.raises(IndexError, match=r"linear_cross_entropy: target\[1\] = -100"):
        LCE(x, weight, target, ignore_index=0)
    with pytest.raises(RuntimeError, match=r"linear_cross_entropy: ignore_index=-100 .*probabilities"):
        LCE(x, weight, tl.ones(3, 3) / 3, ignore_index=-100)
    with pytest.raises(ValueError, match=r"linear_cross_entropy: options=.*expected None"):
        LCE(x, weight, target, options="chunks")


def test_logits_beyond_float32() -> None:
    """The products overflow, the loss does not."""
    x, weight = tl.tensor([[1e25, 1e25]], requires_grad=True), tl.tensor([[1e20, -1e20], [-1e20, 0.9e20]])
    y = LCE(x, weight, tl.tensor([0]))
    y.backward()
    assert y.item() == 0.0 and np.isfinite(x.grad.array).all()


def test_bad_adaptive_softmax() -> None:
    for cutoffs in ([], [0, 5], [5, 5], [7, 3], [20], [2.5]):
        with pytest.raises(ValueError, match=r"AdaptiveLogSoftmaxWithLoss: cutoffs=.*to at most n_classes - 1 = 19"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)
    model = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5])
    for x, y in ((tl.zeros(3, 7), tl.zeros(3).long()), (tl.zeros(3, 8), tl.zeros(2).long()), (tl.zeros(3, 8), tl.zeros(3, 1).long())):
        with pytest.raises(RuntimeError, match=r"AdaptiveLogSoftmaxWithLoss: input has shape .* expected \(N, 8\) and \(N,\)"):
            model(x, y)
    with pytest.raises(IndexError, match=r"AdaptiveLogSoftmaxWithLoss: target\[1\] = 20 .*0 to 19"):
        model(tl.zeros(2, 8), tl.tensor([0, 20]))
    with pytest.raises(TypeError, match="AdaptiveLogSoftmaxWithLoss: target has dtype float32"):
        model(tl.zeros(2, 8), tl.zeros(2))
    with pytest.raises(ValueError, match=r"LinearCrossEntropyLoss: weight has shape \(3,\); expected \(4,\)"):
        nn.LinearCrossEntropyLoss(5, 4, weight=tl.ones(3))
    with pytest.raises(ValueError, match="LinearCrossEntropyLoss: reduction='avg'"):
        nn.LinearCrossEntropyLoss(5, 4, reduction="avg")
    with pytest.raises(ValueError, match=r"linear_cross_entropy: label_smoothing=2.0"):
        nn.LinearCrossEntropyLoss(5, 4, label_smoothing=2.0)


# Taking a tensor apart.


def sizes_read(results: tuple[Any, ...]) -> int:
    """How many elements the tensors have that the graph of these results reads: what a backward has to write at most."""
    seen, stack, total = set(), list(results), 0
    while stack:
        y = stack.pop()
        if id(y) not in seen and y.op is not None:
            seen.add(id(y))
            total += sum(a.array.size for a in y.args if isinstance(a, tl.Tensor))
            stack += [a for a in y.args if isinstance(a, tl.Tensor)]
    return total


@pytest.mark.parametrize("apart", [tl.unbind, lambda x: tl.split(x, 1), lambda x: tl.split(x, [1] * len(x)), lambda x: tl.chunk(x, len(x))])
def test_many_slices_do_not_cost_a_full_gradient_each(apart: Any) -> None:
    x = tl.ones(1000, 3, requires_grad=True)
    slices = apart(x)
    assert len(slices) == 1000 and sizes_read(slices) < 30 * 3000
    sum((y.reshape(3) * float(i) for i, y in enumerate(slices)), tl.zeros(3)).sum().backward()
    np.testing.assert_array_equal(x.grad.array, np.repeat(np.arange(1000.0, dtype=np.float32)[:, None], 3, 1))
