"""What the tasks of jets have in common."""

from __future__ import annotations

from typing import Any

from e2e.geometry import DETECTOR, TOWER, Crop
from e2e.tasks.definition import Task
from e2e.tasks.goals import Goal
from e2e.tasks.quantities import SEED_ETA, Channel, Quantity

TRACK_PT = Channel("track_pT", "GeV")
TRACK_DZ = Channel("track_dz", "cm")
TRACK_D0 = Channel("track_d0", "cm")
ECAL = Channel("ECAL_energy", "GeV")
HCAL = Channel("HCAL_energy", "GeV", cell=TOWER)
PIXELS = tuple(Channel(f"BPIX_layer{layer}", "hits") for layer in (1, 2, 3))
TRACKS = (TRACK_PT, TRACK_DZ, TRACK_D0)
CHANNELS = (*TRACKS, ECAL, HCAL, *PIXELS)
KINEMATICS = (
    Quantity("jetPt", "GeV"),
    Quantity("jetEta", "1"),
    Quantity("jetPhi", "rad"),
    Quantity("jetM", "GeV"),
)
# Tracks nearer to the primary vertex than this along the beam count as its own (isolation of taus, arXiv
# 1809.02816).
PROMPT_DZ_CM = 0.2


def jet_task(name: str, goal: Goal, **facts: Any) -> Task:
    """A task of jets, whose ``facts`` are those of ``Task``; what is not given is common to them."""
    common: dict[str, Any] = {
        "channels": CHANNELS,
        "detector": DETECTOR,
        "crop": Crop(rows=125, columns=125, seed_row=62, seed_column=62),
        "objects": "jet",
        "seed_cell": TOWER,
        "kinematics": KINEMATICS,
        "offered": (SEED_ETA.name, "jetPt"),
    }
    return Task(name=name, goal=goal, **common | facts)
