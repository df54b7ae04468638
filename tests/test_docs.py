"""Every public name has a docstring, and its example prints what it says."""

from __future__ import annotations

import doctest
import inspect
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, losses, nn, optim, utils, viz
from tinygrad_loss.nn import functional, init
from tinygrad_loss.optim import lr_scheduler
from tinygrad_loss.utils import data

PLACES: dict[str, ModuleType] = {
    "": tl, "nn.": nn, "F.": functional, "nn.init.": init, "optim.": optim, "lr_scheduler.": lr_scheduler,
    "autograd.": autograd, "losses.": losses, "utils.data.": data, "viz.": viz,
}  # fmt: skip
NAMES = {n: getattr(tl, n) for n in tl.__all__ if n not in ("float", "int", "bool")}  # in examples these are Python's
GLOBALS: dict[str, Any] = {
    **NAMES, "np": np, "tl": tl, "torch": tl, "nn": nn, "optim": optim, "autograd": autograd, "F": functional,
    "utils": utils, "lr_scheduler": lr_scheduler, "__name__": "doctest",
}  # fmt: skip
# Names of the language of annotations and of dtypes: instances or aliases, which carry no docstring of their own.
ALIASES = {"PerElement", "PerExample", "Weighted", "LOSSES"}
PARSER = doctest.DocTestParser()
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def names_of(where: ModuleType) -> list[str]:
    listed = getattr(where, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(n for n, v in vars(where).items() if not n.startswith("_") and getattr(v, "__module__", "") == where.__name__)


def public() -> list[tuple[str, Any]]:
    """Every public function and class, each once, by its shortest name."""
    found: dict[int, tuple[str, Any]] = {}
    for prefix, where in PLACES.items():
        for name in names_of(where):
            x = getattr(where, name)
            if name not in ALIASES and not inspect.ismodule(x) and (callable(x) or isinstance(x, property)):
                found.setdefault(id(x), (prefix + name, x))
    return sorted(found.values(), key=lambda pair: pair[0])


PUBLIC = public()
HAVE_EXAMPLES = [(n, x) for n, x in PUBLIC if ">>>" in (inspect.getdoc(x) or "")]


def run(name: str, doc: str) -> None:
    test = PARSER.get_doctest(doc, dict(GLOBALS), name, None, 0)
    printed: list[str] = []
    with np.errstate(all="ignore"):
        doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=printed.append)
    assert not printed, "".join(printed)


@pytest.fixture(autouse=True)
def _restore() -> Any:
    options = tl.get_default_dtype()
    yield
    tl.set_default_dtype(options)


@pytest.mark.parametrize(("name", "x"), PUBLIC, ids=[n for n, _ in PUBLIC])
def test_docstring(name: str, x: Any) -> None:
    doc = getattr(x, "__doc__", None)
    assert doc and doc.strip(), f"{name} has no docstring"
    own = x.__doc__ if not inspect.isclass(x) else vars(x).get("__doc__")
    assert own, f"{name}: inherits the docstring of {x.__mro__[1].__name__}; write its own"


@pytest.mark.parametrize(("name", "x"), HAVE_EXAMPLES, ids=[n for n, _ in HAVE_EXAMPLES])
def test_example(name: str, x: Any) -> None:
    run(name, inspect.getdoc(x) or "")


def test_methods_examples() -> None:
    """Examples in methods of public classes."""
    count = 0
    for name, x in PUBLIC:
        if inspect.isclass(x):
            for method, f in vars(x).items():
                doc = inspect.getdoc(f) if callable(f) or isinstance(f, (property, classmethod, staticmethod)) else None
                if doc and ">>>" in doc and not method.startswith("__"):
                    run(f"{name}.{method}", doc)
                    count += 1
    assert count >= 1


def test_packages_own_examples() -> None:
    for where in (tl, *(m for m in PLACES.values() if ">>>" in (m.__doc__ or ""))):
        run(where.__name__, where.__doc__ or "")


def _marks(x: Any) -> set[str]:
    return {mark for mark in (">>>", "example is at") if mark in (inspect.getdoc(x) or "")}


def test_functions_have_examples() -> None:
    """Every public function shows one call; classes may share their function's."""
    functions = [
        n for n, x in PUBLIC
        if (inspect.isfunction(x) or isinstance(x, losses.Loss)) and not {">>>", "example is at"} & _marks(x)
    ]  # fmt: skip
    assert not functions, f"functions without an example: {functions}"


def test_losses_say_where_they_come_from_and_what_they_raise() -> None:
    for name, loss in losses.LOSSES.items():
        if loss.__module__.startswith("tinygrad_loss"):
            assert ">>>" in loss.__doc__ and len(loss.__doc__.strip().splitlines()) >= 3, name
            assert loss.Module.__doc__ and ">>>" in loss.Module.__doc__, name
