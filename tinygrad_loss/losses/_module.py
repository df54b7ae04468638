"""The class behind a loss: it keeps the options and calls the function."""

from __future__ import annotations

from typing import Any

from ..module import Module
from ..registry import Parameter
from ..tape import Tensor
from ._reductions import resolve_reduction
from ._signature import COUNTS, Declaration
from .combine import Combinable


class LossModule(Combinable, Module):
    """Base of every loss class. Options are attributes, weights are buffers, forward takes the arrays.

    >>> criterion = nn.HuberLoss(delta=2.0)
    >>> criterion(tensor([0.0]), tensor([3.0])), criterion.delta
    (tensor(4.), 2.0)
    """

    loss: Any
    order: tuple[str, ...]
    _passed: tuple[str, ...]  # the arrays that forward takes
    _count: int
    _options: tuple[str, ...]
    _kept: tuple[str, ...]  # the arrays that the module keeps: class weights and the like, as buffers or parameters
    _last: bool  # those come after all that forward takes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        name, d = type(self).__name__, self.loss.declaration
        if len(args) > len(self.order):
            hint = "; pass input and target to the module: criterion(input, target)" if any(map(_array, args)) else ""
            raise TypeError(f"{name}: got {len(args)} arguments; expected ({', '.join(self.order)}){hint}")
        given = dict(zip(self.order, args, strict=False))
        for key, value in kwargs.items():
            if key not in self.order or key in given:
                what = "is given twice" if key in given else f"is unknown; expected ({', '.join(self.order)})"
                raise TypeError(f"{name}: argument {key!r} {what}")
            given[key] = value
        arrays = {a.name for a in d.arguments}
        for key, value in given.items():
            if _array(value) and key not in arrays:
                raise TypeError(
                    f"{name}: argument {key!r} got a Tensor; the constructor takes options, the tensors go to the "
                    f"module: {name}()(input, target)"
                )
        missing = [key for key in self.order if key not in given and key not in d.defaults]
        if missing:
            raise TypeError(f"{name}: missing argument {missing[0]!r}; expected ({', '.join(self.order)})")
        values = {key: given.get(key, d.defaults.get(key)) for key in self.order}
        self.reduction = resolve_reduction(name, values, d.reductions)
        d.check_options({key: values.get(key, d.defaults.get(key)) for key in d.options})
        for key, value in values.items():
            if key in arrays and isinstance(value, Parameter):
                setattr(self, key, value)
            elif key in arrays:
                self.register_buffer(key, value)
            elif key in d.options:
                setattr(self, key, value)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        loss, state = self.loss, self.__dict__
        counts: dict[str, Any] = {}
        if kwargs or len(args) != self._count:
            args, counts = self._in_order(args, kwargs)
        if self._kept:
            if self._last:
                args += tuple([state[name] for name in self._kept])
            else:
                given = dict(zip(self._passed, args, strict=False)) | {name: state[name] for name in self._kept}
                args = tuple([given.get(name) for name in loss.declaration.arrays])
        elif len(args) < len(loss.declaration.arrays):
            args += (None,) * (len(loss.declaration.arrays) - len(args))
        options = {name: state[name] for name in self._options}
        reduction = state["reduction"]
        result: Tensor = (
            loss.call(args, options, reduction, **counts) if counts else loss.call(args, options, reduction)
        )
        return result

    def _in_order(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arrays by position and the sample weights and mask, or a TypeError that says what is expected."""
        counts = {name: kwargs.pop(name) for name in self.loss.declaration.counts if name in kwargs}
        given = dict(zip(self._passed, args, strict=False))
        twice = given.keys() & kwargs.keys()
        given |= kwargs
        needed = self._passed[: self._count]
        if len(args) > self._count or twice or not set(needed) <= given.keys() <= set(self._passed):
            expected = ", ".join((*self._passed, *self.loss.declaration.counts))
            raise TypeError(
                f"{type(self).__name__}: got {len(args)} arguments and {sorted(kwargs)}; expected ({expected}); "
                "options such as reduction go to the constructor"
            )
        return tuple(given.get(name) for name in self._passed), counts

    def extra_repr(self) -> str:
        """The options that differ from their defaults: torch's own ``MSELoss()`` when none does."""
        defaults = self.loss.declaration.defaults
        shown = [
            k for k in self.order if k in self.__dict__ and not _array(v := getattr(self, k)) and v != defaults.get(k)
        ]
        return ", ".join(f"{k}={getattr(self, k)!r}" for k in shown)


def _array(value: Any) -> bool:
    return isinstance(value, Tensor)


def module_class(made: Any, name: str | None, order: str | None, declaration: Declaration) -> type[LossModule]:
    """The class for a loss; its name is torch's, or the function's in camel case with ``Loss`` at the end."""
    default = "".join(part.capitalize() for part in declaration.name.removesuffix("_loss").split("_")) + "Loss"
    free = [n for n in declaration.order if n not in declaration.required and n not in COUNTS]
    arguments = order.split() if order is not None else free
    passed = tuple(n for n in declaration.arrays if n not in arguments)
    kept = tuple(n for n in declaration.arrays if n in arguments)
    attributes = {
        "loss": made,
        "order": tuple(arguments),
        "_passed": passed,
        "_count": len([n for n in declaration.required if n not in arguments]),
        "_options": tuple(declaration.options),
        "_kept": kept,
        "_last": passed + kept == declaration.arrays,
        "__doc__": f"``{declaration.name}`` as a module: {(made.__doc__ or '').strip()}",
        "__module__": made.__module__,
    }
    return type(name or default, (LossModule,), attributes)
