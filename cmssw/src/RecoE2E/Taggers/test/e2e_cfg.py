"""Runs an exported model on the photon candidates or jets of RHTree ntuples, whatever its task.

cmsRun e2e_cfg.py inputFiles=file:ntuple.root model=model.onnx outputFile=scores.root

The model's contract (model.json) says what is read of the detector and how frames are cut.
"""

import contextlib
import os

import FWCore.ParameterSet.Config as cms
from FWCore.ParameterSet.VarParsing import VarParsing
from RecoE2E.Taggers import files, fromContract
from RecoE2E.Taggers.objectFrames_cfi import objectFrames

options = VarParsing("analysis")
options.setDefault("outputFile", "scores.root")
options.setType("outputFile", VarParsing.varType.string)  # no tag for maxEvents in the file's name
for name, default, kind, description in (
    ("model", "model.onnx", VarParsing.varType.string, "model, with its JSON beside it"),
    ("hcalColumns", "ecal", VarParsing.varType.string, "columns of HCAL images: ecal, or own in old ntuples"),
    ("provider", "cpu", VarParsing.varType.string, "execution provider that runs the model"),
    ("numberOfThreads", 1, VarParsing.varType.int, "threads of the job"),
    ("numberOfStreams", 0, VarParsing.varType.int, "events in flight; 0: as many as threads"),
    ("timing", "", VarParsing.varType.string, "JSON file for the times of the modules; none if empty"),
):
    options.register(name, default, VarParsing.multiplicity.singleton, kind, description)
options.setNoCommaSplit("inputFiles")  # names may hold commas: see files.names
options.parseArguments()
inputs = files.names(options.inputFiles)
files.check(
    [options.outputFile, options.timing],
    [*inputs, options.model, os.path.splitext(options.model)[0] + ".json"],
)

process = cms.Process("E2E")
process.options.numberOfThreads = options.numberOfThreads
process.options.numberOfStreams = options.numberOfStreams
process.maxEvents.input = options.maxEvents

process.load("FWCore.MessageService.MessageLogger_cfi")
process.MessageLogger.cerr.FwkReport.reportEvery = 1000

with contextlib.suppress(ModuleNotFoundError):  # only the newest releases run ONNX Runtime through a service
    process.load("PhysicsTools.ONNXRuntime.ONNXService_cfi")

contract = fromContract.read(options.model)
process.source = cms.Source(
    "RHTreeSource",
    fileNames=cms.untracked.vstring(inputs),
    hcalColumns=cms.string(options.hcalColumns),
    **fromContract.source(contract),
)
process.load("RecoE2E.RHTree.detectorFrame_cfi")
process.objectFrames = objectFrames.clone(**fromContract.crop(contract))
process.load("RecoE2E.Taggers.e2eTagger_cfi")
process.load("RecoE2E.Taggers.e2eScoreWriter_cfi")
process.e2eTagger.model = os.path.abspath(options.model)
process.e2eTagger.provider = options.provider
process.TFileService = cms.Service("TFileService", fileName=cms.string(options.outputFile))
if options.timing:
    process.FastTimerService = cms.Service(
        "FastTimerService",
        writeJSONSummary=cms.untracked.bool(True),
        jsonFileName=cms.untracked.string(options.timing),
        enableDQM=cms.untracked.bool(False),
    )

process.path = cms.Path(
    process.detectorFrame + process.objectFrames + process.e2eTagger + process.e2eScoreWriter
)
