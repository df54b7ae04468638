"""Losses of sequences: a sum over all paths that give a sequence of labels, and one over all sequences of tags."""

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..ops.gathering import pick, take_along_dim
from ..ops.joining import unbind
from ..ops.masking import where
from ..tape import Tensor
from ._alignments import Alignments, check_blank, check_labels, prepared
from ._ctc import ctc_likelihood, total
from ._domains import Log, Real
from ._labels import Labels, Lengths, Mask, TargetLengths
from ._loss import PerExample, loss
from ._options import ClassNumber, Switch
from ._reductions import Terms


@loss(
    module="CTCLoss",
    order="log_probs targets input_lengths target_lengths blank reduction zero_infinity",
    node="CtcLoss",
)
def ctc_loss(
    log_probs: Log[Tensor, "T [N] C"],
    targets: Labels[Tensor, "[N] S"],
    input_lengths: Lengths[Tensor, "[N]"],
    target_lengths: TargetLengths[Tensor, "[N]"],
    *,
    blank: ClassNumber = 0,
    zero_infinity: Switch = False,
) -> PerExample:
    """The negative log-likelihood of a sequence of labels, summed over all its alignments to the frames (Graves 2006).

    ``log_probs`` (T, N, C) or (T, C). ``targets`` (N, S), padded with anything, or all labels one after the other;
    none may be the ``blank``. The lengths: tensors or tuples of ints. The mean first divides each loss by its
    target length (at least 1). An example with too few frames has the loss inf (0 with ``zero_infinity``) and no
    gradient. The gradient is the derivative by ``log_probs``, where torch's adds what log_softmax takes away again.
    Raises IndexError for a label that is no class or the blank, ValueError for lengths that do not fit.
    Accuracy: 4 ulp of the largest term, gradient 12.

    >>> log_probs = log_softmax(tensor([[1., 2., 3.], [2., 3., 1.], [3., 1., 2.]]), dim=1)
    >>> F.ctc_loss(log_probs, tensor([2, 1]), (3,), (2,))
    tensor(0.5178)
    """
    path = Alignments(targets.numpy(), input_lengths.numpy(), target_lengths.numpy(), blank)
    value = -ctc_likelihood(log_probs, path=path, slopes=log_probs.requires_grad)
    if zero_infinity:
        value = where(value == math.inf, 0.0, value)
    return Terms(value, scale=Tensor((1.0 / np.maximum(path.last // 2, 1)).astype(value.array.dtype)))


ctc_loss.matches(check_blank)
ctc_loss.requires(check_labels)
ctc_loss.prepares(prepared)


@loss(module="CRF1dLoss", order="transitions scores tags mask reduction", module_order="transitions reduction")
def crf1d_loss(
    scores: Real[Tensor, "[N] T C"],
    transitions: Real[Tensor, "C C"],
    tags: Labels[Tensor, "[N] T"],
    mask: Mask[Tensor, "[N] T"] | None = None,
) -> PerExample:
    """The negative log-likelihood of a sequence of tags in a linear-chain conditional random field (Lafferty 2001).

    ``transitions`` (C, C): the score of tag j after tag i; -inf forbids it. ``scores`` (N, T, C) or (T, C): that of
    each tag at each step. ``tags`` (N, T). ``mask`` (N, T): which steps there are; the others count as if deleted,
    whatever they hold, and a sequence without steps has the loss 0. The mean divides by the sequences. The module
    keeps the transitions: give it a Parameter to learn them. Raises IndexError for a tag that is no class.
    Accuracy: 4 ulp of the largest term, gradient 4.

    >>> F.crf1d_loss(zeros(2, 2), tensor([[1., 0.], [1., 0.], [0., 2.]]), tensor([0, 0, 1]))
    tensor(0.7535)
    """
    kept, front = _closed_up(np.ones(scores.shape[:2], np.bool_) if mask is None else mask.numpy())
    path = np.where(kept, np.take_along_axis(tags.numpy(), front, 1), 0)
    kind, transitions = scores.dtype, transitions.double()
    scores = where(kept[:, :, None], take_along_dim(scores.double(), front[:, :, None], 1), 0.0)
    # All scores relative to the path of the tags: its own are exactly 0, and a small loss keeps its digits.
    own, moves = pick(scores, path, 2), where(kept[:, 1:], transitions[path[:, :-1], path[:, 1:]], 0.0)
    barred = (own == -math.inf).any(1) | (moves == -math.inf).any(1)
    own, moves = where(own == -math.inf, 0.0, own), where(moves == -math.inf, 0.0, moves)
    ahead = unbind(scores - own.unsqueeze(2), 1)
    alpha = ahead[0] if ahead else scores.sum(1)
    for t in range(1, len(ahead)):
        step = transitions - moves[:, t - 1, None, None] + ahead[t].unsqueeze(1)
        alpha = where(kept[:, t, None], total(alpha.unsqueeze(2) + step, 1), alpha)
    return where(kept.any(1), where(barred, math.inf, total(alpha, 1)), 0.0).to(kind)


def _closed_up(kept: Array) -> tuple[Array, Array]:
    """For a mask (N, T), which steps there are when those are moved to the front, and where they come from."""
    front = np.argsort(~kept, 1, kind="stable")
    return np.take_along_axis(kept, front, 1), front


@crf1d_loss.requires
def _tags_are_classes(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    tags, classes = arrays["tags"], arrays["scores"].shape[-1]
    bad = np.asarray((tags < 0) | (tags >= classes)) & (True if arrays["mask"] is None else arrays["mask"])
    if bad.any():
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise IndexError(
            f"crf1d_loss: tags[{', '.join(str(int(i)) for i in place)}] = {int(tags[place])} is out of bounds: scores "
            f"has C={classes} classes (valid 0..{classes - 1}); steps that are padding are left out by mask="
        )
