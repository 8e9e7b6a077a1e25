import signal
import time
from contextlib import contextmanager
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import pytest
import torch

from e2e.data import balance
from e2e.data.split import PARTS
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.learning.calibration import temperature
from e2e.learning.loop import Stopwatch, average_decay
from e2e.learning.methods.supervised import Supervised
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks import task
from e2e.tasks.electron_photon import TASK


def weights(path: Path) -> dict[str, torch.Tensor]:
    return saved.load(path)[0].state_dict()


def equal(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(one[name], other[name]) for name in one)


def test_network_learns(toy, trained):
    network, info = saved.load(trained)
    assert info["training_data"]["objects"] == len(batches.stream(toy.stores, toy.split, "train", TASK))
    assert info["training_data"]["origin"] == "e2e simulation"
    assert info["training_data"]["tracks"] is None
    assert (info["task"], info["architecture"]) == ("electron_photon", "resnet")
    test = batches.stream(toy.stores, toy.split, "test", TASK)
    logit = saved.predictions(network, test.chunks(512))
    assert np.mean((logit > 0) == (test.target == 1)) > 0.65
    history = pd.read_csv(trained.with_name("history.csv"))
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["validation_loss"].min() == pytest.approx(info["validation_loss"])
    assert history["validation_loss"].idxmin() + 1 == info["epoch"]
    assert history["training_loss"].is_monotonic_decreasing


def test_loss_and_temperature_are_those_of_the_validation_part(toy, trained):
    """Epoch and temperature chosen on any other part would still look like a good training."""
    network, info = saved.load(trained)
    training, validation = (batches.stream(toy.stores, toy.split, part, TASK) for part in PARTS[:2])
    weight = balance.fit(training.objects, TASK)(validation.objects)
    logit = saved.predictions(network, validation.chunks(512))
    losses = np.logaddexp(0, np.where(validation.target == 1, -logit, logit))
    assert info["validation_loss"] == pytest.approx(np.mean(weight * losses), rel=1e-5)
    assert info["temperature"] == pytest.approx(temperature(logit, validation.target, weight), rel=1e-4)


@pytest.mark.parametrize("of", [task("quark_gluon"), task("tau", 4), task("mass_regression", 4)])
def test_networks_of_jets_are_trained(of, make_jets, call, tmp_path):
    toy = make_jets(of)
    outputs, arguments = call(toy, tmp_path / "out", epochs=1)
    small = {"architecture": "cnn", "network": {"stem": 4, "widths": [4], "blocks": [1]}}
    info = train(*outputs, **arguments | {"task": of} | small)
    network, _ = saved.load(tmp_path / "out/model.pt")
    test = batches.stream(toy.stores, toy.split, "test", of)
    answers = saved.predictions(network, test.chunks(64))
    assert np.isfinite(answers).all()
    assert ("temperature" in info) == bool(of.classes) != ("width_scale" in info)
    if not of.classes:
        assert network.answer.mean == pytest.approx(np.log(test.target).mean(), abs=0.2)


def test_of_the_validation_part_68_percent_lie_within_the_width(make_jets, call, tmp_path):
    """Found on another part, or not kept with the weights, it would be another share."""
    of = task("mass_regression", 4)
    toy = make_jets(of)
    outputs, arguments = call(toy, tmp_path / "out", epochs=2)
    small = {"architecture": "cnn", "network": {"stem": 4, "widths": [4], "blocks": [1]}}
    info = train(*outputs, **arguments | {"task": of} | small)
    network, _ = saved.load(tmp_path / "out/model.pt")
    validation = batches.stream(toy.stores, toy.split, "validation", of)
    mass, width = saved.predictions(network, validation.chunks(64)).T
    inside = np.abs(mass - validation.target) <= width * (1 + 1e-5)
    assert inside.mean() == pytest.approx(0.68, abs=1.01 / len(inside))
    assert network.answer.scale.item() == pytest.approx(info["width_scale"])
    assert abs(np.log(info["width_scale"])) > 1e-3  # else this test could not fail


def test_nothing_but_the_outputs_is_left(toy, fit, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    fit(toy, tmp_path / "out", epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "history.csv",
        "model.pt",
    ]
    output, errors = capfd.readouterr()
    assert output == ""
    assert all(
        line.startswith("epoch 1/1") for line in errors.replace("\r", "\n").split("\n") if line.strip()
    )


def test_equal_seeds_give_equal_files_and_other_seeds_others(toy, fit, trained, tmp_path):
    assert fit(toy, tmp_path / "again").read_bytes() == trained.read_bytes()
    assert not equal(fit(toy, tmp_path / "other", seed=2), trained)


@pytest.mark.slow
def test_killed_training_goes_on_to_the_same_weights(toy, fit, call, start, tmp_path):
    epochs = 12
    fit(toy, tmp_path / "whole", epochs=epochs)
    arguments = call(toy, tmp_path / "killed", epochs=epochs)
    history = tmp_path / "killed" / "history.csv"

    killed = start(arguments, tmp_path)
    while not (history.exists() and len(pd.read_csv(history)) >= 3):
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "model.pt").exists()
    done = len(pd.read_csv(history))
    assert done < epochs

    resumed = start(arguments, tmp_path)
    errors = resumed.communicate()[1]
    assert resumed.returncode == 0, errors
    assert "training goes on after epoch" in errors
    assert f"epoch {done - 1}/{epochs}" not in errors
    assert f"epoch {epochs}/{epochs}" in errors
    for name in ("model.pt", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@contextmanager
def dying(monkeypatch):
    """A training that dies when it would write its model."""
    monkeypatch.setattr(saved, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        yield
    monkeypatch.undo()


def test_the_time_of_killed_attempts_counts(toy, call, tmp_path, monkeypatch):
    outputs, arguments = call(toy, tmp_path / "out", epochs=1)
    with dying(monkeypatch):
        monkeypatch.setattr(Stopwatch, "__call__", lambda _: 1000.0)
        train(*outputs, **arguments)
    assert 1000 < train(*outputs, **arguments)["training_s"] < 1900


@pytest.mark.parametrize("damage", ["settings", "bytes"])
def test_unsuitable_checkpoint_is_said_and_left_aside(
    toy, fit, trained, tmp_path, capfd, monkeypatch, damage
):
    with dying(monkeypatch):
        fit(toy, tmp_path, **({"learning_rate": 0.1} if damage == "settings" else {}))
    last = tmp_path / "checkpoints" / "last.ckpt"
    if damage == "bytes":
        last.write_bytes(last.read_bytes()[:1000])
    (tmp_path / "checkpoints" / "note").touch()
    capfd.readouterr()
    fit(toy, tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["note"]  # what is not ours stays
    assert "training starts afresh" in capfd.readouterr().err
    assert (tmp_path / "model.pt").read_bytes() == trained.read_bytes()


def test_mixed_precision_trains(toy, fit, tmp_path, monkeypatch):
    """What a GPU trains in, here on the CPU."""
    trainer = lightning.Trainer
    mixed = {"precision": "bf16-mixed"}
    monkeypatch.setattr("lightning.Trainer", lambda **options: trainer(**options | mixed))
    trained = fit(toy, tmp_path, epochs=1)
    assert np.isfinite(saved.load(trained)[1]["validation_loss"])


def test_the_cycle_is_gone_through_to_its_end_and_the_best_epoch_is_kept(toy, fit, tmp_path):
    """At a learning rate so high, the loss is for long no better than before: the low ones still come."""
    fit(toy, tmp_path, epochs=16, learning_rate=0.3)
    history = pd.read_csv(tmp_path / "history.csv")
    assert len(history) == 16
    assert history["learning_rate"].iloc[-1] < 1e-4 * history["learning_rate"].max()
    assert history["validation_loss"].idxmin() + 1 == saved.load(tmp_path / "model.pt")[1]["epoch"]


def test_the_average_of_the_weights_is_what_is_validated_and_kept(toy, call, fit, tmp_path, monkeypatch):
    """Statistics of batch normalisation included, which else would be those of other weights."""
    seen, after_step = [], Supervised.after_step

    def spy(method):
        seen.append({name: tensor.clone() for name, tensor in method.network.state_dict().items()})
        after_step(method)

    monkeypatch.setattr(Supervised, "after_step", spy)
    kept = weights(fit(toy, tmp_path, epochs=1))
    expected = dict(seen[0])
    for step, found in enumerate(seen[1:], start=1):
        for name, tensor in found.items():
            decay = average_decay(step) if tensor.is_floating_point() else 0.0
            expected[name] = (decay * expected[name] + (1 - decay) * tensor).to(tensor.dtype)
    assert len(seen) > 30
    for name, tensor in expected.items():
        torch.testing.assert_close(kept[name], tensor, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(kept["head.0.weight"], seen[-1]["head.0.weight"], rtol=1e-3)
    # That the loss and the temperature are those of what is kept, another test shows.


def test_the_average_spans_the_last_tenth_of_a_training():
    steps = 1000
    shares = np.zeros(steps)
    for step in range(steps):
        decay = average_decay(step)
        shares *= decay
        shares[step] = 1 - decay
    assert shares.sum() == pytest.approx(1)
    mean = shares @ np.arange(steps) / steps
    assert mean == pytest.approx(0.9, abs=0.005)
    assert np.sqrt(shares @ (np.arange(steps) / steps - mean) ** 2) == pytest.approx(0.09, abs=0.005)
    assert shares[:100].sum() < 1e-6  # where it began is forgotten


def test_training_killed_after_its_last_epoch_trains_no_further(toy, fit, tmp_path, monkeypatch):
    with dying(monkeypatch):
        fit(toy, tmp_path / "killed")
    history = (tmp_path / "killed/history.csv").stat().st_mtime_ns
    fit(toy, tmp_path / "killed")
    fit(toy, tmp_path / "whole")
    assert (tmp_path / "killed/history.csv").stat().st_mtime_ns == history
    for name in ("model.pt", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_checkpoint_of_other_code_is_left_aside(toy, call, tmp_path, capfd, monkeypatch):
    outputs, arguments = call(toy, tmp_path)
    with dying(monkeypatch):
        train(*outputs, **arguments, code="one")
    for code, said in {"one": "training goes on after epoch 4", "other": "training starts afresh"}.items():
        with dying(monkeypatch):
            train(*outputs, **arguments, code=code)
        assert said in capfd.readouterr().err


def test_loss_that_is_not_finite_is_an_error_and_leaves_no_model(toy, fit, tmp_path, monkeypatch):
    frames = batches.frames
    monkeypatch.setattr(batches, "frames", lambda *arguments: frames(*arguments) * np.nan)
    with pytest.raises(E2EError, match=r"loss is nan in epoch 1: lower trainer.learning_rate"):
        fit(toy, tmp_path)
    assert not (tmp_path / "model.pt").exists()


def test_one_class_is_an_error(make_toy, fit, tmp_path):
    with pytest.raises(E2EError, match="no photon in part 'train'"):
        fit(make_toy(50, ("electron",)), tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_file_that_is_no_model(tmp_path, content):
    if content is not None:
        (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(E2EError, match=r"model\.pt.*train"):
        saved.load(tmp_path / "model.pt")


@pytest.mark.parametrize("other", [1, 3, "2", None])
def test_model_of_another_format_is_an_error(trained, tmp_path, other):
    """What its fields mean may have changed: read as ours, it would give scores that nobody trained."""
    content = torch.load(trained, weights_only=True)
    torch.save(content | {"format": other}, tmp_path / "model.pt")
    with pytest.raises(E2EError, match=r"model\.pt: not a trained model of format 2; train it again"):
        saved.load(tmp_path / "model.pt")


def test_model_of_another_architecture_is_an_error(trained, tmp_path):
    network, info = saved.load(trained)
    saved.save(
        tmp_path / "model.pt", network, info | {"hyperparameters": {"widths": [4, 16], "blocks": [1, 1]}}
    )
    with pytest.raises(E2EError, match="do not fit architecture 'resnet'"):
        saved.load(tmp_path / "model.pt")


@pytest.mark.slow
def test_two_processes_train_one_network(toy, call, start, tmp_path):
    """DistributedDataParallel, here over two CPU processes: one file out, and a network that has learnt."""
    process = start(call(toy, tmp_path / "ddp", devices=2), tmp_path)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    network, _ = saved.load(tmp_path / "ddp" / "model.pt")
    test = batches.stream(toy.stores, toy.split, "test", TASK)
    assert np.mean((saved.predictions(network, test.chunks(512)) > 0) == (test.target == 1)) > 0.65
    assert len(pd.read_csv(tmp_path / "ddp" / "history.csv")) == 4
