"""What the package does not do: connect anywhere, run text as code, pickle, start programs, write where it is not told.

An audit hook refuses such events while a broad script of the library runs. Only Python's own standard library may
compile and execute: it does so for imports, and to make the methods of a NamedTuple or a dataclass.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_loss as tl

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(tl.__file__).parent
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "socket", "ssl", "http", "urllib", "ftplib", "smtplib",
    "requests", "code", "codeop",
}  # fmt: skip

WATCH = """
import os, sys, sysconfig, tempfile
import numpy as np
folder = tempfile.mkdtemp()
refused, watching, standard = [], False, (sysconfig.get_path("stdlib") + os.sep, "<frozen ")
def hook(event, args):
    if not watching:
        return
    bad = event.split(".")[0] in ("socket", "pickle", "marshal", "urllib", "ftplib", "http", "smtplib", "webbrowser")
    bad = bad or event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.startfile", "os.putenv", "os.fork")
    if event in ("compile", "exec", "marshal.loads"):  # imports, and classes that the standard library writes as text
        caller = sys._getframe(1).f_code.co_filename
        bad = not caller.startswith(standard) or "site-packages" in caller
    if event == "open" and isinstance(args[0], (str, bytes)) and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        bad = not os.fsdecode(args[0]).startswith(folder)
    if bad:
        refused.append(f"{event} {args!r:.200}")
        raise RuntimeError("refused: " + refused[-1])
sys.addaudithook(hook)
sys.dont_write_bytecode = True
"""
BROAD = """
import tinygrad_loss as tl
from tinygrad_loss import nn, optim, viz, autograd, utils, losses
F = nn.functional
tl.manual_seed(0)
x, y = tl.randn(64, 10), tl.randint(0, 3, (64,))
data = utils.data.DataLoader(utils.data.TensorDataset(x, y), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(10, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 3))
optimizer = optim.AdamW(model.parameters())
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
for a, b in data:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(a), b)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
schedule.step()
path = os.path.join(folder, "state.safetensors")
tl.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, path)
state = tl.load(path)
model.load_state_dict(state["model"]); optimizer.load_state_dict(state["optimizer"])
tl.set_num_threads(2)
big = tl.ones(1_100_000, requires_grad=True)
F.log_cosh_loss(big, tl.zeros(1_100_000)).backward()
@losses.loss
def own_loss(input: losses.Real[tl.Tensor, "..."], target: losses.Real[tl.Tensor, "..."], *, power: losses.Positive = 2.0) -> losses.PerElement:
    return abs(input - target) ** power
own_loss.Module(power=3.0)(x, x * 0.5)
print(own_loss, repr(model), F.huber_loss.plan(x, x))
w = tl.rand(3, dtype=tl.float64, requires_grad=True)
assert autograd.gradcheck(lambda t: (t * t).sum(), (w,))
with autograd.detect_anomaly():
    F.mse_loss(w, tl.zeros(3, dtype=tl.float64)).backward()
try:
    F.cross_entropy(x[:, :3], y + 3)
except IndexError:
    pass
logits = x[:2, :3].clone().requires_grad_()
loss = F.cross_entropy(logits, y[:2])
print(viz.tree(loss))
viz.trace(loss).save(os.path.join(folder, "trace.html"))
print(tl.explain(F.cross_entropy, logits, y[:2]))
print(tl.which_loss("multiclass"))
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": ""}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_nothing_forbidden_happens_while_the_library_works() -> None:
    """From its import on, NumPy being there already."""
    done = run(WATCH + "watching = True\n" + BROAD + "\nwatching = False\nprint('END', refused)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("END []"), done.stdout[-300:]


@pytest.mark.parametrize(
    "planted",
    [
        "import socket; socket.socket()", "import pickle; pickle.loads(pickle.dumps([np.dtype]))", "exec('a = 1')", "eval('1 + 1')", "os.system('true')",
        "import subprocess; subprocess.run(['true'])", "open('/tmp/elsewhere-' + str(os.getpid()), 'w')", "compile('1', '<string>', 'eval')",
    ],
)  # fmt: skip
def test_the_hook_refuses(planted: str) -> None:
    done = run(WATCH + "watching = True\n" + planted)
    assert done.returncode != 0
    assert "refused: " in done.stderr


def found_in(tree: ast.AST) -> list[str]:
    """Names of what must not be there."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
            found.append(node.id)
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            found.append(node.module or "")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not (isinstance(node.value, ast.Constant) and node.value.value is False):
            found.append("allow_pickle")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load" and isinstance(node.func.value, ast.Name) and node.func.value.id == "np":
            found.append("np.load")
    return found


def test_the_source_has_nothing_of_the_kind() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    assert {str(f): found for f in files if (found := found_in(ast.parse(f.read_text(encoding="utf-8"))))} == {}
    planted = found_in(ast.parse("import pickle\nfrom urllib.request import urlopen\neval('1')\nnp.load('x', allow_pickle=True)"))
    assert sorted(planted) == ["allow_pickle", "eval", "np.load", "pickle", "urllib.request"]
