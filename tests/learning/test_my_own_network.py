"""docs/how-to/my-own-network.md, followed word by word: its file, its entry, its commands."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml

from e2e import models, tasks
from e2e.config import schema, validate
from e2e.deploy import predict
from e2e.deploy.contract import load_contract
from e2e.deploy.export import export
from e2e.errors import E2EError
from e2e.learning import batches
from e2e.learning.statistics import auc
from e2e.learning.train import train
from e2e.models import saved

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "how-to" / "my-own-network.md").read_text()


def block(language: str) -> str:
    """The only code block of the page in a language."""
    (found,) = re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found)


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """The page's file among those of src/e2e/models, under the name that the page gives it."""
    (name,) = re.findall(r"`src/e2e/models/(\w+\.py)`", PAGE)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / name).write_text(block("python"))
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(folder)])
    yield folder / name
    sys.modules.pop(f"e2e.models.{Path(name).stem}", None)


@pytest.fixture
def config(own_file):
    """A configuration with the page's entry, defaults filled in."""
    config = {"run": "demo", "tasks": {"electron_photon": yaml.safe_load(block("yaml"))}}
    validate(config, schema())
    return config


def test_network_of_the_page_is_trained_exported_and_gives_the_same_in_onnx_runtime(
    toy, own_file, config, tmp_path
):
    ((name, settings),) = config["tasks"]["electron_photon"]["models"].items()
    of = tasks.task("electron_photon")
    folder = tmp_path / name
    info = train(
        toy.stores,
        toy.split,
        *(folder / file for file in ("model.pt", "history.csv")),
        checkpoints=folder / "checkpoints",
        task=of,
        architecture=settings["architecture"],
        network=settings["network"],
        trainer=settings["trainer"],
        threads=1,
        accelerator="cpu",
    )
    assert info["architecture"] == own_file.stem
    network, _ = saved.load(folder / "model.pt")
    assert network.trunk.layers[1].out_features == settings["network"]["width"]

    test = batches.stream(toy.stores, toy.split, "test", of)
    logit = saved.predictions(network, test.chunks(64))
    assert auc(logit, test.target) > 0.7

    export(folder / "model.pt", folder / "model.onnx", folder / "model.json", opset=17, ir_version=8)
    contract = load_contract(folder / "model.onnx")
    table = predict.scores(folder / "model.onnx", test.chunks(64), folder / "scores.parquet")
    for output, expected in zip(
        contract.outputs,
        (1 / (1 + np.exp(-logit / contract.temperature)), logit / contract.temperature),
        strict=True,
    ):
        assert (output.difference(table[output.name], expected) <= output.tolerance).all()


def test_entry_takes_the_numbers_of_the_file_only(own_file, config):
    entry = config["tasks"]["electron_photon"]["models"]["mlp"]
    with pytest.raises(E2EError, match="has no hyperparameter 'depth'; it takes: width, hidden"):
        models.build(entry["architecture"], tasks.task("electron_photon"), depth=2)


def test_commands_of_the_page_are_planned_once_the_file_is_there(config, own_file, tmp_path):
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns(".*", "results", "build", "__pycache__", "tests", "docs")
    shutil.copytree(REPOSITORY, tree, ignore=ignore)
    (tree / "config/demo.yaml").write_text(yaml.safe_dump(config))
    targets = re.findall(r"^ +snakemake --cores 2 (\S+)", PAGE, re.MULTILINE)
    assert len(targets) == 4

    def plan():
        command = [Path(sys.executable).parent / "snakemake", "--dry-run", *targets]
        environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        return subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True)

    process = plan()
    assert process.returncode != 0
    needed = (
        r"mlp\.architecture = mlp: must be one of: cnn, .*; another one needs a file src/e2e/models/mlp\.py"
    )
    assert re.search(needed, process.stdout + process.stderr)
    shutil.copy(own_file, tree / "src/e2e/models")
    process = plan()
    assert process.returncode == 0, process.stderr
