"""Run every notebook from clean and write it back with its outputs: ``python notebooks/make.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def notebooks() -> list[Path]:
    """The notebooks, in their order."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(path: Path) -> Any:
    """The notebook with the outputs of a fresh run; an error in a cell raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=120, kernel_name="python3", record_timing=False).execute(cwd=str(HERE))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main() -> None:
    for path in notebooks():
        nbformat.write(run(path), path)
        print(path.name)


if __name__ == "__main__":
    main()
