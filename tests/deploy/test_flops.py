"""Counts of operations, by hand, and as PyTorch counts them."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from e2e import models
from e2e.deploy.export import _convert, _trace
from e2e.deploy.flops import flops
from e2e.deploy.network import Deployed
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON


def graph_of(path, nodes, weights, shape):
    """Write a graph of ``nodes`` on ``frames`` [N, *shape], with random ``weights`` of given shapes."""
    generator = np.random.default_rng(1)
    initializers = [
        onnx.numpy_helper.from_array(generator.normal(size=size).astype(np.float32), name)
        for name, size in weights.items()
    ]
    frames = helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *shape])
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "small", [frames], [result], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_convolution_and_linear_layers_by_hand(tmp_path):
    nodes = [
        # 4 x 9 x 8 outputs, each over 2 x 3 x 3 inputs; then 6 x 4 x 4, in two groups, over 2 x 2 x 1.
        helper.make_node("Conv", ["frames", "kernel", "bias"], ["a"], strides=[1, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "grouped"], ["c"], strides=[2, 2], group=2),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "dense"], ["e"], transB=1),
        helper.make_node("MatMul", ["e", "matrix"], ["f"]),
    ]
    weights = {
        "kernel": (4, 2, 3, 3),
        "bias": (4,),
        "grouped": (6, 2, 2, 1),
        "dense": (5, 96),
        "matrix": (5, 7),
    }
    path = graph_of(tmp_path / "m.onnx", nodes, weights, (2, 9, 16))
    first, second, third, fourth = 4 * 9 * 8 * (2 * 3 * 3), 6 * 4 * 4 * (2 * 2), 5 * 96, 7 * 5
    assert flops(path) == 2 * (first + second + third + fourth)


def test_products_of_matrices_that_are_no_weights(tmp_path):
    """As in attention: batched, transposed, and as Einstein sums; the batch does not count."""
    nodes = [
        helper.make_node("Transpose", ["frames"], ["t"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["frames", "t"], ["a"]),  # [N, 3, 4, 5] x [N, 3, 5, 4]
        helper.make_node("Einsum", ["a", "frames"], ["b"], equation="nhij, nhjk -> nhik"),
        helper.make_node("ConvTranspose", ["b", "kernel"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[1, 0]),
        helper.make_node("Gemm", ["e", "dense"], ["f"], transA=1),
    ]
    path = graph_of(tmp_path / "m.onnx", nodes, {"kernel": (3, 2, 1, 1), "dense": (40, 6)}, (3, 4, 5))
    assert flops(path) == 2 * (3 * 4 * 4 * 5 + 3 * 4 * 4 * 5 + 3 * 4 * 5 * 2 + 40 * 6)


@pytest.mark.parametrize(
    ("architecture", "task", "hyperparameters"),
    [
        ("resnet", ELECTRON_PHOTON, {"widths": [4, 8], "blocks": [1, 1]}),
        ("vit", ELECTRON_PHOTON, {"width": 8, "depth": 2, "heads": 2}),
        ("particlenet", QUARK_GLUON, {"points": 40, "neighbours": 6, "width": 8}),
    ],
)
def test_graph_and_pytorch_agree(tmp_path, architecture, task, hyperparameters):
    network = Deployed(models.build(architecture, task, **hyperparameters), task).eval()
    path = tmp_path / "model.onnx"
    onnx.save(_convert(_trace(network, 17), 17, 8), path)
    # The fused attention of CPUs is unknown to PyTorch's counter.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, *task.shape))
    assert flops(path) == counter.get_total_flops() > 0
