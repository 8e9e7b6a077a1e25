"""Parameters of modules by the contract of a model: model.json, which the export writes beside model.onnx.

contract = read("model.onnx")
process.source = cms.Source("RHTreeSource", fileNames=cms.untracked.vstring(...), **source(contract))
process.objectFrames = objectFrames.clone(**crop(contract))

The tagger compares the frames with the contract once more, so what is set otherwise is refused.
"""

import json
import os

import FWCore.ParameterSet.Config as cms


def read(model):
    """The contract of the model at this path; raises RuntimeError, naming the file, where there is none."""
    path = os.path.splitext(model)[0] + ".json"
    try:
        with open(path) as file:
            contract = json.load(file)
        source(contract), crop(contract)
    except (OSError, ValueError, RecursionError) as error:
        raise RuntimeError(
            f"{path}: cannot be read ({error}); the export writes it beside the model: copy both"
        ) from None
    except (KeyError, TypeError, RuntimeError) as error:
        raise RuntimeError(f"{path}: is no contract of a model ({error!r}); export the model anew") from None
    return contract


def source(contract):
    """What a source, such as RHTreeSource, is asked for: quantities with their cells, the detector, seeds.

    The contract names no branch: by the layout of a file its source finds who carries a quantity there.
    """
    return {
        "channels": cms.VPSet(
            *(
                cms.PSet(
                    name=cms.string(channel["name"]),
                    cell=cms.uint32(channel["cell"]),
                )
                for channel in contract["input"]["channels"]
            )
        ),
        "rows": cms.uint32(contract["detector"]["rows"]),
        "columns": cms.uint32(contract["detector"]["columns"]),
        "object": cms.string(contract["seeds"]["object"]),
        "seedCell": cms.uint32(contract["seeds"]["cell"]),
        "pt": cms.string(_pt(contract)),
    }


def _pt(contract):
    """Name of the transverse momentum that the model takes, or by which its domain is told; "" for none."""
    scalars, domain = contract["scalars"] or [], (contract["domain"] or {}).get("ranges", [])
    names = [scalar["name"] for scalar in scalars if scalar["unit"] == "GeV"]
    names += [each["quantity"] for each in domain if each["unit"] == "GeV" and each["channel"] is None]
    return names[0] if names else ""


def crop(contract):
    """Parameters of an ObjectFrameProducer that cuts frames as the model takes them."""
    return {
        "rows": cms.uint32(contract["crop"]["rows"]),
        "columns": cms.uint32(contract["crop"]["columns"]),
        "seedRow": cms.uint32(contract["crop"]["seed_row"]),
        "seedColumn": cms.uint32(contract["crop"]["seed_column"]),
        "outward": cms.bool(contract["orientation"] is not None),
    }
