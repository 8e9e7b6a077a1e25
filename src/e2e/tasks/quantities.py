"""What is measured: numbers of an object, and layers of its image."""

from __future__ import annotations

from dataclasses import dataclass

KIND = "kind"  # unit of what only tells objects of several kinds apart: codes, numbers of daughters


@dataclass(frozen=True)
class Quantity:
    """One number of an object, and its unit."""

    name: str
    unit: str


@dataclass(frozen=True)
class Channel(Quantity):
    """One image layer: what it measures, and the unit of its values.

    A channel of ``cell`` n has one value for n x n cells of the detector frame, over which it is
    spread evenly. Which branch of an ntuple holds it is a matter of that ntuple (``e2e.data.layouts``).
    """

    cell: int = 1


# Pseudorapidity of the middle of an object's seed, which its row in the detector tells.
SEED_ETA = Quantity("seed_eta", "1")
