"""The examples run as a user runs them, and reach what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(script: str, *options: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *python, str(EXAMPLES / script), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def final_accuracy(done: subprocess.CompletedProcess[str]) -> float:
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
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=120, check=False)
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, shown
    if has_tqdm:
        assert "| 0/2 [" in shown
    else:
        assert shown.splitlines() == ["No progress bar: pip install 'tinygrad_loss[examples]' brings tqdm."]


def test_the_data_is_what_its_readme_says() -> None:
    path = EXAMPLES / "data" / "digits.npz"
    assert path.stat().st_size < 60_000
    with np.load(path, allow_pickle=False) as digits:
        assert sorted(digits) == ["images", "labels"]
        images, labels = digits["images"], digits["labels"]
    assert images.shape == (1797, 64) and images.dtype == np.uint8 and (images.min(), images.max()) == (0, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_data_can_be_made_again() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="make_digits.py needs scikit-learn")
    with np.load(EXAMPLES / "data" / "digits.npz") as digits:
        assert np.array_equal(digits["images"], datasets.load_digits().data)
        assert np.array_equal(digits["labels"], datasets.load_digits().target)
