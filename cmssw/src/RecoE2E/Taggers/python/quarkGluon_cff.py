"""Quark or gluon: from the detector's frame and the seeds to the probability of a quark for each jet.

Set the model, quarkGluonTagger.model; its contract says what the source must read (see fromContract).
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger
from RecoE2E.Taggers.jetFrames_cfi import jetFrames

quarkGluonTagger = e2eTagger.clone(frames="jetFrames")
quarkGluon = cms.Sequence(jetFrames + quarkGluonTagger)
