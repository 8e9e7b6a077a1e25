"""HDF5 and parquet from elsewhere: read as they are, or one sentence that fits; never much time or memory."""

import multiprocessing
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2e.data import image_files, store
from e2e.data.sources import convert_file
from e2e.errors import E2EError
from e2e.tasks import task

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
from public_files import PEAK, electron_photon, nested, quark_gluon, sparse, write_hdf5, write_parquet

ELECTRON_PHOTON = task("electron_photon")
QUARK_GLUON = task("quark_gluon")
CROPS = sparse(np.random.default_rng(1), (12, 32, 32, 2), 0.05).astype(np.float32)
LABELS = (np.arange(12) % 2).astype(np.float32)


def _refused(wanted, source, *words, without=("ROOT",)):
    """Conversion, as of any user's file, ends in one line that names the file and ``words``."""
    output = source.parent / "out" / "store.parquet"
    with pytest.raises(E2EError) as raised:
        convert_file(wanted, source, output, progress=False)
    message = str(raised.value)
    assert "\n" not in message
    for word in (str(source), *words):
        assert word in message
    for word in without:
        assert word not in message
    assert not output.parent.exists() or not list(output.parent.iterdir())


MEASURED = f"""
import sys
from e2e.data import public
from e2e.errors import E2EError
from e2e.tasks import task
before = {PEAK}
try:
    public.convert(task(sys.argv[1]), sys.argv[2], sys.argv[3], progress=False)
except E2EError as error:
    print(({PEAK} - before) // 2**20, error)
"""


def _refused_in_little_memory(wanted, source, *words):
    command = [sys.executable, "-c", MEASURED, wanted.name, source, source.parent / "store.parquet"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    megabytes, _, message = said.partition(" ")
    assert int(megabytes) < 100
    for word in words:
        assert word in message


def _images(source, folder):
    convert_file(ELECTRON_PHOTON, source, folder / "store.parquet", progress=False)
    return store.read(folder / "store.parquet").images()


def test_a_user_block_is_skipped(tmp_path):
    source = tmp_path / "block.h5"
    with h5py.File(source, "w", userblock_size=1024) as file:
        file["X"], file["y"] = CROPS, LABELS
    with open(source, "r+b") as file:
        file.write(b"written by somebody")
    expected = np.moveaxis(CROPS, -1, 1) * np.float32(50)
    np.testing.assert_array_equal(_images(source, tmp_path), expected)


def test_other_columns_are_said(tmp_path):
    known = "expected images in one of X, X_jets, X_jet, jet"
    source = write_hdf5(tmp_path / "other.h5", foo=np.zeros(3))
    _refused(ELECTRON_PHOTON, source, "not a public layout: it has foo", known)
    source = write_parquet(tmp_path / "other.parquet", 10, bar=np.zeros(3))
    _refused(QUARK_GLUON, source, "not a public layout: it has bar", known)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    _refused(ELECTRON_PHOTON, tmp_path / "empty.h5", "it has no column")


def test_a_store_needs_no_conversion(tmp_path):
    source, _ = electron_photon(tmp_path / "a.h5")
    convert_file(ELECTRON_PHOTON, source, tmp_path / "a.parquet", progress=False)
    _refused(ELECTRON_PHOTON, tmp_path / "a.parquet", "a sample store already; it needs no conversion")


def test_images_in_a_group_are_found(tmp_path):
    source = tmp_path / "group.h5"
    with h5py.File(source, "w") as file:
        file["train/data/X"], file["train/data/y"] = CROPS, LABELS
    _refused(ELECTRON_PHOTON, source, "train/data/X is inside a group", "copy it to the top")


@pytest.mark.parametrize("link", [h5py.ExternalLink("real.h5", "/X"), h5py.SoftLink("/nowhere")])
def test_links_are_not_followed(tmp_path, link):
    write_hdf5(tmp_path / "real.h5", X=CROPS, y=LABELS)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["X"], file["y"] = link, LABELS
    _refused(ELECTRON_PHOTON, tmp_path / "link.h5", "X is a link to elsewhere")


def test_labels_that_are_a_link_are_not_said_to_be_missing(tmp_path):
    write_hdf5(tmp_path / "real.h5", y=LABELS)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["X"], file["y"] = CROPS, h5py.ExternalLink("real.h5", "/y")
    _refused(ELECTRON_PHOTON, tmp_path / "link.h5", "y is a link to elsewhere")


def test_values_as_large_as_a_float_are_refused_in_one_sentence(tmp_path):
    crops = CROPS.astype(np.float32)
    crops[:, 3, 4, 0] = 3e38
    write_hdf5(tmp_path / "loud.h5", X=crops, y=LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _refused(ELECTRON_PHOTON, tmp_path / "loud.h5", "the mean image is brightest at row 3, column 4")


@pytest.mark.parametrize("virtual", [True, False])
def test_values_in_other_files_are_refused(tmp_path, virtual):
    """The checksum that identifies objects would not cover them."""
    write_hdf5(tmp_path / "real.h5", X=CROPS)
    with h5py.File(tmp_path / "shell.h5", "w") as file:
        if virtual:
            layout = h5py.VirtualLayout(CROPS.shape, CROPS.dtype)
            layout[:] = h5py.VirtualSource(tmp_path / "real.h5", "X", CROPS.shape)
            file.create_virtual_dataset("X", layout)
        else:
            (tmp_path / "raw").write_bytes(CROPS.tobytes())
            file.create_dataset(
                "X", CROPS.shape, CROPS.dtype, external=[(str(tmp_path / "raw"), 0, CROPS.nbytes)]
            )
        file["y"] = LABELS
    _refused(ELECTRON_PHOTON, tmp_path / "shell.h5", "X is kept in other files")


def _hold(source, opened, done):
    with h5py.File(source, "a"):
        opened.set()
        done.wait(60)


def test_a_file_that_another_program_writes(tmp_path):
    source, _ = electron_photon(tmp_path / "busy.h5")
    context = multiprocessing.get_context("fork")
    opened, done = context.Event(), context.Event()
    writer = context.Process(target=_hold, args=(source, opened, done))
    writer.start()
    try:
        assert opened.wait(60)
        _refused(ELECTRON_PHOTON, source, "another program has it open", "wait", without=("damaged", "ROOT"))
    finally:
        done.set()
        writer.join()
    assert len(_images(source, tmp_path)) == 40


def _abandon(source):
    file = h5py.File(source, "w", libver="latest")
    file["X"], file["y"] = CROPS, LABELS
    file.swmr_mode = True
    os._exit(0)


def test_a_file_that_was_never_closed(tmp_path):
    source = tmp_path / "abandoned.h5"
    writer = multiprocessing.get_context("fork").Process(target=_abandon, args=(source,))
    writer.start()
    writer.join()
    _refused(ELECTRON_PHOTON, source, "did not close it", "h5clear", without=("damaged", "ROOT"))


def test_a_filter_that_is_not_here(tmp_path):
    source = tmp_path / "filter.h5"
    with h5py.File(source, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk(CROPS.shape)
        properties.set_filter(32999, h5py.h5z.FLAG_OPTIONAL)  # a number that nobody has registered
        h5py.h5d.create(
            file.id, b"X", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(CROPS.shape), properties
        ).write_direct_chunk((0,) * 4, CROPS.tobytes())
        file["y"] = LABELS
    _refused(ELECTRON_PHOTON, source, "packed by filter 32999", "not installed", without=("damaged", "ROOT"))


@pytest.mark.parametrize("written", [0, 3])
def test_images_that_were_never_written(tmp_path, written):
    """HDF5 would give zeros for them."""
    source = tmp_path / "sparse.h5"
    with h5py.File(source, "w") as file:
        images = file.create_dataset("X", CROPS.shape, CROPS.dtype, chunks=(3, 32, 32, 2))
        images[:written] = CROPS[:written]
        file["y"] = LABELS
    _refused(ELECTRON_PHOTON, source, "of the 12 x 32 x 32 x 2 numbers of X not all are there")


def test_sizes_that_a_file_cannot_hold(tmp_path):
    source = tmp_path / "lie.h5"
    with h5py.File(source, "w") as file:
        file.create_dataset("X", (10**12, 32, 32, 2), np.float32, chunks=(1, 32, 32, 2))
        file.create_dataset("y", (10**12,), np.float32, chunks=(1000,))
    _refused(ELECTRON_PHOTON, source, "of the 1000000000000 x 32 x 32 x 2 numbers of X not all are there")


def test_a_chunk_that_cannot_come_of_its_bytes(tmp_path):
    source = tmp_path / "lie.h5"
    with h5py.File(source, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((200_000, 32, 32, 2))
        properties.set_deflate(9)
        space = h5py.h5s.create_simple((200_000, 32, 32, 2))
        images = h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F32LE, space, properties)
        images.write_direct_chunk((0,) * 4, bytes(1000))
        file.create_dataset("y", data=np.zeros(200_000), compression="gzip")
    _refused_in_little_memory(ELECTRON_PHOTON, source, "not all are there")


def test_chunks_larger_than_the_memory_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "CHUNK_BYTES", 50_000)
    source = write_hdf5(tmp_path / "chunk.h5", "gzip", (12, 32, 32, 2), X=CROPS, y=LABELS)
    _refused(ELECTRON_PHOTON, source, "chunks of 12 x 32 x 32 x 2", "h5repack -l X:CHUNK=1x32x32x2")


def _bytes_read():
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])


# Elsewhere nothing tells how much a process has read; that the values are right is tested everywhere.
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's count of the bytes read")
@pytest.mark.parametrize("chunk", [(3000, 32, 32, 2), (2900, 8, 16, 1), (2900, 11, 5, 2), (64, 32, 32, 2)])
def test_each_chunk_is_unpacked_once(tmp_path, monkeypatch, chunk):
    """It is read again whenever it is unpacked again, and so is counted by what is read."""
    monkeypatch.setattr(image_files, "BATCH_BYTES", 100 * CROPS[0].nbytes)
    images = sparse(np.random.default_rng(1), (6000, 32, 32, 2), 0.01).astype(np.float32)
    source = write_hdf5(tmp_path / "x.h5", "gzip", chunk, X=images)
    with image_files.open_file(source) as file:
        before = _bytes_read()
        for start, batch in enumerate(file.images("X", 2)):
            assert len(batch) <= 100
            if start == 0:
                np.testing.assert_array_equal(batch, np.moveaxis(images[: len(batch)], -1, 1))
        assert _bytes_read() - before < 1.5 * source.stat().st_size


@pytest.mark.parametrize("values", [3 * 125 * 125, 3 * 10**7])
def test_a_row_of_many_equal_numbers_is_not_unpacked(tmp_path, values):
    """As a run in a dictionary they take a few bytes of the file."""
    first = nested(np.zeros((1, 3, 125, 125)))
    pixels = pa.array(np.zeros(3 * 125 * 125 + values))
    ends = [*range(0, 3 * 125 * 125 + 1, 125), 3 * 125 * 125 + values]
    rows = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pixels)
    channels = pa.ListArray.from_arrays(pa.array([0, 125, 250, 375, 376], pa.int32()), rows)
    images = pa.ListArray.from_arrays(pa.array([0, 3, 4], pa.int32()), channels)
    assert images[0] == first[0]
    source = tmp_path / "run.parquet"
    columns = {"X_jets": images, "pt": [1.0, 2.0], "m0": [1.0, 2.0], "y": [0.0, 1.0]}
    pq.write_table(pa.table(columns), source, compression="zstd")
    assert source.stat().st_size < 20_000
    _refused_in_little_memory(QUARK_GLUON, source, "X_jets")


def test_a_page_is_checked_where_it_has_a_checksum(tmp_path):
    source, content = quark_gluon(tmp_path / "x.parquet")
    arrays = {name: nested(c) if c.ndim == 4 else c for name, c in content.items()}
    pq.write_table(
        pa.table(arrays), source, compression="none", write_page_checksum=True, use_dictionary=False
    )
    changed = bytearray(source.read_bytes())
    place = changed.find(np.float64(content["pt"][5]).tobytes())
    changed[place + 6] ^= 1
    source.write_bytes(changed)
    _refused(QUARK_GLUON, source, "damaged file", "CRC")
