"""CMS End-to-End deep learning: from detector hits to inference inside CMSSW."""

__version__ = "0.1.0"
