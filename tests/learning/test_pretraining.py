"""Methods without labels: what they find that was planted, and how they notice that they find nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from e2e.errors import E2EError
from e2e.learning import losses, methods
from e2e.learning.batches import Batch
from e2e.learning.collapse import Alignment, EffectiveRank, Spread, Uniformity
from e2e.learning.loop import Settings
from e2e.learning.methods.pretraining import Teacher
from e2e.models.trunk import Trunk
from e2e.tasks import Crop
from e2e.tasks.electron_photon import TASK

SIZE = 17
SMALL = replace(TASK, crop=Crop(SIZE, SIZE, SIZE // 2, SIZE // 2))
STRONG = {"shifts": 0.0, "dead_channels": 0.3, "miscalibration": 0.3}
NONE = dict.fromkeys(("reflections", "shifts", "dead_channels", "resolution", "noise", "miscalibration"), 0.0)
# What hides cells itself needs no view that does; and it learns of each cell a little.
METHODS = {
    "simclr": {"views": STRONG},
    "byol": {"views": STRONG},
    "dino": {"views": STRONG, "prototypes": 32, "momentum": 0.9, "local": 0},
    "swav": {"views": STRONG},
    "vicreg": {"views": STRONG},
    "masked": {"views": NONE, "share": 0.3},
}
RATES = {"masked": 0.01}


def planted(objects: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Frames in which every cell is noise, but all know a little of one thing: which of them are larger.

    Energies along eta are a quarter more and along phi less, or the other way round; by themselves they vary
    by a factor of two.
    """
    generator = np.random.default_rng(seed)
    along_eta = np.arange(objects) % 2
    row, column = np.abs(np.mgrid[:SIZE, :SIZE] - SIZE // 2)
    sign = np.where(row > column, 1, -1) * (2 * along_eta - 1)[:, None, None]
    energy = np.exp(0.23 * sign + 0.7 * generator.normal(size=sign.shape))
    frames = np.stack([energy, np.zeros_like(energy)], axis=1)
    return torch.from_numpy(frames.astype(np.float32)), along_eta


class Tiny(Trunk):
    """Two layers, and few features: by chance they know little of what was planted."""

    features = 3

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(SIZE**2, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, self.features)
        )

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.log(1 + frames[:, 0] / 0.04).flatten(1) / 4)


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.ModuleDict({"trunk": Tiny()})


@pytest.fixture(scope="module")
def frames():
    return planted(2048, 1)[0]


def probed(trunk: Trunk) -> float:
    """Accuracy of a linear classifier of frozen features, which learns from 40 labels."""
    trunk.eval()
    (few, labels), (many, truth) = planted(40, 5), planted(2000, 6)
    with torch.no_grad():
        learnt, asked = trunk(few).numpy(), trunk(many).numpy()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(learnt, labels).score(asked, truth)


def pretrain(method: methods.Method, frames: torch.Tensor, rate: float = 0.003, epochs: int = 10) -> list:
    """Train as the loop does; returns what was watched after each epoch."""
    batch = 128
    steps = epochs * (len(frames) // batch)
    optimizer, schedule = method.optimiser(
        Settings(epochs, batch, rate, weight_decay=0.01, devices=1, seed=1), steps, fused=False
    )
    rows, step = [], 0
    for epoch in range(epochs):
        method.train()
        for chosen in torch.randperm(len(frames)).split(batch):
            optimizer.zero_grad()
            method.training_loss(Batch(frames[chosen], None, None)).backward()
            nn.utils.clip_grad_norm_(method.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            method.progress = step / steps
            method.after_step()
        method.eval()
        with torch.no_grad():
            method.validation_loss(Batch(frames[:256], None, None))
        rows.append({f"validation_{name}": found.compute().item() for name, found in method.watched.items()})
        for found in method.watched.values():
            found.reset()
        method.after_epoch(rows[-1] | {"epoch": epoch + 1})
    return rows


def test_a_random_trunk_knows_little_of_what_was_planted(frames):
    trunk = network().trunk
    trunk(frames)
    assert probed(trunk) <= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_method_finds_what_was_planted(name, frames):
    method = methods.build(name, network(), None, SMALL, **METHODS[name])
    rows = pretrain(method, frames, RATES.get(name, 0.003))
    assert probed(method.result().trunk) >= 0.95
    assert rows[-1]["validation_effective_rank"] > 1.5


def no_negatives(method, patch):
    patch.setattr("e2e.learning.methods.simclr.nt_xent", lambda one, other, _: losses.regression(one, other))


def neither_predictor_nor_teacher(method, patch):
    method.predictor = nn.Identity()
    method.teacher = method.student()  # and gradients flow through it
    method.after_step = lambda: None


def no_centre(method, patch):
    patch.setattr("e2e.learning.methods.dino.FOLLOWING", 0.0)


def no_balance(method, patch):
    patch.setattr(
        "e2e.learning.methods.swav.sinkhorn",
        lambda scores, *_: nn.functional.one_hot(scores.mean(dim=0).argmax(), scores.shape[1]).expand_as(
            scores
        ),
    )


def invariance_alone(method, patch):
    method.weights = (25.0, 0.0, 0.0)


def blind(method, patch):
    nn.init.zeros_(method.trunk.layers[3].weight).requires_grad_(False)


COLLAPSES = {
    "simclr": no_negatives,
    "byol": neither_predictor_nor_teacher,
    "dino": no_centre,
    "swav": no_balance,
    "vicreg": invariance_alone,
    "masked": blind,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_planted_collapse_ends_a_training_unless_it_may(name, frames, monkeypatch):
    method = methods.build(name, network(), None, SMALL, **METHODS[name])
    COLLAPSES[name](method, monkeypatch)
    with pytest.raises(
        E2EError, match=r"^collapsed: after epoch \d+ all objects look alike \(effective rank"
    ):
        pretrain(method, frames, 0.01)
    collapsed = {"epoch": 9, "validation_effective_rank": 1.0, "validation_spread": 0.0}
    method.progress = 0.4
    method.after_epoch(collapsed)
    method.progress, method.may_collapse = 1.0, True
    method.after_epoch(collapsed)


@pytest.fixture(scope="module")
def directions():
    """Vectors that point everywhere, and their values of what is watched, in float64."""
    vectors = np.random.default_rng(1).normal(size=(500, 8)) * [3, 2, 1, 1, 1, 1, 1, 0.1] + 0.3
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_what_is_watched_is_what_its_papers_say(directions):
    vectors = torch.from_numpy(7 * directions).float()
    rank, spread = EffectiveRank(8), Spread(8)
    for half in vectors.split(300):
        rank.update(half)
        spread.update(half)
    shares = np.linalg.svd(directions - directions.mean(axis=0), compute_uv=False)
    shares /= shares.sum()
    assert rank.compute().item() == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-4)
    assert spread.compute().item() == pytest.approx(directions.std(axis=0).mean() * 8**0.5, rel=1e-4)
    alignment, uniformity = Alignment(), Uniformity()
    alignment.update(vectors[:250], vectors[250:])
    uniformity.update(vectors)
    squares = np.sum((directions[:250] - directions[250:]) ** 2, axis=1)
    assert alignment.compute().item() == pytest.approx(squares.mean(), rel=1e-4)
    distances = np.sum((directions[:, None] - directions[None]) ** 2, axis=2)[np.triu_indices(500, 1)]
    assert uniformity.compute().item() == pytest.approx(np.log(np.exp(-2 * distances).mean()), rel=1e-4)


def test_what_is_watched_of_collapsed_vectors():
    same = torch.ones(50, 8) + 1e-6 * torch.randn(50, 8)
    line = torch.randn(50, 1) * torch.tensor([1.0, 0, 0]) + torch.tensor([0, 1.0, 0])
    for metric, vectors, expected in ((Spread(8), same, 0), (Uniformity(), same, 0)):
        metric.update(vectors)
        assert metric.compute().item() == pytest.approx(expected, abs=1e-4)
    opposite = EffectiveRank(3)
    opposite.update(torch.sign(line[:, :1]) * torch.ones(50, 3))
    assert opposite.compute().item() == pytest.approx(1, abs=1e-3)


def test_a_teacher_keeps_its_share_and_at_the_end_all():
    student = nn.Linear(2, 2)
    teacher = Teacher(student)
    assert not any(weights.requires_grad for weights in teacher.parameters())
    before = teacher.network.weight.clone()
    nn.init.ones_(student.weight)
    teacher.follow(student, 0.0, 0.9)
    assert torch.allclose(teacher.network.weight, 0.9 * before + 0.1)
    now = teacher.network.weight.clone()
    teacher.follow(student, 0.5, 0.9)
    assert torch.allclose(teacher.network.weight, 0.95 * now + 0.05)
    end = teacher.network.weight.clone()
    teacher.follow(student, 1.0, 0.9)
    assert torch.equal(teacher.network.weight, end)


def test_a_queue_joins_the_clustering_once_it_is_full(frames):
    method = methods.build("swav", network(), None, SMALL, views=STRONG, queue=96).train()
    seen = []
    method.codes = lambda scores, earlier, codes=method.codes: (
        seen.append(codes(scores, earlier)),
        seen[-1],
    )[1]
    for _ in range(3):
        method.training_loss(Batch(frames[:64], None, None))
    assert [len(codes) for codes in seen] == [64, 64, 64, 64, 160, 160]
    latest = method.queue[0, :64].clone()
    method.training_loss(Batch(frames[64:128], None, None))
    assert torch.equal(method.queue[0, 64:], latest[:32])
    before = method.queue.clone()
    method.eval().validation_loss(Batch(frames[:64], None, None))
    assert torch.equal(method.queue, before)


def test_prototypes_stand_still_at_first(frames):
    for name in ("swav", "dino"):
        method = methods.build(name, network(), None, SMALL, **METHODS[name]).train()
        for progress, moves in ((0.0, False), (0.5, True)):
            method.progress = progress
            method.zero_grad()
            method.training_loss(Batch(frames[:64], None, None)).backward()
            assert bool(method.prototypes.directions.grad.any()) == moves


def test_hits_alone_are_hidden_and_asked_for(frames):
    method = methods.build("masked", network(), None, SMALL, views=NONE, share=0.5)
    sparse = frames[:32].clone()
    sparse[:, :, : SIZE // 2] = 0.0
    given, asked = [], []
    method.trunk.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    method.decoder.register_forward_pre_hook(lambda _, arguments: asked.append(arguments[1:]))
    method.training_loss(Batch(sparse, None, None))
    hidden = (sparse[:, 0] != 0) & (given[0][:, 0] == 0)
    owner, row, column = asked[0]
    assert torch.equal(torch.stack([owner, row, column], dim=1), hidden.nonzero())
    assert row.min() >= SIZE // 2
    assert len(row) == pytest.approx(0.5 * int((sparse[:, 0] != 0).sum()), rel=0.1)
    with pytest.raises(
        E2EError, match=r"a share of 1\.0 of the hits cannot be asked of the others; choose 0.5"
    ):
        methods.build("masked", network(), None, SMALL, share=1.0)


def test_a_network_without_a_trunk_and_unknown_views_are_said():
    with pytest.raises(E2EError, match="this network has no trunk that could learn without labels"):
        methods.build("byol", nn.Linear(2, 2), None, SMALL)
    with pytest.raises(E2EError, match="views: no change 'rotation'; choose from: reflections, shifts, "):
        methods.build("byol", network(), None, SMALL, views={"rotation": 1.0})


ONE_PROCESS = """
import json, sys

import torch

from e2e.learning import views
from e2e.learning.augmentation import reflect
from e2e.learning.train import train
from e2e.tasks import task

number = 0


def alternate(self, frames):
    # Of an object the same views, in whichever process it is.
    global number
    number += 1
    chosen = torch.full((len(frames),), number % 2 == 0)
    return reflect(frames, self.task, chosen, chosen) * (1 + number % 2 * 0.1 * (frames > 1))


def draw(*shape, device=None):
    size = shape[1:]
    return (torch.arange(torch.Size(size).numel()) * 0.618 % 1).reshape(size).expand(shape).to(device)


views.Views.__call__ = alternate
torch.rand = draw
outputs, arguments = json.loads(sys.argv[1])
train(*outputs, **arguments | {"task": task(arguments["task"])})
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_two_processes_have_the_losses_of_one(name, make_toy, call, tmp_path):
    toy = make_toy(100)  # a few steps: in more of them rounding grows
    script = tmp_path / "script.py"
    script.write_text(ONE_PROCESS)
    left = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")  # of Lightning, in a process that trained with it
    environment = {name: value for name, value in os.environ.items() if name not in left}
    histories = {}
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        outputs, named = call(toy, folder, devices=devices, epochs=2, batch_size=64, learning_rate=1e-3)
        named |= {"task": TASK.name, "method": {"name": name, "may_collapse": True}}
        command = [sys.executable, script, json.dumps([outputs, named], default=str)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        histories[devices] = pd.read_csv(folder / "history.csv")
    one, two = (histories[devices]["training_loss"] for devices in (1, 2))
    assert two.tolist() == pytest.approx(one.tolist(), abs=1e-5, rel=1e-5)
