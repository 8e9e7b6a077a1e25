"""Cuts are found in the validation part, and what passes them is counted in the test part, kind by kind."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from e2e.data import store
from e2e.files import read_json
from e2e.learning.reference import reference
from e2e.learning.working_points import ALL, measure, share, tracks_found
from e2e.tasks import task
from e2e.tasks.tau import TASK

# (target, gen_pdgId, gen_Prongs, gen_Pi0s) of the kinds of the task.
KINDS = {
    "h": (1, 15, 1, 0),
    "h + pi0s": (1, -15, 1, 2),
    "hhh": (1, 15, 3, 0),
    "hhh + pi0s": (1, -15, 3, 1),
    "quark": (0, -2, 0, 0),
    "gluon": (0, 21, 0, 0),
    "electron": (0, -11, 0, 0),
    "muon": (0, 13, 0, 0),
}


def part(objects: int, seed: int) -> tuple[SimpleNamespace, np.ndarray]:
    """Objects of all kinds, one an event, and logits that are higher for taus, but lower for "hhh + pi0s"."""
    generator = np.random.default_rng(seed)
    number = generator.integers(len(KINDS), size=objects)
    columns = np.array(list(KINDS.values()), np.float32)[number].T
    table = {"sample": "any", "run": 1, "lumi": 1, "event": np.arange(objects), "object": 0}
    table |= dict(zip(("target", "gen_pdgId", "gen_Prongs", "gen_Pi0s"), columns, strict=True))
    table["jetPt"] = generator.uniform(15, 60, objects)
    logit = generator.normal(2.0 * columns[0] - 1.5 * (number == 3))
    weight = generator.uniform(0.5, 1.5, objects).astype(np.float32)
    return SimpleNamespace(objects=pd.DataFrame(table), target=columns[0], weight=weight), logit


def test_shares_without_a_passing_object_have_an_upper_limit():
    """A bootstrap would be sure of 0."""
    found = share(np.zeros(10, bool), np.ones(10), np.arange(10))
    assert found["value"] == 0
    assert found["interval_95"] == [0, pytest.approx(1 - 0.025**0.1)]
    every = share(np.ones(10, bool), np.ones(10), np.arange(10))
    assert every["interval_95"] == [pytest.approx(0.025**0.1), 1]
    assert share(np.zeros(0, bool), np.ones(0), np.arange(0))["value"] is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(0)
    weight, held = generator.uniform(0.2, 1.8, 60), []
    for _ in range(400):
        found = share(generator.random(60) < 0.1, weight, np.arange(60))
        held.append([found[name][0] <= 0.1 <= found[name][1] for name in ("interval_68", "interval_95")])
    of_68, of_95 = np.mean(held, axis=0)
    assert 0.66 < of_68 < 0.85  # exact intervals hold it somewhat more often
    assert of_95 > 0.93


def test_copies_in_an_event_tell_nothing_new():
    generator = np.random.default_rng(1)
    passes, weight = generator.random(50) < 0.3, generator.uniform(0.5, 1.5, 50)
    single = share(passes, weight, np.arange(50))
    double = share(passes.repeat(2), weight.repeat(2), np.arange(50).repeat(2))
    assert single == {name: pytest.approx(value) for name, value in double.items()}
    apart = share(passes.repeat(2), weight.repeat(2), np.arange(100))
    assert np.ptp(apart["interval_95"]) < 0.8 * np.ptp(single["interval_95"])


def test_points_are_found_in_the_validation_part_and_told_by_kind():
    (validation, found), (test, logit) = part(6000, 1), part(6000, 2)
    record = measure(TASK, validation, found, test, logit)
    assert json.dumps(record, allow_nan=False)
    taus, jets = record["passing"]["tau"], record["passing"]["jet"]
    assert [*taus, *jets] == [ALL, *list(KINDS)[:4], ALL, *list(KINDS)[4:]]
    for name, point in record["points"].items():
        low, high = taus[ALL][name]["interval_95"]
        assert low < point["signal_efficiency"] < high
        by_hand = np.average(logit[test.target == 0] >= point["cut"], weights=test.weight[test.target == 0])
        assert jets[ALL][name]["value"] == pytest.approx(by_hand)
        assert taus["hhh + pi0s"][name]["interval_95"][1] < taus["hhh"][name]["interval_95"][0]
        assert len(taus["h"][name]["by_momentum"]) == len(record["momentum"]["edges"]) - 1
    assert sum(taus[kind]["objects"] for kind in taus) == 2 * taus[ALL]["objects"] == 2 * test.target.sum()
    shifted = measure(TASK, validation, found, test, logit + 1)
    assert shifted["points"] == record["points"]
    assert shifted["passing"]["jet"][ALL]["tight"]["value"] > jets[ALL]["tight"]["value"]


def test_of_stores_without_kinds_or_momenta_the_whole_is_told():
    (validation, found), (test, logit) = part(500, 1), part(500, 2)
    test.objects = test.objects.drop(columns=list(TASK.kinds)).assign(jetPt=np.nan)
    record = measure(TASK, validation, found, test, logit)
    assert list(record["passing"]["tau"]) == [ALL]
    assert record["momentum"]["edges"] == record["passing"]["jet"][ALL]["tight"]["by_momentum"] == []


def test_tracks_are_counted_by_kind():
    objects = part(200, 3)[0].objects
    count = np.where(objects["target"] == 1, objects["gen_Prongs"], 7).astype(int)
    found = tracks_found(TASK, objects, count)
    assert found["tau"]["h + pi0s"]["shares"] == [0, 1, 0, 0, 0]
    assert found["tau"]["hhh"]["shares"] == [0, 0, 0, 1, 0]
    assert found["jet"]["muon"]["shares"] == [0, 0, 0, 0, 1]


def test_metrics_of_taus_tell_working_points_and_of_other_tasks_none(make_jets, tmp_path, monkeypatch):
    monkeypatch.setattr("e2e.learning.tabular.ITERATIONS", 5)
    for name in ("tau", "quark_gluon"):
        of = task(name)
        toy = make_jets(of)
        if name == "tau":
            samples = store.read(toy.stores[0])
            code = np.where(samples.target == 1, 15, np.where(samples.event % 4 == 1, 21, 11))
            samples.kinematics["gen_pdgId"] = code.astype(np.float32)
            store.write(toy.stores[0], [samples], store.read_metadata(toy.stores[0]))
        outputs = [tmp_path / name for name in ("scores.parquet", "metrics.json", "model.pkl")]
        reference(toy.stores, toy.split, *outputs, threads=1)
        metrics = read_json(tmp_path / "metrics.json")
        assert ("working_points" in metrics, "tracks_found" in metrics) == (name == "tau",) * 2
        if name == "tau":
            jets = metrics["working_points"]["passing"]["jet"]
            assert set(jets) == {ALL, "gluon", "electron"}
            assert jets[ALL]["objects"] == jets["gluon"]["objects"] + jets["electron"]["objects"]
            assert not set(metrics["dependence"]) & set(TASK.kinds)
