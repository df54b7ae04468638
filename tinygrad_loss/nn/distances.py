"""Distances and similarities of vectors, as modules."""

from __future__ import annotations

from ..module import Module
from ..tape import Tensor
from .functional import cosine_similarity, pairwise_distance


class CosineSimilarity(Module):
    """The cosine of the angle between two tensors along ``dim``.

    >>> nn.CosineSimilarity(dim=0)(tensor([1., 0.]), tensor([1., 1.]))
    tensor(0.7071)
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return cosine_similarity(x1, x2, self.dim, self.eps)  # type: ignore[no-any-return]


class PairwiseDistance(Module):
    """The ``p``-norm of ``x1 - x2 + eps`` over the last dimension.

    >>> nn.PairwiseDistance(eps=0.0)(tensor([[3., 0.]]), tensor([[0., 4.]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)  # type: ignore[no-any-return]
