"""Modules of all kinds in two threads and four streams: what they make must be right in every event."""

import FWCore.ParameterSet.Config as cms

process = cms.Process("TEST")
process.options.numberOfThreads = 2
process.options.numberOfStreams = 4
process.maxEvents.input = 400
process.MessageLogger.cerr.FwkReport.reportEvery = 100
process.source = cms.Source(
    "EmptySource",
    numberEventsInLuminosityBlock=cms.untracked.uint32(10),
    numberEventsInRun=cms.untracked.uint32(100),
)

process.one = cms.EDProducer("SumProducer", value=cms.int32(1))
process.two = cms.EDProducer(
    "SumProducer", value=cms.int32(1), inputs=cms.VInputTag("one"), instance=cms.string("x")
)
process.count = cms.EDProducer("CountingProducer")
process.onDemand = cms.EDProducer("SumProducer", inputs=cms.VInputTag("two:x", "count"))
process.expect = cms.EDAnalyzer(
    "ExpectAnalyzer", expected=cms.int32(4), inputs=cms.VInputTag("onDemand", "one")
)
process.other = cms.EDAnalyzer("ExpectAnalyzer", expected=cms.int32(1), inputs=cms.VInputTag("one"))

process.path = cms.Path(process.count, cms.Task(process.onDemand, process.two))
process.second = cms.Path(process.one)
process.end = cms.EndPath(process.expect + process.other)
