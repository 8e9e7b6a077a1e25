import pytest

from e2e import imports
from e2e.imports import imported

TRAINING = ("learning/train.py", "learning/fit.py", "learning/methods/supervised.py", "models/cnn.py")
KERAS = (
    "learning/train.py",
    "learning/keras_fit.py",
    "learning/methods/supervised.py",
    "models/keras_cnn.py",
)


def test_a_training_depends_on_what_it_computes_with():
    found = set(imported(*TRAINING))
    assert {"learning/loop.py", "data/images.py", "models/preprocessing.py", "geometry.py"} < found
    assert "models/graph.py" in imported("models/particlenet.py")


@pytest.mark.parametrize(
    ("step", "edited"),
    [
        (TRAINING, ["report/", "models/vit.py", "models/graph.py", "data/views.py", "learning/keras_fit.py"]),
        (TRAINING, ["models/keras_cnn.py", "models/keras_network.py", "learning/evaluation.py", "errors.py"]),
        (TRAINING, ["models/tensorflow.py"]),
        (KERAS, ["report/", "learning/fit.py"]),
        (("learning/train.py", "learning/fit.py"), ["learning/methods/supervised.py"]),
        (
            ("learning/reference.py",),
            ["report/", "models/preprocessing.py", "models/layers.py", "data/views.py"],
        ),
        (("learning/reference.py", "data/jet_shapes.py"), ["data/shower_shapes.py", "models/network.py"]),
        (("learning/evaluation.py",), ["report/", "models/graph.py", "learning/fit.py"]),
        (("learning/search.py",), ["report/"]),
        (("simulation/electron_photon.py",), ["report/", "models/", "learning/", "data/jet_shapes.py"]),
        (("deploy/export.py",), ["report/", "learning/", "benchmark/"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_what_makes_a_step_stale(step, edited):
    """A colour, a feature of graphs, the other framework's loop: none of them is a reason to train again."""
    found = imported(*step)
    assert not [file for file in found if file.startswith(tuple(edited)) and file not in step]


def test_a_figure_depends_on_its_look():
    assert "report/style.py" in imported("report/comparison.py")


@pytest.fixture
def file(tmp_path):
    """Function (text) -> what a file of this text says."""

    def said(text):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        return imports._said(path)

    return said


CODE = '''"""A module."""


class A:
    """A class."""

    def b(self):
        """A method."""
        return "a text"  # a comment
'''


def test_words_make_nothing_stale(file):
    others = [CODE.replace(f"A {word}.", "Something else.") for word in ("module", "class", "method")]
    others += [
        CODE.replace("  # a comment", ""),
        CODE.replace("# a", "# another"),
        CODE.replace("\n\n\n", "\n\n"),
    ]
    assert {file(text) for text in others} == {file(CODE)}
    assert all(text != CODE for text in others)


def test_code_makes_stale(file):
    others = [CODE.replace("a text", "another"), CODE.replace("def b", "def c"), CODE.replace("self", "own")]
    assert len({file(text) for text in (CODE, *others)}) == 4
