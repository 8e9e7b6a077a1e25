"""Numbers beside frames: from the store through batches to a network, its answers, and its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from e2e import models
from e2e.data import store
from e2e.data.scalars import inputs
from e2e.data.split import write_split
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.learning.attribution import integrated_gradients
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks import SEED_ETA, Quantity, task

BOTH = ("seed_eta", "jetPt")
MASS = task("mass_regression", 4)


def batch_of(network, frames, scalars):
    with torch.inference_mode():
        return network(torch.from_numpy(frames), torch.from_numpy(scalars))


def test_a_task_gives_what_it_offers_and_nothing_else():
    of = task("quark_gluon").given(BOTH[::-1])
    assert of.scalars == (Quantity("jetPt", "GeV"), SEED_ETA)
    assert task("electron_photon", scalars=["seed_eta"]).scalars == (SEED_ETA,)
    with pytest.raises(E2EError, match="offers no scalar 'jetPt'; it offers: seed_eta"):
        task("electron_photon").given(["jetPt"])
    with pytest.raises(E2EError, match="one is there twice"):
        of.given(["jetPt", "jetPt"])


def test_without_scalars_a_network_is_what_it_was():
    """The same random numbers make the same weights, by name and value."""
    torch.manual_seed(1)
    before = models.build("cnn", MASS).state_dict()
    torch.manual_seed(1)
    after = models.build("cnn", MASS.given(())).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(name.startswith("scalars") for name in before)


def test_scalars_are_standardised_and_both_ends_of_the_detector_are_alike():
    of = MASS.given(BOTH)
    network = models.build("cnn", of).eval()
    values = np.random.default_rng(1).uniform([-1.4, 20], [1.4, 200], (1000, 2)).astype(np.float32)
    network.set_scalar_range(torch.from_numpy(values))
    standardised = network.scalars[0](torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std(axis=0), 1, atol=1e-5)
    frames = np.zeros((4, *of.shape), np.float32)
    here, there, harder = values[:4], values[:4] * np.float32([-1, 1]), values[:4] * np.float32([1, 2])
    answer = batch_of(network, frames, here)
    assert torch.equal(answer, batch_of(network, frames, there))
    assert (answer != batch_of(network, frames, harder)).all()
    constant = models.build("cnn", of)
    constant.set_scalar_range(torch.full((5, 2), 2.0))
    assert torch.isfinite(constant.scalars[0](torch.full((1, 2), 3.0))).all()


def test_a_scalar_without_a_scale_is_an_error():
    with pytest.raises(E2EError, match=r"scalar jetPhi \[rad\] has no scale"):
        models.build("cnn", replace(MASS, offered=("jetPhi",)).given(["jetPhi"]))


def with_seeds(toy, rows):
    """The same stores with seeds in these rows of the detector."""
    for path in toy.stores:
        samples, metadata = store.read(path), store.read_metadata(path)
        rows = np.resize(np.float32(rows), len(samples))
        store.write(path, [replace(samples, seed_row=rows)], metadata)
    write_split(toy.stores, toy.split, toy.split.with_suffix(".json"))
    return toy


def test_batches_hold_the_scalars_of_their_objects(make_jets):
    toy, of = with_seeds(make_jets(MASS), [62, 142, 217]), MASS.given(BOTH)
    stream = batches.stream(toy.stores, toy.split, "train", of)
    objects = batches.Objects(stream, of)
    positions = np.array([3, 0, 7])
    batch = objects[positions].unpacked(MASS.shape)
    assert [len(given) for given in batch.inputs] == [3, 3]
    table = stream.objects.iloc[positions]
    eta = 0.0174 * (table["seed_row"] - 139.5)  # of the middle of a cell: 280 rows
    np.testing.assert_allclose(batch.scalars, np.stack([eta, table["jetPt"]], axis=1), rtol=1e-6)
    assert torch.equal(objects.scalars[positions], batch.scalars)
    frames, beside = inputs(stream.samples(positions), of)
    np.testing.assert_array_equal(frames, batch.frames)
    np.testing.assert_array_equal(beside, batch.scalars)
    for plain in (batches.Objects(stream), batches.Objects(stream, MASS)):
        assert plain[positions].unpacked(MASS.shape).inputs[1:] == ()


def informative(toy):
    """The same stores, in which the pT tells the mass and nothing else does."""
    for path in toy.stores:
        samples, metadata = store.read(path), store.read_metadata(path)
        told = samples.kinematics | {"jetPt": 10 * samples.target}
        store.write(path, [replace(samples, value=np.ones_like(samples.value), kinematics=told)], metadata)
    write_split(toy.stores, toy.split, toy.split.with_suffix(".json"))
    return toy


def arguments(toy, folder, **entry):
    outputs = [folder / name for name in ("model.pt", "history.csv")]
    small = {"stem": 2, "widths": [4], "blocks": [1], "hidden": 8, "dropout": 0.0}
    trainer = {"epochs": 12, "batch_size": 16, "learning_rate": 0.02, "weight_decay": 0.0}
    named = {
        "checkpoints": folder / "checkpoints",
        "task": MASS,
        "architecture": "cnn",
        "network": small,
        "trainer": trainer | {"devices": 1, "seed": 1},
        "threads": 1,
        "accelerator": "cpu",
    }
    return [toy.stores, toy.split, *outputs], named | entry


def test_a_network_learns_from_them_and_its_file_knows_them(make_jets, tmp_path):
    toy = informative(make_jets(MASS))
    outputs, named = arguments(toy, tmp_path, scalars=["jetPt"])
    train(*outputs, **named)
    network, info = saved.load(tmp_path / "model.pt")
    assert info["scalars"] == ["jetPt"]
    assert saved.task_of(info).scalars == MASS.given(["jetPt"]).scalars
    test = batches.stream(toy.stores, toy.split, "test", MASS.given(["jetPt"]))
    answer = saved.predictions(network, test.chunks(64))
    assert np.corrcoef(answer[:, 0], test.target)[0, 1] > 0.9
    samples = test.samples(np.arange(3))
    contributions = integrated_gradients(network, *inputs(samples, MASS.given(["jetPt"])))
    assert contributions.shape == (3, *MASS.shape)
    # A trunk is one of frames: another model takes it over, whatever scalars either of them takes.
    (tmp_path / "other").mkdir()
    outputs, named = arguments(toy, tmp_path / "other", init=tmp_path / "model.pt", freeze=True)
    named["trainer"]["epochs"] = 1
    train(*outputs, **named)
    other, _ = saved.load(tmp_path / "other/model.pt")
    assert torch.equal(other.trunk.stages[0][0].weight, network.trunk.stages[0][0].weight)


def test_objects_without_a_scalar_are_refused_naming_the_file(make_jets, tmp_path):
    toy = with_seeds(make_jets(MASS), [142, np.nan])
    outputs, named = arguments(toy, tmp_path, scalars=["seed_eta"])
    reason = r"jets.parquet: \d+ of 1\d\d objects have no seed_eta, which the model takes; convert"
    with pytest.raises(E2EError, match=reason):
        train(*outputs, **named)
    samples, metadata = store.read(toy.stores[0]), store.read_metadata(toy.stores[0])
    pt = np.where(np.arange(len(samples)) % 2, samples.kinematics["jetPt"], np.float32(np.nan))
    store.write(toy.stores[0], [replace(samples, kinematics=samples.kinematics | {"jetPt": pt})], metadata)
    outputs, named = arguments(toy, tmp_path, scalars=["jetPt"])
    reason = "have no jetPt, which the model takes; write the ntuple with the branch jetPt, or take a model"
    with pytest.raises(E2EError, match=reason + " of frames alone"):
        train(*outputs, **named)
    assert not (tmp_path / "model.pt").exists()


def test_networks_of_frames_alone_are_not_given_any(make_jets, tmp_path, monkeypatch):
    toy = make_jets(MASS)
    build = models.build

    def without(architecture, of, **hyperparameters):
        return build(architecture, of.given(()), **hyperparameters)

    monkeypatch.setattr(models, "build", without)
    outputs, named = arguments(toy, tmp_path, scalars=["jetPt"])
    with pytest.raises(
        E2EError, match="scalars: networks of architecture 'cnn' take frames alone; leave out jetPt"
    ):
        train(*outputs, **named)
