"""``python -m tests.accuracy.state``: write the bound of every loss into its docstring, after its prose."""

from __future__ import annotations

import re
from pathlib import Path

import tinygrad_loss.losses as losses

from .bounds import BOUNDS, stated
from .measure import subjects

HOME = Path(losses.__file__).parent


def with_bound(source: str, name: str) -> str:
    """The source with the line in the docstring of ``name``, if the loss is declared there."""
    found = re.search(rf'^def {name}\(.*?"""(.*?)^    >>> ', source, re.S | re.M)
    if not found:
        return source
    prose = re.sub(r"\n    Accuracy: [^\n]*", "", found[1]).rstrip()
    gap = "\n\n" if "\n" not in prose else "\n"
    return source[: found.start(1)] + f"{prose}{gap}    {stated(name)}\n\n" + source[found.end(1) :]


def main() -> None:
    for file in sorted(HOME.glob("[!_]*.py")):
        source = changed = file.read_text(encoding="utf-8")
        for name in subjects():
            if name in BOUNDS:
                changed = with_bound(changed, name)
        if changed != source:
            file.write_text(changed, encoding="utf-8")
            print(file)


if __name__ == "__main__":
    main()
