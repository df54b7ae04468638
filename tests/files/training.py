"""A training run that can be stopped after any step and goes on from a file, by public means only."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tinygrad_loss as tl

from ..saved import packed

nn, optim = tl.nn, tl.optim
EPOCHS, BATCHES = 3, 4
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {}),
    "SGD, weight decay, maximize": ("SGD", {"weight_decay": 0.1, "maximize": True, "lr": 1e-4}),
    "SGD, momentum": ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    "SGD, nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "Adam": ("Adam", {}),
    "Adam, amsgrad": ("Adam", {"amsgrad": True, "weight_decay": 0.01}),
    "AdamW": ("AdamW", {}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop, centered, momentum": ("RMSprop", {"centered": True, "momentum": 0.9}),
}
SCHEDULERS = ["none", "StepLR", "LambdaLR", "CosineAnnealingLR", "ReduceLROnPlateau"]
LOSSES = ["cross_entropy", "focal", "mse", "huber"]


class Decay:
    """A callable with state of its own, which LambdaLR saves."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return 0.9**epoch * (1.0 + 1e-3 * self.calls)


class Net(nn.Module):
    """Dropout, normalisation, an embedding, a buffer that training changes, and a weight under two names."""

    def __init__(self, dtype: Any, p: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.first = nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.Tanh(), nn.Dropout(p))
        self.again = self.first[0]
        self.last = nn.Linear(6, 3)
        self.register_buffer("mean", tl.zeros(6))
        self.to(dtype)

    def forward(self, x: Any, category: Any) -> Any:
        h = self.first(tl.cat([x, self.embed(category)], 1))
        if self.training:
            self.mean = self.mean * 0.9 + h.detach().mean(0) * 0.1
        return self.last(h + self.mean)


def options(index: int) -> dict[str, Any]:
    """What training number ``index`` is made of; the first 45 pair every optimizer with every scheduler."""
    draw = random.Random(index)
    names = list(OPTIMIZERS)
    return {
        "optimizer": names[index % len(names)], "scheduler": SCHEDULERS[index // len(names) % len(SCHEDULERS)],
        "loss": LOSSES[index % len(LOSSES)], "dtype": draw.choice(["float32", "float32", "float64"]), "seed": draw.randrange(2**32),
        "own generator": draw.random() < 0.5, "groups": draw.random() < 0.5, "each step": draw.random() < 0.3,
        "dropout": draw.choice([0.0, 0.3, 0.5]), "drop last": draw.random() < 0.5, "clip": draw.random() < 0.3,
    }  # fmt: skip


class Training:
    """The run that ``options(index)`` describes; ``fresh`` is a seed for everything that the file must overwrite."""

    def __init__(self, index: int, fresh: int | None = None) -> None:
        self.options = chosen = options(index)
        dtype = getattr(tl, chosen["dtype"])
        data = tl.Generator().manual_seed(chosen["seed"])
        rows = BATCHES * 5 + (0 if chosen["drop last"] else 2) - (5 if not chosen["drop last"] else 0)
        self.targets = tl.randn(rows, 3, generator=data).to(dtype)
        x = tl.randn(rows, 4, generator=data).to(dtype)
        category, labels = (tl.randint(0, n, (rows,), generator=data) for n in (5, 3))
        tl.manual_seed(chosen["seed"] if fresh is None else fresh)
        self.model = Net(dtype, chosen["dropout"])
        self.generator = tl.Generator().manual_seed(chosen["seed"] if fresh is None else fresh)
        self.loader = tl.utils.data.DataLoader(
            tl.utils.data.TensorDataset(x, category, labels, self.targets), batch_size=5, shuffle=True,
            drop_last=chosen["drop last"], generator=self.generator if chosen["own generator"] else None,
        )  # fmt: skip
        name, settings = OPTIMIZERS[chosen["optimizer"]]
        settings = {"lr": 0.02, **settings}
        params: Any = list(self.model.parameters())
        if chosen["groups"]:
            params = [{"params": params[:3]}, {"params": params[3:], "lr": 0.005}]
        self.optimizer = getattr(optim, name)(params, **settings)
        self.scheduler = self._scheduler(chosen["scheduler"])
        self.epoch = self.batch = 0
        self.losses: list[float] = []
        self.random_at_epoch: dict[str, Any] = {}

    def _scheduler(self, name: str) -> Any:
        s = optim.lr_scheduler
        made = {
            "StepLR": lambda: s.StepLR(self.optimizer, 2, 0.5),
            "LambdaLR": lambda: s.LambdaLR(self.optimizer, Decay()),
            "CosineAnnealingLR": lambda: s.CosineAnnealingLR(self.optimizer, 5, 1e-4),
            "ReduceLROnPlateau": lambda: s.ReduceLROnPlateau(self.optimizer, patience=0, factor=0.5, threshold=0.5),
        }
        return made[name]() if name in made else None

    def steps(self) -> Iterator[int]:
        """Train to the end, from here; yields the number of steps done after each."""
        while self.epoch < EPOCHS:
            now = self._random()
            if self.batch:  # the order of this epoch again, without what is done already
                self._set_random(self.random_at_epoch)
            else:
                self.random_at_epoch = now
            batches = iter(self.loader)
            for _ in itertools.islice(batches, self.batch):
                pass
            if self.batch:
                tl.set_rng_state(now["default"])  # dropout has drawn from it in between
            for batch in batches:
                self._step(*batch)
                self.batch += 1
                yield len(self.losses)
            self.epoch, self.batch = self.epoch + 1, 0
            if not self.options["each step"]:
                self._schedule()

    def _step(self, x: Any, category: Any, labels: Any, targets: Any) -> None:
        kind, f = self.options["loss"], nn.functional
        self.optimizer.zero_grad()
        out = self.model(x, category)
        if kind == "cross_entropy":
            loss = f.cross_entropy(out, labels, label_smoothing=0.1)
        elif kind == "focal":
            loss = (f.cross_entropy(out, labels, reduction="none") * (1 - out.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1))).mean()
        else:
            loss = (f.mse_loss if kind == "mse" else f.huber_loss)(out, targets)
        loss.backward()
        if self.options["clip"]:
            nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimizer.step()
        self.losses.append(loss.item())
        if self.options["each step"]:
            self._schedule()

    def _schedule(self) -> None:
        if isinstance(self.scheduler, optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(self.losses[-1])
        elif self.scheduler is not None:
            self.scheduler.step()

    def _random(self) -> dict[str, Any]:
        return {"default": tl.get_rng_state(), "own": self.generator.get_state()}

    def _set_random(self, state: dict[str, Any]) -> None:
        tl.set_rng_state(state["default"])
        self.generator.set_state(state["own"])

    def state_dict(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {
            **{name: part.state_dict() for name, part in parts.items() if part is not None},
            "random": self._random(), "random at the epoch": self.random_at_epoch,
            "epoch": self.epoch, "batch": self.batch, "losses": self.losses,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self._set_random(state["random"])
        self.random_at_epoch = state["random at the epoch"]
        self.epoch, self.batch, self.losses = state["epoch"], state["batch"], state["losses"]

    def bits(self) -> bytes:
        assert all(map(math.isfinite, self.losses))
        return packed(self.state_dict())


def straight(index: int) -> tuple[int, bytes]:
    """The number of steps of a run that is never interrupted, and its bits at the end."""
    training = Training(index)
    return sum(1 for _ in training.steps()), training.bits()


def interrupted(index: int, step: int, path: Path) -> None:
    """Train that many steps and save."""
    training = Training(index)
    for done in training.steps() if step else ():
        if done >= step:
            break
    tl.save(training.state_dict(), path)


def resumed(index: int, path: Path, seed: int) -> bytes:
    """The bits at the end of a run that goes on from the file."""
    training = Training(index, fresh=seed)
    tl.rand(seed % 7)
    training.load_state_dict(tl.load(path))
    for _ in training.steps():
        pass
    return training.bits()
