"""Batches: the objects themselves, in an order that neither workers, devices nor a resumption change."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch

from e2e.data import store
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.tasks.electron_photon import TASK
from e2e.tasks.tau import TASK as TAU


@pytest.fixture
def training(toy):
    return batches.stream(toy.stores, toy.split, "train", TASK)


def test_other_task_is_an_error(toy):
    with pytest.raises(E2EError, match="holds task 'electron_photon', not 'tau'"):
        batches.stream(toy.stores, toy.split, "train", TAU)


@pytest.mark.parametrize("classes", [("electron", "photon"), ("photon", "electron", "muon"), ()])
def test_other_classes_are_an_error(make_toy, classes):
    """Stores that all name the classes the other way round agree with each other, and are still wrong."""
    toy = make_toy(20)
    for path in toy.stores:
        metadata = replace(store.read_metadata(path), classes=classes)
        store.write(path, [store.read(path)], metadata)
    with pytest.raises(
        E2EError, match=r"electron\.parquet: its targets count .* task photon, electron; convert"
    ):
        batches.stream(toy.stores, toy.split, "train", TASK)


def test_crops_of_two_orientations_are_not_mixed(make_toy):
    """One class turned and the other not would be told apart by the side to which crystals lean."""
    toy = make_toy(20)
    metadata = store.read_metadata(toy.stores[0])
    assert batches.identity(toy.stores, 7)["orientation"] is None
    store.write(toy.stores[0], [store.read(toy.stores[0])], replace(metadata, orientation="outward"))
    with pytest.raises(
        E2EError, match=r"photon\.parquet: rows of its crops run as in the detector, those of .*elec"
    ):
        batches.stream(toy.stores, toy.split, "train", TASK)


def test_the_orientation_of_the_data_belongs_to_their_identity(make_toy):
    toy = make_toy(20)
    for path in toy.stores:
        metadata = replace(store.read_metadata(path), orientation="outward")
        store.write(path, [store.read(path)], metadata)
    assert batches.identity(toy.stores, 7)["orientation"] == "outward"


def test_identity_of_the_data_does_not_depend_on_order(toy):
    identity = batches.identity(toy.stores, 7)
    assert batches.identity(toy.stores[::-1], 7) == identity
    assert batches.identity(toy.stores[:1], 7) != identity
    assert identity["objects"] == 7


def test_batches_are_the_objects_themselves(training):
    positions = np.array([5, 0, 5])
    batch = batches.Objects(training)[positions].unpacked(training.shape)
    np.testing.assert_array_equal(batch.frames, training.samples(positions).images())
    np.testing.assert_array_equal(batch.target, training.target[positions])
    np.testing.assert_array_equal(batch.weight, training.weight[positions])
    assert len(set(training.weight)) > 2


def test_a_stream_without_labels_has_all_objects_and_shows_no_target(half_labelled):
    toy = half_labelled
    labelled, all_of_them = (
        batches.stream(toy.stores, toy.split, "train", TASK, labelled) for labelled in (True, False)
    )
    assert 0 < len(labelled) < len(all_of_them)
    assert not labelled.objects.target.isna().any()
    batch = batches.Objects(all_of_them)[np.arange(4)].unpacked(all_of_them.shape)
    assert batch.target is None
    assert batch.weight is None
    np.testing.assert_array_equal(batch.frames, all_of_them.samples(np.arange(4)).images())


def order(stream: Stream, epoch: int = 0, size: int = 64, **arguments) -> list[list[int]]:
    sampler = batches.Batches(stream, size, **{"shuffle": True, "seed": 3} | arguments)
    sampler.set_epoch(epoch)
    found = [batch.tolist() for batch in sampler]
    assert len(found) == len(sampler)
    return found


def test_order_depends_on_seed_and_epoch_alone(training):
    first = order(training)
    assert order(training) == first
    assert order(training, epoch=1) != first
    assert order(training, seed=4) != first
    assert order(training, seed=3, epoch=1) != order(training, seed=4, epoch=0)
    flat = list(chain(*first))
    assert len(set(flat)) == len(flat) == len(training) - len(training) % 64
    assert {len(batch) for batch in first} == {64}


@pytest.mark.parametrize("devices", [2, 3])
def test_devices_share_the_batches_of_one(training, devices):
    size = 30
    one = order(training, size=size)
    several = [order(training, size=size, device=device, devices=devices) for device in range(devices)]
    for batch, *shares in zip(one, *several, strict=True):
        assert {len(share) for share in shares} == {size // devices}
        assert sorted(chain(*shares)) == sorted(batch)


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_all_objects_are_validated(training, devices):
    shares = [
        order(training, size=32, shuffle=False, device=device, devices=devices) for device in range(devices)
    ]
    assert len({tuple(map(len, share)) for share in shares}) == 1
    seen = [position for share in shares for batch in share for position in batch]
    assert set(seen) == set(range(len(training)))
    assert len(seen) < len(training) + devices
    if devices == 1:
        assert seen == list(range(len(training)))


def test_batch_is_no_larger_than_the_part(training):
    (batch,) = order(training, size=10**6)
    assert sorted(batch) == list(range(len(training)))


def loaded(loader: batches.Loader) -> list[tuple[torch.Tensor, ...]]:
    return [batch[:-1] for batch in loader]


@pytest.mark.slow
@pytest.mark.parametrize("memory", [1 << 30, 100_000])
def test_workers_give_the_batches_of_the_process_itself(toy, memory):
    stream = Stream(toy.stores, toy.split, "train", memory)
    sampler = batches.Batches(stream, 50, shuffle=True, seed=1)
    alone, workers = (batches.Loader(batches.Objects(stream), sampler, num_workers) for num_workers in (0, 2))
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for one, other in zip(loaded(alone), loaded(workers), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_loader_may_be_left_before_its_end(training):
    loader = batches.Loader(batches.Objects(training), batches.Batches(training, 50, shuffle=False))
    for _ in range(3):
        np.testing.assert_array_equal(next(iter(loader)).target, training.target[:50])


def test_error_of_the_reader_reaches_the_training(training, toy, monkeypatch):
    monkeypatch.setattr(Stream, "samples", lambda *_: (_ for _ in ()).throw(E2EError("file is gone")))
    with pytest.raises(E2EError, match="file is gone"):
        loaded(batches.Loader(batches.Objects(training), batches.Batches(training, 50, shuffle=False)))


def test_loader_draws_no_random_numbers_of_the_training(training):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    loaded(batches.Loader(batches.Objects(training), batches.Batches(training, 50, shuffle=True)))
    assert torch.equal(torch.get_rng_state(), state)
