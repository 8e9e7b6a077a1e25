"""Which hits speak for which class: integrated gradients."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

STEPS = 128


def integrated_gradients(
    network: nn.Module, frames: NDArray[np.float32], *beside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Contribution of each cell of frames [N, C, H, W] to its logit, relative to an empty frame.

    What the network takes ``beside`` them, its scalars [N, S], stays as it is.

    The gradient is integrated along (s^4 * frame), 0 < s < 1 (Sundararajan et al., arXiv 1703.01365; the
    path spends more steps where hits are as small as the noise). Up to the finite number of steps, the
    contributions of an object add up to its logit minus that of an empty frame, if the network is continuous.
    Networks of jets are not: numbers of hits, masks of points and cuts on dz have no gradient, so what they
    add is missing.
    """
    total = torch.zeros(frames.shape)
    given, others = torch.from_numpy(frames), [torch.from_numpy(values) for values in beside]
    for step in range(STEPS):
        s = (step + 0.5) / STEPS
        scaled = (s**4 * given).requires_grad_()
        (gradient,) = torch.autograd.grad(network(scaled, *others).sum(), scaled)
        total += gradient * given * (4 * s**3 / STEPS)
    return total.numpy()
