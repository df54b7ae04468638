"""The public door to differentiation: gradients as values, whole Jacobians, and checks for both.

``backward`` and ``grad`` differentiate; ``gradcheck`` and ``gradgradcheck`` compare a gradient with finite
differences; ``detect_anomaly`` finds the operation that made a nan; ``functional`` has ``jacobian`` and
``hessian``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..backward import accumulate, grad
from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..tape import Tensor
from . import functional
from .anomaly import detect_anomaly, set_detect_anomaly
from .checks import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "GradcheckError", "backward", "detect_anomaly", "enable_grad", "functional", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of the sum of ``tensors`` to ``.grad`` of every leaf below them, in one walk.

    ``grad_tensors``: one per tensor, of its shape; None for those with a single element. The rest, and the
    errors, are those of ``Tensor.backward``.

    >>> w = tensor(3.0, requires_grad=True)
    >>> autograd.backward([w * 2, w * 5])
    >>> w.grad
    tensor(7.)
    """
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if grad_tensors is None:
        given: list[Tensor | None] = [None] * len(roots)
    else:
        given = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors)
    if len(given) != len(roots):
        raise RuntimeError(f"backward: got {len(given)} grad_tensors for {len(roots)} tensors; give one each, or None")
    accumulate(roots, given, retain_graph, create_graph, inputs)
