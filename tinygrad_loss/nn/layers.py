"""Layers: Linear, Embedding, LayerNorm, Dropout, Flatten, Identity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..devices import check_device
from ..dtypes import Array, get_default_dtype, of_numpy, to_numpy
from ..module import Module, Parameter
from ..ops.shape import flatten
from ..tape import Tensor
from ..writes import note_write
from .functional import check_probability, dropout, embedding, layer_norm, linear
from .init import kaiming_uniform_, normal_, ones_, uniform_, zeros_


def _empty(function: str, shape: tuple[int, ...], device: Any, dtype: Any) -> Array:
    check_device(device)
    d = get_default_dtype().dtype if dtype is None else to_numpy(dtype)
    if d.kind != "f":
        raise TypeError(f"{function}: dtype must be floating point, got {of_numpy(d)}; weights need fractions")
    return np.zeros(shape, d)


def whole_number(function: str, name: str, value: Any, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{function}: {name} must be an int, got {value!r}")
    if value < least:
        raise ValueError(f"{function}: {name} must be at least {least}, got {value}")
    return int(value)


class Linear(Module):
    """``input @ weight.T + bias``: shapes (*, in_features) to (*, out_features).

    The initial values are torch's, uniform in ±1/sqrt(in_features). RuntimeError names the shapes when the
    last dimension of the input is not ``in_features``.

    >>> nn.Linear(10, 3)
    Linear(in_features=10, out_features=3, bias=True)
    >>> nn.Linear(10, 3)(zeros(32, 10)).shape
    tinygrad_loss.Size([32, 3])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = whole_number("Linear", "in_features", in_features)
        self.out_features = whole_number("Linear", "out_features", out_features)
        self.weight = Parameter(Tensor(_empty("Linear", (out_features, in_features), device, dtype)))
        if bias:
            self.bias = Parameter(Tensor(_empty("Linear", (out_features,), device, dtype)))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A table of ``num_embeddings`` vectors, looked up by integers: shape (*) to (*, embedding_dim).

    Initially standard normal; the row ``padding_idx`` is zero and gets no gradient. IndexError names the
    first index out of range.

    >>> nn.Embedding(10, 3)(tensor([[1, 2], [4, 5]])).shape
    tinygrad_loss.Size([2, 2, 3])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = whole_number("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"Embedding: padding_idx={padding_idx} is not within num_embeddings={num_embeddings}")
            padding_idx = padding_idx % num_embeddings
        self.padding_idx = padding_idx
        self.weight = Parameter(Tensor(_empty("Embedding", (num_embeddings, embedding_dim), device, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0
            note_write(self.weight.array)

    def forward(self, input: Tensor) -> Tensor:
        return embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last dimensions, then ``* weight + bias`` (Ba, Kiros, Hinton 2016).

    RuntimeError names the shapes when the input does not end in ``normalized_shape``.

    >>> nn.LayerNorm(2)(tensor([[1., 3.]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
        self.normalized_shape = tuple(whole_number("LayerNorm", "normalized_shape", n) for n in sizes)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        values = _empty("LayerNorm", self.normalized_shape, device, dtype)
        self.register_parameter("weight", Parameter(Tensor(values)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(Tensor(values.copy())) if elementwise_affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0."""
        if self.weight is not None:
            ones_(self.weight)
        if self.bias is not None:
            zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        bias = self.bias is not None
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={bias}"


class Dropout(Module):
    """In training, zeros with probability ``p`` and the rest divided by ``1 - p``; in evaluation, the input.

    Raises ValueError for ``p`` outside [0, 1]. ``inplace=True`` is accepted; the result is new in any case.

    >>> nn.Dropout(0.2).eval()(tensor([1., 2.]))
    tensor([1., 2.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability("Dropout", p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Flatten(Module):
    """One dimension out of ``start_dim`` to ``end_dim``: all but the batch by default.

    >>> nn.Flatten()(zeros(2, 3, 4)).shape
    tinygrad_loss.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return flatten(input, self.start_dim, self.end_dim)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """The input as it is; arguments of the constructor are taken and ignored, as in torch.

    >>> nn.Identity(54)(tensor([1.]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
