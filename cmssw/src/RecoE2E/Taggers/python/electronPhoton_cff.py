"""Electron or photon: from the detector's frame and the seeds to the score of each photon candidate.

The defaults of the modules are those of this task; the model is to be set, e2eTagger.model.
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger
from RecoE2E.Taggers.objectFrames_cfi import objectFrames

electronPhoton = cms.Sequence(objectFrames + e2eTagger)
