"""Speed, memory and growth against torch and others, in one run: ``python -m tests.benchmarks``."""
