"""In what a training lay, and whether other objects lie there."""

from dataclasses import replace

import numpy as np
import pytest

from e2e import tasks
from e2e.data import domain
from e2e.data.store import Samples
from e2e.tasks import Domain, Range
from e2e.typed import build, parse

TASK = tasks.task("quark_gluon")


class Part:
    """Objects as a stream gives them."""

    def __init__(self, samples: Samples):
        self.samples = samples.__getitem__
        self.count = len(samples)

    def __len__(self) -> int:
        return self.count


def jets(count: int, seed: int = 1, threshold: float = 0.1, hits: int = 30) -> Samples:
    """Jets with ``hits`` hits of the ECAL at most, above a threshold [GeV], and a track or none."""
    random = np.random.default_rng(seed)
    _, rows, columns = TASK.shape
    cells = rows * columns
    index, value, counts = [], [], []
    for _ in range(count):
        here = np.sort(random.choice(cells, random.integers(hits // 2, hits + 1), replace=False))
        track = random.random() < 0.5
        index += [np.concatenate([[5] * track, cells + here])]
        value += [np.concatenate([[-3.0] * track, threshold + random.exponential(1, len(here))])]
        counts += [len(index[-1])]
    return Samples(
        sample=np.full(count, "jets"),
        run=np.ones(count, np.uint32),
        lumi=np.ones(count, np.uint32),
        event=np.arange(count, dtype=np.uint64),
        object=np.zeros(count, np.uint32),
        target=np.zeros(count, np.float32),
        kinematics={
            "jetPt": random.uniform(70, 340, count).astype(np.float32),
            **{name: np.full(count, np.nan, np.float32) for name in ("jetEta", "jetPhi", "jetM")},
        },
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        index=np.concatenate(index).astype(np.uint32),
        value=np.concatenate(value).astype(np.float32),
        channels=TASK.channels,
        classes=TASK.classes,
        shape=TASK.shape,
        seed_row=random.choice([62, 142, 217], count).astype(np.float32),
    )


@pytest.fixture(scope="module")
def learned() -> Domain:
    return domain.learned(Part(jets(1000)), TASK)


def outside(learned: Domain, *pieces: Samples) -> list[str]:
    counts = domain.Counts(learned, TASK)
    for samples in pieces:
        counts.add(samples)
    return list(counts.outside())


def test_ranges_hold_99_of_100_objects_of_what_is_known(learned):
    ranges = {(each.quantity, each.channel): each for each in learned.ranges}
    assert list(ranges) == [
        ("seed_eta", None),
        ("jetPt", None),
        ("hits", "track_pT"),
        ("hits", "ECAL_energy"),
        ("hits", "HCAL_energy"),
        ("smallest", "track_pT"),
        ("smallest", "ECAL_energy"),  # no hit of the HCAL: nothing is known of its smallest
    ]
    pt = jets(1000).kinematics["jetPt"]
    low, high = ranges["jetPt", None].low, ranges["jetPt", None].high
    assert 8 <= np.count_nonzero((pt < low) | (pt > high)) <= 10
    eta = ranges["seed_eta", None]
    np.testing.assert_allclose([eta.low, eta.high], [0.0174 * 2.5, 0.0174 * 77.5], rtol=1e-5)  # magnitudes
    assert (ranges["hits", "ECAL_energy"].low, ranges["hits", "ECAL_energy"].high) == (15, 30)
    assert (ranges["smallest", "track_pT"].low, ranges["smallest", "track_pT"].high) == (3, 3)
    assert 0.1 < ranges["smallest", "ECAL_energy"].low < 0.102
    assert build(Domain, parse('{"central": 0.99, "ranges": []}')) == Domain(0.99, ())
    assert build(Domain, learned.to_json()) == learned


def test_objects_like_those_of_the_training_lie_inside(learned):
    for seed in range(2, 12):
        assert outside(learned, jets(60, seed), jets(60, seed + 100)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 0.5}, "40 of 40 objects have smallest ECAL_energy of the frame outside 0.10"),
        ({"hits": 80}, "40 of 40 objects have number of hits in ECAL_energy outside 15 to 30"),
    ],
)
def test_other_thresholds_and_more_pileup_are_seen(learned, change, said):
    found = outside(learned, jets(20, 5, **change), jets(20, 6, **change))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_other_momenta_are_seen_and_what_is_unknown_is_not_counted(learned):
    samples = jets(20, 5)
    pt = np.where(np.arange(20) < 6, 500, np.nan).astype(np.float32)
    rows = np.full(20, np.nan, np.float32)
    changed = replace(samples, kinematics=samples.kinematics | {"jetPt": pt}, seed_row=rows)
    (said,) = outside(learned, changed)
    assert said.startswith("6 of 6 objects have jetPt outside 7")
    assert outside(learned, changed[:5]) == []  # too few to say anything


def test_a_range_of_another_release_is_passed_over(learned):
    other = Domain(0.99, (Range("depth", None, "m", 0.0, 1.0), *learned.ranges))
    assert outside(other, jets(60, 3)) == []
