"""Near-ties: objects whose outputs hang on the last digits of a number.

A graph that chooses neighbours in a space of features compares numbers that it has computed itself. Where two
are as good as equal, the order in which a library adds up decides, and with it another neighbour comes
in: PyTorch and ONNX Runtime then differ by more than rounding. Such an object gives itself away: a change of
its frame that is as small makes the output of one and the same library jump as far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from e2e.deploy.contract import columns, numbers, outputs
from e2e.deploy.network import Deployed

LARGEST_PART = 0.002  # of the objects
CHANGE = 1e-6  # of each value of a frame: some units in the last place of float32
TRIALS = 32
SHARE = 0.5  # of the difference that the change must cause


def allowed(objects: int) -> int:
    """How many of so many objects may be near-ties."""
    return math.ceil(LARGEST_PART * objects)


def near_ties(
    network: Deployed,
    frames: NDArray[np.float32],
    differences: Mapping[str, NDArray],
    beside: Sequence[NDArray[np.float32]] = (),
) -> NDArray:
    """Which of N objects with ``frames`` [N, C, H, W] are near-ties: bool [N].

    What the network takes ``beside`` them, its scalars, stays as it is.
    ``differences`` [N] of each of the outputs' ``numbers`` are those seen between two ways of running
    the network. An object is a near-tie if random changes of its frame by ``CHANGE`` of each value cause at
    least ``SHARE`` of each of those that are beyond the tolerance.
    """
    jumps = largest_changes(network, frames, beside)
    explained = np.ones(len(frames), bool)
    for output in numbers(outputs(network.task)):
        beyond = ~(differences[output.name] <= output.tolerance)
        large = (jumps[output.name] > output.tolerance) & (
            jumps[output.name] >= SHARE * differences[output.name]
        )
        explained &= large | ~beyond
    return explained


def largest_changes(
    network: Deployed, frames: NDArray[np.float32], beside: Sequence[NDArray[np.float32]] = (), seed: int = 0
) -> dict[str, NDArray]:
    """Largest change [N] of each number when values of ``frames`` change at random by up to ``CHANGE``."""
    generator = np.random.default_rng(seed)
    known = numbers(outputs(network.task))
    largest = {number.name: np.zeros(len(frames)) for number in known}
    unchanged = _run(network, frames, *beside)
    for _ in range(TRIALS):
        factors = 1 + CHANGE * generator.uniform(-1, 1, frames.shape)
        changed = _run(network, (frames * factors).astype(np.float32), *beside)
        for number in known:
            difference = number.difference(unchanged[number.name], changed[number.name])
            largest[number.name] = np.maximum(largest[number.name], difference)
    return largest


def _run(network: Deployed, *inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    names = (output.name for output in outputs(network.task))
    with torch.no_grad():
        given = network(*map(torch.from_numpy, inputs))
    return columns({name: values.numpy() for name, values in zip(names, given, strict=True)})
