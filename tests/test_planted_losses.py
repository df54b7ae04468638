"""The laws of losses can fail: each defect planted here, in a formula or in what surrounds it, is caught by its law."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import backward as backward_module
from tinygrad_loss.losses import (
    LOSSES,
    _domains,
    _evaluation,
    _guard,
    _labels,
    _loss,
    _module,
    _options,
    classification,
    regression,
)
from tinygrad_loss.losses._loss import Loss
from tinygrad_loss.primitive import PRIMITIVES

from . import loss_call_laws as calls
from . import loss_count_laws as counts
from . import loss_laws as laws
from . import loss_metamorphic as changes
from . import loss_refusal_laws as refusals
from . import loss_value_laws as values
from . import loss_weight_laws as weights
from . import test_identities, test_kinks, test_planted
from .loss_samples import LossSample, samples

Plant = Callable[[pytest.MonkeyPatch], None]
CAUGHT = (*test_planted.CAUGHT, TypeError)


def formula(name: str, change: Callable[..., Any]) -> Plant:
    """A formula that is the true one, changed."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        true = LOSSES[name].formula
        monkeypatch.setattr(LOSSES[name], "formula", lambda **given: change(true, **given))
        monkeypatch.setattr(LOSSES[name], "_kernel", None)

    return apply


def without(name: str, **fixed: Any) -> Plant:
    """An argument or option that is dropped."""
    return formula(name, lambda true, **given: true(**{**given, **fixed}))


def at(where: Any, name: str, wrong: Any) -> Plant:
    """Another function, also for those of the losses' modules that imported it by name."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        true = getattr(where, name)
        for module in [m for n, m in sys.modules.items() if n.startswith("tinygrad_loss.losses._") and vars(m).get(name) is true]:
            monkeypatch.setattr(module, name, wrong)
        monkeypatch.setattr(where, name, wrong)

    return apply


def together(*plants: Plant) -> Plant:
    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        for plant in plants:
            plant(monkeypatch)

    return apply


_reduce, _weighted, _put, _counts = _evaluation.reduce, _evaluation.weighted, _evaluation._put, _guard.counts
_check, _clip, _times, _shift = _guard.check_values, regression.clamp, classification.times_log, classification.log_softmax_


def reduced(**changed: Any) -> Callable[..., Any]:
    return lambda terms, reduction: _reduce(terms._replace(**changed), reduction)


def swallow(terms: Any, reduction: str) -> Any:
    """nan counts as 0."""
    return _reduce(terms._replace(value=tl.where(tl.isnan(terms.value), 0.0, terms.value)), reduction)


def weight_in_value_only(terms: Any, weight: Any, kept: Any) -> Any:
    return _weighted(terms, weight, kept)._replace(share=_weighted(terms, None, kept).share)


def weight_in_share_only(terms: Any, weight: Any, kept: Any) -> Any:
    return _weighted(terms, None, kept)._replace(share=_weighted(terms, weight, kept).share)


def mask_in_value_only(terms: Any, weight: Any, kept: Any) -> Any:
    return _weighted(terms, weight, kept)._replace(share=_weighted(terms, weight, np.ones_like(kept) if kept is not None else None).share)


def kernel_off_by(factor: float) -> Plant:
    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        true = LOSSES["cross_entropy"]._kernel

        def wrong(arrays: Any, options: Any, scale: float, outs: Any) -> Any:
            return true(arrays, options, scale * factor, outs)  # type: ignore[misc]

        monkeypatch.setattr(LOSSES["cross_entropy"], "_kernel", wrong)

    return apply


def identity(start: str) -> Callable[[Loss, LossSample], None]:
    """The identity that begins so, as a law."""
    (row,) = [i for i in test_identities.IDENTITIES if i[0].startswith(start)]

    def law_identity(loss: Loss, sample: LossSample) -> None:
        test_identities.test_identity(*row)

    law_identity.most = 1  # type: ignore[attr-defined]
    return law_identity


def kink(start: str) -> Callable[[Loss, LossSample], None]:
    (row,) = [k for k in test_kinks.KINKS if k[0] == start]

    def law_kink(loss: Loss, sample: LossSample) -> None:
        test_kinks.test_kink(*row[1:])

    law_kink.most = 1  # type: ignore[attr-defined]
    return law_kink


def rule(name: str, wrong: Any) -> Plant:
    return lambda monkeypatch: monkeypatch.setattr(PRIMITIVES[name], "rules", (wrong, *PRIMITIVES[name].rules[1:]))


# (loss, defect, the law that catches it)
DEFECTS: list[tuple[str, Plant, Callable[..., None]]] = [
    # wrong denominators
    ("mse_loss", at(_evaluation, "reduce", reduced(share=None)), laws.law_reductions),
    ("cross_entropy", at(_evaluation, "reduce", reduced(share=None)), laws.law_reductions),
    ("cross_entropy", at(_evaluation, "reduce", reduced(share=None)), counts.law_ignored),
    ("mse_loss", at(_evaluation, "reduce", lambda t, r: _reduce(t, r if r != "sum" else "mean")), laws.law_reductions),
    ("kl_div", at(_evaluation, "reduce", lambda t, r: _reduce(t, r if r != "batchmean" else "mean")), laws.law_reductions),
    ("ctc_loss", at(_evaluation, "reduce", reduced(scale=None)), laws.law_reductions),
    ("rmse_loss", at(_evaluation, "reduce", reduced(finish=None)), laws.law_reductions),
    ("rmse_loss", at(_evaluation, "reduce", reduced(alone=None)), laws.law_reductions),
    ("kl_div", at(_loss, "resolve_reduction", lambda name, values, allowed: values["reduction"]), calls.law_legacy),
    # weights and masks
    ("huber_loss", at(_evaluation, "weighted", weight_in_value_only), weights.law_weights),
    ("cross_entropy", at(_evaluation, "weighted", weight_in_value_only), weights.law_weights_repeat),
    ("huber_loss", at(_evaluation, "weighted", weight_in_share_only), weights.law_weights),
    ("huber_loss", at(_evaluation, "weighted", mask_in_value_only), counts.law_mask),
    ("huber_loss", at(_evaluation, "weighted", lambda t, w, k: _weighted(t, None if w is None else w * w, k)), weights.law_weights_repeat),
    ("huber_loss", at(_evaluation, "weighted", lambda t, w, k: _weighted(t, None if w is None else w.detach(), k)), weights.law_weights_derivatives),
    ("mse_loss", at(_evaluation, "times_log", lambda p, q: p * q), weights.law_weight_of_zero),
    ("mse_loss", at(_guard, "counts", lambda loss, w, m, b: (_counts(loss, w, m, b)[0], None)), counts.law_mask),
    ("mse_loss", at(_guard, "counts", lambda loss, w, m, b: (None, _counts(loss, w, m, b)[1])), weights.law_weights_and_mask),
    ("mse_loss", at(_guard, "counts", lambda loss, w, m, b: (w, None if m is None else np.ones(b.shape, bool))), counts.law_nothing_kept),
    ("cross_entropy", at(_guard, "check_values", lambda *a: a[-1] if a[-1] is not None else _check(*a)), counts.law_mask),
    ("mse_loss", at(_evaluation, "_without", lambda name, x, *rest: x), counts.law_mask),
    ("binary_cross_entropy", at(_guard, "left_out", lambda loss, raw, kept, binding: raw), counts.law_mask),
    ("nt_xent_loss", at(LOSSES["nt_xent_loss"], "mixes", False), counts.law_mask),
    ("info_nce_loss", at(_evaluation, "_put", lambda x, rows, shape: _put(x, rows, shape)[tl.arange(shape[0] - 1, -1, -1)]), counts.law_mask),
    ("mse_loss", at(_guard, "match_count", lambda where, x, shape: x), refusals.law_bad_counts),
    ("mse_loss", at(_domains.WeightDomain, "check", lambda *a: None), refusals.law_bad_counts),
    ("l1_loss", at(_module.LossModule, "_in_order", lambda self, args, kwargs: (tuple(kwargs[n] for n in self._passed if n in kwargs), {})), counts.law_mask_module),
    ("ranking_softmax_loss", without("ranking_softmax_loss", mask=None), changes.law_own_mask_deletes),
    ("dice_loss", without("dice_loss", mask=None), changes.law_own_mask_deletes),
    # nan, inf, and where they go
    ("nll_loss", at(_evaluation, "reduce", swallow), values.law_nan),
    ("mse_loss", at(_evaluation, "reduce", swallow), values.law_nan),
    ("huber_loss", formula("huber_loss", lambda true, **k: tl.where(tl.isnan(true(**k)), 0.0, true(**k))), values.law_nan),
    ("soft_margin_loss", formula("soft_margin_loss", lambda true, **k: true(**k) + 0.0 * k["input"].sum()), values.law_nan_stays),
    ("smooth_l1_loss", formula("smooth_l1_loss", lambda true, **k: true(**k) / (k["input"] - k["target"]) * (k["input"] - k["target"])), values.law_extremes),
    ("mse_loss", formula("mse_loss", lambda true, **k: tl.exp(tl.log(true(**{**k, "weight": None})))), values.law_extremes),
    ("cross_entropy", at(classification, "log_softmax_", lambda x, dim: x - tl.log(tl.exp(x).sum(dim, keepdim=True))), values.law_extremes),
    ("binary_cross_entropy_with_logits", at(classification, "logsigmoid", lambda x: tl.log(tl.sigmoid(x))), values.law_extremes),
    # wrong rules
    ("huber_loss", at(regression, "clamp", lambda x, lo, hi: _clip(x.detach(), lo, hi)), laws.law_derivatives),
    ("mse_loss", at(regression, "square", lambda x: x * x.detach()), laws.law_jacobian),
    ("binary_cross_entropy_with_logits", at(classification, "times_log", lambda p, q: p * q.detach() + _times(p, q) * 0.0), laws.law_derivatives),
    ("focal_loss", formula("focal_loss", lambda true, **k: true(**{**k, "input": k["input"] * 0.5 + k["input"].detach() * 0.5})), laws.law_derivatives),
    ("cross_entropy", kernel_off_by(1.001), laws.law_kernel),
    ("kl_div", at(backward_module, "commit", lambda result, *rest: [setattr(x, "_grad", tl.tensor(g)) for x, g in result.items()]), calls.law_graph),
    # lost ties
    ("l1_loss", rule("abs", lambda g, y, x: g * (1.0 - 2.0 * (x < 0.0))), kink("l1 at equality")),
    ("hinge_loss", rule("amax", lambda g, y, x, *, dim, keepdim: g * (x == x) * 1.0), kink("amax over ties")),
    # shapes and order
    ("mse_loss", formula("mse_loss", lambda true, **k: true(**{**k, "weight": None}) + k["input"].mean()), laws.law_permutation),
    ("l1_loss", formula("l1_loss", lambda true, **k: true(**{**k, "weight": None}).sum()), laws.law_reductions),
    ("mse_loss", formula("mse_loss", lambda true, **k: true(**{**k, "weight": None}) * tl.tensor(np.ones((1,)))), values.law_dtypes),
    ("multi_margin_loss", formula("multi_margin_loss", lambda true, **k: true(**k) * k["input"].shape[0]), counts.law_mask),
    ("cross_entropy", at(classification, "log_softmax_", lambda x, dim: _shift(x * (1.0 + 1e-6 * x), dim=dim)), changes.law_shift),
    ("sparsemax_loss", formula("sparsemax_loss", lambda true, **k: true(**k) + 0.1 * k["input"][:, 0]), changes.law_classes),
    ("supcon_loss", formula("supcon_loss", lambda true, **k: true(**k) * k["labels"].double()), changes.law_groups),
    # dropped arguments and options
    ("cross_entropy", without("cross_entropy", weight=None), calls.law_all_matters),
    ("cross_entropy", without("cross_entropy", label_smoothing=0.0), calls.law_all_matters),
    ("cross_entropy", without("cross_entropy", label_smoothing=0.0), changes.law_smoothing),
    ("huber_loss", without("huber_loss", delta=1.0), calls.law_all_matters),
    ("triplet_margin_loss", without("triplet_margin_loss", swap=False), calls.law_all_matters),
    ("triplet_margin_loss", without("triplet_margin_loss", margin=1.0), calls.law_all_matters),
    ("gaussian_nll_loss", without("gaussian_nll_loss", full=False), calls.law_all_matters),
    ("cosine_embedding_loss", without("cosine_embedding_loss", margin=0.0), calls.law_all_matters),
    ("huber_loss", at(_module.LossModule, "extra_repr", lambda self: setattr(self, "delta", 1.0) or ""), laws.law_module),
    # wrong formulas
    ("huber_loss", formula("huber_loss", lambda true, **k: true(**k) * 1.0000001), identity("huber is delta")),
    ("quantile_loss", formula("quantile_loss", lambda true, **k: true(**{**k, "q": 1.0 - k["q"]}) * 1.00001), identity("the median's")),
    ("rmse_loss", at(_evaluation, "reduce", reduced(finish=None)), identity("rmse is the root")),
    ("js_div", formula("js_div", lambda true, **k: true(**k) + 1e-9 * k["target"] ** 2), identity("js is symmetric")),
    ("kl_div", formula("kl_div", lambda true, **k: true(**k) + k["target"] * 1e-9), identity("kl is soft")),
    # checks
    ("cross_entropy", at(_labels.LabelDomain, "check", lambda *a: None), refusals.law_bad_values),
    ("nll_loss", at(_labels.LabelDomain, "check", lambda *a: None), counts.law_ignored),
    ("binary_cross_entropy", at(_domains.ProbabilityDomain, "check", lambda *a: None), refusals.law_bad_values),
    ("mse_loss", at(_domains.WeightDomain, "check", lambda *a: None), refusals.law_bad_values),
    ("hinge_loss", at(_labels.SignDomain, "check", lambda *a: None), refusals.law_bad_values),
    ("binary_cross_entropy", at(_loss, "value_checks_enabled", lambda: True), refusals.law_bad_values),
    ("huber_loss", at(_options.Interval, "check", lambda *a: None), refusals.law_bad_options),
    ("hinge_loss", at(_options.Flag, "check", lambda *a: None), refusals.law_bad_options),
]  # fmt: skip


def caught(law: Callable[..., None], loss: Loss, some: list[LossSample]) -> bool:
    for sample in some[: getattr(law, "most", None)]:
        try:
            law(loss, sample)
        except CAUGHT:
            return True
    return False


@pytest.mark.parametrize(("name", "plant", "law"), DEFECTS, ids=[f"{r[0]}-{r[2].__name__}-{i}" for i, r in enumerate(DEFECTS)])
def test_defect_is_caught(monkeypatch: pytest.MonkeyPatch, name: str, plant: Plant, law: Callable[..., None]) -> None:
    loss, some = LOSSES[name], samples(LOSSES[name])
    assert not caught(law, loss, some), "the law fails without a defect"
    monkeypatch.setattr(loss, "_bindings", [])
    monkeypatch.setattr(loss, "_last", _loss.Binding())
    plant(monkeypatch)
    assert caught(law, loss, some), "the law holds in spite of the defect"


def test_there_are_many_kinds() -> None:
    assert len(DEFECTS) >= 60 and len({law.__name__ for _, _, law in DEFECTS}) >= 20
    assert len({name for name, _, _ in DEFECTS}) >= 20
