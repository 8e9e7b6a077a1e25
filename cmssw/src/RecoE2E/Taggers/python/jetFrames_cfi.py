"""Frames of 125 x 125 crystals around jets, the seed in their middle, as they lie in the detector."""

from RecoE2E.Taggers.objectFrames_cfi import objectFrames

jetFrames = objectFrames.clone(rows=125, columns=125, seedRow=62, seedColumn=62, outward=False)
