"""Reading the configuration, and the helpers that several rules share."""

import hashlib

import yaml
from snakemake.exceptions import WorkflowError

from e2e.config import validate
from e2e.errors import E2EError

REPOSITORY = Path(workflow.basedir)

try:
    validate(config, yaml.safe_load((REPOSITORY / "config/schema.yaml").read_text()))
except E2EError as error:
    raise WorkflowError(str(error)) from None

SAMPLES = {"electron_photon": ("electron", "photon")}
BACKEND = config["cmssw"]["backend"]
MODELS = {task: tuple(settings["models"]) for task, settings in config["tasks"].items()}


wildcard_constraints:
    task="|".join(config["tasks"]),
    sample="|".join(sample for task in config["tasks"] for sample in SAMPLES[task]),
    index=r"\d{3}",
    model="|".join(sorted({model for models in MODELS.values() for model in models})),
    backend="standalone|apptainer|cvmfs",


def file_names(task):
    """`sample_index` of every file of a task, in a fixed order."""
    files = config["tasks"][task]["simulation"]["files"]
    return [f"{sample}_{i:03d}" for sample in SAMPLES[task] for i in range(files)]


def ntuples(wildcards):
    names = file_names(wildcards.task)
    return [f"results/{wildcards.task}/ntuples/{name}.root" for name in names]


def stores(wildcards):
    names = file_names(wildcards.task)
    return [f"results/{wildcards.task}/store/{name}.parquet" for name in names]


def file_seed(wildcards):
    """A seed of its own for each file: adding files changes none of the others."""
    samples = SAMPLES[wildcards.task]
    first = config["tasks"][wildcards.task]["simulation"]["seed"] * 10_000
    return first + int(wildcards.index) * len(samples) + samples.index(wildcards.sample)


def file_events(wildcards):
    """Events of one file: the objects are shared out among samples and files, two an event."""
    simulation = config["tasks"][wildcards.task]["simulation"]
    share = 2 * simulation["files"] * len(SAMPLES[wildcards.task])
    return -(-simulation["objects"] // share)


def digest(*parts):
    """SHA-256 of source files of the repository: as a parameter, it makes results stale when they change."""
    sha = hashlib.sha256()
    for part in parts:
        path = REPOSITORY / part
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                sha.update(str(file.relative_to(REPOSITORY)).encode())
                sha.update(file.read_bytes())
    return sha.hexdigest()


def library(*parts):
    return digest(*(f"src/e2e/{part}" for part in parts))


def model_settings(wildcards):
    return config["tasks"][wildcards.task]["models"][wildcards.model]


def training_code(wildcards):
    """What the weights depend on: the trainer and this architecture, not the other ones."""
    architecture = model_settings(wildcards)["architecture"]
    return library(
        "learning/train.py",
        "learning/data.py",
        "learning/augmentation.py",
        "models/preprocessing.py",
        f"models/{architecture}.py",
    )


def backend_settings(wildcards):
    return {wildcards.backend: config["cmssw"].get(wildcards.backend, {})}


def final_outputs():
    """What `all` makes: for each task its validation, for each model its results, agreement and cost."""
    outputs = []
    for task, models in MODELS.items():
        outputs += [
            f"results/{task}/simulation/validation.json",
            f"results/{task}/displays.png",
        ]
        for model in models:
            folder = f"results/{task}/{model}"
            outputs += [
                f"{folder}/{name}"
                for name in (
                    "metrics.json",
                    "agreement.json",
                    "benchmark/benchmark.json",
                )
            ]
            if BACKEND == "apptainer":
                outputs.append(f"{folder}/cmsrun/apptainer/equals_standalone.json")
    return outputs
