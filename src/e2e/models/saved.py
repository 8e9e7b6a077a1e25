"""A trained network as one file: weights, what they belong to, and where they come from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from e2e import models
from e2e.errors import E2EError
from e2e.files import sha256, whole
from e2e.models.trunk import Trunk
from e2e.tasks import Task, task
from e2e.typed import build

if TYPE_CHECKING:
    from e2e.data.store import Samples

FORMAT = 2
TRUNK = "trunk."  # names of a trunk's weights begin so


def save(path: str | Path, network: nn.Module, info: dict[str, Any]) -> None:
    """Write ``network`` and ``info`` (plain values: task, channels, scalars, architecture and more).

    Equal content gives equal bytes.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    buffer = io.BytesIO()  # torch.save to a path would write the name of the scratch file into the archive
    torch.save({"format": FORMAT, **info, "state_dict": weights}, buffer)
    with whole(path) as scratch:
        scratch.write_bytes(buffer.getvalue())


def load(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file written by ``save``, on the CPU and in evaluation mode, and its ``info``.

    ``info`` has task, channels (their number), scalars (names), architecture, hyperparameters, method, init
    (see ``take_trunk``; None from scratch), freeze, training_data (sha256, objects, origin, tracks,
    orientation), trainer (with the seed), epoch, validation_loss, domain, of a classifier temperature, of one
    of two classes working_points, and versions.
    Raises E2EError for a file that is not such a model, and for one of a trunk alone.
    """
    weights, about, info = _read(path)
    if weights and all(name.startswith(TRUNK) for name in weights):
        raise E2EError(f"{path}: a trunk without a head; train a model with `init: {path}` first")
    network = models.build(about.architecture, task_of(info), **about.hyperparameters)
    _fill(network, weights, path, about.architecture)
    return network.eval(), info


def task_of(info: Mapping[str, Any]) -> Task:
    """The task of a network with this ``info``, with its channels and scalars; crops as the task has them."""
    return task(info["task"], info["channels"], info.get("scalars", ()))


def take_trunk(
    network: nn.Module, path: str | Path, of: Task, architecture: str, hyperparameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Give ``network``, for the task ``of``, the trunk in the file ``path``: of a model or a pretraining.

    Returns what that was: task, method and init, training_data, and the sha256 of the file. Raises E2EError
    for a file that is none, where a network has no trunk, or not the same: of the same channels and crop, the
    same architecture, and the same hyperparameters but for those of the head.
    """
    weights, about, info = _read(path)
    given = task(about.task, about.channels)
    there = _facts(given, about.architecture, about.hyperparameters)
    here = _facts(of, architecture, hyperparameters)
    for name, own in here.items():
        if own != there.get(name):
            raise E2EError(
                f"{path}: its trunk does not fit this model: {name} {there.get(name)} there, {own} here;"
                " make both equal, or begin with another model"
            )
    trunk = getattr(network, "trunk", None)
    taken = {name.removeprefix(TRUNK): w for name, w in weights.items() if name.startswith(TRUNK)}
    if not isinstance(trunk, Trunk) or not taken:
        raise E2EError(
            f"{path}: networks of architecture {architecture!r} have no trunk that another could begin with"
            " (docs/how-to/my-own-network.md says how to give them one)"
        )
    _fill(trunk, taken, path, architecture)
    origin = {name: info.get(name) for name in ("task", "method", "init", "training_data")}
    return {"sha256": sha256(path), **origin}


def load_trunk(path: str | Path) -> tuple[Trunk, Trunk, Task, dict[str, Any]]:
    """The trunk in a file of a model or a pretraining, a random one like it, their task, and the file's info.

    Both are on the CPU and in evaluation mode; the random one is that with which the training of the file's
    seed began. Raises E2EError as ``take_trunk`` does.
    """
    _, about, info = _read(path)
    of = task(about.task, about.channels).oriented(info["training_data"]["orientation"])
    networks = []
    for _ in range(2):
        torch.manual_seed(info["trainer"]["seed"])
        networks.append(models.build(about.architecture, of, **about.hyperparameters).eval())
    take_trunk(networks[0], path, of, about.architecture, about.hyperparameters)
    return networks[0].trunk, networks[1].trunk, of, info


def _facts(of: Task, architecture: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a trunk what it is, by name."""
    channels = ", ".join(f"{channel.name} [{channel.unit}]" for channel in of.channels)
    facts = {"architecture": architecture, "channels": channels, "crop": of.oriented(None).crop}
    return facts | models.of_trunk(architecture, hyperparameters)


def _read(path: str | Path) -> tuple[dict[str, Tensor], _Network, dict[str, Any]]:
    """Weights of a file written by ``save``, what they belong to, and all else that it says."""
    try:
        info = read_plain(path)
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; train the model first") from None
    except ValueError as error:
        raise E2EError(f"{path}: not a trained model ({error}); train it again") from None
    if info.get("format") != FORMAT:
        raise E2EError(f"{path}: not a trained model of format {FORMAT}; train it again")
    try:
        weights = info.pop("state_dict")
        about = build(_Network, {field.name: info[field.name] for field in fields(_Network)})
    except (KeyError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise E2EError(f"{path}: damaged, or of another version ({reason}); train it again") from None
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise E2EError(f"{path}: damaged, or of another version (no weights by name); train it again")
    return weights, about, info


def _fill(module: nn.Module, weights: Any, path: str | Path, architecture: str) -> None:
    """Give a module its weights; raises E2EError where they do not fit."""
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise E2EError(
            f"{path}: its weights do not fit architecture {architecture!r} as it is now"
            f" ({str(error).splitlines()[-1].strip()}); train it again"
        ) from None


@dataclass(frozen=True)
class _Network:
    """What a file must say of its network, so that it can be built."""

    task: str
    channels: int
    architecture: str
    hyperparameters: dict[str, Any]


def read_plain(path: str | Path) -> dict[str, Any]:
    """A dictionary of tensors and plain values that ``torch.save`` wrote; nothing in the file is run.

    The file is a zip archive, whose checksums PyTorch does not compare.

    Raises ValueError, of one line, for a file that is damaged or holds anything else.
    """
    try:
        with ZipFile(path) as archive:
            # PyTorch packs nothing and sets no attribute; it would leave a record marked as a folder unread.
            odd = [i.filename for i in archive.infolist() if i.compress_type or i.external_attr]
            if damaged := archive.testzip() or next(iter(odd), None):
                raise ValueError(f"{damaged} in it is damaged")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # of many classes, by what is damaged
        raise ValueError(str(error).splitlines()[0] if str(error) else "empty or cut off") from None
    if not isinstance(content, dict):
        raise ValueError("holds no dictionary")
    return content


def predictions(network: nn.Module, chunks: Iterable[Samples]) -> NDArray[np.float32]:
    """Logits, or masses in GeV, [N] of the objects of ``chunks``, each of which is one batch."""
    from e2e.data.scalars import inputs  # which takes more than the machines have that load networks alone

    device, task = next(network.parameters()).device, models.takes(network)
    pieces = []
    with torch.inference_mode():
        for samples in chunks:
            given = (torch.from_numpy(values).to(device) for values in inputs(samples, task))
            pieces.append(network(*given).float().cpu().numpy())
    return np.concatenate(pieces)
