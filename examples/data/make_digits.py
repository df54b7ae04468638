"""Make digits.npz, data of the examples, from the copy that scikit-learn carries.

    pip install scikit-learn
    python examples/data/make_digits.py

The file is the same, bit for bit, every time.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).with_name("digits.npz")


def write(target: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """As np.savez_compressed, but without the time, which would make every file another one."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, npy.getvalue(), compresslevel=9)
    shapes = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in arrays.items())
    print(f"{target.name}: {shapes}, {target.stat().st_size} bytes")


def main() -> None:
    digits = load_digits()
    arrays = {"images": digits.data.astype(np.uint8), "labels": digits.target.astype(np.uint8)}
    if not np.array_equal(arrays["images"], digits.data):
        raise SystemExit("make_digits: the images are not whole numbers from 0 to 255")
    write(TARGET, arrays)


if __name__ == "__main__":
    main()
