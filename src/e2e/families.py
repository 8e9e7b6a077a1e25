"""Packages of which each file is a family of something to build: networks, methods of learning.

A family is a module with a function ``build(*given, **hyperparameters)`` of its own: dropping a file in the
package is all that a new one needs.
"""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from e2e.errors import E2EError


def signatures(package: ModuleType) -> dict[str, list[str]]:
    """Parameters of the function ``build`` of each module of ``package`` that has one of its own.

    Read from the files, and none is imported: a configuration is checked where PyTorch is not installed yet.
    Raises E2EError for a file that is not Python.
    """
    files = (file for folder in package.__path__ for file in Path(folder).glob("*.py"))
    found = {
        file.stem: _parameters(file, file.stat().st_mtime_ns)
        for file in sorted(files, key=lambda file: file.stem)
    }
    return {name: given for name, given in found.items() if given is not None and name != "__init__"}


@cache
def _parameters(file: Path, changed: int) -> list[str] | None:
    """Parameters of the function ``build`` of a file, as it is since it was ``changed``; None without one."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise E2EError(f"{file}: is not Python ({error}); mend it, or move it away") from None
    builders = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build"]
    return (
        [given.arg for given in (*builders[-1].args.args, *builders[-1].args.kwonlyargs)]
        if builders
        else None
    )


def constant(package: ModuleType, name: str, constant: str, default: Any) -> Any:
    """The value of a ``constant`` in the file of a family, which is not imported; ``default`` without one."""
    (file,) = (file for folder in package.__path__ for file in Path(folder).glob(f"{name}.py"))
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
            return ast.literal_eval(node.value)
    return default


def families(package: ModuleType) -> list[str]:
    """Names of the modules of ``package`` that have a function ``build`` of their own."""
    return list(signatures(package))


def family(package: ModuleType, kind: str, name: str) -> ModuleType:
    """The module ``name``; raises E2EError, with the names to choose from, if there is no such ``kind``."""
    known = families(package)
    if name not in known:
        raise E2EError(f"unknown {kind} {name!r}; choose one of: {', '.join(known)}")
    return importlib.import_module(f"{package.__name__}.{name}")


def build(package: ModuleType, kind: str, name: str, *given: Any, **hyperparameters: Any) -> Any:
    """What the ``build`` of a family makes of what it is ``given`` and of ``hyperparameters``.

    Raises E2EError for a family or a hyperparameter that does not exist, naming those that do, and for
    unsuitable values.
    """
    module = family(package, kind, name)
    allowed = signatures(package)[name][len(given) :]
    unknown = sorted(set(hyperparameters) - set(allowed))
    if unknown:
        raise E2EError(
            f"{kind} {name!r} has no hyperparameter {', '.join(map(repr, unknown))};"
            f" it takes: {', '.join(allowed) or 'none'}"
        )
    try:
        return module.build(*given, **hyperparameters)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise E2EError(f"{kind} {name!r} cannot be built with {hyperparameters}: {error}") from error
