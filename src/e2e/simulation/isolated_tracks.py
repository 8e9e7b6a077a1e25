"""Energy in the crystals around isolated tracks: the same of simulated and of real events.

Tracks have to lie where they meet the ECAL, as `e2e simulate --tracks point` writes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e import tasks
from e2e.data import ntuple
from e2e.errors import E2EError
from e2e.geometry import BARREL, DETECTOR, ENDCAP_ROWS
from e2e.simulation.shower import CELL_ETA

# Softer tracks leave little beside noise and pileup, and the real files, which are triggered, have few.
MOMENTUM = 4.0  # GeV, at least
DISTANCE = 8.0  # cells to any other track
ENERGY = 1.0  # GeV in 5 x 5 crystals, at least
_CHUNK = 50  # events
COLUMNS = ("momentum", "e25", "e1_e25", "e9_e25")


def read(path: str | Path) -> pd.DataFrame:
    """Isolated tracks of the barrel in the ntuple ``path``: momentum, e25 (GeV), e1_e25, e9_e25.

    The hottest of the 3 x 3 crystals around the track is that of the 5 x 5 around itself, too. Raises
    E2EError for an ntuple without images of tracks and of the ECAL.
    """
    with ntuple.open_tree(path) as tree:
        names = [name for name in tree.keys() if name.startswith("ECAL_tracksPt")]  # noqa: SIM118
        if not names or tasks.ECAL.name not in tree:
            lacking = "ECAL_tracksPt..." if not names else tasks.ECAL.name
            raise E2EError(f"{path}: no branch {lacking}; give an RHTree with the images of both")
        found = [
            _measure(np.reshape(pt, DETECTOR), np.reshape(energy, DETECTOR))
            for start in range(0, tree.num_entries, _CHUNK)
            for pt, energy in zip(
                *tree.arrays(
                    [names[0], tasks.ECAL.name],
                    library="np",
                    entry_start=start,
                    entry_stop=start + _CHUNK,
                    how=tuple,
                ),
                strict=True,
            )
        ]
    return pd.DataFrame(np.concatenate([np.empty((0, len(COLUMNS))), *found]), columns=list(COLUMNS))


def _measure(pt: NDArray, energy: NDArray) -> NDArray[np.float64]:
    """Isolated tracks [n, 4] of an event's images [280, 360]."""
    rows, columns = np.nonzero(pt)
    first, last = ENDCAP_ROWS + DISTANCE, ENDCAP_ROWS + BARREL[0] - DISTANCE
    eta = (rows + 0.5 - DETECTOR[0] / 2) * CELL_ETA
    momentum = pt[rows, columns] * np.cosh(eta)
    found = []
    for k in np.flatnonzero((momentum >= MOMENTUM) & (rows >= first) & (rows < last)):
        across = (columns - columns[k] + DETECTOR[1] // 2) % DETECTOR[1] - DETECTOR[1] // 2
        if np.count_nonzero(np.hypot(rows - rows[k], across) < DISTANCE) > 1:
            continue
        around = energy[rows[k] - 3 : rows[k] + 4, np.arange(columns[k] - 3, columns[k] + 4) % DETECTOR[1]]
        i, j = np.unravel_index(around[2:5, 2:5].argmax(), (3, 3))
        near = around[i : i + 5, j : j + 5]
        e25 = float(near.sum())
        if e25 >= ENERGY and near[2, 2] == near.max():
            found.append((momentum[k], e25, near[2, 2] / e25, near[1:4, 1:4].sum() / e25))
    return np.array(found).reshape(-1, len(COLUMNS))
