"""The fast simulation beside what CMS published: shower shapes, material, energy and time.

Expectations stand with their sources in the file of the task; docs/simulation.md discusses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from e2e.data.ntuple import open_tree
from e2e.data.shower_shapes import shower_shapes
from e2e.errors import E2EError
from e2e.geometry import FIRST_PHI
from e2e.simulation.electron_photon import PDG_IDS
from e2e.simulation.reconstruction import wrap
from e2e.simulation.shower import CELL_ETA, CELL_PHI
from e2e.tasks import Task
from e2e.tasks.simulation import Expectation

# Objects of the first events of each file: enough for every comparison, and reading frames takes time.
EVENTS_PER_FILE = 500
_CHUNK = 100  # events, 50 MB of frames
_RESAMPLES = 200

# The generation is the same for both particles: total energy alone must not tell them apart.
TOTAL_ENERGY_LIMIT = 0.53


def half_width(values: NDArray) -> float:
    """Half of the interval that holds the central 68.3 %."""
    low, high = np.quantile(values, (0.1585, 0.8415))
    return 0.5 * float(high - low)


def spread(values: NDArray) -> float:
    """Half of the central 68.3 %, over the median."""
    return half_width(values) / float(np.median(values))


# Of an expectation, by the names that tasks give.
STATISTICS: dict[str, Callable[[NDArray], float]] = {
    "mean": np.mean,
    "median": np.median,
    "spread": spread,
    "half_width": half_width,
}


class Findings(NamedTuple):
    """A ``record`` of checks, and what it was made from: see ``read``."""

    record: dict[str, Any]
    objects: pd.DataFrame
    hits: pd.DataFrame


def validate(task: Task, ntuples: Sequence[str | Path]) -> Findings:
    """Compare simulated ``ntuples`` of both particles with published expectations.

    The record holds a list of checks: value, statistical uncertainty, expected interval or null, whether the
    value lies inside it within two uncertainties. Raises E2EError when the ntuples hold no matched objects
    of one of the particles.
    """
    objects, hits = read(task, ntuples)
    for particle in PDG_IDS:
        if not (objects.particle == particle).any():
            raise E2EError(
                f"{', '.join(map(str, ntuples))}: no generated {particle} among the candidates; "
                "validate ntuples of both particles, with more events"
            )
    checks = [compare(expectation, objects) for expectation in task.simulation.expectations]
    record = {"simulation": True, "checks": [*checks, _compare_total_energy(objects)]}
    return Findings(record, objects, hits)


def compare(expectation: Expectation, objects: pd.DataFrame) -> dict[str, object]:
    """One entry of the record; value and uncertainty are null for fewer than ten objects."""
    values = objects.query(expectation.selection)[expectation.column].to_numpy(float)
    value = uncertainty = inside = None
    if len(values) >= 10:
        rng = np.random.default_rng(0)
        resamples = (rng.choice(values, len(values)) for _ in range(_RESAMPLES))
        statistic = STATISTICS[expectation.statistic]
        value = float(statistic(values))
        uncertainty = float(np.std([statistic(resample) for resample in resamples]))
        if expectation.low is not None:
            tolerance = 2.0 * uncertainty
            inside = expectation.low - tolerance <= value <= expectation.high + tolerance
    return {
        "name": expectation.name,
        "column": expectation.column,
        "statistic": expectation.statistic,
        "objects": len(values),
        "value": value,
        "uncertainty": uncertainty,
        "expected": None if expectation.low is None else [expectation.low, expectation.high],
        "inside": inside,
        "source": expectation.source,
    }


def _compare_total_energy(objects: pd.DataFrame) -> dict[str, object]:
    crops = objects[objects.crop_energy.notna()]
    electron = crops.particle == "electron"
    electrons, photons = int(electron.sum()), int((~electron).sum())
    value = uncertainty = inside = None
    if min(photons, electrons) >= 10:
        area = float(roc_auc_score(electron, crops.crop_energy))
        value = max(area, 1.0 - area)
        # Of an area near one half: Hanley and McNeil, Radiology 143 (1982) 29.
        uncertainty = float(np.sqrt((photons + electrons + 1) / (12.0 * photons * electrons)))
        inside = value < TOTAL_ENERGY_LIMIT
    return {
        "name": "max(AUC, 1 - AUC) of the total energy in a crop",
        "column": "crop_energy",
        "statistic": "auc",
        "objects": len(crops),
        "value": value,
        "uncertainty": uncertainty,
        "expected": [0.5, TOTAL_ENERGY_LIMIT],
        "inside": inside,
        "source": "same generation of both particles",
    }


def read(task: Task, ntuples: Sequence[str | Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Matched objects of the first EVENTS_PER_FILE events of each ntuple, and the hits around their seeds.

    Objects have the columns particle, eta and pt (generated, GeV), conversion (radius in cm, or 0),
    is_converted, brem, response (reconstructed over generated energy), e1_e25, e9_e25, r9, offset (of the
    impact from the middle of the seed crystal, in crystals, the larger of both directions), sigma_ieta_ieta,
    phi_width (rad) and crop_energy (GeV in 32 x 32; NaN where the crop crosses the end of the barrel), end
    (-1 or 1, the sign of z), asymmetry_phi (energy at larger less that at smaller phi than the seed's, over
    that of 5 x 5) and outward_asymmetry_phi (the same in crops that look outward). Hits, the eight around
    each seed, have energy, seed_energy (GeV) and difference (of their times, ns).
    """
    objects, hits = [], []
    for path in ntuples:
        with open_tree(path) as tree:
            if "gen_rconv" not in tree:
                raise E2EError(f"{path}: no branch gen_rconv; validate ntuples of `e2e simulate`")
            for start in range(0, min(tree.num_entries, EVENTS_PER_FILE), _CHUNK):
                stop = min(start + _CHUNK, EVENTS_PER_FILE)
                arrays = tree.arrays(library="np", entry_start=start, entry_stop=stop)
                for found, kept in zip(_measure(task, arrays), (objects, hits), strict=True):
                    kept.append(found)
    return pd.concat(objects, ignore_index=True), pd.concat(hits, ignore_index=True)


def _measure(task: Task, arrays: dict[str, NDArray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, columns = task.detector
    crop = task.crop
    per_event = [len(seeds) for seeds in arrays["SC_ieta"]]
    branch = {
        name: np.concatenate(values)
        for name, values in arrays.items()
        if name.startswith(("SC_", "pho_", "gen_"))
    }
    real = branch["gen_pdgId"] != 0
    event = np.repeat(np.arange(len(per_event)), per_event)[real]
    branch = {name: values[real] for name, values in branch.items()}
    # A crop's rows beyond the end of the barrel are empty.
    row = branch["SC_ieta"].astype(int)[:, None] + np.arange(crop.rows) - crop.seed_row
    column = (branch["SC_iphi"].astype(int)[:, None] + np.arange(crop.columns) - crop.seed_column) % columns
    inside = (row >= 0) & (row < rows)

    def cut(name: str) -> NDArray[np.float64]:
        frames = np.stack(arrays[name]).reshape(-1, rows, columns)
        crops = frames[event[:, None, None], np.where(inside, row, 0)[:, :, None], column[:, None, :]]
        return np.where(inside[:, :, None], crops, 0.0)

    frames = np.stack([cut(channel.name) for channel in task.channels], axis=1)
    shape = shower_shapes(frames, crop)
    end = np.where(branch["SC_ieta"] < rows / 2, -1, 1)
    truth = branch["gen_pt"] * np.cosh(branch["gen_eta"])
    # The reconstructed position, in crystals from the middle of the seed.
    across = branch["pho_eta"] / CELL_ETA + rows / 2 - (branch["SC_ieta"] + 0.5)
    along = wrap(branch["pho_phi"] - FIRST_PHI - (branch["SC_iphi"] + 0.5) * CELL_PHI) / CELL_PHI
    objects = pd.DataFrame(
        {
            "particle": np.where(branch["gen_pdgId"] == PDG_IDS["photon"], "photon", "electron"),
            "eta": branch["gen_eta"],
            "pt": branch["gen_pt"],
            "conversion": branch["gen_rconv"],
            "is_converted": branch["gen_rconv"] > 0,
            "brem": branch["gen_fbrem"],
            "response": branch["pho_E"] / truth,
            "e1_e25": shape["E1/E25"],
            "e9_e25": shape["E9/E25"],
            "r9": shape["E9/E25"] * shape["E25 [GeV]"] / branch["pho_E"],
            "offset": np.maximum(abs(across), abs(along)),
            "sigma_ieta_ieta": shape["sigma_ieta_ieta"] * CELL_ETA,
            "phi_width": shape["road_phi_width"] * CELL_PHI,
            "end": end,
            "asymmetry_phi": shape["signed_asymmetry_phi"],
            "outward_asymmetry_phi": end * shape["signed_asymmetry_phi"],
            "crop_energy": np.where(inside.all(1), shape["E [GeV]"], np.nan),
        }
    )
    around = frames[:, :, crop.seed_row - 1 : crop.seed_row + 2, crop.seed_column - 1 : crop.seed_column + 2]
    energy, time = np.delete(around.reshape(-1, 2, 9), 4, axis=2).swapaxes(0, 1)
    seed_energy, seed_time = around[:, :, 1, 1].T
    hits = pd.DataFrame(
        {
            "energy": energy.ravel(),
            "seed_energy": np.repeat(seed_energy, 8),
            "difference": (time - seed_time[:, None]).ravel(),
        }
    )
    return objects, hits[hits.energy > 0]
