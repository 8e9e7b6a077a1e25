import numpy as np
import pytest
import torch

from e2e import models
from e2e.errors import E2EError
from e2e.models.preprocessing import CalorimeterFeatures, CellNormalisation, Road
from e2e.tasks import Channel, Crop, Task
from e2e.tasks.electron_photon import TASK

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
    """Not even one that borrows a function ``build``."""
    known = list(models.architectures())
    assert known == [
        "cnn",
        "gatv2",
        "hybrid",
        "keras_cnn",
        "particle_transformer",
        "particlenet",
        "resnet",
        "vit",
    ]


def test_unknown_number_names_the_allowed_ones():
    with pytest.raises(E2EError, match=r"'depth'.*widths, blocks, rows, hidden"):
        models.build("resnet", TASK, depth=3)


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"widths": [8], "blocks": [1, 1]}, "one entry a stage"),
        ({"widths": [], "blocks": []}, "one entry a stage"),
        ({"widths": [8] * 4, "blocks": [1] * 4}, "maps of 7 x 31 cells are too small for 4 stages"),
        ({"rows": 16}, "16 rows on either side of the seed do not fit"),
    ],
)
def test_impossible_numbers(hyperparameters, message):
    with pytest.raises(E2EError, match=message):
        models.build("resnet", TASK, **hyperparameters)


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


@pytest.mark.parametrize("rows", [3, 7])
def test_reach_of_the_network(rows):
    """Every cell of the road changes the logit; of the others only the energy counts, in the crop's sum."""
    torch.manual_seed(0)
    network = models.build("resnet", TASK, **TINY, rows=rows).eval()
    for module in network.modules():  # residual branches begin at zero
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    frames = random_frames(4) + 0.1
    frames.requires_grad_()
    network(frames).sum().backward()
    energy, time = frames.grad.abs().sum(dim=0).numpy() > 0
    assert energy.all()
    road = np.zeros((32, 32), bool)
    road[15 - rows : 16 + rows, :31] = True
    np.testing.assert_array_equal(time, road)


@pytest.mark.parametrize(
    ("crop", "rows", "height", "width"),
    [(TASK.crop, 3, 7, 31), (TASK.crop, 15, 31, 31), (Crop(10, 12, 2, 8), 1, 3, 7)],
)
def test_seed_is_at_the_centre_of_the_road(crop, rows, height, width):
    frames = torch.zeros(1, 1, crop.rows, crop.columns)
    frames[0, 0, crop.seed_row, crop.seed_column] = 1.0
    road = Road(crop, rows)
    cut = road(frames)
    assert cut.shape == (1, 1, road.height, road.width) == (1, 1, height, width)
    assert cut[0, 0, height // 2, width // 2] == 1.0


def test_each_cell_is_normalised_by_itself():
    torch.manual_seed(0)
    maps = torch.randn(500, 2, 3, 5) * torch.rand(1, 2, 3, 5) * 10 + torch.randn(1, 2, 3, 5)
    maps[:, 0, 0, 0] = 0.0
    result = CellNormalisation(2, 3, 5)(maps)
    expected = torch.ones(2, 3, 5)
    expected[0, 0, 0] = 0.0  # a cell that never changes stays 0
    torch.testing.assert_close(result.std(dim=0), expected, atol=1e-2, rtol=0)
    torch.testing.assert_close(result.mean(dim=0), torch.zeros(2, 3, 5), atol=1e-4, rtol=0)


def test_features_of_an_empty_frame_are_zero():
    assert not CalorimeterFeatures()(torch.zeros(2, 2, 31, 31)).any()


def test_features_of_known_hits():
    frames = torch.zeros(1, 2, 31, 31)
    frames[0, 0, 3, 4], frames[0, 1, 3, 4] = 30.0, 0.5
    frames[0, 0, 5, 6], frames[0, 1, 5, 6] = 10.0, -70.0
    frames[0, 1, 7, 7] = 2.0  # a time without energy is no hit
    logarithm, ratio, share, time = CalorimeterFeatures()(frames)[0]
    assert logarithm[3, 4].item() == pytest.approx(np.log(1 + 30 / 0.04) / 4, rel=1e-6)
    assert share[3, 4].item() == pytest.approx(0.75, rel=2e-3)
    assert ratio[3, 4].item() == pytest.approx(np.log(1 + 750) / 3, rel=1e-3)
    assert time[3, 4].item() == pytest.approx(0.5 * np.sqrt(0.75), rel=2e-3)
    assert time[5, 6].item() == pytest.approx(-5 * np.sqrt(0.25), rel=2e-3)
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
