"""Losses without labels: as computed otherwise, in their limits, and by several processes."""

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from e2e.learning import losses
from e2e.learning.gathering import GatheredBatchNorm, gather_statistics

OBJECTS, DIMENSIONS = 12, 5


def vectors(seed: int, objects: int = OBJECTS, dimensions: int = DIMENSIONS) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(objects, dimensions))).float()


def unit(a: np.ndarray) -> np.ndarray:
    return a / np.linalg.norm(a, axis=1, keepdims=True)


def softmax(a: np.ndarray) -> np.ndarray:
    exponentials = np.exp(a)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


ONE, OTHER = vectors(1), vectors(2)
A, B = ONE.double().numpy(), OTHER.double().numpy()


def test_nt_xent_is_the_sum_of_its_paper():
    """One object and one view after the other, as eq. 1 is written."""
    views = [unit(A), unit(B)]
    terms = []
    for of, partner in ((0, 1), (1, 0)):
        for i in range(OBJECTS):
            own = views[of][i]
            others = [v[k] for n, v in enumerate(views) for k in range(OBJECTS) if (n, k) != (of, i)]
            total = sum(np.exp(own @ other / 0.3) for other in others)
            terms.append(-np.log(np.exp(own @ views[partner][i] / 0.3) / total))
    assert losses.nt_xent(ONE, OTHER, 0.3).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_nt_xent_of_equal_orthogonal_and_collapsed_views():
    orthogonal = torch.eye(8)
    expected = np.log(1 + 14 * np.exp(-1 / 0.1))  # the partner at a cosine of 1, 14 others at 0
    assert losses.nt_xent(orthogonal, 3 * orthogonal, 0.1).item() == pytest.approx(expected, abs=1e-5)
    same = torch.ones(8, 3)
    assert losses.nt_xent(same, same, 0.1).item() == pytest.approx(np.log(15), rel=1e-5)


def test_regression_is_a_distance_of_directions():
    expected = np.mean(np.sum((unit(A) - unit(B)) ** 2, axis=1))
    assert losses.regression(ONE, OTHER).item() == pytest.approx(expected, rel=1e-5)
    assert losses.regression(ONE, 7 * ONE).item() == pytest.approx(0, abs=1e-6)
    assert losses.regression(torch.eye(4), torch.eye(4).roll(1, 0)).item() == pytest.approx(2)
    assert losses.regression(ONE, -ONE).item() == pytest.approx(4)


def test_a_teacher_is_centred_and_sharpened_and_a_student_foretells_it():
    centre = vectors(3)[0]
    teacher = softmax((A - centre.double().numpy()) / 0.2)
    found = losses.sharpened(ONE, centre, 0.2)
    assert found.numpy() == pytest.approx(teacher, rel=1e-4)
    expected = -np.mean(np.sum(teacher * np.log(softmax(B / 0.5)), axis=1))
    assert losses.cross_entropy(OTHER, found, 0.5).item() == pytest.approx(expected, rel=1e-5)
    assert losses.mean_logits(ONE).numpy() == pytest.approx(A.mean(axis=0), abs=1e-6)


def test_centre_and_temperature_work_against_each_other():
    """Without a centre a dimension that is always large takes all; without sharpening all are alike."""
    logits = vectors(1) + torch.tensor([9.0, 0, 0, 0, 0])
    assert losses.sharpened(logits, torch.zeros(5), 0.2).mean(dim=0)[0] > 0.999
    assert losses.sharpened(logits, logits.mean(dim=0), 0.2).mean(dim=0).max() < 0.6
    assert losses.sharpened(logits, logits.mean(dim=0), 1e3).numpy() == pytest.approx(0.2, abs=1e-3)
    flat = torch.full((3, 5), 0.2)
    assert losses.cross_entropy(torch.zeros(3, 5), flat, 0.1).item() == pytest.approx(np.log(5))


def test_codes_are_those_of_sinkhorn_and_knopp():
    plan = np.exp(A / 0.7)
    plan /= plan.sum()
    for _ in range(3):
        plan *= (1 / DIMENSIONS) / plan.sum(axis=0)
        plan *= (1 / OBJECTS) / plan.sum(axis=1, keepdims=True)
    assert losses.sinkhorn(ONE, 0.7, 3).numpy() == pytest.approx(plan * OBJECTS, rel=1e-4)


def test_codes_use_all_prototypes_however_scores_are():
    codes = losses.sinkhorn(vectors(1, objects=200) + torch.tensor([5.0, 0, 0, 0, 0]), 0.5, 50)
    assert codes.sum(dim=1).numpy() == pytest.approx(1, rel=1e-5)
    assert codes.mean(dim=0).numpy() == pytest.approx(1 / DIMENSIONS, rel=1e-3)
    assert losses.sinkhorn(torch.ones(6, 3), 0.05, 3).numpy() == pytest.approx(1 / 3, rel=1e-5)
    assert torch.isfinite(losses.sinkhorn(100 * vectors(1), 0.05, 3)).all()
    assert losses.sinkhorn(torch.eye(4), 0.05, 3).argmax(dim=1).tolist() == [0, 1, 2, 3]


def test_vicreg_is_the_sum_of_its_three_terms():
    expected = 25 * np.mean((A - B) ** 2)
    for view in (A, B):
        covariance = np.cov(view.T)
        expected += 10 * np.mean(np.maximum(0, 1 - np.sqrt(np.diag(covariance) + 1e-4))) / 2
        expected += 3 * (np.sum(covariance**2) - np.sum(np.diag(covariance) ** 2)) / DIMENSIONS
    assert losses.vicreg(ONE, OTHER, 25, 10, 3).item() == pytest.approx(expected, rel=1e-5)


def test_vicreg_of_equal_uncorrelated_and_collapsed_views():
    two_to_two = 2 * torch.cat([torch.eye(4), -torch.eye(4)])  # spread of 1.07, no correlation
    assert losses.vicreg(two_to_two, two_to_two, 25, 25, 1).item() == pytest.approx(0, abs=1e-6)
    same = torch.ones(8, 4)
    assert losses.vicreg(same, same, 25, 25, 1).item() == pytest.approx(25 * (1 - 0.01), rel=1e-4)
    twice = vectors(1, 50, 1).repeat(1, 2)
    correlation = 2 * np.var(twice[:, 0].double().numpy(), ddof=1) ** 2 / 2
    assert losses.vicreg(twice, twice, 25, 0, 1).item() == pytest.approx(2 * correlation, rel=1e-4)


def test_reconstruction_is_a_mean_over_cells():
    assert losses.reconstruction(ONE, OTHER).item() == pytest.approx(np.mean((A - B) ** 2), rel=1e-5)
    assert losses.reconstruction(ONE, ONE).item() == 0
    assert losses.reconstruction(ONE[:0], OTHER[:0]).item() == 0


def of_all(one: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
    """Each loss that looks at several objects."""
    codes = losses.sinkhorn(one, 0.7, 3)
    teacher = losses.sharpened(other.detach(), losses.mean_logits(other.detach()), 0.2)
    return {
        "nt_xent": losses.nt_xent(one, other, 0.3),
        "regression": losses.regression(one, other),
        "dino": losses.cross_entropy(one, teacher, 0.5),
        "swav": losses.cross_entropy(other, codes, 0.5),
        "vicreg": losses.vicreg(one, other, 25, 10, 3),
        "reconstruction": losses.reconstruction(one, other.detach()),
    }


def layers() -> nn.Module:
    torch.manual_seed(1)
    found = nn.Sequential(nn.Linear(DIMENSIONS, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 5))
    gather_statistics(found)
    return found


def gradients(share: slice = slice(None)) -> dict[str, list[float]]:
    """Of each loss its value and gradients of all weights, and what a batch normalisation remembers."""
    found = {}
    for name in of_all(ONE, OTHER):
        network = layers()
        loss = of_all(network(ONE[share]), network(OTHER[share]))[name]
        moved = torch.autograd.grad(loss, list(network.parameters()))
        statistics = [network[1].running_mean, network[1].running_var]
        found[name] = [loss.detach().reshape(1), *moved, *statistics]
    return {name: torch.cat([tensor.flatten() for tensor in found[name]]).tolist() for name in found}


PROCESS = """
import json, sys

import torch
from torch import distributed

sys.path.insert(0, sys.argv[1])
import test_losses

rank = int(sys.argv[3])
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
found = test_losses.gradients(slice(rank, None, 2))
for name, own in found.items():
    own = torch.tensor(own)
    distributed.all_reduce(own)  # as DistributedDataParallel does with gradients
    found[name] = (own / 2).tolist()
if rank == 0:
    print(json.dumps(found))
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_have_losses_and_gradients_of_one(tmp_path):
    import json

    left = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")  # of Lightning, in a process that trained with it
    environment = {name: value for name, value in os.environ.items() if name not in left}
    command = [sys.executable, "-c", PROCESS, str(Path(__file__).parent), str(tmp_path / "meeting")]
    pipes = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    processes = [subprocess.Popen([*command, str(rank)], **pipes) for rank in range(2)]
    output = processes[0].communicate(timeout=300)[0]
    assert [process.wait(300) for process in processes] == [0, 0]
    found, expected = json.loads(output), gradients()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-4, abs=1e-5), name
        assert found[name][0] == pytest.approx(values[0], abs=1e-5), name


def test_statistics_are_gathered_without_other_names_or_numbers():
    plain = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    frames = torch.randn(4, 2, 5, 5)
    before = plain(frames)
    names = list(plain.state_dict())
    gather_statistics(plain)
    assert isinstance(plain[1], GatheredBatchNorm)
    assert list(plain.state_dict()) == names
    assert torch.equal(plain(frames), before)


@pytest.fixture(scope="module")
def lightly(tmp_path_factory):
    """Lightly 1.6.0's modules of losses; torchvision, which they import without using it, is an empty one."""
    folder = tmp_path_factory.mktemp("lightly")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        folder,
        "lightly==1.6.0",
    ]
    if subprocess.run(command, capture_output=True).returncode:
        # No requirement of ours, and some machines have no registry; float64 losses are compared everywhere.
        pytest.skip("lightly 1.6.0 cannot be installed here")

    class Empty(types.ModuleType):
        def __getattr__(self, name: str):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    class Finder:
        def find_spec(self, name, path=None, target=None):
            top = name.partition(".")[0]
            if top in ("torchvision", "lightly_utils") or name in (
                "lightly.api",
                "lightly.openapi_generated",
            ):
                return importlib.machinery.ModuleSpec(name, self, is_package=True)
            return None

        def create_module(self, spec):
            return Empty(spec.name)

        def exec_module(self, module):
            module.__path__ = []

    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, finder := Finder())
    os.environ["LIGHTLY_DID_VERSION_CHECK"] = "True"
    try:
        yield lambda name: importlib.import_module(f"lightly.loss.{name}")
    finally:
        sys.path.remove(str(folder))
        sys.meta_path.remove(finder)
        os.environ.pop("LIGHTLY_DID_VERSION_CHECK")
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("lightly", "torchvision", "lightly_utils"):
                del sys.modules[name]


@pytest.mark.slow
def test_losses_are_those_of_lightly(lightly):
    one, other = vectors(1, 64, 16), vectors(2, 64, 16)
    theirs = {
        "nt_xent": lightly("ntx_ent_loss").NTXentLoss(temperature=0.2)(one, other),
        "regression": 2 + 2 * lightly("negative_cosine_similarity").NegativeCosineSimilarity()(one, other),
        "vicreg": lightly("vicreg_loss").VICRegLoss()(one, other),
        "swav": lightly("swav_loss").SwaVLoss()([one / 9, other / 9], []),
        "codes": lightly("swav_loss").sinkhorn(one / 9),
    }
    dino = lightly("dino_loss").DINOLoss(output_dim=16)
    dino.center.copy_(centre := vectors(3, 1, 16)[0])
    theirs["dino"] = dino([one, other], [one, other])
    codes = [losses.sinkhorn(view / 9, 0.05, 3) for view in (one, other)]
    teacher = [losses.sharpened(view, centre, 0.04) for view in (one, other)]
    ours = {
        "nt_xent": losses.nt_xent(one, other, 0.2),
        "regression": losses.regression(one, other),
        "vicreg": losses.vicreg(one, other, 25, 25, 1),
        "swav": sum(
            losses.cross_entropy(view / 9, code, 0.1) for view, code in zip((other, one), codes, strict=True)
        )
        / 2,
        "codes": codes[0],
        "dino": sum(
            losses.cross_entropy(view, wanted, 0.1)
            for view, wanted in zip((other, one), teacher, strict=True)
        )
        / 2,
    }
    for name, value in theirs.items():
        assert ours[name].numpy().reshape(-1) == pytest.approx(value.numpy().reshape(-1), rel=1e-4), name
    followed = 0.9 * centre + 0.1 * losses.mean_logits(torch.cat((one, other)))
    assert followed.numpy() == pytest.approx(dino.center.numpy().reshape(-1), rel=1e-4)
