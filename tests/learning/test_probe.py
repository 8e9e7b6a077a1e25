"""Probes of frozen features."""

import numpy as np
import pytest
import torch

from e2e import models
from e2e.data.parts import PARTS, Labels
from e2e.files import read_json
from e2e.learning import batches, probe
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks import task
from e2e.tasks.electron_photon import TASK


def test_neighbours_vote_by_cosine_and_weight(monkeypatch):
    monkeypatch.setattr(probe, "NEIGHBOURS", 3)
    generator = np.random.default_rng(1)
    known, asked = generator.normal(size=(20, 4)), generator.normal(size=(5, 4))
    target, weight = np.arange(20) % 2, generator.uniform(0.5, 2, 20)
    found = probe.nearest(TASK, (known, target, weight), asked)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    for i, vector in enumerate(asked):
        own = (vector - mean) / spread
        others = (known - mean) / spread
        cosines = others @ own / np.linalg.norm(own) / np.linalg.norm(others, axis=1)
        three = np.argsort(-cosines)[:3]
        counts = weight[three] * np.exp(cosines[three] / 0.1)
        share = counts[target[three] == 1].sum() / counts.sum()
        odds = np.log(np.clip(share, 1e-6, None)) - np.log(np.clip(1 - share, 1e-6, None))
        assert found[i] == pytest.approx(odds, rel=1e-3)


def test_features_are_probed_with_few_labels_and_many(trained, toy, tmp_path, monkeypatch):
    """Of as many objects as have labels, and on the whole test part."""
    monkeypatch.setattr(probe, "SHARES", (0.001, 0.3, 1.0))
    probe.probe(toy.stores, toy.split, trained, tmp_path / "probe.json", threads=1)
    record = read_json(tmp_path / "probe.json")
    assert record["method"] == {"name": "supervised"}
    rows = {row["labels"]: row for row in record["shares"]}
    assert list(rows) == [0.3, 1.0]  # of 0.001 there is not one object of each class
    every = rows[1.0]
    for name in ("linear", "nearest"):
        low, high = every[name]["interval_95"]
        assert low < every[name]["value"] < high
    assert every["linear"]["value"] > 0.9
    for share, row in rows.items():
        for part in PARTS:
            labels = Labels(share if part != "test" else 1.0)
            known = batches.stream(toy.stores, toy.split, part, TASK, labels=labels)
            assert row["objects"][part] == len(known)


def test_a_trunk_that_sees_nothing_knows_nothing(trained, toy, tmp_path, monkeypatch):
    """And the random one beside it does: these showers are easy for any features."""
    network, info = saved.load(trained)
    for weights in network.trunk.parameters():
        torch.nn.init.zeros_(weights.data)
    saved.save(tmp_path / "blind.pt", torch.nn.ModuleDict({"trunk": network.trunk}), info)
    monkeypatch.setattr(probe, "SHARES", (1.0,))
    probe.probe(toy.stores, toy.split, tmp_path / "blind.pt", tmp_path / "probe.json", threads=1)
    (row,) = read_json(tmp_path / "probe.json")["shares"]
    for name in ("linear", "nearest"):
        assert row[name]["value"] == pytest.approx(0.5, abs=0.1)
        assert row["random"][name]["value"] > 0.9


def test_the_random_trunk_is_where_the_training_began(trained):
    trunk, random, of, info = saved.load_trunk(trained)
    torch.manual_seed(info["trainer"]["seed"])
    begun = models.build("resnet", of, **info["hyperparameters"]).trunk.state_dict()
    assert all(torch.equal(weights, random.state_dict()[name]) for name, weights in begun.items())
    learned = saved.load(trained)[0].trunk.state_dict()
    assert all(torch.equal(weights, trunk.state_dict()[name]) for name, weights in learned.items())


def test_masses_are_probed(make_jets, call, tmp_path, monkeypatch):
    of = task("mass_regression", 4)
    toy = make_jets(of)
    outputs, arguments = call(toy, tmp_path / "out", epochs=1)
    small = {"architecture": "cnn", "network": {"stem": 4, "widths": [4], "blocks": [1]}}
    train(*outputs, **arguments | {"task": of} | small)
    monkeypatch.setattr(probe, "SHARES", (1.0,))
    probe.probe(toy.stores, toy.split, outputs[2], tmp_path / "probe.json", threads=1)
    (row,) = read_json(tmp_path / "probe.json")["shares"]
    assert 0 < row["linear"]["value"] < 5  # GeV; the targets lie between 4 and 14
    assert 0 < row["nearest"]["value"] < 5
