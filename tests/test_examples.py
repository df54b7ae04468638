"""The examples run as a user runs them, and reach what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
Done: TypeAlias = subprocess.CompletedProcess[str]


def run(script: str, *options: str, folder: Path | None = None) -> Done:
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=folder)


def last_line(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def final_accuracy(done: Done) -> float:
    match = re.fullmatch(r"test accuracy (\d+\.\d) %", last_line(done))
    assert match, done.stdout
    return float(match[1])


def test_quickstart() -> None:
    done = run("quickstart.py")
    assert last_line(done) == "loss after the step:  1.1363"
    assert done.stdout.splitlines()[0] == "loss before the step: 1.1385"
    assert done.stderr == ""


def test_train_digits(tmp_path: Path) -> None:
    out = tmp_path / "new" / "digits.safetensors"
    done = run("train_digits.py", "--out", str(out))
    assert final_accuracy(done) >= 97
    assert done.stderr == "", "no progress bar where there is no terminal"
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    lines = done.stdout.splitlines()
    epochs = [line for line in lines if re.fullmatch(r" +\d+  +\d+\.\d{4}  +[\d.]+%  +[\d.]+%  +\d\.\d{3}", line)]
    assert len(epochs) == 30 and len(set(map(len, epochs))) == 1, "a line per epoch, aligned"
    header = next(i for i, line in enumerate(lines) if line.startswith("true \\ read"))
    table = lines[header + 1 : header + 11]
    assert {len(line) for line in table} == {len(lines[header])}, "aligned"
    counts = np.array([[0 if cell == "." else int(cell) for cell in line.split()[1:11]] for line in table])
    assert counts.shape == (10, 10) and counts.sum() == 359
    assert f"{100 * np.trace(counts) / counts.sum():.1f}" == f"{final_accuracy(done):.1f}"


@pytest.mark.parametrize("loss", ["nll", "label_smoothing"])
def test_the_other_losses_and_options(loss: str, tmp_path: Path) -> None:
    options = ["--loss", loss, "--epochs", "8", "--width", "64", "--batch-size", "32", "--lr", "0.01", "--seed", "3"]
    first = run("train_digits.py", *options, "--out", str(tmp_path / "a"))
    run("train_digits.py", *options, "--out", str(tmp_path / "b"))
    assert final_accuracy(first) >= 95
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes(), "the same seed gives the same bits"


@pytest.mark.parametrize("options", [["--epochs", "0"], ["--loss", "mse"], ["--width", "-1"], ["--batch-size", "x"]])
def test_wrong_options_are_refused(options: list[str]) -> None:
    done = run("train_digits.py", *options)
    assert done.returncode == 2 and options[0] in done.stderr and done.stdout == ""


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX terminal")
@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress_on_a_terminal(has_tqdm: bool, tmp_path: Path) -> None:
    if has_tqdm:
        pytest.importorskip("tqdm")
    hide = "" if has_tqdm else "sys.modules['tqdm'] = None; "
    code = f"import runpy, sys; {hide}sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    script = [str(EXAMPLES / "train_digits.py"), "--epochs", "2", "--out", str(tmp_path / "x")]
    termios = pytest.importorskip("termios")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    os.set_blocking(ours, False)
    try:
        command = [sys.executable, "-c", code, *script]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=900, check=False)
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, shown
    if has_tqdm:
        assert "| 0/2 [" in shown
    else:
        assert shown.splitlines() == ["No progress bar: pip install 'tinygrad_loss[examples]' brings tqdm."]


N = r"(\d+(?:\.\d+)?)"
def table(done: Done, columns: int) -> dict[str, list[float]]:
    """The numbers of the lines that hold a name and so many of them."""
    found = re.findall(rf"^ *(\S.*?)((?: +[\d.]+%?){{{columns}}})$", done.stdout, re.MULTILINE)
    return {name: [float(x.rstrip("%")) for x in numbers.split()] for name, numbers in found}


def check_outliers(done: Done) -> None:
    errors = table(done, 2)
    assert list(errors) == ["MSE", "Huber", "log-cosh", "L1"]
    assert all(wrong < 1.2 * truth for name, (truth, wrong) in errors.items() if name != "MSE")


def check_imbalance(done: Done) -> None:
    found = table(done, 3)
    assert list(found) == ["nothing", "pos_weight", "class weights", "weighted sampler"]
    assert all(row[0] > found["nothing"][0] + 10 for name, row in found.items() if name != "nothing")


def check_tasks(done: Done) -> None:
    rows = re.findall(rf"^ +\d+ +{N} = +{N} \+ 5 \* {N} ", done.stdout, re.MULTILINE)
    assert len(rows) == 4
    assert all(abs(float(total) - float(digit) - 5 * float(box)) < 2e-3 for total, digit, box in rows), "the parts"


def check_metric(done: Done) -> None:
    match = re.search(f"by pixels: {N}%", done.stdout)
    assert match and 70 < float(match[1]) < 85, "what there is to gain"


def check_students(done: Done) -> None:
    read = table(done, 2)
    assert read["from labels"][1] == 0 and read["teacher"][1] > 85
    assert read["from labels"][0] < read["from teacher"][0]


def check_vae(done: Done) -> None:
    rows = re.findall(rf"^ +\d+ +{N} = +{N} \+ +{N}$", done.stdout, re.MULTILINE)
    assert len(rows) == 4 and all(abs(float(x) - float(y) - float(z)) < 0.02 for x, y, z in rows)
    assert max(map(len, done.stdout.splitlines())) < 120 and "@" in done.stdout, "the digits are drawn"


def check_gan(done: Done) -> None:
    losses = re.findall(rf"^ +1200 +{N} +{N}", done.stdout, re.MULTILINE)
    assert len(losses) == 1
    critic, generator = map(float, losses[0])
    assert abs(critic - 2 * np.log(2)) < 0.1 and abs(generator - np.log(2)) < 0.1, "the critic cannot tell any more"


def check_words(done: Done) -> None:
    match = re.search(r"spoken ([a-e]+), frame by frame ([-a-e]+), heard ([a-e]+)", done.stdout)
    assert match and match[3] == re.sub(r"(.)\1*", r"\1", match[2]).replace("-", "")


def check_own(done: Done) -> None:
    learned, best = float(last_line(done).split()[-2]), re.search(f"by the formula, {N}", done.stdout)
    assert best and abs(learned - float(best[1])) < 0.05, "the closed form"
    assert "   True True\n" in done.stdout, "gradcheck and gradgradcheck"
    for text in ("target has shape (4,), expected (1000,)", "slope=-1.0: expected", "worst elements", "d/dinput = "):
        assert text in done.stdout


# For each example its last line, the bands of the numbers there, and what else to look at. Over the seeds 0 to 14 the
# numbers stayed well inside.
IDEAS: dict[str, tuple[str, list[tuple[float, float]], Callable[[Done], None]]] = {
    "regression_with_outliers": (f"with the wrong targets, the error of MSE is {N} times that of Huber", [(1.15, 3.0)], check_outliers),
    "imbalanced_classes": (rf"a remedy lifts the mean of both by {N} points \(average of the three\)", [(4, 20)], check_imbalance),
    "multi_task": (f"{N}% of the test digits are read, the boxes overlap by {N}", [(88, 98), (0.84, 0.89)], check_tasks),
    "metric_learning": (f"of the 30 nearest neighbours, {N}% show the same digit", [(95, 100)], check_metric),
    "distillation": (f"of the 3s, {N}% are read by the student that never saw one", [(65, 100)], check_students),
    "vae_digits": (f"negative evidence lower bound on the test digits: {N} nats", [(23.8, 25.0)], check_vae),
    "gan_2d": (rf"energy distance to the ring: {N} \(two samples of the ring: {N}\)", [(0, 0.02), (0, 0.01)], check_gan),
    "ctc_sequence": (f"{N}% of the test words are heard right", [(85, 100)], check_words),
    "your_own_loss": (f"learned promise: {N} minutes", [(11, 18)], check_own),
}  # fmt: skip


@pytest.mark.parametrize("name", IDEAS)
def test_an_idea(name: str, tmp_path: Path) -> None:
    """Run from elsewhere: it ends with its number, which README.md shows, and what it says on the way holds."""
    pattern, bands, check = IDEAS[name]
    done = run(f"{name}.py", folder=tmp_path)
    match = re.fullmatch(pattern, last_line(done))
    assert match, done.stdout
    for number, (low, high) in zip(match.groups(), bands, strict=True):
        assert low < float(number) < high, last_line(done)
    check(done)
    assert done.stderr == "" and not list(tmp_path.iterdir())
    assert f"| {re.sub(N, '0', last_line(done))} [" in re.sub(N, "0", README)


def test_the_readme_lists_every_example() -> None:
    scripts = {p.name for p in EXAMPLES.glob("*.py")}
    assert scripts == set(re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE))
    assert scripts == {f"{name}.py" for name in IDEAS} | {"quickstart.py", "train_digits.py"}
    for script in sorted(scripts):
        text = (EXAMPLES / script).read_text(encoding="utf-8")
        assert f"\npython examples/{script}" in text, "the first lines say how to run it"
        assert len(text.splitlines()) <= (165 if script == "train_digits.py" else 100)


DATA = EXAMPLES / "data"


def test_the_data_is_what_its_readme_says() -> None:
    assert (DATA / "digits.npz").stat().st_size < 50_000
    with np.load(DATA / "digits.npz", allow_pickle=False) as digits:
        assert sorted(digits) == ["images", "labels"]
        images, labels = digits["images"], digits["labels"]
    assert images.shape == (1797, 64) and images.dtype == np.uint8 and (images.min(), images.max()) == (0, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (DATA / "diabetes.npz").stat().st_size < 50_000
    with np.load(DATA / "diabetes.npz", allow_pickle=False) as diabetes:
        assert diabetes["names"].tolist() == ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
        measured, progression = diabetes["measured"], diabetes["progression"]
    assert measured.shape == (442, 10) and measured.dtype == np.float64 and 18 < measured[:, 0].min() < 20
    assert progression.dtype == np.int16 and (progression.min(), progression.max()) == (25, 346)
    text = (DATA / "README.md").read_text(encoding="utf-8")
    for file in DATA.iterdir():
        assert file.name in (*re.findall(r"\w+\.(?:npz|py)", text), "README.md", "__pycache__")


def test_the_data_can_be_made_again() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="the scripts in examples/data need scikit-learn")
    with np.load(DATA / "digits.npz") as digits:
        assert np.array_equal(digits["images"], datasets.load_digits().data)
        assert np.array_equal(digits["labels"], datasets.load_digits().target)
    with np.load(DATA / "diabetes.npz") as diabetes:
        original = datasets.load_diabetes(scaled=False)
        assert np.array_equal(diabetes["measured"], original.data) and diabetes["names"].tolist() == original.feature_names
        assert np.array_equal(diabetes["progression"], original.target)


PICTURES = EXAMPLES / "pictures"


def words_in(svg: Path) -> str:
    return " ".join(" ".join(ElementTree.parse(svg).getroot().itertext()).split())


def test_the_pictures() -> None:
    """They are small, well-formed, and show what the README says that they show."""
    shown = {p.name for p in PICTURES.iterdir() if p.suffix != ".py" and p.name != "__pycache__"}
    top = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert shown == {"graph.svg", "curves.svg"} == set(re.findall(r"examples/pictures/(\w+\.svg)", top))
    for name in shown:
        assert (PICTURES / name).stat().st_size < 60_000
        assert ElementTree.parse(PICTURES / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    graph, curves = words_in(PICTURES / "graph.svg"), words_in(PICTURES / "curves.svg")
    for text in ("log_softmax(a, dim=1)", "a[row, target]", "CrossEntropyLoss", "value 1.0238", "logits", "labels"):
        assert text in graph
    for text in ("MSELoss()", "HuberLoss()", "L1Loss()", "gradient"):
        assert text in curves


def test_the_pictures_can_be_made_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'tinygrad_loss[viz]'")
    done = run("pictures/make_pictures.py", str(tmp_path))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert re.findall(r"(\w+\.svg): \d+ bytes", done.stdout) == ["graph.svg", "curves.svg"]
    graph = words_in(tmp_path / "graph.svg")
    assert "log_softmax" in graph and "1.0238" in graph
    figures = re.findall(r"[\d.]+", words_in(tmp_path / "curves.svg"))
    assert figures == re.findall(r"[\d.]+", words_in(PICTURES / "curves.svg")), "the axes have not moved"


def test_the_readmes_own_calls(tmp_path: Path) -> None:
    """What stands above the pictures runs, and draws them."""
    pytest.importorskip("matplotlib", reason="pip install 'tinygrad_loss[viz]'")
    section = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8").split("\n## See it\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    graph, curves = (re.sub(r"^(viz\..*)$", r"shown = \1", block, flags=re.MULTILINE) for block in blocks)
    code = f"""import tinygrad_loss as torch
from tinygrad_loss import nn
{graph}
shown.save("graph.svg")
{curves}
shown.savefig("curves.svg")
"""
    (tmp_path / "readme.py").write_text(code)
    done = run(str(tmp_path / "readme.py"), folder=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for text in ("logits", "labels", "log_softmax", "1.0238"):
        assert text in words_in(tmp_path / "graph.svg")
