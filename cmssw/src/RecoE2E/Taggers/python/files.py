"""The names of a job's files: which can be read, and which may be written without losing another one."""

import os
import re

# ROOT takes # and ? for parts of a URL and writes a#b to a, whatever a holds; it expands $.
_TAKEN_APART = re.compile(r"[#?$]")


def names(values):
    """The files that the values of inputFiles name: at a comma the next one begins only if it says so.

    Raises RuntimeError for a name of this machine that ROOT would take apart.
    """
    found = [name for value in values for name in re.split(r",(?=\w+:|/store/)", value)]
    for name in found:
        if name.startswith("file:"):
            _check(name)
    return found


def check(outputs, inputs):
    """Raise RuntimeError where writing one of ``outputs`` would lose it, another one, or one of ``inputs``.

    Links and other ways of writing a name are seen through. Empty names are files that the job does not have.
    """
    paths = [_path(name) for name in outputs if name]
    for path in paths:
        _check(path)
        if os.path.isdir(path):
            raise RuntimeError(f"{path}: is a folder; name a file in it")
        for name in filter(None, inputs):
            if os.path.exists(path) and os.path.exists(_path(name)) and os.path.samefile(path, _path(name)):
                raise RuntimeError(
                    f"{path}: would be written over the input {_path(name)}; choose another name"
                )
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise RuntimeError(f"{path}: would be written twice; choose another name for one of the outputs")


def _path(name):
    return name[len("file:") :] if name.startswith("file:") else name


def _check(name):
    if _TAKEN_APART.search(name):
        raise RuntimeError(
            f"{_path(name)}: ROOT takes #, ? and $ apart; rename it, or link to it from another name"
        )
