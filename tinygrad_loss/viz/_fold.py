"""Large graphs, folded until they can be read: boxes closed, repeated layers shown once, long runs cut into pieces.

Only runs of neighbours in the order of execution are folded, so what is drawn never has a cycle.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

from ..dtypes import Array
from ._model import Graph
from ._view import LEAVES, Edge, Item, View, title

_LONGEST = 256  # the longest block whose repetitions are looked for
_SHOWN = 12  # a block of up to so many items is shown once before the rest of its repetitions
_FAR = 64  # arguments from further back than this do not tell one repetition from another


def fold(graph: Graph, opened: set[int], limit: int) -> View:
    """A view of about ``limit`` items at most."""
    view = View(graph, opened)
    kinds = [(len(graph.inside(box.id)), box.type) for box in graph.boxes]  # closed together
    while len(view.items) > limit:
        _fold_repeats(view)
        _fold_leaves(view)
        if len(view.items) <= limit:
            break
        inside = Counter(kinds[item.home] for item in view.items if item.home is not None)
        if 2 * inside.total() <= limit:
            _cut(view, limit)
            break
        most = max(inside, key=lambda kind: (inside[kind], kind))
        view = View(graph, {b for b in view.opened if kinds[b] != most})
    return view


def _runs(view: View) -> list[list[Item]]:
    """The operations and closed boxes that follow each other, with no open box in between."""
    runs: dict[int | None, list[Item]] = {}
    for item in view.items:
        if item.kind not in (*LEAVES, "result", "broken"):
            runs.setdefault(item.home, []).append(item)
    starts: dict[int | None, list[int]] = {}
    for b in view.opened:
        box = view.graph.boxes[b]
        starts.setdefault(box.parent, []).append(min(view.graph.nodes_within(b), default=0))
    split: list[list[Item]] = []
    for home, run in runs.items():
        run.sort(key=lambda item: item.order)
        orders = [item.order for item in run]
        cuts = [0, *np.searchsorted(orders, sorted(starts.get(home, []))).tolist(), len(run)]
        split += [run[a:b] for a, b in pairwise(cuts) if a < b]
    return split


def _signatures(run: list[Item], incoming: dict[int, list[Edge]]) -> Array:
    """One number for each item of a run: the same for items that are alike, and take their arguments alike."""
    place = {id(item): i for i, item in enumerate(run)}
    numbers: dict[tuple[object, ...], int] = {}
    found = np.empty(len(run), np.int64)
    for i, item in enumerate(run):
        links: list[object] = []
        for edge in incoming.get(id(item), ()):
            back = i - place.get(id(edge.source), i)
            node = edge.source.node if edge.source.kind in LEAVES else None
            links.append((back if 0 < back <= _FAR else 0, None if node is None else node.shape))
        name = title(item) if item.box is None else item.box.type
        shape = None if item.node is None else item.node.shape
        found[i] = numbers.setdefault((item.kind, name, shape, tuple(links)), len(numbers))
    return found


def _repeats(codes: Array) -> list[tuple[int, int, int]]:
    """(start, length of the block, repetitions) of what repeats at least three times, longest first."""
    found: list[tuple[int, int, int]] = []
    for period in range(1, min(_LONGEST, len(codes) // 3) + 1):
        same = np.concatenate(([False], codes[:-period] == codes[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            repetitions = (stop - start + period) // period
            if repetitions >= 3:
                found.append((start, period, repetitions))
    found.sort(key=lambda r: (-(r[2] - 1) * r[1], r[1]))
    taken = np.zeros(len(codes), bool)
    chosen = []
    for start, period, repetitions in found:
        stop = start + period * repetitions
        if not taken[start:stop].any():
            taken[start:stop] = True
            chosen.append((start, period, repetitions))
    return chosen


def _fold_repeats(view: View) -> None:
    incoming: dict[int, list[Edge]] = {}
    for edge in view.edges:
        incoming.setdefault(id(edge.target), []).append(edge)
    into: dict[int, Item] = {}
    for run in _runs(view):
        for start, period, repetitions in _repeats(_signatures(run, incoming)):
            shown = period <= _SHOWN
            first = start + period * shown
            _group(run[first : start + period * repetitions], period, repetitions - shown, into)
    _apply(view, into)


def _fold_leaves(view: View) -> None:
    """Many leaves that go to the same places become one item."""
    users: dict[int, list[int]] = {}
    for edge in view.edges:
        users.setdefault(id(edge.source), []).append(id(edge.target))
    together: dict[tuple[object, ...], list[Item]] = {}
    for item in view.items:
        if item.kind in LEAVES:
            where = tuple(sorted(set(users.get(id(item), ()))))
            together.setdefault((item.kind, item.home, where), []).append(item)
    into: dict[int, Item] = {}
    for leaves in together.values():
        if len(leaves) > _SHOWN:
            _group(leaves, 1, 1, into)
    view.replace(into)


def _cut(view: View, limit: int) -> None:
    """The last resort: pieces of equal length."""
    runs = _runs(view)
    size = -(-sum(len(run) for run in runs) // max(1, limit // 2))
    into: dict[int, Item] = {}
    for run in runs:
        for start in range(0, len(run), size):
            _group(run[start : start + size], size, 1, into)
    _apply(view, into)


def _group(items: list[Item], period: int, count: int, into: dict[int, Item]) -> None:
    if len(items) < 2:
        return
    folded = Item("folded", None, None, items[0].home, items[0].order)
    folded.members, folded.block, folded.count = list(items), items[:period], count
    into.update((id(item), folded) for item in items)


def _apply(view: View, into: dict[int, Item]) -> None:
    """Fold, and with the operations the leaves that only they use."""
    users: dict[int, set[int]] = {}
    for edge in view.edges:
        users.setdefault(id(edge.source), set()).add(id(into.get(id(edge.target), edge.target)))
    folded = {id(item): item for item in into.values()}
    for item in view.items:
        user = users.get(id(item), set())
        if item.kind in LEAVES and len(user) == 1 and not user.isdisjoint(folded):
            into[id(item)] = target = folded[user.pop()]
            target.members.append(item)
    view.replace(into)
