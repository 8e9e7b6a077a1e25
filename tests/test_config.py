"""A configuration error names the key, the value, what is allowed, and a corrected line."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from e2e import models
from e2e.config import beginning, main, schema, validate
from e2e.errors import E2EError
from e2e.tasks import TRACKS, supervised

CONFIG = Path(__file__).parents[1] / "config"
SCHEMA = schema()


def complete():
    return yaml.safe_load((CONFIG.parent / "config.yaml").read_text())


def complaint(config):
    with pytest.raises(E2EError) as caught:
        validate(config, SCHEMA, "config.yaml")
    return str(caught.value)


@pytest.mark.parametrize("path", [CONFIG.parent / "config.yaml", *sorted(CONFIG.glob("*.yaml"))])
def test_every_configuration_of_the_repository_is_valid(path):
    if path.name != "schema.yaml":
        validate(yaml.safe_load(path.read_text()), SCHEMA, path.name)


def test_defaults_are_filled_in_and_given_values_kept():
    config = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    validate(config, SCHEMA)
    assert config["cmssw"]["host"] == "standalone"
    assert config["tasks"]["electron_photon"]["simulation"]["objects"] == 20000
    assert config["tasks"]["electron_photon"]["models"]["resnet"]["trainer"]["seed"] == 1


def test_an_entry_may_name_its_architecture_alone():
    config = {"run": "any", "tasks": {"tau": {"models": {"cnn": {"architecture": "cnn"}}}}}
    validate(config, SCHEMA)
    entry = config["tasks"]["tau"]["models"]["cnn"]
    assert entry["network"] == {}
    assert entry["trainer"]["batch_size"] == 256


def test_defaults_of_two_configurations_are_not_shared():
    first, second = complete(), complete()
    for config in (first, second):
        del config["cmssw"]
        validate(config, SCHEMA)
    first["cmssw"]["host"] = "cvmfs"
    assert second["cmssw"]["host"] == "standalone"


def test_misspelt_choice():
    config = complete()
    config["cmssw"]["host"] = "aptainer"
    assert complaint(config).splitlines() == [
        "config.yaml: cmssw.host = aptainer: must be one of: standalone, apptainer, cvmfs",
        "  corrected line:  host: apptainer",
    ]


def test_unknown_architecture():
    config = complete()
    config["tasks"]["electron_photon"]["models"]["resnet"]["architecture"] = "resnett"
    said = complaint(config).splitlines()
    entry = "config.yaml: tasks.electron_photon.models.resnet.architecture = resnett"
    assert said[0].startswith(f"{entry}: must be one of: cnn, gatv2, ")
    assert said[0].endswith("; another one needs a file src/e2e/models/resnett.py")
    assert said[1:] == ["  corrected line:  architecture: resnet"]


def test_misspelt_number_of_a_network():
    config = complete()
    config["tasks"]["electron_photon"]["models"]["resnet"]["network"] = {"widht": [3]}
    said = complaint(config).splitlines()
    assert said[0].startswith(
        "config.yaml: tasks.electron_photon.models.resnet.network.widht = [3]: is no number"
    )
    assert "resnet; it takes: widths, blocks, " in said[0]
    assert said[1:] == ["  corrected line:  widths: [3]"]


def test_scalars_are_those_that_the_task_offers():
    config = complete()
    model = config["tasks"]["electron_photon"]["models"]["resnet"]
    model["scalars"] = ["jetPt"]
    assert complaint(config).splitlines() == [
        "config.yaml: tasks.electron_photon.models.resnet.scalars.0 = jetPt: must be one of: seed_eta",
        "  corrected line:  scalars: [seed_eta]",
    ]
    model["scalars"] = ["seed_eta"]
    validate(config, SCHEMA)
    model["architecture"] = "keras_cnn"
    assert complaint(config).splitlines() == [
        "config.yaml: tasks.electron_photon.models.resnet.scalars = [seed_eta]: networks of Keras take frames"
        " alone here",
        "  corrected line:  # remove scalars",
    ]


def test_a_file_of_models_that_is_not_python(tmp_path, monkeypatch):
    (tmp_path / "mlp.py").write_text("def build(task:")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    with pytest.raises(E2EError, match=r"mlp\.py: is not Python \(.*; mend it"):
        validate(complete(), SCHEMA)


def test_networks_are_checked_before_they_can_be_built():
    """`make` checks a configuration where only what reads and checks it is installed."""
    requirements = "".join(path.read_text() for path in (CONFIG.parent / "requirements").glob("*.txt"))
    pinned = re.findall(r"^([\w.-]+?)(?:\[.*\])?==", requirements, re.MULTILINE)
    provided = metadata.packages_distributions()
    needed = {"pyyaml", "jsonschema", "attrs", "referencing", "rpds-py", "jsonschema-specifications"}
    needed |= {"typing-extensions"}
    absent = [
        module
        for module, names in provided.items()
        if {name.lower().replace("_", "-") for name in names} & {name.lower() for name in pinned} - needed
    ]
    assert {"numpy", "torch", "pandas"} <= set(absent)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); from e2e.config import read;"
        "read(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(CONFIG / "demo.yaml")], check=True)


def test_value_out_of_range():
    config = complete()
    config["tasks"]["electron_photon"]["simulation"]["files"] = 0
    message = complaint(config)
    assert "tasks.electron_photon.simulation.files = 0: must be an integer, at least 1" in message
    assert "corrected line:  files: 10" in message


def test_key_of_another_name_is_the_one_that_takes_its_value():
    config = complete()
    config["cmssw"] = {"backend": "apptainer"}
    assert complaint(config).splitlines() == [
        "config.yaml: cmssw.backend = apptainer: is not a known key; known here: host, apptainer, cvmfs",
        "  corrected line:  host: apptainer",
    ]


def test_misspelt_key_keeps_its_value():
    config = complete()
    trainer = config["tasks"]["electron_photon"]["models"]["resnet"]["trainer"]
    trainer["epoks"] = trainer.pop("epochs")
    assert complaint(config).endswith(f"corrected line:  epochs: {trainer['epoks']}")


def test_missing_section():
    config = complete()
    config["tasks"]["electron_photon"]["source"] = "files"
    message = complaint(config)
    assert "tasks.electron_photon.files is missing" in message
    correction = yaml.safe_load(message.split("corrected line:")[1])
    config["tasks"]["electron_photon"].update(correction)
    validate(config, SCHEMA)


def test_item_of_a_list():
    config = complete()
    config["benchmark"]["threads"] = [1, 0]
    message = complaint(config)
    assert "benchmark.threads.1 = 0" in message
    assert message.endswith("threads: [1]")


def test_model_name_that_results_uses_itself():
    config = complete()
    config["tasks"]["electron_photon"]["models"]["bdt"] = {"architecture": "resnet"}
    assert "bdt" in complaint(config)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"files": ["a.h5"]}, ["a.token is missing", "token: AtBT8y4MiQYFcgc"]),
        ({"token": "a", "address": "https://b/c"}, ["a.token = a", "known here: address, files, part"]),
        ({"address": "b/c"}, ["a.address = b/c", "matching ^https?://"]),
        *(
            ({"token": "a", "files": [name]}, ["a.files.0 = ", "must be a string, matching"])
            for name in ("../x.h5", "a/../x.h5", "/etc/x.h5", "a//x.h5", "a/", "..", "{a}.h5", "a\nb.h5", "")
        ),
    ],
)
def test_public_links(link, words):
    config = complete()
    config["tasks"]["quark_gluon"] = {"source": "cernbox", "cernbox": {"a": link}}
    message = complaint(config)
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["a.h5", "folder/b .h5", "..a/b..h5", "...", "a/...b"])
def test_names_of_public_files(name):
    config = complete()
    links = {"a": {"token": "a", "files": [name]}, "b": {"address": "https://b/c", "files": [name]}}
    config["tasks"]["quark_gluon"] = {"source": "cernbox", "cernbox": links}
    validate(config, SCHEMA)


ENTRY = {"architecture": "cnn"}


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (
            "cnm",
            [
                "no other model or pretraining of the configuration",
                "choose one of: quark_gluon/cnn, tau/cnn,",
                "init: tau/cnn",
            ],
        ),
        ("tau/cnm", ["is no other model", "init: tau/cnn"]),
        (
            "tau/graph",
            ["is a model of particlenet on track_pT, track_dz, track_d0, ECAL_energy", "of cnn on"],
        ),
        (
            "quark_gluon/cnn",
            ["cnn on track_pT, ECAL_energy, HCAL_energy, and this one is of cnn on track_pT"],
        ),
        ("other", ["leads back: mass_regression/mine -> mass_regression/other -> mass_regression/mine"]),
        ("mine", ["is no other model"]),
        ("a b", ["must be a string, matching"]),
    ],
)
def test_a_beginning_that_cannot_be(init, words):
    graph = {"architecture": "particlenet"}
    tasks = {
        "quark_gluon": {"models": {"cnn": ENTRY}},
        "tau": {"models": {"cnn": ENTRY, "graph": graph}},
        "mass_regression": {
            "models": {"mine": ENTRY | {"init": init}, "other": ENTRY | {"init": "mine"}, "wide": ENTRY}
        },
    }
    said = complaint({"run": "any", "tasks": tasks})
    assert "tasks.mass_regression.models.mine.init" in said
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("init", "found"),
    [("wide", ("tau", "wide")), ("mass_regression/cnn", ("mass_regression", "cnn")), ("a/b.pt", "a/b.pt")],
)
def test_what_a_model_begins_with(init, found):
    models = {"cnn": ENTRY | {"init": init, "freeze": True}, "wide": ENTRY}
    config = {
        "run": "any",
        "tasks": {"tau": {"models": models}, "mass_regression": {"models": {"cnn": ENTRY}}},
    }
    validate(config, SCHEMA)
    assert beginning(config, "tau", "cnn") == found
    assert beginning(config, "tau", "wide") is None
    assert not config["tasks"]["tau"]["models"]["wide"]["freeze"]


def test_the_page_on_trunks_says_what_a_model_begins_with():
    page = (CONFIG.parent / "docs/how-to/another-trunk.md").read_text()
    config = {"run": "any"} | yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    validate(config, SCHEMA)
    for name, frozen in (("from_taus", False), ("probe", True)):
        assert beginning(config, "mass_regression", name) == ("tau", "cnn")
        assert config["tasks"]["mass_regression"]["models"][name]["freeze"] == frozen


def test_the_command_takes_one_configuration(capsys):
    assert main([]) == 1
    assert capsys.readouterr().err == "error: name one configuration: python -m e2e.config config.yaml\n"


def test_tasks_are_those_of_the_package():
    """What may be said of a task is what its file offers: nobody keeps a list of them beside the package."""
    known = SCHEMA["properties"]["tasks"]["properties"]
    assert set(known) == set(supervised())
    for name, task in supervised().items():
        config = {"run": "mine", "tasks": {name: {}}}
        validate(config, SCHEMA)
        settings, (first, *_) = config["tasks"][name], task.simulation.samples
        assert settings.get("channels") == task.fewest
        assert settings["simulation"].get("sample", first) == first
        assert ("tracks" in settings["simulation"]) == bool(set(TRACKS) & set(task.channels))
        assert settings["simulation"].get("pt") == (list(task.simulation.pt) if task.simulation.pt else None)


def test_a_task_without_simulation_takes_files(add_task):
    add_task("mine")
    with pytest.raises(E2EError, match=r"tasks\.mine\.files is missing"):
        validate({"run": "mine", "tasks": {"mine": {}}}, schema())
    files = {"source": "files", "files": {"jets": ["a.root"]}}
    validate({"run": "mine", "tasks": {"mine": files}}, schema())
    simulated = files | {"simulation": {"objects": 500, "files": 1}}
    with pytest.raises(E2EError, match=r"tasks\.mine\.simulation"):
        validate({"run": "mine", "tasks": {"mine": simulated}}, schema())


def test_the_published_run_is_the_default_one_with_five_seeds():
    published = yaml.safe_load((CONFIG / "published.yaml").read_text())
    assert (published.pop("run"), published.pop("repeats")) == ("published", 5)
    default = complete()
    del default["run"], default["repeats"]
    assert published == default, "copy what was changed in config.yaml to config/published.yaml"


def test_a_declared_comparison_is_of_what_there_is():
    config = complete()
    task = config["tasks"]["electron_photon"]
    for names in (["resnet", "reference"], ["vit", "resnet"], ["hybrid", "trees"]):
        task["declared"] = names
        validate(config, SCHEMA)
    task["declared"] = ["resmet", "reference"]
    message = complaint(config)
    assert "tasks.electron_photon.declared = [resmet, reference]: resmet is no model of the task" in message
    assert "corrected line:  declared: [resnet, reference]" in message
    task["declared"] = ["resnet"]
    assert "tasks.electron_photon.declared" in complaint(config)


@pytest.mark.parametrize("name", ["reference", "trees", "mean"])
def test_what_stands_beside_the_models_is_no_name_of_one(name):
    config = complete()
    config["tasks"]["electron_photon"]["models"][name] = {"architecture": "resnet"}
    assert name in complaint(config)


def pretrained(pretraining, **tasks):
    models = {"cnn": ENTRY | {"init": "byol", "labels": 0.01, "subset": 2}}
    return {
        "run": "any",
        "tasks": {"tau": {"models": models, "pretrainings": {"byol": pretraining}}, **tasks},
    }


def test_a_model_may_begin_with_a_pretraining():
    config = pretrained(
        {"architecture": "cnn", "method": {"name": "byol", "momentum": 0.9}},
        mass_regression={"models": {"cnn": ENTRY | {"init": "tau/byol"}}},
    )
    validate(config, SCHEMA)
    assert beginning(config, "tau", "cnn") == ("tau", "pretrainings/byol")
    assert beginning(config, "mass_regression", "cnn") == ("tau", "pretrainings/byol")
    assert config["tasks"]["tau"]["pretrainings"]["byol"]["trainer"]["epochs"] == 20
    assert config["tasks"]["tau"]["models"]["cnn"]["labels"] == 0.01
    assert config["tasks"]["mass_regression"]["models"]["cnn"]["labels"] == 1.0


@pytest.mark.parametrize(
    ("pretraining", "words"),
    [
        (
            {"architecture": "cnn", "method": {"name": "boyl"}},
            ["name = boyl: must be one of: byol, dino", "name: byol"],
        ),
        (
            {"architecture": "cnn", "method": {"name": "supervised"}},
            ["one of: byol, dino, masked, simclr, swav, vicreg"],
        ),
        (
            {"architecture": "cnn", "method": {"name": "byol", "momentun": 0.9}},
            ["method.momentun = 0.9: is no number of byol; it takes: width, outputs, ", "momentum: 0.9"],
        ),
        ({"architecture": "cnn"}, ["tasks.tau.pretrainings.byol.method is missing"]),
        (
            {"architecture": "cnn", "method": {"name": "byol"}, "network": {"heads": 2}},
            ["byol.network.heads = 2"],
        ),
        (
            {"architecture": "vit", "method": {"name": "byol"}},
            ["models.cnn.init", "a model of vit on track_pT"],
        ),
    ],
)
def test_a_pretraining_that_cannot_be(pretraining, words):
    said = complaint(pretrained(pretraining))
    assert all(word in said for word in words), said


def test_a_pretraining_has_a_name_of_its_own():
    config = pretrained({"architecture": "cnn", "method": {"name": "byol"}})
    config["tasks"]["tau"]["models"]["byol"] = ENTRY
    assert "is the name of a model, too" in complaint(config)
