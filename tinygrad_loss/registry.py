"""What belongs to a module: the Parameters, buffers and Modules among its attributes.

There is no second bookkeeping: everything is read from ``vars(module)``, so the order is that of assignment
and a subclass that forgets ``super().__init__()`` is complete. Only the names of buffers are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .dtypes import get_default_dtype, of_numpy
from .tape import Tensor

_assign = object.__setattr__


class Parameter(Tensor):
    """A tensor that a Module registers when it is assigned as an attribute; shares the memory of ``data``.

    Raises TypeError when ``data`` is no Tensor and RuntimeError when it is not floating point but shall
    require a gradient.

    >>> nn.Parameter(tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = Tensor(np.empty(0, get_default_dtype().dtype))
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; use Parameter(tensor(...))")
        if requires_grad and data.array.dtype.kind != "f":
            raise RuntimeError(
                f"Parameter: data is {of_numpy(data.array.dtype)}, and only floating point tensors can require grad; "
                "use Parameter(data.float()) or requires_grad=False"
            )
        super().__init__(data.array, bool(requires_grad))

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copied = type(self)(Tensor(self.array.copy()), self.needs_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Registry:
    """The registering half of Module."""

    __slots__ = ("__dict__", "__weakref__")

    _buffers: frozenset[str] = frozenset()
    _transient: frozenset[str] = frozenset()  # buffers that the state dict leaves out
    _attribute = ""  # the name under which another module holds this one

    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if isinstance(value, (Parameter, Registry)):
            if isinstance(value, Registry):
                value.__dict__["_attribute"] = name
            if name in self._buffers:
                self._forget_buffer(name)
        elif value is not None:
            if isinstance(old, Parameter):
                raise TypeError(
                    f"cannot assign {type(value).__name__} as parameter {name!r} (nn.Parameter or None expected): wrap "
                    f"it in nn.Parameter(...), or change the values with 'with no_grad(): module.{name}.copy_(...)'"
                )
            if isinstance(old, Registry):
                raise TypeError(
                    f"cannot assign {type(value).__name__} as child module {name!r} (nn.Module or None expected); "
                    f"use another name, or 'del module.{name}' first"
                )
            if name in self._buffers and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign {type(value).__name__} as buffer {name!r} (Tensor or None expected); "
                    "convert it with tensor(...)"
                )
        _assign(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in self._buffers:
            self._forget_buffer(name)

    def _forget_buffer(self, name: str) -> None:
        _assign(self, "_buffers", self._buffers - {name})
        _assign(self, "_transient", self._transient - {name})

    def _check(self, function: str, name: str, value: Any, kind: type, label: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{function}: name must be a string, got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f"{function}: name {name!r} must not be empty or contain a dot, which separates modules")
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{function}: {name!r} must be a {label} or None, got {type(value).__name__}")
        held = self.__dict__.get(name)
        free = held is None and (name in self.__dict__ or not hasattr(self, name))
        if not free and not (isinstance(held, kind) and (kind is not Tensor or name in self._buffers)):
            raise KeyError(f"{function}: attribute {name!r} exists already; use another name")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """As ``module.name = param``; ``None`` marks a parameter that this instance goes without."""
        self._check("register_parameter", name, param, Parameter, "Parameter")
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that is state but no parameter; ``persistent=False`` keeps it out of the state dict."""
        self._check("register_buffer", name, tensor, Tensor, "Tensor")
        _assign(self, name, tensor)
        _assign(self, "_buffers", self._buffers | {name})
        _assign(self, "_transient", self._transient - {name} if persistent else self._transient | {name})

    def add_module(self, name: str, module: Any) -> None:
        """As ``module.name = child``, for names that are no identifiers, like the numbers of a Sequential."""
        self._check("add_module", name, module, Registry, "Module")
        setattr(self, name, module)

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The direct submodules with their names, each once."""
        seen: set[Registry] = set()
        for name, value in list(vars(self).items()):
            if isinstance(value, Registry) and value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Any]:
        """The direct submodules."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """This module and all below it with their dotted names, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, value in list(vars(self).items()):
            if isinstance(value, Registry):
                yield from value.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Any]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _tree(self, prefix: str, recurse: bool, remove_duplicate: bool) -> list[tuple[str, Any]]:
        """The modules to collect from, once it is sure that none holds a Parameter or Module out of sight."""
        tree = [(prefix, self)]
        if recurse:
            tree = list(self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate))
        hidden = [
            (path, module, name, item)
            for path, module in tree
            for name, value in vars(module).items()
            if isinstance(value, (list, tuple, dict))
            for item in _held(value)
        ]
        if hidden:
            known = {id(m) for m in self.modules()}
            known.update(id(v) for m in self.modules() for v in vars(m).values() if isinstance(v, Parameter))
            for path, module, name, item in hidden:
                if id(item) not in known:
                    what = "Parameter" if isinstance(item, Parameter) else type(item).__name__
                    held = type(vars(module)[name]).__name__
                    remedy = "nn.ParameterList" if isinstance(item, Parameter) else "nn.ModuleList"
                    remedy = "nn.ModuleDict" if held == "dict" and remedy == "nn.ModuleList" else remedy
                    raise TypeError(
                        f"{type(module).__name__}: the {held} {f'{path}.{name}' if path else name!r} holds a {what} "
                        f"that would not be trained, saved or moved: wrap it, self.{name} = {remedy}(...)"
                    )
        return tree

    def _named(self, prefix: str, recurse: bool, remove_duplicate: bool, buffers: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Tensor] = set()
        for path, module in self._tree(prefix, recurse, remove_duplicate):
            for name, value in list(vars(module).items()):
                wanted = name in module._buffers if buffers else isinstance(value, Parameter)
                if wanted and value is not None and value not in seen:
                    if remove_duplicate:
                        seen.add(value)
                    yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; a shared one once, under its first name.

        Raises TypeError when a plain list, tuple or dict hides a Parameter or Module.

        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3), nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        return self._named(prefix, recurse, remove_duplicate, buffers=False)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named(prefix, recurse, remove_duplicate, buffers=True)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))


def _held(value: Any) -> Iterator[Any]:
    """The Parameters and Modules in nested lists, tuples and dicts."""
    stack, seen = [value], set()
    while stack:
        value = stack.pop()
        if isinstance(value, (Parameter, Registry)):
            yield value
        elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
            seen.add(id(value))
            stack.extend(value.values() if isinstance(value, dict) else value)
