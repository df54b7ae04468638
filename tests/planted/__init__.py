"""Defects planted in the text of the library, each with the tests that have to catch it: ``python -m tests.planted``."""
