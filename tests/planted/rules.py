"""Defects in primitives and in the engine: rules, forwards, un-broadcasting, what a backward leaves behind."""

from __future__ import annotations

from .defect import Defect, ops, public

E, R, S, L, J, G, P = (f"ops/{name}.py" for name in ("elementwise", "reduce", "stable", "linalg", "joining", "gathering", "positions"))
ENGINE = "tests/test_engine.py tests/test_autograd.py"


def rule(file: str, what: str, old: str, new: str, *names: str, also: str = "") -> Defect:
    return Defect("rule", file, what, old, new, f"{ops(*names)} {also}".strip())


def forward(file: str, what: str, old: str, new: str, tests: str) -> Defect:
    return Defect("forward", file, what, old, new, tests)


def engine(file: str, what: str, old: str, new: str, tests: str = ENGINE) -> Defect:
    return Defect("engine", file, what, old, new, tests)


DEFECTS = [
    rule(E, "sub's second gradient without its sign", "lambda g, y, a, b: g, lambda g, y, a, b: -g, name=\"sub\"", "lambda g, y, a, b: g, lambda g, y, a, b: g, name=\"sub\"", "sub"),
    rule(E, "mul's second gradient from the wrong argument", "lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, name=\"mul\"", "lambda g, y, a, b: g * b, lambda g, y, a, b: g * b, name=\"mul\"", "mul"),
    rule(E, "div's second gradient without its sign", "-g * (y / b)", "g * (y / b)", "div"),
    rule(E, "square without its 2", "g * 2.0 * x", "g * x", "square"),
    rule(E, "abs that is 1 for negative numbers too", "g * sign(x), name=\"abs\"", "g, name=\"abs\"", "abs"),
    rule(E, "reciprocal with y for y squared", "-g * y * y, name=\"reciprocal\"", "-g * y, name=\"reciprocal\"", "reciprocal"),
    rule(E, "log1p without the 1", "g / (x + 1.0)", "g / x", "log1p"),
    rule(E, "log2 with the wrong base", "g / (x * math.log(2.0))", "g / (x * math.log(10.0))", "log2"),
    rule(E, "sqrt without its 2", "g / (2.0 * y), name=\"sqrt\"", "g / y, name=\"sqrt\"", "sqrt"),
    rule(E, "rsqrt off by a thousandth", "-0.5 * g * y / x", "-0.5005 * g * y / x", "rsqrt"),
    rule(E, "cos without its sign", "-g * sin(x), name=\"cos\"", "g * sin(x), name=\"cos\"", "cos"),
    rule(E, "tanh with y for y squared", "g - g * y * y", "g - g * y", "tanh"),
    rule(E, "sigmoid with 1 - y, which loses the digits of large inputs", "g * (y * sigmoid(-x))", "g * (y * (1.0 - y))", "sigmoid", also=public("sigmoid") + " tests/test_accuracy.py"),
    rule(E, "expm1 by y + 1, which loses exp(-40)", "g * exp(x), name=\"expm1\"", "g * (y + 1.0), name=\"expm1\"", "expm1", also="tests/test_side_promises.py"),
    rule(E, "ties of maximum: all of the gradient to both sides", "g * ~(a < b) - g * 0.5 * (a == b)", "g * (a >= b)", "maximum", also=public("maximum")),
    rule(E, "ties of minimum: nothing to the second", "g * ~(b > a) - g * 0.5 * (a == b)", "g * (b < a)", "minimum", also=public("minimum")),
    rule(E, "pow's exponent off by one", "g * (b * a ** (b - 1))", "g * (b * a ** b)", "pow"),
    rule(E, "pow's second gradient without the guard at 0", "g * y * log(a + flat)", "g * y * log(a)", "pow", also="tests/test_side_promises.py"),
    rule(E, "remainder's second gradient without the floor", "-g * floor(a / b)", "-g * (a / b)", "remainder"),
    rule(R, "sum that is not spread out again", "lambda g, y, x, *, dim, keepdim: spread(g, shape=tuple(x.shape), dim=dim, keepdim=keepdim),\n    name=\"sum\"", "lambda g, y, x, *, dim, keepdim: g,\n    name=\"sum\"", "sum"),
    rule(R, "mean's gradient divided by the whole size", "g / max(count_of(x.shape, dim), 1), shape", "g / max(count_of(x.shape, None), 1), shape", "mean"),
    rule(R, "ties of amax: all of the gradient to each", "share = g / sum_(chosen, dim=dim, keepdim=keepdim)", "share = g", "amax", also=public("amax")),
    rule(R, "amax loses a nan's gradient", "eq(x, top) | (isnan(x) & isnan(top))", "eq(x, top)", "amax", "amin", also="tests/test_side_promises.py"),
    rule("ops/statistics.py", "var with n for n - correction", "free = count_of(x.shape, dim) - correction\n", "free = count_of(x.shape, dim)\n", "var", "std", also=public("var", "std")),
    rule("ops/statistics.py", "std is nan at equal values", "(~eq(y, 0)) / (2.0 * _or_one(y))", "1.0 / (2.0 * y)", "std", also="tests/test_kinks.py"),
    rule("ops/statistics.py", "norm is nan at the zero vector", "length = spread(_or_one(y)", "length = spread(y", "norm", also="tests/test_kinks.py"),
    rule("ops/statistics.py", "norm's power off by one", "** (p - 1)", "** p", "norm"),
    rule("ops/running.py", "cumsum's gradient in the same direction", "cumsum_(g, dim=dim, reverse=not reverse)", "cumsum_(g, dim=dim, reverse=reverse)", "cumsum"),
    rule("ops/running.py", "prod by division: nan at zeros", "return g[..., None] * _others(x)", "return g[..., None] * (y[..., None] / x)", "prod"),
    rule("ops/running.py", "prod's second order forgets the place of each element", "square * eq(here, 0) + here", "square + here * 0.0", "prod"),
    rule(L, "mm with its second factor not transposed", "mm_(g, t_(b)), lambda", "mm_(t_(t_(g)), b), lambda", "mm"),
    rule(L, "bmm's gradients swapped", "bmm_(_swap(a), g),  #", "bmm_(_swap(g), a),  #", "bmm"),
    rule(L, "linear's weight gradient of large batches transposed", "return _rows(g.T, x)", "return _rows(x.T, g).T * 1.0001", "linear"),
    rule(L, "outer's second gradient not transposed", "mv_(t_(g), a), name=\"outer\"", "mv_(g, b), name=\"outer\"", "outer"),
    rule(J, "cat hands the first part to everyone", "slice(starts[which], starts[which + 1])", "slice(starts[0], starts[0] + starts[which + 1] - starts[which])", "cat"),
    rule(J, "stack hands the first part to everyone", "(slice(None),) * dim + (which,)]", "(slice(None),) * dim + (0,)]", "stack"),
    rule("ops/layout.py", "permute by the same order, not its inverse", "dims=tuple(sorted(range(len(dims)), key=dims.__getitem__))", "dims=dims", "permute", also=public("permute")),
    rule("ops/layout.py", "repeat adds up the wrong axes", "range(0, 2 * len(shape), 2)", "range(1, 2 * len(shape), 2)", "repeat"),
    rule("ops/layout.py", "diagonal put back on the other side", "put_diagonal_(g, shape=tuple(x.shape), **at)", "put_diagonal_(g, shape=tuple(x.shape), **{**at, \"offset\": -at[\"offset\"]})", "diagonal"),
    rule(P, "duplicates of an index overwrite each other in the gradient", "put_(g, index=index, shape=tuple(x.shape), unique=unique)", "put_(g, index=index, shape=tuple(x.shape), unique=True)", "getitem", "gather", "index_select"),
    rule(G, "scatter passes the gradient of what was overwritten", "scatter_(g, 0.0, index=index)", "g * 1.0", "scatter"),
    rule("ops/masking.py", "where gives its second gradient everywhere", "_only(g, ~condition),\n    name=\"where\"", "g,\n    name=\"where\"", "where"),
    rule(S, "softmax without the sum", "return y * (g - sum_(g * y, dim=_dims(x, dim), keepdim=True))", "return y * g", "softmax"),
    rule(S, "softmax's maximum without the others", "(pulled[rows, top] * complement - others)", "(pulled[rows, top] * complement)", "softmax"),
    rule(S, "log_softmax's maximum without 1 - p", "g_top * kept.beside_top() - sums", "g_top - sums", "log_softmax"),
    rule(S, "log_softmax cut under create_graph", "g * softmax_complement(x, dim=dim) - softmax_(x, dim=dim) * others", "g * softmax_complement(x, dim=dim) - softmax_(x.detach(), dim=dim) * others", "log_softmax"),
    rule(S, "logsumexp's gradient not shared out", "dim=dim, keepdim=keepdim) * share", "dim=dim, keepdim=keepdim) * (share * 0.0 + 1.0)", "logsumexp"),
    rule(S, "logsigmoid with sigmoid(x)", "g * sigmoid(-x),\n    name=\"logsigmoid\"", "g * sigmoid(x),\n    name=\"logsigmoid\"", "logsigmoid"),
    rule(S, "xlogy without its guard at 0 log 0", "b + (eq(a, 0) & eq(b, 0))", "b", "xlogy", also="tests/test_side_promises.py"),
    rule(S, "times_log lets an infinite logarithm out", "g * clip_infinite(log_q, p)", "g * log_q", "times_log", also="tests/test_side_promises.py"),
    rule("ops/activations.py", "clamp shut at its bounds", "inside = ge(x, lo) if", "inside = gt(x, lo) if", "clamp", also=public("clamp")),
    rule("ops/activations.py", "relu open at 0", "g * ~le(y, 0)", "g * ~lt(y, 0)", "relu", also=public("relu")),
    rule("ops/activations.py", "leaky_relu with the slope on both sides", "g * gt(x, 0) + g * slope * ~gt(x, 0)", "g * slope", "leaky_relu"),
    rule("ops/activations.py", "elu without alpha", "alpha * (le(x, 0) * exp(", "(le(x, 0) * exp(", "elu"),
    rule("ops/activations.py", "silu without its second term", "g * (sigmoid(x) * (1.0 + x * sigmoid(-x)))", "g * sigmoid(x)", "silu"),
    rule("ops/normalize.py", "unit without the projection", "inverse * (g - y * sum_(g * y, dim=dim, keepdim=True) * longer)", "inverse * g", "unit"),
    rule("ops/normalize.py", "inverse_length that differentiates once only", "-g * y * y * unit_(x, dim=dim, eps=eps)", "-g * y * unit_(x, dim=dim, eps=eps)", "inverse_length", "unit"),
    forward(E, "sigmoid that overflows", "np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))", "np.exp(x) / (1.0 + np.exp(x))", ops("sigmoid") + " " + public("sigmoid") + " tests/test_accuracy.py" + ""),
    forward(E, "sign of a nan is 0", "if np.isnan(np.add.reduce(x, axis=None)) else None", "if False else None", "tests/test_side_promises.py"),
    forward(S, "logsigmoid without log1p: no digits for large inputs", "np.log1p(z, z)\n    np.subtract", "np.log(z + 1.0, z)\n    np.subtract", ops("logsigmoid") + " " + public("logsigmoid", "softplus") + " tests/test_accuracy.py"),
    forward("ops/rows.py", "log_softmax without the maximum taken away", "m = z[self.rows, self.top][:, None]", "m = z[self.rows, self.top][:, None] * 0.0", ops("log_softmax", "softmax")),
    forward("ops/rows.py", "log_softmax by log(1 + x)", "self.d - np.log1p(self.others)", "self.d - np.log(1.0 + self.others)", ops("log_softmax") + " tests/test_kinks.py tests/test_accuracy.py"),
    forward("ops/statistics.py", "norm that overflows", "scale = np.where((top > 0) & np.isfinite(top), top, 1)", "scale = np.where((top > 0) & np.isfinite(top), 1, 1)", ops("norm") + " tests/test_docs.py"),
    forward("accumulate.py", "float32 sums over the first axis lose digits", "dtype=np.float64).astype(x.dtype)", ").astype(x.dtype)", "tests/test_engine_types.py"),
    forward(R, "mean that overflows", "y = accurate_sum(x / n, dim, keepdim)  #", "y = y  #", "tests/test_side_promises.py"),
    forward("ops/ordering.py", "equal elements change their order when sorted down", "return np.asarray(last - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind=\"stable\"), axis))", "return np.asarray(np.flip(np.argsort(x, axis=axis, kind=\"stable\"), axis))", "tests/test_side_promises.py"),
    forward(P, "an index of -1 is read as the last", "seen = index.view(f\"u{index.itemsize}\") if", "seen = index if", "tests/test_shape_errors.py"),
    engine("walk.py", "un-broadcasting takes the first instead of the sum", "gradient = sum_to(gradient, array.shape)", "gradient = gradient[(0,) * (gradient.ndim - array.ndim) + tuple(slice(0, n) for n in array.shape)]"),
    engine("accumulate.py", "axes of size 1 are not summed over", "for i, n in enumerate(shape) if n == 1 and x.shape[i + extra] != 1)", "for i, n in enumerate(shape) if n == 0)"),
    engine("walk.py", "a second gradient of a leaf replaces the first", "result[a] = d if before is None else before + d", "result[a] = d"),
    engine("walk.py", "a second gradient of an intermediate replaces the first", "grads[born] = before + d", "grads[born] = d"),
    engine("walk.py", "a chain's second gradient replaces the first", "ahead_g = ahead_g + d", "ahead_g = d"),
    engine("walk.py", "a chain overtakes the heap", "ahead.birth > -heap[0]", "ahead.birth > 0"),
    engine("walk.py", "gradients keep the dtype of the result", "return gradient if gradient.dtype is array.dtype else gradient.astype(array.dtype)", "return gradient", ENGINE + " tests/test_engine_types.py " + ops("mul", "cast")),
    engine("walk.py", "writes in place are not looked for", "if tensor.birth < newest:", "if False:"),
    engine("writes.py", "a write to a view is not one to its base", "held = array if array.base is None else owner(array)", "held = array", ENGINE + " tests/test_inplace.py"),
    engine("walk.py", "hooks run, and what they return is forgotten", "g = replaced if isinstance(g, Tensor) else replaced.array", "g = g"),
    engine("walk.py", "hooks get the gradient itself, not a copy", "else Tensor(np.array(g)))", "else Tensor(g))"),
    engine("backward.py", "a gradient that others hold is handed over", "getrefcount(g) <= _ALONE", "True"),
    engine("backward.py", "a second backward replaces .grad", "else wrap(np.asarray(old.array + g))", "else wrap(np.asarray(g))"),
    engine("backward.py", "graphs are never freed", "return chain(map(_set_args, done, repeat(None)), map(_set_settings, done, repeat(None)))", "return iter(())", ENGINE + " tests/test_engine_limits.py"),
    engine("backward.py", "create_graph frees the graph", "keep = create_graph if retain_graph is None else retain_graph\n    commit", "keep = bool(retain_graph)\n    commit", "tests/test_side_promises.py"),
    engine("backward.py", "the gradients of several roots: the last one's only", "zip(roots, given, strict=True):\n        if not", "list(zip(roots, given, strict=True))[-1:]:\n        if not"),
    engine("tape.py", "a gradient of another shape is taken", "if value.array.shape != self.array.shape or", "if", "tests/test_engine.py tests/test_bad_inputs.py tests/test_autograd.py tests/test_module.py tests/test_engine_types.py"),
    engine("tape.py", "detach stays in the graph", "note_cut(\"detach\")\n        return Tensor(self.array)", "note_cut(\"detach\")\n        return self", "tests/test_engine_types.py tests/test_autograd.py"),
    engine("ops/inplace.py", "a write is not noted", "    note_write(self.array)\n    return self\n\n\ndef _scaled", "    return self\n\n\ndef _scaled", "tests/test_inplace.py tests/test_engine.py"),
    engine("primitive.py", "rules run for what needs no gradient", "if rule is None or not isinstance(a, Tensor) or not a.needs_grad:", "if rule is None:", "tests/test_engine.py tests/test_autograd.py " + ops("where", "linear")),
    engine("quiet.py", "floating point reports escape", "with np.errstate(all=\"ignore\"):\n        inside", "with np.errstate(all=\"warn\"):\n        inside", "tests/test_engine_limits.py " + ops("log", "div")),
    engine("ops/layout.py", "clone shares its memory", "lambda x: np.array(x),\n    lambda g, y, x: g,\n    name=\"clone\"", "lambda x: x,\n    lambda g, y, x: g,\n    name=\"clone\"", "tests/test_engine_types.py tests/test_conversion.py " + ops("clone")),
]  # fmt: skip
