"""How many units in the last place the losses are off, against mpmath at 50 digits.

``python -m tests.accuracy`` prints the table of the worst value and the worst gradient of every function;
``tests/test_accuracy.py`` holds fewer points to the same bounds.
"""

from . import (
    points_classes,
    points_numbers,
    points_vectors,
    references_classification,
    references_divergence,
    references_functions,
    references_margin,
    references_metric,
    references_regions,
    references_regression,
)

KINDS = ("float64", "float32")
__all__ = [
    "KINDS", "points_classes", "points_numbers", "points_vectors", "references_classification",
    "references_divergence", "references_functions", "references_margin", "references_metric", "references_regions",
    "references_regression",
]  # fmt: skip
