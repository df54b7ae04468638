"""The page of viz.trace in a real browser: every step by key, button and slider, and what it then says.

Needs Chromium with its driver (Debian: ``apt-get install chromium chromium-driver``) and ``pip install '.[browser]'``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.viz.trace import trace

webdriver = pytest.importorskip("selenium.webdriver", reason="drives the browser: pip install '.[browser]'")
BROWSER = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")) if p), None)
DRIVER = shutil.which("chromedriver")
if BROWSER is None or DRIVER is None:
    pytest.skip("no Chromium with a chromedriver: apt-get install chromium chromium-driver", allow_module_level=True)

F = nn.functional
KEYS = {"right": "\ue014", "left": "\ue012", "home": "\ue011", "end": "\ue010", "enter": "\ue007", "escape": "\ue00c", "tab": "\ue004"}
# What a step shows, with every array opened: title, words, numbers by name.
READ = """
const panel = document.getElementById("panel");
const rows = [];
for (const button of panel.querySelectorAll("button.array")) {
  if (button.getAttribute("aria-expanded") === "false") button.click();
  const row = button.closest("li"), whole = row.querySelector(".whole");
  rows.push([row.querySelector(".name").textContent, [...whole.querySelectorAll("td:not(.corner)")].map((td) => td.textContent), whole.textContent]);
}
return {title: panel.querySelector("h2").textContent, phase: document.body.dataset.phase, step: Number(document.body.dataset.step),
  count: document.getElementById("count").textContent, slider: Number(document.getElementById("slider").value),
  status: document.getElementById("status").textContent, rows, text: panel.innerText,
  now: [...document.querySelectorAll("#picture .now.node")].map((e) => e.id), edges: document.querySelectorAll("#picture .edge.now").length};
"""


# After each key and each click, note what is to be seen with the arrays closed.
WATCH = """const glance = () => [document.body.dataset.step, document.getElementById("panel").innerText, document.getElementById("status").textContent,
  document.getElementById("slider").value, [...document.querySelectorAll("#picture g, #picture .edge")].map((e) =>
  [e.textContent, ...["aria-label", "aria-current", "marker-start", "marker-end"].map((a) => e.getAttribute(a)), [...e.classList].sort().join(" ")])];
window.noted = [];
for (const type of ["keyup", "click"]) window.addEventListener(type, () => window.noted.push(glance()));
return glance();
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1300,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    def __init__(self, driver: Any, path: Path, made: Any) -> None:
        self.driver = driver
        made.save(path)
        driver.get(path.as_uri())
        self.data = made.data

    def script(self, code: str, *args: Any) -> Any:
        return self.driver.execute_script(code, *args)

    def read(self) -> dict[str, Any]:
        return self.script(READ)  # type: ignore[no-any-return]

    def watch(self) -> list[Any]:
        return self.script(WATCH)  # type: ignore[no-any-return]

    def noted(self) -> list[list[Any]]:
        """What was to be seen after each key and click since the last call."""
        return self.script("return window.noted.splice(0)")  # type: ignore[no-any-return]

    def keys(self, name: str, times: int, on: Any = None) -> list[list[Any]]:
        (on or self.driver.switch_to.active_element).send_keys(KEYS[name] * times)
        return self.noted()

    def clicks(self, id: str, times: int) -> list[list[Any]]:
        chain = webdriver.ActionChains(self.driver, duration=0).move_to_element(self.driver.find_element("id", id))
        for _ in range(times):
            chain.click().pause(0)
        chain.perform()
        return self.noted()

    def key(self, name: str) -> None:
        self.driver.switch_to.active_element.send_keys(KEYS[name])

    def click(self, id: str) -> None:
        self.driver.find_element("id", id).click()

    def slide(self, n: int) -> None:
        self.script("const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input', {bubbles: true}))", n)

    def errors(self) -> list[Any]:
        return [e for e in self.driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]


Open = Callable[[Any], Page]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    pages: list[Page] = []

    def open_(made: Any) -> Page:
        pages.append(Page(browser, tmp_path / f"trace{len(pages)}.html", made))
        return pages[-1]

    yield open_
    for page in pages:
        assert page.errors() == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def loop_step() -> Callable[[], Any]:
    """The documents' training step."""
    tl.manual_seed(0)
    model, criterion = nn.Linear(10, 3), nn.CrossEntropyLoss()
    x, y = tl.randn(32, 10), tl.randint(0, 3, (32,))
    return lambda: criterion(model(x), y)


def cross_entropy() -> Any:
    logits, target = tl.tensor([[2, 0.5, -1], [-0.5, 1.5, 0]], requires_grad=True), tl.tensor([0, 2])
    return F.cross_entropy(logits, target)


def diamond() -> Any:
    a = tl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    u = a * a
    return (u.exp() * (u + 1.0)).sum()


def nan_graph() -> Any:
    z = tl.tensor([4.0, 0.0, -1.0], requires_grad=True)
    return (z.sqrt() * tl.tensor([1.0, 0.0, 1.0])).sum()


def second_order() -> Any:
    a = tl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (g,) = autograd.grad((a**3).sum(), a, create_graph=True)
    return (g * g).sum()


def mlp() -> Any:
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
    return F.huber_loss(model(tl.randn(6, 4)).squeeze(1), tl.randn(6))


GRAPHS: dict[str, tuple[Callable[[], Any], Any]] = {
    "loop": (loop_step(), ()), "loop opened": (loop_step(), True), "cross_entropy opened": (cross_entropy, "cross_entropy"),
    "diamond": (diamond, ()), "nan": (nan_graph, ()), "create_graph": (second_order, ()), "mlp": (mlp, ()), "mlp opened": (mlp, True),
}  # fmt: skip


def numbers(cells: list[str]) -> Any:
    return np.array([{"True": 1.0, "False": 0.0}.get(c) if c in ("True", "False") else float(c) for c in cells])


def array(page: Page, index: int) -> Any:
    return np.array([float(v) for v in page.data["arrays"][index]["v"]])


def shown_nodes(page: Page) -> list[dict[str, Any]]:
    """The operations that are steps of their own, in the order of the tape: worked out here, not by the page."""
    data, opened = page.data, set(page.data["open"])

    def around(box: int | None) -> list[int]:
        return [] if box is None else [*around(data["boxes"][box].get("p")), box]

    return [
        n for n in data["nodes"]
        if "t" in n and all(b in opened or data["boxes"][b]["k"] == "module" for b in around(n.get("b"))) and n.get("opens") not in opened
    ]  # fmt: skip


def runs(page: Page) -> list[list[dict[str, Any]]]:
    """The same, operations of one closed module together."""
    data, opened = page.data, set(page.data["open"])
    found: list[tuple[Any, list[dict[str, Any]]]] = []
    for node in shown_nodes(page):
        box, closed = node.get("b"), None
        while box is not None:
            closed = box if box not in opened else closed
            box = data["boxes"][box].get("p")
        if closed is not None and found and found[-1][0] == closed:
            found[-1][1].append(node)
        else:
            found.append((closed, [node]))
    return [nodes for _, nodes in found]


@pytest.mark.parametrize("name", GRAPHS)
def test_every_step_by_key_button_and_slider(name: str, opened: Open) -> None:
    function, expand = GRAPHS[name]
    page = opened(trace(function, expand=expand))
    order = runs(page)
    back = [nodes for nodes in reversed(order) if any("g" in n for n in nodes)]
    expected = ["start", *["forward"] * len(order), *["backward"] * len(back), "end"]
    last = len(expected) - 1
    start, steps = page.watch(), [page.read()]
    page.key("home")  # closes the arrays that were opened
    page.noted()
    seen = [start, *page.keys("right", last)]
    assert [s[0] for s in seen] == [str(n) for n in range(last + 1)] and len({s[1] for s in seen}) == last + 1
    assert page.keys("right", 1) == [seen[last]]  # the last step stays
    assert page.keys("left", last) == seen[last - 1 :: -1]
    assert page.keys("left", 1) == page.keys("home", 1) == [start]
    assert page.keys("end", 1) == [seen[last]]
    assert page.clicks("first", 2) == [start, start]
    assert page.clicks("next", last + 1) == [*seen[1:], seen[last]]
    assert page.clicks("back", last + 1) == [*seen[last - 1 :: -1], start]
    assert page.clicks("last", 1) == [seen[last]]
    slider = page.driver.find_element("id", "slider")
    assert page.keys("left", last, slider) == seen[last - 1 :: -1]
    assert page.keys("right", last, slider) == seen[1:]
    page.slide(last // 2)  # as the mouse drags it
    assert page.read()["step"] == last // 2
    page.key("home")
    for _ in range(last):
        page.key("right")
        steps.append(page.read())
    assert [s["phase"] for s in steps] == expected
    for step, nodes in zip(steps[1:-1], [*order, *back], strict=True):
        assert len(step["now"]) == 1 and step["edges"] >= (step["phase"] == "forward")
        assert step["count"] == f"step {step['step']} of {last}" and step["slider"] == step["step"]
        assert step["status"].startswith(f"Step {step['step']} of {last}: {step['phase']}, {step['title']}")
        check_values(page, step, nodes)
        assert "The line was not recorded" not in step["text"] and Path(__file__).name in step["text"]


def check_values(page: Page, step: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    """The numbers in the tables of a step are those of the page's data, which test_viz_trace compares with the tape."""
    rows = {}
    for name, cells, _ in step["rows"]:
        rows.setdefault(name, []).append(numbers(cells))
    last = nodes[-1]
    if step["phase"] == "forward":
        np.testing.assert_allclose(rows["y"][0], array(page, last["v"]), rtol=1e-5)
    else:
        np.testing.assert_allclose(rows["g = ∂L/∂y"][0], array(page, last["g"]), rtol=1e-5)
    if len(nodes) > 1:
        return
    text = page.data["texts"][last["t"]]
    assert text["formula"] in step["text"] and (text["rule"] if step["phase"] == "backward" else text["what"]) in step["text"]
    for arg in last["a"]:
        if step["phase"] == "forward" and "i" in arg:
            value = array(page, page.data["nodes"][arg["i"]]["v"])
            assert any(r.shape == value.shape and np.allclose(r, value, rtol=1e-5, equal_nan=True) for r in rows[arg["l"]])
        if step["phase"] == "backward" and "g" in arg:
            value = array(page, arg["g"])
            assert any(r.shape == value.shape and np.allclose(r, value, rtol=1e-5, equal_nan=True) for r in rows[f"∂L/∂{arg['l']}"])
            assert text["pulls"][arg["p"]] in step["text"]


def test_numbers_are_the_tapes(opened: Open) -> None:
    """From the tape to the browser's table, without the page's data in between."""
    tl.manual_seed(0)
    model, x, y = nn.Linear(10, 3), tl.randn(32, 10), tl.randint(0, 3, (32,))
    page = opened(trace(lambda: F.cross_entropy(model(x), y), expand=True))
    logits = model(x)
    loss = F.cross_entropy(logits, y)
    (of_logits,) = autograd.grad(loss, logits, retain_graph=True)
    loss.backward()
    steps = []
    for _ in range(page.script("return view.steps.length")):
        steps.append(page.read())
        page.key("right")
    by_step = {(s["phase"], s["title"]): {k: numbers(v) for k, v, _ in s["rows"]} for s in steps}

    def check(phase: str, title: str, name: str, true: Any) -> None:
        np.testing.assert_allclose(by_step[phase, title][name], np.asarray(true.array).ravel(), rtol=1e-5, atol=1e-9)

    check("forward", "linear", "input", x)
    check("forward", "linear", "weight", model.weight)
    check("forward", "linear", "y", logits)
    check("forward", "log_softmax", "y", F.log_softmax(logits, 1))
    check("forward", "mean", "y", loss)
    check("backward", "log_softmax", "∂L/∂x", of_logits)
    check("backward", "linear", "g = ∂L/∂y", of_logits)
    check("backward", "linear", "∂L/∂weight", model.weight.grad)
    check("backward", "linear", "∂L/∂bias", model.bias.grad)
    check("end", "The gradients have arrived", "∂L/∂weight", model.weight.grad)
    check("end", "The gradients have arrived", "∂L/∂bias", model.bias.grad)
    check("start", "What the tape starts from", "y (data)", y)
    backward = next(s for s in steps if (s["phase"], s["title"]) == ("backward", "linear"))
    assert "The rule gave (32, 3) float32" in backward["text"] and "it does not require a gradient" in backward["text"]


def test_boxes_open_and_close(opened: Open) -> None:
    page = opened(trace(GRAPHS["mlp"][0]))
    heads = "return [...document.querySelectorAll('.head')].map((e) => e.textContent.slice(2))"
    assert page.script(heads) == []
    steps = page.script("return view.steps.length")
    page.key("right")
    title = page.read()["title"]
    assert title == "Sequential" and "4 operations" not in page.read()["text"] and "3 operations at once: linear, relu, linear" in page.read()["text"]
    page.driver.find_element("css selector", "#picture .node.now").click()  # by the mouse
    assert page.script(heads) == ["Sequential"] and page.script("return view.steps.length") == steps + 4
    assert page.read()["title"] == "0: Linear"  # the step that shows what the closed box began with
    assert page.script("return document.activeElement.id") == "b0"
    page.key("enter")  # and by the keyboard
    assert page.script(heads) == [] and page.read()["title"] == "Sequential"
    loss = page.driver.find_element("css selector", "#picture .node[aria-label^=huber_loss]")
    assert loss.get_attribute("aria-expanded") == "false" and loss.get_attribute("role") == "button"
    page.script("arguments[0].focus()", loss)
    page.key("enter")
    assert page.script(heads) == ["huber_loss"]
    assert page.driver.find_element("css selector", ".head").get_attribute("aria-expanded") == "true"
    page.click("open-all")
    assert page.script(heads) == ["Sequential", "0: Linear", "1: ReLU", "2: Linear", "huber_loss"]
    page.key("end")
    page.click("close-all")
    assert page.script(heads) == [] and page.read()["phase"] == "end"
    page.driver.find_element("css selector", "#picture .node[aria-label^=squeeze]").click()
    assert page.read()["title"] == "squeeze" and page.read()["phase"] == "backward"


def test_gradients_read_not_yet_until_they_are_computed(opened: Open) -> None:
    page = opened(trace(GRAPHS["diamond"][0]))
    texts = "return [...document.querySelectorAll('#picture .node')].map((e) => e.textContent)"
    at_start = page.script(texts)
    assert all("∂ not yet" in t for t in at_start) and sum("float32not yet" in t for t in at_start) == 5
    assert "later" in page.driver.find_element("css selector", "#picture .node[aria-label^=exp]").get_attribute("class")
    for _ in range(7):
        page.key("right")
    texts_ = page.script(texts)
    assert not any("float32not yet" in t for t in texts_)
    assert [("not yet" in t) for t in texts_] == [True, True, False, False, False, False]  # the first product waits for both its uses
    for _ in range(3):
        page.key("right")
    read = page.read()
    assert "The result is used 2 times" in read["text"]
    rows = {name: numbers(cells) for name, cells, _ in read["rows"] if name.startswith(("from", "g ="))}
    np.testing.assert_allclose(rows["from exp"] + rows["from add"], rows["g = ∂L/∂y"], rtol=1e-5)
    page.key("end")
    assert not any("not yet" in t for t in page.script(texts))


def test_nan_is_marked_in_words(opened: Open) -> None:
    page = opened(trace(nan_graph))
    page.key("right")
    assert "⚠ The result holds nan: it was made here" in page.read()["text"]
    page.key("right")
    assert "⚠ The result holds nan, which came in with an input" in page.read()["text"]
    page.key("end")
    page.key("left")
    read = page.read()
    assert "⚠ The gradient to x is not finite: it was made here" in read["text"]
    assert next(cells for name, cells, _ in read["rows"] if name == "∂L/∂x") == ["0.25", "nan", "nan"]
    assert "⚠ nan, made here" in page.driver.find_element("css selector", "#picture .node[aria-label^=sqrt]").text


def test_hover_and_focus_show_the_whole_array(opened: Open) -> None:
    page = opened(trace(loop_step(), expand=True))
    chains = webdriver.ActionChains(page.driver)
    popover = page.driver.find_element("id", "popover")
    node = page.driver.find_element("css selector", "#picture .node[aria-label^=linear]")
    assert not popover.is_displayed()
    chains.move_to_element(node).perform()
    assert popover.is_displayed() and "not computed yet" in popover.text  # at the start nothing is
    page.key("right")
    assert not popover.is_displayed()
    chains.move_to_element(page.driver.find_element("id", "count")).perform()
    chains.move_to_element(node).perform()
    cells = page.script("return [...arguments[0].querySelectorAll('td:not(.corner)')].map((e) => e.textContent)", popover)
    linear = next(n for n in page.data["nodes"] if n["n"] == "linear")
    np.testing.assert_allclose(numbers(cells), array(page, linear["v"]), rtol=1e-5)
    assert "gradient" in popover.text and "not computed yet" in popover.text
    page.key("escape")
    assert not popover.is_displayed()
    page.script("document.getElementById('larger').focus()")
    page.key("tab")
    page.key("tab")
    for _ in range(30):
        page.key("tab")
        if page.script("return document.activeElement.closest('#picture .node') !== null"):
            break
    assert popover.is_displayed() and page.script("return document.activeElement.getAttribute('aria-label')")
    large = opened(trace((tl.ones(50, 60, requires_grad=True) * 2.0).sum()))
    text = large.read()["rows"][0][2]
    assert "3000 elements, too many to list" in text and "smallest 1, largest 1, mean 1" in text


def test_focus_order_names_and_live_region(opened: Open) -> None:
    page = opened(trace(loop_step(), expand=True))
    page.key("right")
    page.script("document.body.focus(); if (document.activeElement !== document.body) document.activeElement.blur()")
    seen = []
    for _ in range(60):
        page.key("tab")
        found = page.script("""const e = document.activeElement;
            return [e.id, e.tagName, e.getAttribute("aria-label") || e.textContent, e.closest("header, #panel, #picture")?.id || "header"]""")
        if found[1] == "BODY" or (seen and found[0] == seen[0][0]):
            break
        seen.append(found)
    assert all(label.strip() for _, _, label, _ in seen)
    where = [place for *_, place in seen]
    assert where == sorted(where, key=["header", "panel", "picture"].index)  # first the steps, then the panel, then the picture
    assert {"first", "back", "slider", "next", "last", "open-all", "close-all"} <= {i for i, *_ in seen}
    nodes = [label for i, _, label, place in seen if place == "picture" and i.startswith("n")]
    assert [n.split(",")[0].split(" ")[0] for n in nodes if not n.startswith(("x", "y", "model"))] == ["linear", "log_softmax", "pick", "neg", "mean"]
    assert "operation; this step" in next(n for n in nodes if n.startswith("linear"))
    things = "[...document.querySelectorAll('#picture .node, #picture .head')]"  # Chromium would focus them without a tabindex
    assert page.script(f"return {things}.every((e) => e.tabIndex === 0 && e.hasAttribute('tabindex') && e.getAttribute('role') === 'button')")
    status = page.driver.find_element("id", "status")
    assert status.get_attribute("role") == "status" and status.get_attribute("aria-live") == "polite"
    assert page.driver.find_element("id", "slider").get_attribute("aria-valuetext") == page.read()["status"].split(";")[0]
    assert page.driver.find_element("tag name", "html").get_attribute("lang") == "en"
    slider = page.driver.find_element("id", "slider")
    before = page.read()["step"]
    slider.send_keys(KEYS["right"])  # the slider moves itself: one step, not two
    assert page.read()["step"] == before + 1


CONTRAST = """
const luminance = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const found = [];
for (const e of document.querySelectorAll("h1, h2, h3, p, span, button:not([aria-disabled=true]), code, kbd")) {
  if (!e.textContent.trim() || e.closest("#popover") || e.closest("[hidden]")) continue;
  let back = e; while (getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
  found.push([e.tagName, e.textContent, ratio(getComputedStyle(e).color, getComputedStyle(back).backgroundColor)]);
}
for (const t of document.querySelectorAll("#picture .node text, #picture .head text")) {
  if (t.textContent) found.push(["text", t.textContent, ratio(getComputedStyle(t).fill, getComputedStyle(t.parentElement.querySelector(".shape")).fill)]);
}
return [found.filter(([, , r]) => r < 4.5), found.length, getComputedStyle(document.body).backgroundColor];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str, opened: Open, browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    try:
        page = opened(trace(nan_graph))
        for _ in range(7):
            low, count, background = page.script(CONTRAST)
            assert low == [] and count > 15
            assert (sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) > 380) == (scheme == "light")
            page.key("right")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("name", [n for n in GRAPHS if n != "loop"])
def test_nothing_overlaps_and_no_label_is_cut(name: str, opened: Open) -> None:
    function, expand = GRAPHS[name]
    page = opened(trace(function, expand=expand))
    page.key("end")
    boxes, frames, labels = page.script("""
      const rect = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
      const shape = (g) => rect(g.querySelector(".shape"));
      return [[...document.querySelectorAll("#picture .node")].map(shape), [...document.querySelectorAll("#picture .frame")].map(rect),
        [...document.querySelectorAll("#picture .node text")].filter((t) => t.textContent).map((t) => [rect(t), shape(t.parentElement), t.textContent])];
    """)
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        for f in frames:  # wholly inside a box, or wholly outside
            inside = f[0] <= a[0] and a[2] <= f[2] and f[1] <= a[1] and a[3] <= f[3]
            assert inside or a[2] <= f[0] or f[2] <= a[0] or a[3] <= f[1] or f[3] <= a[1]
    for text, around, words in labels:
        assert around[0] < text[0] and text[2] < around[2] and around[1] < text[1] and text[3] < around[3], words


def test_strings_are_text(opened: Open) -> None:
    evil = "</script><img src=x onerror=document.title='hacked'>"
    w = tl.ones(2, requires_grad=True)
    with tl.scope(evil):
        loss = (w * 2.0).sum()
    page = opened(trace(loss, params={evil: w}, expand=True))
    page.key("right")
    assert evil in page.read()["text"] and page.driver.title == "Trace of sum = 4"
    assert page.driver.find_elements("tag name", "img") == []


def test_in_a_notebook(browser: Any, tmp_path: Path) -> None:
    made = trace(loop_step())
    (tmp_path / "cell.html").write_text(f"<!DOCTYPE html><title>cell</title><div>{made._repr_html_()}</div>", encoding="utf-8")
    browser.get((tmp_path / "cell.html").as_uri())
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    try:
        browser.find_element("id", "next").click()
        browser.switch_to.active_element.send_keys(KEYS["right"])
        assert browser.find_element("tag name", "h2").text == "cross_entropy"
        assert browser.execute_script("return document.getElementById('picture').clientHeight") > 250
    finally:
        browser.switch_to.default_content()
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_graph_of_many_operations(opened: Open) -> None:
    w = tl.randn(2, 2, requires_grad=True)

    def chain() -> Any:
        h = w
        for _ in range(300):
            h = (h * 0.5).tanh() + w
        return h.sum()

    page = opened(trace(chain))
    page.key("end")
    assert page.read()["step"] == 2 * 901 + 1
    assert page.script("return document.querySelectorAll('#picture .node').length") == 902
