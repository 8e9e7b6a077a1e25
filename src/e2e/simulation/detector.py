"""What particles meet: a detector and its conditions, which may be others than the nominal ones.

Generated particles and their way through the detector have random numbers of their own. The same seed and
event give the same particles in any detector, and with another ``detector_seed`` they meet the nominal one
once more: two events of equal run, lumi section and number are then a pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

INTERACTIONS = 21.0  # mean of 2012 data, CMS public luminosity results


class Detector(NamedTuple):
    """All layers of the tracker are ``material`` times as thick as CMS's.

    A bunch crossing has ``pileup_mean`` interactions on average, beside that of the event.
    """

    material: float = 1.0
    pileup_mean: float = INTERACTIONS


NOMINAL = Detector()


def streams(seed: int, event: int, detector_seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Random numbers of an event: of its generation, and of its way through the detector."""
    return np.random.default_rng((seed, event, 0)), np.random.default_rng((seed, event, 1, detector_seed))
