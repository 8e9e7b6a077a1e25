"""At which cuts on its score a tagger of two classes is used, and whose passing them is told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WorkingPoints:
    """``efficiencies`` by name: shares of the second class that pass, from the loosest cut to the tightest.

    ``kinds`` maps each class to its kinds of objects by name: pandas queries of the task's kinematics.
    """

    efficiencies: Mapping[str, float]
    kinds: Mapping[str, Mapping[str, str]]

    def fault(self, classes: Sequence[str], balance: Sequence[str]) -> str | None:
        """What does not fit to a task of these ``classes`` and this ``balance``, and what would be right."""
        if len(classes) != 2 or set(self.kinds) != set(classes):
            return f"working points tell kinds of {', '.join(self.kinds)}; give those of each of two classes"
        if not all(0 < efficiency < 1 for efficiency in self.efficiencies.values()):
            return f"working points are at {dict(self.efficiencies)}; give shares between 0 and 1"
        return None if balance else "working points by momentum need a balance, which names it"
