"""From energy in the crystals to rec hits: photostatistics, intercalibration, noise, and a time per crystal.

Sources of the constants in docs/simulation.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled

PHOTOSTATISTICS = 0.021  # relative, at 1 GeV: JINST 3 S08004
INTERCALIBRATION = (
    0.005  # relative: 0.3 % of the test beam (JINST 2 P04004) and 0.4 % in situ (arXiv 1306.2016)
)
NOISE = 0.042  # GeV a crystal: JINST 2 P04004 (127 MeV in 3 x 3)

TIME_NOISE = 35.1  # ns, arXiv 0911.4044
TIME_CONSTANT = 0.19  # ns, in situ, electrons from Z decays: arXiv 1306.2016 (0.020 ns in the test beam)
# Five bunch crossings of 25 ns each way: the ten samples that are read out hold no pulse beyond.
TIME_WINDOW = 125.0  # ns


@compiled
def measure(rng: np.random.Generator, energy: NDArray, time: NDArray) -> None:
    """Turn deposits into measured energies (GeV) and mean delays (ns), in place, for all crystals.

    ``energy`` and ``time`` are as ``deposit_particle`` leaves them. Photostatistics, intercalibration and
    noise are Gaussian; intercalibration is drawn anew for each crystal and event.
    """
    for i in range(len(energy)):
        true = energy[i]
        if true > 0.0:
            time[i] /= true
            spread = math.hypot(PHOTOSTATISTICS * math.sqrt(true), INTERCALIBRATION * true)
            energy[i] = max(true + spread * rng.standard_normal(), 0.0)
        energy[i] += NOISE * rng.standard_normal()


@compiled
def time_resolution(energy: float) -> float:
    """Standard deviation (ns) of the time of a crystal with ``energy`` > 0 GeV, arXiv 0911.4044 eq. 2."""
    return math.hypot(TIME_NOISE * NOISE / energy, TIME_CONSTANT)


@compiled
def measure_time(rng: np.random.Generator, energy: float, delay: float) -> float:
    """Measured time (ns) of a crystal with measured ``energy`` > 0 GeV and mean ``delay``.

    Where the resolution leads out of the readout window, there is only noise: any time within is as likely.
    """
    time = delay + time_resolution(energy) * rng.standard_normal()
    if abs(time) > TIME_WINDOW:
        time = TIME_WINDOW * (2.0 * rng.random() - 1.0)
    return time
