"""Few labels: the same ones for every model, of the validation part, too; and none where none are to be."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from e2e.data import store
from e2e.data.parts import EVENT, PARTS, Labels
from e2e.data.split import write_split
from e2e.errors import E2EError
from e2e.files import read_json
from e2e.learning import batches
from e2e.learning.evaluation import evaluate
from e2e.learning.reference import reference
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks.electron_photon import TASK


def events(toy, part: str, labels: Labels, labelled: bool = True) -> set:
    found = batches.stream(toy.stores, toy.split, part, TASK, labelled, labels)
    return set(found.objects[EVENT].itertuples(index=False, name=None))


@pytest.mark.parametrize("part", PARTS[:2])
def test_parts_shrink_by_event_and_subsets_are_nested(toy, part):
    every, some = (events(toy, part, Labels(share)) for share in (1.0, 0.5))
    assert some < every
    assert len(some) / len(every) == pytest.approx(0.5, abs=0.2)
    assert events(toy, part, Labels(0.4)) <= some
    assert events(toy, part, Labels(0.5, subset=1)) != some
    assert events(toy, part, Labels(0.1), labelled=False) == every


def test_a_training_with_few_labels_says_so_and_is_tested_on_all(toy, call, tmp_path):
    outputs, arguments = call(toy, tmp_path, epochs=1)
    info = train(*outputs, **arguments, labels=0.4, subset=3)
    assert (info["labels"], info["subset"]) == (0.4, 3)
    streams = {
        part: batches.stream(toy.stores, toy.split, part, TASK, labels=Labels(0.4, 3)) for part in PARTS[:2]
    }
    assert info["training_data"]["objects"] == len(streams["train"])
    # The validation loss is that of few objects, too: of the others nothing is known.
    logit = saved.predictions(saved.load(tmp_path / "model.pt")[0], streams["validation"].chunks(512))
    target, weight = streams["validation"].target, streams["validation"].weight
    losses = np.logaddexp(0, np.where(target == 1, -logit, logit))
    assert info["validation_loss"] == pytest.approx(np.mean(weight * losses), rel=1e-5)
    written = ("bdt.parquet", "bdt.json", "bdt.joblib", "scores.parquet", "metrics.json", "explained.npz")
    names = [tmp_path / name for name in written]
    reference(toy.stores, toy.split, *names[:3], threads=1)
    evaluate(toy.stores, toy.split, tmp_path / "model.pt", names[0], *names[3:], threads=1)
    test = batches.stream(toy.stores, toy.split, "test", TASK)
    counted = {part: len(stream) for part, stream in streams.items()} | {"test": len(test)}
    assert read_json(names[4])["objects"] == counted


def test_too_few_labels_are_said(toy, call, tmp_path):
    outputs, arguments = call(toy, tmp_path)
    with pytest.raises(E2EError, match=r"no (photon|electron|object with truth).* in part"):
        train(*outputs, **arguments, labels=1e-9)


def test_a_frame_of_the_test_part_among_unlabelled_ones_is_refused(make_toy, call, tmp_path):
    """An event with one object in a file that says it is of the training part, and one in the test part."""
    toy = make_toy(60)
    test = batches.stream(toy.stores, toy.split, "test", TASK).objects
    wanted = test[test["sample"] == "electron"].iloc[0]
    path = next(path for path in toy.stores if path.stem == "electron")
    objects, metadata = store.read(path), store.read_metadata(path)
    moved = (objects.event == wanted["event"]) & (objects.object == 1)
    assert moved.sum() == 1
    store.write(path, [objects[~moved]], metadata)
    own = path.with_name("own.parquet")
    store.write(own, [objects[moved]], replace(metadata, part="train"))
    stores = [*toy.stores, own]
    write_split(stores, toy.split, toy.split.with_suffix(".json"))
    outputs, arguments = call(toy, tmp_path / "out", epochs=1)
    outputs[0] = stores
    with pytest.raises(
        E2EError,
        match=rf"split.parquet: event {wanted['event']} of sample electron \(run 1, lumi 1\) is in part"
        " 'train' and in part 'test', of which nothing may be learned; leave out one of its files",
    ):
        train(*outputs, **arguments, method={"name": "byol"})
    assert not (tmp_path / "out/model.pt").exists()
    train(*outputs, **arguments)  # with labels a file is what it says


def test_what_was_pretrained_is_where_a_model_begins(toy, call, tmp_path):
    outputs, arguments = call(toy, tmp_path / "first", epochs=1)
    train(*outputs, **arguments, method={"name": "vicreg", "width": 16, "may_collapse": True})
    again, options = call(toy, tmp_path / "second", epochs=1)
    info = train(*again, **options, init=outputs[2], freeze=True, labels=0.3)
    assert info["init"]["method"] == {"name": "vicreg", "width": 16, "may_collapse": True}
    one, other = (torch.load(path, weights_only=True)["state_dict"] for path in (outputs[2], again[2]))
    assert all(name.startswith("trunk.") for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)
