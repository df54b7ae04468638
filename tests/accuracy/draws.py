"""Numbers that are hard: near each other, tiny, huge, tied, far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import Array

TINY = {"float64": (-1074.0, -900.0), "float32": (-149.0, -110.0)}  # powers of two: denormal and almost
EXP_DENORMAL = {"float64": (700.0, 746.0), "float32": (80.0, 104.0)}  # gaps whose exp is almost nothing
HUGE = {"float64": (30.0, 38.5), "float32": (30.0, 38.5)}  # powers of ten


def signs(r: np.random.Generator, shape: Any) -> Array:
    return r.integers(0, 2, shape) * 2.0 - 1.0


def mixed(r: np.random.Generator, shape: Any, *makers: Any) -> Array:
    """Each element from one of the makers."""
    return np.choose(r.integers(0, len(makers), shape), [m(shape) for m in makers])


def moderate(r: np.random.Generator, shape: Any) -> Array:
    """Of both signs, around 1, some of them round numbers."""
    return mixed(
        r, shape, lambda s: r.normal(size=s) * 2, lambda s: r.normal(size=s) * 30, lambda s: signs(r, s) * r.uniform(0.5, 2, s),
        lambda s: r.integers(-8, 9, s) / 4.0,
    )  # fmt: skip


def small(r: np.random.Generator, shape: Any) -> Array:
    return signs(r, shape) * 10.0 ** r.uniform(-12, -1, shape)


def tiny(r: np.random.Generator, shape: Any, kind: str) -> Array:
    return mixed(
        r, shape, lambda s: signs(r, s) * 2.0 ** r.uniform(*TINY[kind], s),
        lambda s: signs(r, s) * 10.0 ** r.uniform(-36, -20, s), np.zeros,
    )  # fmt: skip


def huge(r: np.random.Generator, shape: Any, kind: str) -> Array:
    return signs(r, shape) * 10.0 ** r.uniform(*HUGE[kind], shape)


def wide(r: np.random.Generator, shape: Any) -> Array:
    """Any magnitude between 1e-18 and 1e18: the square is in range of float32."""
    return signs(r, shape) * 10.0 ** r.uniform(-18, 18, shape)


def reals(r: np.random.Generator, shape: Any, kind: str) -> Array:
    return mixed(
        r, shape, *[lambda s: moderate(r, s)] * 3, lambda s: small(r, s), lambda s: wide(r, s),
        lambda s: tiny(r, s, kind), lambda s: huge(r, s, kind),
    )  # fmt: skip


def near(r: np.random.Generator, x: Array, kind: str) -> Array:
    """Numbers a few units in the last place, or a small part, away from ``x``, and ``x`` itself."""
    eps = float(np.finfo(kind).eps)
    relative = mixed(
        r, x.shape, lambda s: r.integers(-3, 4, s) * eps, lambda s: signs(r, s) * 10.0 ** r.uniform(-6, -0.5, s)
    )
    return np.asarray(x * (1.0 + relative))


def pairs(r: np.random.Generator, n: int, kind: str) -> tuple[Array, Array]:
    """Inputs and targets: unlike, near each other, equal."""
    x = reals(r, n, kind)
    return x, np.where(r.uniform(size=n) < 0.5, reals(r, n, kind), near(r, x, kind))


def gaps(r: np.random.Generator, shape: Any, kind: str) -> Array:
    """Distances between logits: ordinary, confident (17 to 800), and where exp has only a few bits left."""
    return mixed(
        r, shape, lambda s: r.exponential(3.0, s), lambda s: r.uniform(17, 45, s), lambda s: r.uniform(17, 800, s),
        lambda s: r.uniform(*EXP_DENORMAL[kind], s),
    )  # fmt: skip


def scores(r: np.random.Generator, n: int, kind: str) -> Array:
    """Logits on their own, both signs."""
    return mixed(r, n, lambda s: reals(r, s, kind), lambda s: signs(r, s) * gaps(r, s, kind), lambda s: moderate(r, s))


def logits(r: np.random.Generator, n: int, classes: int, kind: str) -> Array:
    """Rows of logits: ordinary, confident, tied, tiny, huge, with an offset in common."""
    s = (n, classes)
    plain = r.normal(size=s) * r.choice([0.5, 2.0, 10.0], (n, 1))
    confident = np.where(np.arange(classes) == r.integers(0, classes, (n, 1)), 0.0, -gaps(r, s, kind)) + r.normal(size=(n, 1))
    tied = r.integers(-1, 2, s) * r.choice([0.25, 1.0, 40.0], (n, 1))
    offset = r.normal(size=s) * 3 + 10.0 ** r.uniform(1, 7, (n, 1)) * signs(r, (n, 1))
    anything = reals(r, s, kind) / 2.0
    rows = [plain, plain, confident, confident, tied, offset, anything, np.where(r.uniform(size=s) < 0.8, confident, anything)]
    which = r.integers(0, len(rows) + 2, n)
    found = np.choose(np.minimum(which, len(rows) - 1)[:, None], rows)
    found[which == len(rows)] = tiny(r, s, kind)[which == len(rows)]
    # a log-probability is as far from 0 as two logits are apart: it must be in range for the loss to be
    found[which == len(rows) + 1] = huge(r, s, kind)[which == len(rows) + 1] / 2.0
    return found


def simplex(r: np.random.Generator, n: int, classes: int, kind: str) -> Array:
    """Rows of probabilities, some of them 0, some rows of a single 1; they sum to one as nearly as the type can."""
    p = r.uniform(size=(n, classes)) * (r.uniform(size=(n, classes)) < 0.8) * 10.0 ** r.uniform(-3, 0, (n, classes)) + 1e-300
    p = p / p.sum(1, keepdims=True)
    hard = r.uniform(size=n) < 0.15
    p[hard] = np.eye(classes)[r.integers(0, classes, int(hard.sum()))]
    return np.asarray(np.where(p < 1e-200, 0.0, p))


def probabilities(r: np.random.Generator, shape: Any, kind: str) -> Array:
    """In [0, 1], with the ends, and near them."""
    eps = float(np.finfo(kind).eps)
    return mixed(
        r, shape, lambda s: r.uniform(size=s), lambda s: 10.0 ** r.uniform(-11, 0, s), lambda s: 1 - 10.0 ** r.uniform(-6, 0, s),
        lambda s: r.integers(0, 2, s) * 1.0, lambda s: 1 - r.integers(1, 5, s) * eps,
    )  # fmt: skip


def binary_targets(r: np.random.Generator, n: int) -> Array:
    return np.where(r.uniform(size=n) < 0.7, r.integers(0, 2, n), r.uniform(size=n))


def log_probabilities(r: np.random.Generator, n: int, classes: int, kind: str) -> Array:
    """Rows of log-probabilities, rounded as any loss would meet them."""
    z = r.normal(size=(n, classes)) * r.choice([1.0, 5.0, 30.0], (n, 1))
    top = z.max(1, keepdims=True)
    return np.asarray(z - top - np.log(np.exp(z - top).sum(1, keepdims=True)))
