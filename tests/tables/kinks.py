"""The derivative where there are two: at each kink of a loss, and of what losses are made of; torch 2.13's beside it.

``f`` is code of a function of ``x``; ``at`` the point. None for torch: it has no such function.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

nan = math.nan


class Kink(NamedTuple):
    where: str
    f: str
    at: Any
    slope: Any
    torch: Any


KINKS = [
    Kink("l1_loss at equality", "F.l1_loss(x, t(1.0))", 1.0, 0.0, 0.0),
    Kink("smooth_l1_loss, beta=0, at equality", "F.smooth_l1_loss(x, t(1.0), beta=0.0)", 1.0, 0.0, 0.0),
    Kink("smooth_l1_loss at the joint", "F.smooth_l1_loss(x, t(0.0), beta=2.0)", 2.0, 1.0, 1.0),
    Kink("huber_loss at the joint", "F.huber_loss(x, t(0.0), delta=2.0)", -2.0, -2.0, -2.0),
    Kink("rmse_loss of a perfect fit", "F.rmse_loss(x, t(1.0))", 1.0, 0.0, None),
    Kink("mape_loss at equality", "F.mape_loss(x, t(2.0))", 2.0, 0.0, None),
    Kink("smape_loss at equality", "F.smape_loss(x, t(2.0))", 2.0, 0.0, None),
    Kink("msle_loss at equality", "F.msle_loss(x, t(2.0))", 2.0, 0.0, None),
    Kink("quantile_loss at equality", "F.quantile_loss(x, t(1.0), q=0.9)", 1.0, 0.0, None),
    Kink("gaussian_nll_loss, by var, at var = eps", "F.gaussian_nll_loss(t(2.0), t(0.0), x, eps=0.5)", 0.5, -7.0, -7.0),
    Kink("gaussian_nll_loss, by var, below eps", "F.gaussian_nll_loss(t(2.0), t(0.0), x, eps=0.5)", 0.25, -7.0, -7.0),
    Kink("binary_cross_entropy at p = 0, target 1", "F.binary_cross_entropy(x, t(1.0))", 0.0, -1e12, -1e12),
    Kink("binary_cross_entropy at p = 1, target 1", "F.binary_cross_entropy(x, t(1.0))", 1.0, 0.0, 0.0),
    Kink("kl_div, by the target, at target 0", 'F.kl_div(t(-1.0), x, reduction="sum")', 0.0, 1.0, nan),
    Kink("hinge_embedding_loss at the margin", "F.hinge_embedding_loss(x, t(-1.0))", 1.0, -1.0, -1.0),
    Kink("margin_ranking_loss at the margin", "F.margin_ranking_loss(x, t(0.5), t(1.0), margin=0.5)", 1.0, -1.0, -1.0),
    Kink("multi_margin_loss at the margin", "F.multi_margin_loss(x, t(0))", [1.5, 0.5], [0.0, 0.0], [0.0, 0.0]),
    Kink("multilabel_margin_loss at the margin", "F.multilabel_margin_loss(x, t([0, -1]))", [1.5, 0.5], [0.0, 0.0], [0.0, 0.0]),
    Kink("hinge_loss at the margin", "F.hinge_loss(x, t(1.0))", 1.0, -1.0, None),
    Kink("hinge_loss, squared, at the margin", "F.hinge_loss(x, t(1.0), squared=True)", 1.0, 0.0, None),
    Kink("perceptron_loss at a score of 0", "F.perceptron_loss(x, t(1.0))", 0.0, -1.0, None),
    Kink("categorical_hinge_loss at the margin", "F.categorical_hinge_loss(x, t(0))", [1.5, 0.5], [-1.0, 1.0], None),
    Kink("categorical_hinge_loss, two best rivals", "F.categorical_hinge_loss(x, t(0))", [0.0, 1.0, 1.0], [-1.0, 0.5, 0.5], None),
    Kink("sparsemax_loss at a lead of 1", "F.sparsemax_loss(x, t(0))", [1.5, 0.5], [0.0, 0.0], None),
    Kink("cosine_embedding_loss at the margin", "F.cosine_embedding_loss(x, t([0.0, 1.0]), t(-1.0))", [2.0, 0.0], [0.0, 0.5], [0.0, 0.5]),
    Kink("cosine_embedding_loss of a zero vector", "F.cosine_embedding_loss(x, t([1.0, 0.0]), t(1.0))", [0.0, 0.0], [0.0, 0.0], [-1e6, 0.0]),
    Kink("triplet_margin_loss at the margin", "F.triplet_margin_loss(x, t([3.0]), t([-3.0]), margin=6.0, eps=0.0)", [-0.0], [-2.0], [-2.0]),
    Kink("triplet_margin_loss, identical points", "F.triplet_margin_loss(x, t([1.0]), t([1.0]))", [1.0], [0.0], [0.0]),
    Kink("contrastive_loss at the margin", "F.contrastive_loss(x, t([0.0]), t(0.0))", [1.0], [0.0], None),
    Kink("contrastive_loss, identical points", "F.contrastive_loss(x, t([1.0]), t(0.0))", [1.0], [0.0], None),
    Kink("abs at 0", "x.abs()", 0.0, 0.0, 0.0),
    Kink("relu at 0", "F.relu(x)", 0.0, 0.0, 0.0),
    Kink("clamp at its bound", "x.clamp(min=0.0)", 0.0, 1.0, 1.0),
    Kink("maximum of two equal", "lib.maximum(x, t(0.0))", 0.0, 0.5, 0.5),
    Kink("max over ties", "x.max()", [1.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
    Kink("max along an axis, over ties", "x.max(0).values", [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    Kink("sqrt at 0", "x.sqrt()", 0.0, math.inf, math.inf),
    Kink("norm of 0", "x.norm()", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    Kink("std of equal values", "x.std()", [2.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
    Kink("prod with a 0", "x.prod()", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0], [6.0, 0.0, 0.0]),
]  # fmt: skip


def slope(lib: Any, kink: Kink) -> Any:
    """The derivative that a library gives there."""
    x = lib.tensor(kink.at, requires_grad=True)
    with warnings.catch_warnings(action="ignore"):
        y = eval(kink.f, {"F": lib.nn.functional, "t": lib.tensor, "lib": lib, "x": x})  # the code of this table
        return lib.autograd.grad(y, x)[0].tolist()
