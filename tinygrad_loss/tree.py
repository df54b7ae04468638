"""A saved object without its arrays, as JSON, and back.

None, booleans, strings, integers and finite floats are themselves, a list is a list. All else is an object with
one tag: ``{"dict": [[key, value], ...]}`` (keys keep their type and order), ``{"tuple": [...]}``,
``{"size": [...]}``, ``{"float": "inf"}``, ``{"dtype": "float32"}``, and the arrays by name: ``{"tensor": name}``,
``{"leaf": name}`` (a tensor that requires grad), ``{"generator": name}`` (its state), ``{"array": name}`` and
``{"number": name}`` (NumPy's).
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import Array, Size, dtype, of_numpy
from .generator import Generator
from .tape import Tensor

MAX_NESTING = 100
MAX_KEY = 1 << 63  # larger integers as keys can be chosen such that looking them up takes for ever
_DTYPES = {d.name: d for d in vars(dtypes).values() if isinstance(d, dtype)}


class LoadError(ValueError):
    """A file that cannot be loaded: damaged, not in the format, or with something unsupported in it."""


def shown(value: Any) -> str:
    """The repr for messages: a name in a file may have millions of characters."""
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 200 and (not isinstance(value, str) or len(value) <= 100) else f"{text[:200]}..."


def encode(obj: Any) -> tuple[str, dict[str, Array]]:
    """The JSON of ``obj``, and its arrays under their dotted paths. TypeError names what cannot be saved."""
    encoder = _Encoder()
    tree = encoder.node(obj, ())
    return json.dumps(tree, allow_nan=False, separators=(",", ":")), encoder.arrays


class _Encoder:
    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, str] = {}  # id of an array -> its name: shared parameters are saved once

    def node(self, value: Any, path: tuple[str, ...]) -> Any:
        if len(path) > MAX_NESTING:
            raise ValueError(
                f"save: nested deeper than {MAX_NESTING} at {_place(path[:3])}...; does a container contain itself?"
            )
        kind = type(value)
        if value is None or kind is bool or kind is int:
            return value
        if kind is str:
            return _checked(value, path)
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return {"leaf" if value.needs_grad and value.op is None else "tensor": self._add(value.array, path)}
        if isinstance(value, np.ndarray):
            return {"array": self._add(value, path)}
        if isinstance(value, np.generic):
            return {"number": self._add(np.asarray(value), path)}
        if kind is dict or kind is OrderedDict:
            return {"dict": [[self._key(k, path), self.node(v, (*path, str(k)))] for k, v in value.items()]}
        if kind is Size:
            return {"size": list(value)}
        if kind is list or kind is tuple:
            items = [self.node(item, (*path, str(i))) for i, item in enumerate(value)]
            return items if kind is list else {"tuple": items}
        if kind is dtype:
            return {"dtype": value.name}
        if kind is Generator:
            return {"generator": self._state_of(value, path)}
        raise TypeError(
            f"save: {_place(path)} is of type {kind.__name__}, which cannot be saved; "
            + (
                "save its state_dict() instead"
                if hasattr(value, "state_dict")
                else "use dict, list, tuple, str, int, float, bool, None, tensors, and NumPy arrays or numbers"
            )
        )

    def _key(self, key: Any, path: tuple[str, ...]) -> Any:
        if type(key) is str:
            return _checked(key, path)
        if key is None or type(key) is bool or (type(key) is float and math.isfinite(key)):
            return key
        if type(key) is int and -MAX_KEY <= key < MAX_KEY:
            return key
        raise TypeError(
            f"save: {_place(path)} has the key {key!r} of type {type(key).__name__}; keys must be str, int "
            f"of 64 bits, finite float, bool or None"
        )

    def _state_of(self, generator: Generator, path: tuple[str, ...]) -> str:
        if id(generator) not in self._names:
            self._names[id(generator)] = self._add(generator.get_state().array, path)
        return self._names[id(generator)]

    def _add(self, array: Array, path: tuple[str, ...]) -> str:
        """The name under which the array is saved."""
        if id(array) in self._names:
            return self._names[id(array)]
        try:
            of_numpy(array.dtype.newbyteorder("="))
        except TypeError as error:
            raise TypeError(f"save: {_place(path)}: {error}") from None
        base = name = ".".join(path) or "tensor"
        while name in self.arrays or name == "__metadata__":
            base, name = base, f"{base}#{len(self.arrays)}"
        self.arrays[name] = array
        self._names[id(array)] = name
        return name


def decode(tree: Any, arrays: dict[str, Array]) -> Any:
    """The object again. Raises LoadError for anything that :func:`encode` does not write."""
    decoder = _Decoder(arrays)
    obj = decoder.value(tree)
    unused = arrays.keys() - decoder.used
    if unused:
        raise LoadError(f"load: tensor {shown(min(unused))} is in the file but not in the saved object")
    return obj


class _Decoder:
    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays = arrays
        self.used: set[str] = set()
        self._made: dict[tuple[str, str], Tensor | Generator] = {}

    def value(self, node: Any, depth: int = 0) -> Any:
        if depth > MAX_NESTING:
            raise LoadError(f"load: the saved object is nested deeper than {MAX_NESTING}")
        if isinstance(node, list):
            return [self.value(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) != 1:
            raise LoadError(f"load: expected one tag in the tree, got {shown(sorted(node)[:5])}")
        ((tag, content),) = node.items()
        if isinstance(content, list):
            if tag == "dict":
                return self._dict(content, depth)
            if tag == "tuple":
                return tuple([self.value(item, depth + 1) for item in content])
            if tag == "size" and all(type(n) is int for n in content):
                return Size(content)
        elif isinstance(content, str):
            if tag == "float" and content in ("inf", "-inf", "nan"):
                return float(content)
            if tag in ("tensor", "leaf", "array", "number", "generator"):
                return self._array(tag, content)
            if tag == "dtype" and content in _DTYPES:
                return _DTYPES[content]
        raise LoadError(f"load: unknown entry {shown(tag)} in the tree")

    def _dict(self, pairs: list[Any], depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], (list, dict)):
                raise LoadError("load: a dict in the tree is not made of [key, value] pairs")
            key = pair[0]
            if type(key) is int and not -MAX_KEY <= key < MAX_KEY:
                raise LoadError("load: a key in the tree has more than 64 bits")
            if key in found:
                raise LoadError(f"load: duplicate key {shown(key)} in the tree")
            found[key] = self.value(pair[1], depth + 1)
        return found

    def _array(self, tag: str, name: str) -> Any:
        if name not in self.arrays:
            raise LoadError(f"load: tensor {shown(name)} is in the saved object but not in the file")
        self.used.add(name)
        array = self.arrays[name]
        if tag == "array":
            return array
        if tag == "number":
            if array.ndim:
                raise LoadError(f"load: {shown(name)} should be a number and has the shape {array.shape}")
            return array[()]
        if tag == "leaf" and array.dtype.kind != "f":
            raise LoadError(f"load: tensor {shown(name)} is {array.dtype} and cannot require grad")
        if (tag, name) not in self._made:
            self._made[tag, name] = _generator(name, array) if tag == "generator" else Tensor(array, tag == "leaf")
        return self._made[tag, name]


def _generator(name: str, state: Array) -> Generator:
    try:
        return Generator().set_state(Tensor(state))
    except (TypeError, RuntimeError) as error:
        raise LoadError(f"load: {shown(name)} is not the state of a generator: {error}") from None


def _checked(text: str, path: tuple[str, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"save: {_place(path)}: {text!r} holds half of a surrogate pair, which is no text") from None
    return text


def _place(path: tuple[str, ...]) -> str:
    return ".".join(path) if path else "the object"
