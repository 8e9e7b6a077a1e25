"""Keras on TensorFlow: an optional part (requirements/keras.txt), imported only where a network of Keras is used."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from types import ModuleType

from e2e.errors import E2EError

REQUIREMENTS = "requirements/keras.txt"


def is_keras(architecture: str) -> bool:
    """Whether a family of networks is written in Keras, not in PyTorch: its file says so by its name."""
    return architecture.startswith("keras_")


def installed() -> bool:
    """Whether networks of Keras can be made, trained and exported here; imports nothing."""
    return all(find_spec(package) for package in ("tensorflow", "keras", "tf2onnx"))


@functools.cache
def load_keras() -> ModuleType:
    """The package Keras, on TensorFlow: on the CPU, with as many threads as PyTorch has, deterministic.

    Raises E2EError where they are not installed.
    """
    if not installed():
        raise E2EError(
            "networks of Keras need TensorFlow, which is not installed; get it with"
            f" `pip install -r {REQUIREMENTS} -c requirements/constraints.txt`"
        )
    os.environ["KERAS_BACKEND"] = "tensorflow"  # above what the user's own settings of Keras say
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it lists the instructions of the processor

    import keras
    import tensorflow
    import torch

    tensorflow.config.set_visible_devices([], "GPU")
    tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    return keras
