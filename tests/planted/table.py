"""All the defects, and the few of them that the normal suite plants."""

from __future__ import annotations

from . import formulas, rules, surroundings
from .defect import Defect

DEFECTS: list[Defect] = [*rules.DEFECTS, *formulas.DEFECTS, *surroundings.DEFECTS]
_QUICK = (
    "a second gradient of a leaf replaces the first", "eps inside the root", "whole numbers without their point", "fractions are cut off",
    "inference_mode leaves gradients on", "a plateau ignores min_lr",
)  # fmt: skip
QUICK = [d for d in DEFECTS if d.what in _QUICK]
assert len(QUICK) == len(_QUICK)
