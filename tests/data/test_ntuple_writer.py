"""Ntuples as MLAnalyzer writes them: what is read back, what is refused, and the same bytes anywhere."""

import resource
from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.errors import E2EError
from e2e.tasks.electron_photon import TASK

ROWS, COLUMNS = TASK.detector
CELLS = ROWS * COLUMNS
OBJECTS = ("SC_ieta", "SC_iphi", *(channel.name for channel in TASK.kinematics), "gen_pdgId")


def hits(random: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.sort(random.choice(CELLS, number, replace=False)).astype(np.uint32)
    return index, random.exponential(1.0, number).astype(np.float32) + 0.01


def make_event(number: int, objects: int = 2, hit_count: int = 300) -> Event:
    random = np.random.default_rng(number)
    return Event(
        run=4_000_000_000,
        lumi=1,
        event=2**40 + number,
        channels={channel.name: hits(random, hit_count) for channel in TASK.channels},
        objects={name: random.normal(size=objects).astype(np.float32) for name in OBJECTS},
    )


@pytest.fixture
def events() -> list[Event]:
    return [make_event(0), make_event(1, objects=0), make_event(2, hit_count=0), make_event(3, objects=3)]


def test_round_trip(tmp_path: Path, events: list[Event]) -> None:
    path = tmp_path / "a.root"
    assert write_ntuple(path, iter(events), task=TASK) == len(events)
    with uproot.open(path) as file:
        tree = file["fevt/RHTree"]
        assert tree.typenames() == {
            "runId": "uint32_t",
            "lumiId": "uint32_t",
            "eventId": "uint64_t",
            **{channel.name: "std::vector<float>" for channel in TASK.channels},
            **{name: "std::vector<float>" for name in OBJECTS},
        }
        arrays = tree.arrays(library="np")
    for i, event in enumerate(events):
        assert (arrays["runId"][i], arrays["lumiId"][i], arrays["eventId"][i]) == (
            event.run,
            event.lumi,
            event.event,
        )
        for name, (index, value) in event.channels.items():
            expected = np.zeros(CELLS, np.float32)
            expected[index] = value
            # The third event has no hits: nothing of the second one may be left in the buffer.
            np.testing.assert_array_equal(arrays[name][i], expected)
        for name, values in event.objects.items():
            np.testing.assert_array_equal(arrays[name][i], values)


def test_dense_and_sparse_frames_give_the_same_file(tmp_path: Path, events: list[Event]) -> None:
    dense = []
    for event in events:
        channels = {}
        for name, (index, value) in event.channels.items():
            channels[name] = np.zeros((ROWS, COLUMNS), np.float32)
            channels[name].flat[index] = value
        dense.append(Event(event.run, event.lumi, event.event, channels, event.objects))
    write_ntuple(tmp_path / "sparse.root", events, name="x", task=TASK)
    write_ntuple(tmp_path / "dense.root", dense, name="x", task=TASK)
    assert (tmp_path / "sparse.root").read_bytes() == (tmp_path / "dense.root").read_bytes()


def test_same_bytes_in_two_directories(tmp_path: Path, events: list[Event]) -> None:
    first, second = tmp_path / "one" / "a.root", tmp_path / "another" / "a.root"
    write_ntuple(first, events, task=TASK)
    write_ntuple(second, events, task=TASK)
    assert first.read_bytes() == second.read_bytes()


def test_no_events(tmp_path: Path) -> None:
    assert write_ntuple(tmp_path / "a.root", [], task=TASK) == 0
    with uproot.open(tmp_path / "a.root") as file:
        assert file["fevt/RHTree"].num_entries == 0
        assert "EB_energy" in file["fevt/RHTree"]


def spoil(event: Event, channels: dict | None = None, objects: dict | None = None) -> Event:
    return Event(
        event.run,
        event.lumi,
        event.event,
        {**event.channels, **(channels or {})},
        {**event.objects, **(objects or {})},
    )


INDEX, VALUE = np.array([1, 2], np.uint32), np.array([1, 2], np.float32)


@pytest.mark.parametrize(
    ("channels", "objects", "message"),
    [
        ({"EB_energy": np.zeros((COLUMNS, ROWS), np.float32)}, {}, r"EB_energy has shape \(360, 170\)"),
        ({"EB_time": (INDEX, VALUE * np.nan)}, {}, "EB_time holds a value that is not finite"),
        ({"EB_time": (INDEX, VALUE * np.inf)}, {}, "EB_time holds a value that is not finite"),
        ({"EB_energy": (INDEX[:1], VALUE)}, {}, "EB_energy has .* indices"),
        ({"EB_energy": (INDEX[::-1], VALUE)}, {}, "EB_energy needs strictly increasing indices"),
        ({"EB_energy": (INDEX + CELLS, VALUE)}, {}, f"EB_energy needs .* below {CELLS}"),
        ({"EE_energy": (INDEX, VALUE)}, {}, "channel EE_energy is unexpected"),
        ({}, {"pho_E": np.ones(3, np.float32)}, r"pho_E has shape \(3,\)"),
        ({}, {"pho_E": np.full(2, np.nan, np.float32)}, "pho_E holds a value that is not finite"),
        ({}, {"extra": np.ones(2, np.float32)}, "object branch extra is unexpected"),
    ],
)
def test_bad_event_names_file_event_and_branch(
    tmp_path: Path, channels: dict, objects: dict, message: str
) -> None:
    path = tmp_path / "a.root"
    bad = spoil(make_event(1), channels, objects)
    with pytest.raises(E2EError, match=f"a.root: run 4000000000 lumi 1 event {bad.event}: .*{message}"):
        write_ntuple(path, [make_event(0), bad], task=TASK)
    assert list(tmp_path.iterdir()) == []


def test_missing_seed_branch(tmp_path: Path) -> None:
    event = make_event(0)
    objects = {name: values for name, values in event.objects.items() if name != "SC_iphi"}
    with pytest.raises(E2EError, match=r"a.root: object branch SC_iphi is missing"):
        write_ntuple(tmp_path / "a.root", [Event(1, 1, 1, event.channels, objects)], task=TASK)


@pytest.mark.parametrize(
    "name", ["a#b.root", "a?b.root", "a$b.root", "é %[*] '\"\n,.root", "x" * 250 + ".root"]
)
def test_names_that_root_would_take_apart(tmp_path: Path, name: str) -> None:
    """ROOT itself writes a#b.root to a, whatever a holds."""
    (tmp_path / "a").write_text("mine")
    folder = tmp_path / name.removesuffix(".root")
    write_ntuple(folder / name, [make_event(0)], task=TASK)
    with uproot.open(folder / name) as file:
        assert file["fevt/RHTree"].num_entries == 1
    assert [path.name for path in folder.iterdir()] == [name]
    assert (tmp_path / "a").read_text() == "mine"


def test_no_space_left(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(E2EError, match=r"a.root: ROOT could not write all events"):
            write_ntuple(tmp_path / "a.root", [make_event(i, hit_count=1000) for i in range(60)], task=TASK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_failing_source_keeps_the_earlier_file(tmp_path: Path, events: list[Event]) -> None:
    path = tmp_path / "a.root"
    write_ntuple(path, events, task=TASK)
    before = path.read_bytes()

    def fails():
        yield events[0]
        raise RuntimeError("source broke")

    with pytest.raises(RuntimeError, match="source broke"):
        write_ntuple(path, fails(), task=TASK)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.root"]
