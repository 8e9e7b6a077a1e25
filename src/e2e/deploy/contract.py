"""What an exported model promises to whoever runs it: the JSON beside model.onnx, bound to it by sha256.

docs/model-contract.md describes both files. The C++ tagger reads the same JSON.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from e2e import tasks
from e2e.errors import E2EError, remedy
from e2e.geometry import CONVENTIONS, MIXED, OUTWARD
from e2e.tasks import Classification, Domain, Quantity, Regression, Task
from e2e.typed import build, parse, shown

FORMAT = 2
INPUT, SCALARS = "frames", "scalars"  # what goes into a graph; the second where a model takes any
# A weight kept in another file names it by an entry with the key "location" (onnx.proto, TensorProto): field
# 1, of 8 bytes. A protocol buffer may have more bytes for either number than it takes, and the value first.
EXTERNAL = re.compile(rb"(\n|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")


@dataclass(frozen=True)
class Output:
    """What a model gives for each object, and how far two ways of running it may differ there.

    It is one number, or with a ``size`` so many: one for each class.
    """

    name: str
    unit: str
    tolerance: float
    relative: bool = False
    size: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is given for one object."""
        return () if self.size is None else (self.size,)

    def difference(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
        """|a - b|, as a part of the larger magnitude where the tolerance is relative."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        scale = np.maximum(np.abs(a), np.abs(b)) if self.relative else 1.0
        return np.abs(a - b) / np.where(scale == 0, 1.0, scale)


SCORE = Output("score", "1", 1e-5)
LOGIT = Output("logit", "1", 1e-4)
MASS = Output("mass", "GeV", 1e-4, relative=True)
WIDTH = Output("mass_width", "GeV", 1e-3, relative=True)  # a difference


def outputs(task: Task) -> tuple[Output, ...]:
    """What a model of ``task`` gives for an object: score and logit, or a mass and its width."""
    match task.goal:
        case Classification(classes) if len(classes) == 2:
            return (SCORE, LOGIT)
        case Classification(classes):
            return replace(SCORE, size=len(classes)), replace(LOGIT, size=len(classes))
        case Regression():
            return MASS, WIDTH


def numbers(given: Iterable[Output]) -> tuple[Output, ...]:
    """The single numbers of outputs, as tables have them: ``score``, or ``score_0``, ``score_1``, ...

    The latter are those of the classes.
    """
    return tuple(
        one
        for output in given
        for one in (
            [output]
            if output.size is None
            else [replace(output, name=f"{output.name}_{i}", size=None) for i in range(output.size)]
        )
    )


def columns(values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Outputs of N objects by name, [N] or [N, K] each, as ``numbers`` [N]."""
    found: dict[str, NDArray] = {}
    for name, each in values.items():
        found |= {name: each} if each.ndim == 1 else {f"{name}_{i}": one for i, one in enumerate(each.T)}
    return found


def first(values: NDArray) -> NDArray:
    """The first number [N] of an output [N] or [N, K]."""
    return values.reshape(len(values), -1)[:, 0]


def numbers_of(table: Iterable[str]) -> tuple[Output, ...]:
    """Those of the model that made a table with these columns."""
    names = set(table)
    if MASS.name in names:
        return MASS, WIDTH
    size = next(i for i in range(len(names) + 1) if f"{SCORE.name}_{i}" not in names) or None
    return numbers((replace(SCORE, size=size), replace(LOGIT, size=size)))


@dataclass(frozen=True)
class Contract:
    """The promises of one model: what goes in, what comes out, and where it came from.

    The input ``frames`` is float32 [N, C, H, W] in the units of the task's channels, turned as its ``crop``
    says, which is how they were in training; beside it a model may take ``scalars`` float32 [N, S], those of
    the task in their units; the outputs
    (``outputs(task)``) are float32 [N]: of a classifier ``score``, the probability of ``classes[1]``, and
    its ``logit``, which is that of the network divided by ``temperature``; of a regression the ``mass``,
    and ``mass_width``, the half width within which 68 % of the true masses lie. Of more than two classes
    ``score`` and ``logit`` are [N, K], a number for each class.
    ``near_ties`` tells that the graph chooses among numbers that it has computed itself (neighbours in a
    space of features): where two are as good as equal, rounding decides, and scores may jump.
    ``domain`` says in what of the objects' numbers its training lay, ``working_points`` at which scores a
    classifier of two classes has which efficiencies (see ``calibration.working_points``); None where it is
    not known. ``training_data`` holds ``sha256`` and ``objects`` of the training part, the ``origin`` of its
    events, and where ``tracks`` lay in its channels, as they must where the model is used.
    """

    task: Task
    model: str
    sha256: str
    opset: int
    ir_version: int
    training_data: dict[str, Any]
    git_revision: str
    versions: dict[str, str]
    temperature: float = 1.0
    near_ties: bool = False
    domain: Domain | None = None
    working_points: list[dict[str, float]] | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        return outputs(self.task)

    @property
    def numbers(self) -> tuple[Output, ...]:
        """The single numbers of the outputs."""
        return numbers(self.outputs)

    @property
    def calibrated(self) -> bool:
        """Whether there are logits, which are divided by the temperature."""
        return any(output.name == LOGIT.name for output in self.outputs)

    @property
    def tracks(self) -> str | None:
        """Where tracks have to lie: ``direction``, ``point`` or ``vertex``; None without any."""
        return self.training_data["tracks"]

    @property
    def trained_with(self) -> str:
        """In which the network was trained: ``PyTorch`` or ``Keras``."""
        return "Keras" if "keras" in self.versions else "PyTorch"

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        rows, columns = self.task.detector
        calibration = {"calibration": {"temperature": self.temperature}} if self.calibrated else {}
        return {
            "format": FORMAT,
            "task": self.task.name,
            "model": self.model,
            "sha256": self.sha256,
            "opset": self.opset,
            "ir_version": self.ir_version,
            "input": {
                "name": INPUT,
                "shape": ["N", *self.task.shape],
                "channels": [asdict(channel) for channel in self.task.channels],
                "tracks": self.tracks,
            },
            "scalars": [asdict(quantity) for quantity in self.task.scalars] or None,
            "domain": self.domain and self.domain.to_json(),
            "working_points": self.working_points,
            "orientation": self.task.crop.orientation,
            "outputs": [
                {"name": output.name, "unit": output.unit, "shape": ["N", *output.shape]}
                for output in self.outputs
            ],
            "classes": list(self.task.classes),
            **calibration,
            "near_ties": self.near_ties,
            "crop": {name: value for name, value in asdict(self.task.crop).items() if name != "outward"},
            "seeds": {"object": self.task.objects, "cell": self.task.seed_cell},
            "detector": {"rows": rows, "columns": columns},
            "training_data": self.training_data,
            "git_revision": self.git_revision,
            "versions": self.versions,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Contract:
        """Raises KeyError, TypeError, ValueError or E2EError where it is not what ``to_json`` writes."""
        kinds = get_type_hints(cls)
        names = ("model", "sha256", "opset", "ir_version", "training_data", "git_revision", "versions")
        scalars = [each.name for each in build(list[Quantity], content["scalars"] or [], "scalars")]
        task = tasks.task(build(str, content["task"], "task"), len(content["input"]["channels"]), scalars)
        if content["orientation"] not in (None, OUTWARD):
            raise ValueError(f"orientation is {shown(content['orientation'])}; known are null and {OUTWARD}")
        contract = cls(
            task.oriented(content["orientation"]),
            **{
                name: build(kinds[name], content[name], name)
                for name in (*names, "near_ties", "domain", "working_points")
            },
        )
        if contract.calibrated:
            temperature = build(float, content["calibration"]["temperature"], "calibration.temperature")
            contract = replace(contract, temperature=temperature)
        if contract.tracks not in (None, MIXED, *CONVENTIONS):
            raise ValueError(f"tracks lie at {shown(contract.tracks)}; known are {', '.join(CONVENTIONS)}")
        if not contract.temperature > 0:
            raise ValueError(f"calibration.temperature is {contract.temperature:g}, not above 0")
        for key, value in contract.to_json().items():
            if found := _different(key, content[key], value):
                name, given, own = found
                raise ValueError(f"{name} is {shown(given)}, but task {contract.task.name} has {shown(own)}")
        return contract


def _different(name: str, given: Any, own: Any) -> tuple[str, Any, Any] | None:
    """Where two contents of JSON differ first: the name of the place, and what is there."""
    if isinstance(given, dict) and isinstance(own, dict) and given.keys() == own.keys():
        pairs = ((f"{name}.{key}", given[key], own[key]) for key in own)
    elif isinstance(given, list) and isinstance(own, list) and len(given) == len(own):
        pairs = ((f"{name}[{i}]", *pair) for i, pair in enumerate(zip(given, own, strict=True)))
    else:
        return None if given == own else (name, given, own)
    return next((found for pair in pairs if (found := _different(*pair))), None)


def json_beside(model_onnx: str | Path) -> Path:
    """Where the contract of a model lies: model.json beside model.onnx."""
    return Path(model_onnx).with_suffix(".json")


def load_contract(model_onnx: str | Path) -> Contract:
    """The contract of a model, once the model has been checked against it.

    Raises:
        E2EError: the model or its JSON is missing or unreadable, the JSON belongs to another model
            (sha256), the model keeps weights in another file, which the checksum does not cover, or its
            task has other channels, outputs, classes, crop, seeds or detector here.
    """
    model_onnx, path = Path(model_onnx), json_beside(model_onnx)
    if not model_onnx.is_file():
        raise E2EError(f"{model_onnx}: no such model; make it with the rule `export`, or check the path")
    if not path.is_file():
        raise E2EError(f"{path}: missing; it is written with {model_onnx.name}: copy both, or export anew")
    try:
        contract = Contract.from_json(parse(path.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError, E2EError) as error:
        reason = f"no key {error}" if isinstance(error, KeyError) else error
        raise E2EError(
            f"{path}: not a model contract of format {FORMAT} for this version ({reason}); "
            "export the model anew"
        ) from None
    try:
        content = model_onnx.read_bytes()
    except OSError as error:
        raise E2EError(f"{model_onnx}: cannot be read ({error.strerror}); {remedy(error)}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != contract.sha256:
        raise E2EError(
            f"{path}: belongs to another model (sha256 {contract.sha256[:12]}..., but {model_onnx.name} has "
            f"{found[:12]}...); copy the two files together, or export anew"
        )
    if EXTERNAL.search(content):
        raise E2EError(
            f"{model_onnx}: keeps weights in another file, which the checksum does not cover; "
            "save the model with all of its weights inside, or export it anew"
        )
    return contract
