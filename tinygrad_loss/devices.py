"""The device: always the CPU, accepted in every form that torch's users write."""

from __future__ import annotations

from typing import Any


class device:
    """Where a tensor lives: the CPU. Code that passes ``device="cpu"`` around works unchanged.

    Raises RuntimeError for any other device.

    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = str(type), None
        if type not in ("cpu", "cpu:0") or index not in (None, 0):
            raise RuntimeError(
                f"device: got {type!r}, but this library computes with NumPy, on the CPU only: use device='cpu', or "
                "leave device out"
            )
        self.type = "cpu"
        self.index = 0 if type == "cpu:0" else index

    def __repr__(self) -> str:
        return f"device(type='cpu'{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cpu:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device)

    def __hash__(self) -> int:
        return hash("cpu")

    def __reduce__(self) -> tuple[Any, ...]:
        return device, ("cpu", self.index)


CPU = device()


def check_device(given: Any) -> None:
    """Accept the CPU in every form, and None; refuse the rest with the reason."""
    if given is not None and given is not CPU:
        device(given)
