"""viz.trace: what the page holds is what the tape holds, and making it changes nothing."""

# ruff: noqa: RUF001
from __future__ import annotations

import html
import json
import math
import re
import warnings
import weakref
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, losses, nn
from tinygrad_loss.callsite import LossWarning
from tinygrad_loss.modes import get_state
from tinygrad_loss.primitive import PRIMITIVES, primitive
from tinygrad_loss.viz._page_data import array_data
from tinygrad_loss.viz._rules import ELEMENTWISE, TEXTS, text_of
from tinygrad_loss.viz.trace import Trace, recording, trace

from . import loss_samples

F = nn.functional
OURS = {n: p for n, p in PRIMITIVES.items() if p.function.__module__.startswith("tinygrad_loss")}


def loop_step() -> tuple[nn.Module, Any, Any]:
    """The documents' training step: Linear(10, 3), a batch of 32."""
    return nn.Linear(10, 3), tl.randn(32, 10), tl.randint(0, 3, (32,))


def page_data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]


def value(data: dict[str, Any], index: int) -> np.ndarray[Any, Any]:
    array = data["arrays"][index]
    return np.array([float(v) for v in array["v"]]).reshape(array["s"])


def nodes_named(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [n for n in data["nodes"] if n["n"] == name]


def node_named(data: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = nodes_named(data, name)
    return found


def close(found: Any, true: Any) -> None:
    true = true.array if isinstance(true, tl.Tensor) else np.asarray(true)
    assert found.shape == true.shape
    np.testing.assert_allclose(found, true, rtol=1e-5, atol=1e-12)


# the texts

def test_every_primitive_has_its_text() -> None:
    assert set(OURS) <= set(TEXTS), f"write the text of {sorted(set(OURS) - set(TEXTS))} in viz/_rules.py"
    assert set(TEXTS) <= set(OURS), f"texts of no primitive: {sorted(set(TEXTS) - set(OURS))}"


@pytest.mark.parametrize("name", sorted(OURS))
def test_text_fits_the_rules(name: str) -> None:
    text, op = TEXTS[name], OURS[name]
    assert text.what and text.rule and text.formula.startswith("y")
    assert len(text.pulls) == len(op.rules or ())
    if op.rules and not op.index_name:
        assert len(text.names) == len(op.rules) + (name == "cast") and len(set(text.names)) == len(text.names)
        assert [p == "none" for p in text.pulls] == [r is None for r in op.rules]


SETTINGS: dict[str, dict[str, Any]] = {
    "clamp": {"lo": -0.5, "hi": 0.6}, "leaky_relu": {"slope": 0.1}, "elu": {"alpha": 1.5}, "hinge": {"tie": 0.5},
    "step": {"tie": 0.5}, "share_power": {"exponent": 1.5}, "raise_to": {"lo": 0.4}, "poisson_cost": {"stirling": False},
}  # fmt: skip
WORDS = {"clip_infinite"}  # whose formula is words
SCOPE: dict[str, Any] = {
    **{n: getattr(np, n) for n in ("exp", "log", "sqrt", "sin", "cos", "cosh", "tanh", "floor", "sign", "rint", "ceil", "outer")},
    "erf": math.erf, "pi": math.pi, "sigma": lambda x: 1 / (1 + np.exp(-x)), "max": max, "min": min, "abs": abs,
}  # fmt: skip
POINTS = [(0.3, 0.7, 0.9), (0.7, 0.3, 0.8), (0.5, 0.5, 0.5), (-1.2, 0.4, 1.5), (2.5, 1.5, -0.5), (0.0, 0.2, 0.1)]


def evaluate(formula: str, names: dict[str, Any]) -> Any:
    """The mathematics on the page, computed."""
    for sign, code in {"y = ": "", "−": "-", "·": "*", "²": "**2", "³": "**3", "½": "0.5", "√": "sqrt", "σ": "sigma", "π": "pi", "^": "**", " mod ": " % ", "Σ": "total", "‖x‖": "length"}.items():
        formula = formula.replace(sign, code)
    formula = re.sub(r"\|([^|]+)\|", r"abs(\1)", formula)
    formula = re.sub(r"(\w+)ᵀ", r"\1.T", formula)

    def truth(m: re.Match[str]) -> str:
        return "(1.0 * (" + m[1].replace("≥", ">=").replace("≤", "<=").replace("≠", "!=").replace(" = ", " == ") + "))"

    formula = re.sub(r"\[([^\[\]]+)\]", truth, formula)
    with np.errstate(all="ignore"):
        return eval(formula, {"__builtins__": {}}, {**SCOPE, **names})  # our own table


@pytest.mark.parametrize("name", sorted(n for n in set(ELEMENTWISE) & set(OURS) - WORDS if TEXTS[n].pulls))
def test_formula_is_the_rule(name: str) -> None:
    """The formula on the page gives the value and the gradient that the operation gives."""
    text, settings = TEXTS[name], SETTINGS.get(name, {})
    checked = 0
    for point in POINTS:
        args = [tl.tensor(v, dtype=tl.float64, requires_grad=True) for v in point[: len(text.names)]]
        y = OURS[name].function(*args, **settings)
        if not math.isfinite(y.item()) or (name == "pow" and not point[0]):  # 0 * log 0 is 0 there
            continue
        numbers = {**dict(zip(text.names, (np.float64(v) for v in point), strict=False)), **settings}
        assert evaluate(text.formula, numbers) == pytest.approx(y.item(), rel=1e-9), point
        gradients = autograd.grad(y, args, tl.tensor(1.7, dtype=tl.float64), allow_unused=True)
        for pull, g in zip(text.pulls, gradients, strict=True):
            assert g is not None and evaluate(pull, {**numbers, "y": np.float64(y.item()), "g": 1.7}) == pytest.approx(g.item(), rel=1e-9), (pull, point)
        checked += 1
    assert checked >= 2


ROWS = {"dim": (1,), "keepdim": True}
REDUCTIONS: dict[str, dict[str, Any]] = {
    "sum": ROWS, "mean": ROWS, "amax": ROWS, "amin": ROWS, "logsumexp": ROWS, "var": {**ROWS, "correction": 1}, "std": {**ROWS, "correction": 1},
    "norm": {**ROWS, "p": 3.0}, "softmax": {"dim": 1}, "log_softmax": {"dim": 1}, "softmax_complement": {"dim": 1}, "unit": {"dim": (1,), "eps": 0.0},
    "inverse_length": {"dim": (1,), "eps": 0.0}, "standardize": {"axes": (1,), "eps": 0.1}, "rstd": {"axes": (1,), "eps": 0.1}, "t": {}, "clone": {},
}  # fmt: skip
PRODUCTS = {"mm": ((2, 3), (3, 4)), "dot": ((3,), (3,)), "mv": ((2, 3), (3,)), "outer": ((2,), (3,)), "linear": ((4, 3), (2, 3))}


@pytest.mark.parametrize("name", [*REDUCTIONS, *PRODUCTS])
def test_array_formula_is_the_rule(name: str) -> None:
    text, settings = TEXTS[name], REDUCTIONS.get(name, {})
    shapes = PRODUCTS.get(name, ((3, 4),))
    args = [tl.randn(*s, dtype=tl.float64, requires_grad=True) for s in shapes]
    y = OURS[name].function(*args, **settings)
    g = tl.randn((*y.shape, 1), dtype=tl.float64).reshape(y.shape)
    x = args[0].array

    def total(v: Any) -> Any:
        return v.sum(-1, keepdims=True)

    names = dict(zip(text.names, (a.array for a in args), strict=False)) | {"y": y.array, "g": g.array, "total": total, "n": 4, "c": 1, "p": 3.0}
    if name in REDUCTIONS:
        e = np.exp(x)
        names |= {"m": x.mean(-1, keepdims=True), "v": x.var(-1, keepdims=True), "eps": 0.1, "s": e / total(e), "length": np.sqrt(total(x * x)), "mean": lambda v: v.mean(-1, keepdims=True)}
    for pull, found in zip(text.pulls, autograd.grad(y, args, g), strict=False):
        np.testing.assert_allclose(np.broadcast_to(evaluate(pull, names), found.shape), found.array, rtol=1e-9, atol=1e-12, err_msg=pull)


def test_text_of_a_users_operation_and_loss() -> None:
    cube = primitive(lambda x: x * x * x, lambda g, y, x: g * 3.0 * x * x, name="trace_cube", doc="The third power.")
    try:
        x = tl.tensor([2.0], requires_grad=True)
        text = text_of(cube(x).op, 1)
        assert text.what == "The third power." and text.formula == "y = trace_cube(x)" and text.pulls == ("g · ∂y/∂x",)
        data = page_data(trace(cube(x).sum()).html)
        close(value(data, node_named(data, "trace_cube")["a"][0]["g"]), [12.0])
    finally:
        del PRIMITIVES["trace_cube"]

    @losses.loss
    def trace_loss(input: losses.Real[tl.Tensor, "..."], target: losses.Real[tl.Tensor, "..."]) -> losses.PerElement:  # noqa: UP037
        """Cubes of the residuals."""
        return abs(input - target) ** 3

    try:
        data = page_data(trace(trace_loss(x, tl.zeros(1))).html)
        text_ = data["texts"][node_named(data, "trace_loss")["t"]]
        assert text_["what"] == "Cubes of the residuals." and text_["names"] == ["input", "target"]
        assert {"sub", "abs", "pow", "mean"} <= {n["n"] for n in data["nodes"]}
    finally:
        del losses.LOSSES["trace_loss"]


def test_variadic_text() -> None:
    a, b = tl.ones(2, requires_grad=True), tl.ones(3, requires_grad=True)
    text = text_of(tl.cat([a, b]).op, 2)
    assert text.names == ("x1", "x2") and text.pulls == ("its part of g",) * 2


# the values

def test_the_documents_loop() -> None:
    model, x, y = loop_step()
    criterion = nn.CrossEntropyLoss()
    made = trace(lambda: criterion(model(x), y))
    assert repr(made) == '<trace of 2 operations forward and 2 rules backward: .save("trace.html") writes the page>'
    assert len(made.html.encode()) < 100_000
    data = page_data(made.html)
    assert json.loads(json.dumps(made.data)) == data
    logits = model(x)
    loss = criterion(logits, y)
    (of_logits,) = autograd.grad(loss, logits, retain_graph=True)
    loss.backward()
    close(value(data, node_named(data, "cross_entropy")["v"]), loss)
    linear = node_named(data, "linear")
    close(value(data, linear["v"]), logits)
    close(value(data, linear["g"]), of_logits)
    names = {"model.weight": model.weight, "model.bias": model.bias}
    for (name, parameter), arg in zip(names.items(), linear["a"][1:], strict=True):
        node = node_named(data, name)
        assert node["k"] == "parameter" and data["nodes"][arg["i"]] is node
        close(value(data, node["v"]), parameter)
        close(value(data, node["g"]), parameter.grad)
        close(value(data, arg["g"]), parameter.grad)
    assert linear["a"][2]["f"] == "(32, 3) float32"  # what the rule of the bias gave, before the batch was summed
    assert "f" not in linear["a"][1] and "g" not in linear["a"][0]
    assert [n["k"] for n in (node_named(data, "x"), node_named(data, "y"))] == ["data", "data"]
    assert [b["n"] for b in data["boxes"] if not b.get("skip")] == ["Linear", "cross_entropy"]  # the criterion only wraps the loss


@pytest.mark.parametrize("record", [True, False])
def test_opened_cross_entropy(record: bool) -> None:
    """Inside a loss that a kernel computed, and inside one whose formula was recorded."""
    logits = tl.tensor([[2, 0.5, -1], [-0.5, 1.5, 0]], requires_grad=True)
    target = tl.tensor([0, 2])
    made = trace(lambda: F.cross_entropy(logits, target) * 3.0) if record else trace(F.cross_entropy(logits, target) * 3.0)
    data = page_data(made.html)
    z = logits.array.astype(float)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    close(value(data, node_named(data, "log_softmax")["v"]), log_p)
    close(value(data, node_named(data, "pick")["v"]), log_p[[0, 1], [0, 2]])
    close(value(data, node_named(data, "mean")["g"]), 3.0)
    close(value(data, node_named(data, "pick")["g"]), [-1.5, -1.5])
    one_hot = np.array([[1, 0, 0], [0, 0, 1]])
    close(value(data, node_named(data, "log_softmax")["a"][0]["g"]), 1.5 * (np.exp(log_p) - one_hot))
    close(value(data, node_named(data, "cross_entropy")["a"][0]["g"]), 1.5 * (np.exp(log_p) - one_hot))
    inside = [n["n"] for n in data["nodes"] if n.get("b") is not None]
    assert inside == ["log_softmax", "pick", "neg", "mean"]
    assert ("l" in node_named(data, "log_softmax")) is record


@pytest.mark.parametrize("name", sorted(n for n, x in losses.LOSSES.items() if x.__module__.startswith("tinygrad_loss")))
def test_every_loss_opens_with_its_gradients(name: str) -> None:
    """Inside each loss the gradients that reach an argument add up to what the loss hands out."""
    loss = losses.LOSSES[name]
    for sample in loss_samples.samples(loss)[:5]:
        given = loss_samples.leaves(sample)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LossWarning)
            data = page_data(trace(loss_samples.call(loss, sample, **given), params=given).html)
        handed = {data["nodes"][a["i"]]["n"]: value(data, a["g"]) for a in node_named(data, name)["a"] if "g" in a}
        assert set(handed) <= set(given) and next(iter(given)) in handed
        for leaf, g in handed.items():
            inside = [a for n in data["nodes"] if "b" in n for a in n["a"] if "g" in a and data["nodes"][a["i"]]["n"] == leaf]
            assert inside, leaf
            np.testing.assert_allclose(sum(value(data, a["g"]) for a in inside), g, rtol=1e-4, atol=1e-5, err_msg=f"{leaf} {sample}")


def test_several_paths_add_up() -> None:
    a = tl.tensor([1.0, 2.0], requires_grad=True)

    def diamond() -> Any:
        u = a * a
        return (u.exp() * (u + 1.0)).sum()

    data = page_data(trace(diamond).html)
    u = next(i for i, n in enumerate(data["nodes"]) if n["n"] == "mul" and data["nodes"][n["a"][0]["i"]]["n"] == "a")
    parts = [value(data, arg["g"]) for n in data["nodes"] for arg in n["a"] if arg.get("i") == u]
    assert len(parts) == 2
    close(value(data, data["nodes"][u]["g"]), sum(parts))
    (true,) = autograd.grad(diamond(), a)
    close(value(data, node_named(data, "a")["g"]), true)
    assert [arg["l"] for arg in data["nodes"][u]["a"]] == ["a", "b"]  # the same tensor twice: two arguments


def test_nan_graph() -> None:
    z = tl.tensor([4.0, 0.0, -1.0], requires_grad=True)
    data = page_data(trace(lambda: (z.sqrt() * tl.tensor([1.0, 0.0, 1.0])).sum()).html)
    sqrt, mul = node_named(data, "sqrt"), node_named(data, "mul")
    assert sqrt["bad"] == "nan" and sqrt["culprit"] is True and mul["bad"] == "nan" and "culprit" not in mul
    assert data["arrays"][sqrt["v"]]["v"] == [2, 0, "nan"]
    assert data["arrays"][sqrt["a"][0]["g"]]["v"] == [0.25, "nan", "nan"]


def test_gradient_of_a_gradient() -> None:
    a = tl.tensor([1.0, 2.0], requires_grad=True)

    def second() -> Any:
        (g,) = autograd.grad((a**3).sum(), a, create_graph=True)
        return (g * g).sum()

    data = page_data(trace(second).html)
    close(value(data, node_named(data, "a")["g"]), 36.0 * a.array**3)
    assert all("l" in n for n in data["nodes"] if "t" in n)


def test_loss_of_a_shape_and_given_gradient() -> None:
    a = tl.tensor([1.0, 2.0], requires_grad=True)
    made = trace(a * a, tl.tensor([1.0, 10.0]))
    data = page_data(made.html)
    close(value(data, node_named(data, "mul")["g"]), [1.0, 10.0])
    assert "that was given" in data["seed"] and data["title"] == "Trace of mul of shape (2,)"
    leaf = page_data(trace(tl.tensor(2.0, requires_grad=True)).html)  # nothing to step through, but no error
    assert [n["k"] for n in leaf["nodes"]] == ["leaf"]


def test_module_called_twice_and_scopes() -> None:
    layer, x = nn.Linear(2, 2), tl.randn(3, 2)
    with tl.scope("mine"):
        middle = layer(x).relu()
    data = page_data(trace(layer(middle).sum(), params={"layer": layer}, expand=True).html)
    assert [b["n"] for b in data["boxes"]] == ["mine", "Linear", "Linear"] and data["open"] == [0, 1, 2]
    assert len([n for n in data["nodes"] if n["n"] == "layer.weight" or n["n"] == "weight"]) == 1


def test_arrays() -> None:
    small = array_data(np.array([[1.0, np.inf], [-np.inf, 1 / 3]], np.float32), 10)
    assert small == {"s": [2, 2], "d": "float32", "v": [1.0, "inf", "-inf", 0.333333]}
    large = array_data(np.array([np.nan, *range(99)], np.float64), 10)
    assert large == {"s": [100], "d": "float64", "lo": 0.0, "hi": 98.0, "mean": 49.0, "bad": 1, "e": ["nan", *map(float, range(7))]}
    assert array_data(np.array(2**60 + 1), 0) == {"s": [], "d": "int64", "v": [2**60 + 1]}
    assert array_data(np.array([True, False]), 5)["v"] == [True, False]
    assert array_data(np.zeros((0, 3), np.float32), 5)["v"] == []
    assert array_data(np.full(20, np.inf), 5) == {"s": [20], "d": "float64", "bad": 20, "e": ["inf"] * 8}


def test_large_arrays_are_abbreviated_and_many_make_room() -> None:
    x = tl.randn(200, 300, requires_grad=True)
    made = trace(lambda: (x * x).mean())
    assert len(made.html) < 90_000
    data = page_data(made.html)
    array = data["arrays"][node_named(data, "x")["v"]]
    assert "v" not in array and array["lo"] == pytest.approx(x.array.min(), rel=1e-5) and array["mean"] == pytest.approx(x.array.mean(), rel=1e-4)
    y = tl.randn(30, 30, requires_grad=True)
    h = y
    for _ in range(100):
        h = h.tanh()
    assert len(trace(h.sum()).html) < 250_000


# nothing changes

def test_nothing_changes() -> None:
    model, x, y = loop_step()
    F.cross_entropy(model(x), y).backward()
    before = {n: (p.grad, p.grad.array.copy(), p.array.copy()) for n, p in model.named_parameters()}
    loss = F.cross_entropy(model(x), y)
    middle = loss.args[0]
    middle.retain_grad()
    state = get_state()
    trace(loss, expand=True)
    trace(lambda: F.cross_entropy(model(x), y))
    assert get_state() is state and middle.grad is None
    for n, p in model.named_parameters():
        grad, values, own = before[n]
        assert p.grad is grad and np.array_equal(grad.array, values) and np.array_equal(p.array, own)
    loss.backward()  # the graph is still there
    assert middle.grad is not None
    for n, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.array, 2 * before[n][1], rtol=1e-5, atol=1e-7)


def test_page_holds_no_tensor() -> None:
    """The graph is not kept alive by the page."""
    x = tl.tensor([1.0], requires_grad=True)
    y = x * 2
    seen = weakref.ref(y)
    made = trace(y)
    del y
    assert seen() is None and made.html


def test_hooks_are_as_in_backward() -> None:
    x = tl.tensor([1.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    data = page_data(trace((y * 1.0).sum(), params={"x": x}).html)
    close(value(data, node_named(data, "x")["g"]), [20.0])
    assert x.grad is None


def test_under_strict_numpy() -> None:
    x = tl.tensor([0.0, -1.0, 1e30], requires_grad=True)
    with np.errstate(all="raise"):
        trace(lambda: (x.log() * x.exp() * x).sum(), expand=True)


# lines

def here(data: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    return data["lines"][node["l"]]  # type: ignore[no-any-return]


def test_lines() -> None:
    x = tl.tensor([1.0, 2.0], requires_grad=True)

    def step() -> Any:
        y = x * 3.0
        return F.mse_loss(y, tl.zeros(2))

    data = page_data(trace(step).html)
    line = here(data, node_named(data, "mul"))
    assert line["f"] == Path(__file__).name and line["s"] == "y = x * 3.0"  # no folder of this machine
    assert here(data, node_named(data, "mse_loss"))["s"] == "return F.mse_loss(y, tl.zeros(2))"
    assert here(data, next(n for n in data["nodes"] if n.get("b") is not None and "t" in n))["s"] == "return F.mse_loss(y, tl.zeros(2))"
    assert str(Path(__file__).parent) not in json.dumps(data)
    with recording():
        loss = step()
    assert "l" in node_named(page_data(trace(loss).html), "mul")
    with autograd.detect_anomaly():
        loss = step()
    assert "l" in node_named(page_data(trace(loss).html), "mul")
    plain = page_data(trace(step()).html)
    assert not plain["lines"] and "was not recorded" in plain["unrecorded"]


def test_recording_keeps_the_watch_that_was_on() -> None:
    x = tl.tensor([-1.0], requires_grad=True)
    state = get_state()
    with autograd.detect_anomaly(), pytest.raises(RuntimeError, match="the first nan was made by 'log'"), recording():
        x.log()
    with autograd.detect_anomaly(), recording():
        y = ((x - x).sqrt() * tl.tensor([0.0])).sum()
        with pytest.raises(RuntimeError, match="returned nan values in its 0th output"):
            y.backward()
    assert get_state() is state
    with recording():  # alone, it raises nothing
        x.log()


def test_names_from_the_function() -> None:
    x, w = tl.ones(2), tl.ones(2, requires_grad=True)
    data = page_data(trace(lambda: (w * x).sum()).html)
    assert {n["n"] for n in data["nodes"]} == {"w", "x", "mul", "sum"}
    data = page_data(trace(lambda: (w * x).sum(), params={"weights": w}).html)
    assert {n["n"] for n in data["nodes"]} == {"weights", "", "mul", "sum"}

    class Step:
        def __call__(self) -> Any:
            return (w * x).sum()

    assert {n["n"] for n in page_data(trace(Step()).html)["nodes"]} == {"", "mul", "sum"}


# the page

class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


EVIL = "</script><script>alert(1)</script><!--<b>'\"&\u2028"


def test_every_string_is_escaped() -> None:
    clean = _Tags()
    w = tl.ones(2, requires_grad=True)
    clean.feed(trace(w.sum()).html)
    with tl.scope(EVIL), recording():
        loss = (w * 2).sum()
    made = trace(loss, params={EVIL: w})
    found = _Tags()
    found.feed(made.html)
    assert found.tags == clean.tags
    data = page_data(made.html)
    assert node_named(data, EVIL)["k"] == "leaf" and data["boxes"][0]["n"] == EVIL
    assert "alert(1)</script>" not in made.html and "<!--<b>" not in made.html


def test_nothing_is_loaded() -> None:
    text = trace(tl.ones(2, requires_grad=True).sum()).html
    found = _Tags()
    found.feed(text)
    assert [t for t, _ in found.tags if t in ("link", "img", "iframe", "object", "base")] == []
    assert not any({"src", "href", "onclick", "style"} & set(attrs) for _, attrs in found.tags)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not a link
    policy = next(a["content"] for t, a in found.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|fetch|XMLHttpRequest)\b", text)


def test_save_and_notebook(tmp_path: Path) -> None:
    model, x, y = loop_step()
    made = trace(lambda: F.cross_entropy(model(x), y))
    for name in (tmp_path / "a.html", str(tmp_path / "b.htm")):
        made.save(name)
        assert Path(name).read_bytes() == made.html.encode()
    for wrong in ("trace", "trace.svg"):
        with pytest.raises(ValueError, match="give it a name that ends in .html"):
            made.save(tmp_path / wrong)
    shown = made._repr_html_()
    found = _Tags()
    found.feed(shown)
    ((tag, attrs),) = [t for t in found.tags if t[0] == "iframe"]
    assert tag == "iframe" and attrs["srcdoc"] == made.html and attrs["sandbox"] == "allow-scripts"
    assert html.unescape(attrs["title"]) == made.data["title"] and len(shown) < 110_000
    assert isinstance(made, Trace)


# errors, before anything is done

def test_errors() -> None:
    w = tl.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="trace: expected a Tensor or a function"):
        trace(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the function returned float; it must return the loss"):
        trace(lambda: 3.0)  # type: ignore[arg-type, return-value]
    with pytest.raises(RuntimeError, match="trace: element 0 of tensors does not require grad"):
        trace(tl.ones(2).sum())
    with tl.no_grad(), pytest.raises(RuntimeError, match="gradients are switched off here"):
        trace(lambda: w.sum())
    with pytest.raises(RuntimeError, match="trace: grad can be implicitly created only for scalar outputs"):
        trace(w * 2)
    with pytest.raises(RuntimeError, match="trace: gradient has shape"):
        trace(w * 2, tl.ones(3))
    with pytest.raises(ValueError, match="trace: expand='mse' is no box of this graph"):
        trace(F.mse_loss(w, tl.zeros(2)), expand="mse")
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"trace: the graph below 'sum' is gone: a backward freed it"):
        trace(loss)
    loss = (w.exp() * 2.0).sum()
    with tl.no_grad():
        loss.args[0].args[0].zero_()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        trace(loss)
    h = w
    for _ in range(2001):
        h = h + 1.0
    with pytest.raises(ValueError, match="has 2002 operations, a page holds 2000"):
        trace(h.sum())


def test_expand() -> None:
    model, x, y = loop_step()
    criterion = nn.CrossEntropyLoss()

    def opened(expand: Any) -> set[str]:
        data = trace(lambda: criterion(model(x), y), expand=expand).data
        return {data["boxes"][b]["n"] for b in data["open"]}

    assert opened(()) == opened(False) == set() and opened(True) == {"Linear", "cross_entropy"}
    assert opened("cross_entropy") == opened(["CrossEntropyLoss"]) == {"cross_entropy"}
    assert opened({"Linear"}) == {"Linear"}
