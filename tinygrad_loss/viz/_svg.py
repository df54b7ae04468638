"""A picture without Graphviz: our own layout as SVG. Boxes that are open show as a coloured edge and a name."""

from __future__ import annotations

import html

from ._layout import Layout
from ._look import CHARACTER, FAMILY, FAULT, FONT_SIZE, GREY, INK, LABEL_SIZE, WIDTH, Arrow, Drawn, Line, Look, Scene

_LINE = 1.25 * FONT_SIZE
_MARGIN = 8.0
_SPACE = 44.0  # between ranks
_ROOM = 16.0  # between the arrows into a node, besides their labels
_STRIPES = ("#1b6ca8", "#c4661f", "#2f7d4f", "#8a4fa3", "#8a6d1d", "#5a6b7b")


def to_svg(scene: Scene) -> str:
    """The whole picture, from top to bottom."""
    texts = [_with_home(scene, item) for item in scene.items]
    incoming: list[list[Arrow]] = [[] for _ in scene.items]
    for arrow in scene.arrows:
        incoming[arrow.target].append(arrow)
    steps = [_step(arrows) for arrows in incoming]
    sizes = []
    for lines, item, arrows, step in zip(texts, scene.items, incoming, steps, strict=True):
        w, h = _size(lines, item.look)
        sizes.append((max(w, len(arrows) * step), h))
    layout = Layout(sizes, [(a.source, a.target) for a in scene.arrows], 24.0, _SPACE)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN:g} {-_MARGIN:g} {width:.0f} {height:.0f}" font-family="{FAMILY}">'
    ]
    out += _arrows(scene.arrows, layout, sizes, steps)
    stripes = {b: _STRIPES[i % len(_STRIPES)] for i, b in enumerate(scene.frames)}
    for i, item in enumerate(scene.items):
        stripe = "" if item.home is None else stripes[item.home]
        out.append(_node(item, texts[i], layout.x[i], layout.y[i], sizes[i], stripe))
    return "\n".join([*out, "</svg>"])


def _with_home(scene: Scene, item: Drawn) -> list[Line]:
    return item.lines if item.home is None else [*item.lines, Line(f"in {scene.frames[item.home].path}"[:WIDTH])]


def _size(lines: list[Line], look: Look) -> tuple[float, float]:
    width = max(len(line.text) for line in lines) * CHARACTER * FONT_SIZE + 22
    height = len(lines) * _LINE + 14
    wider = {"octagon": 16.0, "double": 8.0}.get(look.outline, 0.0)
    taller = {"tab": 8.0, "double": 8.0}.get(look.outline, 0.0)
    return width + wider, height + taller


def _step(arrows: list[Arrow]) -> float:
    """The room between the arrows into a node, so that their labels fit in between."""
    return max((len(a.label) for a in arrows), default=0) * CHARACTER * LABEL_SIZE + _ROOM


def _arrows(arrows: list[Arrow], layout: Layout, sizes: list[tuple[float, float]], steps: list[float]) -> list[str]:
    arriving: dict[int, list[int]] = {}
    leaving: dict[int, list[int]] = {}
    for e, arrow in enumerate(arrows):
        arriving.setdefault(arrow.target, []).append(e)
        leaving.setdefault(arrow.source, []).append(e)

    def ports(node: int, edges: list[int], come: bool) -> dict[int, float]:
        """Where edges meet a node: side by side, in the order of where they come from or go to."""
        beyond = {e: layout.x[arrows[e].source if come else arrows[e].target] for e in edges}
        beyond |= {e: layout.paths[e][-1 if come else 0][0] for e in edges if layout.paths[e]}
        step = steps[node] if come else min(34.0, 0.9 * sizes[node][0] / len(edges))
        first = layout.x[node] - step * (len(edges) - 1) / 2 - (steps[node] / 2 - _ROOM / 2) * come
        return {e: first + i * step for i, e in enumerate(sorted(edges, key=beyond.__getitem__))}

    into = {e: x for t, edges in arriving.items() for e, x in ports(t, edges, True).items()}
    out_of = {e: x for s, edges in leaving.items() for e, x in ports(s, edges, False).items()}
    out = []
    for e, arrow in enumerate(arrows):
        s, t = arrow.source, arrow.target
        x, y = out_of[e], layout.y[s] + sizes[s][1] / 2
        path = [f"M{x:.1f} {y:.1f}"]
        for via, top, bottom in layout.paths[e]:
            path.append(_curve(y, via, top, x) + f" L{via:.1f} {bottom:.1f}")
            x, y = via, bottom
        x2, y2 = into[e], layout.y[t] - sizes[t][1] / 2
        path.append(_curve(y, x2, y2 - 6, x))
        dashed = "" if arrow.tracked else ' stroke-dasharray="5 3"'
        out.append(f'<path d="{" ".join(path)}" fill="none" stroke="{GREY}"{dashed}/>')
        out.append(f'<path d="M{x2:.1f} {y2:.1f} l-3.5 -8 l7 0 z" fill="{GREY}"/>')
        if arrow.label:
            at = f'x="{x2 + 5:.1f}" y="{y2 - 7:.1f}" font-size="{LABEL_SIZE}" fill="{GREY}"'
            out.append(f"<text {at}>{html.escape(arrow.label)}</text>")
    return out


def _curve(y: float, x2: float, y2: float, x: float) -> str:
    middle = (y + y2) / 2
    return f"C{x:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"


def _node(item: Drawn, lines: list[Line], x: float, y: float, size: tuple[float, float], stripe: str) -> str:
    look, (w, h) = item.look, size
    dashed = ' stroke-dasharray="6 3"' if look.dashed else ""
    paint = f'fill="{look.fill}" stroke="{look.border}" stroke-width="{look.line}"{dashed}'
    out = [f"<g><title>{html.escape(item.title)}</title>", _outline(look.outline, x - w / 2, y - h / 2, w, h, paint)]
    if stripe:
        out.append(
            f'<rect x="{x - w / 2 + 2:.1f}" y="{y - h / 2 + 4:.1f}" width="5" height="{h - 8:.1f}" fill="{stripe}"/>'
        )
    top = y - len(lines) * _LINE / 2 + (4 if look.outline == "tab" else 0)
    for i, line in enumerate(lines):
        style = f' fill="{FAULT if line.fault else INK}"' + (' font-weight="bold"' if line.bold else "")
        out.append(
            f'<text x="{x:.1f}" y="{top + (i + 0.78) * _LINE:.1f}" text-anchor="middle" '
            f'font-size="{FONT_SIZE}"{style}>{html.escape(line.text)}</text>'
        )
    return "".join([*out, "</g>"])


def _outline(outline: str, x: float, y: float, w: float, h: float, paint: str) -> str:
    if outline == "octagon":
        c = min(12.0, h / 3)
        points = [(c, 0), (w - c, 0), (w, c), (w, h - c), (w - c, h), (c, h), (0, h - c), (0, c)]
    elif outline == "note":
        points = [(0, 0), (w - 9, 0), (w - 9, 9), (w, 9), (w - 9, 0), (w, 9), (w, h), (0, h)]
    elif outline == "tab":
        points = [(0, 0), (min(40.0, w / 2), 0), (min(40.0, w / 2), 7), (w, 7), (w, h), (0, h)]
    else:
        radius = 9 if outline == "round" else 0
        rect = f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius}" {paint}/>'
        if outline == "double":
            rect += f'<rect x="{x + 4:.1f}" y="{y + 4:.1f}" width="{w - 8:.1f}" height="{h - 8:.1f}" {paint}/>'
        return rect
    return f'<polygon points="{" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in points)}" {paint}/>'
