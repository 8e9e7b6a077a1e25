"""The mass of a boosted particle, from the jet of its decay."""

from __future__ import annotations

from e2e.tasks.goals import Regression
from e2e.tasks.jets import KINEMATICS, jet_task
from e2e.tasks.quantities import Quantity

TASK = jet_task(
    "mass_regression",
    Regression(Quantity("a_m", "GeV")),
    kinematics=(*KINEMATICS, Quantity("a_pt", "GeV")),
)
