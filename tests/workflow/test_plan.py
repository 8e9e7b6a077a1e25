"""What Snakemake plans, without running it: targets, errors, profiles, and hosts."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
import yaml

from e2e import runs

REPOSITORY = Path(__file__).parents[2]


# Imports Snakemake once, which takes seconds; each plan is made in a fork of it.
WARM = """
import json, os, sys
import snakemake.cli, snakemake.workflow, snakemake.report

for line in sys.stdin:
    request = json.loads(line)
    if not (child := os.fork()):
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1), os.dup2(output, 2)
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv = ["snakemake", *request["arguments"]]
        snakemake.cli.main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def warm():
    """The process that plans; it ends with this one, which holds its input."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", WARM], **pipes)


def snakemake(directory, *arguments, modules=None):
    """Plan a run in an empty directory; returns the finished process with its output as text.

    Python modules in the folder ``modules`` come before those that are installed.
    """
    arguments = [
        *("--snakefile", REPOSITORY / "Snakefile", "--directory", directory, "--dry-run"),
        *arguments,
    ]
    command = [str(word) for word in (Path(sys.executable).parent / "snakemake", *arguments)]
    if modules:
        paths = [str(modules), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, text=True, check=False, env=environment, **joined)
    with tempfile.NamedTemporaryFile("r") as output:
        request = {"output": output.name, "folder": os.getcwd(), "arguments": command[1:]}
        print(json.dumps(request | {"environment": dict(os.environ)}), file=warm().stdin, flush=True)
        return subprocess.CompletedProcess(command, int(warm().stdout.readline()), output.read())


def planned(process):
    """{rule: number of jobs} of a plan."""
    assert process.returncode == 0, process.stdout
    table = process.stdout.split("Job stats:")[1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


CI = ("--configfile", REPOSITORY / "config/ci.yaml")


def test_metrics_need_neither_export_nor_cmssw(tmp_path):
    jobs = planned(snakemake(tmp_path, "results/ci/electron_photon/resnet/metrics.json", *CI))
    assert jobs == {"simulate": 4, "convert": 4, "split": 1, "reference": 1, "train": 1, "evaluate": 1}


def test_taus_are_simulated_beside_all_that_they_are_taken_for(tmp_path):
    process = snakemake(tmp_path, "results/ci/tau/split.parquet", *CI)
    jobs = planned(process)
    assert jobs == {"pileup": 1, "simulate": 4, "convert": 4, "split": 1}
    made = re.findall(r"output: results/ci/tau/ntuples/(\S+)_000.root", process.stdout)
    assert sorted(made) == ["leptons", "qcd", "tau", "wjets"]


def test_all_plans_the_whole_chain_of_the_default_configuration(tmp_path):
    jobs = planned(snakemake(tmp_path))
    assert jobs["simulate"] == jobs["convert"] == 20 + 8 + 4 + 16  # files of the tasks
    assert jobs["pileup"] == 1  # for all files of jets
    assert {"train", "evaluate", "export", "cmsrun", "agreement", "benchmark", "robustness"} <= set(jobs)


def test_repeats_train_other_seeds_on_one_split_and_export_once(tmp_path):
    target = "results/ci/tau/particlenet/repeats.json"
    process = snakemake(tmp_path, target, *CI, "--config", "repeats=3")
    jobs = planned(process)
    assert jobs == {
        "pileup": 1,
        "simulate": 4,
        "convert": 4,
        "split": 1,
        "reference": 1,
        "train": 3,
        "evaluate": 3,
        "repeats": 1,
    }
    trained = re.findall(r"results/ci/tau/(\S+)/model.pt, .*history.csv", process.stdout)
    assert sorted(trained) == ["particlenet", "particlenet/seed_2", "particlenet/seed_3"]

    once, thrice = (planned(snakemake(tmp_path, *CI, "--config", f"repeats={n}")) for n in (1, 3))
    assert "repeats" not in once
    assert thrice["repeats"] == once["train"]
    assert thrice["train"] == 3 * once["train"]
    assert thrice["reference"] == 3 * once["reference"]
    assert thrice["export"] == once["export"]


def test_all_models_of_a_task_are_compared(tmp_path):
    """By default with what each costs; of public crops, which cmsRun cannot read, without."""
    process = snakemake(tmp_path, "results/ci/tau/comparison.json", *CI)
    assert planned(process)["compare"] == planned(process)["benchmark"] == 1
    assert planned(process)["robustness"] == 1
    assert "resimulate" not in planned(process)  # of jets only where it is asked for
    config = tmp_path / "crops.yaml"
    config.write_text(
        "run: mine\ntasks: {tau: {source: files, files: {mine: [a.parquet]},"
        " models: {cnn: {architecture: cnn}, graph: {architecture: particlenet}}}}\n"
    )
    (tmp_path / "a.parquet").touch()
    process = snakemake(tmp_path, "--configfile", config)
    jobs = planned(process)
    assert (jobs["compare"], jobs["train"]) == (1, 2)
    assert not {"benchmark", "robustness"} & set(jobs)
    assert "results/mine/tau/cnn/metrics.json, results/mine/tau/graph/metrics.json" in process.stdout


def test_events_once_more_are_a_target(tmp_path):
    target = "results/ci/electron_photon/resimulated/pileup_40/electron_000.parquet"
    assert planned(snakemake(tmp_path, target, *CI)) == {"resimulate": 1}


@pytest.mark.parametrize(
    ("task", "model", "said", "jobs"),
    [
        ("electron_photon", "resnet", {}, 10),  # two samples, one file of which is enough, five others
        ("electron_photon", "resnet", {"resimulated": False}, 0),
        ("quark_gluon", "cnn", {}, 0),
        ("quark_gluon", "cnn", {"resimulated": True}, 6),  # of 80 test jets a file, two; three others
    ],
)
def test_events_are_simulated_once_more_where_that_takes_minutes_or_is_asked_for(
    tmp_path, task, model, said, jobs
):
    config = yaml.safe_load((REPOSITORY / "config/ci.yaml").read_text())
    config |= {"run": "mine", "robustness": {"objects": 120, **said}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    target = f"results/mine/{task}/{model}/robustness.json"
    process = snakemake(tmp_path, target, "--configfile", tmp_path / "mine.yaml")
    assert planned(process).get("resimulate", 0) == jobs
    if jobs:
        assert f"results/mine/{task}/resimulated/material_1.1/" in process.stdout


BEGINNINGS = """
run: mine
tasks:
  tau: {models: {cnn: {architecture: cnn}}}
  mass_regression:
    models:
      scratch: {architecture: cnn}
      taus: {architecture: cnn, init: tau/cnn}
      frozen: {architecture: cnn, init: taus, freeze: true}
      given: {architecture: cnn, init: theirs.pt}
"""


def test_a_model_is_trained_after_the_one_whose_trunk_it_begins_with(tmp_path):
    config = tmp_path / "beginnings.yaml"
    config.write_text(BEGINNINGS)
    (tmp_path / "theirs.pt").touch()

    def trained(target):
        """{what is trained: the model that it begins with}, of a plan that ends in ``target``."""
        process = snakemake(tmp_path, f"results/mine/{target}", "--configfile", config)
        assert process.returncode == 0, process.stdout
        jobs = re.findall(r"^rule train:\n +input: (.*)\n +output: (\S+),", process.stdout, re.MULTILINE)
        return {
            output: [path for path in given.split(", ") if path.endswith(".pt")] for given, output in jobs
        }

    tau = "results/mine/tau/cnn/model.pt"
    taus, frozen = (f"results/mine/mass_regression/{name}/model.pt" for name in ("taus", "frozen"))
    chain = {tau: [], taus: [tau], frozen: [taus]}
    assert trained("mass_regression/frozen/model.pt") == chain
    assert trained("mass_regression/scratch/model.pt") == {frozen.replace("frozen", "scratch"): []}
    assert trained("mass_regression/given/model.pt") == {frozen.replace("frozen", "given"): ["theirs.pt"]}
    # A repeat has another seed, and begins with the same trunk.
    repeat = frozen.replace("frozen", "frozen/seed_4")
    assert trained("mass_regression/frozen/seed_4/model.pt") == {tau: [], taus: [tau], repeat: [taus]}
    search = snakemake(tmp_path, "results/mine/mass_regression/taus/search/best.yaml", "--configfile", config)
    assert planned(search)["train"] == 1


PRETRAININGS = """
run: mine
tasks:
  tau:
    pretrainings: {byol: {architecture: cnn, method: {name: byol}}}
    models:
      few: {architecture: cnn, init: byol, labels: 0.1}
      probe: {architecture: cnn, init: byol, freeze: true}
  mass_regression:
    models: {transfer: {architecture: cnn, init: tau/byol}}
"""


def test_a_trunk_that_learns_without_labels_is_trained_once_for_all_who_begin_with_it(tmp_path):
    config = tmp_path / "pretrainings.yaml"
    config.write_text(PRETRAININGS)
    names = ("tau/few", "tau/probe", "mass_regression/transfer")
    targets = [f"results/mine/{name}/model.pt" for name in names]
    process = snakemake(tmp_path, *targets, "--configfile", config)
    jobs = planned(process)
    assert (jobs["pretrain"], jobs["train"]) == (1, 3)
    trunk = "results/mine/tau/pretrainings/byol/model.pt"
    begun = re.findall(r"^rule train:\n +input: (.*)\n", process.stdout, re.MULTILINE)
    assert all(trunk in given.split(", ") for given in begun)
    alone = snakemake(tmp_path, trunk, "--configfile", config)
    assert "train" not in planned(alone)
    probed = snakemake(tmp_path, "ssl", "--configfile", config)
    jobs = planned(probed)
    assert (jobs["pretrain"], jobs["probe"], jobs["evaluate"]) == (1, 1, 3)
    assert "export" not in jobs


def test_a_trunk_of_a_file_that_is_missing_is_said(tmp_path):
    config = tmp_path / "beginnings.yaml"
    config.write_text(BEGINNINGS)
    target = "results/mine/mass_regression/given/model.pt"
    process = snakemake(tmp_path, target, "--configfile", config)
    assert process.returncode != 0
    assert "theirs.pt" in process.stdout


def test_a_search_trains_by_itself_and_only_where_asked_for(tmp_path):
    jobs = planned(snakemake(tmp_path, "results/ci/tau/particlenet/search/best.yaml", *CI))
    assert jobs == {"pileup": 1, "simulate": 4, "convert": 4, "split": 1, "search": 1}
    assert "search" not in planned(snakemake(tmp_path, *CI))


def test_data_makes_no_model(tmp_path):
    jobs = planned(snakemake(tmp_path, "data", *CI))
    assert {"pileup", "simulate", "validate_simulation", "convert", "split", "displays", "data"} == set(jobs)
    assert jobs["convert"] == jobs["simulate"]


def test_a_model_of_keras_is_planned_where_tensorflow_is_and_left_out_with_one_line_where_not(tmp_path):
    """Planning imports no TensorFlow: here it cannot even be imported."""
    (tmp_path / "with").mkdir()
    for package in ("keras", "tensorflow", "tf2onnx"):
        (tmp_path / "with" / f"{package}.py").write_text("raise ImportError")
    (tmp_path / "without").mkdir()
    (tmp_path / "without/sitecustomize.py").write_text("import sys; sys.modules['tensorflow'] = None\n")

    planned_with = snakemake(tmp_path, *CI, modules=tmp_path / "with")
    planned_without = snakemake(tmp_path, *CI, modules=tmp_path / "without")
    trained_with, trained_without = planned(planned_with)["train"], planned(planned_without)["train"]
    assert trained_with == trained_without + 1
    assert "results/ci/electron_photon/keras_cnn/metrics.json" in planned_with.stdout
    assert "left out" not in planned_with.stdout
    said = [line for line in planned_without.stdout.splitlines() if "left out" in line]
    assert len(said) == 1
    assert said[0].startswith("electron_photon: model keras_cnn is left out: ")
    assert "pip install -r requirements/keras.txt" in said[0]


def test_conda_brings_tensorflow_itself(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['tensorflow'] = None\n")
    process = snakemake(tmp_path, *CI, "--sdm", "conda", modules=tmp_path)
    assert "Building DAG of jobs" in process.stdout  # with or without conda here
    assert "left out" not in process.stdout


def test_a_notebook_reads_the_results_of_all_models_of_its_task(tmp_path):
    config = tmp_path / "two.yaml"
    two = "{cnn: {architecture: cnn}, particlenet: {architecture: particlenet}}"
    config.write_text(f"run: mine\ntasks: {{tau: {{models: {two}}}, quark_gluon: {{}}}}\n")
    process = snakemake(tmp_path, "all", "--configfile", config)
    jobs = planned(process)
    assert jobs["notebook"] == jobs["notebook_html"] == 1, "quark_gluon has no model"
    assert "notebook_pdf" not in jobs
    (inputs,) = re.findall(
        r"^ +input: (.*)\n    output: results/mine/tau/notebook.ipynb", process.stdout, re.M
    )
    for model in ("cnn", "particlenet"):
        for name in ("metrics.json", "history.csv", "agreement.json", "benchmark/benchmark.json"):
            assert f"results/mine/tau/{model}/{name}" in inputs.split(", ")
    assert planned(snakemake(tmp_path, "notebooks_pdf", "--configfile", config))["notebook_pdf"] == 1


def test_a_notebook_of_files_of_images_needs_no_cmsrun(tmp_path):
    (tmp_path / "crops.hdf5").touch()
    config = tmp_path / "mine.yaml"
    config.write_text(
        "run: mine\ntasks: {electron_photon: {source: files, files: {mine: [crops.hdf5]}, "
        "models: {resnet: {architecture: resnet}}}}\n"
    )
    jobs = planned(snakemake(tmp_path, "--configfile", config))
    assert jobs["notebook"] == 1
    assert not {"cmsrun", "agreement", "benchmark", "cmssw_area", "robustness"} & set(jobs)


def test_own_files_are_converted_without_simulation(tmp_path):
    """Each file of each sample becomes a store, whatever its name."""
    paths = [tmp_path / name for name in ("a.root", "b.root", "c.root")]
    for path in paths:
        path.touch()
    config = tmp_path / "mine.yaml"
    config.write_text(
        "run: mine\ntasks: {tau: {source: files, files: {signal: [a.root, b.root], background: [c.root]}}}\n"
    )
    process = snakemake(tmp_path, "data", "--configfile", config)
    assert planned(process) == {"convert": 3, "split": 1, "displays": 1, "data": 1}
    for name, path in {"signal_000": "a", "signal_001": "b", "background_000": "c"}.items():
        pair = f"input: {path}.root\n    output: results/mine/tau/store/{name}.parquet"
        assert pair in process.stdout


def test_apptainer_is_compared_with_standalone(tmp_path):
    jobs = planned(snakemake(tmp_path, *CI, "--config", "cmssw={host: apptainer}"))
    assert jobs["cmssw_area"] == 2
    assert jobs["cmsrun"] == 2 * jobs["train"]
    assert jobs["hosts_equal"] == jobs["train"]


def test_the_slurm_profile_plans_every_job_with_its_resources(tmp_path):
    process = snakemake(tmp_path, *CI, "--profile", REPOSITORY / "profiles/slurm")
    jobs = planned(process)
    resources = re.findall(r"^    resources: .*", process.stdout, re.MULTILINE)
    assert len(resources) == sum(jobs.values())
    assert all("mem_mb=" in line and "runtime=" in line for line in resources)
    assert any("runtime=480" in line for line in resources), "training asks for hours"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("cmssw={host: aptainer}", "corrected line:  host: apptainer"),
        ("cmssw={hots: cvmfs}", "corrected line:  host: cvmfs"),
        ("cmssw={backend: cvmfs}", "corrected line:  host: cvmfs"),  # its name until November 2026
    ],
)
def test_an_invalid_value_stops_the_run_with_a_corrected_line(tmp_path, override, expected):
    process = snakemake(tmp_path, *CI, "--config", override)
    assert process.returncode != 0
    assert expected in process.stdout
    assert "Traceback" not in process.stdout


def test_an_export_that_the_release_cannot_read_stops_the_run(tmp_path):
    config = tmp_path / "new.yaml"
    config.write_text("run: mine\ntasks: {tau: {}}\nexport: {opset: 19}\ncmssw: {host: cvmfs}\n")
    process = snakemake(tmp_path, "--configfile", config)
    assert process.returncode != 0
    assert "export.opset = 19, export.ir_version = 8: CMSSW_14_0_22 has ONNX Runtime 1.14.1" in process.stdout
    config.write_text(config.read_text().replace("19", "18"))
    assert snakemake(tmp_path, "data", "--configfile", config).returncode == 0


@pytest.mark.parametrize("run", ["demo", "default", "ablation"])
def test_the_path_of_a_target_chooses_its_configuration(tmp_path, run):
    """A newcomer's single target after `make demo` plans that run, not the full-size one."""
    process = snakemake(tmp_path, f"results/{run}/quark_gluon/split.parquet")
    assert planned(process)["simulate"] == {"demo": 2, "default": 8, "ablation": 8}[run]
    outputs = re.findall(r"^ +output: (\S+?)/", process.stdout, re.MULTILINE)
    assert set(outputs) == {"results"}
    assert set(re.findall(r"results/(\w+)/", process.stdout)) == {run}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("results/dmo/tau/split.parquet", "no configuration here has `run: dmo` (did you mean demo?)"),
        ("results/tau/split.parquet", "before the task comes the run: results/default/tau/"),
        ("results/demo/tua/split.parquet", "run demo has no task tua (did you mean tau?); it has: electron_"),
        (
            "results/demo/tau/cnn/metrics.json",
            "task tau of run demo has no model cnn; it has: particlenet, bdt",
        ),
        ("results/demo/tau/x results/ci/tau/x", "are of 2 runs; ask for one run at a time"),
        ("results/default/tau/x --configfile {repository}/config/demo.yaml", "is of run default, but"),
        ("--configfile {copy}", "corrected line:  run: my_demo"),
    ],
)
def test_a_target_that_is_not_of_the_run_stops_with_one_sentence(tmp_path, arguments, said):
    copy = tmp_path / "copy.yaml"
    shutil.copy(REPOSITORY / "config/demo.yaml", copy)
    process = snakemake(tmp_path, *arguments.format(repository=REPOSITORY, copy=copy).split())
    assert process.returncode != 0
    assert said in process.stdout
    assert "Traceback" not in process.stdout
    assert "MissingRule" not in process.stdout


def test_the_area_is_shared_by_all_runs(tmp_path):
    """Host and provider are no part of a run's identity, either."""
    areas = [
        set(re.findall(r"output: (results/cmssw/\S+)", snakemake(tmp_path, target).stdout))
        for target in (
            "results/demo/tau/particlenet/agreement.json",
            "results/default/tau/cnn/agreement.json",
        )
    ]
    assert areas[0] == areas[1] == {"results/cmssw/standalone/area.json"}


def test_folders_of_a_task_are_no_names_of_models():
    schema = yaml.safe_load((REPOSITORY / "config/schema.yaml").read_text())
    models = schema["$defs"]["task"]["properties"]["models"]
    assert models["propertyNames"]["not"]["enum"] == sorted((*runs.TASK_FOLDERS, *runs.BESIDE))
    assert schema["properties"]["run"]["not"]["enum"] == list(runs.SHARED)
