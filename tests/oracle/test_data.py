"""utils.data beside torch.utils.data: the same seed gives the same batches, and leaves the same generator behind."""

from __future__ import annotations

import random
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.utils import data

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")
torch_data = pytest.importorskip("torch.utils.data")

Point = namedtuple("Point", "x y")


def run(lib: Any, d: Any, n: int, seed: int, options: dict[str, Any], epochs: int) -> Any:
    """Every batch of some epochs, and the next random number."""
    options = dict(options)
    lib.manual_seed(seed)
    kind, own = options.pop("sampler", None), options.pop("own", False)
    generator = lib.Generator().manual_seed(seed + 1) if own else None
    dataset = d.TensorDataset(lib.arange(float(n * 2)).reshape(n, 2), lib.arange(n))
    if kind == "random":
        options["sampler"] = d.RandomSampler(dataset, num_samples=options.pop("num_samples", None), generator=generator)
    elif kind == "replacement":
        count = options.pop("num_samples", None)
        options["sampler"] = d.RandomSampler(dataset, replacement=True, num_samples=count, generator=generator)
    elif kind == "weighted":
        weights = [float(i % 3 + 1) for i in range(n)]
        options["sampler"] = d.WeightedRandomSampler(weights, options.pop("num_samples", n) or n, generator=generator)
    elif kind == "shuffle":
        options.pop("num_samples", None)
        options["shuffle"] = True
    else:
        options.pop("num_samples", None)
    loader = d.DataLoader(dataset, generator=generator, **options)
    seen = []
    for epoch in range(epochs):
        for step, batch in enumerate(loader):
            seen.append([t.tolist() for t in batch])
            if epoch == 0 and step == 1:
                seen.append([lib.rand(1, generator=generator).tolist()])  # drawn in the middle of a pass
        seen.append([len(loader)])
    return seen, lib.rand(2).tolist(), generator and lib.rand(2, generator=generator).tolist()


@pytest.mark.parametrize("kind", [None, "shuffle", "random", "replacement", "weighted"])
def test_batches_and_generators_follow_torch(kind: str | None) -> None:
    draw = random.Random(f"batches {kind}")
    for _ in range(40):
        n, seed = draw.randint(1, 90), draw.randint(0, 2**31)
        options = {
            "batch_size": draw.choice([1, 2, 7, 32, 33, 100]), "drop_last": draw.random() < 0.4,
            "sampler": kind, "own": draw.random() < 0.5, "num_samples": draw.choice([None, 1, 31, 32, 64, 100]),
        }  # fmt: skip
        assert run(tl, data, n, seed, options, 2) == run(torch, torch_data, n, seed, options, 2), (n, seed, options)


def test_random_split_follows_torch() -> None:
    draw = random.Random("split")
    for _ in range(100):
        n, seed = draw.randint(2, 200), draw.randint(0, 2**31)
        cut = draw.randint(1, n - 1)
        lengths = draw.choice([[cut, n - cut], [0.5, 0.5], [0.7, 0.2, 0.1], [0.25] * 4, [n, 0]])
        ours = data.random_split(range(n), lengths, tl.Generator().manual_seed(seed))
        theirs = torch_data.random_split(range(n), lengths, torch.Generator().manual_seed(seed))
        assert [list(part.indices) for part in ours] == [list(part.indices) for part in theirs]


def batches(lib: Any) -> list[Any]:
    """Batches of every kind of example."""
    return [
        [1, 2], [1.5, 2.0], [1, 2.5], [1.5, 2], [True, False], [True, 2], ["a", "b"], [b"a"],
        [np.float32(1), np.float32(2)], [np.float64(1)], [np.int32(1)], [np.bool_(True)], [np.float16(1)],
        [np.uint8(3)], [("a", 1), ("b", 2)], [["a", 1], ["b", 2]],
        [Point(1, 2.0), Point(3, 4.0)], [(), ()], [[], []], [{}, {}],
        [OrderedDict(a=1), OrderedDict(a=2, b=3)], [{"a": {"b": [1.0]}}] * 3, [range(3), range(3)],
        [np.zeros((2,), np.int16)] * 2, [np.array(2.0)] * 3, [lib.tensor(1), lib.tensor(2.0)], [lib.zeros(2, 0)] * 3,
        [lib.ones(2, dtype=lib.float64), lib.ones(2, dtype=lib.float32)], [[lib.tensor([1.0]), {"k": (1, "s")}]] * 2,
    ]  # fmt: skip


def plain(value: Any) -> Any:
    """The same for both libraries: types, dtypes, shapes, values."""
    if isinstance(value, (tl.Tensor, torch.Tensor)):
        return str(value.dtype).split(".")[1], tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value), [(key, plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    return value


@pytest.mark.parametrize("i", range(len(batches(tl))))
def test_collate_follows_torch(i: int) -> None:
    ours = data.default_collate(batches(tl)[i])
    assert plain(ours) == plain(torch_data.default_collate(batches(torch)[i]))


def test_convert_follows_torch() -> None:
    value = {"a": np.zeros(2, np.float32), "b": (1, np.float32(2)), "c": "s", "d": [np.array("x"), np.int64(3)]}
    ours, theirs = data.default_convert(value), torch_data.default_convert(value)
    assert plain(ours) == plain(theirs)


def bad(lib: Any) -> list[Any]:
    return [
        [lib.zeros(3), lib.zeros(4)], [None], [(1, 2), (1,)], [{"a": 1}, {"b": 2}], [], [object()], [np.array("a")],
        [{1, 2}], [lib.zeros(1), 2],
    ]  # fmt: skip


@pytest.mark.parametrize("i", range(len(bad(tl))))
def test_collate_errors_have_torchs_type(i: int) -> None:
    with pytest.raises(Exception) as theirs:
        torch_data.default_collate(bad(torch)[i])
    with pytest.raises(theirs.type):
        data.default_collate(bad(tl)[i])


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0}, {"batch_size": 1.5}, {"drop_last": 2}, {"shuffle": True, "sampler": [1]},
        {"batch_sampler": [[1]], "batch_size": 3}, {"batch_size": None, "drop_last": True}, {"num_workers": -1},
        {"timeout": -1}, {"prefetch_factor": 2}, {"persistent_workers": True}, {"multiprocessing_context": "fork"},
    ],
)  # fmt: skip
def test_loader_errors_have_torchs_type(options: dict[str, Any]) -> None:
    with pytest.raises(Exception) as theirs:
        torch_data.DataLoader(torch_data.TensorDataset(torch.zeros(3)), **options)
    with pytest.raises(theirs.type):
        data.DataLoader(data.TensorDataset(tl.zeros(3)), **options)
