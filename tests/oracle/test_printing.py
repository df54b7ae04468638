"""Every printed tensor is torch's, letter for letter (with this library's name in it)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss.printing as printing
from tinygrad_loss.dtypes import float32, float64, set_default_dtype
from tinygrad_loss.tape import Tensor

torch = pytest.importorskip("torch", reason="the oracle: pip install '.[oracle]'")

SHAPES: list[tuple[int, ...]] = [
    (), (0,), (1,), (2,), (7,), (30,), (2, 3), (0, 3), (3, 0), (1, 1), (3, 1), (1, 9), (4, 25), (2, 3, 4), (2, 1, 3, 2),
    (2, 0, 2), (1001,), (1000,), (40, 40), (7, 200), (12, 3, 40), (5, 3, 2, 40), (2, 600), (600, 2), (6, 250),
]  # fmt: skip
DTYPES = ["float16", "float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-5, 1e-4, 9.99e-5, 1e8, 1.1e8, 1e-45, 5e-324, 1000.0, 1001.0, 0.99999,
           0.99995, 9.99995, 99999.5, 1e30, -1e30, 3.4e38, 1.7e308, 123456789.0, 2.0**53, 0.5, -0.00004]  # fmt: skip


def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        if dtype == "bool":
            return np.asarray(rng.random(shape) < rng.choice([0.0, 0.5, 1.0]))
        if np.dtype(dtype).kind in "iu":
            top = min(10.0 ** rng.integers(1, 19), np.iinfo(dtype).max)
            return np.asarray(rng.uniform(0 if dtype == "uint8" else -top, top, shape)).astype(dtype)
        kind = rng.integers(7)
        x = np.asarray(rng.standard_normal(shape)) * 10.0 ** rng.integers(-6, 9)
        if kind == 0:
            x = np.round(x)
        elif kind == 1:
            x = x * 10.0 ** rng.integers(-4, 5, shape)
        elif kind == 2:
            x = np.where(rng.random(shape) < 0.3, rng.choice(SPECIAL, shape), x)
        elif kind == 3:
            x = np.asarray(rng.choice(SPECIAL, shape))
        elif kind == 4:
            x = np.where(rng.random(shape) < 0.3, rng.choice(SPECIAL[:5], shape), np.round(x))
        elif kind == 5:
            x = np.asarray(rng.choice(SPECIAL[:5], shape))
        return np.asarray(x, dtype)


@pytest.fixture(autouse=True)
def our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own printer with this library's name, so that it breaks lines for the longer name too."""
    rename = lambda x: str(x).replace("torch.", "tinygrad_loss.")
    monkeypatch.setattr(torch._tensor_str, "str", rename, raising=False)


def expected(t: Any) -> str:
    return repr(t)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_random_arrays(dtype: str, seed: int) -> None:
    rng = np.random.default_rng([seed, DTYPES.index(dtype)])
    for shape in SHAPES:
        x = draw(rng, shape, dtype)
        assert printing.format_tensor(Tensor(x)) == expected(torch.from_numpy(x.copy()))


@pytest.mark.parametrize("seed", range(20))
def test_requires_grad_and_wrapping(seed: int) -> None:
    """The suffix moves to a line of its own when it would not fit."""
    rng = np.random.default_rng(seed)
    for n in range(1, 30):
        x = draw(rng, (n,), "float64")
        for dtype in ("float32", "float64", "float16"):
            with np.errstate(all="ignore"):
                y = x.astype(dtype)
            t = torch.from_numpy(y.copy()).requires_grad_()
            assert printing.format_tensor(Tensor(y, requires_grad=True)) == expected(t)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2}, {"precision": 0}, {"precision": 8, "linewidth": 120}, {"linewidth": 20}, {"linewidth": 0},
        {"threshold": 5}, {"edgeitems": 1, "threshold": 10}, {"edgeitems": 0, "threshold": 10}, {"profile": "full"},
        {"edgeitems": 0}, {"sci_mode": True}, {"sci_mode": False}, {"profile": "short"},
    ],
)  # fmt: skip
def test_options(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    try:
        printing.set_printoptions(**options)
        torch.set_printoptions(**options)
        for dtype in DTYPES:
            for shape in SHAPES:
                x = draw(rng, shape, dtype)
                assert printing.format_tensor(Tensor(x)) == expected(torch.from_numpy(x.copy()))
    finally:
        printing.set_printoptions(profile="default")
        torch.set_printoptions(profile="default")


def test_default_dtype_decides_what_is_named() -> None:
    set_default_dtype(float64)
    torch.set_default_dtype(torch.float64)
    try:
        for dtype in DTYPES:
            for shape in [(), (0,), (2,), (0, 2)]:
                x = np.zeros(shape, dtype)
                assert printing.format_tensor(Tensor(x)) == expected(torch.from_numpy(x.copy()))
    finally:
        set_default_dtype(float32)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("step", [-1, 2])
def test_views(step: int) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    for y in (x.T, x[::2, 1:4], x[:, ::2]):
        assert printing.format_tensor(Tensor(y)) == expected(torch.from_numpy(y))
    y = x[::step]
    assert printing.format_tensor(Tensor(y)) == expected(torch.from_numpy(y.copy()))
