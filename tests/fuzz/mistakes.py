"""The mistakes that users make, at random shapes: each has to raise or to warn."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss import nn
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Binding
from tinygrad_loss.nn import functional as F

from .report import Report

REFUSALS = (ValueError, RuntimeError, IndexError, TypeError)
Random = np.random.Generator
PAIRS = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
OTHERS = ("poisson_nll_loss", "gaussian_nll_loss", "hinge_embedding_loss", "multilabel_soft_margin_loss", "kl_div", "triplet_margin_loss")
SIGNED = ("soft_margin_loss", "hinge_loss", "hinge_embedding_loss", "margin_ranking_loss", "cosine_embedding_loss")


class Draw:
    """Random sizes and what follows from them: at least two of each, where one would make a mistake legal."""

    def __init__(self, r: Random) -> None:
        self.r, self.n, self.c = r, int(r.integers(2, 9)), int(r.integers(3, 8))
        self.rest = tuple(int(k) for k in r.integers(1, 4, size=r.integers(0, 3)))
        self.shape = (self.n, self.c, *self.rest)

    def logits(self, *shape: int) -> Any:
        return tl.tensor(self.r.normal(size=shape or self.shape) * 2.0 + 0.1)

    def labels(self, *shape: int) -> Any:
        return tl.tensor(self.r.integers(0, self.c, size=shape or (self.n, *self.rest)))

    def one(self, names: tuple[str, ...]) -> Any:
        return getattr(F, str(self.r.choice(names)))


def float_labels(d: Draw) -> Any:
    return F.cross_entropy(d.logits(), d.labels().double())


def one_hot(d: Draw) -> Any:
    return F.cross_entropy(d.logits(d.n, d.c), F.one_hot(d.labels(d.n), d.c))


def column_against_row(d: Draw) -> Any:
    return d.one(PAIRS)(tl.rand(d.n, 1), tl.rand(d.n))


def row_against_column(d: Draw) -> Any:
    return d.one(PAIRS)(tl.rand(d.n), tl.rand(d.n, 1))


def silent_broadcast(d: Draw) -> Any:
    loss = d.one(OTHERS)
    return loss(-tl.ones(d.n, d.c), *[tl.ones(d.c)] * (len(loss.declaration.required) - 1))


def softmax_twice(d: Draw) -> Any:
    return F.cross_entropy(F.softmax(d.logits().requires_grad_(), 1), d.labels())


def sigmoid_twice(d: Draw) -> Any:
    return F.binary_cross_entropy_with_logits(tl.sigmoid(d.logits().requires_grad_()), tl.ones(d.shape, dtype=tl.float64))


def logits_into_bce(d: Draw) -> Any:
    x = d.logits()
    x[(0,) * x.ndim] = 1.0 + d.r.exponential()
    return F.binary_cross_entropy(x, tl.ones(d.shape, dtype=tl.float64))


def nll_of_probabilities(d: Draw) -> Any:
    return F.nll_loss(F.softmax(d.logits(), 1), d.labels())


def nll_of_scores(d: Draw) -> Any:
    return F.nll_loss(-abs(d.logits()) - 0.1, d.labels())


def kl_mean(d: Draw) -> Any:
    return F.kl_div(F.log_softmax(d.logits(), 1), F.softmax(d.logits(), 1))


def kl_of_probabilities(d: Draw) -> Any:
    p = F.softmax(d.logits(), 1)
    return F.kl_div(p, p, reduction="sum")


def kl_swapped(d: Draw) -> Any:
    return F.kl_div(F.softmax(d.logits(), 1), F.log_softmax(d.logits(), 1), reduction="batchmean")


def kl_of_log_target(d: Draw) -> Any:
    return F.kl_div(F.log_softmax(d.logits(), 1), F.log_softmax(d.logits(), 1), reduction="sum")


def label_out_of_range(d: Draw) -> Any:
    labels = d.labels()
    at = tuple(int(d.r.integers(k)) for k in labels.shape)
    labels[at] = int(d.r.choice([-1, -2, d.c, d.c + 1, 255, -101, 2**40]))
    return F.cross_entropy(d.logits(), labels)


def column_of_labels(d: Draw) -> Any:
    return F.cross_entropy(d.logits(d.n, d.c), d.labels(d.n, 1))


def no_batch(d: Draw) -> Any:
    return F.cross_entropy(d.logits(d.c), d.labels(1))


def classes_last(d: Draw) -> Any:
    length = d.c + int(d.r.integers(1, 4))
    return F.cross_entropy(d.logits(d.n, length, d.c), d.labels(d.n, length))


def all_ignored(d: Draw) -> Any:
    return F.cross_entropy(d.logits(), tl.full((d.n, *d.rest), -100, dtype=tl.int64))


def all_masked(d: Draw) -> Any:
    x = d.logits()
    return d.one(PAIRS[:4])(x, x + 1.0, mask=x != x)


def labels_0_and_1(d: Draw) -> Any:
    loss, y = d.one(SIGNED), tl.tensor(d.r.integers(0, 2, d.n).astype(float))
    y[0] = 0.0
    x = tl.rand(d.n, d.c) if loss.name.startswith("cosine") else tl.rand(d.n)
    return loss(*[x] * (len(loss.declaration.required) - 1), y.float())


def backward_of_many(d: Draw) -> Any:
    return F.mse_loss(d.logits().requires_grad_(), d.logits(), reduction="none").backward()


def cut_by_item(d: Draw) -> Any:
    return F.mse_loss(tl.tensor(d.logits().requires_grad_().sum().item()), tl.tensor(0.0)).backward()


def cut_by_argmax(d: Draw) -> Any:
    x = d.logits(d.n, d.c).requires_grad_()
    return F.l1_loss(x.argmax(1).float(), d.labels(d.n).float()).backward()


def cut_by_no_grad(d: Draw) -> Any:
    with tl.no_grad():
        loss = F.cross_entropy(d.logits().requires_grad_(), d.labels())
    return loss.backward()


def backward_twice(d: Draw) -> Any:
    loss = F.cross_entropy(d.logits().requires_grad_() * 2.0, d.labels())
    loss.backward()
    return loss.backward()


def no_zero_grad(d: Draw) -> Any:
    w = d.logits().requires_grad_()
    optimizer = tl.optim.SGD([w], lr=0.1)
    for _ in range(2):
        F.mse_loss(w, tl.zeros(d.shape, dtype=tl.float64)).backward()
        optimizer.step()


def running_sum(d: Draw) -> Any:
    running = tl.zeros((), dtype=tl.float64)
    loss = F.mse_loss(d.logits().requires_grad_(), d.logits())
    loss.backward()
    running += loss
    return running


def root_at_zero(d: Draw) -> Any:
    w = tl.ones(d.shape, requires_grad=True)
    with tl.autograd.detect_anomaly():
        tl.sqrt(F.mse_loss(w, tl.ones(d.shape))).backward()


def ctc_of_scores(d: Draw) -> Any:
    lengths = ((d.n + 2,) * 2, (1,) * 2)
    return F.ctc_loss(abs(d.logits(d.n + 2, 2, d.c)) + 0.1, tl.ones(2, 1, dtype=tl.int64), *lengths)


def ctc_too_short(d: Draw) -> Any:
    """inf, as in torch: nothing else says it."""
    log_probs = F.log_softmax(d.logits(2, 1, d.c), 2)
    value = F.ctc_loss(log_probs, tl.ones(1, 2, dtype=tl.int64), (2,), (2,))
    if value.item() == float("inf"):
        raise ValueError("inf")


def swapped(d: Draw) -> Any:
    return F.cross_entropy(d.labels(), d.logits())


def swapped_bce(d: Draw) -> Any:
    y = tl.tensor(d.r.integers(0, 2, d.n).astype(float))
    return F.binary_cross_entropy(y, tl.rand(d.n, dtype=tl.float64) * 0.8 + 0.1)


def tensors_to_constructor(d: Draw) -> Any:
    x = d.logits()
    return getattr(nn, str(d.r.choice(["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "KLDivLoss", "SoftMarginLoss"])))(x, x)


def pos_weight_shape(d: Draw) -> Any:
    x = d.logits(d.n, d.c, 2, d.c + 1)
    return F.binary_cross_entropy_with_logits(x, tl.ones(x.shape, dtype=tl.float64), pos_weight=tl.ones(d.c))


def negative_weight(d: Draw) -> Any:
    w = tl.ones(d.c)
    w[int(d.r.integers(d.c))] = -0.5
    return F.cross_entropy(d.logits(), d.labels(), weight=w.double())


def misspelt(d: Draw) -> Any:
    return d.one(PAIRS)(tl.rand(d.n), tl.rand(d.n), reduction=str(d.r.choice(["avg", "Mean", "batchmeen", ""])))


def objects_for_numbers(d: Draw) -> Any:
    return d.one(PAIRS[:4])(d.logits(), d.logits().numpy().astype(object))


MISTAKES: dict[str, Callable[[Draw], Any]] = {
    name: f for name, f in dict(globals()).items()
    if inspect.isfunction(f) and f.__module__ == __name__ and list(inspect.signature(f).parameters) == ["d"]
}  # fmt: skip


def said(call: Callable[[Draw], Any], d: Draw) -> str:
    """The name of the error or warning; "" for silence.

    Advice is looked for in calls 1, 2, 4, 8 ... with the same shapes and options: each of these calls is a first one."""
    for loss in LOSSES.values():
        loss._bindings, loss._last = [], Binding()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call(d)
        except REFUSALS as error:
            return type(error).__name__
    return next((w.category.__name__ for w in caught if issubclass(w.category, tl.LossWarning)), "")


def fuzz(seed: int, only: str = "", rounds: int = 5, report: Report | None = None) -> Report:
    """``rounds`` random shapes of each mistake."""
    report = report or Report()
    report.seeds.append(seed)
    r = np.random.default_rng([seed, 2])
    for name, call in MISTAKES.items():
        for _ in range(rounds):
            d = Draw(r)
            report.count(name)
            try:
                if not said(call, d):
                    report.fault(f"{name} is silent", f"--part mistakes --rounds 1 --seed {seed}: n={d.n}, c={d.c}, rest={d.rest}")
            except Exception as error:
                report.fault(f"{name} raises {type(error).__name__}", f"--part mistakes --rounds 1 --seed {seed}: n={d.n}, c={d.c}, rest={d.rest}: {error}")
    return report
