"""Without TensorFlow: nothing imports it, and what needs it says so."""

import subprocess
import sys

import pytest

from e2e import models
from e2e.errors import E2EError
from e2e.models import tensorflow
from e2e.tasks.electron_photon import TASK


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setattr(tensorflow, "find_spec", lambda package: None)
    tensorflow.load_keras.cache_clear()
    yield
    tensorflow.load_keras.cache_clear()


def test_only_families_of_keras_can_be_missing(not_installed):
    assert tensorflow.missing("keras_cnn")
    assert not tensorflow.missing("resnet")


def test_building_without_tensorflow_says_how_to_get_it(not_installed):
    with pytest.raises(E2EError, match=r"pip install -r requirements/keras\.txt"):
        models.build("keras_cnn", TASK)


def test_nothing_imports_tensorflow_until_a_network_of_keras_is_built():
    program = (
        "import sys; from e2e import models, tasks; import e2e.learning.train, e2e.deploy.export;"
        " assert 'keras_cnn' in models.architectures();"
        " models.build('resnet', tasks.task('electron_photon'));"
        " assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
