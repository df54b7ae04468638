"""Only :mod:`tinygrad_loss.utils.data`, which is where torch keeps its datasets and loaders."""

from . import data

__all__ = ["data"]
