"""Ntuples to the store: geometry of the crops, truth, reproducible bytes, and every broken file."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cloudpickle
import h5py
import ntuple_cases
import numpy as np
import pytest
import rhtree
from public_files import PEAK

from e2e import cli
from e2e.data import convert as module
from e2e.data import store
from e2e.data.convert import cluster, convert
from e2e.data.ntuple_writer import write_ntuple
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.tasks.electron_photon import TASK
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON


def reference(event, row: int, column: int) -> np.ndarray:
    """Crop [C, 32, 32] cell by cell: crystal (row + i - 15, column + j - 15), phi modulo 360.

    At z < 0, below row 85, both count the other way.
    """
    end = 1 if row >= 85 else -1
    crop = np.zeros(TASK.shape, np.float32)
    for number, channel in enumerate(TASK.channels):
        for i in range(32):
            for j in range(32):
                place = row + end * (i - 15), (column + end * (j - 15)) % 360
                crop[number, i, j] = event.channels[channel.name][place]
    return crop


def expected_objects(events):
    """(event, object, row, column) of the objects whose crop lies in the barrel."""
    for event in events:
        seeds = zip(event.objects["SC_ieta"].astype(int), event.objects["SC_iphi"].astype(int), strict=True)
        for number, (row, column) in enumerate(seeds):
            if 16 <= row <= 153:
                yield event, number, row, column


def test_crops_of_a_simulated_ntuple(simulated, events, tmp_path):
    metadata = convert(TASK, simulated, tmp_path / "out.parquet", progress=False)
    samples = store.read(tmp_path / "out.parquet")
    expected = list(expected_objects(events))
    assert [(int(e), int(o)) for e, o in zip(samples.event, samples.object, strict=True)] == [
        (event.event, number) for event, number, *_ in expected
    ]
    assert (3, 1) in [
        (event.event, number) for event, number, *_ in expected
    ]  # rows 16 and 153 fit, 14 and 154 do not
    assert metadata.rejected == {"detector_edge": 3}
    images = samples.images()
    for image, (event, _, row, column) in zip(images, expected, strict=True):
        np.testing.assert_array_equal(image, reference(event, row, column))
    assert (images[:, 0].reshape(len(samples), -1).argmax(1) == 15 * 32 + 15).all()
    for name in samples.kinematics:
        wanted = [event.objects[name][number] for event, number, *_ in expected]
        np.testing.assert_array_equal(samples.kinematics[name], wanted)
    assert set(samples.run) == {7}
    assert set(samples.lumi) == {1}
    seeds = np.stack([samples.seed_row, samples.seed_column], axis=1)
    assert seeds.tolist() == [[row, column] for *_, row, column in expected]


def test_targets_come_from_the_generator_particle(simulated, tmp_path):
    convert(TASK, simulated, tmp_path / "out.parquet", progress=False)
    samples = store.read(tmp_path / "out.parquet")
    # pdgId 11, -11 | 22, 13 | 0, 22: a muon and an object without match have no class
    np.testing.assert_array_equal(samples.target, [1, 1, 0, np.nan, np.nan, 0])


def test_metadata(simulated, tmp_path):
    metadata = convert(TASK, simulated, tmp_path / "out.parquet", progress=False)
    assert store.read_metadata(tmp_path / "out.parquet") == metadata
    assert metadata.sample == "mixture"
    assert metadata.source == "mixture.root"
    assert metadata.source_sha256 == sha256(simulated)
    assert metadata.origin == "e2e simulation"
    assert metadata.channels == TASK.channels
    assert metadata.shape == (2, 32, 32)
    named = convert(TASK, simulated, tmp_path / "named.parquet", sample="electron", progress=False)
    assert named.sample == "electron"
    assert set(store.read(tmp_path / "named.parquet").sample) == {"electron"}


def test_without_truth_the_target_is_null(broken, tmp_path):
    source = broken(lambda branches: branches.pop("gen_pdgId"))
    metadata = convert(TASK, source, tmp_path / "out.parquet", progress=False)
    assert metadata.origin == "unknown"
    assert np.isnan(store.read(tmp_path / "out.parquet").target).tolist() == [True, True]


def test_nothing_is_paired_with_another_object(broken, tmp_path):
    """A vector of another length than the seeds: null, and said; an empty one beside seeds is not there."""

    def change(branches):
        branches["pho_E"][1] = np.ones(2, np.float32)
        branches["pho_pT"][0] = branches["pho_pT"][0][:0]
        branches["pho_eta"][1][0] = np.inf
        branches["gen_pdgId"][1] = np.array([22, 22], np.float32)

    metadata = convert(TASK, broken(change), tmp_path / "out.parquet", progress=False)
    samples = store.read(tmp_path / "out.parquet")
    null = {name: np.isnan(column).tolist() for name, column in samples.kinematics.items()}
    assert null == {
        "pho_pT": [True, False], "pho_E": [False, True], "pho_eta": [False, True], "pho_phi": [False, False]
    }  # fmt: skip
    np.testing.assert_array_equal(samples.target, [1, np.nan])
    assert metadata.notes["pho_eta that is not finite"] == "null for 1 objects"
    lengths = "truth of events where gen_pdgId has not one number for each seed"
    assert metadata.notes[lengths] == "null for 1 objects"


@pytest.mark.parametrize("chunk", [1, 2])
def test_bytes_do_not_depend_on_the_chunks(simulated, tmp_path, monkeypatch, chunk):
    convert(TASK, simulated, tmp_path / "whole.parquet", progress=False)
    monkeypatch.setattr(module, "CHUNK", chunk)
    convert(TASK, simulated, tmp_path / "chunks.parquet", progress=False)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "chunks.parquet").read_bytes()


@pytest.mark.parametrize("task", [TASK, QUARK_GLUON])
@pytest.mark.parametrize("most", [1, 30, 80])
def test_bytes_do_not_depend_on_how_many_hits_are_cut_at_once(simulated, tmp_path, monkeypatch, task, most):
    """Pieces of one object, of some, and of objects of two events; the channels have different hits."""
    source = simulated if task is TASK else full_jets(tmp_path / "jets.root", 3, each=2)
    convert(task, source, tmp_path / "whole.parquet", progress=False)
    monkeypatch.setattr(module, "MOST_HITS", most if task is TASK else 1000 * most)
    written, write = [], store.write

    def watched(output, samples, metadata):
        write(output, (written.append(len(piece.index)) or piece for piece in samples), metadata)

    monkeypatch.setattr(store, "write", watched)
    convert(task, source, tmp_path / "pieces.parquet", progress=False)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "pieces.parquet").read_bytes()
    largest = max(np.diff(store.read(tmp_path / "whole.parquet").offsets))
    assert len(written) > 1
    assert max(written) < module.MOST_HITS + largest


def full_jets(path: Path, events: int, each: int) -> Path:
    """Events of ``each`` jets at random seeds, with energy in every cell of ECAL and HCAL."""
    random = np.random.default_rng(1)
    branches = ntuple_cases.identity(events)
    seeds = [[(random.integers(13, 43), random.integers(72)) for _ in range(each)] for _ in range(events)]
    branches |= ntuple_cases.seeds("jet", seeds)
    for name, shape in ntuple_cases.JET_IMAGES.items():
        full = np.ones(shape, np.float32) if "energy" in name else np.zeros(shape, np.float32)
        branches[name] = [full.ravel() for _ in range(events)]
    return rhtree.write(path, branches)


MEASURED = f"""
import sys
from e2e.data import convert
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
convert.MOST_HITS = 2**20
for source in sys.argv[1:]:
    convert.convert(QUARK_GLUON, source, source + ".parquet", progress=False)
    print({PEAK})
"""


def test_memory_does_not_grow_with_the_objects_of_an_event(tmp_path):
    """A file of some kB may hold a thousand jets with a hit in every cell."""
    files = [full_jets(tmp_path / f"{each}.root", 1, each) for each in (150, 1000)]
    command = [sys.executable, "-c", MEASURED, *map(str, files)]
    before, after = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(after) - int(before) < 850 * 2 * 125 * 125 * 8  # their hits once


class Dying(module.CropCutter):
    """As the kernel does with a process that takes too much memory."""

    def process(self, events):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_executor(simulated, tmp_path, monkeypatch):
    """Two Dask workers with chunks of one event against all events at once; errors come back whole."""
    convert(TASK, simulated, tmp_path / "local.parquet", progress=False)
    monkeypatch.setattr(module, "CHUNK", 1)
    bad = tmp_path / "bad.root"
    bad.write_bytes(damage(simulated.read_bytes()))
    with cluster(workers=2) as executor:
        convert(TASK, simulated, tmp_path / "dask.parquet", progress=False, executor=executor)
        with pytest.raises(E2EError, match=r"bad\.root: damaged ROOT file"):
            convert(TASK, bad, tmp_path / "bad.parquet", progress=False, executor=executor)
        workers = executor.client.run(lambda: "coffea" in __import__("sys").modules)
        with monkeypatch.context() as patch:
            patch.setattr(module, "CropCutter", Dying)
            cloudpickle.register_pickle_by_value(sys.modules[__name__])
            with pytest.raises(E2EError, match=r"\.root: the Dask workers that read it died"):
                convert(TASK, simulated, tmp_path / "bad.parquet", progress=False, executor=executor)
    assert list(workers.values()) == [True, True]
    assert (tmp_path / "local.parquet").read_bytes() == (tmp_path / "dask.parquet").read_bytes()
    assert not (tmp_path / "bad.parquet").exists()


def test_chunks_are_written_before_the_next_are_read(simulated, tmp_path, monkeypatch):
    """Memory does not grow with the file: at most one chunk waits to be written."""
    monkeypatch.setattr(module, "CHUNK", 1)
    waiting = []
    process = module.CropCutter.process

    def read(self, events):
        waiting.append("read")
        return process(self, events)

    def write(output, samples, metadata):
        for _ in samples:
            waiting.append("written")

    monkeypatch.setattr(module.CropCutter, "process", read)
    monkeypatch.setattr(store, "write", write)
    convert(TASK, simulated, tmp_path / "out.parquet", progress=False)
    assert waiting == ["read", "written"] * 5


def test_a_file_that_was_replaced_is_read_anew(simulated, events, tmp_path):
    path = tmp_path / "mixture.root"
    path.write_bytes(simulated.read_bytes())
    convert(TASK, path, tmp_path / "out.parquet", progress=False)
    write_ntuple(path, events[:1], task=TASK)
    convert(TASK, path, tmp_path / "out.parquet", progress=False)
    assert len(store.read(tmp_path / "out.parquet")) == 2


def test_bytes_do_not_depend_on_the_directory(simulated, tmp_path, monkeypatch):
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mixture.root").write_bytes(simulated.read_bytes())
        monkeypatch.chdir(folder)
        convert(TASK, Path("mixture.root"), Path("out.parquet"), progress=False)
    assert (tmp_path / "here/out.parquet").read_bytes() == (tmp_path / "there/out.parquet").read_bytes()


def test_an_ntuple_without_events(tmp_path):
    write_ntuple(tmp_path / "none.root", [], task=TASK)
    metadata = convert(TASK, tmp_path / "none.root", tmp_path / "out.parquet", progress=False)
    assert metadata.rejected == {"detector_edge": 0}
    samples = store.read(tmp_path / "out.parquet")
    assert samples.images().shape == (0, 2, 32, 32)


def test_progress_stays_off_the_standard_output(simulated, tmp_path, capsys):
    convert(TASK, simulated, tmp_path / "out.parquet", progress=False)
    assert capsys.readouterr() == ("", "")
    convert(TASK, simulated, tmp_path / "out.parquet")
    out, err = capsys.readouterr()
    assert out == ""
    assert "Converting mixture.root" in err


def replace_value(branch: str, value: float, cell: int = 0):
    """Put ``value`` into the second event of ``branch``."""

    def change(branches):
        branches[branch][1][cell] = value

    return change


def cut_second(branch: str, length: int):
    """Keep only ``length`` values of the second event of ``branch``."""

    def change(branches):
        branches[branch][1] = branches[branch][1][:length]

    return change


def as_number(branch: str):
    def change(branches):
        branches[branch] = np.array([1.5, 2.5])

    return change


BAD_VALUES = {
    "NaN": (
        replace_value("EB_energy", np.nan, 81 * 360 + 190),
        r"7:1:2: EB_energy is nan at row 81, column 190",
    ),
    "infinity": (replace_value("EB_time", np.inf, 65 * 360 + 185), r"EB_time is inf at row 65, column 185"),
    "short frame": (cut_second("EB_time", 100), r"7:1:2: EB_time has 100 values; .* 170 x 360 has 61200"),
    "row below": (replace_value("SC_ieta", -1), r"7:1:2: SC_ieta holds a seed at -1\.0; .* 0 to 169"),
    "row above": (replace_value("SC_ieta", 170), r"7:1:2: SC_ieta holds a seed at 170\.0"),
    "column above": (replace_value("SC_iphi", 360), r"7:1:2: SC_iphi holds a seed at 360\.0; .* 0 to 359"),
    "between crystals": (replace_value("SC_iphi", 3.5), r"7:1:2: SC_iphi holds a seed at 3\.5"),
    "NaN seed": (replace_value("SC_ieta", np.nan), r"7:1:2: SC_ieta holds a seed at nan"),
    "seed lengths": (cut_second("SC_iphi", 0), r"7:1:2: SC_iphi has 0 objects, SC_ieta 1"),
    "empty seed": (
        replace_value("EB_energy", 0, 80 * 360 + 200),
        r"7:1:2: EB_energy is 0 at the seed in row 80, column 200, .* SC_ieta counts otherwise",
    ),
    "elsewhere": (
        lambda branches: branches["SC_ieta"][1].fill(80 + 55),
        r"7:1:2: EB_energy is 0 at the seed in row 135, .* in the 280 rows of ECAL_energy, 55 more",
    ),
    "missing": (
        lambda branches: branches.update(EB_tine=branches.pop("EB_time")),
        r"no branch EB_time \(similar: EB_tine.*MLAnalyzer",
    ),
    "scalar": (as_number("EB_energy"), r"branch EB_energy is double; expected one std::vector<float>"),
    "event": (as_number("eventId"), r"branch eventId is double; expected one whole number of 32 or 64 bits"),
    "narrow run": (
        lambda branches: branches.update(runId=np.array([7, 7], np.uint16)),
        r"branch runId is uint16_t; expected one whole number of 32 or 64 bits",
    ),
    "vector of doubles": (
        lambda branches: branches.update(EB_time=[values.astype(float) for values in branches["EB_time"]]),
        r"branch EB_time is std::vector<double>; expected one std::vector<float>",
    ),
    "event 0": (
        lambda branches: branches.update(eventId=np.array([1, 0], np.uint64)),
        r"eventId of entry 1 is 0; CMSSW numbers from 1 to 18446744073709551615",
    ),
    "negative run": (
        lambda branches: branches.update(runId=np.array([7, -7], np.int32)),
        r"runId of entry 1 is -7; CMSSW numbers from 1 to 4294967295",
    ),
}


@pytest.mark.filterwarnings("error")  # coffea's, of repeated attempts, would stand beside the one error
@pytest.mark.parametrize(("change", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_content(broken, tmp_path, change, message):
    source = broken(change)
    with pytest.raises(E2EError, match=message) as caught:
        convert(TASK, source, tmp_path / "out" / "out.parquet", progress=False)
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.filterwarnings("error")
def test_kinematics_and_truth_of_other_types(broken, tmp_path):
    """Doubles are read as they are; what is not one number an object is null, and said."""

    def change(branches):
        branches["pho_E"] = [np.array([70.0]), np.array([1e300])]
        branches["pho_pT"] = np.array([1.5, 2.5])
        branches["gen_pdgId"] = np.array([11, 22], np.int32)

    metadata = convert(TASK, broken(change), tmp_path / "out.parquet", progress=False)
    samples = store.read(tmp_path / "out.parquet")
    np.testing.assert_array_equal(samples.kinematics["pho_E"], np.array([70, np.nan], np.float32))
    assert np.isfinite(samples.kinematics["pho_eta"]).all()
    assert np.isnan(samples.kinematics["pho_pT"]).all()
    assert np.isnan(samples.target).all()
    assert metadata.notes["pho_E that is not finite"] == "null for 1 objects"
    expected = "expected one std::vector<float> an event"
    assert metadata.notes["pho_pT"] == f"not read, as it is double; {expected}"
    assert metadata.notes["gen_pdgId"] == f"not read, as it is int32_t; {expected}"


def test_another_tree(broken, tmp_path):
    source = broken(lambda branches: None, tree="fevt/HitTree")
    with pytest.raises(E2EError, match=r"no tree fevt/RHTree; trees in the file: fevt/HitTree"):
        convert(TASK, source, tmp_path / "out.parquet", progress=False)


def damage(content: bytes) -> bytes:
    """Overwrite a piece in the middle, where the frames are."""
    middle = len(content) // 2
    return content[:middle] + bytes(2000) + content[middle + 2000 :]


BAD_FILES = {
    "truncated": (lambda content: content[:-5000], r"truncated ROOT file, \d+ of \d+ bytes"),
    "half": (lambda content: content[: len(content) // 2], r"truncated ROOT file, \d+ of \d+ bytes"),
    "header only": (lambda content: content[:10], "damaged ROOT file"),
    "damaged": (damage, "damaged ROOT file"),
    "HTML": (lambda content: b"<!DOCTYPE html><html></html>", "an HTML page, not a ROOT file"),
    "empty": (lambda content: b"", "empty file"),
    "other": (lambda content: b"PAR1....", "not a ROOT file"),
}


@pytest.mark.parametrize(("change", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(simulated, tmp_path, capsys, change, message):
    source = tmp_path / "bad.root"
    source.write_bytes(change(simulated.read_bytes()))
    with pytest.raises(E2EError, match=message) as caught:
        convert(TASK, source, tmp_path / "out" / "out.parquet", progress=False)
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


def test_missing_file(tmp_path, capsys):
    with pytest.raises(E2EError, match=r"gone\.root: cannot be opened \(No such file"):
        convert(TASK, tmp_path / "gone.root", tmp_path / "out.parquet")
    arguments = [
        "convert",
        "--task",
        "electron_photon",
        str(tmp_path / "gone.root"),
        str(tmp_path / "o.parquet"),
    ]
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def run(*arguments) -> int:
    return cli.main(["convert", "--task", "electron_photon", *map(str, arguments)])


def test_one_broken_file_among_many(simulated, tmp_path, capsys):
    """The others are converted, the broken one is named, and the exit code says that something is missing."""
    good, bad, empty = (tmp_path / f"{name}.root" for name in ("good", "bad", "empty"))
    good.write_bytes(simulated.read_bytes())
    bad.write_bytes(simulated.read_bytes()[:-5000])
    write_ntuple(empty, [], task=TASK)
    assert run(bad, good, empty, tmp_path / "out") == 1
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("e2e: error: ")]
    assert errors[0].startswith(f"e2e: error: {bad}: truncated ROOT file")
    assert errors[1].endswith(f"1 of 3 files could not be converted; the others are in {tmp_path / 'out'}")
    assert len(errors) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["empty.parquet", "good.parquet"]
    assert f"{tmp_path / 'out/good.parquet'}: written from good.root; rejected: 3 detector_edge" in out
    assert set(store.read(tmp_path / "out/good.parquet").sample) == {"good"}


def test_a_file_whose_output_cannot_be_written_among_many(simulated, tmp_path, capsys):
    """A name too long for a store, and a place that something else has: the others are converted."""
    good, long, taken = (tmp_path / f"{name}.root" for name in ("good", "x" * 250, "taken"))
    for path in (good, long, taken):
        path.write_bytes(simulated.read_bytes())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "taken.parquet").write_text("mine")
    assert run(long, taken, good, tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "File name too long" in err
    assert "taken.parquet: exists and is not a sample store" in err
    assert "2 of 3 files could not be converted" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.parquet", "taken.parquet"]
    assert (tmp_path / "out" / "taken.parquet").read_text() == "mine"


def test_files_that_would_be_written_to_one(simulated, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mixture.root").write_bytes(simulated.read_bytes())
    assert run(tmp_path / "a/mixture.root", tmp_path / "b/mixture.root", tmp_path / "out") == 1
    assert "would both be written to" in capsys.readouterr().err
    assert run(tmp_path / "a/mixture.root", tmp_path / "a/mixture.root", tmp_path / "out.parquet") == 1
    assert "2 files are converted into a folder; name one" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_public_files_by_their_content(tmp_path, capsys):
    """An HDF5 file of crops under any name; a store is not written over its source."""
    source = tmp_path / "crops"
    with h5py.File(source, "w") as file:
        file["X"] = np.random.default_rng(1).random((4, 32, 32, 2), dtype=np.float32)
        file["y"] = np.array([0, 1, 1, 0], np.float32)
    (tmp_path / "out").mkdir()
    assert run("--sample", "gun", source, tmp_path / "out") == 0
    assert "photon" in capsys.readouterr().out  # the convention of the labels
    assert store.read_metadata(tmp_path / "out/crops.parquet").sample == "gun"
    assert run("--quarter-endcaps", source, tmp_path / "out") == 1
    assert run(source, source) == 1
    assert "would be written over the input" in capsys.readouterr().err


def test_the_number_of_channels(simulated, tmp_path):
    assert run("--channels", 1, simulated, tmp_path / "out.parquet") == 0
    assert store.read_metadata(tmp_path / "out.parquet").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("name", "candidates", "rejected"), [("cms2012-double-electron", 26, 6), ("cms2012-bjet", 23, 0)]
)
def test_real_collisions(shared, tmp_path, name, candidates, rejected):
    metadata = convert(
        TASK, shared / "data" / f"{name}-rhtree.root", tmp_path / "out.parquet", progress=False
    )
    samples = store.read(tmp_path / "out.parquet")
    assert metadata.rejected == {"detector_edge": rejected}
    assert len(samples) + rejected == candidates
    assert metadata.origin == "detector data"
    assert np.isnan(samples.target).all()
    energy = samples.images()[:, 0]
    near = energy[:, 12:19, 12:19].reshape(len(samples), -1)
    assert (near.argmax(1) == 3 * 7 + 3).mean() > 0.9, "the seed is not the hottest crystal around it"
    # energy of the 5 x 5 crystals around the seed against that of the photon candidate
    assert 0.5 < np.median(energy[:, 13:18, 13:18].sum((1, 2)) / samples.kinematics["pho_E"]) < 1.1


def test_another_dask_here_is_nobodys_business(recwarn):
    """Its port is taken: ours takes another, and says nothing."""
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # another Dask is here indeed
            other.bind(("127.0.0.1", 8787))
            other.listen()
        with cluster(workers=1):
            pass
    assert not [warning for warning in recwarn if "Port" in str(warning.message)]
