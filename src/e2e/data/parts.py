"""Training, validation and test part of events by a hash of their identity.

The part of an event depends on (sample, run, lumi, event) and on nothing else: not on the order or number of
files, on other events, or on the machine. All objects of an event fall into one part.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

PARTS = ("train", "validation", "test")
FRACTIONS = (0.7, 0.1, 0.2)
EVENT = ["sample", "run", "lumi", "event"]


def in_part(name: str, sample: str, run: int, lumi: int, event: int) -> bool:
    """Whether one event falls into the part of this name."""
    (place,) = part(np.array([sample]), *(np.array([number]) for number in (run, lumi, event)))
    return PARTS[place] == name


def _mix(x: np.ndarray) -> np.ndarray:
    """One step of splitmix64: its increment and finaliser, on uint64 (modulo 2^64).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), with
    the constants of Vigna's reference implementation.
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Labels(NamedTuple):
    """Which objects have labels, where there are to be few: a ``share`` of the events of each part.

    Subsets of one number are nested: that of a smaller share is part of that of a larger one. Those of
    different numbers have nothing to do with each other.
    """

    share: float = 1.0
    subset: int = 0

    def of(self, sample: np.ndarray, run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
        """Whether each event [N] is among them, by another hash than that of its part."""
        return _fraction(sample, run, lumi, event, f"labels {self.subset} ") < self.share


ALL = Labels()


def part(sample: np.ndarray, run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Part of each event, as uint8 positions in ``PARTS``; all arguments are arrays [N].

    Its ``_fraction`` is compared with the cumulative ``FRACTIONS``.
    """
    fraction = _fraction(sample, run, lumi, event)
    return np.searchsorted(np.cumsum(FRACTIONS)[:-1], fraction, side="right").astype(np.uint8)


def _fraction(
    sample: np.ndarray, run: np.ndarray, lumi: np.ndarray, event: np.ndarray, salt: str = ""
) -> np.ndarray:
    """A number in [0, 1) of each event [N].

    The hash starts from the first 8 bytes (little endian) of BLAKE2b of ``salt`` and the sample's name, takes
    in run, lumi and event by splitmix64 one after the other, and its top 53 bits are the number.
    """
    names, name = np.unique(np.asarray(sample, str), return_inverse=True)
    digests = [hashlib.blake2b((salt + n).encode(), digest_size=8).digest() for n in names.tolist()]
    state = np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)[name]
    for number in (run, lumi, event):
        state = _mix(state ^ np.asarray(number, np.uint64))
    return (state >> np.uint64(11)) * 2.0**-53
