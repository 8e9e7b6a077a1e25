"""The public layouts become the same sample store, with the values they hold."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.cli import main
from e2e.data import public, store
from e2e.data.jet_shapes import calorimetric_mass
from e2e.errors import E2EError
from e2e.tasks import HCAL, PIXELS, Channel, task

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
from public_files import PEAK, electron_photon, jets, quark_gluon, sparse, write_hdf5, write_parquet

ELECTRON_PHOTON = task("electron_photon")
QUARK_GLUON = task("quark_gluon")
MASS = task("mass_regression")
FOUR = task("mass_regression", channels=4)
FIVE = task("mass_regression", channels=5)
SELF_SUPERVISED = task("self_supervised")
BPIX_4 = Channel("BPIX_layer4", "hits")  # which no task has


def converted(wanted, source, folder, **arguments):
    output = folder / "store.parquet"
    metadata = public.convert(wanted, source, output, progress=False, **arguments)
    assert store.read_metadata(output) == metadata
    return store.read(output), metadata


def test_electron_photon_values_are_gev_and_ns(tmp_path):
    source, content = electron_photon(tmp_path / "SinglePhotonPt50_IMGCROPS_n249k_RHv1.hdf5")
    assert public.layout(source) == "electron_photon"
    samples, metadata = converted(ELECTRON_PHOTON, source, tmp_path)
    expected = np.moveaxis(content["X"], -1, 1) * np.float32(50)
    np.testing.assert_array_equal(samples.images(), expected)
    assert samples.images().dtype == np.float32
    np.testing.assert_array_equal(samples.target, content["y"])
    assert [(channel.name, channel.unit) for channel in metadata.channels] == [
        ("EB_energy", "GeV"),
        ("EB_time", "ns"),
    ]
    assert all(np.isnan(column).all() for column in samples.kinematics.values())


def test_identity_is_checksum_and_row(tmp_path):
    source, content = electron_photon(tmp_path / "a.hdf5")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    samples, metadata = converted(ELECTRON_PHOTON, source, tmp_path, sample="photon")
    assert metadata.source_sha256 == digest
    assert (metadata.sample, metadata.source, metadata.origin) == ("photon", "a.hdf5", "simulation")
    assert set(samples.sample) == {digest}
    np.testing.assert_array_equal(samples.event, np.arange(len(content["y"])))
    assert not any(column.any() for column in (samples.run, samples.lumi, samples.object))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_electron_photon_in_any_storage(tmp_path, data):
    kind = data.draw(st.sampled_from([np.float32, np.float64]))
    count = data.draw(st.integers(1, 60))
    chunks = data.draw(st.sampled_from([None, (7, 8, 32, 1), (64, 32, 32, 2)]))
    compression = data.draw(st.sampled_from(["lzf", "gzip"] if chunks else [None, "lzf"]))
    if chunks and chunks[0] > count:
        chunks = (count, *chunks[1:])
    images = sparse(np.random.default_rng(count), (count, 32, 32, 2), 0.05).astype(kind)
    label = (np.arange(count) % 2).astype(np.float32)[:, None]  # [N, 1] as well as [N]
    source = write_hdf5(tmp_path / "any.h5", compression, chunks, X=images, y=label)
    samples, _ = converted(ELECTRON_PHOTON, source, tmp_path)
    expected = np.moveaxis(images, -1, 1).astype(np.float32) * np.float32(50)
    np.testing.assert_array_equal(samples.images(), expected)
    np.testing.assert_array_equal(samples.target, label[:, 0])


def test_batches_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr("e2e.data.image_files.BATCH_BYTES", 20 * 3 * 125 * 125 * 8)
    source, content = quark_gluon(tmp_path / "x.parquet", count=50)
    samples, _ = converted(QUARK_GLUON, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), content["X_jets"].astype(np.float32))
    np.testing.assert_array_equal(samples.event, np.arange(50))
    images = np.moveaxis(content["X_jets"][:, :1], 1, -1).repeat(8, -1).astype(np.float32)
    source = write_hdf5(tmp_path / "jet.h5", "lzf", (16, 25, 25, 8), jet=images)
    samples, _ = converted(SELF_SUPERVISED, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), np.moveaxis(images, -1, 1))


@pytest.mark.parametrize("row_group", [1, 5, 100])
def test_quark_gluon_values_are_rounded_doubles(tmp_path, row_group):
    source, content = quark_gluon(tmp_path / "run0.parquet", row_group=row_group)
    assert public.layout(source) == "quark_gluon"
    samples, metadata = converted(QUARK_GLUON, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), content["X_jets"].astype(np.float32))
    np.testing.assert_array_equal(samples.kinematics["jetPt"], content["pt"].astype(np.float32))
    np.testing.assert_array_equal(samples.kinematics["jetM"], content["m0"].astype(np.float32))
    assert all(np.isnan(samples.kinematics[name]).all() for name in ("jetEta", "jetPhi"))
    assert "HCAL_energy shows the 5 x 5 equal pixels" in metadata.notes["channels"]


@pytest.mark.parametrize("gluon", [0, 1])
def test_heavier_jets_are_gluons_whatever_the_label(tmp_path, gluon):
    source, content = quark_gluon(tmp_path / "run0.parquet", gluon=gluon)
    samples, metadata = converted(QUARK_GLUON, source, tmp_path)
    np.testing.assert_array_equal(samples.target, content["y"] != gluon)
    assert metadata.classes == ("gluon", "quark")
    assert metadata.notes["target"].startswith(
        f"y = {gluon} is gluon, y = {1 - gluon} is quark, by the mean m0"
    )


@pytest.mark.parametrize("label", [np.zeros(12), np.arange(12) % 2])
def test_labels_are_as_documented_where_masses_do_not_tell(tmp_path, label):
    random = np.random.default_rng(3)
    source, content = quark_gluon(tmp_path / "x.parquet", y=label, m0=random.uniform(15, 25, 12))
    samples, metadata = converted(QUARK_GLUON, source, tmp_path)
    np.testing.assert_array_equal(samples.target, content["y"])
    assert "as documented" in metadata.notes["target"]


def test_channels_in_another_order_are_refused(tmp_path):
    random = np.random.default_rng(1)
    source, _ = quark_gluon(tmp_path / "x.parquet", X_jets=jets(random, 12)[:, [2, 0, 1]])
    with pytest.raises(E2EError, match="HCAL towers in channel 0, but HCAL_energy is channel 2"):
        converted(QUARK_GLUON, source, tmp_path)


@pytest.mark.parametrize(
    ("channels", "wanted", "left_out"),
    [
        (4, FOUR, []),
        (5, FOUR, [HCAL]),
        (5, FIVE, []),
        (8, FOUR, [HCAL, *PIXELS]),
        (8, MASS, []),
        (9, FIVE, [*PIXELS, BPIX_4]),
        (9, MASS, [BPIX_4]),
    ],
)
@pytest.mark.parametrize("target", ["am", "m"])
def test_mass_files(tmp_path, channels, wanted, left_out, target):
    random = np.random.default_rng(channels)
    images = jets(random, 6, channels)
    mass = np.array([3.6, 0, 14.8, 5, 6, 7])
    index = random.integers(0, 56, 6)
    extra = {"apt": random.uniform(30, 180, 6), "pt": random.uniform(30, 180, 6)} if target == "am" else {}
    columns = {target: mass, "ieta": index, "iphi": index, **extra}
    source = write_parquet(tmp_path / "top_gun_opendata_0.parquet", 1, X_jet=images, **columns)
    assert public.layout(source) == "mass"
    samples, metadata = converted(wanted, source, tmp_path)
    kept = len(wanted.channels)
    np.testing.assert_array_equal(samples.images(), images[:, :kept].astype(np.float32))
    np.testing.assert_array_equal(samples.target, np.where(mass == 0, np.nan, mass).astype(np.float32))
    assert metadata.channels == wanted.channels
    assert metadata.notes["target"] == f"{target} [GeV]"
    assert metadata.tracks == "direction"
    note = f"(left out: {', '.join(channel.name for channel in left_out)})"
    assert (note in metadata.notes["channels"]) == bool(left_out)
    assert ("left out" in metadata.notes["channels"]) == bool(left_out)
    np.testing.assert_array_equal([samples.seed_row, samples.seed_column], [5 * index + 2, 5 * index + 2])
    assert metadata.notes["seeds"] == "by ieta and iphi, which count towers of 5 x 5 crystals"
    for name, column in (("a_pt", "apt"), ("jetPt", "pt")):
        expected = extra.get(column, np.full(6, np.nan)).astype(np.float32)
        np.testing.assert_array_equal(samples.kinematics[name], expected)


def test_seeds_come_in_towers_or_in_crystals(tmp_path):
    """Whichever a file counts; what is no cell of the detector tells nothing."""
    images = jets(np.random.default_rng(1), 4, 4)
    rows = np.array([62.0, 217, np.nan, 280])  # the first and the last crystal that a crop fits around
    source = write_parquet(
        tmp_path / "crystals.parquet", 1, X_jet=images, am=np.ones(4), ieta=rows, iphi=np.arange(4.0)
    )
    samples, metadata = converted(FOUR, source, tmp_path)
    np.testing.assert_array_equal(samples.seed_row, [62, 217, np.nan, np.nan])
    np.testing.assert_array_equal(samples.seed_column, [0, 1, np.nan, np.nan])
    assert metadata.notes["seeds"].startswith("by ieta and iphi, which count crystals; null for 2 objects")
    source = write_parquet(tmp_path / "without.parquet", 1, X_jet=images, am=np.ones(4))
    samples, metadata = converted(FOUR, source, tmp_path)
    assert np.isnan([samples.seed_row, samples.seed_column]).all()
    assert "seeds" not in metadata.notes


@pytest.mark.parametrize("labelled", [True, False])
def test_self_supervised_files(tmp_path, labelled):
    random = np.random.default_rng(5)
    images = np.moveaxis(jets(random, 9, 8), 1, -1).astype(np.float32)
    columns = {"Y": np.arange(9) % 2, "m": random.uniform(85, 500, 9), "pT": random.uniform(400, 1000, 9)}
    source = write_hdf5(tmp_path / "Dataset_Specific.h5", jet=images, **(columns if labelled else {}))
    assert public.layout(source) == "self_supervised"
    samples, metadata = converted(SELF_SUPERVISED, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), np.moveaxis(images, -1, 1))
    unknown = np.full(9, np.nan)
    np.testing.assert_array_equal(samples.target, columns["Y"] if labelled else unknown)
    for name, column in (("jetPt", "pT"), ("jetM", "m")):
        expected = (columns[column] if labelled else unknown).astype(np.float32)
        np.testing.assert_array_equal(samples.kinematics[name], expected)
    assert metadata.tracks == "direction"
    assert set(metadata.classes) == {"class 0 (meaning unknown)", "class 1 (meaning unknown)"}
    assert ("nobody says what its classes 0 and 1 are" in metadata.notes["target"]) == labelled
    assert ("its makers do not say what it is" in metadata.notes.get("jetM", "")) == labelled
    (tmp_path / "store.parquet").unlink()
    _refused(tmp_path, MASS, source, "belongs to task self_supervised, not mass_regression")


def test_a_class_of_unknown_meaning_is_shown_as_such(tmp_path, capsys):
    images = np.moveaxis(jets(np.random.default_rng(5), 9, 8), 1, -1).astype(np.float32)
    source = write_hdf5(tmp_path / "G25.h5", jet=images, Y=np.arange(9) % 2, m=np.ones(9), pT=np.ones(9))
    assert main(["convert", "--task", "self_supervised", str(source), str(tmp_path / "G25.parquet")]) == 0
    assert "nobody says what its classes 0 and 1 are" in capsys.readouterr().out
    arguments = [str(tmp_path / "G25.parquet"), "--picture", str(tmp_path / "G25.png")]
    assert main(["inspect", *arguments]) == 0
    said = capsys.readouterr().out
    assert "5 class 0 (meaning unknown), 4 class 1 (meaning unknown)" in said
    assert "its makers do not say what it is" in said
    assert "a_m" not in said


def crops_with_seed(count, *place):
    """Crops [N, 32, 32, 2] of showers whose hottest crystal is at a place, in nearly all of them."""
    random = np.random.default_rng(1)
    crops = sparse(random, (count, 32, 32, 2), 0.05).astype(np.float32) / 100
    crops[:, *place, 0] += random.uniform(0.5, 1, count).astype(np.float32)
    crops[:, place[0] - 1, place[1], 0] += random.uniform(0, 0.6, count).astype(np.float32)
    return crops


@pytest.mark.parametrize("place", [(15, 15), (15, 16), (16, 15), (16, 16)])
def test_crops_come_to_lie_with_their_seed_where_the_task_has_it(tmp_path, place):
    crops = crops_with_seed(200, *place)
    source = write_hdf5(tmp_path / "a.hdf5", "lzf", X=crops, y=np.arange(200) % 2)
    samples, metadata = converted(ELECTRON_PHOTON, source, tmp_path)
    rows, columns = (by - 15 for by in place)
    expected = np.zeros((200, 2, 32, 32), np.float32)
    there = np.moveaxis(crops, -1, 1)[:, :, rows:, columns:]
    expected[:, :, : 32 - rows, : 32 - columns] = there * np.float32(50)
    np.testing.assert_array_equal(samples.images(), expected)
    assert np.unravel_index(samples.images()[:, 0].mean(0).argmax(), (32, 32)) == (15, 15)
    note = metadata.notes["seed"]
    assert note.startswith(f"at row {place[0]}, column {place[1]} of the mean of the first 200 images")
    assert ("the first row is left out" in note) == (rows == 1)
    assert ("the first column is left out" in note) == (columns == 1)
    assert metadata.tracks is None


def test_a_seed_that_the_mean_image_does_not_tell(tmp_path):
    crops = crops_with_seed(200, 16, 16)
    crops[:, 15, 16, 0] = crops[:, 16, 16, 0][::-1]  # as bright in the mean
    source = write_hdf5(tmp_path / "a.hdf5", X=crops, y=np.arange(200) % 2)
    samples, metadata = converted(ELECTRON_PHOTON, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), np.moveaxis(crops, -1, 1) * np.float32(50))
    assert metadata.notes["seed"] == "at row 15, column 15, as documented: the mean image does not tell"


def test_crops_around_something_else(tmp_path):
    source = write_hdf5(tmp_path / "a.hdf5", X=crops_with_seed(200, 14, 16), y=np.arange(200) % 2)
    _refused(tmp_path, ELECTRON_PHOTON, source, "brightest at row 14, column 16", "seed at 15 or 16")


def test_tracks_of_quark_gluon_files_are_at_the_vertex(tmp_path):
    source, _ = quark_gluon(tmp_path / "x.parquet")
    assert converted(QUARK_GLUON, source, tmp_path)[1].tracks == "vertex"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_kinematics_that_are_not_finite_are_null_and_counted(tmp_path, value):
    mass = np.random.default_rng(1).uniform(1, 2, 12)
    mass[::2] += 10  # y = 0 is gluon
    mass[3], mass[6] = value, value
    source, _ = quark_gluon(tmp_path / "x.parquet", m0=mass)
    samples, metadata = converted(QUARK_GLUON, source, tmp_path)
    known = np.arange(12)[~np.isin(np.arange(12), (3, 6))]
    assert np.isnan(samples.kinematics["jetM"]).sum() == 2
    np.testing.assert_array_equal(samples.kinematics["jetM"][known], mass[known].astype(np.float32))
    assert metadata.notes["jetM that is not finite"] == "null for 2 objects"
    assert "jetPt that is not finite" not in metadata.notes
    assert metadata.notes["target"].startswith("y = 0 is gluon, y = 1 is quark, by the mean m0")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_target_that_is_not_finite_is_refused(tmp_path, value):
    images = jets(np.random.default_rng(1), 3, 4)
    source = write_parquet(tmp_path / "x.parquet", X_jet=images, am=np.array([4, value, 5]))
    _refused(tmp_path, FOUR, source, "am is ", "at row 1", "expected a number")


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("run0_n36272.test.snappy.parquet", None, "test"),
        ("run0_n215556.train.snappy.parquet", None, None),
        ("run0_n36272.test.snappy.parquet", "split", None),
        ("run0.parquet", "test", "test"),
    ],
)
def test_files_that_came_as_test_stay_test(tmp_path, name, part, expected):
    source, _ = quark_gluon(tmp_path / name)
    _, metadata = converted(QUARK_GLUON, source, tmp_path, part=part)
    assert metadata.part == expected


def test_layout_is_not_the_name(tmp_path):
    source, _ = electron_photon(tmp_path / "QCDToGGQQ.test.snappy.parquet")
    assert public.layout(source) == "electron_photon"
    other = write_parquet(tmp_path / "other.parquet", 10, x=np.arange(3))
    assert public.layout(other) is None
    (tmp_path / "page.hdf5").write_text("<!DOCTYPE html>")
    assert public.layout(tmp_path / "page.hdf5") is None


def _with(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


def _refused(tmp_path, wanted, source, *words):
    """Conversion ends in one line that names the file and ``words``, and leaves nothing."""
    with pytest.raises(E2EError) as raised:
        public.convert(wanted, source, tmp_path / "out" / "store.parquet", progress=False)
    message = str(raised.value)
    assert "\n" not in message
    for word in (str(source), *words):
        assert word in message
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({"y": None}, ["no column y"]),
        ({"X": None}, ["not a public layout", "it has y"]),
        ({"X": np.zeros((5, 32, 32, 3), np.float32)}, ["3 x 32 x 32", "2 x 32 x 32"]),
        ({"X": np.zeros((5, 28, 28, 2), np.float32)}, ["2 x 28 x 28"]),
        ({"X": np.zeros((5, 2048), np.float32)}, ["X is float32 (5, 2048)"]),
        ({"X": np.zeros((0, 32, 32, 2), np.float32), "y": np.zeros(0)}, ["X is empty"]),
        ({"y": np.zeros(3)}, ["y has 3 rows, X 40"]),
        ({"y": np.full(40, 2.0)}, ["y is 2 at row 0", "0 or 1"]),
        ({"y": _with(np.zeros(40), 7, np.nan)}, ["y is nan at row 7"]),
    ],
)
def test_bad_hdf5_is_one_line(tmp_path, datasets, words):
    source, _ = electron_photon(tmp_path / "bad.hdf5", **datasets)
    _refused(tmp_path, ELECTRON_PHOTON, source, *words)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named(tmp_path, value):
    images = _with(np.zeros((40, 32, 32, 2), np.float32), (13, 4, 5, 1), value)
    source, _ = electron_photon(tmp_path / "bad.hdf5", X=images)
    _refused(tmp_path, ELECTRON_PHOTON, source, f"X is {value}", "row 13, channel 1, pixel (4, 5)")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"m0": None}, ["no column m0"]),
        ({"y": None, "pt": None}, ["no column pt, y"]),
        ({"X_jets": np.zeros((12, 4, 125, 125))}, ["4 x 125 x 125", "3 x 125 x 125"]),
        ({"X_jets": np.zeros((12, 3, 64, 64))}, ["3 x 64 x 64"]),
        ({"X_jets": pa.array([[1.0, 2.0]] * 12)}, ["X_jets is list", "[channels][rows][columns]"]),
        ({"X_jets": pa.array(["a"] * 12)}, ["X_jets is string"]),
        ({"pt": pa.array(["a"] * 12)}, ["pt is string"]),
        ({"X_jets": _with(np.zeros((12, 3, 125, 125)), (3, 2, 1, 0), 1e300)}, ["inf at row 3, channel 2"]),
        ({"X_jets": _with(np.zeros((12, 3, 125, 125)), (3, 2, 1, 0), np.nan)}, ["nan at row 3, channel 2"]),
    ],
)
def test_bad_parquet_is_one_line(tmp_path, columns, words):
    source, _ = quark_gluon(tmp_path / "bad.parquet", **columns)
    _refused(tmp_path, QUARK_GLUON, source, *words)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_ragged_image_is_named(tmp_path, depth):
    images = np.zeros((4, 3, 125, 125)).tolist()
    row = images[2]
    for _ in range(depth):
        row = row[1]
    row.pop()
    source, _ = quark_gluon(tmp_path / "bad.parquet", 4, row_group=4, X_jets=pa.array(images))
    _refused(tmp_path, QUARK_GLUON, source, "X_jets at row 2 is not 3 x 125 x 125")


def test_a_missing_image_is_named(tmp_path):
    images = pa.array([np.zeros((3, 125, 125)).tolist(), None])
    source, _ = quark_gluon(tmp_path / "bad.parquet", 2, row_group=2, X_jets=images)
    _refused(tmp_path, QUARK_GLUON, source, "X_jets at row 1")


@pytest.mark.parametrize("make", [electron_photon, quark_gluon])
@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_a_truncated_file_is_one_line(tmp_path, make, kept):
    source, _ = make(tmp_path / "cut.file")
    content = source.read_bytes()
    source.write_bytes(content[: int(kept * len(content))])
    wanted = ELECTRON_PHOTON if make is electron_photon else QUARK_GLUON
    _refused(tmp_path, wanted, source, "damaged file", "fetch or write it again")
    with pytest.raises(E2EError, match="damaged file"):
        public.layout(source)


def test_damage_inside_a_file_is_one_line(tmp_path):
    source, _ = quark_gluon(tmp_path / "bad.parquet")
    content = bytearray(source.read_bytes())
    content[4:40] = bytes(36)  # the header of the first page
    source.write_bytes(content)
    _refused(tmp_path, QUARK_GLUON, source, "damaged file")
    images = np.random.default_rng(1).normal(size=(40, 32, 32, 2)).astype(np.float32)
    source = write_hdf5(tmp_path / "bad.h5", "gzip", (10, 32, 32, 2), X=images, y=np.zeros(40))
    with h5py.File(source) as file:
        place = file["X"].id.get_chunk_info(2).byte_offset
    content = bytearray(source.read_bytes())
    content[place : place + 500] = bytes(500)
    source.write_bytes(content)
    _refused(tmp_path, ELECTRON_PHOTON, source, "damaged file")


def test_other_files_and_tasks_are_one_line(tmp_path):
    source, _ = electron_photon(tmp_path / "a.hdf5")
    _refused(tmp_path, QUARK_GLUON, source, "electron_photon file", "not quark_gluon")
    four = write_parquet(tmp_path / "m.parquet", X_jet=np.zeros((2, 4, 125, 125)), m=np.ones(2))
    _refused(tmp_path, MASS, four, "4 channels", "not 8")
    page = tmp_path / "page.hdf5"
    page.write_text("\n<!DOCTYPE html><html>")
    _refused(tmp_path, ELECTRON_PHOTON, page, "an HTML page")
    _refused(tmp_path, ELECTRON_PHOTON, tmp_path / "missing.hdf5", "No such file")


BATCH = 4 * 2**20  # of images

MEASURED = f"""
import sys
from e2e.data import image_files, public
from e2e.tasks import task
image_files.BATCH_BYTES = int(sys.argv[1])
for source in sys.argv[4:]:
    public.convert(task(sys.argv[2]), source, sys.argv[3], progress=False)
    print({PEAK})
"""


def _grown(name, output, small, large):
    """Bytes of memory that converting ``large`` takes more than converting ``small``."""
    command = [sys.executable, "-c", MEASURED, str(BATCH), name, output, small, large]
    before, after = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(after) - int(before)


@pytest.mark.slow
def test_memory_does_not_grow_with_one_large_row_group(tmp_path):
    files = []
    for count in (400, 1200):
        images = np.zeros((count, 3, 125, 125))
        images[:, 0, 3, 4] = np.arange(count)
        columns = {"X_jets": images, "pt": np.ones(count), "m0": np.ones(count), "y": np.arange(count) % 2}
        files.append(write_parquet(tmp_path / f"{count}.parquet", count, **columns))
    assert images.nbytes > 100 * BATCH
    assert _grown("quark_gluon", tmp_path / "out.parquet", *files) < 8 * BATCH


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_chunks(tmp_path):
    """Those over one row of images are in memory together; there may be many rows of them."""
    files = []
    for count in (4_000, 24_000):
        images = np.zeros((count, 32, 32, 2), np.float32)
        images[:, 15, 15, 0] = 1
        path = tmp_path / f"{count}.h5"
        files.append(write_hdf5(path, "lzf", (2_000, 8, 8, 1), X=images, y=np.zeros(count)))
    assert images.nbytes > 40 * BATCH
    assert _grown("electron_photon", tmp_path / "out.parquet", *files) < 8 * BATCH


def test_empty_crops_are_counted_by_class_and_can_be_dropped(tmp_path):
    """Without hits there is nothing to learn but that one class has more of such crops."""
    images = sparse(np.random.default_rng(1), (40, 32, 32, 2), 0.05).astype(np.float32)
    images[[0, 2, 4, 7]] = 0
    source, _ = electron_photon(tmp_path / "a.hdf5", X=images)
    samples, metadata = converted(ELECTRON_PHOTON, source, tmp_path)
    assert metadata.notes["empty crops"] == "3 of photon, 1 of electron; kept"
    assert (len(samples), metadata.rejected) == (40, {})
    fewer, metadata = converted(ELECTRON_PHOTON, source, tmp_path, drop_empty=True)
    assert metadata.notes["empty crops"] == "3 of photon, 1 of electron; left out"
    assert metadata.rejected == {"empty_crop": 4}
    assert sorted(set(range(40)) - set(fewer.event.tolist())) == [0, 2, 4, 7]
    chosen = np.flatnonzero(np.diff(samples.offsets))
    np.testing.assert_array_equal(fewer.images(), samples[chosen].images())
    np.testing.assert_array_equal(fewer.target, samples.target[chosen])


def test_only_public_crops_can_be_dropped_for_being_empty(tmp_path, capsys):
    source = tmp_path / "a.root"
    source.write_bytes(b"root" + bytes(200))
    arguments = ["convert", "--task", "electron_photon", "--drop-empty-crops", source, tmp_path / "a.parquet"]
    assert main([str(word) for word in arguments]) == 1
    assert "only crops of public files can be empty; drop none" in capsys.readouterr().err


def test_masses_of_jets_whose_eta_only_the_seed_tells(tmp_path):
    """A public file tells where the seed lies, but no eta of the jet; energies become momenta by it."""
    random = np.random.default_rng(2)
    content = {
        "X_jet": jets(random, 6, 4),
        "am": np.full(6, 5.0),
        "ieta": np.full(6, 40.0),
        "iphi": np.full(6, 20.0),
    }
    samples, _ = converted(FOUR, write_parquet(tmp_path / "with.parquet", **content), tmp_path)
    found = calorimetric_mass(samples, FOUR.crop)
    known = replace(samples, kinematics=samples.kinematics | {"jetEta": np.full(6, 12.5 * 0.087, np.float32)})
    np.testing.assert_allclose(found, calorimetric_mass(known, FOUR.crop), rtol=1e-5)
    nowhere = {name: column for name, column in content.items() if name[0] != "i"}
    samples, _ = converted(FOUR, write_parquet(tmp_path / "without.parquet", **nowhere), tmp_path)
    assert np.isnan(calorimetric_mass(samples, FOUR.crop)).all()
