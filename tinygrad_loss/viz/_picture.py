"""A drawn graph: SVG by the best renderer that the machine has, and files."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..atomic import write_file
from ._look import FAMILY

INSTALL = (
    "install Graphviz (Debian: apt-get install graphviz; macOS: brew install graphviz; Windows: winget install "
    "Graphviz.Graphviz), or, without it: pip install 'tinygrad_loss[viz]'"
)


class RendererError(RuntimeError):
    """No renderer on this machine can make the format that was asked for."""


def _run_dot(dot: str, format: str) -> bytes | None:
    """By the ``dot`` command; None where there is none."""
    command = shutil.which("dot")
    if command is None:
        return None
    try:
        done = subprocess.run([command, f"-T{format}"], input=dot.encode(), capture_output=True, check=False)
    except OSError as error:
        raise RendererError(f"draw: {command} does not run: {error}") from error
    if done.returncode or not done.stdout:
        raise RendererError(f"draw: dot failed: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout


def _run_pygraphviz(dot: str, format: str) -> bytes | None:
    """By pygraphviz, whose wheel carries Graphviz; None where it is not installed."""
    try:
        import pygraphviz
    except ImportError:
        return None
    try:
        drawn: bytes = pygraphviz.AGraph(string=dot).draw(format=format, prog="dot")
    except (OSError, RuntimeError, ValueError) as error:
        raise RendererError(f"draw: pygraphviz failed: {error}") from error
    return drawn


RENDERERS: dict[str, Callable[[str, str], bytes | None]] = {"dot": _run_dot, "pygraphviz": _run_pygraphviz}


class Picture:
    """What :func:`draw` returns: shows itself in a notebook; ``save`` writes a file; ``dot`` is the DOT text."""

    def __init__(self, dot: str, plain: Callable[[], str], caption: str) -> None:
        self.dot = dot
        self.caption = caption
        self._plain = plain
        self._svg: str | None = None

    @property
    def svg(self) -> str:
        """The picture as SVG: by ``dot``, else by pygraphviz, else with a layout of our own."""
        if self._svg is None:
            drawn = self._render("svg")
            text = self._plain() if drawn is None else _tidy(drawn.decode())
            self._svg = text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(self.caption)}" ', 1)
        return self._svg

    def _render(self, format: str) -> bytes | None:
        failed: RendererError | None = None
        for run in RENDERERS.values():
            try:
                drawn = run(self.dot, format)
            except RendererError as error:
                failed = error
                continue
            if drawn is not None:
                return drawn
        if failed is not None and format != "svg":
            raise failed
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture; the name's ending says as what: .svg, .png, .pdf or .dot.

        ValueError for another ending. RuntimeError for .png and .pdf where nothing on the machine can make them.
        """
        target = Path(path)
        format = target.suffix.lower().removeprefix(".")
        if format == "dot":
            content = self.dot.encode()
        elif format == "svg":
            content = self.svg.encode()
        elif format in ("png", "pdf"):
            drawn = self._render(format)
            if drawn is None:
                raise RendererError(f"save: {target.name}: .{format} needs Graphviz: {INSTALL}. A .svg needs nothing")
            content = drawn
        else:
            raise ValueError(f"save: {target.name}: the name must end in .svg, .png, .pdf or .dot")
        write_file(os.fspath(target), [content])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Picture: {self.caption}; .save('graph.svg') writes it>"


def _tidy(svg: str) -> str:
    """Without the header, so that it can stand in a page, and in fonts that have the width that was counted with."""
    return svg[svg.index("<svg") :].replace('font-family="Courier,monospace"', f'font-family="{FAMILY}"')
