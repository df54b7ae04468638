"""The centre of the suite: every registered primitive, every public operation and every registered loss obeys every law.

Nothing is listed by hand: a new primitive fails until it has a sample, a new loss is tested by being declared.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss.losses import LOSSES, NonNegative, PerElement, PerExample, Real, loss
from tinygrad_loss.ops import operators
from tinygrad_loss.primitive import PRIMITIVES

from . import (
    laws,
    loss_call_laws,
    loss_count_laws,
    loss_laws,
    loss_metamorphic,
    loss_refusal_laws,
    loss_samples,
    loss_value_laws,
    loss_weight_laws,
)
from .primitive_samples import primitive_samples
from .samples import OPERATIONS, Sample

PRIMITIVE_SAMPLES = primitive_samples()
NO_NUMBER = {  # what takes no 0-d array of floats, by its meaning
    "dot", "outer", "mm", "bmm", "mv", "linear", "tril", "triu", "diagonal", "standardize", "rstd", "cat", "prod", "var",
    "std", "transpose", "ctc_likelihood", "scatter", "scatter_add", "put_diagonal", "sum_to_size", "squeeze", "where", "take_along_dim",
}  # fmt: skip
NO_EMPTY = {"amax", "amin", "argmax", "argmin", "var", "std", "take_along_dim"}  # nothing to choose from, nothing to divide by


UNSAMPLED = {"dropout", "allclose", "equal", "isclose"}  # random; questions about tensors, not steps of a computation


def of_package(prefix: str) -> list[str]:
    """The registered names, without what tests and doctests declare themselves."""
    return sorted(n for n, op in PRIMITIVES.items() if op.function.__module__.startswith(prefix))


def public_operations() -> dict[str, Callable[..., Any]]:
    """Every function of the operations' modules that users can reach by name."""
    found = {}
    for where in (tl, tl.nn.functional):
        for name in where.__all__:
            f = getattr(where, name)
            if getattr(f, "__module__", "").startswith(("tinygrad_loss.ops", "tinygrad_loss.nn.functional")) and callable(f):
                found[name] = f
    return found


def lookup(name: str) -> Callable[..., Any]:
    return public_operations()[name]


def obey(law: Callable[..., None], function: Callable[..., Any], samples: list[Sample]) -> None:
    for i, sample in enumerate(samples):
        try:
            law(function, sample)
        except BaseException as error:
            error.add_note(f"{law.__name__}, sample {i} of {function.__name__}: {sample}")
            raise


@pytest.mark.parametrize("name", of_package("tinygrad_loss"))
def test_primitive(name: str) -> None:
    assert name in PRIMITIVE_SAMPLES, f"primitive {name!r} has no sample: add one to tests/samples.py"
    for law in laws.LAWS:
        obey(law, PRIMITIVES[name].function, PRIMITIVE_SAMPLES[name])


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation(name: str) -> None:
    function = lookup(name)
    for law in laws.LAWS:
        if law is not laws.law_raw_equals_tensor or function.__module__.startswith("tinygrad_loss.ops"):
            obey(law, function, OPERATIONS[name])


def test_every_public_operation_has_samples() -> None:
    known = {id(lookup(n)) for n in OPERATIONS}
    missing = [n for n, f in public_operations().items() if id(f) not in known and n not in UNSAMPLED]
    assert not missing, f"public operations without samples: {missing}"


def test_every_method_is_a_sampled_operation() -> None:
    known = {id(lookup(n)) for n in OPERATIONS}
    elsewhere = {"tinygrad_loss.ops.conversion", "tinygrad_loss.ops.inplace", "tinygrad_loss.ops.protocols"}
    methods = {
        n: f for n, f in operators._METHODS.items()
        if f.__module__.startswith("tinygrad_loss.ops") and f.__module__ not in elsewhere
    }  # fmt: skip
    same = {"sum_to_size", "where", "reshape_as", "view_as", "view", "expand", "expand_as"}  # tested by what they call
    assert not [n for n, f in methods.items() if id(f) not in known and n not in same]


@pytest.mark.parametrize("name", of_package("tinygrad_loss"))
def test_samples_cover_numbers_and_empty_arrays(name: str) -> None:
    floats = [[x for x in laws.arrays_of(sample.args) if x.dtype.kind == "f"] for sample in PRIMITIVE_SAMPLES[name]]
    if not any(floats):
        return
    assert name in NO_NUMBER or any(x.ndim == 0 for xs in floats for x in xs), "no 0-d sample"
    assert name in NO_EMPTY or any(x.size == 0 for xs in floats for x in xs), "no empty sample"


def test_samples_are_what_they_say() -> None:
    """Somewhere arrays are not contiguous, broadcast, and lie on kinks."""
    every = [sample for samples in OPERATIONS.values() for sample in samples]
    assert sum(not x.flags.c_contiguous for sample in every for x in laws.arrays_of(sample.args)) > 40
    assert sum(sample.kink for sample in every) > 15
    assert len(every) > 600 and np.isfinite(OPERATIONS["exp"][1].args[0]).all()


LOSS_LAWS = [
    law
    for where in (
        loss_laws, loss_value_laws, loss_call_laws, loss_refusal_laws, loss_count_laws, loss_weight_laws, loss_metamorphic,
    )
    for name, law in vars(where).items() if name.startswith("law_") and law.__module__ == where.__name__
]  # fmt: skip
OWN = sorted(n for n, made in LOSSES.items() if made.__module__.startswith("tinygrad_loss"))
ONCE = {"law_legacy", "law_bad_calls", "law_bad_options"}  # do not depend on the sample's shape
samples_of = functools.cache(lambda name: loss_samples.samples(LOSSES[name]))


def for_law(law: Callable[..., None], samples: list[Any]) -> list[Any]:
    return samples[: 1 if law.__name__ in ONCE else getattr(law, "most", None)]


@pytest.mark.parametrize("law", LOSS_LAWS, ids=lambda law: law.__name__.removeprefix("law_"))
@pytest.mark.parametrize("name", OWN)
def test_loss(name: str, law: Callable[..., None]) -> None:
    samples = samples_of(name)
    assert len(samples) > 2
    for i, sample in enumerate(for_law(law, samples)):
        try:
            law(LOSSES[name], sample)
        except BaseException as error:
            error.add_note(f"{law.__name__}, sample {i} of {name}: {sample}")
            raise


def test_loss_samples_reach_every_option_and_shape() -> None:
    for name in OWN:
        made, samples = LOSSES[name], samples_of(name)
        for option, default in made.declaration.options.items():
            alone = len(loss_samples.values_of(made, option)) == 1
            assert alone or any(sample.options[option] is not default for sample in samples), f"{name}: {option} is never varied"
        for argument in made.declaration.arguments:
            assert any(sample.arrays[argument.name] is not None for sample in samples)
            assert not argument.optional or any(sample.arrays[argument.name] is None for sample in samples)
        assert any(sample.size == 0 for sample in samples) and any(sample.size >= 6 for sample in samples)
        if "ignore_index" in made.declaration.options:
            assert any(sample.ignores and sample.options["ignore_index"] >= 0 for sample in samples)


def test_samples_are_the_same_in_every_process() -> None:
    """Whatever order Python gives to sets."""
    code = (
        "import hashlib, sys; from tests import test_laws as t; h = hashlib.md5()\n"
        "for name in t.OWN:\n"
        "    for s in t.samples_of(name):\n"
        "        h.update(repr(s).encode() + b''.join(x.tobytes() for x in s.given().values()))\n"
        "print(h.hexdigest())"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
                       env={**os.environ, "PYTHONHASHSEED": str(seed)}).stdout
        for seed in (1, 2)
    ]  # fmt: skip
    assert found[0] == found[1] and len(found[0]) == 33


def test_a_new_loss_is_tested_by_being_declared() -> None:
    """The laws take a loss that this file does not know; a wrong one fails."""

    @loss
    def doubled_loss(input: Real[tl.Tensor, "..."], target: Real[tl.Tensor, "..."], *, beta: NonNegative = 2.0) -> PerElement:  # noqa: UP037
        """Source: this test."""
        return beta * tl.abs(input - target)

    @loss
    def pair_loss(a: Real[tl.Tensor, "[N] D"], b: Real[tl.Tensor, "[N] D"], sign: Real[tl.Tensor, "[N]"]) -> PerExample:  # noqa: UP037
        """Source: this test."""
        return tl.abs(a - b).sum(1) * sign

    try:
        for made in (doubled_loss, pair_loss):
            samples = loss_samples.samples(made)
            assert len(samples) >= 3
            for law in LOSS_LAWS:
                for sample in samples:
                    law(made, sample)
    finally:
        del LOSSES["doubled_loss"], LOSSES["pair_loss"]
