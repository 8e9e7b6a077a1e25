"""Hadronic decays of taus, among jets of quarks and gluons."""

from __future__ import annotations

from e2e.tasks.goals import Classification
from e2e.tasks.jets import KINEMATICS, jet_task
from e2e.tasks.quantities import KIND, Quantity
from e2e.tasks.simulation import NO_NUMBER, Distribution, Expectation, Simulation
from e2e.tasks.working_points import WorkingPoints

JET_RESOLUTION = "arXiv:1607.03663, abstract"
TAU_DECAYS = "PDG"

_LEPTON = "gen_pdgId in (-13, -11, 11, 13)"

EXPECTATIONS = (
    Expectation(
        "jet resolution, 25 to 40 GeV, without electrons and muons",
        "response",
        f"gen_jetPt > 25 and gen_jetPt < 40 and not {_LEPTON}",
        "spread",
        0.12,
        0.22,
        JET_RESOLUTION,
    ),
    Expectation(
        "three charged daughters, of one or three",
        "three_prong",
        "truth == 1 and prongs in (1, 3)",
        "mean",
        0.20,
        0.27,
        TAU_DECAYS,
    ),
    Expectation(
        "no neutral pion, of one charged daughter",
        "without_pi0",
        "truth == 1 and prongs == 1",
        "mean",
        0.20,
        0.32,
        TAU_DECAYS,
    ),
    Expectation(
        "visible mass, three charged daughters [GeV]",
        "gen_m",
        "truth == 1 and prongs == 3",
        "mean",
        1.05,
        1.25,
        TAU_DECAYS,
    ),
    Expectation(
        "visible mass, one charged daughter and one neutral pion [GeV]",
        "gen_m",
        "truth == 1 and prongs == 1 and gen_Pi0s == 1",
        "mean",
        0.70,
        0.90,
        TAU_DECAYS,
    ),
    *(
        Expectation(
            f"cells with tracks within 0.4, {name}", "tracks", selection, "mean", None, None, NO_NUMBER
        )
        for name, selection in (
            ("taus", "truth == 1"),
            ("quarks", "truth == 0 and -6 < gen_pdgId < 6"),
            ("gluons", "truth == 0 and gen_pdgId == 21"),
            ("electrons and muons", _LEPTON),
        )
    ),
)

TASK = jet_task(
    "tau",
    Classification(("jet", "tau")),
    kinematics=(*KINEMATICS, *(Quantity(name, KIND) for name in ("gen_pdgId", "gen_Prongs", "gen_Pi0s"))),
    balance=("jetPt", "jetEta"),
    truth={"jet_IsTau": {0: "jet", 1: "tau"}},
    fewest=4,
    working_points=WorkingPoints(
        {"loose": 0.95, "medium": 0.90, "tight": 0.80},
        {
            "tau": {
                "h": "gen_Prongs == 1 and gen_Pi0s == 0",
                "h + pi0s": "gen_Prongs == 1 and gen_Pi0s > 0",
                "hhh": "gen_Prongs == 3 and gen_Pi0s == 0",
                "hhh + pi0s": "gen_Prongs == 3 and gen_Pi0s > 0",
            },
            "jet": {
                "quark": "-6 < gen_pdgId < 6",
                "gluon": "gen_pdgId == 21",
                "electron": "gen_pdgId in (-11, 11)",
                "muon": "gen_pdgId in (-13, 13)",
            },
        },
    ),
    simulation=Simulation(
        module="jets",
        samples={
            "tau": "tau",
            "wjets": "w_and_jet",
            "qcd": "soft_qcd",
            "leptons": "electrons_and_muons",
        },
        shares={"tau": 0.5, "wjets": 0.275, "qcd": 0.175, "leptons": 0.05},
        validation="jet_validation",
        expectations=EXPECTATIONS,
        distributions=(
            Distribution("jetPt", 15.0, 60.0, 9, r"measured $p_T$ [GeV]"),
            Distribution("gen_m", 0.0, 2.0, 40, "visible mass of the tau [GeV]", ("tau",)),
            Distribution("gen_Prongs", -0.5, 5.5, 6, "charged daughters of the tau", ("tau",)),
            Distribution("tracks", -0.5, 40.5, 41, "cells with tracks within 0.4, with pileup"),
            Distribution("width", 0.0, 0.4, 30, "width of the energies within 0.4"),
            Distribution("response", 0.0, 2.5, 30, r"measured / true $p_T$ of the jet"),
        ),
    ),
)
