"""``tree`` and ``summary``: the graph and the layers as text."""

from __future__ import annotations

import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, nn, tensor, viz

F = nn.functional


def test_tree_closed() -> None:
    model = nn.Linear(3, 2)
    loss = nn.CrossEntropyLoss()(model(tl.randn(4, 3)), tensor([0, 1, 0, 1]))
    assert str(viz.tree(loss)) == "\n".join([
        "CrossEntropyLoss  () float32",
        "├─ input: Linear  (4, 2) float32, 2 parameters, 8 numbers",
        "│  └─ data  (4, 3) float32",
        "└─ target: data  (4,) int64",
    ])  # fmt: skip


def test_tree_opened() -> None:
    logits = tl.zeros(2, 2, requires_grad=True)
    text = viz.tree(F.cross_entropy(logits, tensor([0, 1])), expand="cross_entropy", values=True, grads="compute", params={"z": logits})
    assert str(text) == "\n".join([
        "mean  () float32, value 0.69315, grad 1, in cross_entropy",
        "└─ neg  (2,) float32, value [0.69315, 0.69315], grad [0.5, 0.5]",
        "   └─ a[row, target]  (2,) float32, value [-0.69315, -0.69315], grad [-0.5, -0.5]",
        "      ├─ a: log_softmax(a, dim=1)  (2, 2) float32, value [[-0.69315, -0.69315], [-0.69315, -0.69315]], grad [[-0.5, 0], [0, -0.5]]",
        "      │  └─ z  (2, 2) float32, leaf, value [[0, 0], [0, 0]], grad [[-0.25, 0.25], [0.25, -0.25]]",
        "      └─ target: data  (2,) int64, value [0, 1]",
    ])  # fmt: skip
    assert repr(text) == str(text), "a notebook shows it as it prints"


def test_tree_writes_shared_parts_once() -> None:
    w = tensor(2.0, requires_grad=True)
    shared = w.exp()
    lines = viz.tree(shared + shared.sin(), params={"w": w}).splitlines()
    assert lines == ["a + b  () float32", "├─ a: exp  () float32", "│  └─ w  () float32, leaf", "└─ b: sin  () float32", "   └─ exp  as above"]


def test_tree_of_several_and_of_a_nan() -> None:
    w = tensor(-1.0, requires_grad=True)
    assert viz.tree([w.log(), w * 2]).splitlines() == [
        "log  () float32, makes nan", "└─ leaf  () float32", "a * 2  () float32", "└─ leaf  () float32",
    ]  # fmt: skip


def test_tree_of_a_large_graph_is_short() -> None:
    h = w = tensor(1.0, requires_grad=True)
    for _ in range(3000):
        h = h * 0.5 + w
    assert len(viz.tree(h)) < 2000
    with pytest.raises(TypeError, match="tree: expected a Tensor, got str"):
        viz.tree("h")  # type: ignore[arg-type]


class Twice(nn.Module):
    """One layer used twice, one never, one weight shared."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.tied = nn.Linear(3, 3)
        self.tied.weight = self.first.weight
        self.unused = nn.Linear(1, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        h = self.drop(self.tied(self.first(self.first(x)))) + tl.randn(1)
        return h * scale, h.sum()


def test_summary() -> None:
    model = Twice()
    model.unused.bias.requires_grad = False
    assert str(viz.summary(model, tl.ones(5, 3))) == "\n".join([
        "Layer             Output           Parameters",
        "Twice             ((5, 3), ())",
        "  first: Linear   (5, 3), 2 calls          12",
        "  tied: Linear    (5, 3)                    3",
        "  unused: Linear  not called                2",
        "  drop: Dropout   (5, 3)",
        "17 parameters, 16 trained; 68 bytes",
    ])  # fmt: skip
    assert "Output" not in viz.summary(model) and "17 parameters" in viz.summary(model)


def test_summary_puts_everything_back() -> None:
    model = Twice()
    model.eval()
    model.drop.train()
    calls: list[bool] = []
    model.first.register_forward_hook(lambda module, args, output: calls.append(module.training or output.requires_grad))
    state = tl.get_rng_state()
    viz.summary(model, tl.ones(5, 3), scale=2.0)
    assert calls == [False, False], "evaluation mode, no gradients"
    assert [m.training for m in model.modules()] == [False, False, False, False, True]
    assert bool((state == tl.get_rng_state()).all()) and tl.is_grad_enabled()
    assert [name for name, m in model.named_modules() if m._hooks is not None] == ["first"]
    with pytest.raises(RuntimeError):
        viz.summary(model, tl.ones(5, 4))
    assert [m.training for m in model.modules()] == [False, False, False, False, True] and tl.is_grad_enabled()
    assert [name for name, m in model.named_modules() if m._hooks is not None] == ["first"]


def test_summary_refuses_what_is_no_module() -> None:
    with pytest.raises(TypeError, match=r"summary: expected a Module, got Tensor; for a graph use viz.tree"):
        viz.summary(tl.ones(2))  # type: ignore[arg-type]
