import ast

from e2e import imports
from e2e.imports import LIBRARY, imported


def test_imports_are_those_that_python_sees():
    for path in LIBRARY.rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        places = [LIBRARY.parent / name.replace(".", "/") for name in names if name.startswith("e2e")]
        files = {place / "__init__.py" if place.is_dir() else place.with_suffix(".py") for place in places}
        assert set(imports.imports(path)) == {file for file in files if file.exists()}, path


def test_a_training_depends_on_what_it_computes_with_and_not_on_what_it_draws():
    found = imported("learning/train.py", "models/cnn.py")
    assert {"learning/loop.py", "data/views.py", "models/preprocessing.py"} < set(found)
    assert not {"models/vit.py", "models/graph.py", "plots/evaluation.py", "errors.py"} & set(found)
    assert "models/graph.py" in imported("models/particlenet.py")


def test_a_figure_depends_on_its_look():
    assert "plots/style.py" in imported("comparison.py", "plots/comparison.py")
    assert "plots/style.py" not in imported("comparison.py")
