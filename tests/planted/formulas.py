"""Defects in losses: formulas, options that are ignored, reductions, weights and masks, checks, kernels, plans and blocks."""

from __future__ import annotations

from .defect import Defect, loss

REGRESSION, CLASSES, MARGIN, METRIC, CONTRAST = (
    f"losses/{name}.py" for name in ("regression", "classification", "margin", "metric", "contrastive")
)
KERNELS = "losses/_kernels.py"
CHECKS = "tests/test_bad_inputs.py tests/test_loss_errors.py tests/test_fuzz.py::test_every_mistake_is_refused_or_warned_of"
BLOCKS = "tests/test_kernel_sizes.py ; tests/test_fused.py"


def formula(file: str, name: str, what: str, old: str, new: str, *laws: str) -> Defect:
    return Defect("formula", file, f"{name}: {what}", old, new, loss(name, *laws))


def option(file: str, name: str, what: str, old: str, new: str, *laws: str) -> Defect:
    return Defect("option", file, f"{name}: {what}", old, new, loss(name, *laws))


def reduction(file: str, what: str, old: str, new: str, tests: str) -> Defect:
    return Defect("reduction", file, what, old, new, tests)


def check(file: str, what: str, old: str, new: str, tests: str = CHECKS) -> Defect:
    return Defect("check", file, what, old, new, tests)


def kernel(file: str, name: str, what: str, old: str, new: str) -> Defect:
    return Defect("kernel", file, f"{name}: {what}", old, new, loss(name))


def plan(file: str, what: str, old: str, new: str, tests: str = BLOCKS) -> Defect:
    return Defect("plan", file, what, old, new, tests)


DEFECTS = [
    # formulas
    formula(REGRESSION, "smooth_l1_loss", "half of the square at the joint", "near * (residual - 0.5 * beta * near)", "near * (residual - 0.49 * beta * near)"),
    formula(REGRESSION, "huber_loss", "a line that does not continue the square", "near * (residual - 0.5 * near)  #", "near * (residual - 0.5 * near) + 1e-9  #"),
    Defect("formula", REGRESSION, "rmse_loss: overflows: differences are not scaled", "return math.ldexp(1.0, exponent - min(max(exponent, -400), 500))", "return 1.0", "tests/test_side_promises.py"),
    formula(REGRESSION, "rmse_loss", "nan at a perfect fit", "flat = logical_not(mean > 0.0)", "flat = logical_not(mean > -1.0)"),
    formula(REGRESSION, "mape_loss", "relative to the input", "_at_least(abs(t), eps)", "_at_least(abs(x), eps)"),
    formula(REGRESSION, "smape_loss", "its 2 forgotten", "(2.0 * (abs(x - t) / _at", "((abs(x - t) / _at"),
    formula(REGRESSION, "msle_loss", "log1p of the ratio by the larger", "low, high = where(x >= t, t, x), where(x >= t, x, t)", "low, high = where(x >= t, x, t), where(x >= t, t, x)"),
    formula(CLASSES, "nll_loss", "its sign", "_weighted(-pick(log_p, target, 1), target, weight)", "_weighted(pick(log_p, target, 1), target, weight)"),
    formula(CLASSES, "binary_cross_entropy", "its sign", "error = -binary_log_likelihood", "error = binary_log_likelihood"),
    formula("losses/divergence.py", "distillation_loss", "without the square of the temperature", "error = temperature**2 * sum_", "error = temperature * sum_"),
    formula("losses/divergence.py", "distillation_loss", "the shares swapped", "times_log(share, error) - times_log(1.0 - share, own)", "times_log(1.0 - share, error) - times_log(share, own)"),
    formula("losses/likelihood.py", "poisson_nll_loss", "Stirling's constant forgotten", "0.5 * log(many) + _HALF_LOG_TAU", "0.5 * log(many)"),
    formula("losses/likelihood.py", "gaussian_kl_loss", "the square of the mean whole", "m * (0.5 * m)", "m * m"),
    formula("losses/robust.py", "quantile_loss", "the two sides swapped", "where(above < 0.0, times_log(1.0 - q, size), times_log(q, size))", "where(above < 0.0, times_log(q, size), times_log(1.0 - q, size))"),
    formula("losses/robust.py", "expectile_loss", "another factor on one side", "(4.0 * tau) * half", "(2.0 * tau) * half"),
    formula("losses/robust.py", "charbonnier_loss", "twice the eps", "hypot(half, 0.5 * eps)", "hypot(half, eps)"),
    formula(MARGIN, "hinge_embedding_loss", "the similar counted for the others", "times_log(similar, input) + times_log(unlike", "times_log(unlike, input) + times_log(similar"),
    formula(MARGIN, "margin_ranking_loss", "the margin's sign", "hinge(margin - (target", "hinge(-margin - (target"),
    formula(MARGIN, "multi_margin_loss", "the own class counts", "hinge(where(own_class(input, target), 0.0, gap), tie=0.0)", "hinge(gap, tie=0.0)"),
    Defect("formula", MARGIN, "multi_margin_loss: the derivative at the hinge 1", "0.0, gap), tie=0.0)\n    error = mean_", "0.0, gap), tie=1.0)\n    error = mean_", "tests/test_kinks.py"),
    formula(MARGIN, "multilabel_margin_loss", "listed classes compete with each other", "listed.unsqueeze(2) & ~member.unsqueeze(1)", "listed.unsqueeze(2) & (member.unsqueeze(1) | ~member.unsqueeze(1))"),
    formula(MARGIN, "categorical_hinge_loss", "the own score among the others", "0.0 if against_zero else -math.inf, input)", "input, input)"),
    formula(METRIC, "contrastive_loss", "similar and different swapped", "where(eq(target, 1.0), similar, different)", "where(eq(target, 0.0), similar, different)"),
    formula(METRIC, "cosine_embedding_loss", "1 - cos cancels near 1", "where(gt(cosine, 0.5), sum_", "where(gt(cosine, 5.0), sum_"),
    formula(CONTRAST, "info_nce_loss", "its sign", "return -diagonal(log_softmax_(s, dim=1))", "return diagonal(log_softmax_(s, dim=1))"),
    formula(CONTRAST, "clip_loss", "along the rows twice", "diagonal(log_softmax_(s, dim=0))) * -0.5", "diagonal(log_softmax_(s, dim=1))) * -0.5"),
    formula(CONTRAST, "supcon_loss", "the sum over the positives, not their mean", "/ clamp(count, min=1), _counted", ", _counted"),
    formula(CONTRAST, "circle_loss", "the margins swapped", "clamp(s + margin, min=0.0) * (s - margin)", "clamp(s - margin, min=0.0) * (s + margin)"),
    formula(CONTRAST, "nt_xent_loss", "an anchor is compared with itself", "[1:].reshape(n - 1, n + 1)[:, :-1]", "[:-1].reshape(n - 1, n + 1)[:, :-1]"),
    formula("losses/focal.py", "focal_loss", "weighed by p, not by 1 - p", "(-expm1(_near(log_p)), ", "(1.0 + expm1(_near(log_p)), "),
    formula("losses/focal.py", "sigmoid_focal_loss", "alpha swapped", "(alpha * target + (1.0 - alpha) * (1.0 - target))", "((1.0 - alpha) * target + alpha * (1.0 - target))"),
    formula("losses/focal.py", "sparsemax_loss", "nothing added beyond the support", "square(p - own_class(input, target)), dim=(1,), keepdim=False) + beyond", "square(p - own_class(input, target)), dim=(1,), keepdim=False)"),
    formula("losses/ranking.py", "listmle_loss", "the order ascending", "order = argsort(_kept(relevance, mask, -math.inf), last, descending=True)", "order = argsort(_kept(relevance, mask, math.inf), last, descending=False)"),
    formula("losses/ranking.py", "ranknet_loss", "the worse shall score higher", "softplus(s.unsqueeze(-2) - s.unsqueeze(-1))", "softplus(s.unsqueeze(-1) - s.unsqueeze(-2))"),
    formula("losses/segmentation.py", "tversky_loss", "alpha and beta swapped", "false * alpha + missed * beta", "false * beta + missed * alpha"),
    formula("losses/segmentation.py", "dice_loss", "the intersection once", "_miss(both * 2.0,", "_miss(both,"),
    formula("losses/sequence.py", "crf1d_loss", "transitions transposed", "transitions[path[:, :-1], path[:, 1:]]", "transitions[path[:, 1:], path[:, :-1]]"),
    formula("losses/_ctc.py", "ctc_loss", "a blank between equal labels is not needed", "u[starts[t]] = 1.0", "u[starts[t]] = 1.0 + 1e-3"),
    # options that are ignored, or mean something else
    option(CLASSES, "cross_entropy", "label_smoothing is ignored", "target, weight, label_smoothing)\n\n\ncross_entropy", "target, weight, 0.0)\n\n\ncross_entropy"),
    option(CLASSES, "cross_entropy", "label_smoothing over the other classes only", "part = label_smoothing / classes  #", "part = label_smoothing / max(classes - 1, 1)  #"),
    option("losses/_labels.py", "cross_entropy", "ignore_index is ignored", "return None if kept.all() else kept", "return None"),
    option("losses/_labels.py", "cross_entropy", "an ignore_index that is a class is ignored", "if inside and (ignored is None or not 0 <= ignored < classes):", "if inside:"),
    option(CLASSES, "binary_cross_entropy_with_logits", "pos_weight and weight swapped", "return binary_error(input, target, weight, pos_weight)", "return binary_error(input, target, pos_weight, weight)"),
    option(REGRESSION, "huber_loss", "delta is ignored below", "near = clamp(residual, -delta, delta)", "near = clamp(residual, -1.0, delta)"),
    option(METRIC, "triplet_margin_loss", "swap takes the larger", "far = minimum(far, norm(b - c + eps / room, p, -1))", "far = norm(b - c + eps / room, p, -1)"),
    option(METRIC, "triplet_margin_loss", "p is 2", "near, far = norm(a - b + eps / room, p, -1), norm(a - c + eps / room, p, -1)", "near, far = norm(a - b + eps / room, 2.0, -1), norm(a - c + eps / room, 2.0, -1)"),
    option(METRIC, "triplet_margin_loss", "the margin's sign", "clamp(near - far + margin / room, min=0.0)", "clamp(near - far - margin / room, min=0.0)"),
    option(METRIC, "cosine_embedding_loss", "the margin is ignored", "clamp(cosine / root - margin, min=0.0)", "clamp(cosine / root, min=0.0)"),
    option(MARGIN, "hinge_loss", "squared is ignored", "return square(error) if squared else error", "return error"),
    option(MARGIN, "multi_margin_loss", "p=2 is ignored", "error if p == 1 else square(error)", "error"),
    option("losses/likelihood.py", "gaussian_nll_loss", "full is ignored", "return error + _HALF_LOG_TAU if full else error", "return error"),
    option("losses/likelihood.py", "gaussian_nll_loss", "eps is ignored", "raise_to(_for_rows(var, input), lo=eps)", "raise_to(_for_rows(var, input), lo=1e-6)"),
    option("losses/likelihood.py", "poisson_nll_loss", "eps is ignored", "x - t * (log(x + eps + nothing)", "x - t * (log(x + 1e-8 + nothing)"),
    option("losses/sequence.py", "ctc_loss", "zero_infinity is ignored", "if zero_infinity:", "if False:"),
    option("losses/segmentation.py", "dice_loss", "smooth counts on one side", "(wrong + eps) / (right + wrong + (smooth + eps))", "(wrong + eps) / (right + wrong + eps)"),
    # reductions, weights and masks
    reduction("losses/_reductions.py", "a weighted mean divides by the number", "reduction == \"mean\" and share is None:\n        reduced = mean_", "reduction == \"mean\":\n        reduced = mean_", loss("cross_entropy", "reductions", "ignored", "weights")),
    reduction("losses/_reductions.py", "batchmean divides by all elements", "reduced = reduced / examples", "reduced = reduced / max(value.array.size, 1)", loss("kl_div", "reductions")),
    reduction("losses/_reductions.py", "the mean of nothing is 0", "reduced = reduced * 0.0 + terms.empty", "reduced = reduced * 0.0", loss("cross_entropy", "nothing_kept", "ignored") + " tests/test_kinks.py"),
    reduction("losses/_reductions.py", "ctc's mean forgets the lengths", "value = value * terms.scale\n    if", "value = value\n    if", loss("ctc_loss", "reductions")),
    reduction("losses/_reductions.py", "none of rmse is the square", "return value if terms.alone is None else terms.alone", "return value", loss("rmse_loss", "reductions")),
    reduction("losses/_reductions.py", "size_average=False is mean", "(\"sum\" if average is False else \"mean\")", "\"mean\"", loss("mse_loss", "legacy")),
    reduction("losses/_reductions.py", "reduce=False is ignored", "\"none\" if legacy is False else", "\"none\" if False else", loss("mse_loss", "legacy")),
    reduction("losses/_evaluation.py", "sample weights in the value only", "times_log(w.expand(value.shape), value), share * w", "times_log(w.expand(value.shape), value), share", loss("mse_loss", "weights")),
    reduction("losses/_evaluation.py", "sample weights in the denominator only", "value, share = times_log(w.expand(value.shape), value), share * w", "share = share * w", loss("mse_loss", "weights")),
    reduction("losses/_evaluation.py", "a mask in the value only", "where(mask, value, 0.0), where(mask, share, 0.0)", "where(mask, value, 0.0), share", loss("mse_loss", "mask", "nothing_kept")),
    reduction("losses/_evaluation.py", "what is masked reaches the others", "else spread(kept, spec, tuple(x.shape), loss, binding)\n    if spec is None or entries", "else None\n    if spec is None or entries", loss("mse_loss", "mask", "mask_is_quiet") + " " + loss("cross_entropy", "mask")),
    reduction("losses/_evaluation.py", "rows of a mixing loss come back in order of the kept", "place[rows] = np.arange(len(rows))", "place[rows] = np.arange(len(rows))[::-1]", loss("info_nce_loss", "mask")),
    reduction("losses/_evaluation.py", "float16 results are float32", "return reduced.to(float16) if binding.half else reduced", "return reduced", loss("mse_loss", "dtypes")),
    reduction("losses/_node.py", "an upstream gradient is ignored", "None if d is None else times_upstream(d, g, a.array.dtype)", "None if d is None else d", loss("mse_loss", "graph", "derivatives", "two_modes") + " tests/test_fused.py tests/test_combine.py"),
    reduction("losses/combine.py", "the second weight of a product is lost", "Factor(self.number * other.number, self.tensors + other.tensors)", "Factor(self.number, self.tensors + other.tensors)", "tests/test_combine.py"),
    reduction("losses/combine.py", "a difference of losses adds", "own.times(Factor(-1.0))", "own", "tests/test_combine.py"),
    reduction("losses/_module.py", "a module's reduction is the default", "reduction = state[\"reduction\"]", "reduction = \"mean\"", loss("huber_loss", "module")),
    reduction("losses/_module.py", "a module's options are the defaults", "options = {name: state[name] for name in self._options}", "options = {name: loss.declaration.defaults[name] for name in self._options}", loss("huber_loss", "module")),
    # checks
    check("losses/_labels.py", "a label equal to C passes", "bad = ((x < 0) | (x >= classes)) & kept", "bad = ((x < 0) | (x > classes)) & kept"),
    check("losses/_labels.py", "negative labels count from the end", "bad = ((x < 0) | (x >= classes)) & kept", "bad = (x >= classes) & kept"),
    check("losses/_labels.py", "the wrong exception for a label", "raise IndexError(\n                f\"{where}{first(bad)} = {value} is", "raise ValueError(\n                f\"{where}{first(bad)} = {value} is"),
    check("losses/_labels.py", "signs of 0 pass", "bad = np.asarray(np.abs(x) != 1)", "bad = np.asarray(np.abs(x) > 1)"),
    check("losses/_labels.py", "only the first part of a long array of signs is looked at", "for start in range(0, flat.size, _PART):", "for start in range(0, min(flat.size, _PART), _PART):"),
    check("losses/_labels.py", "a label listed twice passes", "if twice.any():", "if False:"),
    check("losses/_labels.py", "lengths beyond the frames pass", "np.maximum.reduce(x, axis=None) <= most)", "True)"),
    check("losses/_labels.py", "a relevance of nan passes", "bad = np.isnan(x)\n", "bad = np.isnan(x) & False\n"),
    check("losses/_domains.py", "a probability of nan passes", "if low >= 0 and high <= 1:", "if not (low < 0 or high > 1):"),
    check("losses/_domains.py", "a weight of inf passes", "if x.size and not (np.minimum.reduce(x, axis=None) >= 0 and np.maximum.reduce(x, axis=None) < math.inf):", "if x.size and not np.minimum.reduce(x, axis=None) >= 0:"),
    check("losses/_domains.py", "log-probabilities above 0 pass", "np.maximum.reduce(x, axis=None) > 1e-6:", "np.maximum.reduce(x, axis=None) > 1e6:"),
    check("losses/_domains.py", "negative class probabilities pass", "if x.size and np.minimum.reduce(x, axis=None) < 0:\n            raise ValueError(\n                f\"{where}{first(x < 0)} is negative: class", "if False:\n            raise ValueError(\n                f\"{where}{first(x < 0)} is negative: class"),
    check("losses/likelihood.py", "a scale of 0 passes", "np.minimum.reduce(x, axis=None) <= 0:", "np.minimum.reduce(x, axis=None) < 0:"),
    check("losses/_options.py", "an option of nan passes", "if not inside or (math.isinf", "if (value == value and not inside) or (math.isinf"),
    check("losses/_options.py", "an option at its open bound passes", "else self.low < value <= self.high", "else self.low <= value <= self.high"),
    check("losses/_options.py", "1 passes for True", "if not isinstance(value, (bool, np.bool_)):", "if value not in (0, 1):"),
    check("losses/_binding.py", "shapes that broadcast pass", "        if shape != expected:\n", "        if shape != expected and not (len(shape) == len(expected) and all(a == b or 1 in (a, b) for a, b in zip(shape, expected))):\n"),
    check("losses/_binding.py", "one-hot integers pass", "if others and shape == resolve(others[0].axes, found):\n            raise", "if False:\n            raise"),
    check("losses/_binding.py", "a weight of another length is stretched", "fits = np.broadcast_shapes(shape, whole) == whole", "fits = bool(np.broadcast_shapes(shape, whole))", CHECKS + " " + loss("binary_cross_entropy", "bad_shapes")),
    check("losses/_binding.py", "a mask of any length passes", "if not fits or (shape and not given):", "if False:"),
    check("losses/_guard.py", "weights of examples are not checked", "_WEIGHT.check(where, x.array, binding.sizes, {})", "None"),
    check("losses/_guard.py", "a mask of floats passes", "if (name == \"mask\") != (x.array.dtype.kind == \"b\"):", "if name != \"mask\" and x.array.dtype.kind == \"b\":"),
    check("losses/_guard.py", "checks that need several arrays are not asked", "if loss._require is not None:", "if False:", CHECKS + " tests/test_sequence.py"),
    check("losses/_guard.py", "no advice in loops", "look = not calls & (calls - 1)", "look = False"),
    check("losses/_loss.py", "options of a later call pass for the first one's", "if binding.signature != signature:", "if not binding.signature or binding.signature[0] != shapes:"),
    check("losses/_loss.py", "options are checked after the first call only", "        d.check_options(options)\n", "        if self._bindings:\n            d.check_options(options)\n"),
    check("losses/_loss.py", "an unknown keyword passes", "if name not in d.order:\n", "if False:\n"),
    check("losses/_reductions.py", "an unknown reduction passes", "if reduction not in allowed:", "if reduction not in allowed and reduction != \"avg\":"),
    # kernels
    kernel(KERNELS, "mse_loss", "half of the gradient", "_symmetric(residual, 2.0 * factor, outs)", "_symmetric(residual, factor, outs)"),
    kernel(KERNELS, "mse_loss", "the target's gradient with the wrong sign", "np.multiply(gradient, kind(-by), out=outs[1])", "np.multiply(gradient, kind(by), out=outs[1])"),
    kernel(KERNELS, "huber_loss", "the square beyond delta", "summed = dot(near, residual) - 0.5 * dot(near, near)", "summed = 0.5 * dot(near, residual)"),
    kernel(KERNELS, "smooth_l1_loss", "the gradient without 1 / beta", "_huber(x, target, beta, factor / beta, outs)", "_huber(x, target, beta, factor, outs)"),
    kernel(KERNELS, "nll_loss", "the gradient's sign", "outs[0].reshape(-1)[at] = -factor", "outs[0].reshape(-1)[at] = factor"),
    kernel(KERNELS, "cross_entropy", "confident predictions lose their digits", "logs[mended] = -np.log1p(others)", "logs[mended] = logs[mended]"),
    Defect("kernel", KERNELS, "cross_entropy: digits of very unlikely targets are lost", "(summed < _UNLIKELY or", "(True or", "tests/test_side_promises.py"),
    kernel(KERNELS, "cross_entropy", "weights in the value only", "(factor if share is None else factor * share) / total", "factor / total"),
    kernel(KERNELS, "mse_loss", "the last terms of a long sum forgotten", "if whole < x.size else 0.0", "if not whole else 0.0"),
    kernel("losses/_kernels_margin.py", "multi_margin_loss", "the own class is not pulled", "out.reshape(-1)[at] = -", "out.reshape(-1)[at] = 0 * "),
    kernel("losses/_kernels_margin.py", "margin_ranking_loss", "the wrong sign for the first", "zip(outs, (-factor, factor), strict=False)", "zip(outs, (factor, factor), strict=False)"),
    kernel("losses/_kernels_margin.py", "multilabel_margin_loss", "a wrong last column", "for k in range(longest):\n                flat[places[k]]", "for k in range(max(longest - 1, 0)):\n                flat[places[k]]"),
    kernel("losses/_kernels_logistic.py", "binary_cross_entropy_with_logits", "what the targets take away is forgotten", "across = dot(x, yes)  #", "across = 0.0 * dot(x, yes)  #"),
    kernel("losses/_kernels_logistic.py", "poisson_nll_loss", "the target's part forgotten", "across = dot(a, t)", "across = 0.0 * dot(a, t)"),
    kernel("losses/_kernels_logistic.py", "soft_margin_loss", "its sign", "np.negative(v, out=v)", "np.positive(v, out=v)"),
    kernel("losses/_kernels_vectors.py", "triplet_margin_loss", "the anchor's two parts added", "np.subtract(u, v, out=part[0])", "np.add(u, v, out=part[0])"),
    kernel("losses/_kernels_vectors.py", "cosine_embedding_loss", "no projection", "np.subtract(out, scratch[: len(out)], out=out)", "None"),
    # plans and blocks
    plan("losses/_blocks.py", "the last block is dropped", "for i in range(0, layout.rows, step)]", "for i in range(0, layout.rows - step if layout.rows > step else layout.rows, step)]"),
    plan("losses/_blocks.py", "a row at each border is dropped", "(i, min(i + step, layout.rows))", "(i, min(i + step - (i + step < layout.rows), layout.rows))"),
    plan("losses/_blocks.py", "the mean of the blocks' means", "return math.fsum(self.run(job))", "return math.fsum(self.run(job)) / max(len(self.bounds), 1)"),
    plan("losses/_blocks.py", "an infinite sum is believed", "summed = math.fsum(s for s, _ in found) if all(math.isfinite(s) for s, _ in found) else math.nan\n    if not math.isfinite(summed):", "summed = sum(s for s, _ in found)\n    if False:", "tests/test_side_promises.py"),
    plan("losses/_blocks.py", "a gradient shared by blocks: the first block's only", "np.add.reduce(np.stack(parts), 0).astype(x.dtype)", "parts[0].astype(x.dtype)"),
    plan("losses/_blocks.py", "gradients of a tape without 1 / N", "np.multiply(g, g.dtype.type(factor), out=o[start:stop])", "np.copyto(o[start:stop], g)"),
    plan("losses/_plan.py", "a value still to be read gives its memory away", "if i not in seen and i not in held and i >= self.leaves", "if i not in held and i >= self.leaves"),
    plan("losses/_plan.py", "a result gives its memory away", "if i not in seen and i not in held and i >= self.leaves", "if i not in seen and i >= self.leaves"),
    plan("losses/_plan.py", "memory is given away twice", "self.free.setdefault((array.shape, array.dtype), []).append(array)", "self.free.setdefault((array.shape, array.dtype), []).extend([array, array])"),
    plan("losses/_plan.py", "the factor of a gradient is lost", "by = np.asarray(sym.factor * (factor", "by = np.asarray((factor"),
    plan("losses/_fold.py", "a product of constants adds", "return Sym(None, a.factor * b.factor, seeded)", "return Sym(None, a.factor + b.factor, seeded)", "tests/test_fused.py::test_most_losses_have_a_plan ; tests/test_fused.py"),
    plan("losses/_fold.py", "a sign is lost", "return Sym(first.ref, -first.factor, True)", "return Sym(first.ref, first.factor, True)", "tests/test_fused.py::test_most_losses_have_a_plan ; tests/test_fused.py"),
    plan("losses/_fold.py", "a sum of gradients forgets the ratio of their factors", "ratio = sign * b.factor / a.factor", "ratio = sign", "tests/test_fused.py::test_most_losses_have_a_plan ; tests/test_fused.py"),
    plan("losses/_routes.py", "plans are shared by calls of other options", "key = (tuple(parts), choices, tuple(needs), mean)", "key = (tuple(parts), tuple(needs), mean)", "tests/test_fused.py"),
    plan("losses/_loss.py", "class weights are computed without", "state.watch is None and kept is None and weight is None and not binding.composed", "state.watch is None and kept is None and not binding.composed", loss("mse_loss", "weights")),
    plan("threads.py", "an error in a thread is lost", "error = error or raised", "error = error", "tests/test_side_promises.py"),
]  # fmt: skip
