"""The random streams are torch's: the same seed gives the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as ours
from tinygrad_loss import generator as raw

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

SEEDS = [0, 1, 42, 123456]
SHAPES = [(), (0,), (1,), (3,), (15,), (16,), (17,), (31,), (32,), (100,), (2, 3), (7, 9), (4, 5, 6), (1000,)]


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    restart(request.param)
    return int(request.param)


def restart(seed: int) -> None:
    ours.manual_seed(seed)
    torch.manual_seed(seed)


def same(mine: Any, theirs: Any) -> None:
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def close(mine: Any, theirs: Any) -> None:
    """torch's vectorised logarithm and cosine differ from NumPy's in the last digits."""
    eps = {"float16": 2e-3, "float32": 6e-7, "float64": 1e-15}[mine.dtype.name]
    assert mine.shape == tuple(theirs.shape)
    np.testing.assert_allclose(mine.numpy().astype(float), theirs.numpy().astype(float), rtol=0, atol=eps)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_rand(seed: int, dtype: str) -> None:
    for shape in SHAPES:
        same(ours.rand(shape, dtype=getattr(ours, dtype)), torch.rand(shape, dtype=getattr(torch, dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-0.3, 0.7), (-0.12345, 0.777), (2.0, 2.0), (0.0, 3.3), (1e5, 1e6)])
def test_uniform(seed: int, dtype: str, bounds: tuple[float, float]) -> None:
    for shape in [(1,), (17,), (5, 400)]:
        same(
            ours.zeros(shape, dtype=getattr(ours, dtype)).uniform_(*bounds),
            torch.zeros(shape, dtype=getattr(torch, dtype)).uniform_(*bounds),
        )


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_randn(seed: int, dtype: str) -> None:
    for shape in SHAPES:
        close(ours.randn(shape, dtype=getattr(ours, dtype)), torch.randn(shape, dtype=getattr(torch, dtype)))
    same(ours.rand(3), torch.rand(3))  # as many words were drawn


def test_normal_pairs_are_kept_across_calls(seed: int) -> None:
    for n in (1, 1, 3, 2, 0, 5, 1):
        close(ours.randn(n), torch.randn(n))
        same(ours.rand(1), torch.rand(1))
        close(ours.randn(n, dtype=ours.float64), torch.randn(n, dtype=torch.float64))


def test_normal(seed: int) -> None:
    for shape in [(3,), (20,)]:
        assert np.allclose(ours.normal(2.0, 3.0, shape).numpy(), torch.normal(2.0, 3.0, shape).numpy(), atol=3e-6)
        mean, std = np.linspace(-1, 1, shape[0]), np.linspace(0.5, 2, shape[0])
        m, s = ours.tensor(mean), ours.tensor(std)
        tm, ts = torch.tensor(mean), torch.tensor(std)
        close(ours.normal(m, s), torch.normal(tm, ts))
        close(ours.normal(m, 2.5), torch.normal(tm, 2.5))
        close(ours.normal(0.5, s), torch.normal(0.5, ts))
    for n in (5, 40):
        x, y = ours.zeros(n, dtype=ours.float64).normal_(2, 0.5), torch.zeros(n, dtype=torch.float64).normal_(2, 0.5)
        close(x, y)


@pytest.mark.parametrize(
    "low, high",
    [(0, 1), (0, 2), (0, 10), (-5, 10), (0, 2**28 - 1), (0, 2**28), (0, 2**31), (0, 2**32),
     (3, 2**40), (-(2**62), 2**62),
     (-(2**63), 2**63 - 1), (0, 2**63 - 1)],
)  # fmt: skip
def test_randint(seed: int, low: int, high: int) -> None:
    for shape in [(), (1,), (50,), (3, 4)]:
        same(ours.randint(low, high, shape), torch.randint(low, high, shape))
    same(ours.rand(2), torch.rand(2))


@pytest.mark.parametrize("dtype", ["int32", "int16", "int8", "uint8", "float32", "float64"])
def test_randint_dtypes(seed: int, dtype: str) -> None:
    mine, theirs = getattr(ours, dtype), getattr(torch, dtype)
    same(ours.randint(100, (20,), dtype=mine), torch.randint(100, (20,), dtype=theirs))
    same(ours.randint_like(ours.zeros(4, dtype=mine), 3, 9), torch.randint_like(torch.zeros(4, dtype=theirs), 3, 9))
    if dtype == "int32":
        same(ours.randint(2**31 - 1, (9,), dtype=mine), torch.randint(2**31 - 1, (9,), dtype=theirs))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "bool", "float32", "float64", "float16"])
def test_random(seed: int, dtype: str) -> None:
    x, y = ours.zeros(20, dtype=getattr(ours, dtype)), torch.zeros(20, dtype=getattr(torch, dtype))
    same(x.random_(), y.random_())
    same(x.random_(2), y.random_(2))
    if dtype != "bool":
        same(x.random_(3, 90), y.random_(3, 90))
    assert raw.random_int64() == torch.empty((), dtype=torch.int64).random_().item()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 10, 100, 1000, 60000])
def test_randperm(seed: int, n: int) -> None:
    same(ours.randperm(n), torch.randperm(n))
    same(ours.rand(2), torch.rand(2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bernoulli(seed: int, dtype: str) -> None:
    p = np.random.RandomState(3).rand(7, 40).astype(dtype)
    same(ours.bernoulli(ours.tensor(p)), torch.bernoulli(torch.tensor(p)))
    same(ours.bernoulli(ours.tensor(p), 0.3), torch.bernoulli(torch.tensor(p), 0.3))
    x, y = ours.zeros(7, 40, dtype=getattr(ours, dtype)), torch.zeros(7, 40, dtype=getattr(torch, dtype))
    same(x.bernoulli_(0.3), y.bernoulli_(0.3))
    same(x.bernoulli_(ours.tensor(p)), y.bernoulli_(torch.tensor(p)))
    same(x.bernoulli_(ours.tensor(p.astype("float64"))), y.bernoulli_(torch.tensor(p.astype("float64"))))
    mask = raw.bernoulli_mask((50,), 0.7)
    assert (mask == (torch.nn.functional.dropout(torch.ones(50), 0.3) != 0).numpy()).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [(), (1,), (6,)])
def test_multinomial(seed: int, dtype: str, rows: tuple[int, ...]) -> None:
    weights = np.random.RandomState(seed).rand(*rows, 11).astype(dtype)
    weights[..., 3] = 0
    mine, theirs = ours.tensor(weights), torch.tensor(weights)
    for n in (1, 2, 10):
        same(ours.multinomial(mine, n), torch.multinomial(theirs, n))
        same(ours.multinomial(mine, 3 * n, replacement=True), torch.multinomial(theirs, 3 * n, replacement=True))
    same(ours.rand(2), torch.rand(2))


def test_generators_of_their_own(seed: int) -> None:
    mine, theirs = ours.Generator().manual_seed(seed + 5), torch.Generator().manual_seed(seed + 5)
    same(ours.rand(5, generator=mine), torch.rand(5, generator=theirs))
    same(ours.randperm(9, generator=mine), torch.randperm(9, generator=theirs))
    same(ours.randint(0, 7, (9,), generator=mine), torch.randint(0, 7, (9,), generator=theirs))
    close(ours.randn(40, generator=mine), torch.randn(40, generator=theirs))
    same(ours.rand(5), torch.rand(5))  # the default generator was not touched
    assert mine.initial_seed() == theirs.initial_seed() == seed + 5
    assert ours.Generator().initial_seed() == torch.Generator().initial_seed()
    same(ours.rand(3, generator=ours.Generator()), torch.rand(3, generator=torch.Generator()))


@pytest.mark.parametrize("value", [-1, 2**63, 2**64 - 1, -(2**63), 2**32, 2**40 + 3])
def test_seeds_beyond_32_bits(value: int) -> None:
    restart(value)
    assert ours.initial_seed() == torch.initial_seed()
    same(ours.rand(3), torch.rand(3))


@pytest.mark.parametrize("drawn", [0, 1, 623, 624, 625, 1300])
@pytest.mark.parametrize("spare", [False, True])
def test_states_carry_over_both_ways(drawn: int, spare: bool) -> None:
    restart(drawn)
    ours.rand(drawn), torch.rand(drawn)
    if spare:
        ours.randn(3), torch.randn(3)
    mine, theirs = ours.get_rng_state(), torch.get_rng_state()
    assert len(mine) == len(theirs)
    expected = torch.rand(700), torch.randn(3, dtype=torch.float64), torch.rand(4)

    ours.set_rng_state(ours.tensor(theirs.numpy()))
    same(ours.rand(700), expected[0])
    close(ours.randn(3, dtype=ours.float64), expected[1])
    same(ours.rand(4), expected[2])

    torch.set_rng_state(torch.from_numpy(mine.numpy().copy()))
    assert torch.equal(torch.rand(700), expected[0])
    assert torch.allclose(torch.randn(3, dtype=torch.float64), expected[1], rtol=1e-14)
    assert torch.equal(torch.rand(4), expected[2])


@pytest.mark.parametrize("sizes", [(10, 3), (64, 64), (1, 1), (7, 20)])
def test_linear_initialisation(seed: int, sizes: tuple[int, int]) -> None:
    """What nn.Linear draws: weight, then bias, each uniform within 1 / sqrt(in_features)."""
    theirs = torch.nn.Linear(*sizes)
    inputs, outputs = sizes
    bound = (3.0**0.5) * ((2.0 / (1 + 5)) ** 0.5 / inputs**0.5)
    weight = raw.uniform_array((outputs, inputs), np.float32, -bound, bound)
    bound = 1 / inputs**0.5
    bias = raw.uniform_array((outputs,), np.float32, -bound, bound)
    np.testing.assert_array_equal(bias, theirs.bias.detach().numpy())
    np.testing.assert_array_equal(weight, theirs.weight.detach().numpy())


def test_shuffle_of_a_data_loader(seed: int) -> None:
    """RandomSampler seeds a generator of its own with one draw of 63 bits."""
    data = torch.utils.data.TensorDataset(torch.arange(20))
    torch.empty((), dtype=torch.int64).random_()  # the loader's base seed, drawn before
    raw.random_int64()
    theirs = list(torch.utils.data.RandomSampler(data))
    g = ours.Generator().manual_seed(raw.random_int64())
    assert theirs == raw.permutation(20, g).tolist()


def test_linspace_and_arange() -> None:
    """linspace is torch's bit for bit; arange within one rounding: torch rounds by blocks of its vector width."""
    rng = np.random.RandomState(0)
    for _ in range(100):
        a, b = rng.normal(size=2) * 10
        n, step = int(rng.randint(0, 100)), rng.uniform(0.01, 1)
        for dtype in ("float32", "float64", "int64"):
            mine, theirs = getattr(ours, dtype), getattr(torch, dtype)
            if dtype == "int64":
                a, b = int(a), int(b)
            same(ours.linspace(a, b, n, dtype=mine), torch.linspace(a, b, n, dtype=theirs))
        x, y = ours.arange(a, a + n * step + 0.001, step), torch.arange(a, a + n * step + 0.001, step)
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=2e-7, atol=2e-6)
        for low, high, by in ((a, b, 1 if b >= a else -1), (0, 10 * n, 3)):
            same(ours.arange(low, high, by), torch.arange(low, high, by))
