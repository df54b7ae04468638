"""What the tests of saved files share."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from typing import Any

import numpy as np

import tinygrad_loss as tl


def packed(obj: Any) -> bytes:
    file = io.BytesIO()
    tl.save(obj, file)
    return file.getvalue()


def unpacked(raw: bytes, **options: Any) -> Any:
    return tl.load(io.BytesIO(raw), **options)


def state() -> dict[str, Any]:
    return {
        "model": OrderedDict({"0.weight": tl.arange(6.0).reshape(2, 3), "0.bias": tl.zeros(2)}),
        "optimizer": {
            "state": {0: {"step": tl.tensor(3.0), "exp_avg": tl.ones(2, 3)}, 1: {}},
            "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "amsgrad": False, "foreach": None, "params": [0, 1]}],
        },
        "epoch": 3,
    }


def same(a: Any, b: Any) -> bool:
    """Equal in type, dtype, shape and bits; an OrderedDict comes back as a dict."""
    if isinstance(a, tl.Tensor):
        return isinstance(b, tl.Tensor) and a.requires_grad == b.requires_grad and same(a.array, b.array)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        keys = [(type(key), key) for key in a] == [(type(key), key) for key in b]
        return type(b) is dict and keys and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (repr(a) == repr(b))


def foreign(header: dict[str, Any] | str | bytes, data: bytes = b"") -> bytes:
    text = header if isinstance(header, (str, bytes)) else json.dumps(header)
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(8, "little") + raw + data
