"""Modules, initial values and functions of nn against torch."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, nn

F = nn.functional
torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

MODULES: list[tuple[str, Any]] = [
    ("ReLU", lambda n: n.ReLU()), ("ReLU inplace", lambda n: n.ReLU(inplace=True)),
    ("LeakyReLU", lambda n: n.LeakyReLU(0.2)), ("LeakyReLU inplace", lambda n: n.LeakyReLU(0.2, True)),
    ("ELU", lambda n: n.ELU(1.5)), ("ELU inplace", lambda n: n.ELU(inplace=True)), ("SiLU", lambda n: n.SiLU()),
    ("SiLU inplace", lambda n: n.SiLU(True)), ("GELU", lambda n: n.GELU()), ("GELU tanh", lambda n: n.GELU("tanh")),
    ("Sigmoid", lambda n: n.Sigmoid()), ("Tanh", lambda n: n.Tanh()), ("LogSigmoid", lambda n: n.LogSigmoid()),
    ("Softplus", lambda n: n.Softplus()), ("Softplus beta", lambda n: n.Softplus(2.0, 5.0)),
    ("Softmax", lambda n: n.Softmax(dim=1)), ("LogSoftmax", lambda n: n.LogSoftmax(dim=-1)),
    ("Softmin", lambda n: n.Softmin(dim=0)), ("Identity", lambda n: n.Identity(3, a=1)),
    ("Flatten", lambda n: n.Flatten(0)), ("Dropout", lambda n: n.Dropout(0.3)),
    ("Dropout all", lambda n: n.Dropout(1.0)),
    ("Linear", lambda n: n.Linear(6, 4)), ("Linear bare", lambda n: n.Linear(6, 4, bias=False)),
    ("LayerNorm", lambda n: n.LayerNorm(6)), ("LayerNorm two", lambda n: n.LayerNorm((5, 6), eps=1e-3)),
    ("LayerNorm bare", lambda n: n.LayerNorm(6, elementwise_affine=False)),
    ("LayerNorm no bias", lambda n: n.LayerNorm([6], bias=False)),
    ("model", lambda n: n.Sequential(n.Linear(6, 16), n.ReLU(), n.LayerNorm(16), n.Linear(16, 3), n.LogSoftmax(1))),
]  # fmt: skip


def both(values: Any, grad: bool = True) -> tuple[Any, Any]:
    values = np.asarray(values)
    return Tensor(values.copy(), requires_grad=grad), torch.tensor(values, requires_grad=grad)


def same(ours: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    expected = theirs.detach().numpy()
    assert ours.array.shape == expected.shape
    assert ours.array.dtype == expected.dtype
    np.testing.assert_allclose(ours.array, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "make"), MODULES, ids=[m[0] for m in MODULES])
def test_module(name: str, make: Any) -> None:
    """The repr, the initial values, the output and the gradients, all for the same seed."""
    tl.manual_seed(3)
    torch.manual_seed(3)
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    for (a, p), (b, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert a == b
        same(p, q, 0.0)
    ours.double()
    theirs.double()
    x, y = both(np.random.default_rng(0).normal(size=(5, 6)))
    result, expected = ours(x * 1), theirs(y * 1)  # torch writes in place, which a leaf refuses
    same(result, expected)
    (result * result).sum().backward()
    (expected * expected).sum().backward()
    same(x.grad, y.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"]
)
@pytest.mark.parametrize("shape", [(3, 5), (16, 2, 3)])
def test_init(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    tl.manual_seed(5)
    torch.manual_seed(5)
    ours = getattr(nn.init, name)(tl.zeros(shape, dtype=getattr(tl, dtype)))
    theirs = getattr(torch.nn.init, name)(torch.zeros(shape, dtype=getattr(torch, dtype)))
    same(ours, theirs, 1e-15 if dtype == "float64" else 1e-7)


def test_init_options() -> None:
    for call in (
        lambda n, t: n.init.kaiming_uniform_(t, a=0.3, mode="fan_out", nonlinearity="leaky_relu"),
        lambda n, t: n.init.kaiming_normal_(t, nonlinearity="relu"),
        lambda n, t: n.init.xavier_uniform_(t, gain=n.init.calculate_gain("tanh")),
        lambda n, t: n.init.uniform_(t, -2.0, 3.0),
        lambda n, t: n.init.normal_(t, 1.0, 0.1),
        lambda n, t: n.init.eye_(t),
        lambda n, t: n.init.constant_(t, 0.3),
    ):
        tl.manual_seed(5)
        torch.manual_seed(5)
        same(call(nn, tl.zeros(4, 7)), call(torch.nn, torch.zeros(4, 7)), 1e-7)
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize("padding", [None, 0, -2])
def test_embedding(padding: int | None) -> None:
    tl.manual_seed(1)
    torch.manual_seed(1)
    ours, theirs = nn.Embedding(7, 3, padding_idx=padding), torch.nn.Embedding(7, 3, padding_idx=padding)
    assert repr(ours) == repr(theirs)
    same(ours.weight, theirs.weight, 0.0)
    index = np.array([[0, 5, 6], [5, 5, 1]])
    a, b = ours(Tensor(index)), theirs(torch.tensor(index))
    same(a, b, 0.0)
    (a**2).sum().backward()
    (b**2).sum().backward()
    same(ours.weight.grad, theirs.weight.grad, 1e-6)


def test_dropout_draws_the_same_mask() -> None:
    x, y = both(np.ones((40, 50), "float32"))
    tl.manual_seed(2)
    torch.manual_seed(2)
    a, b = F.dropout(x, 0.7), torch.nn.functional.dropout(y, 0.7)
    assert abs(float((a.array != 0).mean()) - 0.3) < 0.05
    same(a, b, 1e-7)


def pairs(function: Any, *arrays: Any, second: bool = True, tolerance: float = 1e-10) -> None:
    """Values, first and second gradients of the same call in both libraries."""
    ours, theirs = zip(*(both(a) for a in arrays), strict=True)
    a, b = function(F, *ours), function(torch.nn.functional, *theirs)
    same(a, b, tolerance)
    weights = np.random.default_rng(9).normal(size=a.array.shape)
    da = tl.autograd.grad((a * Tensor(np.asarray(weights))).sum(), ours, create_graph=second)
    db = torch.autograd.grad((b * torch.tensor(weights)).sum(), theirs, create_graph=second)
    for g, h in zip(da, db, strict=True):
        same(g, h, tolerance)
    if second:
        unused = {"materialize_grads": True}  # of a bias, which the first gradients do not contain
        total, expected = sum((g**2).sum() for g in da), sum((g**2).sum() for g in db)
        das, dbs = tl.autograd.grad(total, ours, **unused), torch.autograd.grad(expected, theirs, **unused)
        for g, h in zip(das, dbs, strict=True):
            same(g, h, tolerance * 10)


RNG = np.random.default_rng(4)
A, B = RNG.normal(size=(4, 3, 5)), RNG.normal(size=(4, 3, 5))


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_normalize(dim: int, p: float) -> None:
    pairs(lambda f, x: f.normalize(x, p=p, dim=dim), A)


def test_normalize_eps() -> None:
    pairs(lambda f, x: f.normalize(x, dim=1, eps=1.5), A[:, 0])


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cosine_similarity(dim: int) -> None:
    pairs(lambda f, x, y: f.cosine_similarity(x, y, dim=dim), A, B)
    pairs(lambda f, x, y: f.cosine_similarity(x, y, dim=dim, eps=0.01), A, B)
    (a, c), (b, d) = both(A), both(B)  # below eps torch's gradient is that of a norm without the bound
    same(F.cosine_similarity(a, b, dim, 2.0), torch.nn.functional.cosine_similarity(c, d, dim, 2.0))


def test_cosine_similarity_broadcasts() -> None:
    pairs(lambda f, x, y: f.cosine_similarity(x, y, dim=-1), A, B[0, :1])
    pairs(lambda f, x, y: f.cosine_similarity(x, y, dim=0), A[:, :, 0], B[:1, :, 0])
    pairs(lambda f, x, y: f.cosine_similarity(x, y, dim=0), A[0, 0], B[0, 0])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("keepdim", [False, True])
def test_pairwise_distance(p: float, keepdim: bool) -> None:
    second = p in (2.0, 3.0)  # torch has no second derivative through the others' constants
    pairs(lambda f, x, y: f.pairwise_distance(x, y, p=p, keepdim=keepdim), A, B, second=second)
    pairs(lambda f, x, y: f.pairwise_distance(x, y, p=p, keepdim=keepdim), A[0], B[0, 0], second=second)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (4, 3, 5)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    weight, bias = RNG.normal(size=shape), RNG.normal(size=shape)
    pairs(lambda f, x: f.layer_norm(x, shape), A)
    pairs(lambda f, x, w, b: f.layer_norm(x, shape, w, b, eps=1e-2), A, weight, bias)


def test_layer_norm_float16() -> None:
    x, y = both(RNG.normal(size=(4, 8)).astype("float16") * np.float16(300))
    same(F.layer_norm(x, (8,)), torch.nn.functional.layer_norm(y, (8,)), 2e-3)


class Names:
    """The same model in both libraries."""

    def __init__(self, n: Any, t: Any, parameter: Any) -> None:
        class Block(n.Module):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.fc = n.Linear(2, 2)
                self.register_buffer("mean", t.zeros(2))
                self.register_buffer("cache", t.zeros(1), persistent=False)
                self.register_buffer("nothing", None)

            def forward(self, x: Any) -> Any:
                return self.fc(x)

        class Net(n.Module):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.first = Block()
                self.scale = parameter(t.ones(2))
                self.blocks = n.ModuleList([Block(), Block(), n.ReLU()])
                self.heads = n.ModuleDict(OrderedDict([("a", n.Linear(2, 1)), ("b", n.Tanh())]))
                self.tied = self.blocks[0]
                self.register_parameter("missing", None)
                self.add_module("named", n.Sequential(OrderedDict([("x", n.Linear(2, 2)), ("y", n.ReLU())])))

        self.net = Net()


def test_names_and_order() -> None:
    ours, theirs = Names(nn, tl, nn.Parameter).net, Names(torch.nn, torch, torch.nn.Parameter).net
    assert repr(ours) == repr(theirs)
    for method in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [k for k, _ in getattr(ours, method)()] == [k for k, _ in getattr(theirs, method)()]
    for method in ("named_parameters", "named_buffers", "named_modules"):
        options = {"prefix": "m", "remove_duplicate": False}
        assert [k for k, _ in getattr(ours, method)(**options)] == [k for k, _ in getattr(theirs, method)(**options)]
    assert [k for k, _ in ours.named_parameters(recurse=False)] == ["scale"]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(ours.state_dict(prefix="p.")) == list(theirs.state_dict(prefix="p."))
    assert repr(ours.load_state_dict(ours.state_dict())) == "<All keys matched successfully>"
    seen: list[str] = []
    expected: list[str] = []
    ours.apply(lambda m: seen.append(type(m).__name__))
    theirs.apply(lambda m: expected.append(type(m).__name__))
    assert seen == expected


def test_containers() -> None:
    for n in (nn, torch.nn):
        layers = [n.Linear(2, 2), n.ReLU(), n.Tanh(), n.ReLU()]
        chain = n.Sequential(*layers)
        assert repr(chain[1:3]).replace(" ", "") == "Sequential(\n(1):ReLU()\n(2):Tanh()\n)"
        assert chain[-1] is layers[3] and len(chain) == 4 and list(chain) == layers
        del chain[1]
        assert [k for k, _ in chain.named_children()] == ["0", "1", "2"]
        chain.append(n.Sigmoid())
        chain.insert(0, n.Identity())
        assert [type(m).__name__ for m in chain] == ["Identity", "Linear", "Tanh", "ReLU", "Sigmoid"]
        chain[0] = n.Tanh()
        assert type(chain[0]).__name__ == "Tanh"
        several = n.ModuleList([n.ReLU()])
        several += [n.Tanh()]
        several.extend([n.ReLU(), n.ReLU()])
        assert [type(m).__name__ for m in several[1:]] == ["Tanh", "ReLU", "ReLU"]
        assert type(several.pop(1)).__name__ == "Tanh"
        assert repr(several) == "ModuleList(\n  (0-2): 3 x ReLU()\n)"
        named = n.ModuleDict({"a": n.ReLU()})
        named.update({"b": n.Tanh()})
        assert list(named) == ["a", "b"] and "a" in named and len(named) == 2
        assert type(named.pop("a")).__name__ == "ReLU" and list(named.keys()) == ["b"]
        named.clear()
        assert len(named) == 0


def test_hooks() -> None:
    results = []
    for n, t in ((nn, tl), (torch.nn, torch)):
        layer = n.Identity()
        first = layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
        layer.register_forward_hook(lambda m, args, output: output * 10 + args[0])
        before = layer(t.tensor([1.0])).tolist()
        first.remove()
        results.append((before, layer(t.tensor([1.0])).tolist()))
    assert results[0] == results[1] == ([22.0], [11.0])


def test_training_a_model() -> None:
    """A few epochs with every layer: parameters stay together in float64."""
    x, y = RNG.normal(size=(20, 6)), RNG.integers(0, 3, 20)

    def train(n: Any, t: Any, o: Any, wrap: Any) -> list[Any]:
        t.manual_seed(0)
        model = n.Sequential(
            n.Linear(6, 12), n.LayerNorm(12), n.GELU(), n.Dropout(0.2), n.Linear(12, 8, bias=False), n.ELU(),
            n.Linear(8, 3),
        ).double()
        optimizer, criterion = o.AdamW(model.parameters(), lr=1e-2), n.CrossEntropyLoss()
        scheduler = o.lr_scheduler.CosineAnnealingLR(optimizer, 20)
        for _ in range(20):
            optimizer.zero_grad()
            loss = criterion(model(wrap(x)), wrap(y))
            loss.backward()
            n.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            scheduler.step()
        return [p.detach().numpy() for p in model.eval().parameters()]

    ours = train(nn, tl, tl.optim, lambda v: Tensor(v.copy()))
    for a, b in zip(ours, train(torch.nn, torch, torch.optim, torch.tensor), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
