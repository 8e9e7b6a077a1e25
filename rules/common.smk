"""Reading the configuration, and the helpers that several rules share."""

import hashlib
import re
import sys

from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from e2e import imports, runs, tasks
from e2e.data.parts import FRACTIONS, PARTS
from e2e.config import beginning, schema, validate
from e2e.deploy.releases import check
from e2e.errors import E2EError
from e2e.models import loop_of, tensorflow

REPOSITORY = Path(workflow.basedir)


def asked_for():
    """The targets of the command line, which Snakemake itself tells only when it has read this file."""
    known, others = get_argument_parser().parse_known_args(sys.argv[1:])
    return [*known.targets, *others]


# Without --configfile, the configuration is that of the run in which the targets lie.
if "tasks" not in config:
    try:
        chosen = runs.configuration(asked_for(), REPOSITORY)
    except E2EError as error:
        raise WorkflowError(str(error)) from None

    # As though it had been given: processes that Snakemake starts for single jobs do not see the targets.
    workflow.overwrite_configfiles.append(chosen)

    configfile: chosen


try:
    validate(config, schema())
    runs.check_name(config["run"], workflow.configfiles, REPOSITORY)
    runs.check_targets(
        asked_for(),
        config["run"],
        {task: settings["models"] for task, settings in config["tasks"].items()},
    )
    if config["cmssw"]["host"] == "cvmfs":
        export, cmssw = config["export"], config["cmssw"]["cvmfs"]
        check(export["opset"], export["ir_version"], cmssw["release"])
except E2EError as error:
    raise WorkflowError(str(error)) from None

RUN = config["run"]
RESIMULATED = 4000  # objects of each other detector, at most
HOST = config["cmssw"]["host"]


def runnable(task, model):
    """Whether the packages of a model are here; says so once, in the main process, where they are not."""
    # The environment of envs/ has them all; what is installed outside does not matter then.
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        return True
    missing = tensorflow.missing(config["tasks"][task]["models"][model]["architecture"])
    if missing and workflow.is_main_process:
        print(
            f"{task}: model {model} is left out: {tensorflow.ABSENT}", file=sys.stderr
        )
    return not missing


MODELS = {
    task: tuple(model for model in settings["models"] if runnable(task, model))
    for task, settings in config["tasks"].items()
}


def settings_of(task):
    return config["tasks"][task]


def samples(task):
    """Names of a task's samples."""
    settings = settings_of(task)
    if settings["source"] != "simulation":
        return tuple(settings[settings["source"]])
    made = tasks.task(task).simulation
    return (
        (settings["simulation"]["sample"],)
        if made.alternatives
        else tuple(made.samples)
    )


PRETRAININGS = "|".join(
    sorted(
        {name for task in config["tasks"] for name in settings_of(task)["pretrainings"]}
    )
)
NAMES = "|".join(sorted({model for models in MODELS.values() for model in models}))


wildcard_constraints:
    run=RUN,
    task="|".join(config["tasks"]),
    sample="|".join(
        sorted({sample for task in config["tasks"] for sample in samples(task)})
    ),
    index=r"\d{3}",
    other="|".join(
        sorted(
            {
                re.escape(other)
                for task in config["tasks"]
                if (made := tasks.task(task).simulation)
                for other in made.others
            }
        )
    ),
    pretraining=PRETRAININGS or "none",
    # A model, or a repeat of it: the same with another seed, in a folder of its own, e.g. resnet/seed_2.
    model=rf"({NAMES})(/seed_\d+)?",
    # The reference, or a repeat of it.
    repeat=r"(/seed_\d+)?",
    host="standalone|apptainer|cvmfs",


def sources(task):
    """The file behind each store of a task, by `sample_index`, in a fixed order."""
    return {
        f"{sample}_{i:03d}": path
        for sample in samples(task)
        for i, path in enumerate(sample_files(task, sample))
    }


def file_samples(wildcards):
    """The sample of each file of a task, in the order of `ntuples` and `stores`."""
    task = wildcards.task
    return [sample for sample in samples(task) for _ in sample_files(task, sample)]


def sample_files(task, sample):
    settings = settings_of(task)
    if settings["source"] == "files":
        return settings["files"][sample]
    if settings["source"] == "cernbox":
        names = public_files(task, sample)
        return [f"results/{RUN}/{task}/downloads/{sample}/{name}" for name in names]
    files = range(settings["simulation"]["files"])
    return [f"results/{RUN}/{task}/ntuples/{sample}_{i:03d}.root" for i in files]


def public_files(task, sample):
    """A sample's files behind its link, with the folders they are in: as configured, or all found there."""
    link = settings_of(task)["cernbox"][sample]
    if "files" in link:
        return link["files"]
    listing = checkpoints.listing.get(run=RUN, task=task, sample=sample)
    return Path(listing.output[0]).read_text().splitlines()


def link(wildcards):
    """The token of a CERNBox link, or the address of another folder on the web."""
    settings = settings_of(wildcards.task)["cernbox"][wildcards.sample]
    return settings.get("token") or settings["address"]


def part(wildcards):
    """The part of the split that a public sample keeps to, where the configuration says so."""
    links = settings_of(wildcards.task).get("cernbox", {})
    return links.get(wildcards.sample, {}).get("part")


def class_of(wildcards):
    """The class of all objects of a sample, where the configuration says so."""
    return settings_of(wildcards.task)["classes"].get(wildcards.sample)


def drop_empty(wildcards):
    """Whether crops without any hit are left out, which only those of public files can be."""
    settings = settings_of(wildcards.task)
    public = not source(wildcards).endswith(".root")
    return public and settings["empty_crops"] == "drop"


def hcal_columns(wildcards):
    return settings_of(wildcards.task)["hcal_columns"]


def source(wildcards):
    return sources(wildcards.task)[f"{wildcards.sample}_{wildcards.index}"]


def has_ntuples(task):
    """Whether cmsRun can read what a task is made from: ntuples, but not the crops of public files."""
    settings = settings_of(task)
    if settings["source"] == "files":
        return all(
            path.endswith(".root")
            for paths in settings["files"].values()
            for path in paths
        )
    return settings["source"] == "simulation"


def ntuples(wildcards):
    return list(sources(wildcards.task).values())


def stores(wildcards):
    names = sources(wildcards.task)
    return [f"results/{RUN}/{wildcards.task}/store/{name}.parquet" for name in names]


def file_seed(wildcards):
    """A seed of its own for each file: adding files changes none of the others."""
    names = samples(wildcards.task)
    first = settings_of(wildcards.task)["simulation"]["seed"] * 10_000
    return first + int(wildcards.index) * len(names) + names.index(wildcards.sample)


def objects_of_file(task, sample):
    """Objects of one file of a sample: those of the task are shared out among samples and files."""
    settings = settings_of(task)["simulation"]
    made = tasks.task(task).simulation
    return made.of_file(sample, settings["objects"], settings["files"])


def file_objects(wildcards):
    return objects_of_file(wildcards.task, wildcards.sample)


def pileup(wildcards):
    """The pool of collisions that jets take their pileup from."""
    pooled = tasks.task(wildcards.task).simulation.pooled
    return f"results/{RUN}/pileup.npz" if pooled else []


def simulation_settings(wildcards):
    """What the configuration says of how objects are simulated, as arguments of the simulation."""
    settings = settings_of(wildcards.task)["simulation"]
    return {name: settings[name] for name in ("tracks", "pt") if name in settings}


def data_beside(wildcards):
    """Files of data that the validation of the simulation looks at, too."""
    return settings_of(wildcards.task)["simulation"].get("data", [])


def channels(wildcards):
    return settings_of(wildcards.task).get("channels")


def memory(mb):
    """Memory of a job in MB; a job that comes back, where the profile has retries, gets more each time."""
    return lambda wildcards, attempt: mb * attempt


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


def area_code():
    """Digest of what an area is built from."""
    return digest("cmssw/src", "cmssw/standalone", "containers", "requirements")


def library(*modules):
    """Parameter: what modules of the library, all that they import of it, and the job's task say.

    What is drawn of a task, or expected of its simulation, decides nothing; who looks at it names its file. In
    names of modules, {task} and {features} stand for those of the job's task.
    """
    return lambda wildcards: code(wildcards, *modules)


def code(wildcards, *modules):
    task = tasks.task(wildcards.task)
    features = task.features.replace(" ", "_")
    files = [file.format(task=task.name, features=features) for file in modules]
    for file in files:
        if not (REPOSITORY / "src/e2e" / file).exists():
            raise WorkflowError(f"task {task.name}: needs a file src/e2e/{file}")
    return imports.digest(*files, facts=task)


def simulation_code(wildcards):
    task = tasks.task(wildcards.task)
    made = task.simulation
    return imports.digest(
        f"simulation/{made.module}.py", facts=(task, made.samples[wildcards.sample])
    )


def validation_code(wildcards):
    name = tasks.task(wildcards.task).simulation.validation
    files = (f"simulation/{name}.py", f"report/{name}.py", "tasks/{task}.py")
    return code(wildcards, *files)


def model_settings(wildcards):
    """The entry of a model; a repeat has the seed of its folder instead of the entry's own."""
    name, *folder = wildcards.model.split("/")
    settings = settings_of(wildcards.task)["models"][name]
    if not folder:
        return settings
    seed = int(folder[0].removeprefix("seed_"))
    return settings | {"trainer": settings["trainer"] | {"seed": seed}}


def init(wildcards):
    """The file whose trunk a model begins with; none where it begins from scratch."""
    name = wildcards.model.split("/")[0]
    found = beginning(config, wildcards.task, name)
    if isinstance(found, tuple):
        return f"results/{RUN}/{'/'.join(found)}/model.pt"
    return found or []


def trainings(task, model):
    """Folders of the trainings of a model, or of the reference: with its own seed and with those after it."""
    folder = f"results/{RUN}/{task}/{model}"
    first = 1
    if model != "bdt":
        first = settings_of(task)["models"][model]["trainer"]["seed"]
    others = range(first + 1, first + config["repeats"])
    return [folder, *(f"{folder}/seed_{seed}" for seed in others)]


def repeats(wildcards):
    """Metrics of each training of a model."""
    folders = trainings(wildcards.task, wildcards.model)
    return [f"{folder}/metrics.json" for folder in folders]


def scores_of(models):
    """An input function: the scores of each training of each of a task's ``models``, or of the reference."""

    def paths(wildcards):
        task = wildcards.task
        return [
            f"{folder}/scores.parquet"
            for model in models(task)
            for folder in trainings(task, model)
        ]

    return paths


def seed(wildcards):
    """The seed of a training of the reference: that of its folder."""
    return int(wildcards.repeat.rpartition("_")[2] or 1)


def declared(wildcards):
    """The comparison of a task's models that was declared beforehand; by default the first with the reference."""
    task = wildcards.task
    names = settings_of(task).get("declared")
    for name in names or ():
        if name in settings_of(task)["models"] and name not in MODELS[task]:
            raise WorkflowError(
                f"{task}: declared compares {name}, which is left out: {tensorflow.ABSENT}"
            )
    return names


def category(name):
    """Section of the report for a figure of a model: those of repeats stand apart."""
    return lambda wildcards: "Repeats" if "/" in wildcards.model else name


def training_code(wildcards):
    """What the weights depend on: the trainer, the method and this architecture, not the other ones."""
    architecture = model_settings(wildcards)["architecture"]
    return code(
        wildcards,
        "learning/train.py",
        f"learning/{loop_of(architecture)}.py",
        "learning/methods/supervised.py",
        f"models/{architecture}.py",
    )


def pretraining_settings(wildcards):
    return settings_of(wildcards.task)["pretrainings"][wildcards.pretraining]


def pretraining_code(wildcards):
    """What a trunk that learns without labels depends on: the trainer, its method, its architecture."""
    settings = pretraining_settings(wildcards)
    return code(
        wildcards,
        "learning/train.py",
        f"learning/{loop_of(settings['architecture'])}.py",
        f"learning/methods/{settings['method']['name']}.py",
        f"models/{settings['architecture']}.py",
    )


def of_each_model(path):
    """An input function: the file ``path``, with {run}, {task}, {model} in it, of each of a task's models."""

    def paths(wildcards):
        task = wildcards.task
        return [path.format(run=RUN, task=task, model=model) for model in MODELS[task]]

    return paths


def resimulated(wildcards):
    """Events of the test part once more, in other detectors: stores of the first files that have enough."""
    task = wildcards.task
    if settings_of(task)["source"] != "simulation":
        return []
    made, wanted = tasks.task(task).simulation, config["robustness"]
    if not wanted.get("resimulated", not made.pooled):
        return []
    of_each_file = sum(test_objects_of_file(task, sample) for sample in samples(task))
    files = min(
        settings_of(task)["simulation"]["files"],
        -(-min(wanted["objects"], RESIMULATED) // of_each_file),
    )
    return [
        f"results/{RUN}/{task}/resimulated/{other}/{sample}_{i:03d}.parquet"
        for other in made.others
        for sample in samples(task)
        for i in range(files)
    ]


def test_objects_of_file(task, sample):
    """Those of the test part in one file of a sample, about."""
    return max(1, round(FRACTIONS[PARTS.index("test")] * objects_of_file(task, sample)))


def resimulated_objects(wildcards):
    return test_objects_of_file(wildcards.task, wildcards.sample)


def others(wildcards):
    """What is another where events are simulated once more."""
    return tasks.task(wildcards.task).simulation.others[wildcards.other]


def robustness(wildcards):
    """How each of a task's models keeps under changes of the detector; none of crops that lie nowhere in it."""
    path = "results/{run}/{task}/{model}/robustness.json"
    return of_each_model(path)(wildcards) if has_ntuples(wildcards.task) else []


def benchmarks(wildcards):
    """The benchmark of each of a task's models; none where cmsRun cannot read the files."""
    path = "results/{run}/{task}/{model}/benchmark/benchmark.json"
    return of_each_model(path)(wildcards) if has_ntuples(wildcards.task) else []


def model_names(wildcards):
    return MODELS[wildcards.task]


def host_settings(wildcards):
    return {wildcards.host: config["cmssw"].get(wildcards.host, {})}


def data_outputs():
    """What `data` makes: for each task its stores, their split, pictures, and validation where simulated."""
    outputs = []
    for task, settings in config["tasks"].items():
        outputs += [
            f"results/{RUN}/{task}/split.parquet",
            f"results/{RUN}/{task}/displays.png",
        ]
        if settings["source"] == "simulation":
            outputs.append(f"results/{RUN}/{task}/simulation/validation.json")
    return outputs


def ssl_outputs():
    """What `ssl` makes: probes of all pretrainings, and the metrics of all models."""
    probes = [
        f"results/{RUN}/{task}/pretrainings/{name}/probe.json"
        for task, settings in config["tasks"].items()
        for name in settings["pretrainings"]
    ]
    metrics = [
        f"results/{RUN}/{task}/{model}/metrics.json"
        for task, models in MODELS.items()
        for model in models
    ]
    return probes + metrics


def model_results(wildcards):
    """What the notebook of a task reads of its models."""
    names = ["metrics.json", "scores.parquet", "history.csv", "training_time.json"]
    names += ["figures"]
    if has_ntuples(wildcards.task):
        names += ["agreement.json", "benchmark/benchmark.json"]
    task, models = f"results/{RUN}/{wildcards.task}", model_names(wildcards)
    return [f"{task}/{model}/{name}" for model in models for name in names]


def notebook_code(wildcards):
    return [
        digest(f"notebooks/{wildcards.task}.ipynb", "notebooks/start.py"),
        code(
            wildcards,
            "report/notebooks/tables.py",
            "report/masses.py",
            "report/performance.py",
            "report/samples.py",
            "report/side_by_side.py",
        ),
    ]


def notebooks(kind):
    """The notebook of each task that has a model, as html or pdf."""
    return [
        f"results/{RUN}/{task}/notebook.{kind}"
        for task, models in MODELS.items()
        if models
    ]


def final_outputs():
    """What `all` makes: of each task data, notebook and comparison, of each model results, agreement and cost."""
    outputs = data_outputs() + notebooks("html")
    for task, models in MODELS.items():
        if models:
            outputs.append(f"results/{RUN}/{task}/comparison.json")
        for model in models:
            folder = f"results/{RUN}/{task}/{model}"
            names = ["metrics.json", "figures", "model.json"]
            if has_ntuples(task):
                names += [
                    "agreement.json",
                    "benchmark/benchmark.json",
                    "robustness.json",
                ]
            if config["repeats"] > 1:
                names.append("repeats.json")
            outputs += [f"{folder}/{name}" for name in names]
            if HOST == "apptainer" and has_ntuples(task):
                outputs.append(f"{folder}/cmsrun/apptainer/equals_standalone.json")
    return outputs
