"""The graph behind the pictures: nodes, boxes, folding, and what ``draw`` makes of them."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, autograd, nn, tensor, viz
from tinygrad_loss.viz._broken import broken_by
from tinygrad_loss.viz._build import build
from tinygrad_loss.viz._fold import fold
from tinygrad_loss.viz._gradients import gradients
from tinygrad_loss.viz._model import Graph
from tinygrad_loss.viz._text import call_text, value_text
from tinygrad_loss.viz._view import View, nodes_of, opened_by, title

F = nn.functional


def leaf(*shape: int) -> Tensor:
    return tl.randn(*shape, requires_grad=True)


def viewed(t: Any, expand: Any = (), limit: int = 10**9, **options: Any) -> View:
    graph = build(t, **options)
    return fold(graph, opened_by(graph, expand, "draw"), limit)


def titles(view: View) -> list[str]:
    return [title(item) for item in view.items]


def assert_sound(view: View) -> None:
    """No cycle, no edge from or to something that is not drawn, and every node in exactly one item."""
    users: dict[int, list[int]] = {id(item): [] for item in view.items}
    missing = dict.fromkeys(users, 0)
    for edge in view.edges:
        users[id(edge.source)].append(id(edge.target))
        missing[id(edge.target)] += 1
    ready = [i for i, n in missing.items() if not n]
    reached = 0
    while ready:
        reached += 1
        for target in users[ready.pop()]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    assert reached == len(view.items), "a cycle"
    shown = Counter(node.id for item in view.items if item.kind != "result" for node in nodes_of(view.graph, item))
    assert set(shown.values()) <= {1}
    graph = view.graph
    inside_losses = {n for b in graph.boxes if b.kind == "loss" for n in graph.nodes_within(b.id)}
    opened_losses = {b.node for b in graph.boxes if b.kind == "loss" and b.id in view.opened}
    assert set(shown) >= {n.id for n in graph.nodes} - inside_losses - opened_losses


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.fc1(x).relu())


# the model


def test_kinds_names_and_shapes() -> None:
    net, x, w = Net(), tl.randn(5, 4), leaf(3)
    loss = F.cross_entropy(net(x) * w, tensor([0, 1, 2, 0, 1]))
    graph = build(loss, params={"w": w, "net": net, "x": x, "epochs": 3})
    kinds = {(n.kind, n.name): n for n in graph.nodes}
    assert {("data", "x"), ("leaf", "w"), ("parameter", "fc1.weight"), ("parameter", "head.bias")} <= set(kinds)
    assert kinds["parameter", "fc1.weight"].shape == (8, 4) and kinds["data", ""].dtype == "int64"
    assert [graph.nodes[i].name for i in graph.results] == ["cross_entropy"]
    assert [n.id for n in graph.nodes] == list(range(len(graph.nodes)))
    inner = {n for b in graph.boxes if b.kind == "loss" for n in graph.nodes_within(b.id)}
    assert all(a.node is None or a.node < n.id or n.id in inner for n in graph.nodes for a in n.args)


def test_parameters_are_named_by_their_modules_alone() -> None:
    names = {n.name for n in build(Net()(tl.randn(2, 4)).sum()).nodes if n.kind == "parameter"}
    assert names == {"fc1.weight", "fc1.bias", "head.weight", "head.bias"}


def test_argument_order_and_constants() -> None:
    x, y = leaf(2), leaf(2)
    for expression, expected in [(x - y, "xy"), (y - x, "yx")]:
        graph = build(expression, params={"x": x, "y": y})
        node = graph.nodes[graph.results[0]]
        assert call_text(node) == "a - b" and [a.label for a in node.args] == ["a", "b"]
        assert "".join(graph.nodes[a.node].name for a in node.args if a.node is not None) == expected
    for expression, text in [
        (3 - x, "3 - a"), (x / 4, "a / 4"), (x[1:], "a[1:]"), (x.sum(0, keepdim=True), "sum(a, dim=(0,), keepdim=True)"),
        (x.clamp(-1, 1), "clamp(a, lo=-1, hi=1)"), (tl.where(x > 0, x, 0), "where(condition, input, 0)"), (x.exp(), "exp"),
    ]:  # fmt: skip
        graph = build(expression)
        assert call_text(graph.nodes[graph.results[0]]) == text
    dot = viz.draw(x - y, params={"x": x, "y": y}).dot
    place = {name: re.search(rf"(n\d+) \[label=<<B>{name}<", dot)[1] for name in ("x", "y", "a - b")}  # type: ignore[index]
    assert f'{place["x"]} -> {place["a - b"]} [label=" a "' in dot and f'{place["y"]} -> {place["a - b"]} [label=" b "' in dot


def test_the_same_tensor_twice_keeps_both_arguments() -> None:
    x = leaf(2)
    assert [edge.label for edge in viewed(x * x).edges] == ["a", "b", ""]


@pytest.mark.parametrize("rows", [4, 20_000])  # small, and large enough to be fused
def test_a_loss_opens_to_its_primitives(rows: int) -> None:
    logits, target = leaf(rows, 3), tl.randint(0, 3, (rows,))
    loss = nn.CrossEntropyLoss()(logits, target)
    assert titles(viewed(loss)) == ["leaf", "data", "CrossEntropyLoss", "result"]
    view = viewed(loss, "cross_entropy", params={"logits": logits, "target": target})
    assert {"log_softmax", "mean", "pick"} <= {i.node.name for i in view.items if i.node is not None}
    assert_sound(view)
    links = {(title(e.source), title(e.target), e.label, e.tracked) for e in view.edges}
    assert {("logits", "log_softmax", "", True), ("target", "pick", "target", False)} <= links
    box = next(b for b in view.graph.boxes if b.kind == "loss")
    assert box.result is not None
    inner, outer = view.graph.nodes[box.result].tensor, view.graph.nodes[view.graph.results[0]].tensor
    assert inner is not None and outer is not None
    np.testing.assert_allclose(inner.array, outer.array, rtol=1e-5)


def test_constants_inside_a_loss_lead_back_to_its_arguments() -> None:
    z, weight = leaf(4, 3), tensor([1.0, 2.0, 3.0])
    loss = F.cross_entropy(z, tensor([0, 1, 2, 0]), weight=weight, label_smoothing=0.1)
    view = viewed(loss, "cross_entropy", params={"weight": weight})
    reached = {title(e.target) for e in view.edges if title(e.source) == "weight"}
    assert reached == {"constant"} and all(not e.tracked for e in view.edges if title(e.source) == "weight")
    assert viewed(loss).items[-1].kind == "result" and "label_smoothing" in viz.draw(loss).dot


def test_every_loss_opens() -> None:
    a, b = tensor([0.2, 0.7], requires_grad=True), tensor([0.0, 1.0])
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy):
        for reduction in ("mean", "sum", "none"):
            value = loss(a, b, reduction=reduction)
            assert_sound(viewed(value, True))
            assert viz.tree(value, expand=True) != viz.tree(value)


def test_expand_by_attribute_path_type_and_all() -> None:
    outer = nn.Sequential(Net(), nn.Linear(3, 1))
    loss = F.mse_loss(outer(tl.randn(2, 4)), tl.zeros(2, 1))
    assert "fc1: Linear" in titles(viewed(loss, "0"))
    for name in ("fc1", "0.fc1"):
        opened = viewed(loss, name)
        assert "head: Linear" in titles(opened) and "fc1.weight" in str([n for n in titles(opened) if "weight" in n])
    assert sum(t == "linear" for t in titles(viewed(loss, "Linear"))) == 3
    assert {"square", "linear"} <= set(titles(viewed(loss, "all"))) and viewed(loss, True).opened == viewed(loss, "all").opened
    with pytest.raises(ValueError, match="expand='fc7' is no box of this graph; there are: Sequential, 0, 0.fc1, 0.head, 1, mse_loss"):
        viz.draw(loss, expand="fc7")


def test_a_module_called_again_is_another_box_and_nothing_goes_round() -> None:
    cell, h = nn.Linear(3, 3), tl.ones(1, 3)
    for _ in range(3):
        h = cell(h).tanh()
    view = viewed(h.sum())
    assert titles(view).count("Linear") == 3
    assert_sound(view)
    assert sum(n.kind == "parameter" for n in view.graph.nodes) == 2


# faults


def test_only_what_made_a_nan_is_marked() -> None:
    x = tensor([1.0, 0.0, -1.0], requires_grad=True)
    graph = build((x.log() * 2).sum() + (x.detach() * x / 0).sum())
    assert {(n.name, n.bad) for n in graph.nodes if n.culprit} == {("log", "nan, inf"), ("div", "nan, inf")}
    dot = viz.draw(x.log().sum()).dot
    assert dot.count("makes nan and inf") == 1 and "has nan" in dot
    inside = F.mse_loss((x / 0).sqrt(), tl.zeros(3))
    assert [n.name for n in build(inside).nodes if n.culprit] == ["div"]
    assert next(n for n in build(tensor([np.nan], requires_grad=True) * 1).nodes if n.culprit).kind == "leaf"


def test_a_nan_made_inside_a_loss_is_marked_closed_and_open() -> None:
    p = tensor([1.5, 0.5], requires_grad=True)

    @tl.loss
    def doc_bad_loss(input: tl.losses.Real[Tensor, "..."], target: tl.losses.Real[Tensor, "..."]) -> Any:  # noqa: UP037
        """The logarithm of what may be negative."""
        return tl.log(target - input)

    value = doc_bad_loss(p, tl.ones(2))
    assert [i.node.name for i in viewed(value).items if i.node is not None and i.node.culprit][:1] == ["doc_bad_loss"]
    assert [i.node.name for i in viewed(value, True).items if i.kind == "operation" and i.node.culprit] == ["log"]
    with autograd.detect_anomaly():  # drawing is no anomaly
        viz.draw(value, expand=True)
    tl.losses.LOSSES.pop("doc_bad_loss")


def test_a_mask_of_minus_infinity_is_no_fault() -> None:
    x = leaf(3, 3)
    masked = x.masked_fill(tl.eye(3) > 0, -np.inf)
    assert not [n.name for n in build(tl.log_softmax(masked, 1)).nodes if n.culprit]


def test_gradients_that_are_not_there_read_so() -> None:
    w = tensor([2.0], requires_grad=True)
    y = (w * w).sum()
    assert "grad not computed" in viz.draw(y, grads=True).dot and "grad" not in viz.draw(y).dot
    assert re.search(r"\n.*leaf.*grad not computed", viz.tree(y * 1, grads=True)) or "not computed" in viz.tree(y, grads=True)
    y.backward(retain_graph=True)
    assert "grad [4]" in viz.draw(y, grads=True).dot and "not computed" not in viz.draw(y, grads=True).dot


def test_computed_gradients_are_those_of_autograd_and_leave_grad_alone() -> None:
    logits, target = leaf(4, 3), tensor([0, 1, 2, 0])
    hidden = logits.tanh()
    loss = F.cross_entropy(hidden, target)
    graph = build([loss, hidden.sum()])
    found = gradients(graph)
    expected = autograd.grad([loss, hidden.sum()], [logits, hidden], retain_graph=True)
    ids = {id(n.tensor): n.id for n in graph.nodes}
    for t, g in zip((logits, hidden), expected, strict=True):
        np.testing.assert_allclose(found[ids[id(t)]], g.array, rtol=1e-6)
    inner = next(n for n in graph.nodes if n.name == "log_softmax")
    picked = -np.eye(3, dtype=np.float32)[target.array] / 4
    np.testing.assert_allclose(found[inner.id], picked, rtol=1e-6)
    assert logits.grad is None and "grad none arrives" not in viz.draw(loss, grads="compute").dot
    loss.backward()  # the graph is still there


# errors, and errors drawn


def test_refusals() -> None:
    w = leaf(2)
    y = (w * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"draw: the graph below 'sum' is gone: a backward freed it.*retain_graph"):
        viz.draw(y)
    with pytest.raises(RuntimeError, match="tree: the graph below"):
        viz.tree(y)
    with tl.no_grad(), pytest.raises(RuntimeError, match=r"draw: the tensor has no graph.*no_grad"):
        viz.draw(w * 2)
    with pytest.raises(TypeError, match="draw: expected a Tensor, got float"):
        viz.draw(1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="draw: expected a Tensor or some, got an empty list"):
        viz.draw([])
    with pytest.raises(TypeError, match="draw: params must be a Module or a dict"):
        viz.draw(w * 2, params=[w])
    for options in ({"limit": 1}, {"direction": "up"}, {"grads": "all"}):
        with pytest.raises(ValueError, match=f"draw: {next(iter(options))}"):
            viz.draw(w * 2, **options)  # type: ignore[arg-type]


def test_what_a_backward_freed_further_down_is_marked() -> None:
    w = leaf(2)
    shared = w * 2
    again = shared.sum()
    shared.sum().backward()
    assert "freed by a backward" in viz.draw(again).dot


def caught(function: Any) -> BaseException:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.side, self.enc, self.dec = nn.Linear(4, 2), nn.Linear(4, 8), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        side = self.side(x).sigmoid()
        return self.dec(self.enc(x).tanh()) + side


def test_an_exception_draws_what_there_was() -> None:
    error = caught(lambda: Broken()(tl.randn(5, 4)))
    dot = viz.draw(error).dot
    assert "raised here" in dot and "has 8 features" in dot.replace("<BR/>", " ").replace('<FONT COLOR="#b3261e">', "").replace("</FONT>", "")
    for word in ("sigmoid", "tanh", "dec.weight", "dec: Linear", "enc: Linear"):
        assert word in dot, word
    assert "result" not in dot


@pytest.mark.parametrize(("make", "name", "labels"), [
    (lambda h: h + tl.ones(7), "add", ["a", "b"]),
    (lambda h: h.reshape(7, 7), "reshape", []),
    (lambda h: F.mse_loss(h, tl.ones(3)), "mse_loss", ["input", "target"]),
    (lambda h: nn.L1Loss()(h, tl.ones(3)), "l1_loss", ["input", "target"]),
    (lambda h: tl.cat([h, tl.ones(1)]), "cat", ["tensors", "tensors"]),
])  # fmt: skip
def test_the_operation_that_raised(make: Any, name: str, labels: list[str]) -> None:
    h = leaf(5, 8).exp()
    error = caught(lambda: make(h))
    (failed,), _ = broken_by(error)
    assert failed.name == name and list(failed.labels)[: len(labels)] == labels
    assert failed.message.startswith(type(error).__name__)
    assert "exp" in viz.draw(error).dot


def test_an_exception_of_the_user_draws_the_tensors_in_sight() -> None:
    def forward(x: Tensor) -> Tensor:
        h = x.exp()
        raise ValueError(f"no, {h.shape}")

    assert "exp" in viz.draw(caught(lambda: forward(leaf(3)))).dot
    with pytest.raises(RuntimeError, match="no traceback"):
        viz.draw(ValueError("never raised"))
    with pytest.raises(RuntimeError, match="no tensor is in sight"):
        viz.draw(caught(lambda: int("x")))


# size


def test_gradients_of_gradients() -> None:
    w = tensor(3.0, requires_grad=True)
    (g,) = autograd.grad(w**3, w, create_graph=True)
    view = viewed(g * g)
    assert_sound(view)
    assert "value 729" in viz.draw(g * g, values=True).dot
    p = tensor([0.2, 0.7], requires_grad=True)
    (g,) = autograd.grad(F.mse_loss(p.sigmoid(), tl.ones(2)), p, create_graph=True)
    assert_sound(viewed(g.sum(), True))


def test_a_diamond_of_60_levels_is_drawn_once() -> None:
    h = leaf(2)
    for _ in range(60):
        h = h.sin() + h.cos()
    view = viewed(h)
    assert len(view.items) == 182 and len(view.edges) == 241
    assert viz.draw(h).dot.count("->") == 241
    assert len(viz.tree(h, limit=500).splitlines()) < 400


def chain(n: int) -> Tensor:
    w = leaf(2)
    h = w
    for _ in range(n):
        h = h * 0.5 + w
    return h.sum()


def test_the_text_grows_with_the_graph_and_not_faster() -> None:
    assert len(viz.draw(chain(400), limit=10**6).dot) < 2.2 * len(viz.draw(chain(200), limit=10**6).dot)


def test_no_recursion() -> None:
    loss = F.mse_loss(chain(5_000), tensor(0.0))
    deep = len(caught_depth()) + 80
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(deep)
    try:
        viz.draw(loss, expand=True, grads="compute")
        viz.tree(loss)
    finally:
        sys.setrecursionlimit(before)


def caught_depth() -> list[Any]:
    frame, frames = sys._getframe(), []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames


def test_10_000_nodes_are_folded() -> None:
    repeated = viewed(chain(5_000), limit=100)
    assert len(repeated.items) < 12 and any("4998" in title(i) for i in repeated.items)
    assert_sound(repeated)
    random.seed(0)
    h = w = leaf(2)
    for _ in range(10_000):
        h = random.choice([h.exp, h.sin, lambda h=h: h * 2, lambda h=h: h + w])()
    irregular = viewed(h, limit=100)
    assert len(irregular.items) <= 100
    assert_sound(irregular)


def test_repeated_layers_are_shown_once() -> None:
    model = nn.Sequential(*[layer for _ in range(300) for layer in (nn.Linear(2, 2), nn.ReLU())])
    loss = F.cross_entropy(model(tl.randn(3, 2)), tensor([0, 1, 0]))
    assert len(viewed(loss, limit=50).items) == 5
    view = viewed(loss, True, limit=50)
    assert len(view.items) < 20 and f"{chr(215)} 298" in titles(view)
    assert "log_softmax" in titles(view), "what is small stays open"
    assert_sound(view)


def test_many_leaves_are_one_item() -> None:
    w = [nn.Parameter(tl.randn(2)) for _ in range(500)]
    for value in (tl.cat(w), tl.stack([x.exp() for x in w])):
        view = viewed(value, limit=50)
        assert len(view.items) < 10 and len(view.edges) < 10
        assert_sound(view)


@pytest.mark.parametrize("seed", range(12))
def test_any_graph_with_any_boxes_open_folds_soundly(seed: int) -> None:
    rng = random.Random(seed)
    layers = [nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.ReLU()]
    pool: list[Tensor] = [leaf(2, 3), tl.randn(2, 3)]
    for _ in range(150):
        a, b = rng.choice(pool[-6:]), rng.choice(pool)
        made = rng.choice([lambda a=a, b=b: a * b, lambda a=a: rng.choice(layers)(a), lambda a=a, b=b: a - b,
                           lambda a=a, b=b: F.mse_loss(a, b.detach(), reduction="none")])()  # fmt: skip
        pool.append(made)
    root = pool[-1].sum() + pool[-2].sum()
    graph: Graph = build(root)
    for expand in (set(), {b.id for b in graph.boxes}, {i for b in graph.boxes if rng.random() < 0.3 for i in graph.inside(b.id)}):
        for limit in (10**9, 60, 12, 3):
            assert_sound(fold(graph, set(expand), limit))


def test_values_in_few_words() -> None:
    assert value_text(np.array([[1.0, 2.5]])) == "[[1, 2.5]]" and value_text(np.float32(0.1).reshape(())) == "0.1"
    assert value_text(np.arange(10.0)) == "0 ... 9, mean 4.5" and value_text(np.arange(10)) == "0 ... 9"
    assert value_text(np.array([np.nan] * 9 + [1.0])) == "1 ... 1, mean 1, 9 not finite"
    assert value_text(np.full(9, np.inf)) == "no finite number in 9" and value_text(np.zeros(0)) == "empty"
    assert value_text(np.ones(9, bool)) == "9 of 9 True" and value_text(None) == "not computed"
    with np.errstate(all="raise"):
        assert value_text(np.full(9, 3e38, np.float32)).startswith("3e+38")
