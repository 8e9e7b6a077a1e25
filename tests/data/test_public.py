"""The public layouts become the same sample store, with the values they hold."""

import hashlib
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.data import public, store
from e2e.errors import E2EError
from e2e.tasks import task

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
from public_files import PEAK, electron_photon, jets, quark_gluon, sparse, write_hdf5, write_parquet

ELECTRON_PHOTON = task("electron_photon")
QUARK_GLUON = task("quark_gluon")
MASS = task("mass_regression")
FOUR = task("mass_regression", channels=4)


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
    samples, _ = converted(MASS, source, tmp_path)
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


@pytest.mark.parametrize(("channels", "wanted"), [(4, FOUR), (8, FOUR), (8, MASS)])
@pytest.mark.parametrize("target", ["am", "m"])
def test_mass_files(tmp_path, channels, wanted, target):
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
    for name, column in (("a_pt", "apt"), ("jetPt", "pt")):
        expected = extra.get(column, np.full(6, np.nan)).astype(np.float32)
        np.testing.assert_array_equal(samples.kinematics[name], expected)


@pytest.mark.parametrize("labelled", [True, False])
def test_self_supervised_files(tmp_path, labelled):
    random = np.random.default_rng(5)
    images = np.moveaxis(jets(random, 9, 8), 1, -1).astype(np.float32)
    columns = {"Y": np.arange(9) % 2, "m": random.uniform(85, 500, 9), "pT": random.uniform(400, 1000, 9)}
    source = write_hdf5(tmp_path / "Dataset_Specific.h5", jet=images, **(columns if labelled else {}))
    assert public.layout(source) == "self_supervised"
    samples, _ = converted(MASS, source, tmp_path)
    np.testing.assert_array_equal(samples.images(), np.moveaxis(images, -1, 1))
    unknown = np.full(9, np.nan)
    np.testing.assert_array_equal(samples.target, (columns["m"] if labelled else unknown).astype(np.float32))
    expected = (columns["pT"] if labelled else unknown).astype(np.float32)
    np.testing.assert_array_equal(samples.kinematics["jetPt"], expected)


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
        ({"m0": pa.array([1.0] * 11 + [None])}, ["m0 is nan at row 11"]),
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


def test_memory_does_not_grow_with_one_large_row_group(tmp_path):
    files = []
    for count in (400, 1200):
        images = np.zeros((count, 3, 125, 125))
        images[:, 0, 3, 4] = np.arange(count)
        columns = {"X_jets": images, "pt": np.ones(count), "m0": np.ones(count), "y": np.arange(count) % 2}
        files.append(write_parquet(tmp_path / f"{count}.parquet", count, **columns))
    assert images.nbytes > 100 * BATCH
    assert _grown("quark_gluon", tmp_path / "out.parquet", *files) < 8 * BATCH


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
