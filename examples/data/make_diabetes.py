"""Make diabetes.npz, data of the examples, from the copy that scikit-learn carries.

    pip install scikit-learn
    python examples/data/make_diabetes.py

The file is the same, bit for bit, every time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from make_digits import write  # the file beside this one
from sklearn.datasets import load_diabetes

TARGET = Path(__file__).with_name("diabetes.npz")


def main() -> None:
    diabetes = load_diabetes(scaled=False)  # as measured: years, kg/m², mg/dl
    names = np.array(diabetes.feature_names, dtype="U3")
    write(TARGET, {"names": names, "measured": diabetes.data, "progression": diabetes.target.astype(np.int16)})


if __name__ == "__main__":
    main()
