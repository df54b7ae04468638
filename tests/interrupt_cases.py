"""What tests/interrupts.py interrupts: operations, with the bytes of all that they may touch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tinygrad_loss as tl

F, nn, optim = tl.nn.functional, tl.nn, tl.optim
Observed = list[bytes]


@dataclass(frozen=True)
class Case:
    """``fresh()`` gives (work, observe): what is interrupted, and the bytes of all it may touch.

    ``whole``: it promises all or nothing.
    """

    name: str
    fresh: Callable[[], tuple[Callable[[], Any], Callable[[], Observed]]]
    whole: bool = True
    rarely: int = 1  # strike at every so many places: for what takes long


def bits(tensors: Iterable[Any]) -> Observed:
    """Values and gradients."""
    found = []
    for t in tensors:
        found.append(t.array.tobytes())
        found.append(b"none" if t.grad is None else t.grad.array.tobytes())
    return found


def model() -> Any:
    tl.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def _loss(net: Any) -> Any:
    x, target = tl.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]), tl.tensor([0, 1])
    return F.cross_entropy(net(x), target) + F.mse_loss(net(x).log_softmax(1), tl.zeros(2, 2))


def forward() -> Any:
    net, found = model(), []

    def work() -> None:
        with tl.scope("try"):
            y = _loss(net)
        with tl.no_grad():
            z = _loss(net)
        found.append(y.array.tobytes() + z.array.tobytes())

    return work, lambda: [*bits(net.parameters()), *found]


def backward(create_graph: bool = False, inputs: bool = False, shape: tuple[int, ...] = ()) -> Any:
    net = model()
    _loss(net).backward()  # something to lose
    y = _loss(net).reshape(shape)
    some = [next(iter(net.parameters()))] if inputs else None
    return lambda: y.backward(create_graph=create_graph, inputs=some), lambda: bits(net.parameters())


def grad() -> Any:
    """Struck on its last steps, it has freed the graph, and the answer is lost."""
    net = model()
    y, wanted = _loss(net), list(net.parameters())
    right = [g.array.tobytes() for g in tl.autograd.grad(y, wanted, retain_graph=True)]

    def work() -> None:
        if [g.array.tobytes() for g in tl.autograd.grad(y, wanted)] != right:
            raise AssertionError("autograd.grad: another answer than before")

    return work, lambda: [*bits(wanted), repr(y.args is None).encode()]


def large(backwards: bool = True) -> Any:
    x, target = tl.linspace(0, 1, 1_100_000, requires_grad=True), tl.zeros(1_100_000)
    found: list[bytes] = []
    if backwards:
        y = F.log_cosh_loss(x, target)
        return y.backward, lambda: bits([x])

    def work() -> None:
        F.log_cosh_loss.plans.clear()  # so that its plan is made anew, each time
        y = F.log_cosh_loss(x, target)
        found.append(y.array.tobytes() + tl.autograd.grad(y, x)[0].array.tobytes())

    return work, lambda: [*bits([x]), *found]


def step(make: Callable[[Any], Any], steps: int = 1) -> Any:
    net = model()
    optimizer = make(net.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(net).backward()
        optimizer.step()
    optimizer.zero_grad()
    _loss(net).backward()

    def observe() -> Observed:
        state = optimizer.state_dict()["state"]
        return bits(net.parameters()) + [repr((i, k, getattr(v, "array", v))).encode() for i, e in state.items() for k, v in e.items()]

    return optimizer.step, observe


def load_model() -> Any:
    net, other = model(), model()
    state = {k: v + 1.0 for k, v in other.state_dict().items()}
    return (lambda: net.load_state_dict(state)), lambda: bits(net.parameters())


def load_optimizer() -> Any:
    net = model()
    ready = optim.Adam(net.parameters(), lr=0.5)
    _loss(net).backward()
    ready.step()
    state = ready.state_dict()
    optimizer = optim.Adam(net.parameters(), lr=0.25)
    return (lambda: optimizer.load_state_dict(state)), lambda: [repr(optimizer.state_dict()).encode()]


def draw(name: str, *sizes: int) -> Any:
    tl.manual_seed(3)
    found: list[bytes] = []

    def work() -> None:
        found.append(getattr(tl, name)(*sizes).array.tobytes())

    return work, lambda: [tl.get_rng_state().array.tobytes(), *found]


def seeded(restore: bool = False) -> Any:
    tl.manual_seed(3)
    state = tl.get_rng_state()
    tl.manual_seed(4)
    tl.rand(5)
    return (lambda: tl.set_rng_state(state)) if restore else (lambda: tl.manual_seed(9)), lambda: [tl.get_rng_state().array.tobytes()]


def save() -> Any:
    net = model()
    path = Path(tempfile.gettempdir()) / f"interrupts-{os.getpid()}.safetensors"
    tl.save({"old": tl.ones(3)}, path)

    # a temporary file may be left; the next save removes it
    return (lambda: tl.save(net.state_dict(), path)), lambda: [path.read_bytes()]


def in_place() -> Any:
    x = tl.tensor([1.0, 2.0, 3.0])

    def work() -> None:
        x.mul_(2.0)

    return work, lambda: bits([x])


def clip() -> Any:
    net = model()
    _loss(net).backward()
    return (lambda: nn.utils.clip_grad_norm_(net.parameters(), 0.01)), lambda: bits(net.parameters())


def cast() -> Any:
    net = model()
    _loss(net).backward()
    return net.double, lambda: bits(net.parameters())


CASES = [
    Case("forward, in a scope and in no_grad", forward),
    Case("backward", backward),
    Case("backward of shape (1,)", lambda: backward(shape=(1,))),
    Case("backward, create_graph", lambda: backward(create_graph=True), rarely=5),
    Case("backward, inputs", lambda: backward(inputs=True)),
    Case("autograd.grad", grad),
    Case("a large loss on threads", lambda: large(backwards=False), rarely=29),
    Case("backward of a large loss", large),
    Case("Module.load_state_dict", load_model),
    Case("Optimizer.load_state_dict", load_optimizer),
    Case("save", save),
    Case("manual_seed", seeded),
    Case("set_rng_state", lambda: seeded(True)),
    Case("mul_", in_place),
    Case("rand", lambda: draw("rand", 20), whole=False),
    Case("randn of 5", lambda: draw("randn", 5), whole=False),
    Case("randn of 21", lambda: draw("randn", 21), whole=False),
    Case("SGD.step", lambda: step(lambda p: optim.SGD(p, lr=0.1)), whole=False),
    Case("SGD.step with momentum", lambda: step(lambda p: optim.SGD(p, lr=0.1, momentum=0.9)), whole=False),
    Case("Adam.step, the first", lambda: step(optim.Adam, 0), whole=False),
    Case("Adam.step", lambda: step(optim.Adam), whole=False),
    Case("RMSprop.step", lambda: step(optim.RMSprop), whole=False),
    Case("clip_grad_norm_", clip, whole=False),
    Case("Module.double", cast, whole=False),
]
