"""Jets to the store: towers over crystals, crops across phi, truth; and real CMS events to show mistakes."""

import struct
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cramjam
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e import tasks
from e2e.data import baskets, crops, layouts, ntuple, store
from e2e.data import convert as module
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.errors import E2EError
from e2e.tasks import ECAL, HCAL, Crop
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON
from e2e.tasks.mass_regression import TASK as MASS_REGRESSION
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
from e2e.tasks.tau import TASK as TAU

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
import rhtree

ROWS, COLUMNS = QUARK_GLUON.detector
SEED_BRANCHES = layouts.TABLE["objects"]["jet"]["seeds"]
BRANCHES = {channel.name: layouts.TABLE["images"][channel.name][0]["branch"] for channel in TAU.channels}


def frame(channel, random) -> np.ndarray:
    """A sparse frame of a channel, of positive and negative values."""
    shape = ROWS // channel.cell, COLUMNS // channel.cell
    values = random.normal(1, 2, shape).astype(np.float32)
    return np.where(random.random(shape) < 0.02, values, np.float32(0))


def over_crystals(values: np.ndarray, channel) -> np.ndarray:
    """Value of each crystal [280, 360]: a tower's share where there are towers."""
    cell = channel.cell
    shares = values.astype(np.float32) / cell**2
    return shares.repeat(cell, axis=0).repeat(cell, axis=1)


def expected(event: Event, task, row: int, column: int) -> np.ndarray:
    """Crop [C, 125, 125] around the middle crystal of a tower, the detector turned so that nothing wraps."""
    row, column = 5 * row + 2, 5 * column + 2
    layers = [over_crystals(event.channels[channel.name], channel) for channel in task.channels]
    return np.stack([np.roll(layer, 180 - column, axis=1)[row - 62 : row + 63, 118:243] for layer in layers])


TRUTH = {"quark_gluon": "jet_truthLabel", "mass_regression": "a_m", "tau": "jet_IsTau"}


def jets(task, number: int, seeds, truth=None, **extra) -> Event:
    random = np.random.default_rng(number)
    objects = {
        "jetSeed_ieta": np.array([row for row, _ in seeds], np.float32),
        "jetSeed_iphi": np.array([column for _, column in seeds], np.float32),
        "jetPt": random.random(len(seeds)).astype(np.float32),
        "jetEta": np.array([0.087 * (row - 27.5) for row, _ in seeds], np.float32),
        "jetPhi": np.array([np.radians(5 * column - 7.5) for _, column in seeds], np.float32),
        **extra,
    }
    if truth is not None:
        objects[TRUTH[task.name]] = np.array(truth, np.float32)
    channels = {channel.name: frame(channel, random) for channel in task.channels}
    if HCAL in task.channels:
        for row, column in seeds:
            channels[HCAL.name][row, column] = 100
    return Event(7, 1, number, channels, objects)


SEEDS = [[(12, 0), (43, 71)], [], [(11, 5), (44, 6), (20, 12), (30, 59)], [(25, 1)]]
KEPT = [(1, 0), (1, 1), (3, 2), (3, 3), (4, 0)]


@pytest.mark.parametrize("task", [QUARK_GLUON, MASS_REGRESSION, tasks.task("tau", 4)], ids=lambda t: t.name)
def test_crops_of_jets(tmp_path, task):
    events = [jets(task, number, seeds) for number, seeds in enumerate(SEEDS, 1)]
    write_ntuple(tmp_path / "jets.root", events, task=task)
    metadata = convert(task, tmp_path / "jets.root", tmp_path / "out.parquet", progress=False)
    assert metadata.rejected == {"detector_edge": 2}
    assert metadata.channels == task.channels
    samples = store.read(tmp_path / "out.parquet")
    assert list(zip(samples.event, samples.object, strict=True)) == KEPT
    for image, (number, position) in zip(samples.images(), KEPT, strict=True):
        np.testing.assert_array_equal(image, expected(events[number - 1], task, *SEEDS[number - 1][position]))
    assert np.isnan(samples.kinematics["jetM"]).all()
    pt = [events[number - 1].objects["jetPt"][position] for number, position in KEPT]
    np.testing.assert_array_equal(samples.kinematics["jetPt"], pt)


def of_tau_classification(seeds) -> dict[str, np.ndarray]:
    """Its other branches, of jets in the order of their seeds and in the middle of these."""
    row, column = (np.array(numbers) + 0.5 for numbers in zip(*seeds, strict=True))
    eta, phi, pt = (row - 28) * 0.087, (column - 2) * 2 * np.pi / 72, np.arange(len(seeds), 0, -1) * 10.0
    momentum = {"jet_Px": pt * np.cos(phi), "jet_Py": pt * np.sin(phi), "jet_Pz": pt * np.sinh(eta)}
    return {"jet_Pt": pt, "jet_Eta": eta, "gen_Prongs": np.ones(len(seeds)), **momentum}


@pytest.mark.parametrize(
    ("task", "truth", "target"),
    [
        (QUARK_GLUON, [21, 2, -1, 0], [0, 1, 1, np.nan]),
        (MASS_REGRESSION, [3.6, 0, 14.5, 8], [3.6, np.nan, 14.5, 8]),
        (TAU, [0, 1, 1, -99], [0, 1, 1, np.nan]),
        (TAU, [0, 1, -1, 2], [0, 1, np.nan, np.nan]),  # a flag has no sign
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_truth(tmp_path, task, truth, target):
    extra = {"jetM": np.arange(4, dtype=np.float32)}
    if task is TAU:
        extra |= of_tau_classification([(20, 10), (21, 30), (22, 50), (23, 70)])
    event = jets(task, 1, [(20, 10), (21, 30), (22, 50), (23, 70)], truth, **extra)
    write_ntuple(tmp_path / "jets.root", [event], task=task)
    metadata = convert(task, tmp_path / "jets.root", tmp_path / "out.parquet", progress=False)
    assert (metadata.origin, metadata.tracks) == ("e2e simulation", "direction")
    samples = store.read(tmp_path / "out.parquet")
    np.testing.assert_array_equal(samples.target, np.float32(target))
    np.testing.assert_array_equal(samples.kinematics["jetM"], extra["jetM"])


ENDLESS = np.full(10, 2**60)  # room for the hits of each crop


def cut(task, channel, values: np.ndarray, top, left) -> np.ndarray:
    """Crops [N, H, W] of frames [events, rows, columns]: the first N // events from the first, and so on."""
    entries = np.arange(len(top)) * len(values) // len(top)
    windows = np.asarray(top), np.asarray(left), np.zeros(len(top), bool)
    cutter = crops.Cutter(task, channel, entries, *windows, ENDLESS)
    assert cutter.cut(crops.to_records(values.reshape(len(values), -1)), 0, len(top))
    index, value = cutter.hits()
    images = np.zeros((len(top), task.crop.rows * task.crop.columns), np.float32)
    images[np.repeat(np.arange(len(top)), cutter.counts), index] = value
    return images.reshape(len(top), task.crop.rows, task.crop.columns)


numbers = st.integers(0, 2**32 - 1)
channels = st.sampled_from([ECAL, HCAL])
tops, lefts = st.integers(0, ROWS - 125), st.integers(-200, 400)
towers_away = st.integers(-12, 12)


@settings(deadline=None, max_examples=60)
@given(numbers, channels, st.lists(st.tuples(tops, lefts), min_size=1, max_size=5))
def test_any_crop_shows_the_crystals_under_it(number, channel, starts):
    random = np.random.default_rng(number)
    values = np.stack([frame(channel, random) for _ in range(2)])
    images = cut(QUARK_GLUON, channel, values, *zip(*starts, strict=True))
    for k, (top, left) in enumerate(starts):
        layer = over_crystals(values[k * 2 // len(starts)], channel)
        crystals = layer[top : top + 125, (left + np.arange(125)) % 360]
        np.testing.assert_array_equal(images[k], crystals)


@settings(deadline=None, max_examples=60)
@given(numbers, channels, tops, st.integers(0, 71), st.integers(1, 71))
def test_turning_the_detector_turns_the_crop(number, channel, top, column, turn):
    values = frame(channel, np.random.default_rng(number))[None]
    turned = np.roll(values, turn * 5 // channel.cell, axis=2)
    here = cut(QUARK_GLUON, channel, values, [top], [5 * column])
    np.testing.assert_array_equal(here, cut(QUARK_GLUON, channel, turned, [top], [5 * (column + turn)]))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(12, 43), st.integers(0, 71), st.integers(-12, 12), st.integers(-12, 12), st.floats(0.01, 500)
)
def test_a_tower_keeps_its_energy(row, column, up, right, energy):
    """A tower is 25 equal crystals: seen from a seed, 5 of them in each direction for each tower between."""
    towers = np.zeros((1, 56, 72), np.float32)
    towers[0, row + up, (column + right) % 72] = energy
    image = cut(QUARK_GLUON, HCAL, towers, [5 * row + 2 - 62], [5 * column + 2 - 62])[0]
    assert image.sum(dtype=float) == pytest.approx(energy, rel=1e-5)
    filled = np.argwhere(image)
    assert len(filled) == 25
    assert filled.min(0).tolist() == [60 + 5 * up, 60 + 5 * right]
    assert filled.max(0).tolist() == [64 + 5 * up, 64 + 5 * right]


def test_a_negative_zero_is_no_hit():
    values = np.zeros((1, ROWS, COLUMNS), np.float32)
    values[0, 100, 100:120] = -0.0
    values[0, 100, 105] = -3
    windows = np.array([60]), np.array([60]), np.zeros(1, bool)
    cutter = crops.Cutter(QUARK_GLUON, ECAL, np.zeros(1, int), *windows, ENDLESS)
    cutter.cut(crops.to_records(values.reshape(1, -1)), 0, 1)
    assert cutter.counts.tolist() == [1]


def test_a_share_that_is_too_small_for_a_float_is_no_hit():
    towers = np.zeros((1, 56, 72), np.float32)
    towers[0, 20, 20:22] = np.float32(1e-45), 25
    image = cut(QUARK_GLUON, HCAL, towers, [100 - 62], [110 - 62])[0]
    assert np.unique(image, return_counts=True)[1].tolist() == [125 * 125 - 25, 25]
    windows = np.array([38]), np.array([48]), np.zeros(1, bool)
    cutter = crops.Cutter(QUARK_GLUON, HCAL, np.zeros(1, int), *windows, ENDLESS)
    cutter.cut(crops.to_records(towers.reshape(1, -1)), 0, 1)
    assert cutter.hits()[1].tolist() == [1] * 25


def quartered(image: np.ndarray) -> np.ndarray:
    """What the public files hold of a frame [280, 360], cell by cell."""
    padded = np.zeros((282, 360))
    padded[1:281] = image  # the rows 0 and 281 are those that upstream adds; now blocks start at even rows
    result = image.astype(float)
    for row in [*range(55), *range(225, 280)]:
        for column in range(360):
            first, left = (row + 1) // 2 * 2, column // 2 * 2
            if row >= 225:
                first = 226 + (row - 225) // 2 * 2
            result[row, column] = padded[first : first + 2, left : left + 2].sum() / 16
    return result


def test_endcaps_as_in_the_public_files_on_demand(tmp_path):
    event = jets(QUARK_GLUON, 1, [(12, 10), (43, 40)])
    write_ntuple(tmp_path / "jets.root", [event], task=QUARK_GLUON)
    metadata = convert(
        QUARK_GLUON, tmp_path / "jets.root", tmp_path / "out.parquet", progress=False, quarter_endcaps=True
    )
    assert metadata.notes["endcaps"] == "quartered"
    before = event.channels["ECAL_energy"]
    event.channels["ECAL_energy"] = quartered(before)
    images = store.read(tmp_path / "out.parquet").images()
    for image, seed in zip(images, [(12, 10), (43, 40)], strict=True):
        np.testing.assert_allclose(image, expected(event, QUARK_GLUON, *seed), rtol=1e-5, atol=1e-6)
    inner = quartered(before)
    assert inner[1:55].sum() == pytest.approx(before[1:55].sum(dtype=float) / 4, rel=1e-5)  # whole blocks
    np.testing.assert_array_equal(inner[55:225], before[55:225])

    write_ntuple(tmp_path / "none.root", [], task=ELECTRON_PHOTON)
    with pytest.raises(E2EError, match="electron_photon has no ECAL_energy, so no endcaps"):
        convert(ELECTRON_PHOTON, tmp_path / "none.root", tmp_path / "no.parquet", quarter_endcaps=True)


@pytest.fixture
def written(tmp_path):
    """Writes events branch by branch, as other programs may."""

    def write(events, change=lambda branches: None, per_basket: int = 3, **options):
        branches = {
            "runId": np.array([event.run for event in events], np.uint32),
            "lumiId": np.array([event.lumi for event in events], np.uint32),
            "eventId": np.array([event.event for event in events], np.uint64),
        }
        for branch in (*events[0].channels, *events[0].objects):
            values = [np.ravel({**e.channels, **e.objects}[branch]) for e in events]
            branches[BRANCHES.get(branch, branch)] = values
        change(branches)
        return rhtree.write(tmp_path / "written.root", branches, per_basket=per_basket, **options)

    return write


LAYOUTS = {
    "uncompressed": {"compression": 0},
    **{name: {"compression": number} for name, number in rhtree.METHODS.items()},
    "one event a basket": {"per_basket": 1},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("chunk", [1, 1000])
def test_every_layout_of_a_file_gives_the_same_objects(tmp_path, written, layout, chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    events = [jets(QUARK_GLUON, number, seeds, [21] * len(seeds)) for number, seeds in enumerate(SEEDS, 1)]
    metadata = convert(QUARK_GLUON, written(events, **layout), tmp_path / "out.parquet", progress=False)
    assert metadata.rejected == {"detector_edge": 2}
    samples = store.read(tmp_path / "out.parquet")
    assert (samples.target == 0).all()
    for image, (number, position) in zip(samples.images(), KEPT, strict=True):
        np.testing.assert_array_equal(
            image, expected(events[number - 1], QUARK_GLUON, *SEEDS[number - 1][position])
        )


@pytest.mark.parametrize("method", [uproot.ZLIB(1), uproot.ZSTD(1)], ids=lambda method: method.name)
def test_baskets_of_several_blocks(method):
    """ROOT's blocks hold 16 MB at most."""
    content = np.zeros(40_000_000, np.uint8)
    content[::1000] = np.arange(40_000) % 251
    blocks = np.frombuffer(uproot.compression.compress(content.tobytes(), method), np.uint8)
    assert blocks[:-2].tobytes().count(method._2byte + method._method) >= 3
    np.testing.assert_array_equal(baskets._decompress(blocks, np.empty_like(content)), content)
    for damaged in (blocks[: len(blocks) // 2], blocks[:4]):
        with pytest.raises((ValueError, struct.error, cramjam.DecompressionError)):
            baskets._decompress(damaged, np.empty_like(content))
    with pytest.raises((ValueError, cramjam.DecompressionError)):
        baskets._decompress(blocks, np.empty(20_000_000, np.uint8))


def put(branch: str, entry: int, cell: int, value: float):
    def change(branches):
        branches[branch][entry][cell] = value

    return change


def upsampled(branches):
    branches["HBHE_energy"] = [np.zeros(ROWS * COLUMNS, np.float32) for _ in branches["HBHE_energy"]]


BAD = {
    "seed row": (
        put("jetSeed_ieta", 2, 1, 56),
        r"7:1:3: jetSeed_ieta holds a seed at 56\.0; towers .* 0 to 55",
    ),
    "seed column": (put("jetSeed_iphi", 0, 0, 72), r"7:1:1: jetSeed_iphi holds a seed at 72\.0; .* 0 to 71"),
    "towers": (upsampled, r"7:1:1: HBHE_energy has 100800 values; a frame of 56 x 72 has 4032"),
    "NaN in a tower": (
        put("HBHE_energy", 3, 25 * 72 + 71, np.nan),
        r"7:1:4: HBHE_energy is nan at row 25, column 71",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_jets(tmp_path, written, change, message):
    source = written([jets(QUARK_GLUON, number, seeds) for number, seeds in enumerate(SEEDS, 1)], change)
    with pytest.raises(E2EError, match=message):
        convert(QUARK_GLUON, source, tmp_path / "out" / "out.parquet", progress=False)
    assert not list(tmp_path.glob("out/*"))


def test_what_no_crop_shows_is_not_looked_at(tmp_path, written):
    """A frame without a kept object is not even read; the docstring says so."""
    events = [jets(QUARK_GLUON, number, seeds) for number, seeds in enumerate(SEEDS, 1)]
    source = written(events, put("ECAL_energy", 1, 5, np.nan), per_basket=1)
    convert(QUARK_GLUON, source, tmp_path / "out.parquet", progress=False)
    assert np.isfinite(store.read(tmp_path / "out.parquet").value).all()


def test_missing_last_channels_can_be_left_out(tmp_path):
    fewer = tasks.task("mass_regression", 5)
    write_ntuple(tmp_path / "jets.root", [jets(fewer, 1, [(20, 20)])], task=fewer)
    with pytest.raises(E2EError, match=r"no branch BPIX_layer1_ECAL_atPV; .* or take the first 5 channels"):
        convert(MASS_REGRESSION, tmp_path / "jets.root", tmp_path / "out.parquet", progress=False)
    metadata = convert(fewer, tmp_path / "jets.root", tmp_path / "out.parquet", progress=False)
    assert metadata.shape == (5, 125, 125)


@pytest.fixture(params=[("cms2012-double-electron", 108), ("cms2012-bjet", 107)], ids=lambda p: p[0])
def collisions(request, shared, tmp_path):
    """Images of the jets of a file of real collisions, the energies of their towers, and their number."""
    name, count = request.param
    source = shared / "data" / f"{name}-rhtree.root"
    convert(QUARK_GLUON, source, tmp_path / "out.parquet", progress=False)
    with uproot.open(source) as file:
        events = file[ntuple.TREE].arrays([BRANCHES[HCAL.name], *SEED_BRANCHES], library="np")
    energies = [
        event.reshape(56, 72)[rows.astype(int), columns.astype(int)]
        for event, rows, columns in zip(
            *(events[name] for name in (BRANCHES[HCAL.name], *SEED_BRANCHES)), strict=True
        )
    ]
    return store.read(tmp_path / "out.parquet").images(), np.concatenate(energies), count


def test_real_jets_all_give_a_crop_around_their_tower(collisions):
    images, seed_towers, count = collisions
    assert len(images) == count
    towers = images[:, 2].reshape(count, 25, 5, 25, 5)
    assert (towers == towers[:, :, :1, :, :1]).all(), "a tower is not 5 x 5 equal crystals of the crop"
    np.testing.assert_allclose(towers[:, 12, :, 12].sum((1, 2)), seed_towers, rtol=1e-6)
    window = towers[:, 9:16, 0, 9:16, 0].reshape(count, 49)[seed_towers > 0]
    assert len(window) > 0.6 * count  # seeds without energy there are the tower of the jet's axis
    assert (window.argmax(1) == 24).mean() > 0.9, "the seed is not the hottest of the 7 x 7 towers around it"


@pytest.mark.parametrize(("other", "tolerance"), [(1, 2), (2, 3)], ids=["ECAL", "HCAL"])
def test_real_tracks_and_calorimeters_line_up(collisions, other, tolerance):
    """Products of track momentum and energy, summed over all jets, are largest where neither is displaced."""
    images, _, _ = collisions
    tracks, energy = images[:, 0, 20:105, 20:105], np.sqrt(images[:, other])
    products = [
        [(tracks * energy[:, 20 + i : 105 + i, 20 + j : 105 + j]).sum() for j in range(-20, 21)]
        for i in range(-20, 21)
    ]
    i, j = np.unravel_index(np.argmax(products), (41, 41))
    assert (abs(i - 20), abs(j - 20)) <= (tolerance, tolerance)
    assert abs(j - 20) <= tolerance


# Edges in |eta| of the HCAL towers that lie over the ECAL endcaps (CMS TDR 2, 1997); five crystals each.
ENDCAP = (1.479, 1.566, 1.653, 1.740, 1.830, 1.930, 2.043, 2.172, 2.322, 2.500, 2.650, 3.000)


def crystal(eta: float, phi: float) -> tuple[int, int]:
    """(row, column) of a direction in ECAL_energy; iphi 1 starts at -10 degrees."""
    endcap = np.concatenate([np.linspace(a, b, 5, endpoint=False) for a, b in pairwise(ENDCAP)])
    barrel = np.linspace(-1.479, 1.479, 170, endpoint=False)[1:]
    edges = np.concatenate([[-3], -endcap[::-1], barrel, endcap])
    return int(np.searchsorted(edges, eta)) - 1, int(np.floor(np.degrees(phi) + 10)) % 360


def test_real_electrons_have_their_momentum_in_the_ecal(shared, tmp_path):
    """The 22 electrons above 15 GeV: energy in 9 x 17 crystals over the momentum of the track."""
    electrons, events = [], []
    with uproot.open(shared / "data/cms2012-double-electron-rhtree.root") as file:
        tree = file[ntuple.TREE].arrays(library="np")
    for entry, number in enumerate(tree["eventId"]):
        quantities = zip(*(tree[f"ele_{name}"][entry] for name in ("pT", "eta", "phi")), strict=True)
        chosen = [(pt, eta, phi) for pt, eta, phi in quantities if pt > 15 and abs(eta) < 2.5]
        found = [(pt * np.cosh(eta), *crystal(eta, phi)) for pt, eta, phi in chosen]
        seeds = np.array([(row // 5, column // 5) for _, row, column in found], np.float32).reshape(-1, 2)
        objects = {name: seeds[:, i] for i, name in enumerate(SEED_BRANCHES)}
        objects |= dict.fromkeys(("jetPt", "jetEta", "jetPhi"), np.zeros(len(found), np.float32))
        frames = {
            channel.name: tree[BRANCHES[channel.name]][entry].reshape(QUARK_GLUON.frame_shape(channel))
            for channel in QUARK_GLUON.channels[:2]
        }
        events.append(Event(1, 1, int(number), frames, objects))
        electrons += found
    assert len(electrons) == 22
    # no HCAL, in which electrons are no seeds; a crop so small that those near the detector's end have one
    task = replace(QUARK_GLUON, channels=QUARK_GLUON.channels[:2], crop=Crop(25, 25, 12, 12))
    write_ntuple(tmp_path / "electrons.root", events, task=task)
    convert(task, tmp_path / "electrons.root", tmp_path / "out.parquet", progress=False)
    images = store.read(tmp_path / "out.parquet").images()[:, 1]
    ratios = []
    for image, (momentum, row, column) in zip(images, electrons, strict=True):
        i, j = 12 + row % 5 - 2, 12 + column % 5 - 2
        ratios.append(image[i - 4 : i + 5, j - 8 : j + 9].sum() / momentum)
    assert 0.96 < np.median(ratios) < 1
    assert min(ratios) > 0.75
    assert max(ratios) < 1.05
