"""Made-up ntuples in every mode of the table of layouts, whole and with every defect, and what comes of them.

``CASES`` are read by `e2e convert` and by cmsRun (tests/cmssw/test_same_files.py), which must agree in the
outcome and in the first line of what they say.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rhtree

from e2e.tasks import Task

TREE = "fevt/RHTree"
ENERGY = 40.0

# Seeds of three events: crystals of the barrel, towers around it, both ends of phi among them.
CRYSTALS = [[(60, 100), (16, 359)], [(80, 0)], [(153, 14), (100, 343)]]
TOWERS = [[(31, 7), (18, 44)], [(39, 0), (26, 70)], [(14, 37), (30, 20)]]
PHOTON_IMAGES = {"EB_energy": (170, 360), "EB_time": (170, 360)}
JET_IMAGES = {
    "ECAL_tracksPt_atECALfixIP": (280, 360),
    "ECAL_tracksDz_atECALfixIP": (280, 360),
    "ECAL_tracksD0_atECALfixIP": (280, 360),
    "ECAL_energy": (280, 360),
    "HBHE_energy": (56, 72),
}

Branches = dict[str, Any]
Change = Callable[[Branches], None]


@dataclass(frozen=True)
class Case:
    """A file that ``make`` writes, and what must come of it when it is read for ``task``.

    ``objects`` are (event, object) of those that go in. A file that is ``refused`` has none: then this is how
    the first line of the message goes on after the file's name. ``unread`` are branches of kinematics and
    truth that `e2e convert` says it has not read, which cmsRun never does.
    """

    name: str
    task: str
    make: Callable[[Path], Any]
    objects: tuple[tuple[int, int], ...] = ()
    refused: str = ""
    channels: int | None = None
    own_columns: bool = False
    mode: tuple[str, str] | None = None  # kind of object and name in the table
    unread: tuple[str, ...] = ()


# --- whole files


def identity(entries: int) -> Branches:
    return {
        "runId": np.full(entries, 3, np.uint32),
        "lumiId": np.full(entries, 7, np.uint32),
        "eventId": 101 + np.arange(entries, dtype=np.uint64),
    }


def seeds(kind: str, events: list) -> Branches:
    rows, columns = ("SC_ieta", "SC_iphi") if kind == "photon" else ("jetSeed_ieta", "jetSeed_iphi")
    return {
        rows: [[float(row) for row, _ in event] for event in events],
        columns: [[float(column) for _, column in event] for event in events],
    }


def image(shape: tuple[int, int], hits: list[tuple[int, int]], value: float = ENERGY) -> np.ndarray:
    frame = np.zeros(shape, np.float32)
    for row, column in hits:
        frame[row, column % shape[1]] = value
    return frame.ravel()


def photons(events: list = CRYSTALS) -> Branches:
    """The barrel with energy at the seeds."""
    images = {name: [image(shape, event) for event in events] for name, shape in PHOTON_IMAGES.items()}
    return {**identity(len(events)), **seeds("photon", events), **images}


def jets(events: list = TOWERS, first_column: int = 0) -> Branches:
    """Images with energy in the seeds' towers, the HCAL's from ``first_column`` on."""
    images = {}
    for name, shape in JET_IMAGES.items():
        step = 1 if name == "HBHE_energy" else 5
        move = first_column if name == "HBHE_energy" else 0
        middle = step // 2
        images[name] = [
            image(shape, [(step * row + middle, step * column + middle - move) for row, column in event])
            for event in events
        ]
    return {**identity(len(events)), **seeds("jet", events), **images}


def lists(value: Callable[[int, int], float], events: list = TOWERS) -> list[list[float]]:
    """One number an object, by its event and its place there."""
    return [[value(i, k) for k in range(len(event))] for i, event in enumerate(events)]


def direction(row: int, column: int, pt: float) -> tuple[float, float, float, float]:
    """eta, px, py, pz of a jet in the middle of a tower."""
    phi, eta = 2 * math.pi * (column + 0.5 - 2) / 72, 0.087 * (row + 0.5 - 28)
    return eta, pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)


def generated(events: list = TOWERS) -> Branches:
    """jet_* in the order of generated particles: the last one of an event has the largest momentum."""
    found = {name: [] for name in ("jet_Pt", "jet_Eta", "jet_Px", "jet_Py", "jet_Pz")}
    for event in events:
        pts = [100.0 - 10 * k for k in range(len(event))]
        values = [(pt, *direction(*seed, pt)) for pt, seed in zip(pts, event, strict=True)][::-1]
        for name, column in zip(found, zip(*values, strict=True), strict=True):
            found[name].append(list(column))
    return found


def of_sc_analyzer(branches: Branches) -> None:
    """It writes neither run nor lumi."""
    del branches["runId"], branches["lumiId"]
    branches["SC_energy0"] = lists(lambda i, k: 1.0, CRYSTALS)


ONES = lists(lambda i, k: 1.0)
PT = {"jetPt": lists(lambda i, k: 100.0 - 10 * k), "jetM": ONES}
NESTED = [[[1.0] for _ in event] for event in TOWERS]
EMPTY = [[] for _ in TOWERS]


def ones(*names: str) -> Branches:
    return dict.fromkeys(names, ONES)


MASSES = {**PT, **ones("jetpT", "jetPdgIds", "a_m", "a_pt")}
JET_MODES: dict[str, Branches] = {
    "tau_classification": {**generated(), **ones("jet_IsTau", "gen_Prongs")},
    "qcd": {**generated(), **ones("jet_IsTau", "jet_IsEle")},
    "boostedTop": {
        "jet_Pt": generated()["jet_Pt"],
        "jet_Eta": generated()["jet_Eta"],
        "jet_IsTau": lists(lambda i, k: 0.0),
        "seljet_genpart_pdgid": NESTED,
    },
    "jet_ele_classification": {
        "jet_Pt": generated()["jet_Pt"],
        "jet_Eta": generated()["jet_Eta"],
        **ones("jet_EledR", "jet_IsEle"),
    },
    "dijet_tau_massregression": {**MASSES, **ones("jetIsDiTau")},
    "dijet_ele_massregression": {**MASSES, **ones("jetIsDiEle")},
    "dijet_tau_massregression_unphysical": {f"{name}_un": ONES for name in (*MASSES, "jetIsDiTau")},
    "particles of a mass": {**PT, **ones("a_m")},
    "dijet_gg_qq": {**PT, **ones("jetIsQuark"), "jetPdgIds": [[*event, 21.0] for event in ONES]},
    "dijet of Top Gun": {**PT, **ones("jetEta", "seljet_px", "seljet_py", "seljet_pz")},
    "dijet_ditau": {"jetpT": PT["jetPt"], **ones("jetM", "jetIsSignal")},
    "dijet": {**PT, **ones("jetEta", "jetPhi", "jet_truthLabel")},
    "jets without truth": {},
}
PHOTON_MODES: dict[str, Branches] = {
    "generated particles": {"SC_mass": lists(lambda i, k: 1.0, CRYSTALS), "SC_energy": NESTED},
    "photon candidates": {
        "pho_pT": [[] for _ in CRYSTALS],
        "pho_eta": lists(lambda i, k: 0.1, CRYSTALS),
        "SC_energy": NESTED,
    },
}
GAMMA_JET = {name: EMPTY for name in ("jet_Pt", "jet_IsEle", "jet_GendR")}
OPEN_DATA = {"jetSeed_iphi0": np.zeros(3, np.float32), "jetSeed_ieta0": np.zeros(3, np.float32)}


def tree(branches: Branches, change: Change | None = None, **options: Any) -> Callable[[Path], Any]:
    """Writes ``branches`` after ``change`` of a copy of them."""

    def make(path: Path) -> Any:
        copy = {name: values.copy() for name, values in branches.items()}
        if change is not None:
            change(copy)
        return rhtree.write(path, copy, **options)

    return make


def without(*names: str) -> Change:
    return lambda branches: [branches.pop(name) for name in names]


def replaced(**values: Any) -> Change:
    return lambda branches: branches.update(values)


def at(name: str, entry: int, value: Any) -> Change:
    """Another value or vector in one entry of a branch."""
    return lambda branches: branches[name].__setitem__(entry, value)


def cell(name: str, entry: int, row: int, column: int, columns: int, value: float) -> Change:
    """Another value of an image in one entry."""

    def change(branches: Branches) -> None:
        branches[name][entry] = branches[name][entry].copy()
        branches[name][entry][row * columns + column] = value

    return change


def as_in_the_detector(crop: np.ndarray, task: Task, seed_row: int) -> np.ndarray:
    """A crop [C, H, W] with rows and columns as in the detector; what is only there is that of the other end.

    For photons, whose seed has 15 cells on one side and 16 on the other.
    """
    if not task.crop.outward or seed_row >= task.detector[0] // 2:
        return crop
    return np.roll(crop[:, ::-1, ::-1], (-1, -1), (1, 2))


def kept(events: list) -> tuple[tuple[int, int], ...]:
    return tuple((101 + i, k) for i, event in enumerate(events) for k in range(len(event)))


PHOTONS, JETS = kept(CRYSTALS), kept(TOWERS)
MODES = [
    *(
        Case(f"photon: {name}", "electron_photon", tree(photons() | extra), PHOTONS, mode=("photon", name))
        for name, extra in PHOTON_MODES.items()
    ),
    *(
        Case(f"jet: {name}", "tau", tree(jets() | extra), JETS, channels=5, mode=("jet", name))
        for name, extra in JET_MODES.items()
    ),
    Case(
        "photon: matched particles",
        "electron_photon",
        tree(photons() | {"gen_pdgId": lists(lambda i, k: 22.0, CRYSTALS)}, marker='{"tracks": "direction"}'),
        PHOTONS,
        mode=("photon", "matched particles"),
    ),
    *(
        Case(
            f"jet: tracks at {said}",
            "tau",
            tree(jets(), marker=f'{{"tracks": {said}}}'),
            refused=f"fevt/e2e says that tracks lie at {said}; known are direction, point, vertex: simulate",
            channels=5,
        )
        for said in ('"banana"', "5", "null", '["point"]', '"di\\u00e9rection"')
    ),
    Case("jet: tracks at the point", "tau", tree(jets(), marker='{"tracks": "point"}'), JETS, channels=5),
    Case(
        "photon: SCAnalyzer",
        "electron_photon",
        tree(photons(), of_sc_analyzer),
        refused="written by SCAnalyzer, mode SCAnalyzer, which cannot be used: it writes",
        mode=("photon", "SCAnalyzer"),
    ),
    Case(
        "jet: open data of 2018",
        "quark_gluon",
        tree(jets() | OPEN_DATA, without("jetSeed_ieta", "jetSeed_iphi")),
        refused="written by RecHitAnalyzer, mode open data of 2018, which cannot be used: it holds",
        mode=("jet", "open data of 2018"),
    ),
    Case(
        "jet: gammaJet",
        "quark_gluon",
        tree(jets() | GAMMA_JET),
        refused="written by RecHitAnalyzer, mode gammaJet, which cannot be used: its jet_* are always empty",
        mode=("jet", "gammaJet"),
    ),
    Case(
        "jet: EventLevel",
        "quark_gluon",
        tree(jets(), without("jetSeed_ieta", "jetSeed_iphi")),
        refused=f"{TREE} has no branches jetSeed_ieta and jetSeed_iphi, so no jet can be cropped",
    ),
    Case(
        "photon: no seeds",
        "electron_photon",
        tree(photons(), without("SC_ieta", "SC_iphi")),
        refused=f"{TREE} has no branches SC_ieta and SC_iphi, so no photon can be cropped",
    ),
]


# --- forks: other names, other columns, other rows


def old_names(branches: Branches) -> None:
    """Of 2019: tracks at the vertex's direction, and no d0 and dz but sums."""
    branches["ECAL_tracksPt"] = branches.pop("ECAL_tracksPt_atECALfixIP")
    branches["ECAL_tracksz0_PV"] = branches.pop("ECAL_tracksDz_atECALfixIP")
    branches["ECAL_tracksd0_PV"] = branches.pop("ECAL_tracksD0_atECALfixIP")


def rows_of_280(branches: Branches) -> None:
    branches["SC_ieta"] = [[row + 55 for row in event if row + 55 < 170] for event in branches["SC_ieta"]]
    branches["SC_iphi"] = [
        columns[: len(rows)] for rows, columns in zip(branches["SC_ieta"], branches["SC_iphi"], strict=True)
    ]


def halves(start: int, stop: int | None = None) -> Change:
    """Towers in columns of their own in these events: what hadd makes of a genuine and an old file."""

    def change(branches: Branches) -> None:
        images = branches["HBHE_energy"]
        for i in range(len(images))[start:stop]:
            images[i] = np.roll(images[i].reshape(56, 72), -2, axis=1).ravel()

    return change


def turned(branches: Branches) -> None:
    """Towers with eta and phi of the other sign."""
    branches["HBHE_energy"] = [values[::-1] for values in branches["HBHE_energy"]]


def full(branches: Branches) -> None:
    """As much energy in all of the HCAL."""
    branches["HBHE_energy"] = [np.ones_like(values) for values in branches["HBHE_energy"]]


def without_towers(branches: Branches) -> None:
    """No energy in the HCAL at all."""
    branches["HBHE_energy"] = [0 * values for values in branches["HBHE_energy"]]


def of_electrons(branches: Branches) -> None:
    """Energy in the HCAL around the jets of the first three events alone, and elsewhere in the others."""
    images = branches["HBHE_energy"]
    for values in images[3:]:
        values[:] = 0
        values[52 * 72 + 30] = 3


FORKS = [
    Case("2019: quark_gluon", "quark_gluon", tree(jets() | JET_MODES["dijet"], old_names), JETS),
    Case(
        "2019: tau",
        "tau",
        tree(jets() | JET_MODES["dijet"], old_names),
        refused="ECAL_tracksz0_PV cannot serve as track_dz",
        channels=5,
    ),
    Case(
        "seeds in 280 rows",
        "electron_photon",
        tree(photons(), rows_of_280),
        refused="event 3:7:101: EB_energy is 0 at the seed in row 115, column 100, which is the",
    ),
    Case(
        "own columns",
        "quark_gluon",
        tree(jets(first_column=2)),
        refused="HBHE_energy lies 2 towers to the left of the jets (6 of 6 seeds have",
    ),
    Case("own columns, said so", "quark_gluon", tree(jets(first_column=2)), JETS, own_columns=True),
    Case(
        "own columns, wrongly said so",
        "quark_gluon",
        tree(jets()),
        refused="HBHE_energy lies in the columns of the ECAL (6 of 6 seeds have",
        own_columns=True,
    ),
    *(
        Case(
            f"HCAL {side}{', said to be in its own columns' * own}",
            "quark_gluon",
            tree(jets(first_column=move)),
            refused=f"HBHE_energy lies {side} of the jets (6 of 6 seeds have",
            own_columns=own,
        )
        for own in (False, True)
        for move, side in {
            3: "3 towers to the left",
            1: "1 tower to the left",
            -1: "1 tower to the right",
            -3: "3 towers to the right",
        }.items()
    ),
    Case(
        "genuine events, then old ones",
        "quark_gluon",
        tree(jets(TOWERS * 100), halves(200)),
        refused="HBHE_energy lies in two places: of 600 seeds 400 have their hottest column at the seed, 200 "
        "2 towers to the left (most of these in entries 200 to 299)",
    ),
    Case(
        "genuine events, then a few old ones",
        "quark_gluon",
        tree(jets(TOWERS * 100), halves(294)),
        refused="HBHE_energy lies in two places: of 600 seeds 588 have their hottest column at the seed, 12 "
        "2 towers to the left (most of these in entries 294 to 299)",
    ),
    Case(
        "old events, then genuine ones",
        "quark_gluon",
        tree(jets(TOWERS * 100), halves(0, 200)),
        refused="HBHE_energy lies in two places: of 600 seeds 200 have their hottest column at the seed, 400 "
        "2 towers to the left (most of these in entries 0 to 199)",
    ),
    Case(
        "old events among genuine ones, said to be old",
        "quark_gluon",
        tree(jets(TOWERS * 8), halves(12)),
        refused="HBHE_energy lies in two places: of 48 seeds 24 have their hottest column 2 towers to the "
        "left, 24 at the seed (most of these in entries 0 to 11)",
        own_columns=True,
    ),
    Case(
        "HCAL half around",
        "quark_gluon",
        tree(jets(TOWERS * 4, first_column=36)),
        refused="HBHE_energy does not lie where the jets are: of 24 jets in events with any of its "
        "energy, 0 have",
    ),
    Case(
        "HCAL upside down",
        "quark_gluon",
        tree(jets(TOWERS * 4), turned),
        refused="HBHE_energy does not lie where the jets are: of 24 jets in events with any of its "
        "energy, 4 have",
    ),
    Case("HCAL full of equal towers", "quark_gluon", tree(jets(TOWERS * 4), full), kept(TOWERS * 4)),
    Case("HCAL empty around jets", "quark_gluon", tree(jets(TOWERS * 4), without_towers), kept(TOWERS * 4)),
    Case("HCAL of electrons", "quark_gluon", tree(jets(TOWERS * 5), of_electrons), kept(TOWERS * 5)),
    Case(
        "own columns, too few jets", "quark_gluon", tree(jets(TOWERS[:2], first_column=2)), kept(TOWERS[:2])
    ),
    Case(
        "empty seed tower of a jet", "quark_gluon", tree(jets(), cell("HBHE_energy", 0, 31, 7, 72, 0)), JETS
    ),
]


# --- one defect each


def scalar(name: str, kind: type, value: float | None = None) -> Change:
    """An identity branch of another type, with another number in its second entry."""

    def change(branches: Branches) -> None:
        branches[name] = branches[name].astype(kind)
        if value is not None:
            branches[name][1] = value

    return change


def of_doubles(*names: str) -> Change:
    return lambda branches: branches.update(
        {name: [np.array(values, np.float64) for values in branches[name]] for name in names}
    )


def one_number(*names: str) -> Change:
    """Branches of one number an event instead of vectors."""
    return lambda branches: branches.update({name: np.ones(len(TOWERS), np.float32) for name in names})


def twice(branches: Branches) -> None:
    """The first jet of the first event, matched by two generated particles."""
    for name in ("jetSeed_ieta", "jetSeed_iphi"):
        branches[name][0] = [branches[name][0][0], *branches[name][0]]
    for name in (*generated(), "jet_IsTau", "gen_Prongs"):
        if name in branches:
            branches[name][0] = [*branches[name][0], branches[name][0][-1]]
    if "jetpT" in branches:
        branches["jetpT"][0] = [branches["jetpT"][0][0], *branches["jetpT"][0]]


def swapped(branches: Branches) -> None:
    """Momenta that order the jets otherwise than their seeds."""
    branches["jet_Pt"][0] = branches["jet_Pt"][0][::-1]


TAU = jets() | JET_MODES["tau_classification"]
LIES_ELSEWHERE = (
    "event 3:7:101: the jet with jet_Pt in this place does not lie at its seed (row 31, column 7), as "
    "jet_Eta and jet_Px and jet_Py say"
)
VALUES = [
    Case("run of Long64_t", "electron_photon", tree(photons(), scalar("runId", np.int64)), PHOTONS),
    Case("event of Int_t", "electron_photon", tree(photons(), scalar("eventId", np.int32)), PHOTONS),
    *(
        Case(
            f"{name} of {kind.__name__}",
            "electron_photon",
            tree(photons(), scalar(name, kind)),
            refused=f"branch {name} is {known}; expected one whole number of 32 or 64 bits an event",
        )
        for name, kind, known in (
            ("runId", np.uint16, "uint16_t"),
            ("lumiId", np.float32, "float"),
            ("eventId", np.float64, "double"),
        )
    ),
    *(
        Case(
            f"{name} {value}",
            "electron_photon",
            tree(photons(), scalar(name, kind, value)),
            refused=f"{name} of entry 1 is {value}; CMSSW numbers from 1 to {largest}",
        )
        for name, kind, value, largest in (
            ("runId", np.uint32, 0, 2**32 - 1),
            ("lumiId", np.int32, -3, 2**32 - 1),
            ("lumiId", np.uint64, 2**32, 2**32 - 1),
            ("eventId", np.uint64, 0, 2**64 - 1),
            ("eventId", np.int64, -1, 2**64 - 1),
        )
    ),
    Case(
        "no runId",
        "electron_photon",
        tree(photons(), without("runId")),
        refused=f"{TREE} has no branch runId; write the ntuple with it",
    ),
    Case(
        "no EB_time",
        "electron_photon",
        tree(photons(), without("EB_time")),
        refused=f"{TREE} has no branch EB_time",
    ),
    Case(
        "image of doubles",
        "electron_photon",
        tree(photons(), lambda b: b.update(EB_time=[values.astype(np.float64) for values in b["EB_time"]])),
        refused="branch EB_time is std::vector<double>; expected one std::vector<float> an event",
    ),
    Case(
        "image of ints",
        "electron_photon",
        tree(photons(), lambda b: b.update(EB_time=[values.astype(np.int32) for values in b["EB_time"]])),
        refused="branch EB_time is std::vector<int32_t>; expected one std::vector<float> an event",
    ),
    Case(
        "seeds of ints",
        "electron_photon",
        tree(photons(), lambda b: b.update(SC_ieta=[np.array(v, np.int32) for v in b["SC_ieta"]])),
        refused="branch SC_ieta is std::vector<int32_t>; expected one std::vector<float> an event",
    ),
    Case(
        "seeds in lists of lists",
        "electron_photon",
        tree(photons(), lambda b: b.update(SC_ieta=[[[float(row)] for row in v] for v in b["SC_ieta"]])),
        refused="branch SC_ieta is std::vector<std::vector<float>>; expected one std::vector<float> an event",
    ),
    Case(
        "seeds of numbers",
        "electron_photon",
        tree(photons(), replaced(SC_ieta=np.full(3, 60, np.float32))),
        refused="branch SC_ieta is float; expected one std::vector<float> an event",
    ),
    Case(
        "short image",
        "electron_photon",
        tree(photons(), at("EB_time", 1, np.zeros(100, np.float32))),
        refused="event 3:7:102: EB_time has 100 values; a frame of 170 x 360 has 61200",
    ),
    *(
        Case(
            f"short image of an event without {what}",
            "electron_photon",
            tree(photons([*CRYSTALS, event]), at("EB_time", 3, np.zeros(100, np.float32)), per_basket=1),
            refused="event 3:7:104: EB_time has 100 values; a frame of 170 x 360 has 61200",
        )
        for what, event in (("objects", []), ("a crop", [(3, 9)]))
    ),
    Case(
        "image of the whole ECAL",
        "electron_photon",
        tree(photons(), at("EB_energy", 1, np.ones(280 * 360, np.float32))),
        refused="event 3:7:102: EB_energy has 100800 values; a frame of 170 x 360 has 61200",
    ),
    Case(
        "empty image",
        "quark_gluon",
        tree(jets(), at("HBHE_energy", 2, np.zeros(0, np.float32))),
        refused="event 3:7:103: HBHE_energy has 0 values; a frame of 56 x 72 has 4032",
    ),
    *(
        Case(
            f"{value} in a crop",
            "electron_photon",
            tree(photons(), cell("EB_time", 1, 85, 355, 360, value)),
            refused=f"event 3:7:102: EB_time is {value} at row 85, column 355; a cell without a hit is 0",
        )
        for value in (math.nan, math.inf, -math.inf)
    ),
    Case(
        "nan elsewhere",
        "electron_photon",
        tree(photons(), cell("EB_time", 1, 20, 200, 360, math.nan)),
        PHOTONS,
    ),
    Case(
        "nan in a tower",
        "quark_gluon",
        tree(jets(), cell("HBHE_energy", 1, 30, 60, 72, math.nan)),
        refused="event 3:7:102: HBHE_energy is nan at row 30, column 60; a cell without a hit is 0",
    ),
    Case(
        "nan in a tower of own columns",
        "quark_gluon",
        tree(jets(first_column=2), cell("HBHE_energy", 1, 30, 60, 72, math.nan)),
        refused="event 3:7:102: HBHE_energy is nan at row 30, column 60; a cell without a hit is 0",
        own_columns=True,
    ),
    Case(
        "fewer columns than rows of seeds",
        "electron_photon",
        tree(photons(), at("SC_iphi", 0, [100.0])),
        refused="event 3:7:101: SC_iphi has 1 objects, SC_ieta 2; a seed needs both",
    ),
    *(
        Case(
            f"seed at {value}",
            "electron_photon",
            tree(photons(), at("SC_iphi", 1, [value])),
            refused=f"event 3:7:102: SC_iphi holds a seed at {value}; crystals are numbered 0 to 359",
        )
        for value in (360.0, -1.0, 80.5, math.nan, math.inf, 0.10000000149011612)
    ),
    Case(
        "seed in no tower",
        "quark_gluon",
        tree(jets(), at("jetSeed_ieta", 1, [56.0, 26.0])),
        refused="event 3:7:102: jetSeed_ieta holds a seed at 56.0; towers are numbered 0 to 55",
    ),
    Case(
        "seed crystal below 0",
        "electron_photon",
        tree(photons(), cell("EB_energy", 1, 80, 0, 360, -0.25)),
        refused="event 3:7:102: EB_energy is -0.25 at the seed in row 80, column 0, which is the",
    ),
    Case(
        "too many seeds",
        "electron_photon",
        tree(photons(), lambda b: (at("SC_ieta", 1, [80.0] * 1001)(b), at("SC_iphi", 1, [0.0] * 1001)(b))),
        refused="event 3:7:102: SC_ieta has 1001 objects; an event has at most 1000",
    ),
    Case(
        "crops beyond the end",
        "electron_photon",
        tree(photons([[(14, 9), (154, 9)], [(16, 9)], []])),
        ((102, 0),),
    ),
    Case("jet listed twice", "tau", tree(TAU, twice), ((101, 0), (101, 2), *JETS[2:]), channels=5),
    Case(
        "jet listed twice, without direction",
        "quark_gluon",
        tree(jets() | JET_MODES["dijet_ditau"], twice),
        ((101, 0), (101, 2), *JETS[2:]),
    ),
    Case("momenta of other jets", "tau", tree(TAU, swapped), refused=LIES_ELSEWHERE, channels=5),
    Case(
        "no momenta",
        "tau",
        tree(TAU, at("jet_Pt", 1, [])),
        refused="event 3:7:102: jet_Pt has 0 objects, jetSeed_ieta 2; its order tells",
        channels=5,
    ),
    Case(
        "nan momentum",
        "tau",
        tree(TAU, at("jet_Pt", 1, [math.nan, 90.0])),
        refused="event 3:7:102: jet_Pt is nan; its order tells",
        channels=5,
    ),
    Case(
        "one direction too few",
        "tau",
        tree(TAU, at("jet_Eta", 1, [0.5])),
        refused="event 3:7:102: jet_Eta has 1 objects, jetSeed_ieta 2",
        channels=5,
    ),
    Case(
        "nan direction",
        "tau",
        tree(TAU, at("jet_Py", 0, [math.nan, math.nan])),
        refused=LIES_ELSEWHERE,
        channels=5,
    ),
    Case(
        "no branch that orders",
        "tau",
        tree(TAU, without("jet_Eta")),
        refused=f"{TREE} has no branch jet_Eta",
        channels=5,
    ),
]


# --- objects listed again, of equal momenta, without what tells their mode, and in another order


def again(mode: str) -> Branches:
    """A file in which the first seed of each event is there again: at the end, or beside it where sorted."""
    extra = {name: values for name, values in JET_MODES[mode].items() if name != "jetPdgIds"}
    if "jet_Pt" in extra:  # the hardest is listed last
        extra = {name: [[*event, event[-1]] for event in values] for name, values in extra.items()}
    elif mode == "dijet_ditau":
        extra = {name: [[event[0], *event] for event in values] for name, values in extra.items()}
    else:
        extra = {name: [[*event, event[0]] for event in values] for name, values in extra.items()}
        return jets([[*event, event[0]] for event in TOWERS]) | extra
    return jets([[event[0], *event] for event in TOWERS]) | extra


def equal_momenta(first: tuple[int, int], second: tuple[int, int], at_seeds: bool = True) -> Branches:
    """Two jets of 100 GeV in one event, listed the other way round, with their masses and truth."""
    found = jets([[first, second]])
    listed = [second if at_seeds else (second[0] - 10, second[1]), first]
    values = zip(*(direction(*seed, 100.0) for seed in listed), strict=True)
    names = ("jet_Eta", "jet_Px", "jet_Py", "jet_Pz")
    found |= {name: [list(numbers)] for name, numbers in zip(names, values, strict=True)}
    return found | {"jet_Pt": [[100.0, 100.0]], "jet_M": [[2.0, 1.0]], "jet_IsTau": [[1.0, 0.0]]}


PRONGS = {"gen_Prongs": [[1.0, 1.0]]}
FAR, NEAR = ((20, 10), (40, 50)), ((20, 10), (22, 12))
ONCE = {True: JETS, False: tuple((event, 2 * k) for event, k in JETS)}
LISTS = [
    *(
        Case(
            f"seeds again: {mode}",
            "quark_gluon",
            tree(again(mode)),
            ONCE["jet_Pt" not in extra and mode != "dijet_ditau"],
        )
        for mode, extra in JET_MODES.items()
    ),
    Case(
        "repeated on purpose",
        "quark_gluon",
        tree(again("dijet"), marker='{"repeats": true}'),
        kept([[*event, event[0]] for event in TOWERS]),
    ),
    *(
        Case(
            f"{mode} without {marker}",
            "quark_gluon",
            tree(jets() | generated() | JET_MODES[mode], without(marker)),
            JETS,
        )
        for mode, marker in (
            ("tau_classification", "gen_Prongs"),
            ("qcd", "jet_IsTau"),
            ("boostedTop", "seljet_genpart_pdgid"),
            ("jet_ele_classification", "jet_EledR"),
        )
    ),
    Case("a fork with other momenta", "quark_gluon", tree(jets() | generated(), swapped), JETS),
    Case(
        "directions of other jets",
        "quark_gluon",
        tree(jets() | JET_MODES["dijet"], replaced(jetEta=[[9.0, 9.0]] * 3)),
        JETS,
    ),
    Case("equal momenta, far", "tau", tree(equal_momenta(*FAR) | PRONGS), kept([FAR]), channels=5),
    Case("equal momenta, near", "tau", tree(equal_momenta(*NEAR) | PRONGS), kept([NEAR]), channels=5),
    Case(
        "equal momenta, at no seed",
        "tau",
        tree(equal_momenta(*FAR, at_seeds=False) | PRONGS),
        refused="event 3:7:101: the jet with jet_Pt in this place does not lie at its seed (row 20",
        channels=5,
    ),
]


# --- kinematics and truth of other types: they are optional, and these models make cmsRun look at none

CANDIDATES = {name: NESTED for name in ("jetPFCandPx", "jetPFCandPy", "jetPFCandPz")}
SUBJETS = {f"subJet{i}_P{axis}": ONES for i in range(2) for axis in "xyz"}
OPTIONAL = [
    Case(
        "kinematics and truth of doubles",
        "quark_gluon",
        tree(jets() | JET_MODES["dijet"], of_doubles("jetPt", "jetEta", "jetPhi", "jetM", "jet_truthLabel")),
        JETS,
    ),
    Case(
        "kinematics of numbers",
        "electron_photon",
        tree(photons() | PHOTON_MODES["photon candidates"], one_number("pho_pT", "pho_eta")),
        PHOTONS,
        unread=("pho_pT", "pho_eta"),
    ),
    Case(
        "kinematics in lists of lists",
        "quark_gluon",
        tree(jets() | JET_MODES["dijet"], replaced(jetPt=NESTED, jetEta=NESTED)),
        JETS,
        unread=("jetPt", "jetEta"),
    ),
    Case(
        "candidates of numbers",
        "quark_gluon",
        tree(jets() | CANDIDATES, replaced(jetPFCandPy=ONES, jetPFCandPz=np.ones(3, np.float32))),
        JETS,
        unread=("jetPFCandPy", "jetPFCandPz"),
    ),
    Case(
        "subjets in lists of lists",
        "quark_gluon",
        tree(jets() | SUBJETS, replaced(subJet1_Px=NESTED)),
        JETS,
        unread=("subJet1_Px",),
    ),
    Case(
        "truth of numbers",
        "quark_gluon",
        tree(jets() | JET_MODES["dijet"], one_number("jet_truthLabel")),
        JETS,
        unread=("jet_truthLabel",),
    ),
    Case(
        "masses of an unknown number of jets",
        "mass_regression",
        tree(jets() | JET_MODES["dijet_tau_massregression"], one_number("jetPdgIds")),
        JETS,
        channels=5,
        unread=("jetPdgIds",),
    ),
    Case(
        "an order of doubles",
        "tau",
        tree(TAU, of_doubles("jet_Pt")),
        refused="branch jet_Pt is std::vector<double>; expected one std::vector<float> an event",
        channels=5,
    ),
]


# --- files


def histogram(path: Path) -> None:
    root = rhtree._filler()
    file = root.TFile.Open(str(path), "RECREATE")
    file.mkdir("fevt").cd()
    root.TH1F("RHTree", "", 1, 0, 1).Write()
    file.Close()


def rntuple(path: Path) -> None:
    root = rhtree._filler()
    root.gInterpreter.Declare(
        """
        #include <ROOT/RNTupleModel.hxx>
        #include <ROOT/RNTupleWriter.hxx>
        namespace ntuple_cases {
          void rntuple(TDirectory& folder) {
            auto model = ROOT::RNTupleModel::Create();
            auto run = model->MakeField<std::uint32_t>("runId");
            auto writer = ROOT::RNTupleWriter::Append(std::move(model), "RHTree", folder);
            *run = 1;
            writer->Fill();
          }
        }
        """
    ) if not hasattr(root, "ntuple_cases") else None
    file = root.TFile.Open(str(path), "RECREATE")
    root.ntuple_cases.rntuple(file.mkdir("fevt"))
    file.Close()


def unclosed(path: Path, saved: bool = False) -> None:
    """A copy of a file that is being written, after its first events, and after the tree was saved."""
    root = rhtree._filler()
    open_ = path.with_suffix(".open")
    file = root.TFile.Open(str(open_), "RECREATE")
    file.mkdir("fevt").cd()
    written = root.TTree("RHTree", "")
    fill = [rhtree._branch(root, written, name, values) for name, values in photons().items()]
    for entry in range(3):
        for one in fill:
            one(entry)
        written.Fill()
    if saved:
        written.AutoSave("SaveSelf")
    file.Flush()
    path.write_bytes(open_.read_bytes())
    file.Close()
    open_.unlink()


def of_two_algorithms(path: Path, tree: int, baskets: int) -> None:
    """A file of photons whose tree is compressed otherwise than its baskets."""
    root = rhtree._filler()
    file = root.TFile.Open(str(path), "RECREATE", "", baskets)
    file.mkdir("fevt").cd()
    written = root.TTree("RHTree", "")
    fill = [rhtree._branch(root, written, name, values) for name, values in photons().items()]
    for entry in range(3):
        for one in fill:
            one(entry)
        written.Fill()
    written.FlushBaskets()
    file.SetCompressionSettings(tree)
    file.Write()
    file.Close()


def of_bytes(change: Callable[[bytes], bytes], **options: Any) -> Callable[[Path], None]:
    """A file of photons, its bytes changed."""

    def make(path: Path) -> None:
        rhtree.write(path, photons(), **options)
        path.write_bytes(change(path.read_bytes()))

    return make


def in_directory(content: bytes, at: int) -> bytes:
    """Another number in the directory that follows the file's key and names."""
    at += 100 + struct.unpack_from(">i", content, 28)[0]
    return content[:at] + b"\x7f\xff\xff\xf0" + content[at + 4 :]


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) >= 1
    assert len(old) == len(new)
    return content.replace(old, new)


def vector(values: int, stated: int) -> bytes:
    """How ROOT begins a std::vector<float> of so many values that says it has ``stated``."""
    return struct.pack(">IHI", 0x40000000 | (6 + 4 * values), 10, stated)


def middle(content: bytes) -> bytes:
    """Nonsense in the middle, where the images are."""
    third = len(content) // 3
    return content[:third] + b"\x55" * third + content[2 * third :]


DAMAGED = "damaged ROOT file"
FILES = [
    *(
        Case(f"compressed by {name}", "electron_photon", tree(photons(), compression=number), PHOTONS)
        for name, number in rhtree.METHODS.items()
    ),
    Case(
        "compressed by the old algorithm",
        "electron_photon",
        tree(photons(), compression=301),
        refused="compressed by ROOT's old algorithm (CS), which is not read; write it again",
    ),
    *(
        Case(
            f"{what} compressed by the old algorithm",
            "electron_photon",
            partial(of_two_algorithms, tree=of_tree, baskets=of_baskets),
            refused="compressed by ROOT's old algorithm (CS), which is not read; write it again",
        )
        for what, of_tree, of_baskets in (("tree", 301, 501), ("baskets", 501, 301))
    ),
    Case("not compressed", "electron_photon", tree(photons(), compression=0), PHOTONS),
    Case("one entry a basket", "electron_photon", tree(photons(), per_basket=1), PHOTONS),
    Case("no entries", "electron_photon", tree({n: v[:0] for n, v in photons([[(60, 9)]]).items()}), ()),
    Case(
        "no file",
        "electron_photon",
        lambda path: None,
        refused="cannot be opened (No such file or directory)",
    ),
    Case("a folder", "electron_photon", Path.mkdir, refused="cannot be opened (Is a directory)"),
    Case("a pipe", "electron_photon", os.mkfifo, refused="cannot be opened (no ordinary file)"),
    Case(
        "a device",
        "electron_photon",
        lambda path: path.symlink_to("/dev/zero"),
        refused="cannot be opened (no ordinary file)",
    ),
    Case("empty file", "electron_photon", Path.touch, refused="empty file; fetch or write it again"),
    Case(
        "web page",
        "electron_photon",
        lambda path: path.write_text("\n<!DOCTYPE html><html></html>"),
        refused="an HTML page, not a ROOT file; fetch the file behind the link",
    ),
    Case(
        "zip",
        "electron_photon",
        lambda path: path.write_bytes(b"PK\x03\x04'" * 30),
        refused=r"not a ROOT file (it starts with b'PK\x03\x04')",
    ),
    Case(
        "cut off",
        "electron_photon",
        of_bytes(lambda content: content[:3000]),
        refused="truncated ROOT file, 3000 of ",
    ),
    Case("trailing bytes", "electron_photon", of_bytes(lambda content: content + bytes(1000)), PHOTONS),
    Case("not closed", "electron_photon", unclosed, refused="a ROOT file that was not closed"),
    Case(
        "saved, not closed",
        "electron_photon",
        lambda path: unclosed(path, saved=True),
        refused="a ROOT file that was not closed",
    ),
    *(
        Case(
            f"other {what}",
            "electron_photon",
            of_bytes(lambda content, at=at: content[:at] + b"\x7f\xff\xff\xf0" + content[at + 4 :]),
            refused="damaged ROOT file (its header names records that cannot be)",
        )
        for what, at in {
            "begin": 8,
            "place of the free records": 20,
            "bytes of the name": 28,
            "bytes of the streamers": 41,
            "bytes of the file's key": 114,
            "class of the file": 126,
        }.items()
    ),
    *(
        Case(
            f"other {what} of the keys",
            "electron_photon",
            of_bytes(partial(in_directory, at=at)),
            refused="damaged ROOT file (its header names records that cannot be)",
        )
        for what, at in {"bytes": 10, "place": 26}.items()
    ),
    Case("damaged images", "electron_photon", of_bytes(middle), refused=DAMAGED),
    Case(
        "vector of 10^9 values",
        "electron_photon",
        of_bytes(lambda c: patched(c, vector(61200, 61200), vector(61200, 10**9)), compression=0),
        refused=DAMAGED,
    ),
    Case(
        "seeds of 10^9 values",
        "electron_photon",
        of_bytes(lambda c: patched(c, vector(2, 2), vector(2, 10**9)), compression=0),
        refused=DAMAGED,
    ),
    Case(
        "other tree",
        "electron_photon",
        tree(photons(), tree="fevt/Events"),
        refused=f"no tree {TREE}; trees in the file: fevt/Events",
    ),
    Case("histogram", "electron_photon", histogram, refused=f"{TREE} is a TH1F; MLAnalyzer writes a TTree"),
    Case(
        "RNTuple", "electron_photon", rntuple, refused=f"{TREE} is a ROOT::RNTuple; MLAnalyzer writes a TTree"
    ),
]

CASES = [*MODES, *FORKS, *VALUES, *LISTS, *OPTIONAL, *FILES]
