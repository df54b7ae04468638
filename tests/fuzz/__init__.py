"""Random cases against a second answer: losses, graphs of operations, and mistakes. ``python -m tests.fuzz --minutes N``."""
