"""The domain of a model: where numbers of the training's objects lay (``e2e.data.domain`` measures it)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

HITS, SMALLEST = "hits", "smallest"  # of a frame, in a channel


@dataclass(frozen=True)
class Range:
    """Where objects of the training lie in a quantity: from ``low`` to ``high``, both included.

    It is one of the kinematics, the magnitude of ``seed_eta``, or, of the frame in a ``channel``, the number
    of ``hits`` or the ``smallest`` magnitude of a value that is not 0.
    """

    quantity: str
    channel: str | None
    unit: str
    low: float
    high: float

    def __str__(self) -> str:
        names = {HITS: f"number of hits in {self.channel}", SMALLEST: f"smallest {self.channel} of the frame"}
        unit = "" if self.unit in ("1", HITS) else f" {self.unit}"
        return f"{names.get(self.quantity, self.quantity)} outside {self.low:.4g} to {self.high:.4g}{unit}"


@dataclass(frozen=True)
class Domain:
    """The ranges of a training, ``central`` of whose objects lie inside of each."""

    central: float
    ranges: tuple[Range, ...]

    def to_json(self) -> dict[str, Any]:
        """As model.json has it."""
        return {"central": self.central, "ranges": [asdict(each) for each in self.ranges]}
