"""The sample store: what goes in comes out, as columns and images."""

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e.data import images, parquet, store
from e2e.data.store import IDENTITY, Metadata, Samples
from e2e.errors import E2EError
from e2e.tasks import Channel, Quantity

CHANNELS = (Channel("EB_energy", "GeV"), Channel("EB_time", "ns"))
KINEMATICS = (Quantity("pho_pT", "GeV"),)
METADATA = Metadata(
    task="electron_photon",
    sample="electron",
    channels=CHANNELS,
    rows=4,
    columns=5,
    kinematics=KINEMATICS,
    classes=("photon", "electron"),
    source="electron_000.root",
    source_sha256="ab" * 32,
    origin="e2e simulation",
    rejected={"detector_edge": 3},
)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def make(objects, sample="electron") -> Samples:
    """Samples of (identity numbers, target, pT, {index: value}) tuples."""
    hits = [sorted(hits.items()) for *_, hits in objects]
    flat = [hit for crop in hits for hit in crop]
    numbers = {
        name: np.array([identity[i] for identity, *_ in objects], IDENTITY[name])
        for i, name in enumerate(("run", "lumi", "event", "object"))
    }
    return Samples(
        sample=np.full(len(objects), sample),
        **numbers,
        target=np.array([target for _, target, *_ in objects], np.float32),
        seed_row=np.array([identity[3] % 170 for identity, *_ in objects], np.float32),
        seed_column=np.array([target * 7 for _, target, *_ in objects], np.float32),  # NaN, too
        kinematics={"pho_pT": np.array([pt for *_, pt, _ in objects], np.float32)},
        offsets=np.cumsum([0, *map(len, hits)]),
        index=np.array([index for index, _ in flat], np.uint32),
        value=np.array([value for _, value in flat], np.float32),
        channels=CHANNELS,
        classes=METADATA.classes,
        shape=METADATA.shape,
    )


U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
HITS = st.dictionaries(st.integers(0, 39), FLOATS.filter(bool), max_size=40)
TARGETS = st.sampled_from([0.0, 1.0, np.nan])
OBJECTS = st.lists(st.tuples(st.tuples(U32, U32, U64, U32), TARGETS, FLOATS, HITS), max_size=12)
SAMPLES = OBJECTS.map(make)


def dense(samples: Samples) -> np.ndarray:
    """The images, by a plain loop."""
    images = np.zeros((len(samples), *samples.shape), np.float32)
    for i in range(len(samples)):
        for hit in range(samples.offsets[i], samples.offsets[i + 1]):
            channel, pixel = divmod(int(samples.index[hit]), 20)
            images[i, channel, pixel // 5, pixel % 5] = samples.value[hit]
    return images


def assert_equal(left: Samples, right: Samples) -> None:
    for name in (*IDENTITY, *store.SEED, "target", "offsets", "index", "value"):
        one, other = getattr(left, name), getattr(right, name)
        np.testing.assert_array_equal(one, other, err_msg=name)
        if len(one) and name != "sample":
            assert one.dtype == other.dtype, name
    np.testing.assert_array_equal(left.kinematics["pho_pT"], right.kinematics["pho_pT"])
    assert (left.channels, left.classes, left.shape) == (right.channels, right.classes, right.shape)


@settings(max_examples=40, deadline=None)
@given(samples=SAMPLES)
def test_read_returns_what_was_written(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "a.parquet"
    store.write(path, [samples], METADATA)
    assert_equal(store.read(path), samples)
    assert store.read_metadata(path) == METADATA
    np.testing.assert_array_equal(store.read(path).images(), dense(samples))


@settings(max_examples=40, deadline=None)
@given(samples=SAMPLES, data=st.data())
def test_images_and_rows_of_a_selection(samples, data):
    positions = st.lists(st.integers(0, max(len(samples) - 1, 0)), max_size=8 if len(samples) else 0)
    rows = np.array(data.draw(positions), int)
    mask = np.isin(np.arange(len(samples)), rows)
    for selection in (rows, mask, slice(1, -1)):
        np.testing.assert_array_equal(samples.images(selection), dense(samples)[selection])
        np.testing.assert_array_equal(samples[selection].images(), dense(samples)[selection])
        expected = samples.identity().iloc[selection].reset_index(drop=True)
        assert samples[selection].identity().equals(expected)


def some(n: int) -> Samples:
    return make([((1, 2, i // 2, i % 2), i % 2, 50.0, {i % 40: 1.0 + i}) for i in range(n)])


def test_bytes_do_not_depend_on_the_pieces(tmp_path):
    samples = some(1300)
    store.write(tmp_path / "a.parquet", [samples], METADATA)
    pieces = [samples[start : start + 97] for start in range(0, 1300, 97)]
    store.write(tmp_path / "b.parquet", iter(pieces), METADATA)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_layout_of_the_file(tmp_path):
    path = tmp_path / "a.parquet"
    store.write(path, [some(1300)], METADATA)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [*[128] * 10, 20]
    for i in range(file.metadata.num_columns):
        column = file.metadata.row_group(0).column(i)
        assert column.compression == "LZ4"
        assert not column.has_dictionary_page
        assert column.statistics is None
    schema = file.schema_arrow
    for name in ("index", "value"):
        assert schema.field(name) == pa.field(name, pa.binary(), nullable=False)
    assert list(schema.metadata) == [store.KEY]
    assert b'"name": "EB_time", "unit": "ns"' in schema.metadata[store.KEY]


@settings(max_examples=40, deadline=None)
@given(samples=SAMPLES)
def test_hits_are_bytes_that_numpy_reads(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "a.parquet"
    store.write(path, [samples], METADATA)
    for i, row in enumerate(pq.read_table(path).to_pylist()):
        hits = slice(samples.offsets[i], samples.offsets[i + 1])
        np.testing.assert_array_equal(np.cumsum(np.frombuffer(row["index"], "<u4")), samples.index[hits])
        np.testing.assert_array_equal(np.frombuffer(row["value"], "<f4"), samples.value[hits])


def test_iterate_goes_by_row_group(tmp_path):
    store.write(tmp_path / "a.parquet", [some(1300)], METADATA)
    pieces = list(store.iterate(tmp_path / "a.parquet"))
    assert [len(piece) for piece in pieces] == [*[128] * 10, 20]
    assert_equal(Samples.concatenate(pieces), some(1300))


def test_no_truth_is_null(tmp_path):
    samples = replace(some(3), target=np.array([np.nan, 0, 1], np.float32))
    store.write(tmp_path / "a.parquet", [samples], METADATA)
    assert pq.read_table(tmp_path / "a.parquet")["target"].to_pylist() == [None, 0.0, 1.0]


def test_kinematics_that_are_not_finite_are_null(tmp_path):
    values, unknown = store.known(np.array([1.0, np.nan, np.inf, -np.inf, 1e300]))
    np.testing.assert_array_equal(values, np.float32([1, np.nan, np.nan, np.nan, np.nan]))
    assert unknown == 4
    samples = replace(some(3), kinematics={"pho_pT": np.float32([np.inf, np.nan, 5])})
    store.write(tmp_path / "a.parquet", [samples], METADATA)
    assert pq.read_table(tmp_path / "a.parquet")["pho_pT"].to_pylist() == [None, None, 5.0]


def test_several_files_in_the_order_given(tmp_path):
    store.write(tmp_path / "a.parquet", [some(3)], METADATA)
    store.write(tmp_path / "b.parquet", [some(5)[3:]], replace(METADATA, sample="photon"))
    assert_equal(store.read([tmp_path / "a.parquet", tmp_path / "b.parquet"]), some(5))


def test_a_failed_write_leaves_nothing(tmp_path):
    def pieces():
        yield some(600)
        raise E2EError("the source broke off")

    with pytest.raises(E2EError, match="broke off"):
        store.write(tmp_path / "a.parquet", pieces(), METADATA)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_store(tmp_path):
    with pytest.raises(E2EError, match=r"gone\.parquet: no such file"):
        store.read(tmp_path / "gone.parquet")
    (tmp_path / "page.parquet").write_text("<html>")
    with pytest.raises(E2EError, match=r"page\.parquet: not a readable parquet file"):
        store.read(tmp_path / "page.parquet")
    other = pa.table({"x": [1]})
    pq.write_table(other, tmp_path / "foreign.parquet")
    with pytest.raises(E2EError, match=r"foreign\.parquet: has no checksums.*`e2e convert`"):
        store.read_metadata(tmp_path / "foreign.parquet")
    for name, metadata in {
        "other": {},
        "list": {store.KEY: b"[]"},
        "deep": {store.KEY: b"[" * 10**5},
    }.items():
        again(tmp_path / f"{name}.parquet", other.replace_schema_metadata(metadata))
        with pytest.raises(E2EError, match=rf"{name}\.parquet: .*not a sample store"):
            store.read_metadata(tmp_path / f"{name}.parquet")
    parquet.write_table(tmp_path / "scores.parquet", other)
    with pytest.raises(E2EError, match=r"scores\.parquet: a parquet file of another kind"):
        store.read(tmp_path / "scores.parquet")
    path = tmp_path / "cut.parquet"
    store.write(path, [some(100)], METADATA)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(E2EError, match=r"cut\.parquet: not a readable parquet file"):
        store.read(path)
    with pytest.raises(E2EError, match="no sample store"):
        store.read([])


def test_hits_outside_the_crop_are_refused(tmp_path):
    store.write(tmp_path / "a.parquet", [make([((1, 1, 1, 0), 1.0, 50.0, {40: 1.0})])], METADATA)
    with pytest.raises(E2EError, match=r"a\.parquet: hits do not fit"):
        store.read(tmp_path / "a.parquet")


def again(path, table: pa.Table, **layout) -> None:
    """Write a table as a store is written, whatever it holds."""
    parquet.write(path, table.schema, [table], bulk=len(store.HITS), **store.LAYOUT | layout)


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("index", np.array([3, 0], "<u4").tobytes()),
        ("index", np.array([3, 2**32 - 1], "<u4").tobytes()),
        ("index", np.array([3], "<u4").tobytes()),
        ("value", b"1234567"),
    ],
    ids=["twice the same cell", "descending", "fewer than values", "part of a number"],
)
def test_damaged_hits_are_refused(column, changed, tmp_path):
    path = tmp_path / "a.parquet"
    store.write(path, [make([((1, 1, 1, 0), 1.0, 50.0, {3: 1.0, 4: 2.0})])], METADATA)
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    again(path, table.set_column(place, table.schema.field(column), pa.array([changed], pa.binary())))
    with pytest.raises(E2EError, match=r"a\.parquet: hits do not fit"):
        store.read(path)


def test_columns_that_differ_from_the_metadata_are_refused(tmp_path):
    store.write(tmp_path / "a.parquet", [some(3)], METADATA)
    table = pq.read_table(tmp_path / "a.parquet")
    again(tmp_path / "b.parquet", table.drop_columns("pho_pT"))
    with pytest.raises(E2EError, match=r"b\.parquet: columns do not match"):
        store.read(tmp_path / "b.parquet")


def test_every_byte_is_covered(tmp_path):
    """One flipped bit anywhere, but in the magic of the beginning that nobody reads, is noticed."""
    path, damaged = tmp_path / "a.parquet", tmp_path / "b.parquet"
    store.write(path, [some(300)], METADATA)
    content = path.read_bytes()
    random = np.random.default_rng(1)
    for place in {*random.integers(4, len(content), 600).tolist(), *range(len(content) - 60, len(content))}:
        changed = bytearray(content)
        changed[place] ^= 1 << random.integers(8)
        damaged.write_bytes(changed)
        with pytest.raises(E2EError, match=r"b\.parquet: .*e2e convert"):
            store.read(damaged)


def test_damage_shows_in_what_is_read(tmp_path):
    """That of the hits does not matter to who reads the other columns, and the other way round."""
    path = tmp_path / "a.parquet"
    store.write(path, [some(300)], METADATA)
    group = pq.read_metadata(path).row_group(1)
    content = path.read_bytes()
    columns = {"event": 3, "value": group.num_columns - 1}
    for name, column in columns.items():
        changed = bytearray(content)
        changed[group.column(column).data_page_offset + group.column(column).total_compressed_size - 1] ^= 1
        path.write_bytes(changed)
        file = store.StoreFile(path)
        file.hits_of(0)
        with pytest.raises(E2EError, match="row group 1 is damaged"):
            file.samples(1)
        if name == "event":
            file.hits_of(1)
            with pytest.raises(E2EError, match="row group 1 is damaged"):
                file.objects()
        else:
            file.objects()
            with pytest.raises(E2EError, match="row group 1 is damaged"):
                file.hits_of(1)


@pytest.mark.parametrize("rewritten", [{}, {"use_dictionary": False, "compression": "lz4"}])
def test_a_store_that_another_program_wrote_again_is_refused(rewritten, tmp_path):
    path = tmp_path / "a.parquet"
    store.write(path, [some(300)], METADATA)
    pq.write_table(pq.read_table(path), path, **rewritten)
    with pytest.raises(E2EError, match=r"a\.parquet: .*written (again )?by another program; make it with"):
        store.read(path)


def test_hits_that_a_file_holds_but_does_not_state_are_refused(tmp_path):
    """A dictionary makes a column say that it has fewer bytes than it has."""
    path = tmp_path / "a.parquet"
    objects = [((1, 1, i, 0), 1.0, 50.0, dict.fromkeys(range(40), 1.0)) for i in range(100)]
    store.write(path, [make(objects)], METADATA)
    again(path, pq.read_table(path), use_dictionary=True)
    with pytest.raises(E2EError, match=r"a\.parquet: hits do not fit"):
        store.StoreFile(path).hits_of(0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": 2.5}, "rows is 2.5, not a whole number"),
        ({"rows": True}, "rows is true, not a whole number"),
        ({"rows": 10**9, "columns": 10**9}, "crops of"),
        ({"rows": -4}, "crops of"),
        ({"columns": 10**30}, "too large"),
        ({"channels": {}}, "channels is {}, not a list"),
        ({"channels": [{"name": "EB_energy"}]}, "is missing"),
        ({"channels": ["EB_energy"]}, "not an object"),
        ({"rejected": {"detector_edge": "3"}}, "rejected.detector_edge"),
        ({"shape": 3}, "shape is unknown"),
        ({"tracks": "banana"}, 'tracks at "banana"; known are direction, point, vertex'),
        ({"format": 1}, "unknown format"),
        ({"format": 2}, "unknown format"),
        ({"format": None}, "unknown format"),
        ({"format": "3"}, "unknown format"),
    ],
)
def test_metadata_that_say_what_cannot_be_are_refused(changes, reason, tmp_path):
    store.write(tmp_path / "a.parquet", [some(3)], METADATA)
    table = pq.read_table(tmp_path / "a.parquet")
    text = json.dumps(json.loads(METADATA.to_json()) | changes)
    again(tmp_path / "a.parquet", table.replace_schema_metadata({store.KEY: text}))
    with pytest.raises(E2EError, match=rf"a\.parquet: not a sample store of format 3 .*{re.escape(reason)}"):
        store.read(tmp_path / "a.parquet")


def test_a_target_that_is_no_class_is_refused(tmp_path):
    store.write(tmp_path / "a.parquet", [replace(some(3), target=np.float32([0, 7, 1]))], METADATA)
    for read in (store.read, lambda path: store.StoreFile(path).objects()):
        with pytest.raises(E2EError, match=r"a\.parquet: a target is none of the 2 classes"):
            read(tmp_path / "a.parquet")


def test_compiled_loops_stay_inside_their_arrays():
    index, value = np.zeros(4, np.uint32), np.zeros(4, np.float32)
    for start, count, places in ([0], [5], 9), ([-1], [1], 9), ([0, 2], [2, 2], 3), ([3], [2], 9):
        arrays = np.array(start), np.array(count), index, value
        taken = np.empty(places, np.uint32), np.empty(places, np.float32)
        with pytest.raises(IndexError):
            store.copy_hits(*arrays, *taken)
        if places == 9:
            with pytest.raises(IndexError):
                images.images(*arrays, (1, 2, 3))


def test_samples_of_other_units_are_not_mixed():
    other = replace(some(2), channels=(CHANNELS[0], Channel("EB_time", "ps")))
    with pytest.raises(E2EError, match=r"EB_time \[ns\].*EB_time \[ps\]"):
        Samples.concatenate([some(2), other])


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("electron", "photon")},
        {"classes": ("photon", "electron", "muon")},
        {"shape": (2, 5, 4)},
        {"kinematics": {"pho_E": np.float32([50, 50])}},
        {"kinematics": {}},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_samples_of_another_description_are_not_mixed(changes):
    """Classes in another order would turn every label around, and no number would say so."""
    with pytest.raises(E2EError, match="different channels, units, shape, classes or kinematics"):
        Samples.concatenate([some(2), replace(some(2), **changes)])
