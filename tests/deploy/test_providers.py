"""Execution providers: one table, and nothing else that knows one."""

import re
from pathlib import Path

import numpy as np
import pytest

from e2e.benchmark.machine import machine
from e2e.config import schema, validate
from e2e.deploy import cmssw, providers
from e2e.deploy.providers import CPU, CUDA, PROVIDERS, Provider
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.files import write_json

REPOSITORY = Path(__file__).parents[2]
OPEN_SESSION = REPOSITORY / "cmssw/src/RecoE2E/Taggers/src/openSession.cc"
PARTS = (
    *("Snakefile", "config.yaml", "config", "containers", "rules", "workflow", "cmssw/src"),
    *(f"src/e2e/{name}" for name in ("benchmark", "cli.py", "config.py", "deploy", "plots", "report")),
)


@pytest.fixture
def toy(monkeypatch):
    """A provider that is in the table and nowhere else; its sessions are those of the CPU."""
    made = Provider(
        "Toy",
        CPU.onnxruntime,
        "toy",
        "onnxruntime-toy",
        torch=None,
        linestyle=":",
        hatch="..",
        environment={"TOY_PRECISION": "full"},
        libraries="toy/lib",
        apptainer=("--toy",),
        devices=lambda: [{"name": "a toy"}],
    )
    monkeypatch.setitem(PROVIDERS, "Toy", made)
    return made


def test_requirements_of_each_provider_pin_its_package():
    for provider in PROVIDERS.values():
        text = (REPOSITORY / f"requirements/{provider.requirements}.txt").read_text()
        assert re.search(rf"^{re.escape(provider.package)}(\[.*\])?==", text, re.MULTILINE)


def test_cmsrun_knows_the_same_providers():
    known = re.findall(r'provider == "(\w+)"', OPEN_SESSION.read_text())
    assert known == [provider.name.lower() for provider in PROVIDERS.values()]


def test_no_other_file_knows_a_provider():
    names = r"ExecutionProvider\b|cuda|nvidia|tf32|--nv\b|\bgpu\.txt|onnxruntime-gpu"
    found = []
    for part in PARTS:
        path = REPOSITORY / part
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                found += [file] if re.search(names, file.read_text(), re.IGNORECASE) else []
    assert found == [OPEN_SESSION, Path(providers.__file__)]


def test_toy_runs_a_model(toy, model, samples):
    frames = samples.images(slice(0, 3))
    found, expected = (run(session(model, provider), frames)["score"] for provider in (toy, CPU))
    np.testing.assert_array_equal(found, expected)


def test_toy_is_a_choice_of_the_configuration(toy):
    config = {"run": "mine", "tasks": {"tau": {}}, "cmssw": {"apptainer": {"onnxruntime": "toy"}}}
    validate(config, schema())
    config["cmssw"]["apptainer"]["onnxruntime"] = "toys"
    with pytest.raises(E2EError, match=r"one of: cpu, gpu, toy\n  corrected line:  onnxruntime: toy"):
        validate(config, schema())


def test_toy_is_found_on_the_machine(toy):
    assert {"name": "a toy"} in machine()["gpus"]


def test_image_is_made_and_run_for_a_toy(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("containers/cmssw-standalone.def", "requirements/constraints.txt", "requirements/toy.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    area, settings = Path("results/cmssw/apptainer"), {"apptainer": {"onnxruntime": "toy"}}
    cmssw.build("apptainer", area, Path("cmssw"), settings, 1, Path("log"), dry_run=True)
    assert re.search(r"containers/build \S+\.sif toy toy/lib\n", capsys.readouterr().out)

    def command(image, *arguments):
        made = {"path": str(area.resolve()), "image": {"file": "a.sif", "onnxruntime": image}}
        write_json(area / "area.json", made)
        cmssw.run("apptainer", area, Path("cfg.py"), arguments, Path("log"), settings, dry_run=True)
        return capsys.readouterr().out.split()

    assert {"--toy", "--env=TOY_PRECISION=full"} <= set(command("toy", "provider=toy"))
    assert "--toy" not in command("toy", "provider=toy", "provider=cpu")
    with pytest.raises(E2EError, match=r"=toy needs cmssw\.apptainer\.onnxruntime: toy; this image has gpu"):
        command("gpu", "provider=toy")


def test_commands_get_what_a_toy_wants(toy, tmp_path, monkeypatch):
    (tmp_path / "toy/lib").mkdir(parents=True)
    monkeypatch.setattr(providers.sysconfig, "get_path", lambda _: str(tmp_path))
    assert providers.library_folders() == [tmp_path / "toy/lib"]
    assert providers.environment() == {**CUDA.environment, "TOY_PRECISION": "full"}


def test_pytorch_has_no_toy(toy):
    with pytest.raises(E2EError, match="PyTorch has no device of Toy"):
        providers.torch_device(toy)


def test_unknown_provider_is_an_error_that_names_the_known_ones():
    with pytest.raises(E2EError, match="provider=gpu: no such execution provider; choose cpu, cuda"):
        providers.of_cmsrun(["maxEvents=1", "provider=gpu"])
