"""Crystals around isolated tracks, in real and in simulated events."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e.errors import E2EError
from e2e.simulation import isolated_tracks


@pytest.mark.parametrize(
    ("name", "tracks", "e1", "e9"), [("bjet", 29, 0.380, 0.848), ("double-electron", 24, 0.402, 0.900)]
)
def test_real_events(shared: Path, name: str, tracks: int, e1: float, e9: float) -> None:
    """What docs/simulation-jets.md states of the two real files."""
    found = isolated_tracks.read(shared / "data" / f"cms2012-{name}-tracks-at-point.root")
    assert len(found) == tracks
    assert found.e1_e25.median() == pytest.approx(e1, abs=0.001)
    assert found.e9_e25.median() == pytest.approx(e9, abs=0.001)


def test_what_is_an_isolated_track() -> None:
    pt, energy = np.zeros((280, 360)), np.zeros((280, 360))
    pt[140, 359] = pt[100, 50] = pt[100, 57] = 5.0  # the last two are no further apart than 7 cells
    pt[200, 10] = 2.0  # soft, though its momentum is 3.2 GeV
    pt[58, 10] = pt[30, 10] = 5.0  # at the end of the barrel, and beyond
    energy[139:144, 0] = 0.5
    energy[141, 0] = 2.0
    energy[100, 50] = energy[100, 57] = energy[200, 10] = energy[58, 10] = 5.0
    momentum, e25, e1, e9 = isolated_tracks._measure(pt, energy)[0]
    assert len(isolated_tracks._measure(pt, energy)) == 1
    assert momentum == pytest.approx(5.0, rel=1e-3)
    assert (e25, e1, e9) == pytest.approx((4.0, 0.5, 0.75))
    energy[143, 1] = 9.0  # something else than the track's, hotter, two crystals away
    assert len(isolated_tracks._measure(pt, energy)) == 0


def test_an_ntuple_without_tracks(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "none.root") as file:
        file.mktree("fevt/RHTree", {"ECAL_energy": np.float32})
    with pytest.raises(E2EError, match=r"none.root: no branch ECAL_tracksPt"):
        isolated_tracks.read(tmp_path / "none.root")
