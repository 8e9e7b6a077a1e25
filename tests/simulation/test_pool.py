"""Pileup tells neither class nor file nor part: one pool for all, whose collisions keep to the parts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from e2e.data.split import FRACTIONS, PARTS, part
from e2e.errors import E2EError
from e2e.simulation.crossing import TRACK_COLUMNS, TRACKS, empty_frames, simulate_crossing
from e2e.simulation.pool import Pileup, Pool, generate, read, write

NUMBERS = st.integers(1, 2**32 - 1)


def pool_of(collisions: int) -> Pool:
    """Collisions of one particle each, whose energy is their number."""
    return Pool(np.tile(np.arange(collisions, dtype=float)[:, None], 9), np.arange(collisions + 1))


@given(st.integers(10, 500))
def test_each_collision_belongs_to_one_part(collisions: int) -> None:
    shares = [pool_of(collisions).share(place) for place in range(len(PARTS))]
    assert all(len(share) > 1 for share in shares)
    assert np.concatenate([share[:-1] for share in shares]).tolist() == list(range(collisions))
    np.testing.assert_allclose([len(share) - 1 for share in shares], np.array(FRACTIONS) * collisions, atol=1)


@given(st.text(min_size=1), NUMBERS, NUMBERS, NUMBERS)
def test_an_event_has_the_collisions_of_its_part(sample: str, run: int, lumi: int, event: int) -> None:
    pool = pool_of(50)
    (place,) = part(np.array([sample]), *(np.array([number]) for number in (run, lumi, event)))
    particles, offsets = Pileup(pool, sample).of(run, lumi, event)
    assert particles is pool.particles
    np.testing.assert_array_equal(offsets, pool.share(int(place)))


def test_a_file_holds_what_is_generated_and_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.npz", 20, 3, progress=False)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found, made = read(tmp_path / "a.npz"), generate(20, 3, progress=False)
    np.testing.assert_array_equal(found.particles, made.particles)
    np.testing.assert_array_equal(found.offsets, made.offsets)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"nothing", {"x": [1]}, {"particles": np.zeros((3, 9)), "offsets": [0, 2]}],
    ids=["empty", "cut off", "text", "others", "too few"],
)
def test_another_file_is_no_pool(tmp_path: Path, content: bytes | dict) -> None:
    path = tmp_path / "pool.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(E2EError, match=r"pool\.npz: no pool of collisions"):
        read(path)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(E2EError, match=r"9 collisions .* give at least 10"):
        write(tmp_path / "pool.npz", 9, 1, progress=False)
    with pytest.raises(E2EError, match="there is no such file"):
        read(tmp_path / "pool.npz")
    assert list(tmp_path.iterdir()) == []


def crops(pileup: Pileup, run: int, crossings: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of hits in four crops of each of so many crossings without a collision of interest.

    Features [4 N, F] and parts [4 N].
    """
    rng = np.random.default_rng(run)
    frames, tracks = empty_frames(), np.empty((TRACKS, TRACK_COLUMNS))
    features, parts = [], []
    for event in range(1, crossings + 1):
        pool, offsets = pileup.of(run, 1, event)
        simulate_crossing(rng, np.empty((0, 9)), pool, offsets, frames, tracks, True)
        images = (frames.track_pt, frames.ecal, frames.calorimeters.towers, *frames.pixels)
        for rows in (0, 1):
            for columns in (0, 1):
                cut = [image.reshape(2, image.shape[0] // 2, 2, -1)[rows, :, columns] for image in images]
                features.append([f(image) for image in cut for f in (np.sum, np.count_nonzero, np.max)])
        parts += 4 * part(np.array([pileup.sample]), *(np.array([n]) for n in (run, 1, event))).tolist()
    return np.array(features), np.array(parts)


def separation(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """AUC of trees between crops [4 n, F], and its standard error over crossings.

    Each half of the crossings is told by trees of the other half, and the two areas are averaged: in one of
    all scores, those of different trees would be compared, whose offsets no error of fixed scores knows.
    """
    features = np.concatenate([one, other]).reshape(-1, 4, one.shape[1])
    target = np.repeat([0, 1], [len(one) // 4, len(other) // 4])
    rng = np.random.default_rng(1)
    half = rng.permutation(len(target)) % 2
    areas = []
    for tested in (0, 1):
        trees = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=8, random_state=1)
        trees.fit(features[half != tested].reshape(-1, one.shape[1]), np.repeat(target[half != tested], 4))
        score = trees.predict_proba(features[half == tested].reshape(-1, one.shape[1]))[:, 1].reshape(-1, 4)
        truth = np.repeat(target[half == tested], 4).reshape(-1, 4)
        drawn = [rng.integers(len(score), size=len(score)) for _ in range(100)]
        all_of_them = np.arange(len(score))
        areas.append([roc_auc_score(truth[i].ravel(), score[i].ravel()) for i in (all_of_them, *drawn)])
    area, *resampled = np.mean(areas, axis=0)
    return float(area), float(np.std(resampled))


@pytest.mark.slow
def test_pileup_tells_nothing() -> None:
    """Trees cannot tell crossings of one class, file or part from those of another one.

    With a pool of their own for each file they can.
    """
    pool = generate(progress=False)
    files = {run: crops(Pileup(pool, "tau" if run < 3 else "qcd"), run, 2000) for run in (1, 2, 3, 4)}
    taus, others = (np.concatenate([files[run][0] for run in runs]) for runs in ((1, 2), (3, 4)))
    everything, parts = (np.concatenate(column) for column in zip(*files.values(), strict=True))
    of_files = np.array([separation(files[one][0], files[other][0]) for one, other in ((1, 2), (3, 4))])
    found = {
        "class": separation(taus, others),
        "file": (of_files[:, 0].mean(), np.hypot(*of_files[:, 1]) / 2.0),
        "part": separation(everything[parts == 0], everything[parts > 0]),
    }
    print(found)
    for name, (area, error) in found.items():
        assert error < 0.005, name
        assert abs(area - 0.5) < 2.0 * error, name

    own = [crops(Pileup(generate(500, seed, progress=False), "x"), seed, 900)[0] for seed in (5, 6)]
    area, error = separation(*own)
    assert area - 0.5 > 3 * error
