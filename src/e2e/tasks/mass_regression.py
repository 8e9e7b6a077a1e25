"""The mass of a boosted particle, from the jet of its decay."""

from __future__ import annotations

from dataclasses import replace

from e2e.tasks.definition import Quantity
from e2e.tasks.jets import JETS

TASK = replace(
    JETS,
    name="mass_regression",
    kinematics=(*JETS.kinematics, Quantity("a_pt", "GeV")),
    target=Quantity("a_m", "GeV"),
)
