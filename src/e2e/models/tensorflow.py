"""Keras on TensorFlow: an optional part of the library, imported only where a network of Keras is."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from types import ModuleType

from e2e import models
from e2e.errors import E2EError

ABSENT = (
    "networks of Keras need TensorFlow, which is not installed here; get it with"
    " `pip install -r requirements/keras.txt -c requirements/constraints.txt`"
)


def missing(architecture: str) -> bool:
    """Whether a family of networks is one of Keras while that is not installed."""
    packages = ("tensorflow", "keras", "tf2onnx")
    return models.is_keras(architecture) and not all(map(find_spec, packages))


@functools.cache
def load_keras() -> ModuleType:
    """The package Keras, on TensorFlow: on the CPU, deterministic, with the threads that PyTorch has then.

    Raises E2EError where they are not installed.
    """
    if missing("keras_"):
        raise E2EError(ABSENT)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's own settings of Keras say
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it lists the instructions that the processor has

    import keras
    import tensorflow
    import torch

    tensorflow.config.set_visible_devices([], "GPU")
    tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    return keras
