"""Methods: one file each, found like networks; the loop knows none of them."""

import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from e2e.errors import E2EError
from e2e.learning import methods
from e2e.learning.loop import Settings
from e2e.learning.train import train
from e2e.models import saved

# A student that foretells what a teacher, which follows it slowly, makes of another view: what several
# methods without labels are made of.
FOLLOWER = """
import copy

import torch
from torch import nn
from torchmetrics import MeanMetric

from e2e.errors import E2EError
from e2e.learning.augmentation import random_reflections
from e2e.learning.methods import Method

LABELLED = False


class Follower(Method):
    keeps_last = True

    def __init__(self, trunk, task, momentum, highest):
        super().__init__()
        self.highest = highest
        self.trunk, self.task, self.momentum = trunk, task, momentum
        self.predictor = nn.Linear(trunk.features, trunk.features)
        self.teacher = copy.deepcopy(trunk).requires_grad_(False)
        self.norm = MeanMetric()
        self.seen = []

    @property
    def watched(self):
        return {"norm": self.norm}

    def training_loss(self, batch):
        assert batch.target is None and batch.weight is None
        one, other = (random_reflections(batch.frames, self.task) for _ in range(2))
        return nn.functional.mse_loss(self.predictor(self.trunk(one)), self.teacher(other))

    def validation_loss(self, batch):
        features = self.trunk(batch.frames)
        self.norm.update(features.norm(dim=1))
        return nn.functional.mse_loss(self.predictor(features), self.teacher(batch.frames))

    def after_step(self):
        self.seen.append(self.progress)
        with torch.no_grad():
            for slow, fast in zip(self.teacher.parameters(), self.trunk.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.momentum)

    def after_epoch(self, values):
        if values["validation_norm"] > self.highest:
            raise E2EError(f"features of norm {values['validation_norm']:.3g}: collapsed")

    def result(self):
        return nn.ModuleDict({"trunk": self.trunk})

    def conclude(self, validation, settings):
        return {"progress": self.seen, "validated": len(validation)}


def build(network, training, task, momentum: float = 0.9, highest: float = 1e9):
    return Follower(network.trunk, task, momentum, highest)
"""


@pytest.fixture
def follower(tmp_path, monkeypatch):
    """A method in a file of its own, among those of src/e2e/learning/methods."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "follower.py").write_text(FOLLOWER)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(folder)])
    yield {"name": "follower", "momentum": 0.5}
    sys.modules.pop("e2e.learning.methods.follower", None)


def test_methods_are_found_by_listing(follower):
    own = ["byol", "dino", "masked", "simclr", "supervised", "swav", "vicreg"]
    assert methods.methods() == sorted([*own, "follower"])
    assert [name for name in methods.methods() if methods.labelled(name)] == ["supervised"]
    with pytest.raises(E2EError, match="unknown method 'leader'; choose one of: byol, dino, follower, "):
        methods.labelled("leader")


def test_weights_of_every_layer_decay_and_biases_and_normalisations_do_not():
    given = Settings(2, 8, learning_rate=0.01, weight_decay=0.3, devices=1, seed=1)
    layers = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 1))
    layers[1].weight.requires_grad_(False)  # frozen: does not move at all
    method = methods.Method()
    method.layers = layers
    optimizer, _ = method.optimiser(given, steps=4, fused=False)
    decays = {
        weights: group["weight_decay"] for group in optimizer.param_groups for weights in group["params"]
    }
    convolution, normalisation, linear = layers
    assert decays == {
        convolution.weight: 0.3,
        linear.weight: 0.3,
        convolution.bias: 0.0,
        normalisation.bias: 0.0,
        linear.bias: 0.0,
    }


def test_a_method_takes_its_own_hyperparameters_only(toy, follower, call, tmp_path):
    outputs, arguments = call(toy, tmp_path, epochs=1)
    with pytest.raises(E2EError, match="'follower' has no hyperparameter 'heads'; it takes: momentum"):
        train(*outputs, **arguments, method=follower | {"heads": 1})


def test_a_method_without_labels_goes_through_the_loop(half_labelled, follower, call, tmp_path):
    """Teacher, objects without truth, what it watches, weights of the last epoch: all from its one file."""
    outputs, arguments = call(half_labelled, tmp_path / "out", epochs=3)
    info = train(*outputs, **arguments, method=follower)
    history = pd.read_csv(tmp_path / "out/history.csv")
    names = ["epoch", "learning_rate", "training_loss", "validation_loss", "validation_norm"]
    assert list(history) == names
    assert history["epoch"].tolist() == [1, 2, 3]
    assert info["epoch"] == 3
    assert info["validation_loss"] == history["validation_loss"][2]
    steps = len(info["progress"])
    assert info["progress"] == pytest.approx([(step + 1) / steps for step in range(steps)])
    assert steps == 3 * (info["training_data"]["objects"] // 16)
    assert info["method"] == follower
    assert "temperature" not in info
    file = saved.read_plain(tmp_path / "out/model.pt")
    assert file["state_dict"]
    assert all(name.startswith("trunk.") for name in file["state_dict"])
    assert sorted(path.name for path in Path(tmp_path / "out").iterdir()) == ["history.csv", "model.pt"]


def test_a_method_may_give_up_after_an_epoch(half_labelled, follower, call, tmp_path):
    outputs, arguments = call(half_labelled, tmp_path / "out", epochs=3)
    with pytest.raises(E2EError, match=r"features of norm .*: collapsed"):
        train(*outputs, **arguments, method=follower | {"highest": 0.0})
    assert not (tmp_path / "out/model.pt").exists()
    assert len(pd.read_csv(tmp_path / "out/history.csv")) == 1


WITHOUT_LABELS = ("byol", "dino", "masked", "simclr", "swav", "vicreg")


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("follower", 3),
        ("follower", "all"),
        *(pytest.param(name, 2, marks=pytest.mark.slow) for name in WITHOUT_LABELS),
    ],
)
def test_a_killed_method_goes_on_to_the_same_weights(
    half_labelled, follower, call, tmp_path, monkeypatch, name, epoch
):
    """Its own modules are kept in the checkpoint, too; and which weights are kept, once all are trained."""
    method = follower if name == "follower" else {"name": name, "may_collapse": True}
    (whole, options), (killed, others) = (
        call(half_labelled, tmp_path / name, epochs=4) for name in ("whole", "killed")
    )
    train(*whole, **options, method=method)

    def dies(*given: object) -> None:
        if given[0] == epoch or epoch == "all":
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        if epoch == "all":
            patch.setattr(saved, "save", dies)
        report = None if epoch == "all" else dies
        with pytest.raises(RuntimeError, match="killed"):
            train(*killed, **others, method=method, report=report)
    assert not killed[2].exists()
    train(*killed, **others, method=method)
    assert killed[3].read_bytes() == whole[3].read_bytes()  # the history
    one, other = (saved.read_plain(path) for path in (whole[2], killed[2]))
    assert one["validation_loss"] == other["validation_loss"]
    assert all(torch.equal(tensor, other["state_dict"][name]) for name, tensor in one["state_dict"].items())
