import numpy as np
import pytest
import torch

from e2e import models
from e2e.errors import E2EError
from e2e.tasks.electron_photon import TASK
from e2e.tasks.tau import TASK as TAU

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: requirements/keras.txt")
pytest.importorskip("keras", reason="Keras is not installed: requirements/keras.txt")

TINY = {"widths": [4, 8], "blocks": [1, 1]}


@pytest.mark.parametrize("hyperparameters", [{}, {**TINY, "rows": 7, "hidden": 16}])
def test_same_weights_give_the_logits_of_pytorch(make_frames, twins, hyperparameters):
    frames = make_frames(TASK, 40)
    network, twin = twins(frames, **hyperparameters)
    with torch.inference_mode():
        expected, found = network(frames), twin(frames)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_same_weights_give_the_gradients_of_pytorch(make_frames, twins):
    network, twin = twins(make_frames(TASK, 10), **TINY)
    gradients = []
    for each in (network, twin):
        frames = make_frames(TASK, 10).requires_grad_()
        (each(frames) * torch.arange(10.0)).sum().backward()
        gradients.append(frames.grad)
    largest = gradients[0].abs().max().item()
    assert largest > 0.1
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4 * largest, rtol=1e-3)


def test_both_have_as_many_weights():
    network, twin = (models.build(name, TASK) for name in ("resnet", "keras_cnn"))
    assert sum(p.numel() for p in twin.parameters()) == sum(p.numel() for p in network.parameters())


def test_initial_weights_are_distributed_as_those_of_pytorch():
    torch.manual_seed(2)
    network, twin = (models.build(name, TASK) for name in ("resnet", "keras_cnn"))
    ours = [p.detach().numpy().ravel() for p in network.parameters()]
    theirs = [p.detach().numpy().ravel() for p in twin.parameters()]
    for first, second in zip(ours, theirs, strict=True):
        assert first.shape == second.shape
        if len(first) > 1 and np.ptp(first) == 0:
            np.testing.assert_array_equal(first, second)
        elif len(first) > 500:
            assert second.std() == pytest.approx(first.std(), rel=0.1)
            assert np.abs(second).max() == pytest.approx(np.abs(first).max(), rel=0.1)


def test_the_seed_of_pytorch_decides_about_the_weights():
    def kernel(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return models.build("keras_cnn", TASK, **TINY).state_dict()["4.kernel"].numpy()

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))


def test_empty_frame_and_empty_batch():
    network = models.build("keras_cnn", TASK, **TINY).eval()
    with torch.inference_mode():
        assert network(torch.zeros(0, *TASK.shape)).shape == (0,)
        assert torch.isfinite(network(torch.zeros(1, *TASK.shape))).all()


def test_weights_travel_by_state_dict_and_those_of_another_network_do_not(make_frames, twins):
    frames = make_frames(TASK, 5)
    _, network = twins(frames, **TINY)
    other = models.build("keras_cnn", TASK, **TINY)
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        assert torch.equal(other(frames), network(frames))
    with pytest.raises(RuntimeError, match="other names or shapes"):
        models.build("keras_cnn", TASK).load_state_dict(network.state_dict())


@pytest.mark.parametrize(
    ("task", "hyperparameters", "message"),
    [
        (TAU, {}, "this network takes an energy in GeV and a time in ns"),
        (TASK, {"widths": [8], "blocks": [1, 1]}, "one entry a stage"),
        (TASK, {"rows": 16}, "16 rows on either side of the seed do not fit"),
    ],
)
def test_what_pytorch_refuses_is_refused(task, hyperparameters, message):
    with pytest.raises(E2EError, match=message):
        models.build("keras_cnn", task, **hyperparameters)
