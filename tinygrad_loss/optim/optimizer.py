"""The base of the optimizers: parameter groups, their state, and one step over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import Any

import numpy as np

from ..callsite import advise
from ..modes import enable_grad
from ..quiet import QUIET, reports, set_reports
from ..tape import Tensor
from ..writes import note_write
from .entries import Entries
from .flat import Chunk, Pool, lay_out
from .loading import copied, loaded_groups, loaded_state


class Optimizer:
    """What every optimizer shares. Your own: either define ``step``, or ``_buffers`` and ``_update`` as SGD does.

    ``params`` are Tensors, (name, Tensor) pairs, or dicts with ``params`` and options of their own. Raises
    TypeError when they are something else, ValueError when there are none, when one is listed twice or
    when one is the result of an operation.

    >>> weight = nn.Parameter(tensor([1.0]))
    >>> optimizer = optim.SGD([weight], lr=0.1)
    >>> (weight ** 2).sum().backward()
    >>> optimizer.step()
    >>> weight.detach()
    tensor([0.8000])
    """

    counts = False  # whether the state has the number of steps
    remembers: Mapping[str, bool] = {}  # what else a state can have, and whether it is there after every step

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params must be an iterable of Tensors or dicts, got one Tensor; use [tensor]"
            )
        self.defaults = defaults
        self.state: dict[Any, Any] = Entries([0])
        self.param_groups: list[dict[str, Any]] = []
        self._layout: dict[int, tuple[Any, list[Tensor], list[Chunk]]] = {}
        self._valid: tuple[Entries | None, int] = (None, 0)  # the state that the layout is for, and its clock then
        self._pool: Pool = {}
        self._opt_called = False
        groups = list(params)
        if not groups:
            raise ValueError(
                f"{type(self).__name__}: got an empty parameter list; does the model keep its layers in a plain list, "
                "or was model.parameters() used up already?"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with the options given here and otherwise the defaults."""
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a parameter group must be a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ValueError(f"{name}: the parameter group has no 'params'; its keys are {list(param_group)}")
        given = param_group["params"]
        if isinstance(given, (set, frozenset)):
            raise TypeError(f"{name}: parameters in a set have no fixed order; pass a list")
        params = [given] if isinstance(given, Tensor) else list(given)
        labels = [p[0] for p in params if isinstance(p, tuple)]
        params = [p[1] if isinstance(p, tuple) else p for p in params]
        if labels and len(labels) != len(params):
            raise ValueError(f"{name}: some parameters have a name and some have none; use one form for all")
        if self.param_groups and bool(labels) != ("param_names" in self.param_groups[0]):
            raise ValueError(f"{name}: all parameter groups must be with names or all without")
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: params[{i}] must be a Tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{name}: params[{i}] is the result of an operation; optimize the leaf it came from")
            if id(p) in known:
                raise ValueError(
                    f"{name}: params[{i}] of shape {tuple(p.shape)} is listed twice and would be stepped twice; "
                    "pass each parameter once, in one group"
                )
            known.add(id(p))
        group = {**self.defaults, **param_group}
        group = {"params": params, **{k: v for k, v in group.items() if k != "params"}}
        if labels:
            group["param_names"] = labels
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range; also those of a single group."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p._grad is None:
                    p._grad = None
                else:
                    p._grad = Tensor(np.zeros_like(p._grad.array))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` computes the loss anew, which is returned.

        RuntimeError when no parameter has a gradient. Nothing is changed then. Ctrl-C in the middle leaves some
        parameters stepped and others not, and running means half updated: load the last saved state.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._notice_changes()
        work: list[tuple[dict[str, Any], Chunk]] = []
        piled = False
        for group in self.param_groups:
            live = [p for p in group["params"] if p._grad is not None]
            for chunk in self._chunks(group, live) if live else ():
                work.append((group, chunk))
                piled = piled or chunk.piled()
        if not work:
            raise RuntimeError(
                f"{type(self).__name__}.step: no parameter has a gradient; call loss.backward() first, and check that "
                "the loss depends on the parameters given to the optimizer"
            )
        if piled:
            advise(
                f"{type(self).__name__}.step: a gradient was added to one that an earlier step has already used; "
                "call optimizer.zero_grad() before backward()"
            )
        before = reports()
        try:
            set_reports(QUIET)
            for group, chunk in work:
                self._update(group, chunk)
                note_write(*chunk.mark())
        finally:
            set_reports(before)
        self._opt_called = True
        return loss

    def _buffers(self, group: dict[str, Any]) -> tuple[tuple[str, ...], int]:
        """The names of the state, and the scratch row in which the kernel leaves what is subtracted."""
        raise NotImplementedError(f"{type(self).__name__}: step is missing; write def step(self, closure=None): ...")

    def _update(self, group: dict[str, Any], chunk: Chunk) -> None:
        """One step of a chunk."""
        raise NotImplementedError

    def _notice_changes(self) -> None:
        """Forget the layout when the user has changed or replaced the state."""
        known, clock = self._valid
        if known is None or self.state is not known or known.clock[0] != clock:
            state = self.state
            if not isinstance(state, Entries):
                state = Entries([0])
                state.update(self.state)
                self.state = state
            self._layout.clear()
            self._valid = (state, state.clock[0])

    def _chunks(self, group: dict[str, Any], live: list[Tensor]) -> list[Chunk]:
        """The group's parameters as they were laid out, or anew when anything about them has changed."""
        needs = self._buffers(group)
        known = self._layout.get(id(group))
        if known is not None:
            old_needs, old_live, chunks = known
            if old_needs == needs and len(old_live) == len(live) and all(map(is_, old_live, live)):
                for chunk in chunks:
                    if not chunk.fits():
                        break
                else:
                    return chunks
        names, result = needs
        for p in live:
            self._check_shapes(p, names)
        assert isinstance(self.state, Entries)
        chunks = lay_out(live, names, self.counts, result, self.state, self._pool)
        self._layout[id(group)] = (needs, live, chunks)
        self._valid = (self.state, self.state.clock[0])
        return chunks

    def _check_shapes(self, p: Tensor, names: tuple[str, ...]) -> None:
        function, shape = f"{type(self).__name__}.step", p.array.shape
        assert p._grad is not None
        if p._grad.array.shape != shape:
            raise RuntimeError(
                f"{function}: a gradient of shape {tuple(p._grad.shape)} for a parameter of shape {tuple(shape)}: the "
                "parameter was re-bound after backward(); call zero_grad() first"
            )
        for name in names:
            held = self.state.get(p, {}).get(name)
            if held is not None and held.array.shape != shape:
                raise RuntimeError(
                    f"{function}: {name} has shape {tuple(held.shape)}, the parameter {tuple(shape)}: it was reshaped "
                    "after earlier steps; make a new optimizer"
                )

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {index: {name: value}}, "param_groups": [...]}`` with copies of the tensors."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {id(p): i for i, p in enumerate(params)}
        state = {number[id(p)]: {k: copied(v) for k, v in entry.items()} for p, entry in self.state.items()}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state and the options of :meth:`state_dict`, all or nothing.

        ValueError when groups, options, names, shapes or dtypes do not match this optimizer and its parameters.
        """
        name = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise ValueError(f"{name}: expected a dict with 'state' and 'param_groups'")
        groups, params = loaded_groups(name, self.param_groups, state_dict["param_groups"], self.defaults)
        for group in groups:
            self._check(group)
        own_step = type(self).step is not Optimizer.step  # then only that knows what belongs into the state
        state = loaded_state(name, state_dict["state"], params, None if own_step else self._remembered(groups))
        self.state, self.param_groups, self._layout = state, groups, {}
        self._opt_called = True  # as far as schedulers can know

    def _remembered(self, groups: list[dict[str, Any]]) -> dict[str, bool]:
        """The names in a parameter's state, and whether they are there after every step."""
        names = self.remembers or dict.fromkeys((n for group in groups for n in self._buffers(group)[0]), False)
        return {"step": True, **names} if self.counts else dict(names)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_layout": {}, "_pool": {}}  # a copy lays out memory of its own

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines.extend(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def at_least_zero(function: str, group: dict[str, Any], *names: str) -> None:
    """ValueError naming the option that is negative or no number."""
    for name in names:
        if not float(group[name]) >= 0.0:
            raise ValueError(f"{function}: {name} must be at least 0, got {group[name]}")


def check_eps(function: str, group: dict[str, Any]) -> None:
    """ValueError when ``eps`` is lost in the dtype of the state, float32 or more."""
    for p in group["params"]:
        work = np.promote_types(p.array.dtype, np.float32)
        if 0 < group["eps"] < np.finfo(work).tiny:
            raise ValueError(
                f"{function}: eps={group['eps']} underflows in {work}; use at least {np.finfo(work).tiny:.1e}, or 0"
            )
