"""Writes keras_values.py with the numbers that Keras itself gives, in float32, for tests/tables/keras_rows.py.

Run where Keras and a backend are installed, from the top of the repository:

    pip install keras==3.15.1 torch && KERAS_BACKEND=torch python -m tests.golden.make_keras
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.tables.keras_rows import INPUTS, ROWS


def value(call: str, inputs: dict[str, Any]) -> Any:
    arrays = {n: np.asarray(x) for n, x in inputs.items()}
    names = {n: x.astype(np.float32) if x.dtype.kind == "f" else x for n, x in arrays.items()}
    result = eval(call, {"keras": keras, **names})  # the calls are those of our own table
    return [float(f"{x:.8g}") for x in np.ravel(keras.ops.convert_to_numpy(result))]


def main() -> None:
    found = vars(keras.losses).items()
    classes = sorted(n for n, x in found if inspect.isclass(x) and issubclass(x, keras.losses.Loss) and n != "Loss")
    lines = [
        '"""What Keras gives for tests/tables/keras_rows.py: written by tests/golden/make_keras.py, not by hand."""',
        "", "from __future__ import annotations", "", "from typing import Any", "",
        f"VERSION = {keras.__version__!r}", f"BACKEND = {keras.backend.backend()!r}", f"CLASSES = {classes!r}",
        "VALUES: dict[str, Any] = {",
        *(f"    {row.keras!r}: {value(row.call, INPUTS[row.inputs])!r}," for row in ROWS),
        "}",
    ]  # fmt: skip
    Path(__file__).with_name("keras_values.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
