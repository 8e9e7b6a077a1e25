"""Which version of the library this is, and of which commit.

Imports nothing of the library: setuptools runs this file by itself when it builds a wheel.
"""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

# The newest release, whose tag is v0.1.0. Trainings record this number and no commit: no commit repeats them.
RELEASE = "0.1.0"
_FILE = Path(__file__)


def version() -> str:
    """Version of this library, as in ``0.1.0``, or between releases ``0.1.0+12.g9826ac7`` (12 commits later).

    In a git checkout it is that of the newest tag ``v...``, and ``.dirty`` at its end says that tracked
    files have changed. Elsewhere it is that of the installed package or source archive, else ``RELEASE``.
    """
    described = _git("describe", "--tags", "--match=v[0-9]*", "--long", "--always", "--dirty")
    if not described:
        found = metadata.distributions(name="e2e", path=[str(_FILE.parents[1])])
        return next((package.version for package in found), RELEASE)
    tag, commits, commit, dirty = re.fullmatch(r"(?:v(.+)-(\d+)-g)?([0-9a-f]+)(-dirty)?", described).groups()
    if commits == "0" and not dirty:
        return tag
    after = [commits, f"g{commit}", dirty and "dirty"]  # no number of commits without a tag
    return f"{tag or RELEASE}+{'.'.join(filter(None, after))}"


def git_revision() -> str:
    """Commit that this library was run from, with ``-dirty`` after it where tracked files have changed.

    ``unknown`` where the library is not part of a git checkout (installed, or an archive).
    """
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unknown"


def _git(*words: str) -> str:
    """What git says of the checkout that this library is part of; nothing where it is part of none."""
    git = ["git", "-C", str(_FILE.parent)]
    try:
        # A checkout of something else may lie around an installed library.
        subprocess.run([*git, "ls-files", "--error-unmatch", _FILE.name], check=True, capture_output=True)
        return subprocess.run([*git, *words], check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
