"""What all else is measured in: the cells of the detector. Imports nothing but the standard library."""

from __future__ import annotations

import math

CELL = 2 * math.pi / 360  # of a crystal of the barrel, in phi [rad] and, to 0.5 %, in eta
