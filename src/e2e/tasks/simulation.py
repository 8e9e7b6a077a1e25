"""What the fast simulation makes for a task, and what is expected of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_NUMBER = "no published number"
# Other detectors for the particles of the test part to meet, by a name for files: numbers of
# ``e2e.simulation.detector``.
DETECTORS: Mapping[str, Mapping[str, Any]] = {
    "pileup_40": {"detector": {"pileup_mean": 40.0}},
    "pileup_60": {"detector": {"pileup_mean": 60.0}},
    "material_1.1": {"detector": {"material": 1.1}},
}


@dataclass(frozen=True)
class Expectation:
    """``statistic`` of ``column`` for the objects of ``selection`` (a pandas query) lies within low to high.

    Statistics are those of ``e2e.simulation.validation.STATISTICS``, by name: what is known of a task is read
    before anything is installed.

    Without a published number, both are None and the value is only reported.
    """

    name: str
    column: str
    selection: str
    statistic: str
    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True)
class Distribution:
    """A histogram of ``column`` in ``bins`` equal ones from ``low`` to ``high``; its axis has the ``label``.

    It is that of ``classes`` alone, where the others have no such quantity.
    """

    column: str
    low: float
    high: float
    bins: int
    label: str
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Simulation:
    """How a task is simulated.

    ``samples`` maps the name of each to that of its generator in ``e2e.simulation.<module>``; a run has all
    of them or, if they are ``alternatives``, the one that its configuration chooses, by default the first.
    ``shares`` says which part of a run's objects each sample is; without, they are equal.
    ``e2e.simulation.<validation>`` compares them with ``expectations`` of what it finds in them, which
    ``e2e.report.<validation>`` draws as ``distributions``. Pileup is ``pooled`` where it comes from one pool
    of collisions for all files, and is else made anew for each event. ``pt`` is the transverse momentum (GeV)
    that is asked for by default, or the ends of a spectrum; None where collisions decide. ``others`` are
    detectors and momenta that events of the test part are simulated with once more, by name, to see what
    keeps.
    """

    module: str
    samples: Mapping[str, str]
    validation: str
    expectations: tuple[Expectation, ...]
    distributions: tuple[Distribution, ...] = ()
    alternatives: bool = False
    pooled: bool = True
    shares: Mapping[str, float] = field(default_factory=dict)
    pt: tuple[float, ...] | None = None
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: DETECTORS)

    def fault(self) -> str | None:
        """What contradicts itself, and what would be right."""
        if not self.shares:
            return None
        if set(self.shares) == set(self.samples) and math.isclose(sum(self.shares.values()), 1.0):
            return None
        return f"shares are {dict(self.shares)}; give one to each of its samples, 1 in all"

    def of_file(self, sample: str, objects: int, files: int) -> int:
        """Objects of each of the ``files`` of a ``sample``, in a run of so many objects of all samples."""
        equal = 1.0 if self.alternatives else 1.0 / len(self.samples)
        share = self.shares.get(sample, equal)
        # a product may lie a hair above the whole number that it is
        return math.ceil(round(objects * share / files, 6))


def converted(depth: float) -> float:
    """Share of photons that convert in ``depth`` X0."""
    return -math.expm1(-7.0 / 9.0 * depth)


def radiated(depth: float) -> float:
    """Mean share of an electron's energy radiated in ``depth`` X0."""
    return -math.expm1(-depth)
