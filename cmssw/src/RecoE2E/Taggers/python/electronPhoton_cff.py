"""Electron or photon: from the detector's images and the seeds to the score of each photon candidate.

The defaults of the modules are those of this task; the model is to be set, e2eTagger.model.
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.RHTree.detectorFrame_cfi import detectorFrame
from RecoE2E.Taggers.objectFrames_cfi import objectFrames
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger

electronPhoton = cms.Sequence(detectorFrame + objectFrames + e2eTagger)
