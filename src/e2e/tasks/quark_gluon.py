"""Jets of quarks and of gluons."""

from __future__ import annotations

from e2e.tasks.goals import Classification
from e2e.tasks.jets import ECAL, HCAL, TRACK_PT, jet_task
from e2e.tasks.simulation import NO_NUMBER, Distribution, Expectation, Simulation

JET_RESOLUTION = "arXiv:1607.03663, abstract"
MULTIPLICITY = "arXiv:1602.00988, from knowledge"

_QUARK, _GLUON = "target == 1", "target == 0"
_HUNDRED = "gen_jetPt > 80 and gen_jetPt < 120"

EXPECTATIONS = (
    Expectation("jet response, 80 to 120 GeV", "response", _HUNDRED, "median", None, None, NO_NUMBER),
    Expectation("jet resolution, 80 to 120 GeV", "response", _HUNDRED, "spread", 0.08, 0.13, JET_RESOLUTION),
    *(
        Expectation(
            f"{text}, {kind}, 80 to 120 GeV",
            column,
            f"{selection} and {_HUNDRED}",
            "mean",
            *band,
            source,
        )
        for column, text, bands, source in (
            (
                "gen_jetCharged",
                "charged particles above 0.5 GeV",
                ((7.5, 11.0), (11.0, 16.0)),
                MULTIPLICITY,
            ),
            ("gen_jetWidth", "width", ((None, None),) * 2, NO_NUMBER),
            ("gen_jetPtD", "pTD", ((None, None),) * 2, NO_NUMBER),
            ("tracks", "cells with tracks within 0.4", ((None, None),) * 2, NO_NUMBER),
        )
        for (kind, selection), band in zip((("quarks", _QUARK), ("gluons", _GLUON)), bands, strict=True)
    ),
)

TASK = jet_task(
    "quark_gluon",
    Classification(("gluon", "quark")),
    channels=(TRACK_PT, ECAL, HCAL),
    balance=("jetPt", "jetEta"),
    truth={
        "jet_truthLabel": {21: "gluon", 1: "quark", 2: "quark", 3: "quark"},
        "jetIsQuark": {0: "gluon", 1: "quark"},
    },
    simulation=Simulation(
        module="jets",
        samples={"qcd": "qcd"},
        validation="jet_validation",
        expectations=EXPECTATIONS,
        distributions=(
            Distribution("gen_jetCharged", -0.5, 40.5, 41, "charged particles above 0.5 GeV in the jet"),
            Distribution("gen_jetWidth", 0.0, 0.3, 30, "width of the jet of particles"),
            Distribution("gen_jetPtD", 0.1, 1.0, 30, r"$p_TD$ of the jet of particles"),
            Distribution("tracks", -0.5, 59.5, 30, "cells with tracks within 0.4, with pileup"),
            Distribution("jetPt", 70.0, 340.0, 27, r"measured $p_T$ [GeV]"),
            Distribution("jetM", 0.0, 60.0, 30, "measured mass [GeV]"),
        ),
    ),
)
