"""What every run of tests imports: imported once, by the process that the runs are forked from."""

import contextlib
import importlib

for name in ("pytest", "_pytest.assertion.rewrite", "numpy.testing", "numpy.random", "hypothesis.stateful", "torch"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
