"""Tau or other jet: from the detector's frame and the seeds to the probability of a tau for each jet.

Set the model, tauTagger.model; its contract says what the source must read (see fromContract).
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger
from RecoE2E.Taggers.jetFrames_cfi import jetFrames

tauTagger = e2eTagger.clone(frames="jetFrames")
tau = cms.Sequence(jetFrames + tauTagger)
