"""The benchmark of data: both sides of a comparison do the same work, and the record has every ratio."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from e2e.benchmark import reading
from e2e.benchmark.reading import Comparison, Layouts, Sizes
from e2e.data import ntuple, store
from e2e.errors import E2EError
from e2e.report.reading import draw
from e2e.simulation import simulate
from e2e.simulation.pileup_pool import write
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON

SIZES = Sizes(jets=10, objects=4, slow_jets=4, slow_events=2, repeats=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Record of a whole benchmark of tiny sizes."""
    folder = tmp_path_factory.mktemp("benchmark")
    config = folder / "config.yaml"
    config.write_text("run: tiny\ntasks: {electron_photon: {models: {small: {architecture: resnet}}}}")
    with pytest.MonkeyPatch.context() as patch:  # generators take seconds to start
        patch.setattr(reading, "samples", lambda: [("electron_photon", "electron"), ("quark_gluon", "qcd")])
        return reading.benchmark(config, (), SIZES)


@pytest.mark.slow
def test_record_has_every_ratio_with_both_sides(made):
    record = made
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    entries = {entry["name"]: entry for entry in record["comparisons"]}
    assert len(entries) == len(record["comparisons"])
    jets = ("1% occupancy", "10% occupancy", "simulated quark_gluon, qcd")
    for name in jets:
        assert {f"store to batches / to_pylist, {name}", f"store to batches / memory map, {name}"} < set(
            entries
        )
        sizes = entries[f"size, public layout / store, {name}"]
        ours, theirs = (sizes[side]["bytes_per_object"] for side in ("ours", "theirs"))
        assert sizes["ratio"]["median"] == pytest.approx(theirs / ours)
    for task in ("electron_photon", "quark_gluon"):
        assert {f"ROOT to store / floor, {task}", f"ROOT to store / event loop, {task}"} < set(entries)
    for task in reading.tasks.supervised():
        for epoch in ("first epoch", "later epochs"):
            assert f"loader / network, {task}, cpu, {epoch}" in entries
    for name, entry in entries.items():
        assert entry["reached"] == (
            None if entry["aim"] is None else entry["ratio"]["median"] >= entry["aim"]
        )
        if not name.startswith("size"):
            assert entry["ratio"]["n"] == SIZES.repeats
            for side in ("ours", "theirs"):
                assert entry[side]["what"]
                assert entry[side]["objects_per_s"]["median"] > 0
    aims = {name.split(",")[0]: entry["aim"] for name, entry in entries.items() if ", 1% occ" in name}
    assert aims == {
        "store to batches / to_pylist": 100,
        "store to batches / memory map": 0.8,
        "shuffled stream to batches / memory map": None,
        "size": 2,
    }


@pytest.mark.slow
def test_record_says_what_was_measured_on_what(made):
    record = made
    assert record["sizes"]["jets"] == SIZES.jets
    assert record["machine"]["packages"]["pyarrow"]
    shares = record["occupancy"]["simulated quark_gluon, qcd"]
    assert 0 < shares["track_pT"] < shares["ECAL_energy"] < 0.2
    assert len(draw(record).axes[0].get_yticklabels()) == len(record["comparisons"])


@pytest.fixture(scope="module")
def jet_ntuple(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ntuple") / "qcd.root"
    write(path.with_suffix(".npz"), 20, 1, progress=False)
    simulate(path, "quark_gluon", "qcd", 8, 1, progress=False, pileup=path.with_suffix(".npz"))
    return path


def test_event_loop_finds_the_crops_of_the_converter(jet_ntuple, tmp_path):
    kept = reading.conversion_by_event(jet_ntuple, QUARK_GLUON, tmp_path, events=99)
    assert reading.conversion(jet_ntuple, QUARK_GLUON, tmp_path) == kept > 0
    ours = store.read(tmp_path / "converted.parquet").images()
    theirs = pq.ParquetFile(tmp_path / "by_event.parquet")
    assert theirs.num_row_groups == kept
    np.testing.assert_allclose(ours, np.array(theirs.read(["X_jets"])["X_jets"].to_pylist()), rtol=1e-6)


def test_floor_writes_the_bytes_of_the_store(jet_ntuple, tmp_path):
    floor = reading.converting(jet_ntuple, QUARK_GLUON, tmp_path, SIZES)[0].theirs[1]
    assert floor() == sum(store.StoreFile(tmp_path / "converted.parquet").rows)
    # but for the footer, which has checksums in a store; its length stands before the last 4 bytes
    theirs, ours = ((tmp_path / f"{name}.parquet").read_bytes() for name in ("floor", "converted"))
    content = len(theirs) - 8 - int.from_bytes(theirs[-8:-4], "little")
    assert theirs[:content] == ours[:content]


def test_floor_decompresses_the_branches(jet_ntuple):
    with ntuple.open_tree(jet_ntuple) as tree:
        branch = tree["ECAL_energy"]
        sizes = [len(branch.basket(i).data) for i in range(branch.num_baskets)]
        assert sum(sizes) >= tree.num_entries * 280 * 360 * 4


@pytest.fixture(scope="module")
def layouts(tmp_path_factory) -> tuple[Layouts, np.ndarray]:
    samples = reading.synthetic(QUARK_GLUON, 70, 0.02)
    return Layouts.write(tmp_path_factory.mktemp("jets"), "jets", samples, QUARK_GLUON), samples.images()


def test_layouts_hold_the_same_jets(layouts):
    made, images = layouts
    assert np.mean(images != 0) == pytest.approx(0.02, rel=0.02)
    np.testing.assert_array_equal(made.stream().samples(np.arange(70)).images(), images)
    np.testing.assert_array_equal(np.load(made.array), images)
    public = pq.ParquetFile(made.public)
    assert public.num_row_groups == 70
    rows = public.read_row_groups([0, 69], columns=["X_jets"])["X_jets"]
    assert "double" in str(rows.type)
    np.testing.assert_array_equal(np.array(rows.to_pylist(), np.float32), images[[0, 69]])


def test_all_jets_are_counted(layouts):
    made, _ = layouts
    for side in (
        reading.batches_of_store,
        reading.batches_of_memory_map,
        reading.batches_of_stream,
        reading.shuffled_batches_of_memory_map,
    ):
        assert side(made) == 70
    assert reading.batches_by_pylist(made, 5) == 5
    assert reading.load(made.stream(), 32, "cpu") == 64  # whole batches


def test_sides_take_turns_on_as_many_cores_as_they_may_use(monkeypatch):
    clock, calls = iter(np.arange(100.0)), []
    monkeypatch.setattr(reading.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(reading.os, "sched_setaffinity", lambda _, cores: calls.append(len(set(cores))))

    def side(name: str, objects: int):
        return name, lambda: calls.append(name) or objects

    comparison = Comparison("a / b", side("ours", 30), side("theirs", 10), aim=3.5)
    for _ in range(2):
        comparison.repeat()
    assert [call for call in calls if isinstance(call, str)] == ["ours", "theirs", "theirs", "ours"]
    assert calls[0] == 1
    summary = comparison.summary()
    assert summary["ratio"]["median"] == 3
    assert summary["reached"] is False
    assert summary["ours"] == {"what": "ours", "objects_per_s": reading.band([30, 30])}


def test_configuration_that_is_wrong_is_one_error(tmp_path):
    (tmp_path / "config.yaml").write_text("run: tiny\ntasks: {electron_photon: {model: {}}}")
    with pytest.raises(E2EError, match=r"config\.yaml"):
        reading.benchmark(tmp_path / "config.yaml", (), SIZES)
