"""Packages of which each file is a family of something to build: networks, methods of learning.

A family is a module with a function ``build(*given, **hyperparameters)`` of its own: dropping a file in the
package is all that a new one needs.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from e2e.errors import E2EError


def families(package: ModuleType) -> list[str]:
    """Names of the modules of ``package`` that have a function ``build`` of their own."""
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in sorted(names) if _builds(importlib.import_module(f"{package.__name__}.{name}"))]


def _builds(module: ModuleType) -> bool:
    return getattr(getattr(module, "build", None), "__module__", None) == module.__name__


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
    allowed = list(inspect.signature(module.build).parameters)[len(given) :]
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
