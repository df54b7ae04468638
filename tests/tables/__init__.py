"""The tables of tinygrad_loss/losses/README.md: ``python -m tests.tables`` writes them anew."""
