"""``summary``: the layers of a module, what they return, and their parameters."""

from __future__ import annotations

from typing import Any

from ..modes import no_grad
from ..module import Module
from ..random import get_rng_state, set_rng_state
from ..registry import Parameter
from ..tape import Handle, Tensor
from ._text import counted
from .tree import Text


def summary(module: Module, *inputs: Any, **options: Any) -> Text:
    """A table of the layers of ``module``, with the shapes they return when it is called with ``inputs``.

    The call runs in evaluation mode without gradients; the modes and the random numbers are afterwards what they
    were. Without inputs there are no shapes. TypeError for what is no Module.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> print(viz.summary(model, zeros(16, 4)))
    Layer        Output   Parameters
    Sequential   (16, 3)
      0: Linear  (16, 8)          40
      1: ReLU    (16, 8)
      2: Linear  (16, 3)          27
    67 parameters, all trained; 268 bytes
    """
    if not isinstance(module, Module):
        raise TypeError(f"summary: expected a Module, got {type(module).__name__}; for a graph use viz.tree(loss)")
    called = bool(inputs or options)
    shapes = _shapes(module, inputs, options) if called else {}
    rows = [("Layer", "Output" if called else "", "Parameters")]
    counted_: set[Parameter] = set()
    for path, part in module.named_modules():
        depth = path.count(".") + 1 if path else 0
        name = path.rpartition(".")[2]
        kind = type(part).__name__
        own = [p for p in vars(part).values() if isinstance(p, Parameter)]
        fresh = [p for p in own if p not in counted_]
        counted_.update(fresh)
        size = sum(p.array.size for p in fresh)
        number = f"{size:,}" if fresh else "shared" if own else ""
        output = _output(shapes, path) if called else ""
        rows.append(("  " * depth + (f"{name}: {kind}" if name else kind), output, number))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = []
    for left, middle, right in rows:
        cells = [left.ljust(widths[0]), middle.ljust(widths[1]), right.rjust(widths[2])]
        lines.append("  ".join(c for c, w in zip(cells, widths, strict=True) if w).rstrip())
    return Text("\n".join([*lines, _total(counted_)]))


def _total(parameters: set[Parameter]) -> str:
    total = sum(p.array.size for p in parameters)
    trained = sum(p.array.size for p in parameters if p.needs_grad)
    share = "all trained" if trained == total else f"{trained:,} trained"
    return f"{counted(total, 'parameter')}, {share}; {counted(sum(p.array.nbytes for p in parameters), 'byte')}"


def _output(shapes: dict[str, list[str]], path: str) -> str:
    found = shapes.get(path, [])
    different = list(dict.fromkeys(found))
    if not found:
        return "not called"
    times = f", {len(found)} calls" if len(found) > 1 else ""
    return " ".join(different[:2]) + (" ..." if len(different) > 2 else "") + times


def _shapes(module: Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> dict[str, list[str]]:
    """What each submodule returned, by its path; everything is put back, whatever happens."""
    parts = list(module.named_modules())
    modes = [part.training for _, part in parts]
    hooked = ["_hooks" in vars(part) for _, part in parts]
    shapes: dict[str, list[str]] = {}
    handles: list[Handle] = []
    state = get_rng_state()

    def note(path: str) -> Any:
        return lambda part, args, output: shapes.setdefault(path, []).append(_shape(output))

    try:
        handles += [part.register_forward_hook(note(path)) for path, part in parts]
        module.eval()
        with no_grad():
            module(*inputs, **options)
    finally:
        for handle in handles:
            handle.remove()
        for (_, part), mode, had in zip(parts, modes, hooked, strict=True):
            part.training = mode
            if not had:
                vars(part).pop("_hooks", None)  # a module without hooks is called faster
        set_rng_state(state)
    return shapes


def _shape(output: Any) -> str:
    if isinstance(output, Tensor):
        return str(tuple(output.array.shape))
    if isinstance(output, (list, tuple)):
        return f"({', '.join(_shape(o) for o in output[:4])}{', ...' if len(output) > 4 else ''})"
    return type(output).__name__
