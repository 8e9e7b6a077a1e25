"""One set of versions: what pip installs, what conda installs, and what the image takes."""

import re
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
# The workflow manager runs outside the rules' environments, as the checks of dev.txt do.
OUTSIDE_RULES = {"snakemake", "snakemake-executor-plugin-slurm"}
# Networks of Keras need these; the other pins of keras.txt are what they bring in.
KERAS = {"keras", "tensorflow-cpu", "tf2onnx"}


def pinned(*names):
    """Version of each package in these requirements files."""
    text = "\n".join((REPOSITORY / "requirements" / f"{name}.txt").read_text() for name in names)
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", text, re.MULTILINE)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(pins) == len(lines), f"not an exact pin in {names}"
    return {name.lower(): version for name, version in pins}


def major_minor(version):
    return version.split(".")[:2]


def test_conda_environment_follows_the_pins():
    keras = pinned("keras")
    requirements = pinned("base", "workflow", "torch", "cpu") | {name: keras[name] for name in KERAS}
    *conda, pip = yaml.safe_load((REPOSITORY / "envs/e2e.yaml").read_text())["dependencies"]
    versions = dict(
        line.replace("==", " =").lower().split(" =") for line in [*conda, *pip["pip"]] if "=" in line
    )
    assert versions.pop("python") == "3.11"
    versions["torch"] = versions.pop("pytorch")  # conda-forge's name of torch
    assert versions.keys() == requirements.keys() - OUTSIDE_RULES
    differing = {
        name for name, version in versions.items() if major_minor(version) != major_minor(requirements[name])
    }
    assert not differing


def test_both_builds_of_onnxruntime_have_one_version():
    assert pinned("cpu")["onnxruntime"] == pinned("gpu")["onnxruntime-gpu"]


def test_image_takes_its_packages_from_the_pins():
    definition = (REPOSITORY / "containers/cmssw-standalone.def").read_text()
    install = re.search(r"pip install (.*?)\n\s+[a-z]+-", definition.replace("\\\n", ""))[1]
    packages = [word for word in install.split() if not word.startswith(("-", "/"))]
    assert "ROOT" in packages
    assert {name.lower() for name in packages} <= pinned("workflow").keys()


def test_keras_adds_packages_and_changes_none():
    others = pinned("base", "workflow", "dev", "torch", "cpu", "constraints")
    assert not pinned("keras").keys() & others.keys()


def test_constraints_hold_the_pins_themselves():
    """But for those of keras.txt, and the builds of torch and ONNX Runtime that depend on the machine."""
    assert pinned("base", "workflow", "dev").items() <= pinned("constraints").items()


def test_the_project_takes_each_list_of_requirements_once():
    """All but that of another release's ONNX Runtime, for an environment of its own."""
    dynamic = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    taken = [dynamic["dependencies"], *dynamic["optional-dependencies"].values()]
    files = sorted(REPOSITORY / name for entry in taken for name in entry["file"])
    others = {"constraints.txt", "ort117.txt"}
    assert files == sorted(
        path for path in (REPOSITORY / "requirements").iterdir() if path.name not in others
    )
