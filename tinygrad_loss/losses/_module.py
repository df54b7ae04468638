"""The class behind a loss: it keeps the options and calls the function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..module import Module
from ..tape import Tensor
from ._reductions import resolve_reduction

if TYPE_CHECKING:
    from ._signature import Declaration


class LossModule(Module):
    """Base of every loss class. Options are attributes, weights are buffers, forward takes the arrays.

    >>> criterion = nn.HuberLoss(delta=2.0)
    >>> criterion(tensor([0.0]), tensor([3.0])), criterion.delta
    (tensor(4.), 2.0)
    """

    loss: Any
    order: tuple[str, ...]
    _count: int  # of the arrays that forward takes
    _options: tuple[str, ...]
    _optional: tuple[str, ...]  # the arrays that may be left out: class weights and the like, kept as buffers

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
        values = {key: given.get(key, d.defaults[key]) for key in self.order}
        self.reduction = resolve_reduction(name, values, d.reductions)
        d.check_options({key: values.get(key, d.defaults[key]) for key in d.options})
        for key, value in values.items():
            if key in arrays:
                self.register_buffer(key, value)
            elif key in d.options:
                setattr(self, key, value)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        loss, state = self.loss, self.__dict__
        if kwargs or len(args) != self._count:
            args = self._in_order(args, kwargs)
        if self._optional:
            args += tuple([state.get(name) for name in self._optional])
        options = {name: state[name] for name in self._options}
        result: Tensor = loss.call(args, options, self.reduction)
        return result

    def _in_order(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The required arrays by position, or a TypeError that says which are expected."""
        required = self.loss.declaration.required
        given = dict(zip(required, args, strict=False))
        twice = given.keys() & kwargs.keys()
        given |= kwargs
        if len(args) > len(required) or twice or given.keys() != set(required):
            raise TypeError(
                f"{type(self).__name__}: got {len(args)} arguments and {sorted(kwargs)}; expected "
                f"({', '.join(required)}); options such as reduction go to the constructor"
            )
        return tuple(given[name] for name in required)

    def extra_repr(self) -> str:
        """The options that differ from their defaults: torch's own ``MSELoss()`` when none does."""
        defaults = self.loss.declaration.defaults
        shown = [k for k in self.order if k in self.__dict__ and not _array(v := getattr(self, k)) and v != defaults[k]]
        return ", ".join(f"{k}={getattr(self, k)!r}" for k in shown)


def _array(value: Any) -> bool:
    return isinstance(value, Tensor)


def module_class(made: Any, name: str | None, order: str | None, declaration: Declaration) -> type[LossModule]:
    """The class for a loss; its name is torch's, or the function's in camel case with ``Loss`` at the end."""
    default = "".join(part.capitalize() for part in declaration.name.removesuffix("_loss").split("_")) + "Loss"
    arguments = order.split() if order else [n for n in declaration.order if n not in declaration.required]
    attributes = {
        "loss": made,
        "order": tuple(arguments),
        "_count": len(declaration.required),
        "_options": tuple(declaration.options),
        "_optional": declaration.arrays[len(declaration.required) :],
        "__doc__": f"``{declaration.name}`` as a module: {(made.__doc__ or '').strip()}",
        "__module__": made.__module__,
    }
    return type(name or default, (LossModule,), attributes)
