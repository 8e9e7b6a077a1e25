"""A sum beyond the largest integer: UndefinedBehaviorSanitizer must report it."""

import FWCore.ParameterSet.Config as cms

process = cms.Process("TEST")
process.maxEvents.input = 1
process.source = cms.Source("EmptySource")
process.overflow = cms.EDProducer("OverflowProducer", what=cms.string("integer"))
process.path = cms.Path(process.overflow)
