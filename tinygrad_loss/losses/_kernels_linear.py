"""The kernel of a linear layer together with its cross-entropy (see _kernels.py)."""

from typing import Any

import numpy as np

from ._kernels import cross_entropy_of_indices
from .linear import linear_cross_entropy

_UNDIVIDED, _FEW = 1 << 18, 64  # multiplications that BLAS does without threads of its own; rows that fill them


def _steps(count: int, size: int) -> list[slice]:
    """The rows whose product with a small matrix of ``size`` numbers is worth no threads; all, for a large one."""
    step = _UNDIVIDED // size
    step = count if step < _FEW else step
    return [slice(i, i + step) for i in range(0, count, step)]


@linear_cross_entropy.kernel
def linear_cross_entropy_of_indices(
    arrays: list[Any], options: dict[str, Any], factor: float, outs: list[Any]
) -> float | None:
    """The logits, what cross_entropy makes of them, and the layer's own gradients."""
    x, matrix, target, bias, weight = arrays
    if x.ndim != 2 or matrix.ndim != 2 or target.ndim != 1 or outs[4] is not None or x.dtype != matrix.dtype:
        return None
    if not x.size or not matrix.size:
        return None
    z, steps = np.empty((len(x), len(matrix)), x.dtype), _steps(len(x), matrix.size)
    for some in steps:
        np.matmul(x[some], matrix.T, out=z[some])
    if bias is not None:
        np.add(z, bias, out=z)
    g = np.empty_like(z) if any(o is not None for o in outs) else None
    summed: float | None = cross_entropy_of_indices([z, target, weight], options, factor, [g, None, None])
    if summed is None or g is None:
        return summed
    if outs[0] is not None:
        for some in steps:
            np.matmul(g[some], matrix, out=outs[0][some])
    if outs[1] is not None:
        outs[1].fill(0)
        for some in steps:
            np.add(outs[1], np.matmul(g[some].T, x[some]), out=outs[1])
    if outs[3] is not None:
        outs[3][...] = np.add.reduce(g, 0, dtype=np.float64)
    return summed
