"""Bad calls of what surrounds the losses: operations, layers, optimizers, schedulers, states, the engine."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tinygrad_loss import nn, optim
from tinygrad_loss.utils.data import DataLoader, TensorDataset, random_split

F = nn.functional
R, V, T, I = RuntimeError, ValueError, TypeError, IndexError  # noqa: E741


class Draw:
    """Random sizes, all different and none of them 1: n, c, k; and tensors of them."""

    def __init__(self, r: np.random.Generator) -> None:
        self.r = r
        self.n, self.c, self.k = (int(v) for v in r.permutation(np.arange(2, 9))[:3])
        self.x = self.of(self.n, self.c)

    def of(self, *shape: int) -> Any:
        return tl.tensor(self.r.normal(size=shape).astype(np.float32))

    def leaf(self) -> Any:
        return self.of(self.n, self.c).requires_grad_()

    def labels(self, n: int) -> Any:
        return tl.tensor(self.r.integers(0, self.c, n))


Call = Callable[[Draw], Any]


def refusal(row: tuple[type[Exception], str, Call], d: Draw) -> str:
    """What is wrong with how it is refused: "" for nothing."""
    kind, word, call = row
    try:
        call(d)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        if not isinstance(error, kind):
            return f"{type(error).__name__}: {error}"
        return "" if word in str(error) else f"{word!r} not in: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "silent"


def stepped(d: Draw, made: Any, **change: Any) -> Any:
    """An optimizer's state with a part of it changed, loaded again."""
    w = d.leaf()
    optimizer = made([w])
    w.sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    state.update(change)
    return optimizer.load_state_dict(state)


def loaded(d: Draw, change: Callable[[dict[str, Any]], Any]) -> Any:
    model = nn.Linear(d.c, d.k)
    state = dict(model.state_dict())
    change(state)
    return model.load_state_dict(state)


def in_place_then_backward(d: Draw) -> Any:
    w = d.leaf()
    y = w * 2.0
    z = (y * y).sum()
    with tl.no_grad():
        y.mul_(2.0)
    return z.backward()


def freed(d: Draw) -> Any:
    y = (d.leaf() ** 2).sum()
    y.backward()
    return y.backward()


def set_gradient(d: Draw) -> None:
    w = d.leaf()
    w.grad = d.of(d.c, d.n)


def spoiled(d: Draw) -> Any:
    """A saved file with one bit flipped, in the bytes of a tensor or of the header."""
    file = io.BytesIO()
    tl.save({"x": d.of(d.n, d.c), "n": d.n}, file)
    raw = bytearray(file.getvalue())
    raw[int(d.r.integers(len(raw)))] ^= 1 << int(d.r.integers(8))
    return tl.load(io.BytesIO(bytes(raw)))


def cut_off(d: Draw) -> Any:
    file = io.BytesIO()
    tl.save({"x": d.of(d.n, d.c)}, file)
    raw = file.getvalue()
    return tl.load(io.BytesIO(raw[: int(d.r.integers(len(raw)))]))


def generating(d: Draw) -> Any:
    def numbers() -> Any:
        with tl.no_grad():
            yield d.n

    return list(numbers())


OTHERS: dict[str, tuple[type[Exception], str, Call]] = {
    # operations: shapes
    "add of shapes": (R, "shape", lambda d: d.x + d.of(d.n, d.k)),
    "mul of shapes": (R, "shape", lambda d: d.x * d.of(d.k)),
    "div of shapes": (R, "shape", lambda d: d.x / d.of(d.k, 1, d.k)),
    "maximum of shapes": (R, "shape", lambda d: tl.maximum(d.x, d.of(d.c, d.n))),
    "comparison of shapes": (R, "shape", lambda d: d.x < d.of(d.c, d.n)),
    "where of shapes": (R, "where", lambda d: tl.where(d.x > 0, d.x, d.of(d.k))),
    "where without bools": (R, "where", lambda d: tl.where(d.x, d.x, d.x)),
    "mm of sizes": (R, "shape", lambda d: d.x @ d.of(d.k, d.c)),
    "matmul with a number": (R, "matmul", lambda d: tl.matmul(d.x, tl.tensor(1.0))),
    "matmul of batches": (R, "matmul", lambda d: tl.matmul(d.of(d.n, 2, d.c), d.of(d.n + 1, d.c, 2))),
    "matmul of dtypes": (R, "dtype", lambda d: d.x @ d.of(d.c, d.k).double()),
    "bmm of matrices": (R, "bmm", lambda d: tl.bmm(d.x, d.of(d.c, d.k))),
    "mv of sizes": (R, "mv", lambda d: tl.mv(d.x, d.of(d.k))),
    "dot of sizes": (R, "dot", lambda d: tl.dot(d.of(d.n), d.of(d.c))),
    "outer of matrices": (R, "outer", lambda d: tl.outer(d.x, d.of(d.c))),
    "reshape": (R, "reshape", lambda d: d.x.reshape(d.n, d.c + 1)),
    "reshape with two -1": (R, "reshape", lambda d: d.x.reshape(-1, -1)),
    "view": (R, "shape", lambda d: d.x.view(d.n * d.c + 1)),
    "expand": (R, "expand", lambda d: d.x.expand(d.k, d.c)),
    "permute twice": (R, "permute", lambda d: d.x.permute(0, 0)),
    "transpose": (I, "transpose", lambda d: d.x.transpose(0, 2)),
    "unsqueeze": (I, "unsqueeze", lambda d: d.x.unsqueeze(4)),
    "flatten": (R, "flatten", lambda d: d.x.flatten(1, 0)),
    "cat of shapes": (R, "cat", lambda d: tl.cat([d.x, d.of(d.n, d.k)])),
    "cat of nothing": (V, "cat", lambda d: tl.cat([])),
    "cat of a number": (T, "cat", lambda d: tl.cat([d.x, 1.0])),
    "stack of shapes": (R, "stack", lambda d: tl.stack([d.x, d.of(d.c, d.n)])),
    "split of sizes": (R, "split", lambda d: tl.split(d.x, [d.n, 1])),
    "chunk of 0": (R, "chunk", lambda d: tl.chunk(d.x, 0)),
    "diagonal of one axis": (R, "diagonal", lambda d: tl.diagonal(d.x, 0, 1, 1)),
    "tril of a vector": (R, "tril", lambda d: tl.tril(d.of(d.n))),
    # operations: indices
    "index behind the end": (I, "out of bounds", lambda d: d.x[d.n]),
    "index before the start": (I, "out of bounds", lambda d: d.x[-d.n - 1]),
    "index tensor behind the end": (I, "out of bounds", lambda d: d.x[tl.tensor([0, d.n])]),
    "too many indices": (I, "too many", lambda d: d.x[0, 0, 0]),
    "index of floats": (I, "long", lambda d: d.x[tl.tensor([0.0])]),
    "index of another mask": (I, "boolean index", lambda d: d.x[tl.ones(d.n + 1, dtype=tl.bool)]),
    "negative step": (V, "step", lambda d: d.x[::-1]),
    "gather behind the end": (I, "gather", lambda d: d.x.gather(1, tl.full((d.n, 1), d.c))),
    "gather before the start": (I, "gather", lambda d: d.x.gather(1, tl.full((d.n, 1), -1))),
    "gather of axes": (R, "gather", lambda d: d.x.gather(1, tl.zeros(d.n, dtype=tl.int64))),
    "scatter of dtypes": (R, "scatter", lambda d: d.x.scatter(1, tl.zeros(d.n, 1, dtype=tl.int64), tl.ones(d.n, 1).double())),
    "scatter_add behind the end": (I, "scatter_add", lambda d: d.x.scatter_add(1, tl.full((d.n, 1), d.c), tl.ones(d.n, 1))),
    "index_select behind the end": (I, "index_select", lambda d: d.x.index_select(0, tl.tensor([d.n]))),
    "index_select before the start": (I, "index_select", lambda d: d.x.index_select(0, tl.tensor([-1]))),
    "take_along_dim": (I, "take_along_dim", lambda d: tl.take_along_dim(d.x, tl.full((d.n, 1), d.c), 1)),
    "narrow": (R, "narrow", lambda d: d.x.narrow(0, 1, d.n)),
    "select": (I, "select", lambda d: d.x.select(1, d.c)),
    "masked_fill of integers": (R, "masked_fill", lambda d: d.x.masked_fill(d.labels(d.c), 0.0)),
    "masked_select of integers": (R, "masked_select", lambda d: tl.masked_select(d.x, d.labels(d.c))),
    "one_hot before the start": (I, "one_hot", lambda d: F.one_hot(tl.tensor([0, -1]))),
    "one_hot behind the end": (I, "one_hot", lambda d: F.one_hot(tl.tensor([d.c]), d.c)),
    # operations: dims and dtypes
    "sum over no such axis": (I, "sum", lambda d: d.x.sum(2)),
    "sum over one axis twice": (R, "twice", lambda d: d.x.sum((0, -2))),
    "sum over a fraction": (T, "dim", lambda d: d.x.sum(0.5)),
    "mean of integers": (R, "mean", lambda d: d.labels(d.n).mean()),
    "var of integers": (R, "var", lambda d: d.labels(d.n).var()),
    "norm of integers": (R, "norm", lambda d: tl.norm(d.labels(d.n))),
    "amax of nothing": (R, "amax", lambda d: tl.zeros(d.n, 0).amax(1)),
    "max of nothing": (R, "max", lambda d: tl.zeros(0).max()),
    "argmax of nothing": (I, "argmax", lambda d: tl.zeros(0, d.n).argmax(0)),
    "topk of too many": (R, "topk", lambda d: d.x.topk(d.c + 1)),
    "sort over no such axis": (I, "sort", lambda d: d.x.sort(3)),
    "cumsum over no such axis": (I, "cumsum", lambda d: d.x.cumsum(2)),
    "softmax over no such axis": (I, "softmax", lambda d: d.x.softmax(2)),
    "log_softmax over no such axis": (I, "log_softmax", lambda d: F.log_softmax(d.x, -3)),
    "logsumexp over no such axis": (I, "logsumexp", lambda d: d.x.logsumexp(2)),
    "normalize over no such axis": (I, "normalize", lambda d: F.normalize(d.x, dim=2)),
    "cosine_similarity of shapes": (R, "cosine_similarity", lambda d: F.cosine_similarity(d.x, d.of(d.c, d.n))),
    "clamp without bounds": (V, "clamp", lambda d: d.x.clamp()),
    "rounding mode": (V, "rounding_mode", lambda d: tl.div(d.x, 2.0, rounding_mode="up")),
    "gelu by name": (V, "gelu", lambda d: F.gelu(d.x, "exact")),
    "relu in place": (R, "relu", lambda d: F.relu(d.x, True)),
    # the engine
    "backward of many": (R, "scalar outputs", lambda d: (d.leaf() * 2.0).backward()),
    "backward without grad": (R, "grad", lambda d: d.x.sum().backward()),
    "backward of another gradient": (R, "shape", lambda d: (d.leaf() * 2.0).backward(d.of(d.c, d.n))),
    "backward of a list": (T, "gradient", lambda d: (d.leaf() * 2.0).backward([1.0])),
    "backward twice": (R, "second time", freed),
    "backward after a write": (R, "in place", in_place_then_backward),
    "write to a leaf": (R, "leaf", lambda d: d.leaf().mul_(2.0)),
    "gradient of another shape": (R, "grad", set_gradient),
    "grad for integers": (R, "floating point", lambda d: d.labels(d.n).requires_grad_()),
    "hook without grad": (R, "register_hook", lambda d: d.x.register_hook(print)),
    "retain_grad without grad": (R, "retain_grad", lambda d: d.x.retain_grad()),
    "grad of what is unused": (R, "allow_unused", lambda d: tl.autograd.grad(d.leaf().sum(), d.leaf())),
    "no_grad in a generator": (R, "generator", generating),
    "numpy of what requires grad": (R, "detach", lambda d: d.leaf().numpy()),
    "item of many": (R, "item", lambda d: d.x.item()),
    "truth of many": (R, "ambiguous", lambda d: bool(d.x)),
    "in place of a larger shape": (R, "shape", lambda d: d.of(d.n).mul_(d.of(d.c, d.n))),
    "in place of floats into integers": (R, "dtype", lambda d: d.labels(d.n).mul_(0.5)),
    "ragged lists": (V, "tensor", lambda d: tl.tensor([[1.0] * d.n, [1.0] * d.c])),
    "words": (T, "tensor", lambda d: tl.tensor(["a"] * d.n)),
    "negative size": (R, "negative", lambda d: tl.zeros(-d.n)),
    "low above high": (R, "randint", lambda d: tl.randint(d.n, 0, (2,))),
    "probability above 1": (R, "bernoulli", lambda d: tl.bernoulli(tl.full((d.n,), 1.5))),
    "negative weights": (R, "multinomial", lambda d: tl.multinomial(-tl.ones(d.c), 1)),
    "too many samples": (R, "multinomial", lambda d: tl.multinomial(tl.ones(d.c), d.c + 1)),
    "negative deviation": (R, "normal", lambda d: tl.normal(tl.zeros(d.n), -1.0)),
    "another device": (R, "cuda", lambda d: tl.zeros(d.n, device="cuda")),
    # layers
    "Linear of sizes": (R, "linear", lambda d: nn.Linear(d.c, d.k)(d.of(d.n, d.c + 1))),
    "Linear of dtypes": (R, "dtype", lambda d: nn.Linear(d.c, d.k)(d.x.double())),
    "Linear of a list": (T, "Tensor", lambda d: nn.Linear(d.c, d.k)([1.0] * d.c)),
    "linear of a bias": (R, "bias", lambda d: F.linear(d.x, d.of(d.k, d.c), d.of(d.k + 1))),
    "Embedding behind the end": (I, "embedding", lambda d: nn.Embedding(d.n, d.c)(tl.tensor([d.n]))),
    "Embedding before the start": (I, "embedding", lambda d: nn.Embedding(d.n, d.c)(tl.tensor([-1]))),
    "LayerNorm of sizes": (R, "layer_norm", lambda d: nn.LayerNorm(d.k)(d.x)),
    "Dropout above 1": (V, "ropout", lambda d: nn.Dropout(1.5)),
    "dropout below 0": (V, "dropout", lambda d: F.dropout(d.x, -0.1)),
    "Sequential of a function": (T, "Module", lambda d: nn.Sequential(nn.Linear(d.c, d.k), abs)),
    "gradients clipped below 0": (V, "clip_grad_value_", lambda d: nn.utils.clip_grad_value_([d.leaf()], -1.0)),
    # optimizers and schedulers
    "SGD of nothing": (V, "SGD", lambda d: optim.SGD([], lr=0.1)),
    "SGD of a tensor": (T, "SGD", lambda d: optim.SGD(d.leaf(), lr=0.1)),
    "SGD of a result": (V, "leaf", lambda d: optim.SGD([d.leaf() * 2.0], lr=0.1)),
    "SGD of one parameter twice": (V, "twice", lambda d: (lambda w: optim.SGD([w, w], lr=0.1))(d.leaf())),
    "SGD lr": (V, "lr", lambda d: optim.SGD([d.leaf()], lr=-0.1)),
    "SGD momentum": (V, "momentum", lambda d: optim.SGD([d.leaf()], lr=0.1, momentum=-0.1)),
    "SGD weight_decay": (V, "weight_decay", lambda d: optim.SGD([d.leaf()], lr=0.1, weight_decay=-0.1)),
    "SGD nesterov": (V, "nesterov", lambda d: optim.SGD([d.leaf()], lr=0.1, nesterov=True)),
    "Adam betas": (V, "betas", lambda d: optim.Adam([d.leaf()], betas=(0.9, 1.0))),
    "Adam eps": (V, "eps", lambda d: optim.Adam([d.leaf()], eps=-1e-8)),
    "Adam lr": (V, "lr", lambda d: optim.Adam([d.leaf()], lr=-1.0)),
    "RMSprop alpha": (V, "alpha", lambda d: optim.RMSprop([d.leaf()], alpha=-0.1)),
    "optimizer state of other groups": (V, "group", lambda d: stepped(d, optim.Adam, param_groups=[])),
    "optimizer state of another shape": (V, "shape", lambda d: stepped(d, optim.Adam, state={0: {"step": tl.tensor(1.0), "exp_avg": d.of(d.k), "exp_avg_sq": d.of(d.k)}})),
    "StepLR of a number": (T, "StepLR", lambda d: optim.lr_scheduler.StepLR(0.1, 5)),  # type: ignore[arg-type]
    # states and files
    "state without a key": (R, "Missing", lambda d: loaded(d, lambda s: s.pop("bias"))),
    "state with another key": (R, "Unexpected", lambda d: loaded(d, lambda s: s.update(extra=d.x))),
    "state of another shape": (R, "size mismatch", lambda d: loaded(d, lambda s: s.update(bias=d.of(d.k + 1)))),
    "state that broadcasts": (R, "size mismatch", lambda d: loaded(d, lambda s: s.update(bias=d.of(1)))),
    "state of overflow": (R, "dtype mismatch", lambda d: loaded(d, lambda s: s.update(bias=tl.full((d.k,), 1e300, dtype=tl.float64)))),
    "state of lists": (R, "Tensor", lambda d: loaded(d, lambda s: s.update(bias=[0.0] * d.k))),
    "file with a bit flipped": (V, "load", spoiled),
    "file cut off": (V, "load", cut_off),
    "function saved": (T, "save", lambda d: tl.save({"f": abs}, io.BytesIO())),
    # data
    "TensorDataset of lengths": (V, "TensorDataset", lambda d: TensorDataset(d.x, d.of(d.n + 1))),
    "DataLoader batch_size": (V, "batch_size", lambda d: DataLoader(TensorDataset(d.x), batch_size=-d.n)),
    "random_split of lengths": (V, "random_split", lambda d: random_split(TensorDataset(d.x), [d.n, 1])),
    "batches of shapes": (R, "equal size", lambda d: list(DataLoader([d.of(d.n), d.of(d.c)], batch_size=2))),  # type: ignore[list-item]
}  # fmt: skip
