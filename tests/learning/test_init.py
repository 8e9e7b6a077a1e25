"""A model that begins with the trunk of another, frozen or not."""

from pathlib import Path

import pytest
import torch

from e2e import models
from e2e.deploy.export import export
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks import task

TAU, MASS = task("tau", 4), task("mass_regression", 4)
SMALL = {"architecture": "cnn", "network": {"stem": 4, "widths": [4, 8], "blocks": [1, 1], "hidden": 8}}


@pytest.fixture
def begin(make_jets, call):
    """Function (folder, task, **entry) -> model.pt of a tiny CNN trained for an epoch on jets of its own."""

    def run(folder: Path, of, **entry) -> Path:
        toy = make_jets(of)
        outputs, arguments = call(toy, folder, epochs=1)
        train(*outputs, **arguments | {"task": of} | SMALL | entry)
        return outputs[2]

    return run


def trunk(path: Path) -> dict[str, torch.Tensor]:
    weights = torch.load(path, weights_only=True)["state_dict"]
    return {name: tensor for name, tensor in weights.items() if name.startswith("trunk.")}


def differing(one: Path, other: Path) -> set[str]:
    first, second = trunk(one), trunk(other)
    assert first.keys() == second.keys() != set()
    return {name for name in first if not torch.equal(first[name], second[name])}


@pytest.fixture
def first(begin, tmp_path):
    """model.pt of taus."""
    return begin(tmp_path / "tau", TAU)


def test_a_frozen_trunk_stays_bit_by_bit_and_its_head_learns(first, begin, tmp_path):
    """Statistics of batch normalisation included: they would follow the other task without a gradient."""
    frozen = begin(tmp_path / "frozen", MASS, init=first, freeze=True)
    assert not differing(first, frozen)
    network, info = saved.load(frozen)
    torch.manual_seed(1)
    begun = models.build("cnn", MASS, **SMALL["network"])
    assert not torch.equal(network.head[0].weight, begun.head[0].weight)
    assert info["freeze"]
    assert info["init"]["sha256"] == sha256(first)
    assert info["init"]["task"] == "tau"
    assert info["init"]["method"] == {"name": "supervised"}
    assert info["init"]["init"] is None
    assert info["init"]["training_data"] == saved.load(first)[1]["training_data"]
    contract = export(frozen, tmp_path / "m.onnx", tmp_path / "m.json", opset=17, ir_version=8)
    assert contract.task.name == "mass_regression"


def test_a_trunk_that_is_not_frozen_begins_there_and_goes_on(first, begin, tmp_path):
    begun = models.build("cnn", MASS, **SMALL["network"])
    origin = saved.take_trunk(begun, first, MASS, "cnn", SMALL["network"])
    expected = trunk(first)
    found = {f"trunk.{name}": tensor for name, tensor in begun.trunk.state_dict().items()}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert origin["sha256"] == sha256(first)

    # No step is as small as this: what is left of the training is where it began.
    slow = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-30, "weight_decay": 0.0}
    still = begin(tmp_path / "still", MASS, init=first, trainer=slow | {"devices": 1, "seed": 1})
    moving = {name for name in differing(first, still) if "running" not in name and "batches" not in name}
    assert not moving
    assert differing(first, still)  # the statistics follow the new task
    gone_on = begin(tmp_path / "on", MASS, init=first)
    weights = {name for name in trunk(first) if name.endswith("weight")}
    assert weights <= differing(first, gone_on)


def test_a_random_trunk_may_be_frozen(begin, tmp_path):
    """What a linear probe of features that nobody trained tells."""
    frozen = begin(tmp_path / "random", MASS, freeze=True)
    torch.manual_seed(1)
    begun = models.build("cnn", MASS, **SMALL["network"]).trunk.state_dict()
    found = trunk(frozen)
    assert all(torch.equal(found[f"trunk.{name}"], tensor) for name, tensor in begun.items())
    assert saved.load(frozen)[1]["init"] is None


def test_a_killed_training_of_another_beginning_is_left_aside(first, begin, tmp_path, monkeypatch, capfd):
    with monkeypatch.context() as patch:  # a training that dies when it would write its model
        patch.setattr(saved, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            begin(tmp_path / "killed", MASS, init=first)
    other = first.with_name("other.pt")
    network, info = saved.load(first)
    saved.save(other, network, info | {"epoch": 7})
    capfd.readouterr()
    begin(tmp_path / "killed", MASS, init=other)
    assert "of other settings, data or code; training starts afresh" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("of", "entry", "message"),
    [
        (
            task("mass_regression", 5),
            {},
            r"channels track_pT \[GeV\], .* ECAL_energy \[GeV\] there, .* HCAL_energy \[GeV\] here",
        ),
        (
            task("quark_gluon"),
            {},
            r"channels track_pT \[GeV\], track_dz .* there, track_pT \[GeV\], ECAL_energy",
        ),
        (
            MASS,
            {"network": {**SMALL["network"], "widths": [4, 16]}},
            r"widths \[4, 8\] there, \[4, 16\] here",
        ),
        (MASS, {"architecture": "vit", "network": {}}, "architecture cnn there, vit here"),
    ],
)
def test_a_trunk_that_does_not_fit_is_one_sentence(first, begin, tmp_path, of, entry, message):
    with pytest.raises(E2EError, match=r"model\.pt: its trunk does not fit this model: " + message) as caught:
        begin(tmp_path / "other", of, init=first, **entry)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "other").exists()


def test_hyperparameters_of_the_head_may_differ(first, tmp_path):
    """And those that are given as they are by default."""
    network = {name: value for name, value in SMALL["network"].items() if name != "hidden"}
    network |= {"hidden": 16, "dropout": 0.0}
    saved.take_trunk(models.build("cnn", MASS, **network), first, MASS, "cnn", network)


def test_a_network_without_a_trunk(trained, tmp_path):
    of = task("electron_photon")
    bare = torch.nn.Linear(1, 1)
    _, info = saved.load(trained)
    with pytest.raises(E2EError, match="'resnet' have no trunk that another could begin with"):
        saved.take_trunk(bare, trained, of, "resnet", info["hyperparameters"])


def test_a_trunk_alone_is_no_trained_model(trained, tmp_path):
    network, info = saved.load(trained)
    saved.save(tmp_path / "trunk.pt", torch.nn.ModuleDict({"trunk": network.trunk}), info)
    with pytest.raises(E2EError, match=r"trunk\.pt: a trunk without a head; train a .*`init: .*trunk"):
        saved.load(tmp_path / "trunk.pt")
    begun = models.build("resnet", task("electron_photon"), **info["hyperparameters"])
    saved.take_trunk(begun, tmp_path / "trunk.pt", task("electron_photon"), "resnet", info["hyperparameters"])
    assert torch.equal(begun.trunk.normalise.normalise.weight, network.trunk.normalise.normalise.weight)
