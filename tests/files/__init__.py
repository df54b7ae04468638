"""Saved files under attack: killed saves, flipped bits, malformed files, interrupted training. See ``__main__``."""
