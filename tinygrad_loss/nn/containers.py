"""Containers: Sequential, ModuleList, ModuleDict, ParameterList."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..module import Module, Parameter, block, indent
from ..tape import Tensor


class _Numbered(Module):
    """Children under the names "0", "1", ...: what Sequential, ModuleList and ParameterList share."""

    def _names(self) -> list[str]:
        return [name for name, value in vars(self).items() if isinstance(value, (Module, Parameter))]

    def _items(self) -> list[Any]:
        return [vars(self)[name] for name in self._names()]

    def _set_items(self, items: Iterable[Any]) -> None:
        items = list(items)
        for name in self._names():
            delattr(self, name)
        for i, item in enumerate(items):
            self._put(str(i), item)

    def _put(self, name: str, item: Any) -> None:
        self.add_module(name, item)

    def _name_at(self, index: int) -> str:
        names = self._names()
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(names)} entries")
        return names[index]

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __contains__(self, item: object) -> bool:
        return any(item is own for own in self._items())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)._of(self._items()[index])
        return vars(self)[self._name_at(index)]

    @classmethod
    def _of(cls, items: list[Any]) -> Any:
        return cls(items)  # type: ignore[call-arg]

    def __setitem__(self, index: int, item: Any) -> None:
        self._put(self._name_at(index), item)

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        del items[index]
        self._set_items(items)

    def append(self, item: Any) -> Any:
        """Add one entry at the end; returns the container."""
        self._put(str(len(self)), item)
        return self

    def extend(self, items: Iterable[Any]) -> Any:
        """Add entries at the end; returns the container."""
        if isinstance(items, (Tensor, str)) or not isinstance(items, Iterable):
            raise TypeError(f"{type(self).__name__}.extend: expected an iterable, got {type(items).__name__}")
        for item in list(items):
            self.append(item)
        return self

    def insert(self, index: int, item: Any) -> Any:
        """Add one entry before ``index``; returns the container."""
        items = self._items()
        items.insert(index, item)
        self._set_items(items)
        return self

    def pop(self, index: int = -1) -> Any:
        """Remove and return one entry."""
        item = self[index]
        del self[index]
        return item

    def __iadd__(self, items: Iterable[Any]) -> Any:
        return self.extend(items)

    def __add__(self, items: Iterable[Any]) -> Any:
        return type(self)._of([*self, *items])


class Sequential(_Numbered):
    """Modules called one after the other; an OrderedDict gives them names.

    >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], dict):
            for name, module in args[0].items():
                self.add_module(name, module)
            return
        for i, module in enumerate(args):
            if not isinstance(module, Module):
                hint = "unpack it, Sequential(*layers)" if isinstance(module, (list, tuple)) else "wrap it in a Module"
                raise TypeError(f"Sequential: argument {i} must be a Module, got {type(module).__name__}; {hint}")
            self.add_module(str(i), module)

    @classmethod
    def _of(cls, items: list[Any]) -> Any:
        return cls(*items)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):  # names are kept
            return type(self)(OrderedDict([(name, vars(self)[name]) for name in self._names()[index]]))
        return super().__getitem__(index)

    def forward(self, input: Any) -> Any:
        for module in [value for value in vars(self).values() if isinstance(value, Module)]:
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list whose modules are trained, saved and moved with the module that holds it.

    >>> len(nn.ModuleList([nn.Linear(2, 2) for _ in range(3)]))
    3
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __repr__(self) -> str:
        runs: list[tuple[int, int, str]] = []  # equal neighbours are shown once
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        lines = [f"({a})" + f": {t}" if a == b else f"({a}-{b}): {b - a + 1} x {t}" for a, b, t in runs]
        return f"{self._get_name()}({block([indent(line) for line in lines])})"


class ModuleDict(Module):
    """A dict whose modules are trained, saved and moved with the module that holds it.

    >>> heads = nn.ModuleDict({"mean": nn.Linear(2, 1), "scale": nn.Linear(2, 1)})
    >>> list(heads.keys())
    ['mean', 'scale']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def _held(self) -> dict[str, Module]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace entries."""
        for name, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[name] = module

    def __getitem__(self, key: str) -> Module:
        return self._held()[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self._held()[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, key: object) -> bool:
        return key in self._held()

    def keys(self) -> Iterable[str]:
        return self._held().keys()

    def values(self) -> Iterable[Module]:
        return self._held().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        return self._held().items()

    def pop(self, key: str) -> Module:
        """Remove and return one entry."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        for key in list(self):
            del self[key]


class ParameterList(_Numbered):
    """A list whose parameters are trained, saved and moved; Tensors put in become Parameters.

    >>> nn.ParameterList([zeros(2, 3)])
    ParameterList(  (0): Parameter containing: [tinygrad_loss.float32 of size 2x3])
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def _put(self, name: str, item: Any) -> None:
        if not isinstance(item, Parameter):
            item = Parameter(item)
        self.register_parameter(name, item)

    def extra_repr(self) -> str:
        return "\n".join(
            f"  ({i}): Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"
            for i, p in enumerate(self)
        )
