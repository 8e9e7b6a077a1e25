"""What every network promises: a finite answer for each object by itself, the same in ONNX Runtime."""

import importlib
import inspect
import itertools
import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch

from e2e import models
from e2e.deploy.export import _convert, _trace
from e2e.deploy.network import Deployed
from e2e.errors import E2EError
from e2e.models.network import Mass
from e2e.models.trunk import TokenTrunk
from e2e.tasks import Channel, Classification, Task, task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON
from e2e.tasks.mass_regression import TASK as MASS_REGRESSION
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
from e2e.tasks.tau import TASK as TAU

STAGES = {"stem": 4, "widths": [4, 8], "blocks": [1, 1], "hidden": 8}
TOKENS = {"stem": 4, "width": 8, "depth": 2, "heads": 2, "hidden": 8}
PAIRS = {"points": 40, "width": 8, "depth": 2, "heads": 2, "pairs": 8, "hidden": 8}
GRAPHS = {"points": 40, "neighbours": 6, "width": 8, "hidden": 8}
MASS_4 = task("mass_regression", 4)
THREE = replace(QUARK_GLUON, goal=Classification(("gluon", "up", "down")))
THREE_PHOTONS = replace(ELECTRON_PHOTON, goal=Classification(("photon", "electron", "pion")))
NETWORKS = {
    "resnet-electron_photon": ("resnet", ELECTRON_PHOTON, {"widths": [4, 8], "blocks": [1, 1]}),
    "cnn-quark_gluon": ("cnn", QUARK_GLUON, STAGES),
    "cnn-mass_regression": ("cnn", MASS_REGRESSION, STAGES),
    "vit-electron_photon": ("vit", ELECTRON_PHOTON, TOKENS),
    "vit-quark_gluon": ("vit", QUARK_GLUON, TOKENS),
    "hybrid-electron_photon": ("hybrid", ELECTRON_PHOTON, STAGES | TOKENS),
    "hybrid-mass_regression-4": ("hybrid", MASS_4, STAGES | TOKENS),
    "particlenet-tau-4": ("particlenet", task("tau", 4), {**GRAPHS, "aggregation": "max"}),
    "particlenet-mass_regression": ("particlenet", MASS_REGRESSION, GRAPHS),
    "gatv2-quark_gluon": ("gatv2", QUARK_GLUON, {**GRAPHS, "heads": 2}),
    "particle_transformer-quark_gluon": ("particle_transformer", QUARK_GLUON, PAIRS),
    "particle_transformer-tau-4": ("particle_transformer", task("tau", 4), PAIRS),
    "particle_transformer-mass_regression": ("particle_transformer", MASS_REGRESSION, PAIRS),
    "particle_transformer-three classes": ("particle_transformer", THREE, PAIRS),
    "cnn-three classes": ("cnn", THREE, STAGES),
    "resnet-three classes": ("resnet", THREE_PHOTONS, {"widths": [4, 8], "blocks": [1, 1]}),
    "particlenet-three classes": ("particlenet", THREE, GRAPHS),
    "gatv2-mass_regression-4": ("gatv2", MASS_4, {**GRAPHS, "heads": 2}),
}
ARGUMENTS = ("architecture", "of", "hyperparameters")
networks = pytest.mark.parametrize(ARGUMENTS, NETWORKS.values(), ids=NETWORKS)
# Tracing takes seconds: one of each architecture is fast.
FIRST = {architecture: name for name, (architecture, *_) in reversed(NETWORKS.items())}
traced = pytest.mark.parametrize(
    ARGUMENTS,
    [
        pytest.param(*network, id=name, marks=[] if name in FIRST.values() else [pytest.mark.slow])
        for name, network in NETWORKS.items()
    ],
)
CLOUDS = ("particlenet", "gatv2", "particle_transformer")
JETS = ("cnn", *CLOUDS)


def trained(architecture: str, of: Task, hyperparameters: dict, frames: torch.Tensor) -> torch.nn.Module:
    """A network whose statistics and weights are not those it begins with, in evaluation mode."""
    torch.manual_seed(0)
    network = models.build(architecture, of, **hyperparameters)
    with torch.no_grad():
        for weights in network.parameters():
            if not weights.any():  # residual branches begin at zero
                weights.normal_(0, 0.1)
        for _ in range(5):
            network(frames)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["keras_cnn", *sorted({name for name, *_ in NETWORKS.values()})])
def test_a_search_chooses_among_numbers_that_work(architecture):
    """The default comes first; any value goes with any of the others."""
    space = models.space(architecture)
    build = importlib.import_module(f"e2e.models.{architecture}").build
    defaults = {name: parameter.default for name, parameter in inspect.signature(build).parameters.items()}
    assert space
    for name, choices in space.items():
        assert choices[0] == (list(defaults[name]) if isinstance(defaults[name], tuple) else defaults[name])
        assert json.loads(json.dumps(choices)) == choices
        assert len({json.dumps(choice) for choice in choices}) == len(choices)
    if architecture == "keras_cnn":
        return  # the numbers of resnet
    of = ELECTRON_PHOTON if architecture in ("resnet", "vit", "hybrid") else QUARK_GLUON
    with torch.device("meta"):
        for values in itertools.product(*space.values()):
            models.build(architecture, of, **dict(zip(space, values, strict=True)))


@networks
def test_answer_for_an_object_does_not_depend_on_its_batch(architecture, of, hyperparameters, make_frames):
    frames = make_frames(of, 8)
    network = trained(architecture, of, hyperparameters, frames)
    with torch.no_grad():
        together = network(frames)
        alone = torch.cat([network(frames[i : i + 1]) for i in range(8)])
        none = network(frames[:0])
    numbers = () if of.goal.outputs == 1 else (of.goal.outputs,)
    assert together.shape == (8, *numbers)
    assert none.shape == (0, *numbers)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert together[3:].unique(dim=0).shape[0] == 5


@networks
def test_a_network_is_a_trunk_and_a_head(architecture, of, hyperparameters, make_frames):
    """What a pretraining takes, and what a training may begin with."""
    frames = make_frames(of, 8)
    network = trained(architecture, of, hyperparameters, frames)
    trunk = network.trunk
    with torch.no_grad():
        features = trunk(frames)
        assert features.shape == (8, trunk.features)
        assert features[3:].unique(dim=0).shape[0] == 5
        if isinstance(trunk, TokenTrunk):
            tokens, mask = trunk.tokens(frames)
            assert tokens.shape == (*mask.shape, trunk.width)
            assert mask.dtype == torch.bool
            assert mask.any(dim=1)[3:].all()
            spoilt = torch.where(mask.unsqueeze(2), tokens, 7.0)  # what padding holds does not count
            torch.testing.assert_close(trunk.pool(spoilt, mask), features, rtol=0, atol=0)
    assert isinstance(trunk, TokenTrunk) == (architecture in ("vit", "hybrid", *CLOUDS))


def test_the_trunk_does_not_depend_on_what_is_asked():
    """Weights of another task fit where channels are the same."""
    shapes = [
        {name: tensor.shape for name, tensor in models.build("cnn", of).trunk.state_dict().items()}
        for of in (task("tau", 4), MASS_4)
    ]
    assert shapes[0] == shapes[1] != {}


@networks
def test_every_frame_has_a_finite_answer_and_gradient(architecture, of, hyperparameters, make_frames):
    frames = torch.cat(
        (make_frames(of, 4), torch.full((1, *of.shape), -1.0), torch.full((1, *of.shape), 1e6))
    )
    network = trained(architecture, of, hyperparameters, make_frames(of, 8))
    for training in (False, True):
        network.train(training).zero_grad()
        inputs = frames.clone().requires_grad_()
        answer = network(inputs)
        answer.sum().backward()
        assert torch.isfinite(answer).all()
        assert torch.isfinite(inputs.grad).all()
        assert all(torch.isfinite(weights.grad).all() for weights in network.parameters())
    assert all(weights.grad.any() for name, weights in network.named_parameters() if "place" not in name)


@networks
def test_gradients_are_finite_in_mixed_precision(architecture, of, hyperparameters, make_frames):
    """As on GPUs; padded points are where hyperparameters too large for bfloat16 would show."""
    frames = make_frames(of, 4)
    network = trained(architecture, of, hyperparameters, make_frames(of, 8)).train()
    with torch.autocast("cpu", torch.bfloat16):
        answer = network(frames)
    answer.float().sum().backward()
    assert torch.isfinite(answer).all()
    assert all(torch.isfinite(weights.grad).all() for weights in network.parameters())


@networks
def test_every_channel_counts(architecture, of, hyperparameters, make_frames):
    frames = make_frames(of, 8)
    network = trained(architecture, of, hyperparameters, frames)
    with torch.no_grad():
        expected = network(frames)[3:]
        for place, channel in enumerate(of.channels):
            changed = frames.clone()
            changed[:, place] *= -1.0 if channel.unit in ("cm", "ns") else 1.5
            differs = network(changed)[3:] != expected
            assert differs.reshape(len(differs), -1).any(dim=1).all(), channel.name


@traced
def test_onnx_runtime_gives_the_same(architecture, of, hyperparameters, make_frames):
    """On sparse frames with many equal energies and distances, at opset 17."""
    frames = make_frames(of, 40)
    network = trained(architecture, of, hyperparameters, frames)
    graph = _convert(_trace(Deployed(network, of).eval(), 17), 17, 8)
    numbers = () if of.goal.outputs == 1 else (of.goal.outputs,)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (0, 1, 2, 7, 40):
        with torch.no_grad():
            expected = network(frames[:batch]).numpy()
        outputs = session.run(None, {"frames": frames[:batch].numpy()})
        found = outputs[-1] if of.classes else np.stack(outputs, axis=1)
        assert found.shape == expected.shape == (batch, *numbers)
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)
    assert np.ptp(found) > 0.01


@pytest.mark.parametrize("architecture", ["cnn", "hybrid", *CLOUDS])
def test_masses_lie_in_the_range_of_the_targets(architecture, make_frames):
    torch.manual_seed(0)
    network = models.build(architecture, MASS_REGRESSION).eval()
    frames = make_frames(MASS_REGRESSION, 6)
    with torch.no_grad():
        before = network(frames)
        network.answer.set_range(math.log(250.0), 0.4)
        after = network(frames)
    # The same standardised numbers in another range.
    before, after = before[:, 0], after[:, 0]
    torch.testing.assert_close((before.log() - math.log(30.0)), (after.log() - math.log(250.0)) / 0.4)
    state = network.state_dict()
    assert state["answer.mean"] == pytest.approx(math.log(250.0))
    assert state["answer.spread"] == pytest.approx(0.4)


def test_masses_are_positive_and_finite_whatever_the_network_says():
    answer = Mass()
    generator = torch.Generator().manual_seed(1)
    logits = 1e4 * torch.randn(200, Mass.BINS, generator=generator)
    mass, width = answer(torch.cat((logits, torch.full((1, Mass.BINS), 1e30)))).unbind(dim=1)
    for found in (mass, width):
        assert torch.isfinite(found).all()
        assert (found > 0).all()
    assert mass[-1].item() == pytest.approx(30.0)  # nothing is known
    assert answer(logits[:0]).shape == (0, 2)


def test_mass_and_width_are_quantiles_of_the_distribution():
    """Against a fine sum over the same histogram, of any shape."""
    answer = Mass()
    answer.set_range(2.0, 0.4)
    answer.scale.fill_(1.5)
    logits = 2 * torch.randn(50, Mass.BINS, generator=torch.Generator().manual_seed(1))
    share = torch.softmax(logits.double(), dim=1).numpy()
    edges = np.exp(2.0 + 0.4 * Mass.WIDTH * (np.arange(Mass.BINS + 1) - Mass.BINS / 2))
    for (mass, width), own in zip(answer(logits).tolist(), share, strict=True):
        low, median, high = np.exp(np.interp((0.16, 0.5, 0.84), np.cumsum([0, *own]), np.log(edges)))
        assert mass == pytest.approx(median, rel=1e-4)
        assert width == pytest.approx(1.5 * (high - low) / 2, rel=1e-3)


def test_only_graphs_in_feature_space_have_near_ties():
    build = partial(models.build, task=TAU)
    assert build("particlenet").dynamic_graph
    assert not build("particlenet", depth=1).dynamic_graph
    assert not any(hasattr(build(name), "dynamic_graph") for name in ("gatv2", "particle_transformer"))


@pytest.mark.parametrize("architecture", JETS)
def test_networks_of_jets_refuse_other_channels(architecture):
    with pytest.raises(E2EError, match=r"'electron_photon' has the channel EB_energy \[GeV\]"):
        models.build(architecture, ELECTRON_PHOTON)


@pytest.mark.parametrize("architecture", ["cnn", "vit", "hybrid", *CLOUDS])
@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ((*TAU.channels[:4], Channel("HO_energy", "GeV")), r"HO_energy \[GeV\], which is none of a jet's"),
        (TAU.channels[1:3], "no channel in GeV; give it more channels"),
        ((Channel("ECAL_energy", "cm"),), r"ECAL_energy \[cm\]"),
    ],
)
def test_channels_without_a_scale_are_refused(architecture, channels, message):
    with pytest.raises(E2EError, match=message):
        models.build(architecture, Task(**{**vars(TAU), "channels": channels}))


@pytest.mark.parametrize(
    ("architecture", "of", "hyperparameters", "message"),
    [
        ("cnn", TAU, {"widths": [8], "blocks": [1, 1]}, "one entry a stage"),
        ("hybrid", TAU, {"widths": [], "blocks": []}, "one entry a stage"),
        (
            "hybrid",
            ELECTRON_PHOTON,
            {"widths": [8] * 4, "blocks": [1] * 4},
            "7 x 31 cells .* small for 4 stages",
        ),
        ("hybrid", TAU, {"width": 64, "heads": 5}, "5 heads do not divide the width 64"),
        ("gatv2", TAU, {"width": 64, "heads": 5}, "5 heads do not divide the width 64"),
        ("particle_transformer", TAU, {"width": 48, "heads": 5}, "5 heads do not divide the width 48"),
        ("particle_transformer", TAU, {"points": 20000}, "20000 points of a crop of 65 x 65 pixels"),
        ("vit", ELECTRON_PHOTON, {"patch": [4, 1]}, "4 x 1 do not tile maps of 7 x 31"),
        ("vit", TAU, {"patch": [5, 0]}, "5 x 0 do not tile maps of 13 x 13"),
        ("particlenet", TAU, {"points": 16, "neighbours": 17}, "17 neighbours among 16 points"),
        ("gatv2", TAU, {"neighbours": 0}, "0 neighbours among 64 points"),
        ("particlenet", TAU, {"points": 20000}, "20000 points of a crop of 65 x 65 pixels"),
        ("particlenet", TAU, {"aggregation": "sum"}, "'sum'; choose mean or max"),
        ("cnn", TAU, {"widths": 16}, "'cnn' cannot be built with .*16"),
        ("hybrid", TAU, {"heads": 0}, "'hybrid' cannot be built with .*'heads': 0"),
        ("cnn", TAU, {"dropout": 1.0}, "dropout 1.0 is no probability below 1"),
    ],
)
def test_impossible_numbers(architecture, of, hyperparameters, message):
    with pytest.raises(E2EError, match=message):
        models.build(architecture, of, **hyperparameters)
