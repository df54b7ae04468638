"""Initial values of parameters: torch's distributions and, for the same seed, torch's numbers.

Every function writes into the tensor and returns it; no gradient is recorded.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from ..dtypes import Array
from ..generator import Generator, normal_array, uniform_array
from ..tape import Tensor
from ..writes import note_write


def _write(tensor: Tensor, values: Array | float) -> Tensor:
    tensor.array[...] = values
    note_write(tensor.array)
    return tensor


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through an activation: 5/3 for tanh, sqrt(2) for relu.

    Raises ValueError for an activation it does not know.

    >>> calculate_gain = nn.init.calculate_gain
    >>> calculate_gain("leaky_relu", 0.0) == calculate_gain("relu")
    True
    """
    if nonlinearity in ("linear", "sigmoid", "conv1d", "conv2d", "conv3d"):
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: the negative slope must be a number, got {param!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(
        f"calculate_gain: nonlinearity={nonlinearity!r}; expected linear, sigmoid, tanh, relu, leaky_relu or selu"
    )


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw from [a, b).

    >>> (nn.init.uniform_(zeros(100), 1.0, 2.0) >= 1.0).all()
    tensor(True)
    """
    return _write(tensor, uniform_array(tensor.array.shape, tensor.array.dtype, a, b, generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw from the normal distribution.

    >>> nn.init.normal_(zeros(2, 3)).shape
    tinygrad_loss.Size([2, 3])
    """
    return _write(tensor, normal_array(tensor.array.shape, tensor.array.dtype, mean, std, generator))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with ``val``.

    >>> nn.init.constant_(zeros(2), 3.0)
    tensor([3., 3.])
    """
    return _write(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1.

    >>> nn.init.ones_(zeros(2))
    tensor([1., 1.])
    """
    return _write(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0.

    >>> nn.init.zeros_(ones(2))
    tensor([0., 0.])
    """
    return _write(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity. Raises ValueError for other than 2 dimensions.

    >>> nn.init.eye_(zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected 2 dimensions, got shape {tuple(tensor.shape)}")
    return _write(tensor, np.eye(*tensor.array.shape, dtype=tensor.array.dtype))


def fans(function: str, tensor: Tensor) -> tuple[int, int]:
    """How many numbers flow in and out of each unit of a weight of shape (out, in, *window).

    Raises ValueError, in the name of ``function``, for fewer than 2 dimensions.

    >>> nn.init.fans("mine", zeros(4, 3))
    (3, 4)
    """
    if tensor.ndim < 2:
        raise ValueError(f"{function}: needs a weight of at least 2 dimensions, got shape {tuple(tensor.shape)}")
    window = math.prod(tensor.array.shape[2:])
    return tensor.array.shape[1] * window, tensor.array.shape[0] * window


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in ±gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Raises ValueError for fewer than 2 dimensions.

    >>> (nn.init.xavier_uniform_(zeros(3, 3)).abs() <= 1.0).all()
    tensor(True)
    """
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(sum(fans("xavier_uniform_", tensor)))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Raises ValueError for fewer than 2 dimensions.

    >>> nn.init.xavier_normal_(zeros(3, 3)).shape
    tinygrad_loss.Size([3, 3])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(fans("xavier_normal_", tensor)))), generator)


def _kaiming(function: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """The standard deviation, None for a tensor without elements."""
    if 0 in tensor.array.shape:
        warnings.warn(f"{function}: Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
        return None
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"{function}: mode={mode!r}; expected 'fan_in' or 'fan_out'")
    fan = fans(function, tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in ±gain * sqrt(3 / fan) (He et al. 2015); ``a`` is the slope of the leaky relu that follows.

    Raises ValueError for fewer than 2 dimensions, an unknown mode or nonlinearity.

    >>> (nn.init.kaiming_uniform_(zeros(3, 6)).abs() <= 1.0).all()
    tensor(True)
    """
    std = _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    bound = math.sqrt(3.0) * (std or 0.0)
    return tensor if std is None else uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan) (He et al. 2015).

    Raises ValueError for fewer than 2 dimensions, an unknown mode or nonlinearity.

    >>> nn.init.kaiming_normal_(zeros(3, 6), mode="fan_out").shape
    tinygrad_loss.Size([3, 6])
    """
    std = _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)
