"""The picture: which renderer draws it, what stands in the files, and our own layout."""

from __future__ import annotations

import random
import re
import stat
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_loss as tl
from tinygrad_loss import nn, tensor, viz
from tinygrad_loss.viz import _picture
from tinygrad_loss.viz._layout import Layout
from tinygrad_loss.viz._look import CHARACTER, FONT_SIZE

F = nn.functional
SVG = "{http://www.w3.org/2000/svg}"
Renderer = Callable[[str, str], "bytes | None"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Graphviz."""
    monkeypatch.setattr(_picture, "RENDERERS", {})


def use(monkeypatch: pytest.MonkeyPatch, **renderers: Renderer) -> None:
    monkeypatch.setattr(_picture, "RENDERERS", renderers)


def small(**options: Any) -> _picture.Picture:
    w = tensor([1.0, -2.0], requires_grad=True)
    return viz.draw(F.mse_loss(w * 3 - w.exp(), tl.zeros(2)), params={"w": w}, **options)


def everything() -> list[_picture.Picture]:
    x = tensor([[1.0, 0.0, -1.0, 2.0]], requires_grad=True)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, weight=tensor([1.0, 2.0, 3.0]))(net(x.log()), tensor([2]))
    h = tl.ones(2, requires_grad=True)
    for _ in range(60):
        h = h.sin() + h.cos()
    odd = {"<b>&\\G\x00\n\"'": x, "ü→" * 30: net[0].weight}
    return [
        small(), small(expand=True, values=True, grads=True), viz.draw(loss), viz.draw(h), viz.draw(h, limit=20),
        viz.draw(loss, expand=True, values=True, grads="compute", params=odd, direction="LR"),
        viz.draw([x.log(), x - h[0], tl.where(x > 0, x, h[1]), tl.cat([x] * 30)]),
    ]  # fmt: skip


# our own drawing


def test_without_graphviz_there_is_a_picture(bare: None) -> None:
    for picture in everything():
        root = ElementTree.fromstring(picture.svg)
        assert root.get("role") == "img" and "below" in (root.get("aria-label") or "")
        assert len(list(root.iter(f"{SVG}g"))) == int(picture.caption.split()[0])
        assert not re.search(r"\b(nan|inf)\b", re.sub(r">[^<]*<", "><", picture.svg)), "a coordinate"


def test_no_label_is_cut_and_no_node_overlaps_another(bare: None) -> None:
    for picture in everything():
        root = ElementTree.fromstring(picture.svg)
        x0, y0, width, height = map(float, (root.get("viewBox") or "").split())
        boxes: list[tuple[float, float, float, float]] = []
        for text in root.findall(f"{SVG}text"):  # the labels of edges
            x, y, size = (float(text.get(k, "")) for k in ("x", "y", "font-size"))
            boxes.append((x, y - 0.7 * size, x + len(text.text or "") * CHARACTER * size, y))
            assert x0 <= boxes[-1][0] and boxes[-1][2] <= x0 + width
        for group in root.iter(f"{SVG}g"):
            left, top, right, bottom = corners(group)
            boxes.append((left, top, right, bottom))
            assert x0 <= left and y0 <= top and right <= x0 + width + 1 and bottom <= y0 + height + 1
            for text in group.iter(f"{SVG}text"):
                half = len(text.text or "") * CHARACTER * FONT_SIZE / 2
                x, y = float(text.get("x", "")), float(text.get("y", ""))
                assert left <= x - half and x + half <= right and top < y - 0.7 * FONT_SIZE and y < bottom
        for i, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[i + 1 :]:
                assert other[0] >= right or other[2] <= left or other[1] >= bottom or other[3] <= top


def corners(group: ElementTree.Element) -> tuple[float, float, float, float]:
    rect, polygon = group.find(f"{SVG}rect"), group.find(f"{SVG}polygon")
    if polygon is not None:
        points = [tuple(map(float, p.split(","))) for p in polygon.get("points", "").split()]
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        return min(xs), min(ys), max(xs), max(ys)
    assert rect is not None
    x, y, w, h = (float(rect.get(k, "")) for k in ("x", "y", "width", "height"))
    return x, y, x + w, y + h


def test_open_boxes_are_named_and_untracked_edges_dashed(bare: None) -> None:
    svg = small(expand=True).svg
    assert svg.count("in mse_loss") == 3 and "stroke-dasharray" in svg and "in mse_loss" not in small().svg


@pytest.mark.parametrize("seed", range(8))
def test_layout_of_any_graph(seed: int) -> None:
    """Nothing overlaps, arguments stand above, and edges pass between nodes and not through them."""
    rng = random.Random(seed)
    n = rng.randrange(2, 60)
    sizes = [(rng.uniform(20, 200), rng.uniform(20, 80)) for _ in range(n)]
    edges = [(rng.randrange(t), t) for t in range(1, n) for _ in range(rng.randrange(3))]
    layout = Layout(sizes, edges, 10.0, 30.0)
    box = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, (w, h) in zip(layout.x, layout.y, sizes, strict=False)]
    for i in range(n):
        assert box[i][0] > -0.01 and box[i][2] < layout.width + 0.01
        for j in range(i):
            apart = box[i][0] >= box[j][2] + 9.9 or box[i][2] <= box[j][0] - 9.9
            assert apart or box[i][1] >= box[j][3] + 29 or box[i][3] <= box[j][1] - 29
    for (s, t), path in zip(edges, layout.paths, strict=True):
        assert box[s][3] <= box[t][1]
        for x, top, bottom in path:
            for left, above, right, below in box:
                assert not (left < x < right and above < bottom and top < below)


def test_layout_of_nothing_and_of_one() -> None:
    assert Layout([], [], 1.0, 1.0).width == 0.0
    assert Layout([(10.0, 4.0)], [], 1.0, 1.0).x == [5.0]


# which renderer


def test_the_first_renderer_that_is_there_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def renderer(name: str, answer: bytes | None) -> Renderer:
        def run(dot: str, format: str) -> bytes | None:
            calls.append(f"{name} {format} {dot[:16]}")
            return answer

        return run

    drawn = b'<?xml version="1.0"?>\n<svg width="1"><text font-family="Courier,monospace">x</text></svg>'
    use(monkeypatch, dot=renderer("dot", None), other=renderer("other", drawn), third=renderer("third", b"no"))
    picture = small()
    assert picture.svg.startswith('<svg role="img"') and "Menlo" in picture.svg and picture.svg == picture.svg
    assert calls == ["dot svg digraph mse_loss", "other svg digraph mse_loss"]


def test_a_renderer_that_fails_is_passed_over_for_svg_and_reported_for_png(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(dot: str, format: str) -> bytes | None:
        raise _picture.RendererError("draw: dot failed: out of ink")

    use(monkeypatch, dot=fails)
    assert "<svg" in small().svg
    with pytest.raises(RuntimeError, match="out of ink"):
        small().save(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def command(folder: Path, body: str) -> str:
    path = folder / "dot"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="the command of this test is a script with #!")
def test_the_dot_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[str | None] = [command(tmp_path, "print('<svg ', len(sys.stdin.read()) > 9, sys.argv[1:], '>')")]
    monkeypatch.setattr(_picture.shutil, "which", lambda name: found[0])
    assert _picture._run_dot("digraph { a }", "svg") == b"<svg  True ['-Tsvg'] >\n"
    found[0] = command(tmp_path, "sys.exit('syntax error in line 1')")
    with pytest.raises(_picture.RendererError, match="dot failed: syntax error in line 1"):
        _picture._run_dot("digraph {", "svg")
    found[0] = str(tmp_path / "gone")
    with pytest.raises(_picture.RendererError, match="does not run"):
        _picture._run_dot("digraph {", "svg")
    found[0] = None
    assert _picture._run_dot("digraph {}", "svg") is None


def test_pygraphviz_when_it_is_missing_works_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert _picture._run_pygraphviz("digraph {}", "svg") is None

    class AGraph:
        def __init__(self, string: str) -> None:
            self.string = string

        def draw(self, format: str, prog: str) -> bytes:
            if "bad" in self.string:
                raise ValueError("no graph")
            return f"{prog} {format} {self.string}".encode()

    monkeypatch.setitem(sys.modules, "pygraphviz", type("pygraphviz", (), {"AGraph": AGraph}))
    assert _picture._run_pygraphviz("digraph {}", "png") == b"dot png digraph {}"
    with pytest.raises(_picture.RendererError, match="pygraphviz failed: no graph"):
        _picture._run_pygraphviz("bad", "png")


def test_every_renderer_on_this_machine_draws_every_title() -> None:
    """Graphviz where it is installed, as a command or a package; our own drawing everywhere."""
    for picture in everything():
        drawn = [run(picture.dot, "svg") for run in _picture.RENDERERS.values()]
        for svg in [picture._plain(), *(d.decode() for d in drawn if d is not None)]:
            words = [t.text or "" for t in ElementTree.fromstring(svg[svg.index("<svg") :]).iter(f"{SVG}text")]
            titles = re.findall(r"label=<<B>(.*?)</B>", picture.dot)
            assert len(titles) == int(picture.caption.split()[0])
            shown = {re.sub(r"\s", "", w) for w in words}
            for text in titles:
                text = text.replace("&#92;&#92;", "\\").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                assert re.sub(r"\s", "", text) in shown


# files and notebooks


def test_save(tmp_path: Path, bare: None) -> None:
    picture = small()
    picture.save(tmp_path / "a.svg")
    picture.save(str(tmp_path / "a.DOT"))
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == picture.svg
    assert (tmp_path / "a.DOT").read_text(encoding="utf-8") == picture.dot
    for name in ("a.png", "a.pdf"):
        with pytest.raises(RuntimeError, match=rf"save: {name}: .* needs Graphviz: .*apt-get install graphviz.*pip install 'tinygrad_loss\[viz\]'"):
            picture.save(tmp_path / name)
    with pytest.raises(ValueError, match=r"save: a\.gif: the name must end in \.svg, \.png, \.pdf or \.dot"):
        picture.save(tmp_path / "a.gif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.DOT", "a.svg"]


def test_png_and_pdf_come_from_a_renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, dot=lambda dot, format: f"{format} of {dot[:7]}".encode())
    for format in ("png", "pdf"):
        small().save(tmp_path / f"a.{format}")
        assert (tmp_path / f"a.{format}").read_bytes() == f"{format} of digraph".encode()


def test_a_notebook_gets_an_svg(bare: None) -> None:
    bundle = small()._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/svg+xml"].startswith("<svg") and bundle["text/plain"] == repr(small())


def test_a_picture_is_of_the_moment(bare: None) -> None:
    w = tensor([1.0], requires_grad=True)
    picture = viz.draw(w * 2, values=True)
    with tl.no_grad():
        w.copy_(tensor([7.0]))
    assert "value [1]" in picture.dot and "value [1]" in picture.svg


def test_a_missing_graphviz_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(RuntimeError, match="pip install graphviz"):
        small()


def test_drawing_changes_nothing(bare: None) -> None:
    """No gradient, no mode, no random number."""
    w = tensor([1.0, 2.0], requires_grad=True)
    loss = F.mse_loss(w * 3, tl.zeros(2))
    state = tl.get_rng_state()
    assert viz.draw(loss, expand=True, values=True, grads="compute").svg
    assert w.grad is None and bool((state == tl.get_rng_state()).all())
    loss.backward()
    assert w.grad is not None and w.grad.tolist() == [9.0, 18.0]
