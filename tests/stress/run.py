"""Draws until there are enough of them."""

from __future__ import annotations

import time
import zlib

import numpy as np

from tests.loss_changes import count_of, take
from tinygrad_loss.losses import LOSSES
from tinygrad_loss.losses._loss import Loss

from .checks import Report, examine, examine_fast, examine_second
from .draws import ELEMENTS, blocks, looks_at_others, moderate

EVERY = 4  # of so many blocks, one with second derivatives; of so many pairs of batches, one is reduced
LARGE = 40  # times as many examples: where a formula that cannot be written down is computed block by block
MOST = 200  # of a block's examples


def stress(loss: Loss, draws: int, seed: int = 0, elements: int = ELEMENTS, every: int = EVERY) -> Report:
    """``draws`` examples: of a loss whose examples do not look at each other, in large blocks; else in small batches.
    Of one in ``every`` blocks, second derivatives as well."""
    large = elements == ELEMENTS
    report, start = Report(), time.process_time()
    r = np.random.default_rng([seed, zlib.crc32(loss.name.encode())])
    together = looks_at_others(loss)
    reductions = loss.declaration.reductions
    for turn, (sample, kind) in enumerate(blocks(loss, r, elements)):
        if report.draws >= draws:
            break
        y = examine(loss, sample, kind, report)
        report.calls += 1
        report.draws += y.size if loss.declaration.per == "batch" else count_of(sample) or 1
        if not together or turn // 2 % (2 * EVERY) == 0:
            times = LARGE if large and r.uniform() < 0.03 and not together else 1
            examine_fast(loss, sample, y, kind, reductions[turn // 2 % len(reductions)], report, times)
        if every and turn // 2 % (2 * every if together else every) == 0:
            some = sample if together else take(sample, np.arange(min(MOST, count_of(sample) or 1)))
            examine_second(loss, moderate(some), kind, report)
            report.twice += count_of(some) or 1
    report.seconds = time.process_time() - start
    return report


def task(given: tuple[str, int, int]) -> tuple[str, Report]:
    """(name of a loss, draws, seed): what a process is sent."""
    name, draws, seed = given
    return name, stress(LOSSES[name], draws, seed)
