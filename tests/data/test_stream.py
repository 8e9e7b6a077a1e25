"""Streams: the objects of one part in any order, within the memory given, each row group read about once."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from e2e.data import split, store
from e2e.data.store import Metadata, Samples
from e2e.data.stream import Stream, _in_turn
from e2e.errors import E2EError
from e2e.tasks import Channel, Quantity

METADATA = Metadata(
    task="tau",
    sample="tau",
    channels=(Channel("ECAL_energy", "GeV"), Channel("HCAL_energy", "GeV")),
    rows=10,
    columns=12,
    kinematics=(Quantity("jetPt", "GeV"), Quantity("jetM", "GeV")),
    classes=("jet", "tau"),
    source="tau_000.root",
    source_sha256="ab" * 32,
    origin="e2e simulation",
    rejected={},
)
HITS = 20  # an object, on average


def write_store(path, sample: str, run: int, objects: int, target: float, **changes) -> None:
    """Objects of random hits; pT is their number, every third has no mass; ``changes`` to the metadata."""
    random = np.random.default_rng(run)
    frames = random.exponential(1, (objects, 240)) * (random.random((objects, 240)) < HITS / 240)
    owner, index = np.nonzero(frames)
    number = np.arange(objects)
    samples = Samples(
        sample=np.full(objects, sample),
        run=np.full(objects, run, np.uint32),
        lumi=np.ones(objects, np.uint32),
        event=number.astype(np.uint64),
        object=np.zeros(objects, np.uint32),
        target=np.where(number % 10 == 3, np.nan, target).astype(np.float32),
        kinematics={
            "jetPt": number.astype(np.float32),
            "jetM": np.where(number % 3, 5, np.nan).astype(np.float32),
        },
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=objects))]),
        index=index.astype(np.uint32),
        value=frames[owner, index].astype(np.float32),
        channels=METADATA.channels,
        classes=changes.get("classes", METADATA.classes),
        shape=METADATA.shape,
    )
    store.write(path, [samples], replace(METADATA, sample=sample, **changes))


@pytest.fixture(scope="module")
def stores(tmp_path_factory, module_groups):
    """Two files of one sample, one of another and one without objects; and their split."""
    folder = tmp_path_factory.mktemp("stores")
    files = [("tau_000", "tau", 1, 900), ("tau_001", "tau", 2, 700), ("qcd_000", "qcd", 3, 800)]
    paths = []
    for name, sample, run, objects in [*files, ("empty", "empty", 4, 0)]:
        paths.append(folder / f"{name}.parquet")
        write_store(paths[-1], sample, run, objects, float(sample == "tau"))
    split.write_split(paths, folder / "split.parquet", folder / "split.json")
    return paths, folder / "split.parquet"


@pytest.fixture(scope="module")
def module_groups():
    """Row groups of 20 objects, so that small files have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROW_GROUP", 20)
        yield


def expected(stores, part: str = "train") -> Samples:
    """The objects of a part by way of whole files."""
    paths, path = stores
    table = pd.read_parquet(path)
    pieces = []
    for file in paths[:3]:
        samples = store.read(file)
        rows = table[table.file == file.name]
        pieces.append(samples[((rows.part == part) & rows.target.notna()).to_numpy()])
    return Samples.concatenate(pieces)


def assert_equal(left: Samples, right: Samples) -> None:
    assert left.identity().equals(right.identity())
    for name in ("target", "offsets", "index", "value"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
        assert getattr(left, name).dtype == getattr(right, name).dtype, name
    assert set(left.kinematics) == set(right.kinematics)
    for name, column in left.kinematics.items():
        np.testing.assert_array_equal(column, right.kinematics[name])
    assert (left.channels, left.classes, left.shape) == (right.channels, right.classes, right.shape)


GROUP_BYTES = 20 * HITS * 8 * 2  # more than any row group has
MEMORIES = [1 << 30, 10 * GROUP_BYTES, 1]


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("part", split.PARTS)
def test_any_objects_in_any_order(stores, part, memory):
    whole = expected(stores, part)
    stream = Stream(*stores, part, memory)
    assert len(stream) == len(whole)
    assert stream.objects[list(store.IDENTITY)].equals(whole.identity())
    np.testing.assert_array_equal(stream.target, whole.target)
    random = np.random.default_rng(0)
    for size in (1, 7, 300, 0, 300):
        positions = random.integers(0, len(stream), size)
        assert_equal(stream.samples(positions), whole[positions])
        np.testing.assert_array_equal(stream.images(positions), whole.images(positions))
    assert_equal(Samples.concatenate(list(stream.chunks(64))), whole)


@pytest.fixture
def reads(monkeypatch):
    """A list that grows with each row group that is read."""
    reads, read = [], store.StoreFile.hits_of
    monkeypatch.setattr(
        store.StoreFile,
        "hits_of",
        lambda self, group: reads.append((self.path.name, group)) or read(self, group),
    )
    return reads


def epoch(stream: Stream, seed: int, batch: int = 16) -> np.ndarray:
    """All objects in a shuffled order, by batches; returns the order."""
    order = stream.order(np.random.default_rng(seed).permutation(len(stream)))
    for start in range(0, len(order), batch):
        positions = order[start : start + batch]
        np.testing.assert_array_equal(stream.samples(positions).target, stream.target[positions])
    return order


def test_part_that_fits_is_read_once_and_shuffled_as_a_whole(stores, reads):
    stream = Stream(*stores, "train")
    permutation = np.random.default_rng(1).permutation(len(stream))
    np.testing.assert_array_equal(stream.order(permutation), permutation)
    for seed in range(3):
        epoch(stream, seed)
    assert len(reads) == len(set(reads)) == 45 + 35 + 40


def test_large_part_is_read_about_once_an_epoch_within_its_memory(stores, reads):
    memory = 16 * GROUP_BYTES
    stream = Stream(*stores, "train", memory)
    assert 8 <= stream.window < 60
    order = epoch(stream, 1)
    assert sorted(order) == list(range(len(stream)))
    assert 120 <= len(reads) <= 130
    held = stream._held
    assert held.index.nbytes + held.value.nbytes <= memory
    first = reads.copy()
    np.testing.assert_array_equal(epoch(stream, 1), order)
    again = Stream(*stores, "train", memory)
    np.testing.assert_array_equal(epoch(again, 1), order)  # whatever was read before
    reads.clear()
    assert not np.array_equal(epoch(again, 2), order)
    assert reads[:60] != first[:60]


def test_batches_of_a_large_part_are_mixtures(stores):
    """Of many row groups, and of the samples (here 2 to 1) as the whole."""
    stream = Stream(*stores, "train", 16 * GROUP_BYTES)
    order = epoch(stream, 1)
    groups = stream._group[order]
    batches = [slice(start, start + 64) for start in range(0, len(order) - 64, 64)]
    assert np.mean([len(set(groups[batch])) for batch in batches]) > 0.6 * stream.window
    taus = np.array([stream.target[order[batch]].mean() for batch in batches])
    whole = stream.target.mean()
    binomial = np.sqrt(whole * (1 - whole) / 64)
    assert taus.mean() == pytest.approx(whole, abs=0.03)
    assert taus.std() < 1.5 * binomial
    # Neighbours in a file, which lie in one row group, are far apart in the order.
    place = np.argsort(order)
    assert np.median(np.abs(np.diff(place))) > 20 * stream.window / 6


def test_stream_of_another_process_reads_for_itself(stores):
    stream = Stream(*stores, "validation")
    stream.samples(np.arange(10))
    sent = pickle.dumps(stream)
    assert len(sent) < 100_000
    assert_equal(pickle.loads(sent).samples(np.arange(10)), stream.samples(np.arange(10)))


def test_nothing_but_chosen_row_groups_is_read(stores, reads):
    stream = Stream(*stores, "test")
    assert reads == []
    stream.samples(np.array([0]))
    assert len(reads) == 1


def test_part_without_objects(tmp_path, module_groups):
    write_store(tmp_path / "a.parquet", "tau", 1, 50, np.nan)
    split.write_split([tmp_path / "a.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")
    with pytest.raises(E2EError, match="no object with truth in part 'test'"):
        Stream([tmp_path / "a.parquet"], tmp_path / "s.parquet", "test")


@pytest.mark.parametrize("classes", [("tau", "jet"), ("jet", "tau", "muon")])
def test_stores_of_other_classes_are_no_part_of_a_stream(tmp_path, classes, module_groups):
    """With the names the other way round each label of that file would be wrong, and nothing would say so."""
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    write_store(paths[0], "tau", 1, 50, 1.0)
    write_store(paths[1], "qcd", 2, 50, 0.0)
    split.write_split(paths, tmp_path / "s.parquet", tmp_path / "s.json")
    write_store(paths[1], "qcd", 2, 50, 0.0, classes=classes)
    with pytest.raises(E2EError, match="different channels, units, shape, classes or kinematics"):
        Stream(paths, tmp_path / "s.parquet", "train")


def test_groups_of_every_sample_come_evenly_in_their_order_of_arrival():
    keys = _in_turn(np.array([5, 1, 4, 2, 3, 0]), np.array([0, 1, 1, 0, 1, 1]))
    assert keys.tolist() == [3 / 4, 3 / 8, 7 / 8, 1 / 4, 5 / 8, 1 / 8]
