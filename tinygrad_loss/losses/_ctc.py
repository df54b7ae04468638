"""The likelihood of labels under ``ctc_loss``: once as the recursion over frames, once by hand.

The recursion (Graves et al. 2006) works on logarithms and consists of primitives: it gives derivatives of every
order. A plain call takes the sums over paths from both ends, in float64 probabilities that are rescaled every few
frames by powers of 2 (Rabiner 1989): many times as fast, and more exact. What falls below their range on the way
could only matter in a path that is 2**850 times less likely than its beginnings and ends allow: an example with such
paths, or with nan, is left to the recursion.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ..dtypes import Array
from ..modes import Scope, State, reset_state, set_state
from ..ops.gathering import gather, take_along_dim
from ..ops.joining import cat, stack, unbind
from ..ops.masking import where
from ..ops.reduce import all_
from ..ops.stable import logsumexp
from ..primitive import Value, primitive
from ..tape import Tensor
from ..walk import path_to, walk
from ._alignments import Alignments

_BLOCK = 1 << 21  # numbers that are worked on together: 16 MB
_DEEP = 850  # 2**-850 is far above the smallest numbers, 2**-1074
_SELDOM = 8  # frames between two rescalings, at most


def total(ways: Value, dim: int) -> Value:
    """logsumexp; where no way leads (all are -inf), -inf, and nothing flows back."""
    closed = all_(ways == -math.inf, dim=(dim,), keepdim=True)
    return where(closed, -math.inf, logsumexp(where(closed, 0.0, ways), dim, keepdim=True)).squeeze(dim)


def by_steps(log_probs: Value, path: Alignments) -> Value:
    """The log-likelihood of each example's labels, frame by frame; ``log_probs`` in float64."""
    heard = path.heard(log_probs.shape[0])[:, :, None]
    # a frame beyond the end has no part, not even as nan
    log_p = where(heard, take_along_dim(log_probs, path.states[None], 2), 0.0)
    # alpha[:, 2 + s]: the log-probability of all ways into state s. Two places before the first state stand for the
    # shifts; the last of them is where all ways begin (without frames they also end, in state 0).
    alpha: Value = np.full((len(path.last), path.states.shape[1] + 2), -math.inf)
    edge = alpha[:, :2].copy()
    alpha[np.arange(len(alpha)), 1 + (path.frames == 0)] = 0.0
    for step, going in zip(unbind(log_p), heard, strict=True):
        ways = stack([alpha[:, 2:], alpha[:, 1:-1], where(path.skips, alpha[:, :-2], -math.inf)])
        alpha = where(going, cat([edge, total(ways, 0) + step], 1), alpha)
    return total(gather(alpha, 1, path.last[:, None] + np.array([2, 1])), 1)


class _Steps:
    """The recursion, for what probabilities cannot hold."""

    def __init__(self, log_probs: Array, path: Alignments) -> None:
        self.log_probs, self.path = log_probs, path
        self.value = by_steps(log_probs.astype(np.float64), path)

    def gradient(self, g: Array) -> Any:
        leaf = Tensor(self.log_probs.astype(np.float64), requires_grad=True)
        token = set_state(State(True, Scope("ctc_likelihood", None), None))
        try:
            result = by_steps(leaf, self.path)
        finally:
            reset_state(token)
        return walk([result], [g.astype(np.float64)])[leaf] if result.needs_grad else np.zeros_like(self.log_probs)


class _Sums:
    """The log-likelihood of each example, and how to get its gradient: ``shares`` (T, N, C), the probability of each
    class given the labels, and for some examples the recursion."""

    def __init__(self, log_probs: Array, path: Alignments, slopes: bool) -> None:
        self.value = np.where((path.frames == 0) & (path.last == 0), 0.0, -math.inf)
        self.shares = np.zeros(log_probs.shape, log_probs.dtype) if slopes else None
        possible = np.flatnonzero((path.needed <= path.frames) & (path.frames > 0))
        possible = possible[np.argsort(path.frames[possible], kind="stable")]  # those of similar lengths together
        each = len(log_probs) * (3 * path.states.shape[1] + 2)
        rows = max(_BLOCK // max(each, 1), 1)
        room = np.empty(each * min(rows, len(possible)))  # at once: the next call finds it again, without page faults
        for some in (possible[i : i + rows] for i in range(0, len(possible), rows)):
            self.value[some] = _block(log_probs, path, some, room, self.shares)
        self.left = np.flatnonzero(np.isnan(self.value))
        self.steps = _Steps(log_probs[:, self.left], path.of(self.left)) if len(self.left) else None
        if self.steps is not None:
            self.value[self.left] = self.steps.value

    def gradient(self, g: Array) -> Any:
        found = self.shares * g[:, None]
        if self.steps is not None:
            found[:, self.left] = self.steps.gradient(g[self.left])
        return found


def _block(log_probs: Array, path: Alignments, some: Array, room: Array, found: Array | None) -> Array:
    """The log-likelihoods of some examples, nan where the numbers do not hold it; their shares go into ``found``."""
    last, final = path.last[some], path.frames[some] - 1
    frames, states, rows = int(final.max()) + 1, int(last.max()) + 1, len(some)
    labels, skips = path.states[some, :states].T, path.skips[some, :states].T.astype(np.float64)
    size, own, past = states * rows, np.arange(rows), np.arange(frames)[:, None] > final
    p, into, padded = _cut(room, frames, size, size, size + 2 * rows)
    columns = some * log_probs.shape[2] + labels  # (L, N): where in a frame the label of a state is
    p[:] = log_probs[:frames].reshape(frames, -1).take(columns.ravel(), 1, mode="clip")
    lowest = np.minimum.reduce(p, axis=None)
    every = int(min(max(1.0, -_DEEP * math.log(2.0) / lowest), _SELDOM))  # 1 for nan
    np.exp(p, p)
    if final.min() < frames - 1:
        np.copyto(p.reshape(frames, states, rows), 0.0, where=past[:, None])
    # paths begin in the first two states and end in the last two (for an empty target, in the only one)
    ends = np.where(last > 0, last - 1, last) * rows + own, last * rows + own
    begin = {0: np.arange(min(states, 2) * rows)}
    end = _at_times(final, np.array(ends))
    through, powers = _sweep(p, skips, begin, every, padded, into)
    whole, power = np.frexp(through[final, ends[0]] * (last > 0) + through[final, ends[1]])
    power = power + powers[final, own]
    value = np.log(whole) + power * math.log(2.0)
    onward, rest = _sweep(p, np.concatenate([skips[2:], np.zeros_like(skips[:2])]), end, every, padded)
    # what a frame's own probability is multiplied by, from both sides, relative to the whole: so much is lost at most
    none = np.zeros((1, rows), np.int64)
    before = np.concatenate([none, powers[:-1]]) - power
    depth = before + np.concatenate([rest[1:], none])
    depth[past] = 0
    value = np.where(np.isfinite(value) & (np.maximum.reduce(depth, 0) < _DEEP), value, np.nan)
    if found is not None:
        into *= onward
        shares = into.reshape(frames, states, rows)
        shares *= np.ldexp(1.0 / whole, np.where(past, 0, before + rest))[:, None]
        _add_up(shares, labels, columns, found[:frames].reshape(frames, -1))
        found[:frames, some, path.blank] = np.add.reduce(shares[:, ::2], 1)
    return value


def _at_times(times: Array, places: Array) -> dict[int, Array]:
    """The columns of ``places`` by their time."""
    order = np.argsort(times, kind="stable")
    ordered, columns = times[order], places[:, order]
    cuts = [0, *(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(ordered)]
    return {int(ordered[a]): columns[:, a:b].ravel() for a, b in pairwise(cuts)}


def _add_up(shares: Array, labels: Array, columns: Array, found: Array) -> None:
    """Write the shares of the labels (T, L, N) to their columns of ``found`` (T, all classes of all examples)."""
    frames, count, rows = shares[:, 1::2].shape
    if not count:
        return
    listed, own = labels[1::2], np.arange(count)[:, None]
    first = (listed[:, None] == listed).argmax(0)  # a label that comes again is counted where it came first
    added, alone = shares[:, 1::2].reshape(frames, -1), (first == own).ravel()
    if not alone.all():
        at = np.arange(0, added.size, count * rows)[:, None] + (first * rows + np.arange(rows)).ravel()
        added = np.bincount(at.ravel(), added.ravel(), added.size).reshape(added.shape)
    found[:, columns[1::2].ravel()[alone]] = added[:, alone]


def _cut(room: Array, frames: int, *sizes: int) -> list[Array]:
    """Arrays (T, size) side by side in ``room``."""
    starts = np.cumsum([0, *sizes]) * frames
    return [room[a : a + frames * n].reshape(frames, n) for a, n in zip(starts, sizes, strict=False)]


def _sweep(
    p: Array, skips: Array, starts: dict[int, Array], every: int, padded: Array, without: Array | None = None
) -> tuple[Array, Array]:
    """The sums over all paths from one end (T, L * N), in ``padded``, and the power of 2 that they have to be
    multiplied by (T, N). ``starts``: in which states paths begin, by frame; ``without``: where to keep the sums
    without the frame's own probability, when going forward; backward otherwise."""
    states, rows = skips.shape
    size, pad, back = states * rows, 2 * rows, without is None
    own, near, far = slice(pad, None), slice(rows, rows + size), slice(0, size)
    if back:  # the states before, in this direction, stand behind
        own, far = far, own
        padded[:, size:] = 0.0
    else:
        padded[:, :pad] = 0.0
    skip, jump, u = skips.ravel(), np.empty(size), np.empty(size)
    powers = np.zeros((len(p), rows), np.int64)
    before: Any = None
    for t in range(len(p) - 1, -1, -1) if back else range(len(p)):
        x = padded[t, own]
        u = u if without is None else without[t]
        if before is None:
            u[:] = 0.0
        else:
            np.multiply(before[far], skip, jump)
            np.add(before[own], before[near], u)
            np.add(u, jump, u)
        if t in starts:
            u[starts[t]] = 1.0
        np.multiply(u, p[t], x)
        if t % every == 0:
            grid = x.reshape(states, rows)
            powers[t] = np.frexp(np.add.reduce(grid, 0))[1]
            grid *= np.ldexp(1.0, -powers[t])  # exact: an example's digits do not depend on the others
        before = padded[t]
    powers = np.add.accumulate(powers[::-1], 0)[::-1] if back else np.add.accumulate(powers, 0)
    return padded[:, own], powers


def _likelihood(log_probs: Array, *, path: Alignments, slopes: bool) -> tuple[Array, Any]:
    found = _Sums(log_probs, path, slopes)
    return found.value.astype(log_probs.dtype), found


def _likelihood_rule(g: Value, y: Value, log_probs: Value, *, path: Alignments, slopes: bool, kept: Any) -> Value:
    if kept is not None:
        return kept.gradient(g)
    start = log_probs.double()
    value = by_steps(start, path)
    return walk([value], [g.double()], taped=True, only=path_to([value], [start]), capture={start})[start]


ctc_likelihood = primitive(
    _likelihood,
    _likelihood_rule,
    name="ctc_likelihood",
    keeps=True,
    doc="The log-likelihood (N) of the labels that ``path`` holds, from log-probabilities (T, N, C).",
)
