"""A trained network as one file: weights, what they belong to, and where they come from."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from e2e import models
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.files import whole
from e2e.tasks import task

FORMAT = 1


def save(path: str | Path, network: nn.Module, info: dict[str, Any]) -> None:
    """Write ``network`` and ``info`` (plain values: task, channels, architecture, numbers and more).

    Equal content gives equal bytes.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    buffer = io.BytesIO()  # torch.save to a path would write the name of the scratch file into the archive
    torch.save({"format": FORMAT, **info, "state_dict": weights}, buffer)
    with whole(path) as scratch:
        scratch.write_bytes(buffer.getvalue())


def load(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file written by ``save``, on the CPU and in evaluation mode, and its ``info``.

    ``info`` has task, channels (their number), architecture, numbers, training_data (sha256, objects,
    origin, tracks), trainer (with the seed), epoch, validation_loss, of a classifier temperature, and
    versions. Raises E2EError for a file that is not such a model.
    """
    try:
        info = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; train the model first") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "empty file"
        raise E2EError(f"{path}: not a trained model ({reason}); train it again") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise E2EError(f"{path}: not a trained model of format {FORMAT}; train it again")
    network = models.build(info["architecture"], task(info["task"], info["channels"]), **info["numbers"])
    weights = info.pop("state_dict")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise E2EError(
            f"{path}: its weights do not fit architecture {info['architecture']!r} as it is now"
            f" ({str(error).splitlines()[-1].strip()}); train it again"
        ) from None
    return network.eval(), info


def answers(network: nn.Module, chunks: Iterable[Samples]) -> NDArray[np.float32]:
    """Logits, or masses in GeV, [N] of the objects of ``chunks``, each of which is one batch."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        pieces = [
            network(torch.from_numpy(samples.images()).to(device)).float().cpu().numpy() for samples in chunks
        ]
    return np.concatenate(pieces)
