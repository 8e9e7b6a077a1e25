"""Records of what was measured, each written when it is there: a killed run keeps them, and goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.errors import E2EError
from e2e.files import read_json, write_json

FORMAT = 1


@dataclass
class Records:
    """JSON files in a folder, one a name, that are good for one state of ``measured_with`` alone.

    That holds plain values: code, model, machine, settings, whatever a number depends on.
    """

    folder: Path
    measured_with: Mapping[str, Any]
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.measured_with = json.loads(json.dumps(self.measured_with))  # as it is read again

    def read(self, name: str) -> dict[str, Any] | None:
        """A record that was written before, with equal ``measured_with``, or None."""
        path = self.path(name)
        try:
            content = read_json(path) if path.exists() else {}
            if content.get("format") != FORMAT or content["measured_with"] != self.measured_with:
                return None
        except (E2EError, AttributeError):  # damaged, or something else: measured anew
            return None
        return content

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a record, whole or not at all, in place of an earlier one."""
        write_json(self.path(name), {"format": FORMAT, "measured_with": self.measured_with, **content})

    def path(self, name: str) -> Path:
        """Where a record lies."""
        path = self.folder / f"{name.replace(' ', '_')}.json"
        self._names.add(path.name)
        return path

    def remove(self) -> None:
        """Remove the records that were asked for, and their folder if nothing else is in it."""
        for name in self._names:
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it holds something else, or was never made
            self.folder.rmdir()
