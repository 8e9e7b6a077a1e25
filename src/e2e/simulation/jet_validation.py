"""The fast simulation of jets beside what is published: single particles, jets, quarks and gluons, taus.

Expectations stand with their sources, those of a task in its file; docs/simulation-jets.md discusses them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from e2e import tasks
from e2e.data import ntuple
from e2e.data.layouts import Layout
from e2e.errors import E2EError
from e2e.geometry import FIRST_PHI, JET_RADIUS, POINT, middle
from e2e.simulation import calorimeters, isolated_tracks
from e2e.simulation import tracks as tracking
from e2e.simulation.hadrons import resolution
from e2e.simulation.jets import PARTICLE_JETS
from e2e.simulation.particle_flow import draw_hadrons
from e2e.simulation.shower import CELL_ETA, CELL_PHI
from e2e.simulation.tracker import ECAL_RADIUS
from e2e.simulation.validation import compare
from e2e.tasks.simulation import Expectation

EVENTS_PER_FILE = 500
_CHUNK = 50  # events, 20 MB of frames
_DRAWS = 4000

PARTICLE_FLOW = "arXiv:1706.04965"
TRACKING = "arXiv:1405.6569, abstract"
DESIGN_REPORT = "CERN/LHCC 97-33"

HADRON_ENERGIES = (5.0, 20.0, 50.0, 100.0)  # GeV


# Single particles: the draws of ``single_particles``.
SINGLE_PARTICLES = (
    *(
        Expectation(
            f"response of hadrons of {energy:g} GeV",
            "response",
            f"particle == 'hadron' and energy == {energy}",
            "mean",
            *band,
            "EPJ C 60 (2009) 359, from knowledge",
        )
        for energy, band in zip(
            HADRON_ENERGIES, ((0.65, 0.90), (0.80, 0.95), (0.88, 1.00), (0.92, 1.05)), strict=True
        )
    ),
    *(
        Expectation(
            f"energy resolution of hadrons of {energy:g} GeV",
            "response",
            f"particle == 'hadron' and energy == {energy}",
            "spread",
            0.92 * resolution(energy),
            1.08 * resolution(energy),
            f"110 %/sqrt(E) + 9 %, {PARTICLE_FLOW}",
        )
        for energy in HADRON_ENERGIES
    ),
    Expectation(
        "E1/E25 of photons, impact in the middle of a crystal",
        "e1_e25",
        "particle == 'photon' and offset < 0.2",
        "mean",
        0.75,
        0.82,
        DESIGN_REPORT,
    ),
    Expectation("E9/E25 of photons", "e9_e25", "particle == 'photon'", "mean", 0.95, 0.975, DESIGN_REPORT),
    Expectation(
        "track efficiency, abs(eta) < 0.9",
        "found",
        "particle == 'central track'",
        "mean",
        0.93,
        0.95,
        TRACKING,
    ),
    Expectation(
        "track efficiency, abs(eta) > 0.9",
        "found",
        "particle == 'forward track'",
        "mean",
        0.84,
        0.86,
        TRACKING,
    ),
)

# Crystals around isolated tracks, see ``isolated_tracks``: of two files of real events, the medians are 0.38
# and 0.40 (E1/E25), 0.85 and 0.90 (E9/E25; docs/simulation-jets.md); the bands are ours.
OPEN_DATA = "CMS open data of 2012"
ISOLATED_TRACKS = (
    Expectation("E1/E25 around isolated tracks", "e1_e25", "e25 > 0", "median", 0.29, 0.45, OPEN_DATA),
    Expectation("E9/E25 around isolated tracks", "e9_e25", "e25 > 0", "median", 0.85, 0.95, OPEN_DATA),
)
SIMULATED = "simulated"
QUANTILES = (0.16, 0.5, 0.84)

# Numbers of which one alone may tell two classes apart.
SINGLE_NUMBERS = ("tracks", "track_width", "width", "jetM", "jetPt")


class Findings(NamedTuple):
    """A ``record`` of checks, and what it was made from: see ``read`` and ``single_particles``.

    ``tracks`` are isolated ones, by where they come from: SIMULATED, or a file of data.
    """

    record: dict[str, Any]
    jets: pd.DataFrame
    particles: pd.DataFrame
    tracks: dict[str, pd.DataFrame]


def validate(task: tasks.Task, ntuples: Sequence[str | Path], data: Sequence[str | Path] = ()) -> Findings:
    """Compare simulated ``ntuples`` of a task of jets with published expectations, and with ``data``.

    The record holds a list of checks as that of electrons and photons, the occupancy of the images in
    percent, AUCs of single numbers, and quantiles (0.16, 0.5, 0.84) of what is around isolated tracks: those
    of ``data``, RHTrees whose tracks lie where they meet the ECAL, and of ntuples that were simulated so.
    Raises E2EError for ntuples without their branches.
    """
    jets = read(task, ntuples)
    particles = single_particles()
    checks = [compare(expectation, particles) for expectation in SINGLE_PARTICLES]
    checks += [compare(expectation, jets) for expectation in task.simulation.expectations]
    occupancy = {
        name.removeprefix("occupancy_"): float(100.0 * jets[name].mean())
        for name in jets
        if name.startswith("occupancy_")
    }
    tracks = {Path(path).stem: isolated_tracks.read(path) for path in data}
    at_point = [path for path in ntuples if ntuple.check(path, task).layout.tracks == POINT]
    if at_point:
        tracks[SIMULATED] = pd.concat(map(isolated_tracks.read, at_point), ignore_index=True)
        checks += [compare(expectation, tracks[SIMULATED]) for expectation in ISOLATED_TRACKS]
    record = {
        "simulation": True,
        "checks": checks,
        "occupancy": occupancy,
        "auc": separation(jets),
        "isolated_tracks": {name: _quantiles(found) for name, found in tracks.items()},
    }
    return Findings(record, jets, particles, tracks)


def _quantiles(found: pd.DataFrame) -> dict[str, Any]:
    """Number of isolated tracks, and quantiles of their crystals' energies, null where there are none."""
    names = ("e1_e25", "e9_e25")
    values = {name: found[name].quantile(list(QUANTILES)).tolist() if len(found) else None for name in names}
    return {"tracks": len(found), **values}


def separation(jets: pd.DataFrame) -> dict[str, float]:
    """max(AUC, 1 - AUC) of single numbers between the classes of jets; empty where these are not two."""
    if "target" not in jets:
        return {}
    jets = jets[jets.target.notna()]
    target = jets.target
    if target.nunique() != 2:
        return {}
    areas = {name: float(roc_auc_score(target, jets[name])) for name in SINGLE_NUMBERS}
    return {name: max(area, 1.0 - area) for name, area in areas.items()}


def single_particles() -> pd.DataFrame:
    """Draws of hadrons, photons and tracks with the response of ``calorimeters`` and ``tracks``."""
    rng = np.random.default_rng(0)
    shown = np.empty((len(HADRON_ENERGIES), _DRAWS, 2))
    draw_hadrons(rng, np.array(HADRON_ENERGIES), shown)
    frames = [
        pd.DataFrame({"particle": "hadron", "energy": energy, "response": of.sum(axis=1) / energy})
        for energy, of in zip(HADRON_ENERGIES, shown, strict=True)
    ]
    frames += [shapes("photon", 10.0, rng).assign(particle="photon")]
    for name, eta in (("central track", 0.5), ("forward track", 1.5)):
        found = [tracking.is_found(rng, False, 2.0, eta, 0.0) for _ in range(_DRAWS)]
        frames.append(pd.DataFrame({"particle": name, "found": found}))
    return pd.concat(frames, ignore_index=True)


def shapes(particle: str, energy: float, rng: np.random.Generator) -> pd.DataFrame:
    """Columns offset, e25 (GeV), e1_e25, e9_e25 of the crystals around the hottest, a row a ``particle``.

    A "photon" or charged "hadron" of ``energy`` GeV comes straight onto a place somewhere in a crystal;
    there is no noise. Those that leave less than 0.2 GeV are left out. The offset of the impact from the
    middle of its crystal is the larger one of both directions, in crystals.
    """
    found = []
    for _ in range(_DRAWS // 10):
        crystals = calorimeters.empty()
        row, column = rng.random(2)
        eta, phi = (10 + row) * CELL_ETA, FIRST_PHI + (50 + column) * CELL_PHI
        x, y, z = ECAL_RADIUS * np.array((math.cos(phi), math.sin(phi), math.sinh(eta)))
        charge = 1.0 if particle == "hadron" else 0.0
        arrival = np.array((charge, energy, x, y, z, phi, math.sinh(eta), 0.0))
        if particle == "hadron":
            calorimeters.deposit_hadron_ecal(rng, crystals, arrival, 1.0)
        else:
            calorimeters.deposit_ecal(rng, crystals, arrival)
        i, j = np.unravel_index(crystals.barrel.argmax(), crystals.barrel.shape)
        near = crystals.barrel[i - 2 : i + 3, j - 2 : j + 3]
        if near.sum() > 0.2:
            offset = max(abs(row - 0.5), abs(column - 0.5))
            e25 = near.sum()
            found.append((offset, e25, near[2, 2] / e25, near[1:4, 1:4].sum() / e25))
    return pd.DataFrame(found, columns=["offset", "e25", "e1_e25", "e9_e25"])


def read(task: tasks.Task, ntuples: Sequence[str | Path]) -> pd.DataFrame:
    """Jets of the first EVENTS_PER_FILE events of each ntuple.

    Columns: the object branches of the ntuples, truth, of classes the target, response (measured over true
    jet momentum), mass_ratio (measured over true jet mass), visible (true jet mass over that of the
    particle), prongs, three_prong, without_pi0, and of the image within 0.4 of the seed: tracks (cells with
    any), track_width and width (of track momenta and of energies), and occupancy_<channel>, the share of
    filled pixels of a crop.
    """
    return pd.concat([jets for path in ntuples for jets in _read_file(task, Path(path))], ignore_index=True)


def _read_file(task: tasks.Task, path: Path) -> Iterator[pd.DataFrame]:
    layout = ntuple.check(path, task).layout
    with ntuple.open_tree(path) as tree:
        missing = [name for name in PARTICLE_JETS if name not in tree]
        if missing or layout.truth is None:
            lacking = f"branch {missing[0]}" if missing else "truth"
            raise E2EError(f"{path}: no {lacking}; validate ntuples of `e2e simulate`")
        for start in range(0, min(tree.num_entries, EVENTS_PER_FILE), _CHUNK):
            stop = min(start + _CHUNK, EVENTS_PER_FILE)
            yield _measure(task, layout, tree.arrays(library="np", entry_start=start, entry_stop=stop))


def _measure(task: tasks.Task, layout: Layout, arrays: dict[str, NDArray]) -> pd.DataFrame:
    frames = {name: arrays.pop(image.branch) for name, image in layout.images.items()}
    branches = {
        name: np.concatenate(values) for name, values in arrays.items() if name not in ntuple.IDENTITY
    }
    jets = pd.DataFrame(branches)
    event = np.repeat(np.arange(len(arrays["jetPt"])), [len(found) for found in arrays["jetPt"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        jets["truth"] = jets[layout.truth.branch]
        if layout.truth.classes:
            codes = {code: task.classes.index(name) for code, name in layout.truth.classes.items()}
            jets["target"] = jets.truth.abs().map(codes)
        jets["response"] = jets.jetPt / jets.gen_jetPt
        jets["mass_ratio"] = jets.jetM / jets.gen_jetM
        if "a_m" in jets:
            jets["visible"] = jets.gen_jetM / jets.a_m
        if "gen_Prongs" in jets:
            jets["prongs"] = jets.gen_Prongs
            jets["three_prong"] = jets.gen_Prongs == 3
            jets["without_pi0"] = jets.gen_Pi0s == 0
    shapes = [
        _shape(task, {name: images[i] for name, images in frames.items()}, row, column)
        for i, row, column in zip(event, jets.jetSeed_ieta, jets.jetSeed_iphi, strict=True)
    ]
    return jets.join(pd.DataFrame(shapes, index=jets.index))


def _shape(task: tasks.Task, frames: dict[str, NDArray], row: float, column: float) -> dict[str, float]:
    """What the images of one jet show."""
    rows, columns = task.detector
    crop = task.crop
    i = middle(int(row), task.seed_cell) + np.arange(crop.rows) - crop.seed_row
    j = (middle(int(column), task.seed_cell) + np.arange(crop.columns) - crop.seed_column) % columns
    crops = {}
    for channel in task.channels:
        frame = frames[channel.name].reshape(rows // channel.cell, columns // channel.cell)
        crops[channel.name] = frame[np.ix_(i // channel.cell, j // channel.cell)] / channel.cell**2
    y = (np.arange(crop.rows) - crop.seed_row) * CELL_ETA
    x = (np.arange(crop.columns) - crop.seed_column) * CELL_PHI
    distance = np.hypot(y[:, None], x[None, :])
    inside = distance < JET_RADIUS
    pt = crops[tasks.TRACK_PT.name] * inside
    energy = (crops[tasks.ECAL.name] + crops[tasks.HCAL.name]) * inside
    return {
        "tracks": np.count_nonzero(pt),
        "track_width": float((pt * distance).sum() / max(pt.sum(), 1e-9)),
        "width": float((energy * distance).sum() / max(energy.sum(), 1e-9)),
        **{f"occupancy_{name}": np.count_nonzero(image) / image.size for name, image in crops.items()},
    }
