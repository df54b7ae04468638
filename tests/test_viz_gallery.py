"""The gallery: every registered loss is on the page, with its own formula and a curve that is its own."""

import html
import inspect
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import Tensor, nn, viz
from tinygrad_loss.losses import LOSSES, PerElement, Real, loss
from tinygrad_loss.viz.gallery import Gallery
from tinygrad_loss.viz.gallery_cards import _thinned, formula_of, graph_of, sentence_of

F = nn.functional
SHIPPED = [n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss.")]
WITHOUT_CURVE = {
    "nt_xent_loss", "simclr_loss", "info_nce_loss", "clip_loss", "supcon_loss", "circle_loss", "multi_similarity_loss",
    "ctc_loss", "crf1d_loss", "linear_cross_entropy",
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> Gallery:
    return viz.gallery(*SHIPPED)


def card(page: Gallery, name: str) -> str:
    return page.html.split(f'<article id="{name}">', 1)[1].split("</article>", 1)[0]


def pictures(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r'<svg viewBox="0 0 \d+ \d+" role="img".*?</svg>.*?</svg>', text)]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_loss_is_there(page: Gallery, name: str) -> None:
    text = card(page, name)
    made = LOSSES[name]
    assert f"<small>{made.Module.__name__}</small>" in text
    assert html.escape(formula_of(made)) in text and formula_of(made).strip()
    assert len(sentence_of(made)) > 10 and sentence_of(made) in text
    for argument in (*made.declaration.arrays, *made.declaration.options):
        assert re.search(rf"<dt>{argument}( = [^<]+)?</dt><dd>[^<]+</dd>", text)
    assert ("<figure" in text) == (name not in WITHOUT_CURVE) == ('class="graph"' not in text)
    assert "No picture" not in text


def test_all_registered_losses_by_default() -> None:
    made = viz.gallery()
    assert made.names == list(LOSSES) and len(made.names) >= 57
    assert repr(made) == f'<gallery of {len(LOSSES)} losses: .save("gallery.html") writes the page>'
    assert re.findall(r'<article id="(\w+)">', made.html) and set(re.findall(r'<article id="(\w+)">', made.html)) == set(LOSSES)


@pytest.mark.parametrize(("name", "value", "slope"), [
    ("mse_loss", lambda x: x**2, lambda x: 2 * x), ("huber_loss", lambda x: np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5), lambda x: np.clip(x, -1, 1)),
    ("soft_margin_loss", lambda x: np.log1p(np.exp(-x)), lambda x: -1 / (1 + np.exp(x))),
])  # fmt: skip
def test_the_curve_is_the_losses_own(page: Gallery, name: str, value: Any, slope: Any) -> None:
    (picture,) = pictures(card(page, name))
    inner = next(e for e in picture.iter() if e.tag == "svg" and e.get("x"))
    width, height = (float(inner.get(n, "")) for n in ("width", "height"))
    x = np.linspace(-3, 3, 2001)
    whole = np.concatenate([value(x), slope(x), [0.0]])
    room = 0.06 * np.ptp(whole)
    low, high = whole.min() - room, whole.max() + room
    for kind, function in (("l", value), ("g", slope)):
        data = next(e.get("d", "") for e in inner if e.get("class") == kind)
        points = np.array([[float(v) for v in p.split()] for p in data[1:].split("L")])
        drawn = np.interp((x + 3) / 6 * width, points[:, 0], points[:, 1])
        np.testing.assert_allclose(drawn, (high - function(x)) / (high - low) * height, atol=0.8)
        assert len(points) < 60


def test_thinned_lines_stay_where_they_were() -> None:
    x = np.linspace(0, 300, 301)
    y = 80 + 60 * np.sin(x / 20) + np.where(x > 150, 30, 0)
    kept = _thinned(x, y, 0.2)
    assert len(kept) < 120 and np.abs(np.interp(x, x[kept], y[kept]) - y).max() < 0.7
    assert _thinned(x[:1], y[:1]) == [0]


def test_the_page_stands_alone(page: Gallery) -> None:
    assert not re.search(r"https?:|<script|<link|src=|url\(|@import|javascript:", page.html)
    assert "default-src 'none'" in page.html and "prefers-color-scheme: dark" in page.html
    assert len(page.html) < 200_000
    ids = re.findall(r' id="([^"]+)"', page.html)
    assert len(ids) == len(set(ids)) and set(re.findall(r'href="#([^"]+)"', page.html)) <= set(ids)
    for picture in pictures(page.html):
        assert picture.get("aria-label") and "nan" not in ElementTree.tostring(picture, "unicode")
    assert len(pictures(page.html)) == len(SHIPPED) - len(WITHOUT_CURVE)


def test_it_needs_no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "<figure" in viz.gallery("mse_loss", "hinge_loss").html


def test_save_and_show(tmp_path: Path) -> None:
    made = viz.gallery("mse_loss")
    made.save(tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text(encoding="utf-8") == made.html
    assert repr(made) == '<gallery of 1 loss: .save("gallery.html") writes the page>'
    with pytest.raises(ValueError, match=r"save\('g.png'\): a gallery is a web page"):
        made.save("g.png")
    shown = made._repr_html_()
    assert shown.startswith("<iframe") and html.unescape(re.search(r"srcdoc='([^']*)'", shown)[1]) == made.html  # type: ignore[index]


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="no loss is called 'mse'; did you mean 'mse_loss'"):
        viz.gallery("mse")
    with pytest.raises(ValueError, match="no loss is called '!!'; expected some of"):
        viz.gallery("!!")


def test_losses_of_your_own_and_those_that_fail() -> None:
    try:

        @loss
        def quartic_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
            """The fourth power of <what> is missing. A second sentence."""
            return (input - target) ** 4

        @loss
        def failing_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."]) -> PerElement:
            """Fails."""
            raise ArithmeticError("a & b")

        text = viz.gallery("quartic_loss", "failing_loss").html
        assert '<h2 id="family-your-own">Your own</h2>' in text
        assert "<p>The fourth power of &lt;what&gt; is missing.</p>" in text and "return (input - target) ** 4" in text
        assert "No picture: ArithmeticError: a &amp; b" in text
    finally:
        for name in ("quartic_loss", "failing_loss"):
            LOSSES.pop(name, None)


def test_graphs_are_of_the_formula() -> None:
    text = html.unescape(graph_of(LOSSES["info_nce_loss"]))
    assert "log_softmax" in text and "query" in text and "leaf" in text
    assert "return square(input - target)" in inspect.cleandoc(formula_of(LOSSES["mse_loss"]))


def test_nothing_outside_changes() -> None:
    tl.manual_seed(5)
    state = tl.get_rng_state().array.copy()
    with tl.no_grad():
        viz.gallery("clip_loss", "mse_loss", "ctc_loss")
    assert (tl.get_rng_state().array == state).all()
