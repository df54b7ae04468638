"""See it: the graph as a picture, as text and step by step, and a table of a module's layers."""

from .curves import plot_loss
from .curves_training import plot_training
from .gallery import gallery
from .graph import draw
from .summary import summary
from .trace import recording, trace
from .tree import tree

__all__ = ["draw", "gallery", "plot_loss", "plot_training", "recording", "summary", "trace", "tree"]
