"""What of the detector may be changed, so that the same particles meet another one."""

from __future__ import annotations

from typing import NamedTuple


class Detector(NamedTuple):
    """All layers of the tracker are ``material`` times as thick as CMS's."""

    material: float = 1.0


NOMINAL = Detector()
