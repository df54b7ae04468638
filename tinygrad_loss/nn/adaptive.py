"""Losses with parameters of their own: a linear layer in front, and the adaptive softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..losses import linear_cross_entropy
from ..losses._reductions import resolve_reduction
from ..module import Module
from ..ops.joining import cat
from ..ops.positions import check_range, integers
from ..ops.stable import log_softmax
from ..tape import Tensor
from .containers import ModuleList, Sequential
from .layers import Linear, whole_number


class LinearCrossEntropyLoss(Module):
    """``linear_cross_entropy`` with the linear layer kept in ``linear``; ``out_features``: the sizes after the classes.

    Input (N, in_features) or (in_features), target as for ``CrossEntropyLoss`` of logits (N, num_classes,
    *out_features). Raises ValueError for sizes, a weight or a label smoothing that cannot be.

    >>> nn.LinearCrossEntropyLoss(5, 10, out_features=(4,))(zeros(2, 5), zeros(2, 4).long()).detach()
    tensor(2.3026)
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: Sequence[int] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: None = None,
    ) -> None:
        super().__init__()
        name, declared = "LinearCrossEntropyLoss", linear_cross_entropy.declaration
        self.num_classes = whole_number(name, "num_classes", num_classes, 1)
        self.out_features = tuple(whole_number(name, "out_features", n) for n in out_features)
        self.reduction = resolve_reduction(name, {"reduction": reduction}, declared.reductions)
        chosen = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "options": options}
        declared.check_options(chosen)
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}; expected ({num_classes},)")
        self.register_buffer("weight", weight)
        outputs = math.prod(self.out_features, start=self.num_classes)
        self.linear = Linear(in_features, outputs, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor, **counts: Any) -> Tensor:
        sizes, bias = (self.num_classes, *self.out_features), self.linear.bias
        return linear_cross_entropy(
            input,
            self.linear.weight.reshape(*sizes, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(sizes),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
            **counts,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


class ASMoutput(NamedTuple):
    """What the adaptive softmax gives: each target's log-probability (N), and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over many classes, of which the rare ones are cheap (Grave et al. 2017).

    Classes are sorted, the frequent ones first. Those below ``cutoffs[0]`` are in the head, which also has an entry
    for each later cluster; cluster i has ``in_features // div_value**(i + 1)`` features of its own. Returns
    ``(output, loss)``: the targets' log-probabilities (N) and minus their mean. Input (N, in_features) or
    (in_features), target (N) or (). Raises ValueError for cutoffs that do not increase from 1 to n_classes - 1,
    RuntimeError for shapes, IndexError for a target that is no class.

    >>> model = nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10])
    >>> model(randn(3, 16), tensor([0, 7, 19])).output.shape, model.log_prob(randn(3, 16)).exp().sum(1).detach()
    (tinygrad_loss.Size([3]), tensor([1.0000, 1.0000, 1.0000]))
    """

    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name, limits = "AdaptiveLogSoftmaxWithLoss", list(cutoffs)
        whole = all(isinstance(c, (int, np.integer)) and not isinstance(c, bool) for c in limits)
        if not limits or not whole or any(a >= b for a, b in zip([0, *limits], [*limits, n_classes], strict=True)):
            raise ValueError(
                f"{name}: cutoffs={cutoffs!r}: expected whole numbers that increase, from 1 to at most n_classes - 1 = "
                f"{n_classes - 1}"
            )
        if isinstance(div_value, bool) or not isinstance(div_value, (int, float)) or not div_value > 0:
            raise ValueError(f"{name}: div_value={div_value!r}: expected a number > 0")
        self.in_features, self.n_classes = whole_number(name, "in_features", in_features, 1), int(n_classes)
        self.cutoffs, self.div_value, self.head_bias = [*limits, self.n_classes], div_value, head_bias
        self.shortlist_size, self.n_clusters = limits[0], len(limits)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False)):
            hidden = int(in_features // (div_value ** (i + 1)))
            down = Linear(in_features, hidden, bias=False, device=device, dtype=dtype)
            self.tail.append(Sequential(down, Linear(hidden, stop - start, bias=False, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for module in (self.head, *(layer for cluster in self.tail for layer in cluster)):
            module.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        shape, target = tuple(input_.shape), integers("AdaptiveLogSoftmaxWithLoss", "target", target_, input_)
        if len(shape) not in (1, 2) or shape[-1] != self.in_features or target.shape != shape[:-1]:
            raise RuntimeError(
                f"AdaptiveLogSoftmaxWithLoss: input has shape {shape} and target {target.shape}; expected "
                f"(N, {self.in_features}) and (N,), or ({self.in_features},) and ()"
            )
        check_range("AdaptiveLogSoftmaxWithLoss", "target", target, self.n_classes, "n_classes")
        rows, labels = input_.reshape(-1, self.in_features), target.reshape(-1)
        cluster = np.searchsorted(self.cutoffs, labels, side="right")  # 0: in the head
        entry = np.where(cluster == 0, labels, self.shortlist_size + cluster - 1)
        order, parts = [np.flatnonzero(cluster == 0)], []
        head = log_softmax(self.head(rows), dim=1)[np.arange(len(labels)), entry]
        for i, (start, layers) in enumerate(zip(self.cutoffs, self.tail, strict=False)):
            members = np.flatnonzero(cluster == i + 1)
            order.append(members)
            if len(members):
                log_p = log_softmax(layers(rows[members]), dim=1)
                parts.append(log_p[np.arange(len(members)), labels[members] - start])
        if parts:
            within = cat([Tensor(np.zeros(len(order[0]), head.array.dtype)), *parts])
            head = head + within[np.argsort(np.concatenate(order))]
        return ASMoutput(head.reshape(shape[:-1]), -head.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, in_features) to (N, n_classes).

        >>> nn.AdaptiveLogSoftmaxWithLoss(4, 6, cutoffs=[2]).log_prob(zeros(1, 4)).shape
        tinygrad_loss.Size([1, 6])
        """
        head = log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, layers in enumerate(self.tail):
            at = self.shortlist_size + i
            parts.append(log_softmax(layers(input), dim=1) + head[:, at : at + 1])
        joined: Tensor = cat(parts, 1)
        return joined

    def predict(self, input: Tensor) -> Tensor:
        """The class with the highest probability: (N, in_features) to (N).

        >>> nn.AdaptiveLogSoftmaxWithLoss(4, 6, cutoffs=[2]).predict(zeros(3, 4)).shape
        tinygrad_loss.Size([3])
        """
        best = self.head(input).detach().argmax(1).numpy()
        rare = np.flatnonzero(best >= self.shortlist_size)  # a whole cluster is likelier than any class of the head
        if len(rare):
            best[rare] = self.log_prob(input[rare]).detach().argmax(1).numpy()
        return Tensor(best)
