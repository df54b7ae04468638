"""See it: the graph as a picture, as text and step by step, and a table of a module's layers."""

from .curves import plot_loss
from .graph import draw
from .summary import summary
from .trace import recording, trace
from .tree import tree

__all__ = ["draw", "plot_loss", "recording", "summary", "trace", "tree"]
