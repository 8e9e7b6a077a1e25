import numpy as np
import pytest
import torch

from e2e import models
from e2e.errors import E2EError
from e2e.models.preprocessing import CalorimeterFeatures, CentredCrop
from e2e.tasks import ELECTRON_PHOTON as TASK
from e2e.tasks import Channel, Crop, Task

TINY = {"widths": [4, 8], "blocks": [1, 1]}


def random_frames(objects: int, seed: int = 0) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    energy = generator.exponential(1.0, (objects, 32, 32)) * (generator.random((objects, 32, 32)) < 0.1)
    time = generator.normal(size=energy.shape) * (energy > 0)
    return torch.tensor(np.stack([energy, time], axis=1), dtype=torch.float32)


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(E2EError, match=r"'vgg'.*resnet"):
        models.build("vgg", TASK)


def test_helper_module_is_no_architecture():
    assert "preprocessing" not in models.architectures()


def test_unknown_number_names_the_allowed_ones():
    with pytest.raises(E2EError, match=r"'depth'.*widths, blocks"):
        models.build("resnet", TASK, depth=3)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"widths": [8], "blocks": [1, 1]}, "one entry a stage"),
        ({"widths": [], "blocks": []}, "one entry a stage"),
        ({"widths": [8] * 5, "blocks": [1] * 5}, "too many"),
    ],
)
def test_impossible_numbers(numbers, message):
    with pytest.raises(E2EError, match=message):
        models.build("resnet", TASK, **numbers)


def test_other_channels_are_refused():
    tracks = Task(**{**vars(TASK), "channels": (Channel("tracksPt", "GeV"), Channel("ECAL", "GeV"))})
    with pytest.raises(E2EError, match="GeV, GeV"):
        models.build("resnet", tracks)


def test_logit_of_an_object_does_not_depend_on_its_batch():
    network = models.build("resnet", TASK, **TINY).eval()
    frames = random_frames(5)
    with torch.no_grad():
        together = network(frames)
        alone = torch.cat([network(frames[i : i + 1]) for i in range(5)])
        assert network(frames[:0]).shape == (0,)
    assert together.shape == (5,)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert together.unique().numel() == 5


def test_reach_of_the_network():
    """Every cell of the centred crop can change the logit, and no other cell can."""
    torch.manual_seed(0)
    network = models.build("resnet", TASK, **TINY).eval()
    for weights in network.modules():  # residual branches begin at zero
        if isinstance(weights, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(weights.weight)
    frames = random_frames(4) + 0.1
    frames.requires_grad_()
    network(frames).sum().backward()
    used = (frames.grad.abs().sum(dim=(0, 1)) > 0).numpy()
    # The share of the crop's energy is that of the centred crop, so the last row and column stay unused.
    assert used[:31, :31].all()
    assert not used[31:].any()
    assert not used[:, 31:].any()


def test_crop_is_centred_on_the_seed():
    frames = torch.zeros(1, 1, 32, 32)
    frames[0, 0, 15, 15] = 1.0
    centred = CentredCrop(TASK.crop)(frames)
    assert centred.shape == (1, 1, 31, 31)
    assert centred[0, 0, 15, 15] == 1.0
    assert CentredCrop(Crop(10, 12, 2, 8))(torch.zeros(1, 1, 10, 12)).shape == (1, 1, 5, 7)


def test_features_of_an_empty_frame_are_zero():
    assert not CalorimeterFeatures()(torch.zeros(2, 2, 31, 31)).any()


def test_features_of_known_hits():
    frames = torch.zeros(1, 2, 31, 31)
    frames[0, 0, 3, 4], frames[0, 1, 3, 4] = 30.0, 0.5
    frames[0, 0, 5, 6], frames[0, 1, 5, 6] = 10.0, -70.0
    frames[0, 1, 7, 7] = 2.0  # a time without energy is no hit
    logarithm, share, time, weighted = CalorimeterFeatures()(frames)[0]
    assert logarithm[3, 4].item() == pytest.approx(np.log(1 + 30 / 0.04) / 4, rel=1e-6)
    assert share[3, 4].item() == pytest.approx(0.75, rel=2e-3)
    assert time[3, 4].item() == pytest.approx(0.5)
    assert time[5, 6].item() == -5.0
    assert weighted[5, 6].item() == pytest.approx(-2.5, rel=1e-3)
    assert time[7, 7].item() == 0.0


def test_extreme_frames_give_finite_logits_and_gradients():
    network = models.build("resnet", TASK, **TINY).eval()
    frames = torch.stack(
        [torch.zeros(2, 32, 32), torch.full((2, 32, 32), -1.0), torch.full((2, 32, 32), 1e6)]
    )
    frames.requires_grad_()
    logit = network(frames)
    logit.sum().backward()
    assert torch.isfinite(logit).all()
    assert torch.isfinite(frames.grad).all()
