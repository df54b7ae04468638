"""Losses of pairs and triplets of vectors: what belongs together shall be close."""

import math
from typing import Any

from ..ops.activations import clamp
from ..ops.elementwise import eq, gt, lt, minimum, sqrt, square
from ..ops.masking import where
from ..ops.normalize import unit_
from ..ops.reduce import sum_
from ..ops.statistics import norm
from ..tape import Tensor
from ._domains import Real
from ._labels import Pair, Sign
from ._loss import PerAny, PerExample, loss
from ._options import DistanceFunction, NonNegative, NormOrder, Number, Positive, Switch


def _slack(x: Tensor) -> Any:
    """torch's 1e-12 beside the squared length, relative to it; of a tiny vector it would decide the cosine: 0."""
    length = norm(x, 2, -1, keepdim=True)
    tiny = lt(length, 2.0**-7)
    return where(tiny, 0.0, square(1e-6 / where(tiny, 1.0, length)))


@loss(module="CosineEmbeddingLoss", order="input1 input2 target margin size_average reduce reduction")
def cosine_embedding_loss(
    input1: Real[Tensor, "[N] D"], input2: Real[Tensor, "[N] D"], target: Sign[Tensor, "[N]"], *, margin: Number = 0.0
) -> PerExample:
    """1 - cos of the pairs with target 1, max(cos - margin, 0) of those with -1, one for each row.

    cos is a.b / sqrt((a.a + 1e-12)(b.b + 1e-12)) as in torch, but also where these squares overflow; a vector shorter
    than 2**-7, whose direction the 1e-12 would hide, goes without it. Of a zero vector cos is 0, with gradient 0. Near
    1, 1 - cos keeps its digits. The hinge passes the gradient where it is exactly 0.
    Raises ValueError for shapes that differ or a target that is not +1 or -1.
    Accuracy: 6 ulp of the largest term, gradient 10.

    >>> F.cosine_embedding_loss(tensor([[3., 4.], [1., 0.]]), tensor([[4., 3.], [1., 1.]]), tensor([1., -1.]), 0.5)
    tensor(0.1236)
    """
    u, v = unit_(input1, dim=(1,), eps=0.0), unit_(input2, dim=(1,), eps=0.0)
    cosine = sum_(u * v, dim=(1,), keepdim=True)
    a, b = _slack(input1), _slack(input2)
    slack = a + b + a * b
    root = sqrt(slack + 1.0)  # what the 1e-12 divide the cosine by
    # 1 - u.v = |u - v|^2 / 2 for unit vectors: near 1 it cancels nothing; root - 1 = slack / (1 + root)
    apart = where(gt(cosine, 0.5), sum_(square(u - v), dim=(1,), keepdim=True) * 0.5, 1.0 - cosine)
    similar = (apart + slack / (root + 1.0)) / root
    different = clamp(cosine / root - margin, min=0.0)
    return where(eq(target.unsqueeze(1), 1.0), similar, different).squeeze(1)


def _triplets(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float, p: float, eps: float, swap: bool
) -> Any:
    # in units of `room`, a power of 2, no distance overflows: their difference has its true value
    width = anchor.shape[-1] if anchor.ndim else 1
    room = 2.0 ** (1 + math.ceil(min(math.log2(max(width, 1)) / p, 60.0)))
    a, b, c = anchor * (1.0 / room), positive * (1.0 / room), negative * (1.0 / room)
    near, far = norm(a - b + eps / room, p, -1), norm(a - c + eps / room, p, -1)
    if swap:
        far = minimum(far, norm(b - c + eps / room, p, -1))
    return clamp(near - far + margin / room, min=0.0) * room


@loss(
    module="TripletMarginLoss",
    order="anchor positive negative margin p eps swap size_average reduce reduction",
)
def triplet_margin_loss(
    anchor: Real[Tensor, "... D"],
    positive: Real[Tensor, "... D"],
    negative: Real[Tensor, "... D"],
    *,
    margin: Positive = 1.0,
    p: NormOrder = 2.0,
    eps: NonNegative = 1e-6,
    swap: Switch = False,
) -> PerExample:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0), where d(u, v) is the p-norm of u - v + eps.

    The three have one shape (..., D). ``swap`` takes d(positive, negative) where that is smaller. ``eps`` keeps the
    gradient away from the kink at identical points (and d(u, v) from being d(v, u)), as in torch; the hinge passes
    the gradient where it is exactly 0. Raises ValueError for shapes that differ and margin <= 0. Source: Balntas,
    Riba, Ponsa, Mikolajczyk, "Learning local feature descriptors with triplets", 2016.
    Accuracy: 4 ulp of the largest term, gradient 10.

    >>> F.triplet_margin_loss(tensor([[0., 0.]]), tensor([[3., 4.]]), tensor([[0., 4.5]]))
    tensor(1.5000)
    """
    return _triplets(anchor, positive, negative, margin, p, eps, swap)


@loss(
    module="TripletMarginWithDistanceLoss",
    order="anchor positive negative * distance_function margin swap reduction",
)
def triplet_margin_with_distance_loss(
    anchor: Real[Tensor, "... D"],
    positive: Real[Tensor, "... D"],
    negative: Real[Tensor, "... D"],
    *,
    distance_function: DistanceFunction = None,
    margin: Positive = 1.0,
    swap: Switch = False,
) -> PerAny:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0) for a distance of your own: any function of two
    tensors, also a module, whose parameters get their gradients.

    Without one, the distance of triplet_margin_loss. ``reduction="none"`` has the shape that the distance returns.
    ``swap`` takes d(positive, negative) where that is smaller. Raises ValueError for other shapes and margin <= 0.
    Accuracy: 4 ulp of the largest term, gradient 6.

    >>> def city(a, b):
    ...     return (a - b).abs().sum(-1)
    >>> points = tensor([[0., 0.]]), tensor([[3., 4.]]), tensor([[0., 4.5]])
    >>> F.triplet_margin_with_distance_loss(*points, distance_function=city)
    tensor(3.5000)
    """
    if distance_function is None:
        return _triplets(anchor, positive, negative, margin, 2.0, 1e-6, swap)
    near, far = distance_function(anchor, positive), distance_function(anchor, negative)
    if swap:
        far = minimum(far, distance_function(positive, negative))
    return clamp(near - far + margin, min=0.0)


@loss
def contrastive_loss(
    input1: Real[Tensor, "[N] D"], input2: Real[Tensor, "[N] D"], target: Pair[Tensor, "[N]"], *, margin: Positive = 1.0
) -> PerExample:
    """d^2 / 2 of a similar pair (target 1), max(margin - d, 0)^2 / 2 of another (0), d the Euclidean distance.

    As Chainer's. Identical points that should differ have gradient 0. Raises ValueError for a target that is not 0 or
    1. Source: Hadsell, Chopra, LeCun, "Dimensionality reduction by learning an invariant mapping", 2006.
    Accuracy: 5 ulp of the largest term, gradient 6.

    >>> F.contrastive_loss(tensor([[0., 0.], [0., 0.]]), tensor([[3., 4.], [0., 0.5]]), tensor([1., 0.]))
    tensor(6.3125)
    """
    half = input1 * 0.5 - input2 * 0.5  # never overflows
    similar = sum_(square(half), dim=(1,), keepdim=False) * 2.0
    different = square(clamp(margin - norm(half, 2, -1) * 2.0, min=0.0)) * 0.5
    return where(eq(target, 1.0), similar, different)
