"""The notebooks run from top to bottom, and print what they were committed with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
for needed in ("nbformat", "nbclient", "ipykernel"):
    pytest.importorskip(needed, reason="runs the notebooks: pip install '.[test]'")
spec = importlib.util.spec_from_file_location("make", ROOT / "notebooks" / "make.py")
assert spec is not None and spec.loader is not None
make: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def printed(notebook: Any) -> list[str]:
    """The text of every code cell's outputs."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    texts = []
    for cell in cells:
        parts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
        texts.append("".join(parts))
    return texts


def test_there_are_notebooks() -> None:
    assert make.notebooks()


@pytest.mark.parametrize("path", make.notebooks(), ids=lambda p: p.name)
@pytest.mark.filterwarnings("default")  # what the kernel's own packages warn about is not ours
def test_notebook(path: Path) -> None:
    assert path.stat().st_size < 200_000
    committed = make.nbformat.read(path, as_version=4)
    again = make.run(path)
    assert any(printed(committed)), "committed without outputs: python notebooks/make.py"
    assert printed(again) == printed(committed)
