"""The split: by event, forever the same, and of the right size."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e.data import balance, split, store
from e2e.data.parts import Labels
from e2e.data.store import Metadata, Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.tasks import Channel, task

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
EVENTS = st.lists(st.tuples(st.text(max_size=8), U32, U32, U64), min_size=1, max_size=30)


def parts_of(events) -> np.ndarray:
    sample, run, lumi, event = zip(*events, strict=True)
    return split.part(
        np.array(sample), np.array(run, np.uint32), np.array(lumi, np.uint32), np.array(event, np.uint64)
    )


def chosen(events, share: float, subset: int = 0) -> np.ndarray:
    return Labels(share, subset).of(*(np.array(column) for column in zip(*events, strict=True)))


def test_labels_are_nested_in_a_subset_and_others_in_another():
    events = [("photon", 1, lumi, event) for lumi in range(10) for event in range(2000)]
    few, some, every = (chosen(events, share) for share in (0.01, 0.1, 1.0))
    assert every.all()
    assert not (few & ~some).any()
    assert few.mean() == pytest.approx(0.01, abs=0.003)
    assert some.mean() == pytest.approx(0.1, abs=0.009)
    other = chosen(events, 0.1, subset=1)
    assert (some & other).mean() == pytest.approx(0.01, abs=0.003)
    parts = parts_of(events)
    assert [some[parts == part].mean() for part in range(3)] == pytest.approx([0.1] * 3, abs=0.02)
    assert chosen(events[::-1], 0.1)[::-1].tolist() == some.tolist()


def reference(sample: str, run: int, lumi: int, event: int) -> int:
    """The documented hash in Python's own integers."""
    state = int.from_bytes(hashlib.blake2b(sample.encode(), digest_size=8).digest(), "little")
    for number in (run, lumi, event):
        state = ((state ^ number) + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    fraction = (state >> 11) / 2**53
    return 0 if fraction < 0.7 else 1 if fraction < 0.8 else 2


@settings(deadline=None)
@given(EVENTS)
def test_part_is_the_documented_hash(events):
    # numpy strings cannot end in a zero character
    events = [(sample.rstrip("\0"), *numbers) for sample, *numbers in events]
    assert parts_of(events).tolist() == [reference(*event) for event in events]


def test_parts_of_some_events_never_change():
    """Written down once: another answer here would move events between the parts of existing results."""
    events = [("electron", 1, 1, n) for n in range(1, 13)] + [("photon", 1001, 1, n) for n in range(1, 13)]
    expected = "000010202012000002001200"
    assert "".join(map(str, parts_of(events))) == expected


@settings(deadline=None)
@given(EVENTS, st.randoms())
def test_part_depends_on_the_event_alone(events, random):
    alone = [parts_of([event])[0] for event in events]
    assert parts_of(events).tolist() == alone
    order = random.sample(range(len(events)), len(events))
    assert parts_of([events[i] for i in order]).tolist() == [alone[i] for i in order]


@settings(deadline=None, max_examples=30)
@given(
    sample=st.text(max_size=8),
    run=U32,
    start=st.integers(0, 2**63),
    step=st.sampled_from([1, 2, 1000, 2**20]),
)
def test_fractions_are_binomial(sample, run, start, step):
    n = 20_000
    event = np.uint64(start) + np.arange(n, dtype=np.uint64) * np.uint64(step)
    part = split.part(np.full(n, sample), np.full(n, run), np.ones(n), event)
    for code, fraction in enumerate((0.7, 0.1, 0.2)):
        spread = np.sqrt(n * fraction * (1 - fraction))
        assert abs(np.count_nonzero(part == code) - n * fraction) < 6 * spread


METADATA = Metadata(
    task="electron_photon",
    sample="electron",
    channels=(Channel("EB_energy", "GeV"),),
    rows=4,
    columns=5,
    kinematics=(),
    classes=("photon", "electron"),
    source="electron_000.root",
    source_sha256="ab" * 32,
    origin="e2e simulation",
    rejected={"detector_edge": 0},
)


def write_store(path, sample: str, run: int, events: int = 300, target: float = 1.0, **changes) -> None:
    """A store of two objects an event; ``changes`` are of its metadata."""
    n = 2 * events
    event = np.arange(n, dtype=np.uint64) // 2 + 1
    samples = Samples(
        sample=np.full(n, sample),
        run=np.full(n, run, np.uint32),
        lumi=np.ones(n, np.uint32),
        event=event,
        object=(np.arange(n) % 2).astype(np.uint32),
        target=np.full(n, target, np.float32),
        kinematics={},
        offsets=np.arange(n + 1),
        index=(np.arange(n) % 2).astype(np.uint32),
        value=event.astype(np.float32),
        channels=METADATA.channels,
        classes=changes.get("classes", METADATA.classes),
        shape=METADATA.shape,
    )
    store.write(path, [samples], replace(METADATA, sample=sample, **changes))


@pytest.fixture
def stores(tmp_path):
    paths = [tmp_path / f"{name}_000.parquet" for name in ("electron", "photon", "cosmics")]
    write_store(paths[0], "electron", 1)
    write_store(paths[1], "photon", 1001, target=0.0)
    write_store(paths[2], "cosmics", 5, target=np.nan)
    return paths


def test_write_split(stores, tmp_path):
    split.write_split(stores, tmp_path / "split.parquet", tmp_path / "split.json")
    table = pd.read_parquet(tmp_path / "split.parquet")
    identity = ["sample", "run", "lumi", "event", "object"]
    assert list(table) == [*identity, "file", "row", "part", "target", "weight"]
    assert len(table) == 1800
    assert not table.duplicated(identity).any()
    assert (table.groupby(identity[:4])["part"].nunique() == 1).all()
    for path in stores:
        rows = table[table.file == path.name]
        assert rows.row.tolist() == list(range(600))
        assert rows[identity].reset_index(drop=True).equals(store.read(path).identity())

    summary = json.loads((tmp_path / "split.json").read_text())
    assert summary["events_in_several_parts"] == 0
    for part, counts in summary["parts"].items():
        chosen = table[table.part == part]
        assert counts == {
            "events": len(chosen.drop_duplicates(identity[:4])),
            "objects": len(chosen),
            "photon": (chosen.target == 0).sum(),
            "electron": (chosen.target == 1).sum(),
            "without truth": chosen.target.isna().sum(),
        }
    assert sum(counts["objects"] for counts in summary["parts"].values()) == 1800


def test_adding_files_moves_nothing(stores, tmp_path):
    split.write_split(stores[:1], tmp_path / "one.parquet", tmp_path / "one.json")
    split.write_split(stores[::-1], tmp_path / "all.parquet", tmp_path / "all.json")
    one, everything = pd.read_parquet(tmp_path / "one.parquet"), pd.read_parquet(tmp_path / "all.parquet")
    again = everything[everything.file == stores[0].name].reset_index(drop=True)
    # Weights are relative to the other classes, of which one file has none.
    pd.testing.assert_frame_equal(one.drop(columns="weight"), again.drop(columns="weight"))
    assert one.weight.isna().all()


def test_weights_are_those_of_the_training_part(tmp_path):
    """Fitted once, for all parts; objects without truth have none."""
    generator = np.random.default_rng(1)
    paths = [tmp_path / f"{name}.parquet" for name in ("electron", "photon", "unknown")]
    for path, target in zip(paths, (1.0, 0.0, np.nan), strict=True):
        write_store(path, path.stem, 1, target=target)
        samples = store.read(path)
        kinematics = {name: generator.gamma(2, 20, len(samples)) for name in ("pho_pT", "pho_eta")}
        columns = {name: column.astype(np.float32) for name, column in kinematics.items()}
        metadata = replace(store.read_metadata(path), kinematics=task("electron_photon").kinematics[:3:2])
        store.write(path, [replace(samples, kinematics=columns)], metadata)
    split.write_split(paths, tmp_path / "s.parquet", tmp_path / "s.json")
    table = pd.concat([store.StoreFile(path).objects() for path in paths], ignore_index=True)
    written = pd.read_parquet(tmp_path / "s.parquet")
    known = table.target.notna()
    weighting = balance.fit(table[known & (written.part == "train")], task("electron_photon"))
    np.testing.assert_array_equal(written.weight[known], weighting(table[known]))
    assert written.weight[~known].isna().all()
    assert written.weight[known].nunique() > 500
    for part in split.PARTS:
        stream = Stream(paths, tmp_path / "s.parquet", part)
        np.testing.assert_array_equal(stream.weight, written.weight[known & (written.part == part)])


def test_file_of_one_part_stays_in_it(stores, tmp_path):
    write_store(tmp_path / "public.parquet", "public", 9, part="test")
    split.write_split([*stores, tmp_path / "public.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")
    split.write_split(stores, tmp_path / "others.parquet", tmp_path / "others.json")
    table = pd.read_parquet(tmp_path / "s.parquet")
    assert set(table.part[table.file == "public.parquet"]) == {"test"}
    assert table[table.file != "public.parquet"].equals(pd.read_parquet(tmp_path / "others.parquet"))


def test_file_of_an_unknown_part_is_refused(tmp_path):
    write_store(tmp_path / "a.parquet", "public", 9, part="testing")
    with pytest.raises(E2EError, match=r"'public' of electron_000\.root says it is of part 'testing'"):
        split.write_split([tmp_path / "a.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")


def test_files_of_other_classes_are_refused(stores, tmp_path):
    """The summary counts targets by the names of the first file; those of others may mean something else."""
    write_store(tmp_path / "other.parquet", "muon", 9, classes=("electron", "photon"))
    with pytest.raises(E2EError, match=r"other\.parquet and .*electron_000\.parquet name other classes"):
        split.write_split([*stores, tmp_path / "other.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")
    assert not (tmp_path / "s.parquet").exists()


def test_task_without_classes(tmp_path):
    write_store(tmp_path / "a.parquet", "mass", 1, target=9.5, classes=())
    split.write_split([tmp_path / "a.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")
    for counts in json.loads((tmp_path / "s.json").read_text())["parts"].values():
        assert set(counts) == {"events", "objects", "without truth"}
    assert (pd.read_parquet(tmp_path / "s.parquet").target == 9.5).all()


def test_hits_are_not_read(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(store.StoreFile, "_hits", lambda *_: pytest.fail("hits were read"))
    split.write_split(stores, tmp_path / "s.parquet", tmp_path / "s.json")


def test_read_part_gives_the_objects_with_truth(stores, tmp_path):
    path = tmp_path / "split.parquet"
    split.write_split(stores, path, tmp_path / "split.json")
    table = pd.read_parquet(path)
    seen = 0
    for part in split.PARTS:
        for file, objects in split.read_part(stores[::-1], path, part):
            expected = table[(table.part == part) & table.target.notna() & (table.file == file.path.name)]
            assert objects.index.tolist() == expected.row.tolist()
            columns = [*store.IDENTITY, "target"]
            assert objects[columns].reset_index(drop=True).equals(expected[columns].reset_index(drop=True))
            seen += len(objects)
    assert seen == 1200


def test_bytes_do_not_depend_on_the_directory(stores, tmp_path):
    for folder in ("here", "there"):
        target = tmp_path / folder
        split.write_split(stores, target / "split.parquet", target / "split.json")
    for name in ("split.parquet", "split.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_an_object_twice_is_refused(stores, tmp_path):
    write_store(tmp_path / "copy.parquet", "electron", 1, events=3)
    with pytest.raises(E2EError, match=r"event 1:1:1, sample 'electron', is in electron_000.* and .* copy"):
        split.write_split([*stores, tmp_path / "copy.parquet"], tmp_path / "s.parquet", tmp_path / "s.json")
    assert not (tmp_path / "s.parquet").exists()
    assert not (tmp_path / "s.json").exists()


def test_stores_of_equal_names_are_refused(stores, tmp_path):
    with pytest.raises(E2EError, match="equal names"):
        split.write_split(
            [stores[0], tmp_path / "x" / stores[0].name], tmp_path / "s.parquet", tmp_path / "s.json"
        )


def test_a_stale_split_is_refused(stores, tmp_path):
    path = tmp_path / "split.parquet"
    split.write_split(stores, path, tmp_path / "split.json")
    with pytest.raises(E2EError, match=r"other store files \(differing: cosmics_000.parquet\)"):
        list(split.read_part(stores[:2], path, "train"))
    write_store(stores[1], "photon", 1002, target=0.0)
    with pytest.raises(E2EError, match=r"objects of .*photon_000.parquet have changed"):
        list(split.read_part(stores, path, "train"))


def test_a_file_without_objects_is_of_every_split(stores, tmp_path):
    write_store(tmp_path / "empty.parquet", "nothing", 1, events=0)
    paths = [*stores, tmp_path / "empty.parquet"]
    split.write_split(paths, tmp_path / "s.parquet", tmp_path / "s.json")
    assert len(list(split.read_part(paths, tmp_path / "s.parquet", "train"))) == 3


def test_parts_have_names(stores, tmp_path):
    with pytest.raises(E2EError, match="choose one of: train, validation, test"):
        list(split.read_part(stores, tmp_path / "split.parquet", "testing"))


def test_classes_without_common_kinematics_have_no_weights_and_are_not_learned_from(tmp_path):
    """They may be split, looked at and scored all the same."""
    electron_photon, paths = (
        task("electron_photon"),
        [tmp_path / "electron.parquet", tmp_path / "photon.parquet"],
    )
    for path, target in zip(paths, (1.0, 0.0), strict=True):
        write_store(path, path.stem, 1, target=target)
        samples = replace(store.read(path), channels=electron_photon.channels, shape=electron_photon.shape)
        column = np.full(len(samples), 20 + 50 * target, np.float32)
        quantities = electron_photon.kinematics[:3:2]
        metadata = replace(
            store.read_metadata(path),
            channels=electron_photon.channels,
            rows=electron_photon.crop.rows,
            columns=electron_photon.crop.columns,
            kinematics=quantities,
        )
        kinematics = {quantity.name: column for quantity in quantities}
        store.write(path, [replace(samples, kinematics=kinematics)], metadata)
    split.write_split(paths, tmp_path / "s.parquet", tmp_path / "s.json")
    assert np.isnan(Stream(paths, tmp_path / "s.parquet", "train").weight).all()
    with pytest.raises(
        E2EError, match=r"s\.parquet: its objects have no weights: no two objects of different"
    ):
        batches.stream(paths, tmp_path / "s.parquet", "test", electron_photon)
