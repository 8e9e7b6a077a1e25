import numpy as np
import pytest

from e2e.data.jet_shapes import calorimetric_mass, jet_shapes
from e2e.data.store import Samples
from e2e.geometry import CELL
from e2e.tasks import ECAL, TRACK_D0, TRACK_DZ, TRACK_PT, Task
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
from e2e.tasks.tau import TASK as TAU


def jets(task: Task, *hits: list[tuple], eta: float = 0.0) -> Samples:
    """Objects of hits (channel, rows from the seed, columns from the seed, value)."""
    rows, columns = task.crop.rows, task.crop.columns
    index, value = [], []
    for jet in hits:
        cells = sorted(
            ((task.channels.index(channel) * rows + 62 + i) * columns + 62 + j, v) for channel, i, j, v in jet
        )
        index += [cell for cell, _ in cells]
        value += [v for _, v in cells]
    count = len(hits)
    return Samples(
        sample=np.full(count, "a"),
        **{name: np.zeros(count, int) for name in ("run", "lumi", "event", "object")},
        target=np.zeros(count, np.float32),
        kinematics={
            "jetPt": np.full(count, 50.0),
            "jetEta": np.full(count, eta),
            "jetM": np.full(count, np.nan),
        },
        offsets=np.concatenate([[0], np.cumsum([len(jet) for jet in hits])]),
        index=np.array(index, np.uint32),
        value=np.array(value, np.float32),
        channels=task.channels,
        classes=task.classes,
        shape=task.shape,
    )


def test_shape_of_two_tracks():
    shape = jet_shapes(jets(QUARK_GLUON, [(TRACK_PT, 0, -3, 30.0), (TRACK_PT, 0, 3, 30.0)]), QUARK_GLUON.crop)
    assert shape["tracks sum [GeV]"][0] == pytest.approx(60)
    assert shape["tracks multiplicity"][0] == 2
    assert shape["tracks pTD"][0] == pytest.approx(np.sqrt(0.5))
    assert shape["tracks width"][0] == pytest.approx(3 * CELL)
    assert shape["tracks major axis"][0] == pytest.approx(3 * CELL)
    assert shape["tracks minor axis"][0] == pytest.approx(0)
    assert shape["tracks leading share"][0] == pytest.approx(0.5)
    assert shape["tracks share 0.05 to 0.1"][0] == pytest.approx(1)
    assert np.isnan(shape["ECAL pTD"][0])


def test_hits_far_away_count_outside():
    far = round(0.6 / CELL)
    shape = jet_shapes(jets(QUARK_GLUON, [(ECAL, 0, 0, 20.0), (ECAL, 0, far, 5.0)]), QUARK_GLUON.crop)
    assert shape["ECAL sum [GeV]"][0] == pytest.approx(20)
    assert shape["ECAL sum outside [GeV]"][0] == pytest.approx(5)
    assert shape["tower 1 share"][0] == pytest.approx(0.8)


@pytest.mark.parametrize("eta", [0.0, 1.2])
def test_mass_of_two_massless_hits(eta):
    """m^2 = 2 pT1 pT2 (cosh(d_eta) - cos(d_phi)); two photons of one energy, 10 cells apart in phi."""
    samples = jets(QUARK_GLUON, [(ECAL, 0, -5, 30.0), (ECAL, 0, 5, 30.0)], eta=eta)
    pt = 30.0 / np.cosh(eta)
    expected = np.sqrt(2 * pt * pt * (1 - np.cos(10 * CELL)))
    assert calorimetric_mass(samples, QUARK_GLUON.crop)[0] == pytest.approx(expected, rel=1e-5)


def test_impact_parameters_are_weighted_by_momentum():
    hits = [
        (TRACK_PT, 0, 0, 30.0),
        (TRACK_DZ, 0, 0, 0.1),
        (TRACK_D0, 0, 0, -0.02),
        (TRACK_PT, 2, 2, 10.0),
        (TRACK_DZ, 2, 2, -5.0),
        (TRACK_D0, 2, 2, 0.1),
    ]
    shape = jet_shapes(jets(TAU, hits, [(ECAL, 0, 0, 1.0)]), TAU.crop)
    assert shape["mean |dz| [cm]"][0] == pytest.approx((30 * 0.1 + 10 * 5) / 40)
    assert shape["mean |d0| [cm]"][0] == pytest.approx((30 * 0.02 + 10 * 0.1) / 40)
    assert shape["share of close tracks"][0] == pytest.approx(0.75)
    assert np.isnan(shape["mean |dz| [cm]"][1])


def test_a_jet_without_hits():
    shape = jet_shapes(jets(TAU, [], [(ECAL, 0, 0, 1.0)]), TAU.crop)
    assert {len(column) for column in shape.values()} == {2}
    assert shape["tracks sum [GeV]"][0] == 0
