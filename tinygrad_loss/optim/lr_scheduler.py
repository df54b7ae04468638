"""Learning rates that change over the epochs. Call ``scheduler.step()`` after the epoch's optimizer steps."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat

from .loading import loaded_schedule
from .optimizer import Optimizer


class LRScheduler:
    """Base of the schedulers: define ``get_lr``, which gives the new rates, one for each parameter group.

    Making a scheduler sets ``initial_lr`` in each group. Raises TypeError for something that is no
    Optimizer and KeyError when ``last_epoch`` resumes groups that have no ``initial_lr``.
    """

    _choices: Mapping[str, tuple[str, ...]] = {}  # what a loaded state may have
    _positive: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        _check_optimizer(type(self).__name__, optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: param_groups[{i}] has no 'initial_lr' to resume from at last_epoch="
                    f"{last_epoch}; load the optimizer's state_dict first, or leave last_epoch out"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._initial = True
        self.step()
        self._initial = False

    def get_lr(self) -> list[Any]:
        """The rates for ``self.last_epoch``."""
        raise NotImplementedError(f"{type(self).__name__}: get_lr is missing; it returns one rate per group")

    def get_last_lr(self) -> list[Any]:
        """The rates in force, one for each parameter group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch (or to ``epoch``) and set the rates.

        UserWarning when the optimizer has not stepped yet: the first rate would be skipped.
        """
        optimizer = self.optimizer
        steps_itself = type(optimizer).step is not Optimizer.step  # then we cannot know
        if self._step_count == 1 and not optimizer._opt_called and not steps_itself:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first value of the learning "
                "rate schedule is skipped. Call `optimizer.step()` first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form = getattr(self, "_get_closed_form_lr", None)
        rates = self.get_lr() if epoch is None or closed_form is None else closed_form()
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer: numbers and lists, which are copied."""
        return {k: v.copy() if isinstance(v, (list, dict)) else v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state, all or nothing; load the optimizer's as well.

        ValueError for names that are missing or unexpected, and for values of another kind, length or range.
        """
        name = f"{type(self).__name__}.load_state_dict"
        state = loaded_schedule(name, self.state_dict(), state_dict)
        for key, value in state.items():
            if key in self._choices and value not in self._choices[key]:
                raise ValueError(f"{name}: {key} must be one of {self._choices[key]}, got {value!r}")
            if key in self._positive and not value > 0:
                raise ValueError(f"{name}: {key} must be positive, got {value!r}")
        self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class StepLR(LRScheduler):
    """Multiply the rates by ``gamma`` every ``step_size`` epochs.

    >>> optimizer = optim.SGD([nn.Parameter(tensor([1.0]))], lr=1.0)
    >>> optim.lr_scheduler.StepLR(optimizer, step_size=30).get_last_lr()
    [1.0]
    """

    _positive = ("step_size",)

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if isinstance(step_size, bool) or not isinstance(step_size, int) or step_size < 1:
            raise ValueError(f"StepLR: step_size must be a positive int, got {step_size!r}")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        factor = 1 if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class LambdaLR(LRScheduler):
    """The initial rate times ``lr_lambda(epoch)``; a list has one function for each parameter group.

    >>> optimizer = optim.SGD([nn.Parameter(tensor([1.0]))], lr=1.0)
    >>> optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.95 ** epoch).get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer("LambdaLR", optimizer)
        groups = len(optimizer.param_groups)
        if isinstance(lr_lambda, (list, tuple)) and len(lr_lambda) != groups:
            raise ValueError(f"LambdaLR: expected {groups} lr_lambdas, one per parameter group, got {len(lr_lambda)}")
        self.lr_lambdas: list[Any] = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As the base's; of the functions only the attributes of callable objects are kept."""
        state = {key: value for key, value in super().state_dict().items() if key != "lr_lambdas"}
        plain = [isinstance(f, types.FunctionType) for f in self.lr_lambdas]
        state["lr_lambdas"] = [None if p else vars(f).copy() for p, f in zip(plain, self.lr_lambdas, strict=True)]
        return state

    def _take_over(self, state: dict[str, Any]) -> None:
        attributes = state.pop("lr_lambdas")
        super()._take_over(state)
        for f, values in zip(self.lr_lambdas, attributes, strict=True):
            if values is not None:
                vars(f).update(values)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate down to ``eta_min`` in ``T_max`` epochs (Loshchilov & Hutter 2017).

    In the recursive form, so that it combines with other changes of the rate.

    >>> optimizer = optim.SGD([nn.Parameter(tensor([1.0]))], lr=1.0)
    >>> optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10).get_last_lr()
    [1.0]
    """

    _positive = ("T_max",)

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if not T_max > 0:
            raise ValueError(f"CosineAnnealingLR: T_max must be positive, got {T_max!r}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        groups, t, end, low = self.optimizer.param_groups, self.last_epoch, self.T_max, self.eta_min
        if self._initial and t == 0:
            return [group["lr"] for group in groups]
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - end) % (2 * end) == 0:  # the quotient below would be 0/0
            rise = (1 - math.cos(math.pi / end)) / 2
            return [g["lr"] + (lr - low) * rise for lr, g in zip(self.base_lrs, groups, strict=True)]
        factor = (1 + math.cos(math.pi * t / end)) / (1 + math.cos(math.pi * (t - 1) / end))
        return [factor * (group["lr"] - low) + low for group in groups]

    def _get_closed_form_lr(self) -> list[Any]:
        cosine = math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (lr - self.eta_min) * (1 + cosine) / 2 for lr in self.base_lrs]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by ``factor`` when a metric has not improved for more than ``patience`` epochs.

    ``step(metric)`` takes the value; ``mode`` says whether "min" or "max" is better, by ``threshold`` relative
    ("rel") or absolute ("abs"). Raises ValueError for a factor of 1 or more and for unknown modes.

    >>> optimizer = optim.SGD([nn.Parameter(tensor([1.0]))], lr=1.0)
    >>> scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    >>> scheduler.step(2.0); scheduler.step(2.0); scheduler.get_last_lr()
    [0.1]
    """

    _choices: Mapping[str, tuple[str, ...]] = {"mode": ("min", "max"), "threshold_mode": ("rel", "abs")}

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        _check_optimizer("ReduceLROnPlateau", optimizer)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        groups = len(optimizer.param_groups)
        if isinstance(min_lr, Sequence) and len(min_lr) != groups:
            raise ValueError(f"ReduceLROnPlateau: expected {groups} min_lrs, one for each group, got {len(min_lr)}")
        self.optimizer = optimizer
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.default_min_lr = None if isinstance(min_lr, Sequence) else min_lr
        self.min_lrs = list(min_lr) if isinstance(min_lr, Sequence) else [min_lr] * groups
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take the metric of this epoch and reduce the rates when it has stopped improving."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    @property
    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def _is_better(self, value: float) -> bool:
        down = self.mode == "min"
        step = -self.threshold if down else self.threshold
        bound = self.best * (1.0 + step) if self.threshold_mode == "rel" else self.best + step
        return value < bound if down else value > bound

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: the optimizer has {len(groups)} parameter groups now, min_lrs has "
                    f"{len(self.min_lrs)}; set scheduler.min_lrs"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, low in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, low)
            if old - new > self.eps:
                group["lr"] = new


def _check_optimizer(function: str, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{function}: expected an Optimizer, got {type(optimizer).__name__}")
