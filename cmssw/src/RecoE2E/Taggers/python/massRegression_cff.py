"""Mass regression: from the detector's frame and the seeds to the mass [GeV] behind each jet.

Set the model, massRegressionTagger.model; its contract says what the source must read (see fromContract).
"""

import FWCore.ParameterSet.Config as cms
from RecoE2E.Taggers.e2eTagger_cfi import e2eTagger
from RecoE2E.Taggers.jetFrames_cfi import jetFrames

massRegressionTagger = e2eTagger.clone(frames="jetFrames")
massRegression = cms.Sequence(jetFrames + massRegressionTagger)
