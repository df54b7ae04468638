"""JSON from files that may be damaged or hostile: bounded in time and memory before it is parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .tree import LoadError, shown

MAX_VALUES = 250_000
MAX_DEPTH = 400  # three levels for each of the saved object

# Possessive, and content with the end that is missing: linear in time for every text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def parsed(text: str | bytearray, what: str) -> Any:
    """JSON, without what Python's parser lets through: duplicate keys, NaN, any depth, any size."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        if count_values(raw) > MAX_VALUES:
            raise LoadError(f"load: the {what} has more than the {MAX_VALUES} values allowed")
        depth = 0
        for bracket in _BRACKET.finditer(_STRING.sub(b"", raw)):
            depth += 1 if bracket[0] in b"[{" else -1
            if not 0 <= depth <= MAX_DEPTH:
                raise LoadError(f"load: the {what} is nested deeper than {MAX_DEPTH}, or closes what it did not open")
        return json.loads(raw.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except LoadError:
        raise
    except UnicodeError as error:
        raise LoadError(f"load: the {what} is not UTF-8: {error}") from None
    except (ValueError, RecursionError) as error:
        raise LoadError(f"load: the {what} is not valid JSON: {error}") from None


def count_values(raw: bytes | bytearray) -> int:
    return sum(map(raw.count, b",:[{"))


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise LoadError(f"load: duplicate name {shown(name)}")
        found[name] = value
    return found


def _no_constants(constant: str) -> Any:
    raise LoadError(f"load: {constant} is not JSON")
