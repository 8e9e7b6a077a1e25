"""A trained network of Keras: as one file, and as PyTorch sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.files import whole
from e2e.models.tensorflow import load_keras

if TYPE_CHECKING:
    import keras

FORMAT = 1
INFO = "e2e.json"  # in the archive that a file of Keras is


class KerasNetwork(nn.Module):
    """A model of Keras as a network of PyTorch: raw frames float32 [N, C, H, W] -> answers [N], on the CPU.

    It runs as one compiled graph of TensorFlow, without training it; gradients with respect to the frames pass
    through. Its parameters are copies of the trainable weights: to be counted.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        import tensorflow

        self.model = model
        self.weights = nn.ParameterList(torch.from_numpy(weight.numpy()) for weight in model.trainable_weights)
        frames = tensorflow.TensorSpec(model.input.shape, tensorflow.float32)

        def answer(frames: tensorflow.Tensor) -> tensorflow.Tensor:
            return model(frames, training=False)

        def derivative(frames: tensorflow.Tensor, direction: tensorflow.Tensor) -> tensorflow.Tensor:
            with tensorflow.GradientTape() as tape:
                tape.watch(frames)
                answers = answer(frames)
            return tape.gradient(answers, frames, direction)

        self.answer = tensorflow.function(answer, [frames])
        self.derivative = tensorflow.function(derivative, [frames, tensorflow.TensorSpec([None])])

    def forward(self, frames: Tensor) -> Tensor:
        return _Answer.apply(frames, self)


class _Answer(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, frames: Tensor, network: KerasNetwork) -> Tensor:
        context.save_for_backward(frames)
        context.network = network
        if not len(frames):  # TensorFlow's convolutions on CPUs give wrong shapes then
            return frames.new_zeros(0)
        return torch.from_numpy(network.answer(frames.numpy()).numpy())

    @staticmethod
    def backward(context: Any, direction: Tensor) -> tuple[Tensor, None]:
        (frames,) = context.saved_tensors
        return torch.from_numpy(context.network.derivative(frames.numpy(), direction.numpy()).numpy()), None


def save(path: str | Path, model: keras.Model, info: dict[str, Any]) -> None:
    """Write ``model`` to ``path`` (.keras) as Keras does, with ``info`` (see ``e2e.learning.model``) inside.

    Equal content gives equal bytes.
    """
    with whole(path) as scratch:
        model.save(scratch)
        with ZipFile(scratch) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(members["metadata.json"])
        del metadata["date_saved"]
        members["metadata.json"] = json.dumps(metadata)
        members[INFO] = json.dumps({"format": FORMAT, **info})
        with ZipFile(scratch, "w") as archive:
            for name, content in members.items():
                archive.writestr(ZipInfo(name), content)  # with a date of 1980


def load(path: str | Path) -> tuple[KerasNetwork, dict[str, Any]]:
    """The network of a file written by ``save``, in evaluation mode, and its ``info``.

    Raises E2EError for a file that is not such a model, and where Keras is not installed.
    """
    try:
        with ZipFile(path) as archive:
            info = json.loads(archive.read(INFO))
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; train the model first") from None
    except (BadZipFile, KeyError, ValueError) as error:
        raise E2EError(f"{path}: not a model that was trained here ({error}); train it again") from None
    if info.pop("format", None) != FORMAT:
        raise E2EError(f"{path}: not a trained model of format {FORMAT}; train it again")
    model = load_keras().saving.load_model(path, compile=False)
    return KerasNetwork(model).eval(), info
