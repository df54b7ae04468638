"""Where torch keeps what this library has under one name."""

from __future__ import annotations

from typing import Any

import torch

F = torch.nn.functional


def _cut(src: Any, index: Any) -> Any:
    """What the index covers: torch cannot differentiate by a larger src."""
    return src[tuple(slice(n) for n in index.shape)] if isinstance(src, torch.Tensor) and src.ndim else src


_SPECIAL: dict[str, Any] = {
    "pick": lambda x, i, dim: torch.gather(x, dim, i.unsqueeze(dim)).squeeze(dim),
    "times_log": torch.mul,
    "binary_log_likelihood": lambda p, y: y * torch.log(p) + (1 - y) * torch.log1p(-p),
    "logsumexp": lambda x, dim=None, keepdim=False: torch.logsumexp(x, tuple(range(x.ndim)) if dim is None else dim, keepdim),
    "norm": lambda x, p=2.0, dim=None, keepdim=False: torch.linalg.vector_norm(x, 2.0 if p == "fro" else p, dim, keepdim),
    "scatter": lambda x, dim, index, src: torch.scatter(x, dim, index, _cut(src, index)),
    "scatter_add": lambda x, dim, index, src: torch.scatter_add(x, dim, index, _cut(src, index)),
    "repeat": lambda x, sizes: x.repeat(*sizes),
    "silu": F.silu, "relu": F.relu, "one_hot": F.one_hot, "layer_norm": F.layer_norm, "embedding": F.embedding,
    "cosine_similarity": F.cosine_similarity, "logsigmoid": F.logsigmoid, "softmin": F.softmin, "elu": F.elu,
}  # fmt: skip


def operation(name: str) -> Any:
    """torch's function of that name."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    for where in (torch, F, torch.Tensor):
        if hasattr(where, name):
            return getattr(where, name)
    raise LookupError(f"torch has no {name!r}")
