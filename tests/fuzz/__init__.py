"""Random cases against a second answer: torch, plain formulas, differences, laws, a naive twin. ``python -m tests.fuzz --cases N --jobs J``."""
