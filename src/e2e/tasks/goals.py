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

    def fault(self) -> str | None:
        """What is wrong with it, and what would be right."""
        if len(self.classes) >= 2 and len(set(self.classes)) == len(self.classes):
            return None
        return f"its classes are {', '.join(self.classes) or 'none'}; give two or more, of different names"

    @property
    def outputs(self) -> int:
        """Numbers that a network tells of an object."""
        return 1 if len(self.classes) == 2 else len(self.classes)


@dataclass(frozen=True)
class Regression:
    """How large a ``quantity`` is; the target is its value, above 0.

    A network tells it, the median of what it may be, and the half width within which 68 % lie.
    """

    quantity: Quantity
    classes: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[int] = 2

    def fault(self) -> str | None:
        """Nothing can be wrong with it."""
        return None


Goal = Classification | Regression
