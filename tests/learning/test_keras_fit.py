import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from e2e.data import balance
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.learning.keras_fit import adamw, learning_rates, stepper
from e2e.learning.loop import CLIP, Settings, Stopwatch, average_decay, one_cycle
from e2e.learning.methods.supervised import Supervised
from e2e.learning.objectives import CrossEntropy
from e2e.models import saved
from e2e.tasks.electron_photon import TASK

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: requirements/keras.txt")
pytest.importorskip("keras", reason="Keras is not installed: requirements/keras.txt")

KERAS = {"architecture": "keras_cnn"}


@pytest.fixture
def fit_keras(call, toy):
    """Function (folder, **changes of the trainer) -> model.pt of a tiny network of Keras."""
    from e2e.learning.train import train

    def run(folder: Path, **changes) -> Path:
        outputs, arguments = call(toy, folder, **changes)
        train(*outputs, **arguments | KERAS)
        return folder / "model.pt"

    return run


def settings(**changes) -> Settings:
    hyperparameters = {
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.01,
        "weight_decay": 0.1,
    }
    return Settings(**hyperparameters | {"devices": 1, "seed": 1} | changes)


@pytest.mark.slow
def test_network_learns_as_that_of_pytorch_does(toy, trained, fit_keras, tmp_path):
    path = fit_keras(tmp_path)
    network, info = saved.load(path)
    assert info["architecture"] == "keras_cnn"
    assert set(info["versions"]) == {"e2e", "keras", "tensorflow"}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["history.csv", "model.pt"]
    history, other = (pd.read_csv(file.with_name("history.csv")) for file in (path, trained))
    assert list(history) == list(other)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["validation_loss"].idxmin() + 1 == info["epoch"]
    assert history["validation_loss"].min() == pytest.approx(info["validation_loss"])
    # The two differ in their initial weights only, and in the last digits of their sums: over five seeds
    # of this toy, whose validation part has 100 objects, by 0.02 with a spread of 0.03.
    assert history["validation_loss"].min() == pytest.approx(other["validation_loss"].min(), abs=0.1)
    validation = batches.stream(toy.stores, toy.split, "validation", TASK)
    logit = saved.predictions(network, validation.chunks(512))
    weighting = balance.fit(batches.stream(toy.stores, toy.split, "train", TASK).objects, TASK)
    losses = np.logaddexp(0, np.where(validation.target == 1, -logit, logit))
    loss = np.mean(weighting(validation.objects) * losses)
    assert loss == pytest.approx(info["validation_loss"], rel=1e-5)
    test = batches.stream(toy.stores, toy.split, "test", TASK)
    assert np.mean((saved.predictions(network, test.chunks(512)) > 0) == (test.target == 1)) > 0.65


def test_steps_move_the_weights_as_those_of_pytorch_do(toy_frames, twins, keras_weights):
    """Weighted loss, gradients, their clipping, Adam, decay, and the statistics of batch normalisation."""
    frames = torch.tensor(np.concatenate([toy_frames("electron", 32, 1), toy_frames("photon", 32, 2)]))
    target = torch.tensor([1.0, 0.0]).repeat_interleave(32)
    weight = torch.linspace(5.0, 15.0, 64)
    given = settings(weight_decay=1.0)
    network, twin = twins(torch.tensor(toy_frames("photon", 64, 3)), widths=[4, 8], blocks=[1, 1])
    start = twin.model.get_weights()

    method = Supervised(network.train(), CrossEntropy(1), TASK)
    follower = Supervised(twin, CrossEntropy(1), TASK).result()
    optimizer, _ = method.optimiser(given, steps=10, fused=True)
    ours = adamw(twin.model, given)
    step = stepper(twin.model, follower.model, ours, 1)
    for done in range(3):
        optimizer.zero_grad()
        loss = method.objective.loss(network(frames), target, weight)
        loss.backward()
        assert torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP) > 2 * CLIP
        ours.learning_rate = optimizer.param_groups[0]["lr"]
        optimizer.step()
        method.after_step()
        found = step(frames.numpy(), target.numpy(), weight.numpy(), average_decay(done))
        assert float(found) == pytest.approx(loss.item(), rel=1e-4)
    for ours, theirs in ((network, twin), (method.result(), follower)):
        for old, expected, found in zip(start, keras_weights(ours), theirs.model.get_weights(), strict=True):
            # PyTorch's running variances are those of the population: 64/63 of what Keras takes.
            moved, differs = np.linalg.norm(expected - old), np.linalg.norm(found - expected)
            assert moved > 1e-6
            assert differs < 0.1 * moved
    kernels = [of.model.get_weights()[4] for of in (twin, follower)]
    assert np.abs(np.subtract(*kernels)).max() > 1e-5  # one follows the other


def test_learning_rates_are_those_of_pytorch():
    given = settings()
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    schedule = one_cycle(optimizer, given, 40)
    rates = learning_rates(given, 40)
    assert len(rates) == 40
    for rate in rates:
        assert rate == optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(0.01)


@pytest.mark.slow
def test_equal_seeds_give_equal_files_and_other_seeds_others(fit_keras, tmp_path):
    first, again, other = (
        fit_keras(tmp_path / name, epochs=1, seed=seed) for name, seed in zip("abc", (1, 1, 2), strict=True)
    )
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    kernels = [saved.load(path)[0].state_dict()["4.kernel"] for path in (first, other)]
    assert not torch.equal(*kernels)


@pytest.mark.slow
def test_killed_training_goes_on_to_the_same_weights(toy, call, start, fit_keras, tmp_path):
    epochs = 6
    whole, killed = (call(toy, tmp_path / name, epochs=epochs) for name in ("whole", "killed"))
    for _, arguments in (whole, killed):
        arguments |= KERAS
    # In a process of its own: TensorFlow keeps the number of threads that it was first used with.
    process = start(whole, tmp_path)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    history = tmp_path / "killed" / "history.csv"

    process = start(killed, tmp_path)
    while not (history.exists() and len(pd.read_csv(history)) >= 3):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "model.pt").exists()
    done = len(pd.read_csv(history))
    assert done < epochs

    resumed = start(killed, tmp_path)
    errors = resumed.communicate()[1]
    assert resumed.returncode == 0, errors
    assert "training goes on after epoch" in errors
    assert f"epoch {done - 1}/{epochs}" not in errors
    for name in ("model.pt", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["settings", "bytes"])
def test_unsuitable_checkpoint_is_said_and_left_aside(fit_keras, tmp_path, capfd, monkeypatch, damage):
    with monkeypatch.context() as patch:  # a training that dies when it would write its model
        patch.setattr(saved, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit_keras(tmp_path, epochs=1, **({"learning_rate": 0.1} if damage == "settings" else {}))
    last = tmp_path / "checkpoints" / "last.npz"
    if damage == "bytes":
        last.write_bytes(last.read_bytes()[:1000])
    capfd.readouterr()
    fit_keras(tmp_path, epochs=1)
    assert "training starts afresh" in capfd.readouterr().err
    assert pd.read_csv(tmp_path / "history.csv")["learning_rate"].max() <= 0.01


def test_the_time_of_killed_attempts_counts(toy, call, tmp_path, monkeypatch):
    from e2e.learning.train import train

    outputs, arguments = call(toy, tmp_path / "out", epochs=1)
    with monkeypatch.context() as patch:  # a training that dies when it would write its model
        patch.setattr(Stopwatch, "__call__", lambda _: 1000.0)
        patch.setattr(saved, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(*outputs, **arguments | KERAS)
    assert 1000 < train(*outputs, **arguments | KERAS)["training_s"] < 1900


def test_the_cycle_is_gone_through_to_its_end_and_the_best_epoch_is_kept(fit_keras, tmp_path):
    path = fit_keras(tmp_path, epochs=16, learning_rate=0.3)
    history = pd.read_csv(tmp_path / "history.csv")
    assert len(history) == 16
    assert history["validation_loss"].idxmin() + 1 == saved.load(path)[1]["epoch"]


def test_loss_that_is_not_finite_is_an_error_and_leaves_no_model(fit_keras, tmp_path, monkeypatch):
    frames = batches.frames
    monkeypatch.setattr(batches, "frames", lambda *arguments: frames(*arguments) * np.nan)
    with pytest.raises(E2EError, match=r"the loss is nan in epoch 1: lower trainer.learning_rate"):
        fit_keras(tmp_path)
    assert not (tmp_path / "model.pt").exists()


def test_several_devices_are_refused(fit_keras, tmp_path):
    with pytest.raises(E2EError, match=r"trainer\.devices = 2"):
        fit_keras(tmp_path, devices=2)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"freeze": True}, "no trunk to freeze"),
        ({"init": "model.pt"}, "no trunk that another could begin with"),
    ],
)
def test_a_network_of_keras_has_no_trunk(toy, call, fit_keras, tmp_path, entry, message):
    from e2e.learning.train import train

    outputs, arguments = call(toy, tmp_path / "out")
    if "init" in entry:
        entry = {"init": fit_keras(tmp_path, epochs=1)}
    with pytest.raises(E2EError, match=f"'keras_cnn' have {message}"):
        train(*outputs, **arguments | KERAS | entry)
