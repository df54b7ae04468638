"""A layered layout, for machines that have no Graphviz: ranks, few crossings, no overlaps.

After Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical system structures".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

_SWEEPS = 12


class Layout:
    """``x``, ``y``: centres of the nodes. ``paths``: for each edge, the centres that it passes between its ends,
    with the top and bottom of their rank: (x, top, bottom)."""

    def __init__(
        self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], gap: float, space: float
    ) -> None:
        self._widths = [w for w, _ in sizes]
        self._heights = [h for _, h in sizes]
        self._gap = gap
        self._rank = _ranks(len(sizes), edges)
        self._chains: list[list[int]] = []
        for s, t in edges:
            chain = [s]
            for r in range(self._rank[s] + 1, self._rank[t]):
                chain.append(len(self._widths))
                self._widths.append(2.0)
                self._heights.append(0.0)
                self._rank.append(r)
            self._chains.append([*chain, t])
        n = len(self._widths)
        self._up: list[list[int]] = [[] for _ in range(n)]
        self._down: list[list[int]] = [[] for _ in range(n)]
        for chain in self._chains:
            for a, b in pairwise(chain):
                self._down[a].append(b)
                self._up[b].append(a)
        self._rows: list[list[int]] = [[] for _ in range(max(self._rank, default=-1) + 1)]
        for i in range(n):
            self._rows[self._rank[i]].append(i)
        self._order()
        self.x = self._columns()
        tops, top = [], 0.0
        for row in self._rows:
            tops.append((top, max((self._heights[i] for i in row), default=0.0)))
            top += tops[-1][1] + space
        self.height = max(0.0, top - space)
        left = min((x - w / 2 for x, w in zip(self.x, self._widths, strict=True)), default=0.0)
        self.x = [x - left for x in self.x]
        self.width = max((x + w / 2 for x, w in zip(self.x, self._widths, strict=True)), default=0.0)
        self.y = [tops[r][0] + tops[r][1] / 2 for r in self._rank]
        self.paths = [
            [(self.x[i], tops[self._rank[i]][0], sum(tops[self._rank[i]])) for i in chain[1:-1]]
            for chain in self._chains
        ]

    def _order(self) -> None:
        """Place each node at the mean place of its neighbours, downwards and upwards in turn."""
        place = [0.0] * len(self._widths)
        for row in self._rows:
            for i, node in enumerate(row):
                place[node] = float(i)
        for sweep in range(_SWEEPS):
            rows, near = (self._rows, self._up) if sweep % 2 == 0 else (self._rows[::-1], self._down)
            for row in rows:
                mean = {i: sum(place[j] for j in near[i]) / len(near[i]) if near[i] else place[i] for i in row}
                row.sort(key=mean.__getitem__)
                for p, i in enumerate(row):
                    place[i] = float(p)

    def _columns(self) -> list[float]:
        """Each node as near to its neighbours' mean as the order and the widths of its rank allow."""
        x = [0.0] * len(self._widths)
        for row in self._rows:
            at = 0.0
            for i in row:
                x[i] = at + self._widths[i] / 2
                at += self._widths[i] + self._gap
        for sweep in range(2 * _SWEEPS):
            rows, near = (self._rows, self._up) if sweep % 2 == 0 else (self._rows[::-1], self._down)
            for row in rows:
                wish = [sum(x[j] for j in near[i]) / len(near[i]) if near[i] else x[i] for i in row]
                self._apart(row, wish, x)
        return x

    def _apart(self, row: list[int], wish: list[float], x: list[float]) -> None:
        """The nearest places to ``wish`` in which nothing overlaps: neighbours in conflict share their mean."""
        offsets, at = [], 0.0
        for p, i in enumerate(row):
            if p:
                at += (self._widths[row[p - 1]] + self._widths[i]) / 2 + self._gap
            offsets.append(at)
        blocks: list[tuple[float, int]] = []  # sum of the wished places of the first, how many
        for p in range(len(row)):
            total, count = wish[p] - offsets[p], 1
            while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
                before, more = blocks.pop()
                total, count = total + before, count + more
            blocks.append((total, count))
        p = 0
        for total, count in blocks:
            for _ in range(count):
                x[row[p]] = total / count + offsets[p]
                p += 1


def _ranks(n: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Below all arguments; what has none, just above its first user."""
    users: list[list[int]] = [[] for _ in range(n)]
    missing = [0] * n
    for s, t in edges:
        users[s].append(t)
        missing[t] += 1
    sources = [i for i in range(n) if not missing[i]]
    rank = [0] * n
    ready = deque(sources)
    while ready:
        i = ready.popleft()
        for t in users[i]:
            rank[t] = max(rank[t], rank[i] + 1)
            missing[t] -= 1
            if not missing[t]:
                ready.append(t)
    for i in sources:
        if users[i]:
            rank[i] = min(rank[t] for t in users[i]) - 1
    return rank
