"""What a task asks of an object. Each layer that answers differently asks it once, by ``match task.goal``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from e2e.tasks.quantities import Quantity


@dataclass(frozen=True)
class Classification:
    """Which of ``classes`` it is; ``classes[i]`` is the name of target ``i``.

    Of two classes a network tells one logit, that of ``classes[1]``, the signal; of more, one for each.
    """

    classes: tuple[str, ...]
    quantity: ClassVar[Quantity] = Quantity("class", "1")

    @property
    def outputs(self) -> int:
        """Numbers that a network tells of an object."""
        return 1 if len(self.classes) == 2 else len(self.classes)


@dataclass(frozen=True)
class Regression:
    """How large a ``quantity`` is; the target is its value, above 0."""

    quantity: Quantity
    classes: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[int] = 1


Goal = Classification | Regression
