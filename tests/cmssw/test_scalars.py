"""Models that take numbers beside frames: cmsRun and Python give them the same, refuse and warn alike."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from e2e import tasks
from e2e.benchmark import measure_pack
from e2e.benchmark.inputs import prepare
from e2e.benchmark.pack import pack
from e2e.benchmark.worker import measure
from e2e.data import store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.data.scores import read_scores
from e2e.data.split import write_split
from e2e.deploy.contract import Contract, load_contract
from e2e.deploy.export import export
from e2e.deploy.predict import predict
from e2e.deploy.providers import CPU
from e2e.errors import E2EError
from e2e.files import sha256, write_json
from e2e.learning.train import train
from e2e.models import saved
from e2e.tasks import Domain, Range

MASS = tasks.task("mass_regression", 4)
BOTH = ("seed_eta", "jetPt")
IDENTITY = ["run", "lumi", "event", "object"]
GENUINE = ["jet_boostedTop", "jet_dijet", "jet_dijet_gg_qq", "jet_dijet_tau_massregression"]


def jets(count: int, listed: Callable[[dict], dict] = lambda objects: objects) -> list[Event]:
    """Events of two jets, whose branches are what ``listed`` makes of them, in falling order of their pT."""
    random = np.random.default_rng(7)
    events = []
    for number in range(count):
        row, column = random.choice(np.arange(12, 44), 2), random.choice(72, 2)
        pt = np.sort(random.uniform(20, 200, 2))[::-1]
        channels = {}
        for channel in MASS.channels:
            hit = random.random(MASS.frame_shape(channel)) < 0.002
            channels[channel.name] = (random.exponential(2, hit.shape) * hit).astype(np.float32)
        objects = {
            "jetSeed_ieta": row,
            "jetSeed_iphi": column,
            "jetPt": pt,
            "jetEta": 0.087 * (row - 27.5),
            "jetPhi": np.arctan2(*(f(np.radians(5 * (column - 1.5))) for f in (np.sin, np.cos))),
            "jetM": np.full(2, 10.0),
            "a_m": random.uniform(4, 14, 2),
            "a_pt": pt,
        }
        columns = {name: np.float32(values) for name, values in listed(objects).items()}
        events.append(Event(1, 1, number + 1, channels, columns))
    return events


def written(path: Path, *arguments) -> Path:
    write_ntuple(path, jets(*arguments), task=MASS)
    return path


def sum_of_scalars(path: Path, domain: Domain | None = None) -> Path:
    """A model whose mass is |seed_eta| + jetPt, which any rounding in a network would hide."""
    task = MASS.given(BOTH)
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["scalars"], ["positive"]),
            helper.make_node("MatMul", ["positive", "ones"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["mass"]),
            helper.make_node("Identity", ["mass"], ["mass_width"]),
        ],
        "sum",
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *task.shape]),
            helper.make_tensor_value_info("scalars", TensorProto.FLOAT, ["N", 2]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("mass", "mass_width")],
        [
            numpy_helper.from_array(np.ones((2, 1), np.float32), "ones"),
            numpy_helper.from_array(np.array([-1]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    about = {"origin": "e2e simulation", "tracks": "direction"}
    contract = Contract(task, "sum", sha256(path), 17, 8, about, "unknown", {}, domain=domain)
    write_json(path.with_suffix(".json"), contract.to_json())
    return path


def in_python(model: Path, ntuple: Path, tmp_path: Path) -> pd.DataFrame:
    table = predict(model, ntuple, tmp_path / "python.parquet")
    return table.sort_values(IDENTITY, ignore_index=True)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A run with one task and one model that takes scalars: results/tiny/mass_regression/cnn."""
    task = tmp_path_factory.mktemp("results") / "tiny/mass_regression"
    for name in ("ntuples", "store", "cnn"):
        (task / name).mkdir(parents=True)
    ntuple, path, split = written(task / "ntuples/jets.root", 40), task / "store/jets.parquet", task / "split"
    convert(MASS, ntuple, path, progress=False)
    write_split([path], split.with_suffix(".parquet"), split.with_suffix(".json"))
    trainer = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0.0}
    model = task / "cnn/model.onnx"
    train(
        [path],
        split.with_suffix(".parquet"),
        model.with_suffix(".pt"),
        task / "cnn/history.csv",
        checkpoints=task / "cnn/checkpoints",
        task=MASS,
        architecture="cnn",
        network={"stem": 2, "widths": [4], "blocks": [1], "hidden": 8},
        trainer=trainer | {"devices": 1, "seed": 1},
        scalars=BOTH,
        accelerator="cpu",
    )
    export(model.with_suffix(".pt"), model, model.with_suffix(".json"), opset=17, ir_version=8)
    predict(model, path, task / "cnn/scores.parquet")
    return task


def test_a_trained_network_gives_the_same_in_pytorch_onnx_runtime_and_cmsrun(learned, scores, tmp_path):
    ntuple, model = learned / "ntuples/jets.root", learned / "cnn/model.onnx"
    network, info = saved.load(model.with_suffix(".pt"))
    contract = load_contract(model)
    assert contract.domain.to_json() == info["domain"]
    assert {each.quantity for each in contract.domain.ranges} == {*BOTH, "hits", "smallest"}
    assert contract.working_points is None  # of a mass
    trained = saved.predictions(network, store.iterate(learned / "store/jets.parquet")).T
    python = in_python(model, ntuple, tmp_path)
    for name, values in zip(("mass", "mass_width"), trained, strict=True):
        np.testing.assert_allclose(python[name], values, rtol=1e-4)
    found = scores([ntuple], f"model={model}")
    assert found[IDENTITY].equals(python[IDENTITY].astype(found[IDENTITY].dtypes.to_dict()))
    for name in ("mass", "mass_width"):
        np.testing.assert_allclose(found[name], python[name], rtol=1e-4)


def test_a_benchmark_gives_all_methods_the_same_scalars(learned, scores, tmp_path):
    """The events that it writes for cmsRun have the pT, whatever the objects that fill a batch."""
    model = learned / "cnn/model.onnx"
    contract, table = load_contract(model), read_scores(learned / "cnn/scores.parquet")
    [batch] = prepare(contract, {learned / "ntuples/jets.root": "jets"}, table, [3], 4, tmp_path)
    given = np.load(batch.scalars)
    assert given.shape == (batch.calls, 3, 2)
    assert np.isin(given[..., 1], table["jetPt"]).all()
    for method, of in (("ONNX Runtime", model), ("PyTorch", model.with_suffix(".pt"))):
        request = {"method": method, "model": str(of), "provider": "CPU", "calls": 2}
        files = {"frames": batch.frames, "scalars": batch.scalars, "values": tmp_path / "values.npy"}
        measure(request | {name: str(path) for name, path in files.items()})
        np.testing.assert_allclose(np.load(tmp_path / "values.npy"), batch.values[:2], rtol=1e-4)
    found = scores([batch.ntuple], f"model={model}").sort_values(["event", "object"])
    np.testing.assert_allclose(found["mass"], batch.values.reshape(-1), rtol=1e-4)
    pack(learned.parent, tmp_path / "pack")
    (packed,) = measure_pack.models(tmp_path / "pack")
    (session,) = measure_pack.sessions(tmp_path / "pack", CPU, (4,))
    assert session[1]()["max_diff"] < 1e-4
    assert packed.inputs()[1].shape == (len(packed.expected()), 2)
    events = read_scores(packed.folder / "events.parquet")
    assert set(events["jetPt"]) <= set(table["jetPt"])


def another_order(objects: dict) -> dict:
    """As tau_classification lists jets: turned around, so that only their pT tells which seed is whose."""
    turned = {name: values[::-1] for name, values in objects.items()}
    seeds = {name: objects[name] for name in ("jetSeed_ieta", "jetSeed_iphi")}
    pt, eta, phi = (turned[name] for name in ("jetPt", "jetEta", "jetPhi"))
    listed = {"jet_Pt": pt, "jet_Eta": eta, "jet_Px": pt * np.cos(phi), "jet_Py": pt * np.sin(phi)}
    return seeds | listed | {"jet_IsTau": np.ones(2), "gen_Prongs": np.ones(2)}


@pytest.mark.parametrize(
    "listed", [lambda objects: objects, another_order], ids=["as seeds", "turned around"]
)
def test_scalars_are_sorted_and_matched_as_python_does(scores, tmp_path, listed):
    ntuple, model = written(tmp_path / "jets.root", 8, listed), sum_of_scalars(tmp_path / "model.onnx")
    python, found = in_python(model, ntuple, tmp_path), scores([ntuple], f"model={model}")
    np.testing.assert_array_equal(found["mass"], python["mass"])
    wanted = [
        np.float32(pt) + np.float32(abs(0.087 * (row - 27.5)))
        for event in jets(8)
        for pt, row in zip(event.objects["jetPt"], event.objects["jetSeed_ieta"], strict=True)
    ]
    np.testing.assert_allclose(found["mass"], wanted, rtol=1e-6)


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_jets_have_the_same_scalars_or_none(shared, cmsrun, scores, tmp_path, name):
    ntuple, model = shared / f"data/genuine/{name}.root", sum_of_scalars(tmp_path / "model.onnx")
    try:
        python = in_python(model, ntuple, tmp_path)
    except E2EError as error:
        job = cmsrun([ntuple], f"model={model}")
        assert job.returncode != 0
        missing = re.search(r"have no (\w+), which the model takes", str(error))
        if missing:
            assert f"has no {missing[1]}, which the model takes" in job.stdout
        return
    np.testing.assert_array_equal(scores([ntuple], f"model={model}")["mass"], python["mass"])


@pytest.mark.parametrize(
    "listed",
    [
        lambda objects: {name: values for name, values in objects.items() if name != "jetPt"},
        lambda objects: objects | {"jetEta": objects["jetEta"] + 1.0},  # which is not that of the seeds
    ],
    ids=["without the branch", "of other jets"],
)
def test_a_file_without_the_pt_is_refused_by_both(cmsrun, tmp_path, listed):
    ntuple, model = written(tmp_path / "jets.root", 3, listed), sum_of_scalars(tmp_path / "model.onnx")
    sentence = "no jetPt, which the model takes; write the ntuple with"
    with pytest.raises(E2EError, match=rf"jets.root: 6 of 6 objects have {sentence} the branch jetPt"):
        predict(model, ntuple, tmp_path / "python.parquet")
    job = cmsrun([ntuple], f"model={model}")
    assert job.returncode != 0
    assert re.search(rf"jets.root: event 1:1:1: object 0 has {sentence} it", job.stdout), job.stdout
    assert not (tmp_path / "python.parquet").exists()


def test_both_warn_once_a_file_of_objects_outside_the_domain(cmsrun, tmp_path, capsys):
    ranges = (
        Range("seed_eta", None, "1", 0.0, 2.0),
        Range("jetPt", None, "GeV", 300.0, 400.0),
        Range("hits", "ECAL_energy", "hits", 0.0, 3.0),
        Range("smallest", "track_pT", "GeV", 0.0, 1000.0),
    )
    model = sum_of_scalars(tmp_path / "model.onnx", Domain(0.99, ranges))
    ntuple, few = written(tmp_path / "jets.root", 8), written(tmp_path / "few.root", 2)
    job = cmsrun([ntuple, few], f"model={model}", "numberOfThreads=2")
    assert job.returncode == 0, job.stdout
    for each in (ntuple, few):
        predict(model, each, tmp_path / "python.parquet")
    said = capsys.readouterr().err
    for reason in (
        "16 of 16 objects have jetPt outside 300 to 400 GeV",
        "16 of 16 objects have number of hits in ECAL_energy outside 0 to 3",
    ):
        for text in (job.stdout, said):
            assert text.count(reason) == 1
            assert re.search(rf"jets.root: {reason}; ", text)
    for text in (job.stdout, said):
        assert text.count("outside") == 2  # four jets are too few to say anything
