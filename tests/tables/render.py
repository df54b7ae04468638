"""The text of tinygrad_loss/losses/README.md, from the registry and the tables beside this file."""

from __future__ import annotations

import inspect
import math
import re
import textwrap
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tinygrad_loss as tl
from tests.accuracy.bounds import BOUNDS
from tests.loss_samples import build, sizes_of
from tinygrad_loss import losses
from tinygrad_loss.choose import TASKS, Choice, which_loss
from tinygrad_loss.explanation import Part, explain
from tinygrad_loss.losses import LOSSES, Loss
from tinygrad_loss.losses._domains import Domain, Spec, WeightDomain

from .deviations import GROUPS
from .keras_rows import ROWS
from .kinks import KINKS, slope
from .peers import PEERS, TORCH

README = Path(losses.__file__).with_name("README.md")
TEXT = Path(__file__).with_name("README.in.md")  # what is written by hand, with {names} for the tables
OURS = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))
COUNTED = {  # what a mean divides by where the formula says so itself
    "circle_loss": "anchors with a positive and a negative", "nt_xent_loss": "ordered positive pairs",
    "ranknet_loss": "pairs of unequal relevance", "supcon_loss": "anchors with a positive",
}  # fmt: skip
SCALED = {"ctc_loss": "each value first by its target length"}


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(heading)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def number(x: Any) -> str:
    """A float, a list of floats, or a word, as short as it stays recognisable."""
    if isinstance(x, str):
        return x
    if isinstance(x, list):
        return f"[{', '.join(map(number, x))}]"
    return "0" if x == 0 else f"{x:.6g}"


# The losses.


def part_of(loss: Loss, extra: str | None = None) -> Part:
    """A call with the defaults, nothing ignored, and one of its optional arguments."""
    d = loss.declaration
    specs = {a.name: a.specs[0] for a in d.arguments if not a.optional or a.name == extra}
    sizes, batched = sizes_of(loss)[0]
    sample = build(loss, specs, sizes, batched, dict(d.options), False)
    with warnings.catch_warnings(action="ignore"):
        given = {n: tl.tensor(x) for n, x in sample.given().items()}
        return explain(loss, **given, **sample.options, reduction="mean").parts[0]


def divisor(loss: Loss) -> str:
    """What ``reduction="mean"`` divides by: measured."""
    d, part = loss.declaration, part_of(loss)
    base = {"element": "elements", "batch": "values"}.get(d.per, "examples")
    if not part.plain:
        base = COUNTED.get(loss.name, "what counts: see its docstring")
    elif "ignore_index" in d.options:
        base += " kept"
    weights = [a.name for a in d.arguments if a.optional and isinstance(a.specs[0].domain, WeightDomain) and a.name != "sample_weight"]
    counting = [name for name in weights if not math.isclose(part_of(loss, name).denominator, part.denominator)]
    base += "".join(f"; sum of {code(name)}" for name in counting)
    if plain := [code(name) for name in weights if name not in counting]:
        base += f", also with {' and '.join(plain)}"
    if part.scaled:
        base += f"; {SCALED.get(loss.name, 'each value is scaled first')}"
    return base + (f"; then the {part.finish}" if part.finish else "")


def signature(loss: Loss) -> str:
    d = loss.declaration
    shown = []
    for i, name in enumerate(d.order):
        if i == len(d.positional):
            shown.append("*")
        if name not in ("size_average", "reduce"):
            shown.append(name if name in d.required else f"{name}={d.defaults[name]!r}")
    return f"{loss.name}({', '.join(shown)})"


def by_task() -> str:
    parts = []
    for task, says in TASKS.items():
        found = [c for c in which_loss(task) if c.name in OURS]
        rows = [(code(c.name), code(c.module), c.outputs, c.targets, spelled(c), divisor(c.loss)) for c in found]
        head = ("function", "module", "the model gives", "targets", "robust", "the mean divides by")
        signatures = "\n".join(signature(c.loss) for c in found)
        parts.append(f"### {task}: {says}\n\n{table(head, rows)}\n\n```text\n{signatures}\n```")
    return "\n\n".join(parts)


def spelled(choice: Choice) -> str:
    return {True: "yes", False: "no", None: ""}[choice.robust]


def choices() -> str:
    """Which losses there are for what a model gives and what the targets are; robust ones are marked."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for task in TASKS:
        for c in which_loss(task):
            if c.name in OURS:
                groups[task, c.outputs, c.targets or "none"].append(code(c.name) + r"\*" * bool(c.robust))
    rows = [line for key, found in groups.items() for line in filled(key, found, 5, ", ")]
    return table(("task", "the model gives", "targets", "losses"), rows)


def filled(key: tuple[str, ...], found: list[str], most: int, between: str) -> list[tuple[str, ...]]:
    """Rows of so many entries each; what comes after the first has no key."""
    parts = [between.join(found[i : i + most]) for i in range(0, len(found), most)]
    return [(*(key if i == 0 else [""] * len(key)), part) for i, part in enumerate(parts)]


# Arguments.


def public_name(domain: Domain) -> str:
    return next((n for n in losses.__all__ if getattr(losses, n) is domain), domain.name)


def arrays() -> str:
    rows = []
    for name in OURS:
        shown = []
        for a in LOSSES[name].declaration.arguments:
            specs = " or ".join(dict.fromkeys(f"{public_name(s.domain)} {code(' '.join(s.axes)) or '(a number)'}" for s in a.specs))
            shown.append(f"{'*' * a.optional}{a.name}{'*' * a.optional}: {specs}")
        rows += filled((code(name),), shown, 3, "; ")
    return table(("loss", "arrays, with their domains and axes; *in italics* those that may be left out"), rows)


def domains() -> str:
    specs: dict[str, Spec] = {}
    for name in OURS:
        for a in LOSSES[name].declaration.arguments:
            specs |= {public_name(s.domain): s for s in a.specs}
    rows = [(code(name), specs[name].domain.describe, sentence(type(specs[name].domain))) for name in sorted(specs)]
    return table(("domain", "values", ""), rows)


def sentence(x: Any) -> str:
    return " ".join((x.__dict__.get("__doc__") or "").split("\n\n")[0].split()).replace("``", "`")


def options() -> str:
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name in OURS:
        d = LOSSES[name].declaration
        for option, default in d.options.items():
            found[option, repr(default), getattr(d.checks.get(option), "text", "")].append(code(name))
    rows = [(code(option), code(default), text, ", ".join(who)) for (option, default, text), who in sorted(found.items())]
    return table(("option", "default", "expected", "losses"), rows)


# Other tables.


def kinks() -> str:
    rows = [(k.where, code(k.f), number(k.at), number(slope(tl, k)), "" if k.torch is None else number(k.torch)) for k in KINKS]
    return table(("where", "function", "at x =", "derivative", "torch"), rows)


def deviations() -> str:
    notes = {
        "Limits": "torch gives no number, or 0, where there is a limit.", "nan": "torch loses a nan.",
        "Accepted here": "torch refuses what has a meaning.", "Refused here": "torch computes something that is not what was meant.",
    }  # fmt: skip
    parts = []
    for group, rows in GROUPS.items():
        shown = [(code(r.call), number(r.torch), number(r.ours), r.why) for r in rows]
        parts.append(f"### {group}\n\n{notes[group]}\n\n{table(('call', 'torch 2.13', 'here', 'why'), shown)}")
    return "\n\n".join(parts)


def accuracy() -> str:
    rows = []
    for name, b in BOUNDS.items():
        if name not in OURS and not hasattr(tl, name) and not hasattr(tl.nn.functional, name):
            continue  # a part of one
        of = "the largest term" if b.of_terms else "the result"
        rows.append((code(name), *(f"{x:g}" for x in (b.value, b.gradient, b.value32, b.gradient32)), of))
    return table(("function", "float64", "its gradient", "float32", "its gradient", "units of"), rows)


def keras() -> str:
    return table(("keras.losses", "here", "note"), ((code(r.keras.replace(" @ ", ", ")), code(r.ours), r.note) for r in ROWS))


def peers() -> str:
    rows = [(code(n), "the same" if n in TORCH else "", *PEERS.get(n, ("", "", ""))) for n in OURS if n in PEERS or n in TORCH]
    only = ", ".join(code(n) for n in OURS if n not in PEERS and n not in TORCH)
    text = textwrap.fill(f"None of the four has {only}.", 120, break_on_hyphens=False)
    return f"{table(('here', 'torch', 'Keras', 'optax', 'Chainer'), rows)}\n\n{text}"


TABLES = {
    "choices": choices, "by_task": by_task, "arrays": arrays, "domains": domains, "options": options, "kinks": kinks,
    "deviations": deviations, "accuracy": accuracy, "keras": keras, "peers": peers,
}  # fmt: skip


def render() -> str:
    """The whole file."""
    text = TEXT.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        assert text.count(f"{{{name}}}") == 1, f"{TEXT.name} names {{{name}}} {text.count(f'{{{name}}}')} times"
        text = text.replace(f"{{{name}}}", make())
    return text.replace("{count}", str(len(OURS)))


def examples(text: str) -> list[str]:
    """The Python blocks of a Markdown file."""
    return [inspect.cleandoc(block) for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
