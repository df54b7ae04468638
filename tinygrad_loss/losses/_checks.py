"""The switch for the checks of values. Shapes, dtypes and options are always checked: they cost once per signature."""

from __future__ import annotations

from contextvars import ContextVar, Token

_enabled: ContextVar[bool] = ContextVar("tinygrad_loss.value_checks", default=True)
value_checks_enabled = _enabled.get


class set_value_checks:
    """Whether losses look at the values of their arguments: at once, and as a context manager until its end.

    Off, a label out of range or a probability above 1 is no longer found by the loss; shapes, dtypes and options
    still are. Only this thread or task is affected.

    >>> with set_value_checks(False):
    ...     F.soft_margin_loss(tensor([2.0]), tensor([0.0]))
    tensor(0.6931)
    """

    def __init__(self, mode: bool) -> None:
        self._token: Token[bool] | None = _enabled.set(bool(mode))

    def __enter__(self) -> None:
        if self._token is None:
            raise RuntimeError("set_value_checks: entered twice; make a new one for each 'with'")

    def __exit__(self, *exc: object) -> None:
        if self._token is not None:
            _enabled.reset(self._token)
            self._token = None
