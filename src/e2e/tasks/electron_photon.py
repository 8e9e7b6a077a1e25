"""Electrons and photons in the barrel of the ECAL."""

from __future__ import annotations

from e2e.geometry import BARREL, Crop
from e2e.tasks.definition import Task
from e2e.tasks.goals import Classification
from e2e.tasks.quantities import Channel, Quantity

TASK = Task(
    name="electron_photon",
    channels=(Channel("EB_energy", "GeV"), Channel("EB_time", "ns")),
    detector=BARREL,
    crop=Crop(rows=32, columns=32, seed_row=15, seed_column=15),
    objects="photon",
    kinematics=(
        Quantity("pho_pT", "GeV"),
        Quantity("pho_E", "GeV"),
        Quantity("pho_eta", "1"),
        Quantity("pho_phi", "rad"),
    ),
    goal=Classification(("photon", "electron")),
    balance=("pho_pT", "pho_eta"),
    features="shower shapes",
)
