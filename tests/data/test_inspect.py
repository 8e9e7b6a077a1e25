"""What `e2e inspect` says of stores and ntuples, and the pictures it draws."""

import re
from dataclasses import replace

import h5py
import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from public_files import electron_photon, quark_gluon

from e2e import cli, tasks
from e2e.data import parquet, store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.data.sources import convert_file
from e2e.data.split import PARTS, part
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.report import displays, style
from e2e.report.inspect import inspect
from e2e.tasks.electron_photon import TASK


@pytest.fixture
def converted(simulated, tmp_path):
    path = tmp_path / "mixture.parquet"
    convert(TASK, simulated, path, progress=False)
    return path


def row(text: str, name: str) -> list[str]:
    """The words of the table row that begins with ``name``."""
    (line,) = re.findall(rf"^ *{name} .*$", text, re.MULTILINE)
    return line.split()


def test_inspect_a_store(converted, simulated, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["inspect", str(converted)]) == 0
    text = capsys.readouterr().out
    assert sha256(converted) in text
    assert sha256(simulated) in text
    assert "6 in 3 events: 2 photon, 2 electron, 2 without truth" in text
    assert re.search(r"rejected +3 detector_edge", text)
    assert re.search(r"events from +e2e simulation", text)
    samples = store.read(converted)
    energy = samples.images()[:, 0]
    hits = np.count_nonzero(energy)
    expected = [f"{hits / 6:.1f}", f"{hits / energy.size:.2%}", f"{energy[energy != 0].min():.5g}"]
    assert row(text, "EB_energy")[1:5] == ["GeV", *expected]
    assert row(text, "EB_time")[1] == "ns"
    assert row(text, "event") == ["event", "uint64", "1", "3", "5"]
    assert row(text, "pho_phi")[1:3] == ["float32", "rad"]
    assert matplotlib.image.imread(tmp_path / "mixture.png").std() > 0.01


def test_inspect_an_ntuple(simulated, events, tmp_path, capsys):
    picture = tmp_path / "p.png"
    inspect(simulated, picture)
    text = capsys.readouterr().out
    assert sha256(simulated) in text
    assert re.search(r"tasks +electron_photon\n", text)
    assert re.search(r"events +5\n", text)
    energy = np.stack([event.channels["EB_energy"] for event in events])
    filled, top = f"{np.count_nonzero(energy) / energy.size:.2%}", f"{energy.max():.5g}"
    assert row(text, "EB_energy")[1:] == ["std::vector<float>", "GeV", "61200", filled, "0", top]
    assert row(text, "SC_ieta")[1:] == ["std::vector<float>", "1.8", "88.89%", "0", "154"]
    assert row(text, "eventId")[1:] == ["uint64_t", "1", "100.00%", "1", "5"]
    assert matplotlib.image.imread(picture).std() > 0.01


def test_inspect_an_ntuple_that_does_not_convert(broken, tmp_path, capsys):
    """Inspecting is what a user does with a file that fails."""

    def change(branches):
        branches["EB_energy"][1] = branches["EB_energy"][1][:100]
        del branches["pho_pT"]

    inspect(broken(change), tmp_path / "p.png")
    text = capsys.readouterr().out
    assert re.search(r"tasks +electron_photon\n", text)
    assert re.search(r"not for quark_gluon +fevt/RHTree has no branches jetSeed_ieta and jetSeed_iphi", text)
    assert row(text, "EB_energy")[3] == "30650"
    assert (tmp_path / "p.png").exists()  # of the first event, whose frames are whole


@pytest.fixture
def jets(tmp_path):
    """An ntuple of two jets with masses, five channels of them."""
    task = tasks.task("mass_regression", 5)
    random = np.random.default_rng(1)
    channels = {c.name: random.random((280 // c.cell, 360 // c.cell), np.float32) for c in task.channels}
    objects = {"jetPt": [1, 2], "jetEta": [-0.65, 0.22], "jetPhi": [-0.04, 3.36]}
    objects |= {"jetSeed_ieta": [20, 30], "jetSeed_iphi": [1, 40], "a_m": [0, 8.5]}
    objects = {name: np.array(values, np.float32) for name, values in objects.items()}
    write_ntuple(tmp_path / "jets.root", [Event(7, 1, 1, channels, objects)], task=task)
    convert(task, tmp_path / "jets.root", tmp_path / "jets.parquet", progress=False)
    return tmp_path / "jets.root"


def test_inspect_jets(jets, tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(displays, "detector", lambda panels, *_: drawn.extend(panels))
    inspect(jets, tmp_path / "p.png")
    text = capsys.readouterr().out
    there = r"tasks +mass_regression \(5 of 8 channels\), quark_gluon \(no truth\), tau \(5 of 8 channels, no"
    assert re.search(there, text)
    assert row(text, "HBHE_energy")[2:4] == ["GeV", "4032"]
    assert row(text, "a_m")[2] == "GeV"
    seeds = {panel.channel.name: panel.seeds.tolist() for panel in drawn}
    assert seeds["ECAL_energy"] == [[102, 7], [152, 202]]
    assert seeds["HCAL_energy"] == [[20, 1], [30, 40]]


def test_inspect_a_regression_with_unknown_quantities(jets, tmp_path, capsys):
    inspect(jets.with_suffix(".parquet"), tmp_path / "p.png")
    text = capsys.readouterr().out
    assert "2 in 1 events: 1 with a target, 1 without truth" in text
    assert row(text, "target")[1:] == ["float32", "GeV", "8.5", "8.5", "8.5"]
    assert row(text, "jetM") == ["jetM", "float32", "GeV"]
    assert matplotlib.image.imread(tmp_path / "p.png").std() > 0.01


def test_displays_of_a_regression_and_of_a_test_sample(jets, tmp_path):
    """The part that the source of a sample says counts; smallest and largest targets stand side by side."""
    path = jets.with_suffix(".parquet")
    samples, metadata = store.read(path), store.read_metadata(path)
    for name, drawn in (("train", False), ("test", True)):
        store.write(path, [samples], replace(metadata, part=name))
        if drawn:
            displays.displays([path], tmp_path / "a.png")
        else:
            with pytest.raises(E2EError, match="no test object with truth"):
                displays.displays([path], tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").std() > 0.01


def test_inspect_files_without_objects(tmp_path, capsys):
    write_ntuple(tmp_path / "none.root", [], task=TASK)
    inspect(tmp_path / "none.root", tmp_path / "ntuple.png")
    assert not (tmp_path / "ntuple.png").exists()
    convert(TASK, tmp_path / "none.root", tmp_path / "none.parquet", progress=False)
    inspect(tmp_path / "none.parquet", tmp_path / "store.png")
    text = capsys.readouterr().out
    assert "0 in 0 events: 0 photon, 0 electron, 0 without truth" in text
    assert (tmp_path / "store.png").exists()


@pytest.mark.parametrize("write", [electron_photon, quark_gluon])
def test_inspect_a_public_file(write, tmp_path, monkeypatch, capsys):
    """It is described as the store is that is made of it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ("a.h5" if write is electron_photon else "a.parquet")
    write(path, count=12)
    assert cli.main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"layout +{write.__name__}", text)
    assert re.search(r"objects +12 in 12 events: .*, the first of the file", text)
    name = {"electron_photon": "EB_energy", "quark_gluon": "HCAL_energy"}[write.__name__]
    found = tasks.task(write.__name__)
    convert_file(found, path, tmp_path / "store.parquet", progress=False)
    samples = store.read(tmp_path / "store.parquet")
    number = [channel.name for channel in found.channels].index(name)
    values = samples.images()[:, number]
    hits = values[values != 0]
    assert row(text, name)[1:5] == [
        "GeV", f"{len(hits) / len(samples):.1f}", f"{len(hits) / values.size:.2%}", f"{hits.min():.5g}"
    ]  # fmt: skip
    assert matplotlib.image.imread(tmp_path / "a.png").std() > 0.01


def test_inspect_a_table_of_scores(converted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    objects = store.StoreFile(converted).objects()
    table = objects.assign(score=np.linspace(0.25, 0.5, len(objects), dtype=np.float32))
    table.attrs = {"model_sha256": "ab" * 32, "origin": "e2e simulation"}
    parquet.write_table(tmp_path / "scores.parquet", table)
    assert cli.main(["inspect", "scores.parquet"]) == 0
    text = capsys.readouterr().out
    assert row(text, "score") == ["score", "float32", "0.25", "0.375", "0.5"]
    assert re.search(r"model sha256 +(ab){32}", text)
    assert re.search(r"objects +6, 2 without truth", text)
    assert not (tmp_path / "scores.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"notes", "neither an ntuple"),
        ("gone.parquet", None, "cannot be opened"),
        ("cut.parquet", b"PAR1 and no more", "damaged file"),
        ("other.h5", h5py, "not a public layout: it has weights"),
    ],
)
def test_inspect_another_file(name, content, reason, tmp_path):
    if content is h5py:
        with h5py.File(tmp_path / name, "w") as file:
            file["weights"] = np.ones(3)
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(E2EError, match=rf"{name}: .*{reason}"):
        inspect(tmp_path / name)


def test_the_mean_frame_is_the_mean_of_the_images(converted):
    samples = store.read(converted)
    np.testing.assert_allclose(displays.mean_frame(samples), samples.images().mean(0), rtol=1e-5)


def test_frames_are_drawn_on_scales_with_units():
    figure = Figure()
    energy, time = figure.subplots(1, 2)
    frame = np.zeros((32, 32), np.float32)
    frame[15, 15], frame[10, 20] = 40, 0.5
    for axes, channel in zip((energy, time), TASK.channels, strict=True):
        displays.draw_frame(axes, frame, channel)
    scale = energy.images[0].norm
    assert isinstance(scale, LogNorm)
    assert (scale.vmin, scale.vmax) == pytest.approx((0.004, 40))
    assert time.images[0].norm.vmin == -time.images[0].norm.vmax
    assert energy.images[0].get_array().count() == 2  # cells without a hit stay white
    assert [axes.get_ylabel() for axes in figure.axes[2:]] == ["Energy [GeV]", "Time [ns]"]


def test_displays_show_test_objects_of_each_class(tmp_path, events, monkeypatch):
    """Enough events that the test part has some of both classes."""
    objects = events[0].objects | {"gen_pdgId": np.array([11, 22])}
    many = (Event(7, 1, number, events[0].channels, objects) for number in range(1, 31))
    write_ntuple(tmp_path / "many.root", many, task=TASK)
    convert(TASK, tmp_path / "many.root", tmp_path / "many.parquet", progress=False)
    drawn = []
    original = displays.draw_crop

    def spy(line, samples, row):
        drawn.append((displays.truth(samples, row), samples.target[row], samples.event[row]))
        original(line, samples, row)

    monkeypatch.setattr(displays, "draw_crop", spy)
    displays.displays([tmp_path / "many.parquet"], tmp_path / "a.png")
    assert [name for name, *_ in drawn] == ["photon"] * 3 + ["electron"] * 3
    assert [target for _, target, _ in drawn] == [0] * 3 + [1] * 3

    numbers = np.array([event for *_, event in drawn])
    same = np.full(6, 7), np.ones(6, int)
    assert {PARTS[code] for code in part(np.full(6, "many"), *same, numbers)} == {"test"}


def test_displays_need_truth(broken, tmp_path):
    source = broken(lambda branches: branches.pop("gen_pdgId"))
    convert(TASK, source, tmp_path / "out.parquet", progress=False)
    with pytest.raises(E2EError, match="no test object with truth"):
        displays.displays([tmp_path / "out.parquet"], tmp_path / "a.png")


def test_pictures_say_where_the_events_come_from(converted, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(style, "save", lambda figure, *paths: saved.append(figure))
    for origin in ("e2e simulation", "detector data"):
        displays.picture(store.read(converted), origin, tmp_path / "p.png")
        assert saved[-1].get_suptitle() == style.events(origin)
