"""A model of Keras as a network of PyTorch: saved, evaluated and compared like all the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from e2e.models.tensorflow import load_keras

if TYPE_CHECKING:
    import keras


class KerasNetwork(nn.Module):
    """Raw frames float32 [N, C, H, W] -> answers [N] or [N, K], by the Keras ``model``, one graph.

    Weights live in the model; what this module tells of them are copies. It gives gradients with respect to
    the frames, and none to the weights: Keras trains those (``e2e.learning.keras_fit``).
    """

    def __init__(self, model: keras.Model):
        import tensorflow as tf

        super().__init__()
        self.model = model
        frames = tf.TensorSpec(model.input.shape, tf.float32)

        def answer(frames: tf.Tensor) -> tf.Tensor:
            return model(frames, training=False)

        def derivative(frames: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(frames)
                predictions = answer(frames)
            return tape.gradient(predictions, frames, direction)

        self.answer = tf.function(answer, [frames])
        self.derivative = tf.function(derivative, [frames, tf.TensorSpec(model.output.shape)])

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasNetwork:
        copied = load_keras().models.clone_model(self.model)
        copied.set_weights(self.model.get_weights())
        return KerasNetwork(copied)

    def forward(self, frames: Tensor) -> Tensor:
        return _Answer.apply(frames, self)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        for weight in self.model.trainable_weights:
            yield nn.Parameter(torch.tensor(weight.numpy()))

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Tensor]:
        """All weights, with those of batch normalisation that follow the data, by place and name."""
        return {name: torch.tensor(weight.numpy()) for name, weight in self._weights().items()}

    def load_state_dict(self, weights: Mapping[str, Tensor], *_: Any, **__: Any) -> None:
        """Raises RuntimeError for weights of another network, as those of PyTorch do."""
        own = self._weights()
        expected = {name: tuple(weight.shape) for name, weight in own.items()}
        if expected != {name: tuple(weight.shape) for name, weight in weights.items()}:
            raise RuntimeError("other names or shapes")
        for name, weight in own.items():
            weight.assign(weights[name].numpy())

    def _weights(self) -> dict[str, keras.Variable]:
        # The paths of Keras count all layers that this process has made.
        return {f"{place}.{weight.name}": weight for place, weight in enumerate(self.model.weights)}


class _Answer(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, frames: Tensor, network: KerasNetwork) -> Tensor:
        context.save_for_backward(frames)
        context.network = network
        if not len(frames):  # convolutions of TensorFlow on CPUs give a wrong shape then
            return frames.new_zeros(0, *network.model.output.shape[1:])
        return torch.from_numpy(network.answer(frames.numpy()).numpy())

    @staticmethod
    def backward(context: Any, direction: Tensor) -> tuple[Tensor, None]:
        (frames,) = context.saved_tensors
        gradient = context.network.derivative(frames.numpy(), direction.contiguous().numpy())
        return torch.from_numpy(gradient.numpy()), None
