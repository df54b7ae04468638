"""Why is my loss this number? The formula, the arguments, the reduction, the worst examples, and advice."""

from ._explain import explain as explain
from ._page import Explanation as Explanation
from ._part import Part as Part

__all__ = ["Explanation", "Part", "explain"]
