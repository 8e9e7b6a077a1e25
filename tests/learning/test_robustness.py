"""Answers under changes of the detector: one detector for all objects, and nothing where nothing changes."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from e2e.data import store
from e2e.errors import E2EError
from e2e.learning import robustness
from e2e.learning.measures import measures
from e2e.learning.reference import load, reference
from e2e.learning.robustness import CHANGES, NETWORK, Change, Seen, changed, changes, compare
from e2e.report.robustness import draw
from e2e.tasks import Classification
from e2e.tasks.electron_photon import TASK
from e2e.tasks.mass_regression import TASK as MASS

OUTWARD = TASK.oriented("outward")
BY_NAME = {change.label: change for change in CHANGES}


def whole(task, channel, rows, columns):
    """Objects with seeds at ``rows`` and ``columns``, all of whose cells are hit, in one channel."""
    objects, cells = len(rows), task.crop.rows * task.crop.columns
    first = task.channels.index(channel) * cells
    return store.Samples(
        sample=np.full(objects, "a"),
        **{
            name: np.arange(objects).astype(store.IDENTITY[name])
            for name in ("run", "lumi", "event", "object")
        },
        target=np.zeros(objects, np.float32),
        kinematics={},
        offsets=np.arange(objects + 1) * cells,
        index=np.tile(np.arange(first, first + cells, dtype=np.uint32), objects),
        value=np.ones(objects * cells, np.float32),
        channels=task.channels,
        classes=task.classes,
        shape=task.shape,
        seed_row=np.float32(rows),
        seed_column=np.float32(columns),
    )


def seen(task, samples, change):
    """{(row, column) of the detector: values that the objects show there}."""
    end = np.where((samples.seed_row < task.detector[0] / 2) & task.crop.outward, -1, 1)
    images = changed(samples, task, change).images().sum(axis=1)
    found = {}
    for i, image in enumerate(images):
        for row in range(task.crop.rows):
            for column in range(task.crop.columns):
                place = (
                    int(samples.seed_row[i] + end[i] * (row - task.crop.seed_row)),
                    int(samples.seed_column[i] + end[i] * (column - task.crop.seed_column)) % 360,
                )
                found.setdefault(place, set()).add(float(image[row, column]))
    return found


@pytest.mark.parametrize("name", ["dead channels 3 %", "dead towers 1 %", "miscalibration 1 %"])
def test_all_objects_meet_the_same_channels_wherever_their_crops_lie(name):
    """Crops that overlap, of both ends, turned outward, and around the seam in phi."""
    rows, columns = np.array([90, 92, 97, 79, 84, 80, 110, 60]), np.array([2, 358, 10, 5, 350, 2, 180, 180])
    found = seen(OUTWARD, whole(OUTWARD, TASK.channels[0], rows, columns), BY_NAME[name])
    assert all(len(values) == 1 for values in found.values())
    values = np.array([value for (value,) in found.values()])
    if name.startswith("dead"):
        assert set(values) == {0.0, 1.0}
        assert 0.002 < np.mean(values == 0) < 0.06
    else:
        assert values.std() == pytest.approx(0.01, rel=0.1)


def test_a_turned_crop_loses_the_cells_of_the_detector_that_a_plain_one_does():
    """The same seed at z < 0, its crop turned and as in the detector: turning commutes with changing."""
    change, plain = BY_NAME["dead channels 3 %"], TASK.oriented(None)
    rows, columns = np.array([40, 71]), np.array([1, 200])
    turned, other = (
        changed(whole(task, TASK.channels[0], rows, columns), task, change).images()[:, 0]
        for task in (OUTWARD, plain)
    )
    # A turned crop has one more row and column on the other side of its seed.
    np.testing.assert_array_equal(turned[:, :31, :31], other[:, :31, :31][:, ::-1, ::-1])
    assert not turned.all()


def test_more_dead_channels_are_those_of_fewer_and_others():
    samples = whole(TASK, TASK.channels[0], np.arange(20, 150, 5), np.arange(20, 150, 5))
    few, many = (
        changed(samples, TASK, BY_NAME[f"dead channels {share} %"]).images() == 0 for share in (0.3, 3)
    )
    assert not (few & ~many)[:, 0].any()
    assert few[:, 0].mean() == pytest.approx(0.003, abs=0.002)


def test_dead_towers_of_jets_are_dead_in_both_calorimeters():
    rows, columns = np.array([62, 137, 217]), np.array([2, 182, 357])
    ecal, hcal = (
        seen(MASS, whole(MASS, channel, rows, columns), BY_NAME["dead towers 1 %"])
        for channel in MASS.channels
        if channel.name in ("ECAL_energy", "HCAL_energy")
    )
    assert ecal == hcal
    dead = {place for place, values in ecal.items() if values == {0.0}}
    assert dead
    for row, column in dead:  # towers are whole
        assert {
            (row // 5 * 5 + i, column // 5 * 5 + j) for i in range(5) for j in range(5)
        } & ecal.keys() <= dead


def test_a_task_knows_the_changes_of_its_channels():
    assert [change.label for change in changes(TASK)] == list(BY_NAME)
    assert [change.label for change in changes(MASS)] == [n for n in BY_NAME if "time" not in n]
    assert "energy scale -3 %" in BY_NAME
    assert "threshold 0.3 GeV" in BY_NAME
    assert "time offset +0.5 ns" in BY_NAME


def test_crops_that_do_not_know_their_place_are_refused():
    samples = whole(TASK, TASK.channels[0], [90.0, np.nan], [3.0, 3.0])
    with pytest.raises(E2EError, match="sample a: its crops do not tell where in the detector they are"):
        changed(samples, TASK, CHANGES[0])


@pytest.fixture
def objects():
    """Table of 800 objects, two an event, with odds that tell the classes apart, and weights."""
    generator = np.random.default_rng(2)
    target = np.arange(800) % 2
    event = np.arange(800) // 2
    table = pd.DataFrame({"sample": "s", "run": 1, "lumi": 1, "event": event, "target": np.float32(target)})
    return table, generator.normal(size=800) + 1.5 * target, generator.uniform(0.5, 1.5, 800)


def test_no_change_makes_no_difference_and_a_worse_answer_a_paired_one(objects):
    table, odds, weight = objects
    noise = np.random.default_rng(1).normal(size=800)
    known, target = measures(TASK), table["target"].to_numpy()
    cuts = {who: known.cuts(odds, target, weight) for who in ("one", "other")}
    nominal = Seen(table, weight, {"one": odds, "other": odds})
    worse = Seen(table, weight, {"one": odds, "other": odds + noise})
    shifted = Seen(table, weight, {"one": odds - 0.3, "other": odds})
    found = compare(known, nominal, {"same": nominal, "worse": worse, "shifted": shifted}, cuts)
    for figure, value in found.nominal["one"].items():
        same = found.changes["same"]["one"][figure]
        assert same["value"] == value["value"]
        assert same["difference"] == {"value": 0.0, "interval_68": [0.0, 0.0], "interval_95": [0.0, 0.0]}
    assert found.changes["same"]["versus"]["value"] == 0
    area = roc_auc_score(target, odds + noise, sample_weight=weight)
    assert found.changes["worse"]["other"]["auc"]["value"] == pytest.approx(area, abs=1e-6)
    assert found.changes["worse"]["other"]["auc"]["difference"]["interval_95"][1] < 0
    assert found.changes["worse"]["versus"]["interval_95"][0] > 0
    # The area keeps where all odds move alike; what passes the cut does not.
    moved = found.changes["shifted"]["one"]
    assert moved["auc"]["difference"]["value"] == pytest.approx(0.0, abs=1e-9)
    passed = {
        kind: np.average((odds - 0.3 >= cuts["one"]["electron"])[own], weights=weight[own])
        for kind, own in (("efficiency", target == 1), ("fake rate", target == 0))
    }
    assert found.nominal["one"]["efficiency of electron"]["value"] == pytest.approx(0.9, abs=0.005)
    for kind, share in passed.items():
        assert moved[f"{kind} of electron"]["value"] == pytest.approx(share, abs=1e-6)
        assert moved[f"{kind} of electron"]["difference"]["interval_95"][1] < 0


def test_each_of_many_classes_has_its_working_point(objects):
    table, _, weight = objects
    task = replace(TASK, goal=Classification(("a", "b", "c")))
    target = np.arange(800) % 3
    logit = np.random.default_rng(5).normal(size=(800, 3)) + np.eye(3)[target]
    known = measures(task)
    cuts = {who: known.cuts(logit, target, weight) for who in ("one", "other")}
    nominal = Seen(table.assign(target=target), weight, {"one": logit, "other": logit})
    found = compare(known, nominal, {}, cuts).nominal["one"]
    assert next(iter(found)) == "auc"
    for name in "abc":
        assert found[f"efficiency of {name}"]["value"] == pytest.approx(0.9, abs=0.01)
        assert 0 < found[f"fake rate of {name}"]["value"] < 0.9


def test_masses_have_an_error_and_a_bias(objects):
    table, *_ = objects
    mass = np.random.default_rng(5).uniform(4, 14, 800)
    nominal = Seen(table.assign(target=mass), np.ones(800), {"one": mass, "other": mass + 1})
    larger = replace(nominal, predictions={"one": 1.03 * mass, "other": mass + 1})
    none = {"one": {}, "other": {}}
    found = compare(measures(MASS), nominal, {"larger": larger}, none)
    assert found.nominal["other"]["mean_absolute_error"]["value"] == pytest.approx(1.0)
    assert found.changes["larger"]["one"]["bias"]["difference"]["value"] == pytest.approx(0.03)
    expected = 0.03 * mass.mean()
    assert found.changes["larger"]["one"]["mean_absolute_error"]["value"] == pytest.approx(expected)
    assert found.changes["larger"]["versus"]["value"] == pytest.approx(expected - 1)


def _noise(path, output):
    """A store of every other event, of which nothing but noise is seen."""
    samples = store.read(path)
    noise = np.random.default_rng(1).exponential(1.0, len(samples.value)).astype(np.float32)
    changed = replace(samples, value=noise)
    store.write(output, [changed[changed.event % 2 == 0]], store.read_metadata(path))
    return output


def test_events_in_common_are_those_of_equal_identity():
    samples = whole(TASK, TASK.channels[0], [90.0] * 6, [3.0] * 6)
    samples = replace(samples, event=np.array([1, 1, 2, 3, 3, 5], np.uint64), run=np.ones(6, np.uint32))
    samples = replace(samples, lumi=np.ones(6, np.uint32), target=np.array([0, 1, 0, np.nan, np.nan, 1]))
    table = pd.DataFrame({"sample": "a", "run": 1, "lumi": 1, "event": [5, 4, 3, 1, 1, 1]})
    here, there = robustness.events_in_common(table, samples)
    assert (here.tolist(), there.tolist()) == ([0, 3, 4, 5], [0, 1, 5])


def test_the_record_of_a_network(toy, trained, tmp_path, monkeypatch):
    """The nominal answers are those of the evaluation; what a change does is seen in the answers."""
    identity = Change("energy scale", 0.0, "1", robustness._of_all(lambda frames, task: frames))
    harsh = Change("dead channels", 0.5, "1", robustness._of_channels(robustness.dead_channels, 0.5))
    monkeypatch.setattr(robustness, "CHANGES", (identity, harsh))
    outputs = [tmp_path / name for name in ("scores.parquet", "metrics.json", "model.joblib")]
    reference(toy.stores, toy.split, *outputs, threads=1)
    arguments = (toy.stores, toy.split, trained, outputs[2])
    again = {
        "the_same": toy.stores,
        "only_noise": [_noise(path, tmp_path / path.name) for path in toy.stores],
    }
    robustness.robustness(*arguments, tmp_path / "all.json", objects=10_000, threads=1, resimulated=again)
    robustness.robustness(*arguments, tmp_path / "some.json", objects=60, threads=1)
    record, some = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("all", "some"))
    assert (some["objects"], record["objects"]) == (60, len(pd.read_parquet(outputs[0])))
    expected = json.loads(outputs[1].read_text())["auc"]["value"]
    assert record["nominal"]["reference on shower shapes"]["auc"]["value"] == pytest.approx(
        expected, abs=1e-6
    )
    same, dead = record["changes"]
    assert (same["label"], dead["label"]) == ("energy scale +0 %", "dead channels 50 %")
    for who in (NETWORK, "reference on shower shapes"):
        assert all(figure["difference"]["value"] == 0 for figure in same[who].values())
        assert dead[who]["efficiency of electron"]["difference"]["value"] != 0
    once_more, noise = record["resimulated"]
    assert (once_more["label"], noise["label"]) == ("the same", "only noise")
    assert once_more["objects"] == record["objects"] > noise["objects"]
    for who in (NETWORK, "reference on shower shapes"):
        assert all(figure["difference"]["value"] == 0 for figure in once_more[who].values())
        assert noise[who]["auc"]["difference"]["interval_95"][1] < 0


def test_a_reference_that_is_none_is_refused(tmp_path):
    with pytest.raises(E2EError, match=r"a\.joblib: no such file; train the reference first"):
        load(tmp_path / "a.joblib")
    (tmp_path / "a.joblib").write_bytes(b"nothing")
    with pytest.raises(E2EError, match=r"a\.joblib: not a trained reference .*; train it again"):
        load(tmp_path / "a.joblib")


def test_the_figure_has_a_row_a_change_and_a_panel_a_figure_of_merit(objects):
    table, odds, weight = objects
    cuts = {
        who: measures(TASK).cuts(odds, table["target"].to_numpy(), weight) for who in ("network", "trees")
    }
    nominal = Seen(table, weight, {"network": odds, "trees": odds})
    found = compare(measures(TASK), nominal, {"no time": nominal}, cuts)
    record = {
        "task": "electron_photon",
        "model": "resnet",
        "reference": "trees",
        "training_data": {"origin": "e2e simulation"},
        "objects": 800,
        "nominal": found.nominal,
        "changes": [{"label": "no time", **found.changes["no time"]}],
        "resimulated": [{"label": "pileup 40", **found.changes["no time"]}],
    }
    figure = draw(record)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in panels] == [
        f"{name} - nominal" for name in ("ROC AUC", "efficiency of electron", "fake rate of electron")
    ]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["no time", "pileup 40"]
    assert "not CMS full simulation" in panels[0].get_title(loc="left")
