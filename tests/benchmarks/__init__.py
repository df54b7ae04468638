"""Speed against torch, in one run: ``python -m tests.benchmarks``."""
