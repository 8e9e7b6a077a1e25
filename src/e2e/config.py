"""Checking a workflow configuration against its schema, with errors a user can act on.

python -m e2e.config FILE: checks a file, and prints the name of its run.
"""

from __future__ import annotations

import copy
import difflib
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import yaml

from e2e import families, models, tasks
from e2e.deploy import providers
from e2e.errors import E2EError
from e2e.tasks import TRACKS, Task, supervised

KINDS = ("models", "pretrainings")  # of entries of a task that are trained
_SCHEMA = Path(__file__).with_name("schema.yaml")  # a link to that of config/


def read(path: str | Path) -> dict[str, Any]:
    """Content of a configuration file, with all defaults.

    Raises:
        E2EError: there is no such file, it is not YAML, or not what the schema allows.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise E2EError(f"{path}: cannot be read ({getattr(error, 'strerror', 'not text')})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else path
        raise E2EError(f"{place}: is not YAML ({getattr(error, 'problem', None) or error})") from None
    if not isinstance(content, dict):
        raise E2EError(f"{path}: holds no configuration; config/demo.yaml is a short one to begin with")
    validate(content, schema(), str(path))
    return content


def schema() -> dict[str, Any]:
    """config/schema.yaml, with those of its choices that the library knows itself."""
    content = yaml.safe_load(_SCHEMA.read_text())
    image = content["properties"]["cmssw"]["properties"]["apptainer"]["properties"]
    image["onnxruntime"] |= {"enum": providers.requirements()}
    common, model = (content["$defs"].pop(name) for name in ("task", "model"))
    content["properties"]["tasks"]["properties"] = {
        name: _of_task(copy.deepcopy(common), copy.deepcopy(model), task)
        for name, task in supervised().items()
    }
    return content


def _of_task(allowed: dict[str, Any], model: dict[str, Any], task: Task) -> dict[str, Any]:
    """What a configuration may say of a task and its models: what it may of any, and what the task offers."""
    properties = allowed["properties"]
    properties["models"]["additionalProperties"] = model
    if task.offered:
        model["properties"]["scalars"]["items"] = {"enum": list(task.offered)}
    else:
        del model["properties"]["scalars"]
    if task.fewest is not None:
        bounds = {"minimum": task.fewest, "maximum": len(task.channels), "default": task.fewest}
        properties["channels"] = {"type": "integer", **bounds}
    if task.simulation is None:
        del properties["simulation"]
        sources = [name for name in properties["source"]["enum"] if name != "simulation"]
        properties["source"] = {"enum": sources, "default": "files"}
        return allowed
    simulation = properties["simulation"]["properties"]
    if set(TRACKS) & set(task.channels):
        simulation["tracks"] = {"enum": ["direction", "point"], "default": "direction"}
        # RHTrees of data with tracks at the point, for the validation to stand beside
        simulation["data"] = {"type": "array", "items": {"type": "string"}, "default": []}
    if task.simulation.pt:
        # GeV: one transverse momentum, or the ends of a spectrum
        number = {"type": "number", "exclusiveMinimum": 0, "maximum": 1000}
        ends = {"minItems": 1, "maxItems": 2, "default": list(task.simulation.pt)}
        simulation["pt"] = {"type": "array", "items": number, **ends}
    if task.simulation.alternatives:
        samples = list(task.simulation.samples)
        simulation["sample"] = {"enum": samples, "default": samples[0]}
    return allowed


def validate(config: dict[str, Any], schema: dict[str, Any], origin: str = "config") -> None:
    """Check ``config`` and fill in the defaults of ``schema``, in place.

    Raises:
        E2EError: names the key, its value, what is allowed, and prints a corrected line; also for an
            architecture that has no file in e2e.models, or does not take a number of ``network``.
    """
    validator = _DefaultFilling(schema)
    errors = sorted(validator.iter_errors(config), key=lambda error: (len(error.path), str(error.path)))
    if errors:
        raise E2EError(f"{origin}: " + _explain(jsonschema.exceptions.best_match(errors) or errors[0]))
    _check_networks(config, origin)
    _check_methods(config, origin)
    _check_beginnings(config, origin)
    _check_declared(config, origin)


def _check_declared(config: dict[str, Any], origin: str) -> None:
    """Raise E2EError where a comparison is declared of what the task does not have."""
    for task, settings in config["tasks"].items():
        known = [*settings["models"], "reference", "trees"]
        for name in settings.get("declared", ()):
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1, cutoff=0.3) or known[:1]
                others = [other if other != name else close[0] for other in settings["declared"]]
                raise E2EError(
                    f"{origin}: "
                    + _message(
                        ["tasks", task, "declared"],
                        settings["declared"],
                        f"{name} is no model of the task; choose two of: {', '.join(known)}",
                        f"declared: {_inline(others)}",
                    )
                )


def _check_networks(config: dict[str, Any], origin: str) -> None:
    """Raises E2EError for an architecture, or a number of a network, that the library does not have."""
    known = models.hyperparameters()
    for task, settings in config["tasks"].items():
        entries = [(kind, *item) for kind in KINDS for item in settings[kind].items()]
        for kind, name, model in entries:
            entry, architecture = ["tasks", task, kind, name], model["architecture"]
            if architecture not in known:
                close = difflib.get_close_matches(architecture, known, n=1, cutoff=0.3) or ["resnet"]
                raise E2EError(
                    f"{origin}: "
                    + _message(
                        [*entry, "architecture"],
                        architecture,
                        f"must be one of: {', '.join(known)}; another one needs a file "
                        f"src/e2e/models/{architecture}.py",
                        f"architecture: {close[0]}",
                    )
                )
            if model.get("scalars") and models.is_keras(architecture):
                raise E2EError(
                    f"{origin}: "
                    + _message(
                        [*entry, "scalars"],
                        model["scalars"],
                        "networks of Keras take frames alone here",
                        "# remove scalars",
                    )
                )
            for key in sorted(set(model["network"]) - set(known[architecture])):
                value = model["network"][key]
                close = difflib.get_close_matches(key, known[architecture], n=1, cutoff=0.4)
                raise E2EError(
                    f"{origin}: "
                    + _message(
                        [*entry, "network", key],
                        value,
                        f"is no number of {architecture}; it takes: {', '.join(known[architecture])}",
                        f"{close[0]}: {_inline(value)}" if close else f"# remove {key}",
                    )
                )


def _check_methods(config: dict[str, Any], origin: str) -> None:
    """Raises E2EError for a pretraining whose method learns from labels, is none, or takes no such number."""
    package = ModuleType("methods")  # that of the library, of which nothing is imported
    package.__path__ = [str(Path(__file__).parent / "learning" / "methods")]
    known = {
        name: given[3:]
        for name, given in families.signatures(package).items()
        if not families.constant(package, name, "LABELLED", True)
    }
    for task, settings in config["tasks"].items():
        for name, pretraining in settings["pretrainings"].items():
            entry, method = ["tasks", task, "pretrainings", name], pretraining["method"]
            if name in settings["models"]:
                complaint = "is the name of a model, too, so that `init` would mean either"
                raise E2EError(
                    f"{origin}: " + _message(entry, method["name"], complaint, f"{name}_trunk: ...")
                )
            if method["name"] not in known:
                close = difflib.get_close_matches(method["name"], known, n=1, cutoff=0.3) or ["byol"]
                complaint = f"must be one of: {', '.join(known)}"
                place = [*entry, "method", "name"]
                raise E2EError(
                    f"{origin}: " + _message(place, method["name"], complaint, f"name: {close[0]}")
                )
            takes = known[method["name"]]
            for key in sorted(set(method) - {"name", *takes}):
                close = difflib.get_close_matches(key, takes, n=1, cutoff=0.4)
                complaint = f"is no number of {method['name']}; it takes: {', '.join(takes)}"
                correction = f"{close[0]}: {_inline(method[key])}" if close else f"# remove {key}"
                place = [*entry, "method", key]
                raise E2EError(f"{origin}: " + _message(place, method[key], complaint, correction))


def entries(config: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Models and pretrainings by task and folder: ``resnet``, or ``pretrainings/byol``."""
    return {
        (task, name if kind == "models" else f"{kind}/{name}"): entry
        for task, settings in config["tasks"].items()
        for kind in KINDS
        for name, entry in settings[kind].items()
    }


def beginning(config: dict[str, Any], task: str, model: str) -> tuple[str, str] | str | None:
    """What a model's trunk begins with: task and folder of another one, or a file; None from scratch.

    The folder is the name of a model, or ``pretrainings/`` and that of a pretraining.
    """
    init = entries(config)[task, model].get("init")
    if init is None or init.endswith(".pt"):
        return init
    *of, name = init.split("/")
    of = of[0] if of else task
    pretrained = name in config["tasks"].get(of, {}).get("pretrainings", {})
    return of, f"pretrainings/{name}" if pretrained else name


def _check_beginnings(config: dict[str, Any], origin: str) -> None:
    """Raise E2EError for an ``init`` that names no model, one of another kind, or one that leads back."""
    known = entries(config)
    for (task, model), entry in known.items():
        if complaint := _unsuitable(config, known, task, model):
            place = ["tasks", task, "models", model, "init"]
            raise E2EError(f"{origin}: " + _message(place, entry["init"], *complaint))


def _unsuitable(config: dict[str, Any], known: Collection, task: str, model: str) -> tuple[str, str] | None:
    """What is wrong with the ``init`` of a model, and a corrected line."""
    found = beginning(config, task, model)
    if not isinstance(found, tuple):
        return None
    if found not in known or found == (task, model):
        others = [
            (of, name.removeprefix("pretrainings/")) for of, name in known if (of, name) != (task, model)
        ]
        names = [name if of == task else f"{of}/{name}" for of, name in others]
        close = difflib.get_close_matches(found[1], names, n=1, cutoff=0.0)
        return (
            "is no other model or pretraining of the configuration; choose one of:"
            f" {', '.join(names)}; or a file NAME.pt",
            f"init: {close[0]}" if close else "# remove init",
        )
    other, own = (_kind(config, *name) for name in (found, (task, model)))
    if other != own:
        return f"is a model of {other}, and this one is of {own}", "# remove init"
    path: list[Any] = [(task, model)]
    while found in known and found not in path:
        path.append(found)
        found = beginning(config, *found)
    if found in path:
        return "leads back: " + " -> ".join(map("/".join, [*path, found])), "# remove init"
    return None


def _kind(config: dict[str, Any], task: str, model: str) -> str:
    """What the trunk of a model depends on, as far as the configuration tells at once."""
    settings = config["tasks"][task]
    channels = tasks.task(task, settings.get("channels")).channels
    architecture = entries(config)[task, model]["architecture"]
    return f"{architecture} on {', '.join(channel.name for channel in channels)}"


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict):
        for key, subschema in properties.items():
            if "default" in subschema:
                instance.setdefault(key, _copy(subschema["default"]))
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


_DefaultFilling = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"properties": _fill_defaults}
)


def _copy(value: Any) -> Any:
    return yaml.safe_load(yaml.safe_dump(value))


def _explain(error: jsonschema.ValidationError) -> str:
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))[0]
        known = error.schema.get("properties", {})
        close = difflib.get_close_matches(unknown, known, n=1, cutoff=0.4) or [
            key for key, allowed in known.items() if error.instance[unknown] in allowed.get("enum", ())
        ]  # a key that takes such a value may be the one of another name
        correction = f"{close[0]}: {_inline(error.instance[unknown])}" if close else f"# remove {unknown}"
        return _message(
            [*error.path, unknown],
            error.instance[unknown],
            f"is not a known key; known here: {', '.join(known)}",
            correction,
        )
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        example = error.schema["properties"].get(missing, {})
        return (
            f"{_dotted([*error.path, missing])} is missing; it must be {_allowed(example)}\n"
            f"  corrected line:  {missing}: {_example(example)}"
        )
    if (
        error.parent is None
        and error.validator in ("pattern", "not")
        and "propertyNames" in error.schema_path
    ):
        letters = "letters" if "A-Z" in error.schema["pattern"] else "lower-case letters"
        taken = ", ".join(error.schema.get("not", {}).get("enum", []))
        return _message(
            error.path,
            error.instance,
            f"is not a name to choose: it takes {letters}, digits and _"
            + (f", and none of {taken}, which mean something else" if taken else ""),
            f"my_{error.instance}: ...".lower(),
        )
    *parents, key = error.path
    correction = _example(error.schema, error.instance)
    if isinstance(key, int):  # an item of a list: the corrected line shows the list's key
        *_, key = parents
        correction = f"[{correction}]"
    return _message(error.path, error.instance, f"must be {_allowed(error.schema)}", f"{key}: {correction}")


def _message(path: Iterable[Any], value: Any, complaint: str, correction: str) -> str:
    return f"{_dotted(path)} = {_inline(value)}: {complaint}\n  corrected line:  {correction}"


def _dotted(path: Iterable[Any]) -> str:
    return ".".join(str(part) for part in path) or "the configuration"


def _inline(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()


def _allowed(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of: " + ", ".join(_inline(value) for value in schema["enum"])
    kind = schema.get("type", "mapping")
    articles = {"object": "a mapping", "array": "a list", "integer": "an integer"}
    bounds = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "above {}",
        "pattern": "matching {}",
        "minItems": "with at least {} item",
        "minProperties": "with at least {} entry",
    }
    limits = [form.format(schema[key]) for key, form in bounds.items() if key in schema]
    if "not" in schema:
        limits.append("none of " + ", ".join(schema["not"]["enum"]))
    if "items" in schema:
        limits.append("of which each is " + _allowed(schema["items"]))
    return ", ".join([articles.get(kind, f"a {kind}"), *limits])


def _example(schema: dict[str, Any], value: Any = None) -> str:
    """What a corrected line shows: the closest allowed name, else the schema's example or default."""
    if "enum" in schema:
        close = difflib.get_close_matches(str(value), schema["enum"], n=1, cutoff=0.3)
        return close[0] if close else schema.get("default", schema["enum"][0])
    if "examples" in schema:
        return _inline(schema["examples"][0])
    if schema.get("default"):
        return _inline(schema["default"])
    if "properties" in schema:
        parts = {key: part for key, part in schema["properties"].items() if "$ref" not in part}
        return _inline({key: yaml.safe_load(_example(part)) for key, part in parts.items()})
    return _inline(schema.get("minimum", "..."))


def main(arguments: list[str]) -> int:
    """Print the run of a configuration file; a bad one gives one line on stderr and 1."""
    try:
        if len(arguments) != 1:
            raise E2EError("name one configuration: python -m e2e.config config.yaml")
        print(read(arguments[0])["run"])
    except E2EError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
