"""One defect, and names for the tests that are there for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """In ``file`` of the package, ``old`` (which stands there once) becomes ``new``. ``tests``: what pytest is
    called with, in stages that a ``;`` separates: the next one runs where the one before caught nothing."""

    kind: str
    file: str
    what: str
    old: str
    new: str
    tests: str

    @property
    def name(self) -> str:
        return f"{self.file}: {self.what}"


LAWS, GOLDEN = "tests/test_laws.py", "tests/test_golden.py"
STAGES = (
    GOLDEN,
    "tests/test_kernel_sizes.py",
    "tests/test_peer_values_margin.py tests/test_peer_values_metric.py tests/test_peer_values_regression.py tests/test_keras.py",
    "tests/test_accuracy.py tests/test_sequence.py tests/test_metric.py tests/test_margin.py",
    LAWS,
    "tests/test_identities.py tests/test_kinks.py tests/test_fused.py tests/test_fuzz.py",
)


def ops(*names: str) -> str:
    """The laws of primitives of these names."""
    return " ".join(f"{LAWS}::test_primitive[{name}]" for name in names)


def public(*names: str) -> str:
    """The laws, and golden values, of public operations."""
    return " ".join(f"{LAWS}::test_operation[{n}] {GOLDEN}::test_operation[{n}]" for n in names)


def loss(name: str, *laws: str) -> str:
    """These laws of a loss, or all of them, with golden values, those of peers, accuracy, identities, and random cases."""
    if laws:
        return " ".join(f"{LAWS}::test_loss[{name}-{law}]" for law in laws)
    return " ; ".join(f"{files} -k {name}" for files in STAGES)
