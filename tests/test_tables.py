"""README.md of the losses is what the registry and the tables say; its code runs, its links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

import tinygrad_loss as tl
from tests.golden.keras_values import CLASSES
from tests.tables.peers import PEERS, TORCH
from tests.tables.render import COUNTED, OURS, README, TABLES, divisor, examples, part_of, render
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

TEXT = README.read_text(encoding="utf-8")


def test_the_committed_file_is_what_is_generated() -> None:
    assert render() == TEXT, "run: python -m tests.tables"


def test_it_is_the_same_each_time() -> None:
    for name, make in TABLES.items():
        assert make() == make(), name


def test_every_loss_is_there() -> None:
    for name in OURS:
        assert f"\n| `{name}` | `{LOSSES[name].Module.__name__}` |" in TEXT and f"\n{name}(" in TEXT
        for option in LOSSES[name].declaration.options:
            assert re.search(rf"^\| `{option}` \|.*`{name}`", TEXT, re.MULTILINE), f"{name}: {option}"


def test_it_can_be_read() -> None:
    for line in TEXT.split("\n"):
        assert len(line) <= (170 if line.startswith("|") or "(" in line else 120), line
        cells = re.sub(r"`[^`]*`", "", line)
        assert not line.startswith("|") or cells.rstrip().endswith("|")
    tables = re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE)
    for table in tables:
        widths = {re.sub(r"`[^`]*`", "", row).count("|") for row in table.strip().split("\n")}
        assert len(widths) == 1, table[:200]
    assert len(tables) >= len(TABLES) and "  \n" not in TEXT


def test_links_lead_to_headings() -> None:
    headings = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)}
    links = re.findall(r"\]\(#([^)]*)\)", TEXT)
    assert len(links) >= 10 and not set(links) - headings


def test_its_examples_run() -> None:
    before = set(LOSSES)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            for block in examples(TEXT):
                exec(block, {})  # our own page
    finally:
        for name in set(LOSSES) - before:
            del LOSSES[name]
    assert printed.getvalue().startswith("cross_entropy = ") and "generalized_cross_entropy" in printed.getvalue()


@pytest.mark.parametrize("name", OURS)
def test_divisor(name: str) -> None:
    """A loss with a count of its own is described; the others divide by their values, or by a weight that is named."""
    loss: Loss = LOSSES[name]
    assert part_of(loss).plain != (name in COUNTED)
    text = divisor(loss)
    for argument in loss.declaration.arguments:
        if argument.optional and argument.name.endswith("weight") and argument.name != "sample_weight":
            assert f"`{argument.name}`" in text


DIVISORS = {
    "mse_loss": "elements; sum of `weight`", "huber_loss": "elements, also with `weight`", "cross_entropy": "examples kept; sum of `weight`",
    "multi_margin_loss": "examples, also with `weight`", "binary_cross_entropy_with_logits": "elements, also with `weight` and `pos_weight`",
    "rmse_loss": "elements; then the root", "ctc_loss": "examples; each value first by its target length", "dice_loss": "values",
    "nt_xent_loss": "ordered positive pairs", "poly_loss": "examples", "kl_div": "elements",
}  # fmt: skip


@pytest.mark.parametrize("name", DIVISORS)
def test_divisor_of(name: str) -> None:
    """As torch's documentation has it, where torch has the loss."""
    assert divisor(LOSSES[name]) == DIVISORS[name]


def test_peers_exist() -> None:
    assert not (set(PEERS) | set(TORCH)) - set(OURS)
    named = {c for keras, _, _ in PEERS.values() for c in re.findall(r"\b[A-Z]\w+(?!\w|\))", keras)}
    assert named == set(CLASSES), "each class of Keras, and no other"
    for name in TORCH:
        assert callable(getattr(tl.nn.functional, name))
