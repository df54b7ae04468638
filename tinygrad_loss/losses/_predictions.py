"""The domain of inputs that are logits, or probabilities when an option says so."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..callsite import advise
from ..dtypes import Array
from ..tape import Tensor
from ._domains import Domain, ProbabilityDomain, first


class PredictionDomain(ProbabilityDomain):
    """Logits; with the loss's option ``from_logits=False`` probabilities."""

    name = "Prediction"
    describe = "logits: any real numbers (or, with from_logits=False, probabilities)"

    def check(self, where: str, x: Array, sizes: dict[str, Any], options: dict[str, Any]) -> Array | None:
        if options.get("from_logits", True):
            return None
        bad = (x < 0) | (x > 1)
        if bad.any():
            value = float(x[np.unravel_index(int(np.argmax(bad)), bad.shape)])
            raise ValueError(
                f"{where}{first(bad)} is {value:g}, but probabilities are between 0 and 1; for logits leave "
                "from_logits=True"
            )
        return None

    def suspect(self, x: Tensor) -> bool:
        return x.op is not None and x.op.name in ("sigmoid", "softmax")

    def advise(self, where: str, x: Tensor, sizes: dict[str, Any], options: dict[str, Any]) -> None:
        if options.get("from_logits", True) and x.op is not None and x.op.name in ("sigmoid", "softmax"):
            advise(
                f"{where} is the result of {x.op.name}, which {where.split(':')[0]} applies itself: pass the logits, "
                "or from_logits=False"
            )

    def sample(self, rng: "np.random.Generator", shape: tuple[int, ...], sizes: dict[str, Any]) -> Array:
        if sizes.get("from_logits", True):
            return Domain.sample(self, rng, shape, sizes)
        return super().sample(rng, shape, sizes)


if TYPE_CHECKING:
    from typing import Annotated as Prediction
else:
    Prediction = PredictionDomain()

__all__ = ["Prediction", "PredictionDomain"]
