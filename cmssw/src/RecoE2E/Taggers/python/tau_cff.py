"""Tau or other jet: from the detector's images and the seeds to the probability of a tau for each jet.

Set the model, tauTagger.model; its contract says what the source must read (see fromContract).
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.RHTree.detectorFrame_cfi import detectorFrame
from RecoE2E.Taggers.jetFrames_cfi import jetFrames
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger

tauTagger = e2eTagger.clone(frames="jetFrames")
tau = cms.Sequence(detectorFrame + jetFrames + tauTagger)
