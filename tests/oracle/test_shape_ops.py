
"""Rearranging, indexing, ordering and products against torch: values, dtypes, first and second gradients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.backward import grad
from tinygrad_loss.ops import indexing, joining, linalg, ordering, shape

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

OURS = SimpleNamespace(
    **{n: f for m in (shape, joining, indexing, ordering, linalg) for n, f in vars(m).items() if callable(f)}
)
OURS.tensor, OURS.grad = tl.tensor, grad
OURS.T, OURS.mT = shape.T, shape.mT
THEIRS = SimpleNamespace(**{n: getattr(torch, n) for n in vars(OURS) if hasattr(torch, n)})
THEIRS.tensor, THEIRS.grad = torch.tensor, torch.autograd.grad
THEIRS.linear, THEIRS.one_hot = torch.nn.functional.linear, torch.nn.functional.one_hot
THEIRS.view, THEIRS.repeat = torch.Tensor.view, torch.Tensor.repeat
THEIRS.expand, THEIRS.expand_as = torch.Tensor.expand, torch.Tensor.expand_as
THEIRS.view_as, THEIRS.reshape_as = torch.Tensor.view_as, torch.Tensor.reshape_as
THEIRS.getitem = torch.Tensor.__getitem__
THEIRS.T, THEIRS.mT = torch.t, lambda x: x.mT
THEIRS.pick = lambda x, i, dim: torch.gather(x, dim, i.unsqueeze(dim)).squeeze(dim)
THEIRS.max_dim, THEIRS.min_dim = torch.max, torch.min

S0, S1, S2, S3, E1, E2 = (), (5,), (3, 4), (2, 3, 4), (0,), (0, 3)


# (name, function of the library and the tensors, shapes of the tensors)
CASES: list[tuple[str, Any, list[tuple[int, ...]]]] = []


def case(name: str, function: Any, *shapes: tuple[int, ...]) -> None:
    CASES.append((name, function, list(shapes)))


for s, to in ((S0, (1, 1)), (S0, ()), (S1, (5, 1)), (S2, (2, -1)), (S2, (-1,)), (S3, (4, 6)), (E1, (0, 4)), (E2, (3, 0))):
    case("reshape", lambda L, x, to=to: L.reshape(x, to), s)
case("view", lambda L, x: L.view(x, 12), S2)
case("view_as", lambda L, x, y: L.view_as(x, y), (12,), S2)
case("reshape_as", lambda L, x, y: L.reshape_as(x, y) * y, (12,), S2)
for s in (S0, S1, S2, S3, E1, E2):
    case("flatten", lambda L, x: L.flatten(x), s)
    case("squeeze", lambda L, x: L.squeeze(x), s)
    case("unsqueeze", lambda L, x: L.unsqueeze(x, 0), s)
    case("unsqueeze", lambda L, x: L.unsqueeze(x, -1), s)
    case("transpose", lambda L, x: L.transpose(x, 0, -1), s)
    case("swapaxes", lambda L, x: L.swapaxes(x, -1, 0), s)
    case("permute", lambda L, x: L.permute(x, tuple(range(x.ndim))[::-1]), s)
    case("broadcast_to", lambda L, x: L.broadcast_to(x, (2, *x.shape)), s)
    case("expand", lambda L, x: L.expand(x, *((3,) + (-1,) * x.ndim)), s)
    case("repeat", lambda L, x: L.repeat(x, *((2,) * (x.ndim + 1))), s)
    case("repeat", lambda L, x: L.repeat(x, *((0,) + (3,) * x.ndim)), s)
    case("getitem none", lambda L, x: L.getitem(x, None), s)
    case("getitem ellipsis", lambda L, x: L.getitem(x, Ellipsis), s)
    case("getitem true", lambda L, x: L.getitem(x, True), s)
    case("masked_select", lambda L, x: L.masked_select(x, x > 0.5), s)
    case("masked_fill", lambda L, x: L.masked_fill(x, x > 0.5, 2), s)
    case("masked_fill tensor", lambda L, x, v: L.masked_fill(x, x > 0.5, v), s, S0)
    case("where", lambda L, x, v: L.where(x > 0.5, x, v), s, S0)
    case("where number", lambda L, x: L.where(x > 0.5, x, 3.0), s)
    case("where numbers", lambda L, x: L.where(x > 0.5, 1, 2.5), s)
    case("where alone", lambda L, x: L.where(x > 0.5), s)
    for descending in (False, True):
        case("sort", lambda L, x, d=descending: L.sort(x, dim=-1, descending=d), s)
        case("argsort", lambda L, x, d=descending: L.argsort(x, 0, d), s)
    case("cat", lambda L, *x: L.cat(x, 0), s or (1,), s or (1,))
    case("stack", lambda L, *x: L.stack(x, -1), s, s)
    case("take_along_dim", lambda L, x: L.take_along_dim(x, L.argsort(x, dim=0), 0), s or (1,))
    case("gather", lambda L, x: L.gather(x, 0, L.argsort(x, dim=0)), s)
    case("scatter", lambda L, x, y: L.scatter(x, 0, L.argsort(x, dim=0), y), s, s)
    case("scatter number", lambda L, x: L.scatter(x, -1, L.argsort(x, dim=-1), 2.5), s)
    case("scatter_add", lambda L, x, y: L.scatter_add(x, 0, L.argsort(x, dim=0), y), s, s)
for s in (S0, S1, S2, S3):
    case("topk", lambda L, x: L.topk(x, 1), s)
    for name in ("max_dim", "min_dim"):
        for keep in (False, True):
            case(name, lambda L, x, n=name, k=keep: getattr(L, n)(x, 0, keepdim=k), s)
            case(name, lambda L, x, n=name, k=keep: getattr(L, n)(x, -1, k), s)
    for name in ("argmax", "argmin"):
        case(name, lambda L, x, n=name: getattr(L, n)(x), s)
        case(name, lambda L, x, n=name: getattr(L, n)(x, 0, True), s)
        case(name, lambda L, x, n=name: getattr(L, n)(x, keepdim=True), s)
    case("max", lambda L, x: L.max(x), s)
    case("min", lambda L, x: L.min(x), s)
case("max empty", lambda L, x: L.max_dim(x, 1), E2)
case("argmax empty", lambda L, x: L.argmax(x, 1), E2)
case("max pair", lambda L, x, y: L.max(x, y), S2, S2)
case("topk", lambda L, x: L.topk(x, 3, dim=1, largest=False), S3)
case("topk", lambda L, x: L.topk(x, 0), S2)
for largest in (False, True):
    case("topk of many", lambda L, x, b=largest: L.topk(x, 4, 1, b), (3, 50, 2))

for sq in ((0,), (1, -1), (-1,), (0, 2)):
    case("squeeze dims", lambda L, x, d=sq: L.squeeze(x, d if len(d) > 1 else d[0]), (1, 3, 1))
case("flatten part", lambda L, x: L.flatten(x, 1, 2), (2, 3, 4, 2))
case("permute", lambda L, x: L.permute(x, (2, 0, 1)), S3)
case("transpose", lambda L, x: L.transpose(x, 1, 2), S3)
case("movedim", lambda L, x: L.movedim(x, 0, 2), S3)
case("movedim", lambda L, x: L.movedim(x, (0, 1), (-1, 0)), S3)
for s in (S0, S1, S2, E2):
    case("t", lambda L, x: L.t(x), s)
case("T", lambda L, x: L.T(x), S2)
case("mT", lambda L, x: L.mT(x), S3)
case("expand", lambda L, x: L.expand(x, 2, 3, 4), (3, 1))
case("expand_as", lambda L, x, y: L.expand_as(x, y), (3, 1), S2)
case("repeat", lambda L, x: L.repeat(x, 2, 1, 3), S2)
for offset in (-7, -2, -1, 0, 1, 3, 7):
    case("diagonal", lambda L, x, o=offset: L.diagonal(x, o), S2)
    case("diagonal", lambda L, x, o=offset: L.diagonal(x, o, -1, 0), S3)
    case("tril", lambda L, x, o=offset: L.tril(x, o), S2)
    case("triu", lambda L, x, o=offset: L.triu(x, diagonal=o), S3)
case("diagonal empty", lambda L, x: L.diagonal(x), E2)

case("cat", lambda L, x, y, z: L.cat([x, y, z], dim=1), (2, 3), (2, 0), (2, 1))
case("cat legacy", lambda L, x, y: L.cat([x, y], dim=1), (0,), (2, 3))
case("cat negative", lambda L, x, y: L.cat((x, y), -1), S3, (2, 3, 1))
case("cat twice", lambda L, x: L.cat([x, x]), S2)
case("cat types", lambda L, x: L.cat([x, L.tensor([1, 2])]), S1)
case("stack", lambda L, *x: L.stack(x, 1), S2, S2, S2)
for n in (1, 2, 3, 7):
    case("split", lambda L, x, n=n: L.split(x, n), S1)
    case("chunk", lambda L, x, n=n: L.chunk(x, n, -1), S3)
case("split sizes", lambda L, x: L.split(x, [1, 0, 3], dim=1), S2)
case("split empty", lambda L, x: L.split(x, 2), E2)
case("chunk empty", lambda L, x: L.chunk(x, 3), E2)
case("unbind", lambda L, x: L.unbind(x, -2), S3)
case("unbind", lambda L, x: L.unbind(x), S2)

BASIC: list[Any] = [0, -1, slice(None), slice(1, None), slice(None, None, 2), (0, 1), (slice(None), -1), (Ellipsis, 0)]
BASIC += [(None, 0), (slice(0, 0),), (0, slice(1, 3)), (slice(None), None, 1), (Ellipsis, slice(1, 2)), ()]
for index in BASIC:
    case(f"getitem {index}", lambda L, x, i=index: L.getitem(x, i), S2)
    case(f"getitem {index}", lambda L, x, i=index: L.getitem(x, i), S3)
A, B, C = [0, 1, 1], [2, 0, -1], [[0], [1]]
ADVANCED: list[Any] = [
    lambda t: t(A), lambda t: A, lambda t: (t(A), t(B)), lambda t: (t(A), slice(None), t(B)), lambda t: (slice(None), t(B)),
    lambda t: (0, slice(None), t(B)), lambda t: (slice(None), 0, t(B)), lambda t: (t(A), 0), lambda t: (t(A), None, t(B)),
    lambda t: (Ellipsis, t(B)), lambda t: (t(C), t(B)), lambda t: (t(1), slice(None), t(B)), lambda t: (t(C), slice(1, 3)),
    lambda t: t([True, False]), lambda t: (slice(None), t([True, False, True])), lambda t: (0, t([True, False, True])),
    lambda t: (t([True, True]), t([0, 2])), lambda t: (t([[True, False, True], [False, True, False]]), slice(1, 2)),
    lambda t: (t([[True, False, True], [False, True, False]]), 0), lambda t: (1, Ellipsis, t(B)), lambda t: (None, t(A), 0),
    lambda t: (t(A), t(B), t(B)), lambda t: (t([0]), slice(None), 1), lambda t: [], lambda t: range(2),
    lambda t: (slice(1, None), [True, False, True]), lambda t: (t(A), Ellipsis, 1), lambda t: np.array(A), lambda t: t(np.int32(A)),
    lambda t: (None, t(A), 0, Ellipsis, t(B)), lambda t: (Ellipsis, t(A), 0, slice(1, 2)),
]  # fmt: skip
for i, make in enumerate(ADVANCED):
    case(f"getitem advanced {i}", lambda L, x, m=make: L.getitem(x, m(L.tensor)), S3)
case("getitem many", lambda L, x: L.getitem(x, L.tensor(np.arange(300) % 5)), S1)
case("getitem many rows", lambda L, x: L.getitem(x, L.tensor(np.arange(300) % 3)), S2)
case("getitem many pairs", lambda L, x: L.getitem(x, (L.tensor(np.arange(300) % 3 - 3), L.tensor(np.arange(300) % 4))), S2)
case("getitem mask", lambda L, x: L.getitem(x, x > 0.5), S2)
case("getitem 0-d mask", lambda L, x: L.getitem(x, x > -9), S0)
case("getitem empty", lambda L, x: L.getitem(x, L.tensor(np.zeros((0, 2), np.int64))), S2)

case("select", lambda L, x: L.select(x, 1, -1), S3)
case("narrow", lambda L, x: L.narrow(x, -1, 1, 2), S3)
case("narrow", lambda L, x: L.narrow(x, 0, -1, 1), S2)
case("narrow empty", lambda L, x: L.narrow(x, 0, 3, 0), S2)
case("index_select", lambda L, x: L.index_select(x, 1, L.tensor([2, 0, 0])), S3)
case("index_select", lambda L, x: L.index_select(x, -1, L.tensor(1)), S2)
case("index_select", lambda L, x: L.index_select(x, 0, L.tensor(0)), S0)
case("gather", lambda L, x: L.gather(x, 1, L.tensor([[0, 3, 3, 1, 3], [2, 2, 2, 2, 2]])), S2)
case("gather", lambda L, x: L.gather(x, -3, L.tensor([[[1, 0], [0, 0]]])), S3)
case("gather empty", lambda L, x: L.gather(x, 1, L.tensor(np.zeros((0, 5), np.int64))), S2)
case("gather empty", lambda L, x: L.gather(x, 1, L.tensor(np.zeros(0, np.int64))), S2)
case("gather 0-d", lambda L, x: L.gather(x, 0, L.tensor(1)), S1)
case("gather 0-d", lambda L, x: L.gather(x, 0, L.tensor([0, 0])), S0)
case("gather many", lambda L, x: L.gather(x, 1, L.tensor((np.arange(600) % 4).reshape(3, 200))), S2)
case("scatter part", lambda L, x, y: L.scatter(x, 1, L.tensor([[0, 3], [2, 1]]), y), S2, (2, 2))
case("scatter empty", lambda L, x, y: L.scatter(x, 1, L.tensor(np.zeros((0, 2), np.int64)), y), S2, (0, 2))
case("scatter_add", lambda L, x, y: L.scatter_add(x, 1, L.tensor([[0, 3, 3], [2, 2, 2]]), y), S2, (2, 3))
case("scatter_add many", lambda L, x, y: L.scatter_add(x, 0, L.tensor(np.arange(300) % 5), y), S1, (300,))
case("scatter_add empty", lambda L, x, y: L.scatter_add(x, 0, L.tensor(np.zeros(0, np.int64)), y), S1, (0,))
case("take_along_dim", lambda L, x: L.take_along_dim(x, L.tensor([[0, -1, 3]]), dim=1), S2)
case("take_along_dim", lambda L, x: L.take_along_dim(x, L.tensor([[0, 1], [2, 2]]), dim=1), (1, 3))
case("take_along_dim", lambda L, x: L.take_along_dim(x, L.tensor([3, 11, 3])), S2)
case("masked_select wide", lambda L, x: L.masked_select(x, L.tensor([[True], [False]])), S1)
case("masked_fill wide", lambda L, x: L.masked_fill(x, L.tensor([[True], [False]]), 7), S1)
case("where wide", lambda L, x, y: L.where(L.tensor([True, False, True, True]), x, y), (3, 1), (4,))
case("where types", lambda L, x: L.where(L.tensor([True, False, True, True]), x, L.tensor(2)), (3, 1))
case("where ints", lambda L, x: L.where(x > 0.5, L.tensor([1, 2, 3, 4]), 2.5), S2)
case("one_hot", lambda L, x: L.one_hot(L.argsort(x)), S2)
case("one_hot", lambda L, x: L.one_hot(L.argmax(x), 30), S2)
for d in (0, 1, -1):
    case("pick", lambda L, x, d=d: L.pick(x, L.argmax(x, d), d), S2)
    case("pick", lambda L, x, d=d: L.pick(x, L.argmin(x, d), d), S3)
case("pick", lambda L, x: L.pick(x, L.tensor(2), 0), S1)
case("pick empty", lambda L, x: L.pick(x, L.tensor(np.zeros(0, np.int64)), 1), E2)

MATMUL = [((3, 4), (4, 2)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), (S3, (4, 5)), (S3, (2, 4, 3)), (S3, (4,))]
MATMUL += [((4,), (2, 4, 3)), ((5, 1, 3, 4), (2, 4, 2)), ((3, 4), (2, 4, 3)), ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((2, 0, 3), (3, 4))]
for a, b in MATMUL:
    case(f"matmul {a} {b}", lambda L, x, y: L.matmul(x, y), a, b)
case("mm", lambda L, x, y: L.mm(x, y), (3, 4), (4, 2))
case("bmm", lambda L, x, y: L.bmm(x, y), (2, 3, 4), (2, 4, 5))
case("mv", lambda L, x, y: L.mv(x, y), (3, 4), (4,))
case("dot", lambda L, x, y: L.dot(x, y), (4,), (4,))
case("outer", lambda L, x, y: L.outer(x, y), (3,), (4,))
for lead in ((), (5,), (2, 3), (0,), (2, 0)):
    case(f"linear {lead}", lambda L, x, w, b: L.linear(x, w, b), (*lead, 3), (4, 3), (4,))
    case(f"linear {lead}", lambda L, x, w: L.linear(x, w), (*lead, 3), (4, 3))
case("linear vector", lambda L, x, w: L.linear(x, w), (5, 3), (3,))
case("linear vector", lambda L, x, w: L.linear(x, w), (2, 5, 3), (3,))


def draw(shapes: list[tuple[int, ...]], layout: str, dtype: str = "float64") -> list[np.ndarray]:
    """All elements are different, so that nothing hangs on ties."""
    rng = np.random.default_rng(7)
    out = []
    for s in shapes:
        n = int(np.prod(s))
        x = np.asarray((rng.permutation(n) + rng.uniform(0.1, 0.9, n)).reshape(s) / max(n, 1) + 0.05, dtype)
        if layout == "strided" and x.ndim >= 2:
            x = np.ascontiguousarray(x.T).T
        elif layout == "strided" and x.ndim == 1:
            x = np.repeat(x, 2)[::2]
        out.append(x)
    return out


def flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def numbers(x: Any) -> np.ndarray:
    return x.detach().numpy() if isinstance(x, torch.Tensor) else x.array


def run(L: Any, function: Any, arrays: list[np.ndarray], leaf: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Results, first and second gradients of the floating results of ``function(x * x)``."""
    xs = [leaf(a) for a in arrays]
    results = flat(function(L, *[x * x for x in xs]))
    floats = [y for y in results if y.requires_grad]
    if not floats:
        return results, [], []
    rng = np.random.default_rng(3)
    seeds = [leaf(np.asarray(rng.uniform(1, 2, tuple(y.shape)))) for y in floats]
    options: dict[str, Any] = {"create_graph": True, "allow_unused": True}
    plain = L.grad(floats, xs, seeds, retain_graph=True, allow_unused=True)  # ours: the rules on raw arrays
    first = L.grad(floats, xs, seeds, **options)
    probes = [L.tensor(np.asarray(rng.uniform(1, 2, a.shape))) for a in arrays]
    used = [(g, p) for g, p in zip(first, probes, strict=True) if g is not None]
    second = L.grad([g for g, _ in used], [*xs, *seeds], [p for _, p in used], allow_unused=True)
    return results, [*plain, *first], list(second)


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
@pytest.mark.parametrize("i", range(len(CASES)), ids=[f"{i}-{n}" for i, (n, _, _) in enumerate(CASES)])
def test_values_and_both_gradients_are_torchs(i: int, layout: str) -> None:
    _, function, shapes = CASES[i]
    arrays = draw(shapes, layout)
    mine = run(OURS, function, arrays, lambda a: tl.Tensor(a, True))
    # contiguous for torch, whose view refuses the other layout
    theirs = run(THEIRS, function, arrays, lambda a: torch.tensor(np.array(a, order="C"), requires_grad=True))
    for which, ours, expected in zip(("value", "gradient", "second"), mine, theirs, strict=True):
        assert len(ours) == len(expected), which
        for a, b in zip(ours, expected, strict=True):
            if a is None or b is None:  # an unused input: None or zeros is a matter of taste
                assert a is b is None or not numbers(a if b is None else b).any(), which
                continue
            assert tuple(a.shape) == tuple(b.shape), which
            assert a.dtype.name == str(b.dtype).removeprefix("torch."), which
            np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-12, atol=1e-12, err_msg=which)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
@pytest.mark.parametrize("i", range(len(CASES)), ids=[f"{i}-{n}" for i, (n, _, _) in enumerate(CASES)])
def test_values_keep_their_dtype(i: int, dtype: str) -> None:
    _, function, shapes = CASES[i]
    arrays = draw(shapes, "contiguous")
    arrays = [(a * 50).astype(dtype) if dtype == "int64" else a.astype(dtype) for a in arrays]
    mine = flat(function(OURS, *[tl.tensor(a) for a in arrays]))
    expected = flat(function(THEIRS, *[torch.tensor(a) for a in arrays]))
    assert len(mine) == len(expected)
    for j, (a, b) in enumerate(zip(mine, expected, strict=True)):
        assert a.dtype.name == str(b.dtype).removeprefix("torch.")
        if j == 0 or dtype != "int64":
            np.testing.assert_allclose(numbers(a).astype("d"), numbers(b).astype("d"), rtol=2e-3 if dtype == "float16" else 1e-6)
