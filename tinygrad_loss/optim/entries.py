"""What an optimizer remembers of each parameter: dicts that notice when somebody changes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tape import Tensor


class _Watched(dict[Any, Any]):
    """Every change moves the clock, which the entries of one optimizer share."""

    __slots__ = ("clock",)

    def __init__(self, clock: list[int]) -> None:
        super().__init__()
        self.clock = clock

    def _wrapped(self, value: Any) -> Any:
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.clock[0] += 1
        super().__setitem__(key, self._wrapped(value))

    def __delitem__(self, key: Any) -> None:
        self.clock[0] += 1
        super().__delitem__(key)

    def clear(self) -> None:
        self.clock[0] += 1
        super().clear()

    def pop(self, key: Any, *default: Any) -> Any:
        self.clock[0] += 1
        return super().pop(key, *default)

    def popitem(self) -> Any:
        self.clock[0] += 1
        return super().popitem()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self


class Entry(_Watched):
    """The state of one parameter: name to value."""

    __slots__ = ()


class Entries(_Watched):
    """Parameter to Entry; a parameter that is not in it gets an empty one, as in torch's ``optimizer.state``."""

    __slots__ = ()

    def _wrapped(self, value: Any) -> Any:
        entry = Entry(self.clock)
        if isinstance(value, Mapping):
            entry.update(value)
        return entry

    def __missing__(self, parameter: Tensor) -> Entry:
        self[parameter] = {}
        entry: Entry = self[parameter]
        return entry
