"""The test part is measured on, and nothing else: with other objects in it, all that is made stays so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from e2e.data import split, store
from e2e.data.scores import read_scores
from e2e.data.split import PARTS
from e2e.data.store import Samples
from e2e.learning import batches, reference
from e2e.learning.evaluation import evaluate
from e2e.learning.train import train
from e2e.tasks import Task, task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON

MASS = task("mass_regression", 4)
SMALL = {
    "resnet": {"widths": [4, 8], "blocks": [1, 1]},
    "keras_cnn": {"widths": [4, 8], "blocks": [1, 1]},
    "cnn": {"stem": 4, "widths": [4], "blocks": [1]},
}
MADE = (
    "model",
    "seed",
    "epoch",
    "parameters",
    "temperature",
    "choices",
    "features",
    "training_data",
    "objects",
)


def in_test(samples: Samples) -> np.ndarray:
    part = split.part(samples.sample, samples.run, samples.lumi, samples.event)
    return part == PARTS.index("test")


def replaced(toy, folder: Path):
    """The same events, those of the test part with other hits, targets and kinematics."""
    generator = np.random.default_rng(7)
    paths = [folder / path.name for path in toy.stores]
    for path, new, another in zip(toy.stores, paths, toy.stores[::-1], strict=True):
        samples, others = store.read(path), store.read(another)
        others = replace(
            others[generator.permutation(len(others))],
            **{name: getattr(samples, name) for name in store.IDENTITY},
            target=generator.permutation(store.read(toy.stores).target)[: len(samples)],
            kinematics={name: 1.5 * column for name, column in others.kinematics.items()},
            value=2 * others.value,
        )
        number = np.arange(len(samples))
        chosen = np.where(in_test(samples), len(samples) + number, number)
        store.write(new, [Samples.concatenate([samples, others])[chosen]], store.read_metadata(path))
    split.write_split(paths, folder / "split.parquet", folder / "split.json")
    return replace(toy, stores=paths, split=folder / "split.parquet")


@pytest.fixture
def make(call, monkeypatch):
    """Function (toy, folder, task, architecture) -> what is made of it, and what is measured.

    With few trees and resamplings; the learning rate is so high that the last epoch is seldom the best.
    """
    for name, number in (("tabular.ITERATIONS", 60), ("tabular.PATIENCE", 5), ("tabular.EPOCHS", 4)):
        monkeypatch.setattr(f"e2e.learning.{name}", number)
    for module in ("classification", "regression"):
        monkeypatch.setattr(f"e2e.learning.{module}.REPLICAS", 20)
    seen: dict[str, list] = {}
    chosen, grown = reference.careful, reference.trees

    def choosing(parts, tables, of, seed):
        found = chosen(parts, tables, of, seed)
        seen["reference"] += [found.best.answer(tables[part]) for part in PARTS[:2]]
        return found

    def growing(parts, tables, of, seed):
        trees = grown(parts, tables, of, seed)
        seen["reference"] += [[trees.n_iter_], *(trees.predict(tables[part]) for part in PARTS[:2])]
        return trees

    monkeypatch.setattr(reference, "careful", choosing)
    monkeypatch.setattr(reference, "trees", growing)

    def run(toy, folder: Path, of: Task, architecture: str) -> tuple[dict, dict]:
        seen["reference"] = []
        outputs, arguments = call(toy, folder, epochs=6, learning_rate=0.1)
        network = {"architecture": architecture, "network": SMALL[architecture]}
        info = train(*outputs, **arguments | {"task": of} | network)
        bdt, own = (folder / name for name in ("bdt", "own"))
        for path in (bdt, own):
            path.mkdir()
        scores = bdt / "scores.parquet"
        reference.reference(
            toy.stores, toy.split, scores, bdt / "metrics.json", bdt / "model.joblib", threads=1
        )
        results = (own / name for name in ("scores.parquet", "metrics.json", "explained.npz"))
        evaluate(toy.stores, toy.split, outputs[2], scores, *results, threads=1)
        metrics = {path.name: json.loads((path / "metrics.json").read_text()) for path in (bdt, own)}
        assert "epoch" in info
        made = {
            "network": outputs[2].read_bytes(),
            "history": outputs[3].read_bytes(),
            "weights": np.concatenate(
                [batches.stream(toy.stores, toy.split, p, of).weight for p in PARTS[:2]]
            ),
            "reference": np.hstack(seen["reference"]),
            "said": [{key: m[key] for key in MADE if key in m} for m in metrics.values()],
        }
        if not of.classes:
            made["mean"] = read_scores(scores)["mean"].to_numpy()
        return made, metrics

    with threadpool_limits(1):  # threads that wait for a busy core take seconds
        yield run


@pytest.mark.parametrize(
    ("of", "architecture"),
    [
        (ELECTRON_PHOTON, "resnet"),
        pytest.param(ELECTRON_PHOTON, "keras_cnn", marks=pytest.mark.slow),
        (MASS, "cnn"),
    ],
)
def test_other_objects_of_the_test_part_change_what_is_measured_alone(
    of, architecture, make, make_toy, make_jets, tmp_path
):
    """Weights, temperature, history, trees and balance would else be chosen for what they are measured on.

    Such a leak makes every result better, and no other test would see it.
    """
    if architecture == "keras_cnn":
        pytest.importorskip("keras", reason="Keras is not installed: requirements/keras.txt")
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed: requirements/keras.txt")
    toy = make_toy(200) if of.classes else make_jets(of)
    made, measured = make(toy, tmp_path / "one", of, architecture)
    others, other = make(replaced(toy, tmp_path / "replaced"), tmp_path / "other", of, architecture)
    assert made.keys() == others.keys()
    for name, value in made.items():
        np.testing.assert_equal(others[name], value, err_msg=name)
    merit = "auc" if of.classes else "mean_absolute_error"
    for name, metrics in measured.items():
        assert metrics[merit]["value"] != other[name][merit]["value"]
