"""Run every notebook, or those named, from clean and write it back with its outputs: ``python notebooks/make.py [03]``."""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent
COLOURS = 128  # enough for curves, and a third of the size


def notebooks() -> list[Path]:
    """The notebooks, in their order."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(path: Path) -> Any:
    """The notebook with the outputs of a fresh run; an error in a cell raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", record_timing=False, coalesce_streams=True)
    # products of matrices round otherwise with another number of threads, and small ones are no faster with several
    client.execute(cwd=str(HERE), env={**os.environ, "OMP_NUM_THREADS": "1"})
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def smaller(png: str) -> str:
    """The picture (base64) with few colours."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def main() -> None:
    for path in notebooks():
        if not sys.argv[1:] or path.name.startswith(tuple(sys.argv[1:])):
            nbformat.write(run(path), path)
            print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
