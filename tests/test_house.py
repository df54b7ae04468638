"""The rules of the house: layout, file lengths, the direction of imports, and what an import brings along."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygrad_loss as tl

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_loss"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {f: ast.parse(f.read_text(encoding="utf-8")) for f in FILES}
TOP = {"pyproject.toml", "README.md", "LICENSE", "tinygrad_loss", "examples", "notebooks", "tests"}
GENERATED = {"build", "dist", "__pycache__"}
OPTIONAL = {"graphviz", "pygraphviz", "tqdm", "matplotlib", "torch", "IPython"}
# One step may use what is on its own level or below it; what is not listed hangs off the side.
LEVELS = [
    {"quiet", "dtypes", "accumulate", "modes", "callsite", "writes", "devices", "atomic", "coercion", "tracing", "threads"},
    {"tape"}, {"walk"}, {"backward"}, {"primitive"}, {"ops", "printing"},
    {"creation", "ingest", "filling", "generator", "random", "registry", "state_dict", "strict_json", "tree", "module"},
    {"operators"},  # binds everything as methods
    {"losses"}, {"nn"}, {"optim"},
]  # fmt: skip
SIDE = {"autograd", "choose", "explanation", "memory", "serialization", "utils", "viz"}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(f) for f in FILES}


def imports(file: Path, tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """(statement, absolute name) of every import, also inside functions, but for those of type checkers."""
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
    checking = {
        id(inner) for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) for inner in ast.walk(node)
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            if any(f"{name}.{alias.name}" not in MODULES for alias in node.names):
                yield node, name
            yield from ((node, f"{name}.{alias.name}") for alias in node.names)


GRAPH = {module_of(f): {n for _, n in imports(f, TREES[f]) if n in MODULES} - {module_of(f)} for f in FILES}


def room(name: str) -> str:
    if name == "tinygrad_loss.ops.operators":
        return "operators"
    return name.split(".")[1] if "." in name else ""


def test_top_level() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    tracked = {line.split("/")[0] for line in listed if line}
    found = tracked or {p.name for p in ROOT.iterdir()} - GENERATED
    assert not {n for n in found if not n.startswith(".") and not n.endswith(".egg-info")} - TOP


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_file_length(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 320


def test_every_module_has_its_place() -> None:
    rooms = {room(m) for m in MODULES} - {""}
    assert not rooms - set().union(*LEVELS) - SIDE, "a new module: say in LEVELS where it stands"


def test_imports_run_one_way() -> None:
    level = {name: i for i, names in enumerate(LEVELS) for name in names}
    wrong = [
        f"{a} imports {b}" for a, found in GRAPH.items() for b in found
        if room(a) in level and room(b) != "" and (room(b) in SIDE or level[room(b)] > level[room(a)])
    ]  # fmt: skip
    assert not wrong
    assert not [f"{a} imports the package itself" for a, found in GRAPH.items() if "tinygrad_loss" in found and room(a)]


def test_no_import_cycles() -> None:
    state: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert state.get(name) != 1, " -> ".join((*path[path.index(name) :], name))
        if name not in state:
            state[name] = 1
            for other in sorted(GRAPH.get(name, ())):
                if not name.startswith(f"{other}.") and not other.startswith(f"{name}."):
                    visit(other, (*path, name))
            state[name] = 2

    for name in sorted(MODULES):
        visit(name, ())


LATE = {("tinygrad_loss", f"tinygrad_loss.{name}") for name in (*SIDE, "losses", "nn", "optim")}  # the package imports these rooms on first use
LATE |= {("tinygrad_loss.threads", name) for name in ("concurrent.futures", "concurrent.futures.ThreadPoolExecutor")}  # only for large losses
LATE |= {("tinygrad_loss.memory", "ctypes")}  # only for those who ask for it


def test_no_imports_inside_functions() -> None:
    """But for what is optional, and for the one that :data:`LATE` names."""
    wrong = []
    for file, tree in TREES.items():
        names = [(id(node), name) for node, name in imports(file, tree)]
        functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]
        inside = {id(node) for function in functions for node in ast.walk(function)}
        for node, name in names:
            if node in inside and name.split(".")[0] not in OPTIONAL and (module_of(file), name) not in LATE:
                wrong.append(f"{module_of(file)}: {name}")
    assert not wrong


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_code_from_data(file: Path) -> None:
    """No pickle, eval or exec, and no dynamic import."""
    for _, name in imports(file, TREES[file]):
        refused = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "importlib", "runpy"}
        if file == PACKAGE / "__init__.py":
            refused -= {"importlib"}  # files on first use, by constant names: see test_lazy_names_are_constants
        assert name.split(".")[0] not in refused
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}, f"line {node.lineno}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant) and node.value.value is False
        assert not (isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)), "import *"


def test_lazy_names_are_constants() -> None:
    calls = [n for n in ast.walk(TREES[PACKAGE / "__init__.py"]) if isinstance(n, ast.Call) and "import_module" in ast.dump(n.func)]
    assert all(isinstance(c.args[0], ast.Constant) and str(c.args[0].value).startswith(".") for c in calls)


def test_only_utils_is_called_utils() -> None:
    assert not [m for m in MODULES if m.split(".")[-1] in ("utils", "util", "helpers", "misc", "common") and m != "tinygrad_loss.utils"
                and m != "tinygrad_loss.nn.utils"]  # fmt: skip


def test_third_parties() -> None:
    """NumPy, the standard library, and what is optional."""
    allowed = {"numpy", "tinygrad_loss", *OPTIONAL} | set(sys.stdlib_module_names)
    assert not {n.split(".")[0] for f, tree in TREES.items() for _, n in imports(f, tree)} - allowed
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {d.split(">")[0].split("=")[0] for d in project["dependencies"]} == {"numpy", "graphviz"}


def test_every_public_name_exists() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            assert hasattr(module, public), f"{name}.__all__ names {public!r}, which is not there"
    assert len(set(tl.__all__)) == len(tl.__all__) and not any(n.startswith("_") for n in tl.__all__)


def test_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert all(ast.get_docstring(tree) for f, tree in TREES.items() if f.name != "__init__.py" or f.read_text(encoding="utf-8").strip())


def test_import_is_light() -> None:
    """``import tinygrad_loss`` brings nothing optional along, changes no setting, and prints nothing."""
    code = (
        "import sys, numpy as np, warnings; before, filters = np.geterr(), list(warnings.filters)\n"
        "import tinygrad_loss\n"
        f"print(sorted({OPTIONAL!r} & set(sys.modules)), np.geterr() == before, warnings.filters == filters)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "[] True True\n", done.stdout + done.stderr


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", f"import sys\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_brings_little_along() -> None:
    """Its time is that of finding and reading files, so what counts is how many there are, beside NumPy's."""
    brought = set(fresh("import numpy; before = set(sys.modules); import tinygrad_loss; print(*{*sys.modules} - before)").split())
    ours = {name for name in brought if name.split(".")[0] == "tinygrad_loss"}
    assert brought - ours <= {"__future__", "gc", "heapq", "_heapq"}
    assert not {room(name) for name in ours} & {name.split(".")[-1] for _, name in LATE} - {""}
    assert not {room(name) for name in ours} & {"module", "registry", "state_dict"} and len(ours) <= 50


@pytest.mark.parametrize("name", ["nn", "losses", "loss", "set_value_checks", "optim", "viz", "which_loss", "save"])
def test_late_names(name: str) -> None:
    """They are there however they are asked for first, and listed before."""
    found = fresh(
        f"import tinygrad_loss as torch; listed = {name!r} in dir(torch); a = torch.{name}\n"
        f"from tinygrad_loss import {name} as b, nn; F = nn.functional\n"
        "print(listed, a is b, isinstance(nn.MSELoss(), nn.Module), F.mse_loss is torch.losses.mse_loss)"
    )
    assert found == "True True True True"


def test_late_rooms_come_alike_under_any_setting() -> None:
    """What the user has set when a loss is first asked for leaves no trace in it."""
    use = "x = t.tensor([0.5, 3.0], requires_grad=True); y = t.nn.HuberLoss()(x, t.zeros(2)); y.backward(); print(y, x.grad, t.rand(1))"
    plain = fresh(f"import tinygrad_loss as t; t.nn, t.optim, t.manual_seed(0)\n{use}")
    assert plain == fresh(
        "import numpy as np, tinygrad_loss as t; t.manual_seed(0); np.seterr(all='raise'); t.set_default_dtype(t.float64)\n"
        "with t.inference_mode(), t.scope('outer'): t.nn.functional.mse_loss, t.optim\n"
        f"t.set_default_dtype(t.float32)\n{use}"
    )


def test_names_of_late_primitives_are_taken() -> None:
    """A user's primitive cannot have them before nn is there either, or nn could not be imported afterwards."""
    before = "import tinygrad_loss as t; from tinygrad_loss.primitive import LATE, PRIMITIVES; first = set(PRIMITIVES)\n"
    rooms = ", ".join(sorted(name for _, name in LATE if name.startswith("tinygrad_loss.")))
    assert fresh(f"{before}import {rooms}\nprint({{*PRIMITIVES}} - first == LATE)") == "True"
    refused = "try: t.primitive(abs, name='log_cosh')\nexcept ValueError as error: print(error, t.nn.MSELoss())"
    assert fresh(before + refused) == "primitive: 'log_cosh' is declared already; pass another name= MSELoss()"
