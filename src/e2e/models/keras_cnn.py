"""The residual CNN of ``resnet`` in Keras: the same layers and initial distributions in another framework.

TensorFlow's convolutions on CPUs take maps whose channels come last: those before and after are turned, which
the export undoes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from e2e.models import resnet
from e2e.models.keras_network import KerasNetwork
from e2e.models.preprocessing import ENERGY_SCALE_GEV, SHARE_SCALE, SMALLEST_SPREAD, TIME_RANGE_NS, Road
from e2e.models.tensorflow import load_keras
from e2e.tasks import Task

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

SPACE = resnet.SPACE
SAME_AS = "resnet"


def build(
    task: Task,
    widths: Sequence[int] = (16, 32, 64),
    blocks: Sequence[int] = (2, 2, 1),
    rows: int = 3,
    hidden: int = 64,
) -> KerasNetwork:
    """The network of ``resnet.build`` with these numbers: raw frames [N, 2, H, W] -> logits [N] or [N, K].

    Raises E2EError for the same numbers, and where Keras is not installed.
    """
    with torch.device("meta"):
        resnet.build(task, widths, blocks, rows, hidden)  # knows which numbers are possible
    keras = load_keras()
    layers = keras.layers

    frames = keras.Input(task.shape, name="frames")
    road = Road(task.crop, rows)
    maps = _normalise_cells(_features(frames)[:, :, road.rows, road.columns])
    maps = layers.Permute((2, 3, 1))(maps)
    maps = layers.ReLU()(_convolution(maps, widths[0]))
    for stage, (channels, depth) in enumerate(zip(widths, blocks, strict=True)):
        if stage > 0:
            maps = layers.ReLU()(_convolution(maps, channels, stride=2, padding="valid"))
        for _ in range(depth):
            maps = _residual(maps)
    maps = layers.Permute((3, 1, 2))(maps)
    features = _dense(layers.Flatten()(maps), hidden, use_bias=False)
    features = layers.ReLU()(_batch_normalisation()(features))
    logits = _dense(features, task.goal.outputs)
    return KerasNetwork(keras.Model(frames, logits if task.goal.outputs > 1 else logits[:, 0]))


def _features(frames: KerasTensor) -> KerasTensor:
    """``CalorimeterFeatures``: [N, 2, H, W] -> [N, 4, H, W]."""
    ops = load_keras().ops
    energy = ops.maximum(frames[:, 0], 0.0)
    share = energy / (ops.sum(energy, axis=(1, 2), keepdims=True) + ENERGY_SCALE_GEV)
    time = ops.clip(frames[:, 1], -TIME_RANGE_NS, TIME_RANGE_NS) * ops.cast(energy > 0.0, "float32")
    return ops.stack(
        (
            ops.log(1.0 + energy / ENERGY_SCALE_GEV) / 4.0,
            ops.log(1.0 + share / SHARE_SCALE) / 3.0,
            share,
            time * ops.sqrt(share + 1e-6),
        ),
        axis=1,
    )


def _normalise_cells(maps: KerasTensor) -> KerasTensor:
    """``CellNormalisation`` of [N, C, H, W]."""
    layers = load_keras().layers
    cells = _batch_normalisation(epsilon=SMALLEST_SPREAD**2)(layers.Flatten()(maps))
    return layers.Reshape(maps.shape[1:])(cells)


def _residual(maps: KerasTensor) -> KerasTensor:
    """``Residual``: starts as the identity."""
    layers = load_keras().layers
    width = maps.shape[-1]
    added = _convolution(layers.ReLU()(_convolution(maps, width)), width, gamma_initializer="zeros")
    return layers.ReLU()(maps + added)


def _convolution(
    maps: KerasTensor, outputs: int, stride: int = 1, padding: str = "same", **normalisation
) -> KerasTensor:
    """3 x 3 convolution and batch normalisation."""
    convolve = load_keras().layers.Conv2D(
        outputs, 3, stride, padding, use_bias=False, kernel_initializer=_uniform()
    )
    return _batch_normalisation(**normalisation)(convolve(maps))


def _dense(features: KerasTensor, outputs: int, use_bias: bool = True) -> KerasTensor:
    keras = load_keras()
    largest = features.shape[-1] ** -0.5
    bias = keras.initializers.RandomUniform(-largest, largest, seed=_seed())
    return keras.layers.Dense(
        outputs, use_bias=use_bias, kernel_initializer=_uniform(), bias_initializer=bias
    )(features)


def _batch_normalisation(epsilon: float = 1e-5, **options) -> keras.layers.Layer:
    """With PyTorch's numbers: its momentum of 0.1 is 0.9 here."""
    return load_keras().layers.BatchNormalization(momentum=0.9, epsilon=epsilon, **options)


def _uniform() -> keras.initializers.Initializer:
    """PyTorch's initial weights: uniform up to the inverse root of the number of inputs."""
    return load_keras().initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=_seed())


def _seed() -> int:
    """From PyTorch's generator, so that its seed is that of all networks."""
    return int(torch.randint(2**31, ()))
