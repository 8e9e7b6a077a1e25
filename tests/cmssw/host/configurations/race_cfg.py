"""A data race between two streams: ThreadSanitizer must report it."""

import FWCore.ParameterSet.Config as cms

process = cms.Process("TEST")
process.options.numberOfThreads = 2
process.maxEvents.input = 20
process.source = cms.Source("EmptySource")
process.race = cms.EDProducer("RaceProducer")
process.path = cms.Path(process.race)
