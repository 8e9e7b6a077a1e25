"""The mass of a boosted particle, from the jet of its decay."""

from __future__ import annotations

from e2e.tasks.goals import Regression
from e2e.tasks.jets import KINEMATICS, jet_task
from e2e.tasks.quantities import Quantity
from e2e.tasks.simulation import NO_NUMBER, Distribution, Expectation, Simulation

_NEAR = "gen_jetPt > 0"

EXPECTATIONS = (
    Expectation("jet response", "response", _NEAR, "median", None, None, NO_NUMBER),
    Expectation("jet resolution", "response", _NEAR, "spread", None, None, NO_NUMBER),
    Expectation("measured over true jet mass", "mass_ratio", "gen_jetM > 1", "median", None, None, NO_NUMBER),
    Expectation("mass resolution", "mass_ratio", "gen_jetM > 1", "spread", None, None, NO_NUMBER),
    Expectation("true jet mass over particle mass", "visible", _NEAR, "median", None, None, NO_NUMBER),
)

TASK = jet_task(
    "mass_regression",
    Regression(Quantity("a_m", "GeV")),
    kinematics=(*KINEMATICS, Quantity("a_pt", "GeV")),
    truth={"a_m": None},
    fewest=4,
    simulation=Simulation(
        module="jets",
        samples={"a_tautau": "a_tautau", "top": "top"},
        alternatives=True,
        validation="jet_validation",
        expectations=EXPECTATIONS,
        distributions=(
            Distribution("a_m", 0.0, 500.0, 25, "mass of the particle [GeV]"),
            Distribution("a_pt", 0.0, 1000.0, 25, r"$p_T$ of the particle [GeV]"),
            Distribution("visible", 0.0, 1.5, 30, "true mass of the jet / mass of the particle"),
            Distribution("mass_ratio", 0.0, 3.0, 30, "measured / true mass of the jet"),
            Distribution("response", 0.4, 1.6, 30, r"measured / true $p_T$ of the jet"),
            Distribution("tracks", -0.5, 59.5, 30, "cells with tracks within 0.4, with pileup"),
        ),
    ),
)
