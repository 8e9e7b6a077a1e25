"""A model of frames and scalars: its graph, its contract, scores of ntuples and stores, what is refused."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from e2e import models
from e2e.data import scalars, store
from e2e.deploy.contract import load_contract
from e2e.deploy.export import export
from e2e.deploy.flops import flops
from e2e.deploy.predict import predict, scores
from e2e.deploy.runtime import load, run
from e2e.errors import E2EError
from e2e.models.saved import save
from e2e.tasks import task

PHOTONS = task("electron_photon", scalars=["seed_eta"]).oriented("outward")


@pytest.fixture(scope="module")
def informed(trained, tmp_path_factory):
    """model.onnx of a network that takes the seed's eta, with model.json and model.pt beside it."""
    torch.manual_seed(4)
    hyperparameters = {"widths": [4, 8], "blocks": [1, 1]}
    network = models.build("resnet", PHOTONS, **hyperparameters)
    network.set_scalar_range(torch.linspace(-1.2, 1.2, 50)[:, None])
    _, *about = ("task", "channels", "architecture", "training_data")
    info = torch.load(trained, weights_only=True)
    info = {name: info[name] for name in ("task", *about)} | {"hyperparameters": hyperparameters}
    path = tmp_path_factory.mktemp("informed") / "model.pt"
    save(path, network, info | {"scalars": ["seed_eta"]})
    onnx_path = path.with_suffix(".onnx")
    export(path, onnx_path, path.with_suffix(".json"), opset=17, ir_version=8)
    return onnx_path


def test_a_second_input_in_the_units_of_the_scalars(informed, samples):
    contract, opened = load(informed)
    assert [(node.name, node.type, node.shape[1:]) for node in opened.get_inputs()] == [
        ("frames", "tensor(float)", [2, 32, 32]),
        ("scalars", "tensor(float)", [1]),
    ]
    content = json.loads(informed.with_suffix(".json").read_text())
    assert content["scalars"] == [{"name": "seed_eta", "unit": "1"}]
    assert contract.task.scalars == PHOTONS.scalars
    frames, beside = scalars.inputs(samples, contract.task)
    given = run(opened, frames, beside)
    mirrored = run(opened, frames, -beside)
    np.testing.assert_array_equal(given["score"], mirrored["score"])  # the ends of the detector are alike
    assert (given["score"] != run(opened, frames, beside + 0.5)["score"]).all()
    with pytest.raises(E2EError, match="0 scalars an object, but the model takes 1"):
        run(opened, frames)
    assert flops(informed) > 0


def test_scores_of_an_ntuple_and_of_its_store_are_the_same(informed, ntuple, samples, tmp_path):
    contract, opened = load(informed)
    table = predict(informed, ntuple, tmp_path / "scores.parquet")
    expected = run(opened, *scalars.inputs(samples, contract.task))
    np.testing.assert_allclose(table["score"], expected["score"], atol=1e-6)
    eta = 0.0174 * (samples.seed_row - 84.5)
    np.testing.assert_allclose(scalars.inputs(samples, contract.task)[1][:, 0], eta, rtol=1e-6)


def test_a_source_without_a_scalar_is_refused(informed, samples, tmp_path):
    metadata = replace(
        store.Metadata(
            task=PHOTONS.name,
            sample="crops",
            channels=PHOTONS.channels,
            rows=32,
            columns=32,
            kinematics=PHOTONS.kinematics,
            classes=PHOTONS.classes,
            source="crops.hdf5",
            source_sha256="0" * 64,
            origin="simulation",
            rejected={},
        )
    )
    unknown = replace(samples, seed_row=np.full(len(samples), np.nan, np.float32))
    store.write(tmp_path / "crops.parquet", [unknown], metadata)
    reason = "crops.parquet: 39 of 39 objects have no seed_eta, which the model takes; convert ntuples"
    with pytest.raises(E2EError, match=reason):
        predict(informed, tmp_path / "crops.parquet", tmp_path / "scores.parquet")
    with pytest.raises(E2EError, match="have no seed_eta, which the model takes"):
        scores(informed, [unknown], tmp_path / "scores.parquet")
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "its graph has frames .*; scalars .*, but its JSON promises"),
        ([{"name": "jetPt", "unit": "GeV"}], "offers no scalar 'jetPt'"),
        ([{"name": "seed_eta", "unit": "rad"}], r"unit is .*rad.*, but task electron_photon has .*1"),
        ([{"name": "seed_eta"}], "scalars"),
        (["seed_eta"], "scalars"),
    ],
)
def test_a_contract_of_other_scalars_is_refused(informed, tmp_path, said, reason):
    content = json.loads(informed.with_suffix(".json").read_text())
    (tmp_path / "model.onnx").write_bytes(informed.read_bytes())
    (tmp_path / "model.json").write_text(json.dumps(content | {"scalars": said}))
    with pytest.raises(E2EError, match=reason):
        load(tmp_path / "model.onnx")


def test_domain_and_working_points_come_from_the_file_of_the_network(informed, trained, tmp_path):
    ranges = [{"quantity": "pho_pT", "channel": None, "unit": "GeV", "low": 20.5, "high": 99.5}]
    points = [{"efficiency": 0.9, "score": 0.25, "background_efficiency": 0.5}]
    told = {"domain": {"central": 0.99, "ranges": ranges}, "working_points": points}
    content = torch.load(informed.with_suffix(".pt"), weights_only=True)
    torch.save(content | told, tmp_path / "model.pt")
    export(tmp_path / "model.pt", tmp_path / "model.onnx", tmp_path / "model.json", 17, 8)
    content = json.loads((tmp_path / "model.json").read_text())
    assert {name: content[name] for name in told} == told
    contract = load_contract(tmp_path / "model.onnx")
    assert contract.to_json() == content
    assert contract.domain.ranges[0].high == 99.5
    for wrong in ({"domain": {"ranges": []}}, {"working_points": 5}, {"domain": {"central": 1, "ranges": 1}}):
        (tmp_path / "model.json").write_text(json.dumps(content | wrong))
        with pytest.raises(E2EError, match="not a model contract of format 2"):
            load_contract(tmp_path / "model.onnx")


def test_without_scalars_a_graph_has_one_input(model):
    assert [value.name for value in onnx.load(model).graph.input] == ["frames"]
    assert load_contract(model).to_json()["scalars"] is None
