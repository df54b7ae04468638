"""Random tensors, from the same streams as torch's: ``manual_seed(0); randn(3)`` prints what torch prints."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .creation import real_dtype, size_of
from .devices import check_device
from .dtypes import result_dtype, to_numpy
from .generator import Generator as Generator
from .generator import (
    bernoulli_array,
    bernoulli_mask,
    default_generator,
    float_only,
    integer_array,
    normal_array,
    permutation,
    probability,
    uniform,
    uniform_array,
)
from .generator import random_int64 as random_int64
from .quiet import quiet
from .tape import Tensor


def manual_seed(seed: int) -> Generator:
    """Start the default generator at ``seed``, and return it. Raises RuntimeError beyond 64 bits.

    >>> _ = manual_seed(0); rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator at a seed from the operating system, and return that.

    >>> seed() == initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was started at.

    >>> _ = manual_seed(7); initial_seed()
    7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, as bytes in a tensor.

    >>> state = get_rng_state(); a = rand(1); set_rng_state(state); a == rand(1)
    tensor([True])
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue from a state of :func:`get_rng_state`. Raises TypeError or RuntimeError for anything else.

    >>> set_rng_state(get_rng_state())
    """
    default_generator.set_state(new_state)


# Uniform and normal


def _shape_like(function: str, input: Any) -> tuple[int, ...]:
    if not isinstance(input, Tensor):
        raise TypeError(f"{function}: input must be a Tensor, got {type(input).__name__}; convert it with tensor(...)")
    shape: tuple[int, ...] = input.array.shape
    return shape


def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from [0, 1), evenly distributed: torch's, bit for bit. Sizes as for :func:`zeros`.

    >>> _ = manual_seed(42); rand(2, 2)
    tensor([[0.8823, 0.9150],
            [0.3829, 0.9593]])
    """
    d = float_only("rand", real_dtype(dtype), device)
    return Tensor(uniform_array(size_of("rand", sizes, size), d, generator=generator), requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1: torch's, up to their last digits. Sizes as for :func:`zeros`.

    >>> _ = manual_seed(0); randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    d = float_only("randn", real_dtype(dtype), device)
    return Tensor(normal_array(size_of("randn", sizes, size), d, generator=generator), requires_grad)


def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """:func:`rand` in the shape and dtype of ``input``.

    >>> rand_like(zeros(2, 3)).shape
    tinygrad_loss.Size([2, 3])
    """
    shape = _shape_like("rand_like", input)
    return rand(shape, generator=generator, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """:func:`randn` in the shape and dtype of ``input``.

    >>> randn_like(zeros(2, 3)).shape
    tinygrad_loss.Size([2, 3])
    """
    shape = _shape_like("randn_like", input)
    return randn(shape, generator=generator, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Normal numbers of the given means and standard deviations: tensors, or numbers and a ``size``.

    Raises RuntimeError for a negative ``std``.

    >>> normal(zeros(2, 3), 1.0).shape
    tinygrad_loss.Size([2, 3])
    """
    low = std.array if isinstance(std, Tensor) else np.asarray(std)
    with quiet():
        negative = (low < 0).any()
    if negative:
        raise RuntimeError(f"normal: std must be >= 0, got {low.min()}")
    given = [v.array for v in (mean, std) if isinstance(v, Tensor)]
    if not given:
        if size is None:
            raise TypeError("normal: mean and std are numbers, so it needs a size: normal(0.0, 1.0, (2, 3))")
        return Tensor(normal_array(size_of("normal", (size,)), real_dtype(None), mean, std, generator))
    d = float_only("normal", result_dtype(tuple(given)))
    shape = np.broadcast_shapes(*(a.shape for a in given))
    spread = 1.0 if isinstance(std, Tensor) else std
    with quiet():
        drawn = normal_array(shape, d, 0.0, spread, generator)
        if isinstance(std, Tensor):
            drawn = drawn * std.array
        return Tensor(np.asarray(drawn + (mean.array if isinstance(mean, Tensor) else mean), d))


# Integers


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from low (0 when left out) to high - 1: torch's. ``randint(high, size)`` or ``(low, high, size)``.

    Raises RuntimeError when there is no integer from low to high - 1.

    >>> _ = manual_seed(0); randint(0, 10, (5,))
    tensor([4, 9, 3, 0, 3])
    """
    check_device(device)
    if size is None:
        if high is None or isinstance(high, int):
            raise TypeError("randint: missing the size; write randint(low, high, (2, 3))")
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    low, high = operator.index(low), operator.index(high)
    if low >= high:
        raise RuntimeError(f"randint: low={low} must be smaller than high={high}")
    shape, d = size_of("randint", (size,)), np.dtype(np.int64) if dtype is None else to_numpy(dtype)
    if d.kind in "iu" and not np.iinfo(d).min <= low <= high - 1 <= np.iinfo(d).max:
        raise RuntimeError(f"randint: {low} to {high - 1} does not fit {d.name}; pass a larger dtype")
    with quiet():
        return Tensor(integer_array(shape, low, high, generator).astype(d, copy=False), requires_grad)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None,
                 generator: Generator | None = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """:func:`randint` in the shape and dtype of ``input``.

    >>> randint_like(zeros(2, 3), 5).dtype
    tinygrad_loss.float32
    """
    shape = _shape_like("randint_like", input)
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, shape, generator=generator, dtype=dtype or input.dtype, device=device,
                   requires_grad=requires_grad)  # fmt: skip


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The integers 0 to n - 1 in random order: torch's. Raises RuntimeError for a negative n.

    >>> _ = manual_seed(0); randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    check_device(device)
    (n,) = size_of("randperm", (n,))
    return Tensor(permutation(n, generator).astype(np.int64 if dtype is None else to_numpy(dtype), copy=False))


# Choices


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability in ``input`` (or ``p`` for all), else 0: torch's, in the dtype of ``input``.

    Raises RuntimeError for a probability outside [0, 1] or nan.

    >>> bernoulli(tensor([0., 1., 1.]))
    tensor([0., 1., 1.])
    """
    shape = _shape_like("bernoulli", input)
    d = input.array.dtype
    if p is not None:
        return Tensor(bernoulli_mask(shape, probability("bernoulli", p), generator).astype(d))
    float_only("bernoulli", d)
    return Tensor(bernoulli_array("bernoulli", input.array, shape, generator).astype(d))


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Indices drawn by weight: torch's. ``input`` (C,) or (N, C), the result (num_samples,) or (N, num_samples).

    Raises RuntimeError for weights that are negative, nan, inf or all 0, and without replacement when fewer
    than ``num_samples`` of a row are above 0.

    >>> multinomial(tensor([0., 1., 0.]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    shape = _shape_like("multinomial", input)
    weights = input.array
    d = float_only("multinomial", weights.dtype)
    if weights.ndim not in (1, 2) or num_samples <= 0:
        raise RuntimeError(f"multinomial: expected 1 or 2 dimensions and num_samples > 0, got {shape}, {num_samples}")
    with quiet():
        usable = (np.isfinite(weights) & (weights >= 0)).all()
    if not usable:
        raise RuntimeError("multinomial: probability tensor contains either `inf`, `nan` or element < 0")
    positive = (weights > 0).sum(-1).min() if weights.size else 0
    needed = 1 if replacement else num_samples
    if positive < needed and shape[0]:
        raise RuntimeError(
            f"multinomial: cannot sample {num_samples} of a row with {positive} weights above 0; "
            + ("every row needs one" if replacement else "pass replacement=True, or fewer samples")
        )
    rows, n = weights.reshape(-1, shape[-1]), shape[-1]
    drawn = np.empty((len(rows), num_samples), np.int64)
    g = generator or default_generator
    with quiet(), g.lock:
        if replacement and num_samples > 1:  # torch draws a single sample without it
            for row, out in zip(np.cumsum(rows, -1, dtype=d), drawn, strict=True):
                u = uniform(g, num_samples, np.dtype(np.float64))
                out[:] = np.searchsorted((row / row[-1]).astype(np.float64), u)
        else:  # the largest of weight / exponential: the race that an exponential clock of each rate would win
            clock = -np.log1p(-uniform(g, len(rows) * n, np.dtype(np.float64))).reshape(rows.shape).astype(d)
            drawn[:] = np.argsort(-(rows / clock), -1, kind="stable")[:, :num_samples]
    return Tensor(drawn.reshape((*shape[:-1], num_samples)))
