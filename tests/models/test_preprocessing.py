"""Features of known hits."""

import numpy as np
import pytest
import torch

from e2e.errors import E2EError
from e2e.geometry import CELL
from e2e.models.preprocessing import Energies, JetFeatures, Moments, RoadMaps, TowerMaps, shares
from e2e.tasks import Crop, Task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
from e2e.tasks.tau import TASK as TAU

TRACK_PT, DZ, D0, ECAL, HCAL, *PIXELS = range(8)


def log(energy: float, scale: float) -> float:
    return np.log(1 + energy / scale) / 4


def test_features_of_a_jet_of_known_hits():
    frames = torch.zeros(2, *TAU.shape)
    frames[0, :, 3, 4] = torch.tensor([10.0, 0.1, -0.02, 5.0, 0.08, 1.0, 4.0, 0.0])
    frames[0, :3, 5, 6] = torch.tensor([2.0, -70.0, 30.0])
    features = JetFeatures(TAU)
    first, second = features(frames)[0, :, 3, 4].tolist(), features(frames)[0, :, 5, 6].tolist()
    assert len(first) == features.channels == 9
    # Energies, the prompt track, impact parameters, pixel hits.
    hits = [1 - 0.01, 2 - 0.01, 0]
    impact = [log(0.1, 0.05), -log(0.02, 0.01)]
    assert first == pytest.approx(
        [log(10, 0.5), log(5, 0.04), log(0.08, 0.008), log(10, 0.5), *impact, *hits], abs=1e-4
    )
    far = [-log(20.0, 0.05), log(5.0, 0.01)]
    assert second == pytest.approx([log(2, 0.5), 0, 0, 0, *far, 0, 0, 0], abs=1e-6)
    assert not features(frames)[1].any()
    assert (features(frames) != 0).sum() == 8 + 3


def test_features_of_points_are_those_of_pixels(make_frames):
    frames = make_frames(TAU, 4)
    features = JetFeatures(TAU)
    torch.testing.assert_close(features(frames.flatten(2)), features(frames).flatten(2))


def test_tracks_of_pileup_are_no_prompt_momentum():
    frames = torch.zeros(1, *TAU.shape)
    frames[0, TRACK_PT, 0, :3] = 7.0
    frames[0, DZ, 0, :3] = torch.tensor([0.19, -0.21, 0.0])
    assert Energies(TAU)(frames)[0, 3, 0, :4].tolist() == [7.0, 0.0, 7.0, 0.0]
    assert Energies(QUARK_GLUON).channels == 3  # no dz, no prompt tracks


def test_energies_are_not_negative():
    assert not Energies(QUARK_GLUON)(torch.full((1, *QUARK_GLUON.shape), -1.0)).any()


def test_towers_hold_the_energy_of_their_crystals(make_frames):
    frames = make_frames(QUARK_GLUON, 5)
    towers = TowerMaps(QUARK_GLUON, width=2).eval()
    maps = towers(frames)
    assert maps.shape == (5, towers.channels, towers.height, towers.width) == (5, 8, 13, 13)
    sums = frames.reshape(5, 3, 25, 5, 25, 5).sum(dim=(3, 5))[:, :, 6:19, 6:19]
    scales = torch.tensor([0.5, 0.04, 0.008]).reshape(1, 3, 1, 1) * 25
    torch.testing.assert_close(maps[:, 2:5], torch.log(1 + sums / scales) / 4, atol=1e-3, rtol=1e-3)
    share = sums / (sums.sum(dim=(1, 2, 3), keepdim=True) + 0.04)
    torch.testing.assert_close(maps[:, 5:], torch.log(1 + share / 1e-3) / 3, atol=1e-3, rtol=1e-3)


def test_a_crystal_counts_in_its_own_tower_only():
    towers = TowerMaps(QUARK_GLUON, width=4).eval()
    frames = torch.zeros(2, *QUARK_GLUON.shape)
    frames[1, 1, 62, 62] = 1.0
    empty, seed = towers(frames)
    changed = (empty != seed).any(dim=0)
    assert changed.nonzero().tolist() == [[6, 6]]


def test_shares_add_up_to_the_crop(make_frames):
    energies = Energies(QUARK_GLUON)(make_frames(QUARK_GLUON, 5))
    share = (torch.exp(shares(energies, energies) * 3) - 1) * 1e-3
    total = share.sum(dim=(1, 2, 3))
    assert total[0] == 0
    torch.testing.assert_close(total[2:], torch.ones(3), atol=0.05, rtol=0)


def test_moments_are_sums_over_the_hits(make_frames):
    """Within the jet's radius and beyond it, with the noise of a crystal (40 MeV) in the total."""
    frames = make_frames(QUARK_GLUON, 6).clamp(min=0.0)
    crop, cells = QUARK_GLUON.crop, np.prod(QUARK_GLUON.shape[1:])
    moments = Moments(QUARK_GLUON).eval()(frames).reshape(6, 6, -1).double().detach().numpy()
    eta, phi = (axis.ravel() * CELL for axis in np.mgrid[: crop.rows, : crop.columns])
    eta, phi = eta - crop.seed_row * CELL, phi - crop.seed_column * CELL
    near = np.hypot(eta, phi) < 0.4
    for place in range(3):
        for i, energy in enumerate(frames[:, place].reshape(6, cells).double().numpy()):
            inside = energy * near
            total = inside.sum() + 0.04
            variance = [
                (inside * axis**2).sum() / total - ((inside * axis).sum() / total) ** 2 for axis in (eta, phi)
            ]
            expected = [
                np.log1p(inside.sum()),
                np.log1p((inside > 0).sum()),
                np.log1p((energy * ~near).sum()),
                np.log1p(((energy > 0) & ~near).sum()),
                np.sqrt((inside**2).sum() + 1e-6) / total,
                np.log(sum(variance) + CELL**2 / 6) / 2,
            ]
            np.testing.assert_allclose(moments[i, :, place], expected, atol=1e-4, rtol=1e-4)


def test_moments_are_the_same_in_mixed_precision(make_frames):
    frames, moments = make_frames(QUARK_GLUON, 6), Moments(QUARK_GLUON).eval()
    expected = moments(frames)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(moments(frames), expected)


def test_moments_of_one_and_of_two_hits():
    frames = torch.zeros(3, *QUARK_GLUON.shape)
    row, column = QUARK_GLUON.crop.seed_row, QUARK_GLUON.crop.seed_column
    frames[0, 1, row + 3, column] = 50.0
    frames[1, 1, row, [column - 10, column + 10]] = 50.0
    moments = Moments(QUARK_GLUON).eval()(frames).detach().reshape(3, 6, -1)[:, :, 1]
    inside, hits, beyond, hits_beyond, dispersion, width = moments.T
    torch.testing.assert_close(inside, torch.tensor([51.0, 101.0, 1.0]).log(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(hits, torch.tensor([2.0, 3.0, 1.0]).log(), atol=1e-4, rtol=1e-4)
    assert not beyond.any()
    assert not hits_beyond.any()
    torch.testing.assert_close(dispersion[:2], torch.tensor([1.0, 2**-0.5]), atol=1e-3, rtol=0)
    torch.testing.assert_close(width[:2].exp(), torch.tensor([CELL / 6**0.5, 10.0 * CELL]), atol=4e-3, rtol=0)


def test_crops_of_broken_towers_are_refused():
    with pytest.raises(
        E2EError, match=r"124 x 125 cells with the seed at \(61, 62\), and not 6 whole towers of 5 x 5"
    ):
        TowerMaps(Task(**{**vars(TAU), "crop": Crop(124, 125, 61, 62)}), width=4)


def test_road_needs_energy_and_time():
    assert RoadMaps(ELECTRON_PHOTON)(torch.zeros(2, 2, 32, 32)).shape == (2, 4, 7, 31)
    with pytest.raises(E2EError, match="GeV, GeV, GeV"):
        RoadMaps(QUARK_GLUON)
