"""Where a loss differs from torch 2.13 on purpose: the call as code, what torch gives, what is given here, and why.

``t`` makes a tensor, ``grad(f, x)`` the derivative of f at x, ``z`` is 0.5 of shape (1, 3, 3); F and nn are either
library's. A string in the place of
an answer is the name of the exception raised.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

inf, nan = math.inf, math.nan
UNSAFE = "garbage, or a crash"  # not called: it reads outside its arrays
TINY = 4.24835e-18  # exp(-40)


class Deviation(NamedTuple):
    call: str
    torch: Any
    ours: Any
    why: str


LIMITS = [  # torch's answer is no number, or has lost its digits, where the limit is defined
    Deviation("F.cross_entropy(t([[0.0, -40.0]]), t([0]))", 0.0, TINY, "log(1 + exp(-40)): a confident prediction keeps its digits"),
    Deviation("grad(lambda x: F.cross_entropy(x, t([0])), [[0.0, -40.0]])", [[0.0, TINY]], [[-TINY, TINY]], "the gradient of a row sums to 0"),
    Deviation("F.linear_cross_entropy(t([[40.0]]), t([[1.0], [0.0]]), t([0]))", 0.0, TINY, "as above"),
    Deviation("F.log_softmax(t([0.0, -40.0]), 0)", [0.0, -40.0], [-TINY, -40.0], "as above"),
    Deviation("F.softplus(t([21.0]).double()) - 21", [0.0], [7.582557e-10], "log(1 + exp(-21)): no threshold"),
    Deviation("F.binary_cross_entropy_with_logits(t([-40.0]), t([0.0]))", 0.0, TINY, "the mirror image of (40, 1), which torch gets right"),
    Deviation("grad(lambda x: F.binary_cross_entropy_with_logits(x, t([1.0])), [40.0])", [0.0], [-TINY], "-sigmoid(-40)"),
    Deviation("grad(lambda x: F.binary_cross_entropy(x, t([0.0])), [1.0])", [1e12], [33333334.0], "a float32 that was rounded to 1: 1 - p may be 3e-8"),
    Deviation("F.binary_cross_entropy_with_logits(t([-inf]), t([0.0]))", nan, 0.0, "log(1 + exp(-inf)) is 0"),
    Deviation("F.binary_cross_entropy_with_logits(t([inf]), t([1.0]))", nan, 0.0, "as above"),
    Deviation("F.cross_entropy(t([[0.0, 0.0, -inf]]), t([[0.5, 0.5, 0.0]]))", nan, 0.6931472, "0 log 0 is 0"),
    Deviation('F.nll_loss(t([[-inf, 0.0]]), t([0]), weight=t([0.0, 1.0]), reduction="sum")', nan, 0.0, "a class of weight 0 does not count"),
    Deviation("F.mse_loss(t([1e30, 1.0]), t([0.0, 0.0]), weight=t([0.0, 1.0]))", nan, 1.0, "a weight of 0 leaves out, also what overflows"),
    Deviation('F.kl_div(t([-inf]), t([0.0]), reduction="sum")', nan, 0.0, "0 log 0 is 0"),
    Deviation('F.kl_div(t([-1.0]), t([-inf]), reduction="sum", log_target=True)', nan, 0.0, "exp(-inf) * -inf is 0"),
    Deviation('grad(lambda y: F.kl_div(t([-1.0]), y, reduction="sum"), [0.0])', [nan], [1.0], "-input: the part of log y at 0 counts as constant"),
    Deviation("grad(lambda y: F.poisson_nll_loss(t([0.5]), y, full=True), [0.0])", [nan], [-0.5], "Stirling's term does not act at 0"),
    Deviation("F.poisson_nll_loss(t([0.0]), t([0.0]), log_input=False, eps=0.0)", nan, 0.0, "0 log 0 is 0"),
    Deviation("F.gaussian_nll_loss(t([1e25]), t([0.0]), t([1e30]))", inf, 5e19, "the square overflows, the quotient does not"),
    Deviation("F.soft_margin_loss(t([-1000.0]), t([1.0]))", inf, 1000.0, "log(1 + exp(1000)) is 1000"),
    Deviation("grad(lambda x: F.soft_margin_loss(x, t([1.0])), [-1000.0])", [nan], [-1.0], "as above"),
    Deviation("F.cosine_embedding_loss(t([[1e20, 0.0]]), t([[1e20, 1e20]]), t([-1.0]))", nan, 0.7071068, "a cosine does not depend on lengths"),
    Deviation("F.cosine_embedding_loss(t([[1e-30, 0.0]]), t([[1e-30, 0.0]]), t([-1.0]))", 0.0, 1.0, "as above; 1e-12 beside the lengths decides it"),
    Deviation("F.cosine_similarity(t([[1e30, 0.0]]), t([[1e30, 0.0]]))", [0.0], [1.0], "as above"),
    Deviation("F.triplet_margin_loss(t([[3e38]]), t([[-3e38]]), t([[-3e38]]))", nan, 1.0, "two equal distances, both too large for a float"),
    Deviation("F.cross_entropy(t([[0.0] * 30000]).half(), t([0]), label_smoothing=0.1)", inf, 10.3125, "float16 is computed in float32, rounded once"),
    Deviation(
        "grad(lambda x: F.cross_entropy(x, t([0]), weight=t([0.0, 1.0])), [[1.0, 2.0]])", [[nan, nan]], [[0.0, 0.0]],
        "the mean of nothing is nan, its gradient 0",
    ),
    Deviation(
        "grad(lambda x: F.ctc_loss(F.log_softmax(x, 2), t([[1, 1]]), (1,), (2,)), [[[0.0, 1.0]]])", [[[nan, nan]]], [[[0.0, 0.0]]],
        "too few frames: inf, whatever is done",
    ),
    Deviation(
        "grad(lambda x: F.ctc_loss(x, t([[1]]), (1,), (1,)), [[[-0.6931472] * 2]])", [[[0.5, -0.5]]], [[[0.0, -1.0]]],
        "torch: the derivative before log_softmax",
    ),
]  # fmt: skip
NANS = [  # a nan that goes in must come out
    Deviation("F.multi_margin_loss(t([[nan, 1.0, 2.0]]), t([0]))", 0.0, nan, "nan in, nan out"),
    Deviation("F.multi_margin_loss(t([[nan, 1.0, 2.0]]), t([1]))", 0.6666667, nan, "nan in, nan out"),
    Deviation("grad(lambda x: F.multi_margin_loss(x, t([0])), [[nan, 1.0, 2.0]])", [[0.0] * 3], [[nan] * 3], "nan in, nan out"),
    Deviation("F.multilabel_margin_loss(t([[nan, 1.0, 2.0]]), t([[1, -1, 0]]))", 0.6666667, nan, "nan in, nan out"),
    Deviation("grad(lambda x: F.l1_loss(x, t([0.0])), [nan])", [0.0], [nan], "nan in, nan out"),
    Deviation("grad(lambda x: F.hinge_embedding_loss(x, t([-1.0])), [nan])", [0.0], [nan], "nan in, nan out"),
    Deviation("grad(lambda x: F.margin_ranking_loss(x, t([0.0]), t([1.0])), [nan])", [0.0], [nan], "nan in, nan out"),
]
ACCEPTED = [  # torch refuses what has a meaning
    Deviation("F.cross_entropy(t([[1.0, 2.0]]), t([0]).int())", "RuntimeError", 1.3132617, "indices of any integer type"),
    Deviation("F.binary_cross_entropy_with_logits(t([0.5]), t([1]))", "RuntimeError", 0.4740769, "integer targets become floats"),
    Deviation("F.binary_cross_entropy(t([0.5]), t([1]))", "RuntimeError", 0.6931472, "as above"),
    Deviation("F.mse_loss(t([1, 2]), t([3, 4]))", "NotImplementedError", 4.0, "as above"),
    Deviation("grad(lambda y: F.soft_margin_loss(t([2.0]), y), [1.0])", "RuntimeError", [-0.2384058], "a derivative by every argument of floats"),
    Deviation("grad(lambda y: F.hinge_embedding_loss(t([2.0]), y), [1.0])", "RuntimeError", [1.0], "as above"),
    Deviation("grad(lambda w: F.binary_cross_entropy(t([0.5]), t([1.0]), weight=w), [1.0])", "RuntimeError", [0.6931472], "as above, also weights"),
    Deviation(
        'grad(lambda w: F.cross_entropy(t([[0.0, 1.0]]), t([0]), weight=w, reduction="sum"), [1.0, 1.0])', "RuntimeError", [1.3132616, 0.0], "as above",
    ),
    Deviation(
        "grad(lambda x: grad(lambda z: F.multi_margin_loss(z, t([0]), p=2), x), [[0.5, 1.0]])", "RuntimeError", [[0.0, 0.0]],
        "derivatives of every order",
    ),
]  # fmt: skip
REFUSED = [  # torch computes something that is not what was meant
    Deviation("F.mse_loss(t([[1.0], [2.0]]), t([1.0, 2.0]))", 0.5, "ValueError", "would broadcast to (2, 2); torch warns"),
    Deviation("F.poisson_nll_loss(t([[0.0], [1.0]]), t([1.0, 2.0]))", 1.1091409, "ValueError", "as above; torch is silent"),
    Deviation("F.kl_div(t([[-1.0, -1.0]]), t([0.5, 0.5]))", 0.1534264, "ValueError", "as above"),
    Deviation("F.triplet_margin_loss(t([[0.0, 1.0], [1.0, 0.0]]), t([[0.0, 1.0]]), t([[1.0, 0.0]]))", 1.2071056, "ValueError", "as above"),
    Deviation(
        "F.binary_cross_entropy_with_logits(z, z, pos_weight=t([1.0, 2.0, 3.0]))", 0.961115, "ValueError",
        "acts along the last axis, not the classes",
    ),
    Deviation("F.binary_cross_entropy_with_logits(t([0.5]), t([2.0]))", -0.0259230, "RuntimeError", "a target above 1: the loss has no lower bound"),
    Deviation("F.binary_cross_entropy_with_logits(t([0.5]), t([1.0]), pos_weight=t([-1.0]))", -0.4740769, "ValueError", "a negative weight"),
    Deviation("F.cross_entropy(t([[0.0, 1.0]]), t([0]), weight=t([-1.0, 1.0]))", 1.3132617, "ValueError", "a negative weight"),
    Deviation("F.mse_loss(t([1.0, 2.0]), t([0.0, 0.0]), weight=t([-1.0, 3.0]))", 5.5, "ValueError", "a negative weight"),
    Deviation("F.cross_entropy(t([[0.0, 1.0]]), t([[1.5, -0.5]]))", 1.8132616, "ValueError", "a negative probability"),
    Deviation("F.cross_entropy(t([[0.0, 1.0]]), t([0]), label_smoothing=-0.1)", 1.3132617, "ValueError", "torch ignores it"),
    Deviation("F.nll_loss(t([[0.9, 0.1]]), t([0]))", -0.9, "ValueError", "probabilities for log-probabilities"),
    Deviation("F.kl_div(t([0.9]), t([0.5]))", -0.7965736, "ValueError", "as above"),
    Deviation("F.kl_div(t([-0.9]), t([-0.5]))", nan, "ValueError", "log-probabilities without log_target"),
    Deviation("F.ctc_loss(t([[[3.0, 1.0]], [[2.0, 4.0]]]), t([[1]]), (2,), (1,))", -7.1429319, "ValueError", "scores for log-probabilities"),
    Deviation("F.ctc_loss(t([[[-0.7, -0.7]]]), t([[9]]), (1,), (1,))", UNSAFE, "IndexError", "a label that is no class"),
    Deviation("F.poisson_nll_loss(t([0.5]), t([-1.0]))", 2.1487212, "ValueError", "a negative count"),
    Deviation("F.soft_margin_loss(t([0.5]), t([0.0]))", 0.6931472, "ValueError", "labels 0 and 1 where +1 and -1 are expected"),
    Deviation("F.hinge_embedding_loss(t([0.5]), t([0.0]))", 1.0, "ValueError", "as above: both terms at once"),
    Deviation("F.margin_ranking_loss(t([0.5]), t([0.1]), t([0.0]))", 0.0, "ValueError", "as above: a constant"),
    Deviation("F.cosine_embedding_loss(t([[1.0, 0.0]]), t([[0.0, 1.0]]), t([0.0]))", 0.0, "ValueError", "as above: a constant"),
    Deviation("F.multilabel_soft_margin_loss(t([[0.5, 0.5]]), t([[1.0, -1.0]]))", 0.9740770, "RuntimeError", "targets are 0 and 1 here"),
    Deviation("F.multilabel_margin_loss(t([[0.5, 0.5, 0.1]]), t([[1, 1, -1]]))", 1.0666667, "ValueError", "a label listed twice counts twice"),
    Deviation('nn.MSELoss(reduction="avg")', "accepted", "ValueError", "torch fails at the first call"),
]  # fmt: skip
GROUPS = {
    "Limits": LIMITS, "nan": NANS, "Accepted here": ACCEPTED, "Refused here": REFUSED,
}  # fmt: skip
DEVIATIONS = [row for rows in GROUPS.values() for row in rows]


def answer(lib: Any, call: str) -> Any:
    """What the library gives: numbers, the name of an exception, or "accepted" for what is no tensor."""

    def grad(f: Any, x: Any) -> Any:
        x = lib.tensor(x, requires_grad=True) if isinstance(x, list) else x
        return lib.autograd.grad(f(x).sum(), x, create_graph=True)[0]

    names = {"F": lib.nn.functional, "nn": lib.nn, "t": lib.tensor, "grad": grad, "inf": inf, "nan": nan}
    names["z"] = lib.full((1, 3, 3), 0.5)
    try:
        with warnings.catch_warnings(action="ignore"):
            result = eval(call, names)  # the calls of this table
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return type(error).__name__
    return result.tolist() if isinstance(result, lib.Tensor) else "accepted"
