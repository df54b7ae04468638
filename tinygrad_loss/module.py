"""Module: what it registers (see registry.py), how it is called, its state, its printing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from .devices import check_device
from .devices import device as device_type
from .dtypes import float16, float32, float64, of_numpy, to_numpy
from .modes import Scope, State, get_state, reset_state, set_state
from .quiet import quiet
from .registry import Parameter as Parameter
from .registry import Registry
from .state_dict import LoadResult, load_into
from .tape import Handle, Tensor

M = TypeVar("M", bound="Module")
_new, _assign = object.__new__, object.__setattr__


class _Hooks:
    __slots__ = ("after", "before")

    def __init__(self) -> None:
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}

    def call(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self.before.values()):
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        output = module.forward(*args, **kwargs)
        for hook in list(self.after.values()):
            changed = hook(module, args, output)
            if changed is not None:
                output = changed
        return output


class Module(Registry):
    """Base of layers, models and losses: write ``forward``, assign Parameters and Modules as attributes.

    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(tensor(2.0))
    ...     def forward(self, input):
    ...         return input * self.factor
    >>> Scale()(tensor([1.0, 3.0])).detach()
    tensor([2., 6.])
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    __slots__ = ("_box",)

    _box: tuple[State | None, State | None]  # the caller's state, and the one inside this module's scope
    _hooks: _Hooks | None = None
    training: bool = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = _new(cls)
        _assign(self, "_box", (None, None))
        return self

    def __init__(self) -> None:
        """Nothing to set up, so that a subclass that forgets ``super().__init__()`` works as well."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: forward is missing; write def forward(self, input): ...")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        old = get_state()
        known, inside = self._box
        if known is not old or inside is None:
            kind = type(self).__name__
            scope = Scope(f"{self._attribute}: {kind}" if self._attribute else kind, old.scope)
            inside = State(old.recording, scope, old.watch)
            _assign(self, "_box", (old, inside))
        token = set_state(inside)
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._hooks.call(self, args, kwargs)
        finally:
            reset_state(token)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, args)`` before forward; what it returns replaces the arguments."""
        return Handle(self._own_hooks().before, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, args, output)`` after forward; what it returns replaces the output."""
        return Handle(self._own_hooks().after, hook)

    def _own_hooks(self) -> _Hooks:
        if self._hooks is None:
            self._hooks = _Hooks()
        return self._hooks

    def train(self: M, mode: bool = True) -> M:
        """Switch this module and all below it to training (or evaluation): Dropout acts in training only."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: M) -> M:
        """Switch to evaluation: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Freeze (False) or unfreeze every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every parameter, or fill them with zeros."""
        for module in self.modules():
            for value in vars(module).values():
                if isinstance(value, Parameter) and value._grad is not None:
                    value._grad = None if set_to_none else Tensor(np.zeros_like(value._grad.array))

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Call ``fn`` on every module below and then on this one, for example to initialise weights."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def get_submodule(self, target: str) -> Any:
        """The module with this dotted name; AttributeError when there is none."""
        module: Any = self
        for name in target.split(".") if target else []:
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"get_submodule: {name!r} in {target!r} is no Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with this dotted name; AttributeError when there is none."""
        path, _, name = target.rpartition(".")
        found = getattr(self.get_submodule(path), name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"get_parameter: {target!r} is no Parameter")
        return found

    # state

    def _state(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers by name; a shared tensor under each of its names."""
        found: dict[str, Tensor] = {}
        for path, module in self._tree("", True, False):
            start = f"{prefix}{path}." if path else prefix
            own = vars(module).items()
            found.update((start + k, v) for k, v in own if isinstance(v, Parameter))
            kept = module._buffers - module._transient
            found.update((start + k, v) for k, v in own if k in kept and v is not None)
        return found

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> OrderedDict[str, Tensor]:
        """Copies of the parameters and persistent buffers by name (``keep_vars``: the tensors themselves).

        >>> nn.Linear(1, 1).state_dict().keys()
        odict_keys(['weight', 'bias'])
        """
        state = self._state(prefix)
        return OrderedDict((k, v if keep_vars else Tensor(v.array.copy())) for k, v in state.items())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy the values in, all or nothing; ``strict`` demands exactly the names of :meth:`state_dict`.

        RuntimeError lists every missing or unexpected name, every wrong shape and every dtype whose values
        would be lost (overflow, fractions, rounding).

        >>> layer = nn.Linear(2, 1)
        >>> layer.load_state_dict({"weight": ones(1, 2), "bias": zeros(1)})
        <All keys matched successfully>
        """
        return load_into(type(self).__name__, self._state(), state_dict, strict)

    def to(self: M, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False) -> M:
        """Cast floating parameters and buffers in place; the device can only be ``"cpu"``.

        Takes a dtype, a device, both, or a tensor to be like. TypeError for a dtype that is not floating.

        >>> nn.Linear(1, 1).to("cpu", float64).weight.dtype
        tinygrad_loss.float64
        """
        for argument in args:
            if isinstance(argument, Tensor):
                dtype = argument.dtype
            elif isinstance(argument, (str, device_type)):
                device = argument
            elif argument is not None:
                dtype = argument
        check_device(device)
        if dtype is not None:
            target = to_numpy(dtype)
            if target.kind != "f":
                raise TypeError(f"Module.to: dtype must be floating point, got {of_numpy(target)}; labels stay outside")
            tensors = [*self.parameters(), *self.buffers()]
            tensors = [t for t in tensors if t.array.dtype.kind == "f" and t.array.dtype != target]
            with quiet():
                cast = [(t.array.astype(target), None if t._grad is None else t._grad.array) for t in tensors]
                for t, (array, g) in zip(tensors, cast, strict=True):
                    t.data = Tensor(array)
                    t._grad = None if g is None else Tensor(g.astype(target))
        return self

    def float(self: M) -> M:
        """Cast floating parameters and buffers to float32."""
        return self.to(float32)

    def double(self: M) -> M:
        """Cast floating parameters and buffers to float64."""
        return self.to(float64)

    def half(self: M) -> M:
        """Cast floating parameters and buffers to float16."""
        return self.to(float16)

    def cpu(self: M) -> M:
        """This module: it is on the CPU already."""
        return self

    def cuda(self: M, device: Any = None) -> M:
        """RuntimeError: there is no other device than the CPU."""
        return self.to("cuda")

    # printing

    def extra_repr(self) -> str:
        """What stands in the parentheses of this module's repr; for subclasses to define."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({k}): {indent(repr(v))}" for k, v in vars(self).items() if isinstance(v, Module)]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        return f"{self._get_name()}({block(lines + children)})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__  # a copy does not take the scope of the last call along


def indent(text: str) -> str:
    """Two spaces before every line but the first."""
    first, *rest = text.split("\n")
    return "\n".join([first, *("  " + line if line.strip() else "" for line in rest)])


def block(lines: list[str]) -> str:
    return "\n  " + "\n  ".join(lines) + "\n" if lines else ""
