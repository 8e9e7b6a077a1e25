"""CMS End-to-End deep learning: from detector hits to inference inside CMSSW."""

import os

from e2e import caches

__version__ = "0.1.0"

# Else ONNX Runtime looks up a host of its maker in every process, and keeps a number of the device in HOME.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
caches.choose()
