"""Writes golden.npz: torch's values and derivatives, so that agreement is tested where torch is not installed.

``python -m tests.golden.make_golden``, with torch. One flat array of numbers and a JSON index into it: inputs are
stored with the answers, so nothing depends on a random number generator.
"""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tinygrad_loss as tl
from tests.evaluation import answer, compare
from tests.loss_samples import LossSample, samples
from tests.oracle.test_losses import CONSTANT, ONCE, as_torch_takes_it
from tests.oracle.torch_side import operation
from tests.samples import OPERATIONS, Array, Sample
from tinygrad_loss.losses import LOSSES

PATH = Path(__file__).parent / "golden.npz"
NOT_TORCH = {"pick", "times_log", "binary_log_likelihood"}
LEFT_OUT = {"cosine_similarity": 3, "xlogy": 9}  # samples where torch deviates (see the oracle's table)


class Store:
    """Numbers one after the other; equal arrays are stored once."""

    def __init__(self) -> None:
        self.numbers: list[Array] = []
        self.known: dict[Any, list[Any]] = {}
        self.size = 0

    def put(self, x: Array | None) -> list[Any] | None:
        """[offset, shape, kind]"""
        if x is None:
            return None
        x = np.asarray(x)
        key = (x.shape, x.dtype.str, x.tobytes())
        if key not in self.known:
            self.known[key] = [self.size, list(x.shape), x.dtype.kind]
            self.numbers.append(x.astype(np.float64).ravel())
            self.size += x.size
        return self.known[key]

    def value(self, v: Any) -> Any:
        """An argument as JSON: arrays by reference, lists of them, numbers, text."""
        if isinstance(v, np.ndarray):
            return {"array": self.put(v)}
        if isinstance(v, (tuple, list)):
            return [self.value(x) for x in v]
        if isinstance(v, float) and math.isinf(v):
            return {"inf": v > 0}
        return v


def operations(store: Store) -> list[Any]:
    found = []
    for name in sorted(set(OPERATIONS) - NOT_TORCH):
        kinked = [x for x in OPERATIONS[name] if x.kink]
        for i, sample in enumerate([*OPERATIONS[name][:4], *kinked]):
            if i == LEFT_OUT.get(name) or (sample.kink and name in ("xlogy", "std", "norm", "embedding")):
                continue
            found.append(_operation(store, name, sample))
    return found


def _operation(store: Store, name: str, sample: Sample) -> Any:
    parts = 1 if name == "floor_divide" else 3
    answers = answer(torch, operation(name), sample.args, sample.settings, np.float64, parts)
    return [name, store.value(sample.args), {k: store.value(v) for k, v in sample.settings.items()}, parts,
            [[store.put(x) for x in part] for part in answers]]  # fmt: skip


def losses(store: Store) -> list[Any]:
    found, deviating = [], 0
    for name, loss in LOSSES.items():
        if hasattr(torch.nn.functional, name):
            chosen = [x for x in samples(loss) if not any(callable(v) for v in x.options.values())]
            every = 3 if len(chosen) < 60 else len(chosen) // 12
            for i, sample in enumerate(chosen):
                for j, reduction in enumerate(loss.declaration.reductions):
                    if (i + j) % every == 0 or (i < 12 and sample.options == loss.declaration.options):
                        record = _loss(store, name, sample, reduction)
                        deviating += record is None
                        found += [record] if record is not None else []
    print(f"{deviating} calls in which torch deviates (see the table of deviations) are left out")
    return found


def _loss(store: Store, name: str, sample: LossSample, reduction: str) -> Any:
    by = [n for n in sample.given() if n not in CONSTANT.get(name, ()) and sample.given()[n].dtype.kind == "f"]
    fixed = {n: torch.from_numpy(x) for n, x in sample.given().items() if n not in by}
    ours = {n: tl.tensor(x) for n, x in sample.given().items() if n not in by}
    parts = 1 if name == "ctc_loss" else 2 if name in ONCE else 3  # torch's gradient of ctc is another (see the deviations)

    def call(*x: Any) -> Any:
        given = as_torch_takes_it(sample, {**dict(zip(by, x, strict=True)), **fixed})
        return getattr(torch.nn.functional, name)(**given, **sample.options, reduction=reduction)

    def our_call(*x: Any) -> Any:
        return LOSSES[name](**dict(zip(by, x, strict=True)), **ours, **sample.options, reduction=reduction)

    arrays = [sample.given()[n] for n in by]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answers = answer(torch, call, arrays, {}, np.float64, parts)
            compare(answer(tl, our_call, arrays, {}, np.float64, parts), answers, np.float64, (1e-13, 1e-12, 1e-9))
        except (AssertionError, RuntimeError, ValueError):
            return None
    return [name, {n: store.put(x) for n, x in sample.given().items()}, by, sample.options, reduction,
            [[store.put(x) for x in part] for part in answers], parts]  # fmt: skip


def main() -> None:
    store = Store()
    index = {"torch": torch.__version__, "operations": operations(store), "losses": losses(store)}
    numbers = np.concatenate(store.numbers)
    np.savez_compressed(PATH, numbers=numbers, index=np.array(json.dumps(index, separators=(",", ":"))))
    print(f"{PATH.name}: torch {torch.__version__}, {len(index['operations'])} calls of operations, "
          f"{len(index['losses'])} of losses, {numbers.size} numbers, {PATH.stat().st_size / 1e3:.0f} kB")  # fmt: skip


if __name__ == "__main__":
    main()
