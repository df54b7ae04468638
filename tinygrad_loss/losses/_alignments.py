"""Which label each frame may emit: the integers behind ``ctc_loss``, and their checks."""

from typing import Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array
from ..tape import Tensor


class Alignments:
    """The states of each example: a blank, its first label, a blank, its second label, ..., a blank.

    ``states`` (N, L): the label that a state emits; blank beyond the end. ``skips`` (N, L): whether a state may
    follow the one two before it, past the blank between two different labels (True for the first label, which may
    come at once). ``last`` (N): the number of the last state. ``frames`` (N): how many frames there are, and
    ``needed`` (N): how many there must be, one for each label and for each blank between two equal ones.
    """

    __slots__ = ("blank", "frames", "last", "needed", "skips", "states")

    def __init__(self, targets: Array, frames: Array, counts: Array, blank: int) -> None:
        self.blank = blank
        counts = counts.reshape(-1).astype(np.int64)
        rows, longest = len(counts), int(counts.max(initial=0))
        labels = targets.reshape(rows, targets.shape[-1])[:, :longest].astype(np.int64)
        listed = np.arange(longest) < counts[:, None]
        self.states = np.full((rows, 2 * longest + 1), blank)
        self.states[:, 1::2] = np.where(listed, labels, blank)
        repeats = (labels[:, 1:] == labels[:, :-1]) & listed[:, 1:]
        self.skips = np.zeros(self.states.shape, np.bool_)
        self.skips[:, 1:2] = True
        self.skips[:, 3::2] = ~repeats
        self.last = 2 * counts
        self.frames = frames.reshape(-1).astype(np.int64)
        self.needed = counts + repeats.sum(1)

    def of(self, rows: Array) -> "Alignments":
        """Those of some examples."""
        found = object.__new__(Alignments)
        found.blank = self.blank
        found.states, found.skips, found.last = self.states[rows], self.skips[rows], self.last[rows]
        found.frames, found.needed = self.frames[rows], self.needed[rows]
        return found

    def heard(self, frames: int) -> Array:
        """(T, N): which frames belong to each example."""
        return np.asarray(np.arange(frames)[:, None] < self.frames)


def prepared(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lengths in tuples as tensors, labels that stand one after the other as rows; what is wrong stays for the checks.

    An example by itself may come with lengths of shape (1,) and one row of labels, as in torch.
    """
    log_probs, targets, frames, counts = arrays
    alone = isinstance(log_probs, Tensor) and log_probs.ndim == 2
    frames, counts = (_as_lengths(n, x, alone) for n, x in (("input_lengths", frames), ("target_lengths", counts)))
    if alone and isinstance(targets, Tensor) and targets.ndim == 2 and targets.shape[0] == 1:
        targets = Tensor(targets.array[0])
    elif _whole_vector(targets) and _whole_vector(counts):
        targets = Tensor(_as_rows(targets.array, counts.array))
    return log_probs, targets, frames, counts


def _whole_vector(x: Any) -> bool:
    return isinstance(x, Tensor) and x.ndim == 1 and x.array.dtype.kind in "iu"


def _as_lengths(name: str, x: Any, alone: bool) -> Any:
    if isinstance(x, (tuple, list)):
        if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in x):
            raise TypeError(f"ctc_loss: {name} must be a Tensor or a tuple of ints, got {x!r}")
        x = Tensor(np.array(x, np.int64))
    return Tensor(x.array.reshape(())) if alone and isinstance(x, Tensor) and x.shape == (1,) else x


def _as_rows(labels: Array, counts: Array) -> Array:
    """Labels one after the other as (N, S), each row filled up with 0."""
    if (counts < 0).any():
        first = int(np.argmax(counts < 0))
        raise ValueError(f"ctc_loss: target_lengths[{first}] = {counts[first]}: expected a length >= 0")
    if counts.sum() != len(labels):
        raise ValueError(
            f"ctc_loss: targets has shape {labels.shape}, and target_lengths add up to {counts.sum()}; labels in one "
            "dimension stand one after the other, without padding: use shape (N, S) for padded ones"
        )
    rows = np.zeros((len(counts), int(counts.max(initial=0))), np.int64)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = labels
    return rows


def check_blank(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    """The blank is a class."""
    classes, blank = arrays["log_probs"].shape[-1], options["blank"]
    if blank >= classes:
        raise ValueError(f"ctc_loss: blank={blank}: log_probs has C={classes} classes (valid 0..{classes - 1})")


def check_labels(arrays: dict[str, Any], options: dict[str, Any]) -> None:
    """Every label is a class and not the blank; an example with too few frames has an infinite loss: say so."""
    targets, frames, counts = (arrays[name] for name in ("targets", "input_lengths", "target_lengths"))
    classes, blank = arrays["log_probs"].shape[-1], options["blank"]
    if blank >= classes:
        raise ValueError(f"ctc_loss: blank={blank}: log_probs has C={classes} classes (valid 0..{classes - 1})")
    listed = np.arange(targets.shape[-1]) < counts[..., None]
    bad = listed & ((targets < 0) | (targets >= classes) | (targets == blank))
    if bad.any():
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        label = int(targets[place])
        where = f"ctc_loss: targets[{', '.join(str(int(i)) for i in place)}] = {label}"
        if label == blank:
            raise IndexError(f"{where} is the blank; list the labels only, or pass blank= the class that is the blank")
        raise IndexError(f"{where} is out of bounds: log_probs has C={classes} classes (valid 0..{classes - 1})")
    if options["zero_infinity"]:
        return
    path = Alignments(targets, frames, counts, blank)
    short = np.flatnonzero(path.needed > path.frames)
    if len(short):
        n = short[0]
        more = f", and {len(short) - 1} more" if len(short) > 1 else ""
        advise(
            f"ctc_loss: sample {n} needs >= {path.needed[n]} frames, has {path.frames[n]}{more}: its loss is inf, its "
            "gradient 0; drop it, or pass zero_infinity=True"
        )
