"""Lengths, directions and distances of vectors, and rows of mean 0 and variance 1; none of them overflows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..accumulate import accurate_sum
from ..dtypes import Array
from ..primitive import Function, Value, primitive
from ..tape import Tensor
from .activations import clamp_min
from .layout import shape_of
from .reduce import axis_of, broadcast_, mean_, sum_
from .statistics import norm


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def _power(z: Array, axes: tuple[int, ...], least: float) -> Array:
    """The power of 2 at the largest size in each row, or at ``least``; 1 for rows with inf, nan or only 0."""
    top = np.maximum.reduce(np.absolute(z), axis=axes, keepdims=True, initial=least)
    power: Array = np.ldexp(z.dtype.type(1), np.frexp(np.where(np.isfinite(top) & (top > 0), top, 1))[1] - 1)
    return power


def _unit(x: Array, *, dim: tuple[int, ...], eps: float) -> tuple[Array, tuple[Array, Array]]:
    """x / max(length, eps), 1 / max(length, eps) and where the length is longer; a zero vector is 0 for eps=0."""
    z = _wide(x)
    power = _power(z, dim, 0.0)
    z = z / power  # exact; now the squares neither overflow nor vanish
    length = np.sqrt(accurate_sum(z * z, dim, True))
    bound = z.dtype.type(eps) / power
    divisor = np.maximum(length, bound)
    zero = divisor == 0
    inverse = np.where(zero, 0, 1 / np.where(zero, 1, divisor) / power).astype(z.dtype)
    y = (z / np.where(zero, 1, divisor)).astype(x.dtype)
    return y, (np.minimum(inverse, np.finfo(z.dtype).max), length > bound)


def _unit_rule(
    g: Value, y: Value, x: Value, *, dim: tuple[int, ...], eps: float, kept: tuple[Array, Array] | None
) -> Value:
    inverse, longer = kept or (inverse_length_(x, dim=dim, eps=eps), longer_(x, dim=dim, eps=eps))
    return inverse * (g - y * sum_(g * y, dim=dim, keepdim=True) * longer)


unit_ = primitive(_unit, _unit_rule, name="unit", floats=True, keeps=True, grad_name="Normalize")
inverse_length_ = primitive(  # its derivative is -y / length**2: the two primitives differentiate into each other
    lambda x, *, dim, eps: _unit(x, dim=dim, eps=eps)[1][0].astype(x.dtype),
    lambda g, y, x, *, dim, eps: -g * y * y * unit_(x, dim=dim, eps=eps) * longer_(x, dim=dim, eps=eps),
    name="inverse_length",
    floats=True,
)
longer_: Function = primitive(lambda x, *, dim, eps: _unit(x, dim=dim, eps=eps)[1][1], name="longer", floats=True)


def _axes(name: str, input: Value, dim: int) -> tuple[int, ...]:
    axis = axis_of(name, input, dim)
    return (axis,) if input.ndim else ()


def normalize(input: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Value:
    """``input`` divided by its ``p``-norm over ``dim``, or by ``eps`` where that is larger.

    For ``p=2`` right also where the norm itself overflows. Raises IndexError when ``dim`` is out of range,
    ValueError for a negative ``eps``.

    >>> F.normalize(tensor([[3., 4.], [0., 0.]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    axes = _axes("normalize", input, dim)
    if not eps >= 0:
        raise ValueError(f"normalize: eps must be at least 0, got {eps}")
    if p == 2:
        return unit_(input, dim=axes, eps=eps)
    length = norm(input, p, axes or None, keepdim=True)
    least = float(np.finfo((input.array if isinstance(input, Tensor) else input).dtype).tiny)
    return input / clamp_min(length, max(eps, least))


def cosine_similarity(x1: Value, x2: Value, dim: int = 1, eps: float = 1e-8) -> Value:
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``; 0, with gradient 0, for a zero vector.

    Each vector is scaled to length 1 first, so that the default needs no ``eps``: vectors of length 1e-30 or
    1e30 have their true cosine (torch gives 0). Another ``eps`` is the least length to divide by, as in torch.

    Raises IndexError when ``dim`` is out of range, RuntimeError when the shapes do not broadcast.

    >>> F.cosine_similarity(tensor([[1., 0.], [1e-30, 0.]]), tensor([[1., 1.], [1e-30, 0.]]))
    tensor([0.7071, 1.0000])
    """
    shapes = shape_of("cosine_similarity", x1, "x1"), shape_of("cosine_similarity", x2, "x2")
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(
            f"cosine_similarity: x1 has shape {shapes[0]}, x2 {shapes[1]}; they must be equal or broadcast"
        ) from None
    a, b = (x if s == shape else broadcast_(x, shape=shape) for x, s in zip((x1, x2), shapes, strict=True))
    axes = _axes("cosine_similarity", a, dim)
    least = 0.0 if eps == 1e-8 else eps
    return sum_(unit_(a, dim=axes, eps=least) * unit_(b, dim=axes, eps=least), dim=axes or None, keepdim=False)


def pairwise_distance(x1: Value, x2: Value, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Value:
    """The ``p``-norm of ``x1 - x2 + eps`` over the last dimension.

    ``eps`` keeps the derivative away from the kink at equal points (and makes the distance slightly asymmetric,
    as in torch). Raises RuntimeError when the shapes do not broadcast.

    >>> F.pairwise_distance(tensor([[0., 0.]]), tensor([[3., 4.]]))
    tensor([5.0000])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim=keepdim)


def _count(x: Value, axes: tuple[int, ...]) -> int:
    return max(int(math.prod(x.shape[a] for a in axes)), 1)


def _centred(z: Array, first: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Deviations from the mean, and the variance; equal values deviate by exactly 0, whatever their size."""
    count = z.dtype.type(_count(z, axes))
    d = z - first  # neither sees a shift
    d = d - np.add.reduce(d, axis=axes, keepdims=True) / count
    return d, np.add.reduce(d * d, axis=axes, keepdims=True) / count


def _standardize(x: Array, *, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """(x - mean) / sqrt(variance + eps) and the factor; rows whose squares overflow are scaled by a power of 2."""
    z = _wide(x)
    if z.size == 0:
        return x.copy(), np.ones_like(x)
    first = z[tuple(slice(0, 1) if a in axes else slice(None) for a in range(x.ndim))]
    d, variance = _centred(z, first, axes)
    if np.isfinite(variance).all():
        factor = shrunk = 1 / np.sqrt(variance + z.dtype.type(eps))
    else:
        scale = _power(z, axes, 1.0)
        d, variance = _centred(z / scale, first / scale, axes)
        factor = 1 / np.sqrt(variance + np.maximum(z.dtype.type(eps) / scale / scale, np.finfo(z.dtype).tiny))
        shrunk = factor / scale
    return (d * factor).astype(x.dtype, copy=False), shrunk.astype(x.dtype, copy=False)


def _standardize_rule(g: Value, y: Value, x: Value, *, axes: tuple[int, ...], eps: float, kept: Array | None) -> Value:
    factor = rstd_(x, axes=axes, eps=eps) if kept is None else kept
    return factor * (g - mean_(g, dim=axes, keepdim=True) - y * mean_(g * y, dim=axes, keepdim=True))


standardize_ = primitive(
    _standardize, _standardize_rule, name="standardize", floats=True, keeps=True, grad_name="NativeLayerNorm"
)
rstd_ = primitive(  # its derivative is -rstd**2 * y / n: the two primitives differentiate into each other
    lambda x, *, axes, eps: _standardize(x, axes=axes, eps=eps)[1],
    lambda g, y, x, *, axes, eps: -g * y * y * standardize_(x, axes=axes, eps=eps) / _count(x, axes),
    name="rstd",
    floats=True,
)


def layer_norm(
    input: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
) -> Value:
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` over the last dimensions, ``normalized_shape``.

    Ba, Kiros, Hinton 2016. Exact where the squares overflow. Raises RuntimeError when the last dimensions of
    ``input``, or ``weight`` or ``bias``, do not have ``normalized_shape``.

    >>> F.layer_norm(tensor([[1., 3.], [1e30, -1e30]]), (2,))
    tensor([[-1.0000,  1.0000],
            [ 1.0000, -1.0000]])
    """
    expected, shape = tuple(normalized_shape), shape_of("layer_norm", input)
    if not expected or shape[-len(expected) :] != expected:
        raise RuntimeError(
            f"layer_norm: input of shape {tuple(shape)} does not end in normalized_shape={expected}: these are "
            "the last dimensions of the input"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and shape_of("layer_norm", value, name) != expected:
            raise RuntimeError(f"layer_norm: {name} has shape {tuple(value.shape)}; expected {expected}")
    y = standardize_(input, axes=tuple(range(len(shape) - len(expected), len(shape))), eps=eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
