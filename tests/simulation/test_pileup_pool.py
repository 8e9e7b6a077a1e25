"""Pileup tells neither class nor file nor part: one pool for all, whose collisions keep to the parts."""

from itertools import count
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
from e2e.simulation.detector import INTERACTIONS, NOMINAL
from e2e.simulation.pileup import VERTEX_SIGMA
from e2e.simulation.pileup_pool import Deck, Pileup, Pool, generate, read, write

Pair = tuple[np.ndarray, np.ndarray]
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
    share = pool.share(int(place))
    dealt = Pileup(pool, sample, 1).deck(run, lumi, event).deal(len(share) - 1)
    np.testing.assert_array_equal(np.sort(dealt, axis=0), np.stack([share[:-1], share[1:]], axis=1))


@given(st.integers(1, 30), st.lists(st.integers(0, 50), max_size=20))
def test_no_collision_is_dealt_again_before_all_others(collisions: int, numbers: list[int]) -> None:
    deck = Deck(np.arange(collisions + 1), np.random.default_rng(1))
    counts = np.zeros(collisions, int)
    for number in numbers:
        dealt = deck.deal(number)
        assert dealt.shape == (number, 2)
        np.add.at(counts, dealt[:, 0], 1)
        assert np.ptp(counts) <= 1


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


TRAIN, TEST = PARTS.index("train"), PARTS.index("test")


def crops(pool: Pool, sample: str, run: int, crossings: int) -> dict[int, np.ndarray]:
    """Of a file, crossings without a collision of interest, so many of the parts to learn from and to test.

    Sums, numbers and maxima of the hits in each of four crops [N, 4, F].
    """
    rng, pileup = np.random.default_rng(run), Pileup(pool, sample, run)
    frames, tracks = empty_frames(), np.empty((TRACKS, TRACK_COLUMNS))
    found: dict[int, list] = {TRAIN: [], TEST: []}
    for event in count(1):
        if all(len(features) == crossings for features in found.values()):
            return {place: np.array(features) for place, features in found.items()}
        (place,) = part(np.array([sample]), *(np.array([number]) for number in (run, 1, event)))
        if len(found.get(place, range(crossings))) == crossings:
            continue
        soft = pileup.deck(run, 1, event).deal(rng.poisson(INTERACTIONS))
        vertex = VERTEX_SIGMA * rng.standard_normal()
        simulate_crossing(rng, np.empty((0, 9)), pool.particles, soft, frames, tracks, True, NOMINAL, vertex)
        images = (frames.track_pt, frames.ecal, frames.calorimeters.towers, *frames.pixels)
        quarters = [
            image.reshape(2, image.shape[0] // 2, 2, -1).swapaxes(1, 2).reshape(4, -1) for image in images
        ]
        sums = [f(image, axis=1) for image in quarters for f in (np.sum, np.count_nonzero, np.max)]
        found[place].append(np.transpose(sums))
    raise AssertionError


def separation(learned: Pair, tested: Pair) -> tuple[float, float]:
    """AUC of trees that learn to tell two sets of crossings, on two others, and its error over crossings."""
    (crossings, target), (others, truth) = (
        (np.concatenate(pair), np.repeat([0, 1], [len(side) for side in pair])) for pair in (learned, tested)
    )
    trees = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=8, random_state=1)
    trees.fit(np.concatenate(crossings), np.repeat(target, 4))
    score = trees.predict_proba(np.concatenate(others))[:, 1].reshape(-1, 4)
    rng = np.random.default_rng(1)
    draws = [np.arange(len(score)), *rng.integers(len(score), size=(100, len(score)))]
    area, *resampled = [roc_auc_score(np.repeat(truth[i], 4), score[i].ravel()) for i in draws]
    return area, float(np.std(resampled))


def both(*found: tuple[float, float]) -> tuple[float, float]:
    """Mean of independent areas, and its error."""
    areas, errors = np.transpose(found)
    return areas.mean(), np.sqrt((errors**2).sum()) / len(areas)


@pytest.mark.slow
def test_pileup_tells_nothing() -> None:
    """Trees that learn from crossings of one class, file or part find nothing in others that tells it.

    Classes and files are told in the part that networks are tested on, and parts in crossings of another
    pool: a collision that has been seen is of a known part. With a pool for each file, undivided, files are
    known.
    """
    pools = [generate(number, seed, progress=False) for number, seed in ((20_000, 1), (6_000, 2))]
    taus = [crops(pools[0], "tau", run, 2000) for run in (1, 2)]
    others = [crops(pools[0], "qcd", run, 2000) for run in (3, 4)]
    elsewhere = [crops(pools[1], "qcd", run, 1300) for run in (5, 6, 7)]

    def of_part(files: list[dict[int, np.ndarray]], place: int) -> np.ndarray:
        return np.concatenate([file[place] for file in files])

    def parts(files: list[dict[int, np.ndarray]]) -> Pair:
        return of_part(files, TRAIN), of_part(files, TEST)

    found = {
        "class": separation(*((of_part(taus, place), of_part(others, place)) for place in (TRAIN, TEST))),
        "file": both(
            *(separation(*((a[place], b[place]) for place in (TRAIN, TEST))) for a, b in (taus, others))
        ),
        "part": separation(parts(taus + others), parts(elsewhere)),
    }
    print(found)
    for name, (area, error) in found.items():
        assert error < 0.005, name
        assert abs(area - 0.5) < 3.0 * error, name  # of three numbers one in eight times lies beyond two

    own = [crops(generate(500, seed, progress=False), "tau", seed, 900)[TRAIN] for seed in (5, 6)]
    area, error = separation(*(tuple(side[i::2] for side in own) for i in (0, 1)))
    print(area, error)
    assert area - 0.5 > 3.0 * error
